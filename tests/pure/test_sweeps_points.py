"""Which numbers of threads are tried, and what code reads."""

from __future__ import annotations

import itertools
from collections import deque
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omp_magic.errors import RequestError
from omp_magic.sweeps.points import checked_points, points_for
from omp_magic.sweeps.reads import Watched, data_of, names_read


@pytest.mark.parametrize(
    ("affinity", "quota", "points"),
    [
        (1, None, (1,)),
        (2, None, (1, 2)),
        (2, 1.0, (1, 2)),
        (2, 0.5, (1, 2)),
        (4, 2.5, (1, 2, 3, 4)),
        (5, None, (1, 2, 3, 4, 5)),
        (10, 4.5, (1, 2, 3, 4, 5, 6, 8, 10)),
        (48, None, (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48)),
        (64, 37.2, (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 37, 38, 48, 64)),
        (2, 200.0, (1, 2)),
    ],
)
def test_points(affinity: int, quota: float | None, points: tuple[int, ...]) -> None:
    assert points_for(affinity, quota) == points


@given(st.integers(1, 2048), st.none() | st.floats(0.01, 4096))
def test_points_never_pass_the_affinity_and_have_both_sides_of_the_quota(
    affinity: int, quota: float | None
) -> None:
    points = points_for(affinity, quota)
    assert points[0] == 1
    assert points[-1] == affinity
    assert len(points) <= 26
    if quota is not None and quota <= affinity - 1:
        assert {max(1, int(quota)), -int(-quota // 1)} <= {*points}


@pytest.mark.parametrize("asked", [[0], [-1], [1.5], ["2"], [True], [None], [8193], []])
def test_wrong_numbers_are_one_line(asked: list[Any]) -> None:
    with pytest.raises(
        RequestError, match=r"accepted: whole numbers of threads, 1 to 8192; example"
    ):
        checked_points(asked)


def test_numbers_are_sorted_and_numpys_are_numbers_too() -> None:
    class Eight:
        def __index__(self) -> int:
            return 8

    assert checked_points([4, 1, Eight(), 4]) == (1, 4, 8)


def reads(text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return names_read([compile(text, "<cell>", "exec")])


@pytest.mark.parametrize(
    ("text", "read", "rebound"),
    [
        ("y = a @ b", ("a", "b"), ()),
        ("total += 1", ("total",), ("total",)),
        ("x = 3\nx += 1", (), ()),
        ("rows.append(len(rows))", ("rows",), ()),
        ("for i in items: print(i, out)", ("items", "out"), ()),
        ("z = [q * w for q in data]", ("data", "w"), ()),
        ("def f(): return g + h\nf()", ("g", "h"), ()),
        ("f = lambda k: k + m", ("m",), ()),
        ("import os\nos.getcwd()", (), ()),
        ("del gone", (), ()),
        ("x = x + 1", ("x",), ("x",)),
        ("class C:\n    a = outer", ("outer",), ()),
    ],
)
def test_names_that_code_reads(text: str, read: tuple[str, ...], rebound: tuple[str, ...]) -> None:
    names, bound = reads(text)
    assert {each for each in names if not each.startswith("__")} == {*read}
    assert bound == rebound


def grown(value: Any) -> Any:
    value.append(1)
    return value


def stepped(value: Any) -> Any:
    next(value)
    return value


@pytest.mark.parametrize(
    ("make", "change"),
    [
        (lambda: [1, 2], grown),
        (lambda: deque([1]), grown),
        (lambda: bytearray(b"ab"), lambda b: b.append(1)),
        (lambda: {"a": 1}, lambda d: d.update(a=2)),
        (lambda: {"a": [1]}, lambda d: d["a"].append(2)),
        (lambda: {1}, lambda s: s.add(2)),
        (lambda: iter([1, 2]), stepped),
        (lambda: (i for i in range(3)), stepped),
        (lambda: zip([1, 2], [3, 4], strict=True), stepped),
        (lambda: map(str, [1, 2]), stepped),
        (lambda: enumerate([1, 2]), stepped),
        (lambda: itertools.chain([1], [2]), stepped),
        (lambda: open(__file__, encoding="utf-8"), stepped),  # noqa: SIM115 - closed by the collector
    ],
)
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_value_that_changes_is_seen(make: Any, change: Any) -> None:
    value = make()
    watched = Watched({"x": value})
    assert watched.changed() == ()
    change(value)
    assert watched.changed()[0].startswith("x (a")


def test_arrays_and_tables_are_looked_into() -> None:
    import numpy as np
    import pandas as pd

    values = {
        "plain": np.ones((50, 60)),
        "turned": np.ones((50, 60)).T,
        "large": np.zeros(9_000_000),
        "frame": pd.DataFrame({"a": [1.0, 2.0], "b": [3, 4]}),
        "series": pd.Series([1.0]),
        "still": np.ones(10),
    }
    watched = Watched(values)
    values["plain"][3, 4] = 2
    values["turned"][4, 3] = 2
    values["large"][:] = 1
    values["frame"].loc[0, "a"] = 9
    values["series"].iloc[0] = 2
    assert {each.split()[0] for each in watched.changed()} == {*values} - {"still"}


def test_a_value_that_raises_when_it_is_looked_at_breaks_nothing() -> None:
    class Nasty:
        __array_interface__ = property(lambda _: 1 / 0)

        def __len__(self) -> int:
            raise RuntimeError

    assert Watched({"n": Nasty(), "m": memoryview(b"")}).changed() == ()
    closed = open(__file__, encoding="utf-8")  # noqa: SIM115 - closed on the next line
    closed.close()
    assert Watched({"f": closed}).changed() == ()


def test_what_a_function_reads() -> None:
    rows: list[int] = []

    def inner(*_: object, **__: object) -> list[int]:
        return rows

    class Owner:
        def method(self) -> list[int]:
            return rows

    owner = Owner()
    assert data_of(inner) == {"rows": rows}
    assert data_of(owner.method) == {"its object": owner, "rows": rows}
    assert data_of(partial(inner, 1, key=2)) == {"argument 1": 1, "key": 2, "rows": rows}
    assert data_of(rows.append) == {"its object": rows}
    assert data_of(len)["its object"].__name__ == "builtins"
    assert "ROWS" in data_of(_reads_a_global)


ROWS = [1]


def _reads_a_global() -> list[int]:
    return ROWS
