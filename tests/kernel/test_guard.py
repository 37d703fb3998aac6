"""The guard in real kernels: it speaks before a real Error #15, and refuses when it is told to."""

from __future__ import annotations

import os
import queue
import re
import sysconfig
import time
from pathlib import Path
from typing import Any

import pytest
from building import python_extension
from environments import MKL_AND_TORCH, environment
from live import LINUX, MAPPED_OPENMP, Kernel

pytestmark = pytest.mark.skipif(not LINUX, reason="reads /proc: Linux only")


def shown(reply: Any) -> str:
    return "\n".join(data["text/plain"] for data in reply.displays)


@pytest.fixture
def extensions(gcc: str, tmp_path: Path, libiomp5: str, libomp: str) -> list[str]:
    """Folders of two modules, ext_intel and ext_llvm, each linked with its own runtime."""
    if not os.path.exists(os.path.join(sysconfig.get_paths()["include"], "Python.h")):
        pytest.skip("no Python.h: extension modules cannot be built")
    return [
        python_extension(gcc, tmp_path / "intel", "ext_intel", libiomp5),
        python_extension(gcc, tmp_path / "llvm", "ext_llvm", libomp),
    ]


def test_an_import_is_warned_of_before_it_and_the_warning_is_true(
    kernel: Kernel, extensions: list[str]
) -> None:
    kernel.run(f"import sys; sys.path[:0] = {extensions}\n%load_ext omp_magic")
    first = kernel.run("import ext_intel; ext_intel.par()")
    assert (first.status, first.displays) == ("ok", [])
    second = kernel.run(f"import ext_llvm; {MAPPED_OPENMP}")
    assert second.status == "ok"
    assert len(second.displays) == 1
    assert set(second.displays[0]) == {"text/plain", "text/html"}
    text = shown(second)
    assert "import ext_llvm, before it is loaded" in text
    assert "OMP101" in text
    assert "This kernel will die at the first call of" in text
    assert "RTLD_GLOBAL" in text
    assert "libomp.so" in second.text  # it was a warning: it is loaded now
    again = kernel.run("import importlib; importlib.reload(ext_llvm)")
    assert again.displays == []  # one warning a finding
    assert kernel.run("ext_llvm.par()").status == "dead"


def test_a_refused_import_maps_nothing_and_works_once_the_guard_is_off(
    kernel: Kernel, extensions: list[str]
) -> None:
    kernel.run(f"import sys; sys.path[:0] = {extensions}\n%load_ext omp_magic")
    assert "raise" in kernel.run("%omp_guard raise").stdout
    assert kernel.run("import ext_intel; ext_intel.par()").status == "ok"
    for _ in range(2):
        refused = kernel.run("import ext_llvm")
        assert (refused.status, refused.ename) == ("error", "DuplicateRuntimeError")
        assert "OMP101" in refused.evalue
        assert "omp_magic" not in refused.traceback
        assert "importlib" not in refused.traceback
        assert kernel.value(MAPPED_OPENMP) == ["libiomp5.so"]
        assert kernel.value("'ext_llvm' in sys.modules") is False
    caught = (
        "try:\n    import ext_llvm\nexcept ImportError as error:\n    print(type(error).__name__)"
    )
    assert kernel.run(caught).stdout == "DuplicateRuntimeError\n"
    assert kernel.run("ext_intel.par()").status == "ok"
    assert "3 alarms" in kernel.run("%omp_guard").stdout
    assert "off" in kernel.run("%omp_guard off").stdout
    assert kernel.run("import ext_llvm").status == "ok"
    assert "libomp.so" in kernel.value(MAPPED_OPENMP)


def test_no_alarm_where_one_runtime_serves_all(
    kernel: Kernel, extensions: list[str], libiomp5: str
) -> None:
    kernel.run(f"import sys, ctypes; sys.path[:0] = {extensions}\n%load_ext omp_magic")
    kernel.run("%omp_guard raise")
    kernel.run(f"ctypes.CDLL({libiomp5!r}, ctypes.RTLD_GLOBAL)")
    for module in ("ext_llvm", "ext_intel"):
        reply = kernel.run(f"import {module}; {module}.par()")
        assert (reply.status, reply.displays) == ("ok", [])


@pytest.mark.parametrize("mode", ["RTLD_GLOBAL", "RTLD_LOCAL"])
def test_a_copy_that_is_called_through_its_handle_is_served_by_nobody_else(
    kernel: Kernel, libiomp5: str, libomp: str, mode: str
) -> None:
    """Who loads a runtime globally is served by the one there; who asks the copy itself is not."""
    kernel.run("%load_ext omp_magic\nimport ctypes")
    kernel.run(f"ctypes.CDLL({libiomp5!r}, ctypes.RTLD_GLOBAL).omp_get_max_threads()")
    told = shown(kernel.run(f"second = ctypes.CDLL({libomp!r}, ctypes.{mode})"))
    status = kernel.run("%omp_status").text
    if mode == "RTLD_GLOBAL":
        assert told == ""
        assert "mapped, idle" in status
        return
    assert "OMP101" in told
    assert "RTLD_GLOBAL" not in told  # that is so already
    assert "OMP101" in status
    assert kernel.run("second.omp_get_max_threads()").status == "dead"


def test_ctypes_is_watched_and_what_slips_past_is_seen_after_the_cell(
    kernel: Kernel, libiomp5: str, libomp: str
) -> None:
    kernel.run("%load_ext omp_magic\nimport ctypes, _ctypes")
    kernel.run(f"first = ctypes.CDLL({libiomp5!r}); first.omp_get_max_threads()")
    kernel.run("%omp_guard raise")
    refused = kernel.run(f"ctypes.CDLL({libomp!r})")
    assert (refused.status, refused.ename) == ("error", "DuplicateRuntimeLoadError")
    # It ends at the line that asked: neither ctypes nor the wrapper of its dlopen is in it.
    assert not re.findall(r"\bomp_magic[/\\]\w+[/\\]\w+\.py|ctypes[/\\]", refused.traceback)
    assert f"----> 1 ctypes.CDLL({libomp!r})" in refused.traceback
    assert refused.evalue.split("\n")[1].startswith("    import ctypes; ctypes.CDLL(")
    inner = kernel.run(f"def f():\n    return ctypes.cdll.LoadLibrary({libomp!r})\nf()")
    assert re.findall(r"Cell In\S+, line (\d)", inner.traceback) == ["3", "2"]
    assert "ctypes/" not in inner.traceback
    assert kernel.value(MAPPED_OPENMP) == ["libiomp5.so"]
    past = kernel.run(f"handle = _ctypes.dlopen({libomp!r}, 0)")
    assert past.status == "ok"
    assert "this cell, seen after it has run" in shown(past)
    assert "OMP101" in shown(past)
    assert kernel.run("1 + 1").displays == []


def test_the_users_warning_filters_hold(kernel: Kernel, libiomp5: str, libomp: str) -> None:
    kernel.run("%load_ext omp_magic\nimport ctypes, warnings, omp_magic")
    kernel.run(f"first = ctypes.CDLL({libiomp5!r}); first.omp_get_max_threads()")
    kernel.run("warnings.simplefilter('error', omp_magic.DuplicateRuntimeWarning)")
    for _ in range(2):
        refused = kernel.run(f"ctypes.CDLL({libomp!r})")
        assert refused.status == "error"
        assert "OMP101" in refused.evalue
        assert kernel.value(MAPPED_OPENMP) == ["libiomp5.so"]
    kernel.run("warnings.simplefilter('ignore', omp_magic.DuplicateRuntimeWarning)")
    silent = kernel.run(f"second = ctypes.CDLL({libomp!r})")
    assert (silent.status, silent.displays, silent.stderr) == ("ok", [], "")


def test_a_masked_duplicate_is_warned_of_too(kernel: Kernel, libiomp5: str, libomp: str) -> None:
    kernel.run(
        "%load_ext omp_magic\nimport ctypes, os; os.environ['KMP_DUPLICATE_LIB_OK'] = 'TRUE'"
    )
    kernel.run(f"first = ctypes.CDLL({libiomp5!r}); first.omp_get_max_threads()")
    assert "OMP102" in shown(kernel.run(f"second = ctypes.CDLL({libomp!r})"))
    assert kernel.run("second.omp_get_max_threads()").status == "ok"


HOOKED = (
    "[f.__code__.co_filename for f in (importlib.machinery.ExtensionFileLoader.create_module,"
    " importlib.machinery.SourceFileLoader.exec_module)] + [type(ctypes._dlopen).__name__,"
    " 'exec_module' in vars(importlib.machinery.SourceFileLoader)]"
)


def test_unloading_takes_every_hook_out(kernel: Kernel) -> None:
    kernel.run("import ctypes, importlib.machinery")
    before = kernel.value(HOOKED)
    for off in ("%unload_ext omp_magic", "%omp_guard off", "%config OmpMagics.guard = 'off'"):
        kernel.run("%load_ext omp_magic\n%omp_guard warn")
        assert kernel.value(HOOKED) != before
        assert kernel.run(off).status == "ok"
        assert kernel.value(HOOKED) == before
    kernel.run("%unload_ext omp_magic")
    assert kernel.value(HOOKED) == before


def test_a_fault_of_the_guard_is_one_line_and_the_import_goes_on(kernel: Kernel) -> None:
    kernel.run("%load_ext omp_magic\nimport omp_magic.loader.imports as imports")
    kernel.run(
        "def fail(*a, **k): raise ZeroDivisionError('of ours')\nimports.LoaderModel.predict = fail"
    )
    reply = kernel.run("import numpy")
    assert reply.status == "ok"
    lines = [line for line in reply.stderr.split("\n") if "not watched" in line]
    assert len(lines) == 1
    assert "ZeroDivisionError: of ours" in lines[0]


def test_an_import_error_has_no_frame_of_ours(kernel: Kernel, tmp_path: Path) -> None:
    (tmp_path / "broken_one.py").write_text("import broken_two\n")
    (tmp_path / "broken_two.py").write_text("1 / 0\n")
    kernel.run(f"import sys; sys.path.insert(0, {str(tmp_path)!r})")
    bare = kernel.run("import broken_one").traceback
    kernel.run("%load_ext omp_magic")
    guarded = kernel.run("import broken_one").traceback
    assert "ZeroDivisionError" in guarded
    assert "omp_magic" not in guarded
    assert "importlib" not in guarded
    assert guarded.count("\n") == bare.count("\n")


def test_wrong_words_and_a_wrong_profile(kernel: Kernel) -> None:
    kernel.run("%load_ext omp_magic")
    for line in ("%omp_guard nope", "%omp_guard raise warn", "%omp_guard --x"):
        reply = kernel.run(line)
        assert (reply.status, reply.ename) == ("error", "UsageError")
        assert "accepted: warn, raise, off, status" in reply.stderr
        assert reply.stderr.strip().count("\n") == 0
    kernel.run("%config OmpMagics.guard = 'loud'")
    assert "omp_guard warn" in kernel.run("%omp_guard").stdout
    assert kernel.run("%reload_ext omp_magic").status == "ok"
    kernel.run("get_ipython().config.OmpMagics.guard = 'loud'\n%unload_ext omp_magic")
    reply = kernel.run("%load_ext omp_magic")  # a reload would keep the mode
    assert reply.status == "ok"
    assert "OmpMagics.guard: found 'loud'; accepted: warn, raise, off" in reply.stderr
    kernel.run("get_ipython().config.OmpMagics.guard = 'raise'\n%unload_ext omp_magic")
    kernel.run("%load_ext omp_magic")
    reply = kernel.run("%omp_guard")
    assert "omp_guard raise" in reply.stdout
    assert reply.stderr == ""  # traitlets warns of a setting that it knows in no class
    kernel.run("%config OmpMagics.guard = 'off'")
    assert "omp_guard off" in kernel.run("%omp_guard").stdout


@pytest.fixture
def upgraded(gcc: str, tmp_path: Path, libiomp5: str) -> tuple[str, str]:
    """A package in a site-packages, and a cell that puts another version in its place."""
    site = tmp_path / "site-packages"
    site.mkdir()
    folder = Path(python_extension(gcc, site / "pkg", "_pkg", libiomp5))
    (folder / "__init__.py").write_text(
        "__version__ = '1'\nfrom . import _pkg\ndef load_ipython_extension(shell): pass\n"
    )
    (folder / "more.py").write_text("x = 1\n")
    (folder / "__init__.py").chmod(0o644)
    source = folder / "module.c"
    source.write_text(source.read_text().replace("n += 1", "n += 100"))
    include = sysconfig.get_paths()["include"]
    name = f"_pkg{sysconfig.get_config_var('EXT_SUFFIX')}"
    cell = (
        "import os, shutil, subprocess, time\n"
        f"new = {str(tmp_path / 'new')!r}; old = {str(folder)!r}\n"
        "shutil.copytree(old, new); os.chdir(new)\n"
        f"subprocess.run([{gcc!r}, '-fPIC', '-fopenmp', '-I{include}', '-shared', 'module.c',"
        f" '-o', {name!r}, '-L.', '-l:libiomp5.so', '-Wl,-rpath,$ORIGIN'], check=True)\n"
        "open('__init__.py', 'a').write('__version__ = \"22\"\\n')\n"
        "open('more.py', 'a').write('y = 2\\n')\n"
        "os.chdir('/'); shutil.rmtree(old); os.rename(new, old)"
    )
    return str(site), cell


@pytest.mark.parametrize(
    ("first", "again"),
    [
        ("", "import importlib; importlib.reload(pkg)"),
        ("", "%omp_status\nimport importlib; importlib.reload(pkg)"),
        ("", "for n in [n for n in sys.modules if n[:3] == 'pkg']: del sys.modules[n]\nimport pkg"),
        ("", "import pkg.more"),
        ("%load_ext pkg", "%reload_ext pkg"),
        ("%load_ext autoreload\n%autoreload 2", "1 + 1"),
    ],
)
def test_a_package_replaced_on_disk_is_told_before_its_code_runs(
    kernel: Kernel, upgraded: tuple[str, str], first: str, again: str
) -> None:
    site, upgrade = upgraded
    kernel.run(f"import sys; sys.path.insert(0, {site!r})\n%load_ext omp_magic")
    assert kernel.run(f"{first}\nimport pkg; pkg._pkg.par()").status == "ok"
    assert kernel.run(upgrade).status == "ok"
    told = shown(kernel.run(again))
    assert "import or reload of pkg" in told
    assert "before it is loaded" in told
    assert "OMP110" in told
    assert "pkg was replaced on disk" in told
    assert shown(kernel.run("import importlib; importlib.reload(pkg)")).count("OMP110") == 0


@pytest.mark.parametrize("look", ["", "%omp_status", "%omp_guard warn\nimport pkg.more"])
def test_a_reload_is_refused_and_the_old_module_stays(
    kernel: Kernel, upgraded: tuple[str, str], look: str
) -> None:
    """Also where the change was seen, or warned of, before."""
    site, upgrade = upgraded
    kernel.run(f"import sys; sys.path.insert(0, {site!r})\n%load_ext omp_magic")
    kernel.run("%omp_guard raise\nimport pkg, importlib; before = pkg._pkg.par()")
    kernel.run(upgrade)
    assert kernel.run(look).status == "ok"
    ipython = kernel.value("__import__('IPython').version_info[0]")
    kernel.run("%omp_guard raise")
    for _ in range(2):
        refused = kernel.run("importlib.reload(pkg)")
        assert (refused.status, refused.ename) == ("error", "DuplicateRuntimeError")
        assert "omp_magic" not in refused.traceback or ipython < 8  # which names the wrapper
    assert kernel.value("[pkg.__version__, pkg._pkg.par() == before]") == ["1", True]
    kernel.run("%omp_guard off")
    assert kernel.run("importlib.reload(pkg).__version__").text == "'22'"


@pytest.fixture
def with_mkl(kernel: Kernel) -> Kernel:
    """A kernel with torch and mkl, and the variable with which mkl exits after torch."""
    home = Path(environment("mkl-torch", MKL_AND_TORCH)).parents[1]
    (site,) = home.glob("lib/python*/site-packages")
    kernel.run(f"import os, sys; sys.path.append({str(site)!r})\n%load_ext omp_magic")
    kernel.run("os.environ['MKL_THREADING_LAYER'] = 'INTEL'")
    return kernel


@pytest.mark.timeout(900)
def test_mkl_is_refused_each_time_and_nothing_else_for_it(with_mkl: Kernel) -> None:
    """OMP104 is told after torch's cell; mkl is refused all the same, and again."""
    with_mkl.run("%omp_guard raise")
    assert "OMP104" in shown(with_mkl.run("import torch", timeout=300))
    for _ in range(2):
        refused = with_mkl.run("import mkl")
        assert (refused.status, refused.ename) == ("error", "DuplicateRuntimeError")
        assert "OMP104" in refused.evalue
        assert refused.displays == []
    intel = "os.path.join(os.path.dirname(torch.__file__), '../../../libiomp5.so')"
    assert with_mkl.run(f"import ctypes; ctypes.CDLL({intel})").status == "ok"


@pytest.mark.timeout(900)
def test_one_cell_that_loads_both_is_refused_once(with_mkl: Kernel) -> None:
    with_mkl.run("%omp_guard raise")
    for _ in range(2):
        refused = with_mkl.run("import torch, mkl", timeout=300)
        assert (refused.ename, refused.displays) == ("DuplicateRuntimeError", [])


@pytest.mark.timeout(900)
def test_a_warning_arrives_before_the_load_ends_the_kernel(with_mkl: Kernel) -> None:
    """C's exit() waits for no thread, and a kernel's output is sent by one.

    That one gets a turn here only when it is waited for, as on a busy machine.
    """
    with_mkl.run("sys.setswitchinterval(300)")
    message = with_mkl.client.execute("print('mine'); import torch, mkl")
    texts = []
    until = time.monotonic() + 300
    while time.monotonic() < until:
        dead = not with_mkl.manager.is_alive()
        try:
            got = with_mkl.client.get_iopub_msg(timeout=1)
        except queue.Empty:
            if dead:
                break
            continue
        if got["parent_header"].get("msg_id") == message:
            content = got["content"]
            texts.append(content.get("text") or content.get("data", {}).get("text/plain", ""))
    assert dead
    assert "mine\n" in texts
    assert "OMP104" in texts[-1]


def test_the_cell_that_loads_the_extension_may_do_everything(kernel: Kernel) -> None:
    """Our own modules are half imported when they load something themselves."""
    reply = kernel.run(
        "%load_ext omp_magic\nimport numpy\n%omp_status\n%omp_check json\n"
        "import sqlite3, decimal, sklearn.cluster"
    )
    assert (reply.status, reply.stderr) == ("ok", "")
    fresh = kernel.run("%reload_ext omp_magic\n%omp_guard")
    assert (fresh.status, fresh.stderr) == ("ok", "")
    assert "native loads seen" in fresh.stdout
