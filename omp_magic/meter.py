"""What a stretch of code cost: wall and CPU time, threads, memory, throttling.

Reads the kernel's view only, from a thread of its own; no library is asked anything.
"""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass

from .errors import ParseError
from .machine import Machine
from .probes.budget import probe_budget, probe_throttling
from .probes.threads import count_threads

_EVERY_S = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """The cost of a stretch of code.

    Parameters
    ----------
    wall_s, cpu_s
        Wall time, and CPU time of the whole process.
    allowed_cpus
        CPUs the process may use.
    threads_before, peak_threads
        OS threads at the start and at most; None when unknown. Sampled every 10 ms.
    peak_rss_bytes
        Largest resident memory; exact when the code set a new record for the process,
        sampled every 10 ms otherwise; None when unknown.
    throttled_s
        Time in which the cgroup was stopped, summed over CPUs; None when no quota is set.
    """

    wall_s: float
    cpu_s: float
    allowed_cpus: float
    threads_before: int | None
    peak_threads: int | None
    peak_rss_bytes: int | None
    throttled_s: float | None

    @property
    def busy_cpus(self) -> float:
        """CPUs that were busy on average."""
        return self.cpu_s / self.wall_s if self.wall_s > 0 else 0.0


class Meter:
    """Measures from `start` to `stop`.

    Parameters
    ----------
    machine
        The machine to read.
    """

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._stop = threading.Event()
        self._sampler = threading.Thread(target=self._sample, name="omp_magic meter", daemon=True)
        self._peak_threads = 0
        self._peak_rss_bytes = 0

    def start(self) -> None:
        """Begin to measure."""
        self._budget = probe_budget(self._machine)
        self._throttled_us = self._throttled()
        self._threads_before = self._threads()
        self._record_bytes = self._high_water_bytes()
        self._sampler.start()
        self._cpu_s = time.process_time()
        self._wall_s = time.perf_counter()

    def stop(self) -> Usage:
        """End and give what was measured."""
        wall_s = time.perf_counter() - self._wall_s
        cpu_s = time.process_time() - self._cpu_s
        self._look()
        self._stop.set()
        self._sampler.join()
        throttled_us = self._throttled()
        record_bytes = self._high_water_bytes()
        peak_rss_bytes = self._peak_rss_bytes
        if record_bytes is not None and self._record_bytes is not None:
            # VmHWM only grows: when it grew, the record was set here. Resetting it
            # (/proc/self/clear_refs) would be exact always, and would spoil it for others.
            peak_rss_bytes = record_bytes if record_bytes > self._record_bytes else peak_rss_bytes
        return Usage(
            wall_s=wall_s,
            cpu_s=cpu_s,
            allowed_cpus=self._budget.cpus,
            threads_before=self._threads_before,
            peak_threads=self._peak_threads or None,
            peak_rss_bytes=peak_rss_bytes or None,
            throttled_s=(
                (throttled_us - self._throttled_us) / 1e6
                if throttled_us is not None and self._throttled_us is not None
                else None
            ),
        )

    def _sample(self) -> None:
        while not self._stop.wait(_EVERY_S):
            self._look()

    def _look(self) -> None:
        threads = self._threads()
        if threads is not None:
            self._peak_threads = max(self._peak_threads, threads - 1)  # not the sampler
        self._peak_rss_bytes = max(self._peak_rss_bytes, self._rss_bytes() or 0)

    def _threads(self) -> int | None:
        try:
            return count_threads(self._machine)
        except (OSError, ParseError):
            return None

    def _rss_bytes(self) -> int | None:
        if not self._machine.linux:
            import psutil  # noqa: PLC0415 - 6 ms that Linux never pays

            return int(psutil.Process().memory_info().rss)
        try:
            pages = self._machine.read("/proc/self/statm").split()[1]
            return int(pages) * os.sysconf("SC_PAGE_SIZE")
        except (OSError, ValueError, IndexError):
            return None

    def _high_water_bytes(self) -> int | None:
        try:
            status = self._machine.read("/proc/self/status")
            return int(status.split("VmHWM:", 1)[1].split(None, 1)[0]) * 1024
        except (OSError, ValueError, IndexError):
            return None

    def _throttled(self) -> int | None:
        counters = probe_throttling(self._machine, self._budget)
        return max((each.throttled_us for each in counters), default=None)
