"""The facts about a process that somebody looks at from outside: who it is, where it waits."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One place on a thread's stack.

    Parameters
    ----------
    path
        The library or program whose code it is.
    function
        The exported function that it lies in; "" where none does, or it was not looked for.
    """

    path: str
    function: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Where one thread is.

    Parameters
    ----------
    tid, state
        The thread, and its letter of proc(5): "S" it sleeps, "R" it runs or would.
    owner
        Who started it, as `processes.Thread.owner`; None when not known.
    call
        The system call that it waits in, ``"futex"``; "" when in none, None when not known.
    wchan
        The kernel's function that it sleeps in; "" where none, or it is not told.
    stack
        Code that it is in, the innermost first, one for each change of library; () when not
        known. Of a thread that runs only runtimes are told, and they may be left from before.
    """

    tid: int
    state: str
    owner: str | None = None
    call: str | None = None
    wchan: str = ""
    stack: tuple[Frame, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """What is known of a process because it is looked at from outside.

    Parameters
    ----------
    program
        Its program and script; further words of its command line are never told, since they may
        hold a password or a token.
    user
        With whose rights it acts; "" where the system does not tell.
    parent
        Its parent.
    forked
        Whether it goes on in the memory of its parent, without a program of its own.
    age_s
        How long ago it began; None when not known.
    variables_now
        Whether its variables are those of C now; else they are those that it was started with.
    waits
        Where threads are that Python or nobody known has started, and with a list of all threads
        the others too.
    left
        Files of runtimes that had started threads in its parent when it was forked, and have none
        here.
    """

    program: str
    user: str = ""
    parent: int = 0
    forked: bool = False
    age_s: float | None = None
    variables_now: bool = False
    waits: tuple[Wait, ...] = ()
    left: tuple[str, ...] = ()
