"""Windows: what is told of another process of the same user; see `port.others`.

A process is opened for questions and for reading (PROCESS_QUERY_INFORMATION, PROCESS_VM_READ), as
its user may; it does not notice. Where a thread waits is told to debuggers alone.
"""

from __future__ import annotations

from ...formats.commandline import split_command
from ..port.door import Door
from ..port.others import LISTS, VARIABLES_NOW, WAITS, Standing
from ..port.untold import UntoldOthers
from . import processes
from .modules import opened
from .threads import times_of

_LACKS = {
    WAITS: "Windows shows where the threads of another process wait to debuggers alone",
    LISTS: "Windows' loader has no scope in which a runtime serves all",
    VARIABLES_NOW: "the environment of another process is not read on Windows",
}
_NO_SUCH, _DENIED = 87, 5
"""ERROR_INVALID_PARAMETER and ERROR_ACCESS_DENIED of OpenProcess."""


class WindowsOthers(UntoldOthers):
    """See `port.Others`.

    Parameters
    ----------
    machine
        The process.
    """

    _reasons = _LACKS

    def __init__(self, machine: Door) -> None:
        self._pid = machine.pid

    def standing(self) -> Standing:
        """Ask when it began, for which a process of the same user may be opened."""
        name, parent, started, ours = "", 0, 0, True
        row = next((each for each in processes.every() if each.pid == self._pid), None)
        if row is None:
            raise ProcessLookupError("there is no such process")
        name, parent = row.command, row.parent
        try:
            with opened(self._pid, processes.QUERY_PROCESS) as handle:
                started = times_of("GetProcessTimes", handle)[0]
        except OSError as error:
            if error.errno == _NO_SUCH:
                raise ProcessLookupError("there is no such process") from None
            if error.errno != _DENIED:
                raise
            ours = False
        return Standing(
            pid=self._pid,
            name=name,
            started=started,
            user="",
            ours=ours,
            parent=parent,
            process=self._pid,
            own_pid=self._pid,
        )

    def arguments(self) -> tuple[str, ...]:
        """See `processes.command_line`."""
        return split_command(processes.command_line(self._pid))


class WindowsUsers:
    """See `port.Users`."""

    def pids(self) -> tuple[int, ...]:
        """Give those that may be opened: the user's own, and all for an administrator."""
        found = []
        for each in processes.every():
            try:
                with opened(each.pid, processes.QUERY_PROCESS):
                    found.append(each.pid)
            except OSError:
                continue
        return tuple(sorted(found))
