"""What magics answer with; what cannot be done is one line for the user."""

from __future__ import annotations

from typing import TYPE_CHECKING

from IPython.core.error import UsageError

from ..api import check, explain, report
from ..errors import OmpMagicError, ReportError, UnknownCodeError, nearest
from ..reports import REPORTED
from .asking import wrong_use

if TYPE_CHECKING:
    from argparse import Namespace

    from ..checks import Check, Checks
    from ..views.explain import Page
    from .watch import Watch

_MAGIC = "%omp_report"


def explained(codes: list[str]) -> Page:
    """Explain codes, or what is found now.

    Raises
    ------
    UsageError
        When there is no such code.
    """
    try:
        return explain(*codes)
    except UnknownCodeError as error:
        raise UsageError(f"omp_explain: {error}") from None


def checked(options: Namespace) -> Check | Checks:
    """Say what importing modules may load.

    Raises
    ------
    UsageError
        When a name is no module's.
    """
    names = [name for word in options.modules for name in word.split(",") if name]
    try:
        return check(
            *names,
            run=options.run,
            order=options.order,
            target=options.target,
            site=options.site,
            requirements=options.requirements,
        )
    except OmpMagicError as error:
        raise UsageError(f"omp_check: {error}") from None


def guarded(words: list[str], watch: Watch, accepted: str) -> None:
    """Set the guard's mode, and say how it stands.

    Raises
    ------
    UsageError
        When there is no such mode.
    """
    words = words or ["status"]
    if len(words) > 1 or words[0] not in accepted.split(", "):
        found, near = f"found {' '.join(words)!r}", nearest(words[0], accepted.split(", "))
        raise UsageError(wrong_use("omp_guard", found, accepted, "%omp_guard raise", near))
    if words[0] != "status":
        watch.set_mode(words[0])
    print(watch.tell())


def reported(words: list[str], *, force: bool) -> None:
    """Write a report to the one file that is named.

    Parameters
    ----------
    words
        What stands on the magic's line; quotes around a name with spaces are still there.
    force
        Whether a file that is there may be replaced.

    Raises
    ------
    UsageError
        In one line, when nothing can be written.
    """
    if len(words) != 1:
        found = f"found {len(words)} file names"
        raise UsageError(wrong_use("omp_report", found, "one FILE, --force", f"{_MAGIC} omp.html"))
    name = words[0]
    if len(name) > 1 and name[0] == name[-1] and name[0] in "'\"":
        name = name[1:-1]
    try:
        path = report(name, force=force, command=_MAGIC)
    except ReportError as error:
        raise UsageError(f"omp_report: {error}") from None
    print(f"omp_report: {path} is written; {REPORTED}")
