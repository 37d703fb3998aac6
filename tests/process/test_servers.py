"""The examples as real servers: Flask below gunicorn, FastAPI below uvicorn, and their clients."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from environments import SERVERS, environment, values_in
from live import CLEAN, LINUX
from places import ROOT
from prometheus_client.parser import text_string_to_metric_families

EXAMPLES = ROOT / "examples"
pytestmark = pytest.mark.skipif(not LINUX, reason="gunicorn forks, /proc is read: Linux only")


@pytest.fixture(scope="module")
def python() -> str:
    return environment("servers", SERVERS)


CLIENT = """
import json, logging, sys
sys.path.insert(0, sys.argv[1])
kept = []
class Kept(logging.Handler):
    def emit(self, record): kept.append((record.name, record.levelname, record.getMessage()))
logging.basicConfig(level="DEBUG", handlers=[Kept()])
"""
IN_FLASK = f"""{CLIENT}
import flask_app
client = flask_app.app.test_client()
answer = client.post("/embed", json={{"rows": [[1.0] * 256] * 3}})
text = client.get("/metrics")
print(json.dumps({{"rows": answer.get_json()["rows"], "text": text.get_data(as_text=True),
                  "type": text.content_type, "log": kept}}))
"""
IN_FASTAPI = f"""{CLIENT}
from fastapi.testclient import TestClient
import fastapi_app
with TestClient(fastapi_app.app) as client:
    answer = client.post("/embed", json={{"rows": [[1.0] * 256] * 3}})
    text = client.get("/metrics")
print(json.dumps({{"rows": answer.json()["rows"], "text": text.text,
                  "type": text.headers["content-type"], "log": kept}}))
"""


def samples(text: str) -> dict[str, list[tuple[dict[str, str], float]]]:
    found: dict[str, list[tuple[dict[str, str], float]]] = {}
    for family in text_string_to_metric_families(text):
        for each in family.samples:
            found.setdefault(each.name, []).append((dict(each.labels), each.value))
    return found


@pytest.mark.parametrize(
    ("code", "logger"), [(IN_FLASK, "flask_app"), (IN_FASTAPI, "uvicorn.error")]
)
def test_an_example_answers_logs_and_is_measured(python: str, code: str, logger: str) -> None:
    found = values_in(python, code, str(EXAMPLES), PYTHONWARNINGS="error:::omp_magic")
    assert len(found["rows"]) == 3
    assert sum(each * each for each in found["rows"][0]) == pytest.approx(1, abs=1e-3)
    assert found["type"].startswith("text/plain; version=0.0.4")
    assert samples(found["text"])["omp_magic_threads"]
    log = [tuple(each) for each in found["log"]]
    ours = [text for name, _, text in log if name == "omp_magic"]
    assert any("section embedding #" in text and "ended after" in text for text in ours)
    assert any("in request #1 begins" in text for text in ours) == (logger == "uvicorn.error")
    told = [text for name, _, text in log if name == logger]
    assert "allowed (" in told[0]
    assert "OpenBLAS" in told[1]


@contextmanager
def serving(
    command: list[str], port: int, log: Path, **env: str
) -> Iterator[subprocess.Popen[str]]:
    """Run a server until it answers, and end it as an operator does."""
    variables = {
        **CLEAN,
        "PYTHONPATH": f"{ROOT}:{EXAMPLES}",
        "HOME": str(log.parent),
        "PYTHONUNBUFFERED": "1",
        **env,
    }
    with log.open("w") as written:
        process = subprocess.Popen(
            command,
            stdout=written,
            stderr=subprocess.STDOUT,
            text=True,
            env=variables,
            cwd=log.parent,
            start_new_session=True,
        )
    try:
        until = time.monotonic() + 60
        while True:
            with contextlib.suppress(urllib.error.URLError, ConnectionError):
                fetched(port, "/metrics")
                break
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < until, log.read_text()
            time.sleep(0.05)
        yield process
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def fetched(port: int, path: str, body: Any = None) -> str:
    data = None if body is None else json.dumps(body).encode()
    kind = {"Content-Type": "application/json"}
    asked = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data, kind)
    with urllib.request.urlopen(asked, timeout=60) as answer:
        return str(answer.read().decode())


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def test_workers_of_a_preloaded_server_tell_of_themselves(python: str, tmp_path: Path) -> None:
    """The state of before the fork, log_status at import, is in none of them."""
    port, log = free_port(), tmp_path / "log"
    command = [str(Path(python).parent / "gunicorn"), "--preload", "--workers", "2"]
    command += ["--bind", f"127.0.0.1:{port}", "--no-control-socket", "flask_app:app"]
    env = {"LOG_LEVEL": "DEBUG", "OPENBLAS_NUM_THREADS": "2", "PYTHONWARNINGS": "error"}
    with serving(command, port, log, **env) as process:
        seen: dict[str, dict[str, list[tuple[dict[str, str], float]]]] = {}
        until = time.monotonic() + 60
        while len(seen) < 2 and time.monotonic() < until:
            fetched(port, "/embed", {"rows": [[1.0] * 256]})
            every = samples(fetched(port, "/metrics"))
            seen[every["omp_magic_threads"][0][0]["worker"]] = every
        assert len(seen) == 2
        assert str(process.pid) not in seen
        for pid, every in seen.items():
            status = Path(f"/proc/{pid}/status").read_text()
            threads = next(line for line in status.splitlines() if line.startswith("Threads:"))
            [(_, counted)] = every["omp_magic_threads"]
            assert counted == int(threads.split()[1])
            assert dict(every["omp_magic_resident_memory_bytes"][0][0]) == {"worker": pid}
    text = log.read_text()
    assert process.returncode == 0, text
    assert "Traceback" not in text
    assert "Error" not in text
    # Once, by the master that has preloaded it.
    assert text.count("allowed (") == 1
    assert f"pid {process.pid}, Python" in text
    assert "section embedding #1 ended after" in text


def test_uvicorn_serves_the_sections_of_its_tasks_and_threads(python: str, tmp_path: Path) -> None:
    port, log = free_port(), tmp_path / "log"
    command = [python, "-W", "error", "-m", "uvicorn", "fastapi_app:app", "--port", str(port)]
    with serving(command, port, log, LOG_LEVEL="DEBUG") as process:
        answer = json.loads(fetched(port, "/embed", {"rows": [[1.0] * 256] * 2}))
        assert len(answer["rows"]) == 2
        every = samples(fetched(port, "/metrics"))
        owners = {labels["owner"] for labels, _ in every["omp_magic_owner_threads"]}
        assert "Python" in owners
    text = log.read_text()
    assert process.returncode in (0, -signal.SIGTERM), text  # since 0.29 it ends by the signal
    assert "Traceback" not in text
    assert "section embedding #2 in request #1 ended after" in text
    assert "CPUs allowed" in text or "CPU allowed" in text
