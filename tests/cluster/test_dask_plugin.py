"""The plugin in real workers of Dask: those that are there, that come, and that lack omp_magic."""

from __future__ import annotations

import json
import math
import pickle
from pathlib import Path
from typing import Any

import pytest
from live import run_python

from omp_magic import dask_plugin
from omp_magic.api import snapshot
from omp_magic.errors import LimitError

pytest.importorskip("distributed", reason="distributed is not here")

PROGRAM = """
import json, os, sys, time

ENV = {name: "4" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")}

def limits(dask_worker):
    at = getattr(dask_worker.plugins.get("omp_magic"), "_at", None)
    if at is None:
        return []  # a worker that has only just come
    here = sys.modules[type(at).__module__.partition(".")[0] + ".here"].HERE
    return [each.spec for each in here.limits]

def count(_):
    import numpy, threadpoolctl
    return [each["num_threads"] for each in threadpoolctl.threadpool_info()]

def quicker():
    import omp_magic.clusters.daskworker as daskworker
    daskworker.LOOK_EVERY_S = 0.2

def late():
    os.environ["OMP_SCHEDULE"] = "no such"

def until(answer, wanted):
    end = time.monotonic() + 30
    while (found := answer()) != wanted and time.monotonic() < end:
        time.sleep(0.05)
    return found

def plugins(dask_scheduler):
    names = [*dask_scheduler.plugins, *dask_scheduler.handlers]
    return [each for each in names if "omp_magic" in each]

def installed(omp_magic, LocalCluster, Client, cpus):
    found = {}
    options = {"n_workers": 1, "threads_per_worker": 1, "dashboard_address": None}
    with LocalCluster(**options) as cluster, Client(cluster) as client:
        client.run(quicker)
        found["before"] = client.submit(count, 0).result()
        client.register_plugin(omp_magic.dask_plugin())
        found["one"] = list(client.run(limits).values())
        (first,) = client.scheduler_info()["workers"]
        cluster.scale(3)
        client.wait_for_workers(3)
        share = [str(max(1, int(cpus / 3 + 1e-3)))]
        found["three"] = until(lambda: list(client.run(limits).values()), [share] * 3)
        found["in a task"] = client.submit(count, 1, workers=[first]).result()
        cluster.scale(1)
        found["left"] = until(lambda: list(client.run(limits).values()), found["one"])
        client.run(late)
        codes = lambda: {msg["code"] for _, msg in client.get_events("omp_magic") or ()}
        until(lambda: "OMP304" in codes(), True)
        time.sleep(0.5)  # two looks more, which have nothing new to tell
        (own,) = client.scheduler_info()["workers"]
        events = [msg for _, msg in client.get_events("omp_magic")]
        found["events"] = [msg["code"] for msg in events if msg["worker"] == own]
        found["message"] = events[0]
        found["remedies"] = [msg["remedies"] for msg in events]
        lines = [line for _, line in client.get_scheduler_logs()]
        found["logged"] = sum("OMP304" in line and own in line for line in lines)
        found["at the scheduler"] = client.run_on_scheduler(plugins)
        off = omp_magic.cluster(client, limit="off").workers
        found["off"] = [[gap.why for gap in each.gaps] for each in off]
        client.unregister_worker_plugin("omp_magic")
        found["after"] = client.submit(count, 2).result()
        found["nothing"] = client.run_on_scheduler(plugins)
        client.register_plugin(omp_magic.dask_plugin("/nowhere/libgomp.so.1=2"))
        found["fault"] = client.submit(count, 3).result()
    return found

def lacking(omp_magic, LocalCluster, Client):
    found = {}
    options = {"n_workers": 1, "threads_per_worker": 2, "dashboard_address": None}
    gone = "import sys; sys.modules['omp_magic'] = None"
    with LocalCluster(preload=gone, **options) as cluster, Client(cluster) as client:
        client.register_plugin(omp_magic.dask_plugin(2))
        found["lacking"] = list(client.run(limits).values())
        found["in a task"] = client.submit(count, 1).result()
        client.restart()
        client.wait_for_workers(1)
        found["anew"] = list(client.run(limits).values())
    return found

if __name__ == "__main__":
    import omp_magic
    from distributed import Client, LocalCluster
    os.environ.update(ENV, KMP_DUPLICATE_LIB_OK="TRUE")
    (cpus,) = sys.argv[1:]
    clusters = (omp_magic, LocalCluster, Client)
    print(json.dumps(installed(*clusters, float(cpus)) if cpus else lacking(*clusters)))
"""


def cpus() -> float:
    return snapshot().budget.cpus


def ran(folder: Path, argument: str) -> dict[str, Any]:
    """Run the program, which workers import too, and give what it has found."""
    program = folder / "program.py"
    program.write_text(PROGRAM, "utf-8")
    ended = run_python(
        "import runpy, sys; sys.argv = sys.argv[1:]; "
        "runpy.run_path(sys.argv[0], run_name='__main__')",
        str(program),
        argument,
    )
    assert ended.code == 0, ended.err
    return {**json.loads(ended.out.splitlines()[-1]), "err": ended.err}


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return ran(tmp_path_factory.mktemp("plugin"), str(cpus()))


def share(tasks: int) -> str:
    return str(max(1, math.floor(cpus() / tasks + 1e-3)))


def test_a_worker_gets_its_share_at_its_start_and_when_others_come_or_go(
    told: dict[str, Any],
) -> None:
    assert told["one"] == [[share(1)]]
    assert told["three"] == [[share(3)]] * 3
    assert told["left"] == [[share(1)]]


def test_tasks_have_the_limit_and_get_back_what_was(told: dict[str, Any]) -> None:
    assert told["before"]
    assert set(told["in a task"]) == {int(share(3))}
    assert told["after"] == told["before"]


def test_off_tells_of_the_limit_that_is_the_plugins(told: dict[str, Any]) -> None:
    [[why]] = told["off"]
    assert why.startswith(
        f"a limit to {share(1)} stays here, set by omp_magic.dask_plugin('auto'):"
    )
    assert why.endswith("; it ends with client.unregister_worker_plugin('omp_magic')")


def test_findings_are_told_once(told: dict[str, Any]) -> None:
    assert told["events"].count("OMP303") == 1
    assert told["events"].count("OMP304") == 1
    assert told["logged"] == 1
    assert set(told["message"]) >= {"worker", "code", "severity", "title", "why", "remedies"}
    assert "%omp_" not in json.dumps(told["remedies"])
    assert "kernel" not in json.dumps(told["remedies"])


def test_the_scheduler_has_nothing_of_ours_afterwards(told: dict[str, Any]) -> None:
    assert told["at the scheduler"] == ["omp_magic", "omp_magic_announce", "omp_magic_leave"]
    assert told["nothing"] == []


def test_a_limit_that_fails_there_is_a_line_and_the_worker_works(told: dict[str, Any]) -> None:
    assert told["fault"] == told["before"]
    assert told["err"].count("omp_magic: no limit here (LimitError: ") == 1


@pytest.mark.thorough
def test_a_worker_without_omp_magic_is_limited_too_also_when_it_starts_anew(
    tmp_path: Path,
) -> None:
    found = ran(tmp_path, "")
    assert found["lacking"] == [["2"]]
    assert set(found["in a task"]) == {2}
    assert found["anew"] == [["2"]]


def test_what_is_no_limit_is_refused_here() -> None:
    with pytest.raises(LimitError, match="dask_plugin"):
        dask_plugin("to")


def test_a_worker_that_cannot_load_it_gets_one_that_does_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Else it would not start: distributed/worker.py, `plugin_add`."""
    from distributed import WorkerPlugin

    made = dask_plugin(2)
    for fault in ("1 / 0", "('omp_magic', 0, 'python', '3.9.1')"):
        monkeypatch.setattr(
            "omp_magic.clusters.carried.bringing_text_of", lambda *_, fault=fault: fault
        )
        read = pickle.loads(pickle.dumps(made))
        assert type(read) is WorkerPlugin
        assert caplog.records.pop().getMessage().startswith("omp_magic: no limit here (")
