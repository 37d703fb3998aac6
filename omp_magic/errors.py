"""The errors of omp_magic: each holds its facts and writes its own sentence."""

from __future__ import annotations

from collections.abc import Iterable


def nearest(found: str, choices: Iterable[str]) -> str:
    """Give the choice that somebody may have meant who wrote `found`, or "".

    Upper and lower case are the same, and so are O and 0, I and 1. Codes all begin alike, so that
    one is near by its number alone.

    Examples
    --------
    >>> [nearest(each, ("openblas", "OMP101", "OMP209")) for each in ("opnblas", "1O1", "OMP999")]
    ['openblas', 'OMP101', '']
    """
    import re  # noqa: PLC0415 - only an error pays
    from difflib import get_close_matches as close_to  # noqa: PLC0415 - as above

    alike = str.maketrans("oilz", "0112")
    by_form = {each.lower().translate(alike): each for each in choices}
    form = found.lower().translate(alike)
    number = re.sub(r"^\D*0?[a-z]+|\D", "", form)
    meant = [e for e in by_form if not re.match(r"0mp\d", e) or close_to(number, [e[3:]], 1, 0.8)]
    return next((by_form[each] for each in close_to(form, meant, n=1)), "")


def wrong(found: str, accepted: str, example: str, near: str = "") -> str:
    """Give a sentence in one line: what was found, what is accepted, what was perhaps meant."""
    meant = f"; did you mean {near}?" if near else ";"
    return f"{found}; accepted: {accepted}{meant} example: {example}"


class OmpMagicError(Exception):
    """Base of every error that omp_magic raises on purpose."""


class ParseError(OmpMagicError):
    """A text of the machine is not in the form that its source documents.

    Parameters
    ----------
    what
        What was parsed, for example ``"cpu.max"``.
    found
        The offending text; shortened in the message.
    expected
        The form that is accepted.
    """

    def __init__(self, what: str, found: str, expected: str) -> None:
        self.what = what
        self.found = found
        self.expected = expected
        super().__init__(f"{what}: found {_short(found)}, expected {expected}")


class RequestError(OmpMagicError, ValueError):
    """Something was asked for in words that cannot be followed; nothing was changed.

    Parameters
    ----------
    found
        The words at fault.
    accepted
        What would have been accepted.
    example
        A line that works.
    near
        What was perhaps meant, or "".
    """

    def __init__(self, found: str, accepted: str, example: str, near: str = "") -> None:
        self.found = found
        self.accepted = accepted
        self.example = example
        self.near = near
        super().__init__(wrong(f"found {_short(found)}", accepted, example, near))


class NothingToAskError(RequestError):
    """Nothing is named, and where names were looked for there are none."""

    reasons: tuple[str, ...] = ()
    """Why each thing that was there could not be followed."""


class LimitError(RequestError):
    """A limit was asked for that cannot be set; nothing was changed."""


class ProcessError(RequestError):
    """A process was asked about that is not looked at; nothing was done to it.

    Parameters
    ----------
    pid
        Its number, or the word that is none.
    why
        What it is instead of a process that could be looked at.
    user
        Whose it is, where it is another user's.
    instead
        The number that was perhaps meant; 0 for none.
    """

    def __init__(self, pid: int | str, why: str, user: str = "", instead: int = 0) -> None:
        self.pid = pid
        example = f"omp-magic status --pid {instead or 4711}"
        if user:
            example = f"sudo -u {user} omp-magic status --pid {pid}"
        super().__init__(str(pid), "the number of a running process of your own", example)
        self.args = (wrong(f"found {pid}, {why}", self.accepted, example),)


class PlanError(RequestError):
    """A plan was asked for that cannot be made; nothing was looked at."""


class StartError(RequestError):
    """A program was to be started in words that cannot be followed; nothing was started or set."""


class NoFixError(OmpMagicError, ValueError):
    """A finding was to be mended by variables, and none mends it; nothing was started or set.

    Parameters
    ----------
    code
        The finding's.
    instead
        What mends it.
    """

    def __init__(self, code: str, instead: str) -> None:
        self.code = code
        self.instead = instead
        super().__init__(f"{code}: no variable mends it; {instead}")


class WorkerEndedError(OmpMagicError, RuntimeError):
    """A worker of a pool has ended with work in hand; the pool was ended too.

    Parameters
    ----------
    pool
        The kind of pool.
    pid
        The worker's.
    exit_code
        Its exit code; -9 for SIGKILL; None when not known.
    """

    def __init__(self, pool: str, pid: int, exit_code: int | None) -> None:
        self.pool = pool
        self.pid = pid
        self.exit_code = exit_code
        how = "" if exit_code is None else f" with exit code {exit_code}"
        if exit_code is not None and exit_code < 0:
            how = f" by signal {-exit_code}"
        super().__init__(f"{pool}: worker {pid} ended{how}, and its items are lost")


class UnreadResultError(OmpMagicError, RuntimeError):
    """What a worker gave, or the error of its call, cannot be unpickled; the pool was ended too.

    Parameters
    ----------
    pool
        The kind of pool.
    """

    def __init__(self, pool: str) -> None:
        self.pool = pool
        super().__init__(
            f"{pool}: what a worker gave, or the error that it raised, cannot be unpickled here"
        )


class TrialError(RequestError):
    """A trial was asked for that cannot be run; nothing was started."""


class ReportError(RequestError):
    """A report was asked for that cannot be written; no file was changed."""


class ProfileError(OmpMagicError):
    """An IPython profile that cannot be read, written or followed; it is as it was.

    Parameters
    ----------
    why
        What is wrong with it.
    path
        The file or folder.
    """

    def __init__(self, why: str, path: str) -> None:
        self.why = why
        self.path = path
        super().__init__(f"{path}: {why}")


class KernelSpecError(OmpMagicError):
    """A Jupyter kernel that cannot be put in or taken out; nothing was changed.

    Parameters
    ----------
    found
        What is wrong.
    accepted
        What would help.
    """

    def __init__(self, found: str, accepted: str) -> None:
        self.found = found
        self.accepted = accepted
        example = "omp-magic kernel install two-threads --threads 2"
        super().__init__(wrong(found, accepted, example))


class UnknownCodeError(OmpMagicError, LookupError):
    """A finding's code was asked for that does not exist.

    Parameters
    ----------
    found
        The code that was asked for.
    codes
        Those that exist.
    words
        Words that are explained too.
    asking, more
        How a code is asked for, and where all are listed.
    """

    def __init__(
        self,
        found: str,
        codes: tuple[str, ...],
        words: tuple[str, ...] = (),
        asking: str = "%omp_explain",
        more: str = "%omp_explain?",
    ) -> None:
        self.found = found
        self.codes = codes
        near = nearest(found, (*codes, *words))
        also = f", or a word such as {words[0]}" if words else ""
        accepted = f"a code such as {codes[0]}{also} (all: {more})"
        example = f"{asking} {near or codes[0]}"
        super().__init__(wrong(f"found {_short(found)}", accepted, example, near))


class Refusal(OmpMagicError):  # noqa: N818 - a mark on errors, not an error of its own
    """What an error is besides ImportError or OSError when the guard stops a load with it."""


class DuplicateRuntimeError(Refusal, ImportError):
    """The guard refused an import or a reload; nothing was mapped, no code was run."""


class DuplicateRuntimeLoadError(Refusal, OSError):
    """The guard refused a library that ctypes was to load; nothing was mapped."""


class AlarmError(Refusal, ImportError):
    """A filter of warnings made an error of the guard's."""


class DuplicateRuntimeWarning(RuntimeWarning):
    """A load that would bring a runtime that cannot live beside another one."""


class UnsendableFunctionError(Refusal, RuntimeError):
    """The guard refused a call that would give another process what it cannot find."""


class UnsafeForkWarning(RuntimeWarning):
    """A fork while a pool has started that does not survive it."""


class UnsendableFunctionWarning(RuntimeWarning):
    """A call that gives another process a function or class that it cannot find."""


class MissingRendererError(OmpMagicError, RuntimeError):
    """A view, called `name`, was asked of a snapshot taken below the views."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"no {name} view is loaded: take the snapshot with omp_magic.snapshot()")


def _short(text: str, limit: int = 60) -> str:
    """Give `text` quoted, printable and at most `limit` characters long."""
    shown = ascii(text) if not text.isprintable() else repr(text)
    return shown if len(shown) <= limit else shown[: limit - 4] + "...'"
