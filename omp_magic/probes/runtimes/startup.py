"""Which runtimes have started up, found out without calling them."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from ...errors import ParseError
from ...formats.spans import HEAD_BYTES, Span, parse_spans
from ...knowledge.catalog import AT_LOAD
from ...knowledge.envvars import is_true
from ...machine import Machine
from ...machine.port.native import Native
from ...machine.port.rows import Memory
from .images import Image

if TYPE_CHECKING:
    from ...machine.other import OtherMachine
    from .distant import Distant

_REGISTRATION = re.compile(r"(?:0x)?([0-9a-fA-F]{1,16})-([0-9a-fA-F]{1,16})-.*", re.DOTALL)
_FLAG = {long_bytes: re.compile(rb"\xfe\xca" + rb"\0" * (long_bytes - 4)) for long_bytes in (4, 8)}
"""``__kmp_registration_flag`` once it is set, but for its low 16 bits: 0xCAFE0000 | time."""
_NEAR_BYTES = 1024
_LEAST_POINTER = 0x10000
_MOST_VARIABLES_BYTES = 16 * 1024 * 1024


class Startup(NamedTuple):
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


def probe_startup(
    machine: Machine,
    native: Native | None,
    images: tuple[Image, ...],
    distant: Distant | None = None,
) -> Startup:
    """Find out which LLVM and Intel runtimes have started, from their registration.

    At its first call such a runtime sets a flag of its own and writes the flag's address, its
    value and a name into a shared-memory file, else a file in /tmp, else a C variable
    (openmp/runtime/src/kmp_runtime.cpp, __kmp_register_library_startup). The address says
    which copy it is; the flag's value in memory says that it is not a dead process's file.

    With KMP_DUPLICATE_LIB_OK a second copy starts and cannot register, but has set its flag:
    that is looked for in its variables in memory. In another process it is looked for in all
    copies, since the variable may have been unset there since.
    """
    if not any(image.family.kin == "llvm" for image in images):
        return Startup()
    if native is not None:
        texts, base_of = _registrations(machine, native), native.base_of
        masked = is_true(native.getenv("KMP_DUPLICATE_LIB_OK"))
    elif distant is not None and _is_readable(machine, images):
        texts, masked = _published(distant.machine), True
        base_of = partial(distant.base_of, images=images)
    else:
        return Startup(known=False)
    found = (_registered(machine, base_of, text) for text in texts)
    bases = {base for base in found if base is not None}
    unknown: set[int] = set()
    if bases and masked:
        copies = {each.base for each in images if each.family.kin == "llvm" and each.base}
        for base in copies - bases:
            flag = _has_flag(machine, base)
            if flag is not False:
                (unknown if flag is None else bases).add(base)
    return Startup(bases=frozenset(bases), unknown=frozenset(unknown))


def _registrations(machine: Machine, native: Native) -> Iterator[str]:
    """Give the texts of this process's registrations, wherever a runtime may write one.

    Children inherit a variable under their parent's pid, so the pid must be our own.
    """
    name = f"__KMP_REGISTERED_LIB_{os.getpid()}"
    yield native.getenv(name) or ""
    yield from machine.system.published(name)


def _published(machine: OtherMachine) -> Iterator[str]:
    """Give the same of another process, which knows itself by its own numbers in a container."""
    standing = machine.others.standing()
    name = f"__KMP_REGISTERED_LIB_{standing.own_pid}"
    yield from machine.system.published(f"{name}_{standing.own_user}")
    yield from machine.system.published(name)


def _is_readable(machine: Machine, images: tuple[Image, ...]) -> bool:
    """Tell whether the memory can be read: without, no text proves that its writer lives."""
    try:
        return bool(machine.read_memory(images[0].mapped.starts[0], 4))
    except OSError:
        return False


def _registered(machine: Machine, base_of: Callable[[int], int | None], text: str) -> int | None:
    match = _REGISTRATION.fullmatch(text.rstrip("\0\n"))
    if match is None:
        return None
    address, flag = int(match[1], 16), int(match[2], 16)
    try:
        alive = (
            int.from_bytes(machine.read_memory(address, machine.system.long_bytes), "little")
            == flag
        )
    except (OSError, OverflowError):
        return None
    return base_of(address) if alive else None


def _has_flag(machine: Machine, base: int) -> bool | None:
    """Tell whether the object at `base` holds a registration flag; None when unreadable."""
    try:
        with machine.memory() as read:
            for span in spans_at(read, base):
                if not span.writable:
                    continue
                if span.size_bytes > _MOST_VARIABLES_BYTES:
                    return None
                start = base + span.address
                data = read(start, span.size_bytes)
                if _holds_flag(read, start, data, machine.system.long_bytes):
                    return True
    except (OSError, ParseError):
        return None
    return False


def spans_at(read: Memory, base: int) -> tuple[Span, ...]:
    """Read where the parts of an image lie; raises OSError or ParseError."""
    first, more = HEAD_BYTES
    try:
        return parse_spans(read(base, first))
    except ParseError:
        # A Mach-O library may have more load commands than fit there.
        return parse_spans(read(base, more))


def _holds_flag(read: Memory, start: int, data: bytes, long_bytes: int) -> bool:
    """Look for a word of C's ``long`` that is a flag which is set.

    The 48 bits that are fixed in a ``long`` of 8 bytes are proof enough, the 16 of one of 4 bytes
    are not.
    """
    for found in _FLAG[long_bytes].finditer(data):
        at = found.start() - 2
        aligned = at >= 0 and (start + at) % long_bytes == 0
        if aligned and (long_bytes == 8 or _has_its_text(read, start, data, at)):
            return True
    return False


def _has_its_text(read: Memory, start: int, data: bytes, at: int) -> bool:
    """Tell a flag from another word that looks like one, by the text beside it.

    The runtime keeps one that begins with the flag's address (__kmp_registration_str), by a
    pointer that the compiler lays out near the flag.
    """
    address = f"{start + at:016X}-".encode()
    first = max(0, at - _NEAR_BYTES) // 8 * 8
    for place in range(first, min(len(data) - 8, at + _NEAR_BYTES), 8):
        pointer = int.from_bytes(data[place : place + 8], "little")
        if pointer > _LEAST_POINTER:
            with suppress(OSError):
                if read(pointer, len(address)).upper() == address:
                    return True
    return False
