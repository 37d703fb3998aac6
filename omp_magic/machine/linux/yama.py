"""What keeps one process from reading another one's memory, in words."""

from __future__ import annotations

_YAMA = "/proc/sys/kernel/yama/ptrace_scope"


def refusal(error: PermissionError) -> PermissionError:
    """Give the error of memory that may not be read, with what refuses it.

    Yama lets a process read the memory of its descendants alone where kernel.yama.ptrace_scope is
    1, as on Ubuntu (Documentation/admin-guide/LSM/Yama.rst).
    """
    try:
        with open(_YAMA, encoding="ascii") as file:
            scope = file.read().strip()
    except OSError:
        scope = "0"
    why = "the kernel does not let this process read that one's memory"
    if scope == "0":
        why += ": it may have set itself not dumpable (prctl(2)), or a container forbids ptrace"
    else:
        why += f": kernel.yama.ptrace_scope is {scope}"
        if scope in ("1", "2"):
            why += ", and where it is 0 it may: sudo sysctl kernel.yama.ptrace_scope=0"
    return PermissionError(error.errno, why, error.filename)
