"""Ray: the task workers of a running session and actors, in a session of two CPUs of its own.

`make test-clusters` installs Ray; elsewhere these are skipped.
"""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from live import LINUX
from pools import run_pools

pytest.importorskip("ray", reason="Ray is not installed: make test-clusters")
pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.skipif(not LINUX, reason="stops and kills processes by POSIX' signals"),
]

PROGRAM = """
import ray
from importlib import import_module

told = {"none": refused(ray)}
assert not ray.is_initialized()
ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, _temp_dir=os.environ["RAY_HERE"],
    object_store_memory=80 * 2**20)

@ray.remote
def busy(name):
    return hold(name)

@ray.remote
class Counter:
    def pid(self):
        return os.getpid(), os.environ.get("OMP_NUM_THREADS")

    def hold(self, name):
        return hold(name)

def answers(found):
    return sorted([each.pid or 0, each.gap.why if each.gap else "", each.seen]
        for each in found.workers)

# Task workers.
first, second = cluster(ray), cluster(ray)
told["met"] = [answers(first), answers(second), first.engine, first.title]
told["times"] = [sorted(times for _, times in ask(ray).values()) for _ in range(3)]
told["passing"] = engine_of(ray).seats()[0].passing
task = busy.remote("enough")
wait_for("held-enough")
while ray.available_resources()["CPU"] > 1:
    time.sleep(0.01)
told["busy"] = [[seat.address, seat.pid] for seat in engine_of(ray).seats()]
told["used"] = [each for each in answers(cluster(ray)) if each[1]]
free("enough")
ray.get(task)

# A limit, and its way back.
actors = [Counter.options(name="first").remote(), Counter.remote()]
ray.get([each.pid.remote() for each in actors])
limited = cluster(actors, limit="1")
told["limited"] = [[list(each.state.limits) for each in cluster(actors).workers],
    [each.why for worker in limited.workers for each in worker.gaps if each.what == "limit"]]
told["off"] = [list(each.state.limits) for each in cluster(actors, limit="off").workers]
held = cluster(ray, limit="1")
told["tasks limited"] = [[list(each.state.limits) for each in held.workers],
    sorted({each.why for worker in held.workers for each in worker.gaps if each.what == "limit"})]
cluster(ray, limit="off")

# Actors: one, several, pools of them.
from ray.util import ActorPool
pids = sorted(pid for pid, _ in ray.get([each.pid.remote() for each in actors]))
told["threads"] = [threads for _, threads in ray.get([each.pid.remote() for each in actors])]
told["actors"] = [sorted(ask(actors)) == pids, sorted(ask(ActorPool(actors))) == pids,
    len(ask(actors[0])), [[seat.name, seat.beside] for seat in engine_of(actors).seats()]]
pool = import_module("ray.util.multiprocessing").Pool(2)
told["pool"] = len(ask(pool))
pool.terminate()
import joblib
from ray.util.joblib import register_ray
register_ray()
with joblib.parallel_config("ray", n_jobs=2), joblib.Parallel(2) as parallel:
    parallel(joblib.delayed(abs)(i) for i in range(4))
    told["joblib"] = [engine_of(parallel).kind, len(ask(parallel))]

# One works, one hangs, one was killed.
task = actors[0].hold.remote("more")
wait_for("held-more")
hung = actors[1]
[pid], [working] = [list(ask(hung)), [pid for pid in pids if pid not in ask(hung)]]
os.kill(pid, signal.SIGSTOP)
told["hung"] = answers(cluster(actors, timeout_s=2))
os.kill(pid, signal.SIGCONT)
free("more")
ray.get(task)
told["after"] = answers(cluster(actors)) == [[each, "", "inside"] for each in pids]
os.kill(pid, signal.SIGKILL)
told["killed"] = [[each[1], each[0] == pid] for each in answers(cluster(actors)) if each[1]]
engine = engine_of(ray)
seats = [seat for seat in engine.seats() if seat.pid]
os.kill(seats[0].pid, signal.SIGKILL)
found = ask(None, 2, seats=seats, engine=engine)
told["lost"] = [found.pop(seats[0].pid), [type(each).__name__ for each in found.values()]]
told["works"] = ray.get(busy.remote("enough")) > 0
told["pids"] = [pid, working]
ray.shutdown()
told["shut"] = refused(ray)
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    # A socket's path has 107 characters at most (unix(7)).
    folder = tempfile.mkdtemp(prefix="ray", dir="/tmp")
    try:
        yield run_pools(
            tmp_path_factory.mktemp("ray"),
            PROGRAM,
            timeout=300,
            RAY_HERE=folder,
            RAY_USAGE_STATS_ENABLED="0",
            RAY_AUTH_MODE="disabled",
        )
    finally:
        _end_of(folder)
        shutil.rmtree(folder, ignore_errors=True)


def _end_of(folder: str) -> None:
    """End what is left of a session: the command lines of its servers have its folder."""
    for each in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = each.read_bytes()
        except OSError:
            continue
        if folder.encode() in words:
            os.kill(int(each.parent.name), signal.SIGKILL)


def test_no_session_is_started(told: dict[str, Any]) -> None:
    for each in ("none", "shut"):
        assert told[each].startswith("found 'ray, of which no session runs here'")


def test_each_idle_task_worker_is_met_once(told: dict[str, Any]) -> None:
    first, second, engine, title = told["met"]
    assert first == second
    assert [each[1:] for each in first] == [["", "inside"]] * 2
    assert (engine, title[:7]) == ("ray", "Ray at ")
    assert told["times"] == [[1, 1], [2, 2], [3, 3]]


def test_what_is_in_use_is_told(told: dict[str, Any]) -> None:
    assert sum(pid is not None for _, pid in told["busy"]) == 1
    [[pid, why, seen]] = told["used"]
    assert pid == 0
    assert why == "Ray addresses no worker that is in use; an actor is asked by its handle"
    assert seen == ""
    assert any("1 CPU in use" in address for address, _ in told["busy"])


def test_a_limit_is_set_and_taken_back(told: dict[str, Any]) -> None:
    assert told["limited"] == [[["1"], ["1"]], []]
    assert told["off"] == [[], []]
    limits, why = told["tasks limited"]
    assert limits == [["1"], ["1"]]
    [line] = [each for each in why if each.startswith("Ray")]
    assert line == told["passing"]
    assert "ray.init(runtime_env={'env_vars': {'OMP_NUM_THREADS': '1'}})" in line


def test_actors_are_asked_in_their_processes(told: dict[str, Any]) -> None:
    one, pool, alone, seats = told["actors"]
    assert (one, pool, alone) == (True, True, 1)
    assert seats == [["first", True], ["", True]]
    assert told["threads"] == ["1", "1"]
    assert told["pool"] == 2
    assert told["joblib"] == ["ray", 2]


def test_actors_that_work_hang_or_died_are_told(told: dict[str, Any]) -> None:
    assert sorted(told["hung"]) == sorted(
        [pid, "no answer in 2 s: it works, or it hangs", "outside"] for pid in told["pids"]
    )
    assert told["after"]
    [[why, same]] = told["killed"]
    assert "Actor" in why
    assert "died" in why
    assert same


def test_a_killed_task_worker_is_told(told: dict[str, Any]) -> None:
    lost, others = told["lost"]
    assert lost == "no answer in 2 s: it works, it hangs, or it has ended"
    assert set(others) <= {"tuple"}
    assert told["works"]
