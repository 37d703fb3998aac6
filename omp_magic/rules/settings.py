"""OMP301 and OMP302: environment variables that came too late, or that lose to another."""

from __future__ import annotations

from collections.abc import Iterator

from ..facts.libraries import Library
from ..facts.settings import EnvSetting, Reading
from ..facts.snapshots import Snapshot
from ..knowledge.catalog import BY_KEY, readers_of
from ..knowledge.envvars import threads_in
from ..knowledge.meanings import shown
from ..knowledge.precedence import ORDERS
from .rule import Case, Rule

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
            evidence=(history(setting), *(_count_of(setting, each) for each in late)),
            remedies=tuple(dict.fromkeys(_remedies(setting, late))),
        )


def history(setting: EnvSetting) -> str:
    """Give a variable's value at the start and now, and who set it."""
    text = f"{setting.name}: at start {shown(setting.at_exec)}, now {shown(setting.native)}"
    by = setter_of(setting)
    return f"{text}, set by {by}" if by else text


def setter_of(setting: EnvSetting) -> str:
    """Give who set a variable, seen or known of a package, or ""."""
    return setting.change.by if setting.change is not None else modules_words(setting.set_by)


def _count_of(setting: EnvSetting, reading: Reading) -> str:
    order = ORDERS.get(reading.family)
    when = f", it reads the variable {order.read}" if order is not None else ""
    wanted = _wanted(setting, reading)
    return f"{reading.reader}: {threads_words(reading.num_threads)}" + (
        f" instead of {wanted}{when}" if wanted else when
    )


def threads_words(number: int | None) -> str:
    """Give threads with their unit."""
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
                        f"{each.reader}: {threads_words(each.num_threads)}"
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


def modules_words(modules: tuple[str, ...]) -> str:
    """Give modules by the names of their packages."""
    return " and ".join(_PACKAGES.get(name, name) for name in modules)


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
)
