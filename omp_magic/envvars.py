"""Values of environment variables -> what the libraries make of them."""

from __future__ import annotations

import re

from .errors import ParseError

_TRUE = ("true", "t", "1", "yes", "y", "on", ".true.", ".t.", "enabled")
"""What LLVM takes for true: openmp/runtime/src/kmp_str.cpp, __kmp_str_match_true."""


def parse_thread_list(name: str, text: str) -> tuple[int, ...]:
    """Read the value of OMP_NUM_THREADS: one number a nesting level, ``"4"`` or ``"4,2"``.

    Parameters
    ----------
    name
        The variable, for the message.
    text
        Its value.

    Returns
    -------
    tuple of int
        At least one number, each 1 or more.

    Raises
    ------
    ParseError
        When it is anything else: the libraries then ignore it (OpenMP 5.2, section 21.2.2).
    """
    words = [word.strip() for word in text.split(",")]
    if not all(re.fullmatch(r"\+?\d{1,9}", word, re.ASCII) and int(word) > 0 for word in words):
        raise ParseError(name, text, "a number of threads such as '4', or a list such as '4,2'")
    return tuple(int(word) for word in words)


def is_true(text: str | None) -> bool:
    """Tell whether an LLVM or Intel OpenMP runtime takes this value for true."""
    return text is not None and text.strip().lower() in _TRUE
