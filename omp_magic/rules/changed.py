"""OMP207 and OMP208: what an import changed in this process."""

from __future__ import annotations

from collections.abc import Iterator

from ..facts.changes import Change, cpus_of_list, narrowed
from ..facts.cpus import cpus_words
from ..facts.libraries import Library
from ..facts.settings import EnvSetting, Reading
from ..facts.snapshots import Snapshot
from ..knowledge.binding import binders_of
from ..knowledge.envvars import threads_in
from .rule import Case, Rule, named
from .settings import threads_words

_WRITTEN_OUT = 8
"""CPUs of a mask that a remedy names one by one."""


def _narrowed(snapshot: Snapshot, libraries: tuple[Library, ...]) -> Iterator[Case]:
    change = narrowed(snapshot.changes)
    if change is None:
        return
    binders = {
        library.path: binders_of(library.family, change.variables)
        for library in libraries
        if library.initialized and _may_have_bound(library, change)
    }
    runtimes = [each for each in libraries if binders.get(each.path)]
    # What a cell's own line did is its wish; a runtime of LLVM's family binds at its first call.
    if not change.imported and not runtimes:
        return
    variables = tuple(dict.fromkeys(name for names in binders.values() for name in names))
    before, after = cpus_of_list(change.before), cpus_of_list(change.after)
    who = change.doer if change.imported or not change.by else f"an OpenMP call in {change.by}"
    yield Case(
        title=f"{_upper(who)} narrowed this kernel from {_cpus(before)} to {_cpus(after)}",
        why=_why_narrowed(change, runtimes, variables),
        evidence=(
            f"the main thread: CPUs {change.before} before, {change.after} after",
            *((change.evidence,) if change.evidence else ()),
            *(each for each in change.asked if each.partition("=")[0] in variables),
            *(f"{named(each)} binds its threads: {each.path}" for each in runtimes),
            *(
                f"{pool.name}: {pool.size} threads, their own CPUs {pool.bound_cpus}"
                for pool in snapshot.pools
                if pool.bound_cpus is not None and pool.size
            ),
        ),
        remedies=(
            f"To have the CPUs back: import os; os.sched_setaffinity(0, {_literal(before)})",
            *(_unset(snapshot, change, name) for name in variables),
        ),
    )


def _may_have_bound(library: Library, change: Change) -> bool:
    """Tell whether a runtime binds the main thread in such a step: libgomp when it is loaded."""
    return change.imported or not change.by or library.kin == "llvm"


def _why_narrowed(change: Change, runtimes: list[Library], variables: tuple[str, ...]) -> str:
    if runtimes:
        asks = " and ".join(each for each in change.asked if each.partition("=")[0] in variables)
        names = ", ".join(map(named, runtimes))
        moment = "when it is loaded" if runtimes[0].kin == "gnu" else "at its first call"
        why = f"{asks} makes {names} bind the thread that it meets {moment}, which was the main one"
        own = " The other threads of its team have CPUs of their own."
    else:
        why = "It set the affinity of the main thread itself; no variable of OpenMP asked for it"
        own = ""
    left = cpus_words(len(cpus_of_list(change.after)))
    return (
        f"{why}. Child processes and new threads inherit {left}, and what counts CPUs from now on "
        f"counts so many: OpenBLAS loaded now has a pool for {left}.{own}"
    )


def _unset(snapshot: Snapshot, change: Change, name: str) -> str:
    setting = snapshot.setting(name)
    if setting is not None and setting.at_exec is None:
        moment = f"before {change.by}" if change.imported else "before the first OpenMP call"
        return f"Or in a fresh kernel, {moment}: import os; os.environ.pop({name!r}, None)"
    return f"Before the kernel starts: unset {name}"


def _literal(cpus: frozenset[int]) -> str:
    first, last = min(cpus), max(cpus)
    if len(cpus) > _WRITTEN_OUT and len(cpus) == last - first + 1:
        return f"range({first}, {last + 1})"
    return f"{{{', '.join(map(str, sorted(cpus)))}}}"


def _cpus(cpus: frozenset[int]) -> str:
    return cpus_words(len(cpus))


def _upper(text: str) -> str:
    return text if text.startswith(("import ", "loading ")) else text[:1].upper() + text[1:]


def _small(snapshot: Snapshot, _libraries: tuple[Library, ...]) -> Iterator[Case]:
    if snapshot.limits:
        return  # Counts are those of the limit then.
    for setting in snapshot.environment:
        small = _small_pools(snapshot, setting) if setting.by_import else []
        if not small or setting.native is None:
            continue
        readers = ", ".join(each.reader for each in small)
        who = _who(setting)
        allowed = snapshot.budget.threads
        yield Case(
            title=(
                f"{who} set {setting.name}={setting.native}: "
                f"{readers} {'has' if len(small) == 1 else 'have'} "
                f"{threads_words(small[0].num_threads)} where {cpus_words(allowed)} are allowed"
            ),
            why=(
                f"Nobody asked for it here: {setting.name} was {_was(setting)} before {who}. What "
                "is loaded after it reads the variable, and child processes inherit it."
            ),
            evidence=(
                f"{setting.name}: {_was(setting)} before, {setting.native!r} since {who}"
                + ("" if setting.change is not None else ", as that import is known to do"),
                *(
                    f"{each.reader}: {threads_words(each.num_threads)}, {each.state}"
                    for each in small
                ),
            ),
            remedies=tuple(_lifted(setting, who, allowed)),
        )


def _small_pools(snapshot: Snapshot, setting: EnvSetting) -> list[Reading]:
    """Give the pools that have what the variable says, and it is less than the CPUs."""
    value = setting.native or ""
    return [
        each
        for each in setting.readings
        if each.state in ("in force", "to come")
        and each.num_threads is not None
        and each.num_threads < snapshot.budget.threads
        and threads_in(each.family, setting.name, value) == each.num_threads
    ]


def _who(setting: EnvSetting) -> str:
    if setting.change is not None:
        return setting.change.by
    return f"import {' or '.join(setting.set_by)}"


def _was(setting: EnvSetting) -> str:
    value = setting.change.before if setting.change is not None else setting.at_exec
    return "not set" if value is None else repr(value)


def _lifted(setting: EnvSetting, who: str, allowed: int) -> Iterator[str]:
    name = setting.name
    yield "For this session: %omp_limit auto"
    before = setting.change.before if setting.change is not None else None
    if before is not None:
        yield (
            f"For child processes and what is still to be loaded: import os; "
            f"os.environ[{name!r}] = {before!r}"
        )
        return
    # os.environ.pop does not reach what os.environ does not have.
    gone = f"os.environ.pop({name!r}, None)" if setting.python else f"os.unsetenv({name!r})"
    yield f"For child processes and what is still to be loaded: import os; {gone}"
    yield f"In a fresh kernel, right after {who}: import os; {gone}"
    yield (
        f"Or in a fresh kernel, before {who}, which may leave a value that is there: "
        f"import os; os.environ[{name!r}] = '{allowed}'"
    )


RULES: tuple[Rule, ...] = (
    Rule(
        code="OMP207",
        severity="warning",
        summary="an import, or OpenMP's first call, narrowed this process's CPUs",
        source="https://gcc.gnu.org/onlinedocs/libgomp/OMP_005fPROC_005fBIND.html",
        look=_narrowed,
    ),
    Rule(
        code="OMP208",
        severity="warning",
        summary="a pool is smaller than the CPUs because of a variable that an import set",
        source="https://github.com/PaddlePaddle/Paddle/issues/6071",
        look=_small,
    ),
)
