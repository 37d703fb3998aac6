"""Plans of made-up machines: divided, judged by their memory, and told in few words."""

from __future__ import annotations

import ast
import html
import json
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from facts_for_tests import EVIL, budget, library, pool, snapshot
from hypothesis import given
from hypothesis import strategies as st

import omp_magic
from omp_magic.errors import PlanError
from omp_magic.facts.cpus import Bound, Budget
from omp_magic.facts.libraries import Gap
from omp_magic.facts.memory import MemoryBound, MemoryBudget
from omp_magic.facts.plans import Plan, WorkerMemory
from omp_magic.facts.processes import Child
from omp_magic.knowledge.catalog import BY_KEY
from omp_magic.knowledge.inherited import for_children
from omp_magic.knowledge.started_by import helper_of
from omp_magic.knowledge.startmethods import default_method
from omp_magic.knowledge.variables import VARIABLES
from omp_magic.limits.spec import parse_limit
from omp_magic.limits.variables import inherited
from omp_magic.plans.division import divisions_of, threads_of_each
from omp_magic.plans.making import make_plan
from omp_magic.plans.memory import worker_memory
from omp_magic.plans.recipes import PACKAGES
from omp_magic.probes.importable import probe_importable
from omp_magic.rules.processes import workers_of
from omp_magic.views.planned import memory_line, render_html, render_text, verdict_of
from omp_magic.views.renderers import plan_renderers

Plan.renderers.update(plan_renderers)

MB = 10**6
POD = MemoryBound(
    source="cgroup v2",
    limit_bytes=4000 * MB,
    used_bytes=1900 * MB,
    where="/pod7",
    detail="memory.max 4000000000",
)
ALL = dict.fromkeys(PACKAGES, True)


def cpus(allowed: float, affinity: int = 64) -> Budget:
    return budget(affinity=affinity, quota=allowed)


def plan(
    allowed: float = 4,
    workers: int | None = None,
    memory: WorkerMemory | None = None,
    packages: dict[str, bool] | None = None,
    **facts: Any,
) -> Plan:
    given: dict[str, Any] = {"budget": cpus(allowed), "notebook": True, "start_method": "fork"}
    return make_plan(
        snapshot(**{**given, **facts}),
        memory or WorkerMemory(),
        workers=workers,
        packages=packages or {},
    )


def fits(number: int | None, each_mb: int = 500, bound: MemoryBound | None = POD) -> WorkerMemory:
    return WorkerMemory(each_bytes=each_mb * MB, told_by="asked", bound=bound, fits=number)


WARM: dict[str, Any] = {"libraries": (library("libgomp", owner="scikit-learn", workers=3),)}


@pytest.mark.parametrize(
    ("allowed", "workers", "threads", "left"),
    [
        *((4, 1, 4, 0), (4, 2, 2, 0), (4, 4, 1, 0), (4, 3, 1, 1), (5, 2, 2, 1), (4, 8, 1, 0)),
        *((0.5, 1, 1, 0), (0.5, 4, 1, 0), (2.5, 2, 1, 0.5), (2.5, 3, 1, 0), (2.5, 1, 3, 0)),
        *((64, 7, 9, 1), (1, 1, 1, 0), (63.9, 2, 32, 0)),
    ],
)
def test_division(allowed: float, workers: int, threads: int, left: float) -> None:
    made = plan(allowed, workers)
    assert (made.workers, made.threads) == (workers, threads)
    assert made.left_cpus == pytest.approx(left)
    assert set(made.variables.values()) == {str(threads)}


@given(st.integers(1, 1024), st.integers(1, 8192))
def test_threads_are_never_none_and_never_too_many(total: int, workers: int) -> None:
    threads = threads_of_each(total, workers)
    assert threads >= 1
    assert workers * threads <= max(total, workers)


@given(st.integers(1, 512))
def test_the_table_has_few_rows_from_one_worker_to_all(total: int) -> None:
    rows = divisions_of(cpus(total, affinity=total))
    assert 1 <= len(rows) <= 11
    assert (rows[0].workers, rows[0].threads) == (1, total)
    assert (rows[-1].workers, rows[-1].threads) == (total, 1)
    assert all(each.workers * each.threads + each.left_cpus == total for each in rows)
    assert len({each.threads for each in rows}) == len(rows)


def test_the_table_of_a_few_cpus() -> None:
    assert [(each.workers, each.threads) for each in divisions_of(cpus(4))] == [
        (1, 4), (2, 2), (4, 1),
    ]  # fmt: skip
    assert [(each.workers, each.threads) for each in divisions_of(cpus(0.5))] == [(1, 1)]
    five = divisions_of(cpus(5))
    assert [(each.workers, each.left_cpus) for each in five] == [(1, 0), (2, 1), (5, 0)]
    assert "CPUs left over" not in render_text(plan(0.5))


@pytest.fixture
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """No sentence is wrapped."""
    monkeypatch.setenv("COLUMNS", "250")


@pytest.mark.usefixtures("wide")
@pytest.mark.parametrize(
    ("allowed", "workers", "memory", "verdict", "tone"),
    [
        (4, None, None, "4 workers of 1 thread for 4 CPUs", "fine"),
        (4, 2, None, "2 workers of 2 threads for 4 CPUs", "fine"),
        (5, 2, None, "2 workers of 2 threads for 5 CPUs, 1 CPU left over", "fine"),
        (2.5, 2, None, "2 workers of 1 thread for 2.5 CPUs, 0.5 CPUs left over", "fine"),
        (0.5, None, None, "1 worker of 1 thread for 0.5 CPUs", "fine"),
        (2, 8, None, "8 workers on 2 CPUs: more than there are CPUs; 2 would do", "warning"),
        (0.5, 2, None, "2 workers on 0.5 CPUs: more than there are CPUs; 1 would do", "warning"),
        (1, 2, None, "2 workers on 1 CPU: more than there are CPUs; 1 would do", "warning"),
        (8, None, fits(3), "3 workers of 2 threads for 8 CPUs, 2 CPUs left over", "fine"),
        (
            8,
            8,
            fits(4),
            "8 workers of 500 MB need more than the 2.1 GB free below memory.max of /pod7: 4 fit",
            "error",
        ),
        (
            2,
            8,
            fits(1, each_mb=2000),
            "8 workers of 2 GB need more than the 2.1 GB free below memory.max of /pod7: 1 fits",
            "error",
        ),
        (
            8,
            None,
            fits(0, each_mb=9000),
            "No worker of 9 GB fits into the 2.1 GB free below memory.max of /pod7",
            "error",
        ),
        (4, 4, fits(4), "4 workers of 1 thread for 4 CPUs", "fine"),
        (4, 4, fits(None, bound=None), "4 workers of 1 thread for 4 CPUs", "fine"),
    ],
)
def test_the_verdict_is_the_first_line(
    allowed: float, workers: int | None, memory: WorkerMemory | None, verdict: str, tone: str
) -> None:
    made = plan(allowed, workers, memory)
    assert (verdict_of(made).text, verdict_of(made).tone) == (verdict, tone)
    assert render_text(made).split("\n")[0][2:] == verdict
    assert html.escape(verdict) in render_html(made)


def test_a_proposal_is_told_to_be_one_and_says_how_another_is_asked() -> None:
    assert "a worker for each CPU; %omp_plan --workers N" in " ".join(str(plan()).split())
    capped = " ".join(str(plan(8, memory=fits(3))).split())
    assert "as many as the memory is enough for; %omp_plan --workers N" in capped
    assert "Proposed" not in str(plan(workers=4))
    script = " ".join(str(plan(notebook=False)).split())
    assert "omp_magic.plan(workers=N)" in script
    assert "omp_magic.plan(memory='500MB')" in script
    assert "%omp" not in script


def test_more_workers_than_cpus_rarely_help() -> None:
    assert "More workers than CPUs rarely help" in " ".join(str(plan(2, 8)).split())
    assert "rarely help" not in str(plan(2, 2))


def test_workers_that_live_are_the_figure_and_count_among_those_that_fit() -> None:
    bounds = MemoryBudget(bounds=(POD,))
    memory = worker_memory(bounds, None, [(900 * MB, 300 * MB), (800 * MB, 500 * MB)])
    assert (memory.each_bytes, memory.told_by, memory.live) == (500 * MB, "PSS", 2)
    assert memory.fits == 2 + 2100 // 500
    line = memory_line(plan(8, memory=memory))
    assert "500 MB measured (PSS of the largest of 2 that live); 6 fit, with the 2 that" in line
    # One that does not tell its PSS: RSS of all, which are alike.
    memory = worker_memory(bounds, None, [(900 * MB, None), (800 * MB, 500 * MB)])
    assert (memory.each_bytes, memory.told_by, memory.fits) == (900 * MB, "RSS", 4)
    assert "RSS, shared pages included" in memory_line(plan(8, memory=memory))
    # A figure that was named wins, and what the workers use is used.
    memory = worker_memory(bounds, 700 * MB, [(900 * MB, None)])
    assert (memory.each_bytes, memory.told_by, memory.live, memory.fits) == (
        700 * MB,
        "asked",
        0,
        3,
    )


def test_nothing_is_guessed_about_memory() -> None:
    memory = worker_memory(MemoryBudget(bounds=(POD,)), None)
    assert (memory.each_bytes, memory.fits) == (None, None)
    line = memory_line(plan(memory=memory))
    assert line == (
        "Memory of a worker: not known; %omp_plan --memory 500MB says how many fit; "
        "2.1 GB of 4 GB are free below memory.max of /pod7"
    )
    unknown = worker_memory(MemoryBudget(), 5)
    assert (unknown.bound, unknown.fits) == (None, None)
    assert "no limit on the memory is known" in memory_line(plan(memory=unknown))
    declared = MemoryBound(source="MEM_LIMIT", limit_bytes=1000 * MB, detail="MEM_LIMIT=1000000000")
    memory = worker_memory(MemoryBudget(bounds=(declared,)), 400 * MB)
    assert memory.fits == 2
    assert "1 GB by MEM_LIMIT, how much of it is used is not known" in memory_line(
        plan(memory=memory)
    )
    assert verdict_of(plan(4, 4, memory)).text.endswith(
        "need more than the 1 GB of MEM_LIMIT: 2 fit"
    )
    full = replace(POD, used_bytes=9000 * MB)
    assert worker_memory(MemoryBudget(bounds=(full,)), 1).fits == 0


def test_the_machine_binds_where_no_group_does() -> None:
    machine = MemoryBound(source="machine", limit_bytes=16000 * MB, used_bytes=15000 * MB)
    memory = worker_memory(MemoryBudget(bounds=(machine,)), 600 * MB)
    assert "1 GB of the machine's 16 GB are free" in memory_line(plan(memory=memory))
    assert "need more than the 1 GB that are free: 1 fits" in verdict_of(plan(4, 4, memory)).text


def test_variables_are_those_of_the_one_table_and_known() -> None:
    names = dict(for_children(3))
    assert set(names.values()) == {"3"}
    assert set(names) <= set(VARIABLES)
    for needed in ("OMP", "OPENBLAS", "MKL", "BLIS", "NUMEXPR", "NUMBA"):
        assert f"{needed}_NUM_THREADS" in names
    for family in BY_KEY.values():
        # The first of a family's variables is its own; OpenMP runtimes share one.
        assert not family.variables or family.variables[0] in names, family.key
    assert {"VECLIB_MAXIMUM_THREADS", "POLARS_MAX_THREADS", "OPENCV_FOR_THREADS_NUM"} <= set(names)
    limited = inherited(parse_limit(3), 8, lambda _: None)
    assert set(limited) - set(names) == {"LOKY_MAX_CPU_COUNT"}
    assert "LOKY_MAX_CPU_COUNT" not in names  # it would keep this process's own joblib to 3


def test_the_text_has_the_variables() -> None:
    made = plan(8, 2)
    text = " ".join(str(made).split())
    for name, value in made.variables.items():
        assert f"{name}={value}" in text
        assert f'{name}="{value}"' in text
    made.variables.clear()
    assert made.variables["OMP_NUM_THREADS"] == "4"


def codes(made: Plan) -> dict[str, str]:
    return {each.place.split(",")[0]: each.code for each in made.recipes}


SITUATIONS = [
    pytest.param(
        notebook, method, warm, id=f"{'notebook' if notebook else 'script'}-{method}-{warm}"
    )
    for notebook in (True, False)
    for method in ("fork", "forkserver", "spawn")
    for warm in ("cold", "warm")
]


@pytest.mark.parametrize(("notebook", "method", "warm"), SITUATIONS)
@pytest.mark.parametrize("workers", [2, 128])
def test_every_recipe_is_whole_and_narrow(
    notebook: bool, method: str, warm: str, workers: int
) -> None:
    facts: dict[str, Any] = {
        "notebook": notebook,
        "start_method": method,
        **(WARM if warm == "warm" else {}),
    }
    made = plan(64, workers, packages=ALL, **facts)
    assert len({each.place for each in made.recipes}) == len(made.recipes) == 4 + len(PACKAGES)
    given_by_reader = {"work", "items", "dataset", "item"}
    for each in made.recipes:
        tree = ast.parse(each.code)
        assert max(map(len, each.code.split("\n"))) <= 76, each.code
        names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        stored = {
            node.id
            for node in ast.walk(tree)
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
        }
        imported = {
            (alias.asname or alias.name).split(".")[0]
            for node in ast.walk(tree)
            if isinstance(node, ast.Import | ast.ImportFrom)
            for alias in node.names
        }
        builtin = {"list", "__name__"}
        assert names - stored - imported - builtin <= given_by_reader, each.code
    for place, code in codes(made).items():
        if place in ("ProcessPoolExecutor", "multiprocessing.Pool"):
            assert ('if __name__ == "__main__":' in code) is not notebook
            asks = "forkserver" in code
            assert asks is (method == "fork" and warm == "warm")
            by_name = notebook and (method != "fork" or warm == "warm")
            assert ("from work import work" in code) is by_name


def test_a_fork_after_a_warm_pool_is_warned_of_and_not_proposed() -> None:
    made = plan(4, packages={"joblib": False}, **WARM)
    assert [each.code for each in made.hazards] == ["OMP204"]
    verdict = verdict_of(made)
    assert verdict.tone == "warning"
    assert verdict.text.endswith("a forked one would never answer")
    text = " ".join(str(made).split())
    assert "OMP204 A forked child that uses GNU libgomp (scikit-learn) will hang" in text
    assert "%omp_explain OMP204" in text
    assert made.recipes[0].place.startswith("joblib")  # functions of the notebook, by value
    assert "%%writefile work.py" in text
    script = str(plan(4, notebook=False, **WARM))
    assert 'mp_context=multiprocessing.get_context("forkserver")' in script
    assert 'with multiprocessing.get_context("forkserver").Pool(' in script
    assert "set_start_method" not in text + script  # the session's own stays as it is
    # Where nobody forks there is nothing to warn of; nor where the team has one thread.
    assert plan(4, start_method="spawn", **WARM).hazards == ()
    limited = replace(WARM["libraries"][0], num_threads=1)
    assert plan(4, libraries=(limited,)).hazards == ()


def test_pytorch_in_a_notebook_whose_workers_would_hang_loads_in_its_process() -> None:
    assert "num_workers=4" in codes(plan(4, packages=ALL))["torch DataLoader"]
    assert "num_workers=0" in codes(plan(4, packages=ALL, **WARM))["torch DataLoader"]
    script = codes(plan(4, packages=ALL, notebook=False, **WARM))["torch DataLoader"]
    assert 'multiprocessing_context="forkserver"' in script
    assert "worker_init_fn=omp_magic.worker_limits(1)" in script


def test_what_is_imported_comes_first_and_what_is_not_installed_is_left_out() -> None:
    made = plan(packages={"joblib": False, "cv2": True})
    places = [each.place.split(",")[0] for each in made.recipes]
    assert places == [
        *("OpenCV", "ProcessPoolExecutor", "multiprocessing.Pool", "joblib"),
        *("threads of this process", "other programs and pools"),
    ]
    assert [each.imported for each in made.recipes] == [True] + 5 * [False]


@pytest.mark.parametrize(
    ("system", "python", "method"),
    [
        ("linux", "3.11.7", "fork"),
        ("linux", "3.14.0rc1", "forkserver"),
        ("linux", "4.0", "forkserver"),
        ("linux", "?", "fork"),
        ("macos", "3.10.1", "spawn"),
        ("windows", "3.13.0", "spawn"),
        ("haiku", "3.13.0", "spawn"),
    ],
)
def test_the_start_method_of_a_python_that_has_not_chosen(
    system: str, python: str, method: str
) -> None:
    assert default_method(system, python) == method
    assert plan(system=system, python=python, start_method=None).start_method == method


@pytest.mark.parametrize("columns", [40, 60, 80, 120])
def test_no_line_is_wider_than_the_terminal(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    for made in (
        plan(8, 4, fits(2), packages=ALL, **WARM),
        plan(0.5, 3, packages=ALL, notebook=False),
        plan(96, None, fits(40), packages=ALL, gaps=(Gap(what="budget", why="x " * 60),)),
    ):
        whole = {row for each in made.recipes for row in each.code.split("\n")}
        for row in render_text(made).split("\n"):
            assert len(row) <= columns or row.strip() in {each.strip() for each in whole}, row


def test_nothing_from_outside_reaches_the_screen_unescaped() -> None:
    where = Bound(source="cgroup v2", cpus=2.0, where=EVIL, detail="cpu.max 1 2")
    evil = replace(cpus(2), binding=where, bounds=(where,), gaps=(Gap(what=EVIL, why=EVIL),))
    memory = fits(1, bound=replace(POD, where=EVIL))
    made = plan(workers=2, memory=memory, budget=evil, **WARM)
    text, page = render_text(made), render_html(made)
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    for shown in (text, page):
        assert "\x1b" not in shown
        assert "\\x1b[31m\\n\\udcff" in shown
        shown.encode("utf-8")


def test_text_and_html_say_the_same() -> None:
    made = plan(8, 16, fits(4), packages=ALL, **WARM)
    page = re.sub(r"<style>.*?</style>", "", render_html(made), flags=re.DOTALL)
    page = " ".join(html.unescape(re.sub(r"<[^>]*>", " ", page)).split())
    text = " ".join(render_text(made).split())
    for each in made.recipes:
        for shown in (text, page):
            assert " ".join(each.code.split()) in shown
            assert each.says in shown
    for words in ("16 workers of 500 MB", "OMP204", "rarely help", "4 GB, does not fit", "4 fit"):
        assert words in text, words
        assert words in page, words
    assert "\n    results" in html.unescape(render_html(made))  # code keeps its lines


def test_a_plan_is_frozen_plain_and_short_in_a_debugger() -> None:
    made = plan(5, 2, fits(4), **WARM)
    told = json.loads(json.dumps(made.to_dict()))
    assert (told["workers"], told["threads"], told["left_cpus"], told["asked"]) == (2, 2, 1, True)
    assert told["variables"]["OMP_NUM_THREADS"] == "2"
    assert told["memory"]["fits"] == 4
    assert told["hazards"][0]["code"] == "OMP204"
    assert repr(made) == "<Plan workers=2 threads=2 cpus=5>"
    with pytest.raises(AttributeError):
        made.workers = 3  # type: ignore[misc]
    bundle = made._repr_mimebundle_()
    assert set(bundle) == {"text/plain", "text/html"}
    assert set(made._repr_mimebundle_(include=["text/plain"])) == {"text/plain"}


def test_what_could_not_be_read_is_told() -> None:
    gap = Gap(what="libraries", why="a fault")
    made = plan(gaps=(gap, Gap(what="environment", why="of no matter here")))
    assert made.gaps == (gap,)
    assert "not known: libraries: a fault" in str(made)


def test_trackers_are_no_workers() -> None:
    commands = (
        "python -m joblib.externals.loky.backend.popen_loky_posix",
        "python -c from joblib.externals.loky.backend.resource_tracker import main; main(6)",
        "python -c from multiprocessing.forkserver import main; main(4)",
    )
    children = tuple(
        Child(
            pid=n,
            command=command,
            forked=False,
            num_os_threads=1,
            pool_threads=1,
            runtimes=("x",),
            helper=helper_of(command),
        )
        for n, command in enumerate(commands)
    )
    assert [each.pid for each in workers_of(snapshot(children=children, pools=(pool(2),)))] == [0]


@pytest.mark.parametrize(
    ("workers", "memory", "words"),
    [
        (0, None, "found '0'; accepted: a number of workers, 1 to 8192; example: "),
        (-3, None, "found '-3'"),
        (9000, None, "found '9000'"),
        (True, None, "found 'True'"),
        (1.5, None, "found '1.5'"),
        ("4", None, "found \"'4'\""),
        (None, "500", "a worker needs more than 1 MB; did you mean 500MB?"),
        (None, "5XB", "found '5XB'; accepted: a size such as 500MB, 2GiB"),
        (None, 0, "found '0'; accepted: a size"),
        (None, 2.5, "found '2.5'"),
        (None, True, "found 'True'"),
        (None, "", "found ''"),
        (None, "5\x1bMB", r"found '5\\x1bMB'"),
    ],
)
def test_what_cannot_be_planned_is_one_line(workers: Any, memory: Any, words: str) -> None:
    with pytest.raises(PlanError) as caught:
        omp_magic.plan(workers, memory)
    said = str(caught.value)
    assert words.replace("\\\\", "\\") in said
    assert said.endswith("example: omp_magic.plan(workers=4, memory='500MB')")
    assert "\n" not in said


def test_the_plan_of_this_process() -> None:
    class Four:
        def __index__(self) -> int:
            return 4

    made = omp_magic.plan(Four(), "1MB")
    assert (made.workers, made.memory.each_bytes, made.memory.told_by) == (4, 1_000_000, "asked")
    assert made.threads == max(1, made.budget.threads // 4)
    assert omp_magic.plan().workers == made.budget.threads
    assert "OMP_NUM_THREADS=" in str(omp_magic.plan(workers=2))


def test_packages_are_looked_for_on_the_path_and_never_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "omp_lies_here").mkdir()
    (tmp_path / "omp_lies_here" / "__init__.py").write_text("raise SystemExit\n")
    (tmp_path / "omp_a_folder").mkdir()
    monkeypatch.syspath_prepend(str(tmp_path))

    class Asked:
        def find_spec(self, *_: object) -> None:
            raise AssertionError("a finder of others was asked")

    monkeypatch.setattr(sys, "meta_path", [Asked(), *sys.meta_path])
    names = ("json", "omp_lies_here", "omp_a_folder", "omp_is_nowhere")
    assert probe_importable(names) == {"json": True, "omp_lies_here": False}
    assert "omp_lies_here" not in sys.modules


def test_a_fault_in_a_reading_is_a_gap_of_the_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_: object) -> None:
        raise TypeError("ours")

    monkeypatch.setattr("omp_magic.planning.probe_memory", fails)
    made = omp_magic.plan(workers=2)
    assert made.memory.bound is None
    assert [gap.why for gap in made.gaps if gap.what == "memory limit"] == [
        "a fault in omp_magic: TypeError: ours"
    ]
