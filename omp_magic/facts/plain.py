"""Facts as plain dicts, lists, strings and numbers."""

from __future__ import annotations

from dataclasses import fields
from typing import Any


def as_plain(value: Any) -> Any:
    """Turn frozen facts into dicts and lists, field by field in their order."""
    if isinstance(value, tuple):
        return [as_plain(item) for item in value]
    if hasattr(value, "__dataclass_fields__"):
        return {f.name: as_plain(getattr(value, f.name)) for f in fields(value)}
    return value
