"""A worker that was killed and one that hangs: told of each kind of pool, and survived."""

from __future__ import annotations

from pathlib import Path

import pytest
from live import LINUX
from pools import run_pools

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.skipif(not LINUX, reason="stops and kills processes by POSIX' signals"),
]

OPEN = {
    "executor": """
made = ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn"))
""",
    "pool": """
made = multiprocessing.get_context("spawn").Pool(2)
made.submit = lambda fn, *what: type("Ready", (), dict(
    result=made.apply_async(fn, what).get))
""",
    "loky": """
from joblib.externals.loky import get_reusable_executor
made = get_reusable_executor(2)
made.submit(int).result()
""",
}
kinds = pytest.mark.parametrize("kind", list(OPEN))

HUNG = """
with contextlib.ExitStack() as stack:
    stack.callback(getattr(made, "shutdown", None) or made.terminate)
    [each.result(60) for each in [made.submit(meet, "all", 2) for _ in range(2)]]
    assert all(value[1] == 1 for value in ask(made).values())
    pid = engine_of(made).seats()[0].pid
    os.kill(pid, signal.SIGSTOP)
    try:
        seen = {each.pid: each for each in cluster(made, timeout_s=1.0).workers}
    finally:
        os.kill(pid, signal.SIGCONT)
    after = ask(made)
    hung = seen[pid]
    print(json.dumps([hung.gap.why, hung.seen, hung.state is not None,
        after[pid], made.submit(abs, -1).result(60)]))
"""


@kinds
def test_a_worker_that_hangs_is_told_and_seen_from_outside(kind: str, tmp_path: Path) -> None:
    why, seen, known, after, works = run_pools(tmp_path, OPEN[kind] + HUNG)
    assert why == "no answer in 1 s: it works, or it hangs"
    assert (seen, known) == ("outside", True)
    assert after[1] == 2
    assert works == 1


KILLED = """
[each.result(60) for each in [made.submit(meet, "all", 2) for _ in range(2)]]
engine = engine_of(made)
seats = engine.seats()
os.kill(seats[0].pid, signal.SIGKILL)
found = ask(None, 2, seats=seats, engine=engine)
end = time.monotonic() + 30
while hasattr(made, "shutdown") and not refused(made) and time.monotonic() < end:
    time.sleep(0.01)
print(json.dumps([found[seats[0].pid], found[seats[1].pid], refused(made)]))
sys.stdout.flush()
for each in multiprocessing.active_children():
    os.kill(each.pid, signal.SIGKILL)
os._exit(0)
"""


@kinds
def test_a_killed_worker_is_told_with_its_signal(kind: str, tmp_path: Path) -> None:
    killed, other, refused = run_pools(tmp_path, OPEN[kind] + KILLED)
    assert killed == "it was ended by SIGKILL"
    # It may have answered before the pool saw it, else it was ended with the pool; and one of a
    # multiprocessing.Pool waits for ever if the other had the lock for the next task.
    why = ("it was ended by SIG", "the pool did not take", "no answer in")
    assert isinstance(other, list) or other.startswith(why)
    assert ("a broken " in refused) == (kind != "pool")


LOST = """
import threading
made = multiprocessing.get_context("spawn").Pool(2)
made.apply(int)
pids = [seat.pid for seat in engine_of(made).seats()]
ends = f"(os := __import__('os')).getpid() == {pids[0]} and os.kill({pids[0]}, 9)"
found = ask(made, text=ends)
works = made.map(abs, [-1, -2])
made.close()
joined = threading.Thread(target=made.join, daemon=True)
joined.start()
joined.join(30)
print(json.dumps([found[pids[0]], found[pids[1]], works, joined.is_alive()]))
sys.stdout.flush()
for each in multiprocessing.active_children():
    os.kill(each.pid, signal.SIGKILL)
os._exit(0)
"""


def test_a_pool_can_be_joined_after_a_worker_was_killed_at_our_question(tmp_path: Path) -> None:
    # It waits for the answers of all tasks, also of those that will never come.
    assert run_pools(tmp_path, LOST) == ["it was ended by SIGKILL", False, [1, 2], False]
