"""Imports tried in a child process: each way to end is a real one, and nothing is left behind."""

from __future__ import annotations

import glob
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from environments import MKL_AND_TORCH, environment, values_in
from live import CLEAN, LINUX, Kernel, run_program, run_python

from omp_magic.errors import TrialError
from omp_magic.experiments.order import find_order
from omp_magic.experiments.trial import fresh_environment, run_trial
from omp_magic.facts.trials import OrderSearch, Step, Trial

pytestmark = [
    pytest.mark.skipif(not LINUX, reason="reads /proc: Linux only"),
    pytest.mark.timeout(600),
]

Write = Callable[..., None]
NEWLINE = "\n"


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    """Write a module that a trial can import; {files} become files beside it.

    Afterwards no process that had a runtime has left its registration.
    """
    monkeypatch.syspath_prepend(str(tmp_path))
    pids = tmp_path / "pids of runtimes"

    def write(name: str, source: str, **files: str) -> None:
        for key, path in files.items():
            copy = tmp_path / f"{name}.libs" / os.path.basename(path)
            copy.parent.mkdir()
            copy.write_bytes(Path(path).read_bytes())
            source = source.replace("{" + key + "}", str(copy))
        if files:
            noting = f"import os; open({str(pids)!r}, 'a').write(f'{{os.getpid()}}\\n')"
            source = f"{noting}{'' if source.startswith(NEWLINE) else '; '}{source}"
        (tmp_path / f"{name}.py").write_text(source, "utf-8")

    yield write
    for pid in pids.read_text("utf-8").split() if pids.exists() else ():
        assert glob.glob(f"/dev/shm/__KMP_REGISTERED_LIB_{pid}_*") == []


@pytest.fixture(autouse=True)
def nothing_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """No descriptor and no child process more than before."""
    if "kernel" in request.fixturenames:
        yield  # a kernel's client has sockets and a process of its own
        return
    files, children = set(_open_files()), set(_children())
    yield
    # A kernel of an earlier test may still lose a socket to the garbage collector.
    assert set(_open_files()) <= files
    assert set(_children()) <= children


def _open_files() -> list[str]:
    found = []
    for name in os.listdir("/proc/self/fd"):
        try:
            found.append(f"{name} {os.readlink(f'/proc/self/fd/{name}')}")
        except OSError:
            continue  # the listing's own
    return sorted(found)


def _children() -> list[str]:
    return sorted(
        name
        for task in os.listdir("/proc/self/task")
        for name in Path(f"/proc/self/task/{task}/children").read_text().split()
    )


def tried(*modules: str, timeout_s: float = 60, **env: str) -> Trial:
    return run_trial(modules, timeout_s=timeout_s, env={**CLEAN, **env})


def outcomes(trial: Trial) -> list[tuple[str, str, str]]:
    return [(step.kind, step.name, step.outcome) for step in trial.steps]


def failed(trial: Trial) -> Step:
    assert trial.failed is not None
    return trial.failed


def test_a_module_without_runtimes_works(module: Write) -> None:
    module("plain", "")
    trial = tried("plain", "json")
    assert trial.works
    assert trial.failed is None
    assert outcomes(trial) == [("import", "plain", "ok"), ("import", "json", "ok")]
    assert trial.libraries == ()
    assert trial.gaps == ()
    assert trial.summary() == "plain, json: works"
    told = json.loads(json.dumps(trial.to_dict()))
    assert told["works"] is True
    assert [step["name"] for step in told["steps"]] == ["plain", "json"]


def test_numpy_and_scikit_learn_are_called_and_owned() -> None:
    trial = tried("numpy", "sklearn.cluster")
    assert trial.works, trial.summary()
    numpy, sklearn, *calls = trial.steps
    assert [library.owner for library in numpy.libraries] == ["numpy"]
    assert {library.owner for library in sklearn.libraries} == {"scipy", "scikit-learn"}
    assert [step.outcome for step in calls] == ["ok"] * 3
    assert {step.path for step in calls} == {library.path for library in trial.libraries}
    (change,) = [each for each in sklearn.changes if each.name == "KMP_DUPLICATE_LIB_OK"]
    assert (change.before, change.after, change.in_python) == (None, "True", True)
    assert "sklearn" in change.set_by


CALLED = """
import ctypes, json, os, sys
from omp_magic.experiments.child import _Run
for name in sys.argv[1:]:
    ctypes.CDLL(name) if "/" in name else __import__(name)
run = _Run(os.open(os.devnull, os.O_WRONLY))
run._look()
before = len(os.listdir("/proc/self/task"))
results = [[call() for call in run._calls(image)] for image in run._images]
print(json.dumps([results, len(os.listdir("/proc/self/task")) - before]))
"""


def test_a_call_runs_a_parallel_region(libiomp5: str) -> None:
    ended = run_python(CALLED, libiomp5, OMP_NUM_THREADS="3")
    ((count, _),), more = json.loads(ended.out)
    assert count == 3
    assert more >= 2


def test_a_call_multiplies_matrices() -> None:
    """Whatever the names of the functions and the size of the integers."""
    ended = run_python(CALLED, "numpy", "scipy.linalg")
    assert json.loads(ended.out)[0] == [[""], [""]], ended.err


INTEL = """
import ctypes
lib = ctypes.CDLL({file!r})
"""
USED = INTEL + "lib.omp_get_max_threads()\n"


def loading(source: str) -> str:
    return source.replace("{file!r}", "'{file}'")


def test_two_llvm_runtimes_end_the_child_at_the_first_use_of_the_second(
    module: Write, libiomp5: str
) -> None:
    module("one", loading(INTEL), file=libiomp5)
    module("two", loading(INTEL), file=libiomp5)
    trial = tried("one", "two")
    assert [outcome for _, _, outcome in outcomes(trial)] == ["ok", "ok", "ok", "aborted"]
    step = failed(trial)
    assert (step.kind, step.signal, step.code) == ("call", "SIGABRT", None)
    assert step.message.startswith("OMP: Error #15: Initializing ")
    assert step.path.endswith("/two.libs/libiomp5.so")
    assert not any(each.static for each in trial.libraries)
    assert [each.initialized for each in trial.libraries] == [True, False]
    assert trial.masked == ()


def test_an_abort_while_importing_is_told_with_the_line_that_called(
    module: Write, libiomp5: str
) -> None:
    module("one", loading(USED), file=libiomp5)
    module("two", loading(USED), file=libiomp5)
    trial = tried("one", "two", "json")
    assert outcomes(trial) == [("import", "one", "ok"), ("import", "two", "aborted")]
    assert failed(trial).message.startswith("OMP: Error #15: ")
    assert "two.py" in failed(trial).traceback[0]
    assert "line 4 in <module>" in failed(trial).traceback[0]
    assert trial.steps[0].libraries[0].initialized is True
    assert trial.summary().startswith("one, two, json: import two: aborted: OMP: Error #15")


def test_the_variable_that_silences_error_15_is_seen_in_what_runs(
    module: Write, libiomp5: str
) -> None:
    module("one", loading(USED), file=libiomp5)
    module(
        "two",
        "import os\nos.environ['KMP_DUPLICATE_LIB_OK'] = 'True'\n" + loading(USED),
        file=libiomp5,
    )
    trial = tried("one", "two")
    assert trial.works
    assert len(trial.masked) == 2
    (change,) = trial.steps[1].changes
    assert (change.name, change.after, change.set_by) == ("KMP_DUPLICATE_LIB_OK", "True", ())
    given = tried("one", "json", KMP_DUPLICATE_LIB_OK="TRUE")
    assert ("KMP_DUPLICATE_LIB_OK", "TRUE") in given.environment
    assert given.masked == ()


def test_a_module_that_hangs(module: Write) -> None:
    module("sleeper", "import time\ndef doze():\n    time.sleep(600)\ndoze()\n")
    trial = tried("json", "sleeper", timeout_s=3)
    step = failed(trial)
    assert (step.name, step.outcome, step.wall_s) == ("sleeper", "hung", 3)
    assert [line.split(", ", 1)[1] for line in step.traceback] == [
        "line 3 in doze",
        "line 4 in <module>",
    ]
    assert trial.summary() == "json, sleeper: import sleeper: no end after 3 s"


def test_what_a_hung_import_had_mapped_is_told(module: Write, libiomp5: str) -> None:
    module("sleeper", loading(INTEL) + "import time\ntime.sleep(600)\n", file=libiomp5)
    (library,) = failed(tried("sleeper", timeout_s=3)).libraries
    assert (library.family, library.name) == ("libiomp5", "libiomp5.so")
    assert (library.initialized, library.num_threads) == (None, None)
    assert library.note == "not looked at: the process hung"


def test_libomp_in_the_global_scope_then_libiomp5_hangs(
    module: Write, libiomp5: str, libomp: str
) -> None:
    module(
        "first",
        "import ctypes\nctypes.CDLL('{file}', ctypes.RTLD_GLOBAL)\n",
        file=libomp,
    )
    module("second", loading(USED), file=libiomp5)
    search = find_order(["first", "second"], timeout_s=6, env=CLEAN)
    hung, aborted = search.trials
    step = failed(hung)
    assert (step.kind, step.name, step.outcome) == ("import", "second", "hung")
    assert "second.py" in step.traceback[0]
    assert [each.name for each in step.libraries] == ["libiomp5.so"]
    assert hung.libraries[0].serves is True
    # The other way round it is Error #15, so that no order works.
    assert (failed(aborted).kind, failed(aborted).outcome) == ("call", "aborted")
    assert failed(aborted).message.startswith("OMP: Error #15")
    assert search.order is None


def test_a_runtime_that_nobody_calls_is_not_called(module: Write, libiomp5: str) -> None:
    """What is linked with the second copy is bound to the first, which is in the global scope."""
    module("first", "import ctypes\nctypes.CDLL('{file}', ctypes.RTLD_GLOBAL)\n", file=libiomp5)
    module("second", loading(INTEL), file=libiomp5)
    trial = tried("first", "second")
    assert [step.outcome for step in trial.steps if step.kind == "call"] == ["ok", "skipped"]
    assert trial.steps[-1].note.startswith("not called: ")
    assert trial.works


@pytest.mark.parametrize(
    ("source", "outcome", "name", "code"),
    [
        ("import ctypes\nctypes.string_at(0)\n", "crashed", "SIGSEGV", None),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n", "crashed", "SIGKILL", None),
        ("import os\nos.abort()\n", "aborted", "SIGABRT", None),
        ("import os\nos._exit(3)\n", "exited", "", 3),
        ("import os\nos._exit(0)\n", "exited", "", 0),
        ("import sys\nsys.exit(4)\n", "exited", "", 4),
        ("import sys\nsys.exit('no licence')\n", "exited", "", 1),
    ],
)
def test_ways_to_end(module: Write, source: str, outcome: str, name: str, code: int | None) -> None:
    module("ender", source)
    trial = tried("json", "ender", "this")
    assert len(trial.steps) == 2
    step = failed(trial)
    assert (step.outcome, step.signal, step.code) == (outcome, name, code)
    if name in ("SIGSEGV", "SIGABRT") or "sys" in source:
        assert any("ender.py" in line for line in step.traceback)
    if "licence" in source:
        assert "no licence" in step.message


def test_a_module_that_raises(module: Write) -> None:
    module("raiser", "def fail():\n    raise ImportError('libfoo.so.1: cannot open')\nfail()\n")
    step = failed(tried("raiser"))
    assert (step.outcome, step.error) == ("error", "ImportError")
    assert step.message == "libfoo.so.1: cannot open"
    assert "raiser.py" in step.traceback[0]
    assert step.traceback[0].endswith("line 2 in fail")
    module("odd", "class Odd(BaseException):\n    __str__ = None\nraise Odd\n")
    assert (failed(tried("odd")).error, failed(tried("odd")).message) == ("Odd", "")
    missing = failed(tried("omp_magic_has_no_such_module"))
    assert missing.error == "ModuleNotFoundError"


def test_a_module_that_prints_a_lot_blocks_nothing(module: Write) -> None:
    module(
        "loud",
        "import os, sys\n"
        "for _ in range(300):\n"
        "    sys.stdout.write('o' * 9999 + '\\n'); sys.stderr.write('e' * 9999 + '\\n')\n"
        "    os.write(1, b'O' * 9999); os.write(2, b'E' * 9999)\n"
        "print('the end')\n",
    )
    trial = tried("loud")
    assert trial.works
    assert trial.stdout.endswith("the end\n")
    assert len(trial.stdout) == len(trial.stderr) == 16 * 1024


def test_what_a_module_leaves_running_is_ended(module: Write, tmp_path: Path) -> None:
    """A child, one in a session of its own that holds every pipe, a fork, and a thread."""
    pids = tmp_path / "pids"
    module(
        "leaver",
        "import os, subprocess, sys, threading, time\n"
        "sleep = [sys.executable, '-c', 'import time; time.sleep(600)']\n"
        "started = [subprocess.Popen(sleep).pid]\n"
        "far = subprocess.Popen(sleep, start_new_session=True, close_fds=False)\n"
        "started.append(far.pid)\n"
        "fork = os.fork()\n"
        "if not fork:\n"
        "    os.setsid(); time.sleep(600)\n"
        "started.append(fork)\n"
        "threading.Thread(target=time.sleep, args=(600,)).start()\n"
        f"open({str(pids)!r}, 'w').write(repr(started))\n",
    )
    trial = tried("leaver", "json")
    assert trial.works
    started = json.loads(pids.read_text())
    assert len(started) == 3
    for pid in started:
        _wait_until(lambda pid=pid: not _runs(pid))  # type: ignore[misc]  # bound at once


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_fork_that_goes_on_importing_does_not_report(module: Write) -> None:
    module("forker", "import os\nos.fork()\n")
    assert outcomes(tried("forker", "json")) == [
        ("import", "forker", "ok"),
        ("import", "json", "ok"),
    ]


def test_the_child_starts_with_our_path_and_nothing_imported(module: Write, tmp_path: Path) -> None:
    told = tmp_path / "told"
    module(
        "teller",
        "import json, os, sys, threading\n"
        f"json.dump([sys.path, os.getcwd(), sorted(sys.modules), threading.active_count(),\n"
        f"  sys.argv, os.listdir('/proc/self/fd'), len(os.listdir('/proc/self/task'))],"
        f" open({str(told)!r}, 'w'))\n",
    )
    assert tried("teller").works
    path, folder, modules, threads, argv, open_files, tasks = json.loads(told.read_text())
    assert path == sys.path
    assert folder == os.getcwd()
    assert (threads, tasks, argv) == (1, 1, ["-c"])
    # Its own three, its two pipes, the file and the listing itself.
    assert len(open_files) <= 7
    for heavy in ("numpy", "threadpoolctl", "psutil", "IPython", "pandas", "subprocess"):
        assert heavy not in modules


def test_a_file_of_the_user_that_is_called_as_the_standard_library_does_no_harm(
    module: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module("json", "raise ZeroDivisionError\n")
    module("plain", "")
    monkeypatch.chdir(tmp_path)
    assert tried("plain").works


def test_another_interpreter_keeps_its_own_path() -> None:
    python = environment("mkl-torch", MKL_AND_TORCH)
    trial = run_trial(["mkl"], python=python, env=CLEAN)
    assert trial.works, trial.summary()
    assert [library.family for library in trial.steps[0].libraries] == ["mkl", "libiomp5"]
    assert [step.kind for step in trial.steps] == ["import", "call", "call"]


IN_MKL_AND_TORCH = """
import json, os
from omp_magic.experiments.order import find_order
told = []
search = find_order(["torch", "mkl"], progress=lambda n, order, trial: told.append(
    [n, order, trial and trial.works]))
print(json.dumps([search.to_dict(), search.summary(), told]))
"""


def test_an_order_for_torch_and_mkl_is_found_and_proved() -> None:
    python = environment("mkl-torch", MKL_AND_TORCH)
    found, summary, told = values_in(python, IN_MKL_AND_TORCH, MKL_THREADING_LAYER="INTEL")
    assert found["order"] == ["mkl", "torch"]
    assert told == [
        [1, ["torch", "mkl"], None],
        [1, ["torch", "mkl"], False],
        [2, ["mkl", "torch"], None],
        [2, ["mkl", "torch"], True],
    ]
    bad, good = found["trials"]
    step = bad["steps"][-1]
    assert (step["kind"], step["name"], step["outcome"], step["code"]) == (
        "import",
        "mkl",
        "exited",
        1,
    )
    assert "MKL_THREADING_LAYER=INTEL is incompatible with libgomp" in step["message"]
    assert ["MKL_THREADING_LAYER", "INTEL"] in good["environment"]
    called = {each["name"]: each["outcome"] for each in good["steps"] if each["kind"] == "call"}
    assert called.pop("libgomp.so.1") == "skipped"  # torch is bound to libiomp5
    assert set(called.values()) == {"ok"}
    assert summary == "mkl, torch: works (2 trials)"


def test_what_mkl_sets_in_c_alone_is_told_and_not_handed_down() -> None:
    python = environment("mkl-torch", MKL_AND_TORCH)
    alone, withheld, works = values_in(
        python,
        "import json\nfrom omp_magic.experiments.trial import run_trial\n"
        "alone = run_trial(['mkl'])\nimport mkl\nagain = run_trial(['torch', 'mkl'])\n"
        "print(json.dumps([alone.to_dict(), again.to_dict()['withheld'], again.works]))",
    )
    (change,) = [
        each for each in alone["steps"][0]["changes"] if each["name"] == "MKL_THREADING_LAYER"
    ]
    assert (change["after"], change["in_python"], change["set_by"]) == ("INTEL", False, ["mkl"])
    assert withheld == [{"name": "MKL_THREADING_LAYER", "value": "INTEL", "set_by": ["mkl"]}]
    assert works


WITHHELD = """
import json, os, sys
from omp_magic.experiments.trial import fresh_environment, run_trial
exec(sys.argv[1])
variables, withheld = fresh_environment()
print(json.dumps([variables.get("KMP_DUPLICATE_LIB_OK"), [w.name for w in withheld]]))
"""


@pytest.mark.parametrize(
    ("code", "env", "value", "withheld"),
    [
        ("import sklearn", {}, None, ["KMP_DUPLICATE_LIB_OK", "KMP_INIT_AT_FORK"]),
        ("os.environ['KMP_DUPLICATE_LIB_OK'] = 'True'", {}, "True", []),
        (
            "os.environ['KMP_DUPLICATE_LIB_OK'] = '1'; import sklearn",
            {},
            "1",
            ["KMP_INIT_AT_FORK"],
        ),
        (
            "import sklearn",
            {"KMP_DUPLICATE_LIB_OK": "True", "KMP_INIT_AT_FORK": "TRUE"},
            "True",
            [],
        ),
    ],
)
def test_only_what_imports_here_have_set_is_withheld(
    code: str, env: dict[str, str], value: str | None, withheld: list[str]
) -> None:
    command = [sys.executable, "-c", WITHHELD, code]
    ended = run_program(command, 120, env)
    assert ended.code == 0, ended.err
    assert json.loads(ended.out) == [value, withheld]


def test_a_trial_that_scikit_learn_would_have_silenced(module: Write, libiomp5: str) -> None:
    """The asking process has imported scikit-learn; a fresh kernel would end all the same."""
    module("one", loading(INTEL), file=libiomp5)
    module("two", loading(INTEL), file=libiomp5)
    ended = run_python(
        "import sys, json\nsys.path.insert(0, sys.argv[1])\nimport sklearn\n"
        "from omp_magic.experiments.trial import run_trial\n"
        "trial = run_trial(['one', 'two'])\n"
        "print(json.dumps([trial.failed.outcome, trial.withheld[0].name]))",
        str(Path(sys.path[0])),
    )
    assert ended.code == 0, ended.err
    assert json.loads(ended.out) == ["aborted", "KMP_DUPLICATE_LIB_OK"]


def found(*modules: str, **rest: object) -> OrderSearch:
    return find_order(modules, timeout_s=60, env=CLEAN, **rest)  # type: ignore[arg-type]  # passed on


NEEDS = "import sys\nassert all(name not in sys.modules for name in {names!r})\n"


def test_an_order_of_three_is_found_without_running_what_must_fail(module: Write) -> None:
    module("aa", "import sys\nassert 'bb' in sys.modules\n")
    module("bb", "import sys\nassert 'cc' in sys.modules\n")
    module("cc", "")
    search = found("aa", "bb", "cc")
    assert search.order == ("cc", "bb", "aa")
    assert search.best is search.trials[-1]
    assert search.best.works
    # aa and bb cannot be first: of the four orders that begin with them two are run.
    assert [trial.modules for trial in search.trials] == [
        ("aa", "bb", "cc"),
        ("bb", "aa", "cc"),
        ("cc", "aa", "bb"),
        ("cc", "bb", "aa"),
    ]
    assert search.possible == 6
    assert search.stopped == ""


def test_a_module_that_failed_behind_another_is_tried_in_front(module: Write) -> None:
    others = [f"other{number}" for number in range(4)]
    for other in others:
        module(other, "")
    module("proud", NEEDS.format(names=others))
    search = found(*others, "proud")
    assert search.order == ("proud", *others)
    assert len(search.trials) == 2


def test_no_order_works(module: Write) -> None:
    module("aa", "import sys\nassert 'bb' in sys.modules\n")
    module("bb", "import sys\nassert 'aa' in sys.modules\n")
    search = found("aa", "bb")
    assert search.order is None
    assert len(search.trials) == 2
    assert search.summary() == "aa, bb: no order worked in 2 trials of 2, and no other order can"
    module("cc", "")
    limited = found("aa", "bb", "cc", most_trials=2)
    assert (limited.order, limited.stopped) == (None, "stopped after 2 trials")
    timed = found("aa", "bb", total_s=0)
    assert (timed.trials, timed.stopped) == ((), "stopped after 0 s")


def test_what_is_not_installed_is_not_searched_for() -> None:
    search = found("json", "omp_magic_has_no_such_module", "string")
    assert len(search.trials) == 1
    assert search.stopped == "omp_magic_has_no_such_module is not installed"


def test_an_order_that_works_only_silenced_is_the_last_resort(module: Write, libiomp5: str) -> None:
    """Imported first, `two` finds no variable set and leaves its runtime alone."""
    module(
        "one",
        "import os\nos.environ['KMP_DUPLICATE_LIB_OK'] = 'True'\n" + loading(USED),
        file=libiomp5,
    )
    module(
        "two",
        "import os\nif 'KMP_DUPLICATE_LIB_OK' in os.environ:\n    "
        + loading(USED).strip().replace("\n", "\n    "),
        file=libiomp5,
    )
    search = found("one", "two")
    assert [(trial.works, len(trial.masked)) for trial in search.trials] == [(True, 2), (True, 0)]
    assert search.order == ("two", "one")
    alone = found("one", "two", most_trials=1)
    assert alone.order == ("one", "two")
    assert alone.best is not None
    assert "side by side" in alone.summary()


@pytest.mark.parametrize("modules", [[], ["a b"], [""], ["a..b"], [".a"], ["class"], ["a", "a"]])
def test_bad_names_are_refused_in_one_line(modules: list[str]) -> None:
    for ask in (run_trial, find_order):
        with pytest.raises(TrialError, match=r"found .*; accepted: .*; example: ") as raised:
            ask(modules)
        assert "\n" not in str(raised.value)


def test_other_bad_input_is_refused() -> None:
    with pytest.raises(TrialError, match="a list of names"):
        run_trial("torch")
    for timeout_s in (0, -1, float("nan"), float("inf")):
        with pytest.raises(TrialError, match="seconds above 0"):
            run_trial(["json"], timeout_s=timeout_s)
    with pytest.raises(FileNotFoundError):
        run_trial(["json"], python="/nowhere/python")


def test_an_interpreter_that_is_none(tmp_path: Path) -> None:
    script = tmp_path / "python"
    script.write_text("#!/bin/sh\necho 'wrong machine' >&2\nexit 9\n")
    script.chmod(0o755)
    trial = run_trial(["json"], python=str(script))
    step = failed(trial)
    assert (step.kind, step.outcome, step.code) == ("start", "exited", 9)
    assert step.message == "wrong machine"


def test_variables_changed_by_hand_are_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert fresh_environment()[0]["OMP_NUM_THREADS"] == "3"
    assert ("OMP_NUM_THREADS", "3") in run_trial(["json"]).environment


def test_in_a_kernel_an_interrupt_ends_the_child(
    kernel: Kernel, tmp_path: Path, module: Write
) -> None:
    pid = tmp_path / "pid"
    module(
        "sleeper",
        f"import os, time\nopen({str(pid)!r}, 'w').write(str(os.getpid()))\ntime.sleep(600)\n",
    )
    look = """
import os
def files():
    links = []
    for name in os.listdir("/proc/self/fd"):
        try:
            links.append(name + os.readlink("/proc/self/fd/" + name))
        except OSError:
            pass
    return sorted(link for link in links if "pipe:" in link or "eventpoll" in link)
"""
    kernel.run(
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n{look}"
        "from omp_magic.experiments.trial import run_trial\n"
        "works = run_trial(['json']).works"
    )
    before = kernel.value("[works, files(), len(os.listdir('/proc/self/task'))]")
    assert before[0] is True

    def interrupt() -> None:
        _wait_until(lambda: pid.exists() and bool(pid.read_text()))
        kernel.manager.interrupt_kernel()

    interrupting = threading.Thread(target=interrupt)
    interrupting.start()
    reply = kernel.run("run_trial(['sleeper'])")
    interrupting.join()
    assert reply.ename == "KeyboardInterrupt"
    _wait_until(lambda: not _runs(int(pid.read_text())))
    assert not Path(f"/proc/{pid.read_text()}").exists()  # not even a zombie
    assert kernel.value("[works, files(), len(os.listdir('/proc/self/task'))]") == before


def test_a_child_does_not_outlive_the_process_that_asked(module: Write, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    module(
        "sleeper",
        f"import os, time\nopen({str(pid)!r}, 'w').write(str(os.getpid()))\ntime.sleep(600)\n",
    )
    ended = run_python(
        "import os, signal, sys, threading, time\nsys.path.insert(0, sys.argv[1])\n"
        "def end():\n"
        "    while not (os.path.exists(sys.argv[2]) and open(sys.argv[2]).read()):\n"
        "        time.sleep(0.05)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "threading.Thread(target=end).start()\n"
        "from omp_magic.experiments.trial import run_trial\nrun_trial(['sleeper'])",
        str(tmp_path),
        str(pid),
    )
    assert ended.code == -signal.SIGKILL
    _wait_until(lambda: not _runs(int(pid.read_text())))
