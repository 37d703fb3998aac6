"""Text of cpu.max, cpu.cfs_*, cpu.stat, cpu.pressure and CPU lists -> numbers.

See the kernel's Documentation/admin-guide/cgroup-v2.rst and scheduler/sched-bwc.rst.
"""

from __future__ import annotations

import re

from ..errors import ParseError

DEFAULT_PERIOD_US = 100_000
"""The kernel's period when cpu.max gives none (Documentation/admin-guide/cgroup-v2.rst)."""


def parse_cpu_max(text: str) -> float | None:
    """Give quota/period of cgroup v2's cpu.max in CPUs, or None for no limit.

    Raises
    ------
    ParseError
        When it is neither ``max PERIOD`` nor ``QUOTA PERIOD`` nor one of the two words alone.
    """
    words = text.split()
    if not 1 <= len(words) <= 2:
        raise ParseError("cpu.max", text, "'QUOTA PERIOD' in microseconds or 'max PERIOD'")
    period_us = _number("cpu.max", words[1]) if len(words) == 2 else DEFAULT_PERIOD_US
    if words[0] == "max":
        return None
    return _ratio(_number("cpu.max", words[0]), period_us)


def parse_cfs(quota: str, period: str) -> float | None:
    """Give cgroup v1's cpu.cfs_quota_us / cpu.cfs_period_us in CPUs, or None for no limit (-1).

    Raises
    ------
    ParseError
        When either text is not one whole number.
    """
    return _ratio(_number("cpu.cfs_quota_us", quota), _number("cpu.cfs_period_us", period))


def parse_cpu_stat(text: str) -> dict[str, int]:
    """Give the ``NAME NUMBER`` lines of cpu.stat; lines in another form are passed over."""
    values = {}
    for line in text.split("\n"):
        name, _, number = line.partition(" ")
        if name and number.isascii() and number.isdigit() and len(number) <= 20:
            values[name] = int(number)
    return values


def parse_burst(text: str) -> int:
    """Give cpu.max.burst or cpu.cfs_burst_us in microseconds.

    Raises
    ------
    ParseError
        When it is not one whole number.
    """
    return _number("cpu burst", text)


def parse_pressure(text: str) -> float:
    """Give the share of the last 10 s in which some task waited for a CPU, 0 to 1.

    Reads ``some avg10=1.50 …`` of cpu.pressure or /proc/pressure/cpu, see the kernel's
    Documentation/accounting/psi.rst.

    Raises
    ------
    ParseError
        When there is no such number.
    """
    match = re.search(r"^some avg10=(\d{1,3}(?:\.\d+)?)\b", text, re.MULTILINE | re.ASCII)
    if match is None:
        raise ParseError("CPU pressure", text, "'some avg10=PERCENT …'")
    return float(match[1]) / 100


def parse_cpu_list(text: str) -> frozenset[int]:
    """Give the CPUs of a list such as ``0-3,8``, see cpuset(7).

    Raises
    ------
    ParseError
        When a part is no number and no range.
    """
    cpus: set[int] = set()
    for part in text.strip().split(","):
        match = re.fullmatch(r"(\d{1,6})(?:-(\d{1,6}))?", part.strip(), re.ASCII)
        if match is None:
            if part.strip():
                raise ParseError("CPU list", text, "numbers and ranges such as '0-3,8'")
            continue
        first, last = int(match[1]), int(match[2] or match[1])
        cpus.update(range(first, last + 1))
    return frozenset(cpus)


def parse_allowed(what: str, text: str) -> frozenset[int]:
    """Give Cpus_allowed_list of /proc/PID/status, see proc_pid_status(5).

    Raises
    ------
    ParseError
        When there is none, or no list.
    """
    status = text.partition("Cpus_allowed_list:")[2]
    if not status:
        raise ParseError(what, "no Cpus_allowed_list", "a list of CPUs")
    return parse_cpu_list(status.split("\n", 1)[0])


def _number(what: str, text: str) -> int:
    word = text.strip()
    if not re.fullmatch(r"-?\d{1,20}", word, re.ASCII):
        raise ParseError(what, text, "a whole number of microseconds")
    return int(word)


def _ratio(quota_us: int, period_us: int) -> float | None:
    return quota_us / period_us if quota_us > 0 and period_us > 0 else None
