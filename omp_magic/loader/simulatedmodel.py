"""The running process's loader, followed by the simulator of its system: macOS and Windows.

What is mapped now comes from the system's own list (`machine`), what a load would add to it from
files, as `omp-magic check --site` tells it. Nothing is opened by the loader itself.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet

from ..errors import OmpMagicError
from ..formats.binaries import Binary
from ..formats.procfs import Mapped as MappedFile
from ..machine import Machine
from ..machine.port.native import Native
from ..machine.python.own import whole_path
from .files import Disk
from .here import this_target
from .images import Image, SimulatedLoader
from .needed import Glance
from .predicted import NOTHING, Opened, Prediction
from .simulators import simulated_process, system_has

_NOT_A_FILE = (-3, 0)


class SimulatedModel:
    """Answers as `imports.LoaderModel`; what it cannot see is what the simulators cannot.

    Parameters
    ----------
    machine, native
        The running process; `native` is None where it cannot be called.
    """

    def __init__(self, machine: Machine, native: Native | None) -> None:
        self._machine, self._native = machine, native
        self._target = this_target()
        self._files = KeptNames()
        self._opened: list[Opened] = []
        self._changes: tuple[int, int] | None = None
        self._images: dict[tuple[int, str], Image] = {}
        self._names: frozenset[str] = frozenset()

    @property
    def names(self) -> AbstractSet[str]:
        """Paths and file names of what was loaded, as of the last prediction."""
        return self._names

    def open_folder(self, folder: Opened) -> None:
        """Look there too, until it is closed (os.add_dll_directory)."""
        self._opened.append(folder)

    def has_all(self, names: Iterable[str]) -> bool:
        """Tell whether names lead to what is loaded, or are the system's own."""
        self._update()
        known = self._names
        return all(
            name in known or (low := name.lower()) in known or system_has(self._target, low)
            for name in names
        )

    def expect(self, seen: Glance) -> None:
        """See `imports.LoaderModel.expect`: the list is read anew."""

    def glance(self, path: str) -> Glance:
        """Give what a file says that it needs.

        Raises
        ------
        OSError, ParseError
            When it cannot be read, or is no file of machine code.
        """
        binaries = self._files.binaries(path)
        needed = {name for each in binaries for name in each.needed}
        identity = self._files.identity(path) or _NOT_A_FILE
        return Glance(path, identity, None, tuple(needed))

    def predict(
        self, name: str | os.PathLike[str] | None, requester: str | None = None
    ) -> Prediction:
        """Tell what loading this would newly map now; never raises."""
        del requester
        if name is None:
            return NOTHING
        try:
            self._update()
            path = os.fsdecode(name)
            path = path if path.startswith("@") else whole_path(path)
            # A prediction maps what it predicts: the next one needs another process.
            loader = self._fresh(path)
            found = loader.load(path)
        except (OSError, ValueError, OmpMagicError) as error:
            return Prediction(known=False, why=str(error))
        if found is None:
            missing = loader.missing[-1] if loader.missing else None
            if missing is None:
                return Prediction(known=False, why="it was not found")
            return Prediction(missing=missing.name, why=missing.why or None)
        return Prediction(tuple(each.path for each in loader.loaded))

    def _update(self) -> None:
        changes = self._native.loader_changes() if self._native is not None else None
        if changes is not None and changes == self._changes and self._images:
            return
        mapped = self._machine.system.process_map().mapped
        known, self._images = self._images, {}
        for file in mapped:
            key = file.starts[0], file.path
            self._images[key] = known.get(key) or self._image(file)
        files = [image.path for image in self._images.values()]
        short = [path.rpartition("/")[2] for path in files]
        install_names = [each.binary.name for each in self._images.values() if each.binary.name]
        every = (*files, *short, *install_names)
        self._names = frozenset((*every, *(name.lower() for name in every)))
        self._changes = changes

    def _image(self, file: MappedFile) -> Image:
        """Give a mapped file as an image; a part of the system has none to read."""
        binary = Binary(system=self._target.system, cpu=self._target.cpu)
        if self._machine.system.ships(file.path):
            return Image(file.path, (_NOT_A_FILE[0], file.starts[0]), binary)
        identity = self._files.identity(file.path) or (_NOT_A_FILE[0], file.starts[0])
        try:
            mine = [e for e in self._files.binaries(file.path) if e.cpu == self._target.cpu]
        except (OSError, ValueError, OmpMagicError):
            mine = []
        return Image(file.path, identity, mine[0] if mine else binary)

    def _fresh(self, path: str) -> SimulatedLoader:
        present = tuple(self._images.values())
        loader = simulated_process(
            self._target, self._files, os.environ, present, program=sys.executable
        )
        self._opened = [each for each in self._opened if each.path is not None]
        told = [os.fsdecode(each.path).replace("\\", "/") for each in self._opened if each.path]
        loader.open_folders((*told, *self._wheels_own(present, path)))
        return loader

    def _wheels_own(self, present: Sequence[Image], path: str) -> Iterator[str]:
        """Give folders that wheels open when they are imported, be it before anybody watched.

        Those that something was loaded from, and NAME.libs beside the package of a file
        (delvewheel's, in the package's own __init__).
        """
        folders = dict.fromkeys(os.path.dirname(image.path) for image in present)
        yield from (each for each in folders if each.endswith(".libs"))
        folder = os.path.dirname(path)
        while folder and folder != os.path.dirname(folder):
            if self._files.is_folder(f"{folder}.libs"):
                yield f"{folder}.libs"
            folder = os.path.dirname(folder)


class KeptNames(Disk):
    """Files of this machine; a folder is listed again only when it has changed."""

    def __init__(self) -> None:
        super().__init__()
        self._listed: dict[str, tuple[tuple[int, int] | None, Sequence[str]]] = {}

    def names(self, folder: str) -> Sequence[str]:
        """See `Files.names`."""
        now = self.stamp(folder)
        known = self._listed.get(folder)
        if known is None or known[0] != now:
            known = self._listed[folder] = now, super().names(folder)
        return known[1]
