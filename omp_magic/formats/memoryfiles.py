"""Text of memory.max, memory.limit_in_bytes, memory.stat, meminfo, statm and smaps_rollup -> bytes.

See the kernel's Documentation/admin-guide/cgroup-v2.rst, cgroup-v1/memory.rst and
filesystems/proc.rst.
"""

from __future__ import annotations

import re

from ..errors import ParseError

_UNLIMITED_BYTES = 1 << 62
"""v1 writes "no limit" as the largest whole number of pages in 63 bits (PAGE_COUNTER_MAX)."""


def parse_bytes(what: str, text: str) -> int | None:
    r"""Give the bytes of a file of the memory controller; None for no limit.

    Raises
    ------
    ParseError
        When it is neither ``max`` nor one whole number.

    Examples
    --------
    >>> parse_bytes("memory.max", "max\\n"), parse_bytes("memory.max", "4096\\n")
    (None, 4096)
    """
    word = text.strip()
    if word in {"max", "-1"}:
        return None
    if not re.fullmatch(r"\d{1,20}", word, re.ASCII):
        raise ParseError(what, text, "a whole number of bytes, or 'max'")
    return None if int(word) >= _UNLIMITED_BYTES else int(word)


def parse_reclaimable(text: str) -> int:
    """Give the bytes of memory.stat that the kernel takes back first: files nobody used lately.

    v1 has the children's in ``total_inactive_file``, v2 in ``inactive_file``. What is left of the
    use without them is what Kubernetes calls the working set.
    """
    rows = re.findall(r"^((?:total_)?inactive_file) (\d{1,20})$", text, re.MULTILINE | re.ASCII)
    found = {str(name): int(number) for name, number in rows}
    return found.get("total_inactive_file", found.get("inactive_file", 0))


def parse_statm(text: str) -> int:
    """Give the resident pages of /proc/PID/statm, see proc_pid_statm(5).

    Raises
    ------
    ParseError
        When the text has another form.
    """
    words = text.split()
    if len(words) < 2 or not (words[1].isascii() and words[1].isdigit()):
        raise ParseError("statm", text, "numbers of pages")
    return int(words[1])


def parse_pss(text: str) -> int | None:
    """Give Pss of /proc/PID/smaps_rollup in bytes; None when the process has no memory any more.

    See the kernel's Documentation/filesystems/proc.rst.
    """
    match = re.search(r"^Pss:\s+(\d{1,15}) kB$", text, re.MULTILINE | re.ASCII)
    return int(match[1]) * 1024 if match else None


def parse_meminfo(text: str) -> tuple[int, int | None]:
    """Give (MemTotal, MemAvailable) of /proc/meminfo in bytes; the latter came with Linux 3.14.

    Raises
    ------
    ParseError
        When there is no MemTotal.
    """
    found = dict(re.findall(r"^(MemTotal|MemAvailable): +(\d{1,15}) kB$", text, re.MULTILINE))
    if "MemTotal" not in found:
        raise ParseError("/proc/meminfo", text, "a line 'MemTotal: NUMBER kB'")
    available = found.get("MemAvailable")
    return int(found["MemTotal"]) * 1024, None if available is None else int(available) * 1024


def parse_oom_kills(what: str, text: str) -> int:
    r"""Give how many processes the memory killer has ended.

    The line ``oom_kill NUMBER`` is in memory.events of cgroup v2, in memory.oom_control of v1 since
    Linux 4.13, and for the whole machine in /proc/vmstat.

    Raises
    ------
    ParseError
        When there is no such line.

    Examples
    --------
    >>> parse_oom_kills("memory.events", "oom 3\noom_kill 1\n")
    1
    """
    match = re.search(r"^oom_kill (\d{1,18})$", text, re.MULTILINE | re.ASCII)
    if match is None:
        raise ParseError(what, text, "a line 'oom_kill NUMBER'")
    return int(match[1])
