"""Pools whose threads stayed with the parent when a process was forked: older than the child."""

from __future__ import annotations

from collections.abc import Collection

from ...machine.other import OtherMachine
from ...machine.port.others import Standing
from .stacks import ThreadOwners


def left_with_parent(child: Standing, paths: Collection[str]) -> frozenset[str]:
    """Give the libraries of which the parent has threads that lived when it forked the child.

    fork copies the memory and only the thread that calls it (fork(2)). The kernel keeps when each
    thread began, and its number is larger than those of the threads before it in the same moment
    (proc_pid_stat(5), starttime; a thread's own is in /proc/TID/stat).

    Parameters
    ----------
    child
        A process that was forked.
    paths
        The libraries that are asked about, as the kernel names their files.

    Raises
    ------
    OSError
        When the parent has ended, or may not be looked at.
    """
    parent = OtherMachine(child.parent)
    owners = ThreadOwners(parent, None)
    tids = [tid for tid in parent.system.thread_ids() if tid != child.parent]
    found: set[str] = set()
    for tid, owner in owners.of(tids, parent.system.process_map().segments).items():
        path = owner.path if owner is not None else None
        if path is not None and path in paths and path not in found:
            thread = OtherMachine(tid).others.standing()
            if (thread.started, tid) < (child.started, child.pid):
                found.add(path)
    return frozenset(found)
