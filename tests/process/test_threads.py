"""Which library owns each OS thread, asked of real runtimes in real processes."""

from __future__ import annotations

import json
import os
import struct
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from environments import POOLS, environment, values_in
from live import LINUX, Kernel, run_python

from omp_magic.facts.libraries import Gap
from omp_magic.formats.procfs import Segments
from omp_magic.machine import Machine
from omp_magic.machine.linux.pthreads import ThreadList
from omp_magic.probes.threads.stacks import ThreadOwners
from omp_magic.probes.threads.threads import probe_threads

NEEDS_LINUX = pytest.mark.skipif(not LINUX, reason="owners of threads are read on Linux only")
WAYS = pytest.mark.parametrize("way", ["list", "stack"])

TOOLS = """
import ctypes, json, os, sys, threading, time
from collections import Counter
from omp_magic.machine import Machine
from omp_magic.machine.here import native_here
from omp_magic.formats.procfs import Segments
from omp_magic.probes.threads.stacks import ThreadOwners

machine = Machine.here()

def start(way):
    return ThreadOwners(machine, native_here() if way == "list" else None)

def files():
    return Segments(machine.read("/proc/self/maps"))

def tids():
    return sorted(map(int, os.listdir("/proc/self/task")))

def labels(owners):
    given = owners.of(tids(), files()).values()
    return Counter(owner.label if owner else "?" for owner in given)

def settled(way):
    "Owners once every thread sleeps: the stack way knows no thread that runs."
    owners = start(way)
    end = time.monotonic() + 60
    while "?" in labels(owners) and time.monotonic() < end:
        time.sleep(0.05)
    return owners

def parallel(lib, threads):
    "A parallel region without Python: every thread of the team calls free(NULL)."
    free = ctypes.cast(ctypes.CDLL(None).free, ctypes.c_void_p)
    lib.GOMP_parallel(free, None, threads, 0)
"""


def tell(code: str, *arguments: str, **env: str) -> Any:
    """Give the JSON of a program's last line."""
    ended = run_python(TOOLS + code, *arguments, timeout=120, **env)
    assert ended.code == 0, ended.err
    return json.loads(ended.out.strip().rpartition("\n")[2])


def only(counts: dict[str, int], part: str) -> int:
    """Give the number of threads of the one file whose name holds `part`."""
    (number,) = (number for name, number in counts.items() if part in name)
    return number


@NEEDS_LINUX
@WAYS
def test_pools_own_their_workers(way: str, libiomp5: str) -> None:
    counts, again = tell(
        "import numpy as np, sklearn.cluster\n"
        "sklearn.cluster.KMeans(4, n_init=1).fit(np.random.rand(2000, 5))\n"
        "parallel(ctypes.CDLL(sys.argv[2]), 3)\n"
        "stop = threading.Event()\n"
        "import _thread; _thread.start_new_thread(stop.wait, ())\n"
        "threading.Thread(target=stop.wait, daemon=True).start()\n"
        "owners = settled(sys.argv[1])\n"
        "told = labels(owners)\n"
        "owners = owners.workers(files())\n"
        "print(json.dumps([told, [owners.by_path, owners.unknown]]))",
        way,
        libiomp5,
        OMP_NUM_THREADS="4",
        OPENBLAS_NUM_THREADS="3",
        LOKY_MAX_CPU_COUNT="4",
    )
    assert only(counts, "libgomp") >= 1
    assert only(counts, "libiomp5") >= 2
    assert counts["Python"] == 3, "the main thread, one of threading and one of _thread"
    blas = {name: n for name, n in counts.items() if "openblas" in name}
    assert set(blas.values()) <= {1, 2}, "OpenBLAS starts no more than the machine has CPUs"
    assert "?" not in counts
    by_path, unknown = again
    assert (sum(by_path.values()), unknown) == (sum(counts.values()) - 3, 0)
    assert all(path.startswith("/") for path in by_path)


@NEEDS_LINUX
@WAYS
def test_openblas_built_on_openmp_has_libgomps_workers(way: str) -> None:
    if find_spec("faiss") is None:
        pytest.skip("needs faiss-cpu, which has wheels for Linux on x86_64 only")
    counts = tell(
        "import numpy as np, faiss\n"
        "before = labels(settled(sys.argv[1]))\n"
        "points = np.random.rand(2000, 64).astype('f')\n"
        "index = faiss.IndexFlatL2(64); index.add(points)\n"
        "faiss.omp_set_num_threads(5); index.search(points, 5)\n"
        "after = labels(settled(sys.argv[1])); after.subtract(before); print(json.dumps(after))",
        way,
    )
    assert {name.partition("-")[0]: n for name, n in counts.items() if n} == {"libgomp": 4}


@NEEDS_LINUX
def test_who_owns_a_thread_does_not_depend_on_what_it_does() -> None:
    told = tell(
        "import numpy as np\n"
        "owners = settled('list'); idle = owners.workers(files())\n"
        "matrix = np.ones((1500, 1500)); stop = threading.Event()\n"
        "def work():\n"
        "    while not stop.is_set(): matrix @ matrix\n"
        "thread = threading.Thread(target=work); thread.start(); time.sleep(0.2)\n"
        "same = []\n"
        "for _ in range(30):\n"
        "    fresh = start('list')\n"
        "    same.append(fresh.workers(files()) == owners.workers(files()) == idle)\n"
        "    same.append(fresh.of([thread.native_id], files())[thread.native_id].label)\n"
        "stop.set(); thread.join()\n"
        "print(json.dumps([same, idle.unknown, len(idle.by_path)]))",
        OPENBLAS_NUM_THREADS="2",
    )
    assert told[0] == [True, "Python"] * 30
    assert told[1] == 0
    assert told[2] == (os.cpu_count() != 1), "OpenBLAS starts no worker on a single CPU"


@NEEDS_LINUX
def test_a_thread_that_runs_is_not_guessed_from_its_stack(libiomp5: str) -> None:
    told = tell(
        "parallel(ctypes.CDLL(sys.argv[1]), 3)\n"
        "owners = start('stack'); time.sleep(0.2)\n"
        "spinning = owners.workers(files())\n"
        "known = start('list').workers(files())\n"
        "print(json.dumps([sum(spinning.by_path.values()), spinning.unknown,\n"
        "                  sum(known.by_path.values()), known.unknown])); os._exit(0)",
        libiomp5,
        KMP_BLOCKTIME="infinite",
    )
    asleep, unknown, *complete = told
    assert complete == [2, 0], "the list knows a thread that runs"
    assert asleep + unknown == 2
    assert unknown >= 1, "two threads that spin for ever were never seen asleep"


@NEEDS_LINUX
def test_threads_that_end_are_forgotten() -> None:
    told = tell(
        "stop = threading.Event()\n"
        "owners = start('list')\n"
        "first = owners.of(tids(), files())\n"
        "thread = threading.Thread(target=stop.wait); thread.start()\n"
        "second = owners.of(tids(), files()); tid = thread.native_id\n"
        "stop.set(); thread.join()\n"
        "while tid in tids(): time.sleep(0.01)\n"
        "owners.workers(files())\n"
        "print(json.dumps([len(first), second[tid].label, tid in owners._known]))"
    )
    assert told == [1, "Python", False]


@NEEDS_LINUX
def test_a_thread_id_that_is_used_again_is_another_thread(libiomp5: str) -> None:
    told = tell(
        "lib = ctypes.CDLL(sys.argv[1]); parallel(lib, 2)\n"
        "owners, segments = settled('list'), files()\n"
        "def write(tid):\n"
        "    with open('/proc/sys/kernel/ns_last_pid', 'w') as file: file.write(str(tid - 1))\n"
        "def attempt():\n"
        "    stop = threading.Event()\n"
        "    thread = threading.Thread(target=stop.wait); thread.start()\n"
        "    tid = thread.native_id; before = owners.of([tid], segments)[tid].label\n"
        "    stop.set(); thread.join()\n"
        "    while tid in tids(): time.sleep(0.01)\n"
        "    try: write(tid)\n"
        "    except OSError: return 'forbidden'\n"
        "    parallel(lib, len(tids()) + 1)\n"
        "    if tid not in tids(): return None\n"
        "    return [before, owners.of([tid], segments)[tid].label]\n"
        "got = None\n"
        "for _ in range(20): got = got or attempt()\n"
        "print(json.dumps(got))",
        libiomp5,
    )
    if told in ("forbidden", None):
        pytest.skip("this process may not choose the next thread id")
    assert told == ["Python", "libiomp5.so"]


@NEEDS_LINUX
@WAYS
def test_looking_leaves_no_trace(way: str) -> None:
    told = tell(
        "import numpy, scipy.linalg\n"
        "def state(): return [tids(), sorted(os.listdir('/proc/self/fd'))[:-1],\n"
        "    machine.read('/proc/self/maps').count('.so')]\n"
        "owners = settled(sys.argv[1])\n"
        "before = state()\n"
        "for _ in range(50): start(sys.argv[1]).workers(files())\n"
        "print(json.dumps([before, state()]))",
        way,
    )
    assert told[0] == told[1]


@NEEDS_LINUX
def test_a_kernels_messages_have_threads_of_their_own(kernel: Kernel) -> None:
    assert kernel.run(TOOLS).status == "ok"
    counts = kernel.value("labels(settled('list'))")
    assert only(counts, "zmq") >= 1, counts
    assert counts["Python"] >= 2
    assert "?" not in counts


@NEEDS_LINUX
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "way",
    # By the stack, other processes' threads are looked at: the pools above are.
    ["list", pytest.param("stack", marks=pytest.mark.thorough)],
)
def test_pools_of_other_libraries(way: str) -> None:
    python = environment("pools", POOLS)
    used = {
        "libarrow": "import pyarrow as pa, pyarrow.dataset as ds, tempfile\n"
        "folder = tempfile.TemporaryDirectory()\n"
        "table = pa.table({'a': list(range(100))})\n"
        "ds.write_dataset(table, folder.name, format='parquet')\n"
        "ds.dataset(folder.name).to_table()",
        "_polars": "import polars as pl\n"
        "pl.DataFrame({'a': range(1000)}).lazy().group_by('a').agg(pl.len()).collect()",
        "interpreter.": "import numexpr, numpy as np\n"
        "ones = np.ones(1000000); numexpr.set_num_threads(3); numexpr.evaluate('ones * 2 + 1')",
        "libc10": "import torch\n"
        "unit = torch.jit.CompilationUnit('def neg(x):\\n    return -x\\ndef f(x):\\n'\n"
        "    '    waiting = torch.jit.fork(neg, x)\\n    return torch.jit.wait(waiting)\\n')\n"
        "unit.f(torch.ones(3))",
        "libgomp": "import torch\n"
        "x = torch.ones(500, 500, requires_grad=True); torch.set_num_threads(3)\n"
        "(x @ x).sum().backward()",
        "workqueue.": "import numba, numpy as np\n"
        "numba.config.THREADING_LAYER = 'workqueue'\n"
        "@numba.njit(parallel=True)\n"
        "def f(a):\n"
        "    s = 0.\n"
        "    for i in numba.prange(len(a)): s += a[i]\n"
        "    return s\n"
        "f(np.ones(1000))",
    }
    for part, code in used.items():
        counts = values_in(
            python,
            f"{TOOLS}\nimport sys; sys.argv[1:] = [{way!r}]\n{code}\n"
            "print(json.dumps(labels(settled(sys.argv[1])))); sys.stdout.flush(); os._exit(0)",
            OPENBLAS_NUM_THREADS="2",
            NUMBA_NUM_THREADS="3",
        )
        assert only(counts, part) >= 1, counts
        assert counts["Python"] >= 1
        assert "?" not in counts, (part, counts)


class Closed(Machine):
    """A machine whose memory may not be read."""

    def memory(self, process: int | None = None) -> Any:
        raise PermissionError(1, "Operation not permitted", f"/proc/{process or 'self'}/mem")


@NEEDS_LINUX
def test_unreadable_memory_is_unknown_and_not_zero() -> None:
    import threading

    stop = threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()
    try:
        machine = Closed()
        owners = ThreadOwners(machine, None)
        segments = Segments(machine.read("/proc/self/maps"))
        assert owners.workers(segments) is None
        assert owners.why == "Operation not permitted"
        gaps: list[Gap] = []
        labels = {"/x.so": "X (x)"}
        listed = probe_threads(machine, gaps, owners, segments, labels)
        native = next(one for one in listed if one.tid == thread.native_id)
        assert (native.owner, native.owner_path) == (None, None)
        assert Gap(what="owners of threads", why="Operation not permitted") in gaps
    finally:
        stop.set()
        thread.join()


@NEEDS_LINUX
def test_the_list_of_threads_has_owners_with_labels(libiomp5: str) -> None:
    told = tell(
        "from omp_magic.probes.threads.threads import probe_threads\n"
        "lib = sys.argv[1]; parallel(ctypes.CDLL(lib), 2); gaps = []\n"
        "path = os.path.realpath(lib)\n"
        "found = probe_threads(machine, gaps, settled('list'), files(), {path: 'OpenMP (x)'})\n"
        "print(json.dumps([[[t.python_name, t.owner, t.owner_path] for t in found], path,\n"
        "                  gaps]))",
        libiomp5,
    )
    threads, path, gaps = told
    assert ["MainThread", "Python", None] in threads
    assert [None, "OpenMP (x)", path] in threads
    assert gaps == []


def test_a_list_of_threads_that_changes_meanwhile_ends() -> None:
    def memory(at: int, size: int) -> bytes:
        if at == 8:
            return struct.pack("=Q", 64)  # The head leads to a thread …
        if at == 64:
            return struct.pack("=QQI4xQQ", 128, 0, 5, 70, 71)[:size]
        if at == 128:
            return struct.pack("=QQI4xQQ", 128, 0, 6, 0, 0)  # … and that to one in a circle,
        raise OSError(5, "Input/output error")  # or to memory that is gone.

    threads = ThreadList((8, 16), 16, 24)
    assert threads.find(memory, {5, 9}, lambda at: at) == {5: (70, 71)}
    assert threads.find(memory, {5}, lambda at: at + 1000) == {}
    assert threads.find(memory, {5}, lambda _: None) == {}


def test_no_proc_at_all(tmp_path: Path) -> None:
    owners = ThreadOwners(Machine(tmp_path), None)
    assert owners.workers(Segments("")) is None
    with pytest.raises(OSError) as told:  # noqa: PT011 - its words are the system's own
        os.listdir(tmp_path / "proc")
    assert owners.why == told.value.strerror
    assert owners.of([1], Segments("")) == {1: None}
