"""Text of pids.max, pids.current, pids.events, limits and loadavg -> numbers of tasks.

See the kernel's Documentation/admin-guide/cgroup-v1/pids.rst and cgroup-v2.rst, and
proc_pid_limits(5), proc_loadavg(5).
"""

from __future__ import annotations

import re

from ..errors import ParseError

_NPROC = re.compile(r"^Max processes +(unlimited|\d{1,20}) ", re.MULTILINE | re.ASCII)
_RUNNING = re.compile(r"(?:\S+ ){3}\d+/(\d{1,10}) ", re.ASCII)
_RESOURCE, _ADMIN = 24, 21
"""CAP_SYS_RESOURCE and CAP_SYS_ADMIN (include/uapi/linux/capability.h)."""


def parse_tasks(what: str, text: str) -> int | None:
    """Give the number of pids.max, pids.current, threads-max or pid_max; None for ``max``.

    Raises
    ------
    ParseError
        When it is neither.
    """
    word = text.strip()
    if word == "max":
        return None
    if not re.fullmatch(r"\d{1,20}", word, re.ASCII):
        raise ParseError(what, text, "a whole number, or 'max'")
    return int(word)


def parse_refused(text: str) -> int | None:
    """Give how often a fork was refused, the line ``max N`` of pids.events; None without one."""
    match = re.search(r"^max (\d{1,20})$", text, re.MULTILINE | re.ASCII)
    return int(match[1]) if match else None


def parse_nproc(text: str) -> int | None:
    """Give the soft limit "Max processes" of /proc/PID/limits; None for ``unlimited``.

    Raises
    ------
    ParseError
        When there is no such line.
    """
    match = _NPROC.search(text)
    if match is None:
        raise ParseError("limits", text, "a line 'Max processes SOFT HARD processes'")
    return None if match[1] == "unlimited" else int(match[1])


def parse_running(text: str) -> int:
    """Give the tasks of the whole machine, of /proc/loadavg ``0.20 0.18 0.12 1/80 11206``.

    Raises
    ------
    ParseError
        When the text has another form.
    """
    match = _RUNNING.match(text)
    if match is None:
        raise ParseError("loadavg", text, "three loads and RUNNING/TASKS")
    return int(match[1])


def parse_owner(text: str) -> tuple[int, int]:
    """Give (real user id, threads) of /proc/PID/status.

    Raises
    ------
    ParseError
        When one of them is missing.
    """
    uid = re.search(r"^Uid:\t(\d+)", text, re.MULTILINE | re.ASCII)
    threads = re.search(r"^Threads:\t(\d+)", text, re.MULTILINE | re.ASCII)
    if uid is None or threads is None:
        raise ParseError("status", text, "lines 'Uid:' and 'Threads:'")
    return int(uid[1]), int(threads[1])


def escapes_nproc(status: str, uid_map: str) -> bool:
    """Tell whether RLIMIT_NPROC does not hold: root, or CAP_SYS_RESOURCE, or CAP_SYS_ADMIN.

    They count in the first user namespace only (copy_process in kernel/fork.c). Its map is
    ``0 0 4294967295``, see user_namespaces(7).

    Parameters
    ----------
    status, uid_map
        The files of that name in /proc/self.
    """
    if uid_map.split() != ["0", "0", "4294967295"]:
        return False
    held = re.search(r"^CapEff:\t([0-9a-f]{1,16})$", status, re.MULTILINE | re.ASCII)
    bits = int(held[1], 16) if held else 0
    root = re.search(r"^Uid:\t0\b", status, re.MULTILINE | re.ASCII) is not None
    return root or bool(bits & (1 << _RESOURCE | 1 << _ADMIN))
