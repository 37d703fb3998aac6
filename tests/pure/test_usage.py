"""What a cell cost, as a line and as a row of the user's table."""

from __future__ import annotations

from dataclasses import replace

import pytest

from omp_magic.errors import LimitError
from omp_magic.facts.usage import Usage
from omp_magic.views.record import appended, check_name, check_target
from omp_magic.views.usage import render_usage

USAGE = Usage(
    wall_s=2.0,
    cpu_s=3.0,
    allowed_cpus=2.5,
    threads_before=13,
    peak_threads=15,
    peak_rss_bytes=812_000_000,
    throttled_s=0.0412,
    throttled_periods=2,
    children_cpu_s=0.0,
    started_at=1_700_000_000.25,
    rss_before_bytes=512_000_000,
    rss_after_bytes=530_000_000,
    peak_threads_by_owner=(("Python", 9), ("OpenBLAS (numpy)", 4)),
    worked_by_owner=(("OpenBLAS (numpy)", 3, 2.0), ("Python", 1, 1.0), ("libzmq", 1, 0.001)),
)


def test_the_line_and_the_owners_below_it() -> None:
    assert render_usage("2", USAGE) == (
        "omp_limit 2: wall 2.00 s · CPU 3.00 s · 1.50 of 2.5 CPUs busy · peak 15 threads (+2) · "
        "peak 812 MB (512 before, 530 after) · throttled 41.2 ms in 2 periods\n"
        "  threads at most: Python 9 · OpenBLAS (numpy) 4; "
        "worked: OpenBLAS (numpy) 3 for 2.00 s CPU · Python 1 for 1.00 s CPU"
    )
    # The clocks of the two ends are read one after the other: a shorter cell kept 1.4 of 2 busy.
    short = replace(USAGE, wall_s=0.00009, cpu_s=0.00012)
    assert "wall 0.1 ms · CPU 0.1 ms · – of 2.5 CPUs busy" in render_usage("2", short)  # noqa: RUF001 - the view's own dash
    quiet = replace(USAGE, peak_threads=13, worked_by_owner=(("Python", 1, 1.0),))
    assert "\n" not in render_usage("2", quiet)


def test_rows_in_the_same_frame() -> None:
    import pandas as pd

    frame = appended(None, USAGE, spec="2", cell=7)
    held = frame
    other = replace(USAGE, peak_threads_by_owner=(("Python", 1), ("GNU libgomp (x)", 2)))
    unknown = replace(
        USAGE, peak_threads_by_owner=None, worked_by_owner=None, throttled_s=None, peak_threads=None
    )
    other = replace(other, wall_s=0.0001)
    assert appended(frame, other, spec="auto", cell=8) is held
    appended(frame, unknown, spec="auto/2", cell=None)
    assert list(held.index) == [0, 1, 2]
    assert list(held["spec"]) == ["2", "auto", "auto/2"]
    assert held["wall_s"].dtype == "float64"
    assert held["busy_cpus"].isna().tolist() == [False, True, False]
    assert held["started_at"][0] == pd.Timestamp("2023-11-14T22:13:20.25Z")
    assert held["rss_peak_bytes"][2] == 812_000_000
    assert held["cell"].isna().tolist() == [False, False, True]
    assert held["throttled_s"].isna().tolist() == [False, False, True]
    openblas, libgomp = held["threads OpenBLAS (numpy)"], held["threads GNU libgomp (x)"]
    assert (openblas[0], openblas[1], libgomp[0], libgomp[1]) == (4, 0, 0, 2)
    assert openblas.isna()[2]
    assert libgomp.isna()[2]
    assert {str(held[name].dtype) for name in held if str(name).startswith("threads ")} == {"Int64"}


def test_the_users_table_stays_the_users() -> None:
    import pandas as pd

    data = {
        "n": [2**60 + 1, 2],
        "yes": [True, False],
        "text": ["x", "y"],
        "kind": pd.Categorical(["p", "q"]),
        "when": pd.to_datetime(["2020-01-01", "2021-01-01"]),
        "wall_s": [0.5, 0.25],
        "threads note": ["u", "v"],
        "peak_threads": [1, 2],
    }
    frame = pd.DataFrame(data, index=pd.Index(["i", "j"], name="run"))
    frame.attrs["source"] = "mine"
    before = frame.copy()
    held, column = frame, frame["n"]
    appended(frame, USAGE, spec="2", cell=7)
    assert held is frame
    assert list(column) == [2**60 + 1, 2]
    kept = frame.iloc[:2][list(before.columns)]
    pd.testing.assert_frame_equal(kept, before, check_dtype=False)
    assert list(frame.index) == ["i", "j", "2"]
    assert frame.index.name == "run"
    assert frame.attrs == {"source": "mine"}
    nullable = {"n": "Int64", "yes": "boolean"}
    for name in before:
        assert frame[name].dtype == nullable.get(name, before[name].dtype), name
    assert frame["n"].iloc[0] == 2**60 + 1
    assert frame["wall_s"].iloc[2] == 2.0
    assert frame["peak_threads"].iloc[2] == 15
    assert bool(frame[["text", "kind", "when", "n", "threads note"]].iloc[2].isna().all())


@pytest.mark.parametrize(
    ("labels", "last"),
    [([5, 3], "6"), ([0.5], "1"), (["2020-01-01"], "2023-11-14 22:13:20.250000"), (["a"], "1")],
)
def test_the_label_of_the_new_row(labels: list[object], last: str) -> None:
    import pandas as pd

    index = pd.DatetimeIndex(labels) if "2020-01-01" in labels else pd.Index(labels)
    frame = pd.DataFrame({"x": [1.0] * len(labels)}, index=index)
    appended(frame, USAGE, spec="2", cell=7)
    assert str(frame.index[-1]).removesuffix(".0") == last
    assert frame.index.dtype == index.dtype or index.dtype.kind == "M"


def test_an_empty_frame_is_filled() -> None:
    import pandas as pd

    for frame in (pd.DataFrame(), pd.DataFrame(columns=["wall_s", "note"])):
        appended(frame, USAGE, spec="2", cell=7)
        assert len(frame) == 1
        assert frame["wall_s"].dtype == "float64"


def test_what_a_row_cannot_be_appended_to() -> None:
    import pandas as pd

    check_target(None, "costs")
    check_target(pd.DataFrame(), "costs")
    twice = pd.DataFrame([[1, 2]], columns=["a", "a"])
    several = pd.DataFrame({"a": [1]}, index=pd.MultiIndex.from_tuples([(1, 2)]))
    wrong: tuple[object, ...] = (3, "df", [], pd.Series([1]), twice, several)
    for value in wrong:
        with pytest.raises(LimitError, match=r"found 'costs: .*example: %%omp_limit 2 --record"):
            check_target(value, "costs")
    with pytest.raises(LimitError, match="found 'costs: list'"):
        check_target([], "costs")


def test_names_that_a_variable_can_have() -> None:
    assert check_name("costs") == "costs"
    for name in ("df.x", "df[0]", "for", "", "1", "a b"):
        with pytest.raises(LimitError, match="the name of a variable"):
            check_name(name)
    for name in ("print", "sum", "__import__", "None"):
        with pytest.raises(LimitError, match=f"found '{name}'; accepted: .*name"):
            check_name(name)
