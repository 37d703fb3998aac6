"""The Python interface and the probes, each in a real child process that loads real libraries."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from live import LINUX, run_python

import omp_magic
from omp_magic.machine import Machine
from omp_magic.probes.observe import take

pytestmark = pytest.mark.skipif(not LINUX, reason="calls into loaded libraries: Linux only")


def values(code: str, *arguments: str, **env: str) -> Any:
    """Run a program and give the JSON of its last line."""
    ended = run_python(code, *arguments, timeout=120, **env)
    assert ended.code == 0, ended.err
    return json.loads(ended.out.strip().split("\n")[-1])


def test_importing_the_package_imports_nothing_else() -> None:
    new = values(
        "import sys, json; before = set(sys.modules); import omp_magic\n"
        "print(json.dumps(sorted(set(sys.modules) - before)))"
    )
    assert set(new) <= {"omp_magic", "__future__"}
    assert set(omp_magic.__all__) <= set(dir(omp_magic))
    with pytest.raises(AttributeError, match="no attribute 'nope'"):
        omp_magic.nope  # noqa: B018 - the look-up is the test


def test_snapshot_loads_nothing_native() -> None:
    new = values(
        "import sys, json, omp_magic; s = omp_magic.snapshot(threads=True); str(s); s.to_json()\n"
        "s._repr_mimebundle_()\n"
        "print(json.dumps([sorted(sys.modules), open('/proc/self/maps').read()]))"
    )
    heavy = {"numpy", "pandas", "ipywidgets", "threadpoolctl", "IPython", "matplotlib", "psutil"}
    assert not heavy & set(new[0])
    assert "libgomp" not in new[1]


LIMITS = """
import asyncio, json, threading
import sklearn.cluster, numpy
import omp_magic
def counts(): return sorted({l.num_threads for l in omp_magic.snapshot().libraries}, key=str)
seen = {}
with omp_magic.limit(2):
    with omp_magic.limit(1) as held:
        seen["with"] = counts(), held.spec.text, held.notes
    @omp_magic.limit({"blas": 1, "openmp": 1})
    def work(): return counts()
    seen["decorator"] = work(), work.__name__
    @omp_magic.limit("1")
    async def later():
        await asyncio.sleep(0)
        return counts()
    seen["async"] = asyncio.run(later())
    again = omp_magic.limit(1)
    with again, again:
        pass
    seen["again"] = counts()
    first, second = omp_magic.limit(1), omp_magic.limit(3)
    first.__enter__(); second.__enter__()
    first.__exit__(None, None, None)
    seen["overlapping"] = counts()
    second.__exit__(None, None, None)
    seen["overlapped"] = counts()
    try:
        with omp_magic.limit(1):
            raise KeyError
    except KeyError:
        seen["error"] = counts()
    def elsewhere():
        with omp_magic.limit(1):
            seen["thread"] = counts()
        seen["elsewhere"] = sorted(
            (l.api, l.num_threads, l.note) for l in omp_magic.snapshot().libraries
        )
    thread = threading.Thread(target=elsewhere); thread.start(); thread.join()
    try:
        omp_magic.limit("libgomp-x.so.1=1").__enter__()
    except ValueError as error:
        seen["missing"] = str(error), counts()
    try:
        @omp_magic.limit(1)
        def generator(): yield 1
    except ValueError as error:
        seen["generator"] = str(error)
print(json.dumps(seen))
"""


def test_limit_in_python() -> None:
    seen = values(LIMITS)
    assert seen["with"] == [[1], "1", []]
    assert seen["decorator"] == [[1], "work"]
    assert seen["async"] == [1]
    assert seen["again"] == seen["overlapped"] == seen["error"] == [2]
    assert seen["overlapping"] == [3]
    assert seen["thread"] == [1, None]
    apis = {(api, count) for api, count, _ in seen["elsewhere"]}
    assert apis == {("blas", 2), ("openmp", None)}
    assert any("belongs to a thread" in note for _, _, note in seen["elsewhere"])
    assert "the SONAME of a loaded library (lib" in seen["missing"][0]
    assert seen["missing"][1] == [2]
    assert "generator" in seen["generator"]


def test_a_forked_child_has_its_own_ledger() -> None:
    seen = values(
        "import json, os, sys, numpy, omp_magic\n"
        "omp_magic.snapshot()\n"
        "r, w = os.pipe()\n"
        "pid = os.fork()\n"
        "if not pid:\n"
        "    seen = [omp_magic.snapshot().pid, os.getpid()]\n"
        "    os.write(w, json.dumps(seen).encode()); os._exit(0)\n"
        "os.waitpid(pid, 0)\n"
        "print(json.dumps([json.loads(os.read(r, 99)), pid]))",
    )
    assert seen == [[seen[1], seen[1]], seen[1]]


def test_a_library_replaced_on_disk(libiomp5: str, tmp_path: Path) -> None:
    """What `pip install -U` does in a live kernel: another file comes to stand at the path."""
    path = tmp_path / "libiomp5.so"
    shutil.copy(libiomp5, path)
    code = (
        "import ctypes, json, os, sys, shutil, omp_magic\n"
        "path = sys.argv[1]; lib = ctypes.CDLL(path)\n"
        "def look():\n"
        "    return [[l.replaced, l.soname, l.path] for l in omp_magic.snapshot().libraries]\n"
        "seen = [look()]\n"
        "shutil.copy(path, path + '.new'); os.rename(path + '.new', path); seen.append(look())\n"
        "os.unlink(path); seen.append(look())\n"
        "codes = [f.code for f in omp_magic.snapshot().findings]\n"
        "lib.omp_get_max_threads()\n"
        "fresh = omp_magic.probes.observe.take(omp_magic.machine.Machine.here())\n"
        "print(json.dumps([seen, codes, [l.num_threads for l in fresh.libraries],\n"
        "      [g.what for g in fresh.gaps]]))"
    )
    seen, codes, counts, gaps = values(code, str(path))
    assert [each[0] for (each,) in [tuple(s) for s in seen]] == [False, True, True]
    assert all(s[0][1:] == ["libiomp5.so", str(path)] for s in seen)
    assert "OMP110" in codes
    # A first look at a deleted file finds it by SONAME, and says what it could not read.
    assert counts == [len(os.sched_getaffinity(0))]
    assert gaps == ["SONAME of libiomp5.so"]


def test_the_provider_of_the_global_scope(libiomp5: str, tmp_path: Path) -> None:
    shutil.copy(libiomp5, tmp_path / "libiomp5.so")
    serves = values(
        "import ctypes, json, sys, omp_magic\n"
        "ctypes.CDLL(sys.argv[1]); before = [l.serves for l in omp_magic.snapshot().libraries]\n"
        "ctypes.CDLL(sys.argv[2], mode=ctypes.RTLD_GLOBAL)\n"
        "after = {l.path: l.serves for l in omp_magic.snapshot().libraries}\n"
        "print(json.dumps([before, after[sys.argv[1]], after[sys.argv[2]]]))",
        libiomp5,
        str(tmp_path / "libiomp5.so"),
    )
    assert serves == [[None], False, True]


def test_a_hard_link_is_one_library_and_a_copy_is_two(libiomp5: str, tmp_path: Path) -> None:
    shutil.copy(libiomp5, tmp_path / "libiomp5.so")
    os.symlink(tmp_path / "libiomp5.so", tmp_path / "libiomp5.so.0")
    paths = values(
        "import ctypes, json, sys, omp_magic\n"
        "for path in sys.argv[1:]: ctypes.CDLL(path)\n"
        "print(json.dumps(sorted(l.path for l in omp_magic.snapshot().libraries)))",
        libiomp5,
        str(tmp_path / "libiomp5.so"),
        str(tmp_path / "libiomp5.so.0"),
    )
    assert paths == sorted([libiomp5, str(tmp_path / "libiomp5.so")])


def test_a_registration_left_by_a_dead_process_is_not_believed(libiomp5: str) -> None:
    states = values(
        "import ctypes, json, os, sys, omp_magic\n"
        "name = f'/dev/shm/__KMP_REGISTERED_LIB_{os.getpid()}_{os.getuid()}'\n"
        "lib = ctypes.CDLL(sys.argv[1]); seen = []\n"
        "address = ctypes.cast(lib.omp_get_max_threads, ctypes.c_void_p).value\n"
        "for text in (f'{address:#x}-cafe1234-libiomp5.so', '0x10-cafe1234-x', 'nonsense', ''):\n"
        "    open(name, 'w').write(text)\n"
        "    seen.append([l.initialized for l in omp_magic.snapshot().libraries])\n"
        "os.unlink(name)\n"
        "print(json.dumps(seen))",
        libiomp5,
    )
    assert states == [[False]] * 4


def test_owner_of_a_file_outside_site_packages(libiomp5: str) -> None:
    owners = values(
        "import ctypes, json, sys, omp_magic; ctypes.CDLL(sys.argv[1])\n"
        "print(json.dumps([l.owner for l in omp_magic.snapshot().libraries]))",
        libiomp5,
    )
    assert owners == ["intel-openmp"]


def test_a_recorded_process(tmp_path: Path) -> None:
    """A process laid out in a folder is read without a call into this one."""
    (tmp_path / "proc/self").mkdir(parents=True)
    line = "7f00-7f10 r--p 00000000 fe:00 7 /env/libomp.so\n"
    (tmp_path / "proc/self/maps").write_text(line)
    (tmp_path / "proc/self/environ").write_text("OMP_NUM_THREADS=4\0")
    facts = take(Machine(tmp_path, environ={"OMP_NUM_THREADS": "8"}, affinity=2, pid=77))
    (library,) = facts.libraries
    assert (library.family, library.num_threads, library.initialized) == ("libomp", None, None)
    (setting,) = facts.environment
    assert (setting.at_exec, setting.python) == ("4", "8")
    assert facts.pid == 77
    assert {gap.what for gap in facts.gaps} == {
        "CPU quota",
        "limit on threads",
        "thread count",
        "SONAME of libomp.so",
    }


def test_a_folder_with_nothing_in_it_is_all_gaps(tmp_path: Path) -> None:
    facts = take(Machine(tmp_path))
    assert facts.libraries == ()
    assert {"libraries", "thread count", "environment at start", "CPU quota"} <= {
        gap.what for gap in facts.gaps
    }


def test_a_fault_of_ours_is_a_gap_and_no_traceback() -> None:
    broken = values(
        "import json, omp_magic, omp_magic.api as api, omp_magic.probes.observe as observe\n"
        "def fail(*a, **k): raise ZeroDivisionError('of ours')\n"
        "for name in ('probe_budget', 'probe_libraries', 'probe_environment',\n"
        "             'probe_throttling', 'count_threads'):\n"
        "    setattr(observe, name, fail)\n"
        "observe.OwnedThreads.listed = fail\n"
        "observe.LibraryProbe.scan = fail; api.judge = fail\n"
        "s = omp_magic.snapshot(threads=True); str(s); s._repr_mimebundle_()\n"
        "print(json.dumps([[g.what for g in s.gaps], s.gaps[0].why, s.budget.threads > 0]))"
    )
    what = ["budget", "libraries", "environment", "threads", "throttling"]
    assert broken[0] == [*what, "thread count", "findings"]
    assert broken[1] == "a fault in omp_magic: ZeroDivisionError: of ours"
    assert broken[2] is True


def command(*words: str, cwd: str | None = None, **env: str) -> subprocess.CompletedProcess[str]:
    script = os.path.join(os.path.dirname(sys.executable), "omp-magic")
    return subprocess.run(
        [script, *words],
        cwd=cwd,
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
        env={**{k: v for k, v in os.environ.items() if not k.startswith("KMP")}, **env},
    )


def test_command_json() -> None:
    ended = command("status", "--json", "--import", "numpy,json")
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr == ""
    facts = json.loads(ended.stdout)
    assert [each["family"] for each in facts["libraries"]] == ["openblas"]
    assert facts["schema"] == 1
    assert facts["budget"]["threads"] >= 1
    bare = json.loads(command("status", "--json").stdout)
    assert bare["libraries"] == []


def test_command_text_and_exit_codes() -> None:
    ended = command("status", "--env", "--threads", OMP_NUM_THREADS="many")
    assert "OMP_NUM_THREADS" in ended.stdout
    assert "OMP304" in ended.stdout
    assert "MainThread" in ended.stdout
    assert ended.returncode == 0
    assert command("status", "--fail-on", "warning", OMP_NUM_THREADS="many").returncode == 1
    assert command("status", "--fail-on", "info").returncode == 0


def test_what_modules_print_does_not_reach_stdout(tmp_path: Path) -> None:
    (tmp_path / "noisy.py").write_text("import os\nprint('hello')\nos.system('echo from C')\n")
    (tmp_path / "leaver.py").write_text("raise SystemExit(3)\n")
    ended = command("status", "--json", "--import", "noisy", cwd=str(tmp_path))
    assert ended.returncode == 0
    assert json.loads(ended.stdout)["schema"] == 1
    assert sorted(ended.stderr.split("\n")) == ["", "from C", "hello"]
    ended = command("status", "--import", "leaver", cwd=str(tmp_path))
    assert ended.returncode == 2
    assert "cannot import leaver: SystemExit: 3" in ended.stderr
    ended = command("status", PYTHONIOENCODING="ascii")
    assert ended.returncode == 0
    assert "Threads in this process" in ended.stdout


def test_a_reader_that_goes_away_is_no_error() -> None:
    script = os.path.join(os.path.dirname(sys.executable), "omp-magic")
    reader, writer = os.pipe()
    os.close(reader)
    try:
        ended = subprocess.run(
            [script, "explain"], check=False, stdout=writer, stderr=subprocess.PIPE, timeout=60
        )
    finally:
        os.close(writer)
    assert (ended.returncode, ended.stderr) == (141, b"")


def test_command_wrong_use() -> None:
    for words in ((), ("nope",), ("status", "--nope"), ("status", "--fail-on", "x")):
        ended = command(*words)
        assert ended.returncode == 2
        assert ended.stdout == ""
        assert ended.stderr.count("\n") == 1
        assert "accepted: " in ended.stderr
    ended = command("status", "--json", "--import", "no_such_module")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == "omp-magic status: no such module: no_such_module\n"
    module = [sys.executable, "-m", "omp_magic", "--version"]
    as_module = subprocess.run(module, check=True, capture_output=True, text=True, timeout=60)
    assert as_module.stdout == command("--version").stdout
    assert "physical cores" in command("status", "--cpus").stdout
    assert "measured" in command("status", "--probe").stdout
    assert command("--version").stdout.strip() == f"omp-magic {omp_magic.__version__}"


TERMINAL = """
from IPython.terminal.interactiveshell import TerminalInteractiveShell
ip = TerminalInteractiveShell.instance()
ip.run_line_magic("colors", "NoColor")
for cell in (
    "%load_ext omp_magic\\nimport numpy as np",
    "%omp_status",
    "%%omp_limit 1 -v\\nimport asyncio\\nawait asyncio.sleep(0.01)\\n40 + 2",
    "%omp_limit 0",
    "%unload_ext omp_magic",
):
    ip.run_cell(cell, store_history=True)
"""


def test_ipython_terminal(tmp_path: Path) -> None:
    """Without a kernel: text alone, the limit, an awaiting body, one-line errors."""
    ended = run_python(TERMINAL, IPYTHONDIR=str(tmp_path))
    assert "Threads in this process" in ended.out
    assert "OpenBLAS" in ended.out
    assert "<table" not in ended.out
    assert "42" in ended.out
    assert "omp_limit 1: wall" in ended.out
    assert "UsageError: omp_limit: found '0'" in ended.out + ended.err


def test_a_look_leaves_nothing_to_the_garbage_collector() -> None:
    """What refers to itself would stay, with the text of each file, until it comes."""
    found = values(
        "import gc, json\n"
        "import omp_magic\n"
        "from omp_magic.machine import Machine\n"
        "from omp_magic.probes.live.pulse import Pulse\n"
        "pulse = Pulse(Machine())\n"
        "looks = (omp_magic.snapshot, lambda: omp_magic.snapshot(threads=True), pulse.tick)\n"
        "for look in looks * 3: look()\n"
        "gc.collect(); gc.disable(); found = []\n"
        "for look in looks:\n"
        "    for _ in range(20): look()\n"
        "    found.append(gc.collect())\n"
        "print(json.dumps(found))"
    )
    assert found == [0, 0, 0]
