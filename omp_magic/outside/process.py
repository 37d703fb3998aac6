"""Another process of the same user: refused in one sentence, or looked at and judged."""

from __future__ import annotations

from dataclasses import replace

from ..errors import ParseError, ProcessError
from ..facts.libraries import Gap
from ..facts.snapshots import Snapshot
from ..machine.other import OtherMachine
from ..machine.port.others import Standing
from ..probes.others import OtherObserver
from ..rules import judge

_MOST_LOOKS = 3
"""At a process that calls exec meanwhile: half of what was read is of another program."""

_MOST_DIGITS = 20


def look_at(pid: int, *, threads: bool = False, shown: frozenset[str] = frozenset()) -> Snapshot:
    """Take a snapshot of another process, with its findings.

    Parameters
    ----------
    pid
        The process.
    threads
        Also list every OS thread, and where each waits.
    shown
        Parts that views should open.

    Raises
    ------
    ProcessError
        When it is not there, is another user's, is none that could be looked at, or ends meanwhile.
    """
    for _ in range(_MOST_LOOKS):
        machine = OtherMachine(pid)
        standing = standing_of(machine)
        facts = OtherObserver(machine, standing).take(threads=threads, shown=shown)
        # What the kernel tells of a process that has just ended reads like one with nothing in it.
        after = standing_of(machine)
        if after.started != standing.started:
            raise ProcessError(pid, "the process ended while it was looked at")
        if after.image == standing.image:
            return judged(facts)
    raise ProcessError(pid, "a process that called exec each time it was looked at")


def number_of(word: str) -> int:
    """Give the number of a process that somebody wrote.

    Raises
    ------
    ProcessError
        When it is none, of whatever length.
    """
    if word.isascii() and word.isdigit() and len(word) <= _MOST_DIGITS:
        return int(word)
    raise ProcessError(repr(word), "which is no number of a process")


def judged(facts: Snapshot) -> Snapshot:
    """Give a snapshot with what the rules make of it; a fault of ours is a gap."""
    try:
        return facts.with_findings(judge(facts))
    except Exception as error:  # noqa: BLE001 - a fault of ours must not hide the facts
        why = f"a fault in omp_magic: {type(error).__name__}: {error}"
        return replace(facts, gaps=(*facts.gaps, Gap(what="findings", why=why)))


def standing_of(machine: OtherMachine) -> Standing:
    """Give who a process is, if it is one that may be looked at.

    Raises
    ------
    ProcessError
        When it is none.
    """
    pid = machine.pid
    try:
        standing = machine.others.standing()
    except ProcessLookupError:
        raise ProcessError(pid, "no process has this number") from None
    except (OSError, ParseError, OverflowError) as error:
        why = (error.strerror if isinstance(error, OSError) else "") or str(error)
        raise ProcessError(pid, f"a process that cannot be looked at: {why}") from None
    why = _refused(standing)
    if why:
        user = "" if standing.ours else standing.user
        raise ProcessError(pid, why, user, 0 if standing.process == pid else standing.process)
    return standing


def _refused(standing: Standing) -> str:
    """Give what a process is that is not looked at; "" for any other."""
    if standing.kernel:
        return "a thread of the kernel"
    if standing.process != standing.pid:
        return f"a thread of process {standing.process}"
    if standing.threads_left > 0:
        return f"a process whose first thread has ended: {standing.threads_left} more go on"
    if standing.ended:
        return f"a process that has ended (its parent {standing.parent} has not waited for it yet)"
    if not standing.ours:
        return f"a process of user {standing.user}" if standing.user else "another user's process"
    return ""
