"""Text without colour, no line wider than the terminal."""

from __future__ import annotations

import io
import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import RenderableType

_NARROWEST, _WIDEST = 60, 100


def terminal_columns() -> int:
    """Give the width that text is made for."""
    columns = shutil.get_terminal_size((_WIDEST, 24)).columns
    return min(_WIDEST, max(_NARROWEST, columns))


def encodable(text: str, stream: object) -> str:
    """Give `text` with escapes for what a stream cannot encode, as IPython shows results.

    A terminal or a pipe may know ASCII only (``PYTHONIOENCODING=ascii``, ``LC_ALL=C``).
    """
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)


def plain_text(*parts: RenderableType) -> str:
    """Give what a rich console would print, without colour and without spaces at line ends."""
    from rich.console import Console  # noqa: PLC0415 - 30 ms; whoever wants the width alone pays none

    console = Console(
        file=io.StringIO(),
        width=terminal_columns(),
        color_system=None,
        force_terminal=False,
        force_jupyter=False,
        legacy_windows=False,
    )
    with console.capture() as capture:
        for part in parts:
            console.print(part)
    return "\n".join(line.rstrip() for line in capture.get().rstrip().split("\n"))
