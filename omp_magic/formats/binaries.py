"""Bytes of machine code of any system -> one kind of answer: names, needs, search paths; texts."""

from __future__ import annotations

import mmap
import struct
from typing import NamedTuple

from .elf import parse_constants, parse_elf

_OF_A_RUNTIME = (b"__KMP_REGISTERED_LIB_", b"GOMP_SPINCOUNT")
_OF_ITS_KIND = (
    b"libgomp: ",
    b"libiomp5",
    b"shm_open",
    b"/dev/shm",
    b"/tmp/%s",
    b"/tmp/__KMP",
    b"__kmp_suspend_64ILb0ELb1EE",
)
MARKS: tuple[bytes, ...] = (*_OF_A_RUNTIME, *_OF_ITS_KIND)
"""Texts by which `omp_magic.knowledge` tells a runtime inside a file, and where it registers."""

_LONGEST_TEXT_BYTES = 1024
_CPUS = {3: "x86", 62: "x86_64", 183: "aarch64", 21: "ppc64le", 40: "arm", 22: "s390x"}


class Binary(NamedTuple):
    """What a file of machine code says of itself, for one processor.

    Parameters
    ----------
    system
        ``"linux"``, ``"macos"`` or ``"windows"``: by the form of the file.
    cpu
        ``"x86_64"``, ``"arm64"``, ``"aarch64"`` …, or its number.
    name
        SONAME, install name, or the name in the export table; None when it has none.
    needed
        What it needs to be loaded, in the file's order.
    weak
        Those of `needed` that may be missing (LC_LOAD_WEAK_DYLIB).
    delayed
        What it loads at the first call only (Windows' delay imports).
    rpath, runpath
        ELF's; ``:`` between folders.
    rpaths
        Mach-O's LC_RPATH, in the file's order.
    sdk
        Version of the SDK that a Mach-O file was made with; None when it does not say.
    forwards
        DLLs that its exports are forwarded to.
    forwarder
        Whether all that it exports is forwarded, so that it has no code of its own to call.
    folds_case
        Whether names mean the same in whatever case (PE).
    size_bytes
        Size of the file, other processors' parts included.
    """

    system: str
    cpu: str
    name: str | None = None
    needed: tuple[str, ...] = ()
    weak: tuple[str, ...] = ()
    delayed: tuple[str, ...] = ()
    rpath: str | None = None
    runpath: str | None = None
    rpaths: tuple[str, ...] = ()
    sdk: tuple[int, int] | None = None
    forwards: tuple[str, ...] = ()
    forwarder: bool = False
    folds_case: bool = False
    size_bytes: int = 0


def parse_binary(data: bytes | mmap.mmap) -> tuple[Binary, ...]:
    """Give what a file of machine code says; one answer for each processor that it is for.

    Raises
    ------
    ParseError
        When it is none, or a broken one.
    """
    size_bytes = len(data)
    head = bytes(data[:20])
    if head[:4] == b"\x7fELF":
        elf = parse_elf(data)
        order = ">" if head[5] == 2 else "<"
        machine = struct.unpack_from(order + "H", head, 18)[0] if len(head) == 20 else 0
        return (
            Binary(
                system="linux",
                cpu=_CPUS.get(machine, str(machine)),
                name=elf.soname,
                needed=elf.needed,
                rpath=elf.rpath,
                runpath=elf.runpath,
                size_bytes=size_bytes,
            ),
        )
    from .macho import is_macho, parse_macho  # noqa: PLC0415 - 4 ms with PE: Linux reads ELF

    if is_macho(head):
        return tuple(
            Binary(
                system="macos",
                cpu=part.cpu,
                name=part.install_name,
                needed=part.needed,
                weak=part.weak,
                rpaths=part.rpaths,
                sdk=part.sdk,
                size_bytes=size_bytes,
            )
            for part in parse_macho(data)
        )
    from .pe import parse_pe  # noqa: PLC0415 - as above

    windows = parse_pe(data)
    return (
        Binary(
            system="windows",
            cpu=windows.cpu,
            name=windows.name,
            needed=windows.needed,
            delayed=windows.delayed,
            forwards=windows.forwards,
            forwarder=windows.forwarder,
            folds_case=True,
            size_bytes=size_bytes,
        ),
    )


def parse_texts(data: bytes | mmap.mmap, cpu: str = "") -> tuple[str, ...]:
    """Give those of `MARKS` that a file holds, () when it holds none of a runtime itself.

    An ELF file's constants are searched, a Mach-O file's part for the processor, a DLL as a
    whole; each byte once a text, whatever the file says of its parts.

    Parameters
    ----------
    data
        The file's bytes, or a memory map of it.
    cpu
        As `Binary.cpu`: of which processor's part, "" for all of them.

    Raises
    ------
    ParseError
        When it is no file of machine code, or a broken one.
    """
    places = _places(data, cpu)

    def held(mark: bytes) -> bool:
        return any(data.find(mark, begin, end) >= 0 for begin, end in places)

    found = [mark for mark in _OF_A_RUNTIME if held(mark)]
    if found:  # few files pass here: the walk over an environment reads hundreds
        found += [mark for mark in _OF_ITS_KIND if held(mark)]
    return tuple(mark.decode() for mark in found)


def parse_text(data: bytes | mmap.mmap, begin: str) -> str:
    """Give the text of a file's constants that begins so and goes on with a digit; "" without one.

    Raises
    ------
    ParseError
        As `parse_texts`.
    """
    mark = begin.encode()
    for first, last in _places(data, ""):
        at = data.find(mark, first, last)
        while at >= 0:
            end = data.find(b"\0", at, min(last, at + _LONGEST_TEXT_BYTES))
            text = bytes(data[at:end]) if end >= 0 else b""
            if text[len(mark) : len(mark) + 1].isdigit():
                return text.decode("utf-8", "replace")
            at = data.find(mark, at + 1, last)
    return ""


def _places(data: bytes | mmap.mmap, cpu: str) -> list[tuple[int, int]]:
    """Give (begin, end) of what is searched."""
    head = bytes(data[:8])
    if head[:4] == b"\x7fELF":
        return [(offset, offset + length) for offset, length in parse_constants(data)]
    from .macho import is_macho, parse_macho  # noqa: PLC0415 - as in parse_binary

    if is_macho(head):
        parts = parse_macho(data)
        return [part.place for part in parts if cpu in ("", part.cpu)]
    from .pe import parse_pe  # noqa: PLC0415 - as in parse_binary

    parse_pe(data)
    return [(0, len(data))]
