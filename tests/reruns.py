"""What is off once may be run once more: only a measured figure, once a test, and seldom a run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import pytest

MOST = 3
"""Tests that may be run once more in one run: more is no stumble of the machine."""

Test = TypeVar("Test", bound=Callable[..., object])


class DisturbedError(AssertionError):
    """A figure that was measured is off: the one failure that is tried again."""


_DISTURBED = rf"(?:{__name__}\.)?{DisturbedError.__name__}: "


@contextmanager
def measured() -> Iterator[None]:
    """Around assertions on what threads were measured to do, and on nothing else."""
    try:
        yield
    except AssertionError as error:
        raise DisturbedError(str(error)).with_traceback(error.__traceback__) from None


def measures(test: Test) -> Test:
    """Mark a test of what threads really do meanwhile.

    A virtual machine may stand still for a moment, and once made a waiting thread a fifth worker
    of four. Such a test is run once more when it fails within `measured`, and for nothing else.
    """
    # Versions differ in whether an error's name has its module, and whether the first pattern is
    # also asked about what an error was raised in the middle of; the second never is.
    again = pytest.mark.flaky(
        reruns=1, only_rerun=[f"^{_DISTURBED}"], rerun_except=[f"^(?!{_DISTURBED})"]
    )
    marked: Test = pytest.mark.alone(again(test))
    return marked


class Reruns:
    """Counts the tests that were run once more, names them, and fails a run that has too many."""

    def __init__(self) -> None:
        self._why: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.outcome == "rerun":
            crash = getattr(report.longrepr, "reprcrash", None)
            why = str(getattr(crash, "message", report.longrepr)).partition("\n")[0]
            self._why[report.nodeid] = why

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if len(self._why) > MOST and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        if self._why:
            terminalreporter.write_line(f"run once more: {len(self._why)}")
        for nodeid, why in self._why.items():
            terminalreporter.write_line(f"  {nodeid}: {why}")
        if len(self._why) > MOST:
            terminalreporter.write_line(f"failed: more than {MOST} tests were run once more")
