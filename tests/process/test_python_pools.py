"""Pools of Python packages: read from real packages, none started and nothing fixed by it."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import threading
import types
from pathlib import Path
from typing import Any

import pytest
from environments import POOLS, TENSORFLOW, environment, values_in
from live import LINUX, run_python
from places import ROOT

from omp_magic.facts.libraries import Gap, Pool
from omp_magic.machine import Machine
from omp_magic.probes.packages.adapters import ADAPTERS
from omp_magic.probes.packages.poolcontext import Context, Kept
from omp_magic.probes.packages.python_pools import PythonPools

live = pytest.mark.skipif(not LINUX, reason="reads /proc: Linux only")
# The first test to ask for an environment installs it.
pytestmark = pytest.mark.timeout(1800)

LOOK = """
import json, os, sys, time
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
from omp_magic.machine import Machine
from omp_magic.probes.observe import Observer
from omp_magic.probes.packages.python_pools import PythonPools
observer = Observer(Machine.here())
reader = PythonPools(observer.machine, observer.native)
def look(**more):
    gaps = []
    pools = reader.pools(observer.take().libraries, gaps, **more)
    assert not gaps, gaps
    return {pool.name: pool for pool in pools}
def sizes():
    return {name: [pool.num_threads, pool.would_use] for name, pool in look().items()}
def state():
    with open("/proc/self/maps") as maps:
        mapped = {line.split(None, 5)[-1].strip() for line in maps if ".so" in line}
    threads, seen = None, set()
    while threads != seen:  # some packages' threads start after the import has returned
        threads, seen = seen, set(os.listdir("/proc/self/task"))
        time.sleep(0.2)
    return [sorted(mapped), sorted(threads)]
look()
"""


@pytest.fixture(scope="module")
def pools() -> str:
    return environment("pools", POOLS)


@pytest.fixture(scope="module")
def tensorflow() -> str:
    return environment("tensorflow", TENSORFLOW)


WAYS: dict[str, dict[str, str]] = {
    "torch": {
        "torch intra-op": "torch.get_num_threads()",
        "torch inter-op": "None",
    },
    "numba": {"numba": "numba.get_num_threads()"},
    "numexpr": {"numexpr": "numexpr.get_num_threads()"},
    "cv2": {"OpenCV": "None"},
    "pyarrow": {"pyarrow CPU": "pyarrow.cpu_count()", "pyarrow I/O": "pyarrow.io_thread_count()"},
    "polars": {"polars": "polars.thread_pool_size()"},
    "blosc2": {"blosc2": "blosc2.nthreads"},
    "faiss": {"faiss": "faiss.omp_get_max_threads()"},
    "xgboost": {"xgboost": "omp_max_threads(xgboost.core._LIB)"},
}
"""What to import, and how each pool's package tells its size; it may start the pool for it."""

OMP = """
def omp_max_threads(library):
    import ctypes
    return ctypes.CDLL(library._name).omp_get_max_threads()
"""


@live
@pytest.mark.parametrize("package", WAYS)
def test_looking_starts_nothing_and_the_package_agrees(pools: str, package: str) -> None:
    seen = values_in(
        pools,
        f"{LOOK}{OMP}\nimport {package}\n"
        f"before = state(); told = sizes(); again = sizes(); after = state()\n"
        f"asked = [{', '.join(WAYS[package].values())}]\n"
        "print(json.dumps([before, after, told, again, asked]))",
    )
    before, after, told, again, asked = seen
    assert after == before
    assert again == told
    own = [told[name][0] or told[name][1] for name in WAYS[package]]
    assert own == asked


SETTERS = {
    "torch": ("torch.set_num_threads(1); torch.set_num_interop_threads(7)", [1, None]),
    "numba": ("numba.get_num_threads(); numba.set_num_threads(1)", [1]),
    "numexpr": ("numexpr.set_num_threads(3)", [3]),
    "pyarrow": ("pyarrow.set_cpu_count(3); pyarrow.set_io_thread_count(5)", [3, 5]),
    "blosc2": ("blosc2.set_nthreads(3)", [3]),
    "faiss": ("faiss.omp_set_num_threads(3)", [3]),
    "xgboost": ("xgboost.set_config(nthread=1)", [1]),
}


@live
@pytest.mark.parametrize("package", SETTERS)
def test_what_the_packages_setters_set_is_seen(pools: str, package: str) -> None:
    setters, expected = SETTERS[package]
    seen = values_in(
        pools,
        f"{LOOK}import {package}\nbefore = sizes()\n{setters}\n"
        "told = sizes(); print(json.dumps([before, told]))",
        NUMBA_NUM_THREADS="2",
        NUMEXPR_MAX_THREADS="8",
        OMP_NUM_THREADS="2",
    )
    before, told = seen
    assert [told[name][0] for name in WAYS[package]] == expected
    assert [before[name][0] or before[name][1] for name in WAYS[package]] != expected


LATE = {
    "cv2": (
        {"OPENCV_FOR_THREADS_NUM": "5"},
        "cv2.GaussianBlur(numpy.ones((999, 999), 'u1'), (9, 9), 3); got = [cv2.getNumThreads()]",
        [5],
    ),
    "pyarrow": (
        {"OMP_NUM_THREADS": "6", "ARROW_IO_THREADS": "5"},
        "got = [pyarrow.cpu_count(), pyarrow.io_thread_count()]",
        [6, 5],
    ),
    "polars": ({"POLARS_MAX_THREADS": "5"}, "got = [polars.thread_pool_size()]", None),
    "blosc2": (
        {"BLOSC_NTHREADS": "5"},
        """a = len(os.listdir('/proc/self/task')); b = blosc2.asarray(numpy.ones(10**7))
got = [len(os.listdir('/proc/self/task')) - a]""",
        [5],
    ),
}
"""Variables to be set after the import, a use of the pool, and what it then has."""


@live
@pytest.mark.parametrize("package", LATE)
def test_a_variable_set_after_the_look_is_obeyed_as_without_it(pools: str, package: str) -> None:
    variables, use, expected = LATE[package]
    program = f"{LOOK}import numpy, {package}\nsizes() if sys.argv[1:] else 0\n"
    program += f"os.environ.update({variables!r})\nsizes() if sys.argv[1:] else 0\n"
    program += f"{use}\nprint(json.dumps(got))"
    without, looked = values_in(pools, program), values_in(pools, program, "look")
    assert looked == without
    if expected is not None:
        assert without == expected, "this version reads the variable at another time"


@live
def test_a_variable_set_before_the_pool_starts_is_told(pools: str) -> None:
    seen = values_in(
        pools,
        f"{LOOK}import pyarrow, blosc2, polars\n"
        "os.environ.update(OMP_NUM_THREADS='6,2', ARROW_IO_THREADS='5', BLOSC_NTHREADS='3')\n"
        "first = sizes(); os.environ.update(OMP_THREAD_LIMIT='4', ARROW_IO_THREADS='5x')\n"
        "second = sizes()\n"
        "asked = [pyarrow.cpu_count(), pyarrow.io_thread_count(), polars.thread_pool_size()]\n"
        "print(json.dumps([first, second, asked]))",
        POLARS_MAX_THREADS="7",
    )
    first, second, asked = seen
    assert first["pyarrow CPU"] == [None, 6]
    assert first["pyarrow I/O"] == [None, 5]
    assert first["blosc2"] == [3, None]
    assert second["pyarrow CPU"] == [None, 4]
    assert second["pyarrow I/O"] == [None, 8]
    assert second["polars"] == [None, 7]
    assert asked == [4, 8, 7]


@live
def test_polars_is_asked_once_its_threads_are_there(pools: str) -> None:
    seen = values_in(
        pools,
        f"{LOOK}import polars\nidle = sizes()\n"
        "frame = polars.DataFrame({'a': range(100_000)})\n"
        "frame.lazy().group_by('a').len().collect()\n"
        "time.sleep(0.5); print(json.dumps([idle, sizes(), polars.thread_pool_size()]))",
        POLARS_MAX_THREADS="3",
    )
    idle, told, size = seen
    assert idle["polars"] == [None, 3]
    assert told["polars"] == [3, None]
    assert size == 3


@live
def test_a_late_polars_variable_gives_no_number_where_it_is_read_at_import(pools: str) -> None:
    seen = values_in(
        pools,
        f"{LOOK}import polars\nos.environ['POLARS_MAX_THREADS'] = '5'\ntold = look()['polars']\n"
        "print(json.dumps([told.would_use, told.note, polars.thread_pool_size()]))",
    )
    would_use, note, size = seen
    assert would_use in (None, size)
    assert would_use is not None or "import" in note


@live
def test_numba_is_not_launched_and_torchs_count_stays(pools: str) -> None:
    seen = values_in(
        pools,
        f"{LOOK}import torch, numba\ntorch.set_num_threads(1)\nsizes()\n"
        "from numba.np.ufunc import parallel\n"
        "idle = parallel._is_initialized, look()['torch intra-op'].num_threads\n"
        "asked = torch.get_num_threads()\n"
        "parallel._launch_threads(); numba.set_num_threads(1)\n"
        "told = look()['numba']; got = []\n"
        "import threading\n"
        "other = threading.Thread(target=lambda: got.append(look()))\n"
        "other.start(); other.join()\n"
        "print(json.dumps([idle, asked, told.num_threads, told.would_use, told.scope, told.note,\n"
        "    told.lender, [[p.num_threads, p.note] for p in got[0].values() if p.scope == 'thread'"
        "]]))",
        NUMBA_NUM_THREADS="2",
        NUMBA_THREADING_LAYER="omp",
    )
    idle, asked, number, would_use, scope, note, lender, elsewhere = seen
    assert idle == [False, 1]
    assert asked == 1
    assert (number, would_use, scope) == (1, None, "thread")
    assert "omp" in note
    assert "libgomp" in lender
    assert len(elsewhere) == 2
    assert all(number is None and "main thread" in note for number, note in elsewhere)


@live
@pytest.mark.parametrize("order", ["torch, faiss", "faiss, torch", "sklearn, torch, faiss"])
def test_the_lender_is_the_runtime_that_faiss_calls(pools: str, order: str) -> None:
    seen = values_in(
        pools,
        f"{LOOK}import {order}\ntorch.set_num_threads(1); told = look()\n"
        "print(json.dumps([told['faiss'].num_threads, told['faiss'].lender,\n"
        "    told['torch intra-op'].lender, faiss.omp_get_max_threads()]))",
        OMP_NUM_THREADS="3",
    )
    number, lender, torchs, asked = seen
    assert "torch/lib/libgomp" in torchs
    assert number == asked == (3 if order == "faiss, torch" else 1)
    assert (lender == torchs) == (order != "faiss, torch")


@live
@pytest.mark.parametrize("linked", [False, True])
def test_opencv_is_asked_once_it_is_known_to_have_threads(
    pools: str, tmp_path: Path, linked: bool
) -> None:
    # The kernel names the file without the link that __file__ was found by.
    link = tmp_path / "site-packages"
    link.symlink_to(next((Path(pools).parent.parent / "lib").glob("python*")) / "site-packages")
    seen = values_in(
        pools,
        f"{LOOK}sys.path[:0] = sys.argv[1:]\n"
        "import cv2, numpy\ncv2.setNumThreads(3)\nidle = look()['OpenCV']\n"
        "cv2.GaussianBlur(numpy.ones((999, 999), 'u1'), (9, 9), 3)\n"
        "lines = (line for line in open('/proc/self/maps') if '/cv2.' in line)\n"
        "file = next(lines).split(None, 5)[-1].strip()\n"
        "other = look(busy=['/usr/lib/libother.so'])['OpenCV'].num_threads\n"
        "told = look(busy=[file])['OpenCV'].num_threads\n"
        "print(json.dumps([idle.num_threads, other, idle.note, cv2.__file__, told,\n"
        "    look()['OpenCV'].num_threads]))",
        *([str(link)] if linked else []),
    )
    assert seen[:2] == [None, None]
    assert "OPENCV_FOR_THREADS_NUM" in seen[2]
    assert seen[3].startswith(str(link)) == linked
    assert seen[4:] == [3, 3]


@live
@pytest.mark.parametrize("getter", ["get_num_threads", "get_num_interop_threads"])
def test_looking_leaves_the_openmp_count_that_torchs_getters_set(pools: str, getter: str) -> None:
    # A look that called them would undo a limit on the runtime.
    seen = values_in(
        pools,
        f"{LOOK}import ctypes, threading, torch\ntorch.set_num_threads(1)\n"
        "omp = ctypes.CDLL(look()['torch intra-op'].lender)\n"
        "got = []\n"
        "def run():\n"
        "    omp.omp_set_num_threads(5); look(); got.append(omp.omp_get_max_threads())\n"
        f"    torch.{getter}(); got.append(omp.omp_get_max_threads())\n"
        "run(); thread = threading.Thread(target=run); thread.start(); thread.join()\n"
        "print(json.dumps(got))",
        OMP_NUM_THREADS="3",
    )
    assert seen[::2] == [5, 5], "looking changed the count"
    assert seen[1::2] == [1, 1], "this getter no longer sets the count: it may be asked"


@pytest.mark.thorough
@live
def test_tensorflow_is_told_before_its_first_operation_and_after(tensorflow: str) -> None:
    seen = values_in(
        tensorflow,
        f"{LOOK}import tensorflow as tf\nfrom tensorflow.python.eager import context\n"
        "before = state(); told = [sizes()]; after = state(); made = context._context is not None\n"
        "os.environ.update(TF_NUM_INTRAOP_THREADS='5', TF_NUM_INTEROP_THREADS='6')\n"
        "told.append(sizes()); tf.config.threading.set_intra_op_parallelism_threads(3)\n"
        "told.append(sizes()); tf.matmul(tf.ones((9, 9)), tf.ones((9, 9))); time.sleep(0.5)\n"
        "told.append(sizes())\n"
        "print(json.dumps([before == after, made, told]))",
    )
    same, made, (first, changed, told, started) = seen
    assert same
    assert not made, "looking made TensorFlow's context"
    cpus = len(os.sched_getaffinity(0))
    assert list(first.values()) == [[None, cpus], [None, cpus]]
    assert list(changed.values()) == [[None, 5], [None, 6]]
    assert list(told.values()) == [[None, 3], [None, 6]]
    assert list(started.values()) == [[3, None], [6, None]]


@pytest.mark.thorough
@live
def test_what_tensorflow_does_not_tell_is_not_guessed(tensorflow: str) -> None:
    seen = values_in(
        tensorflow,
        f"{LOOK}import tensorflow as tf\ntf.ones(3) + 1\ntold = look()['tensorflow intra-op']\n"
        "print(json.dumps([told.num_threads, told.would_use, told.note]))",
    )
    assert seen[:2] == [None, None]
    assert "does not tell" in seen[2]


def _look(**more: Any) -> tuple[tuple[Pool, ...], list[Gap]]:
    gaps: list[Gap] = []
    return PythonPools(Machine.here(), None).pools((), gaps, **more), gaps


def _broken(name: str, **attributes: Any) -> types.ModuleType:
    module = types.ModuleType(name)
    vars(module).update(attributes)
    return module


def _fail() -> int:
    class OddError(BaseException):
        def __str__(self) -> str:
            raise ValueError

    raise OddError


@pytest.mark.parametrize(
    "module",
    [
        _broken("numexpr"),
        _broken("numexpr", get_num_threads=_fail),
        _broken("numexpr", get_num_threads=lambda: "two"),
        _broken("numexpr", get_num_threads=lambda: True),
        _broken("numexpr", get_num_threads=lambda: 0),
        _broken("numexpr", get_num_threads=None),
    ],
)
def test_a_module_that_is_another_or_broken_is_a_gap(
    monkeypatch: pytest.MonkeyPatch, module: types.ModuleType
) -> None:
    monkeypatch.setitem(sys.modules, "numexpr", module)
    found, gaps = _look()
    assert found == ()
    assert [gap.what for gap in gaps] == ["threads of numexpr"]
    assert gaps[0].why


@pytest.mark.parametrize("name", sorted({adapter.module for adapter in ADAPTERS}))
def test_an_empty_module_of_each_name_raises_nothing(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    found, gaps = _look()
    assert gaps or found
    assert all(name in gap.what.lower() or name == "cv2" for gap in gaps)
    assert all(pool.num_threads is None and (pool.note or pool.own_switch) for pool in found)


def test_an_import_in_progress_is_a_gap(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "numexpr.py").write_text(
        "import sys\nsys.modules['look_now'].append(sys.modules['look_now'][0]())\n"
        "def get_num_threads():\n    return 3\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    looks: list[Any] = [_look]
    monkeypatch.setitem(sys.modules, "look_now", looks)
    try:
        __import__("numexpr")
        during, after = looks[1], _look()
    finally:
        sys.modules.pop("numexpr", None)
    assert during[0] == ()
    assert [gap.what for gap in during[1]] == ["threads of numexpr"]
    assert "import" in during[1][0].why
    assert [pool.num_threads for pool in after[0]] == [3]


def test_a_module_put_off_is_not_imported_and_a_blocked_one_is_not_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "numexpr.py").write_text("raise SystemExit('imported by a look')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    spec = importlib.util.find_spec("numexpr")
    assert spec is not None
    assert spec.loader is not None
    spec.loader = importlib.util.LazyLoader(spec.loader)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "numexpr", module)
    spec.loader.exec_module(module)
    assert _look() == ((), [])
    monkeypatch.setitem(sys.modules, "numexpr", None)
    assert _look() == ((), [])


def test_another_machine_has_no_python_packages(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "numexpr", _broken("numexpr", get_num_threads=lambda: 3))
    gaps: list[Gap] = []
    assert PythonPools(Machine(tmp_path), None).pools((), gaps) == ()
    assert len(_look()[0]) == 1


def test_arrow_is_not_asked_where_memory_does_not_say_whether_its_pool_exists(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    module = _broken("pyarrow", cpu_count=_fail, io_thread_count=_fail)
    monkeypatch.setitem(sys.modules, "pyarrow", module)
    found, gaps = _look()
    assert not gaps
    assert [(pool.num_threads, pool.would_use) for pool in found] == [(None, None)] * 2
    assert all("creates the pool" in pool.note for pool in found)


class _Code:
    """A loader and a memory with a function's first instructions and the byte they test."""

    def __init__(self, code: bytes, guard: bytes) -> None:
        self.at = {0x1000: code.ljust(16, b"\x90"), 0x1000 + 0x107: guard}

    def dependency_symbol(self, _path: str, _name: str) -> int:
        return 0x1000

    def read_memory(self, address: int, size_bytes: int) -> bytes:
        if address not in self.at:
            raise OSError("not mapped")
        return self.at[address][:size_bytes]


TEST = b"\x0f\xb6\x05\x00\x01\x00\x00\x84\xc0\x74\x0d"


@pytest.mark.parametrize(
    ("code", "guard", "exists"),
    [
        (TEST, b"\1", True),
        (TEST, b"\0", False),
        (b"\x55\x48\x89\xe5" + TEST, b"\1", None),
        (b"\x0f\xb6\x05\x00\x02\x00\x00\x84\xc0\x74", b"\1", None),
    ],
)
def test_a_guard_is_read_only_from_the_instructions_that_are_known(
    code: bytes, guard: bytes, exists: bool | None
) -> None:
    both: Any = _Code(code, guard)
    context = Context(
        machine=both,
        native=both,
        libraries=(),
        quota_cpus=None,
        busy=frozenset(),
        on_main=threading.current_thread() is threading.main_thread(),
        kept=Kept(),
    )
    assert context.static_exists("library", "function") is exists


ENTRY_POINTS = """
import json, sys
sys.path.insert(0, sys.argv[1])
from omp_magic.machine import Machine
from omp_magic.probes.packages.python_pools import PythonPools
reader = PythonPools(Machine.here(), None)
def look():
    gaps = []
    pools = reader.pools((), gaps)
    return [[[p.name, p.num_threads, p.family] for p in pools], [[g.what, g.why] for g in gaps]]
seen = [look(), "teller" in sys.modules]
import told
seen += [look(), look(), "teller" in sys.modules]
import broken, missing
seen += [look(), look(), sys.modules["teller"].calls]
print(json.dumps(seen))
"""


def test_other_packages_tell_of_pools_by_entry_points(tmp_path: Path) -> None:
    info = tmp_path / "teller-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: teller\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[omp_magic.pools]\n"
        "told = teller:pools\nbroken = teller:broken\nmissing = not_there:pools\n"
    )
    (tmp_path / "teller.py").write_text(
        "from omp_magic.facts.libraries import Pool\n"
        "calls = 0\n"
        "def pools(module):\n"
        "    yield module.__name__, module.threads\n"
        "    yield Pool(name='whole', family='told', api='python', library='told',\n"
        "               num_threads=None, would_use=4, scope='process')\n"
        "def broken(module):\n"
        "    global calls\n"
        "    calls += 1\n"
        "    yield 'first', 2\n"
        "    yield 'second', -1\n"
    )
    (tmp_path / "told.py").write_text("threads = 3\n")
    (tmp_path / "broken.py").touch()
    (tmp_path / "missing.py").touch()
    ended = run_python(ENTRY_POINTS, str(tmp_path), PYTHONPATH=str(ROOT))
    assert ended.code == 0, ended.err
    nothing, loaded, one, same, then, failed, again, calls = json.loads(ended.out)
    assert nothing == [[], []]
    assert not loaded, "an entry point was loaded though its module is not there"
    told = [["told", 3, "told"], ["whole", None, "told"]]
    assert one == same == [told, []]
    assert then
    assert failed[0] == told
    assert [what for what, _ in failed[1]] == ["threads of broken", "threads of missing"]
    assert "-1" in failed[1][0][1]
    assert "not_there" in failed[1][1][1]
    assert again == failed
    assert calls == 1, "a failing entry point was tried again"


def test_a_look_without_packages_imports_nothing() -> None:
    ended = run_python(
        "import json, sys\n"
        "from omp_magic.machine import Machine\n"
        "from omp_magic.probes.packages.python_pools import PythonPools\n"
        "reader = PythonPools(Machine.here(), None)\n"
        "first = reader.pools((), []), set(sys.modules)\n"
        "assert reader.pools((), []) == first[0] == ()\n"
        "print(json.dumps([sorted(set(sys.modules) - first[1]),\n"
        "    sorted(set(sys.modules) & {'numpy', 'torch', 'pyarrow', 'polars', 'numba'})]))",
        PYTHONPATH=str(ROOT),
    )
    assert ended.code == 0, ended.err
    assert json.loads(ended.out) == [[], []]
