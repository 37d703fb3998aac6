"""A real cgroup with half a CPU: what is shown is what the kernel gives, and a limit cures it."""

from __future__ import annotations

import os

import pytest
from live import LINUX, Kernel
from quota import V1, set_quota, write
from quota_groups import inside
from reruns import measured, measures

pytestmark = [
    pytest.mark.alone,
    pytest.mark.skipif(not LINUX, reason="cgroups: Linux only"),
]

LOOK = """
import json, time, omp_magic
before = omp_magic.snapshot()
start = time.process_time(), time.perf_counter()
while time.perf_counter() - start[1] < 1.5: pass
rate = (time.process_time() - start[0]) / (time.perf_counter() - start[1])
after = omp_magic.snapshot()
print(json.dumps({
    "quota": before.budget.quota_cpus, "threads": before.budget.threads,
    "where": before.budget.binding.where, "bounds": [b.cpus for b in before.budget.bounds],
    "rate": rate, "load": after.to_dict()["load"],
    "periods": after.throttling[0].throttled_periods - before.throttling[0].throttled_periods,
    "codes": [f.code for f in after.findings], "text": str(after),
}))
"""


@measures
def test_the_budget_and_the_throttling_are_the_kernels(half_a_cpu: str) -> None:
    seen = inside(half_a_cpu, LOOK)
    assert (seen["quota"], seen["threads"]) == (0.5, 1)
    assert seen["where"].endswith("/inner")
    assert seen["bounds"][:2] == [0.5, 1.5]
    assert "0.5 CPUs" in seen["text"]
    # cpuacct is a hierarchy of its own in cgroup v1, and has no such group here.
    used = seen["load"]["group_cpus"]
    assert (used is None) == half_a_cpu.startswith(f"{V1}/")
    with measured():
        # A busy machine gives less than the quota; nothing gives more.
        assert 0.15 < seen["rate"] < 0.62
        assert seen["periods"] >= 8
        assert seen["load"]["throttled_share"] > 0.5
        assert seen["load"]["used_cpus"] == pytest.approx(seen["rate"], abs=0.1)
        assert used is None or used > seen["rate"] - 0.1
        assert seen["load"]["starved_share"] > 0.3
        assert "OMP203" in seen["codes"]
        assert "OMP206" not in seen["codes"]
        assert "throttled" in seen["text"]


PROBE = """
import json, omp_magic
budget = omp_magic.snapshot(measure=True).budget
print(json.dumps({"measured": budget.bounds[-1].cpus, "source": budget.bounds[-1].source}))
"""


@measures
def test_the_probe_measures_what_one_gets(half_a_cpu: str) -> None:
    seen = inside(half_a_cpu, PROBE)
    assert seen["source"] == "measured"
    with measured():
        assert 0.15 < seen["measured"] < 0.6  # the figures of a quiet machine: make bench


CURE = """
import json, time, numpy as np, omp_magic
a = np.ones((600, 600))
def throttled(spec):
    with omp_magic.limit(spec):
        before = omp_magic.snapshot().throttling[0].throttled_us
        start = time.perf_counter()
        while time.perf_counter() - start < 1.5: a @ a
        return (omp_magic.snapshot().throttling[0].throttled_us - before) / 1e6
throttled(1)
print(json.dumps({"many": throttled(4), "auto": throttled("auto"),
                  "threads": omp_magic.snapshot().budget.threads}))
"""


@measures
def test_auto_cures_the_throttling(half_a_cpu: str) -> None:
    seen = inside(half_a_cpu, CURE)
    assert seen["threads"] == 1
    with measured():
        assert seen["auto"] < seen["many"]


def _allow_realtime(*folders: str) -> None:
    """Give groups, the outer first, a share of each second; as much as the kernel can spare."""
    for runtime_us in (500_000, 100_000, 10_000):
        try:
            for folder in folders:
                write(f"{folder}/cpu.rt_runtime_us", str(runtime_us))
        except OSError:  # others have been promised it
            continue
        return


def test_a_realtime_policy_is_said_to_escape_the_quota(half_a_cpu: str) -> None:
    code = (
        "import json, os, omp_magic\n"
        "try:\n"
        "    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))\n"
        "except OSError as error:\n"
        "    print(json.dumps({'refused': str(error)}))\n"
        "else:\n"
        "    print(json.dumps({'notes': omp_magic.snapshot().budget.notes}))"
    )
    if os.path.exists(f"{half_a_cpu}/cpu.rt_runtime_us"):  # v1 with CONFIG_RT_GROUP_SCHED
        _allow_realtime(os.path.dirname(half_a_cpu), half_a_cpu)
    seen = inside(half_a_cpu, code)
    if "refused" in seen:
        pytest.skip(f"real-time scheduling is refused here: {seen['refused']}")
    assert any("SCHED_FIFO: a quota does not hold" in note for note in seen["notes"])


def test_auto_follows_the_budget_at_each_cell(half_a_cpu: str, kernel: Kernel) -> None:
    counts = "[l.num_threads for l in omp_magic.snapshot().libraries]"
    kernel.run("%load_ext omp_magic\nimport numpy, sklearn.cluster, omp_magic, os")
    own = kernel.value(counts)
    cpus = kernel.value("len(os.sched_getaffinity(0))")
    write(f"{half_a_cpu}/cgroup.procs", str(kernel.value("os.getpid()")))
    kernel.run("%omp_limit auto openmp=auto/2")
    assert kernel.value(counts) == [1] * len(own)
    set_quota(half_a_cpu, 1.5)
    kernel.run("1")
    # 1.5 CPUs are two threads, where there are two; half of them is one.
    assert kernel.value(counts) == [*[min(2, cpus)] * (len(own) - 1), 1]
    assert kernel.value("os.environ['OPENBLAS_NUM_THREADS']") == str(min(2, cpus))
    set_quota(half_a_cpu, 0.5)
    kernel.run("1")
    assert kernel.value(counts) == [1] * len(own)
    kernel.run("%omp_limit off")
    assert kernel.value(counts) == own


def test_the_dashboard_finds_throttling_while_the_cell_runs(
    half_a_cpu: str, kernel: Kernel
) -> None:
    kernel.run("%load_ext omp_magic\nimport numpy as np, os, time")
    kernel.run("dash = %omp_dashboard")
    write(f"{half_a_cpu}/cgroup.procs", str(kernel.value("os.getpid()")))
    kernel.run("1")
    reply = kernel.run(
        "a = np.ones((600, 600)); end = time.time() + 20; found = False\n"
        "while time.time() < end and not found:\n"
        "    a @ a\n"
        "    found = 'data-code=\"OMP203\"' in ''.join(\n"
        "        shown.head.value for shown in dash.controls.findings._shown)\n"
        "auto = dash.controls.auto.description; ticks = list(dash._live.history)"
    )
    assert reply.status == "ok", reply.traceback
    assert kernel.value("found") is True
    assert kernel.value("auto") == "auto: 1"
    assert kernel.value("max(tick.throttled or 0 for tick in ticks)") > 0
    assert kernel.value("ticks[-1].allowed_cpus") == 0.5
