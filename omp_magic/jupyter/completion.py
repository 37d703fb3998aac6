"""Completion of flags and names after our magics."""

from __future__ import annotations

from .standin import NAMES

TYPE_CHECKING = False  # typing.TYPE_CHECKING would cost an import
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from IPython.core.interactiveshell import InteractiveShell


def install(shell: InteractiveShell) -> Callable[[], None]:
    """Install the completion and give the way to take it back.

    IPython 8.6 brought matchers, whose results stand alone; below it a hook is used, whose
    results are shown among Jedi's.
    """
    try:
        from IPython.core.completer import SimpleCompletion, context_matcher  # noqa: PLC0415
    except ImportError:
        return _install_hook(shell)

    @context_matcher(priority=110, identifier="omp_magic.arguments")
    def matcher(context: Any) -> dict[str, Any]:
        if "%omp_" not in context.text_until_cursor:
            return {"completions": []}
        from .candidates import candidates, fragment_of  # noqa: PLC0415 - the first completion pays

        found = candidates(shell, context.text_until_cursor)
        return {
            "completions": [SimpleCompletion(text=each, type="magic option") for each in found],
            "matched_fragment": fragment_of(context.text_until_cursor),
            "suppress": bool(found),
            "ordered": True,
        }

    matchers = shell.Completer.custom_matchers
    matchers.append(matcher)
    return lambda: matchers.remove(matcher)


def _install_hook(shell: InteractiveShell) -> Callable[[], None]:
    def complete(_: Any, event: Any) -> list[str]:
        from .candidates import candidates  # noqa: PLC0415 - the first completion pays

        return candidates(shell, event.text_until_cursor)

    signs = {"line": "%", "cell": "%%"}
    names = [f"{signs[kind]}{name}" for kind, found in NAMES.items() for name in found]
    for name in names:
        shell.set_hook("complete_command", complete, str_key=name)
    table = shell.strdispatchers["complete_command"].strs

    def take_back() -> None:
        for name in names:
            table.pop(name, None)

    return take_back
