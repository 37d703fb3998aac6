"""The words of every view: what a row says, whatever it is drawn with."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from ..facts.cpus import Bound, cpus_words
from ..facts.libraries import Library, Pool
from ..facts.names import is_system, used_by
from ..facts.processes import Thread
from ..facts.snapshots import Snapshot
from ..knowledge.catalog import OMP_LAYERS

DASH = "\N{EN DASH}"

_SEVERITY_WORDS = (("error", "errors"), ("warning", "warnings"), ("info", "notes"))


@dataclass(frozen=True, slots=True)
class State:
    """A runtime's state in a word or two.

    Parameters
    ----------
    text
        The words.
    tone
        ``"good"``, ``"bad"`` or ``"plain"``; colour only ever repeats the words.
    """

    text: str
    tone: str


def printable(text: str) -> str:
    """Give `text` with everything that is not a visible character written as an escape.

    Paths and names come from outside: they may hold line ends, terminal sequences, or bytes
    that are no text.
    """
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape", "surrogatepass").decode()
        for char in text
    )


def title_of(library: Library) -> str:
    """Give a runtime's name with its version, and what it is linked into."""
    title = f"{library.label} {library.version}" if library.version else library.label
    return f"{title} in {library.name}" if library.static else title


def from_of(library: Library) -> str:
    """Give who brought a runtime: its distribution, or where it lies and who uses it."""
    if library.owner:
        who = f"{library.owner} {library.owner_version or ''}".rstrip()
        return f"{who}, {library.place}" if library.place else who
    if is_system(library.path):
        return library.whose
    words = ("no package", library.place, used_by(library.users) if library.users else "")
    return ", ".join(filter(None, words))


def threads_of(library: Library) -> str:
    """Give a thread count, a dash where it was not asked."""
    return DASH if library.num_threads is None else str(library.num_threads)


def workers_of(library: Library) -> str:
    """Give how many OS threads a runtime has besides those that call it."""
    return DASH if library.workers is None else str(library.workers)


def state_of(library: Library) -> State:
    """Give what a runtime is doing, as far as it can be seen from outside."""
    state = _running(library)
    return State(f"{state.text}; replaced on disk", "bad") if library.replaced else state


def _running(library: Library) -> State:
    if library.idle:
        return State("mapped, idle", "plain")
    if library.initialized is False:
        more = f" (would use {library.would_use})" if library.would_use is not None else ""
        return State(f"not started{more}", "plain")
    if library.initialized is None:
        return State("not asked", "plain")
    text = "started"
    if library.missing:
        return State(f"started without {counted(library.missing, 'worker')}", "bad")
    if library.serves:
        text = "serves OpenMP"
    elif library.static:
        text = "started, cannot be asked"
    elif library.threading_layer in OMP_LAYERS:
        text = "on OpenMP's threads"
    return State(text, "good")


def shortened(text: str, prefix: str) -> str:
    """Give `text` with the paths in the environment at `prefix` made short.

    ``PREFIX/lib/python3.12/site-packages/x`` becomes ``site-packages/x`` and any other
    ``PREFIX/x`` becomes ``…/x``.
    """
    if not prefix.rstrip("/\\"):
        return text
    root = re.escape(prefix.rstrip("/\\")) + r"[/\\]"
    packages = root + r"(?:lib\w*[/\\]python[\w.]+|Lib)[/\\]site-packages[/\\]"
    text = re.sub(packages, "site-packages/", text)
    return re.sub(root, "\N{HORIZONTAL ELLIPSIS}/", text)


def shortly(text: str) -> str:
    """Give a line of code with its paths cut to their last two parts: ``'…/forest/libomp.so'``."""
    return re.sub(r"(?<=['\"])[^'\"]*[/\\]([^'\"/\\]+[/\\][^'\"/\\]+)(?=['\"])", r"…/\1", text)


def decided_by(bound: Bound) -> str:
    """Give what decides the budget: ``cpu.max of /kubepods/pod7``."""
    if bound.where:
        return f"{bound.detail.split(' ', 1)[0]} of {bound.where}"
    if bound.source in ("affinity", "machine"):
        mask = f"the affinity mask, {bound.reason}," if bound.reason else "the affinity mask"
        return mask if bound.source == "affinity" else "the machine"
    return bound.detail


def load_of(snapshot: Snapshot) -> str:
    """Give what happened since the snapshot before, or "" for the first."""
    load = snapshot.load
    if load is None:
        return ""
    parts = []
    if load.used_cpus is not None:
        parts.append(f"used {load.used_cpus:.2f} CPUs")
    if load.group_cpus is not None:
        parts.append(f"its cgroup {load.group_cpus:.2f}")
    if load.neighbours is not None and load.neighbours.are_notable:
        parts.append(f"neighbours {load.neighbours.cpus:.2f}")
    if load.throttled_share is not None:
        parts.append(f"throttled {load.throttled_share:.0%}")
    if load.starved_share is not None:
        parts.append(f"threads waited {load.starved_share:.0%}")
    text = f"{', '.join(parts)} of the last {load.interval_s:.1f} s" if parts else ""
    if load.pressure_share is not None:
        text += f"{'; ' if text else ''}CPU pressure {load.pressure_share:.0%} of the last 10 s"
    return text


def bound_cpus(bound: Bound) -> str:
    """Give the CPUs that a bound allows."""
    return "no limit" if bound.cpus is None else f"{bound.cpus:.3g}"


def bound_where(bound: Bound) -> str:
    """Give what sets a bound, in the words of its source."""
    return f"{bound.detail} of {bound.where}" if bound.where else bound.detail


def bound_role(bound: Bound, snapshot: Snapshot) -> str:
    """Give whether a bound decides, counts, or is only shown, and why."""
    if bound == snapshot.budget.binding:
        return (
            f"decides: {bound.reason}" if bound.source == "affinity" and bound.reason else "decides"
        )
    if not bound.lowers:
        return f"shown only: {bound.reason}"
    return bound.reason


def cpus_of(snapshot: Snapshot) -> str:
    """Give the CPUs allowed, with the unit."""
    return cpus_words(snapshot.budget.cpus)


def context_of(snapshot: Snapshot) -> str:
    """Give the bounds that do not decide."""
    budget = snapshot.budget
    return f"affinity {budget.affinity_cpus}, machine {budget.machine_words}"


def largest_pool(snapshot: Snapshot) -> int:
    """Give the size of the largest pool; 0 when none is known."""
    return max(_sizes(snapshot), default=0)


def wants_of(snapshot: Snapshot) -> str:
    """Give what the pools want: ``3 pools, up to 2 threads each, 6 together``, never as if all."""
    sizes, more = _sizes(snapshot), uncounted_words(snapshot.pools)
    if not sizes:
        if more:
            return f"no pool that can be counted, but {more}"
        return "thread pools not known" if unseen(snapshot) else "no thread pool yet"
    words = f"1 pool of {counted(sizes[0], 'thread')}"
    if len(sizes) > 1:
        each = counted(max(sizes), "thread")
        words = f"{len(sizes)} pools, up to {each} each, {sum(sizes)} together"
    return f"{words}, and {more}" if more else words


def uncounted_words(pools: Iterable[Pool]) -> str:
    """Give the pools of an unknown size: ``1 that cannot be counted (x 3 threads)``, or ""."""
    left = [pool for pool in pools if pool.workers and not pool.counted]
    names = ", ".join(f"{pool.name} {counted(pool.workers or 0, 'thread')}" for pool in left)
    return f"{len(left)} that cannot be counted ({names})" if left else ""


def counted(number: int, noun: str) -> str:
    """Give a number with its noun: ``1 file``, ``2 files``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def unseen(snapshot: Snapshot) -> bool:
    """Tell whether nobody could look which libraries are loaded."""
    return any(gap.what == "libraries" for gap in snapshot.gaps)


def none_loaded(snapshot: Snapshot) -> str:
    """Give the words for an empty table: nothing there, or nothing known."""
    if unseen(snapshot):
        return "The loaded runtimes are not known"
    return "No OpenMP or BLAS runtime is loaded yet"


def split_remedy(remedy: str, prefix: str) -> tuple[str, str]:
    """Split a remedy into what it says and what to run, at its first ``": "``.

    Paths below `prefix` are made short in what it says; what is to be run is kept whole.
    """
    says, colon, run = remedy.partition(": ")
    says = shortened(says, prefix) if prefix else says
    return (f"{says}:", run) if colon else (says, "")


def own_pools(snapshot: Snapshot) -> list[Pool]:
    """Give the pools of a known size with threads of their own that do not wait for files."""
    return [pool for pool in snapshot.pools if pool.size and not pool.lender and not pool.for_io]


def _sizes(snapshot: Snapshot) -> list[int]:
    return [pool.size for pool in own_pools(snapshot)]


def python_pools(snapshot: Snapshot) -> tuple[Pool, ...]:
    """Give the pools that live in Python packages, and those that no table knows."""
    return tuple(pool for pool in snapshot.pools if pool.api in ("python", "unknown"))


def pool_size(pool: Pool) -> str:
    """Give a pool's size, a dash where it may not be asked."""
    return DASH if pool.num_threads is None else str(pool.num_threads)


def pool_state(pool: Pool) -> str:
    """Give what is to be said about a pool's size."""
    words = ["for files"] if pool.for_io else []
    if pool.each and pool.would_use:
        words.append(f"{counted(pool.would_use, 'thread')} for each {pool.each} of its own accord")
    elif pool.each:
        words.append(f"one for each {pool.each}")
    elif pool.num_threads is None and pool.would_use:
        words.append(f"not started (would use {pool.would_use})")
    if pool.workers:
        words.append(f"{counted(pool.workers, 'thread')} live")
    if pool.unreached:
        limit = f"no limit reaches it: {pool.own_switch}" if pool.own_switch else ""
        words.append(limit or "not known how to count or limit")
    return ", ".join((*words, pool.note) if pool.note else words)


def owner_of(thread: Thread) -> str:
    """Give who a thread belongs to."""
    if thread.python_name is not None:
        return f"Python: {thread.python_name}"
    return thread.owner or "not known"


def counts_of(snapshot: Snapshot) -> tuple[tuple[str, str], ...]:
    """Give (severity, ``"2 warnings"``) for each severity that there is a finding of."""
    found = []
    for severity, plural in _SEVERITY_WORDS:
        number = sum(finding.severity == severity for finding in snapshot.findings)
        if number:
            one = "note" if severity == "info" else severity
            found.append((severity, f"{number} {one if number == 1 else plural}"))
    return tuple(found)
