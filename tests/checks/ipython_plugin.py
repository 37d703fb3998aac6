"""Loads omp_magic into the shell that IPython's own tests use, and notes that it stays loaded.

`ipython_suite.py` gives it to pytest (`-p ipython_plugin`), and names it in an ipython_config.py,
so that the IPython processes that tests start load omp_magic too. It runs in IPython's environment
and imports nothing of ours but what it is told to load.
"""

from __future__ import annotations

import json
import os
import weakref
from pathlib import Path
from typing import Any

EXTENSION = "omp_magic"
CHILDREN = "OMP_MAGIC_SUITE_CHILDREN"
NOTES = "OMP_MAGIC_SUITE_NOTES"

_LOADED: weakref.WeakSet[Any] = weakref.WeakSet()
"""The shells that it was loaded into."""
_COUNTS = {"loaded before and after": 0, "not loaded": 0}
_LOST: list[str] = []


def _shell() -> Any:
    """Give the shell of the tests; none is made for us, since that would change the tests."""
    from IPython.terminal.interactiveshell import (
        TerminalInteractiveShell,
    )

    return TerminalInteractiveShell._instance


def is_loaded(shell: Any) -> bool:
    line = shell.magics_manager.magics["line"]
    return EXTENSION in shell.extension_manager.loaded and "omp_status" in line


def _load() -> bool:
    """Load it into a shell that has not had it; one that lost it is left so, and told."""
    shell = _shell()
    if shell is None:
        return False
    if shell not in _LOADED:
        _LOADED.add(shell)
        shell.extension_manager.load_extension(EXTENSION)
    return is_loaded(shell)


def pytest_itemcollected() -> None:
    _load()


def pytest_runtest_call(item: Any) -> None:
    # Tests that are skipped don't come here. Some put another shell in the place of the first one,
    # as embedding does, so this one is kept for the look afterwards.
    item.shell_with_omp_magic = _shell() if _load() else None
    if item.shell_with_omp_magic is None:
        _COUNTS["not loaded"] += 1


def pytest_runtest_teardown(item: Any) -> None:
    shell = getattr(item, "shell_with_omp_magic", None)
    if shell is None:
        return
    item.shell_with_omp_magic = None
    if is_loaded(shell):
        _COUNTS["loaded before and after"] += 1
    else:
        _LOST.append(item.nodeid)


def pytest_sessionfinish() -> None:
    shell = _shell()
    at_end = shell is not None and is_loaded(shell)
    Path(os.environ[NOTES]).write_text(
        json.dumps({**_COUNTS, "lost in": _LOST, "at the end": at_end}), "utf-8"
    )


def load_ipython_extension(shell: Any) -> None:
    """Note a process that a test started and that has omp_magic loaded."""
    if is_loaded(shell):
        with open(os.environ[CHILDREN], "a", encoding="utf-8") as notes:
            notes.write(f"{os.getpid()}\n")
