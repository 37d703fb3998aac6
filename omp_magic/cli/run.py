"""``omp-magic run``: a program with the variables that the CPUs allowed give it.

A server's start waits for this, so what is imported here is what it needs: no view, no rule. Of a
number of threads, a fix or ``-v`` the tables are loaded when it is asked for.
"""

from __future__ import annotations

import argparse
import os
import sys
from contextlib import suppress

from ..errors import OmpMagicError
from ..machine import Machine
from ..machine.becoming import become, environ_given
from ..probes.cpus.budget import probe_budget, unknown_budget
from ..starts.making import make_start, marked, users_own
from .commands import FINE, NOT_FOUND, NOT_STARTED, WRONG_USE

TYPE_CHECKING = False  # typing.TYPE_CHECKING would cost an import
if TYPE_CHECKING:
    from argparse import Namespace

    from ..facts.cpus import Budget
    from ..facts.starts import Start
    from ..starts.asking import Asked
    from .parser import Parser

TOLD = "start a program with thread counts for the CPUs it may really use"
DEFAULT = (
    "each pool has as many threads as CPUs are allowed; what is set already stays; the program "
    "takes this process's place, so that its pid, signals and exit code are its own"
)
EXAMPLE = "omp-magic run --workers 2 -- gunicorn -w 2 server:app"


def add(parser: Parser) -> None:
    """Add what it takes."""
    add_asked(parser)
    parser.add_argument("-v", "--verbose", action="store_true", help="say what is set, and why")
    parser.add_argument(
        "--dry-run", action="store_true", help="say what would be set, and start nothing"
    )
    parser.add_argument(
        "command", metavar="COMMAND", nargs=argparse.REMAINDER, help="the program and its arguments"
    )


def add_asked(parser: Parser) -> None:
    """Add what is asked of a start."""
    parser.add_argument(
        "--threads",
        metavar="SPEC",
        help="threads of each pool: N, auto, auto/N, NAME=N (default: auto); several are one word: "
        '"auto blas=1"; NAME is openmp, blas, openblas, mkl, blis, numexpr, numba, cv2, polars, '
        "blosc2, tensorflow, pyarrow-io or joblib",
    )
    parser.add_argument(
        "--workers", metavar="N", help="processes that divide the CPUs (default: 1)"
    )
    parser.add_argument(
        "--set",
        dest="sets",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="set a variable that OpenMP, a BLAS or a package's pool reads, over what is set "
        "already; NAME= takes it out",
    )
    parser.add_argument(
        "--fix",
        dest="codes",
        metavar="CODE",
        action="append",
        default=[],
        help="set what mends this finding: OMP104",
    )


def run(options: Namespace) -> int:
    """Start it."""
    command = options.command[1:] if options.command[:1] == ["--"] else options.command
    if not command and not options.dry_run:
        from ..errors import wrong  # noqa: PLC0415 - only an error pays

        return _refused(wrong("no command", "options, then a program and its arguments", EXAMPLE))
    environ = environ_given(os.environ)
    after = environ
    try:
        asked = asked_of(options)
        own, above = users_own(environ, asked)
        start = make_start(_budget(), own, asked, above)
        _tell(start, command, own, whole=options.verbose or options.dry_run)
        after = marked(start, start.environ(own), asked, above)
    except OmpMagicError as error:
        return _refused(str(error))
    except Exception as error:  # noqa: BLE001 - law 7: our failure must not keep a server from starting
        _say(f"nothing is set ({type(error).__name__}: {error})")
    if options.dry_run:
        return FINE
    try:
        return become(command, after)
    except OSError as error:
        return _not_started(command[0], error)


_ASKING = "omp-magic run {} -- python server.py"


def asked_of(options: Namespace, asking: str = _ASKING) -> Asked | None:
    """Give what the options ask of a start; None for nothing.

    Raises
    ------
    StartError
        In one line, when it cannot be followed.
    """
    if options.threads is None and options.workers is None and not options.sets + options.codes:
        return None
    from ..starts.asking import asked_for, codes_in  # noqa: PLC0415 - who asks for nothing need not wait

    codes = codes_in(options.codes)
    layers: tuple[str, ...] = ()
    if any(code.endswith("212") for code in codes):
        from ..probes.packages.numbalayer import installed_layers  # noqa: PLC0415 - as above

        layers = installed_layers()
    return asked_for(
        threads=options.threads,
        workers=options.workers,
        sets=options.sets,
        codes=codes,
        layers=layers,
        asking=asking,
    )


def _budget() -> Budget:
    try:
        return probe_budget(Machine())
    except Exception as error:  # noqa: BLE001 - law 7: our failure must not keep a server from starting
        told = f"the CPUs allowed are not known ({type(error).__name__}: {error})"
        _say(f"{told}: those of the machine are taken")
        return unknown_budget()


def _tell(start: Start, command: list[str], environ: dict[str, str], *, whole: bool) -> None:
    lines = list(start.notes)
    if whole:
        from ..views.starts import start_lines  # noqa: PLC0415 - who does not ask need not wait

        lines = start_lines(start, command, environ)
    for line in lines:
        _say(line)


def _say(line: str) -> None:
    """Tell a line where somebody listens: a daemon's stderr may be closed, or its reader gone."""
    if sys.stderr is not None:
        with suppress(OSError):
            print(f"omp-magic run: {line}", file=sys.stderr, flush=True)


def _refused(sentence: str) -> int:
    _say(sentence)
    return WRONG_USE


def _not_started(name: str, error: OSError) -> int:
    """Say why, and give the exit code that POSIX has for it (env(1), sh(1))."""
    # On PATH a file may stand where a folder should; in a path it is what env(1) cannot start.
    found = isinstance(error, FileNotFoundError)
    found = found or (isinstance(error, NotADirectoryError) and not os.path.dirname(name))
    why = error.strerror or str(error)
    if found and os.path.isfile(name):
        why = "the program that its first line names is not there"
    elif found:
        why = "there is no such program" if os.path.dirname(name) else "no such program on PATH"
    _say(f"{name if name and name.isprintable() else ascii(name)}: {why}")
    return NOT_FOUND if found else NOT_STARTED
