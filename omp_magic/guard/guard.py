"""Warns before an import or a reload would bring a runtime that cannot live beside another.

It sees a library before it is mapped (`hooks`), asks what loading it would map (`Foresight`),
and judges the runtimes among that beside those that are there. What is loaded past it, by a
dlopen in C, is seen by the loader's counter after the cell.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..errors import DuplicateRuntimeError, DuplicateRuntimeLoadError
from ..facts.libraries import Finding, Library
from ..facts.snapshots import Snapshot
from ..hooks.watcher import Watcher
from ..loader.predicted import Opened
from ..rules import judge
from .coming import coming_libraries
from .foresight import Foresight, opens_in_c

if TYPE_CHECKING:
    from ..probes.observe import Observer

Seen = Callable[[Snapshot, tuple[Finding, ...], tuple[Library, ...], str], None]
"""Is given what was looked at: facts, findings, what is about to be mapped, and by what."""
MODES = ("warn", "raise", "off")
GUARDED = frozenset({"OMP101", "OMP102", "OMP103", "OMP104"})
"""Findings that end, hang or endanger the process; the others are for %omp_status."""
_UPGRADED = frozenset({"OMP110", "OMP111"})


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something that a load is about to do, or has done.

    Parameters
    ----------
    what
        What is being loaded: ``"import faiss._swigfaiss"``.
    findings
        What would be the case then.
    before
        Whether it is told before it happens.
    when
        Before what, in words.
    """

    what: str
    findings: tuple[Finding, ...]
    before: bool
    when: str = "before it is loaded"


class Guard(Watcher):
    """Watches what is loaded.

    Parameters
    ----------
    observer
        Knows the process.
    report
        Shows an alarm; what it raises stops an import only when it is a `hooks.Refusal`.
    mode
        ``"warn"``, ``"raise"`` or ``"off"``.
    foresight
        Tells what loads bring; its own when None.
    """

    def __init__(
        self,
        observer: Observer,
        report: Callable[[Alarm], None],
        mode: str = "warn",
        foresight: Foresight | None = None,
    ) -> None:
        self.mode = mode
        self.foresight = foresight or Foresight(observer.machine, observer.native)
        self.alarms = 0
        self.seen: Seen = _nobody
        """Told of each look, before a load goes on."""
        self.sources = observer.packages_mapped
        self._observer = observer
        self.foresight.opened |= observer.opened
        observer.opened = self.foresight.opened
        self._report = report
        self._told: set[tuple[str, str]] = set()
        self._met: set[tuple[str, frozenset[str]]] = set()
        self._changes: tuple[int, int] | None = None

    @property
    def loads(self) -> int:
        """How many native loads were seen."""
        return self.foresight.loads

    def before_extension(self, name: str, path: str) -> None:
        """Look at an extension module before it is mapped."""
        new = self.foresight.of_extension(name, path) if self.mode != "off" else None
        if new is not None:
            self.meet_extension(name, new)

    def meet_extension(self, name: str, new: tuple[str, ...]) -> None:
        """Judge what an extension module would map, when a runtime to be judged is among it."""
        with self._own_lock():
            alarm = self._alarm(f"import {name}", new, always=opens_in_c(name))
        self._act(alarm, DuplicateRuntimeError)

    def before_library(self, name: str, shared: bool) -> None:
        """Look at a library that ctypes is about to load."""
        new = self.foresight.of_library(name, shared) if self.mode != "off" else None
        if new is not None:
            self.meet_library(name, new)

    def meet_library(self, name: str, new: tuple[str, ...]) -> None:
        """Judge what a library that ctypes loads would map, as `meet_extension` does."""
        with self._own_lock():
            alarm = self._alarm(f"ctypes.CDLL({name!r})", new)
        self._act(alarm, DuplicateRuntimeLoadError)

    def before_folder(self, folder: str, module: str, source: str) -> None:
        """Look at what the code that opens a folder of libraries loads from it."""
        new = self.foresight.of_folder(folder, source) if self.mode != "off" else None
        if new is not None:
            self.meet_folder(folder, module, new)

    def after_folder(self, opened: Opened) -> None:
        """Know the folder from now on."""
        self.foresight.opened_folder(opened)

    def meet_folder(self, folder: str, module: str, new: tuple[str, ...]) -> None:
        """Judge what will be loaded from a folder, as `meet_extension` does."""
        with self._own_lock():
            who = "this code" if module == "__main__" else f"import {module}"
            alarm = self._alarm(f"{who}, which loads what is in {folder.replace(os.sep, '/')}", new)
        self._act(alarm, DuplicateRuntimeLoadError)

    def _own_lock(self) -> threading.RLock:
        return self.foresight.own_lock()

    def before_source(self, name: str) -> None:
        """Look at a Python module before it is run: its package may have been replaced.

        That is so for an import, a reload, and %autoreload. A warning is told once for each
        version; a refusal holds as long as the old code is mapped.
        """
        top = name.partition(".")[0]
        if self.mode == "off" or not self._observer.was_touched(top):
            return
        with self._own_lock():
            facts = self._observer.take()
            packages = tuple(
                package
                for package in facts.packages
                if package.changed_files and any(_name_of(each) == top for each in package.folders)
            )
            if not packages:
                return
            found = judge(replace(facts, packages=packages, libraries=()))
            findings = tuple(each for each in found if each.code in _UPGRADED)
            if self.mode == "warn":
                findings = self._new(findings)
            alarm = Alarm(f"import or reload of {name}", findings, before=True)
        self._act(alarm if findings else None, DuplicateRuntimeError)

    def after_cell(self) -> None:
        """Look for what was loaded past the hooks; 5 us when nothing was."""
        native = self._observer.native
        if native is None or self.mode == "off":
            return
        changes = native.loader_changes()
        if changes == self._changes:
            return
        if self._changes is None:
            self.foresight.prepare()
        self._changes = changes
        facts = self._observer.take()
        judged = judge(facts)
        self.seen(facts, judged, (), "")
        found = tuple(each for each in judged if each.code in GUARDED)
        # Once loaded a library may be called by who uses it, and a finding by another title.
        self._file(each for each in found if _about(each, facts.libraries) in self._met)
        self._met.clear()
        findings = self._new(found)
        if findings:
            self._note(Alarm("this cell", findings, before=False))

    def _alarm(self, what: str, new: tuple[str, ...], *, always: bool = False) -> Alarm | None:
        """Judge what is about to be mapped."""
        facts = self._observer.take()
        coming = coming_libraries(
            new, facts.libraries, self._observer.machine, self._observer.owners
        )
        coming = self._observer.as_opened(coming, facts.libraries)
        judged = judge(facts, coming)
        self.seen(facts, judged, coming, what)
        findings = self._brought(facts, judged, mkl=always)
        libraries = (*facts.libraries, *coming)
        self._met.update(_about(each, libraries) for each in findings)
        return Alarm(what, findings, before=True) if findings else None

    @staticmethod
    def _brought(facts: Snapshot, judged: tuple[Finding, ...], *, mkl: bool) -> tuple[Finding, ...]:
        """Give the findings that are not there without what is coming.

        OMP104 is there before mkl comes, and only mkl's own import exits over it.
        """
        known = {each.evidence for each in judge(facts) if not (mkl and each.code == "OMP104")}
        found = (each for each in judged if each.code in GUARDED)
        return tuple(each for each in found if each.evidence not in known)

    def _new(self, findings: Iterable[Finding]) -> tuple[Finding, ...]:
        """Give those that were not told before."""
        return tuple(each for each in findings if (each.code, each.title) not in self._told)

    def _act(self, alarm: Alarm | None, error: Callable[[str], Exception]) -> None:
        if alarm is None:
            return
        if self.mode == "raise":
            self.alarms += 1
            self._met.clear()
            # OMP104 is so with mkl refused, too: after the cell that would be said twice.
            self._file(each for each in alarm.findings if each.code == "OMP104")
            raise error(sentence(alarm))
        self._note(alarm)

    def _note(self, alarm: Alarm) -> None:
        self.alarms += 1
        # Told once it has been: what a report raises stops the load, and the next try too.
        self._report(alarm)
        self._file(alarm.findings)

    def _file(self, findings: Iterable[Finding]) -> None:
        self._told.update((each.code, each.title) for each in findings)


def _nobody(
    facts: Snapshot, findings: tuple[Finding, ...], coming: tuple[Library, ...], what: str
) -> None:
    """Note nothing."""


def _about(finding: Finding, libraries: Iterable[Library]) -> tuple[str, frozenset[str]]:
    """Give a finding's code and the files that it is about."""
    evidence = "\n".join(finding.evidence)
    files = (each.path for each in libraries if each.path in evidence)
    return finding.code, frozenset(map(os.path.realpath, files))


def _name_of(folder: str) -> str:
    return folder.rpartition("/")[2].partition(".")[0]


def sentence(alarm: Alarm) -> str:
    """Give an alarm for an error's message: what is to be run stands on a line of its own."""
    finding = alarm.findings[0]
    says, colon, run = (finding.remedies[0] if finding.remedies else "").partition(": ")
    told = f"{alarm.what}: {finding.code}: {finding.title}. {says}"
    return f"{told}:\n    {run}" if colon else told
