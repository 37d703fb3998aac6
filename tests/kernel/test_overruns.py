"""A limit that was not held, and those of libraries that pass numbers, in a real kernel."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from environments import POOLS, environment
from live import LINUX, Kernel
from places import ROOT, TESTS

pytestmark = [
    pytest.mark.skipif(not LINUX, reason="reads threads' clocks: Linux only"),
    pytest.mark.alone,
    # The first test to ask for an environment installs it.
    pytest.mark.timeout(1800),
]

START = """
%load_ext omp_magic
import time, joblib, lightgbm as lgb, numpy as np, omp_magic
from passing import burn, counted, region
X = np.random.default_rng(0).random((20_000, 20)); y = (X[:, 0] > .5).astype(int)
def train(): lgb.train({'verbosity': -1}, lgb.Dataset(X, y), 20)
def fit(): lgb.LGBMClassifier(n_estimators=20, verbosity=-1).fit(X, y)
def codes(): return [each.code for each in omp_magic.snapshot().findings if each.code == "OMP209"]
"""
LINE = "worked with 2 threads under a limit of 1: whoever called it named a number of its own"


@pytest.fixture(scope="module")
def kernel() -> Iterator[Kernel]:
    started = Kernel({"PYTHONPATH": f"{ROOT}:{TESTS!s}"}, python=environment("pools", POOLS))
    reply = started.run(START)
    assert (reply.status, reply.stderr) == ("ok", ""), reply.traceback
    yield started
    started.close()


def test_lightgbm_works_with_the_threads_of_the_limit(kernel: Kernel) -> None:
    kernel.run("%omp_limit 1")
    kernel.run("train(); fit()")  # OpenBLAS's thread, loaded just now, spins for a while
    reply = kernel.run("print([counted(train), counted(fit)], joblib.effective_n_jobs(-1))")
    assert (reply.stdout, reply.stderr) == ("[1, 1] 1\n", "")
    assert kernel.value("codes()") == []
    kernel.run("%omp_limit off")
    assert kernel.value("joblib.effective_n_jobs(-1) == joblib.cpu_count()") is True


def test_a_limit_that_was_not_held_is_said_after_the_cell_and_in_the_status(
    kernel: Kernel,
) -> None:
    kernel.run("%omp_limit 1")
    reply = kernel.run("region(2)")
    assert reply.stderr.count(LINE) == 1
    assert reply.stderr.startswith("omp_limit: ")
    assert reply.stderr.endswith("more: %omp_explain OMP209\n")
    status = kernel.run("%omp_status")
    assert "OMP209" in status.text
    assert status.stderr == ""
    # A cell that did less does not take it back, one that did as much does.
    assert kernel.value("codes()") == ["OMP209"]
    assert kernel.run("burn(); burn(); burn()").stderr == ""
    assert kernel.value("codes()") == []
    assert LINE in kernel.run("region(2); 1 / 0").stderr
    assert kernel.value("codes()") == ["OMP209"]
    kernel.run("%omp_limit off")
    assert kernel.value("codes()") == []


def test_one_cell_a_block_and_what_they_raise(kernel: Kernel) -> None:
    assert LINE in kernel.run("%%omp_limit 1\nregion(2)").stderr
    assert kernel.value("codes()") == ["OMP209"]
    assert kernel.value("codes()") == []
    assert LINE in kernel.run("with omp_magic.limit(1): region(2)").stderr
    kernel.run("%omp_limit 1")
    # Said once, whoever else is limited around it.
    assert kernel.run("%%omp_limit 1\nregion(2)").stderr.count("worked with") == 1
    assert kernel.run("with omp_magic.limit(2): region(0)").stderr == ""
    assert kernel.run("%%omp_limit 2\nregion(0)").stderr == ""
    kernel.run("%omp_limit off")


def test_an_interrupt_is_no_reason_to_be_silent_or_to_stay(kernel: Kernel) -> None:
    reply = kernel.run("%%omp_limit 1\nregion(2)\ntime.sleep(60)", interrupt_after=3)
    assert reply.ename == "KeyboardInterrupt"
    assert LINE in reply.stderr
    assert kernel.run("region(2)").stderr == ""
    assert kernel.value("joblib.effective_n_jobs(-1) == joblib.cpu_count()") is True
    assert kernel.run("%unload_ext omp_magic").status == "ok"
    assert kernel.run("with omp_magic.limit(1): region(2)").stderr == ""
