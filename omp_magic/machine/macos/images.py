"""The images that dyld has loaded: by its functions, and by what it keeps for debuggers.

dyld lists its images by index, without a lock between two questions, and indices shift when an
image goes (dyld, DyldAPIs.cpp, _dyld_image_count; include/mach-o/dyld.h). So the list is read
twice, and what was read between is taken only when both are the same.

struct dyld_all_image_infos has them too, and when they last changed; it is read from memory, so
that no lock of dyld's is waited for (include/mach-o/dyld_images.h).
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterable
from ctypes import c_uint32, c_void_p
from dataclasses import dataclass

from ...errors import ParseError
from ...formats.macho import HEADER_BYTES, Loaded, loaded_header_bytes, parse_loaded
from .calls import Calls, function
from .layouts import (
    FIRST_WITH_TIMESTAMP,
    TASK_DYLD_INFO,
    AllImageInfos,
    ImageInfo,
    TaskDyldInfo,
)

_LOOKS = 5
_MOST_IMAGES = 20_000
_ALL_IMAGE_INFO_64 = 1
"""TASK_DYLD_ALL_IMAGE_INFO_64 of osfmk/mach/task_info.h."""


@dataclass(frozen=True, slots=True)
class Image:
    """An image that dyld has loaded.

    Parameters
    ----------
    header
        The address of its header, where its ``__TEXT`` begins.
    path
        As dyld loaded it.
    loaded
        What its header says; None where that cannot be read.
    """

    header: int
    path: str
    loaded: Loaded | None


class Images:
    """Reads dyld's list of images.

    Parameters
    ----------
    calls
        What libSystem is asked.

    Raises
    ------
    OSError
        When dyld's functions are not there.
    """

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._infos = 0
        try:
            self._count = function(calls.library, "_dyld_image_count", (), c_uint32)
            which = (c_uint32,)
            self._name = function(calls.library, "_dyld_get_image_name", which, c_void_p)
            self._header = function(calls.library, "_dyld_get_image_header", which, c_void_p)
        except AttributeError as error:
            raise OSError(f"this C library lacks a function of dyld: {error}") from error

    def listed(self) -> tuple[Image, ...]:
        """Give the images in the order of loading.

        Raises
        ------
        OSError
            When the list changes at each look.
        """
        for _ in range(_LOOKS):
            before = self._pairs()
            found = None if before is None else self._read(before)
            if found is not None and before == self._pairs():
                return found
        raise OSError(f"dyld's list of images changed at each of {_LOOKS} looks")

    def headers(self) -> tuple[int, ...]:
        """Give the addresses of the images' headers in the order of loading.

        Raises
        ------
        OSError
            As `listed`.
        """
        for _ in range(_LOOKS):
            before = self._pairs()
            if before is not None and before == self._pairs():
                return tuple(header for header, _ in before)
        raise OSError(f"dyld's list of images changed at each of {_LOOKS} looks")

    def program(self) -> str:
        """Give the path of the program, which dyld lists first; "" when it cannot be read."""
        try:
            return self._calls.text(self._name(0) or 0)
        except OSError:
            return ""

    def _pairs(self) -> tuple[tuple[int, int], ...] | None:
        """Give the addresses of each image's header and path; None when it changes meanwhile."""
        count = int(self._count())
        if count > _MOST_IMAGES:
            raise OSError(f"dyld lists {count} images, which cannot be")
        pairs = tuple((self._header(at) or 0, self._name(at) or 0) for at in range(count))
        if int(self._count()) != count or any(0 in pair for pair in pairs):
            return None
        return pairs

    def _read(self, pairs: Iterable[tuple[int, int]]) -> tuple[Image, ...] | None:
        """Read paths and headers; None when an image went before."""
        try:
            return tuple(
                Image(header, self._calls.text(name), self._loaded(header))
                for header, name in pairs
            )
        except OSError:
            return None

    def _loaded(self, header: int) -> Loaded | None:
        try:
            size = loaded_header_bytes(self._calls.read(header, HEADER_BYTES))
            return parse_loaded(self._calls.read(header, size))
        except (OSError, ParseError):
            return None

    def changes(self) -> tuple[int, int] | None:
        """Give (number of images, time of the last change), from struct dyld_all_image_infos.

        dyld sets the time, in ticks of mach_absolute_time and never one twice, when it has added
        or removed images, by whatever way they came: at the end of addImages and of removeImages
        (dyld, ExternallyViewableState.cpp; dyld-832, dyld_debugger.cpp). Both run after the list
        has changed: an image that comes is listed when it is mapped, and the time is set when its
        addresses are fixed and before any of its initialisers runs (DyldAPIs.cpp, dlopen_from);
        one that goes is taken from the list, then the time is set, then it is unmapped
        (DyldRuntimeState.cpp, notifyUnload, removeLoaders). So whoever reads this, then the list,
        and finds the same here later knows every image that any code of has run.

        Returns
        -------
        tuple or None
            None where dyld is too old for it (before macOS 10.12), while it writes, and
            where the structure cannot be read.
        """
        try:
            infos = self._all_infos()
        except OSError:
            return None
        return infos.infoArrayCount, infos.infoArrayChangeTimestamp

    def without_lock(self) -> tuple[Image, ...]:
        """Give the images as they stand in struct dyld_all_image_infos.

        Raises
        ------
        OSError
            When they cannot be read, or change at each look.
        """
        for _ in range(_LOOKS):
            infos = self._all_infos()
            count = infos.infoArrayCount
            if count > _MOST_IMAGES:
                raise OSError(f"dyld lists {count} images, which cannot be")
            data = self._calls.read(infos.infoArray, count * ctypes.sizeof(ImageInfo))
            entries = (ImageInfo * (len(data) // ctypes.sizeof(ImageInfo))).from_buffer_copy(data)
            found = self._read((each.imageLoadAddress, each.imageFilePath) for each in entries)
            now = self._all_infos()
            same = now.infoArrayChangeTimestamp == infos.infoArrayChangeTimestamp
            if found is not None and same and now.infoArrayCount == count == len(found):
                return found
        raise OSError(f"dyld's list of images changed at each of {_LOOKS} looks")

    def _all_infos(self) -> AllImageInfos:
        """Read the structure; raises OSError where it is none that can be believed."""
        if not self._infos:
            told = self._calls.task(TASK_DYLD_INFO, TaskDyldInfo)
            if told.all_image_info_format != _ALL_IMAGE_INFO_64:
                raise OSError("dyld keeps its images for 32 bits")
            self._infos = told.all_image_info_addr
        infos = self._calls.layout(AllImageInfos, self._infos)
        if infos.version < FIRST_WITH_TIMESTAMP:
            raise OSError(f"dyld keeps no time of changes (version {infos.version} of its infos)")
        # It takes the array away while it writes.
        if not infos.infoArray:
            raise OSError("dyld is writing its list of images")
        return infos
