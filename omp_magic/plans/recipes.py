"""The code that gives a plan to each kind of pool: what is copied runs where it is read.

A recipe is one for a notebook, whose functions spawn and forkserver cannot send, or for a script,
whose main module such workers import again. ``work`` and ``items`` are the reader's own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from ..facts.plans import Recipe
from ..knowledge.startmethods import FORK, FORKSERVER

PACKAGES = ("joblib", "torch", "cv2", "dask")
"""Packages that have a recipe; one that is not installed is left out."""

_WIDTH, _INDENT = 76, "    "
_GUARD = 'if __name__ == "__main__":'
"""A worker that does not fork imports the script again."""
_IN_MODULE = (
    "With work in a module, which a cell that begins with %%writefile work.py writes: workers "
    "that {method} starts cannot get functions of a notebook."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What decides how a recipe is written.

    Parameters
    ----------
    workers, threads
        The plan.
    settings
        The variables for the workers.
    method
        How multiprocessing starts workers here.
    notebook
        Whether functions of the session are in no file that a worker could import.
    unforkable
        Whether a pool has started here that a forked worker cannot use.
    packages
        Those of `PACKAGES` that are installed, with whether they are imported here.
    """

    workers: int
    threads: int
    settings: tuple[tuple[str, str], ...]
    method: str
    notebook: bool
    unforkable: bool
    packages: Mapping[str, bool] = field(default_factory=dict)

    @property
    def forked(self) -> bool:
        """Whether workers are to be forked."""
        return self.method == FORK and not self.unforkable

    @property
    def other_method(self) -> str:
        """The start method to ask for in place of fork; "" where it needs no asking."""
        return FORKSERVER if self.method == FORK and self.unforkable else ""

    @property
    def initializer(self) -> str:
        """The expression that limits a worker."""
        return f"omp_magic.worker_limits({self.threads})"


def recipes_for(around: Surroundings) -> tuple[Recipe, ...]:
    """Give the recipes: those of imported packages first, then what needs no package, then others.

    Where a fork is no way in a notebook, loky, which sends functions by value, comes first.
    """
    found = list(_all(around))
    if not around.forked and around.notebook:
        found.sort(key=lambda each: not each.place.startswith("joblib"))
    imported = [each for each in found if each.imported]
    return (*imported, *(each for each in found if not each.imported))


def _all(around: Surroundings) -> Iterator[Recipe]:
    packages = [(name, *_OF_PACKAGE[name]) for name in PACKAGES]
    for name, place, made, says in packages:
        if around.packages.get(name):
            yield Recipe(place=place, code=made(around), says=says(around), imported=True)
    yield Recipe(place="ProcessPoolExecutor", code=_executor(around), says=_sent(around))
    yield Recipe(place="multiprocessing.Pool", code=_pool(around), says=_sent(around))
    for name, place, made, says in packages:
        if around.packages.get(name) is False:
            yield Recipe(place=place, code=made(around), says=says(around))
    yield Recipe(place="threads of this process", code=_threads(around), says=_of_threads(around))
    yield Recipe(place="other programs and pools", code=_variables(around), says=_VARIABLES)


def _sent(around: Surroundings) -> str:
    if around.forked or not around.notebook:
        return ""
    return _IN_MODULE.format(method=around.other_method or around.method)


def _executor(around: Surroundings) -> str:
    head = ["from concurrent.futures import ProcessPoolExecutor", "", "import omp_magic"]
    context = ""
    if around.other_method:
        head = ["import multiprocessing", *head]
        context = f', mp_context=multiprocessing.get_context("{around.other_method}")'
    given = f"{around.workers}{context}, initializer={around.initializer}"
    return _with_pool(around, head, "ProcessPoolExecutor", given, "list(pool.map(work, items))")


def _pool(around: Surroundings) -> str:
    head = ["import multiprocessing", "", "import omp_magic"]
    call = "multiprocessing.Pool"
    if around.other_method:
        call = f'multiprocessing.get_context("{around.other_method}").Pool'
    given = f"{around.workers}, initializer={around.initializer}"
    return _with_pool(around, head, call, given, "pool.map(work, items)")


def _with_pool(around: Surroundings, head: list[str], call: str, given: str, result: str) -> str:
    """Write the block of a pool; its start method is its own, and the session's stays as it is."""
    if around.notebook and not around.forked:
        head = [*head, "from work import work"]
    block = [f"with {call}({given}) as pool:"]
    if len(block[0]) > _WIDTH - (0 if around.notebook else len(_INDENT)):
        rows = [given] if len(given) < _WIDTH - 2 * len(_INDENT) else given.split(", ")
        comma = "," if len(rows) > 1 else ""
        block = [f"with {call}(", *(f"    {row}{comma}" for row in rows), ") as pool:"]
    body = [*block, f"    results = {result}"]
    if not around.notebook:
        body = [_GUARD, *(f"{_INDENT}{each}" for each in body)]
    return "\n".join((*head, "", *body))


def _joblib(around: Surroundings) -> str:
    how = f'"loky", n_jobs={around.workers}, inner_max_num_threads={around.threads}'
    return (
        "from joblib import Parallel, delayed, parallel_config\n\n"
        f"with parallel_config({how}):\n"
        "    results = Parallel()(delayed(work)(item) for item in items)"
    )


def _torch(around: Surroundings) -> str:
    head = "from torch.utils.data import DataLoader\n\n"
    if around.notebook and not around.forked:
        return f"{head}loader = DataLoader(dataset, num_workers=0)"
    rows = ["    dataset,", f"    num_workers={around.workers},"]
    if around.other_method:
        rows.append(f'    multiprocessing_context="{around.other_method}",')
    rows.append(f"    worker_init_fn={around.initializer},")
    rows = ["loader = DataLoader(", *rows, ")"]
    if not around.notebook:
        rows = [_GUARD, *(f"{_INDENT}{each}" for each in rows)]
    return "import omp_magic\n" + head + "\n".join(rows)


def _of_torch(around: Surroundings) -> str:
    if around.notebook and not around.forked:
        return (
            "It loads in this process: workers that fork would hang, and others cannot get a "
            "dataset of the notebook."
            if around.other_method
            else f"It loads in this process: workers that {around.method} starts cannot get a "
            "dataset of the notebook."
        )
    return "torch gives each worker 1 thread of its own pool, and leaves all others as they are."


def _dask(around: Surroundings) -> str:
    call = f"LocalCluster(n_workers={around.workers}, threads_per_worker={around.threads})"
    code = "from dask.distributed import Client, LocalCluster\n\n"
    if around.notebook:
        return f"{code}client = Client({call})"
    return f"{code}{_GUARD}\n    client = Client({call})"


def _threads(around: Surroundings) -> str:
    return (
        "from concurrent.futures import ThreadPoolExecutor\n\nimport omp_magic\n\n"
        f"with omp_magic.limit({around.threads}), ThreadPoolExecutor({around.workers}) as pool:\n"
        "    results = list(pool.map(work, items))"
    )


def _of_threads(around: Surroundings) -> str:
    session = f"; for the session: %omp_limit {around.threads}" if around.notebook else ""
    return f"{_THREADS}{session}"


def _of_cv2(around: Surroundings) -> str:
    # opencv 5.0, measured; its documentation of setNumThreads calls 0 sequential.
    zero = ". 0 is one thread, too" if around.threads == 1 else ""
    return f"{around.initializer} does the same where a worker imports cv2{zero}"


def _variables(around: Surroundings) -> str:
    rows = [f'    {name}="{value}",' for name, value in around.settings]
    return "\n".join(("import os", "", "os.environ.update(", *rows, ")"))


_THREADS = "They share the pools of this process: a limit of the process holds for all"
_VARIABLES = (
    "Before they start. Workers that fork do not read them; libraries that this process loads "
    "later do."
)
_Told = Callable[[Surroundings], str]
_OF_PACKAGE: dict[str, tuple[str, _Told, _Told]] = {
    "joblib": (
        "joblib, scikit-learn's n_jobs",
        _joblib,
        lambda _: "Its workers start anew and get functions by value.",
    ),
    "torch": ("torch DataLoader", _torch, _of_torch),
    "cv2": (
        "OpenCV, in each worker",
        lambda around: f"import cv2\n\ncv2.setNumThreads({around.threads})",
        _of_cv2,
    ),
    "dask": (
        "dask.distributed",
        _dask,
        lambda _: (
            "A worker's threads are its tasks; it starts with 1 thread for OpenMP, MKL and "
            "OpenBLAS, unless a variable says otherwise."
        ),
    ),
}
