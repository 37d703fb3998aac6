"""Three places that see what is about to be loaded, and the way to let go of them.

`ExtensionFileLoader.create_module` and ctypes' `_dlopen` know the file before it is mapped;
`SourceFileLoader.exec_module` knows a module before it runs, in an import as in a reload. No
audit hook: that cannot be removed, and importing scikit-learn raises 65,000 events. No finder in
``sys.meta_path``: that sees names, and look-ups that load nothing.

A failure of the watcher is one logged line; the import goes on as if nobody watched. Only what
it raises as `Refusal` stops an import.
"""

from __future__ import annotations

import sys
import threading
from importlib.machinery import ExtensionFileLoader, SourceFileLoader

TYPE_CHECKING = False  # typing.TYPE_CHECKING would cost an import
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Protocol

    class Watcher(Protocol):
        """What is told of loads; each method may raise a `Refusal`."""

        def before_extension(self, name: str, path: str) -> None:
            """Be told of an extension module."""

        def before_library(self, name: str) -> None:
            """Be told of a library that ctypes loads."""

        def before_source(self, name: str) -> None:
            """Be told of a Python module that is to be run, for the first time or again."""


_IMPORTLIB = "<frozen importlib._bootstrap>"


class Hooks:
    """The wrappers around the three places.

    Parameters
    ----------
    watcher
        Is told of each load before it happens.
    """

    def __init__(self, watcher: Watcher) -> None:
        self._watcher: Watcher | None = watcher
        self._inside = threading.local()
        self._logged: set[str] = set()
        self._undos: list[Callable[[], None]] = []
        self._has_ctypes = False

    def install(self) -> None:
        """Put the wrappers in place; ctypes' own comes when ctypes has been imported."""
        self._wrap(ExtensionFileLoader, "create_module", self._around_create_module)
        self._wrap(SourceFileLoader, "exec_module", self._around_exec_module)
        self.cover_ctypes()

    def cover_ctypes(self) -> None:
        """Wrap ctypes' dlopen, once ctypes is there."""
        ctypes = sys.modules.get("ctypes")
        if not self._has_ctypes and hasattr(ctypes, "CDLL") and hasattr(ctypes, "_dlopen"):
            self._has_ctypes = True
            self._wrap(ctypes, "_dlopen", self._around_dlopen)

    def remove(self) -> None:
        """Take the wrappers out; one that somebody wrapped again passes everything on."""
        self._watcher = None
        while self._undos:
            self._undos.pop()()
        self._has_ctypes = False

    def _wrap(self, place: Any, name: str, around: Callable[[Any], Any]) -> None:
        inherited = name not in vars(place)
        original = getattr(place, name)
        wrapper = around(original)
        for attribute in ("__name__", "__qualname__", "__doc__", "__module__"):
            setattr(wrapper, attribute, getattr(original, attribute, None))
        if place is not sys.modules.get("ctypes"):
            # CPython leaves importlib's frames out of tracebacks (Python/import.c,
            # remove_importlib_frames); with a strange one among them it would show them all.
            wrapper.__code__ = wrapper.__code__.replace(co_filename=_IMPORTLIB)
        setattr(place, name, wrapper)

        def undo() -> None:
            if vars(place).get(name) is not wrapper:
                return
            if inherited:
                delattr(place, name)
            else:
                setattr(place, name, original)

        self._undos.append(undo)

    def _around_create_module(self, original: Any) -> Any:
        def create_module(loader: Any, spec: Any) -> Any:
            self._tell("before_extension", lambda: (str(spec.name), str(spec.origin)))
            return original(loader, spec)

        return create_module

    def _around_exec_module(self, _original: Any) -> Any:
        def exec_module(loader: Any, module: Any) -> Any:
            self._tell("before_source", lambda: (str(module.__name__),))
            # It is inherited, and looked up anew: CPython's tests replace it in a base class.
            inherited: Any = super(SourceFileLoader, loader)
            return inherited.exec_module(module)

        return exec_module

    def _around_dlopen(self, original: Any) -> Any:
        def _dlopen(name: Any, *mode: Any) -> Any:
            if name:
                self._tell("before_library", lambda: (_as_text(name),))
            return original(name, *mode)

        return _dlopen

    def _tell(self, what: str, arguments: Callable[[], tuple[str, ...]]) -> None:
        watcher = self._watcher
        # What the watcher itself loads is not watched.
        if watcher is None or getattr(self._inside, "now", False):
            return
        self._inside.now = True
        try:
            getattr(watcher, what)(*arguments())
        except Exception as error:
            # Imported when they are needed: loading must stay cheap.
            import logging  # noqa: PLC0415 - as above

            from .errors import Refusal  # noqa: PLC0415 - as above

            if isinstance(error, Refusal):
                raise
            line = f"omp_magic: not guarded ({type(error).__name__}: {error})"
            if line not in self._logged:
                self._logged.add(line)
                logging.getLogger("omp_magic").warning(line)
        finally:
            self._inside.now = False


def _as_text(name: Any) -> str:
    import os  # noqa: PLC0415 - loading must stay cheap

    return os.fsdecode(name)
