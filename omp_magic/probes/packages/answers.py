"""What a package answers, looked up without waking it, and checked before it is believed."""

from __future__ import annotations

import re
import sys
from types import ModuleType
from typing import Any


def attribute(module: ModuleType, *names: str) -> Any:
    """Give the first of these attributes; a module's own ``__getattr__`` is not woken.

    Raises
    ------
    LookupError
        When it has none of them.
    """
    own = vars(module)
    for name in names:
        if name in own:
            return own[name]
    raise LookupError(f"this {module.__name__} has no {names[0]}")


def loaded(name: str) -> ModuleType:
    """Give a module that is loaded.

    Raises
    ------
    LookupError
        When it is not.
    """
    module = sys.modules.get(name)
    if module is None:
        raise LookupError(f"{name} is not loaded")
    return module


def count(value: Any) -> int:
    """Give a number of threads as it was answered.

    Raises
    ------
    LookupError
        When it is none.
    """
    if type(value) is not int or value < 1:
        raise LookupError(f"it answers {value!r:.40}, which is no number of threads")
    return value


def positive(text: str | None, pattern: str = r"(\d{1,9})") -> int | None:
    """Give the number that a variable holds, the pattern's group; None when it is 0 or none."""
    match = re.fullmatch(pattern, text, re.ASCII | re.DOTALL) if text is not None else None
    return int(match[1]) or None if match is not None else None
