"""Calls into the running process on macOS: dyld's images, symbols, Accelerate's threading."""

from __future__ import annotations

import ctypes

from ..port.rows import Memory
from ..posix.native import PosixNative
from .calls import Calls
from .images import Images


class MacNative(PosixNative):
    """See `native.Native`.

    Parameters
    ----------
    library
        The library that has libSystem's functions; libSystem itself when None.

    Raises
    ------
    OSError
        When the functions are not there.
    """

    # Each image is bound to the libraries that it names (two-level namespace), so that one that
    # was loaded with RTLD_GLOBAL does not serve the others.
    has_global_scope = False
    _default = -2
    # RTLD_LAZY, RTLD_LOCAL, RTLD_NOLOAD (dyld, include/dlfcn.h). Without RTLD_LOCAL dyld makes an
    # image that was loaded with it, as ctypes does, visible to dlsym(RTLD_DEFAULT) for good, even
    # if RTLD_NOLOAD is asked for (DyldAPIs.cpp, dlopen_from: hiddenFromFlat).
    _only_loaded = 0x1 | 0x4 | 0x10

    def __init__(self, library: ctypes.PyDLL | None = None) -> None:
        calls = Calls(library)
        super().__init__(calls.library)
        self._images = Images(calls)

    def loader_changes(self) -> tuple[int, int] | None:
        """Give (images, time of the last change); see `images.Images.changes`."""
        return self._images.changes()

    def load_order(self, read_memory: Memory) -> tuple[int, ...]:
        """Give the addresses of the images' headers in dyld's order; () where it keeps changing."""
        del read_memory
        try:
            return self._images.headers()
        except OSError:
            return ()

    def blas_threading(self) -> str | None:
        """Give how Accelerate's BLAS works in this thread: ``"multi"`` or ``"single"``.

        BLASGetThreading of macOS 15 reads a variable of the calling thread, and starts nothing
        (developer.apple.com, documentation/accelerate/blasgetthreading; vecLib's thread_api.h:
        BLAS_THREADING_MULTI_THREADED is 0, BLAS_THREADING_SINGLE_THREADED 1).

        Returns
        -------
        str or None
            None where Accelerate is not loaded, or does not tell.
        """
        address = self.global_symbol("BLASGetThreading")
        if address is None or ".framework/" not in (self.path_of(address) or ""):
            return None
        answer = ctypes.PYFUNCTYPE(ctypes.c_uint)(address)()
        return {0: "multi", 1: "single"}.get(answer)
