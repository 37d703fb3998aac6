"""The server of PyTorch and FAISS, for real: below gunicorn and pm2, before and after.

`make test-servers`: PyTorch is large, pm2 is npm's, and a hang is waited for.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from environments import KERNEL, environment, run_in
from live import CLEAN
from places import CACHE, ROOT
from quota_groups import one_quota
from reruns import measured, measures
from servers import CLIENTS, command_of
from serving import FOLDER, TEXTS, Server, free_port, started

EMBEDDING = (
    *KERNEL,
    "torch==2.13.0",
    "faiss-cpu",
    "flask",
    "gunicorn",
    "mkl",
    "mkl-service",
    "packaging",
)
PM2 = "pm2@6"
LAYER = {"MKL_THREADING_LAYER": "INTEL"}
pytestmark = [
    pytest.mark.skipif(
        not os.environ.get("SERVER_TESTS"), reason="make test-servers runs PyTorch's servers"
    ),
    pytest.mark.alone,
    pytest.mark.timeout(600),
]
two_cpus = pytest.mark.skipif(
    len(getattr(os, "sched_getaffinity", lambda _: ())(0)) < 2,
    reason="a pool needs two CPUs to have a thread of its own",
)


@pytest.fixture(scope="module")
def python() -> str:
    return environment("embedding", EMBEDDING)


@pytest.fixture
def half_a_cpu_alone() -> Iterator[str]:
    """A cgroup with half a CPU, without a parent's quota."""
    with one_quota(0.5, "embedding") as group:
        yield group


def gunicorn(python: str, *words: str) -> list[str]:
    return [str(Path(python).parent / "gunicorn"), "--config", "gunicorn_conf.py", *words]


def health(server: Server) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(server.ask("/health"))
    return found


@two_cpus
@measures
def test_half_a_cpu_serves_more_with_the_threads_that_run_gives(
    python: str, half_a_cpu_alone: str, tmp_path: Path
) -> None:
    found = {}
    for kind in ("careless", "run"):
        command = command_of(kind, python)
        with started(command, tmp_path / kind, group=half_a_cpu_alone) as server:
            server.wait()
            assert health(server)["cpus"] == 0.5
            pools = health(server)["pools"]
            found[kind] = server.load(4, CLIENTS, half_a_cpu_alone), pools
            master = Path(f"/proc/{server.process.pid}/cmdline").read_bytes()
        assert b"gunicorn" in master  # no parent stays
        text = (tmp_path / kind).read_text()
        assert "0.5 CPUs allowed" in text
        assert ("OMP205" in text) == (kind == "careless")
    (before, pools), (after, few) = found["careless"], found["run"]
    assert {name for name in pools if "libgomp" in name} == {
        "GNU libgomp (faiss-cpu)",
        "GNU libgomp (torch)",
    }
    assert {name: size for name, size in few.items() if "libgomp" in name} == {
        "GNU libgomp (torch)": 1
    }
    assert before.threads == 8
    assert after.threads == 2
    with measured():
        assert after.cpu_ms < before.cpu_ms  # what spins does not work


@two_cpus
def test_workers_of_a_master_that_has_computed_hang_and_its_log_says_so(
    python: str, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    with started(gunicorn(python, "--preload", "careless:app"), log) as server:
        until = time.monotonic() + 120
        while len(server.workers()) < 2 and time.monotonic() < until:
            time.sleep(0.1)
        with pytest.raises(OSError, match="timed out"):
            server.ask("/search", {"texts": TEXTS}, timeout_s=10)
        workers = server.workers()
        used = [time.clock_gettime((~pid << 3) | 2) for pid in workers]
        time.sleep(2)
        assert [time.clock_gettime((~pid << 3) | 2) for pid in workers] == used
    text = log.read_text()
    told = next(line for line in text.splitlines() if "OMP204" in line)
    assert told.startswith("WARNING:omp_magic:")
    assert "gunicorn without --preload" in told
    # The master's status alone: no worker came as far as its own.
    assert text.count("allowed (") == 1


def test_a_master_that_has_computed_nothing_may_be_forked(python: str, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with started(gunicorn(python, "--preload", "server:app"), log) as server:
        server.wait()
        assert len(json.loads(server.ask("/search", {"texts": TEXTS}))["documents"]) == len(TEXTS)
    assert server.process.returncode == 0
    assert log.read_text().count("allowed (") == 3


def test_the_order_that_is_found_is_the_one_that_lives(python: str, tmp_path: Path) -> None:
    words = ["torch", "faiss", "mkl", "--order", "--json"]
    code = (
        f"import sys; sys.argv[1:] = ['check', *{words}]\nimport omp_magic.cli.main as m; m.main()"
    )
    ended = run_in(python, code, timeout=300, **LAYER)
    told = json.loads(ended.out)
    assert "OMP104" in [each["code"] for each in told["findings"]]
    assert told["order"]["order"][0] == "mkl"
    with started(gunicorn(python, "rumour:app"), tmp_path / "rumour", env=LAYER) as server:
        # The master lives and starts worker after worker: nobody is told but by the log.
        until = time.monotonic() + 120
        while (text := server.log.read_text()).count("Booting worker") < 5:
            assert time.monotonic() < until, text
            time.sleep(0.5)
        assert server.process.poll() is None
        with pytest.raises(OSError, match="timed out"):
            server.ask("/health", timeout_s=2)
    assert "MKL_THREADING_LAYER=INTEL is incompatible with libgomp" in text
    assert "allowed (" not in text
    assert "Traceback" not in text
    with started(gunicorn(python, "ordered:app"), tmp_path / "ordered", env=LAYER) as server:
        server.wait()
        assert "Intel libiomp5 (intel-openmp)" in health(server)["pools"]


@pytest.fixture(scope="session")
def pm2() -> str:
    """npm's pm2, in a folder of its own."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("no npm: pm2 is installed by it")
    program = CACHE / "pm2" / "node_modules" / ".bin" / "pm2"
    if not program.exists():
        command = [npm, "install", "--silent", "--no-fund", "--no-audit", "--prefix"]
        command += [str(CACHE / "pm2"), PM2]
        ended = subprocess.run(command, check=False, capture_output=True, text=True, timeout=300)
        if ended.returncode:
            pytest.skip(f"pm2 cannot be installed here: {ended.stderr.strip()[-160:]}")
    return str(program)


class Pm2:
    """pm2 with a home of its own.

    Parameters
    ----------
    program
        pm2's own.
    home
        Where it keeps what it runs.
    env
        Variables for it and for what it starts.
    """

    def __init__(self, program: str, home: Path, env: dict[str, str]) -> None:
        self._program = program
        self._env = {**CLEAN, "PM2_HOME": str(home), "HOME": str(home), **env}

    def run(self, *words: str) -> str:
        ended = subprocess.run(
            [self._program, *words],
            check=True,
            capture_output=True,
            text=True,
            timeout=120,
            cwd=FOLDER,
            env=self._env,
        )
        return ended.stdout

    def state(self, name: str) -> dict[str, Any]:
        listed = json.loads(self.run("jlist").strip().splitlines()[-1])
        [found] = [each for each in listed if each["name"] == name]
        return {"pid": found["pid"], **found["pm2_env"]}


def test_pm2_starts_a_dying_server_again_and_again_and_the_cured_one_once(
    python: str, pm2: str, tmp_path: Path
) -> None:
    shims = tmp_path / "bin"
    shims.mkdir()
    command = shims / "omp-magic"
    command.write_text(f'#!/bin/sh\nexec {python} -m omp_magic "$@"\n')
    command.chmod(0o755)
    port = free_port()
    path = f"{shims}:{Path(python).parent}:{os.environ['PATH']}"
    env = {"PATH": path, "PYTHONPATH": str(ROOT), "PORT": str(port), "PYTHONUNBUFFERED": "1"}
    pm = Pm2(pm2, tmp_path / "pm2", env)
    try:
        pm.run("start", "ecosystem.config.js", "--only", "before")
        until = time.monotonic() + 180
        while (before := pm.state("before"))["restart_time"] < 3:
            assert time.monotonic() < until, before
            time.sleep(1)
        pm.run("stop", "before")
        said = Path(before["pm_err_log_path"]).read_text()
        said += Path(before["pm_out_log_path"]).read_text()
        assert "MKL_THREADING_LAYER=INTEL is incompatible with libgomp" in said
        pm.run("start", "ecosystem.config.js", "--only", "after")
        server = Server(_Lives(pm.state("after")["pid"]), port, tmp_path / "none")  # type: ignore[arg-type]
        server.wait()
        after = pm.state("after")
        assert [after["status"], after["restart_time"]] == ["online", 0]
        # What pm2 started is gunicorn's master: its signals and its exit code are the server's.
        assert b"gunicorn" in Path(f"/proc/{after['pid']}/cmdline").read_bytes()
        assert len(server.workers()) == 2
        threads = [len(os.listdir(f"/proc/{pid}/task")) for pid in server.workers()]
        largest = max(health(server)["pools"].values())
        assert largest == max(1, len(os.sched_getaffinity(0)) // 2)
        assert threads == [1, 1] or largest > 1
        pm.run("stop", "after")
        assert pm.state("after")["status"] == "stopped"
        assert not Path(f"/proc/{after['pid']}").exists()
    finally:
        pm.run("kill")


class _Lives:
    """As much of a process of pm2's as is asked."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def poll(self) -> int | None:
        return None if Path(f"/proc/{self.pid}").exists() else 1
