"""OMP301-OMP305: environment variables that do not do what they seem to."""

from __future__ import annotations

from collections.abc import Iterator

from ..facts.libraries import Library
from ..facts.settings import EnvSetting, Reading
from ..facts.snapshots import Snapshot
from ..knowledge.catalog import BY_KEY, readers_of
from ..knowledge.envvars import is_true, threads_in
from ..knowledge.meanings import problem_of, shown
from ..knowledge.precedence import ORDERS
from .rule import Case, Rule

_DUPLICATE = "KMP_DUPLICATE_LIB_OK"
_PACKAGES = {"sklearn": "scikit-learn", "mkl": "mkl-service"}
_CALLS = {
    "torch": "import torch; torch.set_num_threads({})",
    "numexpr": "import numexpr; numexpr.set_num_threads({})",
    "pyarrow": "import pyarrow; pyarrow.set_cpu_count({})",
    "cv2": "import cv2; cv2.setNumThreads({})",
}
"""How a package's own count is set after it was read."""


def _too_late(snapshot: Snapshot, _libraries: tuple[Library, ...]) -> Iterator[Case]:
    for setting in snapshot.environment:
        late = [each for each in setting.readings if each.state == "too late"]
        # What an import set is nobody's wish: OMP208 tells of it where it does harm.
        if not late or setting.by_import:
            continue
        readers = ", ".join(each.reader for each in late)
        moment = "unset" if setting.native is None else "set"
        yield Case(
            title=f"{setting.name} was {moment} too late for {readers}",
            why=(
                f"{readers} had read {setting.name} before it was {moment}, and "
                f"{'does' if len(late) == 1 else 'do'} not look again: what it asks for is as it "
                "was before. Libraries and child processes still to come see the new value."
            ),
            evidence=(_history(setting), *(_count_of(setting, each) for each in late)),
            remedies=tuple(dict.fromkeys(_remedies(setting, late))),
        )


def _history(setting: EnvSetting) -> str:
    text = f"{setting.name}: at start {shown(setting.at_exec)}, now {shown(setting.native)}"
    by = _by(setting)
    return f"{text}, set by {by}" if by else text


def _by(setting: EnvSetting) -> str:
    """Give who set a variable, seen or known of a package, or ""."""
    return setting.change.by if setting.change is not None else _named(setting.set_by)


def _count_of(setting: EnvSetting, reading: Reading) -> str:
    order = ORDERS.get(reading.family)
    when = f", it reads the variable {order.read}" if order is not None else ""
    wanted = _wanted(setting, reading)
    return f"{reading.reader}: {_threads(reading.num_threads)}" + (
        f" instead of {wanted}{when}" if wanted else when
    )


def _threads(number: int | None) -> str:
    return f"{number} thread{'s' * (number != 1)}"


def _wanted(setting: EnvSetting, reading: Reading) -> int | None:
    """Give the threads that a value would have given; None where it sets no count, or not that."""
    order = ORDERS.get(reading.family)
    if setting.native is None or (order is not None and setting.name not in order.variables):
        return None
    wanted = threads_in(reading.family, setting.name, setting.native)
    refused = wanted is not None and reading.most is not None and wanted > reading.most
    return None if refused else wanted


def _remedies(setting: EnvSetting, late: list[Reading]) -> Iterator[str]:
    wants = {each.family: _wanted(setting, each) for each in late}
    counts = {family: wanted for family, wanted in wants.items() if wanted is not None}
    limits = [f"{family}={wanted}" for family, wanted in counts.items() if family in BY_KEY]
    if limits:  # one line: a second %omp_limit takes the place of the first
        yield f"For this session: %omp_limit {' '.join(limits)}"
    for each in late:
        wanted = wants[each.family]
        if wanted is None and each.family in _CALLS and _lowers(setting, each):
            wanted = threads_in(each.family, setting.name, setting.native or "")
        if wanted is not None and each.family in _CALLS:
            yield f"For this session: {_CALLS[each.family].format(wanted)}"
    if setting.native is None:
        yield f"Before the kernel starts: unset {setting.name}"
    else:
        yield f"Before the kernel starts: {setting.name}={setting.native}"


def _lowers(setting: EnvSetting, reading: Reading) -> bool:
    """Tell whether a variable that holds the most threads allows fewer than there are."""
    most = (
        None if setting.native is None else threads_in(reading.family, setting.name, setting.native)
    )
    order = ORDERS.get(reading.family)
    caps = order.caps if order is not None else ()
    return setting.name in caps and most is not None and most < (reading.num_threads or 0)


def _overruled(snapshot: Snapshot, _libraries: tuple[Library, ...]) -> Iterator[Case]:
    values = {setting.name: setting.native for setting in snapshot.environment}
    for setting in snapshot.environment:
        if setting.by_import:
            continue
        for by in dict.fromkeys(each.by for each in setting.readings if each.state == "overruled"):
            readings = [
                each for each in setting.readings if (each.state, each.by) == ("overruled", by)
            ]
            against = [each for each in readings if _matters(setting, each, values.get(by))]
            if not against:
                continue
            readers = ", ".join(each.reader for each in against)
            yield Case(
                title=f"{setting.name} is overruled by {by} in {readers}",
                why=(
                    f"{readers} {'reads' if len(against) == 1 else 'read'} both variables, and "
                    f"{by} wins: {setting.name}={shown(setting.native)} does nothing there."
                ),
                evidence=(
                    f"{setting.name}: {shown(setting.native)}",
                    f"{by}: {shown(values.get(by))}",
                    *(
                        f"{each.reader}: {_threads(each.num_threads)}"
                        for each in against
                        if each.num_threads is not None
                    ),
                ),
                remedies=_without(snapshot, setting, by),
            )


def _without(snapshot: Snapshot, setting: EnvSetting, by: str) -> tuple[str, ...]:
    """Give the ways to be rid of a variable that wins, or to make it say the same."""
    stronger = snapshot.setting(by)
    if stronger is not None and stronger.at_exec is None:
        # What starts the kernel has no part in it: a cell or an import sets it, and would again.
        return (f"Restart the kernel, and set {setting.name} alone in it, not {by}",)
    both = f"{by}={setting.native} {setting.name}={setting.native}"
    return (
        f"Before the kernel starts: unset {by}",
        f"Or give both the same value, before the kernel starts: {both}",
    )


def _matters(setting: EnvSetting, reading: Reading, winner: str | None) -> bool:
    """Tell whether a variable that loses would have done anything else than the winner does."""
    if winner is None or setting.native is None:
        return False
    if not readers_of(setting.name) and not setting.name.endswith("_THREADS"):
        return True
    mine = threads_in(reading.family, setting.name, setting.native)
    return mine != threads_in(reading.family, reading.by, winner)


def _named(modules: tuple[str, ...]) -> str:
    return " and ".join(_PACKAGES.get(name, name) for name in modules)


def _duplicate_ok(snapshot: Snapshot, libraries: tuple[Library, ...]) -> Iterator[Case]:
    setting = snapshot.setting(_DUPLICATE)
    if setting is None or not is_true(setting.native):
        return
    # Every import of scikit-learn sets it; without a runtime of the family that means nothing.
    if setting.set_by and not any(library.kin == "llvm" for library in libraries):
        return
    if setting.at_exec is not None:
        who = "it was set before this kernel started"
    elif setting.change is not None and setting.change.by:
        who = f"it was set in this kernel, by {setting.change.by}"
    elif setting.set_by:
        who = f"it was set in this kernel; importing {_named(setting.set_by)} does that"
    else:
        who = (
            "it was set in this kernel, by what is unknown: importing threadpoolctl or "
            "scikit-learn does that, and neither was seen to"
        )
    yield Case(
        title=f"{_DUPLICATE} is set: a second LLVM-family runtime would start unchecked",
        why=(
            f"With it, Error #15 does not end the process, and {who}. The runtime's own message "
            "calls it unsafe, unsupported and undocumented. Child processes inherit it."
        ),
        evidence=(
            f"os.environ {setting.python!r}",
            f"C getenv {setting.native!r}",
            f"at start {setting.at_exec!r}",
        ),
        remedies=(
            # Importing scikit-learn or threadpoolctl sets it again where it is not set at all.
            (
                "To have the check back for libraries still to come: "
                f"import os; os.environ.update({_DUPLICATE}='FALSE')"
            ),
        ),
    )


def _unreadable(snapshot: Snapshot, _libraries: tuple[Library, ...]) -> Iterator[Case]:
    for setting in snapshot.environment:
        if setting.native is None:
            continue
        # Without a library that has read it, whatever may come to read it counts.
        problem = setting.problem
        if not problem and not setting.readings:
            problem = problem_of(setting.name, setting.native)
        if not problem and (refused := [e for e in setting.readings if e.state == "refused"]):
            yield _refused(setting, refused[0], snapshot.budget.threads)
        elif problem:
            counts = readers_of(setting.name)
            yield Case(
                title=f"{setting.name} is set to a value that not every library understands",
                why=f"{problem[:1].upper()}{problem[1:]}.",
                evidence=(
                    f"C getenv {setting.native!r}",
                    *(f"{each.reader}: {each.state}" for each in setting.readings),
                ),
                remedies=(_readable(setting, snapshot.budget.threads if counts else None),),
            )


def _refused(setting: EnvSetting, reading: Reading, threads: int) -> Case:
    who, most = reading.reader, reading.most
    by = f"{reading.by} allows" if reading.by else "it may have without NUMEXPR_MAX_THREADS"
    return Case(
        title=f"{setting.name}={setting.native} is refused by {who}: it has one thread",
        why=(
            f"{who} takes no number above {most}, the most that {by}. It says so on stderr alone "
            f"and stays with {_threads(reading.num_threads)}, while numexpr.nthreads claims "
            f"{setting.native}."
        ),
        evidence=(_history(setting), f"{who}: {_threads(reading.num_threads)}, at most {most}"),
        remedies=(
            f"For this session: import numexpr; numexpr.set_num_threads({threads})",
            f"Before the kernel starts: {setting.name}={threads}",
        ),
    )


def _readable(setting: EnvSetting, threads: int | None) -> str:
    """Give the way to a value that is understood: a count, or no value at all."""
    if setting.at_exec == setting.native:
        change = f"unset {setting.name}" if threads is None else f"{setting.name}={threads}"
        return f"Before the kernel starts: {change}"
    change = (
        f".pop({setting.name!r}, None)" if threads is None else f"[{setting.name!r}] = '{threads}'"
    )
    return f"For what has not read it yet: import os; os.environ{change}"


def _differs(setting: EnvSetting, snapshot: Snapshot) -> bool:
    # A limit sets the count variables of runtimes that have not started, in C alone.
    ours = bool(snapshot.limits) and bool(readers_of(setting.name))
    return setting.python != setting.native and not ours


def _two_environments(snapshot: Snapshot, _libraries: tuple[Library, ...]) -> Iterator[Case]:
    different = [setting for setting in snapshot.environment if _differs(setting, snapshot)]
    if not different:
        return
    names = ", ".join(setting.name for setting in different)
    # Nothing is lost to the library that set it: MKL keeps its layer, measured with mkl 2026.2.
    calls = (
        f"os.unsetenv({each.name!r})"
        if each.python is None
        else f"os.putenv({each.name!r}, {each.python!r})"
        for each in different
    )
    yield Case(
        title=f"{names}: C sees another value than os.environ shows",
        why=(
            "A library set or changed the variable in C. Libraries and child processes follow "
            "the C value, and os.environ does not show it."
        ),
        evidence=tuple(
            f"{setting.name}: os.environ {setting.python!r}, C getenv {setting.native!r}"
            + (f", set by {_by(setting)}" if _by(setting) else "")
            for setting in different
        ),
        remedies=(
            f"To have C and children see what os.environ shows: import os; {'; '.join(calls)}",
            (
                "Or give one child what os.environ shows, here one that prints it: "
                "import os, subprocess, sys; subprocess.check_output([sys.executable, '-c', "
                f"\"import os; print(os.getenv('{different[0].name}'))\"], env=dict(os.environ))"
            ),
        ),
    )


RULES = (
    Rule(
        code="OMP301",
        severity="warning",
        summary="a variable was set after the library had read it",
        source="https://github.com/gcc-mirror/gcc/blob/master/libgomp/env.c (initialize_env)",
        look=_too_late,
    ),
    Rule(
        code="OMP302",
        severity="info",
        summary="a variable is overruled by a stronger one",
        source="https://github.com/OpenMathLib/OpenBLAS/blob/develop/driver/others/openblas_env.c",
        look=_overruled,
    ),
    Rule(
        code="OMP303",
        severity="warning",
        summary="KMP_DUPLICATE_LIB_OK is set",
        source="https://github.com/joblib/threadpoolctl/blob/master/threadpoolctl.py",
        look=_duplicate_ok,
    ),
    Rule(
        code="OMP304",
        severity="warning",
        summary="a variable's value is not one the library understands",
        source="https://www.openmp.org/spec-html/5.2/openmpse59.html",
        look=_unreadable,
    ),
    Rule(
        code="OMP305",
        severity="warning",
        summary="the C environment differs from os.environ",
        source="https://docs.python.org/3/library/os.html#os.environ",
        look=_two_environments,
    ),
)
