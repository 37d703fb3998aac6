"""The CPUs a process may use, on recorded machines and in a real cgroup."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import Any

import pytest
from facts_for_tests import TICKS_PER_S
from hypothesis import given, settings
from hypothesis import strategies as st
from places import DATA

from omp_magic.errors import ParseError
from omp_magic.facts.throttling import Throttling
from omp_magic.formats import cgroupfiles, cgroups
from omp_magic.formats.procfs import parse_schedstat
from omp_magic.machine import Machine
from omp_magic.probes.cpus.budget import probe_budget
from omp_magic.probes.cpus.load import Sample, group_cpu_s, load_between
from omp_magic.probes.cpus.throttling import probe_throttling
from omp_magic.probes.live.pulse import Pulse
from omp_magic.probes.observe import Observer
from omp_magic.probes.seat import probe_worker
from omp_magic.rules import judge

# Captured from kernels in QEMU guests, runc containers, and the test data of other projects;
# each case names its source.
CASES: list[dict[str, Any]] = json.loads((DATA / "cgroup_cases.json").read_text("utf-8"))


def lay_out(root: Path, files: dict[str, str]) -> str:
    for name, text in files.items():
        path = root / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return str(root)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_recorded_machines(case: dict[str, Any], tmp_path: Path) -> None:
    if os.name == "nt" and any("\t" in name for name in case["files"]):
        pytest.skip("Windows has no file with such a name")
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


def test_a_worker_tells_the_quotas_of_all_its_groups(tmp_path: Path) -> None:
    case = next(case for case in CASES if case["name"] == "v2_parent_tighter")
    machine = Machine(root=lay_out(tmp_path, case["files"]), affinity=4)
    found = probe_worker(machine, probe_budget(machine), "inside")
    assert [cpus for _, cpus in found.quotas] == [3.0, 1.5]
    assert found.quotas[0][0].startswith(found.cgroup + "/")
    assert (found.quota_cpus, found.cgroups) == (1.5, "")


def test_a_limit_that_no_file_shows_is_called_visible(tmp_path: Path) -> None:
    for case in (case for case in CASES if "hidden_true_cpus" in case):
        root = lay_out(tmp_path / case["name"], case["files"])
        budget = probe_budget(Machine(root=root, affinity=case["affinity"]))
        assert any("visible limit" in note for note in budget.notes)
    case = next(case for case in CASES if case["name"] == "v2_private_ns_host_mount")
    root = lay_out(tmp_path / "other pid", case["files"])
    budget = probe_budget(Machine(root=root, affinity=4, pid=4242))
    assert budget.quota_cpus is None
    assert any("visible limit" in note for note in budget.notes)
    assert budget.gaps


V2 = {
    "/proc/self/cgroup": "0::/a\n",
    "/proc/self/mountinfo": "1 0 0:1 / /c rw - cgroup2 none rw\n",
}


@pytest.mark.skipif(os.name == "nt", reason="a link that leads to no path: Windows has none")
def test_a_cgroup_namespace_hides_what_is_above(tmp_path: Path) -> None:
    files = {**V2, "/proc/self/cgroup": "0::/\n", "/c/cpu.max": "150000 100000"}
    root = lay_out(tmp_path, files)
    link = tmp_path / "proc/self/ns/cgroup"
    link.parent.mkdir()
    link.symlink_to("cgroup:[4026532999]")
    assert "above this container" in probe_budget(Machine(root, affinity=4)).notes[0]
    link.unlink()
    link.symlink_to("cgroup:[4026531835]")
    assert probe_budget(Machine(root, affinity=4)).notes == ()


def test_burst_is_shown_and_is_no_limit(tmp_path: Path) -> None:
    files = {
        **V2,
        "/c/a/cpu.max": "75000 100000",
        "/c/a/cpu.max.burst": "75000",
        "/c/a/cpu.weight": "1",
    }
    budget = probe_budget(Machine(lay_out(tmp_path, files), affinity=4))
    assert budget.quota_cpus == 0.75
    assert budget.notes == ("cpu.max.burst of /a is 75000: short bursts, no higher limit",)


@pytest.mark.parametrize(
    ("environ", "quota", "threads", "source"),
    [
        ({"SLURM_CPUS_PER_TASK": "3"}, None, 3, "SLURM_CPUS_PER_TASK"),
        ({"SLURM_CPUS_ON_NODE": "2"}, None, 2, "SLURM_CPUS_ON_NODE"),
        ({"SLURM_CPUS_PER_TASK": "16"}, None, 8, "affinity"),
        ({"CPU_LIMIT": "1.5"}, None, 2, "CPU_LIMIT"),
        ({"CPU_LIMIT": "1.5"}, "400000 100000", 4, "cgroup v2"),
        ({"LOKY_MAX_CPU_COUNT": "1"}, None, 8, "affinity"),
        ({"PYTHON_CPU_COUNT": "1"}, None, 8, "affinity"),
        ({"PYTHON_CPU_COUNT": "default"}, None, 8, "affinity"),
    ],
)
def test_declarations(
    environ: dict[str, str], quota: str | None, threads: int, source: str, tmp_path: Path
) -> None:
    files = {
        **V2,
        "/c/a/cpu.max": quota or "max 100000",
        "/sys/devices/system/cpu/online": "0-15\n",
    }
    budget = probe_budget(Machine(lay_out(tmp_path, files), environ=environ, affinity=8))
    assert (budget.threads, budget.binding.source) == (threads, source)
    declared = [bound for bound in budget.bounds if bound.source in environ]
    assert all(bound.reason for bound in declared)
    assert len(declared) == ("default" not in environ.values())


def test_a_declaration_that_is_no_number_is_a_gap(tmp_path: Path) -> None:
    for text in ("40,8", "8(x2)", "-1", "0", "nan", "inf", "many"):
        environ = {"SLURM_CPUS_ON_NODE": text}
        budget = probe_budget(Machine(tmp_path, environ=environ, affinity=4))
        assert budget.threads == 4
        (gap,) = [gap for gap in budget.gaps if gap.what == "SLURM_CPUS_ON_NODE"]
        assert repr(text) in gap.why


def test_topology_and_cpuset(tmp_path: Path) -> None:
    files = {
        "/proc/self/cgroup": "2:cpuset:/cs\n1:cpu,cpuacct:/\n",
        "/proc/self/mountinfo": "1 0 0:1 / /c rw - cgroup cgroup rw,cpuset\n",
        "/c/cs/cpuset.effective_cpus": "1-2\n",
        "/sys/devices/system/cpu/online": "0-2\n",
        "/sys/devices/system/cpu/present": "0-3\n",
        **{
            f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list": siblings
            for cpu, siblings in enumerate(("0-1\n", "0-1\n", "2-3\n"))
        },
    }
    budget = probe_budget(Machine(lay_out(tmp_path, files), affinity={1, 2}))
    bounds = {bound.source: bound for bound in budget.bounds}
    assert bounds["physical cores"].cpus == 2.0
    assert not bounds["physical cores"].lowers
    assert (bounds["cpuset"].cpus, bounds["cpuset"].where) == (2.0, "/cs")
    assert "1 of the machine's CPUs are offline" in budget.notes
    assert (budget.affinity_cpus, budget.machine_cpus) == (2, 3)


def test_a_changed_quota_and_a_moved_process_are_seen_at_once(tmp_path: Path) -> None:
    files = {**V2, "/c/a/cpu.max": "100000 100000", "/c/b/cpu.max": "300000 100000"}
    observer = Observer(Machine(lay_out(tmp_path, files), affinity=8))
    assert observer.take().budget.quota_cpus == 1.0
    lay_out(tmp_path, {"/c/a/cpu.max": "200000 100000"})
    assert observer.take().budget.quota_cpus == 2.0
    lay_out(tmp_path, {"/proc/self/cgroup": "0::/b\n"})
    assert observer.take().budget.quota_cpus == 3.0


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def counted(
    ticks: int, usage_us: int, stat: tuple[int, int, int], waits: list[str]
) -> dict[str, str]:
    """Lay out the counters of a process in a group with half a CPU."""
    fields = " ".join(["S", *["0"] * 10, str(ticks), "0", *["0"] * 4, "3", *["0"] * 30])
    periods, throttled, throttled_us = stat
    return {
        **V2,
        "/proc/self/stat": f"7 (python) {fields}\n",
        "/c/a/cpu.max": "50000 100000",
        "/c/a/cpu.stat": f"usage_usec {usage_us}\nnr_periods {periods}\n"
        f"nr_throttled {throttled}\nthrottled_usec {throttled_us}\n",
        "/c/a/cpu.pressure": "some avg10=12.50 avg60=1.00 avg300=0.10 total=5\n",
        **{f"/proc/self/task/{7 + n}/schedstat": text for n, text in enumerate(waits)},
    }


def test_rates_between_two_snapshots(tmp_path: Path) -> None:
    clock = Clock()
    first = counted(100, 1_000_000, (10, 5, 100_000), ["1000000000 500000000 9", "0 0 0"])
    observer = Observer(Machine(lay_out(tmp_path, first), affinity=2, clock=clock))
    assert observer.take().load is None
    clock.now += 0.05
    assert observer.take().load is None  # too short to say anything
    clock.now += 9.95
    waits = ["3000000000 3500000000 9", "1000000000 0 2"]
    lay_out(tmp_path, counted(600, 9_000_000, (110, 42, 4_100_000), waits))
    facts = observer.take()
    load = facts.load
    assert load is not None
    assert load.interval_s == pytest.approx(10.0)
    assert load.used_cpus == pytest.approx(5.0 / 10 * 100 / TICKS_PER_S)
    assert load.group_cpus == pytest.approx(0.8)
    assert load.throttled_share == pytest.approx(0.37)
    assert load.throttled_s == pytest.approx(4.0)
    assert load.starved_share == pytest.approx(0.5)  # 3 s waited of 6 s wanted
    assert load.pressure_share == pytest.approx(0.125)
    (finding,) = [each for each in judge(facts) if each.code == "OMP203"]
    assert finding.title == "Throttled 37% of the last 10.0 s"
    assert any("42 of 110 periods" in fact for fact in finding.evidence)


V1 = "1 0 0:1 / /c rw - cgroup none rw,cpu\n2 0 0:2 / /a rw - cgroup none rw,cpuacct\n"


@pytest.mark.parametrize(
    ("memberships", "used_s"),
    [("2:cpuacct:/g\n1:cpu:/g\n", 1.5), ("2:cpuacct:/other\n1:cpu:/g\n", None)],
)
def test_version_1_counts_the_time_of_a_group_in_ns(
    memberships: str, used_s: float | None, tmp_path: Path
) -> None:
    """And of none where cpuacct, a hierarchy of its own, has the process in another group."""
    files = {"/proc/self/cgroup": memberships, "/proc/self/mountinfo": V1}
    files |= {f"/a/{group}/cpuacct.usage": "1500000000\n" for group in ("g", "other")}
    assert group_cpu_s(Machine(lay_out(tmp_path, files))) == used_s


def test_version_2_counts_the_time_of_a_group_in_us(tmp_path: Path) -> None:
    files = {**V2, "/c/a/cpu.stat": "user_usec 1\nusage_usec 1500000\n"}
    assert group_cpu_s(Machine(lay_out(tmp_path, files))) == 1.5


def test_the_dashboards_ticks_have_the_rates_of_the_group(tmp_path: Path) -> None:
    """What the group used a second, and the share of its periods that the quota cut short."""
    clock = Clock()
    first = counted(100, 1_000_000, (1000, 500, 0), [])
    pulse = Pulse(Machine(lay_out(tmp_path, first), {}, affinity=2, pid=7, clock=clock))
    # So long that no reading is put off for what it cost.
    clock.now += 10_000
    lay_out(tmp_path, counted(100, 4_001_000_000, (101_000, 37_500, 0), []))
    tick = pulse.tick()
    assert tick.group_cpus == pytest.approx(0.4)
    assert tick.throttled == pytest.approx(0.37)
    assert (tick.interval_s, tick.allowed_cpus) == (10_000, 0.5)


def test_counters_that_stand_still_or_go_back(tmp_path: Path) -> None:
    clock = Clock()
    first = counted(100, 1_000_000, (10, 5, 1), ["0 0 0"])
    observer = Observer(Machine(lay_out(tmp_path, first), affinity=2, clock=clock))
    gaps = [gap.what for gap in observer.take().gaps]
    assert "time spent waiting for a CPU" in gaps
    clock.now += 5
    lay_out(tmp_path, counted(50, 10, (4, 0, 0), ["0 0 0"]))
    load = observer.take().load
    assert load is not None
    assert (load.used_cpus, load.group_cpus) == (None, None)
    assert (load.throttled_share, load.starved_share) == (None, None)
    clock.now += 5
    load = observer.take().load
    assert load is not None
    assert (load.used_cpus, load.throttled_share) == (0.0, 0.0)


def test_a_cpuset_is_not_counted_as_a_throttled_group(tmp_path: Path) -> None:
    files = {
        **V2,
        "/c/a/cpuset.cpus.effective": "0-1\n",
        "/c/a/cpu.max": "50000 100000",
        "/c/a/cpu.stat": "nr_periods 40\nnr_throttled 30\nthrottled_usec 5\n",
        "/sys/devices/system/cpu/online": "0-7\n",
    }
    machine = Machine(lay_out(tmp_path, files), affinity=2)
    budget = probe_budget(machine)
    assert "cpuset" in {bound.source for bound in budget.bounds}
    assert [each.group for each in probe_throttling(machine, budget)] == ["/a"]


def test_affinity_is_a_count_or_a_set(tmp_path: Path) -> None:
    assert probe_budget(Machine(root=tmp_path, affinity=3)).threads == 3
    assert probe_budget(Machine(root=tmp_path, affinity={0, 5})).threads == 2
    status = {"/proc/self/status": "Name:\tx\nCpus_allowed_list:\t0-2,7\nMems:\t0\n"}
    root = lay_out(tmp_path, status)
    assert probe_budget(Machine(root=root)).threads == 4


def test_an_empty_declaration_is_none(tmp_path: Path) -> None:
    for text in ("", " "):
        environ = {"CPU_LIMIT": text, "SLURM_CPUS_ON_NODE": text}
        budget = probe_budget(Machine(tmp_path, environ=environ, affinity=4))
        assert {gap.what for gap in budget.gaps} == {"CPU quota"}


def test_a_mount_of_another_version_shows_no_group() -> None:
    # systemd's "hybrid" layout: its own hierarchy is version 1 and stands before version 2.
    mounts = (
        "1 0 0:1 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd\n"
        "2 0 0:2 / /sys/fs/cgroup/unified rw - cgroup2 none rw\n"
    )
    place = cgroups.locate_texts("1:name=systemd:/a\n0::/a\n", mounts)
    assert place.version == 2
    (groups,) = place.chains
    assert groups[0].directory == "/sys/fs/cgroup/unified/a"


def test_what_a_later_mount_hides_shows_no_group(tmp_path: Path) -> None:
    mounts = V2["/proc/self/mountinfo"]
    files = {**V2, "/proc/self/mountinfo": f"{mounts}2 1 0:2 / /c rw - tmpfs tmpfs rw\n"}
    budget = probe_budget(Machine(lay_out(tmp_path, files), affinity=4))
    assert [gap.what for gap in budget.gaps] == ["CPU quota"]
    assert "not mounted here" in budget.notes[0]


def test_the_machine_decides_where_affinity_leaves_out_nothing(tmp_path: Path) -> None:
    root = lay_out(tmp_path, {**V2, "/sys/devices/system/cpu/online": "0-3\n"})
    assert probe_budget(Machine(root, affinity=4)).binding.source == "machine"
    assert probe_budget(Machine(root, affinity=3)).binding.source == "affinity"


def test_the_machine_has_no_fewer_cpus_than_the_affinity_mask(tmp_path: Path) -> None:
    # lxcfs writes this file anew for a container.
    root = lay_out(tmp_path, {**V2, "/sys/devices/system/cpu/online": "0-1\n"})
    budget = probe_budget(Machine(root, affinity=8))
    assert (budget.machine_cpus, budget.affinity_cpus, budget.threads) == (8, 8, 8)


def test_a_longer_pid_that_holds_the_own_one_is_another_process(tmp_path: Path) -> None:
    files = {
        "/proc/self/cgroup": "0::/\n",
        "/proc/self/mountinfo": "1 0 0:1 /../.. /c rw - cgroup2 none rw\n",
        "/c/a/other/cgroup.procs": "1427\n",
        "/c/a/other/cpu.max": "100000 100000",
        "/c/b/own/cgroup.procs": "9\n42\n",
        "/c/b/own/cpu.max": "300000 100000",
    }
    budget = probe_budget(Machine(lay_out(tmp_path, files), affinity=8, pid=42))
    assert (budget.quota_cpus, budget.binding.where) == (3.0, "/b/own")


def test_the_cpuset_is_that_of_the_nearest_group_that_has_one(tmp_path: Path) -> None:
    # The controller is not handed down to every level: such a group has no file of its own.
    files = {
        "/proc/self/cgroup": "0::/slice/scope\n",
        "/proc/self/mountinfo": "1 0 0:1 / /c rw - cgroup2 none rw\n",
        "/c/slice/scope/cgroup.procs": "7\n",
        "/c/slice/cpuset.cpus.effective": "0-1\n",
        "/c/cpuset.cpus.effective": "0-7\n",
        "/sys/devices/system/cpu/online": "0-7\n",
    }
    budget = probe_budget(Machine(lay_out(tmp_path, files), affinity={0, 1}))
    (cpuset,) = [bound for bound in budget.bounds if bound.source == "cpuset"]
    assert (cpuset.cpus, cpuset.where) == (2.0, "/slice")


def test_a_second_look_in_one_cell_does_not_shorten_the_next_ones_interval(tmp_path: Path) -> None:
    clock = Clock()
    counters = counted(100, 1_000_000, (10, 5, 1), ["0 0 0"])
    observer = Observer(Machine(lay_out(tmp_path, counters), affinity=2, clock=clock))
    observer.take()
    intervals = []
    for seconds in (0.5, 0.25, 0.5, 0.5):
        clock.now += seconds
        load = observer.take().load
        assert load is not None
        intervals.append(load.interval_s)
    assert intervals == [0.5, 0.75, 1.25, 0.5]


def test_the_group_throttled_most_is_told_wherever_it_stands() -> None:
    def at(clock_s: float, *throttled: tuple[str, int]) -> Sample:
        found = tuple(
            Throttling(group=group, periods=int(clock_s) * 10, throttled_periods=n, throttled_us=n)
            for group, n in throttled
        )
        return Sample(clock_s, None, None, found, {})

    for names in ("ab", "ba"):
        worst = {"a": 30, "b": 10}
        before = at(0.0, *((name, 0) for name in names))
        load = load_between(before, at(10.0, *((name, worst[name]) for name in names)), None)
        assert load.throttled_share == pytest.approx(0.3)
        assert load.throttled_s == pytest.approx(3e-5)


def test_the_cpu_time_of_a_group_is_in_seconds_on_both_versions(tmp_path: Path) -> None:
    v2 = {**V2, "/c/a/cpu.stat": "usage_usec 2500000\n"}
    assert group_cpu_s(Machine(lay_out(tmp_path / "v2", v2))) == 2.5
    v1 = {
        "/proc/self/cgroup": "1:cpu,cpuacct:/a\n",
        "/proc/self/mountinfo": "1 0 0:1 / /c rw - cgroup cgroup rw,cpu,cpuacct\n",
        "/c/a/cpuacct.usage": "2500000000\n",
    }
    assert group_cpu_s(Machine(lay_out(tmp_path / "v1", v1))) == 2.5
    # Two hierarchies, and another group in each: its time is not that of what is limited.
    apart = {
        **v1,
        "/proc/self/cgroup": "1:cpu:/b\n2:cpuacct:/a\n",
        "/proc/self/mountinfo": "1 0 0:1 / /d rw - cgroup cgroup rw,cpu\n"
        "2 0 0:2 / /c rw - cgroup cgroup rw,cpuacct\n",
    }
    assert group_cpu_s(Machine(lay_out(tmp_path / "apart", apart))) is None


def test_the_pressure_of_the_own_group_comes_before_the_machines(tmp_path: Path) -> None:
    clock = Clock()
    files = counted(100, 1_000_000, (10, 5, 1), ["0 0 0"])
    machines = {"/proc/pressure/cpu": "some avg10=75.00 avg60=1.00 avg300=0.10 total=5\n"}
    observer = Observer(Machine(lay_out(tmp_path, {**files, **machines}), affinity=2, clock=clock))
    observer.take()
    shares = []
    for _ in range(2):
        clock.now += 5
        load = observer.take().load
        assert load is not None
        shares.append(load.pressure_share)
        (tmp_path / "c/a/cpu.pressure").unlink(missing_ok=True)
    assert shares == [0.125, 0.75]


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


@pytest.mark.parametrize("odd", ["what is this", "", "1 2 3", "100000 0x10"])
def test_a_malformed_quota_at_one_level_hides_no_level_above(odd: str, tmp_path: Path) -> None:
    """The tightest limit may stand anywhere on the way: parents hold for all below them."""
    files = {
        **V2,
        "/proc/self/cgroup": "0::/a/b/c\n",
        "/c/a/b/c/cpu.max": "300000 100000",
        "/c/a/b/cpu.max": odd,
        "/c/a/cpu.max": "150000 100000",
    }
    budget = probe_budget(Machine(lay_out(tmp_path, files), affinity=4))
    assert (budget.quota_cpus, budget.binding.where) == (1.5, "/a")
    (gap,) = budget.gaps
    assert gap.where == "/c/a/b"


def test_a_malformed_quota_of_version_1_hides_no_level_above(tmp_path: Path) -> None:
    files = {
        "/proc/self/cgroup": "1:cpu:/a/b\n",
        "/proc/self/mountinfo": "1 0 0:1 / /c rw - cgroup none rw,cpu\n",
        "/c/a/b/cpu.cfs_quota_us": "half",
        "/c/a/b/cpu.cfs_period_us": "100000",
        "/c/a/cpu.cfs_quota_us": "150000",
        "/c/a/cpu.cfs_period_us": "100000",
    }
    budget = probe_budget(Machine(lay_out(tmp_path, files), affinity=4))
    assert (budget.quota_cpus, budget.binding.where) == (1.5, "/a")
    assert [gap.where for gap in budget.gaps] == ["/c/a/b"]


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
