"""OMP202, OMP204 and OMP213: what child processes do with threads, and what reaches them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..facts.cpus import cpus_words
from ..facts.libraries import Library, Pool
from ..facts.snapshots import Snapshot
from ..knowledge.commands import is_forking_server
from ..knowledge.forks import BY_KEY, DOOMED, HANGS, Fork, fork_of, is_on
from .hanging import forked_and_waiting, forked_from_team
from .rule import Case, Rule, named

if TYPE_CHECKING:
    from ..facts.processes import Child
    from ..facts.sends import Sending

_MOST_TERMS = 8
LOKY = (
    "With joblib's loky, whose workers start anew and get functions of the notebook by value: "
    "from joblib import Parallel, delayed; "
    "results = Parallel(n_jobs=2)(delayed(work)(item) for item in items)"
)
MODULE = (
    "Or with functions of a module, which a cell that begins with %%writefile work.py writes and "
    "the next one imports: "
)
FORKSERVER = "import multiprocessing; multiprocessing.set_start_method('forkserver', force=True)"
ONE_PROCESS = (
    "In PyTorch, load data in this process: "
    "from torch.utils.data import DataLoader; loader = DataLoader(dataset, num_workers=0)"
)
ONE_THREAD = (
    "Or fork children whose libraries have one thread each; "
    "the first line of the cell that forks: %%omp_limit openmp=1"
)
JOBLIB = "import joblib; joblib.parallel_config('loky', inner_max_num_threads={})"
INITIALIZER = (
    "import omp_magic; from concurrent.futures import ProcessPoolExecutor; "
    "pool = ProcessPoolExecutor(2, initializer=omp_magic.worker_limits({}))"
)

START = (
    "Start it with threads for its workers, its own command after the dashes: "
    "omp-magic run --workers {number} -- {command}"
)
WITHOUT_PRELOAD = (
    "Let each worker of a server load and compute by itself (gunicorn without --preload)"
)


def workers_of(snapshot: Snapshot) -> tuple[Child, ...]:
    """Give the children that work: loky's tracker imports NumPy, and has a runtime as they have."""
    return tuple(each for each in snapshot.children if not each.helper)


def _crowded(snapshot: Snapshot, _libraries: tuple[Library, ...]) -> Iterator[Case]:
    allowed = snapshot.budget.threads
    workers = workers_of(snapshot)
    sizes = [child.pool_threads or 1 for child in workers]
    if len(sizes) < 2 or max(sizes) < 2 or sum(sizes) <= allowed:
        return
    each = max(1, allowed // len(sizes))
    counted = f"{len(sizes)} workers with up to {max(sizes)} threads each"
    joblib = f"In joblib: {JOBLIB.format(each)}"
    own = f"In the line that makes another pool: {INITIALIZER.format(each)}"
    # joblib divides the CPUs by itself unless it is told otherwise: its workers are the rarer case.
    lines = [joblib, own] if any("loky" in child.command for child in workers) else [own, joblib]
    if snapshot.outside is not None and not snapshot.notebook:
        # Who looks from outside may have no line of the program's own that makes a pool: a server.
        command = "python program.py"
        if is_forking_server(snapshot.outside.program):
            command, lines = f"gunicorn -w {len(sizes)} server:app", []
        lines.insert(0, START.format(number=len(sizes), command=command))
    if snapshot.notebook:
        lines.append(f"Before any pool is made, as a line of its own: %omp_limit {each}")
    yield Case(
        title=f"{counted} on {cpus_words(snapshot.budget.cpus)}",
        why=(
            f"Together their pools have {sum(sizes)} threads. Each worker sizes its pools by the "
            "CPUs it sees and knows nothing of the others."
        ),
        evidence=(
            _sum(sizes, [child.pool_threads for child in workers], allowed),
            *(
                f"pid {child.pid}: pool of {child.pool_threads or 'unknown size'}, "
                f"{child.num_os_threads} OS threads, {'forked' if child.forked else child.command}"
                for child in workers[:8]
            ),
        ),
        remedies=tuple(lines),
    )


def _sum(sizes: list[int], known: list[int | None], allowed: int) -> str:
    """Give the sum that is compared: ``4 + 4 = 8 threads for 2 CPUs``."""
    told = " + ".join(map(str, sizes)) if len(sizes) <= _MOST_TERMS else f"{len(sizes)} pools"
    least = " at least, of some the size is not known" if None in known else ""
    return f"{told} = {sum(sizes)} threads{least}, for {allowed} CPU{'s' if allowed > 1 else ''}"


def _unforkable(snapshot: Snapshot, libraries: tuple[Library, ...]) -> Iterator[Case]:
    hangs = list(forked_and_waiting(snapshot, libraries))
    for row, case in hangs:
        yield case._replace(remedies=(*case.remedies, *_remedies(snapshot, row)))
    for case in () if hangs else forked_from_team(snapshot, libraries):
        yield case._replace(remedies=tuple(_remedies(snapshot, BY_KEY["libgomp"])))
    numba = _numba_on_openmp(snapshot)
    teams = [each for each in libraries if _has_team(each) and not _only_numbas(each, snapshot)]
    if teams:
        yield _forked(
            snapshot,
            BY_KEY["libgomp"],
            f"uses {', '.join(map(named, teams))}",
            tuple(
                f"{each.name}: {each.workers} threads of its team live, {each.path}"
                for each in teams
            ),
        )
    if numba is not None:
        lender = f", threads of {numba.lender}" if numba.lender else ""
        row = BY_KEY["numba omp"]
        yield _forked(snapshot, row, row.child, (f"numba: {numba.note}{lender}",))
    for row, evidence in _started(snapshot):
        yield _forked(snapshot, row, row.child, evidence)


def _has_team(library: Library) -> bool:
    """Tell whether libgomp has threads that a child would wait for.

    It does not ask them for a region of one thread (libgomp/team.c, gomp_team_start), and a
    forked child has the count of the thread that forks.
    """
    return library.family == "libgomp" and bool(library.workers) and library.num_threads != 1


def _numba_on_openmp(snapshot: Snapshot) -> Pool | None:
    found = (pool for pool in snapshot.pools if pool.family == "numba" and pool.num_threads)
    return next((pool for pool in found if pool.layer == "omp"), None)


def _only_numbas(library: Library, snapshot: Snapshot) -> bool:
    """Tell whether numba alone is known to call a runtime: its child does not come to wait."""
    numba = _numba_on_openmp(snapshot)
    if numba is None or numba.lender != library.path or library.owner is not None:
        return False
    return all(pool.family == "numba" for pool in snapshot.pools if pool.lender == library.path)


def _started(snapshot: Snapshot) -> Iterator[tuple[Fork, tuple[str, ...]]]:
    """Give the pools of packages that have started and do not survive a fork."""
    for owner in snapshot.thread_owners or ():
        row = fork_of(owner.path)
        if row is None or row.effect not in DOOMED:
            continue
        sizes = [pool.num_threads for pool in snapshot.pools if pool.family == row.key]
        if row.at_import and not any(sizes):
            continue
        if row.only_with and not _is_set(snapshot, row.only_with):
            continue
        yield row, (f"{row.key}: {owner.num_threads} threads live, {owner.path}",)


def _is_set(snapshot: Snapshot, name: str) -> bool:
    setting = snapshot.setting(name)
    return setting is not None and is_on(setting.native)


def _forked(snapshot: Snapshot, row: Fork, child: str, evidence: tuple[str, ...]) -> Case:
    method = snapshot.start_method
    will = "hang" if row.effect == HANGS else "be killed (SIGTERM)"
    if method == "fork":
        who = "multiprocessing forks here; subprocess and joblib's loky are not concerned."
        started = "multiprocessing starts children by fork"
    else:
        who = "Any os.fork is concerned: gunicorn --preload, uwsgi and celery fork."
        started = (
            f"multiprocessing starts children by {method} and is not concerned"
            if method
            else "multiprocessing is not imported; os.fork needs none"
        )
        if snapshot.outside is not None:
            started = "how multiprocessing starts children is not known from outside"
    return Case(
        title=f"A forked child that {child} will {will}",
        why=f"{row.why} {who}",
        evidence=(*evidence, started),
        remedies=tuple(_remedies(snapshot, row)),
    )


def _remedies(snapshot: Snapshot, row: Fork) -> Iterator[str]:
    torch = any(pool.family == "torch" for pool in snapshot.pools)
    forks = snapshot.start_method in ("fork", None)
    own = row.cures
    if row.effect != HANGS:
        yield from own
        own = ()
    if snapshot.notebook:
        yield LOKY
        if forks:
            yield MODULE + FORKSERVER
            if torch:
                yield ONE_PROCESS
        if row.key == "libgomp":
            yield ONE_THREAD
    elif snapshot.outside is not None and is_forking_server(snapshot.outside.program):
        yield WITHOUT_PRELOAD  # multiprocessing's start method is nothing to its os.fork
    else:
        if forks:
            yield f"Before pools are made, below if __name__ == '__main__': {FORKSERVER}"
            if torch:
                yield (
                    "In PyTorch: from torch.utils.data import DataLoader; loader = "
                    "DataLoader(dataset, num_workers=2, multiprocessing_context='forkserver')"
                )
        yield WITHOUT_PRELOAD
    yield from own


_MEETS = {
    "Pool": "Its workers end with AttributeError as soon as they are sent it, others take their "
    "place, and the call waits for ever.",
    "ProcessPoolExecutor": "Its worker ends with AttributeError, and the call with "
    "BrokenProcessPool.",
    "DataLoader": "Its worker ends with AttributeError, and the loader says that it exited "
    "unexpectedly.",
    "Process": "The child ends with AttributeError before it runs a line; whoever waits for what "
    "it was to send waits for ever.",
}


def _unsendable(snapshot: Snapshot, _libraries: tuple[Library, ...]) -> Iterator[Case]:
    for sending in dict.fromkeys(snapshot.stranded):
        names = ", ".join(sending.names)
        yield Case(
            title=f"{sending.method} cannot send {names} of this session to a {sending.kind}",
            why=(
                f"A child that {sending.method} starts imports what it is sent by its name, and "
                "what was written in a notebook or at a prompt is in no file that it could import. "
                f"{_MEETS[sending.kind]}"
            ),
            evidence=(
                f"{names}: defined in __main__",
                f"a {sending.kind} whose processes start by {sending.method}",
            ),
            remedies=tuple(_sendable(sending)),
        )


def _sendable(sending: Sending) -> Iterator[str]:
    if sending.kind == "DataLoader":
        yield ONE_PROCESS
    else:
        yield LOKY
    yield (
        "Or put it into a module, by a cell that begins with %%writefile work.py and has its "
        "imports too, then: import work"
    )
    if sending.kind == "Pool":
        yield "To end a Pool that waits already, once the kernel is interrupted: pool.terminate()"


RULES = (
    Rule(
        code="OMP202",
        severity="warning",
        summary="workers x threads exceed the CPUs",
        source="https://joblib.readthedocs.io/en/stable/parallel.html#avoiding-over-subscription-of-cpu-resources",
        look=_crowded,
    ),
    Rule(
        code="OMP204",
        severity="warning",
        summary="a started pool does not survive a fork: a child that uses it hangs or is killed",
        source="https://gcc.gnu.org/bugzilla/show_bug.cgi?id=60035",
        look=_unforkable,
    ),
    Rule(
        code="OMP213",
        severity="warning",
        summary="a pool of processes was given functions that its start method cannot send",
        source="https://docs.python.org/3/library/multiprocessing.html#the-spawn-and-forkserver-start-methods",
        look=_unsendable,
    ),
)
