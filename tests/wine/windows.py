"""Programs in the Windows Python: run with pipes and a time limit, nothing left of them."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from places import CACHE, ROOT

from wine import prefix
from wine.prefix import DRIVE, EXECUTABLE, PREFIX, call, variables, wine_program

PACKAGES = DRIVE / f"Python{prefix.PYTHON.replace('.', '')}" / "Lib" / "site-packages"
WORK = DRIVE / "work"
_IDLE_S = 300
_ENDING_S = 60


@dataclass(frozen=True)
class Completed:
    """A program that has ended. Its code is the lowest byte; None when it had to be killed."""

    stdout: str
    stderr: str
    code: int | None


@contextlib.contextmanager
def session() -> Iterator[None]:
    """Have the prefix, the omp_magic of this checkout in it, and Wine's server.

    Whoever uses the prefix holds the lock with others, whoever makes it holds it alone. The last
    one ends the server; after a session that was killed it ends by itself.

    Raises
    ------
    prefix.NotHadError
        Where these cannot be had.
    """
    wine_program()
    CACHE.mkdir(exist_ok=True)
    with Path(f"{PREFIX}.lock").open("w") as lock:
        _hold(lock)
        _bring_package()
        # A server that is there already stays the only one: the second ends at once.
        call(PREFIX, "wineserver", f"--persistent={_IDLE_S}")
        call(PREFIX, wine_program(), "wineboot")
        try:
            yield
        finally:
            if _is_alone(lock):
                call(PREFIX, "wineserver", "--kill", timeout_s=_ENDING_S)
                call(PREFIX, "wineserver", "--wait", timeout_s=_ENDING_S)
                shutil.rmtree(WORK, ignore_errors=True)


def _hold(lock: TextIO) -> None:
    """Hold the lock with others while the prefix is there, made where it was not.

    A lock is exchanged by letting go of it (flock(2)), so that each time it is looked at anew.
    """
    import fcntl

    fcntl.flock(lock, fcntl.LOCK_SH)
    while not prefix.is_made():
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not prefix.is_made():
            prefix.make()
        fcntl.flock(lock, fcntl.LOCK_SH)


def _is_alone(lock: TextIO) -> bool:
    import fcntl

    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _bring_package() -> None:
    """Make the packages' omp_magic the one of this checkout: what changed, and what went."""
    ours, there = ROOT / "omp_magic", PACKAGES / "omp_magic"
    wanted = {each.relative_to(ours) for each in ours.rglob("*") if _is_brought(each)}
    for each in wanted:
        target = there / each
        data = (ours / each).read_bytes()
        if not target.exists() or target.read_bytes() != data:
            target.parent.mkdir(parents=True, exist_ok=True)
            # Another session may read it now.
            handle, name = tempfile.mkstemp(dir=PACKAGES, prefix="bringing-")
            with open(handle, "wb") as written:
                written.write(data)
            os.replace(name, target)
    for path in there.rglob("*"):
        if _is_brought(path) and path.relative_to(there) not in wanted:
            path.unlink(missing_ok=True)


def _is_brought(path: Path) -> bool:
    return path.is_file() and "__pycache__" not in path.parts


def run(
    source: str,
    *,
    env: Mapping[str, str] | None = None,
    args: Sequence[str] = (),
    timeout: float = 120,
) -> Completed:
    """Run a program in a Python of its own, in an empty folder of C:."""
    with _folder() as folder:
        program = folder / "program.py"
        program.write_text(textwrap.dedent(source), "utf-8")
        bring_inside(folder)
        return python(windows_path(program), *args, env=env, folder=folder, timeout=timeout)


def value(source: str, **options: Any) -> Any:
    """Run a program and give the JSON of its last line."""
    ended = run(source, **options)
    assert ended.code == 0, ended.stderr or ended.stdout
    return json.loads(ended.stdout.strip().rpartition("\n")[2])


def python(
    *args: str,
    env: Mapping[str, str] | None = None,
    folder: Path | None = None,
    timeout: float = 120,
) -> Completed:
    """Run python.exe with these words; its text is UTF-8 unless PYTHONIOENCODING says otherwise."""
    return completed(start(*args, env=env, folder=folder), timeout)


def completed(process: subprocess.Popen[bytes], timeout: float) -> Completed:
    """Wait so long for a process and give what it said; end it after that."""
    code: int | None = None
    try:
        out, err = process.communicate(timeout=timeout)
        code = process.returncode
    except subprocess.TimeoutExpired:
        _end(process)
        out, err = process.communicate()
    finally:
        _end(process)
    return Completed(_text(out), _text(err), code)


def start(
    *args: str, env: Mapping[str, str] | None = None, folder: Path | None = None
) -> subprocess.Popen[bytes]:
    """Start python.exe. Its streams are pipes: to Wine a regular file is an invalid handle."""
    WORK.mkdir(exist_ok=True)
    return subprocess.Popen(
        [wine_program(), EXECUTABLE, *args],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=variables(PREFIX, {"PYTHONIOENCODING": "utf-8", **(env or {})}),
        cwd=WORK if folder is None else folder,
        start_new_session=True,
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process with those that it started, and wait for it."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def bring_inside(folder: Path) -> None:
    """Let programs in a folder import `inside`."""
    shutil.copyfile(Path(__file__).with_name("inside.py"), folder / "inside.py")


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    WORK.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=WORK, ignore_cleanup_errors=True) as name:
        yield Path(name)


def windows_path(path: Path) -> str:
    r"""Give a file of the prefix as Windows calls it: C:\..."""
    return "C:\\" + str(path.relative_to(DRIVE)).replace("/", "\\")


def _text(data: bytes) -> str:
    return data.decode("utf-8", "backslashreplace").replace("\r\n", "\n")
