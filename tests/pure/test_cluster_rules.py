"""OMP401 to OMP406: workers that trip each, and workers that don't."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from madeclusters import NANNY, NUMPY, SKLEARN, TORCH, cluster, silent, sized, state_of, worker
from remedies import read_remedy

from omp_magic.facts.clusters import ENDED, WORKS, WORKS_OR_HANGS, ClusterWorker, WorkerState
from omp_magic.facts.libraries import Finding
from omp_magic.knowledge.engines import ENGINES
from omp_magic.rules.clustered import judge_cluster


def found(*workers: ClusterWorker, **facts: Any) -> dict[str, Finding]:
    given = {"title": "Dask, scheduler at tcp://10.0.0.1:8786", **facts}
    return {each.code: each for each in judge_cluster(cluster(workers, **given))}


def alike(number: int, place: int = NANNY, **facts: Any) -> list[ClusterWorker]:
    return [worker(place, n, **facts) for n in range(number)]


def other(number: int = 9, place: int = NANNY, tasks: int = 1, **facts: Any) -> ClusterWorker:
    """Give a worker whose state has other facts."""
    return worker(place, number, tasks=tasks, state=state_of(place, **facts))


def test_workers_that_are_alike_and_fit_have_nothing() -> None:
    assert found(*alike(2)) == {}
    assert found() == {}


def test_omp401_more_threads_than_cpus_of_the_host() -> None:
    (case,) = [found(*alike(4, SKLEARN, tasks=2))["OMP401"]]
    assert case.title == "4 workers on node-1 may run 16 threads at once on 2 CPUs"
    assert case.severity == "warning"
    (line,) = case.evidence
    assert line.startswith(
        "node-1: 2 CPUs (the machine has 2 CPUs); 4 workers, 2 tasks each: 8 at once; "
    )
    openmp = "GNU libgomp (scikit-learn): a pool of 2, 2 tasks at once: 4 threads in each of"
    assert f"{openmp} 4 workers: 16" in line
    openblas = "OpenBLAS (numpy): a pool of 2, 2 tasks at once: 3 threads in each of"
    assert f"{openblas} 4 workers: 12" in line
    assert case.remedies[0] == "In the workers that run: %omp_cluster client --limit auto"
    assert "OMP401" not in found(*alike(2))
    assert "OMP401" not in found(*alike(1, SKLEARN))


def test_omp401_where_tasks_alone_are_too_many() -> None:
    case = found(*alike(4))["OMP401"]
    assert "More tasks run at once than there are CPUs" in case.why
    assert "n_workers=2, threads_per_worker=1" in case.remedies[0]


def test_omp401_is_arithmetic_where_tasks_and_pools_differ() -> None:
    one = sized(state_of(NUMPY), 1)
    case = found(*(worker(NUMPY, n, tasks=2, state=one) for n in range(2)))["OMP401"]
    (line,) = case.evidence
    assert line == (
        "node-1: 2 CPUs (the machine has 2 CPUs); 2 workers, 2 tasks each: 4 at once; "
        "OpenBLAS (numpy): a pool of 1, 2 tasks at once: 2 threads in each of 2 workers: 4"
    )
    mixed = found(worker(NUMPY, 1, tasks=2), worker(NUMPY, 2, state=one))["OMP401"]
    assert (
        "2 workers, 1 to 2 tasks each: 3 at once; OpenBLAS (numpy): a pool of 1 to 2, "
        in (mixed.evidence[0])
    )


def test_omp401_says_that_a_limit_asks_for_it() -> None:
    limited = replace(sized(state_of(NUMPY), 4), limits=("4",))
    case = found(*(worker(NUMPY, n, state=limited) for n in range(2)))["OMP401"]
    assert case.why.startswith("The limit 4 in force there allows it")
    assert "as if" not in case.why
    assert case.why.endswith("%omp_cluster client --limit auto")


@pytest.mark.parametrize("address", ["inproc://10.0.0.7/1/2", "somewhere"])
def test_workers_join_a_scheduler_by_its_address_or_not_at_all(address: str) -> None:
    """`dask worker` reads no file of a scheduler that has written none."""
    case = found(*alike(4))["OMP401"]
    line = "dask worker tcp://10.0.0.1:8786 --nworkers 2 --nthreads 1"
    assert case.remedies[1] == f"In a shell of each host: {line}"
    title = f"Dask, scheduler at {address}"
    every = found(*alike(4), other(variables=()), title=title)
    for code in ("OMP401", "OMP404"):
        assert every[code].remedies
        assert not any("dask worker" in each for each in every[code].remedies)


def test_omp401_names_the_worst_host_and_counts_the_others() -> None:
    more = [worker(SKLEARN, n, host=f"pod-{n % 7}", machine=f"m{n % 7}") for n in range(2, 40)]
    case = found(*more, *alike(8, SKLEARN))["OMP401"]
    assert case.title.startswith("8 workers on node-1 may run 16 threads")
    assert case.title.endswith(", and so it is on 7 more hosts")
    assert len(case.evidence) == 5
    silent_too = found(*alike(4, SKLEARN), silent(8))["OMP401"]
    assert "may run at least 8 threads" in silent_too.title


def test_omp401_does_not_take_tasks_of_silent_workers_for_threads_that_it_knows() -> None:
    beside = silent(8, host="node-1", tasks=4)
    case = found(worker(SKLEARN, tasks=2), beside)["OMP401"]
    assert "1 worker" not in case.title
    assert "may run at least 4 threads" in case.title
    assert case.why.startswith("A pool is sized as if its worker were alone")


def test_omp401_has_a_remedy_for_dask_workers_without_a_nanny() -> None:
    told = found(*alike(1, NUMPY, tasks=2))["OMP401"].remedies
    assert told[1].endswith("client.register_plugin(omp_magic.dask_plugin())")
    assert "nannies" in told[2]


def _built(state: WorkerState, **facts: Any) -> WorkerState:
    """Give a state whose first library is another one."""
    return replace(state, libraries=(replace(state.libraries[0], **facts), *state.libraries[1:]))


def test_omp402_another_build_and_a_second_copy_are_warnings() -> None:
    numpy = state_of(NUMPY)
    other_build = _built(numpy, path="/env/lib/libscipy_openblas64_-0000.so", version="0.3.27")
    case = found(*alike(3, NUMPY), worker(NUMPY, 9, state=other_build))["OMP402"]
    assert case.severity == "warning"
    assert case.title == (
        "1 of 4 workers loads OpenBLAS (numpy) 0.3.27 (libscipy_openblas64_-0000.so), the others "
        "0.3.31.188.0 (libscipy_openblas64_-32a4b2a6.so)"
    )
    torch = state_of(TORCH)
    second = replace(torch, libraries=(*torch.libraries, state_of(SKLEARN).libraries[-1]))
    case = found(*alike(37, TORCH), *(worker(TORCH, 37 + n, state=second) for n in range(3)))[
        "OMP402"
    ]
    assert case.severity == "warning"
    assert case.title.startswith(
        "3 of 40 workers load GNU libgomp (scikit-learn), which the others"
    )
    assert "tcp://10.0.0.7:40037 (37)" in case.evidence[0]


def test_omp402_is_a_note_where_workers_have_only_not_imported_it_yet() -> None:
    case = found(*alike(3, SKLEARN), worker(NUMPY, 9))["OMP402"]
    assert case.severity == "info"
    # scipy itself loads no OpenBLAS, and one line is for all that is lacking.
    assert "client.run(exec, 'import scipy.linalg, sklearn')" in case.remedies[0]


def test_omp403_versions() -> None:
    case = found(*alike(2), other(python="3.12.1"))["OMP403"]
    assert case.title == "1 of 3 workers has Python 3.12.1, the others 3.11.7"
    newer = _built(state_of(NANNY), owner_version="2.5.0", version="0.3.40", path="/env/other.so")
    both = found(*alike(2), worker(NANNY, 9, state=newer))
    assert both["OMP403"].title == "1 of 3 workers has numpy 2.5.0, the others 2.4.6"
    assert "PipInstall(['numpy==2.4.6']" in both["OMP403"].remedies[-1]
    assert "OMP402" not in both  # its package's version says so
    assert "OMP403" not in found(*alike(2), other(prefix="/opt/conda"))


def test_omp403_offers_the_clients_version_else_that_of_most() -> None:
    """On a tie without either, any would be an arbitrary side."""
    newer = _built(state_of(NANNY), owner_version="2.5.0", version="0.3.40", path="/env/other.so")
    odd = worker(NANNY, 9, state=newer)

    def pins(*workers: ClusterWorker, own: str = "") -> list[str]:
        case = found(*workers, own_versions=(("numpy", own),))["OMP403"]
        assert "OpenBLAS (numpy): 0.3.31.188.0" in case.evidence[-1]  # what OMP402 leaves to it
        return [each.partition("PipInstall([")[2][:14] for each in case.remedies if "Pip" in each]

    assert pins(*alike(1), odd) == []
    assert pins(*alike(1), odd, own="2.5.0") == pins(*alike(2), odd, own="2.5.0")
    assert pins(*alike(1), odd, own="2.5.0") == ["'numpy==2.5.0'"]
    assert pins(*alike(2), odd, own="2.1.0") == ["'numpy==2.4.6'"]


def test_omp404_variables_but_not_those_that_an_import_sets() -> None:
    unset = other(variables=())
    case = found(*alike(3), unset)["OMP404"]
    assert case.title.startswith("1 of 4 workers has no OMP_NUM_THREADS, which the others have; 2")
    assert "'distributed.nanny.pre-spawn-environ.OMP_NUM_THREADS': '1'" in case.remedies[0]
    set_by_import = other(variables=(("KMP_INIT_AT_FORK", "FALSE"),), place=NUMPY)
    assert "OMP404" not in found(*alike(3, NUMPY), set_by_import)
    by_hand = other(variables=(("KMP_DUPLICATE_LIB_OK", "1"),), place=NUMPY)
    assert "OMP404" in found(*alike(3, NUMPY), by_hand)


def test_omp404_quotes_what_a_worker_has() -> None:
    evil = (("OMP_NUM_THREADS", "1'}); import os #"),)
    case = found(other(1, variables=evil), other(2, variables=evil), other(3, variables=()))[
        "OMP404"
    ]
    assert repr("1'}); import os #") in case.remedies[0]
    assert "OMP_NUM_THREADS='1'\"'\"'}); import os #'" in case.remedies[1]


def test_omp405_a_silent_worker() -> None:
    case = found(*alike(1), silent(7, why="lost"))["OMP405"]
    assert case.title == "1 of 2 workers has not answered"
    assert case.evidence == ("tcp://10.0.0.7:40007 on 10.0.0.7: lost",)
    (anew,) = case.remedies
    assert "loses the results" in anew.partition(":")[0]
    assert anew.endswith(": client.restart_workers(['tcp://10.0.0.7:40007'])")
    assert "--pid 12" in found(*alike(1), silent(7, pid=12))["OMP405"].remedies[0]
    absent = silent(0, address="worker 0", host="")
    waited = "It may be starting, wait for it: client.wait_for_workers(2, timeout=60)"
    assert found(*alike(1), absent)["OMP405"].remedies == (waited,)
    both = found(*alike(1), absent, silent(7))["OMP405"].remedies
    assert both[0] == waited.replace("(2,", "(3,")
    assert "40007" in both[1]
    none = found(*(silent(n) for n in range(9)))["OMP405"]
    assert none.title == "None of 9 workers has answered"
    assert none.evidence[-1] == "and 5 more"


def test_omp405_does_not_ask_a_nanny_that_is_not_there() -> None:
    """`Client.restart_workers` raises a ValueError then."""
    (told,) = found(*alike(1), silent(7, anew=False, tasks=3))["OMP405"].remedies
    assert told.endswith("dask worker tcp://10.0.0.1:8786 --nworkers 1 --nthreads 3")
    inside = found(*alike(1), silent(7, anew=False), title="Dask, scheduler at inproc://a/1/2")
    (told,) = inside["OMP405"].remedies
    assert told == "Ask again, and wait longer: %omp_cluster client --timeout 60"
    (told,) = found(*alike(1), silent(7, why=f"{ENDED}: so", anew=True))["OMP405"].remedies
    assert told.endswith("%omp_cluster client")


def engine(why: str, **facts: Any) -> Finding:
    lost = silent(7, why=f"no answer in 10 s: {why}", address="engine 3", **facts)
    given = {"engine": "ipyparallel", "title": "ipyparallel, profile default"}
    return found(*alike(1), lost, **given)["OMP405"]


def test_omp405_of_an_engine_whose_client_did_not_start_it() -> None:
    """`rc.cluster` is None then."""
    (told,) = engine("lost", anew=True).remedies
    assert "loses all their variables" in told.partition(":")[0]
    assert told.endswith("rc.cluster.restart_engines_sync()")
    (told,) = engine("lost", anew=False).remedies
    assert told.endswith(": ipengine --profile=default")


@pytest.mark.parametrize("why", [WORKS, WORKS_OR_HANGS])
def test_omp405_is_a_note_where_the_worker_works(why: str) -> None:
    case = engine(why, anew=True)
    wait = "Wait until it is done, or ask for longer: %omp_cluster rc --timeout 30"
    assert (case.severity, case.remedies) == ("info", (wait,))
    assert "killed" not in case.why
    dead = found(*alike(1), silent(1, why=f"no answer in 1 s: {why}"), silent(2))["OMP405"]
    assert dead.severity == "warning"
    assert "40002" in dead.remedies[0]
    assert "40002" in dead.evidence[0]


def test_omp406_numbers_of_cpus() -> None:
    case = found(*alike(2), other(budget_cpus=1.0))["OMP406"]
    assert (case.severity, case.title) == (
        "info",
        "1 of 3 workers may use 1 CPU, the others 2 CPUs",
    )
    assert "OMP406" not in found(*alike(2))


@pytest.mark.parametrize("engine", [*ENGINES, "another"])
def test_every_remedy_is_in_the_engines_words_and_runs_as_it_stands(engine: str) -> None:
    numpy = _built(state_of(SKLEARN), owner_version="2.5.0")
    odd = replace(numpy, python="3.12.0", budget_cpus=1.0, variables=(("OMP_NUM_THREADS", "2"),))
    every = found(
        *alike(9, SKLEARN),
        worker(SKLEARN, 10, state=odd),
        worker(NUMPY, 11),
        silent(12),
        engine=engine,
    )
    assert set(every) == {f"OMP40{n}" for n in range(1, 7)}
    crowded = found(*alike(4), engine=engine)["OMP401"]
    for finding in (*every.values(), crowded):
        assert finding.evidence
        assert finding.remedies
        assert finding.source.startswith("https://")
        for remedy in finding.remedies:
            read_remedy(remedy)
