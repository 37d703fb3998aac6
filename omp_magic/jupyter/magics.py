"""The magics: parse the line, call down, display.

Everything but IPython is imported inside them: loading the extension must cost less than
importing threadpoolctl (benchmarks/bench.py), and the first use may cost more.
"""

from __future__ import annotations

from argparse import SUPPRESS
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError
from IPython.core.magic import Magics, line_cell_magic, line_magic, magics_class
from IPython.core.magic_arguments import argument, magic_arguments

from .asking import parsed, wrong_use
from .measuring import Measuring
from .telling import Telling

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from ..checks import Check, Checks
    from ..views.explain import Page
    from .dashboard import Panel
    from .live import Live
    from .session import Session
    from .statuses import Statuses
    from .watch import Watch

_STATUS_FLAGS = "--cpus, --probe, --env, --threads, --workers, --json, --since"


@magics_class
class OmpMagics(Measuring, Telling, Magics):
    """The magics of one shell."""

    def __init__(self, shell: InteractiveShell, watch: Watch) -> None:
        # With the shell as parent, which is the default, traitlets warns of `OmpMagics.guard`: that
        # section of a profile is read in `config`.
        super().__init__(shell, parent=None)
        self._shell = shell
        self._watch = watch
        self.session: Session | None = None
        """The session's limit, from the first `%omp_limit` on."""
        self.live: Live | None = None
        """What the dashboards share, from the first one on."""
        self.statuses: Statuses | None = None
        """The last status, from the first one on."""

    @magic_arguments()
    @argument("--cpus", action="store_true", help="also list all that bounds the CPUs")
    @argument("--probe", action="store_true", help="also measure for 0.5 s the CPUs one gets")
    @argument("--env", action="store_true", help="also list the environment variables that matter")
    @argument("--threads", action="store_true", help="also list every OS thread")
    @argument("--workers", action="store_true", help="also list every child process")
    @argument("--json", action="store_true", help="show it all as JSON")
    @argument(
        "--since",
        nargs="?",
        const="",
        metavar="NAME",
        help="what changed since the last %%omp_status, or since the snapshot NAME",
    )
    @argument("-h", "--help", action="store_true", help=SUPPRESS)
    @line_cell_magic
    def omp_status(self, line: str, cell: str | None = None) -> Any:
        """Show the OpenMP and BLAS runtimes of this kernel, their threads, and its CPUs.

        Nothing is loaded, started or changed by looking. It gives a Snapshot; a semicolon
        behind a space silences it, as in ``%omp_status --cpus ;``::

            s = %omp_status
            s.to_frame()

        With --since it gives what changed since the last one, or since a snapshot by its name.
        With a cell it runs the cell, and shows afterwards what that changed::

            %%omp_status
            import numpy
        """
        __tracebackhide__ = True
        options = parsed(self.omp_status, line, _STATUS_FLAGS, "%omp_status --cpus")
        if options is None or (cell is None and line.rstrip().endswith(";")):
            return None
        from .statuses import Statuses  # noqa: PLC0415 - see the top of the file

        if self.statuses is None:
            self.statuses = Statuses(self._shell)
        return self.statuses.answer(options) if cell is None else self.statuses.run(line, cell)

    @magic_arguments()
    @argument(
        "code",
        nargs="*",
        help="a code: OMP101 to 107, 110, 111, 201 to 214, 301 to 305, 401 to 406, or the number "
        "alone; or a word: affinity, alive, bounds, busy, cgroup, guard, helper, idle, lender, "
        "limit, neighbours, not asked, not started, pool, pressure, pss, quota, rss, runtime, "
        "serves, set, throttled, waiting, worker, workers; without it, what is found now",
    )
    @argument("-h", "--help", action="store_true", help=SUPPRESS)
    @line_magic
    def omp_explain(self, line: str) -> Page | None:
        """Explain findings at length: what happens, how it is found out, what to do.

        Alone it explains what is found in this kernel now. Words of the views have a sentence::

            %omp_explain OMP101
            %omp_explain waiting
            %omp_explain
        """
        accepted = "codes such as OMP101, words such as waiting, or nothing"
        options = parsed(self.omp_explain, line, accepted, "%omp_explain OMP101")
        if options is None:
            return None
        from .answers import explained  # noqa: PLC0415 - see the top of the file

        page = explained(options.code)
        return None if line.rstrip().endswith(";") else page

    @magic_arguments()
    @argument("modules", nargs="*", help="modules in the order of importing: torch faiss")
    @argument("--run", action="store_true", help="try the imports in a child process")
    @argument("--order", action="store_true", help="search an order that works, by running it")
    @argument("--target", metavar="SYSTEM-CPU", help="another system: macos-arm64, windows-x86_64")
    @argument("--site", metavar="FOLDER", help="another environment")
    @argument("--requirements", metavar="FILE", help="what this would install")
    @argument("-h", "--help", action="store_true", help=SUPPRESS)
    @line_magic
    def omp_check(self, line: str) -> Check | Checks | None:
        """Say what importing modules may load, and what that would do in this kernel.

        Nothing is imported: files are read. With --run a child process imports them step by
        step and uses each runtime, with --order it searches an order that works::

            %omp_check json
            %omp_check torch faiss --run
            %omp_check torch faiss --target macos-arm64
        """
        accepted = "MODULE ..., --run, --order, --target, --site, --requirements"
        options = parsed(self.omp_check, line, accepted, "%omp_check torch faiss --run")
        if options is None:
            return None
        from .answers import checked  # noqa: PLC0415 - see the top of the file

        found = checked(options)
        return None if line.rstrip().endswith(";") else found

    @magic_arguments()
    @argument("mode", nargs="*", help="warn, raise or off; status or nothing says what it is")
    @argument("-h", "--help", action="store_true", help=SUPPRESS)
    @line_magic
    def omp_guard(self, line: str) -> None:
        """Watch imports, forks and calls of process pools: warn before harm, or refuse it.

        What a library brings is known before it is mapped. With *warn* the cell says what would
        happen and what to do instead; with *raise* the import or call fails, and only a fork goes
        on; *off* takes everything out. Alone it says how it stands::

            %omp_guard raise
            %omp_guard
        """
        accepted = "warn, raise, off, status"
        options = parsed(self.omp_guard, line, accepted, "%omp_guard raise")
        if options is None:
            return
        from .answers import guarded  # noqa: PLC0415 - see the top of the file

        guarded(options.mode, self._watch, accepted)

    @magic_arguments()
    @argument(
        "spec",
        nargs="*",
        help="N threads; auto (the CPUs allowed) or auto/N; NAME=N with NAME blas, openmp, "
        "a family (openblas, mkl, blis, libgomp, libomp, libiomp5, vcomp), a package (torch, "
        "numexpr, numba, cv2, pyarrow, pyarrow-io, blosc2, lightgbm, joblib, faiss, xgboost; for "
        "children polars, tensorflow), a SONAME or a path; or off",
    )
    @argument("--no-env", action="store_true", help="child processes do not inherit the limit")
    @argument("-v", "--verbose", action="store_true", help="say after the cell what it cost")
    @argument("--record", metavar="NAME", help="append what the cell cost to this DataFrame")
    @argument("-h", "--help", action="store_true", help=SUPPRESS)
    @line_cell_magic
    def omp_limit(self, line: str, cell: str | None = None) -> Any:
        """Limit the threads of every pool, for one cell or for the session.

        For one cell, after which everything is as before. Threads, tasks and child processes
        that the cell starts have the limit too::

            %%omp_limit 2 -v --record costs
            a @ a

        For the session, until off; alone it says what is in force::

            %omp_limit blas=1 openmp=auto
            %omp_limit off
        """
        __tracebackhide__ = True
        accepted = "N, auto, auto/N, NAME=N, --no-env" + (
            ", off" if cell is None else ", -v, --record NAME"
        )
        example = "%omp_limit auto" if cell is None else "%%omp_limit 2 -v"
        options = parsed(self.omp_limit, line, accepted, example)
        if options is None:
            return None
        text = " ".join(options.spec)
        if cell is not None:
            from .cellbody import run_body  # noqa: PLC0415 - see the top of the file
            from .celllimit import limited  # noqa: PLC0415 - see the top of the file
            from .saying import spec_of  # noqa: PLC0415 - see the top of the file

            around = limited(
                self._shell,
                spec_of(text),
                env=not options.no_env,
                report=options.verbose,
                record=options.record,
            )
            return run_body(self._shell, around, f"omp_limit {line}", cell)
        if options.verbose or options.record is not None:
            flag = "-v" if options.verbose else "--record"
            found = f"found {flag} without a cell"
            raise UsageError(wrong_use("omp_limit", found, accepted, example))
        print(self._session_limit(text, env=not options.no_env))
        return None

    def _session_limit(self, text: str, *, env: bool) -> str:
        """Set, end or tell the session's limit."""
        session = self._session()
        if text == "off":
            return session.end()
        return session.set(text, env=env) if text else session.tell()

    def _session(self) -> Session:
        if self.session is None:
            from .session import Session  # noqa: PLC0415 - see the top of the file

            self.session = Session()
        return self.session

    @magic_arguments()
    @argument("what", nargs="*", help="nothing, or off to close every panel")
    @argument("--interval", type=float, help="seconds between two looks, 0.2 to 60")
    @argument("--side", action="store_true", help="in JupyterLab's sidebar, by the package sidecar")
    @argument("-h", "--help", action="store_true", help=SUPPRESS)
    @line_magic
    def omp_dashboard(self, line: str) -> Panel | None:
        """Show a panel that stays live while other cells run.

        CPUs used against CPUs allowed, each runtime with its threads, who loaded it, child
        processes, findings as they appear, and controls for limits and the guard::

            %omp_dashboard
            %omp_dashboard off

        It gives a Panel; `to_frame()` and `save("threads.csv")` have its history.
        """
        accepted = "off, --side, --interval SECONDS"
        options = parsed(self.omp_dashboard, line, accepted, "%omp_dashboard --interval 1")
        if options is None:
            return None
        from .opening import opened  # noqa: PLC0415 - see the top of the file

        return opened(options, self.live, self._made_live)

    def _made_live(self) -> Live:
        from .live import Live  # noqa: PLC0415 - see the top of the file

        self.live = Live(self._shell, self._session(), self._watch)
        return self.live

    def before_cell(self) -> None:
        """Hold the session's limit also on libraries that were loaded since."""
        if self.session is not None:
            self.session.cover()

    def end(self) -> None:
        """Take back what the magics hold."""
        for each in (self.live, self.clusters):
            if each is not None:
                each.end()
        if self.session is not None:
            self.session.end()
