"""Names from outside, made to fit: they may be of any length and hold any character."""

from __future__ import annotations

from ...facts.libraries import Pool
from ..words import printable

NAME = 48
"""Characters of a name that are shown."""
_LEAST_FILE = 12
"""Characters of a file's name below which the name as a whole is clipped."""
_TEXT = 200


def clipped(text: str, most: int = NAME) -> str:
    """Give `text` printable and at most `most` characters long."""
    # Cut first, too: writing 10,000 control characters as escapes would be for nothing.
    text = printable(text[: most + 1])
    return text if len(text) <= most else text[: most - 1] + "\N{HORIZONTAL ELLIPSIS}"


def named(label: str) -> str:
    """Give ``FILE (PACKAGE)`` clipped in the middle of the file's name: who loaded it stays."""
    file, opened, owner = printable(label[:_TEXT]).rpartition(" (")
    room = NAME - len(opened + owner) - 1
    if len(label) <= NAME or not opened or room < _LEAST_FILE:
        return clipped(label)
    half = room // 2
    return f"{file[: room - half]}\N{HORIZONTAL ELLIPSIS}{file[-half:]} ({owner}"


def pool_label(pool: Pool) -> str:
    """Give what a pool is called in the panel, in its table and beside its control."""
    return named(pool.name)
