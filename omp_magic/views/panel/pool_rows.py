"""The panel's one table: a row a pool, then the owners of threads that have none. Pure."""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import dataclass

from ...facts.cpus import threads_for
from ...facts.libraries import Pool
from ...facts.ticks import OwnerTick
from ...knowledge.shippers import module_of, serves
from ...knowledge.strangers import stranger_of
from ..words import counted, pool_state
from .facts import PanelFacts
from .names import clipped, named

_LEAST_SHOWN, _MOST_SHOWN = 3, 6
"""Pools that show although none is busy, and rows before the others are unfolded."""


@dataclass(frozen=True, slots=True)
class Row:
    """One pool, or one owner of threads that has none; None is what is not known.

    Parameters
    ----------
    key
        Tells it from all others: a pool's file and name, or an owner's file.
    name
        For people, as the controls call it.
    wanted
        Threads it has, or will have when it starts; 0 when neither is known.
    threads
        Threads it is set to, or None.
    alive, busy
        OS threads of its own, and those of them that are at work.
    cpus
        CPUs that they used in the last interval.
    note
        What is to be said beside the numbers, or "".
    pool
        Whether it is a pool.
    lent
        Whether its threads are another pool's.
    for_io
        Whether its threads wait for files.
    serves
        Whether they serve the kernel, sockets or a screen.
    """

    key: str
    name: str
    wanted: int
    threads: int | None
    alive: int | None
    busy: int | None
    cpus: float | None
    note: str
    pool: bool = True
    lent: bool = False
    for_io: bool = False
    serves: bool = False

    @property
    def label(self) -> str:
        """Say in words what the squares show."""
        parts = [f"set to {self.threads}" if self.threads is not None else "size not known"]
        if self.threads is None and self.wanted:
            parts = [f"would use {self.wanted}"]
        parts.append("busy not known" if self.busy is None else f"{self.busy} busy")
        parts.append("alive not known" if self.alive is None else f"{self.alive} alive")
        return ", ".join(parts)


def key_of(pool: Pool) -> str:
    """Give what tells a pool from all others."""
    return f"{pool.library}|{pool.name}"


def rows_of(facts: PanelFacts) -> tuple[Row, ...]:
    """Give every row in the order in which the panel shows them: see `arranged`.

    What a pool has alive and busy are the threads that its file started: the thread that calls it
    comes on top. What was loaded since the order was made comes last.
    """
    rows = _unordered(facts)
    places = {key: place for place, key in enumerate(facts.order or _order(rows, facts))}
    return tuple(sorted(rows, key=lambda row: places.get(row.key, len(places))))


def arranged(facts: PanelFacts) -> tuple[tuple[str, ...], frozenset[str]]:
    """Give an order of rows that stays until the next call, and those that are not folded away.

    Rows that change places while they are read cannot be read; so this is for the end of a cell.
    Pools that are larger than the CPUs and those that worked within the chart's time come first,
    then the started and the large ones; idle, unknown and unstarted ones are folded away.
    """
    rows = _unordered(facts)
    order = _order(rows, facts)
    by_key = {row.key: row for row in rows}
    notable = [key for key in order if _is_notable(by_key[key], facts)]
    shown = notable[:_MOST_SHOWN]
    for key in order:
        if sum(by_key[each].pool for each in shown) >= _LEAST_SHOWN:
            break
        row = by_key[key]
        if key not in shown and row.pool and row.threads is not None and not row.lent:
            shown.append(key)
    return order, frozenset(shown)


def newly_busy(facts: PanelFacts, shown: Collection[str]) -> frozenset[str]:
    """Give the pools among the folded ones that work now, as many as there is room for."""
    room = _MOST_SHOWN - len(shown)
    busy = [row.key for row in rows_of(facts) if row.busy and row.key not in shown and row.pool]
    return frozenset(busy[: max(0, room)])


def folded_words(rows: Collection[Row], shown: Collection[str]) -> str:
    """Give what is folded away: ``8 more, none of them busy``; "" when nothing is."""
    left = [row for row in rows if row.key not in shown]
    if not left:
        return ""
    busy = sum(bool(row.busy) for row in left)
    return f"{len(left)} more, {f'{busy} of them' if busy else 'none of them'} busy"


def rest_of_rows(rows: tuple[Row, ...]) -> str:
    """Give in words the rows that are not drawn at all; "" when all are."""
    if not rows:
        return ""
    most = max(row.wanted for row in rows)
    return f"and {counted(len(rows), 'row')} more, of {most} threads at most"


def _is_notable(row: Row, facts: PanelFacts) -> bool:
    if (
        row.pool
        and not row.for_io
        and not row.lent
        and row.wanted > threads_for(facts.allowed_cpus)
    ):
        return True
    path = row.key.partition("|")[0]
    if row.pool and path.startswith("/"):
        ticks = facts.ticks
        return any(o.busy for tick in ticks for o in tick.owners or () if o.path == path)
    return bool(row.busy) and not row.serves


def _order(rows: list[Row], facts: PanelFacts) -> tuple[str, ...]:
    def place(row: Row) -> tuple[bool, bool, bool, int, int, int, str]:
        notable = _is_notable(row, facts)
        unstarted = row.threads is None
        sizes = -(row.busy or 0), -row.wanted, -(row.alive or 0)
        return (not row.pool, row.lent or row.for_io, not notable or unstarted, *sizes, row.name)

    return tuple(row.key for row in sorted(rows, key=place))


def _unordered(facts: PanelFacts) -> list[Row]:
    snapshot = facts.snapshot
    owners = facts.newest.owners if facts.newest is not None else None
    by_path = {owner.path: owner for owner in owners or ()}
    libraries = {library.path: library for library in snapshot.libraries}
    names = {library.path: library.title for library in snapshot.libraries}
    packages = {owner.path: owner.package for owner in snapshot.thread_owners or ()}
    # A thread whose owner is not known may be anyone's, so that nothing says "none".
    sure = owners is not None and "unknown" not in by_path
    rows: list[Row] = []
    taken: set[str] = set()
    for pool in snapshot.pools:
        owner, library = by_path.get(pool.library), libraries.get(pool.library)
        if owner is None and library is None and pool.api == "python" and not pool.for_io:
            owner = _of_package(pool, by_path, packages, taken)
        alive = busy = cpus = None
        if owner is not None and not pool.lender:
            taken.add(owner.path)
            alive, busy, cpus = owner.alive, owner.busy, owner.cpus
        elif library is not None and not pool.lender:
            alive, busy = (0, 0) if sure else (library.workers, None)
        else:
            alive = pool.workers
        note = pool_state(pool)
        if pool.lender:
            lender = names.get(pool.lender) or facts.labels.get(pool.lender)
            note = f"uses {lender or os.path.basename(pool.lender)}"
        rows.append(
            Row(
                key_of(pool), named(pool.name), pool.size, pool.num_threads, alive, busy, cpus,
                clipped(note, 80), lent=bool(pool.lender), for_io=pool.for_io,
            )
        )  # fmt: skip
    for path, owner in by_path.items():
        if path not in taken:
            rows.append(
                Row(
                    path, _owner_name(path, facts), 0, None, owner.alive, owner.busy, owner.cpus,
                    "", pool=False, serves=serves(packages.get(path), os.path.basename(path)),
                )
            )  # fmt: skip
    return rows


def _of_package(
    pool: Pool,
    by_path: dict[str, OwnerTick],
    packages: dict[str, str | None],
    taken: set[str],
) -> OwnerTick | None:
    """Give the threads of a package's own file: numexpr's are its interpreter's."""
    for path, owner in by_path.items():
        package = packages.get(path)
        if path in taken or package is None:
            continue
        stranger = stranger_of(package, os.path.basename(path))
        module = stranger.module if stranger is not None else module_of(package)
        if pool.family in (module, package):
            return owner
    return None


def _owner_name(path: str, facts: PanelFacts) -> str:
    if path == "unknown":
        return "not known"
    return named(facts.labels.get(path) or os.path.basename(path) or path)
