"""Ticks for an hour: what is kept of them. Nothing here depends on what else the machine does."""

from __future__ import annotations

import pytest
from live import LINUX

from process.test_pulse import in_child

GROWTH = """
import gc, tracemalloc
def around():
    gate = threading.Event()
    threads = [threading.Thread(target=gate.wait) for _ in range(5)]
    for thread in threads:
        thread.start()
    child = subprocess.Popen(["sleep", "60"]) if number % 20 == 0 else None
    for _ in range(4):
        pulse.tick()
    racing = threading.Thread(target=gate.set)  # they end while the next tick reads
    racing.start()
    pulse.tick()
    for thread in (*threads, racing):
        thread.join()
    if child is not None:
        child.kill()
        child.wait()
    return pulse.tick()
tracemalloc.start()
sizes = []
for number in range(600):
    tick = around()
    if number in (150, 599):
        del tick
        gc.collect()
        sizes.append(tracemalloc.get_traced_memory()[0])
end = time.perf_counter() + 20
while (tick := pulse.tick()).num_threads > 1 and time.perf_counter() < end:
    pass  # a thread that was joined is about to leave the kernel
print(json.dumps([sizes, told(tick)]))
"""


@pytest.mark.skipif(not LINUX, reason="threads tell on Linux only")
def test_memory_does_not_grow_over_an_hour_of_ticks() -> None:
    sizes, tick = in_child(GROWTH)
    assert tick["number"] >= 3600
    assert tick["num_threads"] == 1
    # 2,694 ticks lie between: a single object kept by each would be 100 kB.
    assert sizes[1] - sizes[0] < 30_000
