"""The checks of one session of pytest: when to look, what to fail with, how to say so."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from ..api import snapshot
from ..errors import nearest, wrong
from ..rules.rule import SEVERITIES
from ..rules.shell_words import in_shell
from ..views.plain import terminal_columns
from ..views.words import printable
from .looks import Looks
from .problems import CPUS, LIMITS, NAMES, VARIABLE, Problem, problems_of, together
from .seen import Seen

_NAME = "omp-check"
_SENT = "omp_check"
_HANG = 19
"""Columns before a finding's words."""
_LOG = logging.getLogger("omp_magic")


def begin(config: pytest.Config) -> None:
    """Begin the checks of a session, once.

    Raises
    ------
    pytest.UsageError
        When omp_check_allow names what cannot be found.
    """
    for name in config.getini("omp_check_allow"):
        if name not in NAMES:
            accepted = f"codes, variables that runtimes read, {LIMITS}, {CPUS}, {VARIABLE}"
            near = nearest(name, NAMES)
            said = wrong(f"found {name!r}", accepted, f"omp_check_allow = OMP105 {LIMITS}", near)
            raise pytest.UsageError(f"omp_check_allow: {said}")
    if not config.pluginmanager.has_plugin(_NAME):
        checks = Checks(config)
        config.pluginmanager.register(checks, _NAME)
        config.add_cleanup(checks.end)
        checks.begin()


def refuse(word: str, accepted: list[str]) -> None:
    """Refuse a word of the command line.

    Raises
    ------
    pytest.UsageError
        Always.
    """
    near = nearest(word, accepted)
    raise pytest.UsageError(
        wrong(f"found {word!r}", ", ".join(accepted), f"pytest {accepted[-1]}", near)
    )


class Checks:
    """pytest's hooks. A failure of ours ends the looks, and is one line at the end.

    Parameters
    ----------
    config
        The session's.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._seen = Seen()
        self._looks: Looks | None = Looks(self._seen)
        self._problems: list[Problem] = []
        self._fault = ""
        self._told = False

    @property
    def _severity(self) -> str:
        return str(self._config.getoption("omp_check"))

    @property
    def _worker(self) -> str:
        """Name of the worker of pytest-xdist that this is, or ""."""
        given = getattr(self._config, "workerinput", None)
        return str(given["workerid"]) if given is not None else ""

    def begin(self) -> None:
        """Take the process as it is."""
        self._do(Looks.begin)

    def end(self) -> None:
        """Let go of the process; say what no summary has said (``-p no:terminal``)."""
        looks, self._looks = self._looks, None
        if looks is not None:
            with suppress(Exception):  # the session is over
                looks.end()
        if not self._told and not self._worker and (self._failing or self._fault):
            print("\n".join(self._lines()), file=sys.stderr)

    def _do(self, act: Callable[[Looks], object]) -> None:
        """Do something with the looks; what fails ends them."""
        looks = self._looks
        if looks is None:
            return
        try:
            act(looks)
        except Exception as error:  # noqa: BLE001 - law 7: our failure never breaks the session
            self._fault = f"{type(error).__name__}: {error}"
            _LOG.warning("omp_magic: --omp-check has ended (%s)", self._fault)
            self._looks = None
            with suppress(Exception):  # as above
                looks.end()

    @pytest.hookimpl(hookwrapper=True)
    def pytest_make_collect_report(self, collector: pytest.Collector) -> Iterator[None]:
        """Say what is collected, for what it imports."""
        name = collector.nodeid or "the tests"
        # Of its kinds, that of doctests (--doctest-modules) imports what is no file of tests.
        collected = collector.path.stem if type(collector) is pytest.Module else ""
        self._do(lambda looks: looks.now(f"while {name} was collected", collected=collected))
        yield
        self._do(Looks.look)

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtest_protocol(
        self, item: pytest.Item, nextitem: pytest.Item | None
    ) -> Iterator[None]:
        """Look after a test and all that it has set up."""
        self._do(lambda looks: looks.now(f"in {item.nodeid}", in_test=True))
        yield
        last = nextitem is None or nextitem.path != item.path
        self._do(Looks.whole if last else Looks.look)
        self._do(lambda looks: looks.now(f"after {item.nodeid}", in_test=True))

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Judge what the session ends with, and fail it."""
        if not self._config.pluginmanager.has_plugin("dsession"):  # its workers have run the tests
            self._do(self._judge)
        if self._worker:
            sent = {"problems": [each.to_dict() for each in self._problems], "fault": self._fault}
            self._config.workeroutput[_SENT] = sent  # type: ignore[attr-defined]  # pytest-xdist's
        elif self._failing and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def _judge(self, looks: Looks) -> None:
        looks.whole()
        self._problems += problems_of(self._seen, snapshot())

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take what a worker of pytest-xdist has found; one that crashed has sent nothing."""
        sent = getattr(node, "workeroutput", {}).get(_SENT, {})
        worker = (str(node.gateway.id),)
        for plain in sent.get("problems", ()):
            self._problems.append(Problem.of_dict({**plain, "workers": worker}))
        self._fault = self._fault or sent.get("fault", "")

    @pytest.hookimpl(trylast=True)
    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Say what the session ends with."""
        lines = self._lines()
        self._told = True
        if lines:
            tone = {"red": True} if self._failing else {"yellow": True}
            terminalreporter.section("omp-check", **tone)
            for line in lines:
                terminalreporter.write_line(line)

    @property
    def _found(self) -> list[Problem]:
        allowed = self._config.getini("omp_check_allow")
        return [each for each in together(self._problems) if not each.is_allowed(allowed)]

    @property
    def _failing(self) -> list[Problem]:
        asked = SEVERITIES[: SEVERITIES.index(self._severity) + 1]
        return [each for each in self._found if each.finding.severity in asked]

    def _lines(self) -> list[str]:
        found, failing = self._found, self._failing
        lines = [line for each in failing for line in _problem_lines(each)]
        lines += [
            f"  {each.finding.severity:<7}  {each.finding.code}  {_plain(each.finding.title)} "
            "(--omp-check=warning fails for it)"
            for each in found
            if each not in failing
        ]
        if failing:
            names = " ".join(dict.fromkeys(each.allowing for each in failing))
            lines += [
                "",
                f"--omp-check={self._severity} fails this session; to let all of it pass,",
            ]
            lines.append(f"in pytest's configuration: omp_check_allow = {names}")
        if self._fault:
            lines.append(f"omp-check has ended by a fault in omp_magic, no test has: {self._fault}")
        return lines


def _problem_lines(problem: Problem) -> list[str]:
    """Give a problem in lines: the finding, and below it who did it, and where."""
    from ..views.finding_text import finding_lines  # noqa: PLC0415 - rich, 12 ms

    width = terminal_columns()
    first, *rest = finding_lines(problem.finding, sys.prefix, width=width, magics=False)
    when = [_plain(each) for each in problem.when]
    if problem.workers:
        when.append(f"in {', '.join(problem.workers)} of pytest-xdist")
    return ["", first.plain, *(f"{' ' * _HANG}{each}" for each in when), *(e.plain for e in rest)]


def _plain(text: str) -> str:
    return printable(in_shell(text))
