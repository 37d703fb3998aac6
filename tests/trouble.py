"""A real way into each finding, for `tests/kernel/test_remedies.py`: a row for each code.

A row makes the troubles of a code from what the tests build (`Places`). A trouble's cells lead into
the finding, and its harm is a cell that fails, dies or hangs while the trouble is there. LIMIT_S is
set in the kernel: what is waited for takes longer only when it hangs.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field

CPUS = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """One way into a finding.

    Parameters
    ----------
    cells
        What leads into it, in a kernel that has the extension.
    harm
        A cell that fails, dies or hangs in that kernel, and works in one that is cured.
    env
        Variables of the kernel.
    python
        The interpreter of another environment; "" for the tests' own.
    again
        What is played in a kernel that was restarted, where that is not the cells.
    first
        What comes before a remedy in a kernel that was restarted.
    alone
        What to play where the advice is to use one of two things.
    answers
        Which remedies are tried in this trouble, by their text; each in the first that fits.
    repeatable
        The harm changes nothing, so that a kernel which has seen it can still be cured.
    kills
        The cure gives back a check that ends the process: the harm is what dies of it.
    instead
        A cell that shows what has been done instead of the harm, which is still there to be had.
    looks
        How often to look at most until the finding is gone: what is measured has its outliers.
    finding
        The code that is to be gone, where it is not the row's.
    dear
        Which remedies are for `make test-thorough`, by their text: they want kernels of their own.
    thorough
        For `make test-thorough`: a cheaper trouble of the row shows as much.
    """

    cells: tuple[str, ...]
    harm: str
    env: dict[str, str] = field(default_factory=dict)
    python: str = ""
    again: tuple[str, ...] | None = None
    first: tuple[str, ...] = ()
    alone: tuple[str, ...] = ()
    answers: str = ""
    repeatable: bool = False
    kills: bool = False
    instead: str = ""
    looks: int = 1
    finding: str = ""
    dear: str = ""
    thorough: bool = False

    def when(self, text: str) -> bool:
        """Tell whether a remedy is for `make test-thorough`."""
        return self.thorough or bool(self.dear and re.search(self.dear, text))


@dataclass(frozen=True)
class Places:
    """What the tests build or find: runtimes, packages in a folder, and cgroups' folders."""

    libiomp5: str
    libomp: str
    pair: Callable[[], str]
    versions: Callable[[str], tuple[str, Callable[[str], str]]]
    quota: Callable[[float], str]
    plain: Callable[..., tuple[str, ...]]
    module: Callable[[str, str], str]


Row = Callable[[Places], tuple[Trouble, ...]]

ENDS = (
    "import resource, time; _end = int(time.process_time()) + 2\n"
    "resource.setrlimit(resource.RLIMIT_CPU, (_end, _end + 60))\n"
)
"""The kernel ends a process that spins."""

BUSY = """
import os
def busy(*works):
    "Give how many threads had a part in works that each run in a Python thread."
    from concurrent.futures import ThreadPoolExecutor
    def ran():
        found = {}
        for task in os.listdir('/proc/self/task'):
            try:
                found[task] = int(open(f'/proc/self/task/{task}/schedstat').read().split()[0])
            except OSError:
                pass
        return found
    with ThreadPoolExecutor(len(works)) as pool:
        list(pool.map(lambda each: None, works))
        before = ran()
        [each.result() for each in [pool.submit(work) for work in works]]
        spent = [value - before.get(task, 0) for task, value in ran().items()]
    return sum(each > max(spent) / 10 for each in spent)
def product():
    import numpy
    a = numpy.ones((1500, 1500))
    for _ in range(2): a @ a
"""
"""`busy`, for cells; the clock of a thread counts what it ran, however busy the machine is."""
