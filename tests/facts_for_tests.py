"""Small facts, to be varied by the tests that need them."""

from __future__ import annotations

import os
from typing import Any

import omp_magic.views.renderers  # noqa: F401 - a snapshot has its views, whichever test is first
from omp_magic.facts.cpus import Bound, Budget
from omp_magic.facts.libraries import Gap, Library, Pool
from omp_magic.facts.limits import Limit
from omp_magic.facts.load import Load
from omp_magic.facts.processes import Thread
from omp_magic.facts.settings import EnvSetting
from omp_magic.facts.snapshots import Snapshot
from omp_magic.knowledge.catalog import BY_KEY, readers_of
from omp_magic.rules import judge

TICKS_PER_S = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
"""The unit of /proc's clocks; of a machine in a folder, where this system has no /proc: USER_HZ."""


def library(family: str, **facts: Any) -> Library:
    row = BY_KEY[family]
    given: dict[str, Any] = {
        "family": family,
        "label": row.label,
        "api": row.api,
        "kin": row.kin,
        "soname": f"lib{family.removeprefix('lib')}.so.1",
        "path": f"/env/lib/python3.12/site-packages/x.libs/lib{family.removeprefix('lib')}.so.1",
        "device": "fe:00",
        "inode": 7,
        "num_threads": 2,
        "initialized": True,
        "replaced": False,
    }
    return Library(**{**given, **facts})


def pool(num_threads: int | None, would_use: int | None = None) -> Pool:
    return Pool(
        name="OpenBLAS (numpy)",
        family="openblas",
        api="blas",
        library="/env/libopenblas.so",
        num_threads=num_threads,
        would_use=would_use,
        scope="process",
        variables=BY_KEY["openblas"].variables,
    )


def budget(affinity: int = 4, quota: float | None = None) -> Budget:
    bound = Bound(source="affinity", cpus=float(affinity))
    if quota is not None:
        bound = Bound(source="cgroup v2", cpus=quota, where="/pod7", detail="cpu.max x")
    return Budget(
        quota_cpus=quota,
        threads=max(1, min(affinity, -int(-(quota or affinity) // 1))),
        binding=bound,
        bounds=(bound,),
        affinity_cpus=affinity,
        machine_cpus=64,
    )


def setting(name: str, native: str | None, **facts: Any) -> EnvSetting:
    given: dict[str, Any] = {
        "name": name,
        "native": native,
        "python": native,
        "at_exec": None,
        "readers": readers_of(name),
    }
    return EnvSetting(**{**given, **facts})


def snapshot(**facts: Any) -> Snapshot:
    given: dict[str, Any] = {
        "pid": 6536,
        "python": "3.12.1",
        "prefix": "/env",
        "budget": budget(),
        "libraries": (),
        "pools": (),
        "num_os_threads": 19,
        "os_threads": None,
        "environment": (),
        "throttling": (),
    }
    return Snapshot(**{**given, **facts})


EVIL = "/env/<script>alert(1)</script>/\x1b[31m\n\udcff&\"'/libgomp.so"


def full() -> Snapshot:
    """Make a snapshot with a bit of everything, and its findings."""
    facts = snapshot(
        budget=budget(affinity=16, quota=2.5),
        libraries=(
            library("openblas", api="blas", owner="numpy", version="0.3.31", num_threads=16),
            library("libomp", owner="faiss", num_threads=None, initialized=False, would_use=16),
            library("libiomp5", owner="mkl", serves=True),
            library("libgomp", owner=None, path=EVIL, soname=EVIL, replaced=True),
            library("libomp", inode=8, num_threads=None, initialized=None),
        ),
        pools=(pool(16), pool(2)),
        environment=(setting("OMP_NUM_THREADS", "x<y>", python=None, at_exec="4"),),
        os_threads=(Thread(tid=1, name="py\nthon", state="S", cpu_s=1.234),),
        load=Load(
            interval_s=10.0,
            used_cpus=2.48,
            group_cpus=2.5,
            throttled_share=0.37,
            throttled_s=9.0,
            starved_share=0.74,
            pressure_share=0.125,
        ),
        limits=(Limit(spec="2", set_by="%omp_limit 2", undo="%omp_limit off"),),
        gaps=(Gap(what="throttling", why="no <file>", where="/sys/x"),),
        shown=frozenset({"cpus", "env", "threads"}),
    )
    return facts.with_findings(judge(facts))
