"""How many workers a real cgroup's memory limit is enough for."""

from __future__ import annotations

import os
from typing import Any

import pytest
from live import LINUX
from quota import write
from quota_groups import inside, plain_groups

pytestmark = pytest.mark.skipif(not LINUX, reason="cgroups")

LIMIT_BYTES = 2 << 30
FILL = 200_000_000
"""What each worker fills."""

PROGRAM = f"""
import json, multiprocessing, omp_magic

def fill(_):
    import time
    import numpy  # a worker is a child with a runtime
    kept = numpy.ones({FILL}, "u1")
    ready.wait()
    time.sleep(600)

def told(plan):
    memory = plan.memory
    return [memory.each_bytes, memory.told_by, memory.fits, memory.bound.where, str(plan)]

asked = told(omp_magic.plan(workers=64, memory="400MB"))
context = multiprocessing.get_context("fork")
ready = context.Barrier(3)
children = [context.Process(target=fill, args=(n,), daemon=True) for n in range(2)]
for child in children:
    child.start()
ready.wait(60)
measured = told(omp_magic.plan(workers=64))
for child in children:
    child.kill()
    child.join()
print(json.dumps([asked, measured]))
"""


def test_a_plan_counts_by_the_group_and_by_the_workers_in_it() -> None:
    with plain_groups("memory") as (group,):
        for name in ("memory.limit_in_bytes", "memory.max"):
            if os.path.exists(f"{group}/{name}"):
                write(f"{group}/{name}", str(LIMIT_BYTES))
        found: Any = inside(group, PROGRAM)
    asked, measured = found
    each_bytes, told_by, fits, where, text = asked
    # The interpreter itself uses some tens of MB of the 2147.
    assert (each_bytes, told_by, fits) == (400_000_000, "asked", 5)
    assert where.endswith(os.path.basename(group))
    assert text.startswith("✖ 64 workers of 400 MB need more than the ")
    assert where in " ".join(text.split())
    each_bytes, told_by, fits, where, text = measured
    assert told_by == "PSS"
    assert FILL < each_bytes < FILL + 100_000_000
    # Two live in some 450 MB, and 1700 MB are left for more.
    assert LIMIT_BYTES // each_bytes - 1 <= fits <= LIMIT_BYTES // each_bytes
    assert "of the largest of 2 that live" in " ".join(text.split())
