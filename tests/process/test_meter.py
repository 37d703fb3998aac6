"""What a stretch cost: real threads, memory, children and a real quota; and what is not known."""

from __future__ import annotations

import _thread
import gc
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from environments import POOLS, environment, values_in
from live import LINUX, run_python

from omp_magic.facts.usage import Usage
from omp_magic.machine import Machine
from omp_magic.machine.python.own import thread_clock
from omp_magic.probes.cost import ownthread, sampler
from omp_magic.probes.cost.meter import Meter
from omp_magic.views.usage import render_usage

# The first test to ask for an environment installs it.
pytestmark = [pytest.mark.alone, pytest.mark.timeout(1800)]
linux = pytest.mark.skipif(not LINUX, reason="reads /proc: Linux only")


def measured(body: Callable[[], object], machine: Machine | None = None) -> Usage:
    meter = Meter(machine or Machine.here())
    meter.start()
    body()
    return meter.stop()


def busy(seconds: float) -> None:
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


def at_once(number: int, work: Callable[[], object]) -> None:
    """Run work in that many threads that are all there at the same time."""
    all_there = threading.Barrier(number)

    def wait_and_work() -> None:
        all_there.wait()
        work()

    threads = [threading.Thread(target=wait_and_work) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def peaks(usage: Usage) -> dict[str, int]:
    assert usage.peak_threads_by_owner is not None, usage.gaps
    return dict(usage.peak_threads_by_owner)


def worked(usage: Usage) -> dict[str, tuple[int, float]]:
    assert usage.worked_by_owner is not None, usage.gaps
    return {name: (number, cpu_s) for name, number, cpu_s in usage.worked_by_owner}


@linux
def test_threads_are_counted_and_whose_they_are() -> None:
    usage = measured(lambda: at_once(5, lambda: time.sleep(0.3)))
    assert usage.threads_before is not None
    assert usage.peak_threads == usage.threads_before + 5
    again = measured(lambda: None)
    assert again.peak_threads == again.threads_before == usage.threads_before
    assert peaks(usage)["Python"] == peaks(again)["Python"] + 5


@linux
def test_who_worked_and_for_how_long() -> None:
    ready, over = threading.Semaphore(0), threading.Event()

    def work() -> None:
        busy(0.3)
        ready.release()
        over.wait()

    def all_of_it() -> None:
        for thread in threads:
            thread.start()
        for _ in threads:
            ready.acquire()

    threads = [threading.Thread(target=work) for _ in range(3)]
    usage = measured(all_of_it)
    over.set()
    for thread in threads:
        thread.join()
    number, cpu_s = worked(usage)["Python"]
    assert number == 3  # the main thread only waited
    assert 0.85 < cpu_s <= usage.cpu_s + 0.01
    assert usage.cpu_s == pytest.approx(0.9, abs=0.15)
    number, cpu_s = worked(measured(lambda: busy(0.2)))["Python"]
    assert number == 1
    assert cpu_s == pytest.approx(0.2, abs=0.02)


@linux
def test_a_sample_after_the_end_is_not_another_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    halt = sampler.Sampler.halt

    def late(self: sampler.Sampler) -> bool:
        busy(0.1)
        return halt(self)

    monkeypatch.setattr(sampler.Sampler, "halt", late)
    number, cpu_s = worked(measured(lambda: busy(0.2)))["Python"]
    assert number == 1
    assert cpu_s == pytest.approx(0.2, abs=0.02)


@linux
def test_our_own_work_is_not_counted() -> None:
    before = time.process_time()
    usage = measured(lambda: None)
    spent = time.process_time() - before
    assert usage.cpu_s < spent / 3
    assert usage.wall_s < spent
    at_rest = measured(lambda: time.sleep(0.5))
    assert at_rest.cpu_s < 0.01
    assert not at_rest.gaps


def test_no_thread_of_ours_is_seen_or_left() -> None:
    before = threading.enumerate()
    meter = Meter(Machine.here())
    meter.start()
    assert threading.enumerate() == before
    assert len(ownthread.own_threads()) == 1
    usage = meter.stop()
    until(lambda: not ownthread.own_threads())
    assert meter.stop() is usage


def test_a_meter_that_is_never_stopped_ends() -> None:
    meter = Meter(Machine.here())
    meter.start()
    del meter
    gc.collect()
    until(lambda: not ownthread.own_threads())


@linux
def test_a_thread_of_ours_that_comes_or_goes_is_never_the_users(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sizes = sampler.Sizes(Machine.here())
    usual, before = sizes.threads(), len(os.listdir("/proc/self/task"))
    assert usual == before
    registers, goes, leaves = threading.Event(), threading.Event(), threading.Event()
    clock, rests = thread_clock, time.sleep

    def held(ident: int) -> int | None:
        registers.wait(60)
        return clock(ident)

    def start() -> None:
        thread.start()
        leaves.wait(60)

    def turn(seconds: float) -> None:
        registers.set()
        rests(seconds)

    monkeypatch.setattr(ownthread, "thread_clock", held)
    thread = ownthread.OwnThread(lambda: None, lambda _: not goes.is_set())
    starter = threading.Thread(target=start)
    starter.start()
    until(lambda: len(os.listdir("/proc/self/task")) == before + 2)
    with monkeypatch.context() as patch:
        patch.setattr(time, "sleep", turn)
        assert sizes.threads() == usual + 1, "the one that starts it is the user's"
        assert registers.is_set(), "it was waited for"
    leaves.set()
    starter.join()
    tids = ownthread.own_threads()
    assert len(tids) == 1
    # The system still has it, says the one that is asked.
    assert thread.halt(60)
    assert ownthread.own_threads() == tids
    goes.set()
    assert ownthread.own_threads() == ()


@linux
def test_a_look_that_a_thread_of_ours_came_into_is_taken_again() -> None:
    looks: list[tuple[int, ...]] = []
    meter = Meter(Machine.here())

    def look(own: tuple[int, ...]) -> int:
        looks.append(own)
        if len(looks) == 1:
            meter.start()
        return len(own)

    until(lambda: not ownthread.own_threads())
    assert ownthread.without_own(look) == 1
    meter.stop()
    assert [len(own) for own in looks] == [0, 1]


@linux
def test_a_meter_within_a_meter_is_not_in_its_figures() -> None:
    inner: list[Usage] = []
    outer = measured(lambda: inner.append(measured(lambda: at_once(2, lambda: time.sleep(0.2)))))
    assert inner[0].threads_before == outer.threads_before
    assert inner[0].peak_threads == outer.peak_threads


@linux
def test_memory_before_at_most_and_after() -> None:
    def grow() -> None:
        more = bytearray(b"x") * 400_000_000
        time.sleep(0.1)
        del more

    usage = measured(grow)
    before, peak, after = usage.rss_before_bytes, usage.peak_rss_bytes, usage.rss_after_bytes
    assert before is not None
    assert peak is not None
    assert after is not None
    assert peak - before > 390_000_000
    assert peak - after > 390_000_000
    # No new record this time: the samples tell, and not the old record.
    small = measured(lambda: time.sleep(0.05)).peak_rss_bytes
    assert small is not None
    assert small < peak - 300_000_000


@linux
def test_children_that_ended_are_counted_apart() -> None:
    code = "import time\nwhile time.process_time() < 0.5: pass"
    usage = measured(lambda: subprocess.run([sys.executable, "-c", code], check=True))
    assert usage.children_cpu_s == pytest.approx(0.5, abs=0.2)
    assert usage.cpu_s < 0.2
    assert " in children · " in render_usage("2", usage)
    assert measured(lambda: None).children_cpu_s == 0.0


@linux
def test_threads_that_come_and_go_fast() -> None:
    def churn() -> None:
        end = time.monotonic() + 1.0
        while time.monotonic() < end:
            at_once(4, lambda: None)

    usage = measured(churn)
    assert usage.threads_before is not None
    assert usage.peak_threads is not None
    assert usage.peak_threads <= usage.threads_before + 4
    assert set(peaks(usage)) <= {"Python", "unknown", *peaks(measured(lambda: None))}
    assert usage.cpu_s > 0.05


@linux
def test_a_fork_in_the_stretch() -> None:
    meter = Meter(Machine.here())
    meter.start()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            try:
                meter.stop()
            except RuntimeError:
                usage = measured(lambda: time.sleep(0.05))
                code = 0 if (usage.threads_before, usage.peak_threads) == (1, 1) else 2
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert meter.stop().gaps == ()


@linux
def test_an_interrupted_stop_can_be_called_again(monkeypatch: pytest.MonkeyPatch) -> None:
    meter = Meter(Machine.here())
    begin = time.perf_counter()
    meter.start()
    halt = sampler.Sampler.halt

    def interrupted(_: sampler.Sampler) -> bool:
        monkeypatch.setattr(sampler.Sampler, "halt", halt)
        signal.raise_signal(signal.SIGINT)
        raise AssertionError("not interrupted")

    monkeypatch.setattr(sampler.Sampler, "halt", interrupted)
    # A run in a shell's background ignores the signal.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            meter.stop()
    finally:
        signal.signal(signal.SIGINT, before)
    interrupted_s = time.perf_counter() - begin
    time.sleep(0.3)
    usage = meter.stop()
    assert usage.wall_s < interrupted_s
    assert usage.gaps == ()
    until(lambda: not ownthread.own_threads())


def test_stop_without_start() -> None:
    with pytest.raises(RuntimeError, match="start has not been called"):
        Meter(Machine.here()).stop()


def test_nothing_can_be_read(tmp_path: Path) -> None:
    usage = measured(lambda: time.sleep(0.03), Machine(tmp_path, affinity=2))
    assert usage.wall_s > 0.03
    assert (usage.threads_before, usage.peak_threads) == (None, None)
    assert (usage.rss_before_bytes, usage.peak_rss_bytes, usage.rss_after_bytes) == (None,) * 3
    assert usage.peak_threads_by_owner is None
    assert usage.worked_by_owner is None
    missing = {gap.what for gap in usage.gaps}
    assert {"thread count", "resident memory", "owners of threads"} <= missing
    assert "not known: resident memory (" in render_usage("2", usage)


@linux
def test_no_file_can_be_opened_for_a_while() -> None:
    code = (
        "import resource, time\n"
        "from omp_magic.machine import Machine\nfrom omp_magic.probes.cost.meter import Meter\n"
        "meter = Meter(Machine.here()); meter.start()\n"
        "limits = resource.getrlimit(resource.RLIMIT_NOFILE)\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (3, limits[1]))\n"
        "time.sleep(0.3)\n"
        "usage = meter.stop()\n"
        "print(usage.wall_s > 0.3, [gap.what for gap in usage.gaps])"
    )
    ended = run_python(code)
    assert ended.out.startswith("True"), ended.err
    assert "resident memory" in ended.out


def test_no_further_thread_can_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(_thread, "start_new_thread", refuse)
    usage = measured(lambda: None)
    assert [gap.what for gap in usage.gaps if "thread" in gap.why] == ["samples"]
    assert usage.peak_threads == usage.threads_before


@linux
def test_a_sampler_that_fails_is_a_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: object) -> None:
        raise ZeroDivisionError("ours")

    def body() -> None:
        with monkeypatch.context() as patch:
            patch.setattr(sampler.Sizes, "rss_bytes", broken)
            time.sleep(0.1)

    usage = measured(body)
    assert [gap.why for gap in usage.gaps] == ["ours"]
    assert usage.rss_after_bytes is not None


POOL = """
import json, os, sys
import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from omp_magic.machine import Machine
from omp_magic.probes.cost.meter import Meter
from omp_magic.probes.observe import Observer
observer = Observer(Machine.here())
a = np.ones((1200, 1200))
def product():
    for _ in range(20): a @ a
x = np.random.default_rng(0).random((20000, 20)); y = x[:, 0] > 0.5
def fit(): HistGradientBoostingClassifier(max_iter=60).fit(x, y)
found = {}
for name, body in (("rest", lambda: None), ("product", product), ("fit", fit)):
    meter = Meter.of(observer); meter.start(); body(); usage = meter.stop()
    found[name] = {"peaks": dict(usage.peak_threads_by_owner), "gaps": len(usage.gaps),
                   "worked": {n: [k, s] for n, k, s in usage.worked_by_owner}}
print(json.dumps(found))
"""


@linux
def test_the_workers_of_libraries_are_told_by_owner() -> None:
    env = {"OPENBLAS_NUM_THREADS": "2", "OMP_NUM_THREADS": "2"}
    found = values_in(environment("pools", POOLS), POOL, **env)
    assert [each["gaps"] for each in found.values()] == [0, 0, 0]
    assert found["rest"]["peaks"]["OpenBLAS (numpy)"] == 1
    assert "GNU libgomp (scikit-learn)" not in found["rest"]["peaks"]
    workers, cpu_s = found["product"]["worked"]["OpenBLAS (numpy)"]
    assert workers == 1
    assert cpu_s > 0.05
    assert found["fit"]["peaks"]["GNU libgomp (scikit-learn)"] == 1
    assert found["fit"]["worked"]["GNU libgomp (scikit-learn)"][0] == 1


@linux
def test_a_library_that_is_loaded_in_the_stretch() -> None:
    code = (
        "import json, threading, time\n"
        "from omp_magic.machine import Machine\nfrom omp_magic.probes.cost.meter import Meter\n"
        "meter = Meter(Machine.here()); meter.start()\n"
        "import numpy; time.sleep(0.5)\n"
        "usage = meter.stop()\n"
        "print(json.dumps([usage.peak_threads_by_owner, [g.why for g in usage.gaps]]))"
    )
    found, gaps = values_in(environment("pools", POOLS), code, OPENBLAS_NUM_THREADS="2")
    assert gaps == []
    assert [count for name, count in found if "openblas" in name] == [1]
    assert dict(map(tuple, found))["Python"] == 1


QUOTA = """
import json, sys, time
from omp_magic.machine import Machine
from omp_magic.probes.cost.meter import Meter
from omp_magic.views.usage import render_usage
group = sys.argv[1]
with open(group + "/cgroup.procs", "w") as file: file.write("0")
def kernels():
    rows = dict(line.split() for line in open(group + "/cpu.stat"))
    ns = int(rows["throttled_time"]) if "throttled_time" in rows else 0
    return int(rows["nr_throttled"]), int(rows.get("throttled_usec", 0)) / 1e6 + ns / 1e9
meter = Meter(Machine.here())
outside = kernels(); meter.start(); inside = kernels()
begin = time.monotonic()
# Other processes may leave the group less than its quota, for as long as they are busy.
while kernels()[0] < inside[0] + 4 and time.monotonic() < begin + 60: pass
inner = kernels(); usage = meter.stop(); outer = kernels()
print(json.dumps([inner[0] - inside[0], [b - a for a, b in zip(inside, inner)],
                  [usage.throttled_periods, usage.throttled_s],
                  [b - a for a, b in zip(outside, outer)], usage.allowed_cpus,
                  render_usage("auto", usage)]))
"""


@linux
def test_throttled_time_is_the_kernels(half_a_cpu: str) -> None:
    ended = run_python(QUOTA, half_a_cpu, timeout=100)
    assert ended.code == 0, ended.err
    periods, at_least, found, at_most, allowed_cpus, line = json.loads(ended.out)
    if periods < 4:
        pytest.skip("other processes leave this group less than its quota")
    assert allowed_cpus == 0.5
    assert at_least[0] <= found[0] <= at_most[0]
    assert at_least[1] - 1e-5 <= found[1] <= at_most[1] + 1e-5
    assert found[1] > 0
    assert f" in {found[0]} periods" in line


def test_checking_imports_no_pandas() -> None:
    code = (
        "import sys\nfrom omp_magic.views.record import check_name, check_target\n"
        "check_name('a'); check_target(None, 'a')\n"
        "try:\n    check_target([], 'a')\nexcept ValueError: pass\n"
        "print('pandas' in sys.modules, 'numpy' in sys.modules)"
    )
    assert run_python(code).out == "False False\n"
