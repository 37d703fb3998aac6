"""What the simulated loaders of all systems share: what is mapped, and the way back."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..errors import ParseError
from ..formats.binaries import Binary
from .files import Files
from .images import Image, Missing

MOST_IMAGES = 20_000
"""More is no process but files that lead in circles."""


class Mapped:
    """The images of a simulated process.

    Parameters
    ----------
    files
        What is seen with.
    system, cpu
        Of the process: an image of another one cannot be mapped; a `cpu` of "" takes any.
    present
        What the process has already; it is not in `loaded`.
    """

    def __init__(self, files: Files, system: str, cpu: str, present: Sequence[Image] = ()) -> None:
        self.files = files
        self.loaded: list[Image] = []
        self.missing: list[Missing] = []
        self.why = ""
        """Why the last file that was opened cannot be mapped."""
        self._system = system
        self._cpus = (cpu, "x86_64h") if cpu == "x86_64" else (cpu,)
        self._noted: set[tuple[str, str]] = set()
        self._by_identity: dict[tuple[int, int], Image] = {}
        for image in present:
            self.adopt(image)

    def adopt(self, image: Image) -> None:
        """Take an image that the process has already."""
        self._by_identity.setdefault(image.identity, image)

    def find(self, path: str, by: Image | None) -> Image | None:
        """Give the image that a file is already, or it as one that `map` has not seen yet.

        Returns
        -------
        Image or None
            None when it cannot be one of this process: `why` tells.
        """
        identity = self.files.identity(path)
        if identity is None:
            return None
        return self._by_identity.get(identity) or self._opened(path, identity, by)

    def has(self, image: Image) -> bool:
        """Tell whether an image that `find` gave is mapped."""
        return self._by_identity.get(image.identity) is image

    def same_file(self, path: str) -> Image | None:
        """Give the image that is this very file, under whatever name."""
        identity = self.files.identity(path)
        return self._by_identity.get(identity) if identity is not None else None

    def opened(self, path: str, by: Image | None) -> Image | None:
        """Give a file as an image of its own; None when it cannot be one, see `why`."""
        identity = self.files.identity(path)
        return self._opened(path, identity, by) if identity is not None else None

    def _opened(self, path: str, identity: tuple[int, int], by: Image | None) -> Image | None:
        try:
            binaries = self.files.binaries(path)
        except ParseError as error:
            self.why = str(error)
            return None
        except (OSError, ValueError) as error:
            self.why = getattr(error, "strerror", None) or str(error)
            return None
        binary = self._mine(binaries)
        return Image(path, identity, binary, by) if binary is not None else None

    def map(self, image: Image) -> bool:
        """Map an image; False when that would be one too many."""
        if len(self.loaded) >= MOST_IMAGES:
            self.why = f"{MOST_IMAGES} files are mapped"
            return False
        self.loaded.append(image)
        self._by_identity.setdefault(image.identity, image)
        return True

    def cut_back(self, length: int) -> list[Image]:
        """Take back what was mapped after the first `length`, and give it."""
        gone = self.loaded[length:]
        del self.loaded[length:]
        for image in gone:
            if self._by_identity.get(image.identity) is image:
                del self._by_identity[image.identity]
        return gone

    def note(self, name: str, by: Image | None, *, fatal: bool, why: str = "") -> None:
        """Note a library that was not found, each once a requester."""
        requester = by.path if by is not None else ""
        if (name, requester) not in self._noted:
            self._noted.add((name, requester))
            self.missing.append(Missing(name, requester, fatal, why))

    def _mine(self, binaries: Sequence[Binary]) -> Binary | None:
        """Give the part for this process."""
        mine = [each for each in binaries if each.system == self._system]
        for cpu in self._cpus:
            for each in mine:
                if cpu in ("", each.cpu):
                    return each
        if mine:
            others = ", ".join(dict.fromkeys(each.cpu for each in mine))
            self.why = f"it is for {others}, not for {self._cpus[0]}"
        else:
            other = binaries[0].system if binaries else "another system"
            self.why = f"it is a file for {other}"
        return None


Matters = Callable[[str], bool]
"""Whether a load fails when the library of this name is not found."""
