"""The units of what /proc tells, also where a folder that is laid out like it is read elsewhere."""

from __future__ import annotations

import os

_USER_HZ = 100
_PAGE_BYTES = 4096


def ticks_per_s() -> int:
    """Give the clock ticks of a second in /proc (proc(5)).

    They are USER_HZ, 100 on every processor that CPython has wheels for (the kernel's
    include/asm-generic/param.h); a system that is not asked for it here reads a folder.
    """
    return os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else _USER_HZ


def page_bytes() -> int:
    """Give the size of a page in /proc/PID/statm (proc(5))."""
    return os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else _PAGE_BYTES
