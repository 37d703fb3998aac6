"""Child processes that are workers, asked of real children of real programs."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fakesystem import Recorded
from links import link
from live import LINUX, forget_registration, run_python

from omp_magic.facts.libraries import Gap
from omp_magic.formats.procfs import Segments
from omp_magic.machine import Machine
from omp_magic.machine.linux import lineage
from omp_magic.machine.linux.lineage import has_child
from omp_magic.machine.port.rows import CHILDREN
from omp_magic.probes.threads import children
from omp_magic.probes.threads.children import ChildProbe

NEEDS_LINUX = pytest.mark.skipif(not LINUX, reason="child processes are read on Linux only")

TOOLS = """
import ctypes, json, os, signal, subprocess, sys, time
from omp_magic.machine import Machine
from omp_magic.machine.here import native_here
from omp_magic.formats.procfs import Segments
from omp_magic.machine.linux.lineage import has_child
from omp_magic.probes.threads.children import ChildProbe

def parallel(path, threads):
    lib = ctypes.CDLL(path)
    free = ctypes.cast(ctypes.CDLL(None).free, ctypes.c_void_p)
    lib.GOMP_parallel(free, None, threads, 0)

def look(probe=None, gaps=None):
    machine = Machine.here()
    probe = probe or ChildProbe(machine, native_here())
    return probe.look(Segments(machine.read("/proc/self/maps")), [] if gaps is None else gaps)

def facts(found):
    return [[c.pid, c.forked, c.num_os_threads, c.pool_threads, list(c.runtimes)] for c in found]
"""


def tell(code: str, *arguments: str, **env: str) -> Any:
    """Give the JSON of a program's last line."""
    ended = run_python(TOOLS + code, *arguments, timeout=120, **env)
    assert ended.code == 0, ended.err
    return json.loads(ended.out.strip().rpartition("\n")[2])


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    """A child that waits."""
    started = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield started
    started.communicate(b"\n")


POOL = """
import json, multiprocessing, os, sys
from tools import facts, look, parallel

def work(lib, threads, done, stop):
    parallel(lib, threads)
    done.put(os.getpid())
    stop.wait()

if __name__ == "__main__":
    lib, method, mine = sys.argv[1], sys.argv[2], int(sys.argv[3])
    if mine:
        parallel(lib, mine)
    context = multiprocessing.get_context(method)
    done, stop = context.Queue(), context.Event()
    workers = [context.Process(target=work, args=(lib, n, done, stop)) for n in (3, 6)]
    for worker in workers: worker.start()
    for worker in workers: done.get()
    gaps = []
    told = facts(look(gaps=gaps))
    stop.set()
    for worker in workers: worker.join()
    left = facts(look())
    print(json.dumps([told, [worker.pid for worker in workers], left, [str(gap) for gap in gaps]]))
"""


@NEEDS_LINUX
@pytest.mark.parametrize(
    ("method", "mine", "forked"),
    [("fork", 0, True), ("spawn", 0, False), ("spawn", 4, False), ("forkserver", 0, False)],
)
def test_workers_of_multiprocessing(
    method: str, mine: int, forked: bool, libiomp5: str, tmp_path: Path
) -> None:
    (tmp_path / "tools.py").write_text(TOOLS, "utf-8")
    (tmp_path / "pool.py").write_text(POOL, "utf-8")
    told, pids, left, gaps = tell(
        "import runpy; sys.argv = sys.argv[1:]; sys.path.insert(0, os.path.dirname(sys.argv[0]))\n"
        "runpy.run_path(sys.argv[0], run_name='__main__')",
        str(tmp_path / "pool.py"),
        libiomp5,
        method,
        str(mine),
    )
    for pid in pids:
        forget_registration(pid)
    assert told == [
        [pid, forked, threads, pool, ["libiomp5.so"]]
        for pid, threads, pool in sorted(
            (pid, pool + extra, pool)
            for pid, pool, extra in zip(pids, (3, 6), _feeders(told), strict=True)
        )
    ]
    assert left == []
    assert gaps == []


def _feeders(told: list[Any]) -> list[int]:
    """Give the Python threads beside the pool: multiprocessing's queue has one that feeds it."""
    extra = [threads - pool for _, _, threads, pool, _ in told]
    assert set(extra) <= {0, 1}
    return extra


@NEEDS_LINUX
def test_workers_of_joblib(tmp_path: Path) -> None:
    told, pids = tell(
        "import numpy, joblib, threading\n"
        "def work(number):\n"
        "    import numpy as np; np.ones((900, 900)) @ np.ones((900, 900)); time.sleep(0.3)\n"
        "    return os.getpid()\n"
        "with joblib.parallel_config('loky', n_jobs=2, inner_max_num_threads=2):\n"
        "    pids = joblib.Parallel()(joblib.delayed(work)(n) for n in range(4))\n"
        "told = facts(look())\n"
        "from joblib.externals.loky import get_reusable_executor\n"
        "get_reusable_executor().shutdown(wait=True)\n"
        "print(json.dumps([told, sorted(set(pids))]))",
        JOBLIB_TEMP_FOLDER=str(tmp_path),
    )
    # Loky's resource tracker imports joblib, and with it NumPy, so it may be among them.
    workers = [found for found in told if found[0] in pids]
    assert len(workers) == len(pids) >= 1
    assert len(told) <= len(workers) + 1
    for _, forked, num_os_threads, pool_threads, runtimes in workers:
        assert not forked
        # OpenBLAS starts no more threads than there are CPUs.
        assert pool_threads in (1, 2)
        assert num_os_threads >= pool_threads
        assert any("openblas" in name for name in runtimes)


@NEEDS_LINUX
def test_a_forked_child_has_the_mapping_but_not_the_threads(libiomp5: str) -> None:
    told, pid, tail = tell(
        "parallel(sys.argv[1], 5)\n"
        "reading, writing = os.pipe()\n"
        "pid = os.fork()\n"
        "if not pid:\n"
        "    os.close(writing); os.read(reading, 1); os._exit(0)\n"
        "sleeper = subprocess.Popen(['sleep', '60'])\n"
        "told = look(); command = told[0].command\n"
        "os.close(writing); os.waitpid(pid, 0); sleeper.kill(); sleeper.wait()\n"
        "print(json.dumps([facts(told), pid, command]))",
        libiomp5,
    )
    forget_registration(pid)
    assert told == [[pid, True, 1, 1, ["libiomp5.so"]]], "sleep has no runtime"
    assert tail.startswith(sys.executable)
    assert len(tail) == 160


@NEEDS_LINUX
def test_what_a_child_loads_later_is_seen(libiomp5: str) -> None:
    told = tell(
        "code = '''import ctypes, sys\n"
        "for line in sys.stdin:\n"
        "    exec(line); print('done', flush=True)\n"
        "'''\n"
        "child = subprocess.Popen([sys.executable, '-c', code], stdin=subprocess.PIPE,\n"
        "    stdout=subprocess.PIPE, text=True)\n"
        "def do(line):\n"
        "    child.stdin.write(line + '\\n'); child.stdin.flush(); child.stdout.readline()\n"
        "probe = ChildProbe(Machine.here(), native_here())\n"
        "do('pass'); told = [facts(look(probe))]\n"
        "do('lib = ctypes.CDLL(%r)' % sys.argv[1]); told.append(facts(look(probe)))\n"
        "do('free = ctypes.cast(ctypes.CDLL(None).free, ctypes.c_void_p)')\n"
        "for n in (4, 7):\n"
        "    do('lib.GOMP_parallel(free, None, %d, 0)' % n); told.append(facts(look(probe)))\n"
        "child.stdin.close(); child.wait(); child.stdout.close(); told.append(facts(look(probe)))\n"
        "print(json.dumps([told, len(probe._known)]))",
        libiomp5,
    )
    (python, loaded, four, seven, ended), kept = told
    assert (python, ended, kept) == ([], [], 0)
    assert [found[0][3] for found in (loaded, four, seven)] == [1, 4, 7]


@NEEDS_LINUX
def test_asking_for_children_takes_nothing_from_whoever_waits() -> None:
    told = tell(
        "signals = []\n"
        "signal.signal(signal.SIGCHLD, lambda *_: signals.append(1))\n"
        "told = [has_child()]\n"
        "child = subprocess.Popen([sys.executable, '-c', 'raise SystemExit(7)'])\n"
        "told.append(has_child())\n"
        "os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)\n"
        "for _ in range(5): told.append(has_child()); look()\n"
        "time.sleep(0.01)\n"
        "told += [len(signals), child.poll(), has_child()]\n"
        "import multiprocessing\n"
        "process = multiprocessing.get_context('fork').Process(target=os._exit, args=(3,))\n"
        "process.start(); look(); os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)\n"
        "look(); process.join(); told += [process.exitcode, len(signals), has_child()]\n"
        "signal.signal(signal.SIGCHLD, signal.SIG_IGN)\n"
        "pid = os.fork()\n"
        "if not pid: os._exit(0)\n"
        "while has_child(): time.sleep(0.01)\n"
        "print(json.dumps(told))"
    )
    assert told == [False, True, *[True] * 5, 1, 7, False, 3, 2, False]


class Closed(Machine):
    """A machine that may not read another process's memory, as under Yama's ptrace_scope 2."""

    def memory(self, process: int | None = None) -> Any:
        raise PermissionError(1, "Operation not permitted", f"/proc/{process or 'self'}/mem")


class Other(Machine):
    """A machine where children belong to another user."""

    def read(self, name: str) -> str:
        if name.endswith("/maps") and "self" not in name:
            raise PermissionError(13, "Permission denied", name)
        return super().read(name)


@NEEDS_LINUX
def test_a_child_that_may_not_be_read_is_a_gap(child: subprocess.Popen[bytes]) -> None:
    gaps: list[Gap] = []
    assert ChildProbe(Other(), None).look(Segments(""), gaps) == ()
    assert (
        Gap(
            what=f"runtimes of process {child.pid}",
            why="Permission denied",
            where=f"/proc/{child.pid}/maps",
        )
        in gaps
    )


STAT = "{pid} (python) {state} {parent} 1 1 0 -1 {flags}" + " 0" * 10 + " {n} 0 77" + " 0" * 30
RUNTIME = "7f0000000000-7f0000001000 r-xp 00000000 fd:01 7 /env/libgomp.so.1\n"


def lay(root: Path, pid: int, parent: int, **facts: Any) -> None:
    """Lay out a process below `root`."""
    home = root / "proc" / str(pid)
    for tid in range(pid, pid + facts.get("n", 1)):
        (home / "task" / str(tid)).mkdir(parents=True)
    given = {"state": "S", "flags": 0x400000, "n": 1, **facts}
    (home / "stat").write_text(STAT.format(pid=pid, parent=parent, **given), "utf-8")
    (home / "statm").write_text("100 5 1 1 0 3 0\n", "utf-8")
    (home / "maps").write_text(facts.get("maps", RUNTIME), "utf-8")
    (home / "cmdline").write_text("python\0-c\0pass\0", "utf-8")


def machine(root: Path) -> Machine:
    link(root / "proc" / "self", "50")
    return Machine(root, pid=50)


def test_children_by_their_parents_and_by_the_kernels_lists(tmp_path: Path) -> None:
    lay(tmp_path, 50, 1)
    lay(tmp_path, 60, 50, maps="")
    lay(tmp_path, 70, 60, flags=0x400040)
    lay(tmp_path, 80, 50, flags=0x400040)
    lay(tmp_path, 85, 80, flags=0x400040)
    lay(tmp_path, 90, 50, state="Z")
    lay(tmp_path, 95, 1)
    here = machine(tmp_path)
    gaps: list[Gap] = []
    by_parents = ChildProbe(here, None).look(Segments(""), gaps)
    for pid, text in ((50, "60 80 90"), (60, "70"), (70, ""), (80, "85 "), (85, ""), (90, "")):
        (tmp_path / f"proc/{pid}/task/{pid}/children").write_text(text, "utf-8")
    assert ChildProbe(here, None).look(Segments(""), gaps) == by_parents
    assert [(one.pid, one.forked, one.command, one.runtimes) for one in by_parents] == [
        (70, False, "python -c pass", ("libgomp.so.1",)),
        (80, True, "python -c pass", ("libgomp.so.1",)),
        (85, True, "python -c pass", ("libgomp.so.1",)),
    ]


def test_threads_that_cannot_be_told_apart_are_unknown(tmp_path: Path) -> None:
    lay(tmp_path, 50, 1)
    lay(tmp_path, 60, 50, n=3)
    gaps: list[Gap] = []
    (found,) = ChildProbe(machine(tmp_path), None).look(Segments(""), gaps)
    assert (found.num_os_threads, found.pool_threads) == (3, None)
    assert [gap.what for gap in gaps] == ["pools of process 60"]


def test_the_work_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(children, "MOST_CHILDREN", 2)
    monkeypatch.setattr(children, "MOST_THREADS", 2)
    lay(tmp_path, 50, 1)
    for pid in (60, 70, 80):
        lay(tmp_path, pid, 50, n=pid // 30)
    here = machine(tmp_path)
    gaps: list[Gap] = []
    found = ChildProbe(here, None).look(Segments(""), gaps)
    assert [(one.pid, one.pool_threads) for one in found] == [(60, None), (70, None)]
    assert [(gap.what, gap.why) for gap in gaps][::2] == [
        ("child processes", "only the first 2 of 3 are looked at"),
        ("pools of process 70", "more than 2 threads are not looked at"),
    ]
    monkeypatch.setattr(lineage, "MOST_PROCESSES", 1)
    gaps.clear()
    assert [one.pid for one in ChildProbe(here, None).look(Segments(""), gaps)] == [80]
    assert gaps[0].why == "of 4 processes only the 1 last are looked at"


@NEEDS_LINUX
def test_memory_that_is_closed_leaves_the_pool_unknown(libiomp5: str) -> None:
    code = f"{TOOLS}\nparallel({libiomp5!r}, 3); print('up', flush=True); input()"
    held = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert held.stdout is not None
        held.stdout.readline()
        gaps: list[Gap] = []
        (found,) = ChildProbe(Closed(), None).look(Segments(""), gaps)
        assert (found.pid, found.num_os_threads, found.pool_threads) == (held.pid, 3, None)
        assert gaps == [Gap(what=f"pools of process {held.pid}", why="Operation not permitted")]
        # The stack way reads a child without its list of threads.
        end = time.monotonic() + 60
        while found.pool_threads != 3 and time.monotonic() < end:
            (found,) = ChildProbe(Machine(), None).look(Segments(""), gaps)
        assert found.pool_threads == 3
    finally:
        held.communicate(b"\n")
        forget_registration(held.pid)


def test_a_system_that_does_not_tell_of_children_says_why() -> None:
    recorded = Recorded("unmasked")
    recorded.reasons[CHILDREN] = "nobody may look"
    gaps: list[Gap] = []
    assert ChildProbe(recorded.machine(), None).look(Segments(""), gaps) == ()
    assert [gap.why for gap in gaps] == ["nobody may look"]


@NEEDS_LINUX
def test_a_child_is_one(child: subprocess.Popen[bytes]) -> None:
    assert child.poll() is None
    assert has_child()
