"""Where glibc looks for a library that is not loaded, in its order.

The rules are those of _dl_map_object and open_path in glibc's elf/dl-load.c, of
elf/dl-hwcaps.c and sysdeps/x86_64/dl-hwcaps_subdirs.c for the subfolders by processor.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import NamedTuple

from ..errors import OmpMagicError, ParseError
from ..formats.ldcache import FLAGS, LdCache, parse_ldcache
from ..formats.procfs import parse_environ
from ..machine import Machine
from .sharedobjects import WORD_BYTES, Dynamic, SharedObject, SharedObjects, WrongMachineError, host

_CACHE = "/etc/ld.so.cache"
_X86_64 = 62
_TOKEN = re.compile(r"\$(?:\{(ORIGIN|LIB|PLATFORM)\}|(ORIGIN|LIB|PLATFORM)(?![A-Za-z0-9_]))")
_FOLDERS = re.compile(rb"(?:/[!-~]*/\0){2,}")
_USUAL = ("/lib64", "/usr/lib64")
# The levels of the x86-64 psABI, by the names that /proc/cpuinfo has for their features.
_V2 = frozenset({"cx16", "lahf_lm", "popcnt", "pni", "sse4_1", "sse4_2", "ssse3"})
_V3 = _V2 | {"avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "abm", "movbe", "xsave"}
_AVX512 = frozenset({"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"})
_LEVELS = (("x86-64-v4", _V3 | _AVX512), ("x86-64-v3", _V3), ("x86-64-v2", _V2))
_HASWELL = frozenset({"avx2", "bmi1", "bmi2", "abm", "movbe", "popcnt", "fma"})


class MissingLibraryError(OmpMagicError):
    """A library that a load needs cannot be loaded, so the load fails and maps nothing.

    Parameters
    ----------
    name
        The name that was looked for.
    why
        What is wrong with it.
    """

    def __init__(self, name: str, why: str) -> None:
        self.name = name
        self.why = why
        super().__init__(f"{name}: {why}")


class Asker(NamedTuple):
    """An object on whose behalf a library is looked for.

    Parameters
    ----------
    dynamic
        Its RPATH and RUNPATH.
    origin
        The folder it was loaded from, what ``$ORIGIN`` stands for.
    loader
        The object that needed it; None for one that dlopen(3) was asked for.
    """

    dynamic: Dynamic
    origin: str
    loader: Asker | None = None


class Resolver:
    """Finds files as the running loader would.

    Parameters
    ----------
    machine
        The running process.
    objects
        Reads the files.
    program
        The program itself: its RPATH counts for every library.
    loader_path
        The dynamic loader's file, which holds its default folders; None where not known.
    version
        glibc's, as (2, 36).
    """

    def __init__(
        self,
        machine: Machine,
        objects: SharedObjects,
        program: Asker,
        loader_path: str | None,
        version: tuple[int, int],
    ) -> None:
        self._machine = machine
        self._objects = objects
        self._program = program
        self._version = version
        self._features: tuple[frozenset[str], bool] | None = None
        self._cache: LdCache | None = None
        self._cache_key: tuple[int, int] | None = None
        self._defaults = _default_folders(loader_path)
        # What LD_LIBRARY_PATH said when the process began; the loader reads it once.
        start = parse_environ(machine.read("/proc/self/environ"))
        self._start_path = start.get("LD_LIBRARY_PATH", "")

    def expand(self, text: str, asker: Asker) -> str:
        """Put folders in place of ``$ORIGIN``, ``$LIB`` and ``$PLATFORM``."""
        if "$" not in text:
            return text
        return _TOKEN.sub(lambda found: self._token(found[1] or found[2], asker), text)

    def _token(self, token: str, asker: Asker) -> str:
        if token == "ORIGIN":  # noqa: S105 - a name of the loader's
            return asker.origin
        if token == "LIB":  # noqa: S105 - a name of the loader's
            return self._defaults[0].lstrip("/")  # lib64, or Debian's lib/x86_64-linux-gnu
        return self._platform()

    def find(self, name: str, asker: Asker) -> SharedObject:
        """Give the file that a name leads to; its tokens are expanded already.

        Raises
        ------
        MissingLibraryError
            When there is none, or when the loader would refuse it.
        """
        if "/" in name:
            try:
                return self._checked(name, self._objects.read(name))
            except WrongMachineError as error:
                raise MissingLibraryError(name, "it is for another machine") from error
            except (OSError, ValueError, ParseError) as error:
                raise MissingLibraryError(name, _reason(error)) from error
        other = False
        for path in self._candidates(name, asker):
            try:
                return self._checked(name, self._objects.read(path))
            except WrongMachineError:
                other = True
            except ParseError as error:
                # glibc ends a search at a file that it cannot use at all.
                raise MissingLibraryError(name, f"{path}: {_reason(error)}") from error
            except (OSError, ValueError):
                continue
        raise MissingLibraryError(
            name, "only files for another machine are found" if other else "it is not found"
        )

    @staticmethod
    def _checked(name: str, found: SharedObject) -> SharedObject:
        if not found.dynamic.loadable:
            raise MissingLibraryError(name, "it may not be loaded by dlopen")
        return found

    def _candidates(self, name: str, asker: Asker) -> Iterator[str]:
        flags = host()
        for folder in self._early(asker):
            yield from self._in(folder, name)
        cache = self._read_cache()
        if cache is not None:
            kind = FLAGS.get((flags[2], WORD_BYTES))
            cached = cache.lookup(name, kind, self._levels()) if kind is not None else None
            in_default = cached is not None and cached.startswith(
                tuple(folder + "/" for folder in self._defaults)
            )
            if cached is not None and (asker.dynamic.default_folders or not in_default):
                yield cached
        if asker.dynamic.default_folders:
            for folder in self._defaults:
                yield from self._in(folder, name)

    def _early(self, asker: Asker) -> Iterator[str]:
        """Give the folders that come before the cache."""
        if asker.dynamic.runpath is None:
            link: Asker | None = asker
            seen_program = False
            while link is not None:
                yield from self._folders(link.dynamic.rpath, link)
                seen_program |= link is self._program
                link = link.loader
            if not seen_program:
                yield from self._folders(self._program.dynamic.rpath, self._program)
        yield from self._folders(self._start_path.replace(";", ":"), self._program)
        yield from self._folders(asker.dynamic.runpath, asker)

    def _folders(self, paths: str | None, asker: Asker) -> Iterator[str]:
        """Take a list of folders apart; an empty part is the current folder (fillin_rpath)."""
        for part in paths.split(":") if paths else ():
            yield self.expand(part, asker).rstrip("/") or ("/" if part else ".")

    def _in(self, folder: str, name: str) -> Iterator[str]:
        """Give the places for a name in one folder, those for this processor first."""
        start = folder if folder.endswith("/") else folder + "/"
        if self._version >= (2, 33) and os.path.isdir(start + "glibc-hwcaps"):
            for level in self._levels():
                yield f"{start}glibc-hwcaps/{level}/{name}"
        if self._version < (2, 37):
            yield from self._legacy(start, name)
        yield name if folder == "." else start + name

    def _legacy(self, start: str, name: str) -> Iterator[str]:
        """Give the places of glibc before 2.37: tls, the platform and x86_64, in all mixtures."""
        platform = self._platform()
        if host()[2] != _X86_64 or not any(
            os.path.isdir(start + each) for each in ("tls", platform, "avx512_1", "x86_64")
        ):
            return
        features, intel = self._read_features()
        parts = ["tls", platform]
        if intel and features >= _AVX512:
            parts.append("avx512_1")
        parts.append("x86_64")
        for chosen in range((1 << len(parts)) - 1, 0, -1):
            names = [
                part for place, part in enumerate(parts) if chosen >> (len(parts) - 1 - place) & 1
            ]
            yield f"{start}{'/'.join(names)}/{name}"

    def _levels(self) -> tuple[str, ...]:
        if host()[2] != _X86_64:
            return ()
        features, _ = self._read_features()
        return tuple(name for name, needed in _LEVELS if features >= needed)

    def _platform(self) -> str:
        """Give what glibc calls the processor (init_cpu_features in sysdeps/x86)."""
        if host()[2] != _X86_64:
            return os.uname().machine
        features, intel = self._read_features()
        if intel and "avx512er" in features:
            return "xeon_phi"
        return "haswell" if intel and features >= _HASWELL else "x86_64"

    def _read_features(self) -> tuple[frozenset[str], bool]:
        """Give the processor's features, and whether it is Intel's; once, 1 ms for 2 CPUs."""
        if self._features is None:
            try:
                text = self._machine.read("/proc/cpuinfo")
            except OSError:
                text = ""
            flags = re.search(r"^flags\s*:(.*)$", text, re.MULTILINE)
            names = frozenset(flags[1].split()) if flags else frozenset()
            self._features = names, "GenuineIntel" in text
        return self._features

    def _read_cache(self) -> LdCache | None:
        """Give the cache as it is now, parsed again only when the file is another one."""
        key = self._machine.inode_and_time_of(_CACHE)
        if key is None or key != self._cache_key:
            self._cache_key, self._cache = key, None
            try:
                if key is not None:
                    with open(self._machine.path(_CACHE), "rb") as opened:
                        self._cache = parse_ldcache(opened.read())
            except (OSError, ParseError):
                pass  # glibc goes on without one too
        return self._cache


def _default_folders(loader_path: str | None) -> tuple[str, ...]:
    """Read the default folders out of the loader's file, where they stand one after another.

    ``SYSTEM_DIRS`` of glibc's trusted-dirs.h; Debian, Fedora and Nix each have their own.
    """
    try:
        if loader_path is not None:
            with open(loader_path, "rb") as opened:
                for found in _FOLDERS.finditer(opened.read()):
                    folders = [os.fsdecode(part) for part in found[0].split(b"\0") if part]
                    if all("lib" in folder for folder in folders):
                        return tuple(folder.rstrip("/") for folder in folders)
    except OSError:
        pass
    return _USUAL


def _reason(error: Exception) -> str:
    if isinstance(error, OSError):
        return (error.strerror or str(error)).lower()
    return "it is no shared object that can be loaded here"
