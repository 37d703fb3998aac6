"""OMP303 to OMP305: what a variable's value does: silences a check, is refused, is C's alone."""

from __future__ import annotations

from collections.abc import Iterator

from ..facts.libraries import Library
from ..facts.settings import EnvSetting, Reading
from ..facts.snapshots import Snapshot
from ..knowledge.catalog import readers_of
from ..knowledge.envvars import is_true
from ..knowledge.meanings import problem_of
from .rule import Case, Rule
from .settings import history, modules_words, setter_of, threads_words

_DUPLICATE = "KMP_DUPLICATE_LIB_OK"


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
        who = f"it was set in this kernel; importing {modules_words(setting.set_by)} does that"
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
            f"and stays with {threads_words(reading.num_threads)}, while numexpr.nthreads claims "
            f"{setting.native}."
        ),
        evidence=(history(setting), f"{who}: {threads_words(reading.num_threads)}, at most {most}"),
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
            + (f", set by {setter_of(setting)}" if setter_of(setting) else "")
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
