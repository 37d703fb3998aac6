"""Kernels that may die: each in a process of its own, with what they said and how they ended.

child = ChildKernel()
print(child.run("1 + 1", "import os; os.abort()"))
child.exit_code, child.stderr
child.close()

It also makes the small packages that stand for two wheels with a runtime each.
"""

from __future__ import annotations

import contextlib
import os
import queue
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.connect import write_connection_file

_LOOK_S = 0.2
# debugpy warns of Python 3.11's frozen modules, in the first seconds of a kernel.
_QUIET = {"PYDEVD_DISABLE_FILE_VALIDATION": "1"}
_LINUX = sys.platform.startswith("linux")
# LLVM's runtimes register there, and do not come to remove that when their process aborts.
_REGISTRATIONS = ("/dev/shm", "/tmp")  # noqa: S108 - LLVM's places, looked at for one process only


class ChildKernel:
    """A Jupyter kernel in a process of its own.

    Parameters
    ----------
    env
        Variables for it, beside this process's own. Those that change how threads or runtimes
        behave are not inherited: importing scikit-learn sets KMP_DUPLICATE_LIB_OK, for example.
    capture_stderr
        Whether the kernel reads what C code writes, which is how every kernel starts. Without, it
        goes straight to where the Jupyter server's own messages go.
    limit_s
        How long it may take to start.
    """

    def __init__(
        self,
        *,
        env: Mapping[str, str] | None = None,
        capture_stderr: bool = True,
        limit_s: float = 60,
    ) -> None:
        self._count = 0
        self._told = ""
        self._exit_code: int | None = None
        folder = Path(tempfile.mkdtemp(prefix="kernel"))
        file = str(folder / "connection.json")
        if os.name == "posix":
            # Sockets in a folder of our own: a free port may be taken before the kernel has it.
            write_connection_file(file, ip=str(folder / "s"), transport="ipc")
        else:
            write_connection_file(file)
        command = [sys.executable, "-m", "ipykernel_launcher", "-f", file]
        command.append("--IPKernelApp.log_level=ERROR")
        if not capture_stderr:
            command.append("--IPKernelApp.capture_fd_output=False")
        own = {"JPY_PARENT_PID": str(os.getpid())}  # it ends when this process does
        with (folder / "stderr").open("wb") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**clean_environment(), **_QUIET, **own, **(env or {})},
                start_new_session=True,  # what it starts is ended with it
            )
        self._log = (folder / "stderr").open("rb")
        self._client = BlockingKernelClient(connection_file=file)
        # Runs also when the notebook's own kernel ends, and when this object is forgotten.
        self._end = weakref.finalize(self, _clean, self._process, self._client, self._log, folder)
        self._client.load_connection_file()
        self._client.start_channels(hb=False)
        if not self._answers(limit_s):
            self.close()
            raise RuntimeError(f"the child kernel did not start: {self.stderr[-400:]}")

    def _answers(self, limit_s: float) -> bool:
        """Wait until it answers, and until what it tells everybody is heard.

        jupyter_client's wait_for_ready takes a kernel for dead that has not begun to beat after a
        second, which happens on a busy machine.
        """
        deadline = time.monotonic() + limit_s
        while self.exit_code is None and time.monotonic() < deadline:
            self._client.kernel_info()
            with contextlib.suppress(queue.Empty):
                self._client.get_shell_msg(timeout=1)
                self._client.get_iopub_msg(timeout=1)
                return True
        return False

    @property
    def pid(self) -> int:
        """The process of the kernel."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it lives or when it lived until `close`; -N when signal N ended it."""
        return self._process.poll() if self._end.alive else self._exit_code

    @property
    def stderr(self) -> str:
        """What the Jupyter server would have had in its own log."""
        if self._end.alive:
            self._log.seek(0)
            self._told = self._log.read().decode(errors="replace")
        return self._told

    def run(self, *cells: str, limit_s: float = 60) -> str:
        """Run cells until it dies; give them and what they said, as text.

        A cell that takes longer than the limit ends the kernel.
        """
        lines: list[str] = []
        for cell in cells:
            if self.exit_code is not None:
                lines.append("(not run: the kernel is dead)")
                break
            self._count += 1
            prompt = f"In [{self._count}]: "
            dots = "\n" + "...: ".rjust(len(prompt))
            lines += [prompt + cell.strip().replace("\n", dots), *self._said(cell, limit_s)]
        text = "\n".join(line for line in lines if line)
        return re.sub(r" +$", "", text, flags=re.MULTILINE)

    def _said(self, cell: str, limit_s: float) -> list[str]:
        """Run one cell; give what it said."""
        message = self._client.execute(cell, allow_stdin=False, stop_on_error=False)
        deadline = time.monotonic() + limit_s
        said = ""
        while True:
            dead = self.exit_code is not None
            try:
                got = self._client.get_iopub_msg(timeout=_LOOK_S)
            except queue.Empty:
                if dead:
                    return [said.rstrip("\n"), f"the kernel died: {how_it_ended(self.exit_code)}"]
                if time.monotonic() > deadline:
                    _kill(self._process)
                    return [said.rstrip("\n"), f"no answer in {limit_s:g} s: the kernel was killed"]
                continue
            own = got["parent_header"].get("msg_id") == message
            # What C code wrote comes without the cell it was written in.
            if own or got["msg_type"] == "stream":
                said += _text_of(got["msg_type"], got["content"])
            if own and got["content"].get("execution_state") == "idle":
                return [said.rstrip("\n")]

    def close(self) -> None:
        """End it, with what it started, and remove what it left behind."""
        if self._end.alive:
            self._told, self._exit_code = self.stderr, self.exit_code
            self._end()


def shortened(text: str, *folders: object) -> str:
    """Give a text with these folders, and those of this Python, as an ellipsis."""
    places = {str(each) for each in (*folders, sys.prefix, sys.base_prefix)}
    for place in sorted(places | set(map(os.path.realpath, places)), key=len, reverse=True):
        text = text.replace(place, "…")
    return text


def _text_of(kind: str, content: Mapping[str, Any]) -> str:
    if kind == "stream":
        return str(content["text"])
    if kind in ("execute_result", "display_data"):
        return f"{content['data'].get('text/plain', '')}\n"
    if kind == "error":
        return f"{content['ename']}: {content['evalue']}\n"
    return ""


def how_it_ended(code: int | None) -> str:
    """Give an exit code in words."""
    if code is not None and code < 0:
        return f"signal {signal.Signals(-code).name}"
    return f"exit code {code}"


def clean_environment() -> dict[str, str]:
    """Give this process's variables without those that threads and runtimes read."""
    read = re.compile(r"(OMP|KMP|GOMP|MKL|OPENBLAS|GOTO|BLIS|NUMEXPR)_")
    return {name: value for name, value in os.environ.items() if not read.match(name)}


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End a process and its group; also when it has ended and what it started has not."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if os.name == "posix":
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    process.wait()


def _clean(process: subprocess.Popen[bytes], client: Any, log: IO[bytes], folder: Path) -> None:
    _kill(process)
    client.stop_channels()
    log.close()
    shutil.rmtree(folder, ignore_errors=True)
    if _LINUX:
        for place in _REGISTRATIONS:
            for left in Path(place).glob(f"__KMP_REGISTERED_LIB_{process.pid}_*"):
                left.unlink(missing_ok=True)


def make_package(
    site: Path, name: str, library: Path, *, soname: str = "", everywhere: bool = False
) -> Path:
    """Make an installed package with its own copy of an OpenMP library; give the copy.

    Its `work` gives how many threads the copy would use, which is a first call of it.

    Parameters
    ----------
    site
        The folder of packages.
    name
        The package's name.
    library
        The library to copy.
    soname
        What the copy and its file are called; left out, the copy has no SONAME.
    everywhere
        Whether all libraries that are loaded later find the copy's functions (RTLD_GLOBAL).
    """
    home, notes = site / name, site / f"{name}-1.0.dist-info"
    home.mkdir(parents=True)
    notes.mkdir()
    copy = home / (soname or library.name)
    data = library.read_bytes()
    copy.write_bytes(renamed(data, library.name, soname) if soname else without_soname(data))
    mode = ", ctypes.RTLD_GLOBAL" if everywhere else ""
    (home / "__init__.py").write_text(
        "import ctypes\nfrom pathlib import Path\n\n"
        f'_runtime = ctypes.CDLL(str(Path(__file__).with_name("{copy.name}")){mode})\n\n\n'
        "def work():\n    return _runtime.omp_get_max_threads()\n",
        "utf-8",
    )
    (notes / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n", "utf-8")
    files = (f"{name}/__init__.py", f"{name}/{copy.name}", f"{notes.name}/METADATA")
    (notes / "RECORD").write_text("".join(f"{each},,\n" for each in files), "utf-8")
    return copy


def renamed(library: bytes, name: str, soname: str) -> bytes:
    """Give a library with another SONAME, which must not be longer than the one it has."""
    old = b"\0" + name.encode() + b"\0"
    new = (b"\0" + soname.encode()).ljust(len(old), b"\0")
    if len(new) != len(old) or old not in library:
        raise ValueError(f"{name} cannot be renamed to {soname}")
    return library.replace(old, new)


def without_soname(library: bytes) -> bytes:
    """Give a 64-bit Linux library with its SONAME taken out.

    auditwheel gives each wheel's copy a SONAME of its own. Two copies with one SONAME are one for
    whoever asks for that name (glibc, elf/dl-load.c), so that they would not clash.
    """
    dynamic, soname, unused = 2, 14, 0x6EFFFFF0
    out = bytearray(library)
    (table,) = struct.unpack_from("<Q", library, 32)
    size, count = struct.unpack_from("<HH", library, 54)
    for header in range(table, table + size * count, size):
        kind, _, start, _, _, length = struct.unpack_from("<IIQQQQ", library, header)
        for entry in range(start, start + length, 16) if kind == dynamic else ():
            if struct.unpack_from("<Q", library, entry) == (soname,):
                struct.pack_into("<Q", out, entry, unused)
    return bytes(out)
