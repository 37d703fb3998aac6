"""What real processes use together: forked, spawned, throttled, near a limit."""

from __future__ import annotations

import _thread
import asyncio
import gc
import json
import multiprocessing
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from live import LINUX, run_python
from quota import enter_group, write
from quota_groups import inside, plain_groups

import omp_magic
from omp_magic.errors import RequestError
from omp_magic.facts.looks import Exceeded
from omp_magic.machine.port.rows import SHARED_MEMORY
from omp_magic.probes.cost.ownthread import own_threads
from omp_magic.probes.live import recorder
from omp_magic.probes.live.recorder import Recorder
from omp_magic.probes.live.together import Together
from omp_magic.views.watched import Watched

linux = pytest.mark.skipif(not LINUX, reason="reads /proc: Linux only")
MB = 1_000_000


@contextmanager
def forked(number: int, own_mb: int) -> Iterator[None]:
    """Fork children that have some pages of their own, and wait until each has them."""
    with ExitStack() as ends:
        readers = []
        for _ in range(number):
            reader, writer = os.pipe()
            pid = os.fork()
            if pid == 0:
                try:
                    own = bytearray(b"y") * (own_mb * MB)
                    os.write(writer, b"1")
                    time.sleep(120)
                finally:
                    os._exit(len(own) < 0)
            os.close(writer)
            ends.callback(os.waitpid, pid, 0)
            ends.callback(os.kill, pid, 9)
            ends.callback(os.close, reader)
            readers.append(reader)
        for reader in readers:
            assert os.read(reader, 1) == b"1"
        yield


def until(condition: Callable[[], bool]) -> None:
    """Wait until something is so; a minute at most, since others use the machine too."""
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def meet(folder: str) -> int:
    """Be one of eight that are there at the same time; give the threads of this process."""
    with open(f"{folder}/{os.getpid()}", "w", encoding="ascii"):
        pass
    until(lambda: len(os.listdir(folder)) == 8)
    time.sleep(0.5)
    return len(os.listdir("/proc/self/task"))


@linux
def test_shared_pages_count_once() -> None:
    code = """
import json, os, time
import psutil
import omp_magic
shared = bytearray(b"x") * 80_000_000
with omp_magic.watch() as before:
    pass
pids, readers = [], []
try:
    for _ in range(20):
        reader, writer = os.pipe()
        pids.append(os.fork())
        if not pids[-1]:
            own = bytearray(b"y") * 20_000_000
            os.write(writer, b"1")
            time.sleep(60)
            os._exit(0)
        os.close(writer)
        readers.append(reader)
    assert all(os.read(reader, 1) == b"1" for reader in readers)
    with omp_magic.watch() as seen:
        time.sleep(0.5)
    here = psutil.Process()
    memory = [each.memory_full_info() for each in [here, *here.children()]]
finally:
    for pid in pids:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
print(json.dumps([
    before.peak_pss_bytes, seen.peak_pss_bytes, seen.peak_rss_bytes, seen.peak_processes, str(seen),
    sum(each.pss for each in memory), sum(each.uss for each in memory[1:]),
]))
"""
    ended = run_python(code)
    assert ended.code == 0, ended
    before, pss, rss, processes, text, other_pss, private = json.loads(ended.out)
    # A forked interpreter writes to some of the pages that it shares: 0.8 MB each.
    assert 20 * 20 * MB < private < 20 * 22 * MB
    assert abs(pss - (before + private)) < 8 * MB
    assert abs(pss - other_pss) < 4 * MB
    assert rss > 21 * 80 * MB + 20 * 20 * MB
    assert processes == 21
    assert "with shared pages in each process" in text


@linux
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_pool_of_eight(method: str, tmp_path: Path) -> None:
    context = multiprocessing.get_context(method)
    with omp_magic.watch(0.05) as seen, ProcessPoolExecutor(8, mp_context=context) as pool:
        threads = list(pool.map(meet, [str(tmp_path)] * 8))
        here = len(os.listdir("/proc/self/task")) - len(own_threads())
    # Spawn has a process that keeps track of semaphores.
    others = 1 if method == "spawn" else 0
    assert seen.peak_processes == 9 + others
    assert seen.course.processes_seen == 9 + others
    assert seen.peak_threads == sum(threads) + here + others
    assert seen.course.gaps == ()
    assert seen.looks[-1].processes == 1 + others


@pytest.mark.alone
@linux
def test_cpu_time_of_children_seen_and_unseen() -> None:
    burn = "import time\nwhile time.process_time() < {}: pass"
    with omp_magic.watch(interval_s=0.3) as seen:
        for seconds in (0.8, 0.05, 0.05):  # the short ones are gone before a look
            subprocess.run([sys.executable, "-c", burn.format(seconds)], check=True)
    # An interpreter takes some 20 ms besides.
    assert seen.course.children_cpu_s == pytest.approx(1.0, abs=0.2)
    assert seen.cpu_s is not None
    assert seen.course.children_cpu_s is not None
    assert seen.cpu_s - seen.course.children_cpu_s < 0.2


@pytest.mark.alone
@linux
def test_python_code_that_keeps_the_gil_is_watched() -> None:
    with omp_magic.watch() as seen:
        used_s, end = time.thread_time(), time.monotonic() + 2.0
        grown: list[bytearray] = []
        while time.monotonic() < end:
            sum(range(1000))
            if len(grown) < 100:
                grown.append(bytearray(b"x") * MB)
        used_s = time.thread_time() - used_s
    assert seen.course.taken >= 5
    assert len(grown) == 100
    assert seen.cpu_s == pytest.approx(used_s, abs=0.05)
    assert seen.course.looking_s < 0.2


@linux
def test_a_peak_between_two_looks_is_told_by_the_kernel() -> None:
    code = """
import omp_magic, time
with omp_magic.watch(interval_s=60) as seen:
    time.sleep(0.2)
    x = bytearray(b"x") * 300_000_000
    del x
print(seen.peak_rss_bytes > 300_000_000, seen.peak_pss_bytes < 100_000_000, seen)
"""
    ended = run_python(code)
    assert ended.out.startswith("True True omp_watch: memory at most "), ended
    assert " in this process between two looks · " in ended.out


def test_what_cannot_be_followed() -> None:
    with pytest.raises(RequestError, match="found 'x'; accepted: a size such as 500MB"):
        omp_magic.watch(memory="x")
    for memory in (0, -1, 1.5, True, b"8GB"):
        with pytest.raises(RequestError):
            omp_magic.watch(memory=memory)  # type: ignore[arg-type]  # what is refused
    for interval_s in (0, 0.001, 61, float("nan"), "x", None):
        with pytest.raises(RequestError, match=r"seconds between two looks, 0\.02 to 60"):
            omp_magic.watch(interval_s)  # type: ignore[arg-type]  # what is refused
    with pytest.raises(RequestError, match="a function of one argument"):
        omp_magic.watch(on_exceeded=3)  # type: ignore[arg-type]  # what is refused
    with pytest.raises(RequestError, match="a function or coroutine function"):
        omp_magic.watch()(x for x in "abc")  # type: ignore[type-var]  # what is refused
    with pytest.raises(RequestError, match="a function or coroutine function"):

        @omp_magic.watch()
        def half_way() -> Iterator[int]:
            yield 1


def test_a_function_and_a_coroutine() -> None:
    @omp_magic.watch()
    def twice(number: int) -> int:
        """Double it."""
        return 2 * number

    @omp_magic.watch()
    async def later(number: int) -> int:
        await asyncio.sleep(0.1)
        return number

    assert (twice(3), twice.__doc__) == (6, "Double it.")
    assert twice.seen.wall_s < 5  # type: ignore[attr-defined]  # what the decorator adds
    assert asyncio.run(later(4)) == 4
    assert later.seen.wall_s > 0.09  # type: ignore[attr-defined]  # as above
    until(lambda: not own_threads())


@pytest.mark.alone
def test_it_can_be_read_while_it_runs() -> None:
    with omp_magic.watch(0.02) as seen:
        until(lambda: len(seen.looks) >= 3)
        assert seen.running
        assert len(seen.looks) >= 3
        assert str(seen).startswith("omp_watch (so far): memory at most ")
        assert 0 < seen.wall_s < 60
        assert len(seen.to_frame()) >= 3
    assert not seen.running
    wall_s = seen.wall_s
    time.sleep(0.05)
    assert seen.wall_s == wall_s
    assert str(seen).startswith("omp_watch: memory")
    until(lambda: not own_threads())


def test_an_error_goes_on_and_the_record_stays() -> None:
    recording = omp_magic.watch()
    with pytest.raises(ZeroDivisionError, match="mine"):
        _fail(recording)
    (seen,) = KEPT
    assert not seen.running
    assert len(seen.looks) >= 2
    until(lambda: not own_threads())


KEPT: list[Watched] = []


def _fail(recording: omp_magic.watch) -> None:
    with recording as seen:
        KEPT.append(seen)
        raise ZeroDivisionError("mine")


@linux
def test_watches_within_watches_and_threads_are_not_in_the_figures() -> None:
    with omp_magic.watch() as usual:
        pass
    with omp_magic.watch() as outer:
        found = []

        def work() -> None:
            with omp_magic.watch() as inner:
                until(lambda: (outer.peak_threads or 0) > (usual.peak_threads or 0))
            found.append(inner)

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        assert len(own_threads()) == 1
    assert usual.peak_threads is not None
    assert outer.peak_threads == found[0].peak_threads == usual.peak_threads + 1
    assert not any(thread.name.startswith("omp") for thread in threading.enumerate())


def test_one_watch_for_several_blocks() -> None:
    recording = omp_magic.watch()
    with recording as first, recording as second:
        pass
    assert first is not second
    assert not first.running
    assert not second.running
    recording.__exit__(None, None, None)  # nothing is open: nothing happens


def test_a_block_that_is_never_left_ends_its_thread() -> None:
    omp_magic.watch().__enter__()
    gc.collect()
    until(lambda: not own_threads())


@linux
def test_a_forked_child_has_nothing_to_do_with_it() -> None:
    code = """
import os, sys, time, omp_magic
with omp_magic.watch(memory=1) as seen:
    time.sleep(0.2)
    pid = os.fork()
    if not pid:
        text = str(seen)
        assert "what came after (this process was forked from it)" in text, text
        assert not seen.running
        assert len(os.listdir("/proc/self/task")) == 1
        with omp_magic.watch() as own:
            time.sleep(0.15)
        assert own.peak_processes == 1 and own.peak_threads == 1, str(own)
if pid:
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert seen.peak_processes == 2
    print("done")
"""
    ended = run_python(code)
    assert (ended.code, ended.out) == (0, "done\n"), ended
    assert ended.err.count("omp_watch:") == 1


@pytest.mark.parametrize("end", ["", "sys.exit(3)", "raise SystemExit(3)", "1 / 0"])
def test_an_interpreter_that_ends_meanwhile(end: str) -> None:
    code = f"import sys, time, omp_magic\nkept = omp_magic.watch(0.02)\nkept.__enter__()\n{end}"
    ended = run_python(code, timeout=60)
    assert ended.code == {"": 0, "1 / 0": 1}.get(end, 3)
    assert ended.out == ""
    assert ended.err.count("Error") == (end == "1 / 0") * ended.err.count("Error")
    assert ("ZeroDivisionError" in ended.err) == (end == "1 / 0")
    assert "omp_magic" not in ended.err.replace("omp_magic.watch", "")


@linux
def test_it_warns_before_the_end_once() -> None:
    code = """
import sys, time, omp_magic
with omp_magic.watch(memory="150MB") as seen:
    kept = []
    for _ in range(40):
        kept.append(bytearray(b"x") * 10_000_000)
        time.sleep(0.03)
    print("end of the block", file=sys.stderr, flush=True)
print(seen.exceeded.used_bytes, seen.exceeded.at_s < seen.wall_s)
"""
    ended = run_python(code)
    warning, end = ended.err.splitlines()
    assert end == "end of the block"
    assert warning.startswith("omp_watch: this process uses 1"), warning
    assert ", more than the 150 MB that were asked for; the limit is " in warning
    used_bytes, before_the_end = ended.out.split()
    assert 150 * MB < int(used_bytes) < 250 * MB
    assert before_the_end == "True"


def test_what_was_passed_before_is_said_to_be_so_and_further_warnings_come() -> None:
    # The asked size is passed before the block; nine tenths of the limit are passed in it.
    code = """
import sys, time, omp_magic
before = bytearray(b"x") * 200_000_000
with omp_magic.watch(memory="100MB") as seen:
    kept = bytearray(b"x") * 500_000_000
    time.sleep(0.3)
print(seen.exceeded.at_start, seen)
"""
    first, second = run_python(code, MEM_LIMIT="600000000").err.splitlines()
    assert ", more than the 100 MB that were asked for, already when the watch began; " in first
    assert "% of the limit; the limit is 600 MB (MEM_LIMIT)" in second


@linux
def test_a_function_is_told_who_holds_most() -> None:
    told: list[Exceeded] = []
    with omp_magic.watch(memory=1, on_exceeded=told.append), forked(1, 300):
        time.sleep(0.3)
    assert len(told) == 1
    own: list[Exceeded] = []
    with forked(1, 300), omp_magic.watch(memory="1MB", on_exceeded=own.append):
        time.sleep(0.3)
    assert own[0].pid > 0
    assert own[0].holds_bytes > 290 * MB
    assert "python" in own[0].command
    # A checkout's folder may have a space in it, which a command line does not tell from another.
    assert re.search(rf"; pid {own[0].pid} .*python.* holds most, ", own[0].sentence)


def test_a_function_that_fails_is_a_logged_line(caplog: pytest.LogCaptureFixture) -> None:
    def fails(_: Exceeded) -> None:
        raise ValueError("mine\n\x1b[31m")

    with omp_magic.watch(memory=1, on_exceeded=fails) as seen:
        until(lambda: seen.exceeded is not None)
    assert seen.exceeded is not None
    assert [record.getMessage() for record in caplog.records] == [
        "omp_magic: not told of the memory (ValueError: mine\\n\\x1b[31m)"
    ]
    # logging has asked for the thread's name: nobody may meet it afterwards.
    assert not any(thread.name.startswith("Dummy") for thread in threading.enumerate())


def test_a_closed_stderr_is_no_fault() -> None:
    ended = run_python(
        "import sys, time, omp_magic\n"
        "sys.stderr.close()\n"
        "with omp_magic.watch(memory=1) as seen: time.sleep(0.1)\n"
        "print(seen.exceeded is not None, seen.course.gaps)\n"
    )
    assert (ended.code, ended.out) == (0, "True ()\n")


@pytest.mark.alone
@linux
def test_throttling_in_a_real_cgroup(half_a_cpu: str) -> None:
    found = inside(
        half_a_cpu,
        """
import json, time, omp_magic
with omp_magic.watch() as seen:
    end = time.monotonic() + 1.5
    while time.monotonic() < end:
        pass
rows = seen.to_frame()
print(json.dumps(dict(
    throttled_s=seen.throttled_s, summed_s=float(rows.throttled_s.sum()), text=str(seen),
    allowed_cpus=seen.course.allowed_cpus, busy_cpus=seen.busy_cpus,
    periods=seen.course.throttled_periods,
)))
""",
    )
    assert found["allowed_cpus"] == 0.5
    assert found["throttled_s"] > 0.3
    assert found["summed_s"] == pytest.approx(found["throttled_s"], abs=0.01)
    assert found["periods"] >= 5
    assert found["busy_cpus"] < 0.8
    assert " of 0.5 CPUs busy for " in found["text"]
    assert " · throttled " in found["text"]


@linux
def test_it_warns_near_the_limit_of_a_real_cgroup() -> None:
    code = """
import json, time, omp_magic
told = []
with omp_magic.watch(on_exceeded=told.append) as seen:
    kept = []
    for _ in range(19):
        kept.append(bytearray(b"x") * 10_000_000)
        time.sleep(0.05)
print(json.dumps([len(told), told[0].asked, told[0].sentence, seen.course.memory_share, str(seen)]))
"""
    with plain_groups("memory") as (folder,):
        name = "memory.max"
        if not os.path.exists(f"{folder}/{name}"):
            name = "memory.limit_in_bytes"
        write(f"{folder}/{name}", str(216 * MB // 4096 * 4096))
        ended = subprocess.run(
            [sys.executable, "-c", code],
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
            preexec_fn=lambda: enter_group(folder),
        )
    assert ended.returncode == 0, ended.stderr
    number, asked, sentence, share, text = json.loads(ended.stdout)
    assert (number, asked) == (1, False)
    assert f"the limit is 216 MB ({name} of /" in sentence
    assert sentence.endswith("where the kernel ends a process")
    assert 0.9 < share < 1
    assert " of 216 MB (9" in text


def test_where_shares_of_memory_are_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    made = omp_magic.machine.Machine.here()
    lacks = type(made.system).lacks
    why = "this system does not tell who shares which memory"
    monkeypatch.setattr(
        type(made.system),
        "lacks",
        lambda self, what: why if what == SHARED_MEMORY else lacks(self, what),
    )
    told: list[Exceeded] = []
    with omp_magic.watch(memory=1, on_exceeded=told.append) as seen:
        time.sleep(0.2)
    assert seen.peak_pss_bytes is None
    assert seen.peak_rss_bytes is not None
    assert not told[0].shared
    assert "(RSS: shared pages are counted in each process)" in told[0].sentence
    assert f"  not known: shares of memory ({why})" in str(seen)
    assert seen.to_frame()["pss_bytes"].isna().all()


def test_no_further_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: object) -> int:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(_thread, "start_new_thread", none)
    with omp_magic.watch() as seen:
        pass
    assert len(seen.looks) == 2
    assert "  not known: looks in between (" in str(seen)
    assert "can't start new thread" in str(seen)


def test_a_look_that_fails_is_told_and_the_next_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    look, number = Together.look, []

    def sometimes(self: Together, *arguments: float, **options: bool) -> object:
        number.append(1)
        if len(number) == 3:
            raise OSError(24, "Too many open files")
        return look(self, *arguments, **options)

    monkeypatch.setattr(Together, "look", sometimes)
    with omp_magic.watch(0.02) as seen:
        until(lambda: len(number) >= 6)
    assert len(number) > 5
    assert "  not known: a look (Too many open files)" in str(seen)


def test_a_long_course_stays_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder, "_MOST_LOOKS", 8)
    made = Recorder(
        omp_magic.machine.Machine.here(), interval_s=0.02, asked_bytes=None, told=lambda _: None
    )
    made.start()
    until(lambda: made.course().taken >= 13)
    made.stop()
    course = made.course()
    assert course.taken > 12
    assert len(course.looks) <= 8
    assert course.looks[-1].at_s == pytest.approx(course.wall_s, abs=0.001)
    assert sum(look.interval_s for look in course.looks) == pytest.approx(course.wall_s, abs=0.01)
