"""A server of examples/embedding_server: started in a cgroup, asked by clients, and ended."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import statistics
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from quota import enter_group

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "examples" / "embedding_server"
TEXTS = [f"text {number} of some words {number * 7}" for number in range(32)]
START_S = 120.0
_POOLS = re.compile(
    r"(OMP|GOMP|KMP|MKL|OPENBLAS|GOTO|BLIS|NUMEXPR)_|COLUMNS$|WEB_CONCURRENCY$|PORT$"
)


@dataclass(frozen=True)
class Figures:
    """What one server did under load.

    Parameters
    ----------
    per_s
        Requests answered a second.
    median_ms, p95_ms
        How long an answer took.
    cpu_ms
        CPU time of all workers for a request.
    threads
        OS threads of all workers.
    throttled
        Share of the quota's periods in which the group was stopped; None without one.
    """

    per_s: float
    median_ms: float
    p95_ms: float
    cpu_ms: float
    threads: int
    throttled: float | None


@contextlib.contextmanager
def started(
    command: Sequence[str],
    log: Path,
    *,
    group: str | None = None,
    env: Mapping[str, str] | None = None,
) -> Iterator[Server]:
    """Start a server, and end it as an operator does: SIGTERM, then all that is left.

    Parameters
    ----------
    command
        A program that serves on the port of the variable PORT.
    log
        What it writes goes here.
    group
        A cgroup for it; None for none.
    env
        Variables beside those of this process; of those that size pools none is inherited.
    """
    port = free_port()
    variables = {name: value for name, value in os.environ.items() if not _POOLS.match(name)}
    # gunicorn puts its control socket below the home folder.
    own = {"PYTHONPATH": str(ROOT), "HOME": str(log.parent), "PORT": str(port)}
    with log.open("w", encoding="utf-8") as written:
        process = subprocess.Popen(
            command,
            stdout=written,
            stderr=subprocess.STDOUT,
            cwd=FOLDER,
            env={**variables, **own, **(env or {})},
            start_new_session=True,
            preexec_fn=None if group is None else lambda: enter_group(group),  # noqa: PLW1509 - no thread of ours runs yet
        )
    server = Server(process, port, log)
    try:
        yield server
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=30)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def free_port() -> int:
    """Give a port that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class Server:
    """A server that runs.

    Parameters
    ----------
    process
        Its master.
    port
        Where it answers.
    log
        What it has written.
    """

    def __init__(self, process: subprocess.Popen[bytes], port: int, log: Path) -> None:
        self.process = process
        self.port = port
        self.log = log

    def ask(self, path: str, body: Any = None, timeout_s: float = 60) -> str:
        """Give an answer's text; raises OSError where none comes."""
        data = None if body is None else json.dumps(body).encode()
        kind = {"Content-Type": "application/json"}
        asked = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data, kind)
        with urllib.request.urlopen(asked, timeout=timeout_s) as answer:  # noqa: S310 - our own
            return str(answer.read().decode())

    def wait(self) -> None:
        """Wait until it answers; raises RuntimeError with its log where it ends before."""
        until = time.monotonic() + START_S
        while True:
            with contextlib.suppress(OSError):
                self.ask("/search", {"texts": TEXTS})
                return
            if self.process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(self.log.read_text("utf-8"))
            time.sleep(0.1)

    def workers(self) -> list[int]:
        """Give the pids of the workers: the master's children."""
        listed = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(pid) for pid in listed.read_text().split()]

    def load(self, seconds: float, clients: int, group: str | None = None) -> Figures:
        """Ask from several threads for some time."""
        took_s: list[float] = []
        until = time.perf_counter() + seconds

        def asks() -> None:
            while time.perf_counter() < until:
                began = time.perf_counter()
                self.ask("/search", {"texts": TEXTS})
                took_s.append(time.perf_counter() - began)

        threads = [threading.Thread(target=asks) for _ in range(clients)]
        began, cpu_s, periods = time.perf_counter(), self._cpu_s(), _periods(group)
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        wall_s, cpu_s = time.perf_counter() - began, self._cpu_s() - cpu_s
        later = _periods(group)
        whole = later[0] - periods[0]
        took_s.sort()
        return Figures(
            per_s=len(took_s) / wall_s,
            median_ms=statistics.median(took_s) * 1000,
            p95_ms=took_s[int(0.95 * (len(took_s) - 1))] * 1000,
            cpu_ms=cpu_s / len(took_s) * 1000,
            threads=sum(len(os.listdir(f"/proc/{pid}/task")) for pid in self.workers()),
            throttled=(later[1] - periods[1]) / whole if whole else None,
        )

    def _cpu_s(self) -> float:
        return sum(time.clock_gettime((~pid << 3) | 2) for pid in self.workers())


def _periods(group: str | None) -> tuple[int, int]:
    """Give a group's periods so far, and those in which it was throttled."""
    if group is None:
        return 0, 0
    lines = Path(f"{group}/cpu.stat").read_text().splitlines()
    counters = dict(line.split() for line in lines)
    return int(counters["nr_periods"]), int(counters["nr_throttled"])
