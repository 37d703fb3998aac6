"""`omp_magic.limit` as a decorator, what it and the magic cannot take, and the way back.

The way back is the same whatever ends a limit and whatever the user's code did meanwhile.
"""

from __future__ import annotations

import asyncio
import functools
import os
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, cast

import pytest
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell
from live import LINUX

import omp_magic
from omp_magic.errors import LimitError
from omp_magic.here import HERE
from omp_magic.jupyter.celllimit import limited
from omp_magic.jupyter.saying import spec_of
from omp_magic.jupyter.session import Session
from omp_magic.machine.here import native_here

pytestmark = pytest.mark.skipif(not LINUX, reason="it makes libraries of ELF, and reads /proc")


def asked() -> str | None:
    """Give the limit that a child process would have."""
    return os.environ.get("OMP_NUM_THREADS")


anything: Any = asked


def wrapped(function: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate as most do: what it gives tells no longer that it is a coroutine function."""

    @functools.wraps(function)
    def wrapper(*args: Any) -> Any:
        return function(*args)

    return wrapper


class Later:
    async def __call__(self) -> str | None:
        return asked()


class Steps:
    def __call__(self) -> Iterator[str | None]:
        yield asked()


@wrapped
async def later() -> str | None:
    return asked()


@wrapped
def steps() -> Iterator[str | None]:
    yield asked()


@wrapped
async def steps_later() -> AsyncIterator[str | None]:
    yield asked()


@pytest.mark.parametrize("function", [later, Later()], ids=["another decorator", "an object"])
def test_a_coroutine_is_limited_whoever_makes_it(function: Callable[..., Any]) -> None:
    before = asked()
    assert asyncio.run(omp_magic.limit(3)(function)()) == "3"
    assert asked() == before


@pytest.mark.parametrize("function", [steps, steps_later, Steps()])
def test_a_generator_is_refused_before_it_runs_unlimited(function: Callable[..., Any]) -> None:
    before = asked()
    with pytest.raises(LimitError, match=r"found 'generator .*stops half-way"):
        omp_magic.limit(3)(function)()
    assert asked() == before


def test_a_value_that_is_a_generator_is_given_back() -> None:
    @omp_magic.limit(3)
    def counts() -> Iterator[str | None]:
        got = asked()
        return (got for _ in "ab")

    assert list(counts()) == ["3", "3"]


@pytest.mark.parametrize(
    "what",
    [
        3,
        None,
        Later,
        *(kind(anything) for kind in (classmethod, staticmethod, property)),
        functools.partial(steps.__wrapped__),  # type: ignore[attr-defined]  # functools.wraps
    ],
    ids=lambda what: type(what).__name__,
)
def test_what_is_no_function_is_refused_at_once(what: Any) -> None:
    with pytest.raises(LimitError, match="accepted: a function or coroutine function"):
        omp_magic.limit(3)(what)


def test_a_wrong_limit_is_told_with_an_example_for_programs() -> None:
    with pytest.raises(LimitError, match=r'example: omp_magic.limit\("blas=1 openmp=2"\)$'):
        omp_magic.limit(1.5)  # type: ignore[arg-type]  # what a user may write


def as_a_block(how: type[BaseException]) -> None:
    with omp_magic.limit(3):
        assert asked() == "3"
        raise how


def as_a_decorator(how: type[BaseException]) -> None:
    @omp_magic.limit(3)
    def leaves() -> None:
        assert asked() == "3"
        raise how

    leaves()


def in_a_coroutine(how: type[BaseException]) -> None:
    @omp_magic.limit(3)
    async def leaves() -> None:
        assert asked() == "3"
        raise how

    # Without a loop, whose own ways with SystemExit differ.
    leaves().send(None)


def in_a_cell_that_is_called(how: type[BaseException]) -> None:
    """As `run_cell_magic` in a function: what a cell itself raises ends in the shell."""
    shell = cast("InteractiveShell", None)
    with limited(shell, spec_of("3"), env=True, report=False, record=None):
        assert asked() == "3"
        raise how


@pytest.mark.parametrize(
    "how", [SystemExit, KeyboardInterrupt, GeneratorExit, asyncio.CancelledError, ValueError]
)
@pytest.mark.parametrize(
    "leave", [as_a_block, as_a_decorator, in_a_coroutine, in_a_cell_that_is_called]
)
def test_a_limit_is_given_back_whatever_ends_it(
    leave: Callable[[type[BaseException]], None], how: type[BaseException]
) -> None:
    before = asked()
    with pytest.raises(how):
        leave(how)
    assert (asked(), HERE.limits) == (before, ())


@pytest.mark.parametrize("was", ["5", None], ids=["set before", "not set before"])
@pytest.mark.parametrize("now", ["7", None], ids=["a value", "taken out"])
def test_what_the_user_makes_of_a_variable_meanwhile_stays_at_the_end(
    was: str | None, now: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In Python and in C; a variable that was left alone has its own value again."""
    for name in ("OMP_NUM_THREADS", "NUMEXPR_NUM_THREADS"):
        monkeypatch.setenv(name, was or "")  # which puts it back, too
        if was is None:
            del os.environ[name]
    native = native_here()
    with omp_magic.limit(3):
        assert (asked(), native.getenv("OMP_NUM_THREADS")) == ("3", "3")
        if now is None:
            del os.environ["OMP_NUM_THREADS"]
        else:
            os.environ["OMP_NUM_THREADS"] = now
    assert (asked(), native.getenv("OMP_NUM_THREADS")) == (now, now)
    assert os.environ.get("NUMEXPR_NUM_THREADS") == native.getenv("NUMEXPR_NUM_THREADS") == was


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda session: session.set("libgomp-never.so.1=1"), UsageError),
        (lambda session: session.set("no.so=1"), UsageError),
        (lambda session: session.adjust("libgomp-never.so.1", 1, "a test"), LimitError),
    ],
    ids=["set", "set to what is no limit", "adjusted"],
)
def test_a_sessions_limit_stays_in_force_when_the_next_cannot_be_set(
    change: Callable[[Session], str], error: type[Exception]
) -> None:
    """A name that no loaded library has is known only when the limit is about to begin."""
    session, before = Session(), asked()
    session.set("3")
    try:
        with pytest.raises(error, match=r"found '.*so.*'; accepted: "):
            change(session)
        assert [limit.spec for limit in HERE.limits] == ["3"]
        assert asked() == "3"
    finally:
        told = session.end()
    assert told == "omp_limit off: 3 has ended, every pool has its own count again"
    assert (asked(), HERE.limits) == (before, ())
