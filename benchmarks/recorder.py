"""What the recorder costs: a cell with it, beside what IPython itself notes of one, and loading.

All is timed in a real kernel. "a cell" is what the recorder does before and after one; the peer is
IPython's history, `HistoryManager.store_inputs`, which keeps each cell's text (a thread of its own
writes it to the disk later). "loading" is `load_ipython_extension` with the recorder and with
``c.OmpMagics.record = False``, in fresh kernels in turn, the least of each; the first of them are
not counted. A cell that goes on after the load has its record at once, one that only loads does
not pay for it.

Prints a table, and exits with 1 when a figure is over its aim.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parent.parent / "tests"), str(Path(__file__).parent.parent)]

from live import Kernel  # noqa: E402 - the tests' own is used

MOST_US = 20.0
MOST_LOADING_US, MOST_GOING_ON_US = 200.0, 1000.0
ROUNDS = 7

CELL = """
import itertools, json, statistics, time
from types import SimpleNamespace
from omp_magic.jupyter import extension
shell = get_ipython()
recorder = next(iter(extension._LOADED.values())).watch.recorder
info, result = SimpleNamespace(raw_cell="a = 1"), SimpleNamespace(execution_count=3)
def cell():
    recorder.before_cell(info)
    recorder.after_cell(result)
def text():
    recorder.text = True
    cell()
    recorder.text = False
numbers = itertools.count(1000)  # each line of the history has its own
def history():
    shell.history_manager.store_inputs(next(numbers), "a = 1", "a = 1")
def nothing():
    for hook in (lambda *_: None,) * 2:
        hook(info)
recorder._depth = 0
took = {}
# The history last: its thread writes to the disk for a while.
for function in (*(nothing, cell, text) * 20, *(history,) * 20):
    begin = time.perf_counter()
    for _ in range(200):
        function()
    took.setdefault(function.__name__, []).append((time.perf_counter() - begin) / 200 * 1e6)
assert recorder.record.path
print(json.dumps({name: statistics.median(each) for name, each in took.items()}))
"""
LOAD = """
import json, time
get_ipython().config.OmpMagics.record = {record}
import omp_magic
begin = time.perf_counter()
omp_magic.load_ipython_extension(get_ipython())
print(json.dumps((time.perf_counter() - begin) * 1e6))
"""
TIMED = """
get_ipython().config.OmpMagics.record = {record}
def timed(name, load=get_ipython().extension_manager.load_extension):
    import time
    begin = time.perf_counter()
    load(name)
    global took
    took = (time.perf_counter() - begin) * 1e6
get_ipython().extension_manager.load_extension = timed
"""


def in_kernel(*cells: str) -> Any:
    """Run cells in a fresh kernel and give the JSON of the last one."""
    kernel = Kernel({"PYTHONDONTWRITEBYTECODE": ""})  # an installation has the bytecode
    try:
        for each in cells:
            reply = kernel.run(each)
            if reply.status != "ok":
                raise RuntimeError(reply.traceback)
        return json.loads(reply.stdout.strip().rpartition("\n")[2])
    finally:
        kernel.close()


def main() -> int:
    cell = in_kernel("%load_ext omp_magic", "1", CELL)
    alone: dict[bool, list[float]] = {True: [], False: []}
    going_on: dict[bool, list[float]] = {True: [], False: []}
    for number in range(ROUNDS + 1):
        for record in (True, False):
            load = TIMED.format(record=record), "%load_ext omp_magic", "print(took)"
            by_itself, before_more = in_kernel(*load), in_kernel(LOAD.format(record=record))
            if number:
                alone[record].append(by_itself)
                going_on[record].append(before_more)
    least = {record: min(alone[record]) for record in alone}
    further = {record: min(going_on[record]) for record in going_on}
    print(f"{'':44}{'us':>8}{'aim':>8}")
    rows = (
        ("a cell, recorded", cell["cell"], MOST_US),
        ("a cell, recorded with its text", cell["text"], MOST_US),
        ("a cell, in IPython's history", cell["history"], None),
        ("two hooks that do nothing", cell["nothing"], None),
        ("loading in its own cell, recorded", least[True], None),
        ("loading in its own cell, not recorded", least[False], None),
        ("the difference", least[True] - least[False], MOST_LOADING_US),
        ("loading in a cell that goes on, recorded", further[True], None),
        ("loading in a cell that goes on, not recorded", further[False], None),
        ("the difference", further[True] - further[False], MOST_GOING_ON_US),
    )
    for name, us, aim in rows:
        print(f"{name:44}{us:8.1f}{'' if aim is None else f'{aim:8.0f}'}")
    ratio = cell["cell"] / cell["history"]
    print(f"a cell, recorded / in IPython's history: {ratio:.2f}")
    return int(any(aim is not None and us > aim for _, us, aim in rows))


if __name__ == "__main__":
    sys.exit(main())
