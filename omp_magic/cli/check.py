"""``omp-magic check``: what importing modules may load, here or elsewhere."""

from __future__ import annotations

import sys
from argparse import Namespace
from dataclasses import replace

from .. import __version__
from ..api import check, snapshot
from ..errors import OmpMagicError, RequestError
from ..facts.targets import TARGETS
from ..knowledge.elsewhere import KEYS
from ..rules.rule import SEVERITIES
from ..rules.shell_words import in_shell
from ..views.plain import write_lines
from .asking import is_found, names_in
from .commands import FINE, FOUND, WRONG_USE
from .parser import Parser, add_fail_on

TOLD = "say what importing modules may load"
DEFAULT = "files are read and nothing is run, exit code 1 from an error on"
EXAMPLE = "omp-magic check torch faiss --run"
FORMATS = ("text", "json", "sarif", "github")


def add(parser: Parser) -> None:
    """Add what it takes."""
    parser.add_argument(
        "modules",
        metavar="MODULE",
        nargs="*",
        help="in the order of importing; none with --requirements: all that it asks for",
    )
    parser.add_argument("--run", action="store_true", help="try the imports in a child process")
    parser.add_argument("--order", action="store_true", help="search an order that works")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.add_argument(
        "--format",
        choices=FORMATS,
        default="text",
        help="sarif for code scanning, github for annotations of a workflow (default: %(default)s)",
    )
    add_fail_on(parser, SEVERITIES)
    _add_places(parser)


def _add_places(checking: Parser) -> None:
    """Add the options for other systems."""
    elsewhere = checking.add_argument_group("another system or environment")
    elsewhere.add_argument(
        "--target",
        metavar="SYSTEM-CPU",
        action="append",
        default=[],
        help=f"{', '.join(TARGETS)}; several: with a comma (default: this machine)",
    )
    elsewhere.add_argument(
        "--site",
        metavar="FOLDER",
        action="append",
        default=[],
        help="another environment: its site-packages, its prefix, an unpacked image",
    )
    elsewhere.add_argument(
        "--requirements",
        metavar="FILE",
        help="what this would install: a requirements.txt, pylock.toml, uv.lock, poetry.lock, "
        "pixi.lock, environment.yml",
    )
    elsewhere.add_argument(
        "--wheels", metavar="FOLDER", help="take wheels from here and fetch none"
    )
    elsewhere.add_argument(
        "--no-fetch", action="store_true", help="take only wheels that are in the cache"
    )
    elsewhere.add_argument("--cache", metavar="FOLDER", help="keep fetched wheels here")
    elsewhere.add_argument(
        "--versions",
        action="store_true",
        help="where copies clash, also fetch and try other versions",
    )
    elsewhere.add_argument(
        "--whole", action="store_true", help="exit with 1 also where the answer is not whole"
    )
    elsewhere.add_argument("--python", metavar="3.N", help="the target's Python")
    elsewhere.add_argument(
        "--env",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="a variable of the target",
    )
    for name, told in (("has", "surely has"), ("lacks", "surely lacks")):
        elsewhere.add_argument(
            f"--{name}",
            metavar="WHAT",
            action="append",
            default=[],
            help=f"what the target {told}: {', '.join(KEYS)}",
        )


def _elsewhere(options: Namespace) -> bool:
    """Tell whether a check is about another system or environment than this process."""
    lists = ("target", "site", "env", "has", "lacks")
    texts = ("requirements", "wheels", "python", "cache")  # an empty one is wrong, and is told so
    return any(getattr(options, name) for name in (*lists, "no_fetch", "versions")) or any(
        getattr(options, name) is not None for name in texts
    )


def run(options: Namespace) -> int:
    """Say it."""
    from ..checks import Checks  # noqa: PLC0415 - only a check pays
    from ..views.check import layout, unknown_words  # noqa: PLC0415 - as above
    from ..views.formats import written  # noqa: PLC0415 - as above

    names = names_in(options.modules)
    try:
        if _elsewhere(options):
            return _foresee(names, options)
        if not names:
            raise RequestError("no modules", "names as import takes them", "check torch faiss")
        found = check(*names, run=options.run, order=options.order)
    except OmpMagicError as error:
        print(f"omp-magic check: {in_shell(str(error))}", file=sys.stderr)
        return WRONG_USE
    unknown = {gap.what for gap in found.unknown}
    if _form(options) != "text":
        print(written(Checks(checks=(found,)), _form(options), __version__))
    elif found.trial is not None or not unknown.issuperset(found.modules):
        known = tuple(name for name in found.modules if name not in unknown)
        write_lines(layout(replace(found, modules=known, unknown=()), magics=False))
    for gap in found.unknown:
        print(f"omp-magic check: {unknown_words(gap)}", file=sys.stderr)
    if found.unknown:
        return WRONG_USE
    return FOUND if found.failed or is_found(found.findings, options.fail_on) else FINE


def _form(options: Namespace) -> str:
    return "json" if options.json else str(options.format)


def _foresee(names: list[str], options: Namespace) -> int:
    """Answer for other systems, or for other environments than this one."""
    from ..foreseen.command import checks_of  # noqa: PLC0415 - only who asks that pays
    from ..views.check import layout, unknown_words  # noqa: PLC0415 - as above
    from ..views.formats import written  # noqa: PLC0415 - as above
    from ..views.matrix import layout as matrix  # noqa: PLC0415 - as above

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
        return WRONG_USE
    partial = options.whole and not all(each.whole for each in found.checks)
    return FOUND if partial or is_found(found.findings, options.fail_on) else FINE
