"""A command line of Windows in one text -> its words."""

from __future__ import annotations

import re

_WORD = re.compile(r'(?:[^\s"]|"[^"]*"?)+')


def split_command(text: str) -> tuple[str, ...]:
    r"""Split at spaces outside of quotes; backslashes before quotes are left as they are.

    That is CommandLineToArgvW's rule but for escaped quotes, which no program's name has.

    Examples
    --------
    >>> split_command('"C:\\Program Files\\python.exe" -m x "a b"')
    ('C:\\Program Files\\python.exe', '-m', 'x', 'a b')
    """
    return tuple(word.replace('"', "") for word in _WORD.findall(text))
