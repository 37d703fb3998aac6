"""A real ipyparallel cluster of four engines: one lacks omp_magic, one has another version."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from live import LINUX
from realclusters import ClusterKernel, stopped

START = """
import ipyparallel
cluster = ipyparallel.Cluster(n=4, log_level=40, delay=0)
client = cluster.start_and_connect_sync()
everyone = client[:]
everyone.execute("import ctypes, glob, os, signal, sysconfig, threading, time", block=True)

def lack():
    "Let this process find no omp_magic."
    import sys
    class Lacking:
        def find_spec(self, name, path=None, target=None):
            if name.partition(".")[0] == "omp_magic":
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)
    sys.meta_path.insert(0, Lacking())

def have(folder):
    "Let this process find another omp_magic."
    import sys
    sys.path.insert(0, folder)

def marks():
    "What a look might leave in a process."
    import sys
    return [sorted(sys.path), sorted(name for name in os.environ)]
"""
pytestmark = pytest.mark.skipif(not LINUX, reason="scikit-learn's libgomp is Linux' alone")
TWO = {"openblas": 2, "openmp": 2}
ONE = {"openblas": 1, "openmp": 1}
SEEN = ["inside", "inside", "carried", "carried"]


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClusterKernel]:
    other = tmp_path_factory.mktemp("other")
    _old_version(other)
    started = ClusterKernel(START)
    try:
        started.done(
            "import sys; first = omp_magic.cluster(client[:2]); here = 'numpy' in sys.modules"
        )
        started.done(
            "everyone.execute('import sys; loaded = \"numpy\" in sys.modules', block=True)"
        )
        started.know("everyone.apply_sync(load)")
        started.done(f"client[2].apply_sync(have, {str(other)!r}); client[3].apply_sync(lack)")
        yield started
    finally:
        started.run("cluster.stop_cluster_sync()")
        started.close()


def _old_version(folder: Path) -> None:
    """Write an omp_magic that packs its facts in another way."""
    package = folder / "omp_magic"
    (package / "facts").mkdir(parents=True)
    (package / "__init__.py").write_text('__version__ = "0.0.1"\n', "utf-8")
    (package / "facts" / "__init__.py").write_text("", "utf-8")
    (package / "facts" / "packed.py").write_text("WIRE = 0\n", "utf-8")


def _counts(kernel: ClusterKernel) -> Any:
    return kernel.value("everyone.apply_sync(counts)")


def test_the_first_look_loads_no_numpy_neither_there_nor_here(kernel: ClusterKernel) -> None:
    """An `apply` does, so a look is none."""
    assert kernel.value("[each.gap for each in first.workers]") == [None] * 2
    assert kernel.value("[len(each.state.libraries) for each in first.workers]") == [0] * 2
    assert kernel.value("here") is False
    assert kernel.value("client[:2]['loaded']") == [False] * 2


def test_each_engine_is_told_and_what_it_lacks_comes_with_the_question(
    kernel: ClusterKernel,
) -> None:
    marks = kernel.value("everyone.apply_sync(marks)")
    outstanding = kernel.value("[client.history, sorted(client.outstanding), len(client.results)]")
    rows = kernel.rows("omp_magic.cluster(client)")
    assert [row["gap"] for row in rows] == [None] * 4
    assert [row["seen"] for row in rows] == SEEN
    assert [row["address"] for row in rows] == [f"engine {each}" for each in range(4)]
    assert {row["host_name"] for row in rows} == {socket.gethostname()}
    assert {row["pid"] for row in rows} == set(kernel.pids)
    for row in rows:
        assert {each["num_threads"] for each in row["state"]["pools"]} == {2}
    # The client's own thread crosses a message off after it has handed over the reply.
    now = "[client.history, sorted(client.outstanding), len(client.results)]"
    kernel.done(f"import time; until = time.monotonic() + 10; before = {outstanding!r}")
    kernel.done(f"while {now} != before and time.monotonic() < until: time.sleep(0.01)")
    assert kernel.value(now) == outstanding
    assert kernel.value("everyone.apply_sync(marks)") == marks


def test_the_executor_of_a_view_is_its_engines_and_a_cluster_is_all(kernel: ClusterKernel) -> None:
    assert len(kernel.rows("omp_magic.cluster(cluster)")) == 4
    rows = kernel.rows("omp_magic.cluster(client[:2].executor)")
    assert [row["address"] for row in rows] == ["engine 0", "engine 1"]


def test_an_engine_without_omp_magic_still_has_none(kernel: ClusterKernel) -> None:
    kernel.rows("omp_magic.cluster(client)")
    reply = kernel.run("client[3].apply_sync(eval, \"__import__('omp_magic')\")")
    assert reply.status == "error"
    assert "No module named 'omp_magic'" in reply.traceback
    assert kernel.value("client[2].apply_sync(eval, \"__import__('omp_magic').__version__\")") == (
        "0.0.1"
    )


def test_a_limit_is_on_each_engine_and_goes_again(kernel: ClusterKernel) -> None:
    assert _counts(kernel) == [TWO] * 4
    rows = kernel.rows('omp_magic.cluster(client, limit="1")')
    assert [row["state"]["limits"] for row in rows] == [["1"]] * 4
    assert _counts(kernel) == [ONE] * 4
    rows = kernel.rows('omp_magic.cluster(client[[1, 3]], limit="off")')
    assert [row["address"] for row in rows] == ["engine 1", "engine 3"]
    assert _counts(kernel) == [ONE, TWO, ONE, TWO]
    rows = kernel.rows('omp_magic.cluster(client.load_balanced_view(), limit="off")')
    assert [row["state"]["limits"] for row in rows] == [[]] * 4
    assert _counts(kernel) == [TWO] * 4


def test_auto_counts_the_engines_that_are_not_meant(kernel: ClusterKernel) -> None:
    rows = kernel.rows('omp_magic.cluster(client[:2], limit="auto")')
    assert [row["address"] for row in rows] == ["engine 0", "engine 1"]
    told = kernel.value("[each.snapshot.limits[0].set_by for each in seen.workers]")
    assert all("4 tasks at once" in each for each in told)
    assert _counts(kernel)[2:] == [TWO] * 2
    kernel.done('seen = omp_magic.cluster(client, limit="off")')


def test_a_view_of_the_user_stays_as_it_is_and_px_works(kernel: ClusterKernel) -> None:
    flags = "[everyone.targets, everyone.block, everyone.track, everyone.history]"
    before = kernel.value(flags)
    kernel.rows("omp_magic.cluster(everyone)")
    assert kernel.value(flags) == before
    reply = kernel.run("%%px\nimport threading\nprint(6 * 7)")
    assert reply.status == "ok"
    assert "42" in reply.stdout + str(reply.displays)


def test_an_engine_that_becomes_free_answers_the_look_that_waits(kernel: ClusterKernel) -> None:
    kernel.done("busy = client[0].apply_async(time.sleep, 3); time.sleep(0.3)")
    [row] = kernel.rows("omp_magic.cluster(client[0], timeout_s=1)")
    assert "it is busy" in row["gap"]["why"]
    [row] = kernel.rows("omp_magic.cluster(client[0], timeout_s=30)")
    assert row["gap"] is None


def test_a_busy_engine_and_a_stopped_one_are_told_and_neither_runs_it_later(
    kernel: ClusterKernel,
) -> None:
    pids = kernel.value("everyone.apply_sync(os.getpid)")
    kernel.done("busy = client[0].apply_async(time.sleep, 5); time.sleep(0.5)")
    with stopped(pids[1]):
        rows = kernel.rows('omp_magic.cluster(client, limit="1", timeout_s=3)')
    gaps = [row["gap"] and row["gap"]["why"] for row in rows]
    assert gaps[0].startswith("no answer in 3 s: it is busy")
    assert gaps[1].startswith("no answer in 3 s: the process is stopped")
    assert [(row["pid"], row["seen"]) for row in rows[:2]] == [
        (pids[0], "outside"),
        (pids[1], "outside"),
    ]
    assert gaps[2:] == [None, None]
    kernel.done("busy.wait(60); client.wait(timeout=60)")
    rows = kernel.rows("omp_magic.cluster(client, timeout_s=30)")
    assert [row["state"]["limits"] for row in rows] == [[], [], ["1"], ["1"]]
    kernel.done('seen = omp_magic.cluster(client, limit="off")')


def test_an_engine_that_is_killed_is_told_and_the_others_are_right(kernel: ClusterKernel) -> None:
    pids = kernel.value("everyone.apply_sync(os.getpid)")
    kernel.done(f"os.kill({pids[3]}, signal.SIGKILL)")
    rows = kernel.rows("omp_magic.cluster(client, timeout_s=30)")
    assert [row["gap"] for row in rows[:3]] == [None] * 3
    assert rows[3]["gap"]["why"].endswith("it has ended")
    kernel.done(
        "until = time.monotonic() + 60\n"
        "while len(client.ids) > 3 and time.monotonic() < until: time.sleep(0.1)"
    )
    rows = kernel.rows("omp_magic.cluster(client[:])")
    assert [row["gap"] for row in rows] == [None] * 3
    # Its controller has forgotten it, and its cluster has not.
    *known, absent = kernel.rows("omp_magic.cluster(client)")
    assert [row["gap"] for row in known] == [None] * 3
    assert absent["address"] == "absent engine 1"
    assert absent["gap"]["why"].endswith("it starts, or it has ended")


def test_a_cluster_that_was_stopped_is_one_line(kernel: ClusterKernel) -> None:
    kernel.done("other = ipyparallel.Client(cluster_id=cluster.cluster_id)")
    kernel.done("cluster.stop_cluster_sync()")
    for given, told in (
        ("client[:]", "a Client's cluster that is stopped"),
        ("cluster", "a Cluster that is not running"),
    ):
        reply = kernel.run(f"omp_magic.cluster({given})")
        assert (reply.ename, told in reply.evalue) == ("ClosedError", True), reply.traceback
    reply = kernel.run("omp_magic.cluster(other, timeout_s=60)")
    assert reply.ename == "ClusterError", reply.traceback
    assert "its controller does not answer" in reply.evalue
