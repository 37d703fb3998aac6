"""The workers of a cluster -> rows and sentences, the same in text and HTML.

However many there are, so much is said: a row a group and a host up to a bound, and how many more
there are. What differs comes before what is alike.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ..facts.clusterdiffs import Difference, count_of, differences_of, workers_of
from ..facts.clusterhosts import ClusterHost
from ..facts.clustersnapshots import ClusterGroup, ClusterSnapshot
from ..facts.cpus import cpus_words
from ..facts.libraries import Finding
from ..rules.cluster_words import set_by_imports
from .cluster_gaps import gaps_of, notes_of
from .cluster_groups import MOST_NAMED, GroupRow, clipped, having, label_of, row_of, who_of
from .cluster_names import in_names
from .words import DASH, counted

_NOT_THEMSELVES = "have not answered themselves"
MOST_GROUPS, MOST_HOSTS = 12, 12
"""Rows that are told; `to_frame` has all."""
_MOST_SHARED = 60
_MOST_SAID = 800
"""Characters of a sentence of a finding: a variable may have 128 KB, and an address any number."""
GROUP_COLUMNS = (">kind", ">workers", "what they are like", ">tasks", ">threads at once", ">CPUs")
HOST_COLUMNS = ("host", ">workers", ">tasks", ">threads at once", ">CPUs", "why")


@dataclass(frozen=True, slots=True)
class Verdict:
    """The line that comes first, its tone, and the finding that says it at length, or ""."""

    text: str
    tone: str
    code: str = ""


@dataclass(frozen=True, slots=True)
class SharedLine:
    """A finding of single workers, in a line: its code, its severity, who has it, what it says."""

    code: str
    severity: str
    who: str
    title: str


@dataclass(frozen=True, slots=True)
class ClusterTable:
    """What is said of a cluster.

    Parameters
    ----------
    verdict
        What is to be read first.
    about
        Which cluster, how many workers, how long it took.
    differ
        A sentence for each thing in which the workers differ.
    groups, hosts
        Rows; a host's with whether it is over its CPUs.
    more
        What has no row, in words; "" for nothing.
    findings
        Those of the cluster.
    shared
        Those of single workers.
    notes
        What is to be known of a limit, with who it is.
    gaps
        What is not known, with who it is.
    """

    verdict: Verdict
    about: str
    differ: tuple[str, ...]
    groups: tuple[GroupRow, ...]
    hosts: tuple[tuple[tuple[str, ...], bool], ...]
    more: tuple[str, ...]
    findings: tuple[Finding, ...]
    shared: tuple[SharedLine, ...]
    notes: tuple[str, ...]
    gaps: tuple[str, ...]


def table_of(cluster: ClusterSnapshot) -> ClusterTable:
    """Give what is said of a cluster."""
    verdict = verdict_of(cluster)
    names = {id(each): host.name for host in cluster.hosts for each in host.workers}
    hosts = sorted(cluster.hosts, key=lambda host: (not host.over, -host.demand))
    return ClusterTable(
        verdict=verdict,
        about=_about(cluster),
        differ=tuple(_differ(differences_of(cluster), cluster.known)),
        groups=tuple(
            row_of(number, group, cluster.groups[0], names)
            for number, group in enumerate(cluster.groups[:MOST_GROUPS], 1)
        ),
        hosts=tuple((_host_row(host), host.over) for host in hosts[:MOST_HOSTS]),
        more=tuple(_more(cluster)),
        findings=tuple(_bounded(in_names(each, cluster)) for each in cluster.findings),
        shared=tuple(_shared(cluster)),
        notes=tuple(notes_of(cluster)),
        gaps=tuple(gaps_of(cluster, MOST_GROUPS)),
    )


def verdict_of(cluster: ClusterSnapshot) -> Verdict:
    """Give the worst thing that is true of a cluster: of its workers together, or of some."""
    total = counted(len(cluster.workers), "worker")
    found = [(each, "") for each in cluster.findings]
    found += [(each.finding, f": on {len(each.workers)} of {total}") for each in cluster.shared]
    serious = [each for each in found if each[0].severity in ("error", "warning")]
    if serious:
        worst, who = min(serious, key=lambda each: each[0].severity != "error")
        return Verdict(f"{clipped(worst.title)}{who}", worst.severity, worst.code)
    if not cluster.known:
        none = "No worker has answered" if cluster.workers else "The cluster has no workers"
        return Verdict(none, "unknown")
    demand = sum(host.demand for host in cluster.hosts)
    cpus = sum(host.cpus or 0 for host in cluster.hosts)
    many = _where(cluster.known, cluster)
    told = f"{many}: up to {counted(demand, 'thread')} at once on {cpus_words(cpus)}"
    if cluster.seen_only:
        themselves = "has not answered itself" if cluster.seen_only == 1 else _NOT_THEMSELVES
        return Verdict(f"{cluster.seen_only} of {total} {themselves}; {told}", "unknown")
    return Verdict(told, "fine")


def _about(cluster: ClusterSnapshot) -> str:
    silent = len(cluster.workers) - cluster.known
    parts = [
        clipped(cluster.title or cluster.engine),
        _where(len(cluster.workers), cluster),
        *([f"{silent} without an answer"] if silent else []),
        *([f"{cluster.seen_only} without an answer of its own"] if cluster.seen_only else []),
        counted(sum(each.state is not None for each in cluster.groups), "kind"),
        f"asked in {cluster.took_s:.2g} s" if cluster.took_s < 10 else f"{cluster.took_s:.0f} s",
        *([f"limit {cluster.limit}"] if cluster.limit else []),
    ]
    return " \N{MIDDLE DOT} ".join(parts)


def _where(workers: int, cluster: ClusterSnapshot) -> str:
    """Give how many workers there are, on how many hosts; one of no known host is on any."""
    hosts = sum(host.located for host in cluster.hosts)
    return counted(workers, "worker") + (f" on {counted(hosts, 'host')}" if hosts else "")


def _differ(differences: Sequence[Difference], known: int) -> Iterator[str]:
    """Give a sentence for each way in which workers differ; what differs alike is one."""
    alike: dict[tuple[tuple[int, ...], ...], list[Difference]] = {}
    for each in differences:
        if not (each.kind == "variable" and set_by_imports(each)):
            parts = tuple(sorted(tuple(map(id, groups)) for _, groups in each.values))
            alike.setdefault(parts, []).append(each)
    ways = list(alike.values())
    for together in ways[: 2 * MOST_NAMED]:
        first = together[0].values
        told = [
            f"{_which(place, groups, known)} {', '.join(_have(together, groups))}"
            for place, (_, groups) in enumerate(first[:MOST_NAMED])
        ]
        left = sum(count_of(groups) for _, groups in first[MOST_NAMED:])
        told += [f"{left} more have others"] if left else []
        yield "; ".join(told)
    more = len(ways) - 2 * MOST_NAMED
    if more > 0:
        yield f"{counted(more, 'more thing')}: to_frame()"


def _have(together: Sequence[Difference], groups: Sequence[ClusterGroup]) -> Iterator[str]:
    """Give what some workers have of what differs: a few, and "none of these"."""
    mine = [
        (each, next(value for value, own in each.values if own[0] is groups[0]))
        for each in together
    ]
    some = [(each, value) for each, value in mine if value is not None]
    if not some:
        yield (
            f"no {label_of(mine[0][0].kind, mine[0][0].name)}"
            if len(mine) == 1
            else "none of these"
        )
    for each, value in some[:MOST_NAMED]:
        yield having(each.kind, each.name, value)
    if len(some) > MOST_NAMED:
        yield f"{len(some) - MOST_NAMED} more"


def _which(place: int, groups: Sequence[ClusterGroup], known: int) -> str:
    """Give who has it: their number where they are most, else some of their addresses."""
    workers = workers_of(tuple(groups))
    many = place == 0 or len(workers) > 2 * MOST_NAMED
    verb = "has" if len(workers) == 1 else "have"
    return f"{f'{len(workers)} of {known}' if many else who_of(workers)} {verb}"


def _host_row(host: ClusterHost) -> tuple[str, ...]:
    least = "at least " if host.at_least and host.demand else ""
    silent = f" ({host.silent} silent)" if host.silent else ""
    return (
        clipped(host.name),
        f"{len(host.workers)}{silent}",
        str(host.tasks),
        f"{least}{host.demand}" if host.cpus is not None else DASH,
        DASH if host.cpus is None else f"{host.cpus:.3g}",
        clipped(host.why),
    )


def _more(cluster: ClusterSnapshot) -> Iterator[str]:
    groups, hosts = cluster.groups[MOST_GROUPS:], len(cluster.hosts) - MOST_HOSTS
    if groups:
        workers = sum(len(each.workers) for each in groups)
        told = f"{counted(len(groups), 'more kind')} with {counted(workers, 'worker')}"
        yield f"and {told}: to_frame() has each"
    if hosts > 0:
        yield f"and {counted(hosts, 'more host')}: to_frame() has each"
    shared = len(cluster.shared) - _MOST_SHARED
    if shared > 0:
        yield f"and {counted(shared, 'more finding')} of single workers: to_dict() has each"


def _bounded(finding: Finding) -> Finding:
    """Give a finding with no sentence that is too long; half a command would do something else."""
    return replace(
        finding,
        title=clipped(finding.title, _MOST_SAID),
        evidence=tuple(clipped(each, _MOST_SAID) for each in finding.evidence),
        remedies=tuple(
            each if len(each) <= _MOST_SAID else f"{each[:40]}\N{HORIZONTAL ELLIPSIS}: to_dict()"
            for each in finding.remedies
        ),
    )


def _shared(cluster: ClusterSnapshot) -> Iterator[SharedLine]:
    order = {"error": 0, "warning": 1, "info": 2}
    total = len(cluster.workers)
    ordered = sorted(cluster.shared, key=lambda found: order.get(found.finding.severity, 2))
    for each in ordered[:_MOST_SHARED]:
        number = len(each.workers)
        which = f" ({who_of(each.workers)})" if number <= MOST_NAMED else ""
        who = "on all" if number == total else f"on {number} of {total}{which}"
        finding = each.finding
        yield SharedLine(finding.code, finding.severity, who, clipped(finding.title))
