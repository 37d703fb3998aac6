"""The CPUs of a Mac, and what keeps a process from some of them.

macOS has no affinity: a thread says how important it is, and the kernel chooses the core. What is
in the background runs on the slowest kind alone on Apple silicon (xnu, osfmk/kern/processor.c,
recommended_pset_type: PSET_AMP_E for a priority up to MAXPRI_THROTTLE), and on all cores of an
Intel Mac, behind everybody else.

Whether a process is in the background is told by the priority that the kernel has worked out for
it (osfmk/kern/task_policy.c, task_policy_update_internal_locked): MAXPRI_THROTTLE whichever way it
came there, ``taskpolicy -b``, a QoS clamp or a launchd job of the type Background; a clamp to
"utility" gives BASEPRI_UTILITY. getpriority(PRIO_DARWIN_PROCESS) tells only what a process has
done to itself, and the whole policy is root's (TASK_POLICY_STATE).
"""

from __future__ import annotations

from ..port.cpurows import Cores, CpuLimit
from .calls import Calls
from .layouts import (
    BASEPRI_UTILITY,
    MAXPRI_THROTTLE,
    PROC_FLAG_DARWINBG,
    PROC_FLAG_EXT_DARWINBG,
    PROC_FLAG_SUPPRESSED,
    PROC_PIDTASKALLINFO,
    ProcTaskAllInfo,
)

_MOST_LEVELS = 8


def cores(calls: Calls) -> Cores:
    """Give the CPUs; see sysctl(3), and bsd/sys/sysctl.h for the levels, the fastest first.

    Raises
    ------
    OSError
        When the system does not tell how many there are.
    """
    online = calls.number("hw.logicalcpu")
    if online < 1:
        raise OSError(f"sysctl hw.logicalcpu is {online}")
    most = _number(calls, "hw.logicalcpu_max") or online
    physical = _number(calls, "hw.physicalcpu")
    return Cores(
        online=online,
        offline=max(0, most - online),
        physical=physical,
        kinds=_kinds(calls, online),
        told_by="sysctl hw.logicalcpu",
        physical_told_by="" if physical is None else "sysctl hw.physicalcpu",
    )


def _kinds(calls: Calls, online: int) -> tuple[tuple[str, int], ...]:
    """Give the kinds of cores; none where all are alike, or where they are not all the CPUs."""
    levels = _number(calls, "hw.nperflevels") or 0
    if not 1 < levels <= _MOST_LEVELS:
        return ()
    found = []
    for level in range(levels):
        try:
            name = calls.word(f"hw.perflevel{level}.name").lower()
        except OSError:  # macOS 12.0 has no names
            name = ("performance", "efficiency")[level] if levels == 2 else f"level {level}"
        found.append((name, _number(calls, f"hw.perflevel{level}.logicalcpu") or 0))
    return tuple(found) if sum(number for _, number in found) == online else ()


def _number(calls: Calls, name: str) -> int | None:
    try:
        found = calls.number(name)
    except OSError:
        return None
    return found if found > 0 else None


def limits(calls: Calls, pid: int) -> tuple[CpuLimit, ...]:
    """Give what keeps a process from some CPUs; see the head of this file.

    Raises
    ------
    OSError
        When the process or the CPUs cannot be looked at.
    """
    told = calls.process(pid, PROC_PIDTASKALLINFO, ProcTaskAllInfo)
    if told.ptinfo.pti_priority > MAXPRI_THROTTLE:
        return ()
    found = cores(calls)
    why = _background(told)
    if not found.kinds:
        reason = "on cores that are all alike it only lets others go first"
        return (CpuLimit("taskpolicy", found.online, why, lowers=False, reason=reason),)
    name, number = found.kinds[-1]
    return (CpuLimit("taskpolicy", number, f"{why}: {number} {name} cores"),)


def _background(told: ProcTaskAllInfo) -> str:
    if told.pbsd.pbi_flags & PROC_FLAG_EXT_DARWINBG:
        return "in the background by another process (taskpolicy -b -p)"
    if told.pbsd.pbi_flags & PROC_FLAG_DARWINBG:
        return "in the background (taskpolicy -b)"
    return "in the background by a QoS clamp (taskpolicy -c) or launchd"


def notes(calls: Calls, pid: int) -> tuple[str, ...]:
    """Give what a reader of the budget should know besides; nothing where it cannot be known."""
    found = []
    # Apple, "About the Rosetta translation environment": 1 where this process is translated.
    if _number(calls, "sysctl.proc_translated") == 1:
        found.append("translated by Rosetta: this Python is built for Intel Macs")
    try:
        told = calls.process(pid, PROC_PIDTASKALLINFO, ProcTaskAllInfo)
    except OSError:
        return tuple(found)
    # With a nice value of 11 a process has this priority too.
    if told.ptinfo.pti_priority == BASEPRI_UTILITY and told.pbsd.pbi_nice <= 0:
        found.append("QoS clamp to utility (taskpolicy -c): slower cores are preferred for it")
    if told.pbsd.pbi_flags & PROC_FLAG_SUPPRESSED:
        found.append("App Nap holds it back while its window is hidden")
    return tuple(found)
