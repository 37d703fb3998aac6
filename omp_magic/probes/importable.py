"""Which packages are imported here, and which could be; none is imported for it."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from importlib.machinery import PathFinder


def probe_importable(names: Iterable[str]) -> dict[str, bool]:
    """Give those of the names that are imported (True), or lie on ``sys.path`` (False).

    Other finders of ``sys.meta_path`` are not asked: they may run anybody's code.
    """
    imported = {name: sys.modules.get(name) is not None for name in names}
    return {name: here for name, here in imported.items() if here or _is_there(name)}


def _is_there(name: str) -> bool:
    try:
        found = PathFinder.find_spec(name)
    except Exception:  # noqa: BLE001 - a path hook of others; then it is not known to be there
        return False
    # A folder without __init__ has no loader, and is no package that anybody installed.
    return found is not None and found.loader is not None and found.origin is not None
