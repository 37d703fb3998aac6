"""``%%omp_sweep``: a cell as a function that is run again and again.

The cell's body is compiled once, under the cell's own name and line numbers. What it shows is
shown at its first run; at the others it is thrown away.
"""

from __future__ import annotations

import ast
import inspect
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError
from IPython.utils.capture import capture_output

from ..errors import LimitError, RequestError, wrong
from ..facts.sweeps import Sweep
from ..sweeping import checked_pool, checked_repeats
from ..sweeping import swept as run_sweep
from ..sweeps.reads import Watched, names_read
from ..views.record import check_name
from .asking import unquoted, wrong_use
from .cellbody import codes_of, fail_as_the_cell
from .workersweep import EXAMPLE, NAME, check_reads, numbers_of, swept_by_workers

if TYPE_CHECKING:
    from argparse import Namespace
    from types import CodeType

    from IPython.core.interactiveshell import InteractiveShell

_NAME = "omp_sweep"


def swept(shell: InteractiveShell, options: Namespace, line: str, cell: str) -> Sweep | None:
    """Run a cell with one number of threads after another.

    Parameters
    ----------
    shell
        Whose cell it is.
    options
        The magic's line, parsed.
    line, cell
        The line, and the cell below it, as written.

    Raises
    ------
    UsageError
        When the line asks for what cannot be done; nothing was run.
    """
    __tracebackhide__ = True
    numbers, workers, repeats, pool = _asked(options)
    setup = _setup(shell, options.setup)
    codes = codes_of(shell, f"{_NAME} {line}", cell)
    if codes is None:
        return None
    if any(code.co_flags & inspect.CO_COROUTINE for code in (*codes, *setup)):
        accepted = "a cell and a setup without await outside of functions"
        raise UsageError(wrong_use(_NAME, "found await", accepted, "%%omp_sweep 1 2 4"))
    _check_workers(shell, options, codes)
    body = _Body(shell, codes)
    before = _Body(shell, setup).run if setup else None
    try:
        if before is not None:
            before()  # what it makes is what the cell reads
        reads, _ = names_read(codes)
        names = shell.user_ns
        ours = {NAME} if workers else set()

        def values() -> dict[str, Any]:
            return {name: names[name] for name in reads if name in names and name not in ours}

        options_of_both: Any = {
            "repeats": repeats,
            "pool": pool,
            "watched": Watched(values(), values, before),
            "progress": None,
            "around": body.around,
            "after_first": body.silence,
        }
        if workers is None:
            found = run_sweep(body.run, numbers, setup=before, **options_of_both)
        else:
            found = swept_by_workers(body.run, workers, numbers, names, options_of_both)
    except LimitError as error:
        raise UsageError(f"{_NAME}: {error}") from None
    except BaseException as error:  # noqa: BLE001 - the user's own: his cell fails with it
        fail_as_the_cell(shell, _NAME, [*codes, *setup], error)
        return None
    if options.output is not None:
        shell.user_ns[options.output] = found
    return found


def _asked(
    options: Namespace,
) -> tuple[tuple[int, ...] | None, tuple[int, ...] | None, int | None, str]:
    """Give (threads, workers, repeats, pool) as they were asked for."""
    try:
        numbers = numbers_of(" ".join(options.threads) or None, "threads", "%%omp_sweep 1 2 4")
        workers = numbers_of(options.workers)
        repeats = checked_repeats(options.repeats)
        pool = checked_pool(unquoted(options.pool) or "")
        if options.output is not None:
            check_name(options.output)
    except RequestError as error:
        raise UsageError(_in_one_line(error, options)) from None
    return numbers, workers, repeats, pool


def _check_workers(shell: InteractiveShell, options: Namespace, codes: list[CodeType]) -> None:
    """Refuse, in one line, what cannot be run with workers."""
    if options.workers is None:
        return
    if options.setup:
        accepted = "one of them: the cell's own workers do not see what --setup makes"
        raise UsageError(wrong_use(_NAME, "found --setup with --workers", accepted, EXAMPLE))
    check_reads(_NAME, codes, shell.user_ns)


def _in_one_line(error: RequestError, options: Namespace) -> str:
    """Give the sentence with a line of this magic as its example."""
    examples = {
        str(options.repeats): "%%omp_sweep -r 7",
        options.pool: "%%omp_sweep --pool blas",
        options.output: "%%omp_sweep 1 2 4 -o found",
        options.workers: EXAMPLE,
    }
    example = examples.get(error.found, "%%omp_sweep 1 2 4")
    return f"{_NAME}: {wrong(f'found {error.found!a}', error.accepted, example, error.near)}"


def _setup(shell: InteractiveShell, text: str | None) -> list[CodeType]:
    """Compile what runs before each run; quotes around it are still there."""
    text = unquoted(text)
    if not text:
        return []
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    try:
        code: str = shell.transform_cell(text)  # type: ignore[no-untyped-call]  # IPython has no types here
        return [compile(code, "<--setup>", "exec", flags)]
    except (SyntaxError, ValueError) as error:
        found = f"found --setup {text!r} ({error.args[0]})"
        example = '%%omp_sweep --setup "b = a.copy()"'
        raise UsageError(wrong_use(_NAME, found, "Python code", example)) from None


class _Body:
    """Code as a function. Its first run shows what it prints and displays, the others do not."""

    def __init__(self, shell: InteractiveShell, codes: list[CodeType]) -> None:
        self._names = shell.user_global_ns, shell.user_ns
        self._codes = codes
        self._silent = False

    def silence(self) -> None:
        """Throw away what further runs show."""
        self._silent = True

    def around(self) -> AbstractContextManager[object]:
        """Give what keeps a run silent; it costs 50 us and is not timed."""
        return capture_output() if self._silent else nullcontext()

    def run(self) -> None:
        """Run the code in the user's names."""
        for code in self._codes:
            eval(code, *self._names)  # noqa: S307 - the user's cell
