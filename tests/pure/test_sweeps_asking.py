"""What a sweep is asked for: numbers of any kind of list, and functions whose call runs them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from omp_magic.errors import RequestError
from omp_magic.sweeping import checked_pool, checked_repeats
from omp_magic.sweeps.bars import bar
from omp_magic.sweeps.requests import checked_function, listed_points
from omp_magic.sweeps.running import Progress


def test_numbers_may_be_an_array_a_generator_or_numpy_s_own() -> None:
    asked: Any
    for asked in (np.array([2, 1]), (n for n in (2, 1, 2)), [np.int64(1), np.int32(2)], {1, 2}):
        assert listed_points(asked) == (1, 2)
    for asked in (2, np.int64(2), np.array(2), "12", b"12", np.array([1.0]), [True], None):
        with pytest.raises(RequestError):
            listed_points(asked)


def test_repeats_may_be_numpy_s_own() -> None:
    repeats = checked_repeats(np.int64(7))
    assert repeats == 7
    assert type(repeats) is int
    for wrong in (0, 1001, True, 2.0, "3"):
        with pytest.raises(RequestError, match="a whole number of runs, 1 to 1000"):
            checked_repeats(wrong)


async def coroutine() -> None: ...


def generator() -> Iterator[int]:
    yield 1


def test_a_function_whose_call_runs_nothing_of_it_is_refused() -> None:
    checked_function(len)
    for wrong in (coroutine, generator, 3):
        with pytest.raises(RequestError, match="example: omp_magic"):
            checked_function(wrong)


def test_a_refusal_has_an_example_of_its_own_kind_and_what_was_meant() -> None:
    with pytest.raises(RequestError, match=r"did you mean blas\? example: omp_magic"):
        checked_pool("blsa")
    with pytest.raises(RequestError, match="example: %%omp_sweep --pool blas"):
        checked_pool("blas=2", "%%omp_sweep --pool blas")
    with pytest.raises(RequestError, match="example: %%omp_sweep -r 7"):
        checked_repeats(0, "%%omp_sweep -r 7")


def test_the_bar_says_what_runs_and_leaves_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("tqdm", reason="without it there is no bar, and one line says so")
    with bar(True) as told:
        told(Progress(1, 6, 12.0, "2 threads"))
    said = capsys.readouterr().err
    assert "2 threads  17%|" in said
    assert "| run 2 of 6 about 12 s left" in said
    assert not said.split("\r")[-1].strip()
