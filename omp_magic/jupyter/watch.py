"""The guard as a shell has it: put in place when the extension is loaded, shown in its cells.

Only the hooks are in place at first. What tells what a load brings comes with the first one that
they see. The guard that judges it comes when there is something to judge, or after the cell that
loaded the extension: its modules, with the rules and the probes, cost several times as much.
"""

from __future__ import annotations

import sys

from ..hooks.forks import FORKS
from ..hooks.loads import LOADS
from ..hooks.watcher import Watcher
from ..machine.python.own import main_mask, python_variables

TYPE_CHECKING = False  # typing.TYPE_CHECKING would cost an import
if TYPE_CHECKING:
    from collections.abc import Callable, Container
    from typing import Any

    from IPython.core.interactiveshell import InteractiveShell

    from ..guard.children import ChildGuard
    from ..guard.foresight import Foresight
    from ..guard.guard import Guard
    from ..hooks.sends import Send
    from ..probes.state import State
    from .recording import Recorder

_SENDERS = frozenset(
    {"multiprocessing.process", "multiprocessing.pool", "concurrent.futures.process"}
)
"""Modules whose calls `hooks.sends` wraps; it is not imported before one of them is."""


class Watch(Watcher):
    """The guard in one shell.

    Parameters
    ----------
    shell
        In whose cells it shows alarms.
    recorder
        Is told of what is seen.
    mode
        ``"warn"``, ``"raise"`` or ``"off"``.
    """

    def __init__(self, shell: InteractiveShell, recorder: Recorder, mode: str = "warn") -> None:
        self._shell = shell
        self._mode = "off"
        self._guard: Guard | None = None
        self._children: ChildGuard | None = None
        self._foresight: Foresight | None = None
        self._watching = False
        self._covered: set[str] = set()
        self._coming = False
        self._state: State | None = None
        self._before: tuple[frozenset[int] | None, dict[bytes, bytes]] | None = None
        self.sources: Container[str] | None = ()
        self.recorder = recorder
        self.set_mode(mode)

    @property
    def mode(self) -> str:
        """``"warn"``, ``"raise"`` or ``"off"``."""
        return self._mode

    def set_mode(self, mode: str) -> None:
        """Watch in another way, or let go of everything."""
        self._mode = mode
        if mode == "off":
            self.remove()
        elif not self._watching:
            self._watching = True
            self._before = main_mask(), dict(python_variables())
            # A limit that is set in this very cell is told to it, so it must not come later.
            if "omp_magic.probes.state" in sys.modules:
                self.state()
            LOADS.add(self)
            FORKS.add(self.before_fork)
        if self._guard is not None:
            self._guard.mode = mode
        if self._children is not None:
            self._children.mode = mode

    def remove(self) -> None:
        """Take the hooks out."""
        LOADS.remove(self)
        FORKS.remove(self.before_fork)
        sends = sys.modules.get(f"{__package__.rpartition('.')[0]}.hooks.sends")
        if sends is not None:
            sends.SENDS.remove(self.before_send)
        self._covered = set()
        if self._watching:
            self._watching = False
            if (state := self._state) is not None:
                self._state = None
                state.stop()

    def rest(self) -> None:
        """Take back what looking needs of the system."""
        here = sys.modules.get(f"{__package__.rpartition('.')[0]}.here")
        if here is not None:
            here.HERE.rest()

    def _cover_senders(self) -> None:
        """Watch the calls that give something to another process."""
        there = sys.modules.keys() & _SENDERS
        if self._watching and there != self._covered:
            from ..hooks.sends import SENDS  # noqa: PLC0415 - loading must stay cheap

            SENDS.add(self.before_send)
            self._covered = there

    def state(self) -> State | None:
        """Give what compares the process with what it was; None while it is itself imported.

        It comes with the first import or after the cell: loading must stay cheap.
        """
        if self._state is None and not self._coming:
            self._coming = True
            try:
                from ..probes.state import STATE  # noqa: PLC0415 - as above
            finally:
                self._coming = False
            mask, variables = self._before or (main_mask(), dict(python_variables()))
            STATE.start(self._cell, mask, variables)
            self._state = STATE
        return self._state

    def guard(self) -> Guard:
        """Give the guard, made when it is first needed."""
        if self._guard is None:
            from ..guard.guard import Guard  # noqa: PLC0415 - loading must stay cheap
            from ..here import HERE  # noqa: PLC0415 - loading must stay cheap
            from .alarms import report  # noqa: PLC0415 - as above

            guard = Guard(HERE.observer, report, self._mode, self._foresight)
            guard.seen = self.recorder.see
            self.sources = guard.sources
            self._guard = guard
        return self._guard

    def children(self) -> ChildGuard:
        """Give the guard of child processes, made when it is first needed."""
        if self._children is None:
            from ..guard.children import ChildGuard  # noqa: PLC0415 - loading must stay cheap
            from ..here import HERE  # noqa: PLC0415 - as above
            from .alarms import report  # noqa: PLC0415 - as above

            self._children = ChildGuard(HERE.observer, report, self._mode)
        return self._children

    def before_fork(self, who: str) -> None:
        """Be told of a fork; see `hooks.forks`."""
        self.children().before_fork(who)

    def before_send(self, send: Send) -> Exception | None:
        """Be told of what another process is given; see `hooks.sends`."""
        refusal = self.children().before_send(send)
        return None if refusal is None else self._shown(refusal)

    def _judge(self) -> Guard | None:
        """Give the guard; None in the middle of an import of what it needs itself."""
        try:
            return self.guard()
        except Exception:  # noqa: BLE001 - made again, and told of, after the cell
            return None

    def _foresee(self) -> Foresight | None:
        """Give what tells what a load brings; None in the middle of an import of what it needs."""
        if self._foresight is None:
            try:
                from ..guard.foresight import foresight_here  # noqa: PLC0415 - as above

                self._foresight = foresight_here() if self._guard is None else self._guard.foresight
            except Exception:  # noqa: BLE001 - made again at the next load
                return None
        return self._foresight

    def before_extension(self, name: str, path: str) -> None:
        """Be told of an extension module; see `hooks`."""
        foresight = self._foresight or self._foresee()
        new = foresight.of_extension(name, path) if foresight is not None else None
        if new is not None and (guard := self._judge()) is not None:
            guard.meet_extension(name, new)

    def before_library(self, name: str, shared: bool) -> None:
        """Be told of a library that ctypes loads; see `hooks`."""
        foresight = self._foresight or self._foresee()
        new = foresight.of_library(name, shared) if foresight is not None else None
        if new is not None and (guard := self._judge()) is not None:
            self._met(lambda: guard.meet_library(name, new))

    def _met(self, meet: Callable[[], None]) -> None:
        try:
            meet()
        except Exception as error:  # noqa: BLE001 - it is raised, and judged by the hooks
            raise self._shown(error) from None

    def _shown(self, refusal: Exception) -> Exception:
        from .refusals import ending_at_the_caller  # noqa: PLC0415 - only a refusal pays

        return ending_at_the_caller(refusal, self._shell)

    def before_folder(self, folder: str, module: str, source: str) -> None:
        """Be told of a folder in which libraries are to be found; see `hooks`."""
        foresight = self._foresight or self._foresee()
        new = foresight.of_folder(folder, source) if foresight is not None else None
        if new is not None and (guard := self._judge()) is not None:
            self._met(lambda: guard.meet_folder(folder, module, new))

    def after_folder(self, opened: Any) -> None:
        """Be told that it is open."""
        if (foresight := self._foresight or self._foresee()) is not None:
            foresight.opened_folder(opened)

    def before_source(self, name: str) -> None:
        """Be told of a Python module that is to be run; see `hooks`."""
        if self._guard is not None:
            self._guard.before_source(name)

    def before_import(self, name: str) -> None:
        """Be told of an outermost import or load; see `hooks`."""
        state = self._state or self.state()
        if state is not None:
            state.begin(name if " " in name else f"import {name}")

    def after_import(self, name: str) -> None:  # noqa: ARG002 - whatever it was
        """Be told that it has ended; see `hooks`."""
        if self._state is not None:
            self._state.end()
        self._cover_senders()

    def _cell(self) -> str:
        """Give which cell runs; shell.execution_count is the next one's from IPython 9 on."""
        hook = getattr(self._shell, "displayhook", None)
        return _named(getattr(hook, "exec_result", None))

    def after_cell(self, result: Any = None, *_: Any) -> None:
        """Look for what was loaded past the hooks; called after every cell."""
        if self._mode == "off" or not self._watching:
            return
        try:
            LOADS.cover_ctypes()
            state = self.state()
            if state is not None:
                state.after_cell(_named(result))
            self._cover_senders()
            self.guard().after_cell()
            if self._children is not None:
                self._children.after_cell()
        except Exception as error:  # noqa: BLE001 - law 7: our failure never breaks the user's cell
            import logging  # noqa: PLC0415 - never needed when all goes well

            logging.getLogger("omp_magic").warning("omp_magic: not looked after: %s", error)

    def tell(self) -> str:
        """Give a line that says how it watches and what it has seen."""
        if self._mode == "off":
            return "omp_guard off: imports are not watched; example: %omp_guard warn"
        loads = self._foresight.loads if self._foresight is not None else 0
        alarms = self._guard.alarms if self._guard is not None else 0
        alarms += self._children.alarms if self._children is not None else 0
        does = "warned of" if self._mode == "warn" else "refused"
        return (
            f"omp_guard {self._mode}: a load that would end or endanger this kernel is {does}; "
            f"{loads} native load{'s' * (loads != 1)} seen, {alarms} alarm{'s' * (alarms != 1)}"
        )


def _named(result: Any) -> str:
    """Give the cell that has this result of IPython's."""
    number = getattr(result, "execution_count", None)
    return f"cell {number}" if number else "a cell"
