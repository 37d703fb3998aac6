"""`omp_magic.worker_limits`: a limit that a pool's workers set in themselves, for their life."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import SupportsIndex

from .facts.limits import Limit
from .here import HERE
from .limits.lasting import Lasting
from .limits.spec import parse_limit

_LOG = logging.getLogger("omp_magic")
_ASKING = 'omp_magic.worker_limits("{}")'


@dataclass(frozen=True, slots=True)
class WorkerLimits:
    """Limits the process that calls it until it ends; made by `worker_limits`.

    Parameters
    ----------
    spec
        The limit, as it is written.
    """

    spec: str

    def __call__(self, *_: object) -> None:
        """Put the limit in force here; what a pool hands to its initializer is not looked at.

        Whatever fails is one logged line: a pool whose initializer raises is broken.
        """
        try:
            told = Limit(
                spec=self.spec,
                set_by=f"omp_magic.worker_limits({self.spec!r})",
                undo="the end of this worker",
            )
            _LASTING.put(HERE.limiter, parse_limit(self.spec, asking=_ASKING), told)
        except Exception as error:  # noqa: BLE001 - law 7: the worker lives, whatever we fail at
            name = type(error).__name__
            _LOG.warning("omp_magic: this worker has no limit (%s: %s)", name, error)


_LASTING = Lasting()


def worker_limits(n: str | SupportsIndex | Mapping[str, SupportsIndex | str]) -> WorkerLimits:
    """Give what limits every pool of a worker process, for its ``initializer=``.

    It goes to the workers by pickle, however they are started, and may be given any arguments:
    `concurrent.futures.ProcessPoolExecutor`, `multiprocessing.Pool` and loky call it with none,
    PyTorch's ``DataLoader(worker_init_fn=...)`` with the worker's number. It limits the runtimes
    that are loaded there, those of a forked parent too, those that are loaded later, and, by
    variables, the worker's own children. Nothing is printed.

    Parameters
    ----------
    n
        A number of threads, or any limit that `omp_magic.limit` takes. ``"auto"`` is all CPUs
        that the worker may use, not its share of them: write ``"auto/4"`` for one of four.

    Returns
    -------
    WorkerLimits
        A callable that can be pickled.

    Raises
    ------
    LimitError
        At once, here, when `n` is no limit. What fails in a worker is logged there, in one line.

    Examples
    --------
    >>> import omp_magic
    >>> omp_magic.worker_limits(1)
    WorkerLimits(spec='1')
    """
    return WorkerLimits(parse_limit(n, asking=_ASKING, names="help(omp_magic.limit)").text)
