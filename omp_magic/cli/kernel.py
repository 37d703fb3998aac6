"""``omp-magic kernel``: Jupyter kernels that start with thread counts for the CPUs allowed."""

from __future__ import annotations

import shlex
import sys
from argparse import Namespace

from ..errors import OmpMagicError
from ..kernelspecs import install, installed, remove
from ..views.words import printable
from .commands import FINE, WRONG_USE
from .parser import Parser
from .run import asked_of

TOLD = "put in, list or remove Jupyter kernels that start through `omp-magic run`"
DEFAULT = "the kernel's threads are counted at each start; it is put into this environment"
EXAMPLE = "omp-magic kernel install --threads 2 --name two-threads"
_ASKING = "omp-magic kernel install {}"


def add(parser: Parser) -> None:
    """Add what it takes."""
    parser.add_argument("action", choices=["install", "list", "remove"], help="what to do")
    parser.add_argument("names", metavar="NAME", nargs="*", help="for remove: which")
    parser.add_argument("--name", default="omp-magic", help="its name (default: %(default)s)")
    parser.add_argument("--display-name", metavar="TEXT", help="what people read")
    parser.add_argument(
        "--threads", metavar="SPEC", help="as omp-magic run has it (default: auto, at each start)"
    )
    parser.add_argument(
        "--set", dest="sets", metavar="NAME=VALUE", action="append", default=[], help="as for run"
    )
    parser.add_argument(
        "--fix", dest="codes", metavar="CODE", action="append", default=[], help="as for run"
    )
    parser.set_defaults(workers=None)
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--user", action="store_true", help="for this user")
    where.add_argument(
        "--sys-prefix", action="store_true", help="for this environment (the default)"
    )
    where.add_argument("--prefix", metavar="FOLDER", help="for another environment")


def run(options: Namespace) -> int:
    """Do it."""
    if options.action != "remove" and options.names:
        return _refused(f"{options.action} takes no name but --name: found {options.names[0]!r}")
    try:
        if options.action == "install":
            _install(options)
        elif options.action == "list":
            _list()
        else:
            for name in options.names or [options.name]:
                print(f"omp-magic kernel: {printable(remove(name))} is removed")
    except OmpMagicError as error:
        return _refused(str(error))
    return FINE


def _install(options: Namespace) -> None:
    asked = asked_of(options, _ASKING)
    if asked is not None:
        asked.forced({}, {})  # a kernel with what no variable mends would never start
    words = [] if options.threads is None else ["--threads", options.threads]
    words += [part for each in options.sets for part in ("--set", each)]
    words += [part for each in (asked.codes if asked else ()) for part in ("--fix", each)]
    made = install(
        options.name,
        label=options.display_name,
        words=words,
        user=options.user,
        prefix=options.prefix,
    )
    print(f"omp-magic kernel: {made.name} is put into {printable(made.folder)}")


def _list() -> None:
    rows = installed()
    for each in rows:
        told = shlex.join(each.words) or "--threads auto"
        print(printable(f"{each.name}  {each.label}  {told}  {each.folder}"))
    if not rows:
        print("omp-magic kernel: none is there; omp-magic kernel install puts one in")


def _refused(sentence: str) -> int:
    print(f"omp-magic kernel: {sentence}", file=sys.stderr)
    return WRONG_USE
