"""A system that does not tell all of another process: what it lacks is refused with its reason."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import ClassVar

from ...formats.procfs import Mapped
from .others import LISTS, VARIABLES_NOW, WAITS, Lists, WaitRow


class UntoldOthers:
    """The part of `port.Others` that needs the memory of a process, where that is for debuggers."""

    _reasons: ClassVar[Mapping[str, str]]
    """Why each is not told, by `WAITS`, `LISTS` and `VARIABLES_NOW`."""

    def lacks(self, what: str) -> str:
        """See `port.Others.lacks`."""
        return self._reasons.get(what, "")

    def folder(self) -> str:
        """See `port.Others.folder`."""
        raise OSError("it is not asked for on this system")

    def waits(self, tids: Collection[int]) -> tuple[WaitRow, ...]:
        """See `port.Others.waits`."""
        del tids
        raise OSError(self._reasons[WAITS])

    def lists(self) -> Lists:
        """See `port.Others.lists`."""
        raise OSError(self._reasons[LISTS])

    def variables_now(self) -> dict[str, str]:
        """See `port.Others.variables_now`."""
        raise OSError(self._reasons[VARIABLES_NOW])

    def number(self, file: Mapped, name: str) -> int | None:
        """See `port.Others.number`: nothing is looked up in its libraries."""

    def functions_at(self, file: Mapped, addresses: Collection[int]) -> dict[int, str]:
        """See `port.Others.functions_at`."""
        del file, addresses
        return {}
