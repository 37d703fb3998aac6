"""`omp_magic.cluster`: every worker of a cluster that runs, in one table."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

from .clusters.carried import text_of
from .clusters.engines import engine_of
from .clusters.port import Answer
from .errors import ParseError
from .facts.clusters import ClusterWorker
from .facts.clustersnapshots import ClusterSnapshot
from .facts.gaps import Gap
from .facts.packed import WIRE, unpack, unpack_once


def cluster(client: object, limit: str | None = None, timeout_s: float = 10.0) -> ClusterSnapshot:
    """Look at every worker of a running cluster."""
    began = time.monotonic()
    engine = engine_of(client)
    workers: list[ClusterWorker] = []
    engine.ask(
        text_of("look()"),
        engine.seats(),
        timeout_s,
        lambda answer: workers.append(worker_of(answer)),
    )
    return ClusterSnapshot(
        engine=engine.kind,
        title=engine.title,
        workers=tuple(sorted(workers, key=lambda each: each.address)),
        took_s=time.monotonic() - began,
    )


def worker_of(answer: Answer) -> ClusterWorker:
    """Give what a seat's answer says; a gap where it cannot be read."""
    seat = answer.seat
    known: dict[str, Any] = {
        "address": seat.address,
        "name": seat.name,
        "tasks": seat.tasks,
        "took_s": answer.took_s,
    }
    why = answer.error
    if not why:
        try:
            return replace(_decoded(answer.value), **known)
        except ParseError as error:
            why = str(error)
    gap = Gap(what="worker", why=why, where=seat.address)
    return ClusterWorker(host=seat.host, pid=seat.pid, gap=gap, **known)


def _decoded(value: object) -> ClusterWorker:
    match value:
        case ("omp_magic", int(wire), str(version), _) if wire != WIRE:
            found = f"omp_magic {version}, which speaks {wire}"
            raise ParseError("answer", found, f"one that speaks {WIRE}")
        case ("omp_magic", int(), str(), (bytes(worker), bytes(state), bytes(findings), *more)):
            match more:
                case [bytes(gaps), bytes(whole)]:
                    who: ClusterWorker = unpack(worker)
                    return replace(
                        who,
                        state=unpack_once(state),
                        findings=unpack_once(findings),
                        gaps=unpack_once(gaps),
                        packed=whole,
                    )
    raise ParseError("answer", repr(value)[:60], "what atworker.look gives")
