"""The words of what imports changed in this process, where no other part of a view has them."""

from __future__ import annotations

from ..facts.changes import Change
from ..facts.snapshots import Snapshot


def changes_of(snapshot: Snapshot) -> tuple[str, ...]:
    """Give what imports changed here, a line for each.

    The CPUs stand at the budget, and variables that matter in their table. Other variables are
    told beside that table alone.
    """
    return tuple(
        f"{' '.join(filter(None, (change.what, change.name)))}: "
        f"{_value(change.before)} before, {_value(change.after)} since {change.by}"
        for change in snapshot.changes
        if change.imported and change.what != "affinity" and _is_told(change, snapshot)
    )


def _is_told(change: Change, snapshot: Snapshot) -> bool:
    if change.what != "variable":
        return True
    return "env" in snapshot.shown and snapshot.setting(change.name) is None


def _value(value: str | None) -> str:
    return "not set" if value is None else value or "empty"
