"""What the panel says, row by row, whatever it is drawn with. Pure: no probing, no clock."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass

from ...facts.cpus import LEAST_DEMAND_CPUS, cpus_words
from ...facts.libraries import Limit, Pool
from ...facts.ticks import Tick
from ..words import DASH, counted, counts_of, pool_state, printable, uncounted_words
from .facts import PanelFacts

NAME = 48
"""Characters of a name that are shown; names come from outside and may be of any length."""
_LEAST_FILE = 12
"""Characters of a file's name below which the name as a whole is clipped."""
_TEXT = 200
_NOTABLE_THROTTLING = 0.05
_NOTABLE_WAIT = 0.2
"""The shares from which OMP203 and OMP206 (`rules.oversubscription`) warn."""
_SHARED_GROUP = 0.2
"""CPUs that the rest of the cgroup must use to be worth a figure."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The one line to be read first.

    Parameters
    ----------
    text
        ``"48 threads want 4 CPUs"``.
    more
        Which pool, and what is done about it; or "".
    bad
        Whether there are more threads than CPUs.
    """

    text: str
    more: str
    bad: bool


@dataclass(frozen=True, slots=True)
class Figure:
    """A key figure: `before` and `after` are small, `value` is bold; `bad` adds a colour."""

    before: str
    value: str
    after: str = ""
    bad: bool = False

    def __str__(self) -> str:
        """Give it as plain text."""
        return " ".join(part for part in (self.before, self.value, self.after) if part)


@dataclass(frozen=True, slots=True)
class PoolRow:
    """One pool; None is what is not known.

    Parameters
    ----------
    name
        For people, as the controls call it.
    wanted
        Threads it has, or will have when it starts; 0 when neither is known.
    threads
        Threads it is set to, or None.
    alive, busy
        OS threads of its own, and those of them that are at work.
    note
        What is to be said beside the numbers, or "".
    """

    name: str
    wanted: int
    threads: int | None
    alive: int | None
    busy: int | None
    note: str

    @property
    def label(self) -> str:
        """Say in words what the squares show."""
        parts = [f"set to {self.threads}" if self.threads is not None else "size not known"]
        if self.threads is None and self.wanted:
            parts = [f"would use {self.wanted}"]
        parts.append("busy not known" if self.busy is None else f"{self.busy} busy")
        parts.append("alive not known" if self.alive is None else f"{self.alive} alive")
        return ", ".join(parts)


@dataclass(frozen=True, slots=True)
class OwnerRow:
    """Threads of one owner: how many live, how many work, and the CPUs they used."""

    name: str
    alive: int
    busy: int
    cpus: float


def clipped(text: str, most: int = NAME) -> str:
    """Give `text` printable and at most `most` characters long."""
    # Cut first, too: writing 10,000 control characters as escapes would be for nothing.
    text = printable(text[: most + 1])
    return text if len(text) <= most else text[: most - 1] + "\N{HORIZONTAL ELLIPSIS}"


def named(label: str) -> str:
    """Give ``FILE (PACKAGE)`` clipped in the middle of the file's name: who loaded it stays."""
    file, opened, owner = printable(label[:_TEXT]).rpartition(" (")
    room = NAME - len(opened + owner) - 1
    if len(label) <= NAME or not opened or room < _LEAST_FILE:
        return clipped(label)
    half = room // 2
    return f"{file[: room - half]}\N{HORIZONTAL ELLIPSIS}{file[-half:]} ({owner}"


def pool_label(pool: Pool) -> str:
    """Give what a pool is called in the panel, in its table and beside its control."""
    return named(pool.name)


def verdict_of(facts: PanelFacts) -> Verdict:
    """Judge threads against CPUs: the largest pool, the workers together, the busy threads."""
    allowed = facts.allowed_cpus
    fits = max(1, math.ceil(allowed - 1e-9))
    cpus = cpus_words(allowed)
    pools = [p for p in facts.snapshot.pools if p.size and not p.lender and not p.for_io]
    largest = max(pools, key=lambda pool: pool.size, default=None)
    left = uncounted_words(facts.snapshot.pools)
    uncounted = f", and {clipped(left, _TEXT)}" if left else ""
    children = [child.pool_threads or 0 for child in facts.snapshot.children]
    if sum(children) > max(fits, largest.size if largest else 0):
        more = f"the pools of {counted(sum(map(bool, children)), 'worker')} together"
        return Verdict(f"{sum(children)} threads want {cpus}", more, bad=True)
    if largest is not None and largest.size > fits:
        more = f"{pool_label(largest)} has {largest.size}"
        if len(pools) > 1:
            more += f", {len(pools)} pools have {sum(pool.size for pool in pools)} together"
        more += uncounted
        return Verdict(f"{largest.size} threads want {cpus}", more, bad=True)
    busy = sum(owner.busy for owner in (facts.newest and facts.newest.owners) or ())
    if busy > fits:
        return Verdict(f"{busy} busy threads share {cpus}", "no pool alone is too large", bad=True)
    if largest is None:
        more = f"no pool that can be counted{uncounted}" if uncounted else "no thread pool yet"
        return Verdict(f"{cpus} allowed", more, bad=False)
    text = f"{counted(largest.size, 'thread')} for {cpus}"
    return Verdict(text, f"{pool_label(largest)} is the largest pool{uncounted}", bad=False)


def figures_of(facts: PanelFacts) -> tuple[Figure, ...]:
    """Give the key figures of the last tick; a dash is a value that is not known."""
    tick, allowed = facts.newest, facts.allowed_cpus
    if tick is None:
        return (Figure("", DASH, f"of {cpus_words(allowed)}"),)
    used = DASH if tick.cpus is None else f"{tick.cpus:.2f}"
    figures = [Figure("", used, f"of {cpus_words(allowed)}")]
    load = facts.snapshot.load
    others = load.neighbours if load is not None else None
    if others is not None and others.are_notable:
        figures.append(Figure("neighbours", f"{others.cpus:.2f}", bad=True))
    elif tick.group_cpus is not None and tick.group_cpus > (tick.cpus or 0.0) + _SHARED_GROUP:
        figures.append(Figure("its cgroup", f"{tick.group_cpus:.2f}"))
    if tick.throttled is not None or facts.snapshot.budget.quota_cpus is not None:
        figures.append(_share("throttled", tick.throttled, _NOTABLE_THROTTLING))
    figures.append(_share("waiting", tick.waiting, _NOTABLE_WAIT, of_much=_at_work(tick)))
    threads = tick.num_threads
    if threads is None:
        figures.append(Figure("", DASH, "threads"))
    else:
        figures.append(Figure("", str(threads), "thread" if threads == 1 else "threads"))
    rss = tick.rss_bytes
    figures.append(Figure("", DASH if rss is None else f"{rss / 1e6:.0f}", "MB"))
    return tuple(figures)


def _share(name: str, share: float | None, notable: float, *, of_much: bool = True) -> Figure:
    if share is None:
        return Figure(name, DASH)
    return Figure(name, f"{share:.0%}", bad=share >= notable and of_much)


def _at_work(tick: Tick) -> bool:
    """Tell whether threads wanted to run for so much that waiting is worth a colour."""
    if tick.cpus is None or tick.waiting is None:
        return False
    # CPUs wanted are CPUs used / (1 - waiting).
    return tick.cpus >= LEAST_DEMAND_CPUS * (1 - tick.waiting)


def pools_of(facts: PanelFacts) -> tuple[PoolRow, ...]:
    """Give a row for each pool, the busiest and largest first, those that wait for files last.

    What a pool has alive and busy are the threads that its file started: the thread that calls
    it comes on top. It is None for a pool in a Python package, whose file is not told.
    """
    snapshot = facts.snapshot
    owners = facts.newest.owners if facts.newest is not None else None
    by_path = {owner.path: owner for owner in owners or ()}
    libraries = {library.path: library for library in snapshot.libraries}
    names = {library.path: library.title for library in snapshot.libraries}
    # A thread whose owner is not known may be anyone's, so that nothing says "none".
    sure = owners is not None and "unknown" not in by_path
    rows: list[tuple[bool, bool, int, int, PoolRow]] = []
    for pool in snapshot.pools:
        owner, library = by_path.get(pool.library), libraries.get(pool.library)
        alive = busy = None
        if owner is not None:
            alive, busy = owner.alive, owner.busy
        elif library is not None and not pool.lender:
            alive, busy = (0, 0) if sure else (library.workers, None)
        else:
            alive = pool.workers
        notes = pool_state(pool)
        if pool.lender:
            lender = names.get(pool.lender) or facts.labels.get(pool.lender)
            notes = f"uses {lender or os.path.basename(pool.lender)}"
        row = PoolRow(
            pool_label(pool), pool.size, pool.num_threads, alive, busy, clipped(notes, 80)
        )
        rows.append((bool(pool.lender), pool.for_io, -(busy or 0), -pool.size, row))
    return tuple(entry[-1] for entry in sorted(rows, key=lambda entry: entry[:4]))


def owners_of(facts: PanelFacts) -> tuple[OwnerRow, ...]:
    """Give the threads by owner, those that used most CPU time first."""
    owners = (facts.newest.owners if facts.newest is not None else None) or ()
    rows = [
        OwnerRow(_owner_name(owner.path, facts), owner.alive, owner.busy, owner.cpus)
        for owner in owners
    ]
    return tuple(sorted(rows, key=lambda row: (-row.cpus, -row.alive, row.name)))


def _owner_name(path: str, facts: PanelFacts) -> str:
    if path == "unknown":
        return "not known"
    return named(facts.labels.get(path) or os.path.basename(path) or path)


def rest_of_owners(rows: tuple[OwnerRow, ...]) -> str:
    """Give in words the owners that are not shown; "" when all are."""
    if not rows:
        return ""
    alive, busy = sum(row.alive for row in rows), sum(row.busy for row in rows)
    cpus = sum(row.cpus for row in rows)
    return f"and {counted(len(rows), 'owner')} more: {alive} alive, {busy} busy, {cpus:.2f} CPUs"


def rest_of_pools(rows: tuple[PoolRow, ...]) -> str:
    """Give in words the pools that are not shown; "" when all are."""
    if not rows:
        return ""
    most = max(row.wanted for row in rows)
    return f"and {counted(len(rows), 'pool')} more, of {most} threads at most"


def limit_words(limit: Limit) -> str:
    """Give a limit that is in force in a line."""
    return clipped(f"limit {limit.spec}, set by {limit.set_by}; back with {limit.undo}", _TEXT)


def gaps_of(facts: PanelFacts) -> tuple[str, ...]:
    """Give what the last tick could not read."""
    gaps = facts.newest.gaps if facts.newest is not None else ()
    return tuple(dict.fromkeys(clipped(f"{gap.what}: {gap.why}", _TEXT) for gap in gaps))


def state_words(facts: PanelFacts) -> str:
    """Give what the kernel does and how often it is looked at."""
    how = f"every {facts.interval_s:g} s" if facts.threaded else "after each cell"
    how = "paused" if facts.paused else how
    return f"{clipped(facts.cell, 80)} · {how}"


def chips_of(facts: PanelFacts) -> tuple[tuple[str, str], ...]:
    """Give (severity, words) of the findings; ``no finding`` when there is none."""
    return counts_of(facts.snapshot) or (("ok", "no finding"),)
