"""`omp-magic run`: the program is the process, with counts for its CPUs, all else as it was."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from live import CLEAN, LINUX
from places import ROOT
from quota import enter_group

from omp_magic.knowledge.inherited import AT_START, for_children
from omp_magic.starts.making import MARK

pytestmark = pytest.mark.skipif(os.name != "posix", reason="exec(2): tests/wine has Windows")

RUN = [sys.executable, "-m", "omp_magic", "run"]
ENV = {**CLEAN, "PYTHONPATH": str(ROOT)}
COUNTS = {name for name, _ in for_children(1)} | set(AT_START)


def ended_as(command: Sequence[str], **asked: Any) -> subprocess.CompletedProcess[str]:
    asked = {"env": ENV, "capture_output": True, "text": True, "timeout": 60, **asked}
    return subprocess.run(command, check=False, **asked)


def run(*words: str, **asked: Any) -> subprocess.CompletedProcess[str]:
    return ended_as([*RUN, *words], **asked)


STATE = """
import json, os, resource, signal, sys
status = open("/proc/self/status").read() if os.path.exists("/proc/self/status") else ""
mask = os.umask(0)
print(json.dumps({
    "signals": [line for line in status.split("\\n") if line[:3] in ("Sig", "Shd")],
    "descriptors": sorted(os.listdir("/proc/self/fd")) if status else [],
    "umask": mask, "folder": os.getcwd(), "nice": os.nice(0), "group": os.getpgid(0),
    "session": os.getsid(0), "parent": os.getppid(),
    "limits": [resource.getrlimit(each) for each in range(9)],
    "environ": dict(os.environ), "words": sys.argv, "stdin": sys.stdin.read(),
}))
"""


def test_the_program_finds_all_as_it_would_without_us(tmp_path: Path) -> None:
    """Signals that are ignored, descriptors, umask, limits; the environment but for our names."""

    def entered() -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        os.umask(0o027)

    handle, other = os.pipe()
    try:
        program = [sys.executable, "-c", STATE, "-v", "--threads", "x", "", "--", "a b"]
        found = []
        for command in (program, [*RUN, "--", *program], [*RUN, *program]):
            ended = subprocess.run(
                command,
                check=True,
                capture_output=True,
                text=True,
                timeout=60,
                input="given\n",
                cwd=tmp_path,
                env={**ENV, "LC_ALL": "", "LANG": "C"},
                pass_fds=(handle,),
                preexec_fn=entered,
                start_new_session=False,
            )
            assert ended.stderr == ""
            found.append(json.loads(ended.stdout))
    finally:
        os.close(handle)
        os.close(other)
    bare, *ours = found
    for each in ours:
        environ = each.pop("environ")
        assert {name for name in environ if name not in bare["environ"]} == COUNTS | {MARK}
        assert environ == {**environ, **bare["environ"]}
        assert each == {name: bare[name] for name in each}
    assert bare["stdin"] == "given\n"
    assert not LINUX or str(handle) in bare["descriptors"]


def test_no_parent_stays_and_signals_are_the_programs() -> None:
    code = "import os, sys, time; print(os.getpid(), flush=True); time.sleep(60)"
    process = subprocess.Popen(
        [*RUN, "--", sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=ENV
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == f"{process.pid}\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == -signal.SIGTERM
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("code", [0, 1, 2, 77, 255])
def test_the_exit_code_is_the_programs(code: int) -> None:
    ended = run("--", "sh", "-c", f"exit {code}")
    assert (ended.returncode, ended.stdout, ended.stderr) == (code, "", "")


def test_a_pipe_that_nobody_reads_ends_the_program() -> None:
    """Python ignores SIGPIPE, and what it starts by exec would too: `yes` would never end."""
    command = f"{' '.join(RUN)} -- yes | head -n 1; echo ${{PIPESTATUS[0]}}"
    ended = subprocess.run(
        ["bash", "-c", command], check=True, capture_output=True, text=True, timeout=60, env=ENV
    )
    assert ended.stdout == f"y\n{128 + signal.SIGPIPE}\n"


def test_what_cannot_be_started_is_one_line_and_a_shells_code(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_text("#!/bin/sh\n")
    lost = tmp_path / "lost"
    lost.write_text("#!/no/such/program\n")
    lost.chmod(0o755)
    for command, code, said in (
        ("no-such-program", 127, "no-such-program: no such program on PATH"),
        ("/no/such/program", 127, "/no/such/program: there is no such program"),
        (str(lost), 127, f"{lost}: the program that its first line names is not there"),
        (str(plain / "x"), 126, f"{plain}/x: Not a directory"),
        (str(plain), 126, f"{plain}: Permission denied"),
        (str(tmp_path), 126, f"{tmp_path}: Permission denied"),
        ("\x1b[2J", 127, "'\\x1b[2J': no such program on PATH"),
    ):
        ended = run("--", command)
        assert (ended.returncode, ended.stdout) == (code, "")
        assert ended.stderr == f"omp-magic run: {said}\n"


def test_a_script_without_a_first_line_is_the_shells(tmp_path: Path) -> None:
    script = tmp_path / "start"
    script.write_text('echo "$OMP_NUM_THREADS $1"\n')
    script.chmod(0o755)
    env = {**ENV, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    for command in (str(script), "start"):
        assert run("--threads", "3", command, "a b", env=env).stdout == "3 a b\n"


def test_nothing_is_needed_of_the_environment() -> None:
    """As cron and a container have it: no HOME, no PATH, no language."""
    found = run("--threads", "3", "--", "env", "-0", env={"PYTHONPATH": str(ROOT)})
    assert found.stderr == ""
    names = {part.partition("=")[0] for part in found.stdout.split("\0")[:-1]}
    assert names == COUNTS | {MARK, "PYTHONPATH"}


def test_what_cannot_be_followed_starts_nothing(tmp_path: Path) -> None:
    touched = tmp_path / "touched"
    for words, said in (
        (("--threads", "x"), "found 'x'; accepted: N (1 to 8192)"),
        (("--workers", "0"), "found '0'; accepted: a number of workers"),
        (("--set", "OMP_NUM_TREADS=1"), "did you mean OMP_NUM_THREADS?"),
        (("--set", "SECRET=hunter2"), "found 'SECRET'"),
        (("--fix", "OMP204"), "OMP204: no variable mends it; workers that are spawned"),
        (("--fix", "OMP101"), "OMP101: no variable mends it; "),
        (("--fix", "nope"), "accepted: a finding's code"),
        (("--wrokers", "2"), "did you mean --workers?"),
    ):
        ended = run(*words, "--", "touch", str(touched))
        assert (ended.returncode, ended.stdout) == (2, "")
        assert said in ended.stderr
        assert ended.stderr.count("\n") == 1
        assert "%omp" not in ended.stderr
        assert "hunter2" not in ended.stderr
    assert not touched.exists()
    ended = run()
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)
    assert "no command" in ended.stderr


def test_what_is_set_is_told_when_asked() -> None:
    env = {**ENV, "OMP_NUM_THREADS": "64", "API_TOKEN": "hunter2"}
    ended = run(
        "-v",
        "--workers",
        "2",
        "--fix",
        "303",
        "sh",
        "-c",
        "echo $KMP_DUPLICATE_LIB_OK hunter2",
        env=env,
    )
    assert ended.stdout == "FALSE hunter2\n"
    assert all(line.startswith("omp-magic run: ") for line in ended.stderr.splitlines())
    for said in (
        "2 workers of ",
        "OMP_NUM_THREADS=64",
        "yours, kept",
        "would overrule OMP_NUM_THREADS=64",
        "OMP303: ",
        "--fix OMP201 replaces it",
        "starts sh",
    ):
        assert said in ended.stderr
    assert "hunter2" not in ended.stderr
    dry = run("--dry-run", "--", "touch", "/no/such/folder/x", env=env)
    assert (dry.returncode, dry.stdout) == (0, "")
    assert "OMP_NUM_THREADS=64" in dry.stderr


def closed(number: int) -> Callable[[], None]:
    return lambda: os.close(number)


@pytest.mark.parametrize("stderr", ["closed", "full", "nobody reads it"])
def test_a_program_starts_though_nobody_hears_what_is_told(stderr: str) -> None:
    """As a daemon's: what is told of a start must not keep it from starting."""
    if stderr == "full" and not os.path.exists("/dev/full"):
        pytest.skip("no /dev/full here")
    reader, writer = os.pipe()
    os.close(reader)
    with open("/dev/full" if stderr == "full" else os.devnull, "w", encoding="ascii") as full:
        kinds: dict[str, dict[str, Any]] = {
            "closed": {"preexec_fn": closed(2)},
            "full": {"stderr": full},
            "nobody reads it": {"stderr": writer},
        }
        asked = {"capture_output": False, "stdout": subprocess.PIPE, **kinds[stderr]}
        ended = run("-v", "--", "echo", "fine", **asked)
    os.close(writer)
    assert (ended.returncode, ended.stdout) == (0, "fine\n")


def test_wrong_use_is_a_line_though_stdout_is_closed() -> None:
    ended = run("--workers", "0", "true", capture_output=False, stderr=-1, preexec_fn=closed(1))
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)


def test_a_program_without_a_name_is_not_there() -> None:
    ended = run("--", "", "x")
    assert (ended.returncode, ended.stdout) == (127, "")
    assert ended.stderr == "omp-magic run: '': no such program on PATH\n"


def test_a_program_starts_in_a_folder_that_was_removed(tmp_path: Path) -> None:
    script = 'mkdir "$0" && cd "$0" && rmdir "$0" && exec "$@"'
    command = ["sh", "-c", script, str(tmp_path / "gone"), *RUN, "--", "echo", "fine"]
    ended = ended_as(command)
    assert (ended.returncode, ended.stdout) == (0, "fine\n"), ended.stderr


def test_an_entry_of_the_environment_without_a_name_is_no_hindrance() -> None:
    code = (
        "import ctypes, os, sys\n"
        "def array(texts): return (ctypes.c_char_p * (len(texts) + 1))(*texts, None)\n"
        "environ = [b'=x', b'nothing', *(b'='.join(each) for each in os.environb.items())]\n"
        "words = [os.fsencode(each) for each in sys.argv[1:]]\n"
        "ctypes.CDLL(None).execve(words[0], array(words), array(environ))"
    )
    ended = ended_as([sys.executable, "-c", code, *RUN, "--", "echo", "fine"])
    assert (ended.returncode, ended.stdout) == (0, "fine\n"), ended.stderr


@pytest.mark.parametrize(("of_systemd", "told"), [(True, "alive\n"), (False, "")])
def test_a_service_of_systemds_keeps_sigpipe_ignored(of_systemd: bool, told: str) -> None:
    """It is its default; elsewhere it is nearly always not ignored, and Python does not tell."""
    script = f"trap '' PIPE; export SYSTEMD_EXEC_PID={'$$' if of_systemd else 1}; exec \"$@\""
    program = ["sh", "-c", "kill -PIPE $$; echo alive"]
    ended = ended_as(["sh", "-c", script, "sh", *RUN, "--", *program])
    assert ended.stdout == told, ended.stderr


def test_files_of_the_folder_do_not_keep_a_program_from_starting(tmp_path: Path) -> None:
    for name in ("argparse", "re", "dataclasses", "inspect"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('mine')")
    assert run("--", "echo", "fine", cwd=tmp_path).stdout == "fine\n"


def test_a_start_waits_for_no_view_no_rule_and_no_table_that_it_does_not_need() -> None:
    code = (
        "import sys, omp_magic.machine.becoming as becoming\n"
        "becoming.become = lambda command, environ: print(*sys.modules, sep='\\n') or 0\n"
        "from omp_magic.cli.main import main\n"
        "sys.exit(main(['run', '--', 'true']))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
        env=ENV,
    )
    loaded = set(ended.stdout.split())
    assert "omp_magic.starts.making" in loaded
    # typing is there: rows that are named tuples cost less with it than dataclasses without it.
    for name in ("rich", "json", "ctypes", "shutil", "IPython", "omp_magic.api"):
        assert name not in loaded
    ours = {each for each in loaded if each.startswith("omp_magic.")}
    for room in ("rules", "limits", "loader", "installed", "jupyter"):
        assert not {each for each in ours if each.startswith(f"omp_magic.{room}")}
    assert {each for each in ours if ".views" in each} == {
        "omp_magic.views",
        "omp_magic.views.signs",
    }
    # Each dataclass costs half a millisecond: what has many that are not needed stays away.
    for name in ("facts.libraries", "facts.load", "machine.port.rows", "knowledge.catalog"):
        assert f"omp_magic.{name}" not in loaded


def test_the_first_process_of_a_container_is_the_program() -> None:
    """As a Docker ENTRYPOINT: pid 1 of its own namespace."""
    program = [*RUN, "--", sys.executable, "-c", "import os; print(os.getpid())"]
    command = ["unshare", "--pid", "--fork", "--kill-child", "--", *program]
    try:
        ended = subprocess.run(
            command, check=False, capture_output=True, text=True, timeout=60, env=ENV
        )
    except FileNotFoundError:
        pytest.skip("no unshare(1) here")
    if "unshare failed" in ended.stderr:
        pytest.skip(f"no pid namespace can be made here: {ended.stderr.strip()}")
    assert ended.stdout == "1\n", ended.stderr


POOL = (
    "import json, numpy, threadpoolctl\n"
    "print(json.dumps([each['num_threads'] for each in threadpoolctl.threadpool_info()]))"
)


def test_numpys_pool_has_one_thread_on_half_a_cpu(half_a_cpu: str) -> None:
    ended = run("--", sys.executable, "-c", POOL, preexec_fn=lambda: enter_group(half_a_cpu))
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout) == [1]
    bare = subprocess.run(
        [sys.executable, "-c", POOL],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
        env=ENV,
        preexec_fn=lambda: enter_group(half_a_cpu),
    )
    cpus = len(os.sched_getaffinity(0))
    assert json.loads(bare.stdout) == [cpus]


def test_a_server_that_preforks_gives_each_worker_its_share() -> None:
    """The environment is what workers inherit, whoever forks or starts them."""
    code = (
        "import os, subprocess, sys\n"
        "ask = 'import os; print(os.environ[\"OMP_NUM_THREADS\"])'\n"
        "for _ in range(2): subprocess.run([sys.executable, '-c', ask], check=True)"
    )
    ended = run("--threads", "auto", "--workers", "8192", sys.executable, "-c", code)
    assert ended.stdout == "1\n1\n"


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ("omp_magic.probes.cpus.budget.probe_budget", "the CPUs allowed are not known"),
        ("omp_magic.starts.making.make_start", "nothing is set"),
    ],
)
def test_a_fault_of_ours_starts_the_program_all_the_same(broken: str, said: str) -> None:
    module, _, name = broken.rpartition(".")
    code = (
        f"import sys, {module} as module\n"
        "def fail(*given): raise ZeroDivisionError('of ours')\n"
        f"module.{name} = fail\n"
        "from omp_magic.cli.main import main\n"
        "sys.exit(main(['run', '--', 'echo', 'fine']))"
    )
    ended = ended_as([sys.executable, "-c", code])
    assert (ended.returncode, ended.stdout) == (0, "fine\n")
    assert ended.stderr.count("\n") == 1
    assert f"{said} (ZeroDivisionError: of ours)" in ended.stderr


def test_a_script_that_stops_is_stopped_with_its_terminals_keys() -> None:
    """SIGTSTP and SIGCONT reach the program as they would without us."""
    process = subprocess.Popen(
        [*RUN, "--", "sh", "-c", "echo ready; exec sleep 60"],
        stdout=subprocess.PIPE,
        text=True,
        env=ENV,
        start_new_session=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        os.kill(process.pid, signal.SIGSTOP)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            pid, status = os.waitpid(process.pid, os.WUNTRACED | os.WNOHANG)
            if pid:
                break
            time.sleep(0.02)
        assert os.WIFSTOPPED(status)
    finally:
        process.kill()
        process.communicate()


def test_a_run_below_another_counts_anew_and_keeps_what_its_user_said() -> None:
    def below(outer: Sequence[str], *inner: str, **user: str) -> list[str]:
        script = "env >&2; echo $OMP_NUM_THREADS $NUMBA_NUM_THREADS $MKL_NUM_THREADS"
        given = [f"{name}={value}" for name, value in user.items()]
        ended = run(*outer, "env", *given, *RUN, *inner, "sh", "-c", script)
        assert ended.returncode == 0, ended.stderr
        assert "stays" not in ended.stderr.split("PATH=")[0]
        return ended.stdout.split()

    assert below((), "--workers", "8192") == ["1", "1", "1"]
    assert below(("--threads", "3"), "--threads", "5") == ["5", "5", "5"]
    # A worker's program has the worker's share, and what was changed since is the user's.
    assert below(("--threads", "3")) == ["3", "3", "3"]
    assert below(("--set", "MKL_NUM_THREADS=1"), "--threads", "blas=1 openmp=1 numba=2") == [
        *("1", "2", "1"),
    ]
    assert below((), "--workers", "8192", NUMBA_NUM_THREADS="1") == ["1", "1", "1"]
    assert below((), OMP_NUM_THREADS="1")[:1] == ["1"]
    assert len(below((), OMP_NUM_THREADS="1")) == 2  # MKL's would overrule it


def test_more_than_the_cpus_is_told_though_nobody_asked() -> None:
    ended = run("--", "true", env={**ENV, "OMP_NUM_THREADS": "8000"})
    assert ended.stderr.count("\n") == 1
    assert "OMP_NUM_THREADS=8000 is set already and stays: more than the " in ended.stderr
    assert "--fix OMP201 replaces it" in ended.stderr
    ended = run("--workers", "8000", "true")
    assert ended.stderr.startswith("omp-magic run: 8000 workers are more than the CPUs: ")
    assert ended.stderr.count("\n") == 1


def test_the_files_lines_are_told_of_too() -> None:
    command = [sys.executable, "-m", "omp_magic", "env", "--format", "bash"]
    ended = ended_as(command, env={**ENV, "OMP_NUM_THREADS": "8000"})
    for stream in (ended.stdout, ended.stderr):
        assert "OMP_NUM_THREADS=8000 is set already and stays: more than the " in stream
        assert "OMP201" in stream
    below = ended_as([*RUN, *command])
    assert below.stdout == ended_as(command).stdout
    assert "already" not in below.stdout


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_a_disk_that_is_full_is_one_line() -> None:
    with open("/dev/full", "w", encoding="ascii") as full:
        command = [sys.executable, "-m", "omp_magic", "env"]
        ended = ended_as(command, capture_output=False, stdout=full, stderr=subprocess.PIPE)
    assert (ended.returncode, ended.stderr.count("\n")) == (74, 1)
    assert "No space left" in ended.stderr
