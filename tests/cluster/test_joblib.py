"""joblib: the backend of a Parallel, the active one, and loky's workers that live."""

from __future__ import annotations

from pathlib import Path

import pytest
from pools import run_pools

pytest.importorskip("joblib", reason="joblib is not here")
pytestmark = pytest.mark.timeout(300)

BACKENDS = """
import joblib
from joblib import Parallel, delayed
from joblib.externals.loky import reusable_executor

def kind(what):
    engine = engine_of(what)
    return engine.title, sorted(ask(what)) == [os.getpid()]

none = []
for each in (joblib, Parallel(2)):
    try:
        engine_of(each)
    except RequestError as error:
        none.append(str(error))
none.append(reusable_executor._executor)
pids = sorted(Parallel(2)(delayed(meet)("all", 2) for _ in range(2)))
found = [sorted(ask(each)) == pids for each in (joblib, Parallel(2))]
engine = engine_of(Parallel(2))
said = [engine.kind, engine.title, engine.seats()[0].passing]
kinds = [kind(Parallel(1))]
with joblib.parallel_config("threading", n_jobs=3):
    kinds += [kind(joblib), kind(Parallel(2))]
    tasks = [seat.tasks for seat in engine_of(joblib).seats()]
idle = Parallel(2, backend="multiprocessing")
try:
    engine_of(idle)
except RequestError as error:
    none.append(str(error))
with idle as parallel:
    found.append(len(ask(parallel)) == 2)
    found.append(list(parallel(delayed(abs)(-i) for i in range(4))) == [0, 1, 2, 3])
executor = reusable_executor._executor
executor._max_workers = 3  # as when the third of them had gone to rest
resting = sorted(set(ask(joblib).values())), sorted(executor._processes) == pids
executor._max_workers = 2
found.append(sorted(ask(executor)) == pids)
executor.shutdown()
none.append(refused(executor))
try:
    engine_of(joblib)
except RequestError as error:
    none.append(str(error))
print(json.dumps([none, found, said, kinds, tasks, resting]))
"""


def test_the_workers_of_each_backend_are_met(tmp_path: Path) -> None:
    none, found, said, kinds, tasks, resting = run_pools(tmp_path, BACKENDS)
    for each in none[:2]:
        assert each.startswith("found 'joblib, whose loky has no worker now'")
    assert none[2] is None
    assert "joblib's multiprocessing outside of a call" in none[3]
    assert "that is shut down" in none[4]
    assert none[5] == none[0]
    assert found == [True] * 5
    assert said[:2] == ["joblib", "joblib, loky"]
    assert "after 300 s of rest" in said[2]
    assert kinds == [
        ["joblib, one job: this process", True],
        ["joblib, threads of this process", True],
        ["joblib, threads of this process", True],
    ]
    assert tasks == [3]
    [why], same = resting
    assert why == "a question would start workers: 2 of 3 live, the others went to rest"
    assert same
