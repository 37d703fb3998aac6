"""What C code writes to stderr, with the recorder's thread in the place of ipykernel's."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from live import LINUX, Kernel

pytestmark = pytest.mark.skipif(not LINUX, reason="looks at what Linux tells of a process")

BEGUN = """
import collections, glob, os, sys, threading, time
begun, run = [], threading.Thread.run
def noting(self):  # as ipykernel 6.29 and 7.0 do, to know of which cell a thread is
    begun.append(self)
    run(self)
threading.Thread.run = noting
def record():
    from omp_magic.jupyter import extension
    return next(iter(extension._LOADED.values())).watch.recorder.record
def held():
    # Each thread that writes has a socket of ZeroMQ's, which ipykernel closes 10 s after its end
    # (IOPubThread._run_event_pipe_gc): an eventfd.
    names = [os.readlink(each) for each in glob.glob('/proc/self/fd/*') if os.path.lexists(each)]
    kinds = collections.Counter(name.partition(':')[0] for name in names)
    return [kinds['pipe'], sum('omp_magic-' in name for name in names), threading.active_count()]
"""


@pytest.fixture(scope="module")
def kernel() -> Iterator[Kernel]:
    """One for all: each test leaves it as it was."""
    started = Kernel()
    assert started.run(BEGUN).status == "ok"
    yield started
    started.close()


def written(kernel: Kernel, cell: str, least: int, then: str = "time.sleep(0.3)") -> str:
    """Run a cell, and give what came as stderr of it until so many characters are there."""
    message = kernel.client.execute(cell, store_history=True)
    text, deadline = "", time.monotonic() + 60
    asked = False
    while len(text) < least:
        assert time.monotonic() < deadline, f"{len(text)} of {least}"
        if not asked:
            kernel.client.execute(then)
            asked = True
        got = kernel.client.get_iopub_msg(timeout=60)
        mine = got["parent_header"].get("msg_id") == message
        if got["msg_type"] == "stream" and got["content"]["name"] == "stderr":
            assert mine, got
            text += got["content"]["text"]
        assert got["msg_type"] != "error", got["content"]
    kernel.drain()
    return text


def test_a_cell_is_sent_what_c_writes_in_it(kernel: Kernel) -> None:
    """The thread is no cell's, so that its output goes to the one that runs."""
    assert written(kernel, "%load_ext omp_magic\nos.write(2, b'first\\n')", 6) == "first\n"
    kernel.run("thread = sys.stderr.watch_fd_thread; assert record()._armed.stderr.began")
    assert kernel.value("thread in begun or thread.ident is None") is False
    cell = "n = os.write(2, b'x' * 2_000_000); os.write(2, bytes(range(1, 256)))"
    expected = "x" * 2_000_000 + bytes(range(1, 256)).decode(errors="replace")
    assert written(kernel, cell, len(expected)) == expected
    assert written(kernel, "n = os.write(2, b'no end')", 6) == "no end"
    kernel.run("%unload_ext omp_magic")
    assert written(kernel, "n = os.write(2, b'after\\n')", 6) == "after\n"


def test_nothing_is_lost_or_added_where_the_threads_change(kernel: Kernel) -> None:
    kernel.run("%load_ext omp_magic")
    kernel.run("%unload_ext omp_magic")
    before = kernel.value("held()")
    cell = """
shell, stop = get_ipython(), threading.Event()
def write():
    for number in range(12_000):
        os.write(2, b'%05d\\n' % number)
        if number % 100 == 0: time.sleep(0.005)
writer = threading.Thread(target=write); writer.start()
while writer.is_alive():
    shell.run_line_magic('load_ext', 'omp_magic')
    record().arm()
    assert record()._armed.stderr.began
    time.sleep(0.01)
    shell.run_line_magic('unload_ext', 'omp_magic')
    time.sleep(0.01)
"""
    text = written(kernel, cell, 12_000 * 6)
    assert text.split() == [f"{number:05}" for number in range(12_000)]
    assert "\0" not in text
    assert kernel.value("held()") == before


@pytest.mark.thorough  # by what the tests above are passed on by
@pytest.mark.parametrize(
    "trouble",
    [
        # Of the file, of ours, and of a cell that closes what is not its own.
        "os.ftruncate(file.fd, 0)",
        "last._places = lambda: 1 / 0",
        "os.close(file.fd); other = open(__file__ if '__file__' in globals() else os.__file__)",
    ],
)
def test_what_cannot_be_recorded_is_passed_on(kernel: Kernel, trouble: str) -> None:
    kernel.run("%load_ext omp_magic")
    kernel.run("last, file = record()._armed.stderr, record()._file")
    assert kernel.run(f"{trouble}\nn = [os.write(2, b'') for _ in '1']").status == "ok"
    cell = "for n in range(50): os.write(2, b'%03d\\n' % n); time.sleep(0.002)"
    assert written(kernel, cell, 200).split() == [f"{number:03}" for number in range(50)]
    kernel.run("%unload_ext omp_magic")
    assert written(kernel, cell, 200).split() == [f"{number:03}" for number in range(50)]


def test_a_cell_whose_stderr_is_elsewhere_keeps_it(kernel: Kernel) -> None:
    """Unloaded where C's stderr is a file of the cell's, and loaded where Python's is captured."""
    cell = """
shell = get_ipython()
from contextlib import redirect_stderr
from io import StringIO
with redirect_stderr(StringIO()):
    shell.run_line_magic('load_ext', 'omp_magic')
    record().arm()
    assert not record()._armed.stderr.began
"""
    assert kernel.run(cell).status == "ok"
    assert kernel.value("record()._armed.stderr.began") is True
    cell = """
import tempfile
kept = os.dup(2)
with tempfile.TemporaryFile() as file:
    os.dup2(file.fileno(), 2)
    begin = time.monotonic()
    shell.run_line_magic('unload_ext', 'omp_magic')
    os.write(2, b'of the cell')
    os.dup2(kept, 2)
    file.seek(0)
    print(file.read().decode())
os.close(kept)
"""
    assert kernel.run(cell).stdout == "of the cell\n"
    assert written(kernel, "n = os.write(2, b'after\\n')", 6) == "after\n"
