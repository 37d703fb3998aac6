"""faulthandler, pointed at a kernel's record, and the way back."""

from __future__ import annotations

import faulthandler
import os
import sys

from ..hooks.wrapping import Wrappings
from ..machine.python import recordfile as layout

TYPE_CHECKING = False  # typing.TYPE_CHECKING would cost an import
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..machine.python.recordfile import RecordFile


class Faults:
    """Has faulthandler write into a record, unless somebody else uses it.

    Where Python was started with it (``-X faulthandler``, PYTHONFAULTHANDLER, development mode) it
    wrote to stderr, which is put back. What else it may have been given to it does not tell: then
    it is left alone. Who enables or disables it later has it, and keeps it.

    Parameters
    ----------
    file
        The record.
    lost
        Called when somebody else takes faulthandler.
    """

    def __init__(self, file: RecordFile, lost: Callable[[], None]) -> None:
        self._lost = lost
        self._before = faulthandler.is_enabled()
        self._wrappings = Wrappings()
        self._ours = False
        self._calling = False
        if self._before and not _by_python():
            return
        descriptor = file.appended(layout.FAULT_AT)
        faulthandler.enable(file=descriptor, all_threads=True)
        self._ours = True
        for name in ("enable", "disable"):
            self._wrappings.put(faulthandler, name, self._around)

    @property
    def kept(self) -> bool:
        """Whether a fault would be written into the record."""
        return self._ours

    def _around(self, original: Any) -> Any:
        def call(*arguments: Any, **named: Any) -> Any:
            if self._ours and not self._calling:
                self._ours = False
                self._lost()
            return original(*arguments, **named)

        return call

    def end(self) -> None:
        """Put back what was there before, if it is still ours."""
        if self._ours:
            self._calling = True
            try:
                if self._before and sys.__stderr__ is not None:
                    faulthandler.enable(file=sys.__stderr__)
                else:
                    faulthandler.disable()
            finally:
                self._calling = False
        self._ours = False
        self._wrappings.remove()


def _by_python() -> bool:
    """Tell whether Python was started with it: -X faulthandler, -X dev, PYTHONFAULTHANDLER."""
    options = getattr(sys, "_xoptions", {})
    by_variable = not sys.flags.ignore_environment and os.environ.get("PYTHONFAULTHANDLER")
    return bool(sys.flags.dev_mode or "faulthandler" in options or by_variable)
