"""The file of a report: its kind by its name; written whole, or not at all."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

from .errors import ReportError

_ASKING = "omp_magic.report({})"

REPORTED = (
    "the home folder is ~ in it, the user's name user; read it before you send it: nothing was sent"
)
"""What is said of a report that was written."""


def check_report(path: str, kinds: Collection[str], *, force: bool, command: str = "") -> str:
    """Give the file's path, the user's folder put in for ``~``.

    Parameters
    ----------
    path
        As it was asked for.
    kinds
        The ends that a name may have.
    force
        Whether a file that is there may be replaced.
    command
        ``"%omp_report"`` or ``"omp-magic report"``; "" in Python. For the example of an error.

    Raises
    ------
    ReportError
        When the name's end is no kind's, the folder is not there, or the file is.
    """
    ends = ", ".join(kinds)
    if os.path.splitext(path)[1].lower() not in kinds:
        raise ReportError(
            path, f"a file whose name ends in {ends}", _line(f"omp{next(iter(kinds))}", command)
        )
    return check_place(path, force=force, command=command)


def check_place(path: str, *, force: bool, command: str = "", asking: str = _ASKING) -> str:
    """Give a file's path, the user's folder put in for ``~``, where one can be written.

    Parameters
    ----------
    path, force, command
        As for `check_report`.
    asking
        How Python asks for it, with ``{}`` for the path and what follows it.

    Raises
    ------
    ReportError
        When the folder is not there, or the file is.
    """
    full = os.path.expanduser(path)
    folder = os.path.dirname(full) or "."
    example = _line(os.path.basename(full) or "omp.html", command, asking=asking)
    if not full:
        raise ReportError("no name", "a file", example)
    if not os.path.isdir(folder):
        raise ReportError(f"no folder {folder}", "a file in a folder that is there", example)
    if os.path.isdir(full):
        raise ReportError(f"a folder: {path}", "a file", example)
    if os.path.lexists(full) and not force:
        raise _there(path, command, asking)
    if not os.access(folder, os.W_OK):  # told now, and not after all the work
        found = f"no right to write in {folder}"
        raise ReportError(found, "a file in a folder that can be written", example)
    return full


def write_report(
    path: str, text: str, *, force: bool, command: str = "", asking: str = _ASKING
) -> None:
    """Write a file beside its place, and put it there when it is whole.

    Parameters
    ----------
    path
        From `check_report`.
    text
        What is written, as UTF-8.
    force, command, asking
        As for `check_place`.

    Raises
    ------
    ReportError
        When the file came meanwhile, or cannot be written.
    """
    data = text.encode("utf-8", "backslashreplace")
    try:
        aside = _aside(path, data)
        try:
            _put(aside, path, force=force)
        finally:
            if os.path.lexists(aside):
                os.unlink(aside)
    except FileExistsError:
        raise _there(path, command, asking) from None
    except OSError as error:
        found = f"{error.strerror or error}: {path}"
        end = os.path.splitext(path)[1] or ".html"
        example = _line(f"omp{end}", command, asking=asking)
        raise ReportError(found, "a file that can be written", example) from None


def _aside(path: str, data: bytes) -> str:
    """Write a new file beside a place; give its path. It has the mode of any new file."""
    folder, name = os.path.split(path)
    aside = os.path.join(folder, f".{name}.{os.urandom(4).hex()}.tmp")
    try:
        with open(aside, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        if os.path.lexists(aside):
            os.unlink(aside)
        raise
    return aside


def _put(aside: str, path: str, *, force: bool) -> None:
    """Give a whole file its name.

    Raises
    ------
    FileExistsError
        When the name is taken and may not be.
    """
    if not force:
        try:
            Path(path).hardlink_to(aside)
        except FileExistsError:
            raise
        except (OSError, NotImplementedError):  # a file system, or a system, without hard links
            if os.path.lexists(path):
                raise FileExistsError from None
        else:
            return
    os.replace(aside, path)


def _there(path: str, command: str, asking: str) -> ReportError:
    more = "--force" if command else "force=True"
    accepted = f"another name, or {more} to replace it"
    return ReportError(
        f"a file that is there: {path}", accepted, _line(path, command, more, asking)
    )


def _line(path: str, command: str, more: str = "", asking: str = _ASKING) -> str:
    if command:
        return " ".join(filter(None, (command, path, more)))
    return asking.format(f"{path!r}{f', {more}' if more else ''}")
