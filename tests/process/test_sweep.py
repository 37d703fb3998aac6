"""Sweeps of real code: real pools, a real quota, a real neighbour."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from live import CLEAN, LINUX, run_python
from quota_groups import inside, one_quota

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.skipif(not LINUX, reason="sets limits through libc: Linux only"),
]

LOADED = "import json, os, time, numpy as np, omp_magic\na = np.ones((400, 400))\n"
COUNT = "[p.num_threads for p in omp_magic.snapshot().pools]"


@pytest.fixture
def one_cpu() -> Iterator[str]:
    """A cgroup with a quota of one CPU."""
    with one_quota(1.0, "sweep") as group:
        yield group


def told(code: str, **env: str) -> dict[str, Any]:
    ended = run_python(LOADED + code, timeout=200, **env)
    assert ended.code == 0, ended.err
    found: dict[str, Any] = json.loads(ended.out.strip().split("\n")[-1])
    return found


@pytest.mark.alone
def test_in_a_group_of_one_cpu_with_eight_blas_threads_one_is_best(one_cpu: str) -> None:
    code = LOADED + (
        "with omp_magic.limit(8):\n"
        f"    before = {COUNT}\n"
        "    found = omp_magic.sweep(lambda: a @ a)\n"
        f"    after = {COUNT}\n"
        "print(json.dumps({'best': found.best, 'verdict': found.verdict, 'before': before,"
        " 'after': after, 'tried': [p.threads for p in found.points],"
        " 'left': list(found.left_out)}))"
    )
    found = inside(one_cpu, code)
    assert found["before"] == found["after"] == [8]
    assert found["best"] == 1, found
    assert "no gain" in found["verdict"]
    most = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
    assert max(found["tried"]) <= most


@pytest.mark.alone
def test_code_without_a_parallel_part_gains_nothing() -> None:
    found = told(
        "found = omp_magic.sweep(lambda: sum(i * i for i in range(100_000)), threads=[1, 2])\n"
        "print(json.dumps({'best': found.best, 'text': str(found)}))"
    )
    assert found["best"] == 1
    assert "no gain" in found["text"]


def test_each_run_has_its_limit_and_afterwards_all_is_as_before() -> None:
    found = told(
        "seen = []\n"
        f"def work(): seen.append({COUNT}); time.sleep(0.11)\n"
        "os.environ['OMP_NUM_THREADS'] = '3'\n"
        "with omp_magic.limit(2):\n"
        "    before = seen[:]\n"
        "    found = omp_magic.sweep(work, threads=[1, 3], repeats=2, pool='blas')\n"
        f"    after = {COUNT}\n"
        "print(json.dumps({'seen': sorted({n for each in seen for n in each}), 'after': after,"
        " 'spec': found.spec, 'env': os.environ['OMP_NUM_THREADS'],"
        " 'limits': [l.spec for l in omp_magic.snapshot().limits]}))"
    )
    assert found == {"seen": [1, 3], "after": [2], "spec": "blas=1", "env": "3", "limits": []}


@pytest.mark.parametrize("error", ["ZeroDivisionError", "SystemExit", "KeyboardInterrupt"])
def test_an_error_is_the_codes_own_and_everything_comes_back(error: str) -> None:
    found = told(
        f"def work(): raise {error}(7)\n"
        f"before = {COUNT}\n"
        f"try: omp_magic.sweep(work, threads=[1, 3])\n"
        f"except {error} as found: got = found.args\n"
        f"print(json.dumps({{'got': got, 'same': before == {COUNT}}}))"
    )
    assert found == {"got": [7], "same": True}


def test_ctrl_c_keeps_what_is_done(tmp_path: Path) -> None:
    code = LOADED + (
        "calls = []\n"
        "def work():\n"
        "    calls.append(1)\n"
        "    if len(calls) == 9: print('now', flush=True)\n"
        "    time.sleep(0.2 if len(calls) < 9 else 20)\n"
        "found = omp_magic.sweep(work, threads=[1, 2], repeats=30)\n"
        "print(json.dumps({'runs': sum(len(p.runs) for p in found.points), 'notes': found.notes,"
        " 'interrupted': found.interrupted}))"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=CLEAN, cwd=tmp_path
    )
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == "now\n"
        time.sleep(0.1)
        child.send_signal(signal.SIGINT)
        out, _ = child.communicate(timeout=60)
    finally:
        child.kill()
        child.wait()
    found = json.loads(out)
    assert found["interrupted"]
    assert found["runs"] == 6
    assert "interrupted after 6 of 60 runs" in found["notes"]


def test_code_that_changes_what_it_reads_is_told() -> None:
    found = told(
        "rows = []\n"
        "once = omp_magic.sweep(lambda: rows.append(1), threads=[1], repeats=1)\n"
        "still = omp_magic.sweep(lambda: a @ a, threads=[1], repeats=1)\n"
        "anew = omp_magic.sweep(lambda: rows.append(1), threads=[1], repeats=2,"
        " setup=rows.clear)\n"
        "number = 1\n"
        "def count():\n"
        "    global number\n"
        "    number += 1\n"
        "bound = omp_magic.sweep(count, threads=[1], repeats=1)\n"
        "more, kept = [], []\n"
        "def grow(): kept.append(1)\n"
        "spare = omp_magic.sweep(grow, threads=[1], repeats=1, setup=lambda: more.append(1))\n"
        "full = []\n"
        "filled = omp_magic.sweep(lambda: full.sort(), threads=[1], repeats=1,"
        " setup=lambda: full.__setitem__(slice(None), [2, 1]))\n"
        "print(json.dumps({'once': once.notes[:1], 'still': still.notes, 'rows': rows,"
        " 'anew': anew.notes, 'bound': bound.notes[:1], 'spare': spare.notes[:1],"
        " 'filled': filled.notes}))"
    )
    assert "the code changes what it reads: rows (a list)" in found["once"][0]
    assert "the code changes what it reads: number (an int)" in found["bound"][0]
    assert "the code changes what it reads: kept (a list)" in found["spare"][0]
    for kind in ("still", "anew", "filled"):
        assert not any("changes what it reads" in note for note in found[kind])
    assert found["rows"] == [1]


def test_what_the_limit_does_not_reach_is_told() -> None:
    found = told(
        "import sys\n"
        "gone = omp_magic.sweep(lambda: a @ a, threads=[1], repeats=1, pool='polars')\n"
        "late = omp_magic.sweep(lambda: a @ a, threads=[1], repeats=1, pool='torch')\n"
        "all_ = omp_magic.sweep(lambda: a @ a, threads=[1], repeats=1, pool='blas')\n"
        "print(json.dumps([gone.notes, late.notes, all_.notes, 'torch' in sys.modules]))"
    )
    gone, late, blas, loaded = found
    assert any(note.startswith("polars: not loaded") for note in gone)
    assert "torch: not loaded yet; limited as soon as it is" in late
    assert not any("not loaded" in note for note in blas)
    assert not loaded


@pytest.mark.alone
def test_runs_beside_a_neighbour_that_takes_half_the_machine_are_those_flagged() -> None:
    cpus = len(os.sched_getaffinity(0))
    if cpus < 2:
        pytest.skip("half of one CPU is no CPU of a neighbour's")
    # The neighbour is nobody's child here: `setsid --fork` leaves it to the first process.
    burn = "import os, time\nprint(os.getpid(), flush=True)\nend = time.time() + 120\n"
    burn += "while time.time() < end: pass\n"
    code = LOADED + (
        "import signal, subprocess, sys, tempfile\n"
        f"burn = {burn!r}\n"
        f"number = {cpus} // 2\n"
        "pids, turns, seen = [], [], []\n"
        "for _ in range(number):\n"
        "    file = tempfile.NamedTemporaryFile('w+')\n"
        "    subprocess.run(['setsid', '--fork', sys.executable, '-c', burn], stdout=file,"
        " check=True)\n"
        "    while not open(file.name).read().strip(): time.sleep(0.01)\n"
        "    pids.append(int(open(file.name).read()))\n"
        "def signal_all(which):\n"
        "    for pid in pids: os.kill(pid, which)\n"
        "def work():\n"
        "    seen.append(turns[-1])\n"
        "    end = time.thread_time() + 0.25\n"
        "    while time.thread_time() < end: pass\n"
        "def turn():\n"
        "    turns.append(len(turns) % 2)\n"
        "    signal_all(signal.SIGCONT if turns[-1] else signal.SIGSTOP)\n"
        "try:\n"
        "    found = omp_magic.sweep(work, threads=[1, 2], repeats=4, setup=turn)\n"
        "finally:\n"
        "    signal_all(signal.SIGKILL)\n"
        "runs = sorted((r.number, r.others_cpus, r.disturbed) for p in found.points"
        " for r in p.runs)\n"
        "print(json.dumps({'runs': runs, 'seen': seen}))"
    )
    for _ in range(3):
        found = told(code)
        beside = {number for number, _, _ in found["runs"] if found["seen"][number - 1]}
        flagged = {number for number, _, disturbed in found["runs"] if disturbed}
        elsewhere = [cpus for number, cpus, _ in found["runs"] if number not in beside]
        if max(elsewhere) < 0.25:
            assert flagged == beside, found["runs"]
            return
    pytest.skip(f"others use up to {max(elsewhere):.1f} CPUs here: one more is not told from them")


def test_a_limit_that_reaches_nothing_is_told() -> None:
    found = told(
        "mkl = omp_magic.sweep(lambda: a @ a, threads=[1], repeats=1, pool='mkl')\n"
        "blas = omp_magic.sweep(lambda: a @ a, threads=[1], repeats=1, pool='blas')\n"
        "print(json.dumps({'mkl': mkl.notes, 'tone': mkl.tone, 'blas': blas.notes}))"
    )
    assert "no pool of mkl is loaded here: the limits reached nothing" in found["mkl"]
    assert found["tone"] == "warning"
    assert not any("reached nothing" in note for note in found["blas"])


def test_without_a_bar_it_goes_on_and_logs_one_line() -> None:
    ended = run_python(
        "import sys, omp_magic\n"
        "sys.modules['tqdm'] = None\n"
        "print(omp_magic.sweep(lambda: 1, threads=[1], repeats=2, progress=True).best)\n"
    )
    assert (ended.code, ended.out) == (0, "1\n"), ended.err
    assert ended.err.count("omp_magic: no bar is shown (ModuleNotFoundError") == 1
    assert ended.err.count("\n") == 1


def test_it_loads_no_blas_and_no_openmp_itself() -> None:
    ended = run_python(
        "import omp_magic\n"
        "found = omp_magic.sweep(lambda: sum(range(1000)), threads=[1, 2], repeats=2)\n"
        "import sys; str(found); found._repr_mimebundle_()\n"
        "print([n for n in ('numpy', 'pandas', 'matplotlib') if n in sys.modules],"
        " len(omp_magic.snapshot().libraries))"
    )
    assert ended.out.strip() == "[] 0", ended.err
