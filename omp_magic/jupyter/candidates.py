"""What can stand at the cursor after a magic; imported by the first completion."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
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
    line = _Line(shell, kind, used, fragment)
    actions = magic.parser._actions  # noqa: SLF001 - argparse has no public way
    options = [
        option
        for action in actions
        for option in action.option_strings
        if option not in used and option.startswith("--" if fragment != "-v" else "-")
    ]
    for action in actions:
        if used and used[-1] in action.option_strings and action.nargs in (None, "?"):
            values = _VALUES[action.option_strings[-1]](line)
            found = [*values, *(options if action.nargs else ())]
            return [each for each in found if each.startswith(fragment)]
    words = _WORDS.get(name)
    if words is not None:
        options = words(line, options)
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
    return [*_amounts(off=line.kind == "line"), *options]


def _of_cluster(line: _Line, options: list[str]) -> list[str]:
    from .clusters import clients_in  # noqa: PLC0415 - the first completion pays

    named = any(not each.startswith("-") for each in line.used[:1])
    return [*([] if named else sorted(clients_in(line.shell))), *options]


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
    "omp_cluster": _of_cluster,
    "omp_check": _of_check,
    "omp_explain": _of_explain,
    "omp_guard": lambda _, options: ["warn", "raise", "off", "status", *options],
    "omp_dashboard": lambda _, options: ["off", *options],
}
"""What can stand after a magic besides its options, by name: gives what is offered, in order."""


def _amounts(*, off: bool) -> list[str]:
    """Give the words of a limit, those that are for all pools first."""
    from ..limits.spec import NAMES  # noqa: PLC0415 - as above

    return ["auto", *(["off"] * off), *(f"{name}=" for name in NAMES)]


def _pools(_: _Line) -> Iterable[str]:
    from ..limits.spec import NAMES  # noqa: PLC0415 - as above

    return NAMES


def _formats(_: _Line) -> Iterable[str]:
    from ..views.envfiles.table import FORMATS  # noqa: PLC0415 - as above

    return FORMATS


def _variables(_: _Line) -> Iterable[str]:
    from ..starts.asking import SETTABLE  # noqa: PLC0415 - as above

    return (f"{name}=" for name in SETTABLE)


def _mended(_: _Line) -> Iterable[str]:
    from ..starts.asking import CURED  # noqa: PLC0415 - as above

    return CURED


def _targets(_: _Line) -> Iterable[str]:
    from ..facts.targets import TARGETS  # noqa: PLC0415 - as above

    return TARGETS


def _snapshots(line: _Line) -> Iterable[str]:
    from ..facts.snapshots import Snapshot  # noqa: PLC0415 - as above

    named = [key for key, value in line.shell.user_ns.items() if isinstance(value, Snapshot)]
    return (key for key in named if not key.startswith("_"))


_VALUES: dict[str, Callable[[_Line], Iterable[str]]] = {
    "--limit": lambda _: _amounts(off=True),
    "--threads": lambda _: _amounts(off=False),
    "--pool": _pools,
    "--format": _formats,
    "--set": _variables,
    "--fix": _mended,
    "--target": _targets,
    "--since": _snapshots,
    # Of a number some that are usual: IPython lists all magics and files where nothing is offered.
    "--timeout": lambda _: ("5", "10", "30", "60"),
    "--interval": lambda _: ("0.2", "0.5", "1", "5"),
    "--workers": lambda line: ("1,2,4", "1,2,4,8") if line.kind == "cell" else ("2", "4", "8"),
    "--memory": lambda _: ("500MB", "2GB", "8GB"),
    "--repeats": lambda _: ("3", "5", "10"),
    # IPython's own are the files, and the session's names.
    **dict.fromkeys(("--site", "--requirements", "--output", "--record", "--setup"), lambda _: ()),
}
"""What can stand after an option that takes a value, by its long name, in order."""
