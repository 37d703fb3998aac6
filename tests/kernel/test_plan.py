"""%omp_plan in a real kernel: it changes nothing, and what it shows runs there."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from live import LINUX, MAPPED_OPENMP, Kernel, Reply

pytestmark = [
    pytest.mark.skipif(not LINUX, reason="reads /proc: Linux only"),
    pytest.mark.skipif(
        LINUX and len(os.sched_getaffinity(0)) < 2, reason="one CPU: pools have no threads"
    ),
    pytest.mark.timeout(400),
]

WORK = """
def work(item):
    import numpy as np, sklearn.cluster, threadpoolctl
    sklearn.cluster.KMeans(3, n_init=1).fit(np.random.rand(3000, 8))
    return sorted({each["num_threads"] for each in threadpoolctl.threadpool_info()})
items = range(3)
"""


@pytest.fixture
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    started = Kernel()
    folder = tmp_path_factory.mktemp("plan")
    started.run(f"%cd -q {folder}\nimport sys; sys.path.insert(0, '')\n%load_ext omp_magic")
    yield started
    started.close()


def recipes(kernel: Kernel) -> dict[str, str]:
    kernel.run("p = %omp_plan --workers 2")
    return dict(kernel.value("[[each.place.split(',')[0], each.code] for each in p.recipes]"))


def ran(reply: Reply) -> Reply:
    assert reply.status == "ok", reply.traceback
    return reply


def test_a_plan_in_a_notebook(session: Kernel) -> None:
    kernel = session
    shown = ran(kernel.run("%omp_plan --workers 64 --memory '500 MB'"))
    assert shown.text.startswith("! 64 workers on ") or "64 workers of 500 MB need" in shown.text
    assert "OMP_NUM_THREADS=1" in shown.text
    assert "<b>Variables for the workers</b>" in shown.result["text/html"]
    assert not shown.stderr
    assert ran(kernel.run("%omp_plan --workers 2;")).result == {}
    assert kernel.value(MAPPED_OPENMP) == []
    assert not kernel.value(
        "'numpy' in sys.modules or 'OMP_NUM_THREADS' in __import__('os').environ"
    )

    for line, found in (
        ("%omp_plan --workers 0", "omp_plan: found '0'; accepted: a number of workers"),
        ("%omp_plan --workers two", "omp_plan: argument --workers: invalid int value: 'two'"),
        ("%omp_plan --memory 5XB", "omp_plan: found '5XB'; accepted: a size such as 500MB, 2GiB"),
        ("%omp_plan --worker 2 3", "omp_plan: unrecognized arguments: 3"),
    ):
        refused = kernel.run(line)
        assert refused.status == "error"
        (said,) = [row for row in refused.stderr.splitlines() if row]
        assert found in said, said
        assert "example: %omp_plan --workers 4 --memory 500MB" in said

    # Cold: workers may fork, and get functions of the notebook as they are.
    ran(kernel.run(WORK))
    cold = recipes(kernel)
    assert "work import" not in cold["ProcessPoolExecutor"]
    for place in ("ProcessPoolExecutor", "multiprocessing.Pool"):
        ran(kernel.run(cold[place]))
        assert kernel.value("results") == 3 * [[1]], place

    # Workers that live tell what one needs.
    ran(
        kernel.run(
            "import multiprocessing, omp_magic\n"
            "pool = multiprocessing.Pool(2, initializer=omp_magic.worker_limits(1))\n"
            "pool.map(work, range(8), chunksize=1); p = %omp_plan"
        )
    )
    each, told_by, live, fits = kernel.value(
        "[p.memory.each_bytes, p.memory.told_by, p.memory.live, p.memory.fits]"
    )
    assert (told_by, live) == ("PSS", 2)
    assert 5 * 10**6 < each < 10**9
    assert fits >= 2
    assert kernel.value(
        "'measured (PSS of the largest of 2 that live)' in ' '.join(str(p).split())"
    )
    ran(kernel.run("pool.terminate(); pool.join()"))

    # Warm: a fork would hang, and what is shown does not fork.
    assert kernel.value("work(0)") != [1]
    warm = ran(kernel.run("%omp_plan --workers 2")).text
    assert "a forked one would never answer" in warm.splitlines()[0]
    assert "OMP204" in warm
    lines = recipes(kernel)
    assert next(iter(lines)) == "joblib"
    ran(kernel.run(lines["joblib"]))
    assert kernel.value("results") == 3 * [[1]]
    ran(kernel.run(f"%%writefile work.py\n{WORK}"))
    for place in ("ProcessPoolExecutor", "multiprocessing.Pool"):
        assert "forkserver" in lines[place]
        ran(kernel.run(lines[place], timeout=120))
        assert kernel.value("results") == 3 * [[1]], place
    ran(kernel.run("del work\n" + WORK + lines["threads of this process"]))
    assert kernel.value("results") == 3 * [[1]]
    assert kernel.value("work(0)") != [1]
