"""``omp-magic scan``: which runtimes a wheel or a folder ships."""

from __future__ import annotations

import json
from argparse import Namespace
from dataclasses import replace

from ..api import snapshot
from ..facts.plain import as_plain
from ..installed.wheels import scan
from ..rules import judge
from ..rules.rule import SEVERITIES
from ..views.plain import write_lines
from .asking import is_found
from .commands import FINE, FOUND
from .parser import Parser, add_fail_on

TOLD = "say which runtimes a wheel or a folder ships"
DEFAULT = "exit code 1 from an error on"
EXAMPLE = "omp-magic scan dist/package-1.0-cp312-cp312-linux_x86_64.whl"


def add(parser: Parser) -> None:
    """Add what it takes."""
    parser.add_argument("file", help="a wheel, a folder or a file, of any platform")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    add_fail_on(parser, SEVERITIES)


def run(options: Namespace) -> int:
    """Say it."""
    from ..views.scan import scan_lines  # noqa: PLC0415 - rich, 12 ms

    scanned = scan(options.file)
    facts = snapshot()
    findings = judge(replace(facts, environment=(), pools=(), load=None), scanned.libraries)
    if options.json:
        plain = {**as_plain(scanned), "findings": as_plain(findings)}
        print(json.dumps(plain, indent=2))
    else:
        write_lines(scan_lines(scanned, findings))
    return FOUND if is_found(findings, options.fail_on) else FINE
