"""What a load would map, asked of the loader's model only where the file itself leaves it open.

This is all that most loads come to. It knows no rules and no probes, so that a session in which
no runtime ever endangers another does not load them while it imports.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Set as AbstractSet
from types import SimpleNamespace

from ..errors import OmpMagicError
from ..knowledge.catalog import family_of, is_family
from ..loader.imports import model_of
from ..loader.predicted import Opened
from ..loader.sharedobjects import read_object
from ..machine import Machine
from ..machine.here import native_here
from ..machine.port.native import Native
from ..machine.python.own import real_path

_MOST_SOURCE_BYTES = 4 * 1024 * 1024
_IN_C = {"mkl._mklinit": ("libiomp5.so",)}
"""Extension modules that dlopen runtimes in C, and which: mkl-service, mkl/_mklinitmodule.c."""


class Foresight:
    """Tells what is about to be mapped, as far as a runtime of LLVM's family is among it.

    Only that family is asked about: no other runtime ends a process.

    Parameters
    ----------
    machine, native
        The running process.
    """

    def __init__(self, machine: Machine, native: Native | None) -> None:
        self.loads = 0
        self.opened: set[str] = set()
        """Files that were opened to be called through their handle."""
        self._native = native
        self._model = model_of(machine, native)
        self._pid = os.getpid()
        self._lock = threading.RLock()

    @property
    def names(self) -> AbstractSet[str]:
        """What loaded objects are known by, as of the last prediction."""
        return self._model.names

    def own_lock(self) -> threading.RLock:
        """Give the lock; a forked child's own, since nobody there would let go of the other."""
        if self._pid != os.getpid():
            self._pid, self._lock = os.getpid(), threading.RLock()
        return self._lock

    def prepare(self) -> None:
        """Read what does not change, the loader's cache for one, before an import waits for it.

        A search for what is nowhere reads all of it: 3 ms.
        """
        with self.own_lock():
            self._model.predict("libof-no-such-name.so")

    def of_extension(self, name: str, path: str) -> tuple[str, ...] | None:
        """Give the files that an extension module would map; None where no danger is in them."""
        with self.own_lock():
            self.loads += 1
            always = name in _IN_C
            if not always and self._brings_only_itself(path):
                return None
            new = self._model.predict(path).new
            for library in _IN_C.get(name, ()):
                new += self._opened_in_c(library, path)
        return new if always or endangers(new) else None

    def of_library(self, name: str, shared: bool) -> tuple[str, ...] | None:
        """Give the files that ctypes would map for a library; None where no danger is in them.

        Whoever opens a runtime for itself alone calls it through its handle, and so that very
        copy, whatever serves the global scope.
        """
        with self.own_lock():
            self.loads += 1
            new = self._model.predict(name).new
            if new and not shared:
                self.opened.add(new[0])
        return new if endangers(new) else None

    def of_folder(self, folder: str, source: str) -> tuple[str, ...] | None:
        """Give what the code that opens a folder will load from there itself, as its file says.

        None where no danger is in that; what others need from there is seen when they come.
        """
        if not endangers(tuple(_names_in(folder))):
            return None
        with self.own_lock():
            coming = SimpleNamespace(path=folder)
            self._model.open_folder(coming)
            new: list[str] = []
            for path in opened_from(source, folder):
                self.loads += 1
                new += [each for each in self._model.predict(path).new if each not in new]
            coming.path = None
        return tuple(new) if endangers(tuple(new)) else None

    def opened_folder(self, opened: Opened) -> None:
        """Look in a folder too, until it is closed."""
        with self.own_lock():
            self._model.open_folder(opened)

    def _brings_only_itself(self, path: str) -> bool:
        """Tell by a file's own NEEDED that it maps nothing else; a tenth of a prediction.

        That is so for nine extension modules of ten.
        """
        if self._native is None or is_family(_base(path)):
            return False
        try:
            seen = self._model.glance(path)
            if seen.needed and not self._model.has_all(seen.needed):
                return False
        except (OSError, ValueError, OmpMagicError):
            return False
        self._model.expect(seen)
        return True

    def _opened_in_c(self, library: str, asker: str) -> tuple[str, ...]:
        """Give what a module's own dlopen of a library would map, found as its RUNPATH says.

        mkl-service opens libiomp5 only when no OpenMP is in the global scope and no other
        threading layer is asked for (mkl/_mklinitmodule.c, _preload_threading_layer).
        """
        native = self._native
        if native is None or not native.has_global_scope:
            return ()
        if native.global_symbol("omp_get_num_threads"):
            return ()
        if library in self._model.names:  # dlopen then gives the one that has this SONAME
            return ()
        if (native.getenv("MKL_THREADING_LAYER") or "INTEL").strip().upper() != "INTEL":
            return ()
        dynamic = read_object(asker).dynamic
        for folder in (dynamic.runpath or dynamic.rpath or "").split(":"):
            place = folder.replace("$ORIGIN", os.path.dirname(os.path.realpath(asker)))
            candidate = os.path.join(place, library)
            if place and os.path.exists(candidate):
                return self._model.predict(candidate).new
        return self._model.predict(library).new


def foresight_here() -> Foresight:
    """Give one for the running process."""
    try:
        native = native_here()
    except OSError:
        native = None
    return Foresight(Machine.here(), native)


def endangers(new: tuple[str, ...]) -> bool:
    """Tell whether a runtime of the family that can end a process is among files."""
    found = (family_of(_base(path)) for path in new)
    return any(family is not None and family.kin == "llvm" for family in found)


def _names_in(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def opened_from(source: str, folder: str) -> list[str]:
    """Give the libraries of a folder that running a Python file opens, in its order."""
    # Only who opens a folder with a runtime in it pays for what reads sources.
    from ..installed.openers import steps_of  # noqa: PLC0415 - as above
    from ..loader.files import Disk  # noqa: PLC0415 - as above
    from ..loader.here import this_target  # noqa: PLC0415 - as above

    try:
        with open(source, "rb") as file:
            text = file.read(_MOST_SOURCE_BYTES)
    except OSError:
        return []
    path = os.path.abspath(source).replace("\\", "/")
    site = next((each for each in _sites() if path.startswith(f"{each}/")), "")
    wanted = real_path(folder)
    return [
        step.path
        for step in steps_of(text, path, Disk(), this_target(), site)
        if step.kind == "open" and real_path(os.path.dirname(step.path)) == wanted
    ]


def _sites() -> list[str]:
    """Give the folders of packages, the longest first."""
    found = {os.path.abspath(each).replace("\\", "/").rstrip("/") for each in sys.path if each}
    return sorted(found, key=len, reverse=True)


def _base(path: str) -> str:
    return path.replace("\\", "/").rpartition("/")[2]


def opens_in_c(name: str) -> bool:
    """Tell whether an extension module opens a runtime by itself when it is loaded."""
    return name in _IN_C
