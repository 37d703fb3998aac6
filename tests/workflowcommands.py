"""GitHub's workflow commands as its runner reads them, written after its own reader.

actions/runner, src/Runner.Common/ActionCommand.cs, `TryParseV2`; what escapes is documented in
docs.github.com, "Workflow commands for GitHub Actions", and done in actions/toolkit,
packages/core/src/command.ts.
"""

from __future__ import annotations

from dataclasses import dataclass, field

_DATA = {"%0D": "\r", "%0A": "\n", "%25": "%"}
_PROPERTY = {"%0D": "\r", "%0A": "\n", "%3A": ":", "%2C": ",", "%25": "%"}
NAMES = ("error", "warning", "notice")
"""Those that make annotations."""


@dataclass
class Command:
    """A command: its name, its properties and its message."""

    name: str
    message: str
    properties: dict[str, str] = field(default_factory=dict)


def read(line: str) -> Command | None:
    """Give the command in a line of a log; None where the runner sees none."""
    text = line.lstrip()
    end = text.find("::", 2)
    if not text.startswith("::") or end < 0:
        return None
    name, _, rest = text[2:end].partition(" ")
    if name not in NAMES:
        return None
    command = Command(name, _unescaped(text[end + 2 :], _DATA))
    for part in filter(None, rest.strip().split(",")):
        key, sign, value = part.partition("=")
        if sign and key and value:
            command.properties[key] = _unescaped(value, _PROPERTY)
    return command


def _unescaped(text: str, table: dict[str, str]) -> str:
    for escape, char in table.items():  # "%25" is the last one
        text = text.replace(escape, char)
    return text
