"""A kernel's record as the kernel writes it, to a clean end.

It begins with the file, into which faulthandler writes; all else (`arming`) comes with the first
runtime that is loaded, or after the first cell. A cell costs two calls that write 40 bytes.
What goes wrong is one logged line, and nothing is recorded any more.
"""

from __future__ import annotations

import atexit
import json
import logging
import os
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..machine.python import recordfile as layout
from ..machine.python.own import at_fork
from ..machine.python.runtimefolder import runtime_folder
from .faulting import Faults

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from ..facts.libraries import Finding, Library
    from ..facts.snapshots import Snapshot
    from .arming import Armed

_SESSION = "JPY_SESSION_NAME"
"""The notebook's path: jupyter_server sets it for its kernels (services/sessions)."""
_VS_CODE = "__vsc_ipynb_file__"
"""VS Code puts the notebook's path under this name into the kernel."""


class Record:
    """The record of a shell's kernel.

    Parameters
    ----------
    shell
        The shell.
    """

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell
        self._pid = os.getpid()
        self._file: layout.RecordFile | None = None
        self._faults: Faults | None = None
        self._armed: Armed | None = None
        self._cell = (0, 0.0)
        self._fault_begins, self._lines_begin = layout.FAULT_AT, 0
        self._to_tell: tuple[str, ...] = ()
        self.text = False
        """Whether the cells' texts are noted too."""
        self.identity: dict[str, Any] = {}
        """Who the kernel is."""
        self.busy = False
        """Whether a cell runs."""

    @property
    def path(self) -> str:
        """The record's path; "" where nothing is recorded."""
        return self._file.path if self._file is not None else ""

    @property
    def kernel(self) -> str:
        """The kernel's id, by the name of its connection file, which a restart keeps; or ""."""
        app = getattr(getattr(self._shell, "kernel", None), "parent", None)
        name = os.path.basename(str(getattr(app, "connection_file", "") or ""))
        return name.removesuffix(".json").removeprefix("kernel-")

    @property
    def notebook(self) -> str:
        """The notebook's path as its server or VS Code gives it, or ""."""
        # On a remote server VS Code names the session "a-jvsc-….ipynb", each time another one.
        notebook = self._shell.user_ns.get(_VS_CODE) or os.environ.get(_SESSION)
        return notebook if isinstance(notebook, str) else ""

    @property
    def folder(self) -> str:
        """The folder that the kernel began in."""
        return str(getattr(self._shell, "starting_dir", ""))

    def begin(self) -> None:
        """Begin the file; where one is, it goes on."""
        if self._file is None:
            self._safely(self._begin)

    def _begin(self) -> None:
        self._pid, now = os.getpid(), time.time()
        kernel, notebook = self.kernel, self.notebook
        self.identity = {
            "pid": self._pid,
            "kernel": kernel,
            "notebook": notebook,
            "folder": self.folder,
            "python": sys.version.partition(" ")[0],
            "began": now,
        }
        folder = runtime_folder()
        os.makedirs(folder, 0o700, exist_ok=True)  # as Jupyter makes it
        # Before the own one is there, whose name is of the same notebook.
        self._to_tell = tuple(
            name
            for name in os.listdir(folder)
            if layout.is_name(name) and layout.is_of(name, kernel, notebook)
        )
        name = layout.name_of(kernel, notebook, now, self._pid)
        self._file = layout.RecordFile(os.path.join(folder, name))
        self._file.put(0, layout.MAGIC)
        result = getattr(self._shell.displayhook, "exec_result", None)
        number = getattr(result, "execution_count", None) or 0
        self._note_cell(number, now, 0.0)
        self._faults = Faults(self._file, lambda: self._safely(self._faults_lost))
        self.identity["faults"] = self._faults.kept
        self.write_identity()
        atexit.register(self._at_exit)
        _RECORDS[:] = [self]
        _register_once()
        if self._to_tell and result is not None:
            self.tell()

    def tell(self) -> None:
        """Say how this notebook's last kernel died, if it did."""
        names, self._to_tell = self._to_tell, ()
        if names:
            from .postmortems import tell_of  # noqa: PLC0415 - most kernels end cleanly

            tell_of(self, names)

    def write_identity(self) -> None:
        """Write who the kernel is, as far as it is known by now."""
        if self._file is not None:
            data = json.dumps(self.identity).encode()
            if len(data) <= layout.room(layout.IDENTITY_BYTES):
                self._file.put(layout.IDENTITY_AT, layout.packed(data))

    def before_cell(self, info: Any = None, *_: Any) -> None:
        """Note the cell that begins."""
        self.busy = True
        if self._file is None or self._pid != os.getpid():
            return
        if self._to_tell:
            self._safely(self.tell)
        try:
            if self.text:
                text = str(getattr(info, "raw_cell", "")).encode("utf-8", "replace")
                self._file.put(
                    layout.TEXT_AT, layout.packed(text[: layout.room(layout.TEXT_BYTES)])
                )
            if self._armed is not None:
                self._lines_begin = self._armed.stderr.bytes
            self._note_cell(self._number(), time.time(), 0.0)
        except Exception as error:  # noqa: BLE001 - law 7: our failure never breaks the user's cell
            self._give_up(error)

    def after_cell(self, result: Any = None, *_: Any) -> None:
        """Note that it has ended; with its begin 10 us."""
        self.busy = False
        if self._file is None or self._pid != os.getpid():
            return
        if self._to_tell:
            self._safely(self.tell)
        number, began_s = self._cell
        try:
            # A child that C forked may have written a fault; what comes is none of its own. A cell
            # may have closed the descriptor, and another file have its number by now: this tells.
            most = layout.FAULT_AT + layout.MOST_AFTER_BYTES
            self._fault_begins = self._file.end_bytes(layout.FAULT_AT, most)
            self._note_cell(
                getattr(result, "execution_count", None) or number, began_s, time.time()
            )
            if self._armed is not None:
                self._armed.after_cell()
            else:
                self.arm()
        except Exception as error:  # noqa: BLE001 - law 7: our failure never breaks the user's cell
            self._give_up(error)

    def _number(self) -> int:
        """Give the number of the cell that begins: from IPython 9 on it is counted before."""
        import IPython  # noqa: PLC0415 - a kernel has it

        return int(self._shell.execution_count) - (IPython.version_info[0] >= 9)

    def _note_cell(self, number: int, began_s: float, ended_s: float) -> None:
        file = self._file
        if file is not None:
            self._cell = number, began_s
            begins = self._fault_begins, self._lines_begin
            file.put(layout.CELL_AT, layout.CELL.pack(number, began_s, ended_s, *begins))

    def _faults_lost(self) -> None:
        """Note that a signal would leave nothing in the record from now on."""
        self.identity["faults"] = False
        self.write_identity()

    def arm(self) -> None:
        """Set up what is more than the file: see `arming`."""
        if self._file is not None and self._armed is None and self._pid == os.getpid():
            self._safely(self._arm)

    def _arm(self) -> None:
        from .arming import Armed  # noqa: PLC0415 - loading must stay cheap

        if self._file is not None:
            self._armed = Armed(self, self._file, getattr(self._shell, "kernel", None))

    def see(
        self,
        facts: Snapshot,
        findings: tuple[Finding, ...],
        coming: tuple[Library, ...] = (),
        doing: str = "",
    ) -> None:
        """Note what somebody has looked at anyway; it may be the last thing that is known."""
        self.arm()
        armed = self._armed
        if armed is not None and self._pid == os.getpid():
            self._safely(lambda: armed.see(facts, findings, coming, doing))

    def _safely(self, do: Callable[[], None]) -> None:
        try:
            do()
        except Exception as error:  # noqa: BLE001 - law 7: our failure never breaks the user's cell
            self._give_up(error)

    def _give_up(self, error: Exception) -> None:
        """Record nothing any more: the disk is full, the home is read-only, somebody closed it."""
        line = "omp_magic: nothing is recorded for a postmortem (%s: %s)"
        logging.getLogger("omp_magic").debug(line, type(error).__name__, error)
        self.end()

    def _at_exit(self) -> None:
        if self._pid == os.getpid():
            self.end(ending=True)

    def end(self, *, ending: bool = False) -> None:
        """Take everything back, and remove the record.

        Parameters
        ----------
        ending
            Whether the process ends with it, so that nobody needs its plumbing any more.
        """
        armed, self._armed = self._armed, None
        faults, self._faults = self._faults, None
        file, self._file = self._file, None
        if self in _RECORDS:
            _RECORDS.remove(self)
        for undo in (
            None if armed is None else lambda: armed.end(ending=ending),
            None if faults is None else faults.end,
            None if file is None else lambda: file.remove(ending=ending),
        ):
            try:
                if undo is not None:
                    undo()
            except Exception as error:  # noqa: BLE001 - the others must be undone all the same
                logging.getLogger("omp_magic").debug("omp_magic: not undone: %s", error)
        if not ending:
            atexit.unregister(self._at_exit)

    def in_child(self) -> None:
        """Let go in a forked child: its death is not the kernel's."""
        self._file = None
        if self._armed is not None:
            self._armed.forget()
        if self._faults is not None:
            self._faults.end()
        self._armed = self._faults = None


_RECORDS: list[Record] = []
_registered: list[bool] = []


def _register_once() -> None:
    if not _registered:
        _registered.append(at_fork(in_child=_in_child))


def _in_child() -> None:
    for record in _RECORDS:
        record.in_child()
    _RECORDS.clear()
