"""Memory, threads and CPU time of this process and its descendants, summed, look by look."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from ...errors import ParseError
from ...facts.libraries import Gap
from ...machine import Machine
from ...machine.here import quick
from ...machine.port.rows import CHILDREN, SHARED_MEMORY, Process
from ...machine.python.own import children_cpu_s
from ..cost.ownthread import without_own
from .kincpu import KinCpu
from .pace import Pace
from .purse import Purse

MOST_PROCESSES = 500
"""Descendants that one look reads."""
_RECORD = 1.05
"""How many times as much memory as ever before makes a costly look worth more."""
_HELD_BYTES = 64_000_000
"""Resident memory up to which its shares are read with the GIL held."""
_LISTED = 200
"""How many times its CPU time is waited before the descendants are listed anew."""


@dataclass(frozen=True, slots=True)
class Sums:
    """All processes at one moment; None where nothing is known."""

    threads: int | None
    processes: int | None
    rss_bytes: int | None
    pss_bytes: int | None
    largest: tuple[int, int]
    """(pid, bytes) of who holds most; pid 0 is this process."""


class Together:
    """Reads this process and its descendants. One thread at a time may use it.

    Shares of memory (PSS) cost the kernel a walk over all pages: 10 to 20 ms a GB where pages are
    small. So not every look asks for them: those that find a new record of resident memory, by 5 %,
    come first, and in the long run they take 1 % of a CPU (`Purse`).

    Parameters
    ----------
    machine
        The machine to read.
    """

    def __init__(self, machine: Machine) -> None:
        self.stops: Callable[[], bool] = lambda: False
        """Tells that nobody wants the rest of a long look any more."""
        self._gaps: dict[str, Gap] = {}
        self._machine = self._slow = machine
        try:
            self._machine, self._slow = quick(machine), quick(machine, reads=False)
        except OSError as error:
            self._missing("quick reads", error)
        self._plain = machine
        self._count = machine.system.thread_counter()
        self._relatives = self._machine.system.relatives()
        self._listed = Pace(_LISTED)
        self._pids: list[int] = []
        self._no_shares = machine.system.lacks(SHARED_MEMORY)
        if self._no_shares:
            self._gaps[SHARED_MEMORY] = Gap(what=SHARED_MEMORY, why=self._no_shares)
        why = machine.system.lacks(CHILDREN)
        if why:
            self._gaps[CHILDREN] = Gap(what=CHILDREN, why=why)
        self._no_children = bool(why)
        self._kin = KinCpu(children_cpu_s())
        self._asked_bytes = 0
        self._purse = Purse(time.perf_counter())
        self.costly_s = 0.0
        """CPU time of what is not done at each look."""

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """What could not be read so far."""
        return tuple(self._gaps.values())

    @property
    def met(self) -> int | None:
        """Processes that were met, this one among them; None where descendants are not told."""
        return None if self._no_children else self._kin.met + 1

    @property
    def children_s(self) -> float | None:
        """CPU time of the descendants since the beginning, those that have ended too."""
        return None if self._no_children else self._kin.total_s

    @property
    def has_shares(self) -> bool:
        """Whether shares of memory are told."""
        return not self._no_shares

    def command(self, pid: int) -> str:
        """Give a descendant's command line; "" for 0, and when it has none or has ended."""
        try:
            return self._plain.system.command(pid) if pid else ""
        except (OSError, ParseError):
            return ""

    def look(
        self, now_s: float, *, shares: bool | None = None, over_bytes: int | None = None
    ) -> Sums:
        """Read all processes.

        Parameters
        ----------
        now_s
            A clock that never goes back.
        shares
            Whether shares of memory are asked for; None for as often as pays.
        over_bytes
            Resident memory from which shares of memory matter as at a new record.
        """
        rows = self._rows(now_s, anew=shares is not None)
        threads = self._threads()
        if threads is not None:
            threads += sum(row.num_threads for row in rows)
        held = {pid: size for pid in (0, *(row.pid for row in rows)) if (size := self._rss(pid))}
        rss_bytes = sum(held.values()) if 0 in held else None
        pss_bytes, largest = None, max(((size, pid) for pid, size in held.items()), default=(0, 0))
        asked = shares
        if asked is None and rss_bytes is not None:
            asked = self._wants_shares(now_s, rss_bytes, over_bytes)
        if asked and rss_bytes is not None:
            found = self._shares(held, now_s, whole=shares is True)
            if found is not None:
                pss_bytes = sum(found.values())
                largest = max((size, pid) for pid, size in found.items())
        return Sums(
            threads=threads,
            processes=None if self._no_children else len(rows) + 1,
            rss_bytes=rss_bytes,
            pss_bytes=pss_bytes,
            largest=(largest[1], largest[0]),
        )

    def _missing(self, what: str, error: Exception) -> None:
        self._gaps.setdefault(what, Gap.of(what, error))

    def _threads(self) -> int | None:
        try:
            return without_own(lambda own: self._count() - len(own))
        except (OSError, ParseError) as error:
            self._missing("thread count", error)
            return None

    def _rss(self, pid: int) -> int | None:
        """Give the resident memory; None for a descendant that has ended."""
        try:
            return self._machine.system.memory_use(pid or None, shared=False).rss_bytes
        except (FileNotFoundError, ProcessLookupError):
            return None
        except (OSError, ParseError) as error:
            self._missing("resident memory of a child" if pid else "resident memory", error)
            return None

    def _wants_shares(self, now_s: float, rss_bytes: int, over_bytes: int | None) -> bool:
        if self._no_shares:
            return False
        matters = rss_bytes > _RECORD * self._asked_bytes
        matters = matters or (over_bytes is not None and rss_bytes > over_bytes)
        return self._purse.may(now_s, rss_bytes, full=not matters)

    def _shares(self, held: dict[int, int], now_s: float, *, whole: bool) -> dict[int, int] | None:
        """Give the shares of memory of each; None when they are not told, or nobody waits."""
        if self._no_shares:
            return None
        began_s = time.thread_time()
        found: dict[int, int] = {}
        try:
            for pid, rss_bytes in held.items():
                if not whole and self.stops():
                    return None
                machine = self._machine if rss_bytes < _HELD_BYTES else self._slow
                try:
                    size = machine.system.memory_use(pid or None).pss_bytes
                except (FileNotFoundError, ProcessLookupError):
                    if pid:
                        continue  # it ended meanwhile
                    raise
                except OSError as error:
                    if not pid:
                        raise
                    self._missing(f"{SHARED_MEMORY} of a child, its RSS stands in", error)
                    size = rss_bytes
                if size is not None:
                    found[pid] = size
        except (OSError, ParseError) as error:
            self._no_shares = str(error)
            self._missing(SHARED_MEMORY, error)
            return None
        finally:
            took_s, rss_bytes = time.thread_time() - began_s, sum(held.values())
            self.costly_s += took_s
            self._purse.pay(now_s, rss_bytes, took_s)
            self._asked_bytes = max(self._asked_bytes, rss_bytes)
        return found or None

    def _rows(self, now_s: float, *, anew: bool) -> list[Process]:
        """Give the descendants, and take their CPU time into account."""
        if self._no_children:
            return []
        clocks: dict[tuple[int, int], float | None] = {}
        rows: list[Process] = []
        unread = False
        for pid in self._descendants(now_s, anew=anew):
            found = self._relatives.one(pid)
            if found is not None:
                row, clocks[row.pid, row.started] = found
                rows.append(row)
            else:
                unread = anew
        if unread:
            self._note_unread()
        self._kin.note(clocks, children_cpu_s())
        return rows

    def _note_unread(self) -> None:
        """Say why descendants that live are not counted: another user's may not be read."""
        notes: list[str] = []
        try:
            self._plain.system.descendants(notes)
        except (OSError, ParseError) as error:
            self._missing(CHILDREN, error)
        if notes:
            more = f", and {len(notes) - 1} more" if len(notes) > 1 else ""
            self._gaps.setdefault(CHILDREN, Gap(what=CHILDREN, why=f"{notes[0]}{more}"))

    def _descendants(self, now_s: float, *, anew: bool) -> list[int]:
        due = self._listed.may(now_s)
        if not self._machine.system.has_child():
            self._pids = []
            self._relatives.forget()
        elif due or anew:
            began_s = time.thread_time()
            try:
                self._pids = sorted(self._relatives.pids())
            except (OSError, ParseError) as error:
                self._missing(CHILDREN, error)
            if due:
                self._listed.done(now_s)
            self.costly_s += time.thread_time() - began_s
        if len(self._pids) > MOST_PROCESSES:
            why = f"more than {MOST_PROCESSES} at once: the others are not counted"
            self._gaps.setdefault(CHILDREN, Gap(what=CHILDREN, why=why))
        return self._pids[:MOST_PROCESSES]
