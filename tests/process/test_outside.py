"""Other processes looked at from outside: held against what each says of itself, and left alone."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from live import CLEAN, LINUX, forget_registration

import omp_magic
from omp_magic.errors import ProcessError
from omp_magic.facts.snapshots import Snapshot
from omp_magic.machine.linux import system as linux_system
from omp_magic.machine.linux import yama
from omp_magic.machine.port.rows import THREAD_OWNERS
from omp_magic.outside.process import look_at
from omp_magic.probes.others import OtherObserver

pytestmark = pytest.mark.skipif(not LINUX, reason="what is read of another process is Linux'")

TWO_CPUS = pytest.mark.skipif(os.cpu_count() == 1, reason="one CPU: a region has one thread")
ROOT_ALONE = pytest.mark.skipif(
    not LINUX or os.geteuid() != 0, reason="root alone starts a process of another user"
)


@contextlib.contextmanager
def program(code: str, *words: str, env: dict[str, str] | None = None) -> Iterator[tuple[int, str]]:
    """Run a program until it has printed a line; give its pid and that, and end it."""
    process = subprocess.Popen(
        [sys.executable, "-c", code, *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**CLEAN, **(env or {})},
        start_new_session=True,
    )
    assert process.stdout is not None
    try:
        yield process.pid, process.stdout.readline().strip()
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        forget_registration(process.pid)


def status(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "omp_magic", "status", *words]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)


def until(pid: int, code: str, limit_s: float = 60) -> Snapshot:
    """Look until something is found; a program needs a moment to come to hang."""
    deadline = time.monotonic() + limit_s
    while True:
        facts = look_at(pid)
        if any(each.code == code for each in facts.findings if each.severity == "error"):
            return facts
        assert time.monotonic() < deadline, [each.title for each in facts.findings]
        time.sleep(0.1)


HANG = """
import numpy as np, os, sys
from sklearn.cluster import KMeans
def fit(): KMeans(8, n_init=1).fit(np.random.rand(20000, 8))
fit()
child = os.fork()
if not child:
    fit(); os._exit(0)
print(child, flush=True)
sys.stdin.read()
"""


@TWO_CPUS
def test_a_forked_child_that_waits_in_libgomp_is_told_with_the_place_where_it_waits() -> None:
    with program(HANG) as (parent, line):
        child = int(line)
        facts = until(child, "OMP204")
        assert facts.outside is not None
        assert (facts.outside.forked, facts.outside.parent) == (True, parent)
        (main,) = (each for each in facts.outside.waits if each.tid == child)
        assert (main.call, main.owner) == ("futex", "Python")
        assert "libgomp" in main.stack[0].path
        assert "GOMP_parallel" in {each.function for each in main.stack}
        (found,) = (each for each in facts.findings if each.code == "OMP204")
        assert found.title.startswith("This process hangs: it waits in GNU libgomp (scikit-learn)")
        assert f"thread {child} waits in futex" in found.evidence[0]
        assert f"kill -9 {child}" in found.remedies[0]
        (gomp,) = (each for each in facts.libraries if each.family == "libgomp")
        assert (gomp.workers, gomp.owner) == (0, "scikit-learn")

        told = status("--pid", str(child), "--threads")
        assert told.returncode == 1, told.stderr
        assert "OMP204" in told.stdout
        assert re.search(rf"{child} +Python +waits in futex +futex_\w+ +libgomp", told.stdout)

        # Its parent waits for input, and has the team that the child lacks.
        above = look_at(parent)
        assert [each.severity for each in above.findings if each.code == "OMP204"] == ["warning"]
        (gomp,) = (each for each in above.libraries if each.family == "libgomp")
        assert (gomp.workers or 0) > 0
        (row,) = above.children
        assert (row.pid, row.forked, row.command) == (child, True, f"{_python()} -c …")


WILL_HANG = """
import numpy as np, os, sys, time
from sklearn.cluster import KMeans
def fit(): KMeans(8, n_init=1).fit(np.random.rand(20000, 8))
early = os.fork()
if not early: time.sleep(600)
fit()
late = os.fork()
if not late: time.sleep(600)
print(early, late, flush=True)
sys.stdin.read()
os.kill(early, 9); os.kill(late, 9)
"""


@TWO_CPUS
def test_a_child_that_was_forked_after_libgomp_had_started_is_told_before_it_hangs() -> None:
    """As a worker of gunicorn --preload before its first request; a fork before that is fine."""
    with program(WILL_HANG) as (parent, line):
        early, late = map(int, line.split())
        try:
            found = {pid: look_at(pid) for pid in (early, late)}
            told = {
                pid: [
                    (each.severity, each.title) for each in facts.findings if each.code == "OMP204"
                ]
                for pid, facts in found.items()
            }
            assert told[early] == []
            assert told[late] == [
                (
                    "warning",
                    "This process will hang once it computes with GNU libgomp (scikit-learn)",
                )
            ]
            assert f"threads in process {parent} are older than this" in str(found[late].findings)
            assert status("--pid", str(late)).stdout.startswith("! This process will hang once it")
        finally:
            for pid in (early, late):
                os.kill(pid, 9)


def _python() -> str:
    return os.path.basename(sys.executable)


SPIN = """
import ctypes, os, sys
print(os.getpid(), flush=True)
ctypes.CDLL(sys.argv[1], ctypes.RTLD_GLOBAL).omp_get_max_threads()
ctypes.CDLL(sys.argv[2]).omp_get_max_threads()
"""


def test_a_start_of_libiomp5_that_spins_on_locks_of_libomp_is_told(
    libomp: str, libiomp5: str
) -> None:
    with program(SPIN, libomp, libiomp5) as (pid, _):
        deadline = time.monotonic() + 60
        while True:
            facts = look_at(pid)
            found = [each for each in facts.findings if each.code == "OMP103"]
            if found and found[0].title.startswith("This process hangs"):
                break
            assert time.monotonic() < deadline, facts.findings
            time.sleep(0.1)
        states = {each.family: (each.serves, each.initialized) for each in facts.libraries}
        assert states == {"libomp": (True, True), "libiomp5": (False, False)}
        assert f"thread {pid} runs, in " in found[0].evidence[0]
        assert "libomp.so" in found[0].evidence[0]


OWN = """
import ctypes, json, os, sys
if len(sys.argv) > 2:
    ctypes.CDLL(sys.argv[2]).omp_get_max_threads()
    ctypes.CDLL(sys.argv[3])
import numpy as np
a = np.ones((600, 600)); a @ a
os.environ["OMP_NUM_THREADS"] = "3"
import omp_magic
print(omp_magic.snapshot().to_json(indent=None), flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("masked", [False, True])
def test_it_says_what_the_process_says_of_itself(masked: bool, libomp: str, libiomp5: str) -> None:
    env = {"OPENBLAS_NUM_THREADS": "2", "SECRET_TOKEN": "s3cret-of-a-variable"}
    if masked:
        env["KMP_DUPLICATE_LIB_OK"] = "TRUE"
    with program(OWN, "--token=s3cret-of-a-word", libomp, libiomp5, env=env) as (pid, line):
        own = json.loads(line)
        text = status("--pid", str(pid), "--env", "--cpus", "--threads").stdout
        made = status("--pid", str(pid), "--json", "--threads")
        seen = json.loads(made.stdout)
    assert seen.keys() == own.keys()
    assert seen["pid"] == own["pid"] == pid
    assert (seen["python"], seen["prefix"]) == (own["python"], own["prefix"])
    same = ("family", "soname", "path", "version", "owner", "owner_version", "initialized")
    for name in (*same, "serves", "idle", "workers", "registers", "threading_layer"):
        assert [each[name] for each in seen["libraries"]] == [
            each[name] for each in own["libraries"]
        ], name
    counts = {each["family"]: each["num_threads"] for each in seen["libraries"]}
    assert counts["openblas"] == 2, "it keeps its count in a variable that it exports"
    assert counts["libomp"] is counts["libiomp5"] is None
    for name in ("quota_cpus", "threads", "affinity_cpus", "machine_cpus", "bounds"):
        assert seen["budget"][name] == own["budget"][name], name
    kept = ("name", "native", "at_exec", "meaning", "set_by")
    assert [{name: each[name] for name in kept} for each in seen["environment"]] == [
        {name: each[name] for name in kept} for each in own["environment"]
    ]
    fatal = "OMP102" if masked else "OMP101"
    for facts in (seen, own):
        codes = {each["code"] for each in facts["findings"]}
        assert codes & {"OMP101", "OMP102"} == {fatal}
    assert made.returncode == (0 if masked else 1)
    assert seen["outside"]["program"] == f"{_python()} -c …"
    assert "s3cret" not in text + made.stdout + made.stderr


def test_what_a_look_does_not_need_is_not_loaded() -> None:
    """Half of the command's time is its imports; each of these is a millisecond or more."""
    with program("print('up', flush=True); input()") as (pid, _):
        words = [sys.executable, "-X", "importtime", "-m", "omp_magic"]
        words += ["status", "--pid", str(pid), "--json"]
        ended = subprocess.run(words, check=True, capture_output=True, text=True, timeout=120)
    loaded = {line.rpartition("|")[2].strip() for line in ended.stderr.split("\n")}
    assert "omp_magic.outside.process" in loaded
    ours = ("api", "rules.stories", "facts.load", "facts.packages", "facts.sends", "views.text")
    away = {"ctypes", "threading", "pkgutil", "rich", *(f"omp_magic.{name}" for name in ours)}
    assert not away & loaded


def _figures(pid: int) -> dict[str, Any]:
    """Read what would tell that somebody was there: clocks, switches, signals, tracer, files."""
    at = Path(f"/proc/{pid}")
    figures: dict[str, Any] = {"maps": (at / "maps").read_text("utf-8")}
    for task in sorted((at / "task").iterdir()):
        stat = (task / "stat").read_text("utf-8").rpartition(")")[2].split()
        keep = (
            r"(voluntary|nonvoluntary)_ctxt_switches|(Sig|Shd)\w+|TracerPid|State|Seccomp|Threads"
        )
        lines = [
            line
            for line in (task / "status").read_text("utf-8").split("\n")
            if re.match(keep, line) and not line.startswith("SigQ")
        ]
        figures[task.name] = (stat[0], stat[11:13], stat[5:11], lines)
    figures["fds"] = sorted((int(fd.name), os.readlink(fd)) for fd in (at / "fd").iterdir())
    figures["io"] = (at / "io").read_text("utf-8")
    return figures


def test_it_leaves_no_trace_in_the_process(libomp: str, libiomp5: str) -> None:
    with program(OWN, "x", libomp, libiomp5, env={"OPENBLAS_NUM_THREADS": "2"}) as (pid, _):
        end = time.monotonic() + 60
        before, after = _figures(pid), None
        while before != after and time.monotonic() < end:
            time.sleep(0.5)  # the threads of a pool spin on for a while before they sleep
            before, after = _figures(pid), before
        assert before == after, "it does not come to rest"
        for words in ((), ("--threads", "--env", "--cpus", "--json")):
            assert status("--pid", str(pid), *words).returncode == 1
        assert _figures(pid) == before


@ROOT_ALONE
def test_another_users_process_is_refused_in_one_line() -> None:
    code = "import os, sys; os.setuid(65534); print('up', flush=True); sys.stdin.read()"
    with program(code) as (pid, _):
        told = status("--pid", str(pid))
    assert (told.returncode, told.stdout) == (2, "")
    assert told.stderr.count("\n") == 1
    user = re.search(r"a process of user (\w+);", told.stderr)
    assert user is not None, told.stderr
    assert f"example: sudo -u {user[1]} omp-magic status --pid {pid}\n" in told.stderr


def test_what_is_no_process_to_look_at_is_refused_in_one_line() -> None:
    zombie = subprocess.Popen(["true"])
    os.waitid(os.P_PID, zombie.pid, os.WEXITED | os.WNOWAIT)
    code = (
        "import sys, threading\n"
        "thread = threading.Thread(target=sys.stdin.read); thread.start()\n"
        "print(thread.native_id, flush=True); thread.join()"
    )
    with program(code) as (pid, tid):
        asked = {
            4194305: "no process has this number",
            zombie.pid: f"a process that has ended (its parent {os.getpid()} has not waited",
            int(tid): f"a thread of process {pid}",
        }
        kthreadd = "/proc/2/comm"
        if os.path.exists(kthreadd) and Path(kthreadd).read_text("utf-8") == "kthreadd\n":
            asked[2] = "a thread of the kernel"
        for number, why in asked.items():
            told = status("--pid", str(number))
            assert (told.returncode, told.stdout) == (2, "")
            assert told.stderr.startswith(f"omp-magic status: found {number}, {why}")
            assert told.stderr.count("\n") == 1
            with pytest.raises(ProcessError):
                omp_magic.snapshot(pid=number)
    zombie.wait()
    for words in (("--pid", "1", "--import", "json"), ("--pid", "1", "--probe")):
        told = status(*words)
        assert (told.returncode, told.stdout, told.stderr.count("\n")) == (2, "", 1)
    told = status("--pid", "\x1b[31m")
    assert (told.returncode, told.stdout, told.stderr.count("\n")) == (2, "", 1)
    assert r"found '\x1b[31m', which is no number of a process; accepted: the num" in told.stderr


def test_a_process_that_ends_meanwhile_is_no_process_with_nothing_in_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with program("print('up', flush=True); input()") as (pid, _):
        take = OtherObserver.take

        def taken(self: OtherObserver, **asked: Any) -> Snapshot:
            os.kill(pid, signal.SIGKILL)
            while Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(") ")[2][0] != "Z":
                time.sleep(0.01)
            return take(self, **asked)

        monkeypatch.setattr(OtherObserver, "take", taken)
        with pytest.raises(ProcessError, match="has ended"):
            look_at(pid)


BECOMES = """
import os, sys
print("up", flush=True); sys.stdin.readline()
code = "import numpy, sys; print('new', flush=True); sys.stdin.read()"
os.execv(sys.executable, [sys.executable, "-c", code, *sys.argv[1:]])
"""


@TWO_CPUS
def test_one_that_calls_exec_meanwhile_is_looked_at_once_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", BECOMES],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**CLEAN, "OPENBLAS_NUM_THREADS": "2"},
    )
    assert process.stdin is not None
    assert process.stdout is not None
    looks = []
    take = OtherObserver.take

    def taken(self: OtherObserver, **asked: Any) -> Snapshot:
        looks.append(take(self, **asked))
        if len(looks) == 1:
            process.stdin.write("\n")  # type: ignore[union-attr]  # asserted above
            process.stdin.flush()  # type: ignore[union-attr]  # as above
            process.stdout.readline()  # type: ignore[union-attr]  # as above
        return looks[-1]

    monkeypatch.setattr(OtherObserver, "take", taken)
    try:
        process.stdout.readline()
        facts = look_at(process.pid)
    finally:
        process.kill()
        process.communicate()
    assert [len(each.libraries) for each in looks] == [0, 1]
    (blas,) = facts.libraries
    assert (blas.family, blas.num_threads, blas.workers) == ("openblas", 2, 1)


def test_a_process_whose_first_thread_has_ended_goes_on() -> None:
    code = (
        "import ctypes, sys, threading\n"
        "threading.Thread(target=sys.stdin.read).start()\n"
        "print('up', flush=True)\n"
        "ctypes.CDLL(None).syscall(60 if sys.argv[1] == 'x86_64' else 93, 0)  # exit(2)"
    )
    with program(code, os.uname().machine) as (pid, _):
        stat = Path(f"/proc/{pid}/stat")
        deadline = time.monotonic() + 60
        while stat.read_text("utf-8").rpartition(") ")[2][0] != "Z":
            assert time.monotonic() < deadline
            time.sleep(0.01)
        with pytest.raises(ProcessError, match="whose first thread has ended: 1 more go on"):
            look_at(pid)


def test_memory_that_may_not_be_read_is_a_gap_that_names_the_sysctl(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, libomp: str, libiomp5: str
) -> None:
    scope = tmp_path / "ptrace_scope"
    scope.write_text("1\n")
    monkeypatch.setattr(yama, "_YAMA", str(scope))

    @contextlib.contextmanager
    def refused(path: str) -> Iterator[Any]:
        raise yama.refusal(PermissionError(13, "Permission denied", path))
        yield

    monkeypatch.setattr(linux_system, "_opened_memory", refused)
    with program(OWN, "x", libomp, libiomp5, env={"OPENBLAS_NUM_THREADS": "2"}) as (pid, _):
        facts = look_at(pid, threads=True)
    gaps = {gap.what: gap.why for gap in facts.gaps}
    for what in (THREAD_OWNERS, "where threads wait", "variables as they are now"):
        assert "kernel.yama.ptrace_scope is 1" in gaps[what], what
    assert facts.thread_owners is None
    assert {each.initialized for each in facts.libraries if each.kin == "llvm"} == {None}
    assert {each.serves for each in facts.libraries} == {None}
    assert facts.setting("OPENBLAS_NUM_THREADS") is not None
    assert facts.setting("OMP_NUM_THREADS") is None, "it was set after the start"
    assert "those that it was started with" in str(facts.gaps)


def test_a_program_that_is_no_python_has_its_own_threads() -> None:
    process = subprocess.Popen(["sleep", "60"], env={**CLEAN, "OMP_NUM_THREADS": "4"})
    try:
        deadline = time.monotonic() + 60
        wchan = Path(f"/proc/{process.pid}/wchan")
        while "nanosleep" not in wchan.read_text("utf-8") and time.monotonic() < deadline:
            time.sleep(0.01)
        facts = omp_magic.snapshot(pid=process.pid, threads=True)
    finally:
        process.kill()
        process.wait()
    assert (facts.python, facts.libraries, facts.num_os_threads) == ("", (), 1)
    assert facts.outside is not None
    assert facts.outside.program == "sleep"
    (wait,) = facts.outside.waits
    assert wait.call == "clock_nanosleep"
    setting = facts.setting("OMP_NUM_THREADS")
    assert setting is not None
    assert (setting.native, setting.at_exec) == ("4", "4")
    assert facts.gaps == ()
    text = str(facts)
    assert "no Python" in text
    assert re.search(r"\d+ +sleep +waits in clock_nanosleep +\S*nanosleep +libc", text), text


INNER = """
import ctypes, numpy, os, sys
ctypes.CDLL(sys.argv[1]).omp_get_max_threads()
print(os.getpid(), flush=True)
sys.stdin.read()
"""


@ROOT_ALONE
@TWO_CPUS
def test_a_process_that_knows_itself_by_another_number(libomp: str) -> None:
    """In namespaces of its own: its pid there is in the name of the runtime's registration.

    Its C library keeps its threads by the numbers that they have there.
    """
    words = ["unshare", "--pid", "--fork", "--mount-proc", sys.executable, "-c", INNER, libomp]
    try:
        process = subprocess.Popen(
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**CLEAN, "OPENBLAS_NUM_THREADS": "2"},
        )
    except FileNotFoundError:
        pytest.skip("no unshare")
    try:
        assert process.stdout is not None
        inner = process.stdout.readline().strip()
        if not inner:
            pytest.skip("namespaces may not be made here")
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text("utf-8")
        outer = int(children.split()[0])
        assert int(inner) != outer
        facts = look_at(outer)
        found = {each.family: each for each in facts.libraries}
        assert found.keys() == {"libomp", "openblas"}
        assert (found["libomp"].initialized, found["libomp"].replaced) == (True, False)
        assert (found["openblas"].num_threads, found["openblas"].workers) == (2, 1)
        assert facts.budget == look_at(process.pid).budget
    finally:
        process.communicate("")
        forget_registration(1)
