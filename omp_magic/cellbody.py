"""Run a cell's body from inside a cell magic so that nobody can tell the difference.

`InteractiveShell.run_cell` is the wrong tool: it makes the reply 'ok' after an error, so that
Run-All goes on, ignores ``;``, fails on top-level await and fires the cell events twice. Here
the body's nodes run through `run_ast_nodes` into the `ExecutionResult` of the cell that is
running, under that cell's own name and line numbers. The body's text is never indented or
templated. Works from IPython 7.34 on.
"""

from __future__ import annotations

import ast
import io
import tokenize

from IPython.core.error import InputRejected

TYPE_CHECKING = False  # typing.TYPE_CHECKING would cost an import
if TYPE_CHECKING:
    from collections.abc import Coroutine
    from contextlib import AbstractContextManager
    from typing import Any

    from IPython.core.interactiveshell import InteractiveShell

_PREFIX = "get_ipython().run_cell_magic("
_NO_CODE = (
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
)


def run_body(
    shell: InteractiveShell, around: AbstractContextManager[object], header: str, body: str
) -> Coroutine[Any, Any, None] | None:
    """Run `body` inside `around`, as the running cell would run it.

    Parameters
    ----------
    shell
        The shell whose cell is running.
    around
        Entered before the first statement and left after the last, on every exit.
    header
        The magic's own line, for the source shown in tracebacks.
    body
        The cell below it, as written.

    Returns
    -------
    coroutine or None
        A coroutine when the body has a top-level await; `AwaitBodies` makes the cell await it.

    A body that is no Python is shown as the shell shows it, and `around` is not entered.
    """
    # The running cell's ExecutionResult: what the reply, Out and Run-All go by.
    result = getattr(shell.displayhook, "exec_result", None)
    try:
        tree, name, transformed = _compiled(shell, result, header, body)
    except (SyntaxError, ValueError, OverflowError, InputRejected) as error:
        if result is None:
            raise
        # What run_cell does with a cell that is no Python: the user's lines, none of ours.
        if isinstance(error, InputRejected):
            shell.showtraceback((type(error), error, None))
        else:
            shell.showsyntaxerror()
        result.error_in_exec = error
        return None
    silent = ends_with_semicolon(body)
    interactivity = "none" if silent else shell.ast_node_interactivity

    async def run() -> None:
        with around:
            await shell.run_ast_nodes(
                tree.body, name, interactivity=interactivity, compiler=shell.compile, result=result
            )

    if shell.should_run_async(body, transformed_cell=transformed):
        return run()
    _finish(run())
    return None


def ends_with_semicolon(code: str) -> bool:
    """Tell whether the last token of `code` is ``;``, comments left out."""
    last = ""
    try:
        for token in tokenize.generate_tokens(io.StringIO(code).readline):
            if token.type not in _NO_CODE:
                last = token.string
    except (tokenize.TokenError, SyntaxError):
        return False
    return last == ";"


def _compiled(
    shell: InteractiveShell, result: Any, header: str, body: str
) -> tuple[ast.Module, str, str]:
    """Give the body's tree, the name it is filed under, and its transformed text."""
    raw = getattr(getattr(result, "info", None), "raw_cell", None) or ""
    transformed = shell.transform_cell(body)
    source = _lines_above(raw, header, body) + transformed
    number = getattr(result, "execution_count", None) or shell.execution_count
    try:
        name = shell.compile.cache(source, number, raw_code=raw or source)
    except TypeError:  # IPython 7 has no raw_code.
        name = shell.compile.cache(source, number)
    return shell.transform_ast(shell.compile.ast_parse(source, filename=name)), name, transformed


class AwaitBodies:
    """An input transformer that awaits our cell magics whose body has a top-level await.

    Parameters
    ----------
    shell
        The shell it is installed in.
    names
        The cell magics.
    """

    def __init__(self, shell: InteractiveShell, names: frozenset[str]) -> None:
        self._shell = shell
        self._names = names

    def __call__(self, lines: list[str]) -> list[str]:
        """Put ``await`` before ``get_ipython().run_cell_magic(…)`` where it is needed."""
        if not lines or not lines[0].startswith(_PREFIX):
            return lines
        try:
            call = ast.parse("".join(lines), mode="eval").body
            if not isinstance(call, ast.Call):
                return lines
            name, _, body = (ast.literal_eval(each) for each in call.args)
            if name not in self._names:
                return lines
            transformed = self._shell.transform_cell(body)
            if not self._shell.should_run_async(body, transformed_cell=transformed):
                return lines
        except (SyntaxError, ValueError):
            # Not a call in our form, or no Python: the cell runs as it is.
            return lines
        return ["await " + lines[0], *lines[1:]]


def _lines_above(raw: str, header: str, body: str) -> str:
    """Give the cell's lines above the body as comments, so that line numbers are the cell's."""
    cell, own = raw.rstrip(), body.rstrip()
    if "\n" in raw and own and cell.endswith(own):
        above = cell[: len(cell) - len(own)].count("\n")
        return "".join(f"#{line}\n" for line in raw.split("\n")[:above])
    return f"#%%{header}\n"


def _finish(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine that never waits, as IPython's own _pseudo_sync_runner does."""
    try:
        coroutine.send(None)
    except StopIteration:
        return
    coroutine.close()
    raise RuntimeError("a cell without top-level await has waited")
