"""A command line -> its words where it is one text, and which kernel it starts."""

from __future__ import annotations

import re
from collections.abc import Sequence

_WORD = re.compile(r'(?:[^\s"]|"[^"]*"?)+')
_KERNEL = re.compile(r"(?:^|[/\\=])kernel-([\w.-]+)\.json$")
_LONGEST = 4096


def split_command(text: str) -> tuple[str, ...]:
    r"""Split at spaces outside of quotes; backslashes before quotes are left as they are.

    That is CommandLineToArgvW's rule but for escaped quotes, which no program's name has.

    Examples
    --------
    >>> split_command('"C:\\Program Files\\python.exe" -m x "a b"')
    ('C:\\Program Files\\python.exe', '-m', 'x', 'a b')
    """
    return tuple(word.replace('"', "") for word in _WORD.findall(text))


def kernel_of(arguments: Sequence[str]) -> str | None:
    """Give the id in the name of the connection file that a command line names; None without one.

    Every launcher is told the file: kernelspecs have ``{connection_file}`` among their words, and
    jupyter_client names it so (connect.py, write_connection_file).

    Examples
    --------
    >>> kernel_of(["python", "-m", "ipykernel_launcher", "-f", "/run/kernel-12ab.json"])
    '12ab'
    >>> kernel_of(["R", "--slave", "-e", "IRkernel::main()", "--args", "/run/kernel-7.json"])
    '7'
    >>> kernel_of(["jupyter-lab", "kernel.json"]) is None
    True
    """
    matches = (_KERNEL.search(word) for word in arguments if len(word) < _LONGEST)
    return next((match[1] for match in matches if match), None)
