"""What a system is asked of a process that is not the running one, beside what `System` has.

Nothing is attached to, stopped or signalled, and nothing runs there. What may not be read is an
`OSError` whose text is the reason, for a `Gap`.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple, Protocol

from ...formats.procfs import Mapped

WAITS = "where threads wait"
LISTS = "the loader's list"
VARIABLES_NOW = "variables as they are now"
LIMITS_OF_OTHERS = "limits of other processes"


class Standing(NamedTuple):
    """Who a process is, to somebody who wants to look at it.

    Parameters
    ----------
    pid
        Its number.
    name
        The system's name for it.
    started
        What tells it from a later process of the same number.
    user
        The name, or else the number, of the user with whose rights it acts; "" where not told.
    ours
        Whether that user is who asks.
    parent
        Its parent's number; 0 where not told.
    forked
        Whether it goes on in the memory of its parent, without a program of its own.
    ended
        Whether it has ended, and its parent has not waited for it yet.
    threads_left
        Threads that go on after its first one has ended: of such a process nothing is told.
    kernel
        Whether it is a thread of the kernel.
    process
        The process that the number belongs to: another one where it is a thread's.
    own_pid, own_user
        Its number and its user's as it knows them itself, in namespaces of its own.
    image
        What tells it from what it was before it called exec; 0 where not told.
    """

    pid: int
    name: str
    started: int
    user: str
    ours: bool
    parent: int = 0
    forked: bool = False
    ended: bool = False
    threads_left: int = 0
    kernel: bool = False
    process: int = 0
    own_pid: int = 0
    own_user: int = 0
    image: int = 0


class WaitRow(NamedTuple):
    """Where one thread waits.

    Parameters
    ----------
    tid, state
        The thread, and its letter of proc(5).
    wchan
        The function of the kernel that it sleeps in; "" where none, or it is not told.
    call
        Its system call; "" when it is in none, None where that may not be read.
    pointer, counter
        Its stack and instruction pointer; 0 while it runs, and where they may not be read.
    stack
        (begin, end) of its whole stack where no pointer is told; (0, 0) where not known.
    """

    tid: int
    state: str
    wchan: str
    call: str | None
    pointer: int = 0
    counter: int = 0
    stack: tuple[int, int] = (0, 0)


class Lists(NamedTuple):
    """What a process's loader has loaded.

    Parameters
    ----------
    objects
        (base, path that it was loaded by) of each, in the order of loading.
    in_global_scope
        Bases of those that symbols are looked for in for everybody, in that order.
    """

    objects: tuple[tuple[int, str], ...]
    in_global_scope: tuple[int, ...]


class Others(Protocol):
    """The questions, about one other process."""

    def lacks(self, what: str) -> str:
        """Give why a part is not told at all on this system; "" where it is."""

    def standing(self) -> Standing:
        """Give who it is.

        Raises
        ------
        ProcessLookupError
            When there is no such process.
        OSError
            When it may not be looked at.
        """

    def arguments(self) -> tuple[str, ...]:
        """Give its command line in words; raises OSError."""

    def folder(self) -> str:
        """Give the folder that it works in; raises OSError."""

    def waits(self, tids: Collection[int]) -> tuple[WaitRow, ...]:
        """Give where threads wait; those that have ended are left out.

        Raises
        ------
        OSError
            When nothing of it may be read.
        """

    def lists(self) -> Lists:
        """Give what its loader has loaded; raises OSError or ParseError."""

    def variables_now(self) -> dict[str, str]:
        """Give its C environment as it is now; raises OSError or ParseError."""

    def number(self, file: Mapped, name: str) -> int | None:
        """Give a variable of C's type ``int`` that a library exports; None where it has none.

        Raises
        ------
        OSError, ParseError
            When it cannot be read.
        """

    def functions_at(self, file: Mapped, addresses: Collection[int]) -> dict[int, str]:
        """Give the exported functions that lie at addresses, as far as there are some."""


class Users(Protocol):
    """What a system is asked of all processes of the user."""

    def pids(self) -> tuple[int, ...]:
        """Give the numbers of the user's processes, as far as they may be listed."""
