"""A real LocalCluster of two processes with two threads each, looked at, limited, killed, hung."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from live import CLEAN, LINUX
from realclusters import BLOCK, COUNTS, ClusterKernel, stopped

START = """
import dask, distributed
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    dask.config.set({f"distributed.nanny.pre-spawn-environ.{name}": "2"})
cluster = distributed.LocalCluster(n_workers=2, threads_per_worker=2, dashboard_address=None)
client = distributed.Client(cluster)

def everywhere():
    "What each worker's loop and both threads of its executor have, by its address."
    address = list(client.scheduler_info(n_workers=-1)["workers"])
    futures = {
        each: [client.submit(counted, workers=[each], pure=False) for _ in range(2)]
        for each in address
    }
    loops = client.run(counts)
    return {each: (loops[each], client.gather(futures[each])) for each in address}

def whole():
    "Wait for two workers; one that ends while it starts is not replaced (distributed/nanny.py)."
    client.wait_for_workers(2, timeout=60)
    end = time.monotonic() + 60
    nannies = cluster.workers.values
    while any(each.process is None or each.process.status.name != "running" for each in nannies()):
        assert time.monotonic() < end, [each.process for each in nannies()]
        time.sleep(0.05)
"""
pytestmark = pytest.mark.skipif(not LINUX, reason="scikit-learn's libgomp is Linux' alone")
TWO = {"openblas": 2, "openmp": 2}
ONE = {"openblas": 1, "openmp": 1}


@pytest.fixture(scope="module")
def kernel() -> Iterator[ClusterKernel]:
    started = ClusterKernel(START)
    try:
        started.know("list(client.run(load).values())")
        yield started
        started.done("client.close(); cluster.close()")
    finally:
        started.close()


def test_each_worker_is_told_with_what_it_has(kernel: ClusterKernel) -> None:
    rows = kernel.rows("omp_magic.cluster(client)")
    assert [row["gap"] for row in rows] == [None, None]
    for row in rows:
        assert row["seen"] == "inside"
        assert (row["host_name"], row["tasks"]) == (socket.gethostname(), 2)
        assert row["name"] in {"0", "1"}
        state = row["state"]
        assert {each["family"] for each in state["libraries"]} == {"openblas", "libgomp"}
        assert {each["num_threads"] for each in state["pools"]} == {2}
        assert state["budget_threads"] == len(os.sched_getaffinity(0))
        assert dict(state["variables"])["OMP_NUM_THREADS"] == "2"
    assert {row["pid"] for row in rows} == set(kernel.pids)
    assert kernel.value("[len(seen.hosts), len(seen.groups)]") == [1, 1]


def test_its_executor_and_the_backend_of_joblib_are_the_same_cluster(kernel: ClusterKernel) -> None:
    told = kernel.value("omp_magic.cluster(client.get_executor()).title")
    assert told == kernel.value("omp_magic.cluster(client).title")
    kernel.done("import joblib")
    with_it = "with joblib.parallel_config('dask'): seen = omp_magic.cluster(joblib)"
    kernel.done(with_it)
    assert kernel.value("[seen.engine, seen.title]") == ["dask", told]


def _threads(told: dict[str, Any]) -> dict[str, list[int]]:
    return {address: sorted(ident for ident, *_ in of) for address, (_, of) in told.items()}


def test_a_limit_is_in_each_thread_of_each_worker_and_goes_again(kernel: ClusterKernel) -> None:
    def all_have(counts: dict[str, int]) -> dict[str, list[int]]:
        told = kernel.value("everywhere()")
        for loop, tasks in told.values():
            assert loop == counts
            assert [each[1:] for each in tasks] == [[counts, counts]] * 2
        return _threads(told)

    before = all_have(TWO)
    rows = kernel.rows('omp_magic.cluster(client, limit="1")')
    assert [row["state"]["limits"] for row in rows] == [["1"], ["1"]]
    assert all_have(ONE) == before  # threads that were there, and no new ones
    rows = kernel.rows('omp_magic.cluster(client, limit="openblas=1")')
    assert [row["state"]["limits"] for row in rows] == [["openblas=1"], ["openblas=1"]]
    all_have({"openblas": 1, "openmp": 2})
    rows = kernel.rows('omp_magic.cluster(cluster, limit="off")')
    assert [row["state"]["limits"] for row in rows] == [[], []]
    assert all_have(TWO) == before
    rows = kernel.rows('omp_magic.cluster(client, limit="off")')
    assert [row["gaps"] for row in rows] == [[], []]


def test_limits_that_differ_are_told_as_limits_and_no_variable_of_theirs(
    kernel: ClusterKernel,
) -> None:
    address = kernel.value("list(client.run(os.getpid))")
    before = {row["address"]: row["state"] for row in kernel.rows("omp_magic.cluster(client)")}
    kernel.done(
        "from omp_magic.clusters.carried import text_of\n"
        f"client.run(eval, text_of(\"hold('1')\"), workers=[{address[0]!r}])"
    )
    rows = kernel.rows("omp_magic.cluster(client)")
    assert {row["address"]: row["state"]["limits"] for row in rows} == {
        address[0]: ["1"],
        address[1]: [],
    }
    for row in rows:
        assert row["state"]["variables"] == before[row["address"]]["variables"]
    assert kernel.value("'OMP404' in [each.code for each in seen.findings]") is False
    kernel.done('seen = omp_magic.cluster(client, limit="off")')


def test_auto_is_the_hosts_share(kernel: ClusterKernel) -> None:
    rows = kernel.rows('omp_magic.cluster(client, limit="auto")')
    share = str(max(1, len(os.sched_getaffinity(0)) // 4))
    assert [row["state"]["limits"] for row in rows] == [[share], [share]]
    [told] = kernel.value("list({w.snapshot.limits[0].set_by for w in seen.workers})")
    assert "4 tasks at once" in told
    kernel.done('seen = omp_magic.cluster(client, limit="off")')


def test_one_that_hangs_and_one_that_is_killed_are_told_and_the_cluster_lives(
    kernel: ClusterKernel,
) -> None:
    pids = kernel.value("client.run(os.getpid)")
    (first, hung), (second, killed) = pids.items()
    with stopped(hung):
        kernel.done(f"os.kill({killed}, signal.SIGKILL)")
        rows = kernel.rows('omp_magic.cluster(client, limit="1", timeout_s=3)')
        by_address = {row["address"]: row for row in rows}
        assert "no answer in 3 s" in by_address[first]["gap"]["why"]
        assert (by_address[first]["pid"], by_address[first]["seen"]) == (hung, "outside")
        assert second not in by_address or by_address[second]["gap"] is not None
        assert kernel.value("[gap.what for gap in seen.gaps][-1:]") == ["limit"]
    # What nobody waits for any more sets nothing there: a limit is not in the answer.
    kernel.done("whole()")
    kernel.know("list(client.run(load).values())")
    rows = kernel.rows("omp_magic.cluster(client, timeout_s=30)")
    assert [row["gap"] for row in rows] == [None, None]
    assert all(row["state"]["limits"] in ([], ["1"]) for row in rows)
    assert {row["address"]: row["state"]["limits"] for row in rows}[first] == []
    kernel.done('seen = omp_magic.cluster(client, limit="off")')


def test_one_that_ends_before_it_is_asked_delays_nobody_and_its_successor_is_in_its_place(
    kernel: ClusterKernel,
) -> None:
    kernel.done(
        "from omp_magic.clusters.dask import Dask\n"
        "engine = Dask(client); seats = engine.seats(); ended = seats[1]\n"
        "os.kill(ended.pid, signal.SIGKILL)\n"
        "until = time.monotonic() + 60\n"
        "while len(client.scheduler_info()['workers']) > 1 and time.monotonic() < until:\n"
        "    time.sleep(0.01)\n"
        "[absent] = engine.seats()[1:]; answers = []\n"
        "engine.ask('1 + 1', seats, 60.0, answers.append)"
    )
    told = kernel.value("{each.seat.address: each.error for each in answers}")
    first, second = kernel.value("[each.address for each in seats]")
    assert told == {first: "", second: "it has ended: its scheduler knows it no more"}
    known = kernel.value("[absent.name, absent.host, absent.tasks]")
    assert known == kernel.value("[ended.name, ended.host, ended.tasks]")
    kernel.done("whole()")
    kernel.know("list(client.run(load).values())")
    kernel.done(
        "from unittest.mock import patch\n"
        "with patch.object(Dask, 'seats', lambda engine: seats): seen = omp_magic.cluster(client)"
    )
    assert kernel.value("[each.gap for each in seen.workers]") == [None, None]
    [gap] = kernel.value("[[gap.where, gap.why] for gap in seen.gaps]")
    now = kernel.value("seen.workers[1].address")
    assert gap[0] == second
    assert gap[1].endswith(f"its scheduler knows it no more; {now} is in its place")


def test_a_task_that_runs_meanwhile_is_told(kernel: ClusterKernel) -> None:
    kernel.done(
        "begun = distributed.Event('begun')\n"
        "def long():\n"
        "    distributed.Event('begun').set(); distributed.Event('end').wait(60); return counts()\n"
        "address, other = client.run(os.getpid)\n"
        "long = client.submit(long, workers=[address], pure=False); begun.wait(60)"
    )
    rows = kernel.rows('omp_magic.cluster(client, limit="1")')
    told = {row["address"]: [gap["why"] for gap in row["gaps"]] for row in rows}
    address, other = kernel.value("[address, other]")
    assert told[address] == [
        "OpenMP: threads take it before their next task; tasks that run now: 1"
    ]
    assert told[other] == []
    kernel.done("distributed.Event('end').set()")
    assert kernel.value("long.result()") == {"openblas": 1, "openmp": 2}
    kernel.done('seen = omp_magic.cluster(client, limit="off")')


def test_a_worker_that_the_cluster_wants_and_nobody_knows_is_told(kernel: ClusterKernel) -> None:
    kernel.done("cluster.worker_spec['ghost'] = cluster.worker_spec[0]")
    rows = kernel.rows("omp_magic.cluster(client)")
    kernel.done("del cluster.worker_spec['ghost']")
    assert [row["address"] for row in rows if row["gap"]] == ["worker ghost"]
    assert "it starts, or it has ended" in rows[-1]["gap"]["why"]
    assert len(rows) == 3


@pytest.mark.thorough
def test_workers_that_are_threads_of_the_kernel_itself(kernel: ClusterKernel) -> None:
    kernel.done(
        "inside = distributed.LocalCluster(\n"
        "    n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None)\n"
        "near = distributed.Client(inside, set_as_default=False); load()"
    )
    before = kernel.value("[counts(), near.submit(counts, pure=False).result()]")
    rows = kernel.rows("omp_magic.cluster(near)")
    assert [gap["what"].partition(" (")[0] for gap in rows[0]["gaps"]] == ["threads of GNU libgomp"]
    assert "at least" in kernel.value("str(seen)")
    rows = kernel.rows('omp_magic.cluster(near, limit="1")')
    assert [(row["gap"], row["pid"]) for row in rows] == [(None, kernel.value("os.getpid()"))]
    assert kernel.value("near.submit(counts, pure=False).result()") == ONE
    kernel.done(
        "with omp_magic.limit(1):\n"
        "    seen = omp_magic.cluster(near, limit='1')\n"
        "seen = omp_magic.cluster(inside, limit='off'); back = counts()"
    )
    assert kernel.value("back") == before[0]  # in the same cell
    assert kernel.value("[counts(), near.submit(counts, pure=False).result()]") == before
    kernel.done("near.close(); inside.close()")


@pytest.mark.thorough
def test_a_scheduler_that_does_not_answer_is_one_line(
    kernel: ClusterKernel, tmp_path: Path
) -> None:
    kernel.done(
        f"import subprocess, sys; file = {str(tmp_path / 'scheduler')!r}\n"
        "command = [sys.executable, '-m', 'distributed.cli.dask_scheduler', '--no-dashboard']\n"
        "command += ['--port', '0', '--scheduler-file', file]\n"
        "alone = subprocess.Popen(command, stderr=subprocess.DEVNULL)\n"
        "far = distributed.Client(scheduler_file=file, set_as_default=False, timeout=60)"
    )
    try:
        assert kernel.rows("omp_magic.cluster(far)") == []
        with stopped(kernel.value("alone.pid")):
            reply = kernel.run("omp_magic.cluster(far)")
        assert reply.ename == "ClusterError"
        assert "no answer in 10 s" in reply.evalue
    finally:
        kernel.done("far.close(); alone.kill(); alone.wait()")


@pytest.mark.thorough
def test_a_worker_that_ends_between_its_look_and_its_limit_is_told(kernel: ClusterKernel) -> None:
    address, pid = next(iter(kernel.value("client.run(os.getpid)").items()))
    kernel.done(
        "from omp_magic.clusters.asking import Asking\n"
        "plain = Asking._limit\n"
        "def killing(*arguments):\n"
        f"    os.kill({pid}, signal.SIGKILL); time.sleep(1)\n"
        "    return plain(*arguments)\n"
        "Asking._limit = killing"
    )
    rows = kernel.rows('omp_magic.cluster(client, limit="1", timeout_s=2)')
    kernel.done("Asking._limit = plain")
    [why] = [gap["why"] for row in rows if row["address"] == address for gap in row["gaps"]]
    assert "it has ended" in why
    kernel.done("whole()")
    kernel.know("list(client.run(load).values())")
    kernel.done('seen = omp_magic.cluster(client, limit="off")')


@pytest.mark.thorough
def test_a_cluster_whose_scheduler_has_ended_is_one_line(kernel: ClusterKernel) -> None:
    kernel.done(
        "from distributed.deploy.subprocess import SubprocessCluster\n"
        "from omp_magic.clusters import dask as adapter\n"
        "adapter._SCHEDULER_S, usual_s = 2.0, adapter._SCHEDULER_S\n"
        "dead = SubprocessCluster(n_workers=0, scheduler_kwargs={'dashboard': False})\n"
        "os.kill(dead.scheduler.process.pid, signal.SIGKILL)"
    )
    reply = kernel.run("omp_magic.cluster(dead)")
    kernel.run("adapter._SCHEDULER_S = usual_s; dead.close(timeout=1)")
    assert reply.ename == "ClusterError", reply.traceback
    assert "\n" not in reply.evalue


@pytest.mark.thorough
def test_workers_whose_environment_has_no_omp_magic(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(BLOCK, "ascii")
    kernel = ClusterKernel(START.replace("n_workers=2", "n_workers=0"))
    workers: list[subprocess.Popen[bytes]] = []
    try:
        address = kernel.value("cluster.scheduler_address")
        command = [sys.executable, "-m", "distributed.cli.dask_worker", address, "--no-dashboard"]
        command += ["--no-nanny", "--nthreads", "2"]
        env = {**CLEAN, **COUNTS, "PYTHONPATH": str(tmp_path)}
        quiet: Any = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        workers += [subprocess.Popen(command, env=env, **quiet) for _ in range(2)]
        kernel.done("whole(); client.run(load)")
        reply = kernel.run("client.run(eval, \"__import__('omp_magic')\")")
        assert "No module named 'omp_magic'" in reply.evalue
        rows = kernel.rows('omp_magic.cluster(client, limit="1")')
        assert [(row["seen"], row["gap"]) for row in rows] == [("carried", None)] * 2
        for loop, tasks in kernel.value("everywhere()").values():
            assert [loop, *tasks[0][1:], *tasks[1][1:]] == [ONE] * 5
        rows = kernel.rows('omp_magic.cluster(client, limit="off")')
        for loop, tasks in kernel.value("everywhere()").values():
            assert [loop, *tasks[0][1:], *tasks[1][1:]] == [TWO] * 5
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()
        kernel.close()


@pytest.mark.thorough
def test_native_code_that_holds_the_gil_keeps_back_no_other(kernel: ClusterKernel) -> None:
    kernel.done(
        "address, other = client.run(os.getpid)\n"
        "busy = client.submit(lambda: ctypes.PyDLL(None).sleep(6), workers=[address], pure=False)\n"
        "time.sleep(0.5)"
    )
    rows = kernel.rows("omp_magic.cluster(client, timeout_s=2)")
    gaps = {row["address"]: row["gap"] for row in rows}
    address, other = kernel.value("[address, other]")
    assert "holds its GIL" in gaps[address]["why"]
    assert gaps[other] is None
    kernel.done("busy.result()")


@pytest.mark.thorough
def test_an_interrupt_gives_what_has_answered(kernel: ClusterKernel) -> None:
    first, second = kernel.value("client.run(os.getpid)").items()
    with stopped(first[1]):
        reply = kernel.run("seen = omp_magic.cluster(client, timeout_s=40)", interrupt_after=3)
        assert reply.status == "ok", reply.traceback
    known = "{each.address: each.gap and each.gap.why for each in seen.workers}"
    assert kernel.value(known) == {first[0]: "not waited for: interrupted", second[0]: None}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("omp_magic.cluster(client, limit='opnblas=1')", "did you mean openblas"),
        ("omp_magic.cluster(client, timeout_s=0)", "timeout_s"),
        ("omp_magic.cluster(client, timeout_s=10**400)", "timeout_s"),
        ("omp_magic.cluster('tcp://127.0.0.1:8786')", "accepted: a client of"),
        ("omp_magic.cluster(distributed.Client(cluster, asynchronous=True))", "asynchronous"),
    ],
)
def test_what_is_no_question_is_one_line(kernel: ClusterKernel, given: str, said: str) -> None:
    reply = kernel.run(given)
    assert reply.ename in {"RequestError", "LimitError"}, reply.traceback
    assert said in reply.evalue
    assert "\n" not in reply.evalue
