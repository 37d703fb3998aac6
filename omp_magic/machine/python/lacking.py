"""Calls that some systems lack, each as what it is wanted for: where it lacks, nothing is done."""

from __future__ import annotations

import mmap
import os
import platform
from contextlib import suppress


def give_to(path: str, owner: os.stat_result) -> None:
    """Give a file to the user and the group of another one, as far as the caller may.

    Parameters
    ----------
    path
        The file.
    owner
        What os.stat said of the other one.

    Notes
    -----
    chown(2): only root may give a file away. Windows has no such owners.
    """
    if hasattr(os, "chown"):
        with suppress(OSError):
            os.chown(path, owner.st_uid, owner.st_gid)


def own_home() -> str:
    """Give the user's home as the password database has it, whatever variables say; "" without."""
    try:
        import pwd  # noqa: PLC0415 - Windows has none

        return pwd.getpwuid(os.getuid()).pw_dir
    except (ImportError, KeyError):
        return ""


def versions() -> list[tuple[str, str]]:
    """Give what a bug report says of the system: (what, its version), "" where there is none."""
    return [
        ("platform", platform.platform()),
        ("kernel", f"{platform.system()} {platform.release()}"),
        ("C library", " ".join(platform.libc_ver()).strip()),
        ("machine", platform.machine()),
    ]


def let_go(data: mmap.mmap, begin: int, end: int) -> None:
    """Say that a part of a file that is mapped will not be read again soon.

    Parameters
    ----------
    data
        The memory map.
    begin, end
        In bytes; `begin` at the begin of a page.

    Notes
    -----
    madvise(2), MADV_DONTNEED: the pages are free at once, and read anew when they are wanted.
    """
    if hasattr(data, "madvise") and hasattr(mmap, "MADV_DONTNEED"):
        data.madvise(mmap.MADV_DONTNEED, begin, end - begin)
