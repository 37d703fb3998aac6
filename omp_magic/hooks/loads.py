"""The places that see what is loaded, before and after, and the way to let go of them.

`ExtensionFileLoader.create_module` and ctypes' `_dlopen` know the file before it is mapped;
`SourceFileLoader.exec_module` knows a module before it runs, in an import as in a reload.
`os.add_dll_directory` (Windows) tells of a folder before libraries come from it, be they loaded
by a call that nobody sees (PyTorch's of LoadLibraryExW). No audit hook: it cannot be removed, and
importing scikit-learn raises 65,000 events. No finder: that sees look-ups that load nothing.

All watchers share one set of wrappers, so that they may come and go in any order and the last
one leaves nothing behind. A failure of a watcher is one logged line; the import goes on as if
nobody watched. Only what it raises as `Refusal` before a load stops an import.
"""

from __future__ import annotations

import os
import sys
import threading
from importlib.machinery import ExtensionFileLoader, SourceFileLoader

from ..machine.python.own import FOLDER_OPENER, RTLD_GLOBAL
from .watcher import Watcher
from .wrapping import Wrappings

TYPE_CHECKING = False  # typing.TYPE_CHECKING would cost an import
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    _Naming = Callable[[Any], tuple[Any, ...]]

_IMPORTLIB = "<frozen importlib._bootstrap>"


_EVENTS = (
    *("before_import", "after_import", "before_extension", "before_library", "after_load"),
    *("before_source", "after_source", "before_folder", "after_folder"),
)


class Hooks:
    """The wrappers around the three places; in place while there are watchers."""

    def __init__(self) -> None:
        self._watchers: tuple[Watcher, ...] = ()
        self._tells: dict[str, tuple[Callable[..., None], ...]] = dict.fromkeys(_EVENTS, ())
        self._of_sources: tuple[Watcher, ...] = ()
        # Of each thread: `now`, watchers are being told, and what one loads itself is not watched;
        # `outermost`, the module, spec or name with which its import began, where anybody asks.
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
            if FOLDER_OPENER:
                put(os, FOLDER_OPENER, self._around_add_folder)
        self._set((*self._watchers, watcher))
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
        self._set(tuple(each for each in self._watchers if each is not watcher))
        if not self._watchers:
            self._wrappings.remove()

    def _set(self, watchers: tuple[Watcher, ...]) -> None:
        """Find out once who is to be told of what: most watchers want little."""
        self._watchers = watchers
        self._tells = {
            name: tuple(getattr(each, name) for each in watchers if _listens(each, name))
            for name in _EVENTS
        }
        self._of_sources = tuple(
            each
            for each in watchers
            if _listens(each, "before_source") or _listens(each, "after_source")
        )

    def _around_create_module(self, original: Any) -> Any:
        def create_module(loader: Any, spec: Any) -> Any:
            try:
                self._begin(_name_of_spec, spec)
                refusal = self._tell("before_extension", _name_and_path, spec)
                if refusal is not None:
                    raise refusal
                return original(loader, spec)
            finally:
                self._tell("after_load", _nothing, spec)
                self._end(_name_of_spec, spec)

        return create_module

    def _around_exec_module(self, _original: Any) -> Any:
        def exec_module(loader: Any, module: Any) -> Any:
            # It is inherited, and looked up anew: CPython's tests replace it in a base class.
            inherited: Any = super(SourceFileLoader, loader)
            if self._is_nobodys(module):
                return inherited.exec_module(module)
            try:
                self._begin(_name_of, module)
                refusal = self._tell("before_source", _name_of, module)
                if refusal is not None:
                    raise refusal
                return inherited.exec_module(module)
            finally:
                self._tell("after_source", _name_of, module)
                self._end(_name_of, module)

        return exec_module

    def _around_dlopen(self, original: Any) -> Any:
        def _dlopen(name: Any, *mode: Any) -> Any:
            if not name:
                return original(name, *mode)
            try:
                self._begin(_loading, name)
                refusal = self._tell("before_library", _text_and_scope, (name, mode))
                if refusal is not None:
                    raise refusal
                return original(name, *mode)
            finally:
                self._tell("after_load", _nothing, name)
                self._end(_loading, name)

        return _dlopen

    def _around_add_folder(self, original: Any) -> Any:
        def add_dll_directory(path: Any) -> Any:
            caller = sys._getframe(1)  # noqa: SLF001 - who says so
            refusal = self._tell("before_folder", _folder_and_who, (path, caller))
            if refusal is not None:
                raise refusal
            added = original(path)
            self._tell("after_folder", _one, added)
            return added

        return add_dll_directory

    def _is_nobodys(self, module: Any) -> bool:
        """Tell whether no watcher wants to hear of a Python module; 0.3 us."""
        if self._tells["before_import"] and getattr(self._inside, "outermost", None) is None:
            return False
        try:
            top = module.__name__.partition(".")[0]
            for watcher in self._of_sources:
                sources = watcher.sources
                if sources is None or top in sources:
                    return False
        except Exception:  # noqa: BLE001 - whatever stands for a module; telling it is logged
            return False
        return True

    def _begin(self, naming: _Naming, thing: Any) -> None:
        """Tell of what begins, unless it is a part of something that has begun before."""
        inside = self._inside
        if (
            self._tells["before_import"]
            and getattr(inside, "outermost", None) is None
            and not getattr(inside, "now", False)
        ):
            inside.outermost = thing
            self._tell("before_import", naming, thing)

    def _end(self, naming: _Naming, thing: Any) -> None:
        """Tell of the end of what had begun with this, if anything had."""
        if getattr(self._inside, "outermost", None) is thing:
            self._inside.outermost = None
            self._tell("after_import", naming, thing)

    def _tell(self, event: str, naming: _Naming, thing: Any) -> Exception | None:
        """Tell those who listen; give what stops the load, for the wrapper to raise.

        Raised here it would show this frame, and theirs, above the user's line.
        """
        tells = self._tells[event]
        if not tells or getattr(self._inside, "now", False):
            return None
        refusal: Exception | None = None
        self._inside.now = True
        try:
            for tell in tells:
                try:
                    tell(*naming(thing))
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


def _listens(watcher: Watcher, event: str) -> bool:
    """Tell whether a watcher does anything when it is told of an event."""
    own = getattr(watcher, event)
    return getattr(own, "__func__", own) is not getattr(Watcher, event)


def _name_of(module: Any) -> tuple[str]:
    return (str(module.__name__),)


def _name_of_spec(spec: Any) -> tuple[str]:
    return (str(spec.name),)


def _name_and_path(spec: Any) -> tuple[str, str]:
    return str(spec.name), str(spec.origin)


def _loading(name: Any) -> tuple[str]:
    return (f"loading {os.fsdecode(name)}",)


def _text_and_scope(asked: tuple[Any, tuple[Any, ...]]) -> tuple[str, bool]:
    name, mode = asked
    return os.fsdecode(name), bool(mode and mode[0] & RTLD_GLOBAL)


def _folder_and_who(asked: tuple[Any, Any]) -> tuple[str, str, str]:
    path, caller = asked
    return os.fsdecode(path), str(caller.f_globals.get("__name__")), caller.f_code.co_filename


def _one(thing: Any) -> tuple[Any]:
    return (thing,)


def _nothing(_: Any) -> tuple[()]:
    return ()
