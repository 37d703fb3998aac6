"""The words of OMP401-OMP406: which workers are meant, what they have, what mends it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from ..facts.clusterdiffs import Difference, called, count_of, workers_of
from ..facts.clusterhosts import ClusterHost
from ..facts.clusters import ClusterWorker, at_once
from ..facts.clustersnapshots import ClusterGroup, ClusterSnapshot
from ..facts.cpus import cpus_words
from ..knowledge.engines import words_of
from ..knowledge.rivals import SETTERS
from .told_clusters import ONE_ENVIRONMENT as ONE_ENVIRONMENT  # noqa: PLC0414 - rules say it too

MOST = 4
"""Workers, values and hosts that one finding names."""
_MODULES: dict[str, str] = {
    **{each: each for each in ("numpy", "torch", "xgboost", "lightgbm")},
    # scipy itself loads its OpenBLAS with the first of its modules that needs one.
    "scipy": "scipy.linalg",
    "scikit-learn": "sklearn",
}
"""What is imported so that a distribution's runtimes are loaded."""


def many(number: int) -> str:
    """Give ``40 workers``, ``1 worker``."""
    return f"{number} worker{'' if number == 1 else 's'}"


def named(workers: Sequence[ClusterWorker]) -> str:
    """Give the addresses of a few, and how many more there are."""
    shown = ", ".join(each.title for each in workers[:MOST])
    more = len(workers) - MOST
    return f"{shown} and {more} more" if more > 0 else shown


def and_hosts(number: int) -> str:
    """Give how many further hosts there are, for the end of a title; "" for none."""
    return f", and so it is on {number} more host{'s' * (number > 1)}" if number else ""


def titled(found: Sequence[Difference], cluster: ClusterSnapshot, verb: str) -> str:
    """Give a title: who differs in the first thing, and how many more things differ.

    Parameters
    ----------
    found
        In what they differ.
    cluster
        The cluster.
    verb
        What they do with it: ``"have"``.
    """
    first = found[0]
    value, _ = first.others[0]
    number = sum(count_of(groups) for _, groups in first.others)
    rest = cluster.known - number
    others = "the other" if rest == 1 else "the others"
    who = f"{number} of {many(cluster.known)} {_verb(verb, number)}"
    if len(first.others) > 1:
        title = f"{who} another {_what(first)} than {others}, {len(first.others)} kinds"
    elif value is None:
        title = f"{who} no {_what(first)}, which {others} {_verb(verb, rest)}"
    elif first.usual is None:
        title = f"{who} {_what(first, value)}, which {others} {_verb('do', rest)} not"
    else:
        title = f"{who} {_what(first, value)}, {others} {first.usual}"
    more = len(found) - 1
    return f"{title}; {more} more difference{'s' * (more > 1)}" if more else title


def _verb(verb: str, number: int) -> str:
    return {"have": "has", "load": "loads", "do": "does"}.get(verb, verb) if number == 1 else verb


def _what(difference: Difference, value: str = "") -> str:
    """Give what differs, with a value: ``numpy 2.1``, ``OMP_NUM_THREADS=4``, ``4 CPUs``."""
    kind, name = difference.kind, difference.name
    if kind == "variable":
        return f"{name}={value}" if value else name
    if kind == "CPUs":
        return value or "number of CPUs"
    label = name or kind
    if kind == "runtime":
        return label if not value or difference.usual is None else f"{label} {value}"
    return f"{label} {value}".strip()


def evidence_of(found: Sequence[Difference], cluster: ClusterSnapshot) -> tuple[str, ...]:
    """Give for each difference who has what; the most of them without their names."""
    lines = []
    for each in found[:MOST]:
        usual = count_of(each.values[0][1])
        told = [f"{each.usual or 'not there'} in {usual} of {cluster.known}"]
        for value, groups in each.others[: MOST - 1]:
            told.append(f"{value or 'not there'} in {named(workers_of(groups))}")
        left = sum(count_of(groups) for _, groups in each.others[MOST - 1 :])
        if left:
            told.append(f"other values in {left} more")
        label = each.name or each.kind
        lines.append(f"{label}: {'; '.join(told)}")
    more = len(found) - MOST
    return (*lines, f"{more} more differences: to_frame()") if more > 0 else tuple(lines)


def is_another_build(difference: Difference) -> bool:
    """Tell whether workers have two builds of one runtime, and not only one that some lack."""
    return sum(value is not None for value, _ in difference.values) > 1


def explained(difference: Difference, packages: set[str]) -> bool:
    """Tell whether a runtime differs since the package that ships it does: OMP403 says so."""
    return is_another_build(difference) and any(
        difference.name.endswith(f"({package})") for package in packages
    )


def doubles(difference: Difference) -> bool:
    """Tell whether an OpenMP runtime that some workers have more is their second one."""
    return any(
        any(_has_two(group, difference.name) for group in groups)
        for value, groups in difference.values
        if value is not None
    )


def _has_two(group: ClusterGroup, name: str) -> bool:
    found = [] if group.state is None else [e for e in group.state.libraries if e.api == "openmp"]
    return len(found) > 1 and any(called(each) == name for each in found)


def runtime_remedies(found: Sequence[Difference], engine: str) -> tuple[str, ...]:
    """Give what mends runtimes that differ: one environment, and the same loaded in all."""
    modules = modules_of([each.name.rpartition("(")[2].rstrip(")") for each in found])
    if not modules:
        return (ONE_ENVIRONMENT,)
    loaded = tuple(each.format(module=modules) for each in words_of(engine).loaded)
    return (
        (ONE_ENVIRONMENT, *loaded)
        if any(map(is_another_build, found))
        else (
            *loaded,
            ONE_ENVIRONMENT,
        )
    )


def modules_of(owners: Sequence[str]) -> str:
    """Give what is imported so that the runtimes of distributions are loaded; "" for none known.

    Examples
    --------
    >>> modules_of(["scipy", "scikit-learn", "another"])
    'scipy.linalg, sklearn'
    """
    return ", ".join(_MODULES[each] for each in dict.fromkeys(owners) if each in _MODULES)


def is_set_by_imports(name: str) -> bool:
    """Tell whether a variable is one that imports set, and that no pool's size depends on."""
    return name in SETTERS and not name.endswith("NUM_THREADS")


def set_by_imports(difference: Difference) -> bool:
    """Tell whether a variable says what was imported: scikit-learn sets two of them."""
    known = {setter.value for setter in SETTERS.get(difference.name, ())}
    values = {value for value, _ in difference.values}
    return is_set_by_imports(difference.name) and values <= {None, *known}


def variable_remedies(found: Sequence[Difference], cluster: ClusterSnapshot) -> tuple[str, ...]:
    """Give what sets a variable for all, to the value that the most of them have that have one."""
    first = found[0]
    value = next((each for each, _ in first.values if each is not None), "1")
    given = {"name": first.name, "value": value, "quoted": shlex.quote(value)}
    return filled(words_of(cluster.engine).variables, cluster, **given)


def filled(told: Sequence[str], cluster: ClusterSnapshot, **given: object) -> tuple[str, ...]:
    """Give an engine's lines with what stands for their fields, without those that lack one.

    Workers join a scheduler by its address, which its title ends with; one of ``inproc://`` is
    reached in its own process alone (distributed/comm/inproc.py).
    """
    scheduler = last_word(cluster)
    scheme = scheduler.partition("://")[0]
    reached = scheme not in ("inproc", scheduler)
    return tuple(
        each.format(scheduler=shlex.quote(scheduler), **given)
        for each in told
        if reached or "{scheduler}" not in each
    )


def limits_of(host: ClusterHost) -> tuple[str, ...]:
    """Give the limits of ours that are in force at a host's workers."""
    states = (each.state for each in host.workers if each.state is not None)
    return tuple(dict.fromkeys(limit for state in states for limit in state.limits))


def limits_words(host: ClusterHost, engine: str) -> str:
    """Give why threads are too many where limits of ours are in force."""
    found = limits_of(host)
    one = len(found) == 1
    return (
        f"The limit{'' if one else 's'} {', '.join(found[:MOST])} in force there "
        f"allow{'s' * one} it, task by task and worker by worker. "
        f"What fits into the host: {_auto(engine)}"
    )


def last_word(cluster: ClusterSnapshot) -> str:
    """Give what a title ends with: a scheduler's address, a profile."""
    return cluster.title.rpartition(" ")[2]


def hosts_evidence(hosts: Sequence[ClusterHost]) -> tuple[str, ...]:
    """Give for each host its CPUs, and which pools want how much there."""
    told = tuple(
        f"{host.name}: {cpus_words(host.cpus or 0)} ({host.why}); {_wanted(host)}"
        for host in hosts[:MOST]
    )
    more = len(hosts) - MOST
    return (*told, f"and {more} more hosts") if more > 0 else told


def _wanted(host: ClusterHost) -> str:
    """Give the demand of a host by pool.

    ``OpenBLAS (numpy): a pool of 4 and 2 tasks at once: 5 threads in each of 4 workers: 20``.
    """
    sums: dict[str, list[tuple[int, int, int]]] = {}
    for each in host.workers:
        for pool in each.state.pools if each.state is not None else ():
            if pool.size and not pool.lender and not pool.for_io:
                found = (pool.size, each.tasks, at_once([pool], each.tasks))
                sums.setdefault(pool.name, []).append(found)
    told = []
    ordered = sorted(sums.items(), key=lambda item: -sum(each[2] for each in item[1]))
    for name, rows in ordered[:MOST]:
        sizes, at_a_time, threads = map(sorted, map(set, zip(*rows, strict=True)))
        total = sum(each[2] for each in rows)
        told.append(
            f"{name}: a pool of {_range(sizes)}, {_range(at_a_time)} "
            f"task{'s' * (at_a_time[-1] > 1)} at once: {_range(threads)} "
            f"thread{'s' * (threads[-1] > 1)} in each of {many(len(rows))}: {total}"
        )
    tasks = sorted({each.tasks for each in host.workers})
    each_words = "" if len(host.workers) == 1 else " each"
    head = f"{many(len(host.workers))}, {_range(tasks)} task{'s' * (tasks[-1] > 1)}{each_words}"
    return "; ".join((f"{head}: {host.tasks} at once" if each_words else f"{head} at once", *told))


def _range(numbers: Sequence[int]) -> str:
    return f"{numbers[0]}" if len(numbers) == 1 else f"{numbers[0]} to {numbers[-1]}"


_CLIENTS = {"dask": "client", "ipyparallel": "rc", "ray": "ray", "joblib": "joblib"}


def auto_of(engine: str) -> str:
    """Give the line that sets for each host its own number."""
    return f"Set for each worker what its own host has: {_auto(engine)}"


def _auto(engine: str) -> str:
    return f"%omp_cluster {client_of(engine)} --limit auto"


def client_of(engine: str) -> str:
    """Give what its reader calls the client of an engine."""
    return _CLIENTS.get(engine, "executor")
