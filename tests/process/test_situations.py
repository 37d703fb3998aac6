"""The situations that omp_magic is for, each made for real in a child process that may die of it.

Each finding is there when the situation is, absent when it is not, and what it says will happen
does happen.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from building import EXTENSION, extension
from environments import (
    MKL,
    MKL_AND_TORCH,
    POOLS,
    environment,
    run_in,
    values_in,
)
from live import LINUX, run_program, run_python
from places import ROOT

pytestmark = [
    pytest.mark.skipif(not LINUX, reason="reads /proc: Linux only"),
    pytest.mark.timeout(900),
]

CODES = """
import json, sys, os, ctypes
import omp_magic
# What depends on the machine's CPUs, and on what else runs on it, is left out.
MACHINE = {"OMP201", "OMP203", "OMP205", "OMP206"}
def codes(): return sorted({f.code for f in omp_magic.snapshot().findings} - MACHINE)
def finding(code): return next(f for f in omp_magic.snapshot().findings if f.code == code)
"""
LOADED_BY_CTYPES = CODES + "first, second = map(ctypes.CDLL, sys.argv[1:3])\n"


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_error_15_is_told_before_it_ends_the_process(
    libiomp5: str, libomp: str, order: tuple[int, int]
) -> None:
    files = [(libiomp5, libomp)[number] for number in order]
    ended = run_python(
        LOADED_BY_CTYPES + "print(json.dumps(codes()))\n"
        "first.omp_get_max_threads(); print(json.dumps(codes()), flush=True)\n"
        "print(json.dumps(finding('OMP101').title), flush=True)\n"
        "second.omp_get_max_threads(); print('alive')",
        *files,
    )
    neither, one, title = ended.out.strip().split("\n")
    assert neither == one == '["OMP101"]'
    assert "This kernel will die" in title
    assert ended.code == -6
    assert "OMP: Error #15" in ended.err


def test_error_15_masked_is_another_finding_and_no_end(libiomp5: str, libomp: str) -> None:
    ended = run_python(
        LOADED_BY_CTYPES + "print(json.dumps(codes()))\n"
        "first.omp_get_max_threads(); second.omp_get_max_threads()\n"
        "print(json.dumps([codes(), [l.initialized for l in omp_magic.snapshot().libraries]]))",
        libiomp5,
        libomp,
        KMP_DUPLICATE_LIB_OK="TRUE",
    )
    assert ended.code == 0, ended.err
    before, after = ended.out.strip().split("\n")
    assert before == '["OMP102", "OMP303"]'
    # Both are live now, which is a pool too many besides.
    assert after == '[["OMP102", "OMP105", "OMP303"], [true, true]]'


def test_one_runtime_of_the_family_is_no_finding(libiomp5: str) -> None:
    ended = run_python(
        CODES + "ctypes.CDLL(sys.argv[1]).omp_get_max_threads(); print(codes())", libiomp5
    )
    assert ended.out.strip() == "[]"


def test_the_first_remedy_of_error_15_mends_it(
    gcc: str, tmp_path: Path, libiomp5: str, libomp: str
) -> None:
    """Two extensions, each with its runtime: the end; with the line the finding gives: none."""
    with_intel = extension(gcc, tmp_path / "intel", libiomp5)
    with_llvm = extension(gcc, tmp_path / "llvm", libomp)
    told = run_python(
        LOADED_BY_CTYPES + "print(finding('OMP101').remedies[0], flush=True)\n"
        "first.par(); second.par()",
        with_llvm,
        with_intel,
    )
    assert told.code == -6
    line = told.out.strip().split(": ", 1)[1]
    assert "intel/libiomp5.so', ctypes.RTLD_GLOBAL" in line
    for files in ((with_llvm, with_intel), (with_intel, with_llvm)):
        mended = run_python(
            f"{line}\n{LOADED_BY_CTYPES}print(first.par() == second.par() > 0)\n"
            "print(codes(), [(l.name, l.serves, l.idle) for l in omp_magic.snapshot().libraries])",
            *files,
        )
        assert mended.code == 0, mended.err
        works, rest = mended.out.strip().split("\n")
        assert works == "True"
        assert rest == "[] [('libiomp5.so', True, False), ('libomp.so', False, True)]"


def test_libomp_in_the_global_scope_then_libiomp5_hangs(libiomp5: str, libomp: str) -> None:
    """It spins: more than a second of CPU time goes by in a call that takes none."""
    ended = run_python(
        CODES + "import resource, time\n"
        "ctypes.CDLL(sys.argv[1], ctypes.RTLD_GLOBAL).omp_get_max_threads()\n"
        "second = ctypes.CDLL(sys.argv[2]); print(codes(), flush=True)\n"
        # The kernel ends a process that has used so much.
        "end = int(time.process_time()) + 2\n"
        "resource.setrlimit(resource.RLIMIT_CPU, (end, end + 60))\n"
        "second.omp_get_max_threads(); print('alive')",
        libomp,
        libiomp5,
    )
    assert ended.out.strip() == "['OMP103']"
    assert ended.code == -signal.SIGXCPU
    assert "Error #15" not in ended.err


def test_a_copy_linked_into_a_library(gcc: str, tmp_path: Path, libiomp5: str) -> None:
    """Two static copies end the process; a static and a shared one don't know of each other."""
    python = environment("mkl", MKL)
    archive = Path(python).parent.parent / "lib" / "libiomp5.a"
    if not archive.exists():
        pytest.skip("this intel-openmp has no libiomp5.a")
    made = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        source = tmp_path / name / "par.c"
        source.write_text(EXTENSION)
        made.append(str(tmp_path / name / f"{name}.so"))
        command = [gcc, "-shared", "-fPIC", "-fopenmp", "-c", str(source), "-o", f"{source}.o"]
        subprocess.run(command, check=True)
        link = [gcc, "-shared", f"{source}.o", str(archive), "-o", made[-1], "-lpthread", "-ldl"]
        subprocess.run([*link, "-Wl,-Bsymbolic", "-lm"], check=True)
    look = (
        "def look(): return [[l.name, l.family, l.static, l.initialized] for l in"
        " omp_magic.snapshot().libraries]\n"
    )
    fatal = run_python(
        LOADED_BY_CTYPES + look + "print(json.dumps([codes(), look()]), flush=True)\n"
        "first.par(); print(json.dumps([codes(), look()]), flush=True); second.par()",
        *made,
    )
    assert fatal.code == -6
    before, after = map(eval_json, fatal.out.strip().split("\n"))
    assert before[0] == after[0] == ["OMP101"]
    assert before[1] == [["one.so", "libiomp5", True, False], ["two.so", "libiomp5", True, False]]
    assert [row[3] for row in after[1]] == [True, False]
    mixed = run_python(
        LOADED_BY_CTYPES + "first.par(); second.omp_get_max_threads(); print(codes())",
        made[0],
        libiomp5,
    )
    assert (mixed.code, mixed.out.strip()) == (0, "['OMP105']")


def eval_json(text: str) -> Any:
    import json

    return json.loads(text)


def test_mkl_refuses_a_foreign_openmp_in_the_global_scope() -> None:
    python = environment("mkl-torch", MKL_AND_TORCH)
    told = run_in(
        python,
        CODES + "import torch; print(json.dumps(codes()), flush=True)\nimport mkl; print('alive')",
        MKL_THREADING_LAYER="INTEL",
    )
    assert eval_json(told.out.strip()) == ["OMP104"]
    assert told.code == 1
    assert "MKL_THREADING_LAYER=INTEL is incompatible with libgomp" in told.out + told.err
    gnu = CODES + (
        "import torch; os.environ['MKL_THREADING_LAYER'] = 'GNU'\n"
        "print(json.dumps(codes()), flush=True)\nimport mkl; print(mkl.get_max_threads() > 0)"
    )
    mended = run_in(python, gnu, MKL_THREADING_LAYER="INTEL")
    assert mended.code == 0, mended.err
    assert "OMP104" not in mended.out
    ordered = run_in(
        python, CODES + "import mkl, torch; print(codes())", MKL_THREADING_LAYER="INTEL"
    )
    assert ordered.code == 0
    assert "OMP104" not in ordered.out


def test_the_layer_that_mkl_sets_in_c_is_inherited_by_a_child() -> None:
    """The usual way into OMP104: a parent that imported mkl, and a child that imports torch."""
    python = environment("mkl-torch", MKL_AND_TORCH)
    parent = CODES + (
        "import subprocess, mkl\n"
        "look = 'print([f.code for f in omp_magic.snapshot().findings])'\n"
        "child = [sys.executable, '-c', 'import torch, omp_magic; ' + look]\n"
        "print(subprocess.run(child, capture_output=True).stdout.decode())\n"
        "print(finding('OMP305').evidence, flush=True)"
    )
    ended = run_in(python, parent)
    assert ended.code == 0, ended.err
    assert "'OMP104'" in ended.out.split("\n", 1)[0]
    assert "MKL_THREADING_LAYER: os.environ None, C getenv 'INTEL'" in ended.out


def test_nothing_is_said_of_mkl_where_there_is_none() -> None:
    python = environment("pools", POOLS)
    assert "OMP104" not in values_in(
        python, CODES + "import torch; print(json.dumps(codes()))", MKL_THREADING_LAYER="INTEL"
    )


def test_no_false_alarm_on_the_usual_packages() -> None:
    found = run_python(
        CODES + "import numpy, scipy.linalg, sklearn.cluster, pandas\n"
        "print(codes()); numpy.ones((500, 500)) @ numpy.ones((500, 500)); print(codes())"
    )
    assert found.out == "['OMP106']\n['OMP106']\n", found.err


def test_a_library_that_several_wheels_ship_under_one_soname_is_one() -> None:
    python = environment("pools", POOLS)
    names, found = values_in(
        python,
        CODES + "import sklearn.cluster, faiss, xgboost\n"
        "names = [l.name for l in omp_magic.snapshot().libraries if l.api == 'openmp']\n"
        "print(json.dumps([names, codes()]))",
    )
    (name,) = names
    assert name.startswith("libgomp-")
    assert "OMP105" not in found


WHO_SERVES = (
    CODES
    + """
import numpy as np
for name in sys.argv[1:]:
    __import__(name)
import sklearn.cluster, torch
told = {l.owner: [l.serves, l.idle] for l in omp_magic.snapshot().libraries if l.api == "openmp"}
early = codes()
torch.ones(600, 600) @ torch.ones(600, 600)
torch.nn.functional.relu(torch.ones(1000, 1000)).sum()
sklearn.cluster.KMeans(8, n_init=1).fit(np.random.rand(20000, 8))
workers = {l.owner: l.workers for l in omp_magic.snapshot().libraries if l.api == "openmp"}
print(json.dumps([told, early, workers]))
"""
)


def test_which_libgomp_serves_scikit_learn_and_torch_in_both_orders() -> None:
    """What is told from the order of loading is what the threads then show."""
    python = environment("pools", POOLS)
    threads = len(os.sched_getaffinity(0)) - 1
    told, codes, workers = values_in(
        python, WHO_SERVES, "torch", "sklearn.cluster", KMP_DUPLICATE_LIB_OK="0"
    )
    assert told == {"torch": [True, False], "scikit-learn": [False, True]}
    assert "OMP105" not in codes
    assert workers == {"torch": threads, "scikit-learn": 0}
    told, codes, workers = values_in(
        python, WHO_SERVES, "sklearn.cluster", "torch", KMP_DUPLICATE_LIB_OK="0"
    )
    assert told == {"torch": [True, False], "scikit-learn": [False, False]}
    assert "OMP105" in codes
    assert workers == {"torch": threads, "scikit-learn": threads}


UPGRADE = (
    CODES
    + """
import subprocess, importlib
import sklearn
before = codes()
def install(*words):
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", *words]
    subprocess.run(command, check=True, env=dict(os.environ))
seen = []
def look():
    s = omp_magic.snapshot()
    omps = [l for l in s.libraries if l.api == "openmp"]
    package = [[p.name, p.reported, p.installed, p.changed_files > 0] for p in s.packages]
    omps = [[l.replaced, l.owner] for l in omps]
    seen.append([codes(), omps, package])
look()
install("--force-reinstall", "scikit-learn==" + sys.argv[1]); look()
install("-U", "scikit-learn"); look()
importlib.reload(sklearn); look()
for name in ("ensemble", "cluster", "linear_model", "tree", "neighbors", "svm", "_loss", "metrics"):
    try:
        importlib.import_module("sklearn." + name)
    except Exception:
        pass  # the new Python code meets old machine code
look()
print(json.dumps(seen))
"""
)


@pytest.mark.thorough  # test_remedies has its codes of packages that are built there
def test_a_live_upgrade_of_scikit_learn() -> None:
    """`pip install -U` between two imports: what runs, what is installed, what is told."""
    old = "1.5.2"
    python = environment("upgrade", ("numpy", "scipy", "joblib", "threadpoolctl"))
    install = [python, "-m", "pip", "install", "--quiet", f"scikit-learn=={old}"]
    ended = subprocess.run(install, check=False, capture_output=True, text=True, timeout=300)
    if ended.returncode:
        pytest.skip(f"scikit-learn {old} cannot be installed here: {ended.stderr[-120:]}")
    ended_run = run_in(python, UPGRADE, old, timeout=300)
    assert ended_run.code == 0, ended_run.err
    clean, reinstalled, upgraded, reloaded, mixed = eval_json(ended_run.out.strip().split("\n")[-1])
    assert clean == [["OMP106"], [[False, "scikit-learn"]], []]
    assert reinstalled[0] == ["OMP106", "OMP110"]
    assert reinstalled[2] == [["scikit-learn", old, old, False]]
    (package,) = upgraded[2]
    new = package[2]
    assert package == ["scikit-learn", old, new, True]
    assert new != old
    assert upgraded[:2] == [["OMP106", "OMP110"], [[True, "scikit-learn"]]]
    assert reloaded[0] == ["OMP106", "OMP110", "OMP111"]
    assert reloaded[2] == [["scikit-learn", new, new, True]]
    # What is imported from now on is new, and brings its own copy of libgomp.
    assert {"OMP105", "OMP110", "OMP111"} <= set(mixed[0])
    assert mixed[1] == [[True, "scikit-learn"], [False, "scikit-learn"]]


FORK = (
    CODES
    + """
import numpy as np, multiprocessing, signal, time
from sklearn.cluster import KMeans
def fit(): KMeans(8, n_init=1).fit(np.random.rand(20000, 8))
clean = codes()
if sys.argv[1] == "fit": fit()
told = codes()
child = os.fork()
if not child:
    fit()
    os._exit(0)
ended, deadline = 0, time.monotonic() + float(sys.argv[2])
while not ended and time.monotonic() < deadline:
    ended, _ = os.waitpid(child, os.WNOHANG)
    time.sleep(0.05)
os.kill(child, signal.SIGKILL) if not ended else None
multiprocessing.set_start_method("forkserver", force=True)
print(json.dumps([clean, told, bool(ended), codes()]))
"""
)


def test_a_fork_after_a_parallel_region_of_libgomp_hangs() -> None:
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("one CPU: a region of libgomp has one thread")
    if sys.version_info >= (3, 14):
        pytest.skip("multiprocessing does not fork by default")
    clean, told, ended, other_method = values_in(sys.executable, FORK, "fit", "6")
    assert "OMP204" not in clean
    assert "OMP204" in told
    assert not ended
    assert "OMP204" in other_method  # os.fork asks no start method
    clean, told, ended, _ = values_in(sys.executable, FORK, "no", "60")
    assert "OMP204" not in told
    assert ended


WORKERS = (
    CODES
    + """
import multiprocessing, numpy as np
from concurrent.futures import ProcessPoolExecutor
from joblib import Parallel, delayed
def work(_):
    a = np.ones((300, 300)); (a @ a).sum()
    return os.getpid()
if __name__ == "__main__":
    before = codes()
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(3, mp_context=context) as pool:
        list(pool.map(work, range(30)))
        many = omp_magic.snapshot().children
        told = codes()
    workers = Parallel(2, backend="loky")(delayed(work)(n) for n in range(20))
    print(json.dumps([before, [[c.forked, c.pool_threads] for c in many], told, codes()]))
"""
)


def test_workers_that_start_all_threads_each(tmp_path: Path) -> None:
    cpus = len(os.sched_getaffinity(0))
    if not 2 <= cpus <= 64:
        pytest.skip("between 2 and 64 CPUs: fewer have pools of one thread, OpenBLAS has no more")
    (tmp_path / "workers.py").write_text(WORKERS)
    ended = run_program(
        [sys.executable, str(tmp_path / "workers.py")], 120, {"PYTHONPATH": str(ROOT)}
    )
    assert ended.code == 0, ended.err
    before, children, told, loky = eval_json(ended.out.strip().split("\n")[-1])
    assert "OMP202" not in before
    assert children == [[False, cpus]] * 3
    assert "OMP202" in told
    # joblib divides the CPUs among its workers.
    assert "OMP202" not in loky


GUARDED = """
import ctypes, importlib, json, os, subprocess, sys
from omp_magic.guard.guard import Guard
from omp_magic.hooks.loads import LOADS
from omp_magic.machine import Machine
from omp_magic.probes.observe import Observer
alarms = []
def report(alarm): alarms.append([alarm.what, [f.code for f in alarm.findings]])
guard = Guard(Observer(Machine.here()), report, os.environ.get("GUARD", "warn"))
LOADS.add(guard)
def tried(load):
    try:
        load()
    except (ImportError, OSError) as error:
        return type(error).__name__
    return "ok"
"""


def test_the_guard_refuses_what_mkl_would_exit_over() -> None:
    python = environment("mkl-torch", MKL_AND_TORCH)
    code = GUARDED + (
        "import torch\nprint(json.dumps([tried(lambda: importlib.import_module('mkl')),"
        " 'mkl' in sys.modules, torch.ones(2).sum().item()]))"
    )
    refused = run_in(python, code, MKL_THREADING_LAYER="INTEL", GUARD="raise")
    assert refused.code == 0, refused.err
    assert eval_json(refused.out) == ["DuplicateRuntimeError", False, 2.0]
    warned = run_in(
        python,
        GUARDED.replace("alarms.append(", "print(") + "import torch\nimport mkl",
        MKL_THREADING_LAYER="INTEL",
    )
    assert "OMP104" in warned.out
    assert warned.code == 1


def test_mkl_takes_the_runtime_that_has_its_soname() -> None:
    """Who asks the loader for a SONAME gets what is loaded under it, wherever that came from."""
    code = GUARDED + (
        "import shutil, tempfile\n"
        "own = os.path.join(sys.prefix, 'lib', 'libiomp5.so')\n"
        "with tempfile.TemporaryDirectory() as folder:\n"
        "    first = ctypes.CDLL(shutil.copy(own, folder)); first.omp_get_max_threads()\n"
        "    import mkl\n"
        "    print(json.dumps([alarms, mkl.get_max_threads() > 0]))\n"
    )
    assert values_in(environment("mkl", MKL), code) == [[], True]


def test_the_guard_knows_what_mkl_opens_in_c(libomp: str) -> None:
    """mkl-service opens libiomp5 from C, past every hook: a table says so."""
    python = environment("mkl-torch", MKL_AND_TORCH)
    first = f"llvm = ctypes.CDLL({libomp!r}); llvm.omp_get_max_threads()\n"
    code = GUARDED + first + "print(json.dumps([tried(lambda: importlib.import_module('mkl'))]))"
    refused = run_in(python, code, GUARD="raise")
    assert eval_json(refused.out) == ["DuplicateRuntimeError"], refused.err
    use = "import mkl; print(json.dumps(alarms), flush=True); mkl.get_max_threads()"
    warned = run_in(python, GUARDED + first + use)
    ((what, codes),) = eval_json(warned.out.strip().split("\n")[0])
    assert (what, codes) == ("import mkl._mklinit", ["OMP101"])
    assert warned.code == -6
    # With mkl first its runtime serves all that comes later, but for calls through a handle.
    order = "import mkl\nllvm = ctypes.CDLL(%r, ctypes.%s)\nprint(json.dumps(alarms), flush=True)\n"
    quiet = run_in(python, GUARDED + order % (libomp, "RTLD_GLOBAL"))
    assert (quiet.code, eval_json(quiet.out)) == (0, []), quiet.err
    called = "mkl.get_max_threads(); llvm.omp_get_max_threads()"
    deadly = run_in(python, GUARDED + order % (libomp, "RTLD_LOCAL") + called)
    assert [codes for _, codes in eval_json(deadly.out)] == [["OMP101"]]
    assert deadly.code == -6


RELOADED = (
    GUARDED
    + """
import sklearn
guard.after_cell()
old = sklearn.__version__
command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "-U", "scikit-learn"]
subprocess.run(command, check=True, env=dict(os.environ))
how = tried(lambda: importlib.reload(sklearn))
more = tried(lambda: importlib.import_module("sklearn.cluster"))
told = [[what, codes] for what, codes in alarms if "sklearn" in what]
brings = [e for p in guard._observer.take().packages for e in p.brings]
print(json.dumps([how, more, sklearn.__version__ == old, told, len(brings)]))
"""
)


@pytest.mark.thorough  # test_guard has it of a package that is built there
def test_a_reload_after_an_upgrade_is_told_before_it() -> None:
    python = environment("upgrade", ("numpy", "scipy", "joblib", "threadpoolctl"))
    install = [python, "-m", "pip", "install", "--quiet", "scikit-learn==1.5.2"]
    for mode in ("warn", "raise"):
        ended = subprocess.run(install, check=False, capture_output=True, text=True, timeout=300)
        if ended.returncode:
            pytest.skip(f"scikit-learn 1.5.2 cannot be installed here: {ended.stderr[-120:]}")
        run = run_in(python, RELOADED, timeout=300, GUARD=mode)
        assert run.code == 0, run.err
        how, more, is_old, told, brings = eval_json(run.out.strip().split("\n")[-1])
        assert brings == 1
        if mode == "warn":
            assert how == "ok"
            assert not is_old
            assert told[0] == ["import or reload of sklearn", ["OMP110"]]
            assert all(codes != ["OMP110"] for _, codes in told[1:])  # once
        else:
            assert (how, more, is_old) == ("DuplicateRuntimeError",) * 2 + (True,)
