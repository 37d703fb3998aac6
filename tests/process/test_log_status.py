"""`omp_magic.log_status` in real programs: what is logged, at which level, and never an error."""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from live import LINUX, run_python

import omp_magic
from omp_magic.errors import RequestError
from omp_magic.facts.snapshots import Snapshot
from omp_magic.servers import logstatus

linux = pytest.mark.skipif(not LINUX, reason="asks what Linux' wheels bring: Linux only")


class Kept(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@pytest.fixture
def log() -> Iterator[Kept]:
    """What a logger of the server's is given."""
    kept, logger = Kept(), logging.getLogger("server")
    logger.addHandler(kept)
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    try:
        yield kept
    finally:
        logger.removeHandler(kept)
        logger.setLevel(logging.NOTSET)
        logger.propagate = True


SERVER = """
import json, logging, logging.config, sys
class AsJson(logging.Formatter):
    def format(self, record):
        return json.dumps({"level": record.levelname, "text": record.getMessage(),
                           "line": record.lineno, **record.omp_magic})
logging.config.dictConfig({
    "version": 1, "disable_existing_loggers": True,
    "formatters": {"json": {"()": AsJson}},
    "handlers": {"out": {"class": "logging.StreamHandler", "formatter": "json",
                         "stream": "ext://sys.stdout"}},
    "root": {"level": "INFO", "handlers": ["out"]},
})
import numpy, sklearn.cluster
before = set(sys.modules)
import omp_magic
facts = omp_magic.log_status(logging.getLogger("server"))
came = {name.partition(".")[0] for name in set(sys.modules) - before}
assert not came & {"IPython", "pandas", "rich", "threadpoolctl"}
print(len(facts.findings))
"""


@linux
def test_a_server_with_a_log_of_json_is_told_what_is_wrong_and_what_to_do() -> None:
    ended = run_python(SERVER, OMP_NUM_THREADS="9", PYTHONWARNINGS="error")
    assert ended.code == 0, ended.err
    assert ended.err == ""
    *lines, number = ended.out.splitlines()
    records = [json.loads(line) for line in lines]
    assert records[0]["level"] == "INFO"
    assert "CPUs allowed" in records[0]["text"] or "CPU allowed" in records[0]["text"]
    assert records[0]["largest_pool"] == 9
    assert {each["line"] for each in records} == {records[0]["line"]}
    found = [each for each in records if "finding" in each]
    assert len(found) == int(number)
    levels = {"error": "ERROR", "warning": "WARNING", "info": "INFO"}
    for each in found:
        assert each["level"] == levels[each["finding"]["severity"]]
        assert each["finding"]["code"] in each["text"]
    many = next(each for each in found if each["finding"]["code"] == "OMP201")
    assert many["finding"]["remedies"][0]["run"] == 'with omp_magic.limit("auto"): ...'
    assert 'with omp_magic.limit("auto"): ...' in many["text"]
    assert "%omp" not in ended.out


def test_it_gives_the_snapshot_and_says_where_it_was_called(log: Kept) -> None:
    facts = omp_magic.log_status("server", "debug")
    assert isinstance(facts, Snapshot)
    assert facts.pid == os.getpid()
    assert [each.levelno for each in log.records[:2]] == [logging.DEBUG] * 2
    assert {each.filename for each in log.records} == {"test_log_status.py"}
    assert {each.funcName for each in log.records} == {
        "test_it_gives_the_snapshot_and_says_where_it_was_called"
    }
    for record in log.records:
        assert record.getMessage().startswith("omp_magic: ")
        assert "\n" not in record.getMessage()


def test_a_level_of_ones_own_is_named_as_it_was_added(log: Kept) -> None:
    logging.addLevelName(25, "Notice")
    omp_magic.log_status("server", "Notice")
    assert log.records[0].levelno == 25


def test_what_is_below_the_loggers_level_is_left_out(log: Kept) -> None:
    logging.getLogger("server").setLevel(logging.ERROR)
    facts = omp_magic.log_status("server")
    errors = [each for each in facts.findings if each.severity == "error"]
    assert len(log.records) == len(errors)


def test_an_adapter_and_another_thread(log: Kept) -> None:
    adapter = logging.LoggerAdapter(logging.getLogger("server"), {"worker": 3})
    thread = threading.Thread(target=omp_magic.log_status, args=(adapter,))
    thread.start()
    thread.join()
    assert log.records
    assert all(vars(each)["worker"] == 3 for each in log.records)
    assert all(isinstance(vars(each)["omp_magic"], dict) for each in log.records)


def test_a_failure_of_ours_or_of_the_logger_is_one_line_at_most(
    log: Kept, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(*_: Any) -> Any:
        raise RuntimeError("a secret")

    with monkeypatch.context() as patched:
        patched.setattr(logstatus, "snapshot", fails)
        facts = omp_magic.log_status("server")
    assert [gap.what for gap in facts.gaps] == ["the status"]
    assert [each.getMessage() for each in caplog.records] == [
        "omp_magic: the status was not taken (RuntimeError)"
    ]
    assert not log.records
    caplog.clear()
    logger = logging.getLogger("server")
    logger.addFilter(fails)
    try:
        assert omp_magic.log_status("server").pid == os.getpid()
    finally:
        logger.removeFilter(fails)
    assert [each.getMessage() for each in caplog.records] == [
        "omp_magic: the status was not logged (RuntimeError)"
    ]


@linux
def test_a_handler_that_cannot_write_does_not_stop_a_server() -> None:
    code = """
import logging, sys
import omp_magic
gone = open("/dev/full", "w")
handler = logging.StreamHandler(gone)
logging.basicConfig(level="DEBUG", handlers=[handler])
with omp_magic.section("x"): omp_magic.log_status()
logging.raiseExceptions = False
with omp_magic.section("x"): omp_magic.log_status()
print("alive")
handler.stream = sys.stderr
"""
    ended = run_python(code)
    assert ended.code == 0, ended.err
    assert ended.out == "alive\n"


def test_what_is_no_logger_and_no_level_is_refused_in_one_line() -> None:
    wrong: Any
    for wrong in (3, object(), logging.Logger):
        with pytest.raises(RequestError, match=r"accepted: a logging\.Logger.*example") as found:
            omp_magic.log_status(wrong)
        assert "\n" not in str(found.value)
    nobody: Any = "server"
    with pytest.raises(RequestError, match=r"accepted: a logging\.Logger"):
        omp_magic.log_status(logging.LoggerAdapter(nobody, {}))
    for wrong in ("LOUD", True, 1.5, None):
        with pytest.raises(RequestError, match="accepted: a level"):
            omp_magic.log_status(level=wrong)
