"""What one reading of the process's map gives: the runtimes among what is mapped."""

from __future__ import annotations

from typing import NamedTuple

from ...facts.libraries import Gap
from ...facts.names import Called, whose
from ...formats.procfs import Mapped, Segments
from ...knowledge.catalog import Family
from .owners import Owner


class Image(NamedTuple):
    """A mapped runtime and the addresses of its functions.

    Parameters
    ----------
    family
        Its row of the catalog.
    mapped
        File, identity and place in memory; its path is the one it was loaded by.
    soname, version
        As in `facts.Library`.
    owner
        The distribution that shipped the file.
    layer
        Threading layer of a BLAS, or None.
    getter, setter
        Addresses of its functions; None when they cannot be called.
    base
        Lowest address of the object; None where that is not known.
    kernel_path
        The path the kernel knows the file by now; an installer may have renamed it.
    static
        Whether it is linked into the object instead of being the object.
    lender
        Base of the OpenMP runtime whose threads this BLAS uses, or None when it has its own.
    users, place
        As in `facts.Library`.
    max_threads
        Threads that it was built for, where its description tells.
    registers, coalesces
        As in `facts.Library`.
    """

    family: Family
    mapped: Mapped
    soname: str | None
    version: str | None
    owner: Owner
    layer: str | None
    getter: int | None
    setter: int | None
    base: int | None
    lender: int | None
    kernel_path: str = ""
    static: bool = False
    users: tuple[str, ...] = ()
    place: str = ""
    max_threads: int | None = None
    registers: str | None = None
    coalesces: bool | None = None

    @property
    def called(self) -> Called:
        """What its name is made of."""
        file, owner = self.mapped, self.owner.name
        return Called(self.family.api, owner, file.path, self.users, file.inode)

    @property
    def title(self) -> str:
        """Its name for people, as `facts.Library` has it."""
        return f"{self.family.label} ({whose(self.called, self.place)})"

    @property
    def key(self) -> int:
        """Where its first segment begins: no two runtimes that are loaded share it."""
        return self.mapped.starts[0]


class Scan(NamedTuple):
    """The runtimes of one reading of the process's map.

    Parameters
    ----------
    images
        The runtimes, in the order in which they were loaded.
    gaps
        What could not be read.
    mapped
        Every mapped file.
    segments
        Which of them lies at an address.
    """

    images: tuple[Image, ...]
    gaps: tuple[Gap, ...]
    mapped: tuple[Mapped, ...] = ()
    segments: Segments | None = None
