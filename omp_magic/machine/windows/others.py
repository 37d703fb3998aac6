"""Windows: what is told of another process of the same user; see `port.others`.

A process is opened for questions and for reading (PROCESS_QUERY_INFORMATION, PROCESS_VM_READ), as
its user may; it does not notice. Where a thread waits is told to debuggers alone.
"""

from __future__ import annotations

from collections.abc import Collection

from ...formats.commandline import split_command
from ...formats.procfs import Mapped
from ..port.door import Door
from ..port.others import LISTS, VARIABLES_NOW, WAITS, Lists, Standing, WaitRow
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


class WindowsOthers:
    """See `port.Others`.

    Parameters
    ----------
    machine
        The process.
    """

    def __init__(self, machine: Door) -> None:
        self._pid = machine.pid

    def lacks(self, what: str) -> str:
        """See `port.Others.lacks`."""
        return _LACKS.get(what, "")

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

    def folder(self) -> str:
        """See `port.Others.folder`."""
        raise OSError("it is not asked for on this system")

    def waits(self, tids: Collection[int]) -> tuple[WaitRow, ...]:
        """See `port.Others.waits`."""
        del tids
        raise OSError(_LACKS[WAITS])

    def lists(self) -> Lists:
        """See `port.Others.lists`."""
        raise OSError(_LACKS[LISTS])

    def variables_now(self) -> dict[str, str]:
        """See `port.Others.variables_now`."""
        raise OSError(_LACKS[VARIABLES_NOW])

    def number(self, file: Mapped, name: str) -> int | None:
        """See `port.Others.number`: nothing is looked up in its libraries."""

    def functions_at(self, file: Mapped, addresses: Collection[int]) -> dict[int, str]:
        """See `port.Others.functions_at`."""
        del file, addresses
        return {}


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
