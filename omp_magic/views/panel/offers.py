"""Which pools have a number box, and what a limit calls them."""

from __future__ import annotations

from ...facts.snapshots import Snapshot
from ...limits.pools import DIALS
from .names import pool_label
from .pool_rows import key_of


def pools_to_limit(found: Snapshot) -> list[tuple[str, str, str, int]]:
    """Give the pools that a control is offered for: row, name in a limit, label, threads."""
    limitable = {dial.label: dial.name for dial in DIALS}
    rows = []
    for pool in found.pools:
        if pool.api == "unknown":
            continue
        if pool.api != "python":
            rows.append((key_of(pool), pool.library, pool_label(pool), pool.size))
        elif pool.name in limitable:
            rows.append((key_of(pool), limitable[pool.name], pool_label(pool), pool.size))
    return rows
