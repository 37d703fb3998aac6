"""What Binder would build, and its notebooks under Binder's limits: `make binder-check`.

Installs what binder/requirements.txt says into a clean environment, with the Python of
binder/runtime.txt where it is found, and what binder/postBuild does after that; then it runs every
notebook there on one CPU. A notebook whose
processes together need more than 2 GB has failed. repo2docker then says what image Binder would
build; neither needs Docker.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from fresh import ROOT, call, clean_environment, find_python, install, make_environment

HOME = ROOT / ".binder-check"
LIMIT_BYTES = 2 * 1024**3
"""What a session on mybinder.org may have."""
LIMIT_S = 900

# The kernel must have this environment's packages, and nothing of the tree or of the machine.
ONLY_THIS = """
import os, sys, omp_magic
assert os.path.samefile(sys.prefix, {prefix!r}), sys.prefix
mine = tuple(os.path.realpath(each) + os.sep for each in (sys.prefix, sys.base_prefix))
others = [p for p in sys.path if p and not (os.path.realpath(p) + os.sep).startswith(mine)]
assert not others, others
assert os.path.realpath(omp_magic.__file__).startswith(mine[0]), omp_magic.__file__
"""


def main() -> int:
    began = time.monotonic()
    shutil.rmtree(HOME, ignore_errors=True)
    fine = said_by_repo2docker()
    env = environment()
    only_this(env)
    on_one_cpu()
    notebooks = sorted((ROOT / "notebooks").glob("*.ipynb"))
    passed = [run(env, path) for path in notebooks]
    took = time.monotonic() - began
    right = fine and bool(notebooks) and all(passed)
    if right:
        shutil.rmtree(HOME)  # what failed is kept, with its logs
    elif not fine:
        print("repo2docker would not build what is wanted, see above")
    print(f"{sum(passed)} passed, {passed.count(False)} failed in {took:.1f}s")
    return int(not right)


def wanted_python() -> str:
    """Give the version that binder/runtime.txt names.

    Its form is "python-3.12" (the property `runtime` in repo2docker's buildpacks/base.py).
    """
    text = (ROOT / "binder" / "runtime.txt").read_text("utf-8").strip()
    found = re.fullmatch(r"python-(\d+\.\d+)", text)
    if found is None:
        raise SystemExit(f"binder/runtime.txt: {text!r} is not of the form python-3.12")
    return found.group(1)


def environment() -> Path:
    """Make the environment anew from binder/requirements.txt."""
    wanted = wanted_python()
    python = find_python(wanted)
    if python is None:
        python = sys.executable
        here = sys.version.split()[0]
        print(f"Python {wanted} of binder/runtime.txt is not here; with Python {here}", flush=True)
    own = make_environment(HOME / "env", python)
    version = call([str(own), "-c", "import sys; print(sys.version.split()[0])"]).strip()
    print(f"installing binder/requirements.txt with Python {version} ...", flush=True)
    # Not editable, as on Binder: the notebooks see the installed package only.
    install(own, "-r", "binder/requirements.txt")
    call(["sh", "binder/postBuild"], cwd=ROOT, env=clean_environment(own.parent.parent))
    print(call([str(own), "-m", "pip", "check"]).strip(), flush=True)
    for part in ("jupyterlab", "jupyterlab_widgets", "ipykernel"):
        call([str(own), "-c", f"import {part}"])
    return own


def only_this(env: Path) -> None:
    """Fail where a notebook's kernel sees more than the environment."""
    code = ONLY_THIS.format(prefix=str(env.parent.parent))
    cell: dict[str, object] = {
        "cell_type": "code",
        "id": "only",
        "metadata": {},
        "execution_count": None,
        "outputs": [],
        "source": code,
    }
    notebook = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    path = HOME / "only_this.ipynb"
    path.write_text(json.dumps(notebook), "utf-8")
    call([str(env), str(ROOT / "notebooks" / "run.py"), str(path)], cwd=HOME, env=variables(env))
    print("the kernel sees this environment only", flush=True)


def variables(env: Path) -> dict[str, str]:
    return clean_environment(env.parent.parent, IPYTHONDIR=str(HOME / "ipython"))


def run(env: Path, notebook: Path) -> bool:
    """Run a notebook on one CPU, and say what memory it took; tell whether it passed."""
    name = f"{notebook.parent.name}/{notebook.name}"
    began = time.monotonic()
    # No quota: on Binder nobody can make a cgroup.
    command = [str(env), "notebooks/run.py", "--no-quota", name]
    with (HOME / f"{notebook.stem}.log").open("w+b") as log:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=variables(env),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        family = Family(process.pid)
        while process.poll() is None and time.monotonic() - began < LIMIT_S:
            family.look()
            time.sleep(0.2)
        timed_out = process.poll() is None
        family.end()
        code = process.wait()
        log.seek(0)
        words = log.read().decode("utf-8", "replace")
    took = time.monotonic() - began
    needs = f"{took:.1f} s, at most {family.peak / 1e6:.0f} MB" if family.peak else f"{took:.1f} s"
    passed = code == 0 and not timed_out and family.peak <= LIMIT_BYTES
    print(f"{name}: {'passed' if passed else 'FAILED'} in {needs}", flush=True)
    if timed_out:
        print(f"  it was ended after {LIMIT_S} s")
    elif code:
        print(words[-6000:])
    elif not passed:
        print(f"  more than Binder's {LIMIT_BYTES / 1e6:.0f} MB")
    return passed


def on_one_cpu() -> None:
    """Leave this process and all that it will start one CPU, where the system can."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


@dataclass
class Family:
    """A process, all that it started, and the most memory that they had together.

    Shared pages are counted once: the proportional set size of /proc/PID/smaps_rollup (proc(5)). An
    address-space limit would count what is reserved and never used.
    """

    pid: int
    peak: int = 0
    known: set[tuple[int, str]] = field(default_factory=set)

    def look(self) -> None:
        """Find its processes, also those whose parent has ended, and sum their memory."""
        parents, starts = processes()
        self.known = {(pid, start) for pid, start in self.known if starts.get(pid) == start}
        pids = {self.pid, *(pid for pid, _ in self.known)}
        while more := {pid for pid, parent in parents.items() if parent in pids} - pids:
            pids |= more
        self.known |= {(pid, starts[pid]) for pid in pids if pid in starts}
        self.peak = max(self.peak, sum(map(memory, pids)))

    def end(self) -> None:
        """End what still runs of it."""
        self.look()
        for pid, _ in self.known:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue


def processes() -> tuple[dict[int, int], dict[int, str]]:
    """Give each process's parent and its start time; nothing where there is no /proc."""
    parents, starts = {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
        except OSError:  # it has ended
            continue
        parents[int(folder.name)], starts[int(folder.name)] = int(fields[1]), fields[19]
    return parents, starts


def memory(pid: int) -> int:
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text("ascii")
    except OSError:  # it has ended, or the kernel is older than 4.14
        return 0
    found = re.search(r"^Pss:\s+(\d+) kB", text, re.MULTILINE)
    return int(found.group(1)) * 1024 if found else 0


def said_by_repo2docker() -> bool:
    """Tell whether repo2docker would build what we want, and say what it would."""
    own = make_environment(HOME / "repo2docker", sys.executable)
    install(own, "jupyter-repo2docker")
    command = [str(own.parent / "jupyter-repo2docker"), "--no-build", "--debug", "."]
    ended = subprocess.run(
        command,
        check=False,
        cwd=ROOT,
        env=clean_environment(own.parent.parent),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=600,
    )
    said = f"{ended.stdout}\n{ended.stderr}"
    copied = ended.stdout.find(" src/ ${REPO_DIR}/")
    installed = ended.stdout.find('pip install --no-cache-dir -r "binder/requirements.txt"')
    finished = ended.stdout.find("RUN ./binder/postBuild")
    right = {
        "exits with 0": ended.returncode == 0,
        "takes the Python of runtime.txt": f"python={wanted_python()}\n" in said,
        "copies the repository, then installs binder/requirements.txt": 0 < copied < installed,
        "then runs binder/postBuild": 0 < installed < finished,
    }
    print("jupyter-repo2docker --no-build --debug .", flush=True)
    for what, holds in right.items():
        print(f"  {what}: {'yes' if holds else 'NO'}", flush=True)
    if not all(right.values()):
        print(said[-6000:])
    return all(right.values())


if __name__ == "__main__":
    sys.exit(main())
