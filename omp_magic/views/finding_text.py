"""A finding -> lines of text: what it is, why, and each line of code whole on a line of its own.

The status, the check, the guard's alarms, explanations and the panel's text all have these lines.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ..facts.libraries import Finding
from ..rules.shell_words import in_shell, remedy_in_shell
from .lines import TONES, code, line, wrapped
from .words import printable, shortened, split_remedy

if TYPE_CHECKING:
    from rich.text import Text

_HANG, _NARROW_HANG, _ROOMY = 19, 4, 72
"""Columns before the words of a finding: beside its code, and below it in a narrow terminal."""


def finding_lines(
    finding: Finding,
    prefix: str,
    *,
    width: int,
    first_remedies: int | None = None,
    magics: bool = True,
) -> list[Text]:
    """Give a finding in lines.

    Parameters
    ----------
    finding
        What is to be said; without a title it begins with why.
    prefix
        Paths below it are made short in sentences; code keeps them whole.
    width
        Columns at which sentences wrap; code is as long as it is.
    first_remedies
        How many of its remedies are told; all when None.
    magics
        Whether it is read where there are magics; a shell has none.
    """
    hang = _HANG if width >= _ROOMY else _NARROW_HANG
    before = " " * hang
    sentences = [(finding.title, "bold")] if finding.title else []
    sentences += [(finding.why, "dim")] if finding.why else []
    head = (f"  {finding.severity:<7}  {printable(finding.code)}  ", TONES[finding.severity])
    lines: list[Text] = []
    if hang < len(head[0]) or not sentences:
        lines.append(line(head))
        head = (before, "")
    for text, style in sentences:
        said = spoken(text, prefix, magics=magics)
        lines += wrapped(said, width, first=head, further=before, style=style)
        head = (before, "")
    return lines + remedy_lines(
        finding.remedies[:first_remedies], prefix, width, hang, magics=magics
    )


def remedy_lines(
    remedies: Iterable[str], prefix: str, width: int, indent: int, *, magics: bool = True
) -> list[Text]:
    """Give each remedy: what it says, and below that what is to be run, whole."""
    lines = []
    arrow = f"{' ' * indent}\N{RIGHTWARDS ARROW} "
    for remedy in remedies:
        says, run = split_remedy(remedy, prefix)
        if not magics:
            says, run = remedy_in_shell(says, run)
        lines += wrapped(says, width, first=arrow, further=" " * (indent + 2))
        if run:
            lines += code(run, indent + 4)
    return lines


def spoken(text: str, prefix: str, *, magics: bool = True) -> str:
    """Give a sentence with short paths, and in a shell's words."""
    text = shortened(text, prefix) if prefix else text
    return text if magics else in_shell(text)
