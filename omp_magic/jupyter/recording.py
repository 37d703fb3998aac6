"""The recorder as a shell has it: a kernel's record from loading the extension on.

What makes the record (`recorded`) is not imported for a cell that only loads the extension, since
nothing else can end the kernel there: it begins after that cell. A cell that goes on after the load
has it at once, and where a profile loads the extension the first cell has it before its code runs.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False  # typing.TYPE_CHECKING would cost an import
if TYPE_CHECKING:
    from typing import Any

    from IPython.core.interactiveshell import InteractiveShell

    from ..facts.libraries import Finding, Library
    from ..facts.snapshots import Snapshot
    from .recorded import Record

_LOADS = ("%load_ext ", "%reload_ext ")


class Recorder:
    """The record of a shell's kernel; nothing where the shell is no kernel's."""

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell
        self._record: Record | None = None
        self._pid = os.getpid()
        self._depth = 0
        self.text = False
        """Whether the cells' texts are noted too."""
        self.wanted = False
        """Whether there is to be a record."""

    @property
    def record(self) -> Record:
        """The record; where none is wanted it is one that has not begun."""
        from .recorded import Record  # noqa: PLC0415 - loading must stay cheap

        if self._record is None:
            self._record = Record(self._shell)
        return self._record

    def begin(self) -> None:
        """Have a record from now on; in a terminal none, where the runtime's line is seen."""
        self.wanted = getattr(self._shell, "kernel", None) is not None
        result = getattr(self._shell.displayhook, "exec_result", None)
        cell = getattr(getattr(result, "info", None), "raw_cell", None)
        if self.wanted and cell is not None and not _only_loads(str(cell)):
            self._begun()

    def end(self) -> None:
        """Take everything back, and remove the record."""
        self.wanted = False
        record, self._record = self._record, None
        if record is not None:
            record.end()

    def before_cell(self, info: Any = None, *_: Any) -> None:
        """Note the cell that begins; one that another cell runs is a part of that."""
        self._depth += 1
        if self._depth == 1 and (record := self._begun()) is not None:
            record.text = self.text
            record.before_cell(info)

    def after_cell(self, result: Any = None, *_: Any) -> None:
        """Note that it has ended; with its begin 10 us."""
        self._depth = max(0, self._depth - 1)
        if not self._depth and (record := self._begun()) is not None:
            record.after_cell(result)

    def see(
        self,
        facts: Snapshot,
        findings: tuple[Finding, ...],
        coming: tuple[Library, ...] = (),
        doing: str = "",
    ) -> None:
        """Note what somebody has looked at anyway; it may be the last thing that is known."""
        if (record := self._begun()) is not None:
            record.see(facts, findings, coming, doing)

    def _begun(self) -> Record | None:
        """Give the record; None where none is wanted, or this is a forked child."""
        if not self.wanted or self._pid != os.getpid():
            return None
        if self._record is None:
            try:
                self.record.begin()
            except Exception:  # noqa: BLE001 - law 7: our failure never breaks the user's cell
                self.wanted = False
        return self._record


def _only_loads(cell: str) -> bool:
    cell = cell.strip()
    return cell.startswith(_LOADS) and "\n" not in cell
