"""OMP210, OMP212 and OMP214: what ends a process and is no duplicate."""

from __future__ import annotations

from collections.abc import Iterator

from ..facts.libraries import Library
from ..facts.snapshots import Snapshot
from ..facts.tasks import TaskBound
from ..knowledge.envvars import threads_in
from .rule import Case, Rule, bringer, described

_LEAST_BUFFERS = 50
_MORE_BUFFERS = 512
"""What OpenBLAS adds once when its buffers are used up (NEW_BUFFERS in driver/others/memory.c)."""


def next_pool(snapshot: Snapshot) -> int:
    """Give the threads that the pool of the next import has: by a variable, or one a CPU.

    OpenBLAS and libgomp count the CPUs of the affinity mask.
    """
    sizes = []
    for reader, names in (
        ("libgomp", ("OMP_NUM_THREADS",)),
        ("openblas", ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS")),
    ):
        settings = [setting for name in names if (setting := snapshot.setting(name)) is not None]
        told = [threads_in(reader, each.name, each.native) for each in settings if each.native]
        sizes.append(next(filter(None, told), snapshot.budget.affinity_cpus))
    return max(sizes)


def room_words(bound: TaskBound) -> str:
    """Give what is used of a limit: ``13 of 15 tasks (pids.max of /pod7)``."""
    where = f" of {bound.where}" if bound.where else ""
    return f"{bound.used} of {bound.limit} tasks ({bound.name}{where})"


def few_tasks_left(snapshot: Snapshot) -> bool:
    """Tell whether the next pool cannot start: too few threads are left for it."""
    free = snapshot.tasks.free if snapshot.tasks is not None else None
    return free is not None and _is_little(snapshot, free)


def _is_little(snapshot: Snapshot, free: int) -> bool:
    wanted = snapshot.tasks.wanted if snapshot.tasks is not None else 0
    coming = next_pool(snapshot) - 1
    return free < max(wanted, coming, 2 if coming else 0)


def _no_room(snapshot: Snapshot, _libraries: tuple[Library, ...]) -> Iterator[Case]:
    tasks = snapshot.tasks
    bound = tasks.binding if tasks is not None else None
    if tasks is None or bound is None or not _is_little(snapshot, bound.free or 0):
        return
    want = f"pools still to start want {tasks.wanted}"
    if not tasks.wanted:
        want = f"the next pool may want {next_pool(snapshot) - 1}"
    evidence = [f"{bound.file}: {bound.limit}, used {bound.used}"]
    evidence += [f"{each.name} has yet to start {each.threads}" for each in tasks.wants]
    if bound.refused:
        evidence.append(f"refused here so far: {bound.refused} (pids.events)")
    raised = "Ask for more tasks (docker run --pids-limit, podPidsLimit, TasksMax of systemd)"
    if bound.source == "RLIMIT_NPROC":
        raised = "Ask for more tasks (ulimit -u, or nproc in limits.conf)"
    elif not bound.where:
        raised = f"Ask an administrator for a higher {bound.name}"
    yield Case(
        title=f"{room_words(bound)} are used, {want}",
        why=(
            "A thread that cannot start ends more than its pool: libgomp exits this process, "
            "OpenBLAS ends the import in a KeyboardInterrupt that nobody pressed and hangs at its "
            "next large operation, Python's own threads raise RuntimeError."
        ),
        evidence=tuple(evidence),
        remedies=("Start no more threads than this one: %omp_limit 1", raised),
    )


def _without_workers(_snapshot: Snapshot, libraries: tuple[Library, ...]) -> Iterator[Case]:
    for library in libraries:
        if not library.missing:
            continue
        yield Case(
            title=(
                f"{library.label} ({bringer(library)}) could not start {library.missing} of its "
                f"{library.missing + (library.workers or 0)} worker threads"
            ),
            why=(
                "The system refused a thread when it was loaded, and OpenBLAS raised SIGINT, which "
                "Python shows as a KeyboardInterrupt. It does not try again: importing it once "
                "more works, and the next large operation waits for these threads for ever."
            ),
            evidence=(f"{described(library)}; {library.workers} workers live",),
            remedies=(
                "Use it on one thread: %omp_limit blas=1",
                "Or restart the kernel when there is room for its threads",
            ),
        )


def _exhausted(snapshot: Snapshot, libraries: tuple[Library, ...]) -> Iterator[Case]:
    yield from _without_workers(snapshot, libraries)
    yield from _no_room(snapshot, libraries)


def _one_at_a_time(snapshot: Snapshot, _libraries: tuple[Library, ...]) -> Iterator[Case]:
    pool = next((each for each in snapshot.pools if each.layer == "workqueue"), None)
    if pool is None or pool.family != "numba":
        return
    runs = "runs" if pool.num_threads or pool.would_use is None else "will run"
    live = snapshot.python_threads
    evidence = [f"{pool.name}: threading layer workqueue, {pool.size or 'unknown'} threads"]
    if live is not None:
        evidence.append(
            f"{live.alive} Python threads live, {live.of_executors} of them in a ThreadPoolExecutor"
        )
    yield Case(
        title=f"{pool.name} {runs} on workqueue: two threads in it at once end this process",
        why=(
            "numba's workqueue layer counts its callers and calls abort() when a second Python "
            "thread enters a parallel function, or one parallel function calls another "
            '("Concurrent access has been detected"). Its other layers let both in: '
            "NUMBA_THREADING_LAYER=omp, or tbb where numba finds it."
        ),
        evidence=tuple(evidence),
        remedies=(
            (
                "After a restart of the kernel, before numba is imported: "
                "import os; os.environ['NUMBA_THREADING_LAYER'] = 'omp'"
            ),
            "Or let one thread in at a time, with a threading.Lock() around its parallel functions",
        ),
    )


def room_for_callers(library: Library) -> int | None:
    """Give the buffers of an OpenBLAS: each of its workers has one, and each call takes one.

    ``NUM_BUFFERS`` of common.h, which is twice the threads it was built for.
    """
    if library.family != "openblas" or library.max_threads is None:
        return None
    return max(_LEAST_BUFFERS, 2 * library.max_threads)


def _crowded(snapshot: Snapshot, libraries: tuple[Library, ...]) -> Iterator[Case]:
    live = snapshot.python_threads
    if live is None:
        return
    small = [
        (room - (library.workers or 0), library)
        for library in libraries
        if (room := room_for_callers(library)) is not None
    ]
    if not small:
        return
    room, library = min(small, key=lambda each: each[0])
    # The main thread waits for the others as a rule.
    callers = max(live.of_executors, live.alive - 1)
    if callers < room:
        return
    most = room + _MORE_BUFFERS
    yield Case(
        title=(
            f"{callers} Python threads, and {library.label} ({bringer(library)}) has room for "
            f"{room} callers at once"
        ),
        why=(
            f"This build is for {library.max_threads} threads (MAX_THREADS) and has twice as many "
            "buffers; each call takes one. When they are used up OpenBLAS warns that "
            '"precompiled NUM_THREADS exceeded", and builds before 0.3.18 end the process. '
            f"From {most} on this one ends it too."
        ),
        evidence=(
            f"{described(library)}; MAX_THREADS={library.max_threads}",
            f"{live.alive} Python threads live, {live.of_executors} in a ThreadPoolExecutor",
        ),
        remedies=(
            (
                "End the large pool and make one as large as there are CPUs: "
                "from concurrent.futures import ThreadPoolExecutor; executor.shutdown(); "
                f"executor = ThreadPoolExecutor({snapshot.budget.threads})"
            ),
        ),
    )


RULES = (
    Rule(
        code="OMP210",
        severity="error",
        summary="threads are nearly used up: the next pool cannot start",
        source="https://github.com/OpenMathLib/OpenBLAS/issues/1668",
        look=_exhausted,
    ),
    Rule(
        code="OMP212",
        severity="error",
        summary="a pool that ends the process when two threads enter it at once",
        source="https://numba.readthedocs.io/en/stable/user/threading-layer.html",
        look=_one_at_a_time,
    ),
    Rule(
        code="OMP214",
        severity="warning",
        summary="more threads may call OpenBLAS at once than it was built for",
        source="https://github.com/OpenMathLib/OpenBLAS/issues/4216",
        look=_crowded,
    ),
)
