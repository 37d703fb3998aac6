"""Child kernels of notebook 03 that die, and what the notebook was saved with."""

from __future__ import annotations

import gc
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from links import link
from live import CLEAN, LINUX, run_python
from places import ROOT

NOTEBOOK = ROOT / "notebooks" / "03_duplicate_runtimes.ipynb"
POSIX = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")


@pytest.fixture
def tools(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The module childkernel; its folder is no package."""
    monkeypatch.syspath_prepend(str(ROOT / "notebooks"))
    import childkernel

    yield childkernel
    sys.modules.pop("childkernel", None)


def left_by(child: Any) -> list[str]:
    return [name for name in os.listdir("/dev/shm") if f"_LIB_{child.pid}_" in name]


def is_running(pid: int) -> bool:
    """Tell whether a process runs; one that ended may wait to be reaped."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def test_cells_are_told_with_all_they_said(tools: Any) -> None:
    with closing(tools.ChildKernel()) as child:
        said = child.run("x = 6", "print('out'); x * 7", "1 / 0\nprint('never')", "x")
        assert said == (
            "In [1]: x = 6\nIn [2]: print('out'); x * 7\nout\n42\n"
            "In [3]: 1 / 0\n   ...: print('never')\nZeroDivisionError: division by zero\n"
            "In [4]: x\n6"
        )
        assert child.exit_code is None
    assert child.exit_code is None  # it lived until then


@POSIX
def test_a_death_is_told_and_what_comes_after_is_not_run(tools: Any) -> None:
    with closing(tools.ChildKernel(capture_stderr=False)) as child:
        said = child.run(
            "print('last words')", "import os; os.write(2, b'a word\\n'); os.abort()", "1"
        )
        assert "last words" in said
        assert said.endswith("the kernel died: signal SIGABRT\n(not run: the kernel is dead)")
        assert child.exit_code == -signal.SIGABRT
        assert "a word" in child.stderr
    assert child.exit_code == -signal.SIGABRT
    assert "a word" in child.stderr  # also after its files are gone
    with closing(tools.ChildKernel()) as child:
        assert child.run("import os; os._exit(3)").endswith("the kernel died: exit code 3")
        assert child.exit_code == 3


@POSIX
def test_a_cell_without_an_end_is_ended(tools: Any) -> None:
    with closing(tools.ChildKernel()) as child:
        said = child.run("while True: pass", limit_s=2)
        assert said.endswith("no answer in 2 s: the kernel was killed")
        assert child.exit_code == -signal.SIGKILL


@pytest.mark.skipif(not LINUX, reason="reads /proc: Linux only")
def test_nothing_is_left_of_a_kernel_and_what_it_started(tools: Any, libiomp5: str) -> None:
    child = tools.ChildKernel()
    said = child.run(
        "import subprocess, sys\n"
        "program = [sys.executable, '-c', 'import time; time.sleep(600)']\n"
        "print('started', subprocess.Popen(program).pid)",
        f"import ctypes; ctypes.CDLL({libiomp5!r}).omp_get_max_threads()",
    )
    started = int(re.findall(r"^started (\d+)$", said, re.MULTILINE)[0])
    folder = Path(child._log.name).parent
    assert (is_running(started), len(left_by(child)), folder.exists()) == (True, 1, True)
    child.close()
    child.close()  # once more does no harm
    assert not is_running(child.pid)
    assert not is_running(started)
    assert not left_by(child)
    assert not folder.exists()


@pytest.mark.skipif(not LINUX, reason="reads /proc: Linux only")
def test_a_kernel_that_is_forgotten_is_ended(tools: Any) -> None:
    child = tools.ChildKernel()
    pid = child.pid
    assert is_running(pid)
    del child
    gc.collect()
    assert not is_running(pid)
    program = "from childkernel import ChildKernel\nprint(ChildKernel().pid)"
    ended = run_python(program, PYTHONPATH=str(ROOT / "notebooks"))
    assert ended.code == 0, ended.err
    assert not is_running(int(ended.out))


def test_what_changes_runtimes_is_not_inherited(
    tools: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KMP_DUPLICATE_LIB_OK", "TRUE")
    monkeypatch.setenv("MKL_THREADING_LAYER", "GNU")
    ask = "import os; sorted(name for name in os.environ if name[:4] in ('KMP_', 'MKL_'))"
    with closing(tools.ChildKernel(env={"MKL_DYNAMIC": "FALSE"})) as child:
        assert child.run(ask).endswith("['MKL_DYNAMIC']")


def test_a_kernel_that_does_not_start_says_why(
    tools: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "ipykernel_launcher.py").write_text("raise SystemExit('no such kernel')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(RuntimeError, match="no such kernel"):
        tools.ChildKernel(limit_s=5)


@pytest.mark.skipif(not LINUX, reason="ELF files")
def test_two_packages_with_a_runtime_each_end_a_kernel(
    tools: Any, libiomp5: str, tmp_path: Path
) -> None:
    site = tmp_path / "site-packages"
    copies = [tools.make_package(site, name, Path(libiomp5)) for name in ("alpha", "beta")]
    assert [copy.name for copy in copies] == ["libiomp5.so"] * 2
    cells = "import alpha, beta", "alpha.work()", "beta.work()"
    env = {"PYTHONPATH": str(site)}
    with closing(tools.ChildKernel(env=env, capture_stderr=False)) as child:
        assert child.run(*cells).endswith("the kernel died: signal SIGABRT")
        assert "OMP: Error #15" in child.stderr
    assert not left_by(child)
    owner = "import omp_magic; [library.owner for library in omp_magic.snapshot().libraries]"
    with closing(tools.ChildKernel(env=env)) as child:
        assert "['alpha']" in child.run("import alpha", owner)


def test_a_soname_is_replaced_or_refused(tools: Any) -> None:
    library = b"\x7fELF\0libgomp-e985bcbb.so.1\0more"
    shorter = tools.renamed(library, "libgomp-e985bcbb.so.1", "libgomp.so.1")
    assert b"\0libgomp.so.1\0" in shorter
    assert len(shorter) == len(library)
    for name, soname in (("libgomp-e985bcbb.so.1", "x" * 40), ("other.so", "x.so")):
        with pytest.raises(ValueError, match="cannot be renamed"):
            tools.renamed(library, name, soname)


def test_folders_are_shortened(tools: Any, tmp_path: Path) -> None:
    inside = tmp_path / "site-packages"
    inside.mkdir()
    link(tmp_path / "link", inside)
    text = f"{inside}/a {sys.prefix}/lib {sys.base_prefix}/lib"
    assert tools.shortened(text, tmp_path / "link") == "…/a …/lib …/lib"


def saved() -> tuple[str, str]:
    """Give the saved notebook's outputs, and its text."""
    text = NOTEBOOK.read_text("utf-8")
    outputs = [cell.get("outputs", []) for cell in json.loads(text)["cells"]]
    return json.dumps(outputs, ensure_ascii=False), text


def test_the_notebook_was_saved_with_all_its_parts() -> None:
    said, _ = saved()
    for words in (
        "OMP: Error #15: Initializing libiomp5.so",
        "the kernel died: signal SIGABRT",
        "before it is loaded",
        "DuplicateRuntimeError",
        "OMP102",
        "OMP303",
        "MKL_THREADING_LAYER=INTEL is incompatible with libgomp.so.1",
        "OMP104",
        "OMP305",
        "OMP110",
        "OMP111",
    ):
        assert words in said
    assert "left out:" not in said


def test_the_notebook_has_no_path_of_a_machine() -> None:
    _, text = saved()
    for place in ("/tmp", "/home/", "/root", "/work", "/var/folders", "pyenv", sys.prefix):
        assert place not in text


@pytest.mark.timeout(300)
def test_the_notebook_goes_on_where_there_is_no_network(tmp_path: Path) -> None:
    """The part about upgrades says so; the parts about mkl run where it is installed."""
    copy = tmp_path / "alone.ipynb"
    copy.write_text(NOTEBOOK.read_text("utf-8"), "utf-8")
    (tmp_path / "childkernel.py").write_text(
        (ROOT / "notebooks" / "childkernel.py").read_text("utf-8"), "utf-8"
    )
    program = [sys.executable, str(ROOT / "notebooks" / "run.py"), "--show", "install(", str(copy)]
    alone = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "", "PIP_CONFIG_FILE": os.devnull}
    ended = subprocess.run(
        program, check=False, capture_output=True, text=True, timeout=280, env={**CLEAN, **alone}
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert re.search("^this part is left out: pip", ended.stdout, re.MULTILINE)
