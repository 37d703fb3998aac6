"""The omp-magic command. JSON and views on stdout, messages on stderr."""

from __future__ import annotations

import argparse
import importlib
import io
import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from . import __version__
from .api import check, snapshot
from .errors import OmpMagicError, UnknownCodeError
from .facts.libraries import Finding
from .facts.snapshots import Snapshot, as_plain
from .installed.wheels import scan
from .rules import judge
from .rules.explain import explain
from .rules.rule import SEVERITIES
from .rules.stories import STORIES
from .views.explain import Page
from .views.scan import render_scan

_FINE, _FOUND, _WRONG_USE, _NO_READER = 0, 1, 2, 141


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
        2 for wrong use or a module that cannot be imported; 141, as for a program that SIGPIPE
        ended, when the reader of stdout is gone (``| head``).
    """
    options = _parser().parse_args(arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal may know ASCII only
    commands = {"explain": _explain, "check": _check, "scan": _scan, "status": _status}
    try:
        code = commands[options.command](options)
        sys.stdout.flush()
    except BrokenPipeError:
        # Python flushes once more at its end, and would complain then; its documentation of the
        # module signal, "Note on SIGPIPE".
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _NO_READER
    return code


def _check(options: argparse.Namespace) -> int:
    try:
        found = check(*_names(options.modules), run=options.run, order=options.order)
    except OmpMagicError as error:
        print(f"omp-magic check: {error}", file=sys.stderr)
        return _WRONG_USE
    print(json.dumps(found.to_dict(), indent=2) if options.json else found)
    for gap in found.unknown:
        print(f"omp-magic check: {gap.what}: {gap.why}", file=sys.stderr)
    if found.unknown:
        return _WRONG_USE
    return _FOUND if found.failed or _is_found(found.findings, options.fail_on) else _FINE


def _scan(options: argparse.Namespace) -> int:
    try:
        scanned = scan(options.file)
    except OmpMagicError as error:
        print(f"omp-magic scan: {error}", file=sys.stderr)
        return _WRONG_USE
    facts = snapshot()
    findings = judge(replace(facts, environment=(), pools=(), load=None), scanned.libraries)
    if options.json:
        plain = {**as_plain(scanned), "findings": as_plain(findings)}
        print(json.dumps(plain, indent=2))
    else:
        print(render_scan(scanned, findings))
    return _FOUND if _is_found(findings, options.fail_on) else _FINE


def _is_found(findings: tuple[Finding, ...], fail_on: str) -> bool:
    asked = SEVERITIES[: SEVERITIES.index(fail_on) + 1]
    return any(each.severity in asked for each in findings)


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
    return _FOUND if _is_found(facts.findings, options.fail_on) else _FINE


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
    checking = commands.add_parser("check", help="say what importing modules may load")
    checking.add_argument("modules", metavar="MODULE", nargs="+", help="in the order of importing")
    checking.add_argument("--run", action="store_true", help="try the imports in a child process")
    checking.add_argument("--order", action="store_true", help="search an order that works")
    checking.add_argument("--json", action="store_true", help="one JSON object on stdout")
    scanning = commands.add_parser("scan", help="say which runtimes a wheel or a folder ships")
    scanning.add_argument("file", help="a wheel, a folder or a file, of any platform")
    scanning.add_argument("--json", action="store_true", help="one JSON object on stdout")
    for command in (status, checking, scanning):
        command.add_argument(
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
