"""The kinds of workers: which there are, and which can run a function here."""

from __future__ import annotations

import importlib
import multiprocessing
import pickle
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.reduction import ForkingPickler
from typing import Any

from ..errors import RequestError, nearest

EXAMPLE = 'omp_magic.sweep(fn, items=items, workers=[1, 2, 4], kinds="loky")'
FORK, LOKY, THREADS = "fork", "loky", "threads"
_METHODS = (FORK, "forkserver", "spawn")
_POOLS = tuple(f"pool-{method}" for method in _METHODS)
KINDS = (*_METHODS, "pool", *_POOLS, LOKY, THREADS)
"""ProcessPoolExecutor by its start method; multiprocessing.Pool by the session's start method, or
by one; joblib's loky; ThreadPoolExecutor."""
_ALL = (*_METHODS, "pool", LOKY, THREADS)
_CURES = 'kinds="loky", or fn in a module: a cell that begins with %%writefile work.py'


@dataclass(frozen=True, slots=True)
class Session:
    """What decides which kinds there are.

    Parameters
    ----------
    method
        The session's start method.
    joblib
        Whether joblib is installed.
    stranded
        Gives the names that a process which starts anew would not find.
    """

    method: str
    joblib: bool
    stranded: Callable[[tuple[Any, ...]], tuple[str, ...]]


def method_of(kind: str, session: Session) -> str:
    """Give the start method of a kind; "" for loky and threads, which have their own.

    Examples
    --------
    >>> session = Session("spawn", False, lambda what: ())
    >>> method_of("pool", session), method_of("pool-fork", session), method_of("loky", session)
    ('spawn', 'fork', '')
    """
    if kind == "pool":
        return session.method
    method = kind.removeprefix("pool-")
    return method if method in _METHODS else ""


def asked_kinds(kinds: str | Iterable[str] | None, session: Session) -> tuple[str, ...]:
    """Give the kinds that are to be compared, in the order asked.

    Where nobody asks it is loky, whose workers start anew and get functions by value; without
    joblib a ProcessPoolExecutor by the session's start method.

    Raises
    ------
    RequestError
        When one of them is no kind.
    """
    if kinds is None:
        return (LOKY,) if session.joblib else (session.method,)
    if kinds == "all":
        return _ALL
    if not isinstance(kinds, Iterable):
        raise RequestError(repr(kinds), f"all, {', '.join(KINDS)}", EXAMPLE)
    words = kinds.replace(",", " ").split() if isinstance(kinds, str) else list(kinds)
    for each in words:
        if each not in KINDS:
            near = nearest(str(each), KINDS)
            raise RequestError(repr(each), f"all, {', '.join(KINDS)}", EXAMPLE, near)
    if not words:
        raise RequestError("no kind", f"all, {', '.join(KINDS)}", EXAMPLE)
    return tuple(dict.fromkeys(words))


def usable_kinds(
    kinds: Sequence[str], fn: object, items: Sequence[Any], session: Session
) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...]]:
    """Tell which kinds can run a function for items here.

    Returns
    -------
    tuple
        The kinds, and (kind, why) of each other one.

    Raises
    ------
    RequestError
        When there is none.
    """
    refused = [(kind, next(_reasons(kind, fn, items, session), "")) for kind in kinds]
    left_out = tuple((kind, why) for kind, why in refused if why)
    usable = tuple(kind for kind, why in refused if not why)
    if not usable:
        found = "; ".join(f"{kind}: {why}" for kind, why in left_out)
        raise RequestError(found, "a function that workers can get", f"{_CURES}, then: import work")
    return usable, left_out


def _reasons(kind: str, fn: object, items: Sequence[Any], session: Session) -> Iterator[str]:
    """Give why a kind cannot be used."""
    if kind == THREADS:
        return
    if kind == LOKY:
        if not session.joblib:
            yield "joblib is not installed"
        yield from _refusal(_by_value(), fn, items)
        return
    method = method_of(kind, session)
    if method not in multiprocessing.get_all_start_methods():
        yield f"this system has no {method}"
    if method != FORK:
        names = session.stranded((fn, *items[:1]))
        if names:
            yield (
                f"{method} cannot send {', '.join(names)} of this session, "
                f"which is in no file (OMP213); this works: {_CURES}"
            )
    yield from _refusal(ForkingPickler.dumps, fn, items)


def _refusal(dumps: Callable[[Any], object], fn: object, items: Sequence[Any]) -> Iterator[str]:
    """Try to send the function and the first item."""
    for what, value in (("fn", fn), ("an item", items[0])):
        try:
            dumps(value)
        except Exception as error:  # noqa: BLE001 - whatever a class of the user's raises
            yield f"{what} cannot be sent ({type(error).__name__}: {' '.join(str(error).split())})"


def _by_value() -> Callable[[Any], object]:
    """Give cloudpickle's dumps, as loky has it: joblib had its own until 1.5."""
    for name in ("joblib.externals.cloudpickle", "cloudpickle"):
        try:
            dumps: Callable[[Any], object] = importlib.import_module(name).dumps
        except ImportError:
            continue
        return dumps
    return pickle.dumps


def counted_workers(kind: str, workers: int) -> str:
    """Give the words for so many workers of a kind: ``"2 loky workers"``.

    Examples
    --------
    >>> counted_workers("loky", 1), counted_workers("threads", 4), counted_workers("", 2)
    ('1 loky worker', '4 worker threads', '2 workers')
    """
    s = "" if workers == 1 else "s"
    if kind == THREADS:
        return f"{workers} worker thread{s}"
    return f"{workers} {kind} worker{s}" if kind else f"{workers} worker{s}"
