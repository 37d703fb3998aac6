"""`omp_magic.limit` as a decorator, and what it and the magic say of what they cannot take."""

from __future__ import annotations

import asyncio
import functools
import os
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from live import LINUX

import omp_magic
from omp_magic.errors import LimitError

pytestmark = pytest.mark.skipif(not LINUX, reason="limits need a C library with dlsym")


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
