"""The memory of a process, and the CPU time of the machine, as /proc has them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ...formats.memoryfiles import parse_pss, parse_statm
from ...formats.procfs import parse_busy_ticks
from ..port.rows import MemoryUse
from .units import page_bytes, ticks_per_s

if TYPE_CHECKING:
    from ..port.door import Door


def memory_use(machine: Door, process: int | None, *, shared: bool) -> MemoryUse:
    """Read statm, whose count lags by some pages a CPU, and smaps_rollup (30 us to some ms).

    Raises
    ------
    OSError, ParseError
        When they cannot be read; smaps_rollup is guarded by the rules of ptrace(2).
    """
    folder = f"/proc/{process or 'self'}"
    rss_bytes = parse_statm(machine.read(f"{folder}/statm")) * page_bytes()
    pss_bytes = parse_pss(machine.read(f"{folder}/smaps_rollup")) if shared else None
    return MemoryUse(rss_bytes, pss_bytes)


def peak_rss_bytes(machine: Door) -> int:
    """Read VmHWM; see proc_pid_status(5).

    Raises
    ------
    OSError
        When it is not there.
    """
    try:
        status = machine.read("/proc/self/status")
        return int(status.split("VmHWM:", 1)[1].split(None, 1)[0]) * 1024
    except (ValueError, IndexError) as error:
        raise OSError("/proc/self/status has no VmHWM") from error


def reset_peak_rss(machine: Door) -> None:
    """Write 5 to /proc/self/clear_refs, which sets VmHWM back; see proc_pid_clear_refs(5). 5 us.

    Raises
    ------
    OSError
        When it may not be written, or the process is laid out in a folder.
    """
    if not machine.live:
        raise OSError("only the running process's peak can be set back")
    handle = os.open("/proc/self/clear_refs", os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(handle, b"5")
    finally:
        os.close(handle)


def machine_cpu_s(machine: Door) -> float:
    """Read /proc/stat.

    Raises
    ------
    OSError, ParseError
        When it cannot be read.
    """
    return parse_busy_ticks(machine.read("/proc/stat")) / ticks_per_s()
