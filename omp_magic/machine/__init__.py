"""The one door: root folder, environment, affinity, pid, clock; what the running system tells.

Only what differs from system to system, and asks the system, comes in here; it knows no runtime.
"""

from __future__ import annotations

TYPE_CHECKING = False  # typing.TYPE_CHECKING would cost an import
if TYPE_CHECKING:
    from typing import Any

    from .machine import Machine

__all__ = ["Machine"]


def __getattr__(name: str) -> Any:
    if name == "Machine":
        from .machine import Machine  # noqa: PLC0415 - who wants a part of this room loads that part

        return Machine
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
