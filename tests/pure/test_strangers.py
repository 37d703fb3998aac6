"""Threads that belong to no known pool: whose they are, and what is said of them."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from facts_for_tests import budget, pool, snapshot

from omp_magic.facts.libraries import Pool
from omp_magic.facts.processes import ThreadOwner
from omp_magic.knowledge.envvars import threads_in
from omp_magic.knowledge.meanings import meaning_of
from omp_magic.knowledge.shippers import module_of, serves
from omp_magic.knowledge.strangers import BY_MODULE, STRANGERS, stranger_of
from omp_magic.limits.notes import exceptions, topic
from omp_magic.probes.packages.adapters import ADAPTERS
from omp_magic.probes.packages.strangers import owned_by, strange_pools
from omp_magic.rules.judgement import judge
from omp_magic.views.html import render_html
from omp_magic.views.panel.facts import PanelFacts
from omp_magic.views.panel.pool_rows import rows_of
from omp_magic.views.text import render_text
from omp_magic.views.verdict import verdict_of
from omp_magic.views.words import DASH, wants_of

SITE = "/env/lib/python3.12/site-packages"


def owner(path: str, package: str | None, threads: int) -> ThreadOwner:
    return ThreadOwner(path=f"{SITE}/{path}", package=package, num_threads=threads)


def stranger(threads: int, **facts: Any) -> Pool:
    given: dict[str, Any] = {
        "name": "_core (fastlib)",
        "family": "fastlib",
        "api": "unknown",
        "library": f"{SITE}/fastlib/_core.so",
        "num_threads": None,
        "would_use": None,
        "scope": "process",
        "workers": threads,
    }
    return Pool(**{**given, **facts})


def onnx(would_use: int, workers: int) -> Pool:
    row = BY_MODULE["onnxruntime"]
    return stranger(
        workers, name=row.label, api="python", would_use=would_use, each=row.each,
        own_switch=row.switch,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("path", "package", "label"),
    [
        ("onnxruntime/capi/onnxruntime_pybind11_state.so", "onnxruntime-gpu", "onnxruntime"),
        ("jaxlib/libjax_common.so", "jaxlib", "JAX"),
        ("_duckdb.cpython-311-x86_64-linux-gnu.so", "duckdb", "DuckDB"),
        ("openvino/libs/libtbb.so.12", "openvino", "OpenVINO"),
        ("../../libtbb.so.12", "tbb", "oneTBB"),
        ("/usr/lib/libtbb.so.12", None, "oneTBB"),
        ("mkl/libtbb.so.12", "mkl", "oneTBB"),
        (
            "scipy/fft/_pocketfft/pypocketfft.cpython-311.so",
            "scipy",
            "SciPy's FFT",
        ),
        ("rasterio.libs/libgdal-c8c9c467.so.36.3.10.3", "rasterio", "GDAL"),
        ("lance/lance.abi3.so", "pylance", "Lance"),
    ],
)
def test_a_row_is_found_by_package_or_by_file(path: str, package: str | None, label: str) -> None:
    row = stranger_of(package, path.rpartition("/")[2])
    assert row is not None
    assert row.label == label


def test_what_is_no_stranger() -> None:
    assert stranger_of("scipy", "_ellip_harm_2.so") is None
    assert stranger_of("fastlib", "_core.so") is None
    assert serves("pyzmq", "libzmq-1ee1e5b9.so.5.2.5")
    assert serves(None, "libzmq.so.5")
    assert serves("ray", "_raylet.so")
    assert serves("PySide6_Essentials", "libQt6Core.so.6")
    assert not serves("fastlib", "_core.so")
    assert module_of("polars-runtime-32") == "polars"
    assert module_of("opencv-python-headless") == "cv2"
    assert module_of("torch") == "torch"
    assert module_of("tokenizers") == module_of(None) == ""


def test_each_row_says_what_to_do_and_how_that_is_known() -> None:
    for row in STRANGERS:
        assert all((row.switch, row.owns, row.why, row.source)), row
        assert re.search(r"\d", row.source), row
        assert ": " in row.remedy or not row.remedy, row
        assert "{threads}" not in row.remedy.format(threads=1)
        assert row.module or not row.own_pools
    read = {each.module for each in ADAPTERS if each.own_switch}
    assert read == {each.module for each in STRANGERS if each.own_pools} | {"polars", "tensorflow"}


def test_each_library_with_two_threads_is_a_pool() -> None:
    runtime = owner("numpy.libs/libscipy_openblas64_.so", "numpy", 3)
    owners = (
        runtime,
        owner("pyzmq.libs/libzmq-1ee1e5b9.so.5", "pyzmq", 4),
        owner("pyarrow/libarrow.so.2600", "pyarrow", 5),
        owner("polars/polars.abi3.so", None, 8),
        owner("fastlib/_core.cpython-312-x86_64-linux-gnu.so", "fastlib", 3),
        owner("slowlib/_core.so", "slowlib", 1),
        owner("av.libs/libavcodec-5e6b81c2.so.62", "av", 3),
        owner("av.libs/libavutil-5809ad29.so.60", "av", 4),
        owner("jaxlib/libjax_common.so", "jaxlib", 15),
        owner("/home/me/libmine.so", None, 2),
        owner("highspy/_core.so", "highspy", 1),
    )
    holder = owner("slowlib/_static.so", "slowlib", 5)
    found = strange_pools((*owners, holder), {runtime.path}, {holder.path})
    assert [(each.name, each.workers) for each in found] == [
        ("FFmpeg", 7), ("_core (fastlib)", 3), ("libmine.so", 2), ("HiGHS", 1)
    ]  # fmt: skip
    assert {each.api for each in found} == {"unknown"}
    assert all(each.unreached and not each.counted for each in found)
    assert owned_by(owners) == {"jaxlib": 15}


def test_no_number_of_pools_stands_for_all_where_it_does_not() -> None:
    one, mine = pool(2), stranger(3)
    assert wants_of(snapshot(pools=(one,))) == "1 pool of 2 threads"
    more = "1 that cannot be counted (_core (fastlib) 3 threads)"
    assert wants_of(snapshot(pools=(one, mine))) == f"1 pool of 2 threads, and {more}"
    assert wants_of(snapshot(pools=(mine,))) == f"no pool that can be counted, but {more}"
    for pools in ((one, mine), (mine,)):
        verdict = verdict_of(snapshot(pools=pools))
        assert verdict.more.endswith(more)
    # A pool of another size for each session has a size.
    assert wants_of(snapshot(pools=(onnx(2, 1),))) == "1 pool of 2 threads"


def test_every_view_shows_it() -> None:
    found = snapshot(pools=(stranger(3), onnx(2, 5)))
    said = re.sub(r"\s+", " ", render_text(found))
    assert f"_core (fastlib) {DASH} 3 threads live, not known how to count or limit" in said
    assert "2 threads for each session of its own accord, 5 threads live" in said
    assert "SessionOptions.intra_op_num_threads" in said
    html = render_html(found)
    assert "not known how to count or limit" in html
    assert "intra_op_num_threads" in html
    (mine, theirs) = json.loads(found.to_json())["pools"]
    assert (mine["api"], mine["workers"], mine["num_threads"]) == ("unknown", 3, None)
    assert theirs["own_switch"] == "SessionOptions.intra_op_num_threads"
    rows = rows_of(PanelFacts(snapshot=found))
    assert {(row.name, row.alive) for row in rows} == {("_core (fastlib)", 3), ("onnxruntime", 5)}


def codes(pools: tuple[Pool, ...], affinity: int, quota: float | None = None) -> list[str]:
    found = judge(snapshot(pools=pools, budget=budget(affinity, quota)))
    return [each.code for each in found]


def test_a_pool_as_large_as_the_machine_in_a_small_container() -> None:
    for threads in (2, 3, 9):
        assert codes((stranger(threads),), 2, 0.5) == ["OMP205"]
        assert codes((stranger(threads), onnx(2, 1)), 2) == []
    # Far fewer than CPUs: nothing tells that it sizes itself by the machine.
    assert codes((stranger(3),), 64, 2.0) == []
    # What its threads do is not known, so no warning.
    assert codes((stranger(63),), 64, 2.0) == ["OMP205"]
    assert codes((onnx(64, 64),), 64, 2.0) == ["OMP201"]
    assert codes((onnx(64, 1),), 2) == ["OMP201"]


def test_the_remedy_is_the_packages_own_switch() -> None:
    (mine,) = judge(snapshot(pools=(stranger(3),), budget=budget(2, 0.5)))
    assert mine.title.startswith("_core (fastlib) has 3 threads of its own where 0.5 CPUs are allo")
    assert "which is not known" in mine.why
    assert "%omp_limit" not in " ".join(mine.remedies)
    blas, theirs = judge(snapshot(pools=(pool(2), onnx(2, 1)), budget=budget(2, 0.5)))
    assert blas.title.startswith("OpenBLAS")
    assert "onnxruntime" not in blas.title
    assert "onnxruntime gives each session 2 threads" in theirs.title
    assert "no limit reaches it" in theirs.title
    (remedy,) = theirs.remedies
    run = remedy.partition(": ")[2]
    compile(run, "<remedy>", "exec")
    assert run.endswith("options.intra_op_num_threads = 1")


def test_a_line_of_a_limit_names_what_it_leaves() -> None:
    notes = (
        "not reached: onnxruntime (2 threads; each session has its own): SessionOptions.x",
        "not reached: _core (fastlib) (3 threads): how to limit it is not known",
        "not reached: catboost (each call has its own): thread_count",
        "not reached: tokenizers: TOKENIZERS_PARALLELISM=false",
        "numexpr took 3 threads instead of 4",
    )
    assert exceptions(notes) == "onnxruntime, _core (fastlib), catboost, tokenizers"
    assert topic(notes[1]) == topic(notes[1].replace("3 threads", "1 thread")) == "_core (fastlib)"
    assert exceptions(notes[-1:]) == ""


@pytest.mark.parametrize(
    ("reader", "text", "threads"),
    [
        ("tokenizers", "5", 5), ("tokenizers", "+3", 3), ("tokenizers", "0", None),
        ("tokenizers", "-1", None), ("tokenizers", "x", None), ("tokenizers", " 3", None),
        ("tokenizers", "", None),
        ("jaxlib", "0", 1), ("jaxlib", "-1", 1), ("jaxlib", " 3", 3), ("jaxlib", "3x", None),
        ("jaxlib", "", None), ("jaxlib", "x", None), ("jaxlib", "5", 5),
        ("duckdb", "0", 1), ("duckdb", " 3", 3), ("duckdb", "3x", None), ("duckdb", "-1", None),
        ("duckdb", "", None),
    ],
)  # fmt: skip
def test_numbers_are_read_as_they_were_measured(
    reader: str, text: str, threads: int | None
) -> None:
    """With tokenizers 0.23.3, jaxlib 0.10.2 and duckdb 2.0.1, by the threads that then lived."""
    assert threads_in(reader, "", text) == threads


def test_the_switch_of_tokenizers() -> None:
    for text in ("false", "0", "off", "No", "n", "FALSE", "f", ""):
        assert meaning_of("TOKENIZERS_PARALLELISM", text) == "off"
    for text in ("true", " false", "junk"):
        assert meaning_of("TOKENIZERS_PARALLELISM", text) == "on"
