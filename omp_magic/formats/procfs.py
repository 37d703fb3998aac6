"""Text of /proc files -> values. See proc(5), proc_pid_maps(5) and proc_pid_stat(5)."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable
from typing import NamedTuple

from ..errors import ParseError

_DELETED = " (deleted)"
_LINE = re.compile(
    r"([0-9a-f]+)-[0-9a-f]+ \S{4} [0-9a-f]+ ([0-9a-f]+:[0-9a-f]+) (\d+) +(/.*)", re.ASCII
)
_SEGMENT = re.compile(
    r"^([0-9a-f]+)-([0-9a-f]+) ..(.)\S [0-9a-f]+ [0-9a-f]+:[0-9a-f]+ \d+ +(/.*)$",
    re.ASCII | re.MULTILINE,
)
_PF_FORKNOEXEC = 0x40
_PF_KTHREAD = 0x00200000


class Mapped(NamedTuple):
    """One file mapped into a process, all its segments together.

    Parameters
    ----------
    path
        As the kernel names it, without its ``" (deleted)"``.
    device, inode
        Identity of the file, the device as ``"fd:00"``.
    starts
        Addresses at which its segments begin, in the kernel's order, so ascending.
    deleted
        Whether the kernel says that the path no longer leads to it.
    """

    path: str
    device: str
    inode: int
    starts: tuple[int, ...]
    deleted: bool

    @property
    def file_name(self) -> str:
        """The last part of the path."""
        return self.path.rsplit("/", 1)[-1]


def parse_maps(text: str) -> tuple[Mapped, ...]:
    r"""Give the mapped files of /proc/PID/maps, each once by (device, inode, path).

    Lines without a path (heap, stack, anonymous memory) and lines in another form are no
    mapped file and are passed over. The kernel writes a newline in a path as ``\012``.

    Parameters
    ----------
    text
        The whole file.

    Returns
    -------
    tuple of Mapped
        In the order of their first segment.
    """
    starts: dict[tuple[str, str, str], list[int]] = {}
    # split("\n"), not splitlines(): a path may hold characters Python calls line ends.
    for line in text.split("\n"):
        if "/" not in line:
            continue
        match = _LINE.fullmatch(line)
        if match is not None:
            start, device, inode, raw = match.groups()
            starts.setdefault((device, inode, raw), []).append(int(start, 16))
    return tuple(
        Mapped(
            path=raw.removesuffix(_DELETED).replace("\\012", "\n"),
            device=device,
            inode=int(inode),
            starts=tuple(addresses),
            deleted=raw.endswith(_DELETED),
        )
        for (device, inode, raw), addresses in starts.items()
    )


class Segments:
    """Which file lies at an address, from the text of /proc/PID/maps.

    The text is read apart at the first question (1 us a line), so keeping one costs nothing
    until somebody asks. Whoever keeps answers may go by the identity of the object.

    Parameters
    ----------
    text
        The whole file.
    """

    def __init__(self, text: str) -> None:
        self._text: str | None = text
        self._starts: list[int] = []
        self._rows: list[tuple[str, str, str, str]] = []

    @classmethod
    def of_images(cls, images: Iterable[tuple[int, int, str]]) -> Segments:
        """Give the same for a system that lists whole images: (base, size in bytes, path).

        All of an image counts as code: a start routine is asked for, which is.
        """
        found = cls("")
        found._text = None
        rows = sorted(images)
        found._starts = [base for base, _, _ in rows]
        found._rows = [
            (f"{base:x}", f"{base + size_bytes:x}", "x", path) for base, size_bytes, path in rows
        ]
        return found

    def _row(self, address: int) -> tuple[str, str, str, str] | None:
        if self._text is not None:
            self._rows = _SEGMENT.findall(self._text)
            self._starts = [int(row[0], 16) for row in self._rows]
            self._text = None
        index = bisect_right(self._starts, address) - 1
        if index < 0 or address >= int(self._rows[index][1], 16):
            return None
        return self._rows[index]

    def file_at(self, address: int, *, code: bool = False) -> str | None:
        """Give the path of the file mapped at an address, or None.

        Parameters
        ----------
        address
            An address of that process.
        code
            Whether only executable memory counts.
        """
        row = self._row(address)
        if row is None or (code and row[2] != "x"):
            return None
        return row[3].removesuffix(_DELETED).replace("\\012", "\n")

    def moved(self, address: int, other: Segments) -> int | None:
        """Give where what lies at `address` here lies in another process, or None.

        It is found by the kernel's name of the file, its ``" (deleted)"`` included: a file
        that was replaced between the two starts is another one.
        """
        row = self._row(address)
        if row is None:
            return None
        here = self._lowest(row[3])
        there = other._lowest(row[3])
        return None if here is None or there is None else address - here + there

    def _lowest(self, raw: str) -> int | None:
        self._row(0)
        return next((int(row[0], 16) for row in self._rows if row[3] == raw), None)


def parse_pids(text: str) -> tuple[int, ...]:
    """Give the numbers of /proc/PID/task/TID/children, see proc_tid_children(5).

    Raises
    ------
    ParseError
        When there is anything else in it.
    """
    words = text.split()
    if not all(word.isascii() and word.isdigit() for word in words):
        raise ParseError("children", text, "process ids")
    return tuple(int(word) for word in words)


def parse_busy_ticks(text: str) -> int:
    """Give the clock ticks in which the CPUs of the machine were not idle, of /proc/stat.

    The line ``cpu user nice system idle iowait irq softirq steal guest guest_nice``, see
    proc_stat(5). Guests are in user and nice already. Stolen time went to another machine.

    Raises
    ------
    ParseError
        When there is no such line.
    """
    match = re.match(r"cpu +((?:\d{1,20} ?){4,})", text, re.ASCII)
    if match is None:
        raise ParseError("/proc/stat", text, "a line 'cpu' and at least four numbers")
    ticks = [int(word) for word in match[1].split()]
    return sum(ticks[:3]) + sum(ticks[5:7])


def parse_environ(text: str) -> dict[str, str]:
    """Give the variables of /proc/PID/environ: the environment at the last exec.

    Parts without ``=`` are passed over; the first of two equal names wins, as in getenv(3).
    """
    values: dict[str, str] = {}
    for part in text.split("\0"):
        name, equals, value = part.partition("=")
        if equals and name:
            values.setdefault(name, value)
    return values


def parse_schedstat(text: str) -> tuple[int, int]:
    """Give (run, wait) of /proc/PID/task/TID/schedstat in nanoseconds.

    Time on a CPU, and time spent ready to run but waiting for one, throttling included
    (Documentation/scheduler/sched-stats.rst).

    Raises
    ------
    ParseError
        When the text has another form.
    """
    words = text.split()
    if len(words) != 3 or not all(word.isascii() and word.isdigit() for word in words):
        raise ParseError("schedstat", text, "three numbers: run ns, wait ns, slices")
    return int(words[0]), int(words[1])


class Stat(NamedTuple):
    """The fields of /proc/PID/stat that are used here; times in clock ticks.

    `forked` is the kernel's flag PF_FORKNOEXEC, "forked but didn't exec", set by fork and
    cleared by exec (include/linux/sched.h; begin_new_exec in fs/exec.c); `kernel` is PF_KTHREAD.
    `stack` is where the first thread's stack began, another place after each exec; 0 where the
    rules of ptrace(2) forbid it.
    """

    comm: str
    state: str
    parent: int
    forked: bool
    user_ticks: int
    system_ticks: int
    num_threads: int
    start_ticks: int
    kernel: bool = False
    stack: int = 0

    @property
    def ended(self) -> bool:
        """Whether it has ended: a zombie, or what is left of one."""
        return self.state in ("Z", "X")


def parse_stat(text: str) -> Stat:
    """Read /proc/PID/stat or /proc/PID/task/TID/stat.

    The name stands in parentheses and may hold any character, parentheses too, so the fields
    are counted from the last ``)``.

    Raises
    ------
    ParseError
        When the text has another form.
    """
    head, _, tail = text.rpartition(")")
    words = tail.split()
    try:
        return Stat(
            comm=head.partition("(")[2],
            state=words[0],
            parent=int(words[1]),
            forked=bool(int(words[6]) & _PF_FORKNOEXEC),
            user_ticks=int(words[11]),
            system_ticks=int(words[12]),
            num_threads=int(words[17]),
            start_ticks=int(words[19]),
            kernel=bool(int(words[6]) & _PF_KTHREAD),
            stack=int(words[25]) if len(words) > 25 else 0,
        )
    except (IndexError, ValueError):
        raise ParseError("stat", text, "pid (comm) state and 49 numbers, see proc(5)") from None
