"""What imports and cells change in this process: compared before and after, and told of whom.

An import is one step, from the first line of its outermost module to the last: what its fortieth
extension did is `import paddle`'s doing.
"""

from __future__ import annotations

import os
import sys
import threading

from ..machine.python.own import main_mask, python_variables, rlimits
from .process import as_text, modes

TYPE_CHECKING = False  # typing.TYPE_CHECKING would cost an import
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..facts.changes import Change
    from ..machine.port.native import Variables
    from .process import Key, Value

_AFFINITY = ("affinity", "")


def _nobody() -> str:
    return ""


class State:
    """Compares the state of this process at every look, and keeps who changed what.

    One for the process: an import in any shell changes all of it. Looks come from any thread;
    the affinity and the floating-point mode are those of the main thread.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._mask: frozenset[int] | None = None
        self._values: dict[Key, Value] = {}
        self._python: dict[bytes, bytes] = {}
        self._native: dict[bytes, bytes] = {}
        self._c: Variables | None = None
        self._c_is_there = True
        self._first: dict[Key, str | None] = {}
        self._changes: dict[Key, Change] = {}
        self._bound_before = False
        self._depth = 0
        self._thread = 0
        self._importing = ""
        self._cell: Callable[[], str] = _nobody
        self._ended = ""

    def start(
        self,
        cell: Callable[[], str],
        mask: frozenset[int] | None = None,
        variables: Mapping[bytes, bytes] | None = None,
    ) -> None:
        """Take all as it is for the state before; each call has its `stop`.

        Parameters
        ----------
        cell
            Gives the cell that runs, ``"cell 3"``; asked when it has changed something.
        mask, variables
            The main thread's CPUs and ``os.environ`` as they were a little before, where somebody
            has looked then.
        """
        self._users += 1
        self._cell = cell
        if self._users == 1:
            self._mask = main_mask() if mask is None else mask
            self._python = dict(python_variables() if variables is None else variables)
            self._native = dict(self._python)
            self._values = {**modes()}

    def stop(self) -> None:
        """Forget it all, with the last user."""
        self._users = max(0, self._users - 1)
        if not self._users:
            self.__init__()  # type: ignore[misc]  # as it was made

    def begin(self, what: str) -> None:
        """Begin an import or a load, ``"import paddle"``; its `end` must come.

        What another thread imports meanwhile is part of it.
        """
        if not self._depth:
            self._look(limits=True)
            self._thread, self._importing = threading.get_ident(), what
        elif self._thread != threading.get_ident():
            return
        self._depth += 1

    def end(self) -> None:
        """End the one that began last; the outermost is compared."""
        if self._depth and self._thread == threading.get_ident():
            if self._depth == 1:
                try:
                    self._look(limits=True)
                finally:
                    self._importing = ""
            self._depth -= 1

    def after_cell(self, cell: str) -> None:
        """Compare after a cell: what no import changed, it did."""
        if self._depth and self._thread == threading.get_ident():
            self._depth, self._importing = 0, ""
        self._ended = cell
        try:
            self._look()
        finally:
            self._ended = ""

    def changes(self) -> tuple[Change, ...]:
        """Give what is not as it was when all began, with who did it."""
        if not self._users:
            return ()
        self._look()
        return tuple(each for each in self._changes.values() if self._holds(each))

    def own(self, name: str, python: str | None, native: str | None) -> None:
        """Take a variable for unchanged that a limit of omp_magic has set, or put back."""
        if self._users:
            for known, value in ((self._python, python), (self._native, native)):
                if value is None:
                    known.pop(os.fsencode(name), None)
                else:
                    known[os.fsencode(name)] = os.fsencode(value)

    def _look(self, *, limits: bool = False) -> None:
        """Compare, and put what has changed since the last look down to who was at work.

        RLIMITs are 16 calls to the kernel, more than a cell that changed nothing may cost.
        """
        if not self._users or not self._lock.acquire(blocking=False):
            return
        try:
            mask = main_mask()
            if mask != self._mask:
                before, self._mask = self._mask, mask
                self._note(_AFFINITY, _listed(before), _listed(mask))
            python = python_variables()
            if self._c is None and self._c_is_there:
                self._find_c()
            if python != self._python or (self._c is not None and self._c.changed()):
                self._compare_variables(python)
            values: dict[Key, Value] = {**modes()}
            if limits:
                values.update((("rlimit", name), each) for name, each in rlimits().items())
            if not values.items() <= self._values.items():
                for key, value in values.items():
                    known = self._values.get(key, value)
                    self._values[key] = value
                    if known != value:
                        self._note(key, as_text(known), as_text(value))
        finally:
            self._lock.release()

    def _find_c(self) -> None:
        """Find C's environment once somebody has imported ctypes: we do not before the user."""
        if not hasattr(sys.modules.get("ctypes"), "PyDLL"):
            return
        from ..machine.here import variables_here  # noqa: PLC0415 - loading must stay cheap

        try:
            self._c = variables_here()
        except OSError:
            self._c_is_there = False
            return
        # What C has otherwise than Python at the first look was so before: it is nobody's.
        native, python = self._c.read(), python_variables()
        for name in _different(native, self._native):
            if python.get(name) != self._python.get(name):
                continue  # That is a change.
            self._native.pop(name, None)
            if name in native:
                self._native[name] = native[name]

    def _compare_variables(self, python: Mapping[bytes, bytes]) -> None:
        old_python, old_native = self._python, self._native
        self._python = dict(python)
        self._native = dict(python) if self._c is None else self._c.read()
        for name in _different(old_native, self._native) | _different(old_python, self._python):
            old, new = old_native, self._native
            if old.get(name) == new.get(name):
                old, new = old_python, self._python
            in_c = self._python.get(name) != self._native.get(name)
            key = ("variable", os.fsdecode(name))
            self._note(key, _text(old.get(name)), _text(new.get(name)), in_c=in_c)

    def _note(self, key: Key, before: str | None, after: str | None, *, in_c: bool = False) -> None:
        from ..facts.changes import HIDDEN, Change  # noqa: PLC0415 - only a change pays
        from ..knowledge.binding import BINDING, is_kept, may_be_secret  # noqa: PLC0415 - as above

        what, name = key
        imported = bool(self._importing)
        if what == "variable" and not is_kept(name, imported=imported) and key not in self._changes:
            return
        asked: tuple[str, ...] = ()
        if key == _AFFINITY:
            # A runtime binds the main thread once. What a cell does after that is the user's.
            if imported or not self._bound_before:
                values = ((each, self._native.get(each.encode())) for each in BINDING)
                asked = tuple(
                    f"{each}={_text(value)}" for each, value in values if value is not None
                )
            self._bound_before = True
        if self._first.setdefault(key, before) == after:
            del self._first[key]
            self._changes.pop(key, None)
            return
        secret = what == "variable" and may_be_secret(name)
        self._changes[key] = Change(
            what=what,
            name=name,
            before=HIDDEN if secret and before else before,
            after=HIDDEN if secret and after else after,
            # RLIMITs are not compared after each cell.
            by=self._importing or ("a cell" if what == "rlimit" else self._ended or self._cell()),
            imported=imported,
            asked=asked,
            in_c=in_c,
        )

    def _holds(self, change: Change) -> bool:
        """Tell whether a variable has the value of its change, and not that of a limit of ours."""
        if change.what != "variable" or change.hidden:
            return True
        name = os.fsencode(change.name)
        return change.after in (_text(self._native.get(name)), _text(self._python.get(name)))


STATE = State()
"""The state of this process."""


def _listed(mask: frozenset[int] | None) -> str | None:
    from ..facts.changes import as_cpu_list  # noqa: PLC0415 - only a change pays

    return None if mask is None else as_cpu_list(mask)


def _text(value: bytes | None) -> str | None:
    return None if value is None else os.fsdecode(value)


def _different(old: Mapping[bytes, bytes], new: Mapping[bytes, bytes]) -> set[bytes]:
    return {name for name, _ in old.items() ^ new.items()}
