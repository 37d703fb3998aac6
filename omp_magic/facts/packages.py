"""The facts about packages that were replaced on disk after they were imported."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """A package with native files in memory that are no longer the ones on disk.

    Parameters
    ----------
    name
        Its distribution, or the folder where none is known.
    reported
        ``__version__`` of its module in this process; None when there is none.
    installed
        Version of the distribution on disk; None when it is gone.
    mapped_files
        Its files that are mapped.
    replaced_files
        Those whose path leads to another file now, or to none.
    changed_files
        Those of them whose code differs from that on disk, or that are gone.
    folders
        Its folders and files beside other packages.
    paths
        Some of the changed files, as they were loaded.
    brings
        File names of runtimes that it has on disk now and that are not mapped.
    """

    name: str
    reported: str | None
    installed: str | None
    mapped_files: int
    replaced_files: int
    changed_files: int
    folders: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    brings: tuple[str, ...] = ()
