"""Files of machine code of a wheel or a folder, as they were read, and which links which."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Sequence

from ..errors import ParseError
from ..facts.targets import Target
from ..formats.binaries import Binary
from ..loader.images import SimulatedLoader
from ..loader.simulators import simulator

_TOP = "/wheel"


class Members:
    """What a wheel's files say, each under a path of its own; a way to see files for loaders."""

    def __init__(self) -> None:
        self._binaries: dict[str, tuple[Binary, ...]] = {}
        self._numbers: dict[str, int] = {}
        self._folders: dict[str, list[str]] = {}

    def add(self, name: str, binaries: tuple[Binary, ...]) -> None:
        """Add a file by its name inside; one beside the scanned folder begins with ``..``."""
        path = posixpath.normpath(f"{_TOP}/in/{name}")
        self._binaries[path] = binaries
        self._numbers[path] = len(self._numbers)
        folder, file_name = posixpath.split(path)
        self._folders.setdefault(folder, []).append(file_name)

    def linked(self, passive: Sequence[str]) -> set[str]:
        """Give those of some files that any other file needs, where the loader finds them.

        Parameters
        ----------
        passive
            Names of the files that are asked about: nothing loads these themselves.
        """
        asked = {posixpath.normpath(f"{_TOP}/in/{name}"): name for name in passive}
        found: set[str] = set()
        for loader in self._loaders():
            for path in self._binaries:
                if path not in asked:
                    loader.load(path)
            for image in loader.loaded:
                found.update(each.path for each in image.needed)
        late = {
            name.lower()
            for binaries in self._binaries.values()
            for binary in binaries
            for name in binary.delayed
        }
        return {
            name
            for path, name in asked.items()
            if path in found or posixpath.basename(path).lower() in late
        }

    def _loaders(self) -> Iterator[SimulatedLoader]:
        forms = {
            (each.system, each.cpu) for binaries in self._binaries.values() for each in binaries
        }
        for system, cpu in sorted(forms):
            target = Target(system=system, cpu=cpu)
            loader = simulator(target, self, {}, matters=lambda _: False, prefix="/usr/local")
            # Which folders the package opens stands in its Python files: any may be.
            loader.open_folders(tuple(self._folders))
            yield loader

    # What a loader sees with: see `omp_magic.loader.files.Files`.

    def stamp(self, path: str) -> tuple[int, int] | None:
        """Give one stamp for all: nothing changes."""
        return (0, 0) if self.is_file(path) or self.is_folder(path) else None

    def names(self, folder: str) -> Sequence[str]:
        """Give the files in a folder."""
        return tuple(self._folders.get(posixpath.normpath(folder), ()))

    def is_file(self, path: str) -> bool:
        """Tell whether it is one of the files."""
        return posixpath.normpath(path) in self._binaries

    def is_folder(self, path: str) -> bool:
        """Tell whether one of the files is in it."""
        return posixpath.normpath(path) in self._folders

    def real(self, path: str) -> str:
        """Give the path itself: a wheel has no links."""
        return posixpath.normpath(path)

    def identity(self, path: str) -> tuple[int, int] | None:
        """Give the file's number."""
        number = self._numbers.get(posixpath.normpath(path))
        return None if number is None else (0, number)

    def read(self, path: str, most_bytes: int) -> bytes:  # noqa: ARG002 - as all files
        """Refuse: the bytes are gone."""
        raise FileNotFoundError(path)

    def binaries(self, path: str) -> tuple[Binary, ...]:
        """Give what a file says."""
        found = self._binaries.get(posixpath.normpath(path))
        if found is None:
            raise ParseError("machine code", "no such file", "one of the wheel's")
        return found

    def texts(self, path: str, cpu: str = "") -> tuple[str, ...]:  # noqa: ARG002 - as all files
        """Give none: the bytes are gone."""
        return ()

    def holds(self, path: str, *marks: bytes) -> bool:  # noqa: ARG002 - as all files
        """Tell nothing: the bytes are gone."""
        return False
