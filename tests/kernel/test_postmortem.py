"""Real kernels that really die, each explained by the next kernel of that notebook."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from deaths import LOAD, TOLD, asked, asked_to_restart, died, memory_group, pid_of, records, told
from environments import MKL_AND_TORCH, POOLS, environment
from live import LINUX, Kernel, Reply, run_program
from workqueue import BOTH, LAUNCH, NUMBA

pytestmark = pytest.mark.skipif(not LINUX, reason="ends kernels by Linux' ways")


CHILDREN = """
import signal, time
def child(do):
    pid = os.fork()
    if not pid:
        do()
        os._exit(0)
    return os.waitpid(pid, 0)[1]
crashed = child(lambda: ctypes.string_at(0))
exited = child(lambda: ctypes.CDLL(None).exit(5))
import multiprocessing
process = multiprocessing.get_context("fork").Process(target=ctypes.string_at, args=(0,))
process.start(); process.join()
print(crashed, exited, process.exitcode)
"""


def test_each_way_to_die_is_told_by_the_next_kernel(
    kernel: Kernel, libiomp5: str, libomp: str
) -> None:
    """One kernel after the other of one notebook, so that each also has others' records beside."""
    assert told(kernel) == ""

    # Error #15, foreseen by the guard in a cell before, or in the very cell that dies of it.
    kernel.run(f"a = ctypes.CDLL({libiomp5!r}); b = ctypes.CDLL({libomp!r})")
    kernel.run("a.omp_get_max_threads()")
    died(kernel, "b.omp_get_max_threads()")
    line = told(kernel)
    assert line.startswith(f"{TOLD}died of Error #15 in cell 4: libomp.so")
    assert "against libiomp5.so of intel-openmp" in line
    assert line.count("\n") == 1
    text = asked(kernel)
    assert "stderr: OMP: Error #15: Initializing libomp.so" in text
    assert "RTLD_GLOBAL" in text
    assert "OMP101" in text
    assert told(kernel, "%reload_ext omp_magic") == ""

    # In a kernel that has told of that, in the cell that loads the extension.
    kernel.restart()
    died(kernel, "%load_ext omp_magic\nimport ctypes\ndef f():\n    ctypes.string_at(0)\nf()")
    assert f"{TOLD}died of SIGSEGV in cell 1, in string_at (ctypes/__init__.py" in told(kernel)
    text = asked(kernel)
    assert re.search(r"\bf in \S+, line 4\b", text)
    assert "ipykernel/" not in text

    died(kernel, "ctypes.CDLL(None).exit(7)")
    assert f"{TOLD}was ended by a library in cell 3, which called C's exit with 7" in told(kernel)

    # What children die of, and say as they do, is not the kernel's.
    crashed, exited, by_multiprocessing = kernel.run(CHILDREN).stdout.split()
    assert (int(crashed) & 127, int(exited) >> 8, by_multiprocessing) == (11, 5, "-11")
    died(kernel, "os.write(2, b'free(): invalid pointer\\n'); os.kill(os.getpid(), 9)")
    line = told(kernel, "%load_ext omp_magic")
    assert f"{TOLD}ended without a trace in cell 3" in line
    assert "memory killer's counts did not move" in asked(kernel)


@pytest.mark.thorough  # each is told by what the deaths above are told by
def test_further_ways_to_die_are_told(kernel: Kernel, libiomp5: str, libomp: str) -> None:
    told(kernel)
    # With the GIL held: a thread that waits for it has the line in its hands.
    died(
        kernel,
        f"a = ctypes.PyDLL({libiomp5!r}); b = ctypes.PyDLL({libomp!r})\n"
        "a.omp_get_max_threads(); b.omp_get_max_threads()",
    )
    assert f"{TOLD}died of Error #15 in cell 2: libomp.so against" in told(kernel)

    died(kernel, "ctypes.CDLL(None).abort()")
    assert f"{TOLD}died of SIGABRT in cell 2" in told(kernel)

    # _exit leaves no more behind than a kill.
    died(kernel, "os._exit(3)")
    assert f"{TOLD}ended without a trace in cell 2" in told(kernel)

    # Killed while it did nothing, and started anew by its server.
    os.kill(pid_of(kernel), signal.SIGKILL)
    kernel.restart()
    assert f"{TOLD}ended without a trace after cell 1" in told(kernel)


def test_a_hang_that_was_ended_by_a_restart_is_told_and_a_clean_restart_is_not(
    kernel: Kernel, libiomp5: str, libomp: str
) -> None:
    # It looks at the figures every two seconds; a test need not wait for that.
    told(kernel, "import omp_magic.jupyter.arming; omp_magic.jupyter.arming._TICK_S = 0.2\n" + LOAD)
    kernel.run(f"ctypes.CDLL({libomp!r}, ctypes.RTLD_GLOBAL).omp_get_max_threads()")
    kernel.run(f"b = ctypes.CDLL({libiomp5!r})")
    asked_to_restart(kernel, "b.omp_get_max_threads()", 1)
    line = told(kernel)
    assert re.search(rf"{TOLD}was restarted while cell 4 had run for \d+\.\d s", line)
    text = asked(kernel)
    assert "OMP103" in text
    assert "resident" in text

    own = pid_of(kernel)
    assert [path.stat().st_mode & 0o777 for path in records() if f"-{own}." in path.name] == [
        0o600,
        0o600,
    ]
    kernel.manager.restart_kernel(now=False)
    kernel.client.wait_for_ready(timeout=60)
    assert not [path for path in records() if f"-{own}." in path.name]
    assert told(kernel) == ""


@pytest.mark.thorough  # as the clean restart above
@pytest.mark.parametrize("way", ["exit", "quit()"])
def test_a_clean_end_says_nothing(kernel: Kernel, way: str) -> None:
    told(kernel)
    own = pid_of(kernel)
    kernel.client.execute(way)
    kernel.manager.provisioner.process.wait(30)  # type: ignore[union-attr]  # a local one
    kernel.restart()
    assert not [path for path in records() if f"-{own}." in path.name]
    assert told(kernel) == ""
    assert "No record of a kernel that died" in asked(kernel)


def test_mkls_exit_is_told() -> None:
    kernel = Kernel({"MKL_THREADING_LAYER": "INTEL"}, environment("mkl-torch", MKL_AND_TORCH))
    try:
        told(kernel)
        died(kernel, "import torch, mkl")
        line = told(kernel)
        assert f"{TOLD}was ended by mkl in cell 2, which called exit: MKL_THREADING" in line
        assert "libgomp.so.1 of torch" in line
        text = asked(kernel)
        assert "C's exit was called with 1" in text
        assert "OMP104" in text
        assert "os.environ['MKL_THREADING_LAYER'] = 'GNU'" in text
    finally:
        kernel.close()


def test_numbas_abort_is_told() -> None:
    kernel = Kernel(python=environment("pools", POOLS))
    try:
        kernel.run(NUMBA.format("workqueue"))
        kernel.run(LAUNCH)
        died(kernel, BOTH)
        line = told(kernel)
        assert f"{TOLD}was ended by numba in cell 3: two threads were in its workqueue" in line
        assert "signal: SIGABRT" in asked(kernel)
        assert "OMP212" in asked(kernel)
    finally:
        kernel.close()


@pytest.fixture
def group() -> Iterator[str]:
    """A cgroup with 200 MB of memory."""
    try:
        with memory_group(200_000_000) as folder:
            yield folder
    except OSError as error:
        pytest.skip(f"no cgroup with a memory controller can be made here: {error.strerror}")


def test_the_memory_killer_is_told(group: str, kernel: Kernel) -> None:
    Path(group, "cgroup.procs").write_text(str(pid_of(kernel)), "utf-8")
    told(kernel)
    died(kernel, "x = []\nwhile True: x.append(bytearray(10_000_000))")
    line = told(kernel)
    assert f"{TOLD}was almost surely killed by the memory killer in cell 2" in line
    assert "the memory limit of 200 MB of /omp_magic_memory_" in line
    assert "(0 before, 1 after)" in asked(kernel)


FAULTS = "import faulthandler; print(faulthandler.is_enabled(), faulthandler.enable)"


def test_faulthandler_and_stderr_are_given_back(kernel: Kernel, tmp_path: Path) -> None:
    threads = "import threading; print(sorted(t.name for t in threading.enumerate()))"
    before = [kernel.run(each).stdout for each in (FAULTS, threads)]
    told(kernel)
    assert kernel.run("print(faulthandler.is_enabled())").stdout == "True\n"
    written = kernel.run("os.write(2, b'from C\\n')\nimport time; time.sleep(0.3)")
    assert written.stderr == "from C\n"
    own = pid_of(kernel)
    kernel.run("%unload_ext omp_magic")
    assert not [path for path in records() if f"-{own}." in path.name]
    assert [kernel.run(each).stdout for each in (FAULTS, threads)] == before
    written = kernel.run("os.write(2, b'from C again\\n')\ntime.sleep(0.3)")
    assert written.stderr == "from C again\n"

    # Who enables it later has it, and keeps it.
    told(kernel)
    theirs = tmp_path / "faults"
    kernel.run(f"file = open({str(theirs)!r}, 'w'); faulthandler.enable(file)")
    kernel.run("%unload_ext omp_magic")
    assert kernel.run("print(faulthandler.is_enabled())").stdout == "True\n"
    # In the cell of the load, where the file was ours already.
    told(kernel, f"{LOAD}\nfaulthandler.disable()\nfile.truncate(0)\nfaulthandler.enable(file)")
    died(kernel, "ctypes.string_at(0)")
    assert "Segmentation fault" in theirs.read_text("utf-8")
    assert f"{TOLD}ended without a trace in cell" in told(kernel)
    text = asked(kernel)
    assert "faulthandler is in use by this session's own code" in text
    assert "Here a signal would have left none either" in text


@pytest.mark.thorough  # who is told is decided by names, as tests/pure/test_deaths.py has it
def test_other_notebooks_and_living_kernels_are_not_told(tmp_path: Path) -> None:
    """Two kernels of one notebook, and one of another that stands in the same folder."""
    mine, theirs = ({"JPY_SESSION_NAME": str(tmp_path / f"{name}.ipynb")} for name in "ab")
    first, second, other = Kernel(mine), Kernel(mine), Kernel(theirs)
    try:
        for each in (first, second, other):
            assert told(each) == ""
        died(second, "ctypes.string_at(0)")
        assert told(other, "%reload_ext omp_magic") == ""
        assert "No record of a kernel that died" in asked(other)
        # Another kernel of the same notebook, with an id of its own: as after closing it.
        third = Kernel(mine)
        try:
            assert f"{TOLD}died of SIGSEGV in cell 2" in told(third)
            assert told(second) == ""  # once
            assert "The kernel of a.ipynb died of SIGSEGV" in asked(first)
        finally:
            third.close()
    finally:
        for each in (first, second, other):
            each.close()


@pytest.fixture
def runtime(tmp_path: Path) -> dict[str, str]:
    """A runtime folder of its own."""
    return {"JUPYTER_RUNTIME_DIR": str(tmp_path / "runtime")}


@pytest.fixture
def apart(runtime: dict[str, str]) -> Iterator[Kernel]:
    """A kernel whose record lies there."""
    started = Kernel(runtime)
    yield started
    started.close()


def test_the_command_lists_what_nobody_has_asked_about(
    apart: Kernel, runtime: dict[str, str], tmp_path: Path
) -> None:
    kernel, folder = apart, runtime["JUPYTER_RUNTIME_DIR"]
    told(kernel, f"{LIMITED}\nimport ctypes, os")
    # A process that closes any descriptor of a file gives its locks on it back.
    kernel.run("import omp_magic; omp_magic.postmortem()\n%omp_postmortem --all")
    assert _listed(runtime, 0)["deaths"] == []
    closed = f"[os.close(os.open(f'{folder}/{{f}}', 0)) for f in os.listdir('{folder}')]"
    assert kernel.run(closed).status == "ok"
    kernel.run("%omp_limit 1")
    assert _listed(runtime, 0, "--all")["deaths"] == []  # its number and its beginning tell
    died(kernel, "SECRET_TEXT = 'not kept'; ctypes.string_at(0)")
    found = _listed(runtime, 1)["deaths"]
    assert [each["headline"][:29] for each in found] == ["died of SIGSEGV in cell 5, in"]
    assert found[0]["limits"] == ["1"]
    assert found[0]["cell"]["number"] == 5
    assert found[0]["cell"]["text"] == ""
    written = b"".join(path.read_bytes() for path in (tmp_path / "runtime").glob("omp_magic-*"))
    assert b"SECRET" not in written
    assert _listed(runtime, 0)["deaths"] == []
    assert len(_listed(runtime, 1, "--all")["deaths"]) == 1
    assert told(kernel) == ""  # it was asked about
    text = _command(runtime, "--all").out
    assert "died of SIGSEGV" in text
    assert "%omp_" not in text


LIMITED = "%load_ext omp_magic\nimport numpy"


def _command(runtime: dict[str, str], *words: str) -> Any:
    command = [sys.executable, "-m", "omp_magic", "postmortem", *words]
    return run_program(command, 60, {**runtime, "SECRET_VARIABLE": "SECRET"})


def _listed(runtime: dict[str, str], code: int, *words: str) -> dict[str, Any]:
    ended = _command(runtime, "--json", *words)
    assert ended.code == code, ended.err
    found: dict[str, Any] = json.loads(ended.out)
    return found


def test_where_nothing_can_be_written_nothing_is_said(
    apart: Kernel, runtime: dict[str, str]
) -> None:
    kernel = apart
    Path(runtime["JUPYTER_RUNTIME_DIR"]).write_text("")
    kernel.run("import logging; logging.getLogger('omp_magic').setLevel(logging.DEBUG)")
    kernel.run("logging.getLogger('omp_magic').addHandler(logging.StreamHandler())")
    reply: Reply = kernel.run("%load_ext omp_magic")
    assert reply.status == "ok"
    assert reply.stderr.count("\n") == 1
    assert "nothing is recorded for a postmortem" in reply.stderr
    assert kernel.run("1 + 1").stderr == ""
    assert "fault" not in kernel.run("import faulthandler; print(faulthandler.enable)").stderr
    assert kernel.run("print(faulthandler.is_enabled())").stdout == "False\n"


@pytest.mark.thorough  # the switches of a profile are read as the guard's are
def test_the_record_is_turned_off_and_on(kernel: Kernel) -> None:
    kernel.run("get_ipython().config.OmpMagics.record = False")
    told(kernel)
    own = pid_of(kernel)
    assert not [path for path in records() if f"-{own}." in path.name]
    kernel.run("%config OmpMagics.record = True")
    kernel.run("%config OmpMagics.record_text = True")
    assert [path for path in records() if f"-{own}." in path.name]
    died(kernel, "kept = 1\nctypes.string_at(0)")
    told(kernel)
    assert "kept = 1" in asked(kernel)


@pytest.mark.thorough  # the same line, from another place
def test_a_profile_that_loads_the_extension_is_told_in_the_first_cell(
    kernel: Kernel, tmp_path: Path
) -> None:
    profile = tmp_path / "profile_default"
    profile.mkdir()
    config = "c.InteractiveShellApp.extensions = ['omp_magic']\n"
    (profile / "ipython_config.py").write_text(config)
    kernel.restart({"IPYTHONDIR": str(tmp_path)})
    died(kernel, "import ctypes; ctypes.string_at(0)")
    assert f"{TOLD}died of SIGSEGV in cell 1" in kernel.run("1").stderr
    assert kernel.run("2").stderr == ""
