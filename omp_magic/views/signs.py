"""The signs that views draw with, on streams that cannot have them."""

from __future__ import annotations

import codecs

ERRORS = "omp_magic.signs"
"""Name of the error handler for a stream's ``errors``; see `codecs.register_error`."""

_IN_ASCII = {
    "✓": "+",
    "✖": "x",
    "→": ">",
    "·": "|",
    "…": "...",
    "▸": ">",
    "\N{EN DASH}": "-",
    "\N{MULTIPLICATION SIGN}": "x",
    **dict.fromkeys("█▉▊▋▌▍▎▏▇▆▅▄▃▂▁", "#"),
    **dict.fromkeys("─━", "-"),
    **dict.fromkeys("│┃", "|"),
    **dict.fromkeys("\N{LEFT SINGLE QUOTATION MARK}\N{RIGHT SINGLE QUOTATION MARK}", "'"),
    **dict.fromkeys("“”", '"'),
}
"""Each sign, by what every encoding has; as wide, save for the dots of what was cut."""


def encodable(text: str, stream: object) -> str:
    """Give `text` as a stream can have it: our own signs in ASCII, escapes for what is left.

    A terminal or a pipe may know ASCII only (``PYTHONIOENCODING=ascii``, ``LC_ALL=C``), and on
    Windows a pipe has the code page (cp1252), without a tick and arrows.
    """
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return text.encode(encoding, ERRORS).decode(encoding)


def _in_ascii(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end]
    told = [_IN_ASCII.get(each) or _escaped(each) for each in text]
    return "".join(told), error.end


def _escaped(sign: str) -> str:
    return sign.encode("ascii", "backslashreplace").decode("ascii")


codecs.register_error(ERRORS, _in_ascii)
