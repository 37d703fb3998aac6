"""How many threads may still start: files of v1 and v2, the user's limit, the machine's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from facts_for_tests import budget, library, pool, setting, snapshot

from omp_magic.errors import ParseError
from omp_magic.facts.libraries import Gap, Pool
from omp_magic.facts.processes import PythonThreads
from omp_magic.facts.snapshots import Snapshot
from omp_magic.facts.tasks import TaskBound, TaskBudget, Want, wants_of
from omp_magic.formats.tasks import (
    escapes_nproc,
    parse_nproc,
    parse_owner,
    parse_refused,
    parse_running,
    parse_tasks,
)
from omp_magic.machine import Machine
from omp_magic.probes.cpus.tasks import TaskProbe
from omp_magic.rules import judge

LIMITS = """Limit                     Soft Limit           Hard Limit           Units     
Max stack size            8388608              unlimited            bytes     
Max processes             4096                 96365                processes 
Max open files            1024                 524288               files     
"""  # noqa: W291 - as Linux 6.18 writes it
STATUS = "Name:\tpython\nUid:\t1000\t1000\t1000\t1000\nThreads:\t{}\nCapEff:\t{:016x}\n"
FIRST = "         0          0 4294967295\n"


def laid_out(root: Path, files: dict[str, str]) -> Machine:
    for name, text in files.items():
        path = root / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return Machine(root, affinity=2, environ={}, pid=7)


def system(running: int = 151) -> dict[str, str]:
    return {
        "/proc/loadavg": f"9.72 9.33 9.34 3/{running} 11206\n",
        "/proc/self/limits": LIMITS,
        "/proc/sys/kernel/threads-max": "192730\n",
        "/proc/sys/kernel/pid_max": "32768\n",
    }


# As Linux 6.18 has them for a process in a group of the pids controller of v1.
V1 = {
    "/proc/self/cgroup": "9:name=systemd:/\n8:pids:/docker/7\n1:cpu:/\n0::/\n",
    "/proc/self/mountinfo": (
        "30 25 0:26 / /sys/fs/cgroup/pids rw,relatime shared:9 - cgroup cgroup rw,pids\n"
    ),
    "/sys/fs/cgroup/pids/docker/7/pids.max": "13\n",
    "/sys/fs/cgroup/pids/docker/7/pids.current": "12\n",
    "/sys/fs/cgroup/pids/docker/7/pids.events": "max 3\n",
    "/sys/fs/cgroup/pids/docker/pids.max": "max\n",
    "/sys/fs/cgroup/pids/docker/pids.current": "12\n",
}
# As the kernel's Documentation/admin-guide/cgroup-v2.rst describes them.
V2 = {
    "/proc/self/cgroup": "0::/pod7/c\n",
    "/proc/self/mountinfo": "30 25 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
    "/sys/fs/cgroup/pod7/c/pids.max": "max\n",
    "/sys/fs/cgroup/pod7/c/pids.current": "40\n",
    "/sys/fs/cgroup/pod7/pids.max": "100\n",
    "/sys/fs/cgroup/pod7/pids.current": "41\n",
    "/sys/fs/cgroup/pod7/pids.events": "max 0\nmax.imposed 0\n",
}


@pytest.mark.parametrize(
    ("files", "binding"),
    [(V1, ("/docker/7", 1, 3, "cgroup v1")), (V2, ("/pod7", 59, 0, "cgroup v2"))],
    ids=["v1", "v2"],
)
def test_the_group_that_leaves_least_room_binds(
    files: dict[str, str], binding: tuple[object, ...], tmp_path: Path
) -> None:
    gaps: list[Gap] = []
    found = TaskProbe().look(laid_out(tmp_path, {**files, **system()}), (), gaps)
    assert gaps == []
    bound = found.binding
    assert bound is not None
    assert (bound.where, bound.free, bound.refused, bound.source) == binding
    assert [each.limit for each in found.bounds if each.where and each is not bound] == [None]


def test_without_a_group_the_machine_bounds_and_the_user_is_not_counted(tmp_path: Path) -> None:
    files = {"/proc/self/cgroup": "0::/\n", "/proc/self/mountinfo": "", **system()}
    found = TaskProbe().look(laid_out(tmp_path, files), (), [])
    assert found.binding is not None
    assert (found.binding.source, found.free) == ("pid_max", 32768 - 151)
    user = found.bounds[-1]
    assert (user.limit, user.used) == (4096, None)
    assert user.reason == "not counted: the whole machine has 151 tasks"


@pytest.mark.parametrize(("held", "used"), [(0, 4000), (1 << 24, None), (1 << 21, None)])
def test_the_tasks_of_the_user_are_counted_where_that_limit_is_near(
    held: int, used: int | None, tmp_path: Path
) -> None:
    files = {
        "/proc/self/cgroup": "0::/\n",
        "/proc/self/mountinfo": "",
        "/proc/self/uid_map": FIRST,
        "/proc/self/status": STATUS.format(1, held),
        "/proc/7/status": STATUS.format(1000, 0),
        "/proc/8/status": STATUS.format(3000, 0),
        "/proc/9/status": STATUS.format(5000, 0).replace("1000", "1001"),
        **system(9001),
    }
    machine = laid_out(tmp_path, files)
    bound = TaskProbe().look(machine, (), []).bounds[-1]
    assert (bound.source, bound.used, bool(bound.reason)) == ("RLIMIT_NPROC", used, used is None)


def test_what_cannot_be_read_is_a_gap(tmp_path: Path) -> None:
    gaps: list[Gap] = []
    files = {**V1, "/sys/fs/cgroup/pids/docker/7/pids.max": "many\n"}
    found = TaskProbe().look(laid_out(tmp_path, files), (), gaps)
    assert found.binding is None
    assert [gap.what for gap in gaps] == ["limit on threads of /docker/7", "limit on threads"]


def test_the_texts() -> None:
    assert (parse_tasks("pids.max", "max\n"), parse_tasks("pids.max", "7\n")) == (None, 7)
    assert (parse_refused("max 3\n"), parse_refused("")) == (3, None)
    assert parse_nproc(LIMITS) == 4096
    assert parse_nproc(LIMITS.replace("4096     ", "unlimited")) is None
    assert parse_running("0.20 0.18 0.12 1/80 11206\n") == 80
    assert parse_owner(STATUS.format(5, 0)) == (1000, 5)
    root = STATUS.format(1, 0).replace("1000", "0")
    assert escapes_nproc(root, FIRST)
    assert not escapes_nproc(root, "         0       1000          1\n")
    for wrong in (lambda: parse_tasks("pids.max", "-1"), lambda: parse_nproc(""),
                  lambda: parse_running("1 2"), lambda: parse_owner("Uid:\t1\n")):  # fmt: skip
        with pytest.raises(ParseError):
            wrong()


GOMP, BLAS = library("libgomp", num_threads=8, workers=3), library("openblas", workers=0)


def own(path: str, family: str, size: int | None, would_use: int | None = None) -> Pool:
    return replace(pool(size, would_use), library=path, family=family, name=family)


def test_what_pools_have_yet_to_start() -> None:
    pools = (
        own(GOMP.path, "libgomp", 8),
        own(BLAS.path, "openblas", 2),  # it never starts what it lacks
        own("polars", "polars", None, 6),
        own("numba", "numba", 4),
        replace(own("xgboost", "xgboost", 8), lender=GOMP.path),
    )
    wants = wants_of((GOMP, BLAS), pools)
    assert [(want.name, want.threads) for want in wants] == [("libgomp", 4), ("polars", 6)]
    assert TaskBudget(wants=wants).wanted == 10


def room(free: int, *wants: Want) -> TaskBudget:
    bound = TaskBound(
        source="cgroup v2", limit=100, used=100 - free, where="/pod7", name="pids.max", refused=2
    )
    return TaskBudget(bounds=(bound,), wants=wants)


def titles(code: str, facts: Snapshot) -> list[str]:
    return [each.title for each in judge(facts) if each.code == code]


ONE = (setting("OMP_NUM_THREADS", "1"), setting("OPENBLAS_NUM_THREADS", "1"))


def test_too_little_room_is_found_before_it_is_needed() -> None:
    said = "97 of 100 tasks (pids.max of /pod7) are used, pools still to start want 5"
    facts = snapshot(tasks=room(3, Want(name="libgomp", threads=5)))
    assert titles("OMP210", facts) == [said]
    assert "97 of 100 tasks (pids.max of /pod7) used, 3 threads may still start" in str(facts)
    # Four CPUs: the pool of the next import has three threads beside the one that calls.
    assert "the next pool may want 3" in titles("OMP210", snapshot(tasks=room(2)))[0]
    assert titles("OMP210", snapshot(tasks=room(3))) == []
    assert titles("OMP210", snapshot(tasks=room(0), environment=ONE)) == []
    assert titles("OMP210", snapshot(tasks=room(1), budget=budget(1))) == []
    assert titles("OMP210", snapshot()) == []


def test_an_openblas_without_its_workers_is_not_started_as_if_all_were_well() -> None:
    lacking = replace(BLAS, num_threads=4, workers=1, missing=2, owner="numpy")
    facts = snapshot(libraries=(lacking,))
    assert titles("OMP210", facts) == ["OpenBLAS (numpy) could not start 2 of its 3 worker threads"]
    assert "started without 2 workers" in str(facts)
    assert titles("OMP210", snapshot(libraries=(replace(lacking, missing=0),))) == []


@pytest.mark.parametrize(
    ("layer", "size", "said"),
    [
        ("workqueue", (2, None), "runs on workqueue"),
        ("workqueue", (None, 2), "will run on workqueue"),
        ("omp", (2, None), ""),
        ("", (None, 2), ""),
    ],
)
def test_workqueue_is_told_as_soon_as_it_is_sure(
    layer: str, size: tuple[int | None, int | None], said: str
) -> None:
    numba = replace(own("numba", "numba", *size), layer=layer)
    found = titles("OMP212", snapshot(pools=(numba,)))
    assert len(found) == bool(said)
    assert all(said in title for title in found)


def test_callers_of_openblas_are_counted_against_its_buffers() -> None:
    blas = replace(BLAS, max_threads=64, workers=1)

    def found(alive: int, executors: int = 0, **facts: Any) -> list[str]:
        threads = PythonThreads(alive=alive, of_executors=executors)
        libraries = (replace(blas, **facts),)
        return titles("OMP214", snapshot(libraries=libraries, python_threads=threads))

    assert found(207, 200)[0].startswith("206 Python threads, and OpenBLAS")
    assert found(128) != []
    assert found(127) == []
    assert found(207, max_threads=None) == []
    assert found(52, max_threads=8) != []  # no build has fewer than 50 buffers
    assert titles("OMP214", snapshot(libraries=(blas,))) == []
