"""macOS: what libproc tells of another process of the same user; see `port.others`.

Its memory, and so its threads' stacks, are for debuggers: task_for_pid needs an entitlement.
"""

from __future__ import annotations

import errno
import os

from ...errors import ParseError
from ...formats.procargs import parse_procargs
from ..port.door import Door
from ..port.others import LISTS, VARIABLES_NOW, WAITS, Standing
from ..port.untold import UntoldOthers
from .calls import Calls
from .layouts import PROC_FLAG_EXEC, PROC_PIDTASKALLINFO, ProcTaskAllInfo

_DEBUGGERS = "macOS gives the memory of another process to debuggers alone"
_LACKS = {
    WAITS: f"{_DEBUGGERS}, and with it the stacks of its threads",
    LISTS: "libraries on macOS name whom they call, and no runtime serves all",
    VARIABLES_NOW: _DEBUGGERS,
}


class MacOthers(UntoldOthers):
    """See `port.Others`.

    Parameters
    ----------
    machine
        The process.
    calls
        What libSystem is asked; itself when None.
    """

    _reasons = _LACKS

    def __init__(self, machine: Door, calls: Calls | None = None) -> None:
        self._pid = machine.pid
        self._calls = calls or Calls(None)

    def standing(self) -> Standing:
        """Ask libproc, which tells of the user's own alone (proc_security_policy)."""
        try:
            told = self._calls.process(self._pid, PROC_PIDTASKALLINFO, ProcTaskAllInfo)
        except PermissionError:
            return Standing(self._pid, "", 0, "", ours=False, process=self._pid)
        except OSError as error:
            if error.errno == errno.ESRCH:
                raise ProcessLookupError(errno.ESRCH, "there is no such process") from None
            raise
        base = told.pbsd
        name = bytes(base.pbi_name or base.pbi_comm).decode("utf-8", "replace")
        return Standing(
            pid=self._pid,
            name=name,
            started=int(base.pbi_start_tvsec * 1_000_000 + base.pbi_start_tvusec),
            user=str(int(base.pbi_uid)),
            ours=int(base.pbi_uid) == os.geteuid(),
            parent=int(base.pbi_ppid),
            forked=not base.pbi_flags & PROC_FLAG_EXEC,
            process=self._pid,
            own_pid=self._pid,
            own_user=int(base.pbi_ruid),
        )

    def arguments(self) -> tuple[str, ...]:
        """Give what the kernel keeps of its start."""
        try:
            return parse_procargs(self._calls.arguments(self._pid)).arguments
        except ParseError as error:
            raise OSError(str(error)) from error


class MacUsers:
    """See `port.Users`."""

    def __init__(self, calls: Calls | None = None) -> None:
        self._calls = calls or Calls(None)

    def pids(self) -> tuple[int, ...]:
        """Ask libproc for those of the user."""
        return self._calls.of_user(os.geteuid())
