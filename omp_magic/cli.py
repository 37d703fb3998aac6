"""The omp-magic command. JSON and views on stdout, messages on stderr."""

from __future__ import annotations

import argparse
import importlib
import io
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from . import __version__
from .api import snapshot
from .errors import UnknownCodeError
from .rules.explain import explain
from .rules.rule import SEVERITIES
from .rules.stories import STORIES
from .snapshots import Snapshot
from .views.explain import Page

_FINE, _FOUND, _WRONG_USE = 0, 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Parameters
    ----------
    arguments
        The words after the command; those of the process when None.

    Returns
    -------
    int
        0 when there is no finding of the asked severity or a worse one, 1 when there is,
        2 for wrong use or a module that cannot be imported.
    """
    options = _parser().parse_args(arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal may know ASCII only
    return _explain(options) if options.command == "explain" else _status(options)


def _explain(options: argparse.Namespace) -> int:
    try:
        explanations = [explain(code) for code in options.codes or STORIES]
    except UnknownCodeError as error:
        print(f"omp-magic explain: {error}", file=sys.stderr)
        return _WRONG_USE
    if options.codes:
        print(Page(explanations))
    else:
        for rule in (each.rule for each in explanations):
            print(f"{rule.code}  {rule.severity:7}  {rule.summary}")
    return _FINE


def _status(options: argparse.Namespace) -> int:
    if sys.path[0] != "":
        sys.path.insert(0, "")  # as `python -m` does: a module of this folder can be imported
    with _stdout_to_stderr():
        failed = [name for name in _names(options.modules) if not _imported(name)]
    if failed:
        return _WRONG_USE
    shown = {name for name in ("cpus", "env") if getattr(options, name)}
    if options.probe:
        shown.add("cpus")
    facts = snapshot(threads=options.threads, measure=options.probe, shown=frozenset(shown))
    if options.json:
        print(facts.to_json())
    else:
        _print(facts)
    asked = SEVERITIES[: SEVERITIES.index(options.fail_on) + 1]
    return _FOUND if any(each.severity in asked for each in facts.findings) else _FINE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="omp-magic",
        description="Show the OpenMP and BLAS runtimes of a Python process, and its CPUs.",
        epilog="example: omp-magic status --import numpy,sklearn --json",
    )
    parser.add_argument("--version", action="version", version=f"omp-magic {__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    status = commands.add_parser("status", help="show this process, after importing modules")
    status.add_argument("--json", action="store_true", help="one JSON object on stdout")
    status.add_argument("--cpus", action="store_true", help="also list all that bounds the CPUs")
    status.add_argument("--probe", action="store_true", help="also measure the CPUs one gets")
    status.add_argument("--env", action="store_true", help="also list environment variables")
    status.add_argument("--threads", action="store_true", help="also list every OS thread")
    status.add_argument(
        "--import",
        dest="modules",
        metavar="MODULES",
        action="append",
        default=[],
        help="import these first, in this order: numpy,sklearn",
    )
    status.add_argument(
        "--fail-on",
        choices=SEVERITIES,
        default="error",
        help="exit with 1 when there is a finding of this severity or a worse one",
    )
    explain_parser = commands.add_parser("explain", help="explain a finding's code, or list all")
    explain_parser.add_argument("codes", metavar="CODE", nargs="*", help="OMP101 ...")
    return parser


@contextmanager
def _stdout_to_stderr() -> Iterator[None]:
    """Send what modules print while they are imported, from C too, to stderr.

    What comes out on stdout must be one JSON object.
    """
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


def _names(lists: list[str]) -> list[str]:
    return [name.strip() for names in lists for name in names.split(",") if name.strip()]


def _imported(name: str) -> bool:
    """Import a module; what goes wrong is one line on stderr."""
    try:
        importlib.import_module(name)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a module may raise anything
        print(f"omp-magic: cannot import {name}: {type(error).__name__}: {error}", file=sys.stderr)
        return False
    return True


def _print(facts: Snapshot) -> None:
    """Print the text view, in colour where the terminal has it."""
    if not sys.stdout.isatty():
        print(facts)
        return
    from rich.console import Console  # noqa: PLC0415 - only a terminal needs it here

    from .views.text import layout  # noqa: PLC0415 - only a terminal needs it here

    Console(highlight=False).print(layout(facts))
