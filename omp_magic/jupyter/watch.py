"""The guard as a shell has it: put in place when the extension is loaded, shown in its cells.

Only the hooks are in place at first. The guard itself comes with the first load that they see, or
after the cell that loaded the extension, whichever is first: its modules cost some 20 ms.
"""

from __future__ import annotations

from ..hooks.forks import FORKS
from ..hooks.loads import LOADS, Watcher
from ..probes.state import STATE

TYPE_CHECKING = False  # typing.TYPE_CHECKING would cost an import
if TYPE_CHECKING:
    from typing import Any

    from IPython.core.interactiveshell import InteractiveShell

    from ..guard.children import ChildGuard
    from ..guard.guard import Alarm, Guard
    from ..hooks.sends import Send

_SENDERS = frozenset(
    {"multiprocessing.process", "multiprocessing.pool", "concurrent.futures.process"}
)
"""Modules whose calls `hooks.sends` wraps; it is not imported before one of them is."""


class Watch(Watcher):
    """The guard in one shell.

    Parameters
    ----------
    shell
        The shell whose cells it shows alarms in.
    mode
        ``"warn"``, ``"raise"`` or ``"off"``.
    """

    def __init__(self, shell: InteractiveShell, mode: str = "warn") -> None:
        self._shell = shell
        self._mode = "off"
        self._guard: Guard | None = None
        self._children: ChildGuard | None = None
        self._watching = False
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
            STATE.start(self._cell)
            LOADS.add(self)
            FORKS.add(self.before_fork)
            self._cover(_SENDERS)
        if self._guard is not None:
            self._guard.mode = mode
        if self._children is not None:
            self._children.mode = mode

    def remove(self) -> None:
        """Take the hooks out."""
        import sys  # noqa: PLC0415 - the end pays

        LOADS.remove(self)
        FORKS.remove(self.before_fork)
        sends = sys.modules.get(f"{__package__.rpartition('.')[0]}.hooks.sends")
        if sends is not None:
            sends.SENDS.remove(self.before_send)
        if self._watching:
            self._watching = False
            STATE.stop()

    def _cover(self, imported: frozenset[str]) -> None:
        """Watch the calls of these modules that give something to another process."""
        import sys  # noqa: PLC0415 - only these imports pay

        if self._watching and any(name in sys.modules for name in imported):
            from ..hooks.sends import SENDS  # noqa: PLC0415 - loading must stay cheap

            SENDS.add(self.before_send)

    def guard(self) -> Guard:
        """Give the guard, made when it is first needed."""
        if self._guard is None:
            from ..guard.guard import Guard  # noqa: PLC0415 - loading must stay cheap
            from ..here import HERE  # noqa: PLC0415 - loading must stay cheap

            self._guard = Guard(HERE.observer, self._report, self._mode)
        return self._guard

    def children(self) -> ChildGuard:
        """Give the guard of child processes, made when it is first needed."""
        if self._children is None:
            from ..guard.children import ChildGuard  # noqa: PLC0415 - loading must stay cheap
            from ..here import HERE  # noqa: PLC0415 - loading must stay cheap

            self._children = ChildGuard(HERE.observer, self._report, self._mode)
        return self._children

    def before_fork(self, who: str) -> None:
        """Be told of a fork; see `hooks.forks`."""
        self.children().before_fork(who)

    def before_send(self, send: Send) -> Exception | None:
        """Be told of what another process is given; see `hooks.sends`."""
        return self.children().before_send(send)

    def _ready(self) -> Guard | None:
        """Give the guard; None in the middle of an import of what it needs itself.

        ctypes loads _ctypes, for example, and omp_magic.api may be half imported. What is wrong
        for good is told after the cell.
        """
        try:
            return self.guard()
        except Exception:  # noqa: BLE001 - made again, and told of, after the cell
            return None

    def before_extension(self, name: str, path: str) -> None:
        """Be told of an extension module; see `hooks`."""
        STATE.begin("import ", name)
        guard = self._ready()
        if guard is not None:
            guard.before_extension(name, path)

    def before_library(self, name: str, shared: bool) -> None:
        """Be told of a library that ctypes loads; see `hooks`."""
        STATE.begin("loading ", name)
        guard = self._ready()
        if guard is not None:
            guard.before_library(name, shared)

    def before_source(self, name: str) -> None:
        """Be told of a Python module that is to be run; see `hooks`."""
        STATE.begin("import ", name)
        if self._guard is not None:
            self._guard.before_source(name)

    def after_load(self) -> None:
        """Be told that a load has ended; see `hooks`."""
        STATE.end()

    def after_source(self, name: str) -> None:
        """Be told that a Python module has run; see `hooks`."""
        STATE.end()
        if name in _SENDERS:
            self._cover(frozenset({name}))

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
            STATE.after_cell(_named(result))
            self.guard().after_cell()
            if self._children is not None:
                self._children.after_cell()
        except Exception as error:  # noqa: BLE001 - law 7: our failure never breaks the user's cell
            import logging  # noqa: PLC0415 - never needed when all goes well

            log = logging.getLogger("omp_magic")
            log.warning("omp_magic: not looked after the cell (%s)", error)

    def tell(self) -> str:
        """Give a line that says how it watches and what it has seen."""
        if self._mode == "off":
            return "omp_guard off: imports are not watched; example: %omp_guard warn"
        loads, alarms = (
            (self._guard.loads, self._guard.alarms) if self._guard is not None else (0, 0)
        )
        alarms += self._children.alarms if self._children is not None else 0
        does = "warned of" if self._mode == "warn" else "refused"
        return (
            f"omp_guard {self._mode}: a load that would end or endanger this kernel is {does}; "
            f"{loads} native loads seen, {alarms} alarms"
        )

    def _report(self, alarm: Alarm) -> None:
        """Show an alarm as a warning that the user's filters may silence or make an error."""
        import sys  # noqa: PLC0415 - only an alarm pays
        import warnings  # noqa: PLC0415 - as above

        from .. import errors  # noqa: PLC0415 - as above
        from ..views.alarm import AlarmView  # noqa: PLC0415 - as above

        view = AlarmView(alarm)
        category, refusal = {
            "OMP204": (errors.UnsafeForkWarning, None),
            "OMP213": (errors.UnsendableFunctionWarning, errors.UnsendableFunctionError),
        }.get(alarm.findings[0].code, (errors.DuplicateRuntimeWarning, errors.AlarmError))
        forced = False
        with warnings.catch_warnings(record=True) as shown:
            try:
                warnings.warn(str(view), category, stacklevel=2)
            except category as error:
                if refusal is not None:
                    raise refusal(str(error)) from None
                forced = True  # a fork cannot be refused
        if shown or forced:
            from IPython.display import display  # noqa: PLC0415 - as above

            display(view)
            if alarm.before:
                # The load may end the process in C, which flushes nothing: a kernel's stream
                # waits here until its own thread has sent all that was shown.
                sys.stdout.flush()


def _named(result: Any) -> str:
    """Give the cell that has this result of IPython's."""
    number = getattr(result, "execution_count", None)
    return f"cell {number}" if number else "a cell"
