"""joblib's `Parallel`, one of its backends, or joblib itself for the backend that is active.

No backend is made for a look: that of ipyparallel would start a cluster
(ipyparallel/client/_joblib.py), and loky's executor is the one that lives.
"""

from __future__ import annotations

import sys
from typing import Any

from ..errors import RequestError
from . import engines
from .executors import LokyCrew, PoolCrew
from .pools import Here, Processes
from .port import Engine

KIND = "joblib"
_BEHIND = ("client", "_view")
"""Where a backend of another engine has it: joblib/_dask.py, ipyparallel/client/_joblib.py."""


def engine_of(asked: object) -> Engine | None:
    """Give the engine behind a Parallel, a backend or joblib's module; None for anything else.

    Raises
    ------
    RequestError
        When there is no worker now, or the backend is none that is known.
    """
    parallel: Any = sys.modules.get("joblib.parallel")
    if parallel is None:
        return None
    if isinstance(asked, parallel.Parallel):
        return _of_backend(asked._backend, asked.n_jobs)  # noqa: SLF001 - no public way
    if isinstance(asked, parallel.ParallelBackendBase):
        return _of_backend(asked, getattr(asked, "_n_jobs", None))
    if asked is sys.modules["joblib"]:
        return _active(parallel)
    return None


def _active(parallel: Any) -> Engine:
    """Give the engine of the backend that a Parallel would use now."""
    # joblib.parallel.get_active_backend() makes one where nobody has chosen.
    config = getattr(parallel._backend, "config", None) or {}  # noqa: SLF001 - as above
    backend = config.get("backend")
    jobs = config.get("n_jobs")
    if isinstance(backend, parallel.ParallelBackendBase):
        return _of_backend(backend, jobs if isinstance(jobs, int) else None)
    return _of_name(str(parallel.DEFAULT_BACKEND))


def _of_name(name: str) -> Engine:
    if name == "loky":
        return _loky(None)
    raise RequestError(
        f"joblib's backend {name}, of which there is none yet",
        "a Parallel, or joblib inside `with joblib.parallel_config(...)`",
        "%omp_cluster parallel",
    )


def _of_backend(backend: Any, jobs: int | None) -> Engine:
    """Give the engine of a backend for so many jobs; None: as many as it has."""
    name = type(backend).__name__
    for attribute in _BEHIND:
        client = getattr(backend, attribute, None)
        if client is not None:
            return engines.engine_of(client)
    if name == "RayBackend":
        return engines.engine_of(getattr(backend, "_pool", None) or sys.modules["ray"])
    number = jobs if name == "SequentialBackend" or jobs is None else backend.effective_n_jobs(jobs)
    if number == 1 or name == "SequentialBackend":
        return Here(KIND, "joblib, one job: this process", 1)
    if name == "LokyBackend":
        return _loky(getattr(backend, "_workers", None))
    if name == "ThreadingBackend":
        return Here(KIND, "joblib, threads of this process", number or 1)
    if name == "MultiprocessingBackend":
        pool = backend._pool  # noqa: SLF001 - no public way
        if pool is not None:
            return Processes(KIND, PoolCrew(pool), "joblib, multiprocessing")
        raise RequestError(
            "joblib's multiprocessing outside of a call",
            "a Parallel inside its `with`: elsewhere it has no workers",
            "with joblib.Parallel(4) as parallel: omp_magic.cluster(parallel)",
        )
    raise RequestError(
        f"joblib's {name}",
        "the backends loky, threading, multiprocessing, dask, ray, ipyparallel",
        "omp_magic.cluster(joblib.Parallel(4))",
    )


def _loky(executor: Any) -> Engine:
    """Give the engine of an executor of loky's, or of the one that joblib keeps.

    Raises
    ------
    RequestError
        When none lives.
    """
    kept = sys.modules.get("joblib.externals.loky.reusable_executor")
    alive = executor or getattr(kept, "_executor", None)
    if alive is None or not LokyCrew(alive).lives():
        raise RequestError(
            "joblib, whose loky has no worker now",
            "joblib after a call: its workers live 300 s longer",
            "joblib.Parallel(4)(joblib.delayed(abs)(i) for i in range(4)); %omp_cluster joblib",
        )
    return Processes(KIND, LokyCrew(alive), "joblib, loky")
