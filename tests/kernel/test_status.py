"""%omp_status in real kernels: it is right, and it changes nothing."""

from __future__ import annotations

import html.parser
import json
from typing import Any

import pytest
from live import LINUX, Kernel

pytestmark = pytest.mark.skipif(not LINUX, reason="reads /proc: Linux only")

STATE = """
import ctypes, os, re, sys, threading
_getenv = ctypes.PyDLL(None).getenv; _getenv.restype = ctypes.c_char_p
_names = ("KMP_DUPLICATE_LIB_OK", "OMP_NUM_THREADS", "MKL_THREADING_LAYER", "OPENBLAS_NUM_THREADS")
def _state():
    maps = open("/proc/self/maps").read()
    runtime = r"/(lib(gomp|i?omp\\d*|mkl\\w*|(scipy_)?openblas|blis)[^/\\n]*)$"
    return {
        "runtimes": sorted({m[0] for m in re.findall(runtime, maps, re.M)}),
        "heavy": sorted({"numpy", "pandas", "ipywidgets", "matplotlib", "scipy", "threadpoolctl",
                         "sklearn"} & set(sys.modules)),
        "os.environ": dict(os.environ),
        "C": {n: (_getenv(n.encode()) or b"").decode() for n in _names},
        "threads": len(os.listdir("/proc/self/task")),
        "meta_path": len(sys.meta_path),
    }
"""


def test_a_fresh_kernel_is_the_same_after_load_and_status(kernel: Kernel) -> None:
    kernel.run(STATE)
    before = kernel.value("_state()")
    assert before["runtimes"] == []
    assert kernel.run("%load_ext omp_magic").status == "ok"
    assert kernel.run("%omp_status").status == "ok"
    # Who asks for no workers does not pay for what looks at them: 10 ms of imports.
    loaded = "[n for n in sys.modules if n.startswith('omp_magic.') and 'workers' in n]"
    assert kernel.value(loaded) == []
    lines = ("", " --env --threads", " --json", " --workers")
    for line in (f"%omp_status{flags}" for flags in lines):
        reply = kernel.run(line)
        assert reply.status == "ok"
        assert not reply.stderr
    assert kernel.value("_state()") == before


def test_libraries_and_counts_agree_with_threadpoolctl(kernel: Kernel) -> None:
    kernel.run("%load_ext omp_magic\nimport numpy, scipy.linalg, sklearn.cluster")
    kernel.run("s = %omp_status")
    ours = kernel.value(
        "sorted([l.path, l.num_threads, l.version, l.threading_layer] for l in s.libraries)"
    )
    theirs = kernel.value(
        "sorted([i['filepath'], i['num_threads'], i['version'], i.get('threading_layer')]"
        " for i in __import__('threadpoolctl').threadpool_info())"
    )
    assert ours == theirs
    assert len(ours) == 3
    owners = kernel.value("sorted(l.owner for l in s.libraries)")
    assert owners == ["numpy", "scikit-learn", "scipy"]


def test_counts_follow_a_limit_set_by_somebody_else(kernel: Kernel) -> None:
    kernel.run("%load_ext omp_magic\nimport sklearn.cluster, threadpoolctl")
    kernel.run("limits = threadpoolctl.threadpool_limits(1)")
    kernel.run("s = %omp_status")
    assert set(kernel.value("[l.num_threads for l in s.libraries]")) == {1}


def test_a_library_loaded_by_ctypes_after_a_snapshot_is_in_the_next(
    kernel: Kernel, libiomp5: str
) -> None:
    kernel.run("%load_ext omp_magic\nimport omp_magic, ctypes")
    assert kernel.value("[l.name for l in omp_magic.snapshot().libraries]") == []
    kernel.run(f"lib = ctypes.CDLL({libiomp5!r})")
    assert kernel.value("[l.name for l in omp_magic.snapshot().libraries]") == ["libiomp5.so"]
    kernel.run("import _ctypes; _ctypes.dlclose(lib._handle)")
    assert kernel.value("[l.name for l in omp_magic.snapshot().libraries]") == []


def test_status_survives_two_llvm_runtimes_and_using_them_does_not(
    kernel: Kernel, libiomp5: str, tmp_path: Any
) -> None:
    """The situation of a real Error #15: both mapped, one started, the variable not set."""
    kernel.run("%load_ext omp_magic")
    kernel.run(
        f"import ctypes, shutil\nshutil.copy({libiomp5!r}, {str(tmp_path)!r})\n"
        f"first = ctypes.CDLL({libiomp5!r}); second = ctypes.CDLL('{tmp_path}/libiomp5.so')"
    )
    none_started = kernel.run("s = %omp_status\ns")
    assert none_started.status == "ok"
    assert kernel.value("[l.initialized for l in s.libraries]") == [False, False]
    kernel.run("first.omp_get_max_threads()")
    reply = kernel.run("s = %omp_status\ns")
    assert reply.status == "ok"
    assert "OMP101" in reply.text
    libraries = kernel.value("[[l.path, l.initialized, l.num_threads] for l in s.libraries]")
    started = {path: (initialized, count) for path, initialized, count in libraries}
    assert started[libiomp5][0] is True
    assert started[libiomp5][1] >= 1
    assert started[f"{tmp_path}/libiomp5.so"] == (False, None)
    for line in ("%omp_status --env --threads", "%%omp_limit 1\n1 + 1", "%omp_limit 1"):
        assert kernel.run(line).status == "ok"
    assert kernel.run("%omp_limit off").status == "ok"
    assert kernel.run("second.omp_get_max_threads()").status == "dead"


def test_a_second_copy_that_started_masked_is_seen_by_its_flag(
    kernel: Kernel, libiomp5: str, tmp_path: Any
) -> None:
    kernel.run("%load_ext omp_magic\nimport os; os.environ['KMP_DUPLICATE_LIB_OK'] = 'TRUE'")
    kernel.run(
        f"import ctypes, shutil\nshutil.copy({libiomp5!r}, {str(tmp_path)!r})\n"
        f"first = ctypes.CDLL({libiomp5!r}); second = ctypes.CDLL('{tmp_path}/libiomp5.so')\n"
        "first.omp_get_max_threads()"
    )
    assert "OMP102" in kernel.run("s = %omp_status\ns").text
    assert kernel.value("[l.initialized for l in s.libraries]") == [True, False]
    kernel.run("second.omp_set_num_threads(3)\ns = %omp_status")
    assert kernel.value("[l.initialized for l in s.libraries]") == [True, True]
    assert kernel.value("s.libraries[1].num_threads") == 3


def test_an_openblas_on_openmp_threads_shows_whose(kernel: Kernel) -> None:
    if kernel.run("import faiss").status != "ok":
        pytest.skip("faiss-cpu has no wheel here")
    kernel.run("%load_ext omp_magic\ns = %omp_status")
    rows = kernel.value("[[l.path, l.threading_layer, l.num_threads, l.note] for l in s.libraries]")
    (blas,) = (row for row in rows if row[1] == "openmp")
    assert "faiss_cpu.libs/libopenblaso" in blas[0]
    assert "libgomp" in blas[3]
    theirs = kernel.value(
        "{i['filepath']: i['num_threads'] for i in __import__('threadpoolctl').threadpool_info()}"
    )
    assert {row[0]: row[2] for row in rows} == theirs


def test_status_returns_the_snapshot_and_shows_text_and_html(shared_kernel: Kernel) -> None:
    reply = shared_kernel.run("%omp_status")
    assert set(reply.result) == {"text/plain", "text/html"}
    assert "OpenBLAS" in reply.text
    assert "numpy" in reply.text
    shared_kernel.run("s = %omp_status")
    assert shared_kernel.value("type(s).__name__") == "Snapshot"
    assert shared_kernel.value("s.to_frame().shape[0] == len(s.libraries)")
    silent = shared_kernel.run("%omp_status --env;")
    assert (silent.status, silent.result) == ("ok", {})


def test_status_parts(shared_kernel: Kernel) -> None:
    shared_kernel.run("import os; os.environ['OMP_NUM_THREADS'] = '3'")
    assert "OMP_NUM_THREADS" in shared_kernel.run("%omp_status --env").text
    assert "MainThread" in shared_kernel.run("%omp_status --threads").text
    assert "sched_getaffinity" in shared_kernel.run("%omp_status --cpus").text
    threads = shared_kernel.value("len(__import__('threading').enumerate())")
    assert "measured" in shared_kernel.run("%omp_status --probe").text
    assert shared_kernel.value("len(__import__('threading').enumerate())") == threads
    shared_kernel.run("del os.environ['OMP_NUM_THREADS']")
    reply = shared_kernel.run("%omp_status --json")
    keys = {
        "schema",
        "pid",
        "budget",
        "libraries",
        "pools",
        "threads",
        "environment",
        "throttling",
        "findings",
        "gaps",
    }
    assert keys <= set(json.loads(reply.text))
    assert keys <= set(reply.result["application/json"])


def test_wrong_flags_are_one_line(shared_kernel: Kernel) -> None:
    for line in ("%omp_status --nope", "%omp_status extra", "%omp_status 'a"):
        reply = shared_kernel.run(line)
        assert reply.status == "error"
        assert reply.ename == "UsageError"
        assert "accepted:" in reply.stderr
        assert "example:" in reply.stderr
        assert reply.stderr.strip().count("\n") == 0


def test_help_has_a_runnable_example(kernel: Kernel) -> None:
    kernel.run("%load_ext omp_magic")
    for _ in range(2):  # before the magics' first use, and after it
        text = kernel.run("%omp_limit?").payload[0]["data"]["text/plain"]
        assert "%%omp_limit 2 -v" in text
        assert "--verbose" in text
        assert "%omp_limit blas=1" in kernel.run("%omp_limit --help").stdout
        example = text.split("::")[2].strip().split("\x1b")[0]
        assert kernel.run("import numpy as np; a = np.ones((50, 50))").status == "ok"
        lines = [line.strip() for line in example.split("\n")[:2]]
        assert kernel.run("\n".join(lines)).status == "ok", lines


def test_completion_of_flags_and_families(shared_kernel: Kernel) -> None:
    # Below IPython 8.6 there is only a hook, whose results stand among Jedi's.
    shared_kernel.run("before_it = %omp_status")
    alone = shared_kernel.value("__import__('IPython').version_info[:2] >= (8, 6)")
    for code, wanted in (
        ("%omp_status --t", ["--threads"]),
        ("%omp_limit openb", ["openblas="]),
        ("%%omp_limit lib", ["libgomp=", "libiomp5=", "libomp="]),
        ("%omp_limit of", ["off"]),
        ("%omp_status --since befo", ["before_it"]),
        ("%omp_check --run threadpoolc", ["threadpoolctl"]),
    ):
        found = shared_kernel.complete(code)
        assert set(wanted) <= set(found)
        assert found == wanted or not alone
    if alone:
        assert "--json" in shared_kernel.complete("s = %omp_status --")


class _Tags(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in ("path", "rect"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in ("path", "rect"):
            assert self.open.pop() == tag


def test_the_html_is_whole_and_accessible(shared_kernel: Kernel) -> None:
    tags = _Tags()
    tags.feed(shared_kernel.run("%omp_status --env --threads").result["text/html"])
    assert tags.open == []
    tables = [tag for tag, _ in tags.seen if tag == "table"]
    captions = [tag for tag, _ in tags.seen if tag == "caption"]
    assert len(tables) == len(captions) >= 3
    scopes = {attrs.get("scope") for tag, attrs in tags.seen if tag == "th"}
    assert scopes == {"col", "row"}
    pictures = [attrs for tag, attrs in tags.seen if tag == "svg"]
    assert pictures
    assert all(attrs.get("aria-label") for attrs in pictures)


WORKERS = """
import multiprocessing, subprocess, sys
code = "import os, numpy; print(os.getpid(), flush=True); input()"
def _child(**env):
    started = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, env={**os.environ, **env})
    started.stdout.readline()
    return started
import os
_children = [_child(OMP_NUM_THREADS="1"), _child(OMP_NUM_THREADS="1"), _child()]
"""


def test_workers_are_listed_when_asked() -> None:
    kernel = Kernel(env={"COLUMNS": "80"})
    try:
        assert kernel.run(f"%load_ext omp_magic\n{WORKERS}").status == "ok"
        plain = kernel.run("s = %omp_status\ns")
        assert "(--workers)" in plain.text
        assert kernel.value("s.to_dict()['workers']") is None
        reply = kernel.run("s = %omp_status --workers\ns")
        assert reply.status == "ok", reply.traceback
        pids = kernel.value("[each.pid for each in _children]")
        expected = f"differs  2 of 3 have OMP_NUM_THREADS=1, pid {pids[2]} has none"
        assert expected in reply.text
        ours = reply.text.partition("3 workers with pools")[2]
        assert max(map(len, ours.split("\n"))) <= 80
        page = reply.result["text/html"]
        assert f"2 of 3 have OMP_NUM_THREADS=1, pid {pids[2]} has none" in page
        assert "<caption>Child processes</caption>" in page
        told = kernel.value("s.to_dict()['workers']")
        assert [each["pid"] for each in told["workers"]] == sorted(pids)
        assert all(each["runtimes"] for each in told["workers"])
        kernel.run("import time; time.sleep(0.2)")
        looks = kernel.value("[e.use.since for e in __import__('omp_magic').snapshot(workers=True)"
                             ".workers.workers]")  # fmt: skip
        assert looks == ["last look"] * 3
        shown = kernel.run("%omp_status --workers --json")
        assert shown.result["application/json"]["workers"]["sums"]["workers"] == 3
    finally:
        kernel.run("for each in _children: each.kill(); each.communicate()")
        kernel.close()
