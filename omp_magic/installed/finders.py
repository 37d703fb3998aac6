"""The finders of the running interpreter (sys.meta_path) that are not CPython's own."""

from __future__ import annotations

import os
import sys

_KNOWN = frozenset(
    ("_frozen_importlib", "_frozen_importlib_external", "importlib", "six", "_distutils_hack")
)


def strangers_at_work() -> bool:
    """Tell whether a finder is there whose modules may have no file that is looked at."""
    modules = (getattr(finder, "__module__", "") for finder in sys.meta_path)
    return any(
        each.partition(".")[0] not in _KNOWN and not each.startswith("__editable__")
        for each in modules
    )


def editable_folder(name: str) -> str:
    """Give the folder, or the file without its suffix, of a module installed editable; or "".

    Setuptools' finders of editable installations hold a table MAPPING
    (setuptools/command/editable_wheel.py).
    """
    for finder in sys.meta_path:
        module = getattr(finder, "__module__", "")
        table = getattr(sys.modules.get(module), "MAPPING", None)
        if module.startswith("__editable__") and isinstance(table, dict) and name in table:
            return str(table[name]).replace(os.sep, "/")
    return ""
