"""Text of /proc files -> values. See proc(5), proc_pid_maps(5) and proc_pid_stat(5)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .errors import ParseError

_DELETED = " (deleted)"
_LINE = re.compile(
    r"([0-9a-f]+)-[0-9a-f]+ \S{4} [0-9a-f]+ ([0-9a-f]+:[0-9a-f]+) (\d+) +(/.*)", re.ASCII
)


@dataclass(frozen=True, slots=True)
class Mapped:
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


@dataclass(frozen=True, slots=True)
class Stat:
    """The fields of /proc/PID/stat that are used here; times in clock ticks."""

    comm: str
    state: str
    user_ticks: int
    system_ticks: int
    num_threads: int


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
            user_ticks=int(words[11]),
            system_ticks=int(words[12]),
            num_threads=int(words[17]),
        )
    except (IndexError, ValueError):
        raise ParseError("stat", text, "pid (comm) state and 49 numbers, see proc(5)") from None
