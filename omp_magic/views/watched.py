"""What a watched block used, as people hold it: a line, a card, a table, a plot."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from ..facts.looks import Course, Exceeded, Look
from ..facts.mime import bundle
from .signs import encodable

if TYPE_CHECKING:
    import pandas as pd


class Watched:
    """What was used while a block ran; while it runs, what was used so far.

    `str()` gives one line, a notebook shows a card with a picture. Figures are those of this
    process and of all its descendants together; omp_magic's own threads are left out.

    Parameters
    ----------
    read
        Gives what was used so far.
    release
        Tells who records that nobody wants it any more.
    """

    def __init__(self, read: Callable[[], Course], release: Callable[[], object]) -> None:
        self._read = read
        self._release = release
        self._ended: Course | None = None

    @classmethod
    def of(cls, course: Course) -> Watched:
        """Give what was recorded elsewhere."""
        made = cls(lambda: course, lambda: None)
        made._ended = course
        return made

    @property
    def course(self) -> Course:
        """All of it as frozen facts, with what each means."""
        return self._read() if self._ended is None else self._ended

    @property
    def looks(self) -> tuple[Look, ...]:
        """Look by look, the oldest first."""
        return self.course.looks

    @property
    def running(self) -> bool:
        """Whether the block still runs."""
        return self.course.running

    @property
    def wall_s(self) -> float:
        """How long it ran, in seconds."""
        return self.course.wall_s

    @property
    def cpu_s(self) -> float | None:
        """CPU time in seconds, that of children among it; None when unknown."""
        return self.course.cpu_s

    @property
    def busy_cpus(self) -> float | None:
        """CPUs busy on average; None when unknown."""
        return self.course.busy_cpus

    @property
    def peak_threads(self) -> int | None:
        """Most OS threads at one look; None when unknown."""
        return self.course.peak_threads

    @property
    def peak_processes(self) -> int | None:
        """Most processes at one look, this one among them; None when unknown."""
        return self.course.peak_processes

    @property
    def peak_rss_bytes(self) -> int | None:
        """Largest sum of resident memory: shared pages are counted in each process."""
        return self.course.peak_rss_bytes

    @property
    def peak_pss_bytes(self) -> int | None:
        """Largest sum of memory with shared pages counted once; None where it is not told."""
        return self.course.peak_pss_bytes

    @property
    def throttled_s(self) -> float | None:
        """Time in seconds in which the cgroup was stopped; None when no quota is set."""
        return self.course.throttled_s

    @property
    def exceeded(self) -> Exceeded | None:
        """That more memory was used than was to be; None when not."""
        return self.course.exceeded

    def to_frame(self) -> pd.DataFrame:
        """Give the looks as a table, one row a look; what was not read is missing.

        Returns
        -------
        pandas.DataFrame
            ``at_s`` and ``interval_s`` in seconds, ``threads``, ``processes``, ``rss_bytes``,
            ``pss_bytes`` (only some looks ask for it, since it is costly), ``cpus``,
            ``throttled_s``.
        """
        from .course_frame import course_frame  # noqa: PLC0415 - only the use of it pays

        return course_frame(self.course)

    def plot(self) -> Any:
        """Draw memory and CPUs over time.

        Returns
        -------
        matplotlib.figure.Figure or Drawing
            A figure with two axes where matplotlib is installed, made without pyplot; else a
            drawing of ours, whose ``svg`` is a text.
        """
        from .course_chart import chart_words, course_chart  # noqa: PLC0415 - as above
        from .course_frame import course_figure  # noqa: PLC0415 - as above
        from .drawing import Drawing  # noqa: PLC0415 - as above

        try:
            return course_figure(self.course)
        except ImportError:
            return Drawing(course_chart(self.course), chart_words(self.course))

    def __str__(self) -> str:
        """Give one line, and one for each thing that could not be read."""
        from .course import render_course  # noqa: PLC0415 - as above

        return encodable(render_course(self.course), sys.stdout)

    __repr__ = __str__

    def _repr_mimebundle_(
        self, include: Iterable[str] | None = None, exclude: Iterable[str] | None = None
    ) -> dict[str, str]:
        """Give text/plain and text/html."""
        return bundle({"text/plain": self.__str__, "text/html": self._html}, include, exclude)

    def _html(self) -> str:
        from .course import render_card  # noqa: PLC0415 - as above

        return render_card(self.course)

    def settle(self) -> None:
        """Keep what is there, when the block has ended."""
        course = self._read()
        if not course.running:
            self._ended = course

    def __del__(self) -> None:
        # A block that is never left must not leave a thread that looks for ever.
        if self._ended is None:
            self._release()

    def __reduce__(self) -> tuple[Any, ...]:
        """Send or save it as the facts that it is of."""
        return Watched.of, (self.course,)
