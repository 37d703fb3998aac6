"""What can stand at the cursor after a magic; imported by the first completion."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

# An assignment may stand before a line magic: s = %omp_status --json
_LINE = r"(?:[\w., ]+=\s*)?\s*(%{1,2})(omp_\w+)\s(.*)"


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
    fragment = fragment_of(before)
    used = rest[: len(rest) - len(fragment)].split()
    options = [
        option
        for action in magic.parser._actions  # noqa: SLF001 - argparse has no public way
        for option in action.option_strings
        if option not in used and option.startswith("--" if fragment != "-v" else "-")
    ]
    words = _WORDS.get(name)
    if words is not None:
        options = words(_Line(shell, kind, used, fragment), options)
    if name == "omp_explain" and fragment.upper().startswith("OMP"):
        fragment = fragment.upper()
    return [option for option in options if option.startswith(fragment)]


def fragment_of(before: str) -> str:
    """Give what is begun at the end of a text."""
    found = re.search(r"\S*$", before)
    return found[0] if found else ""


class _Line(NamedTuple):
    """The line that is completed: where, ``"line"`` or ``"cell"``, words before, what is begun."""

    shell: InteractiveShell
    kind: str
    used: list[str]
    fragment: str


def _of_limit(line: _Line, options: list[str]) -> list[str]:
    from ..limits.spec import NAMES  # noqa: PLC0415 - the first completion pays

    return [*(f"{name}=" for name in NAMES), "auto", *(["off"] * (line.kind == "line")), *options]


def _of_sweep(line: _Line, options: list[str]) -> list[str]:
    if line.used[-1:] != ["--pool"]:
        return options
    from ..limits.spec import NAMES  # noqa: PLC0415 - as above

    return list(NAMES)


def _of_env(line: _Line, options: list[str]) -> list[str]:
    if line.used[-1:] != ["--format"]:
        return options
    from ..views.envfiles.table import FORMATS  # noqa: PLC0415 - as above

    return list(FORMATS)


def _of_cluster(line: _Line, options: list[str]) -> list[str]:
    if line.used[-1:] == ["--limit"]:
        return _of_limit(line._replace(kind="line"), [])
    if line.used[-1:] == ["--timeout"]:
        return []
    from .clusters import clients_in  # noqa: PLC0415 - as above

    named = any(not each.startswith("-") for each in line.used[:1])
    return [*([] if named else clients_in(line.shell)), *options]


def _of_status(line: _Line, options: list[str]) -> list[str]:
    if line.used[-1:] != ["--since"]:
        return options
    from ..facts.snapshots import Snapshot  # noqa: PLC0415 - as above

    named = [key for key, value in line.shell.user_ns.items() if isinstance(value, Snapshot)]
    return [*(key for key in named if not key.startswith("_")), *options]


def _of_check(line: _Line, options: list[str]) -> list[str]:
    if line.fragment.startswith("-"):
        return options
    from IPython.core.completerlib import get_root_modules  # noqa: PLC0415 - as above

    modules = get_root_modules()  # type: ignore[no-untyped-call]  # IPython has no types here
    return [*(each for each in modules if each not in line.used), *options]


def _of_explain(line: _Line, options: list[str]) -> list[str]:
    from ..rules.stories import STORIES  # noqa: PLC0415 - as above
    from ..views.meanings import MEANINGS  # noqa: PLC0415 - as above

    told = [each for each in (*STORIES, *MEANINGS) if each not in line.used and " " not in each]
    return [*told, *options]


_WORDS: dict[str, Callable[[_Line, list[str]], list[str]]] = {
    "omp_limit": _of_limit,
    "omp_sweep": _of_sweep,
    "omp_env": _of_env,
    "omp_status": _of_status,
    "omp_cluster": _of_cluster,
    "omp_check": _of_check,
    "omp_explain": _of_explain,
    "omp_guard": lambda _, options: ["warn", "raise", "off", "status", *options],
    "omp_dashboard": lambda _, options: ["off", *options],
}
"""What can stand after a magic besides its options, by name: gives what is offered, in order."""
