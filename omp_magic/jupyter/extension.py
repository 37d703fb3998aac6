"""Registers the magics, and keeps what takes that back.

Loading imports three small modules of ours and nothing native.
"""

from __future__ import annotations

import sys

from .awaiting import AwaitBodies, failures
from .completion import install
from .config import mode_of, offer, recording_of
from .recording import Recorder
from .standin import NAMES, Magics
from .unpressed import Unpressed
from .watch import Watch

TYPE_CHECKING = False  # typing.TYPE_CHECKING would cost an import
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from IPython.core.interactiveshell import InteractiveShell

_LOADED: dict[int, Loaded] = {}
"""By the shell's id: the extension there."""
_PARKED: dict[int, Loaded] = {}
"""The same, between the two halves of a reload."""


class Loaded:
    """The extension in one shell: what it has registered, and what a reload keeps.

    A reload keeps the guard, the session's limit and the panels as they are: nothing of them is
    taken back and set again, so the way back is still that from before the limit.

    Parameters
    ----------
    shell
        The shell.
    before
        The extension that was loaded there before, and is withdrawn: what it held goes on.
    """

    def __init__(self, shell: InteractiveShell, before: Loaded | None = None) -> None:
        self._shell = shell
        self._undos: list[Callable[[], object]] = []
        self.watch: Watch = _watch_of(shell) if before is None else before.watch
        self.magics = Magics(shell, self.watch)
        self._before = before

    def register(self) -> None:
        """Register the magics, their completion, and the awaiting of cell bodies."""
        shell, watch, magics = self._shell, self.watch, self.magics
        self._undos.append(magics.remove)
        if self._before is not None:
            magics.take_over(self._before.magics)
        self._undos.append(offer(shell, watch))
        self._on("pre_run_cell", watch.recorder.before_cell)
        self._on("post_run_cell", watch.after_cell)
        self._on("post_run_cell", watch.recorder.after_cell)
        self._on("post_run_cell", Unpressed().after_cell)
        magics.put()
        awaiting = AwaitBodies(shell, frozenset(NAMES["cell"]))
        shell.input_transformers_post.append(awaiting)
        self._undos.append(lambda: shell.input_transformers_post.remove(awaiting))
        # Cells of an .ipy file are silent: post_run_cell is not for them.
        self._on("post_execute", failures(shell))
        self._on("pre_run_cell", magics.before_cell)
        self._on("post_run_cell", magics.after_cell)
        self._undos.append(install(shell))
        magics.listen()
        self._before = None

    def _on(self, event: str, function: Callable[..., object]) -> None:
        events = self._shell.events
        events.register(event, function)
        self._undos.append(lambda: events.unregister(event, function))

    def withdraw(self) -> None:
        """Take out what is registered, the last first; what a reload keeps stays."""
        undos, self._undos = self._undos, []
        for undo in reversed(undos):
            _undone(undo)

    def end(self) -> None:
        """Take back everything, also what another load has left for this one."""
        self.withdraw()
        for each in (self._before, self):
            if each is not None:
                _undone(each.magics.end)
                _undone(each.watch.remove)
                _undone(each.watch.rest)
                _undone(each.watch.recorder.end)

    def park(self) -> None:
        """Withdraw, and end if no load has followed when a cell ends or begins."""
        self.withdraw()
        _PARKED[id(self._shell)] = self
        for event in ("pre_execute", "post_execute"):
            self._on(event, self._not_loaded_again)

    def _not_loaded_again(self, *_: Any) -> None:
        """End what a reload that has failed left behind: its package may be gone from the disk."""
        if _PARKED.pop(id(self._shell), None) is self:
            self.drop()

    def drop(self) -> None:
        """End, and say in one line what the user had and has no more."""
        held = (self._before or self).magics.held()
        self.end()
        if held:
            line = f"omp_magic: not loaded again, so this has ended: {', '.join(held)}"
            print(line, file=sys.stderr)


def _watch_of(shell: InteractiveShell) -> Watch:
    """Give what watches; the record begins first, so that its own imports are not watched."""
    recorder = Recorder(shell)
    if recording_of(shell, recorder):
        recorder.begin()
    return Watch(shell, recorder, mode_of(shell))


def load(shell: InteractiveShell) -> None:
    """Put the extension in place; where it is, or is reloaded, what it holds goes on."""
    key = id(shell)
    before = _PARKED.pop(key, None) or _LOADED.pop(key, None)
    if before is not None:
        before.withdraw()
    loaded = before
    try:
        loaded = Loaded(shell, before)
        loaded.register()
    except BaseException:
        if loaded is not None:
            loaded.drop()
        raise
    _LOADED[key] = loaded


def unload(shell: InteractiveShell) -> None:
    """Take back everything; within `%reload_ext` what the following load goes on with stays."""
    key = id(shell)
    loaded, parked = _LOADED.pop(key, None), _PARKED.pop(key, None)
    if parked is not None:
        parked.end()
    if loaded is None:
        return
    if _reloads(shell):
        loaded.park()
    else:
        loaded.end()


def _reloads(shell: InteractiveShell) -> bool:
    """Tell whether IPython's `reload_extension` calls: it unloads, reloads the package, loads.

    An extension is not told which of the two it is (IPython/core/extensions.py, 7.34 to 9).
    """
    manager = shell.extension_manager
    frame = sys._getframe()  # noqa: SLF001 - the names of the callers are all there is
    while frame := frame.f_back:  # type: ignore[assignment]  # None ends it
        if frame.f_code.co_name == "reload_extension" and frame.f_locals.get("self") is manager:
            return frame.f_locals.get("module_str") == __name__.partition(".")[0]
    return False


def _undone(undo: Callable[[], object]) -> None:
    """Run an undo; one that fails is logged, since the others must run all the same."""
    try:
        undo()
    except Exception as error:  # noqa: BLE001 - as above
        import logging  # noqa: PLC0415 - never needed when all goes well

        log = logging.getLogger("omp_magic")
        log.warning("omp_magic: not undone (%s: %s)", type(error).__name__, error)
