"""What changed between two snapshots: what came, went, or is another now; nothing else."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from facts_for_tests import budget, library, pool, setting, snapshot
from hypothesis import given
from hypothesis import strategies as st

from omp_magic.errors import MissingRendererError
from omp_magic.facts.changes import Change
from omp_magic.facts.cpus import Bound
from omp_magic.facts.differences import Difference, by, deltas
from omp_magic.facts.libraries import Finding, Gap, Pool
from omp_magic.facts.limits import Limit
from omp_magic.facts.processes import Child, PythonThreads, ThreadOwner
from omp_magic.facts.snapshots import Snapshot
from omp_magic.facts.tasks import TaskBound, TaskBudget
from omp_magic.views.deltas import rows_of
from omp_magic.views.difference import unknown_of

OPENBLAS = library("openblas", owner="numpy", version="0.3.30", workers=1)
NUMEXPR = Pool(
    name="numexpr",
    family="numexpr",
    api="python",
    library="numexpr",
    num_threads=2,
    would_use=None,
    scope="process",
)
FINDING = Finding(code="OMP201", severity="warning", title="16 threads want 2 CPUs", why="…")


def lines(before: Snapshot, after: Snapshot) -> list[str]:
    """Give the rows as lines of words, and check that text and HTML have them all."""
    difference = before.diff(after)
    json.dumps(difference.to_dict())
    rows = rows_of(difference)
    assert bool(difference) == bool(rows)
    made = difference._repr_mimebundle_()
    words = set(made["text/plain"].split())
    for row in rows:
        assert set(f"{row.sign} {row.kind} {row.name} {row.text}".split()) <= words
    assert made["text/html"].count("<tr>") == (len(rows) + 1 if rows else 0)
    told = [f"{row.sign} {row.kind} {row.name} {row.text}" for row in rows]
    return [*told, *unknown_of(difference)]


def test_nothing_changed_is_one_line() -> None:
    facts = snapshot(libraries=(OPENBLAS,), pools=(pool(2),), findings=(FINDING,))
    difference = facts.diff(facts, "%omp_status in cell 3")
    assert not difference
    assert str(difference) == "Nothing changed since %omp_status in cell 3"
    assert "Nothing changed since" in difference._repr_mimebundle_()["text/html"]
    # A place in a name, a text that moves, a measurement: the same thing.
    again = replace(
        facts, libraries=(replace(OPENBLAS, place="x", note="y"),), shown=frozenset("j")
    )
    measured = Bound(source="measured", cpus=1.9, lowers=False)
    again = replace(again, budget=replace(facts.budget, bounds=(*facts.budget.bounds, measured)))
    assert not facts.diff(again)


def test_a_library_is_its_file() -> None:
    empty, loaded = snapshot(), snapshot(libraries=(OPENBLAS,), pools=(pool(2),))
    assert lines(empty, loaded)[0] == (
        "+ runtime OpenBLAS 0.3.30 (numpy) started, 2 threads, 1 worker"
    )
    assert lines(loaded, empty)[0].startswith("- runtime OpenBLAS 0.3.30 (numpy) unloaded; it was")
    for other in ({"inode": 8}, {"device": "fe:01"}, {"path": "/other/libopenblas.so"}):
        found = loaded.diff(snapshot(libraries=(replace(OPENBLAS, **other),))).libraries
        assert [each.how for each in found] == ["came", "went"]
    static = replace(OPENBLAS, family="libomp", static=True)
    both = snapshot(libraries=(OPENBLAS, static))
    assert [each.either.family for each in loaded.diff(both).libraries] == ["libomp"]
    assert not both.diff(snapshot(libraries=(static, OPENBLAS))).libraries


def test_counts_and_states() -> None:
    fresh = replace(OPENBLAS, initialized=False, num_threads=None, would_use=4, workers=0)
    waiting, started = snapshot(libraries=(fresh,)), snapshot(libraries=(OPENBLAS,))
    (row,) = lines(waiting, started)
    assert "workers 0 → 1" in row
    assert "not started (would use 4) → started" in row
    (row,) = lines(started, snapshot(libraries=(replace(OPENBLAS, num_threads=8, replaced=True),)))
    assert "threads 2 → 8, started → started; replaced on disk" in row
    serving = snapshot(libraries=(replace(OPENBLAS, serves=True),))
    assert lines(started, serving)[0].endswith("started → serves OpenMP")


def test_what_is_not_known_is_no_change_and_is_told() -> None:
    known = snapshot(libraries=(OPENBLAS,), thread_owners=(), python_threads=None)
    uncounted = replace(OPENBLAS, num_threads=None, workers=None, note="main thread only")
    for before, after, when in ((OPENBLAS, uncounted, "after"), (uncounted, OPENBLAS, "before")):
        pair = (snapshot(libraries=(each,)) for each in (before, after))
        assert lines(*pair) == [
            f"not compared: threads of OpenBLAS (numpy), not known {when}: main thread only"
        ]
    lost = snapshot(gaps=(Gap(what="libraries", why="denied"),), thread_owners=None)
    difference = known.diff(lost)
    assert not difference
    assert not difference.libraries
    assert str(difference).split("\n")[0] == "Nothing of what is known changed"
    assert {gap.what for gap in difference.gaps} == {
        *("libraries", "pools", "findings", "threads by owner")
    }
    # Unknown at both moments: there was nothing to compare.
    blind = snapshot(num_os_threads=None, thread_owners=None)
    assert not blind.diff(blind).gaps
    assert [gap.what for gap in blind.diff(snapshot(thread_owners=None)).gaps] == [
        "number of threads"
    ]


def test_pools_of_packages_and_of_libraries() -> None:
    assert lines(snapshot(), snapshot(pools=(NUMEXPR,))) == ["+ pool numexpr 2 threads"]
    unstarted = replace(NUMEXPR, num_threads=None, would_use=2)
    (row,) = lines(snapshot(pools=(unstarted,)), snapshot(pools=(NUMEXPR,)))
    assert row == "~ pool numexpr not started (would use 2) → 2 threads"
    renamed = replace(pool(2), name="OpenBLAS (numpy, a/libopenblas.so)")
    assert not snapshot(pools=(pool(2),)).diff(snapshot(pools=(renamed,)))
    # Where the library's row says it, its pool's does not say it again.
    before = snapshot(libraries=(OPENBLAS,), pools=(replace(pool(2), library=OPENBLAS.path),))
    more = replace(OPENBLAS, num_threads=4)
    after = snapshot(libraries=(more,), pools=(replace(pool(4), library=OPENBLAS.path),))
    assert len(lines(before, after)) == 1
    assert len(before.diff(after).pools) == 1


def test_cpus_bounds_and_tasks() -> None:
    quota = budget(4, 0.5)
    (row,) = lines(snapshot(), snapshot(budget=quota))[:1]
    assert row.startswith("~ CPUs 4 CPUs → 0.5 CPUs cpu.max of /pod7 decides, the affinity mask")
    wide = replace(quota, bounds=(*quota.bounds, Bound(source="cgroup v2", cpus=None, where="/")))
    narrow = replace(quota, bounds=(*quota.bounds, Bound(source="cgroup v2", cpus=3.0, where="/")))
    assert lines(snapshot(budget=wide), snapshot(budget=narrow)) == [
        "~ CPU bound cgroup v2 of / no limit → 3"
    ]

    def tasks(limit: int | None, used: int) -> Snapshot:
        bound = TaskBound(source="cgroup v2", limit=limit, used=used, where="/a", name="pids.max")
        return snapshot(tasks=TaskBudget(bounds=(bound,)))

    assert lines(tasks(None, 5), tasks(512, 9)) == ["~ task bound pids.max of /a no limit → 512"]


def test_variables() -> None:
    def of(*settings: Any) -> Snapshot:
        return snapshot(environment=settings)

    name = "OMP_NUM_THREADS"
    change = Change(what="variable", name=name, after="4", by="import paddle", imported=True)
    two, four = setting(name, "2"), setting(name, "4", change=change)
    assert lines(of(), of(two)) == [f"+ variable {name} not set → 2"]
    assert lines(of(two), of(four)) == [f"~ variable {name} 2 → 4, by import paddle"]
    # The row of a variable that was set at the start and is no more.
    gone = setting(name, None, at_exec="2")
    assert lines(of(two), of(gone)) == [f"- variable {name} 2 → not set"]
    split = setting(name, "2", python="8")
    assert lines(of(two), of(split)) == [f"~ variable {name} 2; os.environ: 2 → 8"]
    held = tuple(setting(each, "1", set_by=("omp_limit",)) for each in (name, "MKL_NUM_THREADS"))
    bound = Bound(source=name, cpus=1.0, lowers=False)
    limited = replace(of(*held), budget=replace(budget(), bounds=(*budget().bounds, bound)))
    assert lines(of(), limited) == [f"+ variable {name} and 1 more set by omp_limit"]
    assert lines(limited, of()) == [f"- variable {name} and 1 more no longer set by omp_limit"]


def test_threads_children_limits_changes_and_processes() -> None:
    owner = ThreadOwner(path="/x/libzmq.so", package="pyzmq", num_threads=2)
    before = snapshot(thread_owners=(owner,), python_threads=PythonThreads(alive=3, of_executors=0))
    after = replace(
        before,
        num_os_threads=24,
        thread_owners=(replace(owner, num_threads=4),),
        python_threads=PythonThreads(alive=5, of_executors=2),
        limits=(Limit(spec="2", set_by="%omp_limit 2", undo="%omp_limit off"),),
        changes=(
            Change(what="start method", before="fork", after="spawn", by="cell 3"),
            Change(what="affinity", before="0-3", after="0", by="import x", imported=True),
        ),
        children=(
            Child(
                pid=77,
                command="python -c x",
                forked=False,
                num_os_threads=9,
                pool_threads=4,
                runtimes=("libgomp.so.1",),
            ),
        ),
    )
    assert lines(before, after) == [
        "~ threads all OS threads 19 → 24",
        "~ threads Python 3 → 5",
        "~ threads libzmq.so (pyzmq) 2 → 4",
        "+ limit 2 set by %omp_limit 2; back with %omp_limit off",
        "~ changed start method fork → spawn, by cell 3",
        "+ worker pid 77 python -c x pool of 4, 9 OS threads",
    ]
    assert "- limit 2 set by %omp_limit 2; ended" in lines(after, before)
    assert "- changed start method back as it was: fork" in lines(after, before)
    assert lines(before, replace(before, pid=9))[0] == "~ process another process pid 6536 → 9"


def test_findings_come_first_and_their_numbers_are_no_change() -> None:
    before = snapshot(findings=(FINDING,))
    other = replace(FINDING, title="8 threads want 2 CPUs")
    assert not before.diff(snapshot(findings=(other,)))
    worse = Finding(code="OMP101", severity="error", title="This kernel will die", why="…")
    rows = lines(before, snapshot(findings=(worse,), libraries=(OPENBLAS,)))
    assert rows[0] == "+ finding OMP101 error: This kernel will die"
    assert rows[1] == "- finding OMP201 no longer: 16 threads want 2 CPUs"
    moved = replace(FINDING, title="numpy was replaced", code="OMP110")
    difference = snapshot(findings=(moved,)).diff(
        snapshot(findings=(replace(moved, title="scipy was replaced"),))
    )
    assert [each.how for each in difference.findings] == ["came", "went"]


def test_what_comes_from_outside_is_escaped() -> None:
    odd = replace(OPENBLAS, owner="<b>\x1b[31m", version=None)
    difference = snapshot().diff(snapshot(libraries=(odd,)))
    page = difference._repr_mimebundle_()["text/html"]
    assert "&lt;b&gt;\\x1b[31m" in page
    assert "\x1b" not in str(difference)


def test_without_views_the_facts_stand_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Difference, "renderers", {})
    difference = snapshot().diff(snapshot(pid=1))
    assert repr(difference) == "<Difference of pid=1 changes=0 gaps=0>"
    with pytest.raises(MissingRendererError):
        str(difference)


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 2))), st.data())
def test_deltas_lead_from_one_list_to_the_other(
    before: list[tuple[int, int]], data: st.DataObject
) -> None:
    after = data.draw(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 2))))
    found = deltas(before, after, lambda each: each[0], by(lambda each: each[1]))
    left = list(before)
    for delta in found:
        if delta.before is not None:
            left.remove(delta.before)
        if delta.after is not None:
            left.append(delta.after)
    assert sorted(left) == sorted(after)
    assert all(delta.before != delta.after for delta in found)
    assert not deltas(before, list(before), lambda each: each[0], by(lambda each: each[1]))
