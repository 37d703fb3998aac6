"""%%omp_limit in real kernels: the cell behaves as without it, and everything comes back."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from live import LINUX, Kernel, Reply

from omp_magic.facts.cpus import cpus_words

pytestmark = pytest.mark.skipif(not LINUX, reason="sets limits through libc: Linux only")

COUNTS = "[l.num_threads for l in __import__('omp_magic').snapshot().libraries]"
PROBE = "import omp_magic; seen = [l.num_threads for l in omp_magic.snapshot().libraries]"


@pytest.fixture(scope="module")
def loaded() -> Iterator[Kernel]:
    """A kernel with the extension, OpenBLAS and libgomp, both at 2 threads or more."""
    started = Kernel({"OPENBLAS_NUM_THREADS": "2", "OMP_NUM_THREADS": "2"})
    reply = started.run("%load_ext omp_magic\nimport numpy as np, sklearn.cluster, asyncio, time")
    assert reply.status == "ok", reply.traceback
    # What OpenBLAS makes of the variable depends on the machine: start from a known count.
    started.run("import omp_magic; base = omp_magic.limit(2); base.__enter__()")
    yield started
    started.close()


@pytest.fixture
def kept(loaded: Kernel) -> Iterator[Kernel]:
    """The kernel, with a check that its counts and C environment are the same afterwards."""
    before = loaded.value(COUNTS)
    assert set(before) == {2}
    yield loaded
    assert loaded.value(COUNTS) == before


def without_note(text: str) -> str:
    """Give what a cell printed, without a note of the fixture's own limit.

    ipykernel 7.0 runs each cell in a context of its own, so that to a cell the limit around all of
    them is another thread's.
    """
    lines = text.splitlines(keepends=True)
    return "".join(each for each in lines if "under omp_magic.limit('2')" not in each)


def both(kernel: Kernel, body: str, **options: float) -> tuple[Reply, Reply]:
    """Run a body bare, below one line of comment, and below the magic."""
    bare = kernel.run("# one line\n" + body, **options)
    ours = kernel.run("%%omp_limit 1\n" + body, **options)
    return bare, ours


def test_every_pool_has_the_limit_inside(kept: Kernel) -> None:
    assert kept.run(f"%%omp_limit 1\n{PROBE}").status == "ok"
    assert set(kept.value("seen")) == {1}
    kept.run(f"%%omp_limit blas=1\n{PROBE}")
    rows = "[[l.api, n] for l, n in zip(omp_magic.snapshot().libraries, seen)]"
    assert {tuple(row) for row in kept.value(rows)} == {("blas", 1), ("openmp", 2)}
    kept.run(f"%%omp_limit libgomp=1\n{PROBE}")
    assert {tuple(row) for row in kept.value(rows)} == {("blas", 2), ("openmp", 1)}
    kept.run(f"%%omp_limit 1 openmp=3\n{PROBE}")
    assert {tuple(row) for row in kept.value(rows)} == {("blas", 1), ("openmp", 3)}


def test_a_soname_is_a_name(kept: Kernel) -> None:
    sonames = "[l.soname for l in omp_magic.snapshot().libraries if l.api == 'openmp']"
    (soname,) = kept.value(sonames)
    kept.run(f"%%omp_limit {soname}=1\n{PROBE}")
    assert sorted(kept.value("seen")).count(1) == 1


def test_auto_is_the_budget(kept: Kernel) -> None:
    kept.run(f"%%omp_limit auto\n{PROBE}")
    budget = kept.value("omp_magic.snapshot().budget.threads")
    assert set(kept.value("seen")) == {budget}
    kept.run(f"%%omp_limit auto/1000\n{PROBE}")
    assert set(kept.value("seen")) == {1}


@pytest.mark.messages
def test_last_expression_and_out(kept: Kernel) -> None:
    bare, ours = both(kept, "x = 20\nx + 22")
    assert ours.result == bare.result == {"text/plain": "42"}
    assert kept.value(f"Out[{ours.count}]") == 42
    assert kept.run("_").text == "42"


@pytest.mark.messages
def test_semicolon_silences(kept: Kernel) -> None:
    for body in ("1 + 1;", "1 + 1;  # with a comment", "1 + 1;\n\n"):
        bare, ours = both(kept, body)
        assert ours.result == bare.result == {}


@pytest.mark.messages
def test_output_streams_and_displays(kept: Kernel) -> None:
    show = "from IPython.display import HTML\ndisplay(HTML('<b>b</b>'))"
    bare, ours = both(kept, f"print('a')\n{show}")
    assert without_note(ours.stdout) == bare.stdout == "a\n"
    assert ours.displays == bare.displays


def test_the_text_of_the_cell_is_not_touched(kept: Kernel) -> None:
    bare, ours = both(kept, 's = """a\nb\n    c"""\ns')
    assert ours.text == bare.text == repr("a\nb\n    c")


@pytest.mark.messages
def test_traceback_is_the_bare_cells(kept: Kernel) -> None:
    body = "def f():\n    return 1 / 0\n\n\nf()"
    bare, ours = both(kept, body)
    assert ours.status == bare.status == "error"
    assert ours.ename == "ZeroDivisionError"
    number = f"In[{bare.count}]", f"In[{ours.count}]"
    expected = bare.traceback.replace(*number).replace("# one line", "#%%omp_limit 1")
    strip = [line for line in ours.traceback.split("\n") if "/ipykernel_" not in line]
    assert strip == [line for line in expected.split("\n") if "/ipykernel_" not in line]
    assert "line 6" in ours.traceback or "----> 6" in ours.traceback
    assert "omp_magic/" not in ours.traceback


@pytest.mark.messages
def test_an_error_stops_run_all(kept: Kernel, tmp_path: Path) -> None:
    """A front-end sends all cells at once; after an error the kernel aborts the rest.

    ipykernel aborts what has arrived: the first cell fails once the second was sent.
    """
    client = kept.client
    sent = tmp_path / "sent"
    cell = f"import os, time\nwhile not os.path.exists({str(sent)!r}):\n    time.sleep(0.05)\n"
    first = client.execute(f"%%omp_limit 1\n{cell}time.sleep(0.5)\n1 / 0", stop_on_error=True)
    second = client.execute("ran = True")
    sent.touch()
    replies: dict[str, str] = {}
    while set(replies) != {first, second}:
        got = client.get_shell_msg(timeout=30)
        replies[got["parent_header"]["msg_id"]] = got["content"]["status"]
    assert replies == {first: "error", second: "aborted"}
    time.sleep(0.3)  # so long ipykernel goes on aborting
    kept.run("0")


@pytest.mark.messages
def test_syntax_error_is_the_users(kept: Kernel) -> None:
    for body in ("x = 1\ny = (\n  2 +* 3)", "def f(:\n    pass", "if 1:\npass"):
        bare, ours = both(kept, body)
        assert ours.status == bare.status == "error"
        assert ours.ename == bare.ename
        expected = bare.traceback.replace(f"In[{bare.count}]", f"In[{ours.count}]")
        hidden = "/ipykernel_"  # IPython 7 names a file instead of the cell
        assert [line for line in ours.traceback.split("\n") if hidden not in line] == [
            line for line in expected.split("\n") if hidden not in line
        ]


@pytest.mark.messages
def test_a_rejected_body_is_not_run_and_shows_none_of_our_frames(kept: Kernel) -> None:
    kept.run(
        "from IPython.core.error import InputRejected\n"
        "class No:\n"
        "    def visit(self, node):\n"
        "        import ast\n"
        "        if 'forbidden' in ast.dump(node) and 'run_cell_magic' not in ast.dump(node):\n"
        "            raise InputRejected('refused')\n"
        "        return node\n"
        "no = No(); get_ipython().ast_transformers.append(no)"
    )
    reply = kept.run("%%omp_limit 1\nforbidden = 1")
    assert (reply.status, reply.ename) == ("error", "InputRejected")
    assert "omp_magic/" not in reply.traceback
    kept.run("get_ipython().ast_transformers.remove(no)")
    assert kept.value("'forbidden' in globals()") is False


@pytest.mark.messages
def test_top_level_await(kept: Kernel) -> None:
    reply = kept.run(f"%%omp_limit 1\nawait asyncio.sleep(0.05)\n{PROBE}\n7 * 6")
    assert reply.status == "ok", reply.traceback
    assert reply.text == "42"
    assert set(kept.value("seen")) == {1}
    reply = kept.run("%%omp_limit 1\nawait asyncio.sleep(0.01)\n1 / 0")
    assert reply.ename == "ZeroDivisionError"
    reply = kept.run("%%omp_limit 1\nasync for i in aiter([]): pass", timeout=30)
    assert reply.status == "error"


@pytest.mark.messages
@pytest.mark.parametrize(
    "cell",
    [
        "%%time\n%%omp_limit 1\n{probe}\n'end'",
        "%%omp_limit 1\n%%time\n{probe}\n'end'",
        "%%omp_limit 2\n%%omp_limit 1\n{probe}\n'end'",
        "%%capture out\n%%omp_limit 1\n{probe}\nprint('inside')",
        "%%omp_limit 1\n%%capture out\n{probe}\nprint('inside')",
        "%%omp_limit 1\n{probe}\n%time 1 + 1\n!true\n'end'",
    ],
)
def test_nested_magics(kept: Kernel, cell: str) -> None:
    kept.run("seen = out = None")
    reply = kept.run(cell.format(probe=PROBE))
    assert reply.status == "ok", reply.traceback
    assert set(kept.value("seen")) == {1}
    if "capture" in cell:
        assert without_note(reply.stdout) == ""
        assert without_note(kept.value("out.stdout")) == "inside\n"
    else:
        assert reply.text == "'end'"


def test_nested_limits_come_back_one_by_one(kept: Kernel) -> None:
    kept.run(
        "%%omp_limit 4\n"
        "get_ipython().run_cell_magic('omp_limit', '1', 'inner = ' + repr(0))\n"
        f"{PROBE}"
    )
    assert set(kept.value("seen")) == {4}


@pytest.mark.messages
def test_limits_come_back_after_an_error_and_an_interrupt(kept: Kernel) -> None:
    assert kept.run("%%omp_limit 1\nraise SystemError").ename == "SystemError"
    bare, ours = both(kept, "raise SystemExit(3)")
    assert (ours.status, ours.ename) == (bare.status, bare.ename) == ("error", "SystemExit")
    assert set(kept.value(COUNTS)) == {2}
    reply = kept.run("%%omp_limit 1\nwhile True: time.sleep(0.01)", interrupt_after=0.7)
    assert reply.ename == "KeyboardInterrupt"
    assert set(kept.value(COUNTS)) == {2}
    # When an awaited sleep notices the interrupt is ipykernel's business: as in the bare cell.
    bare, ours = both(kept, "await asyncio.sleep(3)", interrupt_after=0.7)
    assert (ours.status, ours.ename) == (bare.status, bare.ename)
    assert bare.status == "error"


@pytest.mark.messages
@pytest.mark.parametrize(
    "spec", ["0", "-1", "1e6", "blas=", "foo=2", "auto/0", "", "no.so=1", "opnblas=2"]
)
def test_a_wrong_spec_is_one_line_and_changes_nothing(kept: Kernel, spec: str) -> None:
    kept.run("ran = False")
    reply = kept.run(f"%%omp_limit {spec}\nran = True")
    assert reply.status == "error"
    assert reply.ename == "UsageError"
    assert reply.stderr.strip().count("\n") == 0
    for word in ("found", "accepted:", "example:"):
        assert word in reply.stderr
    assert kept.value("ran") is False
    if spec:
        assert kept.run(f"%omp_limit {spec}").ename == "UsageError"


def test_more_threads_than_cpus_is_allowed_and_says_so(kept: Kernel) -> None:
    cpus = kept.value("omp_magic.snapshot().budget.affinity_cpus")
    reply = kept.run(f"%%omp_limit {cpus + 2}\n{PROBE}")
    assert reply.status == "ok"
    # A note: Jupyter paints stderr red.
    assert f"{cpus + 2} threads on {cpus_words(cpus)}" in reply.stdout
    assert reply.stderr == ""
    assert set(kept.value("seen")) == {cpus + 2}


def test_a_name_that_fits_nothing_is_said(kept: Kernel) -> None:
    reply = kept.run("%%omp_limit mkl=1\n1")
    assert reply.status == "ok"
    assert "mkl: not loaded yet; limited as soon as it is" in reply.stdout
    reply = kept.run("%%omp_limit polars=1\n1")
    assert "polars: not loaded; it can be limited in child processes only" in reply.stdout


def test_a_library_that_is_loaded_later_is_limited_as_was_said(kernel: Kernel) -> None:
    reply = kernel.run("%load_ext omp_magic\n%omp_limit openblas=1")
    assert "openblas: not loaded yet; limited as soon as it is" in reply.stdout
    kernel.run("import numpy")
    assert kernel.value(COUNTS) == [1]


@pytest.mark.messages
def test_verbose_adds_a_card(kept: Kernel) -> None:
    reply = kept.run("%%omp_limit 1 -v\ntime.sleep(0.1)\n'end'")
    assert reply.text == "'end'"
    assert without_note(reply.stdout) == ""
    (card,) = reply.displays
    verdict, line = card["text/plain"].split("\n")
    assert verdict.startswith("Mostly waiting: 0.")
    for word in ("omp_limit 1: wall 1", "CPU", "CPUs busy", "peak", "threads", "MB", "throttled"):
        assert word in line
    assert f"<b>{verdict}</b>" in card["text/html"]
    assert '<div class="omp-magic omp-k">' in card["text/html"]
    reply = kept.run("%%omp_limit 1 -v\n1 / 0")
    assert reply.ename == "ZeroDivisionError"
    assert "wall" in _told(reply)


def _told(reply: Reply) -> str:
    """Give the text of what `-v` shows after the cell."""
    (card,) = reply.displays
    return str(card["text/plain"])


def test_verbose_measures(kept: Kernel) -> None:
    busy = "a = np.ones((1200, 1200))\nfor _ in range(10): a @ a"
    reply = kept.run(f"%%omp_limit 1 -v\n{busy}")
    cpus = float(_told(reply).split(" CPUs busy · ")[0].split("· ")[-1].split(" of ")[0])
    assert 0 < cpus < 1.3
    reply = kept.run("%%omp_limit 1 -v\nb = bytearray(300_000_000)")
    megabytes = int(_told(reply).split(" MB")[0].split(" ")[-1])
    assert megabytes > 300
    threads = "import threading\nt = [threading.Timer(0.2, int) for _ in range(5)]"
    reply = kept.run(f"%%omp_limit 1 -v\n{threads}\n[x.start() for x in t]; [x.join() for x in t];")
    more = int(_told(reply).split("(+")[1].split(")")[0])
    assert more == 5


def test_session_limit_and_off(kept: Kernel) -> None:
    reply = kept.run("%omp_limit 1")
    assert "%omp_limit off ends it" in reply.stdout
    assert set(kept.value(COUNTS)) == {1}
    assert "limit 1" in kept.run("%omp_status").text
    kept.run("%%omp_limit 2\nimport math")
    assert set(kept.value(COUNTS)) == {1}
    kept.run("%omp_limit 3")
    # What is no limit is refused as it is read; a library that is not loaded, as it is limited.
    for wrong in ("no.so=1", "libgomp-never.so.1=1"):
        assert kept.run(f"%omp_limit {wrong}").ename == "UsageError"
        assert set(kept.value(COUNTS)) == {3}
    assert "omp_limit 3 is in force" in kept.run("%omp_limit").stdout
    kept.run("%omp_limit off")
    assert set(kept.value(COUNTS)) == {2}
    assert "no limit is in force" in kept.run("%omp_limit off").stdout


def test_every_limit_in_force_is_told_and_none_is_forgotten_at_off(kept: Kernel) -> None:
    told = "omp_limit 1 is in force, set by %%omp_limit 1; the end of its cell ends it"
    assert told in kept.run("%%omp_limit 1\n%omp_limit").stdout
    left = "still in force: omp_magic.limit('2'), until the end of its block; %%omp_limit 1, until"
    reply = kept.run("%%omp_limit 1\n%omp_limit off")
    assert f"no limit is in force for the session; {left}" in reply.stdout
    kept.run("%omp_limit 3")
    reply = kept.run(f"%%omp_limit 1\n%omp_limit\n%omp_limit off\n{PROBE}")
    assert [line.split(",")[0] for line in reply.stdout.splitlines()[:3]] == [
        "omp_limit 2 is in force",
        "omp_limit 3 is in force",
        "omp_limit 1 is in force",
    ]
    assert f"omp_limit off: 3 has ended; {left} the end of its cell" in reply.stdout
    assert "its own count" not in reply.stdout
    assert set(kept.value("seen")) == {1}


def test_a_line_whose_number_comes_later_is_not_said_again(kernel: Kernel) -> None:
    """polars' pool has a size when it is first used, which may be in the limited cell."""
    kernel.run(
        "%load_ext omp_magic\nimport omp_magic.limits.notes as notes\n"
        "line = 'polars keeps its threads: they cannot be changed'\n"
        "notes.fixed = lambda: (line,)"
    )
    assert kernel.run("%%omp_limit 1\n1").stdout == f"omp_limit: {kernel.value('line')}\n"
    change = "line = line.replace('its', 'its 2')"
    assert kernel.run(f"%%omp_limit 1\n{change}").stdout == ""
    assert kernel.run("%%omp_limit 1\n1").stdout == ""


def test_flags_that_do_not_fit(kept: Kernel) -> None:
    assert kept.run("%omp_limit 2 -v").ename == "UsageError"
    assert kept.run("%%omp_limit 2 --nope\n1").ename == "UsageError"
    assert kept.run("%%omp_limit '2\n1").ename == "UsageError"


def test_variables_are_not_expanded(kept: Kernel) -> None:
    assert kept.run("%%omp_limit 1\nx = '{y} $z'\nx").text == "'{y} $z'"


def test_a_session_limit_holds_for_a_library_loaded_later(kernel: Kernel) -> None:
    kernel.run("%load_ext omp_magic\n%omp_limit 1")
    kernel.run("import numpy, omp_magic")
    assert set(kernel.value(COUNTS)) == {1}
    kernel.run("%omp_limit off")
    (count,) = kernel.value(COUNTS)
    assert count == kernel.value("len(__import__('os').sched_getaffinity(0))")


def test_a_runtime_that_has_not_started_is_limited_without_waking_it(
    kernel: Kernel, libiomp5: str
) -> None:
    kernel.run(f"%load_ext omp_magic\nimport ctypes, os; lib = ctypes.CDLL({libiomp5!r})")
    states = "[l.initialized for l in __import__('omp_magic').snapshot().libraries]"
    assert kernel.run("%%omp_limit 1\nx = 1").status == "ok"
    assert kernel.value(states) == [False]
    before = kernel.value("dict(os.environ)")
    kernel.run("%%omp_limit 1\nseen = lib.omp_get_max_threads()")
    assert kernel.value("seen") == 1
    assert kernel.value(states) == [True]
    cpus = kernel.value("len(os.sched_getaffinity(0))")
    assert kernel.value("lib.omp_get_max_threads()") == cpus
    assert kernel.value("dict(os.environ)") == before
    c_value = "ctypes.PyDLL(None).getenv(b'OMP_NUM_THREADS')"
    assert kernel.value(c_value) == 0


def test_a_library_that_reads_the_variable_meanwhile_gets_its_own_default(
    kernel: Kernel, libiomp5: str
) -> None:
    kernel.run(f"%load_ext omp_magic\nimport ctypes; lib = ctypes.CDLL({libiomp5!r})")
    kernel.run("%%omp_limit 1\nimport numpy, omp_magic\nlib.omp_get_max_threads()")
    cpus = kernel.value("len(__import__('os').sched_getaffinity(0))")
    assert set(kernel.value(COUNTS)) == {cpus}


def test_a_library_that_goes_away_under_a_limit_is_no_error(kernel: Kernel, libiomp5: str) -> None:
    kernel.run(f"%load_ext omp_magic\nimport ctypes, _ctypes; lib = ctypes.CDLL({libiomp5!r})")
    reply = kernel.run("%%omp_limit 1\n_ctypes.dlclose(lib._handle)")
    assert reply.status == "ok"
    assert not reply.stdout + reply.stderr
    assert kernel.value("ctypes.PyDLL(None).getenv(b'OMP_NUM_THREADS')") == 0


def test_a_library_loaded_inside_the_cell_is_limited_there(kernel: Kernel) -> None:
    kernel.run("%load_ext omp_magic")
    reply = kernel.run(f"%%omp_limit 1\nimport numpy, scipy.linalg, sklearn.cluster\n{PROBE}")
    assert (reply.status, reply.stdout, reply.stderr) == ("ok", "", "")
    assert kernel.value("seen") == [1, 1, 1]
    cpus = kernel.value("len(__import__('os').sched_getaffinity(0))")
    assert kernel.value(COUNTS) == [cpus] * 3
    # A thread that comes later starts with what the library has of itself.
    kernel.run("import threading; found = []\n" + THREAD)
    assert kernel.value("found") == [[cpus] * 3]


THREAD = """
from omp_magic.api import HERE
from omp_magic.machine.python.calls import call_get
def look(): found.append([call_get(i.getter) for i in HERE.observer.scan().images])
thread = threading.Thread(target=look); thread.start(); thread.join()
"""


@pytest.mark.messages
def test_threads_and_tasks_of_a_cell_have_the_limit_and_lose_it(kept: Kernel) -> None:
    kept.run("import threading; found = []; from concurrent.futures import ThreadPoolExecutor")
    kept.run("old = ThreadPoolExecutor(1); old.submit(int).result()")
    kept.run(f"%%omp_limit 1\n{THREAD}\nnew = ThreadPoolExecutor(1)\n"
             "for pool in (old, new): pool.submit(look).result()")  # fmt: skip
    assert [set(each) for each in kept.value("found")] == [{1}, {1}, {1}]
    kept.run("found.clear()\nfor pool in (old, new): pool.submit(look).result()")
    assert [set(each) for each in kept.value("found")] == [{2}, {2}]
    kept.run("%omp_limit 1\nfound.clear()")
    kept.run(f"{THREAD}\nfor pool in (old, new): pool.submit(look).result()")
    assert [set(each) for each in kept.value("found")] == [{1}, {1}, {1}]
    kept.run("%omp_limit off\nfound.clear()")
    kept.run("for pool in (old, new): pool.submit(look).result(); pool.shutdown()")
    assert [set(each) for each in kept.value("found")] == [{2}, {2}]


def test_a_thread_that_outlives_its_cell_is_named(kernel: Kernel) -> None:
    kernel.run("%load_ext omp_magic\nimport sklearn.cluster, threading; go = threading.Event()")
    reply = kernel.run(
        "%%omp_limit 1\nt = threading.Thread(target=go.wait, name='mine'); t.start()"
    )
    assert reply.stdout.count("\n") == 1
    assert "mine" in reply.stdout
    # It was said once, by the cell whose count it is.
    assert kernel.run("%%omp_limit 2\n1").stdout == ""
    kernel.run("go.set(); t.join()")
    assert kernel.run("%%omp_limit 1\n1").stdout == ""


def test_a_thread_that_outlives_the_inner_of_two_limits_is_named_by_it(kernel: Kernel) -> None:
    kernel.run("%load_ext omp_magic\nimport sklearn.cluster, threading; go = threading.Event()")
    kernel.run("%omp_limit 2")
    reply = kernel.run(
        "%%omp_limit 1\nt = threading.Thread(target=go.wait, name='mine'); t.start()"
    )
    assert "mine" in reply.stdout
    assert "mine" not in kernel.run("%omp_limit off").stdout
    kernel.run("go.set(); t.join()")


POOL = "from concurrent.futures import ProcessPoolExecutor; import joblib, multiprocessing, os"


def test_threads_that_keep_house_are_not_named(kernel: Kernel) -> None:
    """A process pool has two in this process, loky's go on for minutes."""
    kernel.run("%load_ext omp_magic\nimport sklearn.cluster, threading\n" + POOL)
    reply = kernel.run(
        "%%omp_limit 1\n"
        "pool = ProcessPoolExecutor(1, multiprocessing.get_context('spawn'))\n"
        "seen = pool.submit(os.getenv, 'OMP_NUM_THREADS').result()\n"
        "seen, *joblib.Parallel(2)(joblib.delayed(os.getenv)('OMP_NUM_THREADS') for _ in 'ab'),"
    )
    assert (reply.text, reply.stdout) == ("('1', '1', '1')", "")
    names = kernel.value("[thread.name for thread in threading.enumerate()]")
    assert {"QueueFeederThread", "ExecutorManagerThread"} <= set(names)
    assert kernel.run("%%omp_limit 1 --no-env\n1").stdout == ""
    kernel.run("pool.shutdown()")


def test_processes_that_were_there_before_are_told_of_once(kernel: Kernel) -> None:
    kernel.run("%load_ext omp_magic\n" + POOL)
    kernel.run("pool = ProcessPoolExecutor(1, multiprocessing.get_context('spawn'))")
    kernel.run("old = pool.submit(int).result()")
    seen = "pool.submit(os.getenv, 'OMP_NUM_THREADS').result() is None"
    reply = kernel.run(f"%%omp_limit 1\n{seen}")
    line = "child processes that multiprocessing started before this limit don't have it"
    assert (reply.text, reply.stdout) == ("True", f"omp_limit: {line}\n")
    assert kernel.run(f"%%omp_limit 1\n{seen}").stdout == ""
    kernel.run("pool.shutdown()")
    assert kernel.value("__import__('omp_magic').limit(1).__enter__().notes") == []


CHILD = (
    "import os, subprocess, sys\n"
    "def child(**o):\n"
    "    code = 'import os; print(os.environ.get(\"OMP_NUM_THREADS\"))'\n"
    "    return subprocess.run([sys.executable, '-c', code], capture_output=True, **o).stdout\n"
    "def children(): return child().decode(), child(env=os.environ.copy()).decode()"
)


def test_child_processes_inherit_the_limit(kernel: Kernel) -> None:
    kernel.run("%load_ext omp_magic\n" + CHILD)
    assert kernel.run("%%omp_limit 3\nchildren()").text == repr(("3\n", "3\n"))
    assert kernel.run("children()").text == repr(("None\n", "None\n"))
    assert kernel.run("%%omp_limit 3 --no-env\nchildren()").text == repr(("None\n", "None\n"))
    kernel.run("%omp_limit openmp=3")
    assert kernel.run("children()").text == repr(("3\n", "3\n"))
    assert kernel.value("'OPENBLAS_NUM_THREADS' in os.environ") is False
    kernel.run("%omp_limit off")
    kernel.run("%omp_limit 3 --no-env")
    assert kernel.run("children()").text == repr(("None\n", "None\n"))


@pytest.mark.messages
def test_a_waiting_cell_leaves_other_tasks_alone(kept: Kernel) -> None:
    kept.run(
        "import asyncio, time, omp_magic\n"
        "log = []\n"
        "def now(): return [l.num_threads for l in omp_magic.snapshot().libraries]\n"
        "async def other():\n"
        "    while True:\n"
        "        log.append(now()); await asyncio.sleep(0.02)\n"
        "task = asyncio.ensure_future(other())"
    )
    reply = kept.run(
        "%%omp_limit 1\nlog.clear(); mine = []\n"
        "for _ in range(5):\n    mine.append(now()); await asyncio.sleep(0.05)\n"
        "others = list(log)"
    )
    assert reply.status == "ok", reply.traceback
    kept.run("task.cancel()")
    assert {count for each in kept.value("mine") for count in each} == {1}
    assert len(kept.value("others")) > 2
    assert {count for each in kept.value("others") for count in each} == {2}


def test_the_status_says_who_limits_and_the_way_back(kept: Kernel) -> None:
    kept.run("%omp_limit 3")
    text = kept.run("%%omp_limit 1\n%omp_status --env").text
    assert "limit 3, set by %omp_limit 3; back with %omp_limit off" in text
    assert "limit 1, set by %%omp_limit 1; back with the end of its cell" in text
    assert "by omp_limit" in text
    codes = kept.value("[f.code for f in omp_magic.snapshot().findings]")
    assert not {"OMP301", "OMP302", "OMP305"} & set(codes)
    kept.run("%omp_limit off")
    text = kept.run("%omp_status").text
    assert "set by %omp_limit" not in text
    assert "limit 2, set by omp_magic.limit('2'); back with the end of its block" in text


def test_unloading_the_extension_ends_the_session_limit(kernel: Kernel) -> None:
    kernel.run("%load_ext omp_magic\nimport numpy, omp_magic, os\nbefore = dict(os.environ)")
    before = kernel.value(COUNTS)
    kernel.run("%omp_limit 1")
    assert kernel.value(COUNTS) == [1]
    kernel.run("%unload_ext omp_magic")
    assert kernel.value(COUNTS) == before
    assert kernel.value("dict(os.environ) == before") is True


def test_a_path_names_one_of_two_copies(kernel: Kernel) -> None:
    """Two files with one SONAME are two runtimes."""
    kernel.run(
        "%load_ext omp_magic\nimport sklearn.cluster, omp_magic, shutil, ctypes, tempfile, os\n"
        "first = [l.path for l in omp_magic.snapshot().libraries if l.api == 'openmp'][0]\n"
        "second = shutil.copy(first, tempfile.mkdtemp())\n"
        "library = ctypes.CDLL(second)"
    )
    rows = "{l.path: l.num_threads for l in omp_magic.snapshot().libraries if l.api == 'openmp'}"
    before = kernel.value(rows)
    second = kernel.value("second")
    assert len(before) == 2
    kernel.run(f"%%omp_limit {second}=5\nseen = {rows}")
    assert kernel.value("seen") == {**before, second: 5}
    assert kernel.value(rows) == before
    kernel.run("shutil.rmtree(os.path.dirname(second))")


def test_limits_come_back_when_no_file_can_be_opened(kernel: Kernel) -> None:
    kernel.run("%load_ext omp_magic\nimport numpy, omp_magic, resource, os, ctypes, scipy.linalg")
    before = kernel.value(COUNTS)
    reply = kernel.run(
        "%%omp_limit 1\n"
        "import scipy.optimize\n"  # the loader's counter changes: the map would be read again
        "soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))"
    )
    assert reply.status == "ok"
    kernel.run("resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))")
    assert kernel.value(COUNTS) == before


def test_a_failure_of_ours_does_not_break_the_cell(kernel: Kernel) -> None:
    kernel.run("%load_ext omp_magic\nimport numpy, omp_magic.limits.limiter as limits")
    kernel.run("limits.Limiter.enter = limits.Limiter.leave = None")
    reply = kernel.run("%%omp_limit 1 -v\n6 * 7")
    assert reply.status == "ok"
    assert reply.text == "42"
    assert "omp_magic: not limited" in reply.stderr
    kernel.run("import omp_magic.jupyter.celllimit; omp_magic.jupyter.celllimit.Meter = None")
    reply = kernel.run("%%omp_limit 1 -v\n6 * 7")
    assert reply.text == "42"
    assert "not measured" in reply.stderr


@pytest.mark.messages
def test_a_limit_in_a_subshell_is_that_threads(kernel: Kernel) -> None:
    """ipykernel 7 runs cells of a subshell on a thread of its own."""
    if kernel.value("__import__('ipykernel').version_info[0]") < 7:
        pytest.skip("ipykernel below 7 has no subshells")
    kernel.run("%load_ext omp_magic\nimport sklearn.utils._openmp_helpers, threading")
    kernel.run(
        "from omp_magic.api import HERE\nfrom omp_magic.machine.python.calls import call_get\n"
        "gomp = HERE.observer.scan().images[-1]\n"
        "def count(): return call_get(gomp.getter)"
    )
    before = kernel.value("count()")
    kernel.run_in_subshell("inside = None")
    reply = kernel.run_in_subshell(
        "%%omp_limit 7\ninside = count(), threading.current_thread() is threading.main_thread()"
    )
    assert reply == "ok"
    assert kernel.value("inside") == [7, False]
    assert kernel.value("count()") == before
    kernel.run_in_subshell("after = count()")
    assert kernel.value("after") == before


def test_the_magic_takes_variables_as_other_magics_do(kernel: Kernel) -> None:
    kernel.run("%load_ext omp_magic\nimport os\nseen, n = [], 3")
    reply = kernel.run(
        "for n in (1, 2):\n    %omp_limit $n\n    seen.append(os.environ['OMP_NUM_THREADS'])"
    )
    assert reply.status == "ok"
    assert kernel.value("seen") == ["1", "2"]
    kernel.run("%omp_limit off")
    assert ", off; example: %omp_limit " in kernel.run("%omp_limit none").stderr
    # The line alone: braces in the body are the user's.
    reply = kernel.run("%%omp_limit {n}\nprint('{n}', os.environ['OMP_NUM_THREADS'])\n1/0")
    assert reply.stdout == "{n} 2\n"
    assert "-> 3 1/0" in reply.traceback
