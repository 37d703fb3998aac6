"""``omp-magic kernel``: Jupyter kernels that start with thread counts for the CPUs allowed."""

from __future__ import annotations

import shlex
import sys
from argparse import Namespace

from ..errors import OmpMagicError, wrong
from ..kernelspecs import DEFAULT_NAME, install, installed, remove
from ..views.words import printable
from .commands import FINE, WRONG_USE
from .parser import Parser
from .run import asked_of

TOLD = "put in, list or remove Jupyter kernels that start through `omp-magic run`"
DEFAULT = "the kernel's threads are counted at each start; it is put into this environment"
EXAMPLE = "omp-magic kernel install two-threads --threads 2"
_ASKING = "omp-magic kernel install {}"


def add(parser: Parser) -> None:
    """Add what it takes."""
    parser.add_argument("action", choices=["install", "list", "remove"], help="what to do")
    # Python calls it required where nothing is missing but the action, without the default.
    parser.add_argument(
        "names", metavar="NAME", nargs="*", default=[], help="install: one; remove: one or more"
    )
    parser.add_argument("--name", help=f"the same as NAME (default for install: {DEFAULT_NAME})")
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
    names = [*options.names, *([] if options.name is None else [options.name])]
    most = {"install": 1, "list": 0}.get(options.action, len(names))
    if len(names) > most:
        accepted = "one name" if most else "no name"
        found = f"found {options.action} {shlex.join(names)}"
        return _refused(wrong(found, accepted, EXAMPLE if most else "omp-magic kernel list"))
    try:
        if options.action == "install":
            _install(options, *names)
        elif options.action == "list":
            _list()
        else:
            if not names:
                ours = ", ".join(each.name for each in installed()) or "none is there"
                example = "omp-magic kernel remove two-threads"
                return _refused(wrong("found no name", f"one or more of ours: {ours}", example))
            for name in names:
                print(f"omp-magic kernel: {printable(remove(name))} is removed")
    except OmpMagicError as error:
        return _refused(str(error))
    return FINE


def _install(options: Namespace, name: str = DEFAULT_NAME) -> None:
    asked = asked_of(options, _ASKING)
    if asked is not None:
        asked.forced({}, {})  # a kernel with what no variable mends would never start
    words = [] if options.threads is None else ["--threads", options.threads]
    words += [part for each in options.sets for part in ("--set", each)]
    words += [part for each in (asked.codes if asked else ()) for part in ("--fix", each)]
    made = install(
        name,
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
