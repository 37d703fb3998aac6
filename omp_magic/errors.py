"""The errors of omp_magic: each holds its facts and writes its own sentence."""

from __future__ import annotations


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
    """

    def __init__(self, found: str, accepted: str, example: str) -> None:
        self.found = found
        self.accepted = accepted
        self.example = example
        super().__init__(f"found {_short(found)}; accepted: {accepted}; example: {example}")


class LimitError(RequestError):
    """A limit was asked for that cannot be set; nothing was changed."""


class TrialError(RequestError):
    """A trial was asked for that cannot be run; nothing was started."""


class UnknownCodeError(OmpMagicError, LookupError):
    """A finding's code was asked for that does not exist.

    Parameters
    ----------
    found
        The code that was asked for.
    codes
        Those that exist.
    """

    def __init__(self, found: str, codes: tuple[str, ...]) -> None:
        self.found = found
        self.codes = codes
        super().__init__(
            f"found {_short(found)}; accepted: {', '.join(codes)}; example: %omp_explain {codes[0]}"
        )


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
    """A view was asked of a snapshot taken below the views.

    Parameters
    ----------
    name
        The view that is missing.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"no {name} view is loaded: take the snapshot with omp_magic.snapshot()")


def _short(text: str, limit: int = 60) -> str:
    """Give `text` quoted, printable and at most `limit` characters long."""
    shown = ascii(text) if not text.isprintable() else repr(text)
    return shown if len(shown) <= limit else shown[: limit - 4] + "...'"
