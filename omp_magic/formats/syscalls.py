"""Text of /proc/PID/task/TID/syscall -> where a thread waits; numbers of calls -> their names.

Sources of the numbers: the kernel's arch/x86/entry/syscalls/syscall_64.tbl, and
scripts/syscall.tbl, which arm64 and riscv64 have.
"""

from __future__ import annotations

from typing import NamedTuple

from ..errors import ParseError


class Syscall(NamedTuple):
    """Where a thread waits: the number of the system call, its stack and instruction pointer.

    `number` is None for a thread that waits outside of one, for a page for example.
    """

    number: int | None
    stack_pointer: int
    program_counter: int


def parse_syscall(text: str) -> Syscall | None:
    """Read /proc/PID/task/TID/syscall; None when the thread is running.

    The forms are ``running``, ``-1 SP PC`` and ``NR a0 a1 a2 a3 a4 a5 SP PC``, see
    proc_pid_syscall(5).

    Raises
    ------
    ParseError
        When the text has another form.
    """
    words = text.split()
    if words == ["running"]:
        return None
    if len(words) not in (3, 9):
        raise ParseError("syscall", text, "running, or 3 or 9 numbers")
    try:
        number, pointer, counter = int(words[0]), int(words[-2], 16), int(words[-1], 16)
    except ValueError:
        raise ParseError("syscall", text, "a stack pointer in hexadecimal") from None
    return Syscall(number if number >= 0 else None, pointer, counter)


_X86_64 = {
    0: "read", 1: "write", 7: "poll", 17: "pread64", 19: "readv", 23: "select", 24: "sched_yield",
    34: "pause", 35: "nanosleep", 42: "connect", 43: "accept", 44: "sendto", 45: "recvfrom",
    46: "sendmsg", 47: "recvmsg", 61: "wait4", 72: "fcntl", 73: "flock", 74: "fsync",
    128: "rt_sigtimedwait", 130: "rt_sigsuspend", 202: "futex", 219: "restart_syscall",
    230: "clock_nanosleep", 232: "epoll_wait", 247: "waitid", 270: "pselect6", 271: "ppoll",
    281: "epoll_pwait", 288: "accept4", 299: "recvmmsg", 426: "io_uring_enter",
    441: "epoll_pwait2", 449: "futex_waitv",
}  # fmt: skip
_GENERIC = {
    22: "epoll_pwait", 25: "fcntl", 32: "flock", 63: "read", 64: "write", 65: "readv",
    67: "pread64", 72: "pselect6", 73: "ppoll", 82: "fsync", 95: "waitid", 98: "futex",
    101: "nanosleep", 115: "clock_nanosleep", 124: "sched_yield", 128: "restart_syscall",
    133: "rt_sigsuspend", 137: "rt_sigtimedwait", 202: "accept", 203: "connect", 206: "sendto",
    207: "recvfrom", 211: "sendmsg", 212: "recvmsg", 242: "accept4", 243: "recvmmsg",
    260: "wait4", 426: "io_uring_enter", 441: "epoll_pwait2", 449: "futex_waitv",
}  # fmt: skip
_BY_CPU = {"x86_64": _X86_64, "aarch64": _GENERIC, "riscv64": _GENERIC}


def syscall_name(number: int, cpu: str) -> str:
    """Give the name of a system call; ``"syscall 999"`` where this table has none.

    Parameters
    ----------
    number
        As /proc/PID/syscall has it.
    cpu
        As ``platform.machine()`` gives it.

    Examples
    --------
    >>> syscall_name(202, "x86_64"), syscall_name(98, "aarch64")
    ('futex', 'futex')
    """
    return _BY_CPU.get(cpu, {}).get(number, f"syscall {number}")
