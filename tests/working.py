"""How many threads really work while a function runs: their CPU times, not a getter's answer.

Linux counts for each thread the nanoseconds that it was on a CPU
(``/proc/self/task/TID/schedstat``, the first number; Documentation/scheduler/sched-stats.rst).
A function is repeated until every thread of its team must have had its share, and a thread has
worked when it got a good part of what the busiest one got. Each thread's dearest round is left
out: a virtual machine that is stopped for a moment adds the stop to whoever was running, and once
made a waiting thread a fifth worker of four. Read in the process that works, so this module needs
nothing but omp_magic and is imported by the tests' child processes.

A worker that waits by spinning burns CPU too, and no clock can tell that from work. `QUIET` has
the variables that make the runtimes sleep at once; read by them when they load or start.
"""

from __future__ import annotations

import ctypes
import importlib
import os
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from omp_magic.formats.procfs import Segments
from omp_magic.machine import Machine
from omp_magic.machine.here import native_here
from omp_magic.probes.threads.stacks import ThreadOwners

QUIET = {
    "OMP_WAIT_POLICY": "passive",
    "GOMP_SPINCOUNT": "0",
    "KMP_BLOCKTIME": "0",
    "OPENBLAS_THREAD_TIMEOUT": "4",
    "OMP_DYNAMIC": "FALSE",
    "MKL_DYNAMIC": "FALSE",
}
"""Waiting threads sleep, and no runtime takes fewer threads because the machine is busy."""

WORKED = 0.25
"""Part of the busiest thread's time from which on a thread has worked."""

IDLE = 0.12
"""Part of it up to which a thread has not: waking up, looking, and sleeping again."""

ROUNDS = 4
"""Rounds at least, so that one of them can be left out."""


class NotPlainError(RuntimeError):
    """A thread did neither its share nor nothing, however often it was looked at."""


class Work(dict[int, float]):
    """Milliseconds on a CPU of each thread that worked, by its number.

    Parameters
    ----------
    grown
        Milliseconds of every thread.
    """

    def __init__(self, grown: dict[int, float]) -> None:
        self.busiest = max(grown.values(), default=0.0)
        super().__init__((tid, ms) for tid, ms in grown.items() if ms >= WORKED * self.busiest)
        middle = [ms for ms in grown.values() if IDLE * self.busiest < ms < WORKED * self.busiest]
        self.sharp = not middle and self.busiest > 0
        """Whether no thread lies between working and idle."""
        self.owners: dict[str, int] = {}
        """Working threads by the file of who started them; "Python", and "" for unknown."""


def cpu_times() -> dict[int, int]:
    """Give the nanoseconds on a CPU of every thread; one that ends meanwhile is left out."""
    times: dict[int, int] = {}
    for tid in map(int, os.listdir("/proc/self/task")):
        try:
            with open(f"/proc/self/task/{tid}/schedstat") as file:
                times[tid] = int(file.read().split()[0])
        except (FileNotFoundError, ProcessLookupError):
            continue
    return times


def working(function: Callable[[], object], seconds: float = 0.3, most: float = 30.0) -> Work:
    """Run a function again and again and give the threads that worked for it.

    Parameters
    ----------
    function
        Takes well over a millisecond, most of it in its pool.
    seconds
        How long it is repeated at least.
    most
        When to give up making the difference between working and idle threads plain.

    Returns
    -------
    Work
        Threads of the whole process, whoever owns them, so nothing else may be busy.

    Raises
    ------
    NotPlainError
        When a thread did neither its share nor nothing.
    """
    # A pool that shrinks ends its surplus threads in the first region, and one that grows starts
    # new ones: both cost time that is no work.
    function()
    rounds: list[dict[int, float]] = []
    before = cpu_times()
    start = time.monotonic()
    while True:
        function()
        # After each round, since a thread that has ended cannot be asked any more.
        now = cpu_times()
        rounds.append({tid: (ns - before.get(tid, 0)) / 1e6 for tid, ns in now.items()})
        before = cpu_times()  # so the reading itself is no work of the thread that reads
        spent = time.monotonic() - start
        work = Work(without_dearest(rounds))
        if spent >= seconds and len(rounds) >= ROUNDS and work.sharp:
            work.owners = owners(work)
            return work
        if spent > most:
            raise NotPlainError(f"who worked is not plain after {spent:.0f} s: {rounds[-9:]}")


def without_dearest(rounds: list[dict[int, float]]) -> dict[int, float]:
    """Give the milliseconds of each thread over all rounds but the one that cost it most."""
    spent: dict[int, list[float]] = {}
    for grown in rounds:
        for tid, ms in grown.items():
            spent.setdefault(tid, []).append(ms)
    return {tid: sum(each) - max(each) for tid, each in spent.items()}


def owners(tids: Work) -> dict[str, int]:
    """Give how many of the threads each file owns."""
    machine = Machine.here()
    known = ThreadOwners(machine, native_here()).of(tids, Segments(machine.read("/proc/self/maps")))
    counts: dict[str, int] = {}
    for tid in tids:
        owner = known.get(tid)
        name = "" if owner is None else os.path.basename(owner.label)
        counts[name] = counts.get(name, 0) + 1
    return counts


BUSY = """
#include <omp.h>
#include <time.h>
static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return t.tv_sec + 1e-9 * t.tv_nsec;
}
int busy(void) {
    int team = 0;
    #pragma omp parallel reduction(+:team)
    {
        double end = now() + 0.02;
        while (now() < end) {}
        team += 1;
    }
    return team;
}
"""


def build_busy(gcc: str, folder: Path, runtime: str) -> str:
    """Build a library whose parallel region costs each thread 20 ms, linked with `runtime`.

    LLVM's runtimes have libgomp's functions too, so gcc's code works with them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "busy.c").write_text(BUSY)
    compiled = [gcc, "-O1", "-fPIC", "-fopenmp", "-c", "busy.c", "-o", "busy.o"]
    subprocess.run(compiled, check=True, cwd=folder)
    made = folder / "busy.so"
    home, name = os.path.split(os.path.abspath(runtime))
    link = [gcc, "-shared", "busy.o", "-o", str(made), f"-L{home}", f"-l:{name}"]
    subprocess.run([*link, f"-Wl,-rpath,{home}"], check=True, cwd=folder)
    return str(made)


def busy(path: str) -> Callable[[], object]:
    """Give the parallel region of a library that `build_busy` made."""
    region = ctypes.CDLL(path).busy
    return cast("Callable[[], int]", region)


def count_busy(path: str, *_: object) -> int:
    """Give the threads that work in such a region, for processes that are sent a function."""
    return len(working(busy(path), seconds=0.1))


def mapped(part: str) -> list[str]:
    """Give the mapped files whose name holds `part`."""
    with open("/proc/self/maps") as maps:
        files = {line.split(None, 5)[5].strip() for line in maps if "/" in line}
    return sorted(path for path in files if part in os.path.basename(path))


def set_openblas(threads: int) -> None:
    """Set every OpenBLAS by its own function.

    A variable gives it no more threads than there are CPUs (driver/others/memory.c,
    blas_get_cpu_number), its function does.
    """
    for path in mapped("openblas"):
        library = ctypes.CDLL(path)
        for affix in ("", "64_"):
            for name in (
                f"openblas_set_num_threads{affix}",
                f"scipy_openblas_set_num_threads{affix}",
            ):
                if hasattr(library, name):
                    library[name](threads)


def package(name: str) -> Any:
    """Import a package that the tests' own environment need not have."""
    return importlib.import_module(name)


# The regions, by what they are made with. Each takes 10 to 200 ms on two CPUs, nearly all of it in
# the pool, and gives every thread of the team its share.


def numpy_matmul() -> Callable[[], object]:
    import numpy as np

    a = np.random.default_rng(0).random((700, 700))
    return lambda: a @ a


def scipy_linalg() -> Callable[[], object]:
    import numpy as np

    lapack = package("scipy.linalg.lapack")
    a = np.asfortranarray(np.random.default_rng(0).random((900, 900)))
    return lambda: lapack.dgetrf(a)


def mkl_gemm() -> Callable[[], object]:
    mkl = package("mkl")
    mkl.get_max_threads()  # maps MKL's layers
    n = 700
    matrix, made = (ctypes.c_double * (n * n))(), (ctypes.c_double * (n * n))()
    (path,) = mapped("libmkl_rt")
    dgemm, one = ctypes.CDLL(path).cblas_dgemm, ctypes.c_double(1.0)
    row_major, as_it_is = 101, 111
    head = (row_major, as_it_is, as_it_is, n, n, n, one)
    return lambda: dgemm(*head, matrix, n, matrix, n, one, made, n)


def sklearn_kmeans() -> Callable[[], object]:
    import numpy as np

    kmeans = package("sklearn.cluster").KMeans
    x = np.random.default_rng(0).random((100_000, 4))
    return lambda: kmeans(64, n_init=1, max_iter=6, tol=0, init=x[:64]).fit(x)


def sklearn_boosting() -> Callable[[], object]:
    import numpy as np

    boosting = package("sklearn.ensemble").HistGradientBoostingRegressor
    rng = np.random.default_rng(0)
    x = rng.random((60_000, 12))
    y = x[:, 0] + rng.random(60_000)
    return lambda: boosting(max_iter=4, early_stopping=False).fit(x, y)


def torch_matmul() -> Callable[[], object]:
    torch = package("torch")
    # In single precision MKL gives one thread of three or more nothing to do: MKL_VERBOSE says
    # NThr:4, and three work (torch 2.13 with oneMKL 2024.0).
    a = torch.rand(900, 900, dtype=torch.float64)
    return lambda: a @ a


def torch_elementwise() -> Callable[[], object]:
    torch = package("torch")
    a = torch.rand(4_000_000)
    return lambda: torch.sin(a)


def numexpr_evaluate() -> Callable[[], object]:
    import numpy as np

    numexpr = package("numexpr")
    a = np.random.default_rng(0).random(2_000_000)
    # Room that is there: a new array's pages would be work of the thread that asks.
    out = np.zeros_like(a)
    return lambda: numexpr.evaluate("sin(a) + cos(a) + sin(a * a)", {"a": a}, out=out)


def numba_prange() -> Callable[[], object]:
    import numpy as np

    numba = package("numba")

    def total(a: Any) -> Any:
        s = 0.0
        for i in numba.prange(a.size):
            s += np.sin(a[i])
        return s

    compiled = numba.njit(parallel=True)(total)
    a = np.random.default_rng(0).random(4_000_000)
    return lambda: compiled(a)


def numba_vectorize() -> Callable[[], object]:
    import math

    import numpy as np

    numba = package("numba")

    def sine(x: float) -> float:
        return math.sin(x)

    compiled = numba.vectorize(["float64(float64)"], target="parallel")(sine)
    a = np.random.default_rng(0).random(4_000_000)
    return lambda: compiled(a)


def cv2_filter() -> Callable[[], object]:
    import numpy as np

    cv2 = package("cv2")
    # filter2D and medianBlur stay in one thread whatever the pool's size (OpenCV 5.0).
    image = np.random.default_rng(0).integers(0, 255, (1000, 1000, 3), "uint8")
    return lambda: cv2.bilateralFilter(image, 9, 50, 50)


def cv2_blur() -> Callable[[], object]:
    import numpy as np

    cv2 = package("cv2")
    image = np.random.default_rng(0).random((2000, 2000))
    return lambda: cv2.GaussianBlur(image, (31, 31), 3)


def pyarrow_group() -> Callable[[], object]:
    import numpy as np

    pyarrow = package("pyarrow")
    rng = np.random.default_rng(0)
    columns = {"key": rng.integers(0, 50, 12_000_000), "value": rng.random(12_000_000)}
    table = pyarrow.table(columns)
    wanted = [("value", "variance"), ("value", "sum"), ("value", "max")]
    return lambda: table.group_by("key", use_threads=True).aggregate(wanted)


def pyarrow_csv() -> Callable[[], object]:
    pyarrow, csv = package("pyarrow"), package("pyarrow.csv")
    text = pyarrow.py_buffer(b"a,b,c\n" + b"1.5,text,12345\n" * 3_000_000)
    options = csv.ReadOptions(use_threads=True, block_size=1 << 20)
    return lambda: csv.read_csv(pyarrow.BufferReader(text), options)


def pyarrow_copy() -> Callable[[], object]:
    """Give work for Arrow's I/O pool, one file a task (cpp/src/arrow/filesystem, CopyFiles)."""
    fs = package("pyarrow.fs")
    home = tempfile.TemporaryDirectory()  # removed with the region
    source, made = os.path.join(home.name, "source"), os.path.join(home.name, "made")
    for folder in (source, made):
        os.mkdir(folder)
    for number in range(12):
        Path(source, str(number)).write_bytes(bytes(8 << 20))
    local = fs.LocalFileSystem()

    def copy() -> None:
        assert os.path.isdir(home.name)
        fs.copy_files(source, made, local, local)

    return copy


def blosc2_compress() -> Callable[[], object]:
    import numpy as np

    blosc2 = package("blosc2")
    # An array's own pool ends with it, and what its threads did could not be read any more. The
    # pool for compress2 lasts, but only from the first set_nthreads on (4.14).
    data = np.random.default_rng(0).integers(0, 9, 1_000_000).tobytes()
    return lambda: blosc2.compress2(data, clevel=9)


def lightgbm_predict() -> Callable[[], object]:
    """Give work for which LightGBM passes six threads to OpenMP."""
    import numpy as np

    lightgbm = package("lightgbm")
    data = np.random.default_rng(0).random((100_000, 10))
    told = {"num_threads": 6, "verbosity": -1}
    label = data[:2000, 0]
    model = lightgbm.train(told, lightgbm.Dataset(data[:2000], label, params=told), 20)
    return lambda: model.predict(data, num_threads=6)


def faiss_search() -> Callable[[], object]:
    import numpy as np

    faiss = package("faiss")
    x = np.random.default_rng(0).random((4000, 64), "float32")
    index = faiss.IndexFlat(64, faiss.METRIC_L1)
    index.add(x)
    return lambda: index.search(x[:400], 5)


def xgboost_train() -> Callable[[], object]:
    import numpy as np

    xgboost = package("xgboost")
    rng = np.random.default_rng(0)
    data = xgboost.DMatrix(rng.random((60_000, 12)), rng.random(60_000))
    return lambda: xgboost.train({"tree_method": "hist", "max_depth": 6}, data, 4)
