"""The CPUs a process may use, on recorded machines and in a real cgroup."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from live import CLEAN

from omp_magic import cgroupfiles, cgroups
from omp_magic.errors import ParseError
from omp_magic.machine import Machine
from omp_magic.probes.budget import probe_budget, probe_throttling
from omp_magic.procfs import parse_schedstat

# Captured from kernels in QEMU guests, runc containers, and the test data of other projects;
# each case names its source.
CASES: list[dict[str, Any]] = json.loads(
    (Path(__file__).parent / "data" / "cgroup_cases.json").read_text("utf-8")
)


def lay_out(root: Path, files: dict[str, str]) -> str:
    for name, text in files.items():
        path = root / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return str(root)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_recorded_machines(case: dict[str, Any], tmp_path: Path) -> None:
    root = lay_out(tmp_path, case["files"])
    budget = probe_budget(Machine(root=root, affinity=case["affinity"], pid=case.get("pid")))
    accepted = [case["expected_quota_cpus"], *case.get("accept_also", [])]
    assert any(
        budget.quota_cpus is None if each is None else budget.quota_cpus == pytest.approx(each)
        for each in accepted
    )
    assert budget.threads == case["expected_effective"]
    assert budget.binding in budget.bounds
    assert budget.binding.cpus == pytest.approx(budget.cpus)


def test_the_binding_bound_names_its_file(tmp_path: Path) -> None:
    case = next(case for case in CASES if case["name"] == "v2_parent_tighter")
    root = lay_out(tmp_path, case["files"])
    binding = probe_budget(Machine(root=root, affinity=4)).binding
    assert binding.source == "cgroup v2"
    assert binding.cpus == 1.5
    assert binding.detail == "cpu.max 150000 100000"
    assert binding.file.endswith("/cpu.max")


def test_affinity_is_a_count_or_a_set(tmp_path: Path) -> None:
    assert probe_budget(Machine(root=tmp_path, affinity=3)).threads == 3
    assert probe_budget(Machine(root=tmp_path, affinity={0, 5})).threads == 2
    status = {"/proc/self/status": "Name:\tx\nCpus_allowed_list:\t0-2,7\nMems:\t0\n"}
    root = lay_out(tmp_path, status)
    assert probe_budget(Machine(root=root)).threads == 4


def test_what_cannot_be_read_is_a_gap(tmp_path: Path) -> None:
    budget = probe_budget(Machine(root=tmp_path))
    assert {gap.what for gap in budget.gaps} == {"CPU affinity", "CPU quota"}
    assert budget.threads == 1
    files = {
        "/proc/self/cgroup": "0::/a\n",
        "/proc/self/mountinfo": "1 0 0:1 / /c rw - cgroup2 none rw\n",
        "/c/a/cpu.max": "what is this",
    }
    budget = probe_budget(Machine(root=lay_out(tmp_path, files), affinity=2))
    (gap,) = budget.gaps
    assert "what is this" in gap.why
    assert gap.where == "/c/a"


def test_throttling_counters_of_both_versions(tmp_path: Path) -> None:
    files = {
        "/proc/self/cgroup": "0::/a\n",
        "/proc/self/mountinfo": "1 0 0:1 / /c rw - cgroup2 none rw\n",
        "/c/a/cpu.max": "50000 100000",
        "/c/a/cpu.stat": "usage_usec 9\nnr_periods 40\nnr_throttled 30\nthrottled_usec 1130000\n",
    }
    machine = Machine(root=lay_out(tmp_path / "v2", files), affinity=2)
    (found,) = probe_throttling(machine, probe_budget(machine))
    assert (found.group, found.periods, found.throttled_periods) == ("/a", 40, 30)
    assert found.throttled_us == 1_130_000
    files = {
        "/proc/self/cgroup": "1:cpu:/a\n",
        "/proc/self/mountinfo": "1 0 0:1 / /c rw - cgroup none rw,cpu\n",
        "/c/a/cpu.cfs_quota_us": "50000",
        "/c/a/cpu.cfs_period_us": "100000",
        "/c/a/cpu.stat": "nr_periods 40\nnr_throttled 30\nthrottled_time 1130000000\n",
    }
    machine = Machine(root=lay_out(tmp_path / "v1", files), affinity=2)
    (found,) = probe_throttling(machine, probe_budget(machine))
    assert found.throttled_us == 1_130_000


TEXT = st.text(st.sampled_from("0123456789:/.,-maxcpu \n\t\\4\0é"), max_size=80) | st.text()


@settings(max_examples=300, deadline=None)
@given(TEXT, TEXT)
def test_no_text_raises_anything_but_our_own_error(first: str, second: str) -> None:
    for parse in (
        cgroupfiles.parse_cpu_max,
        cgroupfiles.parse_cpu_list,
        cgroupfiles.parse_cpu_stat,
        cgroupfiles.parse_burst,
        cgroupfiles.parse_pressure,
        parse_schedstat,
    ):
        try:
            parse(first)
        except ParseError as error:
            assert "found" in str(error)  # noqa: PT017 - the point is that nothing else is raised
    with contextlib.suppress(ParseError):
        cgroupfiles.parse_cfs(first, second)
    cgroups.locate_texts(first, second)
    line = f"1 0 0:1 {first} {second} rw - cgroup2 {first} {second}"
    cgroups.locate_texts(f"0::/{first}\n1:cpu:/{second}", line)


CPU_V1 = "/sys/fs/cgroup/cpu"


@pytest.fixture
def half_a_cpu() -> Iterator[str]:
    """A real cgroup (v1) with a quota of half a CPU, below one with 1.5."""
    outer = f"{CPU_V1}/omp_magic_test_{os.getpid()}"
    inner = f"{outer}/inner"
    if not os.access(CPU_V1, os.W_OK) or not os.path.exists(f"{CPU_V1}/cpu.cfs_quota_us"):
        pytest.skip("needs a cgroup v1 cpu hierarchy that may be written")
    os.makedirs(inner)
    for folder, quota in ((outer, "150000"), (inner, "50000")):
        _write(f"{folder}/cpu.cfs_period_us", "100000")
        _write(f"{folder}/cpu.cfs_quota_us", quota)
    yield inner
    for folder in (inner, outer):
        for _ in range(50):
            try:
                os.rmdir(folder)
                break
            except OSError:
                time.sleep(0.05)


def _write(path: str, text: str) -> None:
    """Write so that the kernel's refusal is seen: a buffered write loses it."""
    handle = os.open(path, os.O_WRONLY)
    try:
        os.write(handle, text.encode())
    finally:
        os.close(handle)


BURN = """
import time, omp_magic
start = time.process_time(), time.perf_counter()
before = omp_magic.snapshot()
while time.perf_counter() - start[1] < 1: pass
rate = (time.process_time() - start[0]) / (time.perf_counter() - start[1])
after = omp_magic.snapshot()
print(before.budget.quota_cpus, before.budget.threads, before.budget.binding.where, rate,
      after.throttling[0].throttled_periods - before.throttling[0].throttled_periods)
"""


def test_in_a_real_cgroup(half_a_cpu: str) -> None:
    def enter() -> None:
        _write(f"{half_a_cpu}/cgroup.procs", "0")

    ended = subprocess.run(
        [sys.executable, "-c", BURN],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
        env=CLEAN,
        preexec_fn=enter,
    )
    quota, threads, where, rate, throttled = ended.stdout.split()
    assert (float(quota), int(threads)) == (0.5, 1)
    assert where == half_a_cpu.removeprefix(CPU_V1)
    assert float(rate) < 0.75
    assert int(throttled) >= 3
