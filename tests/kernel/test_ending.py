"""Pools that end a process: told before they do, and what is told comes true."""

from __future__ import annotations

import pytest
from environments import POOLS, environment
from live import Kernel
from workqueue import BOTH, LAUNCH, NUMBA

IN_TURN = """
lock = threading.Lock()
def in_turn(a):
    with lock: total(a)
ts = [threading.Thread(target=in_turn, args=(a,)) for _ in range(2)]
[t.start() for t in ts]; [t.join() for t in ts]; print('survived')
"""


def test_workqueue_is_told_before_two_threads_end_the_kernel() -> None:
    kernel = Kernel(python=environment("pools", POOLS))
    try:
        kernel.run(NUMBA.format("workqueue"))
        assert "numba will run on workqueue" in kernel.run("%omp_status").text
        kernel.run(LAUNCH)
        text = kernel.run("%omp_status").text
        assert "OMP212" in text
        assert "numba runs on workqueue" in text
        codes = "[p['layer'] for p in omp_magic.snapshot().to_dict()['pools'] if p['layer']]"
        kernel.run("import omp_magic")
        assert kernel.value(codes) == ["workqueue"]
        assert kernel.run(IN_TURN).stdout == "survived\n"
        assert kernel.run(BOTH).status == "dead"
    finally:
        kernel.close()


@pytest.mark.thorough  # that numba's omp layer is safe for threads is numba's own promise
def test_the_layer_that_is_told_instead_lets_both_in() -> None:
    kernel = Kernel(python=environment("pools", POOLS))
    try:
        kernel.run(NUMBA.format("omp") + LAUNCH)
        assert "OMP212" not in kernel.run("%omp_status").text
        assert kernel.run(BOTH).stdout == "survived\n"
    finally:
        kernel.close()


CALLERS = """
%load_ext omp_magic
import numpy as np, threading, omp_magic
from concurrent.futures import ThreadPoolExecutor
a = np.random.rand(400, 400)
def callers(number):
    gate = threading.Barrier(number)
    def f(_): gate.wait(); return (a @ a)[0, 0]
    executor = ThreadPoolExecutor(number)
    return executor, len(list(executor.map(f, range(number))))
executor, done = callers({})
"""


def test_more_callers_than_openblas_was_built_for_are_told(kernel: Kernel) -> None:
    kernel.run(CALLERS.format(4))
    most = kernel.value("omp_magic.snapshot().to_dict()['libraries'][0]['max_threads']")
    # As NumPy's wheels are built for Linux and for Windows; their openblas_get_config says so.
    assert most in (64, 24)
    kernel.run(f"executor.shutdown(); executor, done = callers({most // 2 + 8})")
    assert "OMP214" not in kernel.run("%omp_status").text
    kernel.run(f"executor, done = callers({2 * most + 10})")
    text = kernel.run("%omp_status").text
    assert "OMP214" in text
    assert f"MAX_THREADS={most}" in kernel.run("%omp_explain OMP214").text
    # The remedy: end the large pool and make one as large as there are CPUs.
    kernel.run("executor.shutdown(); executor = ThreadPoolExecutor(2)")
    assert "OMP214" not in kernel.run("%omp_status").text
