"""Threads and whose they are, and the CPUs that the process may use."""

from __future__ import annotations

import pytest

from wine import windows

THREADS = """
import ctypes, json, threading, time
import inside, omp_magic, psutil
import numpy
a = numpy.ones((300, 300))
a @ a
assert inside.parallel(ctypes.CDLL(inside.INTEL), 3) == 3
waiting, named = threading.Event(), threading.Thread(target=lambda: waiting.wait(), name="mine")
named.start()
facts = omp_magic.snapshot(threads=True)
process = psutil.Process()
peers = {each.id: each.user_time + each.system_time for each in process.threads()}
pools = {each.called.owner: each.workers for each in facts.libraries}
print(json.dumps([facts.to_dict()["threads"], process.num_threads(), list(peers), pools,
                  [named.native_id, threading.main_thread().native_id]]))
waiting.set()
named.join()
"""


def test_each_thread_is_listed_with_its_owner() -> None:
    threads, number, peers, workers, (mine, main) = windows.value(THREADS)
    listed = {each["tid"]: each for each in threads["list"]}
    assert threads["count"] == number == len(listed)
    assert set(listed) == set(peers)
    # Their numbers belong to the pool: the thread that calls is none of them.
    assert workers == {"numpy": 1, "intel-openmp": 2}
    owners = [each["owner"] for each in listed.values()]
    assert owners.count("OpenBLAS (numpy)") == 1
    assert owners.count("Intel libiomp5 (intel-openmp)") >= 2
    assert listed[mine]["python_name"] == "mine"
    assert listed[main]["python_name"] == "MainThread"
    assert listed[main]["cpu_s"] > 0
    # Python's own have no library's name, though ucrtbase has started them.
    assert listed[mine]["owner_path"] is None
    assert listed[main]["owner_path"] is None
    by_file = {
        each["path"].rpartition("/")[2].lower(): each for each in _slashed(threads["owners"])
    }
    assert by_file["libiomp5md.dll"]["package"] == "intel-openmp"
    assert not any("ucrtbase" in name or "python" in name for name in by_file), by_file


def test_a_thread_that_has_ended_is_listed_no_more() -> None:
    before, within, after = windows.value("""
        import json, threading, omp_magic
        def tids():
            return sorted(each.tid for each in omp_magic.snapshot(threads=True).os_threads)
        event = threading.Event()
        thread = threading.Thread(target=event.wait)
        before = tids()
        thread.start()
        within = tids()
        event.set(); thread.join()
        while len(tids()) > len(before):
            pass
        print(json.dumps([before, within, tids()]))
    """)
    assert len(within) == len(before) + 1
    assert after == before


AFFINITY = """
import ctypes, json, os, omp_magic
kernel = ctypes.CDLL("kernel32")
process = ctypes.c_void_p(-1)
def mask():
    own, machine = ctypes.c_size_t(), ctypes.c_size_t()
    assert kernel.GetProcessAffinityMask(process, ctypes.byref(own), ctypes.byref(machine))
    return own.value, machine.value
def budget():
    budget = omp_magic.snapshot().budget
    return [budget.threads, budget.affinity_cpus, budget.machine_cpus, budget.binding.source]
"""


def test_the_budget_follows_the_affinity_mask() -> None:
    masks, before, after, given_back = windows.value(
        AFFINITY
        + """
first = mask()
before = budget()
lowest = first[0] & -first[0]
assert kernel.SetProcessAffinityMask(process, ctypes.c_size_t(lowest))
assert mask()[0] == lowest
after = budget()
assert kernel.SetProcessAffinityMask(process, ctypes.c_size_t(first[0]))
print(json.dumps([first, before, after, budget()]))
"""
    )
    own, machine = (each.bit_count() for each in masks)
    assert before[:3] == [own, own, machine]
    assert after == [1, 1, machine, "affinity"]
    assert given_back == before


def test_the_budget_follows_a_jobs_affinity() -> None:
    """Windows' containers are jobs; JOB_OBJECT_LIMIT_AFFINITY is 0x10 (winnt.h)."""
    before, after, bounds, kept = windows.value(
        AFFINITY
        + """
class Limits(ctypes.Structure):
    # JOBOBJECT_BASIC_LIMIT_INFORMATION
    _fields_ = [("process_time", ctypes.c_int64), ("job_time", ctypes.c_int64),
                ("flags", ctypes.c_uint32), ("least", ctypes.c_size_t), ("most", ctypes.c_size_t),
                ("processes", ctypes.c_uint32), ("affinity", ctypes.c_size_t),
                ("priority", ctypes.c_uint32), ("scheduling", ctypes.c_uint32)]
before = budget()
kernel.CreateJobObjectW.restype = ctypes.c_void_p
job = ctypes.c_void_p(kernel.CreateJobObjectW(None, None))
limits = Limits(flags=0x10, affinity=mask()[0] & -mask()[0])
assert kernel.SetInformationJobObject(job, 2, ctypes.byref(limits), ctypes.sizeof(limits))
assert kernel.AssignProcessToJobObject(job, process)
kept = Limits()
kernel.QueryInformationJobObject(job, 2, ctypes.byref(kept), ctypes.sizeof(kept), None)
facts = omp_magic.snapshot().budget
bounds = [[each.source, each.cpus, each.lowers] for each in facts.bounds]
print(json.dumps([before, budget(), bounds, kept.flags]))
"""
    )
    assert before[0] > 1, "this machine has one CPU: nothing can be seen here"
    if not kept:
        pytest.skip("Wine's job objects keep no affinity: SetInformationJobObject is for nothing")
    assert after[0] == 1
    assert any(cpus == 1 and lowers for _, cpus, lowers in bounds), bounds


def test_what_the_system_counts_in_cpu_time_is_counted_by_owner() -> None:
    """A cell's cost: the threads' clocks are GetThreadTimes."""
    times = windows.value("""
        import json, time, omp_magic
        def used():
            facts = omp_magic.snapshot(threads=True)
            return sum(each.cpu_s for each in facts.os_threads)
        before, began = used(), time.process_time()
        while time.process_time() - began < 0.5:
            sum(range(10000))
        print(json.dumps(used() - before))
    """)
    assert times >= 0.4


def _slashed(owners: list[dict[str, object]]) -> list[dict[str, str]]:
    return [
        {"path": str(each["path"]).replace("\\", "/"), "package": str(each["package"])}
        for each in owners
    ]
