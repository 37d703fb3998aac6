"""Sweeps over real pools of workers, and what is left of them whatever happens."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from live import CLEAN, LINUX, Ended, run_program, run_python

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.skipif(not LINUX, reason="sets limits through libc: Linux only"),
]

PROCESSES = ("fork", "forkserver", "spawn", "pool", "pool-spawn", "loky")
EACH_KIND = tuple(
    # Each is a pool and a start method that two of the others have.
    pytest.param(kind, marks=pytest.mark.thorough) if kind in ("forkserver", "pool-spawn") else kind
    for kind in PROCESSES
)
HEAD = """
import json, multiprocessing, os, signal, sys, time, uuid
from pathlib import Path

import omp_magic

FOLDER, MAIN = Path(sys.argv[1]), int(os.environ.setdefault("MAIN", str(os.getpid())))


def note(**facts):
    (FOLDER / uuid.uuid4().hex).write_text(json.dumps({"pid": os.getpid(), **facts}))


def state():
    info = [p.num_threads for p in omp_magic.snapshot().pools]
    return [info, {k: v for k, v in os.environ.items() if "THREADS" in k or "LOKY" in k}]


def children():
    tasks = Path(f"/proc/{os.getpid()}/task").glob("*/children")
    pids = [pid for task in tasks for pid in task.read_text().split()]
    commands = {pid: Path(f"/proc/{pid}/cmdline").read_text() for pid in pids}
    return [each for each in commands.values() if "_tracker" not in each]


def tell(**facts):
    print(json.dumps({"children": children(), **facts}))
"""


@pytest.fixture
def script(tmp_path: Path) -> Callable[..., Ended]:
    """Give what runs a main script; workers that start anew import it."""

    def run(functions: str, main: str, *arguments: str, timeout: float = 120, **env: str) -> Ended:
        path = tmp_path / "main.py"
        body = "".join(f"    {each}\n" for each in main.strip().splitlines())
        path.write_text(f'{HEAD}\n{functions}\n\nif __name__ == "__main__":\n{body}')
        notes = tmp_path / "notes"
        notes.mkdir(exist_ok=True)
        command = [sys.executable, str(path), str(notes), *arguments]
        return run_program(command, timeout, env)

    return run


def told(ended: Ended) -> dict[str, Any]:
    assert ended.code == 0, ended.err
    found: dict[str, Any] = json.loads(ended.out.strip().split("\n")[-1])
    return found


@pytest.fixture
def notes(tmp_path: Path) -> Callable[[], list[dict[str, Any]]]:
    """Give what the function under test has noted, in whichever process it ran."""
    return lambda: [json.loads(each.read_text()) for each in (tmp_path / "notes").iterdir()]


COUNTED = """
import numpy as np
import threadpoolctl


def work(item):
    np.ones((64, 64)) @ np.ones((64, 64))
    sizes = [each["num_threads"] for each in threadpoolctl.threadpool_info()]
    note(sizes=sizes, openmp=os.environ.get("OMP_NUM_THREADS"))
    return item * 2
"""


@pytest.mark.parametrize("kind", [*EACH_KIND, "threads"])
def test_each_worker_has_the_threads_that_are_told_and_nothing_is_left(
    script: Callable[..., Ended], notes: Callable[[], list[dict[str, Any]]], kind: str
) -> None:
    main = f"""
with omp_magic.limit("openblas=2"):
    before = state()
    found = omp_magic.sweep(work, [1], items=range(4), workers=[2], kinds={kind!r}, repeats=2)
    after = state()
point = found.points[1]
tell(before=before, after=after, labels=[[p.workers, p.threads, p.kind] for p in found.points],
     start=point.startup_s, sending=point.sending_s, size=point.worker_bytes, main=os.getpid(),
     verdict=found.verdict, rate=list(found.to_frame()["items_per_s"]))
"""
    found = told(script(COUNTED, main))
    assert found["before"] == found["after"]
    assert found["children"] == []
    assert found["labels"][1] == [2, 1, kind]
    assert found["start"] > 0
    assert all(rate > 0 for rate in found["rate"])
    own = [each for each in notes() if each["pid"] == found["main"]]
    others = [each for each in notes() if each["pid"] != found["main"]]
    assert own, "the base line runs here"
    limited = own if kind == "threads" else others
    assert any(each["sizes"] == [1] for each in limited)
    if kind != "threads":
        assert all(each["sizes"] == [1] for each in others), others
        assert len({each["pid"] for each in others}) >= 2
        assert found["sending"] > 0
        assert found["size"] > 1_000_000


KILLED = """
def work(item):
    if os.getpid() != MAIN:
        if item == 3 and (FOLDER / "armed").exists():
            os.kill(os.getpid(), signal.SIGKILL)
        (FOLDER / "armed").touch()
"""
FAILS = """
def work(item):
    if os.getpid() != MAIN and item == 3:
        raise ValueError("item 3 is bad")
"""


@pytest.mark.parametrize("kind", EACH_KIND)
@pytest.mark.parametrize(("what", "error"), [(KILLED, ""), (FAILS, "ValueError")])
def test_a_dead_worker_and_an_error_reach_the_user_and_every_pool_ends(
    script: Callable[..., Ended], kind: str, what: str, error: str
) -> None:
    main = f"""
import joblib  # which loads NumPy
before = state()
begin = time.monotonic()
try:
    omp_magic.sweep(work, items=range(6), workers=[2], kinds={kind!r}, repeats=1, progress=False)
except Exception as error:
    name, text = type(error).__name__, str(error)
tell(before=before, after=state(), name=name, text=text, took=time.monotonic() - begin)
"""
    found = told(script(what, main))
    if error:
        assert (found["name"], found["text"]) == (error, "item 3 is bad")
    else:
        dead = {"pool": "WorkerEndedError", "loky": "TerminatedWorkerError"}
        assert found["name"] == dead.get(kind.partition("-")[0], "BrokenProcessPool")
    assert found["before"] == found["after"]
    assert found["children"] == []
    assert found["took"] < 60


UNREADABLE = """
class Bad(Exception):
    def __init__(self, one, two):
        super().__init__(one)


def work(item):
    if os.getpid() != MAIN and item == 3:
        raise Bad(1, 2)
"""


@pytest.mark.parametrize(
    ("kind", "error"), [("fork", "BrokenProcessPool"), ("pool", "UnreadResultError")]
)
def test_an_error_that_cannot_be_unpickled_ends_the_sweep(
    script: Callable[..., Ended], kind: str, error: str
) -> None:
    main = f"""
try:
    omp_magic.sweep(work, items=range(6), workers=[2], kinds={kind!r}, repeats=1, progress=False)
except Exception as error:
    tell(name=type(error).__name__)
"""
    assert told(script(UNREADABLE, main, timeout=60)) == {"children": [], "name": error}


@pytest.mark.parametrize("kind", ["fork", "pool", "loky"])
def test_an_item_that_cannot_be_sent_is_waited_for_by_nobody(
    script: Callable[..., Ended], kind: str
) -> None:
    main = f"""
import threading
begin = time.monotonic()
items = [1, threading.Lock()]
try:
    omp_magic.sweep(work, items=items, workers=[2], kinds={kind!r}, repeats=1, progress=False)
except Exception as error:
    tell(name=type(error).__name__, took=time.monotonic() - begin)
"""
    found = told(script("def work(item):\n    pass\n", main))
    assert found["name"] in {"TypeError", "PicklingError"}
    assert found["children"] == []
    assert found["took"] < 40


SLEEPS = """
def work(item):
    if os.getpid() != MAIN:
        note()
        time.sleep(60)
"""


@pytest.mark.parametrize("kind", ["fork", "spawn", "pool", "loky"])
@pytest.mark.parametrize("whole_group", [False, True])
def test_an_interrupt_ends_every_pool(tmp_path: Path, kind: str, whole_group: bool) -> None:
    """A terminal's Ctrl-C goes to all processes of the group, a notebook's to the kernel's."""
    path, notes = tmp_path / "main.py", tmp_path / "notes"
    notes.mkdir()
    path.write_text(
        f"{HEAD}\n{SLEEPS}\n"
        'if __name__ == "__main__":\n'
        "    import joblib\n"
        "    before = state()\n"
        "    try:\n"
        f"        omp_magic.sweep(work, items=range(6), workers=[2], kinds={kind!r})\n"
        "    except KeyboardInterrupt:\n"
        "        tell(before=before, after=state())\n"
    )
    with subprocess.Popen(
        [sys.executable, str(path), str(notes)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=dict(CLEAN),
        start_new_session=True,
    ) as process:
        try:
            until_s = time.monotonic() + 60
            while len(list(notes.iterdir())) < 2 and time.monotonic() < until_s:
                time.sleep(0.05)
            sent = os.killpg if whole_group else os.kill
            sent(process.pid, signal.SIGINT)
            out, err = process.communicate(timeout=60)
            until_s = time.monotonic() + 20
            while list(members(process.pid)) and time.monotonic() < until_s:
                time.sleep(0.05)  # the trackers end when they see that nobody is left
            left = list(members(process.pid))
        finally:
            for pid in members(process.pid):
                os.kill(pid, signal.SIGKILL)
    assert process.returncode == 0, err
    assert left == []
    found = json.loads(out.strip().split("\n")[-1])
    assert found["children"] == []
    assert found["before"] == found["after"]


def members(group: int) -> Iterator[int]:
    """Give the processes of a session."""
    for each in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = each.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == group:
            yield int(each.parent.name)


def test_a_fork_that_would_hang_is_left_out_and_one_that_would_not_is_run(
    script: Callable[..., Ended],
) -> None:
    functions = """
from sklearn.cluster import KMeans
import numpy as np

POINTS = np.random.default_rng(0).random((2000, 4))


def work(item):
    KMeans(3, n_init=1, max_iter=5, random_state=item).fit(POINTS)
"""
    main = """
found = omp_magic.sweep(work, [1, 2], items=range(4), workers=[2], kinds="fork", repeats=1)
tell(labels=[[p.workers, p.threads] for p in found.points[1:]], left=found.left_out)
"""
    found = told(script(functions, main, OMP_NUM_THREADS="2"))
    assert found["labels"] == [[2, 1]]
    [[label, why]] = found["left"]
    assert label == "2 workers of 2 threads"
    assert "OMP204" in why
    assert "loky" in why


def test_what_cannot_be_sent_is_told_before_anything_starts() -> None:
    ended = run_python(
        "import omp_magic\n"
        "calls = []\n"
        "def work(item): calls.append(item)\n"
        "try:\n"
        "    omp_magic.sweep(work, items=[1], workers=[2], kinds=['spawn', 'pool-forkserver'])\n"
        "except ValueError as error:\n"
        "    print(len(str(error).splitlines()), len(calls), error)\n"
        "kinds = ['spawn', 'loky']\n"
        "found = omp_magic.sweep(work, items=[1], workers=[2], kinds=kinds, repeats=1)\n"
        "print(found.left_out)\n"
        "try:\n"
        "    omp_magic.sweep(lambda x: x, items=[1], workers=[2], kinds='fork')\n"
        "except ValueError as error:\n"
        "    print(error)\n"
        "by_value = omp_magic.sweep(lambda x: x, items=[1], workers=[2], kinds='loky', repeats=1)\n"
        "print(by_value.points[-1].kind)\n"
    )
    assert ended.code == 0, ended.err
    refused, left, plain, kind = ended.out.strip().splitlines()
    assert refused.startswith("1 0 ")
    assert "spawn cannot send work" in refused
    assert "loky" in refused
    assert left.startswith("(('spawn', 'spawn cannot send work")
    assert "fn cannot be sent" in plain
    assert kind == "loky"


def test_the_variable_of_a_started_fork_server_is_not_kept(script: Callable[..., Ended]) -> None:
    functions = """
def variable(item=None):
    return os.environ.get("OMP_NUM_THREADS")
"""
    main = """
omp_magic.sweep(variable, [1], items=[1, 2], workers=[2], kinds="forkserver", repeats=1)
with multiprocessing.get_context("forkserver").Pool(1) as pool:
    print(json.dumps({"seen": pool.map(variable, [1])}))
"""
    assert told(script(functions, main)) == {"seen": [None]}


def test_a_function_may_make_its_own_pool(script: Callable[..., Ended]) -> None:
    functions = """
from concurrent.futures import ProcessPoolExecutor


def work(item):
    note(openmp=os.environ.get("OMP_NUM_THREADS"))


def run(workers):
    with ProcessPoolExecutor(workers) as pool:
        list(pool.map(work, range(workers)))
"""
    main = """
found = omp_magic.sweep(run, workers=[1, 2], repeats=1, progress=False)
tell(labels=[[p.workers, p.threads] for p in found.points], verdict=found.verdict)
"""
    found = told(script(functions, main))
    assert [workers for workers, _ in found["labels"]] == [1, 2]
    assert "worker" in found["verdict"]
