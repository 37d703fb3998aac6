"""Ways into OMP202, OMP204 and OMP213: what child processes do with threads."""

from __future__ import annotations

from environments import POOLS, environment
from trouble import Places, Trouble

WORK = """
import os
def work(item):
    import numpy, threadpoolctl
    a = numpy.ones((500, 500)); a @ a
    return os.getpid(), max(each["num_threads"] for each in threadpoolctl.threadpool_info())
"""
SPARE = "assert sum(dict(rows).values()) <= len(os.sched_getaffinity(0)), rows"


def crowded(at: Places) -> tuple[Trouble, ...]:
    """Two workers with a thread for each CPU each, started in each of the ways."""
    module = f"import sys; sys.path.insert(0, {at.module('crowd', WORK)!r}); import crowd"
    pool = (
        "from concurrent.futures import ProcessPoolExecutor\n"
        "import multiprocessing, os\n"
        "if 'pool' in dir(): pool.shutdown()\n"
        "pool = ProcessPoolExecutor(2, mp_context=multiprocessing.get_context('%s'))\n"
        "rows = list(pool.map(%s, range(12)))\n"
    )
    forked = pool % ("fork", "work")
    spawned = pool % ("spawn", "crowd.work")
    joblib = (
        "from joblib import Parallel, delayed\n"
        "rows = Parallel(n_jobs=2)(delayed(work)(item) for item in range(12))\n"
    )
    return (
        Trouble(
            answers="^In joblib",
            cells=(WORK, joblib),
            harm=joblib + SPARE,
            # joblib gives each worker its part of the CPUs, where no variable says otherwise.
            env={"OPENBLAS_NUM_THREADS": "2"},
            repeatable=True,
        ),
        Trouble(
            answers="that fork|%omp_limit",
            cells=(f"import numpy\n{WORK}", forked),
            harm=forked + SPARE,
            repeatable=True,
        ),
        Trouble(
            answers="^In the line that makes",
            cells=(f"import numpy\n{WORK}", forked),
            harm=forked + SPARE,
            instead=f"rows = list(pool.map(work, range(12)))\n{SPARE}",
            repeatable=True,
        ),
        Trouble(cells=(module, spawned), harm=spawned + SPARE, repeatable=True, thorough=True),
    )


FIT = """
import numpy as np, os, signal, time, multiprocessing
from sklearn.cluster import KMeans
def work(item):
    return KMeans(8, n_init=1).fit(np.random.rand(20000, 8)).n_iter_
items = [1, 2]
"""
NUMBA = """
import numba, numpy as np, os, signal, time
@numba.njit(parallel=True)
def total(a):
    found = 0.0
    for i in numba.prange(a.size):
        found += a[i]
    return found
def work(item): return total(np.ones(1000))
"""
FORK = """
child = os.fork()
if not child:
    work(0); os._exit(0)
ended, code, end = 0, 0, time.monotonic() + LIMIT_S
while not ended and time.monotonic() < end:
    ended, code = os.waitpid(child, os.WNOHANG); time.sleep(0.05)
if not ended:
    os.kill(child, signal.SIGKILL); os.waitpid(child, 0)
assert ended and code == 0, (ended, code)
"""


def hanging_child(at: Places) -> tuple[Trouble, ...]:
    """A region of libgomp's, and a fork that has one too."""
    cells = (FIT, "work(0)")
    module = f"import sys; sys.path.insert(0, {at.module('fitting', FIT)!r}); import fitting\n"
    return (
        Trouble(
            answers="joblib's loky",
            cells=cells,
            harm=FORK,
            instead="assert len(results) == 2",
            repeatable=True,
        ),
        Trouble(
            answers="functions of a module",
            cells=cells,
            harm=FORK,
            instead=(
                f"{module}with multiprocessing.Pool(2) as pool:\n"
                "    assert len(pool.map_async(fitting.work, items).get(60)) == 2"
            ),
            repeatable=True,
            thorough=True,
        ),
        Trouble(
            answers="NUMBA_THREADING_LAYER",
            cells=(NUMBA, "work(0)"),
            harm=FORK,
            alone=(f"{NUMBA}LIMIT_S = 60\n{FORK}",),
            python=environment("pools", POOLS),
            thorough=True,
        ),
        Trouble(
            answers="^In PyTorch",
            cells=(f"import torch\n{FIT}dataset = [1, 2, 3]", "work(0)"),
            harm=FORK,
            instead="assert len(list(loader)) == 3",
            python=environment("pools", POOLS),
            repeatable=True,
            thorough=True,
        ),
        Trouble(
            cells=cells,
            harm=FORK,
            alone=(f"{FIT}LIMIT_S = 60\n{FORK}",),
            repeatable=True,
            thorough=True,
        ),
    )


SENT = """
import multiprocessing
def work(item): return item + 1
items = [1, 2]
pool = multiprocessing.get_context('spawn').Pool(1)
waits = pool.map_async(work, items)
"""
OWN = """
import torch, multiprocessing; from torch.utils.data import DataLoader
multiprocessing.set_start_method('spawn', force=True)
class Own(torch.utils.data.Dataset):
    def __len__(self): return 3
    def __getitem__(self, item): return torch.ones(2)
dataset = Own()
"""


def unsendable(at: Places) -> tuple[Trouble, ...]:
    """A Pool whose workers find no function of the notebook."""
    folder = at.module("other", "")
    waited = "waits.get(2)"  # it never comes
    return (
        Trouble(
            answers="joblib's loky",
            cells=(SENT,),
            harm=waited,
            instead="assert results == [2, 3]",
        ),
        Trouble(
            answers="into a module",
            cells=(
                f"import sys; sys.path.insert(0, {folder!r})",
                f"%%writefile {folder}/work.py\ndef work(item): return item + 1",
                SENT,
            ),
            harm=waited,
            instead=(
                "with multiprocessing.get_context('spawn').Pool(1) as other:\n"
                "    assert other.map_async(work.work, items).get(60) == [2, 3]"
            ),
            thorough=True,
        ),
        Trouble(
            answers="^In PyTorch",
            cells=(OWN, SENT),
            harm="list(DataLoader(dataset, num_workers=1))",
            instead="assert len(list(loader)) == 3",
            python=environment("pools", POOLS),
            repeatable=True,
            thorough=True,
        ),
        Trouble(
            cells=(SENT,),
            # Each worker ends at once and another takes its place: now and then there is none.
            harm=(
                "import time\n"
                "for _ in range(30):\n"
                "    assert not multiprocessing.active_children(); time.sleep(0.1)"
            ),
            repeatable=True,
        ),
    )
