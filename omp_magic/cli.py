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
from .api import check, report, snapshot
from .arguments import elsewhere, parsed
from .errors import OmpMagicError, ReportError, RequestError, UnknownCodeError
from .facts.libraries import Finding
from .facts.plain import as_plain
from .installed.nearby import nearest_module
from .installed.wheels import scan
from .profiles.enabling import disable, enable
from .reports import REPORTED, check_report
from .rules import judge
from .rules.rule import SEVERITIES
from .rules.stories import STORIES
from .views.explain import page_of
from .views.plain import write_lines
from .views.shell import in_shell
from .views.signs import ERRORS

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
    options = parsed(arguments, __version__)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors=ERRORS)  # a terminal may know ASCII only
    commands = {"explain": _explain, "check": _check, "scan": _scan, "status": _status}
    commands["report"] = _report
    commands |= {"enable": _profile, "disable": _profile}
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
    from .checks import Checks  # noqa: PLC0415 - only a check pays
    from .views.check import layout, unknown_words  # noqa: PLC0415 - as above
    from .views.formats import written  # noqa: PLC0415 - as above

    names = _names(options.modules)
    try:
        if elsewhere(options):
            return _foresee(names, options)
        if not names:
            raise RequestError("no modules", "names as import takes them", "check torch faiss")
        found = check(*names, run=options.run, order=options.order)
    except OmpMagicError as error:
        print(f"omp-magic check: {in_shell(str(error))}", file=sys.stderr)
        return _WRONG_USE
    unknown = {gap.what for gap in found.unknown}
    if _form(options) != "text":
        print(written(Checks(checks=(found,)), _form(options), __version__))
    elif found.trial is not None or not unknown.issuperset(found.modules):
        known = tuple(name for name in found.modules if name not in unknown)
        write_lines(layout(replace(found, modules=known, unknown=()), magics=False))
    for gap in found.unknown:
        print(f"omp-magic check: {unknown_words(gap)}", file=sys.stderr)
    if found.unknown:
        return _WRONG_USE
    return _FOUND if found.failed or _is_found(found.findings, options.fail_on) else _FINE


def _form(options: argparse.Namespace) -> str:
    return "json" if options.json else str(options.format)


def _foresee(names: list[str], options: argparse.Namespace) -> int:
    """Answer for other systems, or for other environments than this one."""
    from .foreseen.command import checks_of  # noqa: PLC0415 - only who asks that pays
    from .views.check import layout, unknown_words  # noqa: PLC0415 - as above
    from .views.formats import written  # noqa: PLC0415 - as above
    from .views.matrix import layout as matrix  # noqa: PLC0415 - as above

    found = checks_of(names, options, snapshot())
    if _form(options) != "text":
        print(written(found, _form(options), __version__))
    elif len(found.checks) > 1:
        write_lines(matrix(found, magics=False))
    else:
        write_lines(layout(found.checks[0], magics=False))
    unknown = dict.fromkeys(gap for each in found.checks for gap in each.unknown)
    for gap in unknown:
        print(f"omp-magic check: {unknown_words(gap)}", file=sys.stderr)
    if unknown:
        return _WRONG_USE
    partial = options.whole and not all(each.whole for each in found.checks)
    return _FOUND if partial or _is_found(found.findings, options.fail_on) else _FINE


def _scan(options: argparse.Namespace) -> int:
    from .views.scan import scan_lines  # noqa: PLC0415 - rich, 12 ms

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
        write_lines(scan_lines(scanned, findings))
    return _FOUND if _is_found(findings, options.fail_on) else _FINE


def _profile(options: argparse.Namespace) -> int:
    change = {"enable": enable, "disable": disable}[options.command]
    try:
        print(change(options.profile))
    except OmpMagicError as error:
        print(f"omp-magic {options.command}: {error}", file=sys.stderr)
        return _WRONG_USE
    return _FINE


def _is_found(findings: tuple[Finding, ...], fail_on: str) -> bool:
    asked = SEVERITIES[: SEVERITIES.index(fail_on) + 1]
    return any(each.severity in asked for each in findings)


def _explain(options: argparse.Namespace) -> int:
    from .views.explain_text import list_lines  # noqa: PLC0415 - rich, 12 ms

    try:
        page = page_of(
            options.codes or STORIES, asking="omp-magic explain", more="omp-magic explain --help"
        )
    except UnknownCodeError as error:
        print(f"omp-magic explain: {error}", file=sys.stderr)
        return _WRONG_USE
    write_lines(page.lines(magics=False) if options.codes else list_lines(page.explanations))
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
        from .views.text import layout  # noqa: PLC0415 - rich, 12 ms

        write_lines(layout(facts, magics=False))
    return _FOUND if _is_found(facts.findings, options.fail_on) else _FINE


def _report(options: argparse.Namespace) -> int:
    from .views.report import KINDS  # noqa: PLC0415 - only a report needs jinja2

    asked = {"force": options.force, "command": "omp-magic report"}
    try:
        check_report(options.file, KINDS, **asked)
    except ReportError as error:
        print(f"omp-magic report: {error}", file=sys.stderr)
        return _WRONG_USE
    if sys.path[0] != "":
        sys.path.insert(0, "")  # as in `_status`
    with _stdout_to_stderr():
        failed = [name for name in _names(options.modules) if not _imported(name)]
    if failed:
        return _WRONG_USE
    try:
        path = report(options.file, **asked)
    except ReportError as error:
        print(f"omp-magic report: {error}", file=sys.stderr)
        return _WRONG_USE
    print(f"omp-magic report: {path} is written; {REPORTED}")
    return _FINE


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
    near = nearest_module(name)
    return f"; did you mean {near}?" if near else ""
