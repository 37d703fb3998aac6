"""Completion of flags and names after ``%omp_status`` and ``%omp_limit``."""

from __future__ import annotations

import re

TYPE_CHECKING = False  # typing.TYPE_CHECKING would cost an import
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from IPython.core.interactiveshell import InteractiveShell

_NAMES = "status|explain|limit|guard|check|dashboard|plan|sweep|watch"
# An assignment may stand before a line magic: s = %omp_status --json
_LINE = rf"(?:[\w., ]+=\s*)?\s*(%{{1,2}})(omp_(?:{_NAMES}))\s(.*)"
_WORDS = ("auto", "off")


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
        found = candidates(shell, context.text_until_cursor)
        return {
            "completions": [SimpleCompletion(text=each, type="magic option") for each in found],
            "matched_fragment": _fragment(context.text_until_cursor),
            "suppress": bool(found),
        }

    matchers = shell.Completer.custom_matchers
    matchers.append(matcher)
    return lambda: matchers.remove(matcher)


def candidates(shell: InteractiveShell, before: str) -> list[str]:
    """Give what can stand at the cursor, where `before` is the line up to it."""
    match = re.fullmatch(_LINE, before.rpartition("\n")[2])
    if match is None:
        return []
    percent, name, rest = match.groups()
    kind = "line" if percent == "%" else "cell"
    magic = shell.magics_manager.magics[kind].get(name)
    if magic is None:
        return []
    fragment = _fragment(before)
    used = rest[: len(rest) - len(fragment)].split()
    options = [
        option
        for action in magic.parser._actions  # noqa: SLF001 - argparse has no public way
        for option in action.option_strings
        if option not in used and option.startswith("--" if fragment != "-v" else "-")
    ]
    if name == "omp_limit":
        from ..limits.spec import NAMES  # noqa: PLC0415 - the first completion pays

        words = [word for word in _WORDS if word != "off" or kind == "line"]
        options = [*(f"{name}=" for name in NAMES), *words, *options]
    if name == "omp_sweep" and used[-1:] == ["--pool"]:
        from ..limits.spec import NAMES  # noqa: PLC0415 - as above

        options = list(NAMES)
    if name == "omp_guard":
        options = [*("warn", "raise", "off", "status"), *options]
    if name == "omp_dashboard":
        options = ["off", *options]
    if name == "omp_explain":
        from ..rules.stories import STORIES  # noqa: PLC0415 - the first completion pays
        from ..views.meanings import MEANINGS  # noqa: PLC0415 - as above

        told = [each for each in (*STORIES, *MEANINGS) if each not in used and " " not in each]
        options = [*told, *options]
        if any(code.startswith(fragment.upper()) for code in STORIES):
            fragment = fragment.upper() or fragment
    return [option for option in options if option.startswith(fragment)]


def _fragment(before: str) -> str:
    found = re.search(r"\S*$", before)
    return found[0] if found else ""


def _install_hook(shell: InteractiveShell) -> Callable[[], None]:
    def complete(_: Any, event: Any) -> list[str]:
        return candidates(shell, event.text_until_cursor)

    lines = ("omp_status", "omp_explain", "omp_limit", "omp_guard", "omp_check", "omp_plan")
    cells = ("omp_limit", "omp_sweep", "omp_watch")
    names = (*(f"%{name}" for name in lines), *(f"%%{name}" for name in cells))
    for name in names:
        shell.set_hook("complete_command", complete, str_key=name)
    table = shell.strdispatchers["complete_command"].strs

    def take_back() -> None:
        for name in names:
            table.pop(name, None)

    return take_back
