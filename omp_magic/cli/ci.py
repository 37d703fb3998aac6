"""``omp-magic ci``: fail a pipeline that would ship runtimes that do not go together."""

from __future__ import annotations

import os
import sys
from argparse import Namespace

from .. import __version__
from ..api import snapshot
from ..auditing.chosen import BY_RUNTIMES, chosen
from ..auditing.making import audit
from ..audits import Audit
from ..checks import Check
from ..errors import NothingToAskError, OmpMagicError, RequestError
from ..facts.libraries import Gap
from ..facts.snapshots import Snapshot
from ..facts.targets import TARGETS
from ..reports import check_report, write_report
from ..rules.rule import SEVERITIES
from ..rules.shell_words import in_shell
from ..views.plain import write_lines
from .asking import names_in
from .commands import FINE, FOUND, WRONG_USE
from .parser import Parser

TOLD = "fail a pipeline that would ship a duplicate runtime or too many threads"
DEFAULT = (
    "modules: those of [tool.omp-magic] in pyproject.toml, else those of the packages here that "
    "bring a runtime; exit code 1 from an error on"
)
EXAMPLE = "omp-magic ci torch faiss --format github --write omp.sarif"
FORMATS = ("text", "json", "github", "sarif", "junit")
_WRITING = "omp-magic ci --write"
_MOST_REASONS = 3
_ASKING = (".txt", ".in", ".toml", ".lock", ".yml", ".yaml")
"""What names of files of requirements end in."""
_FILES = {".txt": "text", ".json": "json", ".sarif": "sarif", ".xml": "junit", ".md": "markdown"}


def add(parser: Parser) -> None:
    """Add what it takes."""
    parser.add_argument(
        "modules",
        metavar="MODULE",
        nargs="*",
        help="imported in this order, in a child process; files of requirements may stand here too",
    )
    parser.add_argument(
        "--requirements",
        metavar="FILE",
        action="append",
        default=[],
        help="what this would install, judged by files; without MODULE nothing is imported then",
    )
    parser.add_argument(
        "--target",
        metavar="SYSTEM-CPU",
        action="append",
        default=[],
        help=f"where that is installed: {', '.join(TARGETS)} (default: this machine)",
    )
    parser.add_argument("--python", metavar="3.N", help="the target's Python")
    parser.add_argument("--wheels", metavar="FOLDER", help="take wheels from here and fetch none")
    parser.add_argument(
        "--no-fetch", action="store_true", help="take only wheels that are in the cache"
    )
    parser.add_argument(
        "--whole", action="store_true", help="exit with 1 also where the answer is not whole"
    )
    parser.add_argument(
        "--fail-on",
        choices=SEVERITIES[:2],
        default="error",
        help="exit with 1 when there is a finding of this severity or a worse one "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--format",
        choices=FORMATS,
        default="text",
        help="github for annotations of a workflow, sarif for code scanning, junit for test "
        "reports (default: %(default)s)",
    )
    parser.add_argument(
        "--write",
        metavar="FILE",
        action="append",
        default=[],
        help=f"write it into a file too, in the form that its name ends in: {', '.join(_FILES)}",
    )


def run(options: Namespace) -> int:
    """Judge it, and say what was found."""
    try:
        paths = [check_report(path, _FILES, force=True, command=_WRITING) for path in options.write]
        found = _found(options)
        texts = {form: _written(found, form) for form in (options.format, *map(_form, paths))}
        # What was found is told, whether or not a file can be written.
        if options.format == "text":
            from ..views.audit import layout  # noqa: PLC0415 - rich, 12 ms

            write_lines(layout(found))
        else:
            print(texts[options.format])
        for path in paths:
            write_report(path, texts[_form(path)], force=True, command=_WRITING)
    except OmpMagicError as error:
        print(f"omp-magic ci: {in_shell(str(error))}", file=sys.stderr)
        return WRONG_USE
    return _code(found, options)


def _code(found: Audit, options: Namespace) -> int:
    if found.unknown:
        from ..views.check import unknown_words  # noqa: PLC0415 - rich, 12 ms

        for gap in found.unknown:
            print(f"omp-magic ci: {unknown_words(gap)}{_perhaps_a_file(gap)}", file=sys.stderr)
        return WRONG_USE
    return FOUND if found.failed or (options.whole and not found.whole) else FINE


def _perhaps_a_file(gap: Gap) -> str:
    """Say what a word that is no module, and named as a file is, would be if it were there."""
    named = os.path.splitext(gap.what)[1].lower() in _ASKING
    return "; no such file either, as --requirements FILE takes it" if named else ""


def _form(path: str) -> str:
    return _FILES[os.path.splitext(path)[1].lower()]


def _written(found: Audit, form: str) -> str:
    from ..views.formats import audit_written  # noqa: PLC0415 - as above

    return audit_written(found, form, __version__)


def _found(options: Namespace) -> Audit:
    """Ask all that is asked.

    Raises
    ------
    OmpMagicError
        When something cannot be followed.
    """
    names, files = _split(options.modules)
    files += options.requirements
    told = "as asked for"
    for word in ("target", "python", "wheels", "no_fetch"):
        if getattr(options, word) and not files:
            said = f"--{word.replace('_', '-')}"
            accepted = f"{said} with --requirements: imports are tried on this machine"
            raise RequestError(said, accepted, f"--requirements requirements.txt {said}")
    facts = snapshot()
    foreseen: list[Check] = []
    notes: list[Gap] = []
    for path in files:
        try:
            foreseen += _foreseen(path, names, options, facts)
        except NothingToAskError as error:
            notes.append(_nothing_in(path, error.reasons))
    if not names and not files:
        names, told = chosen(os.curdir)
    named = told != BY_RUNTIMES
    return audit(
        *(names, foreseen, facts),
        chosen=told,
        named=named,
        notes=notes,
        fail_on=options.fail_on,
    )


def _nothing_in(path: str, reasons: tuple[str, ...]) -> Gap:
    """Say why nothing of a file of requirements was looked into."""
    if not reasons:
        return Gap(what=path, why="it asks for no package")
    said = "; ".join(reasons[:_MOST_REASONS])
    left = len(reasons) - _MOST_REASONS
    more = f" (and {left} more)" if left > 0 else ""
    return Gap(what=path, why=f"none of its packages can be looked into: {said}{more}")


def _split(words: list[str]) -> tuple[tuple[str, ...], list[str]]:
    """Tell modules from files: pre-commit gives the names of files as words.

    A word that names a file here, with a dot or a separator in it, is no module.
    """
    files = [each for each in words if os.path.isfile(each) and {".", "/", os.sep} & set(each)]
    return tuple(names_in(each for each in words if each not in files)), files


def _foreseen(
    path: str, names: tuple[str, ...], options: Namespace, facts: Snapshot
) -> tuple[Check, ...]:
    from ..foreseen.command import checks_of  # noqa: PLC0415 - only who asks that pays

    asked = Namespace(
        run=False,
        requirements=path,
        site=None,
        cache=None,
        versions=False,
        env=[],
        has=[],
        lacks=[],
        **{each: getattr(options, each) for each in ("target", "python", "wheels", "no_fetch")},
    )
    return checks_of(list(names), asked, facts).checks
