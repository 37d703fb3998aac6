"""Pools that cannot address a worker: each process is met once, none is started, lost or broken."""

from __future__ import annotations

from pathlib import Path

import pytest
from live import LINUX
from pools import run_pools

pytestmark = pytest.mark.timeout(300)
signals = pytest.mark.skipif(not LINUX, reason="stops and forks processes: POSIX only")
methods = pytest.mark.parametrize(
    "method",
    [
        "spawn",
        *(
            pytest.param(
                each, marks=[pytest.mark.skipif(not LINUX, reason=f"{each}: not here"), *more]
            )
            for each, more in (("fork", ()), ("forkserver", (pytest.mark.thorough,)))
        ),
    ],
)

ONCE = """
with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context({method!r})) as pool:
    none = refused(pool), len(pool._processes)
    pids = sorted({{each.result(60) for each in [pool.submit(meet, "all", 2) for _ in range(2)]}})
    found = [ask(pool) for _ in range(5)]
    engine = engine_of(pool)
    one = engine.seats()[:1]
    alone = ask(pool, seats=one, engine=engine)
    print(json.dumps([none, pids, [[each[pid] for pid in pids] for each in found],
        [[seat.pid, seat.beside, seat.passing, seat.name] for seat in one],
        list(alone.items()), sorted(pool._processes), engine.kind, engine.title]))
"""


@methods
def test_each_process_is_met_once_by_each_question(method: str, tmp_path: Path) -> None:
    none, pids, found, [seat], alone, after, *names = run_pools(
        tmp_path, ONCE.format(method=method)
    )
    assert "a ProcessPoolExecutor that has no worker now" in none[0]
    assert none[1] == 0
    assert len(pids) == 2
    assert found == [[[pid, n] for pid in pids] for n in range(1, 6)]
    assert seat[:3] == [seat[0], True, ""]
    assert alone == [[seat[0], [seat[0], 6]]]
    assert after == pids
    assert names == ["executor", "ProcessPoolExecutor"]


BUSY = """
with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
    [each.result(60) for each in [pool.submit(meet, "all", 2) for _ in range(2)]]
    task = pool.submit(hold, "enough")
    wait_for("held-enough")
    found = ask(pool, 1.0)
    free("enough")
    busy = task.result(60)
    again = ask(pool)
    tasks = [pool.submit(os.getpid) for _ in range(200)]
    behind = ask(pool)
    print(json.dumps([busy, found.pop(busy), list(found.values()), sorted(again.values()),
        sorted(behind.values()), len({each.result(60) for each in tasks})]))
"""


def test_a_busy_worker_is_told_and_not_asked_later(tmp_path: Path) -> None:
    busy, told, [[idle, first]], again, behind, _ = run_pools(tmp_path, BUSY)
    assert told == "no answer in 1 s: it works, or it hangs"
    # The question that was too late was dropped there.
    assert (first, again) == (1, sorted([[busy, 1], [idle, 2]]))
    assert behind == sorted([[busy, 2], [idle, 3]])


ORDER = """
with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
    pool.submit(int).result(60)
    task = pool.submit(hold, "enough")
    wait_for("held-enough")
    done = []
    tasks = [pool.submit(os.getpid) for _ in range(40)]
    for number, each in enumerate(tasks):
        each.add_done_callback(lambda _, number=number: done.append(number))
    silent = ask(pool, 0.3)
    free("enough")
    [each.result(60) for each in tasks]
    print(json.dumps([list(silent.values()), done, list(ask(pool).values())]))
"""


def test_tasks_that_wait_keep_their_place(tmp_path: Path) -> None:
    [silent], done, [[_, times]] = run_pools(tmp_path, ORDER)
    assert "no answer in" in silent
    assert done == list(range(40))
    assert times == 1


STARTS_NONE = """
spawn = multiprocessing.get_context("spawn")
with ProcessPoolExecutor(4, mp_context=spawn) as pool:
    pool.submit(int).result(60)
    first = list(pool._processes)
    [seat] = engine_of(pool).seats()
    found = list(ask(pool)), list(ask(pool)), list(pool._processes)
    task = pool.submit(hold, "enough")
    wait_for("held-enough")
    busy = list(ask(pool, 0.5).values()), len(pool._processes)
    free("enough")
with spawn.Pool(1, maxtasksperchild=2) as pool:
    pid = pool.apply(os.getpid)
    counted = list(ask(pool).values()), pool.apply(os.getpid) == pid
if sys.version_info >= (3, 11):
    with ProcessPoolExecutor(1, mp_context=spawn, max_tasks_per_child=2) as pool:
        pid = pool.submit(os.getpid).result(60)
        assert list(ask(pool).values()) == [counted[0][0].replace("maxtasksperchild",
            "max_tasks_per_child")]
        assert pool.submit(os.getpid).result(60) == pid
print(json.dumps([first, found, seat.passing, busy, counted]))
"""


def test_a_look_starts_no_worker_and_uses_up_none(tmp_path: Path) -> None:
    first, found, passing, busy, counted = run_pools(tmp_path, STARTS_NONE)
    assert found == [first, first, first]
    assert "initializer=omp_magic.worker_limits(1)" in passing
    assert "no answer in" in busy[0][0]
    assert busy[1] == 1
    [why], same = counted
    assert why.startswith("a question would use one of its 2 tasks (maxtasksperchild)")
    assert same


HARMLESS = """
odd = "class A(Exception):\\n def __init__(self, a, b): super().__init__(a)\\nraise A(1, 2)"
lock = "__import__('threading').Lock()"
texts = ["lambda: 0", "1 / 0", "exit(3)", lock, f"exec({odd!r})", "' '.join(['x'] * 10**6)[:3]"]
spawn = multiprocessing.get_context("spawn")
found = []
with ProcessPoolExecutor(1, mp_context=spawn) as pool, spawn.Pool(1) as other:
    pool.submit(int).result(60)
    for each in (pool, other):
        before = [seat.pid for seat in engine_of(each).seats()]
        for text in texts:
            [answer] = ask(each, 5, text).values()
            found.append(answer)
        assert [seat.pid for seat in engine_of(each).seats()] == before
    assert pool.submit(abs, -1).result(60) == other.apply(abs, (-1,)) == 1
print(json.dumps(found))
"""


def test_no_answer_breaks_the_pool(tmp_path: Path) -> None:
    found = run_pools(tmp_path, HARMLESS)
    unsendable, error, ends, lock, odd, last = found[:6]
    assert [error, ends, lock, odd, last] == found[7:]
    assert "PicklingError" in unsendable or "AttributeError" in unsendable
    assert error == "ZeroDivisionError: division by zero"
    assert ends == "SystemExit: 3"
    assert lock.startswith("TypeError: cannot pickle")
    assert odd == "A: 1"
    assert last == "x x"


HERE = """
with ThreadPoolExecutor(3) as pool:
    found = [ask(pool), [seat.tasks for seat in engine_of(pool).seats()], len(pool._threads)]
    found[0] = found[0] == {os.getpid(): (os.getpid(), 1)}
    found.append([each.pid == os.getpid() for each in cluster(pool).workers])
from multiprocessing.pool import ThreadPool
with ThreadPool(2) as pool:
    found.append([seat.tasks for seat in engine_of(pool).seats()])
    found.append(ask(pool, text="1 / 0")[os.getpid()])
print(json.dumps(found))
"""


def test_threads_are_this_process_and_run_no_task_of_ours(tmp_path: Path) -> None:
    assert run_pools(tmp_path, HERE) == [
        True,
        [3],
        0,
        [True],
        [2],
        "ZeroDivisionError: division by zero",
    ]


UNKNOWN = """
from omp_magic.clusters import pools
class Some(Executor):
    def __init__(self, pool, **known):
        self.pool = pool
        vars(self).update(known)

    def submit(self, *what, **named):
        return self.pool.submit(*what, **named)

with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
    pids = sorted({each.result(60) for each in [pool.submit(meet, "all", 2) for _ in range(2)]})
    found = [sorted(ask(Some(pool, **known))) == pids for known in ({}, {"_max_workers": 2})]
    task = pool.submit(hold, "enough")
    wait_for("held-enough")
    pools._MEET_S = 0.7
    engine = engine_of(Some(pool, num_workers=2))
    seats = engine.seats()
    names = [seat.address for seat in seats]
    silent = ask(None, 0.5, seats=seats, engine=engine)
    free("enough")
    task.result(60)
    late = ask(None, seats=seats, engine=engine)
    only = ask(None, seats=seats[1:], engine=engine)
with ThreadPoolExecutor(4) as threads:
    own = list(ask(Some(threads, _max_workers=4))) == [os.getpid()]
print(json.dumps([found, names, list(silent.values()), sorted(late.values()), list(only.values()),
    own, refused(Some(threads)), refused(pool), pids]))
"""


def test_any_executor_is_asked_by_submit_alone(tmp_path: Path) -> None:
    found, names, silent, late, only, own, shut, ended, pids = run_pools(tmp_path, UNKNOWN)
    assert found == [True, True]
    assert names[0].startswith("process ")
    assert names[1] == "worker 2"
    assert "no answer in" in silent[1]
    assert [pid for pid, _ in late] == pids
    assert [pid for pid, _ in only] == [next(pid for pid in pids if pid != silent[0][0])]
    assert own
    assert "Some: RuntimeError: cannot schedule new futures" in shut
    assert "a ProcessPoolExecutor that is shut down" in ended


FORKED = """
with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
    pool.submit(int).result(60)
    out, into = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.write(into, refused(pool).encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    print(json.dumps([os.read(out, 2000).decode(), os.getpid(), len(ask(pool))]))
"""


@signals
def test_the_pool_of_the_process_that_was_forked_is_refused(tmp_path: Path) -> None:
    refused, pid, answers = run_pools(tmp_path, FORKED)
    assert f"found 'a ProcessPoolExecutor of process {pid}'" in refused
    assert answers == 1
