"""`omp_magic.section` around real code: threads, tasks, generators, forks, loggers that fail."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import functools
import gc
import inspect
import json
import logging
import threading
import time
import types
import weakref
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator
from typing import Any, cast

import pytest
from live import LINUX, run_python

import omp_magic
from omp_magic.errors import RequestError
from omp_magic.probes.cost.ends import Ends
from omp_magic.servers import runs

linux = pytest.mark.skipif(not LINUX, reason="forks, or reads /proc: Linux only")
MB = 1_000_000


class Kept(logging.Handler):
    """Keeps records."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)

    @property
    def texts(self) -> list[str]:
        return [each.getMessage() for each in self.records]

    def facts(self, event: str = "end") -> list[dict[str, Any]]:
        every = [vars(each)["omp_magic"] for each in self.records if hasattr(each, "omp_magic")]
        return [each for each in every if each["event"] == event]

    def one(self, name: str) -> dict[str, Any]:
        [found] = [each for each in self.facts() if each["section"] == name]
        return found


@pytest.fixture
def log() -> Iterator[Kept]:
    """What the logger ``omp_magic`` is given, from DEBUG on."""
    kept, logger = Kept(), logging.getLogger("omp_magic")
    before = logger.level, logger.propagate
    logger.addHandler(kept)
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    try:
        yield kept
    finally:
        logger.removeHandler(kept)
        logger.level, logger.propagate = before
        logger.setLevel(before[0])


def inside(facts: dict[str, Any]) -> list[str]:
    return [each["section"] for each in facts["in"]]


def work(seconds: float) -> None:
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass


@linux
def test_a_section_tells_what_the_process_used_in_it(log: Kept) -> None:
    ready, stop = threading.Barrier(4), threading.Event()

    def waits() -> None:
        ready.wait()
        stop.wait()

    before_s = time.process_time()
    with omp_magic.section("embedding"):
        threads = [threading.Thread(target=waits) for _ in range(3)]
        for each in threads:
            each.start()
        ready.wait()
        held = bytearray(b"x") * (60 * MB)
        work(0.05)
    after_s = time.process_time()
    stop.set()
    for each in threads:
        each.join()
    told = log.one("embedding")
    assert 0.05 <= told["cpu_s"] <= after_s - before_s
    assert told["wall_s"] > 0
    assert told["threads"] - told["threads_before"] == 3
    assert told["rss_after_bytes"] - told["rss_before_bytes"] > 50 * MB
    python = next(each for each in told["threads_by_owner"] if each["owner"] == "Python")
    assert python["threads"] >= 4
    assert python["cpu_s"] >= 0.05
    assert len(held) == 60 * MB
    assert not told["shared"]
    assert [each.levelno for each in log.records] == [logging.DEBUG] * 2
    assert {each.filename for each in log.records} == {"test_sections.py"}


@linux
def test_the_threads_of_a_pool_are_told_by_their_owner() -> None:
    code = """
import json, logging
import numpy as np
import omp_magic
a = np.random.rand(400, 400)
a @ a
class Kept(logging.Handler):
    def emit(self, record):
        facts = record.omp_magic
        if facts["event"] == "end": print(json.dumps(facts))
logging.getLogger("omp_magic").addHandler(Kept())
logging.getLogger("omp_magic").setLevel("DEBUG")
with omp_magic.section("matmul"):
    for _ in range(5): a @ a
"""
    ended = run_python(code, OPENBLAS_NUM_THREADS="2")
    assert ended.code == 0, ended.err
    owners = {each["owner"]: each for each in json.loads(ended.out)["threads_by_owner"]}
    assert owners["OpenBLAS (numpy)"]["threads"] == 1
    assert owners["OpenBLAS (numpy)"]["cpu_s"] > 0


def test_nested_sections_name_those_around_them(log: Kept) -> None:
    with (
        omp_magic.section("request"),
        omp_magic.section("batch"),
        omp_magic.section("embedding"),
    ):
        pass
    with omp_magic.section("later"):
        pass
    assert inside(log.one("embedding")) == ["request", "batch"]
    assert inside(log.one("batch")) == ["request"]
    assert inside(log.one("later")) == []
    assert not any(each["shared"] for each in log.facts())
    numbers = [each["number"] for each in log.facts("begin")]
    assert numbers == sorted(set(numbers))


def test_sections_of_threads_are_told_apart(log: Kept) -> None:
    both = threading.Barrier(2)
    shared = omp_magic.section("shared")

    def run(name: str) -> None:
        with omp_magic.section(name):
            both.wait()
            with shared:
                both.wait()

    threads = [threading.Thread(target=run, args=(name,)) for name in ("one", "other")]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sorted(inside(each) for each in log.facts() if each["section"] == "shared") == [
        ["one"],
        ["other"],
    ]
    assert all(each["shared"] for each in log.facts())
    assert not runs._this_process().open


def test_sections_of_tasks_are_told_apart_and_one_that_outlives_its_maker_is_in_none(
    log: Kept,
) -> None:
    shared = omp_magic.section("shared")

    async def task(name: str) -> None:
        async with omp_magic.section(name):
            await asyncio.sleep(0)
            with shared:
                await asyncio.sleep(0.001)

    async def late(go: asyncio.Event) -> None:
        await go.wait()
        async with omp_magic.section("late"):
            pass

    async def main() -> None:
        go = asyncio.Event()
        async with omp_magic.section("main"):
            await asyncio.gather(task("one"), task("other"))
            left = asyncio.ensure_future(late(go))
            await asyncio.sleep(0)
        go.set()
        await left

    asyncio.run(main())
    found = sorted(inside(each) for each in log.facts() if each["section"] == "shared")
    assert found == [["main", "one"], ["main", "other"]]
    assert inside(log.one("late")) == []
    assert log.one("one")["shared"]
    assert log.one("other")["shared"]
    assert not log.one("main")["shared"]


def test_a_decorated_function_is_what_it_was(log: Kept) -> None:
    @omp_magic.section("plain")
    def plain(one: int, *, other: str = "x") -> str:
        """Say."""
        return other * one

    @omp_magic.section("later")
    async def later(one: int) -> int:
        await asyncio.sleep(0)
        return one

    @omp_magic.section("items")
    def items() -> Iterator[int]:
        yield 1

    @omp_magic.section("later items")
    async def later_items() -> AsyncIterator[int]:
        yield 1

    class Model:
        @omp_magic.section("method")
        def embed(self) -> object:
            return self

        async def __call__(self) -> int:
            return 3

    assert str(inspect.signature(plain)) == "(one: 'int', *, other: 'str' = 'x') -> 'str'"
    assert plain.__doc__ == "Say."
    assert inspect.iscoroutinefunction(later)
    assert inspect.isgeneratorfunction(items)
    assert inspect.isasyncgenfunction(later_items)
    assert plain(2, other="y") == "yy"
    assert asyncio.run(later(7)) == 7
    model = Model()
    assert model.embed() is model
    called = omp_magic.section("called")(model)
    assert asyncio.run(called()) == 3
    partial = omp_magic.section("partial")(functools.partial(plain, 1))
    assert partial() == "x"
    names = [each["section"] for each in log.facts()]
    assert names == ["plain", "later", "method", "called", "plain", "partial"]
    # A coroutine's caller is the event loop, and the one in the middle of the partial's is ours.
    files = [each.filename for each in log.records]
    assert files[:2] == files[4:6] == ["test_sections.py"] * 2
    assert files[2:4] == ["events.py"] * 2


def echo() -> Generator[Any, Any, int]:
    """Yield what it is sent, note what is thrown in, and return the number of steps."""
    given, count = None, 0
    try:
        while given != "end":
            count += 1
            try:
                given = yield given
            except KeyError as error:
                given = f"caught {error}"
    finally:
        ECHOED.append(count)
    return count


ECHOED: list[int] = []


def driven(function: Callable[[], Any]) -> list[Any]:
    """Drive a generator by all there is: next, send, throw, return, close."""
    found: list[Any] = []
    generator = function()
    found += [next(generator), generator.send("a"), generator.throw(KeyError("b"))]
    try:
        generator.send("end")
    except StopIteration as stop:
        found.append(stop.value)
    generator = function()
    next(generator)
    with pytest.raises(ZeroDivisionError):
        generator.throw(ZeroDivisionError())
    generator = function()
    next(generator)
    generator.close()
    with pytest.raises(StopIteration):
        next(generator)
    return found


def test_a_generator_is_driven_as_without_its_section(log: Kept) -> None:
    ECHOED.clear()
    plainly = driven(echo)
    steps, ECHOED[:] = tuple(ECHOED), []
    decorated = omp_magic.section("echo")(echo)
    assert driven(decorated) == plainly
    assert tuple(ECHOED) == steps
    ends = log.facts()
    assert [each["items"] for each in ends] == [3, 1, 1]
    assert [each["failed"] for each in ends] == [None, "ZeroDivisionError", None]


def test_what_the_consumer_does_is_in_no_section_of_the_generator(log: Kept) -> None:
    @omp_magic.section("items")
    def items() -> Iterator[int]:
        with omp_magic.section("step"):
            yield 1
            with omp_magic.section("second"):
                pass
        yield 2

    for number in items():
        with omp_magic.section(f"consumer {number}"):
            pass
    assert inside(log.one("consumer 1")) == inside(log.one("consumer 2")) == []
    assert inside(log.one("second")) == ["items", "step"]
    assert log.one("items")["items"] == 2
    assert not runs._this_process().open


def test_an_asynchronous_generator_is_driven_as_without_its_section(log: Kept) -> None:
    closed: list[str] = []

    async def items() -> AsyncIterator[Any]:
        try:
            given = yield "first"
            await asyncio.sleep(0)
            with omp_magic.section("step"):
                try:
                    given = yield given
                except KeyError as error:
                    given = f"caught {error}"
            yield given
        finally:
            closed.append("closed")

    async def drive(function: Callable[[], Any]) -> list[Any]:
        generator = function()
        found = [await generator.__anext__(), await generator.asend("a")]
        with omp_magic.section("consumer"):
            found.append(await generator.athrow(KeyError("b")))
        with pytest.raises(StopAsyncIteration):
            await generator.__anext__()
        generator = function()
        await generator.__anext__()
        await generator.aclose()
        return found

    plainly = asyncio.run(drive(items))
    log.records.clear()
    assert asyncio.run(drive(omp_magic.section("items")(items))) == plainly
    assert closed == ["closed"] * 4
    assert inside(log.one("step")) == ["items"]
    assert inside(log.one("consumer")) == []
    assert [each["items"] for each in log.facts() if each["section"] == "items"] == [3, 1]


def test_an_error_passes_and_its_message_is_not_logged(log: Kept) -> None:
    @omp_magic.section("embed")
    def embed() -> None:
        raise ValueError("password 1234")

    with pytest.raises(ValueError, match="password"):
        embed()
    with pytest.raises(KeyboardInterrupt), omp_magic.section("stopped"):
        raise KeyboardInterrupt
    assert log.one("embed")["failed"] == "ValueError"
    assert log.one("stopped")["failed"] == "KeyboardInterrupt"
    assert "failed: ValueError" in log.texts[1]
    for record in log.records:
        assert "1234" not in f"{record.getMessage()} {vars(record)}"


def test_without_debug_nothing_is_looked_at_or_imported() -> None:
    code = """
import sys, omp_magic
with omp_magic.section("x"): pass
@omp_magic.section("y")
def work(): return 3
assert work() == 3
found = sorted(each for each in sys.modules if each.startswith("omp_magic"))
print(found)
assert not any(".probes" in each or ".here" in each or ".views" in each for each in found)
"""
    ended = run_python(code)
    assert ended.code == 0, ended.out + ended.err


def test_a_section_that_became_enabled_in_the_middle_ends_in_silence(log: Kept) -> None:
    logger = logging.getLogger("omp_magic")
    logger.setLevel(logging.INFO)
    with omp_magic.section("x"):
        logger.setLevel(logging.DEBUG)
    with omp_magic.section("y"):
        logger.setLevel(logging.INFO)
    assert log.facts() == []
    assert not runs._this_process().open


def test_a_failure_of_ours_is_one_line_and_the_code_runs(
    log: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any) -> None:
        raise RuntimeError("secret of ours")

    done: list[str] = []
    with monkeypatch.context() as patched:
        patched.setattr(Ends, "begin", fails)
        with omp_magic.section("x"):
            done.append("begin")
    with monkeypatch.context() as patched, omp_magic.section("y"):
        patched.setattr(Ends, "end", fails)
        done.append("end")
    with omp_magic.section("z"):
        done.append("after")
    assert done == ["begin", "end", "after"]
    warned = [each.getMessage() for each in log.records if each.levelno == logging.WARNING]
    assert warned == [
        "omp_magic: section 'x' is not logged (RuntimeError)",
        "omp_magic: the end of section 'y' is not logged (RuntimeError)",
    ]
    assert inside(log.one("z")) == []
    assert not runs._this_process().open


def test_a_begin_that_is_interrupted_leaves_no_section_open(
    log: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Ends, "begin", stopped)
        with pytest.raises(KeyboardInterrupt), omp_magic.section("x"):
            pass
    with omp_magic.section("y"):
        pass
    assert inside(log.one("y")) == []
    assert not log.one("y")["shared"]
    assert not runs._this_process().open


def test_a_section_whose_runs_other_threads_have_ended_stops_nobody(log: Kept) -> None:
    class Emptied(list[runs.Run]):
        """Has one when it is asked, and none a moment later."""

        def __bool__(self) -> bool:
            return True

    shared = omp_magic.section("x")
    shared._runs = Emptied()
    for _ in range(2):
        contextvars.Context().run(shared.__enter__)
    for _ in range(3):  # in no context that they began in, and once too often
        shared.__exit__(None, None, None)
    assert len(log.facts()) == 2
    assert not runs._this_process().open


def test_the_first_sections_of_many_threads_have_different_numbers() -> None:
    """One thread's first use imports, and lets the others go on meanwhile."""
    code = """
import logging, sys, threading
import omp_magic
numbers = []
class Away(logging.Handler):
    def emit(self, record):
        if record.omp_magic["event"] == "begin": numbers.append(record.omp_magic["number"])
logging.basicConfig(level="DEBUG", handlers=[Away()])
section = omp_magic.section
all_of_them = threading.Barrier(16)
def first():
    all_of_them.wait()
    with section("x"): pass
threads = [threading.Thread(target=first) for _ in range(16)]
for each in threads: each.start()
for each in threads: each.join()
print(sorted(numbers))
"""
    ended = run_python(code)
    assert ended.code == 0, ended.err
    assert json.loads(ended.out) == list(range(1, 17))


def test_an_error_thrown_into_a_generator_is_let_go_of(log: Kept) -> None:
    """Frameworks throw a request's error into its generators: a cycle would keep the request."""

    class Request:
        pass

    @omp_magic.section("x")
    def dependency() -> Iterator[int]:
        yield 1

    @omp_magic.section("y")
    async def async_dependency() -> AsyncIterator[int]:
        yield 1

    def thrown() -> weakref.ref[Request]:
        request = Request()
        running = cast("Generator[int, None, None]", dependency())
        next(running)
        with contextlib.suppress(KeyError):
            running.throw(KeyError(request))
        return weakref.ref(request)

    async def thrown_later() -> weakref.ref[Request]:
        request = Request()
        running = cast("AsyncGenerator[int, None]", async_dependency())
        await anext(running)
        with contextlib.suppress(KeyError):
            await running.athrow(KeyError(request))
        return weakref.ref(request)

    gc.disable()
    try:
        assert thrown()() is None
        assert asyncio.run(thrown_later())() is None
    finally:
        gc.enable()
    assert [each["failed"] for each in log.facts()] == ["KeyError"] * 2


def test_what_is_called_is_driven_as_what_its_call_is(log: Kept) -> None:
    class Batches:
        def __call__(self) -> Iterator[int]:
            yield from range(3)

    @omp_magic.section("awaited")
    @types.coroutine
    def awaited() -> Generator[None, None, int]:
        yield
        return 3

    async def waits() -> int:
        return await awaited()

    assert list(omp_magic.section("batches")(Batches())()) == [0, 1, 2]
    assert log.one("batches")["items"] == 3
    assert asyncio.run(waits()) == 3
    assert log.one("awaited")["items"] is None


def test_a_logger_that_fails_does_not_stop_the_code(log: Kept) -> None:
    def refuses(_: logging.LogRecord) -> bool:
        raise OSError("no")

    logger = logging.getLogger("omp_magic")
    logger.addFilter(refuses)
    try:
        with omp_magic.section("x"):
            done = True
    finally:
        logger.removeFilter(refuses)
    assert done
    assert not log.records


def test_an_adapter_keeps_its_own_extra_and_a_name_is_a_logger(log: Kept) -> None:
    adapter = logging.LoggerAdapter(logging.getLogger("omp_magic.of.mine"), {"request": "r1"})
    with omp_magic.section("x", logger=adapter), omp_magic.section("y", logger="omp_magic.named"):
        pass
    first, second = log.records[:2]
    assert vars(first)["request"] == "r1"
    assert vars(first)["omp_magic"]["section"] == "x"
    assert [first.name, second.name] == ["omp_magic.of.mine", "omp_magic.named"]


def test_what_cannot_be_a_section_is_refused_in_one_line() -> None:
    wrong: Any
    for wrong in ("", None, 3, len):
        with pytest.raises(
            RequestError, match=r"accepted: a section's name.*example: @omp"
        ) as found:
            omp_magic.section(wrong)
        assert "\n" not in str(found.value)
    for wrong in (int, staticmethod(len), 3, property(len)):
        with pytest.raises(RequestError, match="accepted: a function, coroutine"):
            omp_magic.section("x")(wrong)
    nobody: Any = None
    for wrong in (3, logging.Logger, object(), logging.LoggerAdapter(nobody, {})):
        with pytest.raises(RequestError, match=r"accepted: a logging\.Logger"):
            omp_magic.section("x", logger=wrong)


FORKS = """
import logging, os, signal, sys, threading, time
import numpy, omp_magic
class Away(logging.Handler):  # a stream's buffer has a lock of its own, held at some forks
    def emit(self, record): record.getMessage()
logging.basicConfig(level="DEBUG", handlers=[Away()])
# What the first use imports is here: a fork while another thread imports leaves Python's own lock
# of that module held in the child (importlib._bootstrap, _ModuleLock).
with omp_magic.section("first"): omp_magic.metrics()
omp_magic.log_status()
stop = threading.Event()
def busy():
    while not stop.is_set():
        with omp_magic.section("busy"): omp_magic.metrics()
        omp_magic.snapshot()
threads = [threading.Thread(target=busy) for _ in range(2)]
for each in threads: each.start()
time.sleep(0.1)
codes = []
for number in range(8):
    pid = os.fork()
    if not pid:
        signal.alarm(30)  # one that hangs is ended by it
        try:
            with omp_magic.section("child"): text = omp_magic.metrics()
            facts = omp_magic.log_status()
            alone = facts.num_os_threads == 1 and facts.pid == os.getpid()
            os._exit(0 if alone and "omp_magic_threads 1.0" in text else 3)
        finally:
            os._exit(4)
    codes.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
stop.set()
for each in threads: each.join()
print(codes)
assert codes == [0] * 8
"""


@linux
def test_a_fork_while_others_look_leaves_nothing_stale_and_nothing_locked() -> None:
    ended = run_python(FORKS)
    assert ended.code == 0, ended.out + ended.err


@linux
def test_a_section_that_a_fork_divides_is_measured_in_the_parent_alone() -> None:
    code = """
import logging, os, sys
import omp_magic
logging.basicConfig(level="DEBUG", format="%(message)s", stream=sys.stdout)
with omp_magic.section("around"):
    if not os.fork():
        with omp_magic.section("child"): pass
    else:
        os.wait()
"""
    ended = run_python(code)
    assert ended.code == 0, ended.err
    lines = ended.out.splitlines()
    assert (
        sum("around #1 ended; not measured: it began before a fork" in each for each in lines) == 1
    )
    assert sum("section around #1 ended after" in each for each in lines) == 1
    assert any("section child #1 ended after" in each for each in lines)


@linux
def test_a_section_open_at_the_end_of_the_interpreter_leaves_no_traceback() -> None:
    code = """
import atexit, logging, sys
import omp_magic
logging.basicConfig(level="DEBUG", format="%(message)s", stream=sys.stdout)
class Late:
    def __del__(self):
        with omp_magic.section("late"): pass
        self.open.__exit__(None, None, None)
late = Late()
late.open = omp_magic.section("open")
late.open.__enter__()
sys.late = late
atexit.register(omp_magic.section("at exit")(lambda: None))
"""
    ended = run_python(code)
    assert ended.code == 0, ended.err
    assert "section at exit #2 in open #1 ended" in ended.out
    assert ended.err == ""
