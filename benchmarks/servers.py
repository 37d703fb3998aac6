"""An embedding server before and after: PyTorch and FAISS below gunicorn, two workers, few CPUs.

In a cgroup of each size the same requests are put to examples/embedding_server, in turn:

* careless: FAISS is imported first, and each pool has as many threads as it sees CPUs,
* ordered: PyTorch first, so that one OpenMP serves both,
* run: that, started by ``omp-magic run --workers 2``.

Prints a table of medians, and exits with 1 when the last answers fewer requests than the first
where the CPUs are a quota. Where no cgroup can be made, or PyTorch is missing, it says so and exits
with 0.

python benchmarks/servers.py --python ~/env/bin/python
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from quota import make_group, prefer_group, remove_group
from serving import ROOT, Figures, started

WORKERS, CLIENTS = 2, 4
KINDS = ("careless", "ordered", "run")


class NoGroupError(RuntimeError):
    """No cgroup with a quota can be made here."""


def command_of(kind: str, python: str, *more: str) -> list[str]:
    """Give the command of a kind of server."""
    app = "careless:app" if kind == "careless" else "server:app"
    gunicorn = [str(Path(python).parent / "gunicorn"), "--config", "gunicorn_conf.py", *more, app]
    if kind != "run":
        return gunicorn
    return [python, "-m", "omp_magic", "run", "--workers", str(WORKERS), "--", *gunicorn]


def measured(kind: str, python: str, cpus: float | None, load_s: float) -> Figures:
    """Start a server of a kind in a group of so many CPUs, and load it.

    Raises
    ------
    NoGroupError
        When no such group can be made.
    """
    try:
        group = None if cpus is None else make_group(cpus, f"omp_magic_servers_{os.getpid()}")
    except OSError as error:
        raise NoGroupError(error.strerror) from None
    try:
        if group is not None:
            prefer_group(group)
        with (
            tempfile.TemporaryDirectory() as folder,
            started(command_of(kind, python), Path(folder) / "log", group=group) as server,
        ):
            server.wait()
            server.load(load_s / 4, CLIENTS)
            return server.load(load_s, CLIENTS, group)
    finally:
        if group is not None:
            remove_group(group)


def compared(python: str, cpus: float | None, rounds: int, load_s: float) -> dict[str, Figures]:
    """Give the medians of each kind, of rounds in turn."""
    taken: dict[str, list[Figures]] = {kind: [] for kind in KINDS}
    for number in range(rounds):
        order = KINDS if number % 2 else KINDS[::-1]
        for kind in order:
            taken[kind].append(measured(kind, python, cpus, load_s))
    return {kind: _median(each) for kind, each in taken.items()}


def _median(figures: Sequence[Figures]) -> Figures:
    middle: dict[str, Any] = {}
    for field in fields(Figures):
        known = [getattr(each, field.name) for each in figures]
        middle[field.name] = None if None in known else statistics.median(known)
    return Figures(**middle)


def row(cpus: float | None, kind: str, figures: Figures) -> str:
    """Give a row of the table."""
    throttled = "-" if figures.throttled is None else f"{figures.throttled:.0%}"
    return (
        f"{'all' if cpus is None else f'{cpus:g}':>4}  {kind:10}{figures.per_s:8.1f}"
        f"{figures.median_ms:9.0f}{figures.p95_ms:7.0f}{figures.cpu_ms:9.0f}"
        f"{figures.threads:9.0f}{throttled:>11}"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description="An embedding server, before and after.")
    parser.add_argument("--python", default=sys.executable, help="of the environment with PyTorch")
    parser.add_argument("--cpus", nargs="*", type=float, default=[2, 1, 0.5])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=6.0, help="of load in each round")
    options = parser.parse_args()
    options.python = os.path.abspath(options.python)  # a server runs in its own folder
    wanted = [options.python, "-c", "import torch, faiss, flask, gunicorn"]
    if subprocess.run(wanted, check=False, capture_output=True, cwd=ROOT).returncode:
        print(f"{options.python} has no torch, faiss-cpu, flask and gunicorn: make test-servers")
        return 0
    print(f"{'CPUs':>4}  {'server':10}{'req/s':>8}{'median':>9}{'p95 ms':>7}{'CPU ms':>9}", end="")
    print(f"{'threads':>9}{'throttled':>11}")
    missed = 0
    for cpus in options.cpus:
        try:
            found = compared(options.python, cpus, options.rounds, options.seconds)
        except NoGroupError as error:
            print(f"no cgroup with a quota can be made here: {error}")
            return 0
        for kind, figures in found.items():
            print(row(cpus, kind, figures), flush=True)
        ratio = found["run"].per_s / found["careless"].per_s
        few = cpus < (os.cpu_count() or 1)
        missed += few and ratio < 1
        print(f"      {ratio:.2f} times the requests{'  MISSED' if few and ratio < 1 else ''}")
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())
