"""Checks as annotations of GitHub's workflows, a line each.

docs.github.com, "Workflow commands for GitHub Actions": ``::error file=…,line=…,title=…::message``;
of a message ``%``, CR and LF are escaped, of a property ``:`` and ``,`` too.
"""

from __future__ import annotations

from ..audits import findings_of
from ..checks import Check, Checks
from ..facts.libraries import Finding
from ..rules.shell_words import in_shell, remedy_in_shell
from .concerned import lines_of
from .words import split_remedy

_COMMANDS = {"error": "error", "warning": "warning", "info": "notice"}
_MOST_REMEDIES = 3
_MESSAGE = {"%": "%25", "\r": "%0D", "\n": "%0A"}
_PROPERTY = {**_MESSAGE, ":": "%3A", ",": "%2C"}


def annotated(checks: Checks) -> list[str]:
    """Give checks as lines for standard output, where GitHub's runner reads them."""
    lines = []
    for check in checks.checks:
        lines += [_found(finding, check) for finding in findings_of(check)]
        for gap in (*check.unknown, *check.failing, *check.lacking):
            title = f"{check.target or 'omp-magic'}: not the whole answer"
            lines.append(_line("warning", {"title": title}, f"{gap.what}: {gap.why}"))
    return lines


def _found(finding: Finding, check: Check) -> str:
    where = {}
    for file, number in lines_of(finding, check)[:1]:
        where = {"file": file.replace("\\", "/").removeprefix("./"), "line": str(number)}
    title = " ".join(filter(None, (finding.code, check.target)))
    remedies = (split_remedy(each, "") for each in finding.remedies[:_MOST_REMEDIES])
    text = [in_shell(finding.title), in_shell(finding.why)]
    text += [" ".join(remedy_in_shell(*each)).rstrip() for each in remedies]
    message = "\n".join(filter(None, text))
    return _line(_COMMANDS[finding.severity], {**where, "title": title}, message)


def _line(command: str, properties: dict[str, str], message: str) -> str:
    said = ",".join(f"{name}={_escaped(value, _PROPERTY)}" for name, value in properties.items())
    return f"::{command} {said}::{_escaped(message, _MESSAGE)}"


def _escaped(text: str, table: dict[str, str]) -> str:
    shown = "".join(table.get(char, char) for char in text)
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in shown)
