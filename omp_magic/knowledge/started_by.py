"""How a child process was started, and what it is for, by its command line.

Sources: CPython's Lib/multiprocessing (spawn.py, get_command_line; forkserver.py, ensure_running;
resource_tracker.py, ensure_running; semaphore_tracker.py before 3.8) and loky's backend
(popen_loky_posix.py, resource_tracker.py).
"""

from __future__ import annotations

import re

FORK, FORKSERVER, SPAWN, LOKY, EXEC = "fork", "forkserver", "spawn", "loky", "exec"
FORK_SERVER = "fork server"

_HELPERS = (
    (re.compile(r"\bloky\.backend\.(resource|semaphore)_tracker import main"), "loky's tracker"),
    (re.compile(r"\bresource_tracker import main"), "resource tracker"),
    (re.compile(r"\bsemaphore_tracker import main"), "semaphore tracker"),
    (re.compile(r"\bforkserver import main"), FORK_SERVER),
)
_STARTERS = (
    (re.compile(r"\bloky\.backend\.popen_loky"), LOKY),
    (re.compile(r"\bmultiprocessing\.spawn import spawn_main|--multiprocessing-fork\b"), SPAWN),
)


def helper_of(command: str) -> str:
    """Give what a process with a program of its own is for, where it works for nobody; else "".

    Whoever was forked from a fork server has its command line and is none: it is not asked for.

    Examples
    --------
    >>> helper_of("python -c from multiprocessing.resource_tracker import main;main(5)")
    'resource tracker'
    >>> helper_of("python work.py")
    ''
    """
    return next((name for pattern, name in _HELPERS if pattern.search(command)), "")


def starter_of(command: str) -> str:
    """Give who started a process with a program of its own: `SPAWN`, `LOKY` or `EXEC`.

    Examples
    --------
    >>> starter_of("python -c from multiprocessing.spawn import spawn_main; spawn_main(5)")
    'spawn'
    """
    return next((name for pattern, name in _STARTERS if pattern.search(command)), EXEC)
