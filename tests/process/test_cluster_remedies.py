"""What is said in an engine's own words is true of the engine: each line is run as it stands.

Each in a fresh Python, which starts a cluster and asks its workers; what a line needs to be there
(`client`, `rc`, `executor`) the script has.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from remedies import read_remedy

from omp_magic.knowledge.engines import words_of

pytestmark = [pytest.mark.thorough, pytest.mark.timeout(300)]

_GIVEN = {"threads": 2, "workers": 2, "tasks": 1, "name": "MKL_NUM_THREADS", "value": "3"}
_GIVEN |= {"quoted": "3", "module": "zlib", "package": "numpy", "scheduler": "tcp://a:1"}

_HEAD = """
import json, os
for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.pop(name, None)

def seen(name):
    import os
    return os.environ.get(name)

def has(module):
    import sys
    return module in sys.modules

if __name__ == "__main__":
"""


def lines(engine: str, need: str, **given: Any) -> list[str]:
    """Give what is to be run of an engine's remedies, magics and lines for a shell left out."""
    told = (each.format(**{**_GIVEN, **given}) for each in getattr(words_of(engine), need))
    read = [read_remedy(each) for each in told]
    return [
        each.run for each in read if each.kind == "cell" and not each.run.startswith(("%", "!"))
    ]


def run(*code: str) -> Any:
    """Run lines in a fresh Python, as a file that workers can import; give what it prints last."""
    body = "\n".join(each for block in code for each in block.strip("\n").split("\n"))
    text = _HEAD + "".join(f"    {line}\n" for line in body.split("\n"))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "asking.py"
        file.write_text(text)
        made = subprocess.run(
            [sys.executable, file],
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
            cwd=folder,
        )
    said = [line for line in made.stdout.split("\n") if line.startswith("SAID ")]
    assert said, made.stderr[-2000:]
    return json.loads(said[-1].removeprefix("SAID "))


def say(expression: str) -> str:
    return f"print('SAID', json.dumps({expression}))"


_LOCAL = """
from distributed import Client, LocalCluster
cluster = LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None)
client = Client(cluster)
"""
_DASK_END = "client.close(); cluster.close()"


@pytest.fixture(autouse=True)
def needed(request: pytest.FixtureRequest) -> None:
    """Skip where the engine is not installed."""
    for name in ("dask", "ipyparallel", "ray", "joblib"):
        if f"_{name}_" in request.node.name:
            module = "distributed" if name == "dask" else name
            if find_spec(module) is None:  # importing it here would change this process
                pytest.skip(f"{module} is not installed")


def test_dask_variables_of_the_nanny() -> None:
    _, threads = lines("dask", "threads")
    (variables,) = lines("dask", "variables")
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "MALLOC_TRIM_THRESHOLD_")
    told = say(f"[list(client.run(seen, name).values()) for name in {names}]")
    assert run(threads, _LOCAL, told, _DASK_END) == [["2"], ["2"], ["65536"]]
    assert run(variables, _LOCAL, told, _DASK_END) == [["1"], ["3"], ["65536"]]


def test_dask_lowers_the_case_of_its_variables() -> None:
    """Why that way is not among the remedies."""
    lowered = "os.environ['DASK_DISTRIBUTED__NANNY__PRE_SPAWN_ENVIRON__OMP_NUM_THREADS'] = '3'"
    told = say("list(client.run(seen, 'OMP_NUM_THREADS').values())")
    assert run(lowered, _LOCAL, told, _DASK_END) == ["1"]
    plain = "os.environ['OMP_NUM_THREADS'] = '3'"  # as a shell of a host sets it
    assert run(plain, _LOCAL, told, _DASK_END) == ["3"]


def test_dask_plugin_without_a_nanny_and_where_a_variable_is_set() -> None:
    plugin, _ = lines("dask", "threads")
    threads = "os.environ['OMP_NUM_THREADS'] = '64'; import numpy, threadpoolctl"
    local = _LOCAL.replace("n_workers", "processes=False, n_workers").replace("er=1", "er=2")
    told = "[each['num_threads'] for each in threadpoolctl.threadpool_info()]"
    before, cpus = f"before = {told}", "len(os.sched_getaffinity(0))"
    after = say(f"[before != {told}, max({told}) <= max(1, {cpus} // 2)]")
    assert run(threads, local, before, plugin, after, _DASK_END) == [True, True]


def test_importing_a_module_loads_its_runtime() -> None:
    """What OMP402 says is to be imported."""
    from omp_magic.rules.cluster_words import modules_of

    for owner in filter(find_spec, ("numpy", "scipy")):
        code = f"import {modules_of([owner])}; import threadpoolctl"
        told = say(f"any('{owner}.libs' in e['filepath'] for e in threadpoolctl.threadpool_info())")
        assert run(code, told) is True


def test_dask_tasks_loading_versions_and_a_worker_started_anew() -> None:
    (made,) = lines("dask", "tasks")
    told = say("sorted(client.nthreads().values())")
    begin = "from distributed import Client\nimport dask"
    assert run(begin, made, "client = Client(cluster)", told, _DASK_END) == [1, 1]
    address = "list(client.nthreads())[0]"
    restart = lines("dask", "silent", address="ADDRESS")[0].replace("'ADDRESS'", address)
    versions = lines("dask", "packages")[0]
    before = "pids = set(client.run(os.getpid).values())"
    after = say("[pids & set(client.run(os.getpid).values()) == set(), len(pids)]")
    told = run(_LOCAL, before, versions, restart, after, _DASK_END)
    assert told == [True, 1]
    (loaded,) = lines("dask", "loaded", module="wave")
    asked = "list(client.run(has, 'wave').values())"
    assert run(_LOCAL, f"was = {asked}", loaded, say(f"[was, {asked}]"), _DASK_END) == [
        [False],
        [True],
    ]


_ENGINES = "rc = cluster.start_and_connect_sync()"
_END = "cluster.stop_cluster_sync()"


def test_ipyparallel_variables_and_loading() -> None:
    (threads,) = lines("ipyparallel", "threads")
    told = say("rc[:].apply_sync(seen, 'OMP_NUM_THREADS')")
    assert run(threads, _ENGINES, told, _END) == ["2", "2"]
    (variables,) = lines("ipyparallel", "variables")
    told = say("rc[:].apply_sync(seen, 'MKL_NUM_THREADS')")
    assert set(run(f"{variables}; cluster.n = 1", _ENGINES, told, _END)) == {"3"}
    (tasks,) = lines("ipyparallel", "tasks")
    (loaded,) = lines("ipyparallel", "loaded", module="wave")
    asked = "rc[:].apply_sync(has, 'wave')"
    assert run(tasks, _ENGINES, loaded, say(asked), _END) == [True, True]


def test_ipyparallel_engines_started_anew() -> None:
    (tasks,), (anew,) = lines("ipyparallel", "tasks"), lines("ipyparallel", "silent")
    before = "pids = set(rc[:].apply_sync(os.getpid))"
    after = "rc.wait_for_engines(2); now = set(rc[:].apply_sync(os.getpid))"
    assert run(tasks, _ENGINES, before, anew, after, say("[len(now), len(pids & now)]"), _END) == [
        2,
        0,
    ]


_LOKY = "from joblib import Parallel, delayed"
_ASKED = "Parallel(n_jobs=2)(delayed(seen)(name) for name in [{!r}] * 2)"


def test_joblib_variables_and_its_workers_end() -> None:
    (threads,), (variables,) = lines("joblib", "threads"), lines("joblib", "variables")
    asked = say(_ASKED.format("OMP_NUM_THREADS"))
    assert run(_LOKY, threads, asked) == ["2", "2"]
    assert run(_LOKY, variables, say(_ASKED.format("MKL_NUM_THREADS"))) == ["3", "3"]
    (ended,) = lines("joblib", "silent")
    assert run(_LOKY, _ASKED.format("HOME"), ended, say("True"))


def test_ray_variables() -> None:
    threads, variables = lines("ray", "threads")[0], lines("ray", "variables")[0]
    for line, name, value in (
        (threads, "OMP_NUM_THREADS", "2"),
        (variables, "MKL_NUM_THREADS", "3"),
    ):
        asked = say(f"ray.get(ray.remote(seen).remote({name!r}))")
        assert run(line, asked, "ray.shutdown()") == value
