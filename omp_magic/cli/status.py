"""``omp-magic status``: this process, after importing modules."""

from __future__ import annotations

from argparse import Namespace

from ..api import snapshot
from ..rules.rule import SEVERITIES
from ..views.plain import write_lines
from .asking import all_imported, is_found
from .commands import FINE, FOUND, WRONG_USE
from .parser import Parser, add_fail_on, add_modules

TOLD = "show this process, after importing modules"
DEFAULT = "nothing is imported, text in short, exit code 1 from an error on"
EXAMPLE = "omp-magic status --import numpy sklearn --cpus"


def add(parser: Parser) -> None:
    """Add what it takes."""
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.add_argument("--cpus", action="store_true", help="also list all that bounds the CPUs")
    parser.add_argument("--probe", action="store_true", help="also measure the CPUs one gets")
    parser.add_argument("--env", action="store_true", help="also list environment variables")
    parser.add_argument("--threads", action="store_true", help="also list every OS thread")
    add_modules(parser)
    add_fail_on(parser, SEVERITIES)


def run(options: Namespace) -> int:
    """Show it."""
    if not all_imported(options.modules):
        return WRONG_USE
    shown = {name for name in ("cpus", "env") if getattr(options, name)}
    if options.probe:
        shown.add("cpus")
    facts = snapshot(threads=options.threads, measure=options.probe, shown=frozenset(shown))
    if options.json:
        print(facts.to_json())
    else:
        from ..views.text import layout  # noqa: PLC0415 - rich, 12 ms

        write_lines(layout(facts, magics=False))
    return FOUND if is_found(facts.findings, options.fail_on) else FINE
