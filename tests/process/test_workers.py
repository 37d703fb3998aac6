"""Child processes looked at from outside, held against what each tells of itself."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from live import CLEAN, LINUX, forget_registration, run_program

from omp_magic.facts.libraries import Gap
from omp_magic.formats.procfs import Segments
from omp_magic.machine import Machine
from omp_magic.machine.linux.system import LinuxSystem
from omp_magic.probes.threads.children import ChildProbe
from omp_magic.probes.threads.workers import WorkerProbe

pytestmark = pytest.mark.skipif(not LINUX, reason="child processes are read on Linux only")

CREW = '''
import json, os, subprocess, sys

KEYS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")

def report(narrow=False):
    """Use NumPy, and tell what is true here: threadpoolctl is asked, and the process itself."""
    variables = {name: os.environ[name] for name in KEYS if name in os.environ}
    if narrow:
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    import numpy as np
    a = np.ones((600, 600)); a @ a
    import threadpoolctl
    pools = {each["filepath"]: each["num_threads"] for each in threadpoolctl.threadpool_info()}
    return {
        "pid": os.getpid(), "parent": os.getppid(), "pools": pools, "variables": variables,
        "affinity": sorted(os.sched_getaffinity(0)), "threads": len(os.listdir("/proc/self/task")),
        "rss": int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE"),
        "cpu_s": sum(os.times()[:2]),
    }

def tell(narrow=False):
    print(json.dumps(report(narrow)), flush=True)

def child(line, **env):
    return subprocess.Popen(
        [sys.executable, "-c", f"import sys, crew; {line}"], text=True, stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, env={**os.environ, **env},
    )

def nest():
    """Be a child that has a child."""
    below = child("crew.tell(); sys.stdin.read()", OPENBLAS_NUM_THREADS="1")
    print(below.stdout.readline(), end="", flush=True)
    tell(narrow=True)
    sys.stdin.read()
    below.communicate()
'''

FAMILY = """
import json, multiprocessing, os, time
from concurrent.futures import ProcessPoolExecutor
import crew

if __name__ == "__main__":
    os.environ["LATE"] = "no variable of ours"
    told, pools = {}, []
    for method in ("fork", "spawn", "forkserver"):
        if method == "spawn":
            os.environ["MKL_NUM_THREADS"] = "3"
        pool = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context(method))
        told[method] = pool.submit(crew.report).result()
        pools.append(pool)
    import joblib
    with joblib.parallel_config("loky", n_jobs=2, inner_max_num_threads=1):
        told["loky"] = joblib.Parallel()(joblib.delayed(crew.report)() for _ in range(2))[0]
    nested = crew.child("crew.nest()", OMP_NUM_THREADS="2")
    told["below"] = json.loads(nested.stdout.readline())
    told["exec"] = json.loads(nested.stdout.readline())
    sleeper = __import__("subprocess").Popen(["sleep", "100"])
    gone = __import__("subprocess").Popen(["true"])
    os.waitid(os.P_PID, gone.pid, os.WEXITED | os.WNOWAIT)

    import omp_magic
    try:
        plain = omp_magic.snapshot()
        first = omp_magic.snapshot(workers=True)
        end = time.monotonic() + 0.3
        while time.monotonic() < end: pass
        facts = omp_magic.snapshot(shown={"workers"})
    finally:
        sleeper.kill(); sleeper.wait(); gone.wait(); nested.communicate()
        for pool in pools: pool.shutdown()
        from joblib.externals.loky import get_reusable_executor
        get_reusable_executor().shutdown(wait=True)
    print(json.dumps([told, plain.to_dict()["workers"], first.to_dict()["workers"],
                      facts.to_dict(), sleeper.pid, gone.pid, str(facts)]))
"""


@pytest.fixture(scope="module")
def family(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("family")
    (folder / "crew.py").write_text(CREW, "utf-8")
    (folder / "family.py").write_text(FAMILY, "utf-8")
    env = {"COLUMNS": "80", "JOBLIB_TEMP_FOLDER": str(folder), "OMP_NUM_THREADS": "2"}
    paths = filter(None, (str(folder), CLEAN.get("PYTHONPATH", "")))
    env["PYTHONPATH"] = os.pathsep.join(paths)
    ended = run_program([sys.executable, str(folder / "family.py")], 180, env)
    assert ended.code == 0, ended.err
    return json.loads(ended.out.strip().rpartition("\n")[2])


@pytest.mark.parametrize("kind", ["fork", "spawn", "forkserver", "loky", "exec", "below"])
def test_each_is_seen_as_it_sees_itself(family: Any, kind: str) -> None:
    told, _, first, facts, *_ = family
    own = told[kind]
    (seen,) = (each for each in facts["workers"]["workers"] if each["pid"] == own["pid"])
    assert seen["origin"] == ("exec" if kind == "below" else kind)
    assert seen["parent"] == own["parent"]
    if kind == "below":
        assert seen["parent"] == told["exec"]["pid"]
    assert {each["path"] for each in seen["runtimes"]} == set(own["pools"])
    # OpenBLAS starts its threads at load: one for each but the one that calls.
    live = {each["path"]: each["num_threads"] for each in seen["runtimes"]}
    assert {path: number + 1 for path, number in live.items()} == own["pools"]
    assert seen["pool_threads"] == max(own["pools"].values())
    assert all(each["package"].startswith("numpy ") for each in seen["runtimes"])
    assert seen["affinity"] == own["affinity"]
    assert seen["affinity_cpus"] == len(own["affinity"])
    assert seen["num_os_threads"] >= own["threads"], "an executor's worker may have one more"
    assert sum(number for _, number in seen["owners"]) == seen["num_os_threads"]
    assert seen["unknown_threads"] == 0
    assert 0.7 < seen["rss_bytes"] / own["rss"] < 1.5
    assert 0 < seen["pss_bytes"] <= seen["rss_bytes"]
    assert seen["cgroup"] is None
    variables = dict(seen["variables"])
    known = {name: value for name, value in variables.items() if name in own["variables"]}
    if kind == "fork":
        assert variables == {"OMP_NUM_THREADS": "2"}
    assert known == own["variables"], "nothing of ours was set after the start"
    assert seen["use"]["since"] == "last look"
    assert seen["use"]["over_s"] > 0.25
    (before,) = (each for each in first["workers"] if each["pid"] == own["pid"])
    used_s = before["use"]["cpus"] * before["use"]["over_s"]
    assert before["use"]["since"] == "start"
    # Its idle pool threads spin on for a while after it has told.
    assert 0.8 * own["cpu_s"] - 0.03 < used_s < own["cpu_s"] + 1


def test_the_family_as_a_whole(family: Any) -> None:
    told, plain, _, facts, sleeper, gone, text = family
    found = facts["workers"]
    assert plain is None
    kinds = sorted(each["kind"] for each in found["helpers"])
    assert kinds == ["fork server", "loky's tracker", "resource tracker"]
    assert found["ended"] == [gone]
    (idle,) = (each for each in found["workers"] if each["pid"] == sleeper)
    assert (idle["command"], idle["runtimes"], idle["pool_threads"]) == ("sleep 100", [], 1)
    assert idle["owners"] == [["sleep", 1]]
    assert found["sums"]["pss_bytes"] == found["own_pss_bytes"] + sum(
        each["pss_bytes"] for each in (*found["workers"], *found["helpers"])
    )
    differing = {(each["kind"], each["name"]) for each in found["differences"]}
    assert {("start", ""), ("variable", "MKL_NUM_THREADS"), ("CPUs", "")} <= differing
    narrow = next(each for each in found["differences"] if each["kind"] == "CPUs")
    assert narrow["groups"][-1]["pids"] == [told["exec"]["pid"]]
    assert facts["gaps"] == []
    crowded = [each for each in facts["findings"] if each["code"] == "OMP202"]
    sizes = [each["pool_threads"] for each in found["workers"] if each["runtimes"]]
    assert bool(crowded) == (max(sizes) > 1 and sum(sizes) > facts["budget"]["threads"])
    if crowded:
        assert f"= {sum(sizes)} threads, for " in crowded[0]["evidence"][0]
    assert "LATE" not in text + json.dumps(facts["workers"])


class Interrupting(Machine):
    """A machine on which something happens just before a file is read."""

    def __init__(self, file: str, then: Callable[[], object]) -> None:
        super().__init__(system=LinuxSystem)
        self._file = file
        self._then = then
        self._done: list[bool] = []

    def read(self, name: str) -> str:
        if name == self._file and not self._done:
            self._done.append(True)
            self._then()
        return super().read(name)


@pytest.fixture
def pair() -> Iterator[tuple[subprocess.Popen[bytes], subprocess.Popen[bytes]]]:
    """Two children that wait."""
    command = [sys.executable, "-c", "input()"]
    both = [subprocess.Popen(command, stdin=subprocess.PIPE) for _ in range(2)]
    yield both[0], both[1]
    for each in both:
        each.kill()
        each.communicate()


@pytest.mark.parametrize("file", ["cmdline", "statm", "smaps_rollup", "maps", "environ", "cgroup"])
@pytest.mark.parametrize("waited_for", [False, True])
def test_a_child_that_is_killed_in_between_is_a_gap(
    file: str,
    waited_for: bool,
    pair: tuple[subprocess.Popen[bytes], subprocess.Popen[bytes]],
) -> None:
    dying, living = pair

    def kill() -> None:
        dying.kill()
        os.waitid(os.P_PID, dying.pid, os.WEXITED | (0 if waited_for else os.WNOWAIT))

    machine = Interrupting(f"/proc/{dying.pid}/{file}", kill)
    gaps: list[Gap] = []
    probe = WorkerProbe(machine, ChildProbe(machine, None))
    found = probe.look(Segments(""), gaps, dict.fromkeys)
    assert living.pid in [each.pid for each in found.workers]
    assert dying.pid not in [each.pid for each in found.workers]
    assert Gap(what=f"process {dying.pid}", why="it ended while it was looked at") in gaps
    assert not [gap for gap in gaps if str(living.pid) in gap.what]


class Closed(Machine):
    """A machine that may not read another process's memory, as under Yama's ptrace_scope 2."""

    def memory(self, process: int | None = None) -> Any:
        raise PermissionError(1, "Operation not permitted", f"/proc/{process or 'self'}/mem")


TEAM = """
import ctypes, sys
lib = ctypes.CDLL(sys.argv[1])
lib.GOMP_parallel(ctypes.cast(ctypes.CDLL(None).free, ctypes.c_void_p), None, 3, 0)
print("up", flush=True); input()
"""


def test_memory_that_is_closed_hides_the_owners_of_threads_alone(libiomp5: str) -> None:
    command = [sys.executable, "-c", TEAM, libiomp5]
    held = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert held.stdout is not None
        held.stdout.readline()
        machine, gaps = Closed(), list[Gap]()
        probe = WorkerProbe(machine, ChildProbe(machine, None))
        found = probe.look(Segments(""), gaps, dict.fromkeys)
        (one,) = (each for each in found.workers if each.pid == held.pid)
        assert [each.path for each in one.runtimes or ()] == [libiomp5]
        assert [each.num_threads for each in one.runtimes or ()] == [None]
        assert (one.pool_threads, one.owners, one.num_os_threads) == (None, None, 3)
        assert one.variables is not None
        assert one.pss_bytes
        assert gaps == [Gap(what=f"pools of process {held.pid}", why="Operation not permitted")]
    finally:
        held.kill()
        held.communicate()
        forget_registration(held.pid)


OTHER = """
import ctypes, json, os, subprocess, sys
import omp_magic
warm = subprocess.Popen(["sleep", "100"])
str(omp_magic.snapshot(workers=True))  # all is imported: the next user may not read our files
with omp_magic.watch() as seen: pass
warm.kill(); warm.wait()
if sys.argv[1]:
    subprocess.run(["mount", "-t", "proc", "-o", "hidepid=" + sys.argv[1], "proc", "/proc"],
                   check=True)
reading, writing = os.pipe()
theirs = os.fork()
if not theirs:
    os.close(writing); os.setuid(1); os.read(reading, 1); os._exit(0)
os.setgroups([]); os.setgid(65534); os.setuid(65534)
PR_SET_DUMPABLE = 4
ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)  # setuid(2) took it: /proc/self is root's then
facts = omp_magic.snapshot(workers=True)
with omp_magic.watch() as seen: pass
print(json.dumps([str(seen), theirs, facts.to_dict()["workers"],
                  [[g.what, g.why] for g in facts.gaps], str(facts)]))
"""


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root")
@pytest.mark.parametrize("hidden", ["", "1", "2"])
def test_a_child_of_another_user(hidden: str) -> None:
    command = [sys.executable, "-c", OTHER, hidden]
    if hidden:
        command = ["unshare", "--mount", *command]
    ended = run_program(command, 120, {"COLUMNS": "200"})
    if hidden and ended.code and re.search("unshare: |mount: ", ended.err):
        pytest.skip("/proc cannot be mounted anew here")
    assert ended.code == 0, ended.err
    seen, pid, found, gaps, text = json.loads(ended.out.strip().rpartition("\n")[2])
    if hidden:
        assert found["workers"] == []
        assert (found["unread"], found["sums"]["rss_bytes"]) == (1, None)
        assert "Child processes are not known" in text
        why = {"1": "may not be read: ", "2": "belongs to another user, and /proc hides it"}[hidden]
        assert any(what == "child processes" and f"process {pid} {why}" in w for what, w in gaps)
        assert f"not known: child processes (process {pid} {why}" in seen
        return
    (one,) = found["workers"]
    assert one["pid"] == pid
    assert (one["runtimes"], one["variables"], one["pss_bytes"]) == (None, None, None)
    assert one["rss_bytes"] > 0
    assert one["affinity"] is not None
    assert one["use"]["cpus"] >= 0
    missing = {what for what, why in gaps if what.endswith(f" of process {pid}")}
    assert missing == {f"{each} of process {pid}" for each in ("runtimes", "variables", "memory")}
    assert "1 worker with pools of unknown size" in text
    assert f"not known: memory of process {pid}: " in text
