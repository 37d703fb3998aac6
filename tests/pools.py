"""Programs that ask a pool of their own: no fork should meet the threads of the tests' process."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from live import run_program
from places import ROOT

PRELUDE = """
import contextlib, json, multiprocessing, os, signal, sys, time
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from omp_magic.clustering import cluster
from omp_magic.clusters.engines import engine_of
from omp_magic.errors import RequestError

FOLDER = os.path.dirname(os.path.abspath(__file__))
# How often this process was asked: nobody else has the name.
COUNT = (
    "(__import__('os').getpid(), (sys := __import__('sys')).__dict__.__setitem__('asked_here',"
    " getattr(sys, 'asked_here', 0) + 1) or sys.asked_here)"
)

def meet(name, pool_size, limit_s=60):
    "Wait until so many workers have begun this task: each of them is there."
    open(os.path.join(FOLDER, f"{name}-{os.getpid()}"), "w").close()
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        if sum(each.startswith(name) for each in os.listdir(FOLDER)) >= pool_size:
            return os.getpid()
        time.sleep(0.005)
    raise TimeoutError(name)

def hold(name, limit_s=60):
    "Be busy until a file is there."
    open(os.path.join(FOLDER, f"held-{name}-{os.getpid()}"), "w").close()
    end = time.monotonic() + limit_s
    while not os.path.exists(os.path.join(FOLDER, name)) and time.monotonic() < end:
        time.sleep(0.005)
    return os.getpid()

def wait_for(name):
    end = time.monotonic() + 60
    while not any(each.startswith(name) for each in os.listdir(FOLDER)) and time.monotonic() < end:
        time.sleep(0.005)

def free(name):
    open(os.path.join(FOLDER, name), "w").close()

def ask(pool, each_s=30, text=COUNT, seats=None, engine=None):
    "What each worker gave, by its process."
    engine = engine or engine_of(pool)
    seats = seats or engine.seats()
    came = []
    engine.ask(text, seats, each_s, came.append)
    assert sorted(map(id, (each.seat for each in came))) == sorted(map(id, seats)), came
    return {each.seat.pid: each.error or each.value for each in came}

def refused(pool):
    try:
        engine_of(pool).seats()
    except RequestError as error:
        return str(error)
    return ""
"""


def run_pools(
    tmp_path: Path, code: str, python: str = sys.executable, timeout: float = 120, **env: str
) -> Any:
    """Run a program below its guard, after `PRELUDE`, and give the JSON of its last line."""
    path = tmp_path / "job.py"
    guarded = "\n".join(f"    {line}" for line in code.strip().splitlines())
    path.write_text(f"{PRELUDE}\nif __name__ == '__main__':\n{guarded}\n", "utf-8")
    environment = {"PYTHONPATH": os.pathsep.join((str(ROOT), str(tmp_path))), **env}
    ended = run_program([python, str(path)], timeout, environment)
    assert ended.code == 0, (ended.code, ended.out, ended.err)
    return json.loads(ended.out.splitlines()[-1])
