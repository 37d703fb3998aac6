"""The magics that measure and plan: sweeps, plans, watches. A part of `magics.OmpMagics`."""

from __future__ import annotations

from argparse import SUPPRESS
from typing import TYPE_CHECKING, Any

from IPython.core.magic import cell_magic, line_magic
from IPython.core.magic_arguments import argument, magic_arguments

from .asking import parsed

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from ..facts.plans import Plan


class Measuring:
    """Adds its magics to the class that inherits it: `magics_class` takes all that were marked."""

    _shell: InteractiveShell

    @magic_arguments()
    @argument("threads", nargs="*", help="thread counts; chosen when none is named")
    @argument("-r", "--repeats", type=int, help="measured runs a point, 5 if not said")
    @argument("--pool", metavar="NAME", help="only these pools: blas, openmp, a family, a package")
    @argument("--setup", metavar="CODE", help="run before each run, not measured")
    @argument("--workers", metavar="1,2,4", help="worker counts: the cell finds each in `workers`")
    @argument("-o", "--output", metavar="NAME", help="also keep the answer in this variable")
    @argument("-h", "--help", action="store_true", help=SUPPRESS)
    @cell_magic
    def omp_sweep(self, line: str, cell: str) -> Any:
        """Run a cell with 1, 2, 4 ... threads, and say how many are best.

        The cell runs many times, in this session: what it prints is shown once. Runs that others
        disturbed are repeated; Ctrl-C ends it and keeps what is done::

            %%omp_sweep 1 2 4 -r 7 --setup "b = a.copy()"
            a @ b

        It gives a Sweep: to_frame() has every point, plot() draws, apply() limits the session to
        the best.
        """
        __tracebackhide__ = True
        accepted = "[1 2 4 ...] -r N, --pool NAME, --setup CODE, --workers 1,2,4, -o NAME"
        options = parsed(self.omp_sweep, line, accepted, "%%omp_sweep 1 2 4 -r 7")
        if options is None:
            return None
        from .sweeping import swept  # noqa: PLC0415 - only the use of it pays

        return swept(self._shell, options, line, cell)

    @magic_arguments()
    @argument("--workers", type=int, metavar="N", help="processes; as many as fit when not said")
    @argument("--memory", metavar="SIZE", help="memory that a worker needs: 500MB, 2GiB")
    @argument("-h", "--help", action="store_true", help=SUPPRESS)
    @line_magic
    def omp_plan(self, line: str) -> Plan | None:
        """Divide the CPUs allowed between worker processes and their pools.

        It gives the threads for each worker, the variables and the initializer that set them, a
        line for each kind of pool, and how many workers the memory is enough for::

            %omp_plan --workers 4 --memory 500MB
        """
        accepted = "--workers N, --memory SIZE"
        options = parsed(self.omp_plan, line, accepted, "%omp_plan --workers 4 --memory 500MB")
        if options is None:
            return None
        from .planning import planned  # noqa: PLC0415 - only the use of it pays

        found = planned(options)
        return None if line.rstrip().endswith(";") else found

    @magic_arguments()
    @argument("--interval", type=float, help="seconds between two looks, 0.02 to 60")
    @argument("--memory", metavar="SIZE", help="warn when all together use more: 8GB")
    @argument("-o", "--output", metavar="NAME", help="also keep the record in this variable")
    @argument("-h", "--help", action="store_true", help=SUPPRESS)
    @cell_magic
    def omp_watch(self, line: str, cell: str) -> Any:
        """Record what a cell and its child processes use: threads, memory, CPUs, throttling.

        One line tells the peaks when the cell has ended; with -o a name has the record, whose
        to_frame() and plot() have the course. With --memory a line warns as soon as they
        use more together::

            %%omp_watch --memory 8GB -o seen
            results = [work(item) for item in items]
        """
        __tracebackhide__ = True
        accepted = "--interval SECONDS, --memory SIZE, -o NAME"
        options = parsed(self.omp_watch, line, accepted, "%%omp_watch --memory 8GB -o seen")
        if options is None:
            return None
        from .watching import watched  # noqa: PLC0415 - only the use of it pays

        return watched(self._shell, options, line, cell)
