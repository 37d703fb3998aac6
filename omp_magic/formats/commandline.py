"""A command line -> its words where it is one text, and which kernel it starts."""

from __future__ import annotations

import re
from collections.abc import Sequence

_WORD = re.compile(r'(?:[^\s"]|"[^"]*"?)+')
_KERNEL = re.compile(r"(?:^|[/\\=])kernel-([\w.-]+)\.json$")
_IPYKERNEL = re.compile(r"(?:^|[/\\]|^-\w*m)ipykernel(?:_launcher)?(?:\.py)?$")
_FILE = re.compile(r"(?:^--?f=|^--IPKernelApp\.connection_file=)(.+)$", re.DOTALL)
_STEM = re.compile(r"([^/\\]+?)(?:\.json)?$")
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
    jupyter_client calls it kernel-ID.json for a server (multikernelmanager.py), and by the
    name of a temporary file where there is none, as in ``jupyter execute`` (connect.py,
    write_connection_file). So what ipykernel is told by ``-f`` is one whatever its name is.

    Examples
    --------
    >>> kernel_of(["python", "-m", "ipykernel_launcher", "-f", "/run/kernel-12ab.json"])
    '12ab'
    >>> kernel_of(["R", "--slave", "-e", "IRkernel::main()", "--args", "/run/kernel-7.json"])
    '7'
    >>> kernel_of(["python", "-m", "ipykernel_launcher", "-f", "/tmp/tmpa1b2.json"])
    'tmpa1b2'
    >>> kernel_of(["jupyter-lab", "kernel.json"]) is None
    True
    """
    words = [word for word in arguments if len(word) < _LONGEST]
    matches = (_KERNEL.search(word) for word in words)
    found = next((match[1] for match in matches if match), None)
    return found or _of_ipykernel(words)


def _of_ipykernel(words: list[str]) -> str | None:
    at = next((place for place, word in enumerate(words) if _IPYKERNEL.search(word)), None)
    if at is None:
        return None
    for place, word in enumerate(words[at + 1 :], at + 1):
        match = _FILE.search(word)
        named = match[1] if match else "".join(words[place + 1 : place + 2]) * (word == "-f")
        stem = _STEM.search(named)
        if stem is not None:
            return stem[1]
    return None
