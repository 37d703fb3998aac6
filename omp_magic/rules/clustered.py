"""OMP401-OMP406: what the workers of a cluster do together, and in what they differ."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..facts.clusterdiffs import Difference, count_of, differences_of
from ..facts.clustersnapshots import ClusterSnapshot
from ..facts.cpus import cpus_words, threads_for_tasks
from ..facts.libraries import Finding
from ..knowledge.engines import words_of
from . import cluster_silence as silence
from . import cluster_words as words
from .judgement import ranked
from .rule import Case, ClusterRule


def judge_cluster(cluster: ClusterSnapshot) -> tuple[Finding, ...]:
    """Give what the workers of a cluster do together, or in what they differ, the worst first.

    Parameters
    ----------
    cluster
        The facts. Findings of single workers are not looked at: they stand for themselves.

    Returns
    -------
    tuple of Finding
        Sorted by severity, then code.
    """
    differences = differences_of(cluster)
    return ranked(each for rule in RULES for each in rule.findings(cluster, differences))


def _crowded(cluster: ClusterSnapshot, _differences: tuple[Difference, ...]) -> Iterator[Case]:
    over = sorted(
        (host for host in cluster.hosts if host.over),
        key=lambda host: -host.demand / (host.cpus or 1),
    )
    if not over:
        return
    worst, rest = over[0], len(over) - 1
    cpus = worst.cpus or 1.0
    engine = words_of(cluster.engine)
    workers = max(1, min(len(worst.workers), int(cpus)))
    given = {"threads": threads_for_tasks(cpus, worst.tasks), "workers": workers, "tasks": 1}
    known = sum(each.tasks for each in worst.workers if each.state is not None)
    single = worst.demand <= known  # no pool adds a thread: there are too many tasks
    told = engine.tasks if single else engine.threads
    if not single and worst.tasks > cpus:
        told = (*told, *engine.tasks)
    yield Case(
        title=(
            f"{words.many(len(worst.workers))} on {worst.name} may run "
            f"{'at least ' * worst.at_least}{worst.demand} threads at once on "
            f"{cpus_words(cpus)}{words.and_hosts(rest)}"
        ),
        why=(
            "More tasks run at once than there are CPUs, each with one thread."
            if single
            else words.limits_words(worst, cluster.engine)
            if words.limits_of(worst)
            else "A pool is sized as if its worker were alone on its host, and ran one task at a "
            "time. Threads of one team wait for each other, and some have no CPU to run on: small "
            "operations become many times slower."
        ),
        evidence=words.hosts_evidence(over),
        remedies=words.filled(told, cluster, **given),
    )


def _runtimes(cluster: ClusterSnapshot, differences: tuple[Difference, ...]) -> Iterator[Case]:
    packages = {each.name for each in differences if each.kind == "package"}
    found = [
        each
        for each in differences
        if each.kind == "runtime" and not words.explained(each, packages)
    ]
    serious = [each for each in found if words.is_another_build(each) or words.doubles(each)]
    if serious:
        yield _other_runtimes(
            serious,
            cluster,
            "The same work is done by other code on some workers: with another pool, another speed "
            "and other last digits.",
        )
    harmless = [each for each in found if each not in serious]
    if harmless:
        case = _other_runtimes(
            harmless,
            cluster,
            "What a worker loads depends on the tasks that it has had. The first task that needs a "
            "library waits for it.",
        )
        yield case._replace(severity="info")


def _other_runtimes(found: Sequence[Difference], cluster: ClusterSnapshot, why: str) -> Case:
    return Case(
        title=words.titled(found, cluster, "load"),
        why=why,
        evidence=words.evidence_of(found, cluster),
        remedies=words.runtime_remedies(found, cluster.engine),
    )


def _versions(cluster: ClusterSnapshot, differences: tuple[Difference, ...]) -> Iterator[Case]:
    found = [each for each in differences if each.kind in ("Python", "package", "system")]
    if not found:
        return
    packages = {each.name for each in found if each.kind == "package"}
    with_them = [
        each for each in differences if each.kind == "runtime" and words.explained(each, packages)
    ]
    yield Case(
        title=words.titled(found, cluster, "have"),
        why=(
            "What one worker pickles another may not read, results may differ, and runtimes that "
            "clash do so on some hosts alone."
        ),
        evidence=words.evidence_of([*found, *with_them], cluster),
        remedies=(words.ONE_ENVIRONMENT, *_version_remedies(found, cluster)),
    )


def _version_remedies(found: Sequence[Difference], cluster: ClusterSnapshot) -> tuple[str, ...]:
    """Give what installs one version in all, where it is known which one is meant."""
    own = dict(cluster.own_versions)
    packages = [each for each in found if each.kind == "package"]
    wanted = (
        f"{each.name}=={version}"
        for each in packages
        if (version := _meant(each, own.get(each.name)))
    )
    package = next(wanted, "")
    lines = words_of(cluster.engine).packages if packages else ()
    return tuple(
        each.format(package=package) for each in lines if package or "{package}" not in each
    )


def _meant(package: Difference, own: str | None) -> str | None:
    """Give the client's version if a worker has it, else that of most; None where none is."""
    sizes = {
        value: count_of(groups)
        for value, groups in package.values
        if value is not None and ", " not in value  # one worker may have two
    }
    if own in sizes:
        return own
    largest = max(sizes.values(), default=0)
    most = [value for value, size in sizes.items() if size == largest]
    return most[0] if len(most) == 1 else None


def _variables(cluster: ClusterSnapshot, differences: tuple[Difference, ...]) -> Iterator[Case]:
    found = [
        each for each in differences if each.kind == "variable" and not words.set_by_imports(each)
    ]
    if not found:
        return
    yield Case(
        title=words.titled(found, cluster, "have"),
        why=(
            "Libraries read them once, when they are loaded: the workers that differ have pools of "
            "another size, and others wait for them."
        ),
        evidence=words.evidence_of(found, cluster),
        remedies=words.variable_remedies(found, cluster),
    )


def _silent(cluster: ClusterSnapshot, _differences: tuple[Difference, ...]) -> Iterator[Case]:
    silent = [each for each in cluster.workers if each.state is None]
    if not silent:
        return
    number, total = len(silent), len(cluster.workers)
    told = f"{number} of {words.many(total)} {'has' if number == 1 else 'have'} not answered"
    at_work = all(each.busy for each in silent)
    yield Case(
        title=told if number < total else f"None of {words.many(total)} has answered",
        why=(
            "It works, as far as its engine can tell, and answers when that is done. Until then "
            "nothing is known of its runtimes."
            if at_work
            else "It was killed, it hangs in C without letting Python run, or it cannot take what "
            "it is sent. Its tasks do not end, and nothing is known of its runtimes."
        ),
        evidence=silence.silent_evidence(sorted(silent, key=lambda each: each.busy)),
        remedies=silence.silent_remedies(silent, cluster),
        severity="info" if at_work else "",
    )


def _unequal(cluster: ClusterSnapshot, differences: tuple[Difference, ...]) -> Iterator[Case]:
    found = [each for each in differences if each.kind == "CPUs"]
    if not found:
        return
    yield Case(
        title=words.titled(found, cluster, "may use"),
        why=(
            "One number of threads for all leaves CPUs idle on some of them, or is too many for "
            "the others."
        ),
        evidence=words.evidence_of(found, cluster),
        remedies=(words.auto_of(cluster.engine),),
    )


RULES: tuple[ClusterRule, ...] = (
    ClusterRule(
        code="OMP401",
        severity="warning",
        summary="the workers of a host may run more threads at once than its CPUs",
        source="https://docs.dask.org/en/latest/array-best-practices.html#avoid-oversubscribing-threads",
        look=_crowded,
    ),
    ClusterRule(
        code="OMP402",
        severity="warning",
        summary="workers of a cluster load different runtimes",
        source="https://github.com/joblib/threadpoolctl/blob/master/multiple_openmp.md",
        look=_runtimes,
    ),
    ClusterRule(
        code="OMP403",
        severity="warning",
        summary="workers of a cluster have different versions of Python, or of what ships runtimes",
        source="https://distributed.dask.org/en/latest/api.html#distributed.Client.get_versions",
        look=_versions,
    ),
    ClusterRule(
        code="OMP404",
        severity="warning",
        summary="workers of a cluster have different variables",
        source="https://docs.dask.org/en/latest/configuration.html#distributed-nanny",
        look=_variables,
    ),
    ClusterRule(
        code="OMP405",
        severity="warning",
        summary="a worker of a cluster does not answer",
        source="https://distributed.dask.org/en/latest/killed.html",
        look=_silent,
    ),
    ClusterRule(
        code="OMP406",
        severity="info",
        summary="workers of a cluster may use different numbers of CPUs",
        source="https://docs.kernel.org/admin-guide/cgroup-v2.html#cpu",
        look=_unequal,
    ),
)
"""In the order of the codes."""
