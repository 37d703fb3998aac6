"""Run a cell's body from inside a cell magic so that nobody can tell the difference.

`InteractiveShell.run_cell` is the wrong tool: it makes the reply 'ok' after an error, so that
Run-All goes on, ignores ``;``, fails on top-level await and fires the cell events twice. Here
the body's nodes run through `run_ast_nodes` into the `ExecutionResult` of the cell that is
running, under that cell's own name and line numbers. The body's text is never indented or
templated. Where another magic runs ours (``%%timeit``, ``%%time``, ``%%prun``), the body is its
affair: the error is raised and the value returned to it. Works from IPython 7.34 on.
"""

from __future__ import annotations

import ast
import inspect
import io
import sys
import tokenize

from IPython.core.error import InputRejected

from .awaiting import real_name

TYPE_CHECKING = False  # typing.TYPE_CHECKING would cost an import
if TYPE_CHECKING:
    from collections.abc import Coroutine
    from contextlib import AbstractContextManager
    from types import CodeType
    from typing import Any

    from IPython.core.interactiveshell import InteractiveShell

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
) -> Any:
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
    object
        A coroutine when the body has a top-level await; `AwaitBodies` makes the cell await it.
        The last expression's value where another magic or function called ours, otherwise None:
        the cell has it already.

    A body that is no Python is shown as the shell shows it, and `around` is not entered.
    """
    __tracebackhide__ = True
    # The running cell's ExecutionResult: what the reply, Out and Run-All go by.
    own = _own_result(shell, header.split(maxsplit=1)[0])
    try:
        tree, name, transformed = _compiled(shell, own, header, body)
    except (SyntaxError, ValueError, OverflowError, InputRejected) as error:
        if own is None:
            raise
        _show_as_no_python(shell, own, error)
        return None
    if own is None:
        return _called(shell, around, _codes(shell, tree, name))
    # Cells of an .ipy file are silent. That %%time is silenced below us is IPython's affair.
    silent = own.info.silent or ends_with_semicolon(transformed)
    interactivity = "none" if silent else shell.ast_node_interactivity

    async def run() -> None:
        with around:
            await shell.run_ast_nodes(
                tree.body, name, interactivity=interactivity, compiler=shell.compile, result=own
            )

    if shell.should_run_async(body, transformed_cell=transformed):
        return run()
    _finish(run())
    return None


def codes_of(shell: InteractiveShell, header: str, body: str) -> list[CodeType] | None:
    """Compile a body as `run_body` does, for whoever runs it more than once.

    Returns
    -------
    list of code or None
        A last expression stands apart. None when it is no Python, which is shown then.

    Raises
    ------
    SyntaxError, ValueError, OverflowError, InputRejected
        When it is no Python and another magic or function called ours.
    """
    own = _own_result(shell, header.split(maxsplit=1)[0])
    try:
        tree, name, _ = _compiled(shell, own, header, body)
        return _codes(shell, tree, name)
    except (SyntaxError, ValueError, OverflowError, InputRejected) as error:
        if own is None:
            raise
        _show_as_no_python(shell, own, error)
        return None


def fail_as_the_cell(
    shell: InteractiveShell, magic: str, codes: list[CodeType], error: BaseException
) -> None:
    """Let the running cell fail with what its body raised, as if no magic had run it.

    Raises
    ------
    BaseException
        The error, where another magic or function called ours.
    """
    __tracebackhide__ = True
    own = _own_result(shell, magic)
    if own is None:
        raise error
    files, traceback = {code.co_filename for code in codes}, error.__traceback__
    while traceback is not None and traceback.tb_frame.f_code.co_filename not in files:
        traceback = traceback.tb_next
    shown = (type(error), error, traceback or error.__traceback__)
    shell.showtraceback(shown, running_compiled_code=True)
    own.error_in_exec = error


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


def _show_as_no_python(shell: InteractiveShell, own: Any, error: Exception) -> None:
    """Do what run_cell does with a cell that is no Python: the user's lines, none of ours."""
    if isinstance(error, InputRejected):
        shell.showtraceback((type(error), error, None))
    else:
        shell.showsyntaxerror()
    own.error_in_exec = error


def _compiled(
    shell: InteractiveShell, own: Any, header: str, body: str
) -> tuple[ast.Module, str, str]:
    """Give the body's tree, the name it is filed under, and its transformed text."""
    result = own or getattr(shell.displayhook, "exec_result", None)
    raw = getattr(getattr(result, "info", None), "raw_cell", None) or ""
    transformed = shell.transform_cell(body)
    # The shell strips the blank lines that the body begins with.
    blank = _blank_lines(body) - _blank_lines(transformed)
    source = _lines_above(raw, header, body) + "\n" * blank + transformed
    number = getattr(result, "execution_count", None) or shell.execution_count
    # Debuggers know the cell by its raw text. A part of it must not be shown in its place.
    raw = raw if own else source
    try:
        name = shell.compile.cache(source, number, raw_code=raw or source)
    except TypeError:  # IPython 7 has no raw_code.
        name = shell.compile.cache(source, number)
    return shell.transform_ast(shell.compile.ast_parse(source, filename=name)), name, transformed


def _own_result(shell: InteractiveShell, magic: str) -> Any:
    """Give the `ExecutionResult` of what runs now if that is our magic's call and nothing else.

    None when the call is a part of more: ``%%timeit`` would show an error or a value hundreds of
    times and then a timing, ``%%prun`` and a loop would go on after an error. `run_ast_nodes` is
    the one that knows the statement in all of IPython 7.34 to 9.
    """
    frame = sys._getframe(1)  # noqa: SLF001 - inspect.currentframe is this and a check
    while frame.f_code.co_name != "run_ast_nodes":
        if frame.f_back is None:
            return None
        frame = frame.f_back
    names = frame.f_locals
    match names.get("nodelist"):
        case [ast.Expr(value=ast.Await(value=call))] | [ast.Expr(value=call)]:
            pass
        case _:
            return None
    match call:
        case ast.Call(
            func=ast.Attribute(attr="run_cell_magic"), args=[ast.Constant(value=str(name)), _, _]
        ) if real_name(shell, name) == magic:
            return names.get("result")
    return None


def _codes(shell: InteractiveShell, tree: ast.Module, name: str) -> list[CodeType]:
    """Compile a body, its last statement apart when that is an expression."""
    compiler: Any = shell.compile  # its stubs know texts only
    with compiler.extra_flags(ast.PyCF_ALLOW_TOP_LEVEL_AWAIT if shell.autoawait else 0):
        match tree.body:
            case [*nodes, ast.Expr(value=last)]:
                above = compiler(ast.Module(nodes, []), name, "exec")
                return [above, compiler(ast.Expression(last), name, "eval")]
        return [compiler(tree, name, "exec")]


def _called(
    shell: InteractiveShell, around: AbstractContextManager[object], codes: list[CodeType]
) -> Any:
    """Run a body as a function would run it, and give the last expression's value."""
    __tracebackhide__ = True
    names, value = (shell.user_global_ns, shell.user_ns), None

    async def run() -> object:
        __tracebackhide__ = True
        with around:
            for code in codes:
                value = eval(code, *names)  # noqa: S307 - the user's cell
                if code.co_flags & inspect.CO_COROUTINE:
                    value = await value
        return value

    if any(code.co_flags & inspect.CO_COROUTINE for code in codes):
        return run()
    # Not through a coroutine: it makes a RuntimeError of the user's StopIteration.
    with around:
        for code in codes:
            value = eval(code, *names)  # noqa: S307 - the user's cell
    return value


def _blank_lines(code: str) -> int:
    """Count the blank lines that code begins with."""
    return code[: len(code) - len(code.lstrip())].count("\n")


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
