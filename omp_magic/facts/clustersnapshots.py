"""A cluster at one moment: its workers, by host and by equal state; as dict, JSON, table, views."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast

from ..errors import MissingRendererError
from .clusterhosts import ClusterHost, hosts_of
from .clusters import ClusterWorker, WorkerState
from .plain import as_plain
from .shown import Shown

if TYPE_CHECKING:
    import pandas as pd

    from .gaps import Gap
    from .libraries import Finding

Made = TypeVar("Made")
SCHEMA = 1
"""Version of the JSON that `ClusterSnapshot.to_json` writes."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ClusterGroup:
    """Workers that are equal in all that could tell them apart, or that are silent alike.

    Parameters
    ----------
    state
        What each is like; None for those that have not answered.
    tasks
        Tasks that each runs at once.
    workers
        Those that are so.
    """

    state: WorkerState | None
    tasks: int
    workers: tuple[ClusterWorker, ...]

    @property
    def demand(self) -> int | None:
        """Threads that may work at once in each of them; None when nothing is known of them."""
        return self.workers[0].demand

    def __repr__(self) -> str:
        """Give one line."""
        known = "" if self.state is not None else " silent"
        return f"<ClusterGroup workers={len(self.workers)}{known} tasks={self.tasks}>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """A finding of single workers, told once for all that have it.

    Parameters
    ----------
    finding
        As the most of them say it.
    workers
        Those that have a finding of that code.
    """

    finding: Finding
    workers: tuple[ClusterWorker, ...]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ClusterSnapshot(Shown):
    """What is true of the workers of a cluster at one moment.

    Parameters
    ----------
    engine
        ``"dask"``, ``"ipyparallel"``, ``"ray"``, ``"joblib"`` or ``"executor"``.
    title
        Which one it is, for people.
    workers
        Its workers, those that have not answered among them.
    took_s
        Time that asking all of them took.
    limit
        The limit that was asked for with it: ``"auto"``, ``"2"``, ``"off"``; None for none.
    findings
        What `rules.clustered.judge_cluster` made of them together; each worker has its own.
    gaps
        What could not be read of the cluster; each worker has its own.
    own_versions
        (distribution, version) in the client's own environment, of those in which workers differ.
    asked_as
        The user's expression for what was asked; "" when not known.
    client_as
        One whose value is the client, with its methods; "" when not known.
    """

    engine: str
    title: str
    workers: tuple[ClusterWorker, ...]
    took_s: float = field(default=0.0, compare=False)
    limit: str | None = None
    findings: tuple[Finding, ...] = ()
    gaps: tuple[Gap, ...] = ()
    own_versions: tuple[tuple[str, str], ...] = ()
    asked_as: str = field(default="", compare=False)
    client_as: str = field(default="", compare=False)
    _kept: dict[str, Any] = field(default_factory=dict, init=False, compare=False)

    renderers: ClassVar[dict[str, Callable[[Any], Any]]] = {}
    """Filled by `omp_magic.views`."""

    @property
    def hosts(self) -> tuple[ClusterHost, ...]:
        """Its machines."""
        return self.once("hosts", lambda: hosts_of(self.workers))

    @property
    def groups(self) -> tuple[ClusterGroup, ...]:
        """Workers of equal state, the most first and the silent ones last."""
        return self.once("groups", lambda: _groups_of(self.workers))

    @property
    def shared(self) -> tuple[Shared, ...]:
        """Findings of single workers, one for each code, in the order of the codes."""
        return self.once("shared", lambda: _shared_of(self.workers))

    def once(self, name: str, make: Callable[[], Made]) -> Made:
        """Give what is made of the workers, made the first time that somebody asks for it."""
        if name not in self._kept:
            self._kept[name] = make()
        return cast("Made", self._kept[name])

    @property
    def known(self) -> int:
        """How many of its workers have answered."""
        return sum(each.state is not None for each in self.workers)

    def with_findings(self, findings: tuple[Finding, ...]) -> ClusterSnapshot:
        """Give the same facts with findings."""
        return self._with(findings=findings)

    def named(self, asked_as: str, client_as: str) -> ClusterSnapshot:
        """Give the same facts with the user's names for them."""
        return self._with(asked_as=asked_as, client_as=client_as)

    def _with(self, **facts: Any) -> ClusterSnapshot:
        found = replace(self, **facts)
        found._kept.update(self._kept)  # noqa: SLF001 - one of the same class: its workers are equal
        return found

    @property
    def seen_only(self) -> int:
        """How many have not answered themselves, and were seen from outside."""
        return sum(each.state is not None and each.gap is not None for each in self.workers)

    def to_dict(self) -> dict[str, Any]:
        """Give the cluster as plain dicts, lists, strings and numbers.

        Returns
        -------
        dict
            Keys ``schema``, ``engine``, ``title``, ``took_s``, ``limit``, ``hosts``, ``groups``,
            ``workers``, ``findings``, ``gaps`` and ``own_versions``. A state stands once, in its
            group: a worker's ``group`` and ``host`` are places in those lists, from 0 on.
            A worker's whole snapshot is not in it: `ClusterWorker.snapshot` gives that.
        """
        group_of = {id(e): n for n, group in enumerate(self.groups) for e in group.workers}
        host_of = {id(e): n for n, host in enumerate(self.hosts) for e in host.workers}
        return {
            "schema": SCHEMA,
            "engine": self.engine,
            "title": self.title,
            "took_s": self.took_s,
            "limit": self.limit,
            "hosts": [_host_plain(host) for host in self.hosts],
            "groups": [
                {"workers": len(group.workers), "tasks": group.tasks, "demand": group.demand}
                | {"state": as_plain(group.state)}
                for group in self.groups
            ],
            "workers": [
                _worker_plain(each) | {"group": group_of[id(each)], "host": host_of[id(each)]}
                for each in self.workers
            ],
            "findings": as_plain(self.findings),
            "gaps": as_plain(self.gaps),
            "own_versions": dict(self.own_versions),
        }

    def to_json(self, indent: int | None = 2) -> str:
        """Give `to_dict` as JSON text in ASCII, so that any terminal can carry it."""
        return json.dumps(self.to_dict(), indent=indent)

    def to_frame(self) -> pd.DataFrame:
        """Give the cluster as a table, one row a worker. Imports pandas, hence NumPy.

        Returns
        -------
        pandas.DataFrame
            ``group`` is the number of its group as the text has it, from 1 on; counts are nullable
            integers, and unknown values are missing.
        """
        if "frame" not in self.renderers:
            raise MissingRendererError("frame")
        frame: pd.DataFrame = self.renderers["frame"](self)
        return frame

    def __repr__(self) -> str:
        """Give one line, so that a debugger stays readable; `str` gives the whole."""
        return (
            f"<ClusterSnapshot {self.engine} workers={len(self.workers)} known={self.known} "
            f"findings={len(self.findings)}>"
        )


def _groups_of(workers: tuple[ClusterWorker, ...]) -> tuple[ClusterGroup, ...]:
    """Group workers; equal states are mostly one object, and an object is compared once."""
    numbers: dict[WorkerState, int] = {}
    seen: dict[int, int] = {}
    found: dict[tuple[object, ...], list[ClusterWorker]] = {}
    for each in workers:
        if each.state is None:
            gap = each.gap
            key: tuple[object, ...] = ("", gap and gap.what, gap and gap.why, each.tasks)
        else:
            number = seen.get(id(each.state))
            if number is None:
                number = seen[id(each.state)] = numbers.setdefault(each.state, len(numbers))
            key = (number, each.tasks)
        found.setdefault(key, []).append(each)
    groups = [
        ClusterGroup(state=of[0].state, tasks=of[0].tasks, workers=tuple(of))
        for of in found.values()
    ]
    groups.sort(key=lambda group: (group.state is None, -len(group.workers)))
    return tuple(groups)


def _shared_of(workers: tuple[ClusterWorker, ...]) -> tuple[Shared, ...]:
    titles: dict[str, dict[str, list[Finding]]] = {}
    who: dict[str, dict[int, ClusterWorker]] = {}
    for each in workers:
        for finding in each.findings:
            titles.setdefault(finding.code, {}).setdefault(finding.title, []).append(finding)
            who.setdefault(finding.code, {})[id(each)] = each
    return tuple(
        Shared(
            finding=max(titles[code].values(), key=len)[0],
            workers=tuple(who[code].values()),
        )
        for code in sorted(titles)
    )


def _host_plain(host: ClusterHost) -> dict[str, Any]:
    numbers = {"workers": len(host.workers), "silent": host.silent, "tasks": host.tasks}
    cpus = {"cpus": host.cpus, "why": host.why, "demand": host.demand, "over": host.over}
    return {"name": host.name, "machine": host.machine, **numbers, **cpus}


_ELSEWHERE = ("state", "packed", "host", "machine")
"""Fields of a worker that its group and its host have, and its bytes."""


def _worker_plain(worker: ClusterWorker) -> dict[str, Any]:
    plain = {
        name: as_plain(getattr(worker, name))
        for name in ClusterWorker.__dataclass_fields__
        if name not in _ELSEWHERE
    }
    return {**plain, "demand": worker.demand, "host_name": worker.host}
