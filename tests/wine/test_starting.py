"""`omp-magic run` where no process can become another, and a batch file as cmd reads it."""

from __future__ import annotations

import json

from sheets import held_by, written

from wine import windows

RUN = """
import json, os, subprocess, sys
code = "import os, sys; print(os.environ['OMP_NUM_THREADS'], sys.argv[1:]); sys.exit(7)"
words = [sys.executable, "-m", "omp_magic", "run"]
def run(*more):
    ended = subprocess.run([*words, *more], capture_output=True, text=True, timeout=100)
    return [ended.returncode, ended.stdout.strip(), ended.stderr.strip()]
print(json.dumps([
    run("--threads", "3", "--", sys.executable, "-c", code, "a b", "--threads", ""),
    run("--", "no-such-program"),
    run("--threads", "x", "--", sys.executable, "-c", "print(1)"),
]))
"""


def test_the_program_is_a_child_whose_exit_code_is_given() -> None:
    fine, missing, wrong = windows.value(RUN)
    assert fine == [7, "3 ['a b', '--threads', '']", ""]
    assert missing[:2] == [127, ""]
    assert missing[2] == "omp-magic run: no-such-program: no such program on PATH"
    assert wrong[:2] == [2, ""]
    assert "found 'x'" in wrong[2]


ENDED = """
import ctypes, json, subprocess, sys, time
code = "import os, time; print(os.getpid(), flush=True); time.sleep(60)"
words = [sys.executable, "-m", "omp_magic", "run", "--", sys.executable, "-c", code]
process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
child = int(process.stdout.readline())
kernel32 = ctypes.WinDLL("kernel32")
kernel32.OpenProcess.restype = ctypes.c_void_p
handle = ctypes.c_void_p(kernel32.OpenProcess(0x100000, False, child))
process.kill()
process.wait(30)
print(json.dumps([child != process.pid, kernel32.WaitForSingleObject(handle, 30000)]))
"""


def test_the_child_ends_with_us() -> None:
    """Jupyter and pm2 end the process that they have started, which is ours."""
    assert windows.value(ENDED) == [True, 0]


READ = """
import json, os, subprocess, sys
with open("omp-env.cmd", "w", encoding="ascii", newline="\\r\\n") as file:
    file.write(json.loads(sys.argv[1]))
code = "import json, os; print(json.dumps(dict(os.environ)))"
with open("then.cmd", "w", encoding="ascii", newline="\\r\\n") as file:
    show = subprocess.list2cmdline([sys.executable, "show.py"])
    file.write("@call omp-env.cmd\\n@" + show + "\\n")
with open("show.py", "w") as file:
    file.write(code)
ended = subprocess.run(["cmd", "/c", "then.cmd"], capture_output=True, text=True, timeout=100,
                       env={**os.environ, "A_GONE": "1"})
print(ended.stdout.strip().splitlines()[-1])
"""


def test_cmd_reads_the_batch_file() -> None:
    """Wine's cmd: an implementation of its own of what `set /?` and `call /?` say."""
    found = windows.value(READ, args=[json.dumps(written("cmd", ("A_GONE",)))])
    held = held_by("cmd")
    assert {name: found.get(name) for name in held} == held
    assert "A_GONE" not in found
