"""Each rule in two lines: facts that trip it, and facts that don't."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from facts_for_tests import budget, library, pool, setting, snapshot
from remedies import read_remedy

from omp_magic.errors import UnknownCodeError
from omp_magic.facts.limits import Limit
from omp_magic.facts.load import Load
from omp_magic.facts.outside import Outside
from omp_magic.facts.packages import Package
from omp_magic.facts.processes import Child, ThreadOwner
from omp_magic.facts.sends import Sending
from omp_magic.facts.settings import Reading
from omp_magic.facts.throttling import Throttling
from omp_magic.probes.cpus.load import Sample, load_between
from omp_magic.rules import judge
from omp_magic.rules.codes import CODES
from omp_magic.rules.explain import explain
from omp_magic.rules.judgement import RULES
from omp_magic.rules.rule import SEVERITIES
from omp_magic.rules.stories import STORIES

# Their kin is the catalog's, so that a wrong one there is seen here.
IOMP = library("libiomp5", initialized=True, num_threads=2, owner="intel-openmp")
OMP = library("libomp", initialized=False, num_threads=None, owner="faiss")
GOMP = library("libgomp", owner="scikit-learn")
OPENBLAS = library("openblas", api="blas", owner="numpy")
MKL = library("mkl", api="blas", initialized=False, num_threads=None)
GLOBAL_OMP = replace(OMP, initialized=True, num_threads=2, serves=True)
MASK = setting("KMP_DUPLICATE_LIB_OK", "True")
LIMIT = Limit(spec="1", set_by="%omp_limit 1", undo="%omp_limit off")
NO_MKL = setting("MKL_THREADING_LAYER", "intel")
LAYER = replace(NO_MKL, readings=(Reading(reader="mkl-service", family="mkl", state="to come"),))


# Where copies register on macOS, told from wheels: OMP107 cannot be had on Linux.
# scikit-learn 1.0.1 to 1.9.1, torch 2.2.1 to 2.6.0, faiss 1.10 to 1.15.1, Homebrew's.
ENV = replace(OMP, inode=21, owner="scikit-learn", registers="environment", coalesces=False)
SHM = replace(OMP, inode=22, owner="torch", registers="shared memory", coalesces=True)
FILE = replace(OMP, inode=23, owner="faiss-cpu", registers="file", coalesces=True)
BREW = replace(
    OMP, inode=24, owner=None, path="/opt/homebrew/opt/libomp/lib/libomp.dylib", coalesces=True
)
INSIDE = replace(OMP, inode=25, owner="faiss-cpu", static=True)  # 1.7: linked into _swigfaiss
MAC: dict[str, Any] = {"system": "macos"}
WINDOWS: dict[str, Any] = {"system": "windows"}


POOL = pool(2)
NUMBA = replace(POOL, family="numba", layer="omp", lender="/usr/lib/libgomp.so.1")
FORCED = setting("TOKENIZERS_PARALLELISM", "true")
SENT = Sending(kind="Pool", method="spawn", names=("work",))


def owner(path: str) -> ThreadOwner:
    return ThreadOwner(path=f"/env/site-packages/{path}", package=None, num_threads=3)


POLARS = owner("_polars_runtime_32/_polars_runtime.abi3.so")
TOKENIZERS = owner("tokenizers/tokenizers.abi3.so")


def package(**facts: Any) -> Package:
    given: dict[str, Any] = {
        "name": "scikit-learn",
        "reported": "1.5.2",
        "installed": "1.9.1",
        "mapped_files": 69,
        "replaced_files": 69,
        "changed_files": 68,
        "folders": ("/env/sklearn", "/env/sklearn.libs"),
        "paths": ("/env/sklearn/_x.so",),
    }
    return Package(**{**given, **facts})


def child(pool_threads: int | None, command: str = "python -m joblib") -> Child:
    return Child(
        pid=7,
        command=command,
        forked=False,
        num_os_threads=5,
        pool_threads=pool_threads,
        runtimes=("libgomp.so.1",),
    )


def counters(periods: int, throttled: int, group: str = "/pod7") -> Throttling:
    return Throttling(
        group=group, periods=periods, throttled_periods=throttled, throttled_us=1_130_000
    )


def codes(**facts: Any) -> set[str]:
    return {finding.code for finding in judge(snapshot(**facts))}


@pytest.mark.parametrize(
    ("code", "trips", "rests"),
    [
        ("OMP101", {"libraries": (IOMP, OMP)}, {"libraries": (IOMP, GOMP)}),
        ("OMP101", {"libraries": (OMP, replace(OMP, inode=9))}, {"libraries": (OMP,)}),
        (
            "OMP101",
            {"libraries": (IOMP, OMP)},
            {"libraries": (IOMP, OMP), "environment": (MASK,)},
        ),
        ("OMP101", {"libraries": (IOMP, OMP)}, {"libraries": (IOMP, replace(OMP, idle=True))}),
        (
            "OMP101",  # a copy linked into a library registers elsewhere
            {"libraries": (replace(OMP, static=True), replace(OMP, static=True, inode=9))},
            {"libraries": (IOMP, replace(OMP, static=True))},
        ),
        (
            "OMP102",
            {"libraries": (IOMP, OMP), "environment": (MASK,)},
            {"libraries": (IOMP, OMP)},
        ),
        (
            "OMP103",
            {"libraries": (GLOBAL_OMP, replace(IOMP, initialized=False, idle=True))},
            {"libraries": (GLOBAL_OMP, replace(IOMP, initialized=True, idle=True))},
        ),
        (
            "OMP103",
            {"libraries": (GLOBAL_OMP, replace(IOMP, initialized=False, idle=True))},
            {"libraries": (replace(IOMP, serves=True), replace(OMP, idle=True))},
        ),
        (
            "OMP104",
            {"libraries": (replace(GOMP, serves=True),), "environment": (LAYER,)},
            {"libraries": (GOMP,), "environment": (LAYER,)},
        ),
        (
            "OMP104",
            {"libraries": (replace(GOMP, serves=True),), "environment": (LAYER,)},
            {"libraries": (replace(GOMP, serves=True), MKL), "environment": (LAYER,)},
        ),
        (
            "OMP104",
            {"libraries": (replace(GOMP, serves=True),), "environment": (LAYER,)},
            {"libraries": (replace(GOMP, serves=True),), "environment": (NO_MKL,)},
        ),
        (
            "OMP104",
            {"libraries": (replace(GOMP, serves=True),), "environment": (LAYER,)},
            {"libraries": (replace(IOMP, serves=True),), "environment": (LAYER,)},
        ),
        ("OMP105", {"libraries": (IOMP, GOMP)}, {"libraries": (GOMP, OPENBLAS)}),
        (
            "OMP105",
            {"libraries": (IOMP, GOMP)},
            {"libraries": (replace(IOMP, serves=True), replace(GOMP, serves=False, idle=True))},
        ),
        (
            "OMP105",  # scikit-learn first, PyTorch second: each is served by its own
            {"libraries": (replace(GOMP, serves=False), replace(GOMP, serves=True, inode=9))},
            {"libraries": (replace(GOMP, serves=True), replace(GOMP, idle=True, inode=9))},
        ),
        (
            "OMP106",
            {"libraries": (OPENBLAS, replace(OPENBLAS, owner="scipy"))},
            {"libraries": (OPENBLAS,)},
        ),
        (
            "OMP110",
            {"libraries": (replace(GOMP, replaced=True),)},
            {"libraries": (replace(GOMP, replaced=None),)},
        ),
        ("OMP110", {"packages": (package(),)}, {"packages": ()}),
        ("OMP110", {"packages": (package(changed_files=0),)}, {"packages": ()}),
        (
            "OMP111",
            {"packages": (package(reported="1.9.1"),)},
            {"packages": (package(reported="1.5.2"), package(reported=None))},
        ),
        (
            "OMP111",
            {"packages": (package(reported="1.9.1"),)},
            {"packages": (package(reported="1.9.1", changed_files=0),)},
        ),
        (
            "OMP202",
            {"children": (child(2), child(2)), "budget": budget(affinity=2)},
            {"children": (child(1), child(1), child(1)), "budget": budget(affinity=2)},
        ),
        (
            "OMP202",
            {"children": (child(2), child(2)), "budget": budget(affinity=2)},
            {"children": (child(2), child(2)), "budget": budget(affinity=4)},
        ),
        (
            "OMP202",
            {"children": (child(4), child(None)), "budget": budget(affinity=4)},
            {"children": (child(8),), "budget": budget(affinity=4)},
        ),
        (
            "OMP202",  # what multiprocessing and loky start for themselves computes nothing
            {"children": (child(2), child(2)), "budget": budget(affinity=2)},
            {
                "children": (child(2), replace(child(2), helper="loky's tracker")),
                "budget": budget(affinity=2),
            },
        ),
        (
            "OMP204",  # whoever forks: multiprocessing's start method is not asked
            {"libraries": (replace(GOMP, workers=1),), "start_method": "forkserver"},
            {"libraries": (replace(GOMP, workers=0), IOMP), "start_method": "fork"},
        ),
        (
            "OMP204",  # a child that is forked under a limit of one thread asks no team
            {"libraries": (replace(GOMP, workers=1),)},
            {"libraries": (replace(GOMP, workers=1, num_threads=1),)},
        ),
        (
            "OMP204",
            {"pools": (NUMBA,)},
            {"pools": (replace(NUMBA, layer="workqueue"),)},
        ),
        (
            "OMP204",  # polars' import alone starts threads that keep house
            {"thread_owners": (POLARS,), "pools": (replace(POOL, family="polars"),)},
            {
                "thread_owners": (POLARS,),
                "pools": (replace(POOL, family="polars", num_threads=None),),
            },
        ),
        (
            "OMP204",
            {"thread_owners": (TOKENIZERS,), "environment": (FORCED,)},
            {"thread_owners": (TOKENIZERS,), "environment": (replace(FORCED, native="false"),)},
        ),
        (
            "OMP204",
            {"thread_owners": (owner("jaxlib/libjax_common.so"),)},
            {"thread_owners": (owner("pyarrow/libarrow.so.2600"), owner("mine/unknown.so"))},
        ),
        ("OMP213", {"stranded": (SENT,)}, {}),
        (
            "OMP201",  # its threads are counted once, and threads for files mostly wait
            {"pools": (pool(3),), "budget": budget(affinity=2)},
            {
                "pools": (
                    replace(pool(3), lender="/env/libgomp.so"),
                    replace(pool(8), for_io=True),
                ),
                "budget": budget(affinity=2),
            },
        ),
        (
            "OMP201",
            {"pools": (pool(3),), "budget": budget(affinity=2)},
            {"pools": (pool(2),), "budget": budget(affinity=2)},
        ),
        (
            "OMP201",
            {"pools": (pool(48),), "budget": budget(affinity=48, quota=4.0)},
            {"pools": (pool(8),), "budget": budget(affinity=48, quota=4.0)},
        ),
        (
            "OMP201",
            {"pools": (pool(None, would_use=16),), "budget": budget(affinity=2)},
            {"pools": (pool(None),), "budget": budget(affinity=2)},
        ),
        (
            "OMP205",
            {"pools": (pool(2),), "budget": budget(affinity=2, quota=0.5)},
            {"pools": (pool(2),), "budget": budget(affinity=2, quota=1.5)},
        ),
        (
            "OMP203",
            {"load": Load(interval_s=10.0, throttled_share=0.37, throttled_s=4.1)},
            {"load": Load(interval_s=10.0, throttled_share=0.01, throttled_s=0.1)},
        ),
        ("OMP203", {"throttling": (counters(42, 30),)}, {"throttling": (counters(4, 4),)}),
        (
            "OMP203",  # the group that was throttled most tells
            {"throttling": (counters(42, 30), counters(42, 0, "/"))},
            {"throttling": (counters(42, 1), counters(42, 0, "/"))},
        ),
        (
            "OMP203",
            {"throttling": (counters(42, 30),)},
            {
                "throttling": (counters(42, 30),),
                "load": Load(interval_s=1.0, throttled_share=0.0, throttled_s=0.0),
            },
        ),
        (
            "OMP206",
            {"load": Load(interval_s=10.0, used_cpus=0.98, starved_share=0.51)},
            {"load": Load(interval_s=10.0, used_cpus=3.9, starved_share=0.51)},
        ),
        (
            "OMP206",
            {"load": Load(interval_s=10.0, used_cpus=0.5, starved_share=0.51)},
            {"load": Load(interval_s=10.0, used_cpus=0.5, starved_share=0.51, throttled_share=0.9)},
        ),
        (
            "OMP206",
            {"load": Load(interval_s=10.0, used_cpus=0.5, starved_share=0.51)},
            {"load": Load(interval_s=10.0, used_cpus=0.5, starved_share=None)},
        ),
        (
            "OMP206",  # its neighbours in the cgroup use the limit up
            {"load": Load(interval_s=10.0, used_cpus=0.5, group_cpus=0.9, starved_share=0.51)},
            {"load": Load(interval_s=10.0, used_cpus=0.5, group_cpus=3.9, starved_share=0.51)},
        ),
        ("OMP303", {"environment": (MASK,)}, {"environment": (setting(MASK.name, "0"),)}),
        (
            "OMP304",
            {"environment": (setting("OMP_NUM_THREADS", "many"),)},
            {"environment": (setting("OMP_NUM_THREADS", "4,2"),)},
        ),
        (
            "OMP305",
            {"environment": (setting("MKL_THREADING_LAYER", "INTEL", python=None),)},
            {"environment": (setting("MKL_THREADING_LAYER", "INTEL"),)},
        ),
        (
            "OMP305",  # a limit sets the counts that children inherit, and no other variable
            {"environment": (setting("OMP_PROC_BIND", "true", python=None),), "limits": (LIMIT,)},
            {"environment": (setting("OMP_NUM_THREADS", "1", python=None),), "limits": (LIMIT,)},
        ),
        (
            "OMP305",
            {"environment": (setting("OMP_NUM_THREADS", "1", python=None),)},
            {"environment": (setting("OMP_NUM_THREADS", "1", python=None),), "limits": (LIMIT,)},
        ),
    ],
)
def test_rule(code: str, trips: dict[str, Any], rests: dict[str, Any]) -> None:
    assert code in codes(**trips)
    assert code not in codes(**rests)
    for finding in judge(snapshot(**trips)):
        for text in finding.remedies:
            read_remedy(text)


@pytest.mark.parametrize(
    ("ran_s", "waited_s", "share"),
    [(0.4, 1.2, None), (0.0, 0.0, None), (1.0, 3.0, 0.75), (0.5, 2.0, 0.8)],
)
def test_an_idle_process_does_not_starve(
    ran_s: float, waited_s: float, share: float | None
) -> None:
    """What it waited is a large share, of the nothing that it wanted: under 0.2 CPUs of 10 s."""
    before = Sample(0.0, 0.0, 0.0, (), {"1": (10**9, 10**9), "2": (5, 5)})
    ran_ns, waited_ns = 10**9 + int(ran_s * 1e9), 10**9 + int(waited_s * 1e9)
    after = Sample(10.0, ran_s, ran_s, (), {"1": (ran_ns, waited_ns), "2": (5, 5)})
    load = load_between(before, after, None)
    assert load.starved_share == share
    assert ("OMP206" in codes(load=load, budget=budget(affinity=2))) == (share is not None)


UNSEEN: dict[str, tuple[dict[str, Any], set[str]]] = {
    "a variable and a file": ({**MAC, "libraries": (ENV, FILE)}, {"OMP107"}),
    "shared memory and a file": ({**MAC, "libraries": (SHM, FILE)}, {"OMP107"}),
    "three places": ({**MAC, "libraries": (ENV, SHM, FILE)}, {"OMP107"}),
    "one that is linked in, and a file": ({**MAC, "libraries": (INSIDE, FILE)}, {"OMP107"}),
    "one that does not tell is new": ({**MAC, "libraries": (SHM, BREW)}, {"OMP107"}),
    "two in one place, one in another": (
        {**MAC, "libraries": (ENV, FILE, replace(FILE, inode=26, owner="torch"))},
        {"OMP101", "OMP107"},
    ),
    "masked, and one of them older": (
        {**MAC, "libraries": (ENV, FILE), "environment": (MASK,)},
        {"OMP102", "OMP303"},
    ),
    "masked, and both new": (
        {**MAC, "libraries": (SHM, FILE), "environment": (MASK,)},
        {"OMP102", "OMP107", "OMP303"},
    ),
    "masked, new and in one place": (
        {**MAC, "libraries": (FILE, replace(FILE, inode=28)), "environment": (MASK,)},
        {"OMP102", "OMP107", "OMP303"},
    ),
    "one place": (
        {**MAC, "libraries": (FILE, replace(FILE, inode=27, owner="torch"))},
        {"OMP101"},
    ),
    "a place that is not known": ({**MAC, "libraries": (FILE, BREW)}, {"OMP107"}),
    "one that is linked in, and a variable": ({**MAC, "libraries": (INSIDE, ENV)}, {"OMP101"}),
    "one that nobody calls": ({**MAC, "libraries": (ENV, replace(FILE, idle=True))}, set()),
    "one copy": ({**MAC, "libraries": (ENV, GOMP)}, set()),
    "on Windows all are in variables": ({**WINDOWS, "libraries": (ENV, FILE)}, {"OMP101"}),
    "on Linux shared ones are in /dev/shm": ({"libraries": (ENV, FILE)}, {"OMP101"}),
    "on Linux one that is linked in is another's": ({"libraries": (INSIDE, FILE)}, set()),
}


@pytest.mark.parametrize("case", UNSEEN)
def test_copies_notice_each_other_where_they_register_in_one_place(case: str) -> None:
    facts, expected = UNSEEN[case]
    duplicates = {"OMP101", "OMP102", "OMP103", "OMP107", "OMP303"}
    assert codes(**facts) & duplicates == expected
    for finding in judge(snapshot(**facts)):
        for text in finding.remedies:
            read_remedy(text)


def test_what_is_unseen_is_told_by_its_places_and_by_what_is_shared() -> None:
    (crash,) = judge(snapshot(libraries=(SHM, BREW), system="macos"))
    assert "torch in shared memory (shm_open)" in crash.why
    assert "Homebrew's libomp in a place that is not known" in crash.why
    assert "once Homebrew's libomp works in parallel" in crash.title
    assert "binds functions" in crash.why
    assert "Error #15" not in crash.title
    (apart,) = judge(snapshot(libraries=(ENV, FILE), system="macos"))
    assert "may crash in silence" in apart.title
    assert "binds functions" not in apart.why
    masked = judge(snapshot(libraries=(SHM, FILE), system="macos", environment=(MASK,)))
    told = next(each for each in masked if each.code == "OMP107")
    assert "KMP_DUPLICATE_LIB_OK, which is set, does not help" in told.why
    (error15,) = judge(snapshot(libraries=(FILE, replace(FILE, inode=29)), system="macos"))
    assert error15.code == "OMP101"
    assert "__kmp_suspend" in error15.why


def test_no_library_is_made_global_where_names_have_two_levels() -> None:
    """macOS and Windows bind a name to the library that it was linked with: RTLD_GLOBAL is void."""
    for system in ("macos", "windows"):
        for copies in ((IOMP, OMP), (ENV, FILE), (SHM, FILE, ENV), (IOMP, INSIDE)):
            for mask in ((), (MASK,)):
                facts = snapshot(libraries=copies, system=system, environment=mask)
                told = [line for each in judge(facts) for line in each.remedies]
                assert told
                assert not any("RTLD_GLOBAL" in line for line in told)
    (linux,) = judge(snapshot(libraries=(IOMP, OMP)))
    assert any("RTLD_GLOBAL" in line for line in linux.remedies)


def test_of_a_process_elsewhere_no_restart_is_told() -> None:
    first = replace(GOMP, serves=False, owner="faiss-cpu")
    serving = replace(
        GOMP, inode=9, serves=True, owner="torch", path="/e/site-packages/torch/lib/libgomp.so.1"
    )
    told = {}
    for system in ("linux", "windows"):
        (found,) = judge(snapshot(libraries=(first, serving), pid=0, system=system))
        assert found.code == "OMP105"
        told[system] = found.remedies
    one = "One runtime for all, first of all: import torch"
    both = (one, "For one cell there: %%omp_limit openmp=1")
    assert told == {"linux": both, "windows": both}


def test_an_empty_process_has_no_findings() -> None:
    assert codes() == set()


def test_findings_are_sorted_and_whole() -> None:
    facts = snapshot(
        libraries=(IOMP, OMP, GOMP, OPENBLAS, replace(OPENBLAS, owner="scipy")),
        pools=(pool(16),),
        environment=(setting("OMP_NUM_THREADS", "x"),),
    )
    found = judge(facts)
    assert [each.severity for each in found] == sorted(
        (each.severity for each in found), key=SEVERITIES.index
    )
    for each in found:
        assert each.title
        assert each.why
        assert each.evidence
        assert each.remedies
        assert each.source.startswith("https://")


def test_what_is_coming_is_judged_as_if_it_were_there() -> None:
    assert "OMP101" in {each.code for each in judge(snapshot(libraries=(IOMP,)), coming=(OMP,))}


def test_duplicate_ok_is_never_first_and_never_without_the_runtimes_warning() -> None:
    facts = snapshot(libraries=(IOMP, OMP, GOMP), environment=(NO_MKL,), packages=(package(),))
    told = [each.remedies for each in judge(facts)] + [rule.story.mend for rule in RULES]
    offered = [
        (place, line)
        for remedies in told
        for place, line in enumerate(remedies)
        if re.search(r"environ\['KMP_DUPLICATE_LIB_OK'\] = ", line)
    ]
    assert offered
    for place, line in offered:
        assert place > 0
        assert "unsafe, unsupported, undocumented" in line
        assert "silently produce incorrect results" in line


def test_a_remedy_names_the_file_the_packages_and_the_order() -> None:
    (fatal,) = judge(snapshot(libraries=(OMP, replace(IOMP, initialized=False, inode=9))))
    assert fatal.code == "OMP101"
    assert (
        "ctypes.CDLL('/env/lib/python3.12/site-packages/x.libs/libiomp5.so.1'" in fatal.remedies[0]
    )
    assert fatal.remedies[1].endswith(
        "conda create -n one-openmp -c conda-forge ipykernel faiss intel-openmp"
    )
    conda = judge(snapshot(libraries=(IOMP, OMP), conda=True))[0]
    assert conda.remedies[1].endswith(": conda install -c conda-forge faiss intel-openmp")
    torch = replace(
        GOMP, serves=True, path="/env/lib/python3.12/site-packages/torch/lib/libgomp.so.1"
    )
    (several,) = judge(snapshot(libraries=(replace(GOMP, serves=False), torch)))
    assert several.remedies[0].endswith("first of all: import torch")


def test_what_serves_already_needs_no_remedy_that_makes_it_serve() -> None:
    serving = replace(IOMP, serves=True)
    (fatal,) = judge(snapshot(libraries=(serving, replace(OMP, static=False, path="/a/libomp.so"))))
    assert fatal.code == "OMP101"
    assert not any("ctypes.CDLL" in line for line in fatal.remedies)
    torch = replace(
        GOMP, serves=True, path="/env/lib/python3.12/site-packages/torch/lib/libgomp.so.1"
    )
    later = replace(GOMP, serves=False, inode=9)
    (several,) = judge(snapshot(libraries=(torch, later)))
    assert several.code == "OMP105"
    assert several.remedies == ("For one cell: %%omp_limit openmp=1",)


def test_each_of_more_workers_than_cpus_is_to_have_one_thread() -> None:
    (crowded,) = judge(snapshot(children=(child(2),) * 3, budget=budget(affinity=2)))
    loky = tuple(replace(child(2), command="python -m joblib.externals.loky") for _ in range(3))
    (of_joblib,) = judge(snapshot(children=loky, budget=budget(affinity=2)))
    joblib, own = "inner_max_num_threads=1)", "initializer=omp_magic.worker_limits(1))"
    assert [line.endswith(own) for line in crowded.remedies[:2]] == [True, False]
    assert [line.endswith(joblib) for line in of_joblib.remedies[:2]] == [True, False]


def test_a_package_whose_name_begins_another_ones_does_not_own_its_libraries() -> None:
    other = replace(GOMP, path="/env/sklearn_extra/libgomp-1.so", replaced=True)
    found = judge(snapshot(libraries=(other,), packages=(package(),)))
    assert [each.title.split(" ")[0] for each in found] == ["scikit-learn", "GNU"]


def test_a_replaced_package_is_one_finding_with_its_runtimes() -> None:
    gone = replace(GOMP, path="/env/sklearn.libs/libgomp-1.so", replaced=True)
    facts = snapshot(libraries=(gone, replace(OPENBLAS, replaced=True)), packages=(package(),))
    found = [each for each in judge(facts) if each.code == "OMP110"]
    assert [each.title.split(" ")[0] for each in found] == ["scikit-learn", "OpenBLAS"]
    assert "1.5.2 is imported, 1.9.1 is installed" in found[0].evidence
    assert "libgomp.so.1" in found[0].evidence[0]


def test_every_rule_has_its_story() -> None:
    assert list(STORIES) == [rule.code for rule in CODES]
    for rule in CODES:
        assert rule.story.happens
        assert rule.story.seen
        assert rule.story.mend
    assert explain(" omp106 ").rule is explain("106").rule


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        *((each, "") for each in ("OMP999", "999", "OMP109", "OMP", "OMP99", "x")),
        *(("OMP1O1", "OMP101"), ("opm203", "OMP203"), ("OMP-301", "OMP301"), ("OMP2O33", "OMP203")),
    ],
)
def test_a_code_that_is_another_number_was_not_meant(word: str, meant: str) -> None:
    with pytest.raises(UnknownCodeError) as raised:
        explain(word)
    told = str(raised.value)
    assert told.startswith(f"found {word!r}; accepted: a code such as OMP101")
    assert (
        told.partition("did you mean ")[2].partition("?")[0].partition(" ")[0].rstrip(";") == meant
    )


def test_who_set_the_variable() -> None:
    (late,) = judge(snapshot(environment=(MASK,)))
    assert "threadpoolctl or scikit-learn" in late.why
    (early,) = judge(snapshot(environment=(replace(MASK, at_exec="True"),)))
    assert "before this kernel started" in early.why


def test_codes_are_unique_and_in_the_known_form() -> None:
    numbers = [rule.code for rule in CODES]
    assert len(numbers) == len(set(numbers))
    assert all(re.fullmatch(r"OMP[1234]\d\d", number) for number in numbers)
    assert all(rule.severity in SEVERITIES for rule in CODES)


def fork_finding(**facts: Any) -> Any:
    found = [each for each in judge(snapshot(**facts)) if each.code == "OMP204"]
    assert len(found) == 1
    return found[0]


def test_a_fork_is_told_with_what_will_happen_and_with_its_own_cure() -> None:
    system = library("libgomp", workers=1, owner=None, path=NUMBA.lender)
    # numba's child is killed before it waits for a libgomp that nobody else is known to use.
    killed = fork_finding(libraries=(system,), pools=(NUMBA,), start_method="fork")
    assert "killed (SIGTERM)" in killed.title
    assert "called from a process already using GNU OpenMP" in killed.why
    assert "'NUMBA_THREADING_LAYER'] = 'workqueue'" in killed.remedies[0]
    both = judge(snapshot(libraries=(replace(system, owner="torch"),), pools=(NUMBA,)))
    assert [each.title.rpartition(" will ")[2] for each in both if each.code == "OMP204"] == [
        "hang",
        "be killed (SIGTERM)",
    ]
    polars = {"thread_owners": (POLARS,), "pools": (replace(POOL, family="polars"),)}
    assert fork_finding(**polars).title == "A forked child that uses polars will hang"


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver", None])
def test_the_words_of_a_fork_are_true_of_the_start_method(method: str | None) -> None:
    facts: dict[str, Any] = {"libraries": (replace(GOMP, workers=1),), "start_method": method}
    for notebook in (False, True):
        finding = fork_finding(**facts, notebook=notebook)
        remedies = " ".join(finding.remedies)
        assert ("multiprocessing forks here" in finding.why) == (method == "fork")
        assert ("gunicorn" in finding.why) == (method != "fork")
        assert ("set_start_method" in remedies) == (method in ("fork", None))
        assert ("loky" in remedies) == notebook
        assert ("%%omp_limit openmp=1" in remedies) == notebook
        # In a notebook a start method is a cure for functions of modules alone.
        assert ("%%writefile" in remedies) == (notebook and method in ("fork", None))


@pytest.mark.parametrize(
    ("program", "command"),
    [
        ("python3.11 gunicorn", "gunicorn -w 4 server:app"),
        ("gunicorn:", "gunicorn -w 4 server:app"),
        ("python pool.py", "python program.py"),
        ("python -m ipykernel_launcher", ""),
    ],
)
def test_a_process_seen_from_outside_is_told_how_it_is_started_first(
    program: str, command: str
) -> None:
    told: dict[str, Any]
    outside = Outside(program=program, parent=1)
    told = {"outside": outside, "notebook": not command}
    facts = snapshot(children=(child(2),) * 4, budget=budget(affinity=2), **told)
    (crowded,) = (each for each in judge(facts) if each.code == "OMP202")
    start = f": omp-magic run --workers 4 -- {command}"
    assert crowded.remedies[0].endswith(start) == bool(command)
    server = "gunicorn" in program
    assert any("ProcessPoolExecutor" in line for line in crowded.remedies) != server
    unforkable = fork_finding(libraries=(replace(GOMP, workers=1),), **told)
    assert unforkable.remedies[0].endswith("(gunicorn without --preload)") == server
    assert any("set_start_method" in line for line in unforkable.remedies) != server
    for line in (*crowded.remedies, *unforkable.remedies):
        read_remedy(line)


def test_variables_are_no_remedy_for_workers_that_are_forked() -> None:
    workers = (child(2), replace(child(2), forked=True))
    for notebook in (True, False):
        facts = snapshot(children=workers, budget=budget(affinity=2), notebook=notebook)
        (finding,) = (each for each in judge(facts) if each.code == "OMP202")
        assert any("initializer=omp_magic.worker_limits(1)" in line for line in finding.remedies)
        assert not any("environ" in line for line in finding.remedies)
        assert any(line.endswith("%omp_limit 1") for line in finding.remedies) == notebook


@pytest.mark.parametrize("kind", ["Pool", "ProcessPoolExecutor", "DataLoader", "Process"])
def test_each_kind_of_sending_has_its_words(kind: str) -> None:
    (finding,) = judge(snapshot(stranded=(replace(SENT, kind=kind), replace(SENT, kind=kind))))
    assert finding.title == f"spawn cannot send work of this session to a {kind}"
    assert ("for ever" in finding.why) == (kind in ("Pool", "Process"))
    assert "AttributeError" in finding.why
