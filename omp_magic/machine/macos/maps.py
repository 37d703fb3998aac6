"""Which files are mapped in this process, and in others of the same user.

An image in dyld's shared cache has a path and no file there. Of the others the kernel tells the
file that is mapped, not the one that its path leads to now: PROC_PIDREGIONPATHINFO2 of libproc,
which is what proc_listpidspath asks (xnu, libsyscall/wrappers/libproc/proc_listpidspath.c).

All is written as lines of /proc/PID/maps, which one parser reads for all systems.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator

from ...formats.procfs import Segments, parse_maps
from ..port.rows import ProcessMap
from .calls import Calls
from .images import Image
from .layouts import (
    PROC_PIDREGIONPATHINFO2,
    VM_PROT_EXECUTE,
    VM_PROT_WRITE,
    RegionWithPath,
)

_MOST_REGIONS = 100_000


def own_map(calls: Calls, pid: int, images: Iterable[Image]) -> ProcessMap:
    """Give what dyld has loaded into this process, with the files that are mapped.

    Parameters
    ----------
    calls
        What libSystem is asked.
    pid
        This process.
    images
        What dyld lists.
    """
    rows: list[tuple[int, str]] = []
    for image in images:
        in_cache = image.loaded is not None and image.loaded.in_cache
        region = None if in_cache else _region(calls, pid, image.header)
        rows += _rows_of(image, _file(image.path, region))
    return _map_of(rows)


def code_of(images: Iterable[Image]) -> Segments:
    """Give which image lies where; the kernel is not asked for files."""
    return _map_of(row for image in images for row in _rows_of(image, _file(image.path))).segments


def _rows_of(image: Image, file: str) -> Iterator[tuple[int, str]]:
    if image.loaded is None:
        yield _row(image.header, 1, "r-x", file)
        return
    for segment in image.loaded.segments:
        allowed = f"r{'w' if segment.writable else '-'}{'x' if segment.executable else '-'}"
        yield _row(image.header + segment.address, segment.memory_bytes, allowed, file)


def _region(calls: Calls, pid: int, address: int) -> RegionWithPath | None:
    """Give the file that is mapped at an address; the kernel gives the next one where none is."""
    try:
        found = calls.process(pid, PROC_PIDREGIONPATHINFO2, RegionWithPath, address)
    except OSError:
        return None
    inside = 0 <= address - found.region.pri_address < found.region.pri_size
    return found if inside else None


def other_map(calls: Calls, pid: int) -> ProcessMap:
    """Give the files that are mapped in another process of the same user.

    Every process has dyld's shared cache whole, so what it uses of that, such as Accelerate, is
    not told.

    Raises
    ------
    OSError
        With the system's number, when it may not be looked at or has ended.
    """
    return _map_of(_regions(calls, pid))


def _regions(calls: Calls, pid: int) -> Iterator[tuple[int, str]]:
    address = 0
    for number in range(_MOST_REGIONS):
        try:
            found = calls.process(pid, PROC_PIDREGIONPATHINFO2, RegionWithPath, address)
        except OSError as error:
            # Behind the last one the kernel answers EINVAL.
            if number and error.errno == errno.EINVAL:
                return
            raise
        region = found.region
        allowed = f"r{'w' if region.pri_protection & VM_PROT_WRITE else '-'}"
        allowed += "x" if region.pri_protection & VM_PROT_EXECUTE else "-"
        path = os.fsdecode(found.vip_path)
        if path and region.pri_size:
            yield _row(region.pri_address, region.pri_size, allowed, _file(path, found))
        end = region.pri_address + region.pri_size
        if end <= address:
            raise OSError(f"the regions of process {pid} do not come to an end")
        address = end
    raise OSError(f"process {pid} has more than {_MOST_REGIONS} regions")


def _file(path: str, region: RegionWithPath | None = None) -> str:
    """Give a file as a line of /proc/PID/maps ends: device, inode (0 where not known), path."""
    name = path.replace("\n", "\\012")
    if region is None:
        return f"0:0 0 {name}"
    told = region.vi_stat
    device = f"{told.vst_dev >> 24:02x}:{told.vst_dev & 0xFFFFFF:02x}"
    return f"{device} {told.vst_ino} {name}{'' if told.vst_nlink else ' (deleted)'}"


def _row(start: int, size_bytes: int, allowed: str, file: str) -> tuple[int, str]:
    return start, f"{start:x}-{start + size_bytes:x} {allowed}p 0 {file}\n"


def _map_of(rows: Iterable[tuple[int, str]]) -> ProcessMap:
    text = "".join(row for _, row in sorted(rows))
    return ProcessMap(parse_maps(text), Segments(text))
