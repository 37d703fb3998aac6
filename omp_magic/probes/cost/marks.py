"""The clocks at the two ends of a stretch of code, with our own work left out."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

from ...facts.throttling import Throttling
from ...machine.python.own import children_cpu_s
from .ownthread import own_cpu_s


@dataclass(frozen=True, slots=True)
class Marks:
    """Clocks at one end of the stretch."""

    wall_s: float
    cpu_s: float
    thread_ns: int
    tid: int
    children_cpu_s: float | None
    at: float

    @classmethod
    def begin(cls) -> Marks:
        """Read them, the wall clock last: what the stretch is measured by."""
        tid, at, children = threading.get_native_id(), time.time(), children_cpu_s()
        own_s, cpu_s, thread_ns = own_cpu_s(), time.process_time(), time.thread_time_ns()
        return cls(time.perf_counter(), cpu_s - own_s, thread_ns, tid, children, at)

    @classmethod
    def end(cls) -> Marks:
        """Read them, the wall clock first."""
        wall_s, thread_ns, cpu_s = time.perf_counter(), time.thread_time_ns(), time.process_time()
        cpu_s -= own_cpu_s()
        children = children_cpu_s()
        return cls(wall_s, cpu_s, thread_ns, threading.get_native_id(), children, time.time())

    def children_since(self, begin: Marks) -> float | None:
        """Give the CPU time of children that were waited for since `begin`."""
        if self.children_cpu_s is None or begin.children_cpu_s is None:
            return None
        return self.children_cpu_s - begin.children_cpu_s


def most_throttled(
    before: dict[str, Throttling], after: dict[str, Throttling]
) -> tuple[float, int] | tuple[None, None]:
    """Give the time in s and the periods of the group that was throttled the longest."""
    found = [
        (
            (each.throttled_us - before[group].throttled_us) / 1e6,
            each.throttled_periods - before[group].throttled_periods,
        )
        for group, each in after.items()
        if group in before
    ]
    return max(found, default=(None, None))
