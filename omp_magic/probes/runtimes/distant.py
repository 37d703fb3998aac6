"""What is known of another process's loader: bases, paths, the order of loading, who serves all.

In the running process the loader is asked (`port.Native`). Here its lists are read from the memory
of that process, where that is allowed; what they do not tell is None.
"""

from __future__ import annotations

from ...errors import ParseError
from ...facts.libraries import Gap
from ...formats.procfs import Mapped
from ...formats.spans import HEAD_BYTES, parse_spans
from ...machine.other import OtherMachine
from ...machine.port.others import LISTS, Lists
from .images import Image


class Distant:
    """What is known of one process; the lists are those of one look.

    Parameters
    ----------
    machine
        The process.
    gaps
        Receives what cannot be read.
    """

    def __init__(self, machine: OtherMachine, gaps: list[Gap]) -> None:
        self.machine = machine
        self._gaps = gaps
        self._read = False
        self._lists: Lists | None = None

    @property
    def lists(self) -> Lists | None:
        """The loader's lists; None where they are not told, or cannot be read."""
        if not self._read:
            self._read, self._lists = True, self._read_lists()
        return self._lists

    def forget(self) -> None:
        """Forget the lists: they are read again when they are asked for."""
        self._read, self._lists = False, None

    def _read_lists(self) -> Lists | None:
        if self.machine.others.lacks(LISTS):
            return None
        try:
            return self.machine.others.lists()
        except (OSError, ParseError) as error:
            self._gaps.append(Gap.of(LISTS, error))
            return None

    def load_order(self) -> tuple[int, ...]:
        """Give the bases of what is loaded, in order; () when not known."""
        return () if self.lists is None else tuple(base for base, _ in self.lists.objects)

    def path_of(self, start: int) -> str | None:
        """Give the path that the object that begins there was loaded by."""
        objects = self.lists.objects if self.lists is not None else ()
        return next((path for base, path in objects if base == start and path), None)

    def provider(self, images: tuple[Image, ...]) -> Image | None:
        """Give the OpenMP runtime that is first among what is searched for everybody."""
        by_base = {each.base: each for each in images if each.family.api == "openmp"}
        bases = self.lists.in_global_scope if self.lists is not None else ()
        return next((by_base[base] for base in bases if base in by_base), None)

    def base_of(self, address: int, images: tuple[Image, ...]) -> int | None:
        """Give the base of the image that holds an address, zeroed memory included."""
        for image in images:
            base = image.base
            if base is None or base > address:
                continue
            try:
                spans = parse_spans(self.machine.read_memory(base, HEAD_BYTES[0]))
            except (OSError, ParseError):
                continue
            if address < base + max((each.address + each.size_bytes for each in spans), default=0):
                return base
        return None

    def number(self, file: Mapped, names: tuple[str, ...]) -> int | None:
        """Give the first of some variables that a library exports; None when not known."""
        for name in names:
            try:
                found = self.machine.others.number(file, name)
            except (OSError, ParseError):
                return None  # the gap of the memory tells why
            if found is not None:
                return found
        return None
