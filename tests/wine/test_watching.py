"""What a block and its child processes use together, where memory that is shared is not told."""

from __future__ import annotations

from wine import windows

WATCHED = """
import json, subprocess, sys, time
import omp_magic
told = []
with omp_magic.watch(memory="100MB", on_exceeded=told.append) as seen:
    code = "import time; x = bytearray(b'x') * 200000000; time.sleep(60)"
    child = subprocess.Popen([sys.executable, "-c", code])
    try:
        end = time.monotonic() + 60
        while not told and time.monotonic() < end:
            time.sleep(0.05)
    finally:
        child.kill()
        child.wait()
from omp_magic.probes.cost.ownthread import own_threads
print(json.dumps([
    seen.peak_processes, seen.peak_threads, seen.peak_rss_bytes, seen.peak_pss_bytes, str(seen),
    told[0].sentence, own_threads(), seen.cpu_s, seen.looks[-1].processes,
]))
"""


def test_a_block_with_a_child() -> None:
    processes, threads, rss, pss, text, sentence, own, cpu_s, last = windows.value(WATCHED)
    assert processes >= 2
    assert threads >= 2
    assert rss > 100_000_000  # the child is ended as soon as it has passed that
    assert pss is None
    assert own == []
    assert cpu_s > 0
    assert last == 1
    assert "not known: shares of memory (Windows does not tell who shares which memory)" in text
    assert "(RSS: shared pages are counted in each process), more than the 100 MB" in sentence
    assert text.count("\n") == 1, text
