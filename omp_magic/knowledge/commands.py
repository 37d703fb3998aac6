"""What of a command line may be shown: the program and the script, never what they were given.

Arguments may hold passwords and tokens (``--ServerApp.token=``, a URL of a database).
Options of Python are those of its manual, "Command line and environment".
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_SEPARATOR = re.compile(r"[/\\]")
_PYTHON = re.compile(r"(python|pypy)[\d.]*(w|t|d)?(\.exe)?$", re.IGNORECASE)
_SHORT = re.compile(r"-[bBdEhiIOPqsSuvVx?]*([mc])(.*)", re.DOTALL)
_WITH_VALUE = ("-W", "-X", "--check-hash-based-pycs")
_MOST_CHARACTERS = 60
_SERVER = re.compile(r"\b(gunicorn|uwsgi|celeryd?)\b")
_ELLIPSIS = "\N{HORIZONTAL ELLIPSIS}"


def shown_command(words: Sequence[str], name: str = "") -> str:
    """Give a program as people name it, and Python's script or module.

    Parameters
    ----------
    words
        The command line. A process that has written over its own (setproctitle) has it in one.
    name
        The system's name for the process, where it has no command line.

    Examples
    --------
    >>> shown_command(["/usr/bin/python3.11", "-u", "/srv/app/train.py", "--token", "s3cret"])
    'python3.11 train.py'
    >>> shown_command(["python", "-m", "ipykernel_launcher", "-f", "kernel-1.json"])
    'python -m ipykernel_launcher'
    >>> shown_command(["python", "-c", "import secrets; ..."])
    'python -c …'
    >>> shown_command(["psql", "postgres://me:secret@host/db"])
    'psql'
    """
    words = list(words)
    while words and not words[-1]:
        words.pop()  # what is left of the room that a longer command line had
    if not words or not words[0]:
        return name
    program = _last(words[0] if len(words) > 1 else words[0].split(" ")[0])
    if len(words) == 1 or not _PYTHON.search(program):
        return _cut(program)
    return _cut(f"{program} {_script(list(words[1:]))}".rstrip())


def is_forking_server(shown: str) -> bool:
    """Tell whether a program, as `shown_command` names it, forks its workers by `os.fork` itself.

    Sources: gunicorn/arbiter.py, spawn_worker; uwsgi's "Things to know", "Preforking VS lazy-apps";
    celery's billiard, popen_fork.py.

    Examples
    --------
    >>> is_forking_server("python3.11 gunicorn"), is_forking_server("gunicorn:")
    (True, True)
    >>> is_forking_server("python train.py")
    False
    """
    return bool(_SERVER.search(shown))


def _script(rest: list[str]) -> str:
    """Give what Python runs: a script, ``-m module``, ``-c …``; "" where it waits for input."""
    while rest:
        word = rest.pop(0)
        if not word.startswith("-"):
            return _last(word)
        option = _SHORT.match(word)
        if option is not None:
            what = (option[2] or "".join(rest[:1])) if option[1] == "m" else _ELLIPSIS
            return f"-{option[1]} {_last(what)}"
        if word in _WITH_VALUE:
            rest[:1] = []
    return ""


def _last(path: str) -> str:
    return _SEPARATOR.split(path.rstrip("/\\"))[-1]


def _cut(text: str) -> str:
    return text if len(text) <= _MOST_CHARACTERS else text[: _MOST_CHARACTERS - 1] + _ELLIPSIS
