"""What a child reports of a trial, line by line, and what became of the step it did not end."""

from __future__ import annotations

import json
import re
import signal
import time
from collections.abc import Iterable
from typing import Any

from ..facts.libraries import Gap, Library
from ..facts.trials import GOOD, EnvChange, Step
from ..formats.procfs import parse_maps
from ..knowledge.catalog import family_of
from .watched import Watched

_MOST_FRAMES = 8
_MOST_LINES = 3

_SAID = re.compile(
    r"^(?:OMP: (?:Error|Hint)|libgomp: |Error: mkl-service|\tTry to import numpy|.*\bFATAL ERROR: "
    r"|I(?:ntel|NTEL) (?:oneM|M)KL |OpenBLAS|BLAS : |terminate called|\s+what\(\):|libc\+\+abi"
    r"|double free|free\(\)|malloc|corrupted |munmap_chunk|.*stack smashing).*$",
    re.MULTILINE,
)
"""Lines by which runtimes and C libraries say why they end the process: kmp_error and
openmp/runtime/src/i18n, libgomp/error.c, mkl/_mklinitmodule.c, MKL's loader of layers,
driver/others/memory.c of OpenBLAS, glibc's malloc."""


class Log:
    """The steps as the child reports them, and the verdict on the one that it did not finish.

    Parameters
    ----------
    python
        The interpreter, whose start is the first thing that can fail.
    timeout_s
        Seconds that each step may take.
    """

    def __init__(self, python: str, timeout_s: float) -> None:
        self.steps: list[Step] = []
        self.libraries: tuple[Library, ...] = ()
        self.gaps: tuple[Gap, ...] = ()
        self.deadline = time.monotonic() + timeout_s
        self._timeout_s = timeout_s
        self._seen: set[tuple[str, int | None]] = set()
        self._variables: dict[str, Any] = {}
        self._begun: dict[str, Any] = {"kind": "start", "name": python, "path": ""}
        self._since = time.monotonic()

    def note(self, line: bytes) -> bool:
        """Take in one line of the report; True when it is the last."""
        told = json.loads(line)
        at = told["at"]
        if at == "begin":
            self._begun = told
            self._since = time.monotonic()
            self.deadline = self._since + self._timeout_s
        elif at == "skip":
            self._add("call", told["name"], told["path"], "skipped", note=told["note"])
        elif at == "end":
            ended = {key: told[key] for key in ("error", "message", "code") if key in told}
            begun = self._begun
            self._add(
                begun["kind"],
                begun["name"],
                begun["path"],
                told.get("outcome", "ok"),
                wall_s=told["wall_s"],
                libraries=self._look(told),
                changes=self._changes(told["variables"]),
                traceback=_frames(told.get("traceback", ())),
                **ended,
            )
        elif at == "ready":
            self._look(told)
            self._variables = told["variables"]
        return bool(at == "done")

    def _add(self, kind: str, name: str, path: str, outcome: str, **rest: Any) -> None:
        wall_s = rest.pop("wall_s", 0.0)
        self.steps.append(
            Step(kind=kind, name=name, path=path, outcome=outcome, wall_s=wall_s, **rest)
        )

    def _look(self, told: dict[str, Any]) -> tuple[Library, ...]:
        self.libraries = tuple(Library(**each) for each in told["libraries"])
        self.gaps = tuple(Gap(**each) for each in told["gaps"])
        new = tuple(each for each in self.libraries if (each.path, each.inode) not in self._seen)
        self._seen.update((each.path, each.inode) for each in new)
        return new

    def _changes(self, variables: dict[str, Any]) -> tuple[EnvChange, ...]:
        before, self._variables = self._variables, variables
        changes = []
        for name in sorted(before.keys() | variables.keys()):
            old, _, _ = before.get(name, (None, False, ()))
            new, in_python, set_by = variables.get(name, (None, True, ()))
            if old != new:
                changes.append(
                    EnvChange(
                        name=name, before=old, after=new, in_python=in_python, set_by=tuple(set_by)
                    )
                )
        return tuple(changes)

    def close(self, child: Watched) -> None:
        """Judge how the step ended that the child did not end itself."""
        if child.done or any(step.outcome not in GOOD for step in self.steps):
            return
        printed = f"{child.text('stderr')}\n{child.text('stdout')}"
        said = [match[0].strip() for match in _SAID.finditer(printed)]
        found: dict[str, Any] = {"wall_s": time.monotonic() - self._since}
        code = child.code or 0
        if child.hung:
            outcome, found["wall_s"] = "hung", self._timeout_s
            found["libraries"] = self._mapped(child.maps)
        else:
            outcome = "exited"
            if code < 0:
                outcome = "aborted" if -code == signal.SIGABRT else "crashed"
                found["signal"] = _signal_name(-code)
            else:
                found["code"] = code
            lines = [line for line in child.text("stderr").split("\n") if line.strip()]
            said = said or [line for line in lines if not line.startswith(" ")][-_MOST_LINES:]
            if self._begun["kind"] == "import":
                found["note"] = "which runtimes it had mapped by then is not known"
        found["message"] = "\n".join(dict.fromkeys(said))
        found["traceback"] = _frames(_stack(child.text("faults") or child.text("stderr")))
        begun = self._begun
        self._add(begun["kind"], begun["name"], begun["path"], outcome, **found)

    def _mapped(self, maps: str) -> tuple[Library, ...]:
        """Give the runtimes in the map of a process that hung, as far as a map tells."""
        found = []
        for file in parse_maps(maps):
            family = family_of(file.file_name)
            if family is not None and (file.path, file.inode) not in self._seen:
                found.append(
                    Library(
                        family=family.key,
                        label=family.label,
                        api=family.api,
                        kin=family.kin,
                        soname=None,
                        path=file.path,
                        device=file.device,
                        inode=file.inode,
                        note="not looked at: the process hung",
                    )
                )
        return tuple(found)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _stack(text: str) -> list[str]:
    """Give the frames of the thread that faulthandler calls the current one."""
    _, found, rest = text.partition("Current thread ")
    frames = []
    for line in rest.split("\n")[1:] if found else ():
        if not line.startswith("  File "):
            break
        frames.append(line.strip())
    return frames


def _frames(lines: Iterable[str]) -> tuple[str, ...]:
    """Leave out the frames of the import system and of the child's own program."""
    ours = re.compile(r"<frozen importlib|importlib/__init__\.py|experiments/child\.py|<string>")
    return tuple(line for line in lines if not ours.search(line))[:_MOST_FRAMES]
