"""Bytes of the sysctl KERN_PROCARGS2 -> the program, its arguments, its environment.

The kernel copies the area of strings that it made at exec, as it is now (xnu, bsd/kern/kern_exec.c,
exec_extract_strings; bsd/kern/kern_sysctl.c, sysctl_procargsx): the number of arguments, the
program's path, zeros up to a multiple of a pointer, the arguments, the environment, zeros, and
what the kernel tells dyld and libSystem (``apple[]``). No number or offset in it is trusted.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass

from ..errors import ParseError

_MOST_ARGUMENTS = 1_000_000
# The keys of `apple[]` (kern_exec.c, exec_add_apple_strings). The zeros before them only fill up a
# pointer: an environment that ends on one is followed by them at once, and psutil 7.2 shows them
# as variables then.
_APPLE = frozenset(
    {
        b"pfz",
        b"stack_guard",
        b"malloc_entropy",
        b"ptr_munge",
        b"main_stack",
        b"executable_file",
        b"dyld_file",
        b"executable_cdhash",
        b"executable_boothash",
        b"th_port",
        b"dyld_flags",
    }
)


@dataclass(frozen=True, slots=True)
class ProcessArguments:
    """What a process was started with.

    Parameters
    ----------
    path
        The program, as it was asked for.
    arguments
        Its own name first.
    environ
        Of two variables with one name the first, which getenv(3) finds.
    """

    path: str
    arguments: tuple[str, ...]
    environ: Mapping[str, str]


def parse_procargs(data: bytes) -> ProcessArguments:
    """Read what KERN_PROCARGS2 gave.

    Parameters
    ----------
    data
        All of it, in this machine's byte order.

    Raises
    ------
    ParseError
        When the arguments that it counts are not there.
    """
    count = int.from_bytes(data[:4], sys.byteorder, signed=True)
    if len(data) < 4 or not 0 <= count <= _MOST_ARGUMENTS:
        raise ParseError("KERN_PROCARGS2", data[:16].hex(" "), "the number of arguments")
    path, _, rest = data[4:].partition(b"\0")
    # A first argument that is empty cannot be told from the filling.
    texts = rest.lstrip(b"\0").split(b"\0")
    if len(texts) <= count:
        raise ParseError("KERN_PROCARGS2", f"{len(texts)} texts", f"{count} arguments")
    environ: dict[str, str] = {}
    # The last piece has no zero behind it: nothing, or a text that was cut off.
    for text in texts[count:-1]:
        name, equals, value = text.partition(b"=")
        if not text or name in _APPLE:
            break
        if equals and name:
            environ.setdefault(_decoded(name), _decoded(value))
    return ProcessArguments(_decoded(path), tuple(map(_decoded, texts[:count])), environ)


def _decoded(text: bytes) -> str:
    return text.decode("utf-8", "surrogateescape")
