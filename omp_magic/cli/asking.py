"""What several commands do with their words: import modules, judge findings by severity."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from ..facts.libraries import Finding
from ..rules.rule import SEVERITIES


def is_found(findings: Iterable[Finding], fail_on: str) -> bool:
    """Tell whether there is a finding of a severity, or a worse one."""
    asked = SEVERITIES[: SEVERITIES.index(fail_on) + 1]
    return any(each.severity in asked for each in findings)


def names_in(lists: Iterable[str]) -> list[str]:
    """Give the names in words that may hold several, with commas."""
    return [name.strip() for names in lists for name in names.split(",") if name.strip()]


def all_imported(names: Iterable[str]) -> bool:
    """Import modules, in order; what goes wrong is a line each on stderr, and False.

    What they print goes to stderr, from C too: what comes out on stdout must be one JSON object.
    """
    if sys.path[0] != "":
        sys.path.insert(0, "")  # as `python -m` does: a module of this folder can be imported
    with _stdout_to_stderr():
        failed = [name for name in names_in(names) if not _imported(name)]
    return not failed


@contextmanager
def _stdout_to_stderr() -> Iterator[None]:
    sys.stdout.flush()
    try:
        kept = os.dup(1)
    except OSError:  # stdout is closed
        yield
        return
    try:
        os.dup2(2, 1)
        yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)


def _imported(name: str) -> bool:
    """Import a module; what goes wrong is one line on stderr."""
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        missing = error.name or name
        ours = name == missing or name.startswith(f"{missing}.")
        told = f"no such module: {missing}{_near(missing)}" if error.name else str(error)
        told = told if ours and error.name else f"cannot import {name}: {told}"
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a module may raise anything
        told = f"cannot import {name}: {type(error).__name__}: {error}"
    else:
        return True
    print(f"omp-magic status: {told}", file=sys.stderr)
    return False


def _near(name: str) -> str:
    from ..installed.nearby import nearest_module  # noqa: PLC0415 - only a wrong name pays

    near = nearest_module(name)
    return f"; did you mean {near}?" if near else ""
