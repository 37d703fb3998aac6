"""Bytes of a Mach-O file -> its install name, libraries, rpaths. See <mach-o/loader.h>.

Files for several processors (<mach-o/fat.h>) give one answer for each. An image in memory begins
with the same header, which tells where its segments lie. No offset in the file is trusted.
"""

from __future__ import annotations

import itertools
import mmap
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from ..errors import ParseError

_FAT = {b"\xca\xfe\xba\xbe": 20, b"\xca\xfe\xba\xbf": 32}
_THIN = {
    b"\xce\xfa\xed\xfe": ("<", 28),
    b"\xcf\xfa\xed\xfe": ("<", 32),
    b"\xfe\xed\xfa\xce": (">", 28),
    b"\xfe\xed\xfa\xcf": (">", 32),
}
_CPUS = {7: "i386", 0x01000007: "x86_64", 12: "arm", 0x0100000C: "arm64", 18: "ppc"}
_VARIANTS = {("arm64", 2): "arm64e", ("x86_64", 8): "x86_64h"}
"""Processors with a newer form of their own (CPU_SUBTYPE_ARM64E, CPU_SUBTYPE_X86_64_H)."""
_LC_ID_DYLIB, _LC_RPATH, _LC_LOAD_WEAK = 0x0D, 0x8000001C, 0x80000018
_LC_VERSION_MIN, _LC_BUILD_VERSION = 0x24, 0x32
# LOAD, LOAD_WEAK, REEXPORT, LAZY_LOAD, LOAD_UPWARD: every way to need a library.
_LC_LOAD = frozenset((0x0C, _LC_LOAD_WEAK, 0x8000001F, 0x20, 0x80000023))
_DYLIB_USE, _USE_WEAK = 0x1A741800, 0x01
"""A load command may say in flags how it is used (dyld, UnsafeHeader.h, dylib_use_command)."""
_LC_SEGMENT_64, _SEGMENT_BYTES = 0x19, 72
_PROT_WRITE, _PROT_EXECUTE = 2, 4
_SG_READ_ONLY = 0x10
_MH_DYLIB_IN_CACHE = 0x80000000
HEADER_BYTES = 32
"""Of struct mach_header_64, with which an image begins."""
_MOST_SLICES = 64
_MOST_COMMANDS = 4096
_MOST_COMMAND_BYTES = 1 << 20
_LONGEST_NAME_BYTES = 4096


@dataclass(frozen=True, slots=True)
class MachO:
    """What one processor's part of a Mach-O file says.

    Parameters
    ----------
    cpu
        ``"arm64"``, ``"x86_64"`` …, or its number.
    install_name
        LC_ID_DYLIB, or None.
    needed
        LC_LOAD_DYLIB and its variants, in the file's order.
    rpaths
        LC_RPATH, in the file's order.
    weak
        Those of `needed` that may be missing (LC_LOAD_WEAK_DYLIB).
    sdk
        The SDK it was made with, as (14, 2); None when it does not say.
    place
        Where it begins and ends in the file.
    """

    cpu: str
    install_name: str | None = None
    needed: tuple[str, ...] = ()
    rpaths: tuple[str, ...] = ()
    weak: tuple[str, ...] = ()
    sdk: tuple[int, int] | None = None
    place: tuple[int, int] = field(default=(0, 0), compare=False)


@dataclass(frozen=True, slots=True)
class LoadedSegment:
    """A segment of an image that is loaded.

    Parameters
    ----------
    name
        ``"__TEXT"``, ``"__DATA"`` …
    address
        Where it begins, from the address of the image's header; negative where dyld's shared
        cache has put it before.
    memory_bytes
        Its size in memory.
    offset, file_bytes
        Where it lies in the file, or in this processor's part of it.
    writable
        Whether it still is after dyld's work: those with SG_READ_ONLY (``__DATA_CONST``) are not.
    executable
        Whether code lies in it.
    """

    name: str
    address: int
    memory_bytes: int
    offset: int
    file_bytes: int
    writable: bool
    executable: bool


@dataclass(frozen=True, slots=True)
class Loaded:
    """What the header of a loaded image says.

    Parameters
    ----------
    segments
        Those that are its own and can be read, in the header's order: no ``__PAGEZERO``, and of
        an image in dyld's shared cache no ``__LINKEDIT``, which all its images share.
    in_cache
        Whether it lies in dyld's shared cache (MH_DYLIB_IN_CACHE), so that no file has it.
    """

    segments: tuple[LoadedSegment, ...]
    in_cache: bool


def loaded_header_bytes(head: bytes) -> int:
    """Give how long the header of a loaded image is, its commands included.

    Parameters
    ----------
    head
        Its first `HEADER_BYTES`.

    Raises
    ------
    ParseError
        When no 64-bit image of this machine's byte order begins so.
    """
    if len(head) < HEADER_BYTES or head[:4] != b"\xcf\xfa\xed\xfe":
        raise ParseError("loaded image", head[:8].hex(" "), "the header of a 64-bit Mach-O image")
    (size,) = struct.unpack_from("<I", head, 20)
    if size > _MOST_COMMAND_BYTES:
        raise ParseError("loaded image", str(size), f"at most {_MOST_COMMAND_BYTES} command bytes")
    return HEADER_BYTES + int(size)


def parse_loaded(header: bytes) -> Loaded:
    """Give the segments of an image from its header in memory.

    dyld moves all segments of an image by the same distance, in its shared cache too, so one of
    them tells where the others are: the header is the beginning of ``__TEXT`` (dyld,
    common/MachOLoaded.cpp, getSlide).

    Parameters
    ----------
    header
        As many bytes as `loaded_header_bytes` says.

    Raises
    ------
    ParseError
        When it is no such header, or when a command leads outside.
    """
    end = min(loaded_header_bytes(header), len(header))
    count, _, flags = struct.unpack_from("<III", header, 16)
    in_cache = bool(flags & _MH_DYLIB_IN_CACHE)
    try:
        found = list(_segment_commands(header, count, end))
    except (struct.error, IndexError):
        raise ParseError("loaded image", f"{count} commands", "commands in the header") from None
    base = next((each.address for each in found if each.name == "__TEXT"), None)
    if base is None:
        raise ParseError("loaded image", f"{len(found)} segments", "a segment __TEXT")
    return Loaded(
        segments=tuple(
            replace(each, address=each.address - base)
            for each in found
            if each.memory_bytes and not (in_cache and each.name == "__LINKEDIT")
        ),
        in_cache=in_cache,
    )


def _segment_commands(header: bytes, count: int, end: int) -> Iterator[LoadedSegment]:
    """Give each struct segment_command_64 that can be read, with its address as it stands there."""
    at = HEADER_BYTES
    for _ in range(min(count, _MOST_COMMANDS)):
        command, length = struct.unpack_from("<II", header, at)
        if length < 8 or at + length > end:
            raise IndexError(at)
        if command == _LC_SEGMENT_64 and length >= _SEGMENT_BYTES:
            form = "<16s4Q4xI4xI"
            fields = struct.unpack_from(form, header, at + 8)
            name, address, size, offset, file_size, allowed, flags = fields
            if allowed:
                yield LoadedSegment(
                    name=name.split(b"\0", 1)[0].decode("utf-8", "replace"),
                    address=address,
                    memory_bytes=size,
                    offset=offset,
                    file_bytes=file_size,
                    writable=bool(allowed & _PROT_WRITE) and not flags & _SG_READ_ONLY,
                    executable=bool(allowed & _PROT_EXECUTE),
                )
        at += length


def is_macho(head: bytes) -> bool:
    """Tell whether a file begins as Mach-O files do; a Java class begins like a fat one."""
    if head[:4] in _THIN:
        return True
    # The word behind the magic is the number of parts; in a class file its version, from 45 on.
    return head[:4] in _FAT and len(head) >= 8 and 0 < int.from_bytes(head[4:8], "big") < 45


def parse_macho(data: bytes | mmap.mmap) -> tuple[MachO, ...]:
    """Give what each part of a Mach-O file says.

    Raises
    ------
    ParseError
        When it is no Mach-O file, or when an offset in it leads outside.
    """
    head = bytes(data[:8])
    if not is_macho(head):
        raise ParseError("Mach-O file", head.hex(" "), "the magic bytes of <mach-o/loader.h>")
    try:
        return tuple(_parts(data, head))
    except (struct.error, IndexError, OverflowError):
        raise ParseError("Mach-O file", head.hex(" "), "offsets that lie inside the file") from None


def _parts(data: bytes | mmap.mmap, head: bytes) -> Iterator[MachO]:
    if head[:4] in _THIN:
        yield _part(data, 0, len(data))
        return
    size = _FAT[head[:4]]
    places = []
    for index in range(min(int.from_bytes(head[4:8], "big"), _MOST_SLICES)):
        form = ">QQ" if size == 32 else ">II"
        offset, length = struct.unpack_from(form, data, 8 + index * size + 8)
        if offset + length > len(data):
            raise IndexError(offset)
        places.append((offset, offset + length))
    # No tool makes parts that overlap; they would be read and searched as often as they say.
    in_order = sorted(places)
    if any(end > begin for (_, end), (begin, _) in itertools.pairwise(in_order)):
        raise IndexError(0)
    for begin, end in places:
        if data[begin : begin + 4] in _THIN:  # else an archive of objects
            yield _part(data, begin, end)


def _part(data: bytes | mmap.mmap, start: int, end: int) -> MachO:
    order, header = _THIN[bytes(data[start : start + 4])]
    number, variant = struct.unpack_from(order + "II", data, start + 4)
    count, size = struct.unpack_from(order + "II", data, start + 16)
    at, last = start + header, start + header + size
    if last > end or size > _MOST_COMMAND_BYTES:
        raise IndexError(last)
    install_name = sdk = None
    needed, rpaths, weak = [], [], []
    for _ in range(min(count, _MOST_COMMANDS)):
        command, length = struct.unpack_from(order + "II", data, at)
        if length < 8 or at + length > last:
            raise IndexError(at)
        if command == _LC_ID_DYLIB:
            install_name = _text(data, at, length, order)
        elif command in _LC_LOAD:
            needed.append(_text(data, at, length, order))
            if command == _LC_LOAD_WEAK or _used_weakly(data, at, length, order):
                weak.append(needed[-1])
        elif command == _LC_RPATH:
            rpaths.append(_text(data, at, length, order))
        elif command in (_LC_VERSION_MIN, _LC_BUILD_VERSION):
            behind = 12 if command == _LC_VERSION_MIN else 16
            (version,) = struct.unpack_from(order + "I", data, at + behind)
            sdk = version >> 16, version >> 8 & 0xFF
        at += length
    cpu = _CPUS.get(number, str(number))
    cpu = _VARIANTS.get((cpu, variant & 0xFFFFFF), cpu)
    lists = tuple(needed), tuple(rpaths), tuple(weak)
    return MachO(cpu, install_name, *lists, sdk, (start, end))


def _used_weakly(data: bytes | mmap.mmap, at: int, length: int, order: str) -> bool:
    if length < 28:
        return False
    name_at, marker, _, _, flags = struct.unpack_from(order + "5I", data, at + 8)
    return (name_at, marker) == (28, _DYLIB_USE) and bool(flags & _USE_WEAK)


def _text(data: bytes | mmap.mmap, at: int, length: int, order: str) -> str:
    """Give a command's text (``union lc_str``): its offset stands behind command and length."""
    (offset,) = struct.unpack_from(order + "I", data, at + 8)
    if not 8 <= offset <= min(length, _LONGEST_NAME_BYTES):
        raise IndexError(offset)
    text = bytes(data[at + offset : at + min(length, offset + _LONGEST_NAME_BYTES)])
    return text.split(b"\0", 1)[0].decode("utf-8", "surrogateescape")
