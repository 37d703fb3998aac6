"""The CPUs of Windows: groups, cores of several kinds, affinity, CPU sets, job objects."""

from __future__ import annotations

import ctypes
import os
import struct

from ..port.cpurows import Cores, CpuLimit
from .calls import calls, failed

_ALL_GROUPS = 0xFFFF
_CORES = 0
_GROUP_CPUS = 64
_BASIC_LIMITS, _CPU_RATE = 2, 15
_LIMIT_AFFINITY = 0x10
_ENABLED, _BY_WEIGHT, _HARD_CAP, _MIN_MAX = 0x1, 0x2, 0x4, 0x10
_WHOLE_RATE = 10_000
_NO_SUCH_CLASS = 87
"""ERROR_INVALID_PARAMETER: this Windows (before 8) or Wine has no CPU rates."""
_KINDS = ("efficiency", "performance")


def affinity(process: object) -> frozenset[int] | int:
    """Give the CPUs a process may run on.

    GetProcessAffinityMask has the CPUs of one group. A process that may run in several (Windows 11,
    or one that asked for it) has all of each: a mask for it is set for threads alone.

    Parameters
    ----------
    process
        Its handle.

    Raises
    ------
    OSError
        When Windows does not tell.
    """
    call = calls()
    groups = _groups(process)
    if len(groups) > 1:
        return sum(int(call.GetActiveProcessorCount(group)) for group in groups)
    own, system = ctypes.c_size_t(), ctypes.c_size_t()
    if not call.GetProcessAffinityMask(process, ctypes.byref(own), ctypes.byref(system)):
        raise failed("GetProcessAffinityMask")
    first = (groups[0] if groups else 0) * _GROUP_CPUS
    mask = own.value
    return frozenset(first + bit for bit in range(_GROUP_CPUS) if mask >> bit & 1)


def _groups(process: object) -> list[int]:
    call = calls()
    number = ctypes.c_uint16(0)
    call.GetProcessGroupAffinity(process, ctypes.byref(number), None)
    if not number.value:
        return []
    array = (ctypes.c_uint16 * number.value)()
    if not call.GetProcessGroupAffinity(process, ctypes.byref(number), array):
        return []
    return list(array[: number.value])


def cores() -> Cores:
    """Count CPUs and cores, by GetLogicalProcessorInformationEx.

    A core's EfficiencyClass is greater where it is faster; where there are two, the greater are
    what is called performance cores.
    """
    online = int(calls().GetActiveProcessorCount(_ALL_GROUPS)) or os.cpu_count() or 1
    rows = _core_rows()
    classes = sorted({kind for kind, _ in rows})
    kinds: tuple[tuple[str, int], ...] = ()
    if len(classes) > 1:
        names = _KINDS if len(classes) == 2 else tuple(f"class {each}" for each in classes)
        kinds = tuple(
            (name, sum(cpus for kind, cpus in rows if kind == each))
            for name, each in reversed(list(zip(names, classes, strict=True)))
        )
    return Cores(
        online,
        physical=len(rows) or None,
        kinds=kinds,
        told_by="GetProcessAffinityMask",
        physical_told_by="GetLogicalProcessorInformationEx",
    )


def _core_rows() -> list[tuple[int, int]]:
    """Give (EfficiencyClass, logical CPUs) of each core."""
    call = calls()
    size = ctypes.c_uint32(0)
    call.GetLogicalProcessorInformationEx(_CORES, None, ctypes.byref(size))
    if not size.value:
        return []
    buffer = ctypes.create_string_buffer(size.value)
    if not call.GetLogicalProcessorInformationEx(_CORES, buffer, ctypes.byref(size)):
        return []
    return parse_cores(buffer.raw[: size.value])


def parse_cores(data: bytes) -> list[tuple[int, int]]:
    """Give (EfficiencyClass, logical CPUs) of each core of SYSTEM_LOGICAL_PROCESSOR_INFORMATION_EX.

    Each entry says how long it is; PROCESSOR_RELATIONSHIP begins after the first 8 bytes: flags,
    class, 20 bytes reserved, the number of groups, then a GROUP_AFFINITY of 16 bytes for each.
    """
    found = []
    at = 0
    while at + 32 <= len(data):
        relation, size = struct.unpack_from("<II", data, at)
        if size < 32:
            break
        if relation == _CORES:
            kind = data[at + 9]
            (groups,) = struct.unpack_from("<H", data, at + 30)
            cpus = 0
            for index in range(groups):
                place = at + 32 + index * 16
                if place + 8 <= min(at + size, len(data)):
                    (mask,) = struct.unpack_from("<Q", data, place)
                    cpus += mask.bit_count()
            found.append((kind, cpus))
        at += size
    return found


class _Basic(ctypes.Structure):
    """JOBOBJECT_BASIC_LIMIT_INFORMATION of winnt.h."""

    _fields_ = (
        ("per_process_time", ctypes.c_int64),
        ("per_job_time", ctypes.c_int64),
        ("flags", ctypes.c_uint32),
        ("minimum", ctypes.c_size_t),
        ("maximum", ctypes.c_size_t),
        ("active", ctypes.c_uint32),
        ("affinity", ctypes.c_size_t),
        ("priority", ctypes.c_uint32),
        ("scheduling", ctypes.c_uint32),
    )


class _Rate(ctypes.Structure):
    """JOBOBJECT_CPU_RATE_CONTROL_INFORMATION of winnt.h."""

    _fields_ = (("flags", ctypes.c_uint32), ("rate", ctypes.c_uint32))


def cpu_limits(online: int) -> tuple[CpuLimit, ...]:
    """Give what the job object of this process, which is what a Windows container is, allows it.

    Of nested jobs Windows tells the innermost one.

    Parameters
    ----------
    online
        CPUs of the machine, which rates are shares of.

    Raises
    ------
    OSError
        When the process is in a job whose limits cannot be read.
    """
    call = calls()
    found = []
    inside = ctypes.c_int32(0)
    if not call.IsProcessInJob(call.GetCurrentProcess(), None, ctypes.byref(inside)):
        raise failed("IsProcessInJob")
    if inside.value:
        basic, rate = _Basic(), _Rate()
        if _asked(_BASIC_LIMITS, basic) and basic.flags & _LIMIT_AFFINITY:
            cpus = basic.affinity.bit_count()
            found.append(
                CpuLimit(
                    source="job object",
                    cpus=float(cpus),
                    detail=f"affinity {basic.affinity:#x}",
                )
            )
        if _asked(_CPU_RATE, rate):
            found += rate_limit(rate.flags, rate.rate, online)
        elif ctypes.get_last_error() != _NO_SUCH_CLASS:  # type: ignore[attr-defined,unused-ignore]  # Windows has it
            error = failed("QueryInformationJobObject")
            raise OSError(f"the CPU rate of this process's job object cannot be read: {error}")
    return (*found, *_cpu_sets())


def rate_limit(flags: int, rate: int, online: int) -> list[CpuLimit]:
    """Give what a job object's rate control allows, in CPUs.

    Rates are in hundredths of a percent of the whole machine; by weight, and without
    JOB_OBJECT_CPU_RATE_CONTROL_HARD_CAP, a job may have more while nobody else wants it.
    """
    if not flags & _ENABLED:
        return []
    if flags & _BY_WEIGHT:
        return [
            CpuLimit(
                source="job object",
                cpus=float(online),
                detail=f"weight {rate} of 9",
                lowers=False,
                reason="a weight counts only while others want the CPUs",
            )
        ]
    if flags & _MIN_MAX:
        rate = rate >> 16
    cpus = rate / _WHOLE_RATE * online
    hard = bool(flags & (_HARD_CAP | _MIN_MAX))
    return [
        CpuLimit(
            source="job object",
            cpus=cpus,
            detail=f"CPU rate {rate / 100:g} % of {online} CPUs",
            lowers=hard,
            reason="" if hard else "no hard cap: it may have more while others do not want it",
            is_quota=True,
        )
    ]


def _asked(what: int, into: ctypes.Structure) -> bool:
    return bool(
        calls().QueryInformationJobObject(None, what, ctypes.byref(into), ctypes.sizeof(into), None)
    )


def _cpu_sets() -> list[CpuLimit]:
    """Give the CPU sets that this process has as its default, where this Windows has such."""
    call = calls()
    number = ctypes.c_uint32(0)
    try:
        call.GetProcessDefaultCpuSets(call.GetCurrentProcess(), None, 0, ctypes.byref(number))
    except OSError:
        return []
    if not number.value:
        return []
    return [CpuLimit(source="CPU sets", cpus=float(number.value), detail="default CPU sets")]
