"""Forks and process pools in real kernels: told before the harm, and remedies that work there."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Any

import pytest
from environments import POOLS, environment
from live import LINUX, Kernel

pytestmark = [
    pytest.mark.skipif(not LINUX, reason="reads /proc: Linux only"),
    pytest.mark.skipif(
        LINUX and len(os.sched_getaffinity(0)) < 2, reason="one CPU: pools have no threads"
    ),
    pytest.mark.timeout(400),
]

CHILD = """
import multiprocessing, os, signal, time
def child_of(use, seconds=4):
    pid = os.fork()
    if not pid:
        use(); os._exit(0)
    return ended(pid, seconds)
def ended(pid, seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        got, status = os.waitpid(pid, os.WNOHANG)
        if got:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.05)
    os.kill(pid, signal.SIGKILL); os.waitpid(pid, 0)
    return "hangs"
"""
LOAD = f"%load_ext omp_magic\n{CHILD}"


def shown(reply: Any) -> str:
    assert reply.status == "ok", reply.traceback
    return "\n".join(data["text/plain"] for data in reply.displays)


def codes(kernel: Kernel) -> list[str]:
    return list(kernel.value("[f.code for f in __import__('omp_magic').snapshot().findings]"))


@pytest.fixture
def pools() -> Iterator[Kernel]:
    started = Kernel(python=environment("pools", POOLS))
    yield started
    started.close()


def test_forks_of_a_notebook(pools: Kernel) -> None:
    kernel = pools
    kernel.run(
        f"{LOAD}\nimport numpy, polars, torch; multiprocessing.set_start_method('forkserver')"
    )
    kernel.run("def work(n=0): torch.rand(2000, 2000).exp(); return n")
    assert "OMP204" not in codes(kernel)
    assert shown(kernel.run("child_of(lambda: None, 60)")) == ""
    kernel.run("work()")
    assert "OMP204" in codes(kernel)  # whatever multiprocessing's start method is
    # What goes on to exec computes nothing.
    for line in (
        "!true",
        "import subprocess; subprocess.run(['true'], preexec_fn=lambda: None).returncode",
        "import pty; pty.spawn(['true'])",
        "os.spawnlp(os.P_WAIT, 'true', 'true')",
        "pid = os.fork()\nif not pid:\n    os.execv('/bin/true', ['true'])\nended(pid, 60)",
        "p = multiprocessing.Process(target=print); p.start(); p.join()",
        "from joblib import Parallel, delayed\nParallel(2)(delayed(work)(i) for i in (1, 2))",
    ):
        assert shown(kernel.run(line)) == "", line
    told = kernel.run("child_of(work)")
    assert told.text == "'hangs'"
    assert shown(told).startswith("! A forked child that uses GNU libgomp")
    assert "\n  os.fork, before it forks\n  warning  OMP204  " in shown(told)
    assert "multiprocessing forks" not in shown(told)
    assert shown(kernel.run("child_of(lambda: None, 60)")) == ""  # once for each pool
    # The remedy for a fork that must be: with one thread libgomp asks no team.
    limited = kernel.run("%%omp_limit openmp=1\nchild_of(work, 60)")
    assert (limited.text, shown(limited)) == ("0", "")
    # Another pool is another matter, and by multiprocessing's own fork.
    kernel.run("f = lambda: polars.DataFrame({'g': range(9999)}).group_by('g').len().height")
    kernel.run("f()")
    told = kernel.run(
        "p = multiprocessing.get_context('fork').Process(target=f); p.start(); p.join(4)\n"
        "alive = p.is_alive(); p.kill(); p.join(); alive"
    )
    assert told.text == "True"
    assert "a fork by multiprocessing, before it forks\n  warning  OMP204" in shown(told)
    assert "uses polars will hang" in shown(told)
    # A fork cannot be refused, by no mode and no filter: it is told.
    kernel.run("%unload_ext omp_magic\n%load_ext omp_magic\n%omp_guard raise\nimport warnings")
    told = kernel.run("warnings.simplefilter('error'); child_of(lambda: None, 60)")
    assert (told.text, "OMP204" in shown(told)) == ("0", True)
    kernel.run("warnings.simplefilter('ignore')\n%unload_ext omp_magic\n%load_ext omp_magic")
    assert shown(kernel.run("child_of(lambda: None, 60)")) == ""
    kernel.run(
        "warnings.resetwarnings()\n%unload_ext omp_magic\n%load_ext omp_magic\n%omp_guard off"
    )
    assert shown(kernel.run("child_of(lambda: None, 60)")) == ""
    kernel.run("%unload_ext omp_magic")
    assert shown(kernel.run("child_of(lambda: None, 60)")) == ""


def test_numbas_children_are_killed_and_its_own_cure_works(pools: Kernel) -> None:
    numba = (
        "import numpy as np, numba\n@numba.njit(parallel=True)\ndef total(a):\n    t = 0.\n"
        "    for i in numba.prange(a.size): t += a[i]\n    return t\na = np.ones(100000)\ntotal(a)"
    )
    kernel = pools
    kernel.run("import os; os.environ['NUMBA_THREADING_LAYER'] = 'omp'\n" + LOAD)
    if kernel.run(numba).status != "ok":
        pytest.skip("the system has no libgomp, which numba's layer omp needs")
    told = kernel.run(
        "p = multiprocessing.get_context('fork').Process(target=total, args=(a,)); p.start()\n"
        "p.join(60); p.exitcode"
    )
    assert told.text == "-15"
    assert "will be killed (SIGTERM)" in shown(told)
    (cure,) = re.findall(r"import os; os\.environ\['NUMBA_\w+'\] = 'workqueue'", shown(told))
    kernel.restart()
    kernel.run(f"{cure}\n{LOAD}\n{numba}")
    told = kernel.run("child_of(lambda: total(a), 60)")
    assert (told.text, shown(told)) == ("0", "")


SESSION = """%load_ext omp_magic
import multiprocessing as mp, concurrent.futures as cf, functools, operator
from multiprocessing.pool import ThreadPool
def work(n): return n
class Data:
    def __init__(self, n=0): self.n = n
    def __add__(self, n): return n
    def run(self, n): return n
"""


def test_functions_of_a_notebook_that_cannot_be_sent() -> None:
    kernel = Kernel()
    try:
        kernel.run(SESSION)
        before = kernel.value("[mp.pool.Pool.map.__qualname__, mp.Process.start.__qualname__]")
        assert before == ["Pool.map", "BaseProcess.start"]
        kernel.run(
            "pool = mp.get_context('spawn').Pool(1); forked = mp.get_context('fork').Pool(1)"
        )
        # What can be sent, what is no other process, and what is refused at once: not a word.
        for line in (
            "pool.map(abs, [1])",
            "pool.apply_async(abs, (1,), callback=work, error_callback=work).get(60)",
            "forked.map(work, [1])",
            "ThreadPool(1).map(work, [1])",
            "mp.Process(target=work, args=(1,)).start()",
            "ok = False\ntry: pool.map(lambda n: n, [1])\nexcept Exception: ok = True\nassert ok",
        ):
            assert shown(kernel.run(line)) == "", line
        assert "OMP213" not in codes(kernel)
        told = kernel.run(
            "r = pool.map_async(work, [1])\ntry: r.get(4)\nexcept mp.TimeoutError: print('waits')"
        )
        assert told.stdout == "waits\n"
        assert shown(told).startswith("! spawn cannot send work of this session to a Pool\n")
        assert "waits for ever" in shown(told)
        assert "OMP213" in codes(kernel)  # while such a pool lives
        kernel.run("pool.terminate()")
        assert "OMP213" not in codes(kernel)
        made = "with mp.get_context('forkserver').Pool(1) as p: "
        for line, said in (
            (
                f"{made}p.apply_async(functools.partial(operator.add, Data(1)), (1,))",
                "send Data of",
            ),
            (f"{made}p.starmap_async(Data().run, [(1,)])", "send Data of"),
            (f"{made}p.imap(work, [1])", "send work of"),
            (f"{made}p.map_async(abs, [Data()])", "send Data of"),
            ("with mp.get_context('spawn').Pool(1, work, (1,)): pass", "send work of"),
        ):
            assert said in shown(kernel.run(line)), line
        told = kernel.run(
            "e = cf.ProcessPoolExecutor(1, mp_context=mp.get_context('spawn'))\n"
            "type(e.submit(work, 1).exception(60)).__name__"
        )
        assert told.text == "'BrokenProcessPool'"
        assert "to a ProcessPoolExecutor" in shown(told)
        told = kernel.run(
            "p = mp.get_context('spawn').Process(target=work, args=(1,)); p.start(); p.join(60)\n"
            "p.exitcode"
        )
        assert (told.text, "to a Process" in shown(told)) == ("1", True)
        # Refused, a call leaves the pool as it was.
        kernel.run("%omp_guard raise\npool = mp.get_context('spawn').Pool(1)")
        assert kernel.run("pool.map(work, [1])").ename == "UnsendableFunctionError"
        assert kernel.run("pool.map(abs, [-1])").text == "[1]"
        # The default counts too: forkserver from Python 3.14 on.
        kernel.run("%omp_guard warn\nmp.set_start_method('forkserver', force=True)")
        assert "forkserver cannot send" in shown(
            kernel.run("p = mp.Process(target=work, args=(1,)); p.start(); p.join(60)")
        )
        kernel.run("%unload_ext omp_magic")
        untouched = "[hasattr(f, '__wrapped__') for f in (mp.pool.Pool.map, mp.Process.start)]"
        assert kernel.value(untouched) == [False, False]
        told = kernel.run("pool.map_async(work, [1]).wait(1); pool.terminate(); forked.terminate()")
        assert shown(told) == ""
    finally:
        kernel.close()


@pytest.mark.thorough
def test_both_remedies_of_a_notebook_work_there(pools: Kernel, tmp_path: Any) -> None:
    kernel = pools
    # Children look for modules where the kernel was when multiprocessing was imported.
    kernel.run(f"import os; os.chdir({str(tmp_path)!r})\n{LOAD}\nimport torch")
    source = "def work(n):\n    torch.rand(2000, 2000).exp(); return n"
    kernel.run(f"{source}\nwork(1); items = [1, 2]; dataset = [torch.ones(2)] * 2")
    (finding,) = kernel.value(
        "[f.remedies for f in __import__('omp_magic').snapshot().findings if f.code == 'OMP204']"
    )
    loky, module, loader = (remedy.partition(": ")[2] for remedy in finding[:3])
    assert "loky" in finding[0]
    assert kernel.run(f"{loky}\nresults", timeout=120).text == "[1, 2]"
    assert kernel.run(f"{loader}\nlen([*loader])").text == "2"
    kernel.run(f"%%writefile work.py\nimport torch\n{source}")
    kernel.run(f"import work\n{module}")
    told = kernel.run("with multiprocessing.Pool(2) as p: print(p.map(work.work, items))", 120)
    assert (told.stdout, shown(told)) == ("[1, 2]\n", "")
    kernel.run(
        "class Own(torch.utils.data.Dataset):\n    def __len__(self): return 1\n"
        "    def __getitem__(self, i): return torch.ones(2)"
    )
    told = kernel.run(
        "try: next(iter(torch.utils.data.DataLoader(Own(), num_workers=1)))\n"
        "except RuntimeError as error: print('exited unexpectedly' in str(error))",
        120,
    )
    assert told.stdout == "True\n"
    assert "forkserver cannot send Own of this session to a DataLoader" in shown(told)


def test_what_is_run_as_a_file_can_be_sent(kernel: Kernel, tmp_path: Any) -> None:
    """%run of a script stands in its file while it runs, and in none afterwards."""
    script = tmp_path / "script.py"
    script.write_text(
        "import multiprocessing\ndef work(n): return n\n"
        "if __name__ == '__main__':\n"
        "    with multiprocessing.get_context('spawn').Pool(1) as p: print(p.map(work, [7]))\n"
    )
    told = kernel.run(f"%load_ext omp_magic\n%run {script}")
    assert (told.stdout, shown(told)) == ("[7]\n", "")
    told = kernel.run(
        "p = multiprocessing.get_context('spawn').Process(target=work, args=(1,)); p.start()\n"
        "p.join(60); p.exitcode"
    )
    assert (told.text, "cannot send work" in shown(told)) == ("1", True)
