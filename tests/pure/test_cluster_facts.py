"""The workers of a cluster by host and by equal state: what is counted once, what is compared."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from facts_for_tests import snapshot
from hypothesis import given
from hypothesis import strategies as st
from madeclusters import NANNY, NUMPY, SKLEARN, cluster, silent, simulated, sized, state_of, worker

from omp_magic.facts.clusterdiffs import differences_of, workers_of
from omp_magic.facts.clusterhosts import hosts_of
from omp_magic.facts.clusters import WorkerState, at_once
from omp_magic.facts.clustersnapshots import ClusterSnapshot
from omp_magic.facts.libraries import Finding, Pool
from omp_magic.facts.workerstate import OF_A_MOMENT
from omp_magic.facts.workerstate import state_of as from_snapshot
from omp_magic.rules.codes import CODES


def pool(size: int | None, api: str = "blas", **facts: Any) -> Pool:
    given = {"name": "x", "family": "x", "library": "x", "would_use": None, "scope": "process"}
    return Pool(**{**given, "num_threads": size, "api": api, **facts})


@pytest.mark.parametrize(
    ("pools", "tasks", "threads"),
    [
        ([], 3, 3),
        ([pool(4)], 1, 4),
        ([pool(4)], 3, 6),
        ([pool(4, "openmp")], 3, 12),
        ([pool(4, "openmp"), pool(8)], 2, 12),
        ([pool(4, "openmp"), pool(2)], 2, 8),
        ([pool(4), pool(3)], 3, 8),
        ([pool(8, lender="/libgomp.so"), pool(2, "openmp")], 2, 4),
        ([pool(8, for_io=True), pool(None)], 2, 2),
        ([pool(None, would_use=5)], 1, 5),
    ],
)
def test_threads_at_once(pools: list[Pool], tasks: int, threads: int) -> None:
    assert at_once(pools, tasks) == threads


@pytest.mark.parametrize("code", OF_A_MOMENT)
def test_what_passes_is_no_kind_of_its_own(code: str) -> None:
    facts, lasting = snapshot(), Finding(code="OMP106", severity="info", title="t", why="w")
    calm = from_snapshot(facts.with_findings((lasting,)))
    passing = replace(lasting, code=code)
    busy = from_snapshot(facts.with_findings((passing, lasting)))
    assert calm == busy
    assert calm.codes == ("OMP106",)
    assert code in {rule.code for rule in CODES}


def two(**facts: Any) -> Any:
    """Give the one host of two workers, the second of which has these facts."""
    (host,) = hosts_of([worker(number=0), worker(number=1, **facts)])
    return host


def in_group(quota: float, name: str = "/pod7", **facts: Any) -> dict[str, Any]:
    return {"quota_cpus": quota, "cgroup": name, **facts}


def test_a_mask_that_two_share_counts_once() -> None:
    assert two().cpus == 2
    assert two().why == "the machine has 2 CPUs"
    large = state_of(SKLEARN, machine_cpus=8)
    first, second = worker(state=large, affinity=(0, 1)), worker(state=large, affinity=(1, 2))
    (host,) = hosts_of([first, second])
    assert (host.cpus, host.why) == (3, "their affinity is 3 CPUs of 8")
    (blind,) = hosts_of([replace(first, affinity=None), replace(second, affinity=None)])
    assert blind.cpus == 2  # masks without numbers may be the same ones


def test_the_quota_of_a_group_counts_once_and_those_of_two_add_up() -> None:
    large = state_of(SKLEARN, machine_cpus=8, affinity_cpus=8)
    base = worker(state=large, affinity=tuple(range(8)))

    def cpus(*facts: dict[str, Any]) -> tuple[float | None, str]:
        (host,) = hosts_of([replace(base, **each) for each in facts])
        return host.cpus, host.why

    assert cpus(in_group(1.5), in_group(1.5)) == (1.5, "the quota of /pod7 is 1.5 CPUs")
    assert cpus(in_group(1.5), in_group(2, "/pod8")) == (3.5, "2 cgroups have 3.5 CPUs together")
    assert cpus(in_group(6), in_group(6, "/pod8")) == (8, "the machine has 8 CPUs")
    # In two containers each group is called "/": they are told by their hosts' names.
    assert cpus(in_group(1, "/"), in_group(1, "/", host="pod-b"))[0] == 2
    assert cpus(in_group(1), {}) == (8, "the machine has 8 CPUs")  # who has none may use all
    assert cpus(in_group(6, affinity=(0,)), in_group(2, "/b"))[0] == 3  # no more than its mask


def test_a_cgroup_that_holds_others_is_told_when_it_has_less_than_they_have() -> None:
    large = state_of(SKLEARN, machine_cpus=8, affinity_cpus=8)

    def cpus(*quotas: tuple[tuple[str, float], ...], **facts: Any) -> tuple[float | None, str]:
        every = {"state": large, "affinity": tuple(range(8)), "cgroups": "cgroup:[1]", **facts}
        (host,) = hosts_of(worker(number=n, quotas=each, **every) for n, each in enumerate(quotas))
        return host.cpus, host.why

    a, b, slice_ = ("/p/a", 2.0), ("/p/b", 2.0), ("/p", 3.0)
    assert cpus((a, slice_), (b, slice_)) == (3, "the quota of /p is 3 CPUs")
    assert cpus((a, slice_), (slice_,)) == (3, "the quota of /p is 3 CPUs")
    assert cpus((a, ("/p", 5.0)), (b, ("/p", 5.0))) == (4, "2 cgroups have 4 CPUs together")
    inside = "the quota of /p/a is 2 CPUs, and 1 of its workers has none"
    assert cpus((a, ("/p", 7.0)), (("/p", 7.0),), affinity=(0, 1, 2)) == (
        3,
        "their affinity is 3 CPUs of 8",
    )
    assert cpus((a, slice_), ()) == (8, "the machine has 8 CPUs")
    assert cpus((("/p/a", 0.5), slice_), (("/p/b", 1.0), slice_), (("/q", 2.0),))[0] == 3.5
    pinned = [worker(number=0, quotas=(a, ("/p", 7.0)), state=large, affinity=tuple(range(4, 8)))]
    pinned.append(worker(number=1, quotas=(("/p", 7.0),), state=large, affinity=(0,)))
    assert (hosts_of(pinned)[0].cpus, hosts_of(pinned)[0].why) == (3, inside)


def test_containers_of_one_name_have_their_own_cgroups() -> None:
    # A pod's containers, and all that have the host's network, have one name; each is "/".
    large = state_of(SKLEARN, machine_cpus=8, affinity_cpus=8)
    base = worker(state=large, affinity=tuple(range(8)), **in_group(2, "/"))
    same, other = replace(base, cgroups="cgroup:[1]"), replace(base, cgroups="cgroup:[2]")
    assert hosts_of([same, same])[0].cpus == 2
    assert hosts_of([same, other])[0].cpus == 4


def test_a_host_has_the_machine_that_somebody_there_has_told() -> None:
    first = worker(number=1)
    hosts = hosts_of([silent(7, host="node-1"), first, worker(number=2, machine="b2c4e6f8aa")])
    assert [(each.machine, len(each.workers)) for each in hosts] == [
        (first.machine, 2),
        ("b2c4e6f8aa", 1),
    ]
    assert [each.name for each in hosts] == [
        "node-1, machine a5c569be",
        "node-1, machine b2c4e6f8",
    ]
    blind = hosts_of([worker(number=1, machine=""), worker(number=2)])
    assert blind[0].name == "node-1, not known which machine"


def test_two_names_of_one_machine_are_one_host_and_two_machines_of_one_name_are_two() -> None:
    assert two(host="pod-b").name == "node-1 = pod-b"
    hosts = hosts_of([worker(), worker(number=1, machine="b2c4e6f8aa")])
    assert [each.name for each in hosts] == [
        "node-1, machine a5c569be",
        "node-1, machine b2c4e6f8",
    ]
    many = hosts_of([worker(number=n, host=f"pod-{n}") for n in range(9)])
    assert [each.name for each in many] == ["pod-0 = pod-1 = pod-2 and 6 more names"]


def test_a_silent_worker_is_with_those_of_its_address() -> None:
    here, there = silent(9), silent(10, host="10.0.0.9")
    hosts = hosts_of([here, worker(number=1), there])
    assert [(each.name, len(each.workers), each.silent) for each in hosts] == [
        ("node-1", 2, 1),
        ("10.0.0.9", 1, 1),
    ]
    assert hosts[0].cpus == 2
    assert (hosts[1].cpus, hosts[1].over) == (None, False)
    (nameless,) = hosts_of([silent(host="")])
    assert nameless.name == "a host without a name"


def test_a_part_of_a_cpu_counts_for_a_whole_one() -> None:
    one = worker(NANNY, **in_group(1.5))
    assert not hosts_of([one, replace(one, pid=7)])[0].over  # 2 threads on 1.5 CPUs
    assert hosts_of([one, one, one])[0].over


def test_forty_workers_are_two_rows() -> None:
    workers = [worker(SKLEARN, n) for n in range(37)] + [worker(NUMPY, 37 + n) for n in range(3)]
    assert [len(each.workers) for each in cluster(workers).groups] == [37, 3]
    # Equal by value, where each came by itself.
    apart = [worker(SKLEARN, n, state=replace(state_of(SKLEARN))) for n in range(40)]
    (group,) = cluster(apart).groups
    assert (len(group.workers), group.demand) == (40, 2)
    assert len(cluster([worker(), worker(tasks=2)]).groups) == 2


def test_silent_workers_are_grouped_by_why() -> None:
    found = cluster([silent(1), silent(2), silent(3, why="lost"), worker(number=4)])
    assert [(each.state is None, len(each.workers)) for each in found.groups] == [
        (False, 1),
        (True, 2),
        (True, 1),
    ]
    assert found.known == 1


def test_what_differs_is_by_value_and_where_an_environment_lies_does_not_matter() -> None:
    assert differences_of(cluster([worker(), worker(number=1)])) == ()
    moved = state_of(SKLEARN, prefix="/opt/other")
    moved = replace(
        moved,
        libraries=tuple(
            replace(each, path=each.path.replace("/env", "/opt/other")) for each in moved.libraries
        ),
    )
    assert differences_of(cluster([worker(), worker(state=moved)])) == ()
    found = differences_of(cluster([worker(SKLEARN), worker(SKLEARN, 1), worker(NUMPY, 2)]))
    by_name = {(each.kind, each.name): each for each in found}
    lacking = by_name["runtime", "GNU libgomp (scikit-learn)"]
    assert lacking.usual == "libgomp-e985bcbb.so.1.0.0"
    assert [(value, [each.name for each in workers_of(who)]) for value, who in lacking.others] == [
        (None, ["2"])
    ]
    assert ("package", "scikit-learn") not in by_name
    found = differences_of(cluster([worker(), worker(state=sized(state_of(SKLEARN), 8))]))
    assert {each.kind for each in found} == {"threads"}


@given(st.lists(st.integers(0, 5), max_size=40))
def test_every_worker_is_in_one_group_and_on_one_host(places: list[int]) -> None:
    kinds = [worker(NUMPY), worker(SKLEARN, host="b", machine=""), worker(NANNY, tasks=3)]
    kinds += [silent(), silent(host="b"), worker(NUMPY, machine="m2")]
    found = cluster(replace(kinds[place], pid=n) for n, place in enumerate(places))
    for parts in (found.groups, found.hosts):
        members = [id(each) for part in parts for each in part.workers]
        assert sorted(members) == sorted(map(id, found.workers))


def test_json_has_each_state_once() -> None:
    found = cluster([worker(SKLEARN, n) for n in range(5)] + [silent(6)], limit="auto", took_s=0.5)
    plain = json.loads(found.to_json())
    assert plain == found.to_dict()
    assert plain["limit"] == "auto"
    assert [each["workers"] for each in plain["groups"]] == [5, 1]
    assert plain["groups"][0]["state"]["libraries"][0]["owner"] == "numpy"
    assert [each["group"] for each in plain["workers"]] == [0] * 5 + [1]
    assert plain["workers"][5]["gap"]["why"] == "no answer in 10 s"
    assert plain["workers"][0]["demand"] == 2
    assert {"state", "packed"}.isdisjoint(plain["workers"][0])
    assert plain["hosts"][0] == {
        "name": "node-1",
        "machine": found.workers[0].machine,
        "workers": 6,
        "silent": 1,
        "tasks": 6,
        "cpus": 2,
        "why": "the machine has 2 CPUs",
        "demand": 10,
        "over": True,
    }
    assert {each["code"] for each in plain["findings"]} == {"OMP401", "OMP405"}


def test_the_table_has_a_row_a_worker() -> None:
    frame = cluster([worker(SKLEARN, 0), worker(NUMPY, 1), silent(2)]).to_frame()
    assert list(frame["group"]) == [1, 2, 3]
    assert list(frame["host"]) == ["node-1"] * 3
    assert list(frame["demand"].isna()) == [False, False, True]
    assert frame["runtimes"][1] == "OpenBLAS 0.3.31.188.0 (numpy)"
    assert frame["gap"][2] == "no answer in 10 s"
    assert cluster([]).to_frame().empty


class Counted(WorkerState):
    """A state that counts how often it is hashed and compared."""

    __slots__ = ()
    work = 0

    def __hash__(self) -> int:
        Counted.work += 1
        return super().__hash__()

    def __eq__(self, other: object) -> bool:
        Counted.work += 1
        return super().__eq__(other)


@pytest.mark.parametrize("states", [3, 0])
def test_work_grows_as_the_number_of_workers(states: int) -> None:
    """Hashes and comparisons of states: no more than two for each that is another object."""
    counts = {}
    for number in (100, 1000):
        made = simulated(number, states or number)
        kinds: dict[int, Counted] = {}
        workers = [
            replace(each, state=kinds.setdefault(id(each.state), _counting(each.state)))
            for each in made.workers
        ]
        Counted.work = 0
        found = ClusterSnapshot(engine="dask", title="", workers=tuple(workers))
        assert len(found.groups) == len(made.groups)
        counts[number] = Counted.work
    assert counts[1000] <= 2 * (states or 1000)
    assert counts[1000] <= 10 * max(1, counts[100])


def _counting(state: WorkerState | None) -> Counted:
    assert state is not None
    return Counted(**{name: getattr(state, name) for name in WorkerState.__dataclass_fields__})


def test_repr_is_one_line() -> None:
    assert re.fullmatch(
        r"<ClusterSnapshot dask workers=2 known=1 findings=\d>",
        repr(cluster([worker(), silent(1)])),
    )


def test_workers_that_are_one_process_have_its_pools_once_and_unknown_sizes_are_at_least() -> None:
    def demand(*addresses: str) -> int:
        workers = [
            worker(NUMPY, state=sized(state_of(NUMPY), 4), address=each, tasks=2)
            for each in addresses
        ]
        [host] = cluster(workers).hosts
        assert not host.at_least
        return host.demand

    assert demand("inproc://10.0.0.7/9/1", "inproc://10.0.0.7/9/2") == 4 + 3
    assert demand("tcp://10.0.0.7:1", "tcp://10.0.0.7:2") == 2 * (4 + 1)
    unknown = replace(sized(state_of(NUMPY), 4), pools=sized(state_of(NUMPY), 0).pools)
    assert cluster([worker(NUMPY, state=unknown)]).hosts[0].at_least
