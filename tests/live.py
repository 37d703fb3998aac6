"""Real kernels and real child processes, with time limits and without leftovers."""

from __future__ import annotations

import atexit
import contextlib
import glob
import json
import os
import queue
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from jupyter_client.manager import KernelManager
from places import ROOT

LINUX = sys.platform.startswith("linux")

MAPPED_OPENMP = (
    "sorted({name for name in (line.rpartition('/')[2].strip() for line in open('/proc/self/maps'))"
    " if name.startswith(('libgomp', 'libomp', 'libiomp'))})"
)
"""An expression for a kernel: the names of the OpenMP runtimes that are mapped there. File names
alone: the folder of a checkout may have "omp" in it, as a clone of this project has."""

HOME = tempfile.mkdtemp(prefix="omp-home")
"""Where Jupyter and IPython keep what they write: a home may be read-only, and a profile in it
would change what the tests see."""
atexit.register(shutil.rmtree, HOME, ignore_errors=True)
os.environ["JUPYTER_RUNTIME_DIR"] = os.path.join(HOME, "runtime")
os.environ["IPYTHONDIR"] = os.path.join(HOME, "ipython")

# What the tests themselves must not inherit: COLUMNS is the width of the text that is shown.
CLEAN = {
    name: value
    for name, value in os.environ.items()
    if not re.match(
        r"(OMP|KMP|GOMP|MKL|OPENBLAS|GOTO|BLIS|LOKY|NUMBA|NUMEXPR|POLARS|OPENCV|BLOSC|TF|ARROW|RAYON|"
        r"TOKENIZERS|TOKIO|PJRT|XLA|GDAL|ITK|SLURM)_|NPROC$"
        r"|COLUMNS$",
        name,
    )
}


@dataclass
class Reply:
    """What a kernel sent back for one cell."""

    status: str
    stdout: str = ""
    stderr: str = ""
    result: dict[str, Any] = field(default_factory=dict)
    displays: list[dict[str, Any]] = field(default_factory=list)
    updates: list[dict[str, Any]] = field(default_factory=list)
    ename: str = ""
    evalue: str = ""
    traceback: str = ""
    count: int | None = None
    payload: list[dict[str, Any]] = field(default_factory=list)

    @property
    def text(self) -> str:
        return str(self.result.get("text/plain", ""))


class Kernel:
    """A real ipykernel in a process of its own.

    Parameters
    ----------
    env
        Variables beside the clean ones.
    python
        The interpreter of an environment with `environments.KERNEL` and other packages; the tests'
        own when None.
    name
        The kernelspec.
    """

    def __init__(
        self, env: dict[str, str] | None = None, python: str | None = None, name: str = "python3"
    ) -> None:
        self._sockets = tempfile.mkdtemp(prefix="omp")
        self.manager = KernelManager(kernel_name=name)
        if os.name == "posix":
            # Sockets are files: by default in the working folder, where two runs share them.
            self.manager.transport = "ipc"
            self.manager.ip = os.path.join(self._sockets, "s")
        self._clean = CLEAN
        if python is not None:
            spec = self.manager.kernel_spec
            assert spec is not None
            spec.argv = [python, *spec.argv[1:]]
            self._clean = {**CLEAN, "PYTHONPATH": str(ROOT)}
        self.manager.start_kernel(env={**self._clean, **(env or {})})
        self.client = self.manager.client()
        self.client.start_channels()
        self.subshell: str | None = None
        self.client.wait_for_ready(timeout=60)

    def run(self, code: str, timeout: float = 60, interrupt_after: float | None = None) -> Reply:
        """Run a cell and gather all it sent; interrupt it so long after it has begun."""
        # ipykernel 6 aborts what arrives shortly after an error, unless told not to.
        message = self.client.execute(code, store_history=True, stop_on_error=False)
        timer = None
        reply = Reply("")
        deadline = time.monotonic() + timeout
        while True:
            if not self.manager.is_alive():
                return Reply("dead")
            if time.monotonic() > deadline:
                raise TimeoutError(f"no idle status after {timeout} s: {code}")
            try:
                got = self.client.get_iopub_msg(timeout=1)
            except queue.Empty:
                continue
            if got["parent_header"].get("msg_id") != message:
                continue
            self._note(reply, got)
            if got["msg_type"] == "execute_input" and interrupt_after is not None:
                timer = threading.Timer(interrupt_after, self.manager.interrupt_kernel)
                timer.start()
            if got["msg_type"] == "status" and got["content"]["execution_state"] == "idle":
                break
        answer = self._answer(message, timeout)
        reply.status, reply.count = answer["status"], answer.get("execution_count")
        reply.payload = answer.get("payload", [])
        reply.ename = reply.ename or answer.get("ename", "")
        if timer is not None:
            timer.join()
        return reply

    def _answer(self, message: str, timeout: float) -> dict[str, Any]:
        """Give the content of the shell's reply to a message."""
        while True:
            got = self.client.get_shell_msg(timeout=timeout)
            if got["parent_header"].get("msg_id") == message:
                return dict(got["content"])

    @staticmethod
    def _note(reply: Reply, got: dict[str, Any]) -> None:
        content = got["content"]
        if got["msg_type"] == "stream":
            text = getattr(reply, content["name"]) + content["text"]
            setattr(reply, content["name"], text)
        elif got["msg_type"] == "execute_result":
            reply.result = content["data"]
        elif got["msg_type"] == "display_data":
            reply.displays.append(content["data"])
        elif got["msg_type"] == "update_display_data":
            reply.updates.append(content["data"])
        elif got["msg_type"] == "error":
            reply.ename, reply.evalue = content["ename"], content["evalue"]
            reply.traceback = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(content["traceback"]))

    def value(self, expression: str) -> Any:
        """Give a JSON value of the kernel."""
        reply = self.run(f"import json as _json; print(_json.dumps({expression}))")
        assert reply.status == "ok", reply.traceback
        return json.loads(reply.stdout)

    def run_in_subshell(self, code: str, timeout: float = 60) -> str:
        """Run a cell in the kernel's subshell, made when first asked for; give its status."""
        session = self.client.session
        if self.subshell is None:
            request = session.msg("create_subshell_request", {})
            self.client.control_channel.send(request)
            answer = self.client.get_control_msg(timeout=timeout)
            self.subshell = answer["content"]["subshell_id"]
        content = {"code": code, "silent": False, "store_history": True, "user_expressions": {}}
        request = session.msg("execute_request", {**content, "allow_stdin": False})
        request["header"]["subshell_id"] = self.subshell
        self.client.shell_channel.send(request)
        return str(self._answer(request["header"]["msg_id"], timeout)["status"])

    def complete(self, code: str) -> list[str]:
        return list(self._answer(self.client.complete(code), 30)["matches"])

    def drain(self) -> None:
        """Forget what has come and was not read."""
        for get in (self.client.get_shell_msg, self.client.get_iopub_msg):
            with contextlib.suppress(queue.Empty):
                while True:
                    get(timeout=0.05)

    def restart(self, env: dict[str, str] | None = None) -> None:
        """End the process and start another for the same client, with other variables if given."""
        pid = getattr(self.manager.provisioner, "pid", None)
        other = {} if env is None else {"env": {**self._clean, **env}}
        self.manager.restart_kernel(now=True, **other)
        forget_registration(pid)
        self.subshell = None
        self.client.wait_for_ready(timeout=60)

    def close(self) -> None:
        pid = getattr(self.manager.provisioner, "pid", None)
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)
        self.manager.cleanup_resources()
        shutil.rmtree(self._sockets, ignore_errors=True)
        forget_registration(pid)


def session_of(begin: str, end: str) -> Iterator[Kernel]:
    """Give a kernel that has run a cell, for a fixture; a second one ends what it began."""
    started = Kernel()
    reply = started.run(begin)
    assert reply.status == "ok", reply.traceback
    yield started
    started.run(end)
    started.close()


def forget_registration(pid: int | None) -> None:
    """Remove what an LLVM runtime leaves behind when its process is killed or aborts."""
    for left in glob.glob(f"/dev/shm/__KMP_REGISTERED_LIB_{pid}_*"):
        os.unlink(left)


@dataclass
class Ended:
    """A child process that has ended; its code is None when it had to be killed."""

    code: int | None
    out: str
    err: str


def run_python(code: str, *arguments: str, timeout: float = 120, **env: str) -> Ended:
    """Run a program in a child process with a clean environment and a time limit."""
    return run_program([sys.executable, "-c", code, *arguments], timeout, env)


def run_program(command: list[str], timeout: float, env: dict[str, str]) -> Ended:
    """Run a command like `run_python`; one that takes too long ends with code None."""
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**CLEAN, **env},
        start_new_session=True,
    )
    code: int | None = None
    try:
        out, err = process.communicate(timeout=timeout)
        code = process.returncode
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        out, err = process.communicate()
    finally:
        process.kill()
        process.wait()
        forget_registration(process.pid)
    return Ended(code, out, err)
