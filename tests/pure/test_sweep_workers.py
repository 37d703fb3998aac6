"""Sweeps of workers without a machine: what is told, left out, drawn, put back."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from IPython.core.error import UsageError

from omp_magic.errors import RequestError
from omp_magic.facts.sweeps import Point, Run, Sweep
from omp_magic.jupyter.workersweep import bound, check_reads, numbers_of
from omp_magic.sweeps.answer import best_of
from omp_magic.sweeps.disturbed import Ground
from omp_magic.sweeps.kinds import KINDS, Session, asked_kinds, usable_kinds
from omp_magic.sweeps.measured import Measured
from omp_magic.sweeps.port import NotRunError
from omp_magic.sweeps.requests import WorkerRequest, grid_of
from omp_magic.sweeps.running import Runner
from omp_magic.sweeps.workeranswer import memory_words, worker_verdict
from omp_magic.sweeps.workercases import Ways, WorkerCase
from omp_magic.views.renderers import sweep_actions
from omp_magic.views.sweep import render_html, render_text
from omp_magic.views.sweep_grid import _title, grid_words
from omp_magic.views.sweep_grid import grid_of as drawn
from omp_magic.views.sweep_workers import pool_code


@pytest.fixture(autouse=True)
def _views() -> None:
    Sweep.actions.update(sweep_actions)


def test_a_function_without_items_is_called_as_often_as_gives_each_worker_the_same() -> None:
    called: list[int] = []

    def work() -> None:
        called.append(1)

    for numbers, calls in (([1, 2, 4], 4), ([2, 3], 6), ([5, 7], 7), (None, 8)):
        asked = WorkerRequest.checked(work, None, numbers, None, [1])
        assert asked.items is not None
        assert len(asked.items) == calls
    asked.fn(0)
    assert called == [1]
    own = WorkerRequest.checked(lambda workers: workers, None, [1, 2], None, None)
    assert own.items is None
    with pytest.raises(RequestError, match="workers without items"):
        WorkerRequest.checked(lambda item: item, None, [1, 2], None, None)


SESSION = Session("fork", True, lambda _: ())


def measured(workers: int, threads: int, *seconds: float, kind: str = "loky") -> Measured:
    runs = [Run(number=n, wall_s=each, cpu_s=9 * each) for n, each in enumerate(seconds, 1)]
    s = "" if workers == 1 else "s"
    t = "" if threads == 1 else "s"
    name = f"{workers} worker{s} of {threads} thread{t}" if workers else "this process"
    return Measured(threads=threads, runs=runs, workers=workers, kind=kind, name=name)


@pytest.mark.parametrize(
    ("cases", "best", "sentence"),
    [
        (
            [(0, 2, 2.3), (1, 2, 2.2), (2, 1, 1.5), (4, 1, 1.0), (8, 1, 1.0)],
            3,
            "4 workers of 1 thread: 2.3 times as fast as this process; 8 add nothing",
        ),
        (
            [(0, 2, 1.0), (1, 2, 1.0), (2, 1, 3.0)],
            0,
            (
                "this process: no gain from workers; 1 worker takes as long; "
                "2 workers take 3 times as long"
            ),
        ),
        (
            [(0, 2, 2.0), (2, 1, 1.0), (2, 2, 4.0), (4, 1, 1.3), (4, 2, 6.0)],
            1,
            (
                "2 workers of 1 thread: 2 times as fast as this process; 4 take 1.3 times as long; "
                "4 workers of 2 threads take 6 times as long"
            ),
        ),
        ([(0, 2, 1.0)], 0, "this process: nothing else was run"),
        (
            [(1, 2, 1.0), (2, 1, 1.0)],
            0,
            "1 worker of 2 threads: no gain from more workers; 2 add nothing",
        ),
    ],
)
def test_the_sentence_names_the_fewest_workers(
    cases: list[tuple[int, int, float]], best: int, sentence: str
) -> None:
    rows = [measured(workers, threads, *[seconds] * 5) for workers, threads, seconds in cases]
    assert best_of(rows) == best
    assert worker_verdict(rows, best) == sentence


def test_workers_that_wait_for_files_or_the_net_gain_without_a_busy_cpu() -> None:
    rows = [measured(0, 2, *[4.0] * 5), measured(2, 1, *[2.0] * 5), measured(4, 1, *[1.0] * 5)]
    idle = [replace(each, runs=[replace(run, cpu_s=0.01) for run in each.runs]) for each in rows]
    assert best_of(idle) == 2


def test_memory_is_told_where_it_is_nearly_full() -> None:
    sizes = ("3.1 GB", "4 GB")
    assert memory_words(3_100, 4_000, sizes) == "they take 3.1 GB of the 4 GB that are free"
    assert memory_words(1_000, 4_000, sizes) == memory_words(None, 4_000, sizes) == ""
    assert memory_words(1_000, None, sizes) == ""


def test_threads_of_each_are_the_plans_unless_they_are_named() -> None:
    assert grid_of([1, 2, 4, 8], None, 4) == [(1, 4), (2, 2), (4, 1), (8, 1)]
    assert grid_of([1, 2], [1, 2], 4) == [(1, 1), (1, 2), (2, 1), (2, 2)]


class TestAsking:
    def asked(self, **given: Any) -> WorkerRequest:
        found = {"fn": len, "items": [1], "workers": None, "kinds": None, "threads": None}
        return WorkerRequest.checked(**{**found, **given})

    @pytest.mark.parametrize(
        "given",
        [
            {"items": []},
            {"items": 3},
            {"workers": 2},
            {"workers": [0]},
            {"workers": ["2"]},
            {"workers": []},
            {"threads": [1.5]},
            {"items": None, "workers": [2]},
            {"items": None, "workers": [2], "kinds": "fork"},
        ],
    )
    def test_what_cannot_be_followed_is_one_line(self, given: dict[str, Any]) -> None:
        with pytest.raises(RequestError) as refused:
            self.asked(**given)
        assert len(str(refused.value).splitlines()) == 1
        assert "example: " in str(refused.value)

    def test_items_may_be_any_iterable(self) -> None:
        assert self.asked(items=range(3)).items == [0, 1, 2]

    def test_a_function_with_a_parameter_makes_its_own_pool(self) -> None:
        assert self.asked(fn=lambda workers: workers, items=None, workers=[2]).items is None

    def test_kinds(self) -> None:
        assert asked_kinds(None, SESSION) == ("loky",)
        assert asked_kinds(None, Session("spawn", False, lambda _: ())) == ("spawn",)
        assert asked_kinds("fork, loky fork", SESSION) == ("fork", "loky")
        assert set(asked_kinds("all", SESSION)) < set(KINDS)
        wrong: Any
        for wrong in ("forks", ["lokky"], [], 5):
            with pytest.raises(RequestError):
                asked_kinds(wrong, SESSION)

    def test_what_cannot_get_the_function_is_left_out_with_a_cure(self) -> None:
        session = Session("fork", False, lambda _: ("f",))
        kinds, left = usable_kinds(("spawn", "loky", "threads"), lambda: 1, [1], session)
        assert kinds == ("threads",)
        assert "OMP213" in left[0][1]
        assert "%%writefile" in left[0][1]
        assert left[1] == ("loky", "joblib is not installed")
        with pytest.raises(RequestError, match="spawn cannot send f"):
            usable_kinds(("spawn",), len, [1], session)


def ways(**given: Any) -> Ways:
    nothing: Any = None
    found: dict[str, Any] = {
        "machine": nothing,
        "limiter": nothing,
        "limits": nothing,
        "hazards": tuple,
        "free_bytes": lambda: 4_000_000_000,
        "session": SESSION,
        "cpus": 2.0,
    }
    return Ways(**{**found, **given})


def case(workers: int, threads: int, of: Ways, kind: str = "loky") -> WorkerCase:
    return WorkerCase(kind, workers, threads, "", len, list(range(100)), of)


def test_workers_that_would_not_fit_are_not_run() -> None:
    of = ways(worker_bytes={"loky": 750_000_000})
    with pytest.raises(NotRunError) as left, case(8, 1, of).ready():
        pass
    assert left.value.why == "8 workers would need 6 GB, 4 GB are free"


def test_only_more_of_what_has_no_cpu_left_is_more() -> None:
    of = ways()
    slow = case(2, 2, of)
    assert case(4, 2, of).is_more_than(slow)
    assert case(2, 4, of).is_more_than(slow)
    assert not case(4, 1, of).is_more_than(slow)
    assert not case(4, 2, of, "fork").is_more_than(slow)
    assert not case(2, 1, of).is_more_than(case(1, 1, of))


@dataclass
class Refused:
    """A case that may find that it is not to be run."""

    name: str
    seconds: float
    refusing_from: int = 10**9
    entered: int = 0
    at_once: int = 1
    once: bool = True
    before: Callable[[], object] | None = None

    @property
    def label(self) -> str:
        return self.name

    def is_more_than(self, _other: Any) -> bool:
        return False

    @contextmanager
    def ready(self) -> Iterator[Callable[[], object]]:
        self.entered += 1
        if self.entered >= self.refusing_from:
            raise NotRunError("it would hang")
        yield lambda: self.seconds


class Told:
    """A meter that believes what a call gives."""

    def settle(self) -> None:
        pass

    def run(self, call: Callable[[], Any], *_: Any, **__: Any) -> Run:
        return Run(number=1, wall_s=call())


def test_a_case_that_refuses_is_left_out_and_the_others_are_run() -> None:
    cases = [Refused("a", 1.0), Refused("b", 1.0, 1), Refused("c", 1.0, 3), Refused("d", 3.0)]
    course = Runner(cases, Told(), Ground(cpus=2, machine_cpus=2), repeats=3).run()
    assert sorted(course.runs) == [0, 3]
    assert len(course.runs[0]) == 3
    assert course.left_out == [("b", "it would hang"), ("c", "it would hang")]
    assert len(course.runs[3]) == 1, "three times as slow: it is not run again"


def point(workers: int, threads: int, speedup: float, kind: str = "loky") -> Point:
    return Point(
        threads=threads,
        workers=workers,
        kind=kind if workers else "",
        runs=(Run(number=1, wall_s=1 / speedup),),
        median_s=1 / speedup,
        low_s=1 / speedup,
        high_s=1 / speedup,
        outliers=0,
        speedup=speedup,
        efficiency=1.0,
        startup_s=0.4 if workers else None,
        sending_s=0.01 if workers else None,
        worker_bytes=80_000_000 if workers else None,
    )


def grid(*points: Point, **given: Any) -> Sweep:
    found: dict[str, Any] = {"best": 1, "best_workers": 2, "best_kind": "loky", "items": 32}
    return Sweep(points=points, verdict="2 workers of 1 thread", **{**found, **given})


WHOLE = grid(
    point(0, 2, 1.0), point(1, 1, 0.6), point(1, 2, 0.98), point(2, 1, 1.24), point(4, 1, 1.25)
)


class TestViews:
    def test_the_grid_has_a_number_in_each_cell_and_says_it_in_words(self) -> None:
        root = ET.fromstring(drawn(WHOLE))
        texts = [each.text for each in root.iter("text")]
        for each in WHOLE.points:
            assert f"{each.speedup:.2f}" in texts
            assert f"{each.speedup:.2f}" in grid_words(WHOLE)
        assert texts.count("1 thr., best") == 1
        assert texts.count("\N{EN DASH}") == 3, "2 and 4 workers of 2, this process of 1"
        assert root.get("role") == "img"
        assert root.get("aria-label") == grid_words(WHOLE)
        assert "2 loky workers of 1 thread: 1.24, the best" in grid_words(WHOLE)

    def test_no_colour_is_of_one_ground_alone(self) -> None:
        fills = set(re.findall(r'fill="([^"]+)"', drawn(WHOLE)))
        assert fills
        assert all(each.startswith("var(--") for each in fills)

    def test_kinds_have_rows(self) -> None:
        both = grid(point(0, 2, 1.0), point(2, 1, 1.2), point(2, 1, 1.1, "fork"))
        texts = [each.text for each in ET.fromstring(drawn(both)).iter("text")]
        assert {"loky", "fork"} <= set(texts)

    def test_what_names_hold_is_escaped(self) -> None:
        evil = grid(point(0, 2, 1.0), point(2, 1, 1.2, "<b>&"), best_kind="<b>&")
        ET.fromstring(drawn(evil))
        assert "<b>&" not in render_html(evil)

    def test_the_text_has_each_point_and_the_reasons_of_what_was_not_run(self) -> None:
        left = (("8 workers of 1 thread", "8 workers would need 6 GB, 4 GB are free"),)
        text = render_text(grid(*WHOLE.points, left_out=left))
        assert "items/s" in text
        assert "38.4" not in text
        assert "39.7" in text, "32 items in 1 / 1.24 s"
        assert "8 workers would need 6 GB" in " ".join(text.split())
        assert max(map(len, text.splitlines())) <= 100

    @pytest.mark.parametrize(
        ("kind", "code"),
        [
            ("loky", "joblib.parallel_config"),
            ("threads", "ThreadPoolExecutor(2)"),
            ("fork", 'get_context("fork"), initializer=omp_magic.worker_limits(1)'),
            ("pool", "multiprocessing.Pool(2, initializer=omp_magic.worker_limits(1))"),
            ("pool-spawn", 'get_context("spawn").Pool(2'),
        ],
    )
    def test_the_best_pool_is_given_as_code(self, kind: str, code: str) -> None:
        assert code in pool_code(grid(point(0, 2, 1.0), point(2, 1, 1.2, kind), best_kind=kind))

    def test_the_frame_has_the_throughput(self) -> None:
        frame = WHOLE.to_frame()
        assert list(frame["items_per_s"].round(1)) == [32.0, 19.2, 31.4, 39.7, 40.0]
        assert list(frame["best"]) == [False, False, False, True, False]

    def test_the_plot_has_the_numbers(self) -> None:
        pytest.importorskip("matplotlib.figure", reason="matplotlib is the extra `plot`")
        texts = [each.get_text() for each in WHOLE.plot().axes[0].texts]
        assert "1.24\nbest" in texts
        assert len(texts) == len(WHOLE.points)


class TestCell:
    def test_the_name_is_put_back_exactly(self) -> None:
        kept = object()
        for before in ({}, {"workers": kept}):
            names: dict[str, Any] = {"x": 1, **before}
            with bound(names, 4):
                assert names["workers"] == 4
                names["workers"] = "the cell's own"
            assert names == {"x": 1, **before}
            with pytest.raises(KeyError), bound(names, 2):
                raise KeyError(names.pop("workers"))
            assert names == {"x": 1, **before}

    def test_numbers(self) -> None:
        assert numbers_of("4,1,2") == numbers_of("'1 2 4'") == (1, 2, 4)
        assert numbers_of(None) is None
        for wrong in ("", "x", "0", "-1", "1.5", "9999"):
            with pytest.raises(RequestError):
                numbers_of(wrong)

    def test_a_cell_that_never_reads_the_name_is_refused(self) -> None:
        def reads(code: str, **names: Any) -> None:
            check_reads("omp_sweep", [compile(code, "", "exec")], names)

        reads("Parallel(n_jobs=workers)")
        reads("[f(workers) for i in x]")
        there: dict[str, Any] = {}
        exec("def run(): return workers", there)
        reads("run()", **there)
        for wrong in ("3", "workers = 3; f(workers)", "f('workers')"):
            with pytest.raises(UsageError, match="n_jobs=workers"):
                reads(wrong)


def test_a_cell_of_the_grid_has_its_words_in_the_singular() -> None:
    assert _title(point(1, 1, 2.0)).startswith("1 worker, 1 thread each: ")
    assert _title(point(0, 1, 1.0)).startswith("this process, 1 thread: ")
    assert _title(point(2, 4, 2.0)).startswith("2 workers, 4 threads each: ")
