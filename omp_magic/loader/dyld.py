"""What dyld would map on macOS, told from files; nothing is loaded.

The rules are those of Apple's dyld4, as published (apple-oss-distributions/dyld, dyld-1378):

* An ``@rpath/`` name first matches any loaded image whose path or install name is that very text
  (Loader.cpp:797; JustInTimeLoader.cpp:121 and 1036, for dylibs), a bare name in dlopen such an
  ``@rpath/`` name too (:809).
* Every path that a name may mean is tried in turn (Loader.cpp:710, DyldProcessConfig.cpp:2376): an
  image whose path or install name is that text, else the file, which is the image of that inode
  where there is one (Loader.cpp:1021), else is mapped. A file that cannot be mapped is passed over.
* Which paths: DYLD_LIBRARY_PATH by the last part of the name, for every name, dlopen's with
  folders too (for a framework DYLD_FRAMEWORK_PATH by its partial path instead); the name itself,
  with ``@`` expanded; DYLD_FALLBACK_LIBRARY_PATH. Without that, binaries made with an SDK before
  macOS 14 look in /usr/local/lib and /usr/lib (DyldProcessConfig.cpp:2230, MachOFile.cpp:2701);
  dlopen of a name with folders has no fallback (Loader.cpp:719). A need that is a full path and
  loaded already is not looked for anywhere else (JustInTimeLoader.cpp:502).
* ``@rpath`` goes through the LC_RPATHs of the requester, then of what led to it, the program's
  last (Loader.cpp:1418), each with its own ``@loader_path``. Nothing expanded is normalised.
* Needs of an image are found in their order, then theirs, image by image
  (JustInTimeLoader.cpp:465). A need that may be missing does no harm; any other makes the whole
  dlopen fail, and what it had mapped is cut off the list (DyldAPIs.cpp, dlopen_from).
* Names bind to the library they were linked with (two-level namespace): nobody serves for another.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

from ..formats.binaries import Binary
from .files import Files
from .images import Image
from .simulated import Mapped, Matters

ACCELERATE = "/System/Library/Frameworks/Accelerate.framework/Versions/A/Accelerate"
_SYSTEM = ("/usr/lib/", "/System/")
_SYSTEM_IDENTITY = (-2, 0)
"""Of what the system has and is no BLAS; it is not among the images."""
_ACCELERATE = re.compile(
    r".*/(?:Accelerate|vecLib)\.framework/|/usr/lib/lib(?:c|cl|f77)?(?:blas|lapack)\.dylib$"
)
"""The framework, the parts of it that are asked for themselves, and old names that lead there."""
_IN_USR_LIB = re.compile(
    r"lib(?:System|c\+\+|c\+\+abi|objc|z|iconv|sqlite3|xml2|ffi|edit|ncurses|bz2|resolv|curl|swift\w*"
    r"|m|dl|pthread|c)\.(?:[\w.]+\.)?dylib$"
)
"""Of what a search comes upon in /usr/lib by chance, that which every macOS has."""
_FALLBACK = ("/usr/local/lib", "/usr/lib")
_NO_FALLBACK_SDK = (14, 0)
_MOST_PLACES = 256


def is_accelerate(path: str) -> bool:
    """Tell whether a path is that of Apple's BLAS, or of a part of it."""
    return _ACCELERATE.match(path) is not None


class _Chain(NamedTuple):
    """An image and what led to it: dyld's LoadChain."""

    image: Image
    before: _Chain | None


class Dyld:
    """A process of macOS in which files are loaded one after the other; see `SimulatedLoader`.

    Parameters
    ----------
    files
        What is seen with.
    cpu
        ``"arm64"`` or ``"x86_64"``; of a file for several processors that part is mapped.
    environ
        For DYLD_LIBRARY_PATH and its kin. The system keeps them from its own and from hardened
        programs, which is not known here.
    present
        What the process has already.
    program
        The program's file, for ``@executable_path`` and its LC_RPATHs.
    matters
        Whether a missing library of this file name makes a load fail; as dyld has it, every one.
    """

    def __init__(  # noqa: PLR0913 - what a process begins with
        self,
        files: Files,
        cpu: str,
        environ: Mapping[str, str],
        present: Sequence[Image] = (),
        *,
        program: str = "/usr/local/bin/python3",
        matters: Matters = lambda _: True,
    ) -> None:
        self._mapped = Mapped(files, "macos", cpu, present)
        self.loaded = self._mapped.loaded
        self.missing = self._mapped.missing
        self._files = files
        self._matters = matters
        self._library_path = _folders(environ, "DYLD_LIBRARY_PATH")
        self._framework_path = _folders(environ, "DYLD_FRAMEWORK_PATH")
        self._fallback_path = _folders(environ, "DYLD_FALLBACK_LIBRARY_PATH")
        self._names: dict[str, list[Image]] = {}
        self._followed: set[Image] = set(present)
        for image in present:
            self._know(image)
        self._cpu = cpu
        self._program = self._mapped.opened(program, None) or Image(
            program, (-2, 2), Binary(system="macos", cpu=cpu, sdk=_NO_FALLBACK_SDK)
        )
        for path in _folders(environ, "DYLD_INSERT_LIBRARIES"):
            self.load(path)

    def open_folders(self, folders: Sequence[str]) -> None:
        """See `SimulatedLoader.open_folders`: macOS has no such thing."""

    def load(self, path: str, by: Image | None = None) -> Image | None:
        """See `SimulatedLoader.load`."""
        before = len(self.loaded)
        chain = _Chain(self._program, None)
        if by is not None:
            chain = _Chain(by, chain)
        self._mapped.why = ""
        found = self._find(path, chain, linked=False, by=by)
        if found is None:
            self._mapped.note(path, by, fatal=True, why=self._mapped.why)
            return None
        if not self._follow(found, chain):
            for image in self._mapped.cut_back(before):
                self._forget(image)
            return None
        return found

    def _follow(self, first: Image, chain: _Chain) -> bool:
        """Map what an image needs, level by level of each; False when something is missing."""
        waiting = [(first, chain)]
        while waiting:
            image, chain = waiting.pop()
            if image in self._followed:
                continue
            self._followed.add(image)
            own = _Chain(image, chain)
            weak = frozenset(image.binary.weak)
            for name in image.binary.needed:
                self._mapped.why = ""
                found = self._find(name, own, linked=True, by=image)
                if found is None:
                    fatal = name not in weak and self._matters(name.rpartition("/")[2])
                    self._mapped.note(name, image, fatal=fatal, why=self._mapped.why)
                    if fatal:
                        return False
                elif found.identity != _SYSTEM_IDENTITY:
                    image.needed.append(found)
            waiting += [(each, own) for each in reversed(image.needed)]
        return True

    def _find(self, name: str, chain: _Chain, *, linked: bool, by: Image | None) -> Image | None:
        asked = name if linked or "/" in name else f"@rpath/{name}"
        if asked in self._names and (asked.startswith("@rpath/") or (linked and asked[0] == "/")):
            return self._names[asked][0]
        for path, by_chance in islice(self._places(name, chain, linked=linked), _MOST_PLACES):
            if path in self._names:
                return self._names[path][0]
            if self._files.is_file(path):
                found = self._mapped.same_file(path) or self._map(self._files.real(path), by)
            else:
                found = self._of_the_system(path, by, by_chance=by_chance)
            if found is not None:
                return found
        return None

    def _map(self, path: str, by: Image | None) -> Image | None:
        image = self._mapped.opened(path, by)
        if image is None or not self._mapped.map(image):
            return None
        self._know(image)
        return image

    def _of_the_system(self, path: str, by: Image | None, *, by_chance: bool) -> Image | None:
        """Give what the system has at a path of its own, for which it needs no file."""
        if not path.startswith(_SYSTEM):
            return None
        if is_accelerate(path):
            if ACCELERATE in self._names:
                return self._names[ACCELERATE][0]
            binary = Binary(system="macos", cpu=self._cpu, name=ACCELERATE)
            image = Image(ACCELERATE, (-2, 1), binary, by)
            if not self._mapped.map(image):
                return None
            self._know(image)
            return image
        if by_chance and not _IN_USR_LIB.match(posixpath.basename(path)):
            return None
        return Image(path, _SYSTEM_IDENTITY, Binary(system="macos", cpu=self._cpu), by)

    def _places(self, name: str, chain: _Chain, *, linked: bool) -> Iterator[tuple[str, bool]]:
        """Give the paths that a name may mean, each with whether the name does not say it."""
        leaf = name.rpartition("/")[2]
        framework = _framework(name)
        first = self._framework_path if framework else self._library_path
        for folder in first:
            yield f"{folder}/{framework or leaf}", True
        if linked or name.startswith(("/", "@")):
            yield from self._expanded(name, chain)
        else:
            yield from self._expanded(f"@rpath/{name}", chain)
            yield f"/usr/lib/{name}", True
            yield name, True
        if framework or (not linked and "/" in name):
            return  # DYLD_FALLBACK_FRAMEWORK_PATH is not followed: no wheel ships a framework
        for folder in self._fallback_path or _fallback(chain.image.binary):
            yield f"{folder}/{leaf}", True

    def _expanded(self, name: str, chain: _Chain) -> Iterator[tuple[str, bool]]:
        if not name.startswith("@rpath/"):
            path = self._at(name, chain.image)
            if path:
                yield path, name.startswith("@")
            return
        link: _Chain | None = chain
        while link is not None:
            for rpath in link.image.binary.rpaths:
                if folder := self._at(rpath, link.image):
                    yield f"{folder.rstrip('/')}/{name[7:]}", True
            link = link.before

    def _at(self, path: str, image: Image) -> str:
        """Give a path with @loader_path or @executable_path expanded, "" for an unknown one."""
        for word, of in (("@loader_path", image), ("@executable_path", self._program)):
            if path == word or path.startswith(f"{word}/"):
                return posixpath.dirname(of.path) + path[len(word) :]
        return "" if path.startswith("@") else path

    def _know(self, image: Image) -> None:
        for name in {image.path, image.binary.name or image.path}:
            self._names.setdefault(name, []).append(image)

    def _forget(self, image: Image) -> None:
        image.needed.clear()
        for name in {image.path, image.binary.name or image.path}:
            self._names[name].remove(image)
            if not self._names[name]:
                del self._names[name]


def _folders(environ: Mapping[str, str], variable: str) -> list[str]:
    return [each for each in environ.get(variable, "").split(":") if each]


def _framework(name: str) -> str:
    """Give the path of a framework's library from the framework's folder on, "" for others."""
    end = name.rfind(".framework/")
    begin = name.rfind("/", 0, end) + 1 if end >= 0 else 0
    return name[begin:] if end >= 0 and name.rpartition("/")[2] == name[begin:end] else ""


def _fallback(binary: Binary) -> tuple[str, ...]:
    """Give where an older binary looks last; one that does not tell its SDK is as old as any."""
    old = binary.sdk is None or binary.sdk < _NO_FALLBACK_SDK
    return _FALLBACK if old else ()
