"""The facts about kernels that have ended, and why; what it is judged by is in `remains`."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from .libraries import Gap
from .plain import as_plain
from .remains import Remains
from .shown import Shown

SCHEMA = 1
"""Version of the JSON of `Deaths`; raised when a key changes its meaning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Death:
    """Why a kernel ended.

    Parameters
    ----------
    remains
        What it is judged by.
    cause
        ``"runtime"`` (it ended the process itself), ``"signal"``, ``"exit"``, ``"memory"``,
        ``"restart"``, ``"unknown"`` (it left no trace) or ``"machine"``.
    sure
        Whether the evidence leaves no other cause.
    headline
        What happened, to go on after "the kernel": ``"died of Error #15 in cell 7: …"``.
    why
        What that means.
    code
        The code of `omp_explain` that it belongs to, or "".
    evidence
        The facts that it rests on.
    remedies
        What to run or do, the best first.
    source
        Where the behaviour is documented, or "".
    notable
        Whether the next kernel of the notebook tells of it: not of one that was ended from
        outside while it did nothing.
    """

    remains: Remains
    cause: str
    sure: bool
    headline: str
    why: str
    code: str = ""
    evidence: tuple[str, ...] = ()
    remedies: tuple[str, ...] = ()
    source: str = ""
    notable: bool = True

    @property
    def severity(self) -> str:
        """As findings have it: ``"error"``, or ``"info"`` for what nobody must mend."""
        return "error" if self.cause not in ("restart", "unknown", "machine") else "info"

    def to_dict(self) -> dict[str, Any]:
        """Give it as plain dicts, lists, strings and numbers."""
        plain = {name: as_plain(getattr(self, name)) for name in _TOLD}
        return {**plain, **as_plain(self.remains), "evidence": list(self.evidence)}


_TOLD = ("cause", "sure", "headline", "why", "code", "severity", "remedies", "source", "notable")


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Deaths(Shown):
    """Kernels that have ended otherwise than cleanly, the newest first.

    Parameters
    ----------
    deaths
        One each.
    whose
        Of what, in words: ``"this notebook"``.
    gaps
        What could not be read.
    """

    deaths: tuple[Death, ...] = ()
    whose: str = ""
    gaps: tuple[Gap, ...] = ()

    renderers: ClassVar[dict[str, Callable[[Any], str]]] = {}
    """Filled by `omp_magic.views`, as `Snapshot.renderers` is."""

    def __len__(self) -> int:
        return len(self.deaths)

    def __repr__(self) -> str:
        return f"<Deaths of {self.whose}: {len(self.deaths)}>"

    def to_dict(self) -> dict[str, Any]:
        """Give them as plain dicts: ``schema``, ``deaths``, ``gaps``."""
        deaths = [death.to_dict() for death in self.deaths]
        return {"schema": SCHEMA, "deaths": deaths, "gaps": as_plain(self.gaps)}

    def to_json(self, indent: int | None = 2) -> str:
        """Give `to_dict` as JSON text in ASCII, so that any terminal can carry it."""
        return json.dumps(self.to_dict(), indent=indent)
