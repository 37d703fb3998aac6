"""The facts of a sweep: the same code, run with one number of threads or workers after another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from ..errors import MissingRendererError
from .libraries import Gap
from .mime import bundle
from .plain import as_plain

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One measured run.

    Parameters
    ----------
    number
        1, 2, … in the order in which they were made.
    wall_s, cpu_s
        Wall time, and CPU time of the process and of the children that ended, of one call.
    calls
        How often the code was called in a row; times are those of one call.
    setup_s
        Time that setting up took before a call; it is not in `wall_s`.
    throttled_s
        Time in which the cgroup was stopped during the run, summed over CPUs; None when there is
        no quota.
    waited_share
        Share (0 to 1) of the time in which this process's threads wanted to run that they waited
        for a CPU; None when the kernel does not tell, or they wanted hardly any.
    others_cpus
        CPUs that other processes of the machine used meanwhile; None when not known.
    peak_rss_bytes
        Largest resident memory in the run; None when not known.
    disturbed
        What spoiled the run, in words, or "".
    """

    number: int
    wall_s: float
    cpu_s: float | None = None
    calls: int = 1
    setup_s: float = 0.0
    throttled_s: float | None = None
    waited_share: float | None = None
    others_cpus: float | None = None
    peak_rss_bytes: int | None = None
    disturbed: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """What is known of one number of threads, or of one way to share the work.

    Parameters
    ----------
    threads
        Threads of each pool; of each worker, where there are workers.
    runs
        The measured runs.
    median_s
        Their median, of the undisturbed ones where there are any.
    low_s, high_s
        The median's 95 % interval, by bootstrap.
    outliers
        Runs outside of Tukey's fences (1.5 interquartile ranges); they count all the same.
    speedup
        How many times as fast as the first point; its inverse is how many times as slow.
    efficiency
        `speedup` divided by how many times more threads (and workers) it has than the first.
    cpu_s
        Median CPU time of a run; None when not known.
    peak_rss_bytes
        Largest resident memory of all its runs; None when not known.
    workers
        Worker processes or threads; 0 where the code runs in this process alone.
    kind
        How the workers were started: ``"fork"``, ``"loky"``, ``"threads"`` …, or "".
    startup_s
        Median time until all workers had run a first call; None without workers.
    sending_s
        Median time that sending the items and results took of a run's wall time; None when not
        measured.
    worker_bytes
        Largest memory that one worker had at the end of a run, shared pages divided by their
        sharers where the system tells (PSS); None when not known.
    """

    threads: int
    runs: tuple[Run, ...]
    median_s: float
    low_s: float
    high_s: float
    outliers: int
    speedup: float
    efficiency: float
    cpu_s: float | None = None
    peak_rss_bytes: int | None = None
    workers: int = 0
    kind: str = ""
    startup_s: float | None = None
    sending_s: float | None = None
    worker_bytes: int | None = None

    @property
    def disturbed(self) -> int:
        """How many of its runs were disturbed."""
        return sum(bool(run.disturbed) for run in self.runs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """A law of scaling, fitted to the points that have a CPU for each thread.

    Parameters
    ----------
    law
        ``"Amdahl"`` or ``"USL"``.
    serial
        Share of the work that does not run in parallel (Amdahl), or the contention (USL's sigma).
    crosstalk
        USL's kappa, the price of keeping each two threads coherent; 0 for Amdahl's law.
    one_thread_s
        The time of one thread, as fitted.
    residual
        Root of the mean squared relative error, 0.02 for 2 %.
    peak_threads
        Where USL's curve is lowest; None where it never turns.
    """

    law: str
    serial: float
    crosstalk: float
    one_thread_s: float
    residual: float
    peak_threads: float | None = None

    def seconds_at(self, threads: float) -> float:
        """Give what the law says for a number of threads."""
        n = threads
        loss = self.serial * (n - 1) + self.crosstalk * n * (n - 1)
        return self.one_thread_s * (1 + loss) / n


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Sweep:
    """How long code takes with one number of threads after another, and which is best.

    Parameters
    ----------
    points
        What was measured, from the fewest threads on.
    best
        The smallest number of threads within 5 % of the fastest, or within noise of it. With
        workers: the threads of each worker.
    best_workers, best_kind
        The same of workers, and their kind; 0 and "" without any.
    verdict
        The answer in a sentence.
    tone
        ``"fine"``, ``"warning"``: what the sentence is about.
    reliable
        Whether each point had a run that nothing disturbed.
    pool
        Which pools were limited: a name as `limit` takes it, or "" for all.
    allowed_cpus
        CPUs that the process may use.
    affinity_cpus
        CPUs that it may be scheduled on.
    fits
        Laws of scaling that could be fitted.
    notes
        What is to be known of the measurement: noise, disturbed runs, code that changes what it
        reads, points left out.
    left_out
        Points that were not run, with the reason: ``("8 threads", "4 took twice the best")``.
    gaps
        What could not be read.
    planned_runs
        Measured runs that would have been made without an interrupt.
    interrupted
        Whether it was ended by an interrupt.
    items
        How many items a run computes; 0 where the code does not say.
    """

    points: tuple[Point, ...]
    best: int
    verdict: str
    tone: str = "fine"
    reliable: bool = True
    best_workers: int = 0
    best_kind: str = ""
    items: int = 0
    pool: str = ""
    allowed_cpus: float = 0.0
    affinity_cpus: int = 0
    fits: tuple[Fit, ...] = ()
    notes: tuple[str, ...] = ()
    left_out: tuple[tuple[str, str], ...] = ()
    gaps: tuple[Gap, ...] = ()
    planned_runs: int = 0
    interrupted: bool = False

    actions: ClassVar[dict[str, Callable[..., Any]]] = {}
    """Filled from above: views, and what puts a limit in force. Facts import neither."""

    @property
    def spec(self) -> str:
        """The limit that the answer means: ``"2"``, ``"blas=2"``."""
        return f"{self.pool}={self.best}" if self.pool else str(self.best)

    @property
    def best_point(self) -> Point:
        """The point of `best`."""
        return next(each for each in self.points if self.is_best(each))

    @property
    def has_workers(self) -> bool:
        """Whether it compares numbers of workers."""
        return any(each.workers for each in self.points)

    def is_best(self, point: Point) -> bool:
        """Tell whether a point is the answer."""
        best = (self.best, self.best_workers, self.best_kind)
        return (point.threads, point.workers, point.kind) == best

    def apply(self) -> None:
        """Limit this session to the best number of threads: it is ``%omp_limit N``.

        Raises
        ------
        LimitError
            Where no IPython with omp_magic runs, the limit cannot be set, or workers are the
            answer: its message has the line that makes the best pool.
        """
        self._act("apply")

    def to_dict(self) -> dict[str, Any]:
        """Give it as plain dicts, lists, strings and numbers."""
        plain: dict[str, Any] = as_plain(self)
        return plain

    def to_frame(self) -> pd.DataFrame:
        """Give a row for each point; times are seconds, sizes bytes, missing where not known."""
        frame: pd.DataFrame = self._act("frame")
        return frame

    def plot(self, ax: Any = None) -> Any:
        """Draw speed-up against threads, with the ideal line and the fit; of workers the grid.

        Parameters
        ----------
        ax
            matplotlib's Axes to draw on; a new figure when None.

        Returns
        -------
        matplotlib.figure.Figure
            Or the Axes that were given. Without matplotlib (extra ``plot``) an object that shows
            the same as SVG.
        """
        return self._act("plot", ax)

    def __str__(self) -> str:
        """Give the plain text."""
        return str(self._act("text"))

    __repr__ = __str__

    def _repr_mimebundle_(
        self, include: Iterable[str] | None = None, exclude: Iterable[str] | None = None
    ) -> dict[str, Any]:
        makers = {
            "text/plain": lambda: self._act("display"),
            "text/html": lambda: self._act("html"),
        }
        return bundle(makers, include, exclude)

    def _act(self, name: str, *arguments: Any) -> Any:
        if name not in self.actions:
            raise MissingRendererError(name)
        return self.actions[name](self, *arguments)
