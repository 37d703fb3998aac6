"""%%omp_sweep --workers in a real kernel, with joblib."""

from __future__ import annotations

import pytest
from live import LINUX, Kernel

pytestmark = [
    pytest.mark.timeout(240),
    pytest.mark.skipif(not LINUX, reason="sets limits through libc: Linux only"),
]

SETUP = """
%load_ext omp_magic
import multiprocessing, os
from joblib import Parallel, delayed

def f(i):
    import os, threadpoolctl, time, numpy
    time.sleep(0.2)  # so that no number of workers takes twice as long as another
    blas = [each["num_threads"] for each in threadpoolctl.threadpool_info()]
    return os.getpid() if i < 0 else (os.environ["OMP_NUM_THREADS"], blas)

seen = []
"""
STATE = "[{k: v for k, v in os.environ.items() if 'NUM_THREADS' in k}, 'workers' in globals()]"
TREE = (
    "[c for t in os.listdir('/proc/self/task') "
    "for p in open(f'/proc/self/task/{t}/children').read().split() "
    "for c in [open(f'/proc/{p}/cmdline').read()] if 'tracker' not in c]"
)


def test_a_cell_gets_each_number_of_workers_with_the_threads_that_are_told(kernel: Kernel) -> None:
    assert kernel.run(SETUP).status == "ok"
    before = kernel.value(STATE)
    reply = kernel.run(
        "%%omp_sweep 1 2 --workers 2,3 -r 1 -o found\n"
        "results = Parallel(n_jobs=workers)(delayed(f)(i) for i in range(6))\n"
        "seen.append((workers, sorted({(v, *blas) for v, blas in results})))\n",
        timeout=200,
    )
    assert reply.status == "ok", reply.traceback
    assert "worker" in reply.text
    # Each run has one kind of worker: the variables and the pool of that case, all alike.
    seen = [(workers, [tuple(each) for each in kinds]) for workers, kinds in kernel.value("seen")]
    assert all(len(kinds) == 1 for _, kinds in seen), seen
    assert {(workers, kinds[0][0]) for workers, kinds in seen} == {
        (2, "1"),
        (2, "2"),
        (3, "1"),
        (3, "2"),
    }
    assert all(kind == (kind[0], int(kind[0])) for _, kinds in seen for kind in kinds), seen
    assert kernel.value(STATE) == before, "the name and the variables are as they were"
    assert kernel.value(TREE) == []
    assert kernel.value("[[p.workers, p.threads] for p in found.points]") == [
        [2, 1],
        [2, 2],
        [3, 1],
        [3, 2],
    ]

    # A name that was there is there again, also after an error of the cell's own.
    kernel.run("workers = 'mine'")
    reply = kernel.run("%%omp_sweep --workers 1,2 -r 1\nParallel(n_jobs=workers)(1 / 0)")
    assert (reply.status, reply.ename) == ("error", "ZeroDivisionError")
    assert kernel.value("workers") == "mine"
    reply = kernel.run("%%omp_sweep --workers 1,2\nsum(range(3))")
    assert reply.status == "error"
    assert "n_jobs=workers" in reply.stderr

    # A function of the notebook: spawn is left out with the reason, loky is run.
    reply = kernel.run(
        "import omp_magic\n"
        "found = omp_magic.sweep(f, items=[1, 2], workers=[2], kinds=['spawn', 'loky'], repeats=1)",
        timeout=120,
    )
    assert reply.status == "ok", reply.traceback
    left = kernel.value("found.left_out")
    assert left[0][0] == "spawn"
    assert "OMP213" in left[0][1]
    assert kernel.value("[p.kind for p in found.points]") == ["", "loky"]

    # The kernel's own interrupt reaches the workers too.
    kernel.run("import time\ndef slow(i): time.sleep(0.01 if os.getpid() == main else 60)")
    kernel.run("main = os.getpid()")
    reply = kernel.run(
        "omp_magic.sweep(slow, items=range(4), workers=[2], kinds='fork')", interrupt_after=4
    )
    assert (reply.status, reply.ename) == ("error", "KeyboardInterrupt")
    assert kernel.value("multiprocessing.active_children()") == []
    assert kernel.value(TREE) == []
