"""What came back from a seat -> a worker of the cluster, or the gap in its place."""

from __future__ import annotations

import reprlib
from dataclasses import replace
from typing import Any

from ..errors import ParseError
from ..facts.clusters import ClusterWorker, WorkerState
from ..facts.gaps import Gap
from ..facts.libraries import Finding
from ..facts.packed import WIRE, unpack, unpack_once
from .carried import FAULT, LACKING, OLDEST, TOO_OLD
from .port import Answer

_OURS = "omp_magic"
_LONGEST = 1000
WORKER = "worker"
"""`Gap.what` of a worker of which nothing is known."""


def lacks_us(answer: Answer) -> bool:
    """Tell whether the seat has no omp_magic that could answer, and would take one."""
    # Each is of a type before it is compared: what else may come has an == of its own.
    match answer.value:
        case (str(ours), int(wire), str(kind), _) if ours == _OURS:
            return kind == LACKING if wire == 0 else wire != WIRE
    return False


def worker_of(answer: Answer) -> ClusterWorker:
    """Give what a seat's answer says; a gap where it cannot be read."""
    seat = answer.seat
    known: dict[str, Any] = {
        "address": seat.address,
        "name": seat.name,
        "tasks": seat.tasks,
        "anew": seat.anew,
        "took_s": answer.took_s,
    }
    why = answer.error
    if not why:
        try:
            return replace(_decoded(answer.value), **known)
        except ParseError as error:
            why = f"what it says cannot be read: {error}"
        except _Told as told:
            why = str(told)
    gap = Gap(what=WORKER, why=_line(why), where=seat.address)
    return ClusterWorker(host=seat.host, pid=seat.pid, gap=gap, **known)


def _line(why: str) -> str:
    """Give a reason as one line: an engine's error may bring a whole argument along."""
    line = " ".join(why[: 2 * _LONGEST].split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"


class _Told(Exception):  # noqa: N818 - an answer of a worker, which is no fault here
    """Why a worker has no facts, as it says itself."""


def _decoded(value: object) -> ClusterWorker:
    match value:
        case (str(ours), int(wire), str(kind), str(text)) if ours == _OURS and wire == 0:
            raise _Told(_reason(kind, text))
        case (str(ours), int(wire), str(version), _) if ours == _OURS and wire != WIRE:
            raise _Told(f"omp_magic {version} there, which this one does not understand")
        case (str(ours), int(), str(), (bytes(worker), bytes(state), *more)) if ours == _OURS:
            match more:
                case [bytes(findings), bytes(gaps), bytes(whole)]:
                    return _worker(unpack(worker), state, findings, gaps, whole)
    # It shortens before it writes, and an object whose repr fails is written all the same.
    found = ascii(reprlib.repr(value))
    raise ParseError("its answer", found, "what omp_magic.atworker gives")


def _worker(who: Any, *parts: bytes) -> ClusterWorker:
    *packed, whole = parts
    state, findings, gaps = map(unpack_once, packed)
    if not isinstance(who, ClusterWorker) or not (
        isinstance(state, WorkerState) and _are(Finding, findings) and _are(Gap, gaps)
    ):
        raise ParseError("its answer", type(who).__name__, "what omp_magic.atworker gives")
    return replace(who, state=state, findings=findings, gaps=gaps, packed=whole)


def _are(kind: type, given: object) -> bool:
    return isinstance(given, tuple) and all(isinstance(each, kind) for each in given)


def _reason(kind: str, text: str) -> str:
    oldest = ".".join(map(str, OLDEST))
    sentences = {
        TOO_OLD: f"Python {text} there; omp_magic needs {oldest}",
        LACKING: f"no omp_magic there ({text}): pip install omp-magic",
        FAULT: f"a fault in omp_magic there: {text}",
    }
    return sentences.get(kind, f"{kind}: {text}")
