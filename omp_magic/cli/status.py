"""``omp-magic status``: this process, after importing modules, or another one from outside."""

from __future__ import annotations

import sys
from argparse import Namespace
from typing import TYPE_CHECKING

from ..rules.rule import SEVERITIES
from ..views.plain import write_lines
from .asking import all_imported, is_found
from .commands import FINE, FOUND, WRONG_USE
from .parser import Parser, add_fail_on, add_modules

if TYPE_CHECKING:
    from ..facts.snapshots import Snapshot

TOLD = "show this process, after importing modules, or another one from outside"
DEFAULT = "nothing is imported, text in short, exit code 1 from an error on"
EXAMPLE = "omp-magic status --import numpy sklearn --cpus"


def add(parser: Parser) -> None:
    """Add what it takes."""
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.add_argument("--cpus", action="store_true", help="also list all that bounds the CPUs")
    parser.add_argument("--probe", action="store_true", help="also measure the CPUs one gets")
    parser.add_argument("--env", action="store_true", help="also list environment variables")
    parser.add_argument(
        "--threads", action="store_true", help="also list every OS thread; with --pid where it is"
    )
    parser.add_argument(
        "--pid",
        metavar="PID",
        help="another process of yours, read only: nothing is attached to or stopped",
    )
    add_modules(parser)
    add_fail_on(parser, SEVERITIES)


def run(options: Namespace) -> int:
    """Show it."""
    shown = frozenset(name for name in ("cpus", "env") if getattr(options, name))
    if options.pid is None:
        if not all_imported(options.modules):
            return WRONG_USE
        facts = _own(options, shown)
    elif options.modules or options.probe:
        option = "--import" if options.modules else "--probe"
        told = f"found {option} with --pid; {option} is done in this process alone"
        print(f"omp-magic status: {told}; example: {EXAMPLE}", file=sys.stderr)
        return WRONG_USE
    else:
        from ..outside.process import look_at, number_of  # noqa: PLC0415 - only another process pays

        facts = look_at(number_of(options.pid), threads=options.threads, shown=shown)
    if options.json:
        print(facts.to_json())
    else:
        from ..views.text import layout  # noqa: PLC0415 - rich, 12 ms

        write_lines(layout(facts, magics=False))
    return FOUND if is_found(facts.findings, options.fail_on) else FINE


def _own(options: Namespace, shown: frozenset[str]) -> Snapshot:
    from ..api import snapshot  # noqa: PLC0415 - half of its cost, which another process needs not

    shown = shown | {"cpus"} if options.probe else shown
    return snapshot(threads=options.threads, measure=options.probe, shown=shown)
