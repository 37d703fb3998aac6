"""What runs at a worker of a cluster: a look at its process, and a limit that stays there.

Every answer is a tuple of builtins, so that whatever brings it need not know us.
"""

from __future__ import annotations

import sys
from dataclasses import replace

from .facts.gaps import Gap
from .facts.packed import WIRE, pack
from .facts.snapshots import Snapshot
from .facts.workerstate import state_of
from .here import HERE
from .probes.seat import probe_worker
from .rules import judge

TYPE_CHECKING = False
if TYPE_CHECKING:
    Told = tuple[str, int, str, tuple[bytes, ...]]
    """``("omp_magic", WIRE, version, parts)``: the worker, its state, findings, gaps, snapshot."""

_SEEN = "inside" if __package__ == "omp_magic" else "carried"


def look() -> Told:
    """Say what this process is like now; nothing is loaded, started or set."""
    version = str(vars(sys.modules[__package__ or ""])["__version__"])
    return "omp_magic", WIRE, version, _parts(_facts())


def _facts() -> Snapshot:
    with HERE.lock:
        facts = HERE.observer.take(limits=HERE.limits, altered=HERE.altered)
        facts = replace(facts, overruns=HERE.overruns)
    try:
        return facts.with_findings(judge(facts))
    except Exception as error:  # noqa: BLE001 - what was read is told all the same
        why = f"a fault in omp_magic: {type(error).__name__}: {error}"
        return facts.with_gap(Gap(what="findings", why=why))


def _parts(facts: Snapshot) -> tuple[bytes, ...]:
    worker = probe_worker(HERE.observer.machine, facts.budget, _SEEN)
    whole = (worker, state_of(facts), facts.findings, facts.gaps, facts)
    return tuple(map(pack, whole))
