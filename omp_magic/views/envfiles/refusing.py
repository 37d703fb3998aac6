"""What a format cannot hold: refused in one line."""

from __future__ import annotations

import re

from ...errors import StartError
from ...facts.sheets import Sheet, SheetLine
from ...starts.asking import example_of

PLAIN = re.compile(r"[A-Za-z0-9_./:,@+=-]+")
"""Values that no format quotes: what each of them reads as it stands."""


def is_plain(value: str) -> bool:
    """Tell whether a value needs no quotation anywhere."""
    return PLAIN.fullmatch(value) is not None


def comments(texts: tuple[str, ...], mark: str = "#") -> list[str]:
    """Give comments, a line each; what would end or hide a line is written as an escape."""
    return [f"{mark} {printable(text)}" for text in texts]


def printable(text: str) -> str:
    """Give a text in one line."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape", "surrogatepass").decode()
        for char in text
    )


def values_of(sheet: Sheet, forbidden: str = "", *, ascii_only: bool = False) -> list[SheetLine]:
    """Give the lines of a sheet, all of which a format can hold.

    Parameters
    ----------
    sheet
        The variables.
    forbidden
        Characters that it has no way to write.
    ascii_only
        Whether it has none beyond ASCII.

    Raises
    ------
    StartError
        For the first value that it cannot hold.
    """
    for line in sheet.lines:
        value = line.value or ""
        bad = next((char for char in value if char in forbidden), "")
        bad = bad or next((char for char in value if not char.isprintable()), "")
        if not bad and ascii_only and not value.isascii():
            bad = next(char for char in value if not char.isascii())
        if bad:
            refuse(sheet, line, f"a value without {bad!r}, which this format cannot hold")
    return list(sheet.lines)


def refuse(sheet: Sheet, line: SheetLine, accepted: str) -> None:
    """Say that a value cannot be written.

    Raises
    ------
    StartError
        Always.
    """
    example = example_of(sheet.asking, "format", "python")
    raise StartError(f"{line.name}={line.value}", accepted, example)
