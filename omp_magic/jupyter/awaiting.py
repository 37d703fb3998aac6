"""What a loaded extension does for cells with our magics before and after they run.

It stands apart from what runs their bodies, so that loading the extension loads this much only.
"""

from __future__ import annotations

import ast

from IPython.core.magic import MagicAlias

TYPE_CHECKING = False  # typing.TYPE_CHECKING would cost an import
if TYPE_CHECKING:
    from collections.abc import Callable

    from IPython.core.interactiveshell import InteractiveShell

_PREFIX = "get_ipython().run_cell_magic("


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
            if real_name(self._shell, name) not in self._names:
                return lines
            transformed = self._shell.transform_cell(body)
            if not self._shell.should_run_async(body, transformed_cell=transformed):
                return lines
        except (SyntaxError, ValueError):
            # Not a call in our form, or no Python: the cell runs as it is.
            return lines
        return ["await " + lines[0], *lines[1:]]


def failures(shell: InteractiveShell) -> Callable[[], None]:
    """Give what is to be called after every cell: one whose body failed has not succeeded.

    `run_cell_async` judges by the cell's own statement, which only called a magic. The exit code
    of ``ipython -c`` and the colour of the next prompt go by it.
    """

    def after_cell() -> None:
        if getattr(shell.last_execution_result, "error_in_exec", None) is not None:
            shell.last_execution_succeeded = False

    return after_cell


def real_name(shell: InteractiveShell, name: str) -> str:
    """Give the name of the cell magic that ``%alias_magic`` gave another name to."""
    seen = set()
    while name not in seen:  # An alias can stand for itself: IPython refuses when it is called.
        seen.add(name)
        magic = shell.magics_manager.magics["cell"].get(name)
        if isinstance(magic, MagicAlias):
            name = magic.magic_name
    return name
