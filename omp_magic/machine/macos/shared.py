"""Texts that a process leaves for others on macOS: in shared memory, or in a file in /tmp.

LLVM's and Intel's OpenMP runtimes register so, in one of three places, each kind of copy in its own
(openmp/runtime/src/kmp_runtime.cpp, __kmp_register_library_startup): static ones in the C
environment; older shared ones with shm_open; newer ones too where there is /dev/shm, which no Mac
has, else in /tmp. The name has no user in it there, since one of shared memory may have 31
characters (xnu, bsd/kern/posix_shm.c, PSHMNAMLEN).
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable, Iterator
from ctypes import c_char_p, c_int, set_errno
from typing import TYPE_CHECKING

from .calls import Calls, function, system_error

if TYPE_CHECKING:
    from ..port.door import Door

_MOST_BYTES = 4096


def published(calls: Calls, machine: Door, name: str) -> Iterator[str]:
    """Give the texts that stand under a name, wherever they are; nothing is created.

    Parameters
    ----------
    calls
        What libSystem is asked.
    machine
        Where /tmp is.
    name
        Without a folder.
    """
    ways: tuple[Callable[[], str], ...] = (
        lambda: shared_memory(calls, name),
        lambda: machine.read(f"/tmp/{name}"),  # noqa: S108 - the runtime's own choice
    )
    for read in ways:
        try:
            text = read()
        except OSError:
            continue
        yield text.partition("\0")[0]


def shared_memory(calls: Calls, name: str) -> str:
    """Give the beginning of a shared memory object.

    Raises
    ------
    OSError
        When there is none, or it may not be read.
    """
    try:
        # Its third argument is for O_CREAT.
        shm_open = function(calls.library, "shm_open", (c_char_p, c_int))
    except AttributeError as error:
        raise OSError(f"this C library has no shared memory: {error}") from error
    set_errno(0)
    handle = int(shm_open(os.fsencode(f"/{name}"), os.O_RDONLY))
    if handle < 0:
        raise system_error("shm_open")
    try:
        # It can be mapped, not read (bsd/kern/posix_shm.c: fo_no_read).
        size = min(os.fstat(handle).st_size, _MOST_BYTES)
        if size <= 0:
            return ""
        with mmap.mmap(handle, size, access=mmap.ACCESS_READ) as mapped:
            return mapped[:].decode("utf-8", "surrogateescape")
    finally:
        os.close(handle)
