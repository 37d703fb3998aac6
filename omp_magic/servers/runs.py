"""The runs of sections in this process: which is in which, what each used, and their records.

No lock is held over a look at another thread's run, and a forked child begins anew: nobody there
would let go of a lock, or end a run, of its parent's other threads.
"""

from __future__ import annotations

import os
from contextlib import suppress
from contextvars import ContextVar
from itertools import count
from typing import TYPE_CHECKING

from ..facts.sections import Ended, Section
from .saying import own_failure, say

if TYPE_CHECKING:
    from ..facts.libraries import Gap
    from ..probes.cost.ends import End, Ends
    from .saying import Logger

_DEBUG = 10
_FORKED = "it began before a fork, in process {}"


class _Process:
    """What the sections of one process have together."""

    def __init__(self) -> None:
        from ..here import HERE  # noqa: PLC0415 - only sections that are logged pay
        from ..probes.cost.ends import Ends  # noqa: PLC0415 - as above

        self.pid = os.getpid()
        self.ends: Ends = Ends(HERE.observer)
        self.numbers = count(1)
        self.last = 0
        """The largest number given."""
        self.open: dict[int, Run] = {}


class Run:
    """One run of a section that is logged.

    Parameters
    ----------
    section
        Which it is.
    parent
        The run that it runs in, or None.
    logger
        Where it is logged.
    process
        The process that it began in.
    """

    __slots__ = ("begin", "gaps", "inside", "logger", "parent", "process", "section", "shared")

    def __init__(
        self, section: Section, parent: Run | None, logger: Logger, process: _Process
    ) -> None:
        self.section = section
        self.parent = parent
        self.logger = logger
        self.process = process
        self.begin: End | None = None
        self.gaps: dict[str, Gap] = {}
        self.inside = 0
        """Runs that began in it."""
        self.shared = False

    @property
    def is_open(self) -> bool:
        """Whether it has not ended, and is one of this process."""
        return self.section.number in self.process.open and self.process.pid == os.getpid()

    def parents(self) -> list[Run]:
        """Give the runs that it runs in, the innermost first."""
        found, each = [], self.parent
        while each is not None:
            found.append(each)
            each = each.parent
        return found


CURRENT: ContextVar[Run | None] = ContextVar("omp_magic_section", default=None)
"""The innermost run of this thread's or task's code."""
_processes: dict[int, _Process] = {}
"""By pid; a forked child adds its own. ``setdefault`` is one step: its threads get the same."""


def opened(name: str, logger: Logger, depth: int, *, enter: bool = True) -> Run | None:
    """Begin a run and log that; None where something of ours failed, which is logged.

    Parameters
    ----------
    name
        The section's.
    logger
        Where it is logged.
    depth
        Functions between the caller of `opened` and the user's code, that caller included.
    enter
        Whether what follows in this context runs in it.
    """
    run: Run | None = None
    try:
        process = _this_process()
        parent = _open_one(CURRENT.get())
        number = process.last = next(process.numbers)
        around: list[tuple[str, int]] = []
        run = Run(Section(name=name, number=number), parent, logger, process)
        for each in run.parents():
            each.inside += 1
            around.insert(0, (each.section.name, each.section.number))
        run.section = Section(name=name, number=number, around=tuple(around))
        run.shared = len(process.open) > len(around)
        process.open[number] = run
        if enter:
            CURRENT.set(run)
        run.begin = process.ends.begin(run.gaps)
        _log_begin(run, depth + 1)
    except Exception as error:  # noqa: BLE001 - law 7: the user's code runs as if we were not there
        if run is not None:
            _forget(run)
        own_failure(f"section {name!r} is not logged", error)
        return None
    except BaseException:  # an interrupt, or a server that stops a worker: no end follows
        if run is not None:
            _forget(run)
        raise
    return run


def ended(run: Run, kind: type[BaseException] | None, depth: int, items: int | None = None) -> None:
    """End a run and log what it used.

    Parameters
    ----------
    run
        The run.
    kind
        The type of the error that it ends with, or None.
    depth
        As in `opened`.
    items
        What a generator gave.
    """
    try:
        _forget(run)
        if run.logger.isEnabledFor(_DEBUG):
            # A generator that is closed before its end, or a with in one, did not fail.
            failed = "" if kind is None or kind is GeneratorExit else kind.__name__
            _log_end(run, _ending(run, failed, items), depth + 1)
    except Exception as error:  # noqa: BLE001 - law 7, as above; also when the interpreter ends
        own_failure(f"the end of section {run.section.name!r} is not logged", error)


def taken(runs: list[Run]) -> Run | None:
    """Take out of a section's open runs the one that ends here: the innermost of this context.

    Some contexts end in another one than they began in: a generator that is a dependency of
    FastAPI's is entered on one thread and left on another. There it is the last. None where other
    threads took all of them meanwhile.
    """
    each = CURRENT.get()
    while each is not None:
        with suppress(ValueError):
            runs.remove(each)
            return each
        each = each.parent
    with suppress(IndexError):
        return runs.pop()
    return None


def _this_process() -> _Process:
    pid = os.getpid()
    found = _processes.get(pid)
    return _processes.setdefault(pid, _Process()) if found is None else found


def _open_one(run: Run | None) -> Run | None:
    """Give the innermost run that has not ended: a task may outlive the section that made it."""
    while run is not None and not run.is_open:
        run = run.parent
    return run


def _forget(run: Run) -> None:
    run.process.open.pop(run.section.number, None)
    current = CURRENT.get()
    if current is not None and not current.is_open:
        CURRENT.set(_open_one(current))


def _ending(run: Run, failed: str, items: int | None) -> Ended:
    process, begin = run.process, run.begin
    if process.pid != os.getpid():
        return Ended(failed=failed, why=_FORKED.format(process.pid), items=items)
    if begin is None:
        return Ended(failed=failed, why="its begin was not seen", items=items)
    end = process.ends.end(run.gaps)
    began_since = process.last - run.section.number - run.inside
    return Ended(
        failed=failed,
        usage=process.ends.usage(begin, end, run.gaps),
        threads=end.threads,
        shared=run.shared or began_since > 0,
        items=items,
    )


def _log_begin(run: Run, depth: int) -> None:
    from ..views.section_lines import begin_line  # noqa: PLC0415 - only what is logged pays

    begin = run.begin
    if begin is not None:
        text, facts = begin_line(run.section, begin.threads, begin.rss_bytes)
        say(run.logger, _DEBUG, text, facts, depth + 1)


def _log_end(run: Run, how: Ended, depth: int) -> None:
    from ..views.section_lines import end_line  # noqa: PLC0415 - as above

    text, facts = end_line(run.section, how)
    say(run.logger, _DEBUG, text, facts, depth + 1)
