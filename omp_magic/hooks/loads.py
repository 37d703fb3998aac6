"""Three places that see what is loaded, before and after, and the way to let go of them.

`ExtensionFileLoader.create_module` and ctypes' `_dlopen` know the file before it is mapped;
`SourceFileLoader.exec_module` knows a module before it runs, in an import as in a reload. No
audit hook: that cannot be removed, and importing scikit-learn raises 65,000 events. No finder in
``sys.meta_path``: that sees names, and look-ups that load nothing.

All watchers share one set of wrappers, so that they may come and go in any order and the last
one leaves nothing behind. A failure of a watcher is one logged line; the import goes on as if
nobody watched. Only what it raises as `Refusal` before a load stops an import.
"""

from __future__ import annotations

import sys
import threading
from importlib.machinery import ExtensionFileLoader, SourceFileLoader

from .wrapping import Wrappings

TYPE_CHECKING = False  # typing.TYPE_CHECKING would cost an import
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_IMPORTLIB = "<frozen importlib._bootstrap>"


class Watcher:
    """What is told of loads; a method called before one may raise a `Refusal`."""

    def before_extension(self, name: str, path: str) -> None:
        """Be told of an extension module."""

    def before_library(self, name: str, shared: bool) -> None:
        """Be told of a library that ctypes loads, and whether into the global scope."""

    def after_load(self) -> None:
        """Be told that an extension module or a library was loaded, or failed to."""

    def before_source(self, name: str) -> None:
        """Be told of a Python module that is to be run, for the first time or again."""

    def after_source(self, name: str) -> None:
        """Be told that a Python module has run, or failed to."""


class Hooks:
    """The wrappers around the three places; in place while there are watchers."""

    def __init__(self) -> None:
        self._watchers: tuple[Watcher, ...] = ()
        self._inside = threading.local()
        self._logged: set[str] = set()
        self._wrappings = Wrappings()

    def add(self, watcher: Watcher) -> None:
        """Tell a watcher of every load from now on."""
        if not self._watchers:
            put = self._wrappings.put
            # CPython leaves importlib's frames out of tracebacks (Python/import.c,
            # remove_importlib_frames); with a strange one among them it would show them all.
            put(ExtensionFileLoader, "create_module", self._around_create_module, _IMPORTLIB)
            put(SourceFileLoader, "exec_module", self._around_exec_module, _IMPORTLIB)
        self._watchers = (*self._watchers, watcher)
        self.cover_ctypes()

    def cover_ctypes(self) -> None:
        """Wrap ctypes' dlopen too, once ctypes has been imported."""
        ctypes = sys.modules.get("ctypes")
        if self._watchers and hasattr(ctypes, "CDLL") and hasattr(ctypes, "_dlopen"):
            self._wrappings.put(ctypes, "_dlopen", self._around_dlopen)

    def remove(self, watcher: Watcher) -> None:
        """Tell a watcher no more; with the last one the wrappers go.

        A wrapper that somebody wrapped again stays and passes everything on.
        """
        self._watchers = tuple(each for each in self._watchers if each is not watcher)
        if not self._watchers:
            self._wrappings.remove()

    def _around_create_module(self, original: Any) -> Any:
        def create_module(loader: Any, spec: Any) -> Any:
            try:
                refusal = self._tell("before_extension", lambda: (str(spec.name), str(spec.origin)))
                if refusal is not None:
                    raise refusal
                return original(loader, spec)
            finally:
                self._tell("after_load", tuple)

        return create_module

    def _around_exec_module(self, _original: Any) -> Any:
        def exec_module(loader: Any, module: Any) -> Any:
            # It is inherited, and looked up anew: CPython's tests replace it in a base class.
            inherited: Any = super(SourceFileLoader, loader)
            try:
                refusal = self._tell("before_source", lambda: (str(module.__name__),))
                if refusal is not None:
                    raise refusal
                return inherited.exec_module(module)
            finally:
                self._tell("after_source", lambda: (str(module.__name__),))

        return exec_module

    def _around_dlopen(self, original: Any) -> Any:
        def _dlopen(name: Any, *mode: Any) -> Any:
            if not name:
                return original(name, *mode)
            try:
                refusal = self._tell("before_library", lambda: (_as_text(name), _is_shared(mode)))
                if refusal is not None:
                    raise refusal
                return original(name, *mode)
            finally:
                self._tell("after_load", tuple)

        return _dlopen

    def _tell(self, what: str, arguments: Callable[[], tuple[Any, ...]]) -> Exception | None:
        """Tell all watchers; give what stops the load, for the wrapper to raise.

        Raised here it would show this frame, and theirs, above the user's line.
        """
        watchers = self._watchers
        # What a watcher itself loads is not watched.
        if not watchers or getattr(self._inside, "now", False):
            return None
        refusal: Exception | None = None
        self._inside.now = True
        try:
            for watcher in watchers:
                try:
                    getattr(watcher, what)(*arguments())
                except Exception as error:  # noqa: BLE001 - law 7: our failure never breaks an import
                    # Every watcher is told, so that each after has its before.
                    refusal = refusal or self._refusal(error)
        finally:
            self._inside.now = False
        return refusal

    def _refusal(self, error: Exception) -> Exception | None:
        """Give back what stops an import; anything else becomes one logged line."""
        # Imported when they are needed: loading must stay cheap.
        import logging  # noqa: PLC0415 - as above

        from ..errors import Refusal  # noqa: PLC0415 - as above

        if isinstance(error, Refusal):
            return error.with_traceback(None)
        line = f"omp_magic: not watched ({type(error).__name__}: {error})"
        if line not in self._logged:
            self._logged.add(line)
            logging.getLogger("omp_magic").warning(line)
        return None


LOADS = Hooks()
"""The hooks of this process."""


def _is_shared(mode: tuple[Any, ...]) -> bool:
    import os  # noqa: PLC0415 - loading must stay cheap

    # Windows has no such scope, and no such constant.
    return bool(mode and mode[0] & getattr(os, "RTLD_GLOBAL", 0))


def _as_text(name: Any) -> str:
    import os  # noqa: PLC0415 - loading must stay cheap

    return os.fsdecode(name)
