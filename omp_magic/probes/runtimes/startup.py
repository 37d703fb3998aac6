"""Which runtimes have started up, found out without calling them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass

from ...errors import ParseError
from ...formats.elf import parse_segments
from ...knowledge.catalog import AT_LOAD
from ...knowledge.envvars import is_true
from ...machine import Machine
from ...machine.native import Native
from .libraries import Image

_REGISTRATION = re.compile(r"(?:0x)?([0-9a-fA-F]{1,16})-([0-9a-fA-F]{1,16})-.*", re.DOTALL)
_FLAG = re.compile(rb"\xfe\xca\0\0\0\0")
"""``__kmp_registration_flag`` once it is set, but for its low 16 bits: 0xCAFE0000 | time."""
_HEADER_BYTES = 4096
_MOST_VARIABLES_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Startup:
    """What is known of runtimes that start at their first call.

    Parameters
    ----------
    bases
        Bases of the LLVM and Intel runtimes that have started.
    unknown
        Bases of those of which it cannot be told.
    known
        False where registrations cannot be read.
    """

    bases: frozenset[int] = frozenset()
    unknown: frozenset[int] = frozenset()
    known: bool = True

    def of(self, image: Image) -> bool | None:
        """Tell whether a runtime has started; None when that cannot be known from outside."""
        family = image.family
        if family.starts == AT_LOAD:
            return True
        if family.key == "mkl":
            return image.layer is not None
        if family.kin != "llvm" or not self.known or image.base is None:
            return None
        if image.base in self.bases:
            return True
        return None if image.base in self.unknown else False

    def may_ask(self, image: Image) -> bool:
        """Tell whether the getter of a runtime wakes nothing."""
        if image.getter is None or self.of(image) is not True:
            return False
        # MKL on Intel's layer passes the question on to libiomp5.
        return image.layer != "intel" or bool(self.bases)


def probe_startup(machine: Machine, native: Native | None, images: tuple[Image, ...]) -> Startup:
    """Find out which LLVM and Intel runtimes have started, from their registration.

    At its first call such a runtime sets a flag of its own and writes the flag's address, its
    value and a name into a shared-memory file, else a file in /tmp, else a C variable
    (openmp/runtime/src/kmp_runtime.cpp, __kmp_register_library_startup). The address says
    which copy it is; the flag's value in memory says that it is not a dead process's file.

    With KMP_DUPLICATE_LIB_OK a second copy starts and cannot register, but has set its flag:
    that is looked for in its variables in memory.
    """
    if not any(image.family.kin == "llvm" for image in images):
        return Startup()
    if native is None or not machine.linux:
        return Startup(known=False)
    found = (_registered(machine, native, text) for text in _registrations(machine, native))
    bases = {base for base in found if base is not None}
    unknown: set[int] = set()
    if bases and is_true(native.getenv("KMP_DUPLICATE_LIB_OK")):
        copies = {each.base for each in images if each.family.kin == "llvm" and each.base}
        for base in copies - bases:
            flag = _has_flag(machine, base)
            if flag is not False:
                (unknown if flag is None else bases).add(base)
    return Startup(bases=frozenset(bases), unknown=frozenset(unknown))


def _registrations(machine: Machine, native: Native) -> Iterator[str]:
    """Give the texts of this process's registrations, wherever a runtime may write one."""
    name = f"__KMP_REGISTERED_LIB_{os.getpid()}"
    yield native.getenv(name) or ""
    for folder in ("/dev/shm", "/tmp"):  # noqa: S108 - the runtime's own choice
        for file in (f"{folder}/{name}_{os.getuid()}", f"{folder}/{name}"):
            try:
                yield machine.read(file)
            except OSError:
                continue


def _registered(machine: Machine, native: Native, text: str) -> int | None:
    match = _REGISTRATION.fullmatch(text.rstrip("\0\n"))
    if match is None:
        return None
    address, flag = int(match[1], 16), int(match[2], 16)
    try:
        alive = int.from_bytes(machine.read_memory(address, 8), "little") == flag
    except (OSError, OverflowError):
        return None
    return native.base_of(address) if alive else None


def _has_flag(machine: Machine, base: int) -> bool | None:
    """Tell whether the object at `base` holds a registration flag; None when unreadable."""
    try:
        for segment in parse_segments(machine.read_memory(base, _HEADER_BYTES)):
            if not segment.writable:
                continue
            if segment.memory_bytes > _MOST_VARIABLES_BYTES:
                return None
            start = base + segment.address
            data = machine.read_memory(start, segment.memory_bytes)
            if any((start + found.start()) % 8 == 2 for found in _FLAG.finditer(data)):
                return True
    except (OSError, ParseError):
        return None
    return False
