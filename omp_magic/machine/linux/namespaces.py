"""Numbers of threads in pid namespaces: who looks into a container sees others than it does."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from ...errors import ParseError
from ...formats.procstatus import parse_status

if TYPE_CHECKING:
    from ..port.door import Door


def own_numbers(machine: Door, process: int | None, tids: Collection[int]) -> dict[int, int]:
    """Give the number that a process knows each of its threads by; those that ended are left out.

    A thread has a number in each pid namespace that it is in, and the C library keeps that of the
    innermost (NSpid in proc_pid_status(5), whose first is the reader's).

    Parameters
    ----------
    machine
        The machine to read.
    process
        The process; that of the machine when None.
    tids
        Its threads, as /proc lists them here.
    """
    same = {tid: tid for tid in tids}
    if process is None and machine.live:
        return same
    folder = f"/proc/{process or 'self'}"
    try:
        if len(parse_status(machine.read(f"{folder}/status")).numbers) < 2:
            return same
    except (OSError, ParseError):
        return same  # recorded files have no status, and no namespaces
    found = {}
    for tid in tids:
        try:
            found[tid] = parse_status(machine.read(f"{folder}/task/{tid}/status")).numbers[-1]
        except (OSError, ParseError):
            continue
    return found
