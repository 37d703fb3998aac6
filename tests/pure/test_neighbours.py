"""Other processes on the same CPUs: whose group it is, what they used, and when that is said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from facts_for_tests import TICKS_PER_S, budget, pool, snapshot

from omp_magic.facts.cpus import Budget
from omp_magic.facts.load import Load, Neighbour, Neighbours
from omp_magic.facts.snapshots import Snapshot
from omp_magic.facts.ticks import Tick
from omp_magic.machine import Machine
from omp_magic.probes.cpus.neighbours import NeighbourProbe
from omp_magic.rules import judge
from omp_magic.views.panel.facts import PanelFacts
from omp_magic.views.panel.figures import figures_of

V2_MOUNT = "30 25 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
V1_MOUNTS = "".join(
    f"{n} 25 0:{n} / /sys/fs/cgroup/{name} rw - cgroup cgroup rw,{name}\n"
    for n, name in ((30, "cpu"), (31, "cpuacct"))
)


class Folder:
    """A machine in a folder, with a clock that the test turns."""

    def __init__(self, root: Path, cgroup: str, mounts: str) -> None:
        self.root, self.now_s = root, 100.0
        self.put("/proc/self/cgroup", cgroup)
        self.put("/proc/self/mountinfo", mounts)
        self.machine = Machine(root, environ={}, affinity=2, pid=7, clock=lambda: self.now_s)

    def put(self, name: str, text: str) -> None:
        path = self.root / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def process(self, pid: int, cpu_s: float, parent: int = 1) -> None:
        times = f"{'0 ' * 9}{round(cpu_s * TICKS_PER_S)} 0 0 0 20 0 1 0 55"
        self.put(f"/proc/{pid}/stat", f"{pid} (python) S {parent} {times} {'0 ' * 30}\n")
        self.put(f"/proc/{pid}/cmdline", f"python\0work{pid}.py\0")


def look(
    folder: Folder, probe: NeighbourProbe, seconds: float, own: float, **kw: bool
) -> Neighbours | None:
    folder.now_s += seconds
    return probe.look(folder.machine, budget(2), own, starved=kw.get("starved", False))


def test_the_group_tells_and_the_children_are_ones_own(tmp_path: Path) -> None:
    folder, probe = Folder(tmp_path, "0::/pod7/c\n", V2_MOUNT), NeighbourProbe()
    group = "/sys/fs/cgroup/pod7/c"
    folder.put(f"{group}/cgroup.procs", "7\n8\n0\n")
    folder.put(f"{group}/below/cgroup.procs", "9\n")
    found = []
    for step in range(3):
        # This process 0.2 CPUs, its child (8) 0.4, its neighbour (9) 1.2 a second.
        folder.put(f"{group}/cpu.stat", f"usage_usec {round(step * 1.8e6)}\n")
        folder.process(7, step * 0.2)
        folder.process(8, step * 0.4, parent=7)
        folder.process(9, step * 1.2)
        found.append(look(folder, probe, 1.0, own=step * 0.2))
    assert found[:2] == [None, None]
    third = found[2]
    assert third is not None
    assert third.cpus == pytest.approx(1.2)
    assert third.group == "/pod7/c"
    assert [(each.pid, each.command) for each in third.largest] == [(9, "python work9.py")]
    assert third.largest[0].cpus == pytest.approx(1.2)


def test_alone_nothing_is_told_and_no_process_is_read(tmp_path: Path) -> None:
    folder, probe = Folder(tmp_path, "0::/pod7\n", V2_MOUNT), NeighbourProbe()
    for step in range(4):
        folder.put("/sys/fs/cgroup/pod7/cpu.stat", f"usage_usec {round(step * 1.9e6)}\n")
        assert look(folder, probe, 1.0, own=step * 1.88) is None
    assert probe._members is None


def test_where_v1_counts_another_group_its_processes_are_added_up(tmp_path: Path) -> None:
    folder = Folder(tmp_path, "2:cpuacct:/\n1:cpu:/job\n", V1_MOUNTS)
    probe = NeighbourProbe()
    folder.put("/sys/fs/cgroup/cpu/job/cgroup.procs", "7\n9\n")
    found = []
    for step in range(2):
        folder.process(7, step * 0.1)
        folder.process(9, step * 1.5)
        found.append(look(folder, probe, 1.0, own=step * 0.1))
    assert found[0] is None
    assert found[1] is not None
    assert found[1].cpus == pytest.approx(1.5)


def test_of_a_whole_machine_it_is_told_only_when_threads_wait(tmp_path: Path) -> None:
    folder, probe = Folder(tmp_path, "0::/\n", V2_MOUNT), NeighbourProbe()
    found = []
    for step in range(4):
        folder.put("/sys/fs/cgroup/cpu.stat", f"usage_usec {round(step * 2e6)}\n")
        folder.process(7, step * 0.3)
        folder.process(9, step * 1.7)
        found.append(look(folder, probe, 1.0, own=step * 0.3, starved=step > 0))
    assert found[0] is None
    assert found[3] is not None
    assert found[3].group == ""
    assert found[3].cpus == pytest.approx(1.7)
    assert look(folder, probe, 1.0, own=3.0) is None


def facts(cpus: float, waited: float | None = None, **more: Any) -> Snapshot:
    largest = (Neighbour(pid=9, command="python train.py", cpus=cpus),)
    others = Neighbours(cpus=cpus, allowed_cpus=2.0, group="/pod7", largest=largest)
    load = Load(interval_s=1.0, used_cpus=0.3, group_cpus=2.0, starved_share=waited,
                neighbours=others)  # fmt: skip
    allowed: Budget = budget(2)
    return snapshot(budget=allowed, load=load, **more)


def codes(of: Snapshot) -> list[str]:
    return [each.code for each in judge(of)]


def test_it_is_said_in_numbers_who_uses_the_cpus() -> None:
    found = judge(facts(1.7, waited=0.8))
    assert [each.code for each in found] == ["OMP211"]  # and not OMP206 too
    assert found[0].title == "You get 0.3 of 2 CPUs: others here use 1.7"
    assert "pid 9 with 1.70 CPUs (python train.py)" in found[0].why
    assert found[0].remedies[0] == "Use what they leave: %omp_limit 1"
    assert "neighbours 1.70" in str(facts(1.7))


def test_a_limit_that_is_held_is_not_offered() -> None:
    (found,) = judge(facts(1.5, pools=(pool(1),)))
    assert found.remedies == ("End what is not needed, other notebooks' kernels for example",)
    (found,) = judge(facts(1.5, pools=(pool(2),)))
    assert found.remedies[0] == "Use what they leave: %omp_limit 1"


def test_it_is_not_said_where_there_is_room_for_both() -> None:
    assert codes(facts(0.2)) == []
    assert codes(facts(0.9)) == ["OMP211"]
    assert codes(facts(0.9, pools=(pool(1),))) == []
    assert codes(facts(1.5, pools=(pool(1),))) == ["OMP211"]


def test_the_panel_has_a_figure_for_them() -> None:
    tick = Tick(number=1, at_s=0.0, interval_s=1.0, cpus=0.3, group_cpus=2.0, allowed_cpus=2.0,
                throttled=None, waiting=None, num_threads=9, rss_bytes=None, owners=None,
                children=(), maps_changed=False, gaps=())  # fmt: skip
    shown = figures_of(PanelFacts(snapshot=facts(1.7), ticks=(tick,)))
    assert "others here 1.70" in map(str, shown)
    assert not any("its cgroup" in str(each) for each in shown)
