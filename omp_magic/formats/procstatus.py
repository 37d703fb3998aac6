"""Text of /proc/PID/status -> who a process is: its users, its numbers in each namespace."""

from __future__ import annotations

from typing import NamedTuple

from ..errors import ParseError


class Status(NamedTuple):
    """The fields of /proc/PID/status that tell who a process is; see proc_pid_status(5).

    Parameters
    ----------
    name, state
        Its name, in which the kernel escapes line ends, and its letter.
    process
        The process that the number belongs to: another one where it is a thread's.
    users
        Its real, effective, saved and file system user.
    numbers
        Its number in each pid namespace that it is in, the reader's first; () where the kernel
        does not tell (before 4.1).
    """

    name: str
    state: str
    process: int
    users: tuple[int, ...]
    numbers: tuple[int, ...]


def parse_status(text: str) -> Status:
    """Read /proc/PID/status.

    Raises
    ------
    ParseError
        When a field is missing or is no number.
    """
    fields: dict[str, str] = {}
    for line in text.split("\n"):
        name, colon, value = line.partition(":")
        if colon:
            fields.setdefault(name, value.strip())
    try:
        return Status(
            name=fields["Name"],
            state=fields["State"][:1],
            process=int(fields["Tgid"]),
            users=tuple(int(word) for word in fields["Uid"].split()[:4]),
            numbers=tuple(int(word) for word in fields.get("NSpid", "").split()),
        )
    except (KeyError, ValueError):
        raise ParseError(
            "status", text, "Name, State, Tgid and Uid, see proc_pid_status(5)"
        ) from None


def parse_id_map(text: str) -> tuple[tuple[int, int, int], ...]:
    """Read /proc/PID/uid_map: (first inside, first outside, number), see user_namespaces(7).

    Lines in another form are passed over.
    """
    rows = []
    for line in text.split("\n"):
        words = line.split()
        if len(words) == 3 and all(word.isascii() and word.isdigit() for word in words):
            rows.append((int(words[0]), int(words[1]), int(words[2])))
    return tuple(rows)


def inside(user: int, rows: tuple[tuple[int, int, int], ...]) -> int:
    """Give the number that a user has inside a user namespace; the same where none is mapped.

    Examples
    --------
    >>> inside(100005, ((0, 100000, 65536),))
    5
    """
    for first, outside, number in rows:
        if outside <= user < outside + number:
            return user - outside + first
    return user
