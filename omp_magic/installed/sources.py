"""The files of modules, each read once as long as it is unchanged: what their texts say."""

from __future__ import annotations

import posixpath
import re
from typing import NamedTuple

from ..facts.targets import Target
from ..knowledge.manners import manners_of
from ..loader.files import Disk, Files
from ..loader.here import this_target
from .lookups import NOTHING, Lookups, lookups_of
from .openers import MASK, Step, steps_of
from .statements import Import, imports_of

_OPENERS = {
    "linux": (b"ctypes", b".so", b"load_library", b"dlopen", b"CDLL"),
    "macos": (b"ctypes", b".so", b"load_library", b"dlopen", b"CDLL", b".dylib"),
    "windows": (b"ctypes", b"load_library", b"CDLL", b"WinDLL", b"LoadLibrary", b".dll"),
}
_PROSE = re.compile(rb'"""(?s:.*?)"""|\'\'\'(?s:.*?)\'\'\'|#[^\n]*')
"""What names libraries and does not open them: faiss tells of libfaiss.so in a comment."""
_MOST_BYTES = 16 * 1024 * 1024


class Source(NamedTuple):
    """What a source says.

    Parameters
    ----------
    identity
        Its time and size.
    imports, lookups
        What it imports, and what it changes about finding modules.
    text
        Its text where that was wanted and may open libraries, else b"".
    steps
        What it surely does to the loader.
    """

    identity: tuple[int, int]
    imports: tuple[Import, ...]
    lookups: Lookups
    text: bytes
    steps: tuple[Step, ...]


NO_SOURCE = Source((-1, -1), (), NOTHING, b"", ())


class Sources:
    """Reads the files of modules.

    Parameters
    ----------
    files
        Gives their bytes; this machine's when None.
    target
        The system that imports them; the running interpreter's when None.
    """

    def __init__(self, files: Files | None = None, target: Target | None = None) -> None:
        self._files: Files = Disk() if files is None else files
        self._target = this_target() if target is None else target
        self._openers = _OPENERS[self._target.system]
        self._by_folder = manners_of(self._target.system).copies_by_folder
        self._read: dict[str, Source] = {}

    def of(self, path: str, wanted: bool, site: str = "") -> Source:
        """Give what a source says; its text is kept when that is wanted and may open libraries.

        A file that cannot be read imports nothing; bytecode without a source neither.
        """
        known = self._read.get(path, NO_SOURCE)
        try:
            identity = self._files.stamp(path)
            if identity is None:
                return NO_SOURCE
            if known.identity != identity:
                text = self._files.read(path, _MOST_BYTES)
                known = self._read[path] = self._parsed(identity, text, path, wanted, site)
        except OSError:
            return NO_SOURCE
        return known

    def _parsed(
        self, identity: tuple[int, int], text: bytes, path: str, wanted: bool, site: str
    ) -> Source:
        keep = wanted and any(word in text for word in self._openers)
        steps: tuple[Step, ...] = ()
        # Where packages share a runtime by name, libraries are found by what they need and by
        # their names: see `names`. Which folder one is opened from decides there only where the
        # file says so by RTLD_GLOBAL.
        if self._by_folder or MASK.encode() in text:
            steps = steps_of(text, path, self._files, self._target, site)
            if not self._by_folder:
                steps = tuple(each for each in steps if each.kind == "set")
        return Source(
            identity,
            imports_of(text),
            lookups_of(text, path, self._files),
            _PROSE.sub(b"", text) if keep else b"",
            steps,
        )

    def names(self, text: bytes, path: str) -> bool:
        """Tell whether a text that opens libraries names this one."""
        base = posixpath.basename(path)
        stem = base.partition(".")[0].encode("utf-8", "surrogateescape")
        if not self._by_folder or stem not in text:
            return stem in text
        # A copy of a runtime is opened by its whole name or not at all, and 'mkl' is a word.
        quoted = rb"['\"{/\\]" + re.escape(stem) + rb"['\"}{.]"
        whole = base.encode("utf-8", "surrogateescape")
        return whole in text or re.search(quoted, text) is not None

    def holds(self, path: str, *marks: bytes) -> bool:
        """Tell whether machine code holds some texts; a very large file is not searched."""
        return self._files.holds(path, *marks)
