"""The only code that reads the machine, through a `Machine`; it judges nothing.

`observe` takes a snapshot with all of them. What was read goes out as facts, with a `Gap` for each
thing that could not be.
"""

from __future__ import annotations

TYPE_CHECKING = False  # typing.TYPE_CHECKING would cost an import
if TYPE_CHECKING:
    from typing import Any

    from .cpus.budget import probe_budget

__all__ = ["probe_budget"]


def __getattr__(name: str) -> Any:
    if name == "probe_budget":
        from .cpus.budget import probe_budget  # noqa: PLC0415 - who wants another probe does not load this one

        return probe_budget
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
