"""Ticks of a process that works: who is busy, who waits, what came and what went."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from environments import values_in
from fakesystem import Recorded
from live import LINUX
from quota import V1
from quota_groups import inside
from reruns import measured, measures

from omp_magic.facts.libraries import Gap
from omp_magic.machine import Machine
from omp_magic.machine.gilheld import GilHeld
from omp_magic.machine.port.rows import CHILDREN, THREAD_OWNERS
from omp_magic.probes.live.family import Family
from omp_magic.probes.live.pace import Pace
from omp_magic.probes.live.pulse import Pulse

pytestmark = pytest.mark.alone
linux = pytest.mark.skipif(not LINUX, reason="threads tell on Linux only")

TICKER = """
import dataclasses, hashlib, json, os, subprocess, sys, threading, time
from omp_magic.machine import Machine
from omp_magic.probes.live import pace, pulse as pulses
from omp_magic.probes.live.pulse import Pulse
pace.WAITS = pulses.SHORTEST_S = 0  # ticks follow each other faster here than once a second

def ticked(function):
    '''Tick from a thread of its own, as the dashboard does, before and after a function.'''
    found = []
    def look():
        pulse.tick()
        begun.set()
        ended.wait()
        found.append(pulse.tick())
    begun, ended = threading.Event(), threading.Event()
    thread = threading.Thread(target=look)
    thread.start()
    begun.wait()
    try:
        function()
    finally:
        ended.set()
        thread.join()
    return found[0]

def told(tick):
    row = dataclasses.asdict(tick)
    row["owners"] = {os.path.basename(o["path"]): o for o in row["owners"] or ()}
    return row

def until(seconds, work):
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        work()

def at_work(cpu_seconds, work):
    "Work until this thread has used so much CPU time, however busy the machine is."
    end = time.thread_time() + cpu_seconds
    while time.thread_time() < end:
        work()

def others_rest():
    "Wait until no other thread has used CPU time for a while."
    def used():
        return {tid: open(f"/proc/self/task/{tid}/schedstat").read().split()[0]
                for tid in os.listdir("/proc/self/task") if int(tid) != threading.get_native_id()}
    end, before = time.monotonic() + 60, None
    while before != (before := used()) and time.monotonic() < end:
        time.sleep(0.2)

pulse = Pulse(Machine.here())
"""


def in_child(code: str, **env: str) -> Any:
    return values_in(sys.executable, TICKER + code, **env)


def owner(tick: dict[str, Any], start: str) -> dict[str, Any]:
    found = [row for name, row in tick["owners"].items() if name.startswith(start)]
    assert len(found) == 1, tick["owners"]
    return dict(found[0])


@linux
@measures
def test_busy_threads_are_counted_by_owner() -> None:
    # numpy is loaded after the reader was made, and no symbol may be looked up since.
    seen = in_child(
        """
from omp_magic.machine.linux.native import LinuxNative
asked = []
for name in ("global_symbol", "symbols", "loader_changes", "dependency_symbol", "load_order"):
    setattr(LinuxNative, name, lambda *_, name=name: asked.append(name))
sys.addaudithook(lambda name, _: asked.append(name) if name.startswith("ctypes.dl") else None)
import numpy as np
asked.clear()
a = np.ones((1000, 1000))
work = ticked(lambda: at_work(0.5, lambda: a @ a))
others_rest()  # an idle thread of OpenBLAS spins for a while
rest = ticked(lambda: time.sleep(1))
print(json.dumps([told(work), told(rest), asked]))
""",
        OPENBLAS_NUM_THREADS="2",
    )
    work, rest, asked = seen
    blas, python = owner(work, "libscipy_openblas"), owner(work, "Python")
    idle = owner(rest, "libscipy_openblas")
    assert (blas["alive"], python["alive"], idle["alive"]) == (1, 1, 1)
    assert work["num_threads"] == 2
    assert work["rss_bytes"] > 10_000_000
    assert work["gaps"] == rest["gaps"] == []
    assert rest["number"] == work["number"] + 2
    assert asked == []
    took_s = work["interval_s"]
    with measured():
        assert (blas["busy"], python["busy"], idle["busy"]) == (1, 1, 0)
        # CPU seconds, which do not depend on what else runs: this thread has used half a one.
        assert python["cpus"] * took_s > 0.4
        assert blas["cpus"] * took_s > 0.1
        assert work["cpus"] == pytest.approx(blas["cpus"] + python["cpus"], abs=0.15)
        assert work["group_cpus"] is None or work["group_cpus"] * took_s > 0.4
        assert idle["cpus"] < 0.1


@linux
@measures
def test_a_thread_that_waits_for_a_cpu_is_busy() -> None:
    # 16 threads on one CPU: each runs for 6 % of the time, and all want it.
    tick = in_child("""
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
block, stop = bytes(1 << 20), threading.Event()
def work():
    while not stop.is_set():
        hashlib.sha256(block).digest()
for _ in range(16):
    threading.Thread(target=work).start()
tick = ticked(lambda: time.sleep(2))
stop.set()
print(json.dumps(told(tick)))
""")
    python = owner(tick, "Python")
    assert python["alive"] == 17
    assert tick["allowed_cpus"] <= 1.0
    with measured():
        assert python["busy"] == 16
        assert tick["cpus"] < 1.2
        assert tick["waiting"] > 0.7


@linux
@measures
def test_our_own_threads_are_left_out() -> None:
    seen = in_child("""
def look():
    first = pulse.tick()
    at_work(0.7, lambda: hashlib.sha256(bytes(1 << 16)).digest())
    found.append((first, pulse.tick()))
found = []
for _ in range(2):  # another thread of ours: what the first used stays out
    thread = threading.Thread(target=look)
    thread.start()
    tid = thread.native_id
    thread.join()
    while os.path.exists(f"/proc/self/task/{tid}"):  # join does not wait for the kernel
        time.sleep(0.001)
(_, first), (between, second) = found
print(json.dumps([told(first), told(between), told(second)]))
""")
    for tick in seen:
        assert tick["num_threads"] == 1
        assert owner(tick, "Python")["alive"] == 1
        assert tick["cpus"] is not None
    with measured():
        assert seen[0]["cpus"] * seen[0]["interval_s"] < 0.3
        assert seen[2]["cpus"] * seen[2]["interval_s"] < 0.3


@linux
def test_what_is_loaded_is_noticed_once() -> None:
    seen = in_child("""
import mmap
pulse.tick()
changes = [pulse.tick().maps_changed]
anonymous = mmap.mmap(-1, 1 << 24)
data = mmap.mmap(os.open(sys.executable, os.O_RDONLY), 0, prot=mmap.PROT_READ)
changes.append(pulse.tick().maps_changed)
before = set(sys.modules)
import _decimal, _lzma
libraries = [m for m in (_decimal, _lzma) if getattr(m, "__file__", "").endswith(".so")]
changes.append(pulse.tick().maps_changed)
changes.append(pulse.tick().maps_changed)
print(json.dumps([len(libraries), changes]))
""")
    libraries, changes = seen
    if not libraries:
        pytest.skip("this Python has its modules built in")
    assert changes == [False, False, True, False]


@linux
@measures
def test_children_come_and_go() -> None:
    seen = in_child("""
def start(code, *more):
    command = [sys.executable, "-c", code, *more]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
alone = pulse.tick()
busy = start(
    "import time\\nprint(1, flush=True)\\ninput()\\nend = time.process_time() + 0.3\\n"
    "while time.process_time() < end: pass\\nprint(2, flush=True)\\nwhile True: pass",
    "x" * 10_000,
)
parent = start(
    "import subprocess, sys\\n"
    "child = subprocess.Popen([sys.executable, '-c', 'input()', b'\\\\xff'], stdin=-1)\\n"
    "print(child.pid, flush=True)\\ninput()"
)
busy.stdout.readline()
grandchild = int(parent.stdout.readline())
first = pulse.tick()
busy.stdin.write(b"\\n")
busy.stdin.flush()
busy.stdout.readline()  # it has used 0.3 s of CPU time
second = pulse.tick()
os.kill(grandchild, 9)
for child in (busy, parent):
    child.kill()
    child.wait()
last = pulse.tick()
pids = [busy.pid, parent.pid, grandchild]
print(json.dumps([pids, told(alone), told(first), told(second), told(last)]))
""")
    pids, alone, first, second, last = seen
    assert alone["children"] == last["children"] == []
    by_pid = {child["pid"]: child for child in second["children"]}
    assert [child["pid"] for child in first["children"]] == sorted(pids) == sorted(by_pid)
    assert all(child["cpus"] is None for child in first["children"])
    busy, parent, grandchild = (by_pid[pid] for pid in pids)
    with measured():
        assert busy["cpus"] * second["interval_s"] > 0.2
        assert parent["cpus"] * second["interval_s"] < 0.1
    assert busy["num_os_threads"] == grandchild["num_os_threads"] == 1
    assert len(busy["command"]) == 160
    assert grandchild["command"].endswith("input() \ufffd")


@linux
def test_a_child_that_starts_another_program_has_another_name() -> None:
    seen = in_child("""
read, write = os.pipe()
child = os.fork()
if not child:
    os.read(read, 1)
    os.execvp("sleep", ["sleep", "50"])
first = pulse.tick()
os.write(write, b"x")
end = time.perf_counter() + 20
while time.perf_counter() < end:
    second = pulse.tick()
    if second.children[0].command == "sleep 50":
        break
os.kill(child, 9)
os.waitpid(child, 0)
print(json.dumps([told(first), told(second)]))
""")
    first, second = seen
    assert first["children"][0]["pid"] == second["children"][0]["pid"]
    assert sys.executable in first["children"][0]["command"]
    assert second["children"][0]["command"] == "sleep 50"


@linux
def test_of_many_children_fifty_are_looked_at() -> None:
    tick = in_child("""
children = [subprocess.Popen(["sleep", "60"]) for _ in range(53)]
tick = pulse.tick()
for child in children:
    child.kill()
    child.wait()
print(json.dumps(told(tick)))
""")
    assert len(tick["children"]) == 50
    assert [gap["why"] for gap in tick["gaps"]] == ["only the first 50 of 53 are looked at"]


def _lay_out(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")


def _stat(pid: int, parent: int, threads: int = 1) -> str:
    return f"{pid} (a ) b) S {parent} 1 1 0 -1 0 0 0 0 0 100 50 0 0 20 0 {threads} 0 77 0 0\n"


@pytest.mark.parametrize("lists", [True, False])
def test_descendants_are_found_by_both_ways(tmp_path: Path, *, lists: bool) -> None:
    tree = {10: 1, 20: 10, 21: 10, 30: 20, 40: 1}
    files = {f"proc/{pid}/stat": _stat(pid, parent) for pid, parent in tree.items()}
    files["proc/self/task/10/stat"] = _stat(10, 1)
    if lists:
        files["proc/self/task/10/children"] = "20 "
        files["proc/self/task/11/children"] = "21 "
        files["proc/20/task/20/children"] = "30 "
        files["proc/21/task/21/children"] = "22 "  # it ended
    files["proc/20/cmdline"] = "python\0-c\0work"
    _lay_out(tmp_path, files)
    machine = Machine(tmp_path, environ={}, pid=10)
    gaps: list[Gap] = []
    found = Family(machine, machine).look(1.0, gaps)
    assert [(child.pid, child.command) for child in found] == [
        (20, "python -c work"),
        (21, "a ) b"),
        (30, "a ) b"),
    ]
    assert not gaps


def test_a_process_that_got_another_parent_is_asked_again(tmp_path: Path) -> None:
    files = {f"proc/{pid}/stat": _stat(pid, parent) for pid, parent in {5: 1, 6: 5, 1: 0}.items()}
    files["proc/self/task/9/stat"] = _stat(9, 1)
    _lay_out(tmp_path, files)
    machine = Machine(tmp_path, environ={}, pid=9)
    family = Family(machine, machine)
    assert family.look(1.0, []) == ()
    # The parent of 6 ends, and this process is the one that adopts it.
    (tmp_path / "proc/5/stat").unlink()
    (tmp_path / "proc/5").rmdir()
    _lay_out(tmp_path, {"proc/6/stat": _stat(6, 9)})
    assert [child.pid for child in family.look(1000.0, [])] == [6]


@linux
@measures
def test_half_a_cpu_is_throttled(half_a_cpu: str) -> None:
    tick = inside(
        half_a_cpu,
        TICKER + "print(json.dumps(told(ticked(lambda: until(1.5, lambda: None)))))",
    )
    assert tick["allowed_cpus"] == 0.5
    used = tick["group_cpus"]  # see kernel/test_cgroup.py
    assert (used is None) == half_a_cpu.startswith(f"{V1}/")
    with measured():
        # A busy machine gives less than the quota, and then fewer periods are cut short.
        assert tick["throttled"] > 0
        assert tick["waiting"] > 0.1
        assert 0.1 < tick["cpus"] < 0.62
        assert used is None or used > tick["cpus"] - 0.1
        assert owner(tick, "Python")["busy"] == 1


def test_nothing_can_be_read(tmp_path: Path) -> None:
    pulse = Pulse(Machine(tmp_path, environ={}, pid=10))
    tick = pulse.tick()
    assert (tick.number, pulse.tick().number) == (1, 2)
    rates = tick.cpus, tick.group_cpus, tick.throttled, tick.waiting
    assert {*rates, tick.num_threads, tick.rss_bytes, tick.owners} == {None}
    assert (tick.children, tick.maps_changed) == ((), False)
    assert tick.allowed_cpus >= 1
    missing = {gap.what for gap in tick.gaps}
    assert {"owners of threads", "child processes", "resident memory"} <= missing


@linux
def test_a_clock_that_goes_back_gives_no_rates() -> None:
    times = iter([100.0, 90.0, 90.0, 91.0, 91.0])
    pulse = Pulse(Machine(clock=lambda: next(times)))
    back, after = pulse.tick(), pulse.tick()
    assert back.interval_s == 0.0
    assert back.cpus is back.group_cpus is back.waiting is back.throttled is None
    assert back.owners is not None
    assert {owner.cpus for owner in back.owners} == {0.0}
    assert "rates" in {gap.what for gap in back.gaps}
    assert after.interval_s == 1.0
    assert after.cpus is not None
    assert "rates" not in {gap.what for gap in after.gaps}


@linux
def test_a_second_look_at_once_gives_the_figures_again() -> None:
    now = [100.0]
    pulse = Pulse(Machine(clock=lambda: now[0]))
    early = pulse.tick()
    assert (early.interval_s, early.cpus) == (0.0, None)
    assert [gap.what for gap in early.gaps] == ["rates"]
    now[0] = 101.0
    first, again = pulse.tick(), pulse.tick()
    assert first.cpus is not None
    assert (first.number, again.number, again.at_s) == (2, 3, first.at_s)
    assert (again.cpus, again.owners, again.interval_s) == (first.cpus, first.owners, 1.0)


def test_a_system_without_proc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("omp_magic.probes.live.pulse.SHORTEST_S", 0)
    recorded = Recorded("unmasked")
    recorded.reasons[THREAD_OWNERS] = "threads do not tell"
    recorded.reasons[CHILDREN] = "nobody may look"
    pulse = Pulse(recorded.machine())
    tick = pulse.tick()
    assert tick.cpus is not None
    assert tick.rss_bytes == recorded.rss_bytes()
    assert tick.num_threads == recorded.num_threads()
    assert tick.owners is None
    assert {(gap.what, gap.why) for gap in tick.gaps} >= {
        (THREAD_OWNERS, "threads do not tell"),
        (CHILDREN, "nobody may look"),
    }


@linux
def test_a_forked_child_is_told_so() -> None:
    code, ours = in_child("""
pulse._lock.acquire()  # as the dashboard's thread may just then
child = os.fork()
if not child:
    tick = pulse.tick()
    good = tick.cpus is None and "forked" in tick.gaps[0].why
    os._exit(0 if good else 1)
pulse._lock.release()
_, status = os.waitpid(child, 0)
print(json.dumps([os.waitstatus_to_exitcode(status), told(pulse.tick())]))
""")
    assert code == 0
    assert ours["gaps"] == []


def test_a_fault_of_ours_is_a_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("omp_magic.probes.live.pulse.SHORTEST_S", 0)
    pulse = Pulse(Machine())
    for name in ("_sampled", "_look_at_map"):
        monkeypatch.setattr(pulse, name, lambda *_: 1 / 0)
        tick = pulse.tick()
        assert any("ZeroDivisionError" in gap.why for gap in tick.gaps)
        monkeypatch.delattr(pulse, name)
    assert pulse.tick().number == 3


@linux
def test_reads_that_keep_the_gil_give_the_same() -> None:
    machine = Machine()
    held = GilHeld(machine)
    for name in ("/proc/self/mountinfo", "/proc/cpuinfo", "/proc/self/environ", __file__):
        assert held.read(name) == machine.read(name)
    folder = str(Path(sys.prefix, "lib"))
    for name in (folder, "/proc/self/task", os.path.dirname(os.__file__)):
        assert held.entries(name) == machine.entries(name)
    data = b"x" * 100
    address = id(data)
    with held.memory() as memory, machine.memory() as plain:
        assert memory(address, 120) == plain(address, 120)
        with pytest.raises(OSError, match="proc/self/mem"):
            memory(8, 4)
    for name in ("/proc/none", "/proc/self/task/none"):
        with pytest.raises(FileNotFoundError, match="none"):
            held.read(name)
        with pytest.raises(FileNotFoundError):
            held.entries(name)
    with pytest.raises(NotADirectoryError):
        held.entries("/proc/self/stat")


@linux
def test_no_other_thread_runs_while_files_are_read() -> None:
    if not getattr(sys, "_is_gil_enabled", lambda: True)():
        pytest.skip("this Python has no GIL")
    # Between two byte codes others run after the switch interval; it is long here.
    plain, held = in_child("""
from omp_magic.machine.gilheld import GilHeld
steps, found = 0, []
def look(machine, times):
    before = steps
    for _ in range(times):
        machine.entries("/proc/self/task")
        machine.read("/proc/self/maps")
    return steps - before
def all_looks():
    plain, held = Machine.here(), GilHeld(Machine.here())
    times, moved, end = 0, 0, time.perf_counter() + 60
    sys.setswitchinterval(0.05)
    while not moved and time.perf_counter() < end:
        moved, times = look(plain, 10), times + 10
    sys.setswitchinterval(3)
    time.sleep(0.01)  # from here on the loop waits for as long before it asks for the GIL
    found.extend([moved, look(held, min(times, 1000))])
    sys.setswitchinterval(0.005)
thread = threading.Thread(target=all_looks)
thread.start()
while len(found) < 2:
    steps += 1
thread.join()
print(json.dumps(found))
""")
    assert plain > 0
    assert held == 0


def test_a_dear_reading_is_not_repeated_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    used = iter([0.0, 0.01, 0.01, 0.01, 0.01])
    monkeypatch.setattr("omp_magic.probes.live.pace.time.thread_time", lambda: next(used))
    pace = Pace()
    assert pace.may(100.0)
    pace.done(100.0)
    assert not pace.may(104.9)
    assert pace.may(105.1)
    pace.done(105.1)
    assert pace.may(105.2)


@linux
def test_two_callers_at_once_get_a_number_each() -> None:
    pulse = Pulse(Machine())
    numbers: list[int] = []
    threads = [
        threading.Thread(target=lambda: numbers.extend(pulse.tick().number for _ in range(50)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(numbers) == list(range(1, 201))
