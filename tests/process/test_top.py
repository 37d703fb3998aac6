"""`omp-magic top`: real kernels, a server that answers as Jupyter's does, a terminal."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.manager import KernelManager
from live import CLEAN, LINUX

from omp_magic.facts.kernels import Kernel, Kernels
from omp_magic.outside.kernels import KernelWatch, ordered
from omp_magic.outside.servers import servers

pytestmark = pytest.mark.skipif(not LINUX, reason="what is read of another process is Linux'")
TOKEN = "s3cret-of-a-server"


@contextlib.contextmanager
def kernel(runtime: Path, name: str = "kernel-") -> Iterator[KernelManager]:
    """Start a real kernel whose connection file lies in a folder of the test's own."""
    manager = KernelManager(kernel_name="python3")
    manager.transport = "ipc"
    manager.connection_file = str(runtime / f"{name}{uuid.uuid4()}.json")
    manager.ip = str(runtime / "s")
    manager.start_kernel(env={**CLEAN, "OPENBLAS_NUM_THREADS": "2"})
    try:
        client = manager.client()
        client.start_channels()
        client.wait_for_ready(timeout=60)
        client.execute_interactive("import numpy", timeout=60, output_hook=lambda _: None)
        client.stop_channels()
        yield manager
    finally:
        manager.shutdown_kernel(now=True)
        manager.cleanup_resources()


def id_of(manager: KernelManager) -> str:
    return Path(manager.connection_file).stem.removeprefix("kernel-")


def pid_of(manager: KernelManager) -> int:
    return int(getattr(manager.provisioner, "pid"))  # noqa: B009 - of local kernels alone


@contextlib.contextmanager
def server(
    runtime: Path, answer: Callable[[], tuple[int, bytes, dict[str, str]]], **facts: Any
) -> Iterator[list[tuple[str, str | None]]]:
    """Answer `/api/sessions` as jupyter_server documents it; give what was asked for and told."""
    asked: list[tuple[str, str | None]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append((self.path, self.headers["Authorization"]))
            status, body, headers = answer()
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    made = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    url = f"http://127.0.0.1:{made.server_port}/base/"
    file = runtime / f"jpserver-{made.server_port}.json"
    file.write_text(json.dumps({"url": url, "pid": os.getpid(), "token": TOKEN, **facts}))
    try:
        yield asked
    finally:
        file.unlink()
        made.shutdown()
        thread.join()
        made.server_close()


def session(kernel_id: str, path: str) -> dict[str, Any]:
    """Give one as jupyter_server 2 does (services/sessions/sessionmanager.py, row_to_model)."""
    state = {"id": kernel_id, "name": "python3", "execution_state": "idle", "connections": 1}
    return {"id": "1", "path": path, "name": path, "type": "notebook", "kernel": state}


def mine(found: Kernels, manager: KernelManager) -> Kernel:
    (row,) = (each for each in found.kernels if each.pid == pid_of(manager))
    return row


def test_kernels_by_notebook_their_cpus_and_one_that_dies(tmp_path: Path) -> None:
    with contextlib.ExitStack() as stack:
        # The second as jupyter_client calls a kernel's file where no server starts it.
        first, second = (stack.enter_context(kernel(tmp_path, n)) for n in ("kernel-", "tmp"))
        rows = [session(id_of(first), "deep/\x1b[31mtrain.ipynb")]
        asked = stack.enter_context(server(tmp_path, lambda: (200, json.dumps(rows).encode(), {})))
        watch = KernelWatch(folder=str(tmp_path))
        found = watch.look()
        assert found.interval_s is None
        assert found.gaps == ()
        assert asked == [("/base/api/sessions", f"token {TOKEN}")]
        named, unnamed = mine(found, first), mine(found, second)
        assert (named.name, named.kind, named.state) == (rows[0]["path"], "notebook", "idle")
        assert unnamed.name == f"kernel {id_of(second)[:8]} in {os.getcwd()}"
        assert (named.cpus, named.allowed_cpus) == (None, len(os.sched_getaffinity(0)))
        assert named.num_threads == len(os.listdir(f"/proc/{named.pid}/task"))
        assert [each.partition(" ")[0] for each in named.runtimes] == ["OpenBLAS"]
        assert named.program.endswith(" -m ipykernel_launcher")

        client = first.client()
        client.start_channels()
        client.wait_for_ready(timeout=60)
        client.execute("while True: pass")
        deadline = time.monotonic() + 60
        while (mine(found, first).cpus or 0) < 0.2 and time.monotonic() < deadline:
            time.sleep(0.2)
            found = watch.look()
        found = ordered(found, "cpu")
        busy, idle = (
            next(e.cpus for e in found.kernels if e.pid == pid_of(m)) for m in (first, second)
        )
        assert (busy or 0) > (idle or 0)
        assert len(asked) == 1, "servers are asked every few seconds, not at each look"
        client.stop_channels()

        os.kill(pid_of(first), signal.SIGKILL)
        os.waitid(os.P_PID, pid_of(first), os.WEXITED | os.WNOWAIT)  # it stays a zombie
        left = watch.look()
        assert pid_of(first) not in {each.pid for each in left.kernels}
        assert pid_of(second) in {each.pid for each in left.kernels}
        assert left.gaps == ()

        def command(*words: str) -> str:
            made = [sys.executable, "-m", "omp_magic", "top", *words]
            env = {**CLEAN, "JUPYTER_RUNTIME_DIR": str(tmp_path), "COLUMNS": "140"}
            rows[0] = session(id_of(second), "deep/\x1b[31mtrain.ipynb")
            ended = subprocess.run(
                made, check=False, capture_output=True, text=True, timeout=120, env=env
            )
            assert ended.returncode in (0, 1), ended.stderr
            assert TOKEN not in ended.stdout + ended.stderr
            return ended.stdout

        table = command()
        line = next(each for each in table.split("\n") if f" {pid_of(second)} " in each)
        assert line.startswith(r"  deep/\x1b[31mtrain.ipynb ")
        told = json.loads(command("--json"))
        assert (told["schema"], told["every"]) == (1, False)
        (row,) = (each for each in told["kernels"] if each["pid"] == pid_of(second))
        assert row["cpus"] is not None
        assert 0.4 < told["interval_s"] < 30


def test_a_child_that_goes_on_with_a_kernels_command_line_is_no_kernel(tmp_path: Path) -> None:
    """What multiprocessing forks has the words of the kernel; a wrapper waits for it."""
    code = (
        "import os, sys, time\n"
        "child = os.fork()\n"
        "if not child: time.sleep(60)\n"
        "print(child, flush=True); sys.stdin.read(); os.kill(child, 9); os.wait()"
    )
    words = [sys.executable, "-c", code, "-f", str(tmp_path / "kernel-ab12.json")]
    wrapper = ["sh", "-c", '"$@"; true', "sh", *words]
    process = subprocess.Popen(
        wrapper, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=CLEAN
    )
    try:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        found = KernelWatch(folder=str(tmp_path)).look()
        (row,) = (each for each in found.kernels if each.kernel_id == "ab12")
        assert row.pid not in (child, process.pid)
        assert f"PPid:\t{row.pid}\n" in Path(f"/proc/{child}/status").read_text("utf-8")
    finally:
        process.communicate("")


def test_a_kernel_that_becomes_another_program_is_read_anew(tmp_path: Path) -> None:
    """`omp-magic run` and a shell's exec keep the number: nothing that was known holds."""
    code = (
        "import os, sys\n"
        "print('up', flush=True); sys.stdin.readline()\n"
        "code = 'import numpy, sys; print(1, flush=True); sys.stdin.read()'\n"
        "os.execv(sys.executable, [sys.executable, '-c', code, *sys.argv[1:]])"
    )
    words = [sys.executable, "-c", code, "-f", str(tmp_path / "kernel-ab12.json")]
    process = subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=CLEAN
    )
    try:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()
        watch = KernelWatch(folder=str(tmp_path))
        assert [each.runtimes for each in watch.look().kernels if each.pid == process.pid] == [()]
        process.stdin.write("\n")
        process.stdin.flush()
        process.stdout.readline()
        (row,) = (each for each in watch.look().kernels if each.pid == process.pid)
        assert [each.partition(" ")[0] for each in row.runtimes] == ["OpenBLAS"]
        facts = watch._known[process.pid].facts
        assert facts is not None
        assert [gap.what for gap in facts.gaps] == ["what the process alone knows"]
        assert facts.notebook
    finally:
        process.kill()
        process.communicate()


def _listening() -> tuple[socket.socket, int]:
    taken = socket.create_server(("127.0.0.1", 0))
    return taken, taken.getsockname()[1]


@pytest.mark.parametrize(
    ("status", "body", "why"),
    [
        (403, b"", "it refuses the token of its file"),
        (500, b"", "it answered with status 500"),
        (302, b"", "it answered with status 302"),
        (200, b"<html>", "expected a JSON list"),
    ],
)
def test_a_server_that_does_not_tell_is_a_gap(
    tmp_path: Path, status: int, body: bytes, why: str
) -> None:
    away = {"Location": "http://127.0.0.1:9/elsewhere"}
    with server(tmp_path, lambda: (status, body, away)) as asked:
        (gap,) = KernelWatch(folder=str(tmp_path)).look().gaps
    assert why in gap.why
    assert TOKEN not in str(gap)
    assert len(asked) == 1, "no redirection is followed with a token"


def test_the_token_goes_to_this_machine_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken, port = _listening()
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{port}")
    urls = {
        "http://example.org/": "names another machine",
        "http+unix://socket/": "answers by http+unix",
        "http://127.0.0.1:9/": "does not answer",
    }
    try:
        for number, url in enumerate(urls):
            text = json.dumps({"url": url, "pid": os.getpid(), "token": TOKEN})
            (tmp_path / f"jpserver-{number}.json").write_text(text)
        (tmp_path / "nbserver-7.json").write_text("no JSON")
        gaps = KernelWatch(folder=str(tmp_path)).look().gaps
        taken.settimeout(0.2)
        with pytest.raises(TimeoutError):
            taken.accept()  # nobody has come by the proxy
    finally:
        taken.close()
    told = {gap.what: gap.why for gap in gaps}
    for url, why in urls.items():
        assert why in told[f"notebooks of the server at {url}"]
    assert "a JSON object" in told["server of nbserver-7.json"]
    assert TOKEN not in str(gaps) + str(servers([], str(tmp_path)))
    assert servers([], str(tmp_path / "nothing")) == ()


def test_servers_that_hang_hold_up_nobody(tmp_path: Path) -> None:
    """Neither one that says nothing, nor one that sends a byte now and then, nor its dead file."""
    gone = subprocess.Popen(["true"])
    gone.wait()
    text = json.dumps({"url": "http://127.0.0.1:9/", "pid": gone.pid, "token": TOKEN})
    (tmp_path / "jpserver-9.json").write_text(text)
    end, before = threading.Event(), set(threading.enumerate())

    def drips(taken: socket.socket) -> None:
        with contextlib.suppress(OSError):
            other, _ = taken.accept()
            with other:
                other.sendall(b"HTTP/1.1 200 OK\r\n")
                while not end.wait(0.1):
                    other.sendall(b"x")

    with contextlib.ExitStack() as stack:
        ports = []
        for number in range(20):
            taken, port = _listening()
            stack.enter_context(taken)
            ports.append(port)
            url = f"http://127.0.0.1:{port}/"
            text = json.dumps({"url": url, "pid": os.getpid(), "token": TOKEN})
            (tmp_path / f"jpserver-{port}.json").write_text(text)
            if number == 0:
                threading.Thread(target=drips, args=(taken,), daemon=True).start()
        stack.callback(end.set)
        rows = [session("12ab", "a.ipynb")]
        stack.enter_context(server(tmp_path, lambda: (200, json.dumps(rows).encode(), {})))
        watch = KernelWatch(folder=str(tmp_path))
        # Asked one after the other they would take 20 s, and the first one for ever.
        asking = threading.Thread(target=watch.look, daemon=True)
        asking.start()
        asking.join(15)
        assert not asking.is_alive()
    for thread in set(threading.enumerate()) - before:
        thread.join(60)
    gaps = {gap.what: gap.why for gap in watch._asked}
    assert gaps.keys() == {f"notebooks of the server at http://127.0.0.1:{p}/" for p in ports}
    assert {why.partition(":")[0] for why in gaps.values()} <= {
        "it does not answer",
        "it does not answer within 1 s",
    }
    assert watch._sessions["12ab"].path == "a.ipynb"


def test_all_processes_with_a_runtime(tmp_path: Path) -> None:
    code = "import numpy, sys; print('up', flush=True); sys.stdin.read()"
    with_numpy, without = (
        subprocess.Popen(
            [sys.executable, "-c", each],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=CLEAN,
        )
        for each in (code, code.replace("numpy, ", ""))
    )
    try:
        for each in (with_numpy, without):
            assert each.stdout is not None
            each.stdout.readline()
        found = KernelWatch(every=True, folder=str(tmp_path)).look()
        pids = {each.pid: each for each in found.kernels}
        assert without.pid not in pids
        assert pids[with_numpy.pid].name == f"{os.path.basename(sys.executable)} -c …"
        assert os.getpid() not in pids
    finally:
        for each in (with_numpy, without):
            each.communicate("")


_SEQUENCE = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


@pytest.mark.parametrize(
    ("keys", "code", "screens"),
    [((b"\x1b[A", b"\x1a", b"q"), 0, 2), ((b"\x03",), 0, 1), ((signal.SIGTERM,), 143, 1)],
)
def test_a_terminal_is_given_back_as_it_was(
    tmp_path: Path, keys: tuple[bytes | signal.Signals, ...], code: int, screens: int
) -> None:
    """An arrow, or a mouse's wheel, is no Escape; Ctrl-Z leaves the screen and comes back to it."""
    import fcntl
    import pty
    import struct
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
    modes = termios.tcgetattr(theirs)
    process = subprocess.Popen(
        [sys.executable, "-m", "omp_magic", "top", "--interval", "0.2"],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**CLEAN, "TERM": "xterm", "JUPYTER_RUNTIME_DIR": str(tmp_path)},
        preexec_fn=lambda: _own_terminal(theirs),  # noqa: PLW1509 - no thread runs here yet
    )
    shown = bytearray()
    try:
        deadline = time.monotonic() + 60
        while shown.count(b"q ends") < 3 and time.monotonic() < deadline:
            shown += os.read(ours, 65536)
        for key in keys:
            assert termios.tcgetattr(theirs) != modes
            draws = shown.count(b"q ends")
            if isinstance(key, bytes):
                os.write(ours, key)
            else:
                process.send_signal(key)
            while key is not keys[-1] and shown.count(b"q ends") < draws + 2:
                assert time.monotonic() < deadline
                shown += os.read(ours, 65536)
        reader = threading.Thread(target=lambda: shown.extend(_rest(ours)), daemon=True)
        reader.start()
        assert process.wait(timeout=60) == code, shown.decode()
        assert termios.tcgetattr(theirs) == modes
    finally:
        process.kill()
        process.wait()
        os.close(theirs)
    reader.join(timeout=60)
    os.close(ours)
    text = shown.decode()
    assert "Traceback" not in text
    assert text.count("\x1b[?1049h") == text.count("\x1b[?1049l") == screens, "its own is left"
    assert text.count("\x1b[?25l") <= text.count("\x1b[?25h"), "the cursor is shown again"
    assert re.search(r"\d+ kernels?( · [\d.]+ CPUs? used)? · \d+ threads?", _SEQUENCE.sub("", text))


def test_a_terminal_that_only_adds_lines_gets_one_table(tmp_path: Path) -> None:
    import pty

    ours, theirs = pty.openpty()
    try:
        ended = subprocess.run(
            [sys.executable, "-m", "omp_magic", "top"],
            stdin=theirs,
            stdout=theirs,
            timeout=60,
            check=False,
            env={**CLEAN, "TERM": "dumb", "JUPYTER_RUNTIME_DIR": str(tmp_path)},
        )
    finally:
        os.close(theirs)
    text = _rest(ours).decode()
    os.close(ours)
    assert ended.returncode in (0, 1)
    assert "\x1b" not in text
    assert "kernel" in text


def _own_terminal(handle: int) -> None:
    import fcntl
    import termios

    os.setsid()
    fcntl.ioctl(handle, termios.TIOCSCTTY, 0)


def _rest(handle: int) -> bytes:
    data = bytearray()
    try:
        while part := os.read(handle, 65536):
            data += part
    except OSError:  # Linux says so when the last writer is gone
        pass
    return bytes(data)


@pytest.mark.thorough
def test_a_real_server_tells_its_notebooks(tmp_path: Path) -> None:
    pytest.importorskip("jupyter_server", reason="jupyter_server is in the extra for browsers")
    import urllib.request

    env = {**CLEAN, "JUPYTER_RUNTIME_DIR": str(tmp_path), "JUPYTER_PLATFORM_DIRS": "0"}
    words = [sys.executable, "-m", "jupyter_server", "--allow-root", "--no-browser"]
    words += ["--ServerApp.port=0", f"--ServerApp.root_dir={tmp_path}"]
    words += [f"--IdentityProvider.token={TOKEN}"]
    process = subprocess.Popen(words, env=env, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        deadline = time.monotonic() + 60
        while not (known := servers([], str(tmp_path))) and time.monotonic() < deadline:
            time.sleep(0.1)
        body = {"path": "a/b.ipynb", "type": "notebook", "name": "b"}
        request = urllib.request.Request(
            f"{known[0].url}api/sessions",
            data=json.dumps({**body, "kernel": {"name": "python3"}}).encode(),
            headers={"Authorization": f"token {TOKEN}"},
        )
        while True:  # its file is there a moment before it listens
            try:
                made = json.load(urllib.request.urlopen(request, timeout=60))
                break
            except OSError:
                assert time.monotonic() < deadline
                time.sleep(0.1)
        watch = KernelWatch(folder=str(tmp_path))
        while time.monotonic() < deadline:
            names = {each.kernel_id: each.name for each in watch.look().kernels}
            if made["kernel"]["id"] in names:
                break
            time.sleep(0.2)
        assert names[made["kernel"]["id"]] == "a/b.ipynb"
    finally:
        process.terminate()
        process.wait(timeout=60)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
