"""Limits end where they began: any nesting, any order, errors, loads, threads and interrupts."""

from __future__ import annotations

import json

import pytest
from limit_programs import HEAD
from live import LINUX, run_python
from places import TESTS

pytestmark = pytest.mark.skipif(not LINUX, reason="sets limits through libc: Linux only")


RANDOM = (
    HEAD
    + """
import numpy, scipy.linalg, sklearn.cluster
first, last, libiomp5 = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
HERE.limiter.inventory.refresh(limited=False)
gomp = next(i for i in HERE.limiter.inventory.images if i.family.key == "libgomp").mapped.path
cpus = len(os.sched_getaffinity(0))
specs = ["1", "3", "blas=1", "openmp=3", "libgomp=1 blas=3", "auto", "auto/2", {gomp: 3}]
ran = 0
for seed in range(first, last):
    folder = tempfile.mkdtemp()
    def copy(number):
        path = f"{folder}/libgomp-{seed}-{number}.so.1"
        shutil.copy(gomp, path)
        ctypes.CDLL(path)
    def plugin():
        library = ctypes.CDLL(libiomp5)
        if seed % 2:
            library.omp_get_max_threads()
    loads = {0: [lambda: copy(0), plugin], 3: [lambda: copy(1)]}.get(seed - first, [])
    if seed % 4 == 1:
        # The user's own counts are what a limit must bring back.
        disturb(cpus + 1)
        os.environ["OMP_NUM_THREADS"] = str(seed)
    before, known = state(), set(counts())
    program = Program(seed, specs, loads)
    program.run(25)
    check(before, program.steps)
    assert not HERE.limiter.holds
    for name, now in counts().items():
        if name not in known and "libgomp" in name:
            # What was loaded under a limit has the count that it has of itself.
            own = int(os.environ.get("OMP_NUM_THREADS", cpus))
            assert now == own, (program.steps, name, now)
            assert in_a_new_thread(counts)[name] == own
    shutil.rmtree(folder)
    ran += len(program.steps)
print(json.dumps(ran))
"""
)


def test_any_program_of_limits_ends_where_it_began(libiomp5: str) -> None:
    ended = run_python(RANDOM, "0", "60", libiomp5, PYTHONPATH=str(TESTS))
    assert ended.code == 0, ended.err
    assert int(ended.out) > 1000


INTERRUPTED = (
    HEAD
    + """
import numpy, sklearn.cluster
files = tuple(f"omp_magic/{name}.py" for name in sys.argv[1:])
with omp_magic.limit(1):
    pass
before, number, lines = state(), 0, set()
while True:
    interrupter = Interrupter(number, files, ("enter", "leave", "surely"))
    try:
        with interrupter:
            with omp_magic.limit(1):
                with omp_magic.limit("blas=3"):
                    pass
    except KeyboardInterrupt:
        pass
    check(before, interrupter.raised)
    assert not HERE.limiter.holds, interrupter.raised
    if not interrupter.raised:
        break
    lines.add(interrupter.raised)
    number += 1
print(json.dumps([number, len(lines)]))
"""
)


def test_an_interrupt_at_any_line_leaves_nothing_behind() -> None:
    """Left out are the few lines of `enter` and `leave` before they have changed anything."""
    names = "limiter settlement ledger variables inventory spread loads notes dials held"
    files = [*(f"limits/{name}" for name in names.split()), "hooks", "wrapping"]
    ended = run_python(INTERRUPTED, *files, PYTHONPATH=str(TESTS), timeout=180)
    assert ended.code == 0, ended.err
    number, lines = json.loads(ended.out)
    assert number > 500
    assert lines > 150


def test_a_value_that_the_cell_gives_a_variable_stays() -> None:
    code = HEAD + (
        "import os\n"
        "with omp_magic.limit(2):\n"
        "    inside = os.environ['OMP_NUM_THREADS'], os.environ['NUMEXPR_NUM_THREADS']\n"
        "    os.environ['OMP_NUM_THREADS'] = '7'\n"
        "    with omp_magic.limit(1):\n"
        "        inner = os.environ['OMP_NUM_THREADS']\n"
        "print(json.dumps([inside, inner, variables()['OMP_NUM_THREADS'][0],\n"
        "                  'NUMEXPR_NUM_THREADS' in os.environ]))\n"
    )
    ended = run_python(code, PYTHONPATH=str(TESTS))
    assert ended.code == 0, ended.err
    assert ended.out.strip() == '[["2", "2"], "1", "7", false]'


def test_python_and_c_get_their_own_values_back() -> None:
    """mkl-service sets a variable in C alone (OMP305)."""
    code = HEAD + (
        "libc = ctypes.PyDLL(None)\n"
        "libc.setenv(b'MKL_NUM_THREADS', b'9', 1)\n"
        "os.environ['OMP_NUM_THREADS'] = '5'\n"
        "before = variables()\n"
        "with omp_magic.limit(2):\n"
        "    assert variables()['MKL_NUM_THREADS'] == ('2', b'2')\n"
        "    with omp_magic.limit(1, env=False):\n"
        "        assert variables()['OMP_NUM_THREADS'] == ('2', b'2')\n"
        "assert variables() == before, variables()\n"
        "assert variables()['MKL_NUM_THREADS'] == (None, b'9')\n"
    )
    ended = run_python(code, PYTHONPATH=str(TESTS))
    assert ended.code == 0, ended.err


SHARED = (
    HEAD
    + """
import numpy, sklearn.cluster
limit = omp_magic.limit(1)
@limit
def limited(barrier):
    barrier.wait()
    inside = counts()
    barrier.wait()
    return inside
before, found = counts(), []
barriers = [threading.Barrier(2), threading.Barrier(2)]
both = threading.Barrier(2)
threads = [threading.Thread(target=lambda: found.append(limited(both))) for _ in range(2)]
for thread in threads: thread.start()
for thread in threads: thread.join()
assert all(set(each.values()) == {1} for each in found), found
assert counts() == before == in_a_new_thread(counts)
with limit:
    with limit:
        assert set(counts().values()) == {1}
    assert set(counts().values()) == {1}
assert counts() == before
"""
)


def test_one_limit_object_serves_threads_and_nests() -> None:
    ended = run_python(SHARED, PYTHONPATH=str(TESTS))
    assert ended.code == 0, ended.err


FORKED = (
    HEAD
    + """
import numpy, sklearn.cluster
before = counts()
ready, go = threading.Event(), threading.Event()
def hold():
    with HERE.limiter.lock:
        ready.set()
        go.wait()
thread = threading.Thread(target=hold)
with omp_magic.limit(1):
    thread.start()
    ready.wait()
    pid = os.fork()  # while another thread has the lock
    if pid == 0:
        pass
    else:
        go.set()
        thread.join()
if pid == 0:
    os._exit(0 if counts() == before and "OMP_NUM_THREADS" not in os.environ else 1)
assert counts() == before
assert os.waitpid(pid, 0)[1] == 0
"""
)


def test_a_forked_child_leaves_the_limit_by_itself() -> None:
    ended = run_python(FORKED, PYTHONPATH=str(TESTS), timeout=60)
    assert ended.code == 0, ended.err


def test_a_library_loaded_under_a_limit_by_c_alone_is_told() -> None:
    """A dlopen in C passes every hook: the runtime reads the limit's variable for good."""
    code = HEAD + (
        "import sklearn.utils._openmp_helpers\n"
        "HERE.limiter.inventory.refresh(limited=False)\n"
        "gomp = HERE.limiter.inventory.images[-1].mapped.path\n"
        "copy = tempfile.mkdtemp() + '/libgomp-c.so.1'\n"
        "shutil.copy(gomp, copy)\n"
        "dlopen = ctypes.PyDLL(None).dlopen\n"
        "dlopen.restype = ctypes.c_void_p\n"
        "with omp_magic.limit(1) as held:\n"
        "    assert dlopen(copy.encode(), 2)\n"
        "shutil.rmtree(os.path.dirname(copy))\n"
        "cpus = len(os.sched_getaffinity(0))\n"
        "assert set(counts().values()) == {cpus}, counts()\n"
        "(line,) = held.afterwards\n"
        "assert 'libgomp-c.so.1' in line and 'later have the limit' in line, line\n"
        "with omp_magic.limit(1):\n"
        "    assert set(in_a_new_thread(counts).values()) == {1}\n"
    )
    ended = run_python(code, PYTHONPATH=str(TESTS))
    assert ended.code == 0, ended.err


@pytest.mark.parametrize("names", ["polars", "tensorflow"])
def test_variables_that_would_stay_for_good_are_left_alone(names: str) -> None:
    """They are set for children until the package is imported here, and not from then on."""
    code = HEAD + (
        "import types\n"
        "names = [n for n, who in omp_magic.knowledge.inherited.INHERITED if sys.argv[1] in who]\n"
        "with omp_magic.limit(1):\n"
        "    assert all(os.environ[name] == '1' for name in names)\n"
        "    sys.modules[sys.argv[1]] = types.ModuleType(sys.argv[1])\n"
        "    with omp_magic.limit(1):\n"
        "        assert not any(name in os.environ for name in names)\n"
    )
    ended = run_python(code, names, PYTHONPATH=str(TESTS))
    assert ended.code == 0, ended.err


def test_the_threads_that_keep_house_are_there_by_these_names() -> None:
    code = (
        "import importlib, inspect\n"
        "from omp_magic.limits.spread import _HOUSEKEEPERS\n"
        "for module, name in _HOUSEKEEPERS:\n"
        "    where = module if module[:5] != 'loky.' else f'joblib.externals.{module}'\n"
        "    source = inspect.getsource(importlib.import_module(where))\n"
        "    assert f'class {name}(' in source or f'def {name}(' in source, (module, name)\n"
    )
    ended = run_python(code)
    assert ended.code == 0, ended.err


SERVED = (
    HEAD
    + """
import multiprocessing
multiprocessing.set_start_method("forkserver")
def seen():
    with multiprocessing.Pool(1) as pool:
        return pool.apply(os.getenv, ("OMP_NUM_THREADS",))
if sys.argv[1] == "before":
    seen()
with omp_magic.limit(1) as held:
    found = [seen()]
with omp_magic.limit(1) as again:
    pass
found.append(seen())
with omp_magic.limit(1, env=False) as alone:
    pass
assert alone.notes == alone.afterwards == ()
from multiprocessing.forkserver import _forkserver
_forkserver._stop()
found.append(seen())
print(json.dumps([found, held.notes, held.afterwards, again.notes, again.afterwards]))
"""
)


@pytest.mark.parametrize("started", ["before", "inside"])
def test_a_fork_server_that_does_not_follow_a_limit_is_told_of(started: str) -> None:
    """Its children inherit what was set when it was started, by the limit or without it."""
    ended = run_python(SERVED, started, PYTHONPATH=str(TESTS))
    assert ended.code == 0, ended.err
    found, *told = json.loads(ended.out)
    assert found == {"before": [None, None, None], "inside": ["1", "1", None]}[started]
    (old,) = told[2]
    assert "fork server was started before this limit: its children don't have it" in old
    if started == "before":
        assert told == [[old], [], [old], []]
    else:
        (new,) = told[1]
        assert "fork server was started under a limit: its children keep that one's" in new
        assert told == [[], [new], [old], []]


DISPUTED = (
    HEAD
    + """
import numpy, sklearn.cluster
before = counts()
inside, go = threading.Event(), threading.Event()
def other():
    with omp_magic.limit(1):
        inside.set()
        go.wait()
thread = threading.Thread(target=other)
thread.start()
inside.wait()
with omp_magic.limit(3) as held:
    found = counts()
    go.set()
    thread.join()
    after = counts()
assert set(found.values()) == set(after.values()) == {3}, (found, after)
print(json.dumps(held.notes))
with omp_magic.limit(1):
    with omp_magic.limit(3) as nested:
        assert nested.notes == ()
assert counts() == before
"""
)


def test_two_threads_that_want_one_pool_differently_are_told() -> None:
    """OpenBLAS has one count for the process; libgomp's belong to the threads."""
    ended = run_python(DISPUTED, PYTHONPATH=str(TESTS))
    assert ended.code == 0, ended.err
    (line,) = json.loads(ended.out)
    assert line.startswith("another thread is under omp_magic.limit('1'); OpenBLAS (numpy), ")
    assert "libgomp" not in line


BROKEN = (
    HEAD
    + """
import types
import numpy, sklearn.cluster
before = state()
module = types.ModuleType("numexpr")
module.MAX_THREADS = 8
def fails(*_): raise ValueError("no")
counted = [2]
module.get_num_threads = fails if sys.argv[1] == "reading" else lambda: counted[0]
module.set_num_threads = (
    fails if sys.argv[1] != "putting back" else lambda n: fails() if n == 2 else counted.append(n)
)
module.utils = types.ModuleType("numexpr.utils")
sys.modules["numexpr"] = module
for _ in range(2):
    with omp_magic.limit(1) as held:
        assert set(counts_of_libraries()) == {1}
        if sys.argv[1] == "putting back":
            counted[0] = 1
    if sys.argv[1] != "putting back":
        assert any("numexpr is left alone: ValueError: no" in note for note in held.notes)
    counted[0] = 2
    del sys.modules["numexpr"]
    check(before, held.notes)
    sys.modules["numexpr"] = module
"""
).replace("counts_of_libraries()", "[l.num_threads for l in omp_magic.snapshot().libraries]")


@pytest.mark.parametrize("what", ["reading", "setting", "putting back"])
def test_a_package_that_fails_is_left_alone_and_the_others_are_limited(what: str) -> None:
    ended = run_python(BROKEN, what, PYTHONPATH=str(TESTS))
    assert ended.code == 0, ended.err
    assert ended.err.count("not every limit is taken back") == 2 * (what == "putting back")


def test_a_numba_that_is_another_one_is_left_alone() -> None:
    code = HEAD + (
        "import types, numpy\n"
        "sys.modules['numba'] = types.ModuleType('numba')\n"
        "with omp_magic.limit(1) as held:\n"
        "    assert [l.num_threads for l in omp_magic.snapshot().libraries] == [1]\n"
        "(line,) = held.notes\n"
        "assert line.startswith('numba is left alone: LookupError'), line\n"
    )
    ended = run_python(code, PYTHONPATH=str(TESTS))
    assert ended.code == 0, ended.err
