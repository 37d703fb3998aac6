"""Names of the objects that the loader has loaded since the last look."""

from __future__ import annotations

from ..errors import ParseError
from ..machine import Machine
from ..machine.port.native import Native
from .loaderlist import after, entries, head


class Arrivals:
    """Reads only what was appended to the loader's list.

    Parameters
    ----------
    machine, native
        The running process.
    """

    def __init__(self, machine: Machine, native: Native) -> None:
        self._machine = machine
        self._native = native
        self._changes: tuple[int, int] | None = None
        self._last = 0

    def names(self) -> tuple[str, ...] | None:
        """Give the paths of what was loaded since the last look; 2 us when nothing was.

        Returns
        -------
        tuple of str or None
            None when it cannot be told from the list's end: at the first look, and where
            something was unloaded or the loader does not count.
        """
        changes = self._native.loader_changes()
        if changes is not None and changes == self._changes:
            return ()
        known = self._changes
        appended = None not in (known, changes) and known[1] == changes[1]  # type: ignore[index]  # neither is None
        self._changes = changes
        try:
            with self._machine.memory() as read:
                at = after(read, self._last) if appended and self._last else head()
                found = []
                for entry in entries(read, at):
                    self._last = entry.address
                    found.append(entry.name)
        except (OSError, ParseError):
            self._last = 0
            return None
        return tuple(found) if appended else None
