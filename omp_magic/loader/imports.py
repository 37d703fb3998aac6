"""Which files a dlopen would newly map, known before it happens.

glibc's loader is followed step by step over the objects that are loaded now; nothing is opened
by the loader itself. What this cannot see is written at `LoaderModel`.
"""

from __future__ import annotations

import os
import struct
import sys
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from functools import lru_cache
from importlib.machinery import EXTENSION_SUFFIXES

from ..errors import OmpMagicError
from ..machine import Machine
from ..machine.here import native_here
from ..machine.port.native import Native
from ..machine.python.calls import call_text
from .dlopens import Load, UnknownLoaderError, folder_of
from .linkmaps import LoadedObjects
from .loaderlist import Loaded
from .needed import Glance, glance
from .predicted import NOTHING, Model, Opened, Prediction
from .resolver import Asker, MissingLibraryError, Resolver
from .sharedobjects import SharedObjects
from .simulators import SIMULATED

_EXTENSIONS = tuple(suffix for suffix in EXTENSION_SUFFIXES if suffix != ".so")
"""Nobody but CPython loads these, each once, so their list may be behind for a while."""


class LoaderModel:
    """Follows the loader of the running process; kept between calls.

    One is made in 4 ms. A prediction costs 0.1 ms when the file was never read, and the 128
    loads of ``import sklearn`` cost 23 ms together (benchmarks/imports.py). Not for two threads
    at once.

    Not seen: what a library loads by itself when it starts (its own calls of dlopen), a load
    that fails for a symbol or a version it lacks, LD_AUDIT, DT_AUXILIARY and DT_FILTER, the
    tunable glibc.cpu.hwcap_mask, and a folder that was made after the loader had looked for
    it in vain. The libraries loaded with ``dlmopen`` in other namespaces do not count.

    Parameters
    ----------
    machine
        The running process; another machine's loader is not known.
    native
        The process's C library; None where it cannot be called.
    """

    def __init__(self, machine: Machine, native: Native | None) -> None:
        self._objects = SharedObjects()
        self._loaded: LoadedObjects | None = None
        self._resolver: Resolver | None = None
        self._program: Asker | None = None
        self._why: str | None = None
        try:
            self._start(machine, native)
        except (OSError, ValueError, struct.error, OmpMagicError) as error:
            self._why = str(error)

    def _start(self, machine: Machine, native: Native | None) -> None:
        version = _glibc(machine, native)
        if native is None or isinstance(version, str):
            self._why = str(version)
            return
        self._loaded = LoadedObjects(machine, native, self._objects)
        program = self._loaded.program if self._loaded.update() else None
        if program is None:
            self._why = "the loader's list of objects cannot be read"
            return
        # LD_ORIGIN_PATH is for programs that the kernel did not start; see _dl_get_origin.
        origin = os.path.dirname(os.readlink("/proc/self/exe"))
        self._program = Asker(program.dynamic, origin)
        loader = next((name for name in self._loaded.names if _is_loader_path(name)), None)
        self._resolver = Resolver(machine, self._objects, self._program, loader, version)

    @property
    def names(self) -> AbstractSet[str]:
        """What loaded objects are known by, as of the last prediction."""
        return self._loaded.names.keys() if self._loaded is not None else frozenset()

    def has_all(self, names: Iterable[str]) -> bool:
        """Tell whether names lead to loaded objects; not that they do not: see `predict`.

        Raises
        ------
        OSError, ParseError
            When the loader's list cannot be read.
        """
        loaded = self._loaded
        return loaded is not None and loaded.update() and all(map(loaded.is_there, names))

    def glance(self, path: str) -> Glance:
        """See `needed.glance`."""
        return glance(path)

    def open_folder(self, folder: Opened) -> None:
        """See `predicted.Model.open_folder`: Linux has none."""

    def expect(self, seen: Glance) -> None:
        """Say that an extension module is about to be loaded, and nothing else with it."""
        if self._loaded is not None:
            self._loaded.expect_alone(seen)

    def predict(
        self, name: str | os.PathLike[str] | None, requester: str | None = None
    ) -> Prediction:
        """Tell what ``dlopen(name)`` would newly map now; never raises.

        Parameters
        ----------
        name
            As dlopen(3) takes it: a path, a name without ``/``, or None for the program itself.
            CPython gives every extension module's with a path.
        requester
            Path of the loaded object that calls dlopen, whose RPATH and RUNPATH count for a
            name without ``/``; that of ctypes' own extension module when None.
        """
        if name is None:
            return NOTHING
        try:
            return self._predict(os.fsdecode(name), requester)
        except MissingLibraryError as error:
            return Prediction(missing=error.name, why=error.why)
        except (OSError, ValueError, TypeError, struct.error, OmpMagicError) as error:
            return Prediction(known=False, why=str(error))

    def _predict(self, wanted: str, requester: str | None) -> Prediction:
        loaded, resolver, program = self._loaded, self._resolver, self._program
        if loaded is None or resolver is None or program is None:
            return Prediction(known=False, why=self._why)
        if not loaded.update():
            return Prediction(known=False, why="the loader's list of objects cannot be read")
        if not wanted.endswith(_EXTENSIONS):
            loaded.settle()
        if loaded.is_there(wanted):
            return NOTHING
        # Who asks counts for a search and for $ORIGIN only.
        searched = "/" not in wanted or "$" in wanted
        asker = self._asker(loaded, requester) if searched else program
        new = Load(loaded, resolver).run(wanted, asker)
        loaded.expect(new)
        return Prediction(tuple([found.kernel_path for found in new]))

    def _asker(self, loaded: LoadedObjects, requester: str | None) -> Asker:
        if requester is None:
            requester = getattr(sys.modules.get("_ctypes"), "__file__", None)
        found = None
        program = self._program
        if requester is not None:
            found = loaded.names[requester] if loaded.has_name(requester) else None
            found = found or _by_file(loaded, requester)
        if program is None or found is None or not found.name:
            # ctypes is linked into the program or its libpython.
            return program or Asker(loaded.names[""].dynamic, "")
        return Asker(loaded.dynamic_of(found), folder_of(found.name))


def model_of(machine: Machine, native: Native | None) -> Model:
    """Give who follows the loader of the running process on its system."""
    if machine.live and machine.system.name in SIMULATED:
        from .simulatedmodel import SimulatedModel  # noqa: PLC0415 - one system's is loaded

        return SimulatedModel(machine, native)
    return LoaderModel(machine, native)


def predict_dlopen(
    path_or_name: str | os.PathLike[str], machine: Machine | None = None
) -> tuple[str, ...]:
    """Give the files that this dlopen would newly map, at this moment, in this process.

    Parameters
    ----------
    path_or_name
        As dlopen(3) takes it; a name without ``/`` is looked for as `ctypes.CDLL` does.
    machine
        The running process when None.

    Returns
    -------
    tuple of str
        Absolute paths in the order of loading, as /proc/self/maps will show them, without
        symbolic links; () when all is loaded already, and when the dlopen would fail, since
        then nothing stays mapped.

    Raises
    ------
    UnknownLoaderError
        When it cannot be told: another C library than glibc, or not the running process.
    """
    model = _own_model() if machine is None else model_of(machine, _native())
    told = model.predict(path_or_name)
    if not told.known:
        raise UnknownLoaderError(told.why or "no reason is known")
    return told.new


@lru_cache(maxsize=1)
def _own_model() -> Model:
    return model_of(Machine.here(), _native())


def _native() -> Native | None:
    try:
        return native_here()
    except OSError:
        return None


def _glibc(machine: Machine, native: Native | None) -> tuple[int, int] | str:
    """Give glibc's version, or why the loader is not known."""
    if not machine.live:
        return "only the running process's own loader can be followed"
    if native is None:
        return "this system's loader has other rules than glibc's"
    address = native.global_symbol("gnu_get_libc_version")
    if address is None:
        return "the C library is not glibc, and its loader has other rules"
    major, minor = call_text(address).split(".")[:2]
    return int(major), int(minor)


def _is_loader_path(name: str) -> bool:
    file_name = os.path.basename(name)
    return "/" in name and file_name.startswith(("ld-linux", "ld64.so", "ld.so", "ld-2"))


def _by_file(loaded: LoadedObjects, path: str) -> Loaded | None:
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return None
    identity = found.st_dev, found.st_ino
    return loaded.identities[identity] if loaded.has_file(identity) else None
