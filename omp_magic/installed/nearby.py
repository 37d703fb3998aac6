"""The installed module that somebody perhaps meant who misspelt its name."""

from __future__ import annotations

import pkgutil
import sys

from ..errors import nearest


def nearest_module(name: str) -> str:
    """Give the top-level module whose name is nearest, or ""; nothing is imported.

    Of what lies on ``sys.path`` and comes with Python. What is private is meant by nobody.
    """
    found = {each.name for each in pkgutil.iter_modules()} | set(sys.stdlib_module_names)
    public = (each for each in sorted(found) if not each.startswith("_"))
    return nearest(name, public) if "." not in name else ""
