"""Looks at the process while tests run: after each import, each file and each test.

A look after a test asks the loader's counter, the counts of runtimes that have started, the
environment and the affinity: 12 us. Pools of Python packages are asked after the last test of a
file, 0.5 ms.
"""

from __future__ import annotations

import os
import threading

from ..facts.snapshots import Snapshot
from ..here import HERE
from ..hooks.loads import LOADS
from ..hooks.watcher import Watcher
from ..machine.python.calls import call_get
from ..probes.runtimes.images import Image, Scan
from ..probes.runtimes.startup import probe_startup
from ..probes.state import STATE
from .seen import Seen, Told

_TESTS_OWN = frozenset(("conftest", "test", "tests"))
"""Modules that are a session's own wherever they lie, when they are imported as any other is: with
``--assert=plain``, and a package of tests (pytest rewrites only conftest.py and files of tests)."""


class Looks(Watcher):
    """What is seen of the process, and when.

    Parameters
    ----------
    seen
        Receives it.
    """

    sources = ()  # no module by itself: only with which import all began

    def __init__(self, seen: Seen) -> None:
        self._seen = seen
        self._scan: Scan | None = None
        self._asked: list[Image] = []
        self._waiting = False
        self._importing = ""
        self._own = False
        self._before: frozenset[object] = frozenset()
        self.doing = "before the tests were collected"
        """When that is now: ``"in tests/test_a.py::test_b"``."""
        self.in_test = False
        """Whether a test has begun: what is changed from then on is to be given back."""
        self._collected = ""

    def begin(self) -> None:
        """Take all as it is, and be told of imports."""
        STATE.start(lambda: self.doing)
        self._before = frozenset(STATE.changes())
        self.whole()
        LOADS.add(self)

    def end(self) -> None:
        """Let go of everything."""
        LOADS.remove(self)
        STATE.stop()
        HERE.rest()

    def before_import(self, name: str) -> None:
        """Be told of an outermost import or load; see `hooks`."""
        self.look()  # what was changed before is not its doing
        loaded = name.removeprefix("loading ")
        file = os.path.basename(loaded)
        self._importing = f"loading {file}" if loaded != name else f"import {name}"
        self._own = name.rpartition(".")[2] in {*_TESTS_OWN, self._collected}
        STATE.begin(self._importing)

    def after_import(self, name: str) -> None:  # noqa: ARG002 - whatever it was
        """Be told that it has ended; see `hooks`."""
        STATE.end()
        self.look()
        self._importing = ""

    def now(self, doing: str, *, in_test: bool = False, collected: str = "") -> None:
        """Say what is done from now on; a file of tests that is collected by its module's name."""
        self.doing, self.in_test, self._collected = doing, in_test, collected

    @property
    def wish(self) -> bool:
        """Whether what changes now is what a conftest.py or a file of tests wants for its session.

        They run before the first test. What a package changes when they import it is its doing.
        """
        return not self.in_test and (self._own or not self._importing)

    @property
    def when(self) -> str:
        """What is at work now, in words."""
        return f"{self._importing}, {self.doing}" if self._importing else self.doing

    def look(self) -> None:
        """Compare with the look before."""
        LOADS.cover_ctypes()
        scan = HERE.observer.scan()
        if scan is not self._scan or self._waiting:
            self._sort(scan)
        if threading.current_thread() is threading.main_thread():
            for image in self._asked:
                if image.getter is not None:
                    key = (image.mapped.path, str(image.key))
                    self._count(key, image.title, call_get(image.getter))
        self._note_changes()

    def whole(self) -> Snapshot:
        """Look, and ask the pools of packages too; give the facts."""
        self.look()
        facts = HERE.observer.take(limits=HERE.limits, altered=HERE.altered)
        for pool in facts.pools:
            if pool.api == "python":
                self._count((pool.library, pool.name), pool.name, pool.num_threads)
        return facts

    def _count(self, key: tuple[str, str], title: str, threads: int | None) -> None:
        self._seen.counted(key, title, threads, self.when, wish=self.wish)

    def _sort(self, scan: Scan) -> None:
        """Find the runtimes that may be asked, and say of new ones with what they came."""
        self._scan = scan
        observer = HERE.observer
        startup = probe_startup(observer.machine, observer.native, scan.images)
        self._asked = [
            each
            for each in scan.images
            if each.lender is None and not each.static and startup.may_ask(each)
        ]
        self._waiting = any(startup.of(each) is False for each in scan.images)
        for image in scan.images:
            self._seen.came.setdefault(image.mapped.path, self.when)

    def _note_changes(self) -> None:
        now = [each for each in STATE.changes() if each not in self._before]
        told = self._seen.told
        for gone in told.keys() - {(each.what, each.name) for each in now}:
            del told[gone]
        for change in now:
            key = (change.what, change.name)
            if key not in told or told[key].change != change:
                told[key] = Told(change=change, when=self.when, wish=self.wish)
