"""Files of a system that is not here: those of a folder, and those it is supposed to have."""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Mapping, Sequence

from ..errors import ParseError
from ..facts.targets import Target
from ..formats.binaries import Binary
from ..knowledge.elsewhere import Elsewhere, elsewhere
from ..loader.files import Files

_SUPPOSED_BYTES = 700_000


class Supposed:
    """Files of a site, without those of this machine, with what the target may have.

    Parameters
    ----------
    files
        Those that are there.
    target
        The system.
    roots
        Folders whose files belong to the target; everything elsewhere is another machine's.
    lacks
        Keys of what is taken not to be there, besides those the target says itself.
    links
        Path of a file that is taken to be a link of another -> that one.
    """

    def __init__(
        self,
        files: Files,
        target: Target,
        roots: Sequence[str],
        lacks: Collection[str] = (),
        links: Mapping[str, str] | None = None,
    ) -> None:
        self._files = files
        # A path that is not absolute begins with none of them, everything begins with "".
        self._roots = ("",) if target.local else tuple(f"{root.rstrip('/')}/" for root in roots)
        self._links = links or {}
        self.supposed: dict[str, Elsewhere] = {}
        for each in () if target.local else elsewhere(target.system, target.cpu):
            there = each.usual or each.key in target.has
            if there and each.key not in target.lacks and each.key not in lacks:
                for path in (each.path, *each.names):
                    self.supposed[_key(path)] = each
        self._cpu, self._system = target.cpu, target.system

    def _ours(self, path: str) -> bool:
        return f"{path}/".startswith(self._roots)

    def _linked(self, path: str) -> str:
        return self._links.get(posixpath.normpath(path), path) if self._links else path

    def at(self, path: str) -> Elsewhere | None:
        """Give what is supposed to be at a path; None where nothing is."""
        return self.supposed.get(_key(path))

    def stamp(self, path: str) -> tuple[int, int] | None:
        """See `Files.stamp`."""
        if self.at(path) is not None:
            return 0, _SUPPOSED_BYTES
        return self._files.stamp(path) if self._ours(path) else None

    def names(self, folder: str) -> Sequence[str]:
        """See `Files.names`."""
        low = _key(folder)
        known = [
            posixpath.basename(path) for path in self.supposed if posixpath.dirname(path) == low
        ]
        return [*(self._files.names(folder) if self._ours(folder) else ()), *known]

    def is_file(self, path: str) -> bool:
        """See `Files.is_file`."""
        return self.at(path) is not None or (self._ours(path) and self._files.is_file(path))

    def is_folder(self, path: str) -> bool:
        """See `Files.is_folder`."""
        low = _key(path) + "/"
        if self._ours(path) and self._files.is_folder(path):
            return True
        return any(each.startswith(low) for each in self.supposed)

    def real(self, path: str) -> str:
        """See `Files.real`."""
        path = self._linked(path)
        found = self.at(path)
        if found is not None:
            return found.path
        return self._files.real(path) if self._ours(path) else path

    def identity(self, path: str) -> tuple[int, int] | None:
        """See `Files.identity`."""
        path = self._linked(path)
        found = self.at(path)
        if found is not None:
            return -7, [*self.supposed].index(_key(found.path))
        return self._files.identity(path) if self._ours(path) else None

    def read(self, path: str, most_bytes: int) -> bytes:
        """See `Files.read`."""
        if not self._ours(path):
            raise FileNotFoundError(2, "another machine's file", path)
        return self._files.read(path, most_bytes)

    def binaries(self, path: str) -> tuple[Binary, ...]:
        """See `Files.binaries`."""
        path = self._linked(path)
        found = self.at(path)
        if found is not None:
            return (Binary(system=self._system, cpu=self._cpu, name=found.library),)
        if not self._ours(path):
            raise ParseError("machine code", path, "a file of the target")
        return self._files.binaries(path)

    def texts(self, path: str, cpu: str = "") -> tuple[str, ...]:
        """See `Files.texts`."""
        if self.at(path) is not None or not self._ours(path):
            return ()
        return self._files.texts(path, cpu)

    def holds(self, path: str, *marks: bytes) -> bool:
        """See `Files.holds`."""
        return self.at(path) is None and self._ours(path) and self._files.holds(path, *marks)


def _key(path: str) -> str:
    """Give a path as it is compared: Windows' without regard to case."""
    return path.lower() if path[1:2] == ":" else path
