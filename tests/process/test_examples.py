"""examples/server: each file is read by its own tool, all start alike, and the server runs."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import shutil
import signal
import socket
import struct
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from environments import SERVERS, environment, values_in
from live import CLEAN, LINUX
from places import ROOT
from readingfiles import read_by_node, read_by_python, verified

import omp_magic

FOLDER = ROOT / "examples" / "server"
OPT = "/opt/env/bin/"
VARIABLES = {"OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2"}
"""Of 4 CPUs and 2 workers, for NumPy."""
RUN = ["omp-magic", "run", "--workers", "2", "--"]
SERVER = ["gunicorn", "--workers", "2", "--bind", "HOST:8000", "wsgi:app"]
WANTED = {"counted": ([*RUN, *SERVER], {}), "fixed": (SERVER, VARIABLES)}

READ = """
def every(name):
    with open(f"{folder}/{name}", encoding="utf-8") as file:
        return list(yaml.safe_load_all(file))

def words_of(each, *names):
    return [word for name in names for word in each.get(name, [])]

found = {}
for kind in ("counted", "fixed"):
    docker = DockerfileParser(path=f"{folder}/{kind}/Dockerfile")
    lines = {each["instruction"]: each["value"] for each in docker.structure}
    words = [word for name in ("ENTRYPOINT", "CMD") for word in json.loads(lines.get(name, "[]"))]
    image = {"words": words, "env": dict(docker.envs), "copied": lines["COPY"].split()[:-1]}
    service = loaded(f"{kind}/compose.yaml")
    jsonschema.validate(service, schema("compose-spec"))
    app = service["services"]["app"]
    if kind == "fixed":
        added = loaded("fixed/compose.override.yaml")
        jsonschema.validate(added, schema("compose-spec"))
        assert not set(app) & set(added["services"]["app"])
        app |= added["services"]["app"]
    compose = {"words": words_of(app, "entrypoint", "command"), "env": app.get("environment", {})}
    compose.update(cpus=app["cpus"], dockerfile=app["build"]["dockerfile"])
    manifests = every(f"{kind}/kubernetes.yaml")
    for each in manifests:
        kubernetes_validate.validate(each, "1.31", strict=True)
    [container] = manifests[0]["spec"]["template"]["spec"]["containers"]
    maps = {each["metadata"]["name"]: each["data"] for each in manifests[1:]}
    taken = [maps[each["configMapRef"]["name"]] for each in container.get("envFrom", [])]
    pod = {"words": words_of(container, "command", "args")}
    pod["cpus"] = container["resources"]["limits"]["cpu"]
    pod["env"] = {name: value for each in taken for name, value in each.items()}
    workflow = loaded(f"{kind}/workflow.yml")
    workflow["on"] = workflow.pop(True)  # GitHub reads YAML 1.2, where on is a word
    jsonschema.validate(workflow, schema("github-workflows"))
    [job] = workflow["jobs"].values()
    github = {"last": job["steps"][-1]["run"], "env": workflow.get("env", {})}
    found[kind] = {"docker": image, "compose": compose, "kubernetes": pod, "github": github}
found["dotenv"] = dict(dotenv.dotenv_values(f"{folder}/fixed/small-server.env"))
print(json.dumps(found))
"""


def plain(words: list[str]) -> list[str]:
    """Give a command as it is alike in all files."""
    local = [word.removeprefix(OPT).replace("127.0.0.1:", "HOST:") for word in words]
    return [word.replace("0.0.0.0:", "HOST:") for word in local]


def test_schemas_and_parsers_of_python_read_them() -> None:
    found = read_by_python(READ, FOLDER)
    assert found.pop("dotenv") == VARIABLES
    for kind, tools in found.items():
        words, variables = WANTED[kind]
        assert {tool: each["env"] for tool, each in tools.items()} == dict.fromkeys(
            tools, variables
        )
        for tool in ("docker", "compose", "kubernetes"):
            assert plain(tools[tool]["words"]) == words, (kind, tool)
        assert all((FOLDER / name).is_file() for name in tools["docker"]["copied"])
        assert tools["compose"]["dockerfile"] == f"{kind}/Dockerfile"
        assert (tools["compose"]["cpus"], tools["kubernetes"]["cpus"]) == (4, "4")
        tests = ["python", "-m", "pytest", "--numprocesses", "2"]
        assert shlex.split(tools["github"]["last"]) == [*words[: -len(SERVER)], *tests]


@pytest.mark.parametrize("kind", WANTED)
def test_node_reads_pm2s_files(kind: str) -> None:
    (app,) = read_by_node(FOLDER / kind / "ecosystem.config.js")["apps"]
    words, variables = WANTED[kind]
    assert plain([app["script"], *app["args"].split()]) == words
    assert app.get("env", {}) == variables
    assert app["interpreter"] == "none"
    assert (Path(app["cwd"]) / "wsgi.py").is_file()


@pytest.mark.parametrize("kind", WANTED)
def test_systemd_reads_the_units(kind: str, tmp_path: Path) -> None:
    for name in ("omp-magic", "gunicorn"):
        shutil.copy("/bin/true", tmp_path / name)
    unit = at(tmp_path, kind)
    ended = verified(unit)
    assert ended.returncode == 0, ended.stderr
    # What it does not understand it tells with the line.
    assert not re.search(r"(small-server\.service|omp-magic\.conf):\d+:", ended.stderr)
    dumped = [line.strip() for line in ended.stdout.splitlines()]
    given = [line[13:] for line in dumped if line.startswith("Environment: ")]
    words, variables = WANTED[kind]
    assert given[1:] == [f"{name}={value}" for name, value in variables.items()]
    [command] = [
        line[14:] for line in dumped if line.startswith("Command Line: ") and "-s HUP" not in line
    ]
    assert plain([word.removeprefix(f"{tmp_path}/") for word in shlex.split(command)]) == words


def at(folder: Path, kind: str) -> Path:
    """Give a copy of a unit, with its drop-ins, whose programs are in that folder."""
    shutil.copytree(FOLDER / kind, folder / kind)
    unit = folder / kind / "small-server.service"
    unit.write_text(unit.read_text("utf-8").replace(OPT, f"{folder}/"), "utf-8")
    return unit


@pytest.fixture
def bin_folder(tmp_path: Path) -> Path:
    """gunicorn of an environment of its own, and this omp-magic, run by that environment."""
    if not LINUX:
        pytest.skip("gunicorn forks, /proc is read: Linux only")
    python = environment("servers", SERVERS)
    found = tmp_path / "bin"
    found.mkdir()
    (found / "gunicorn").symlink_to(Path(python).parent / "gunicorn")
    (found / "omp-magic").write_text(f'#!/bin/sh\nexec {python} -m omp_magic "$@"\n')
    (found / "omp-magic").chmod(0o755)
    return found


@pytest.mark.skipif(not LINUX, reason="NumPy's wheels for other systems have other libraries")
def test_the_tool_finds_there_what_is_written() -> None:
    """examples/write.py names the packages; here they are looked for."""
    code = (
        "import json, omp_magic; print(json.dumps(str(omp_magic.environment('dotenv', workers=2))))"
    )
    found = values_in(environment("servers", SERVERS), code).splitlines()
    written = (FOLDER / "fixed" / "small-server.env").read_text("utf-8").splitlines()
    assert [each.partition("=")[0] for each in found[1:]] == [
        each.partition("=")[0] for each in written[1:]
    ]


@contextlib.contextmanager
def started(command: list[str], folder: Path, **env: str) -> Iterator[subprocess.Popen[str]]:
    """Run a server, and end it as an operator does."""
    variables = {**CLEAN, "PYTHONPATH": str(ROOT), "HOME": str(folder), **env}
    process = subprocess.Popen(
        command, env=variables, cwd=FOLDER, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    try:
        yield process
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=60)
        assert process.returncode == 0, out
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def workers_of(process: subprocess.Popen[str], port: int) -> set[int]:
    """Give the workers, both of which have answered."""
    found: set[int] = set()
    until = time.monotonic() + 60
    while len(found) < 2:
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < until, found
        with contextlib.suppress(urllib.error.URLError, ConnectionError):
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=30) as answer:
                found.add(json.loads(answer.read())["worker"])
            continue
        time.sleep(0.05)
    return found


def seen_of(pid: int) -> tuple[int, dict[str, Any]]:
    """Give a process's threads and its variables, as the system tells them."""
    environ = Path(f"/proc/{pid}/environ").read_text("utf-8").split("\0")
    variables = dict(each.split("=", 1) for each in environ if "=" in each)
    return len(os.listdir(f"/proc/{pid}/task")), {name: variables.get(name) for name in VARIABLES}


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def test_the_counted_unit_starts_the_server_and_systemd_hears_it(
    bin_folder: Path, tmp_path: Path
) -> None:
    """What is told to systemd comes from the main process, as NotifyAccess=main wants it."""
    port = free_port()
    lines = at(bin_folder, "counted").read_text("utf-8").splitlines()
    [line] = [each for each in lines if each.startswith("ExecStart=")]
    command = shlex.split(line.partition("=")[2].replace(":8000", f":{port}"))
    address = f"omp-magic-example-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        systemd.bind(f"\0{address}")
        systemd.settimeout(60)
        with started(command, tmp_path, NOTIFY_SOCKET=f"@{address}") as process:
            said, [(_, _, sender)], _, _ = systemd.recvmsg(1000, socket.CMSG_SPACE(12))
            assert b"READY=1" in said
            assert struct.unpack("3i", sender)[0] == process.pid
            seen = [seen_of(pid) for pid in workers_of(process, port)]
    threads = max(1, omp_magic.snapshot().budget.threads // 2)
    assert seen == [(threads, dict.fromkeys(VARIABLES, str(threads)))] * 2


def test_the_fixed_script_starts_the_server(bin_folder: Path, tmp_path: Path) -> None:
    port = free_port()
    shutil.copytree(FOLDER, tmp_path / "server")
    script = tmp_path / "server" / "fixed" / "start.sh"
    script.write_text(script.read_text("utf-8").replace(":8000", f":{port}"), "utf-8")
    path = f"{bin_folder}:{os.environ['PATH']}"
    with started([str(script)], tmp_path, PATH=path) as process:
        seen = [seen_of(pid) for pid in workers_of(process, port)]
    # OpenBLAS starts no more than CPUs (its memory.c, blas_get_cpu_number).
    threads = min(2, len(os.sched_getaffinity(0)))
    assert seen == [(threads, VARIABLES)] * 2
