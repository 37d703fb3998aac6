"""An alarm of the guard -> text and HTML."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from ..facts.mime import bundle
from ..guard.guard import Alarm

if TYPE_CHECKING:
    from rich.text import Text


class AlarmView:
    """An alarm as Jupyter and a terminal show it.

    Parameters
    ----------
    alarm
        What is about to happen, or has.
    """

    def __init__(self, alarm: Alarm) -> None:
        self.alarm = alarm

    @property
    def lead(self) -> str:
        """When it happens, in words."""
        before = self.alarm.when if self.alarm.before else "seen after it has run"
        return f"{self.alarm.what}, {before}"

    def __str__(self) -> str:
        """Give the plain text: what is about to happen first, each line of code whole."""
        from .plain import joined  # noqa: PLC0415 - rich, 12 ms
        from .signs import encodable  # noqa: PLC0415 - as above

        return encodable(joined(self.lines()), sys.stdout)

    def lines(self) -> list[Text]:
        """Give it in lines: first what is about to happen, or where it has."""
        from .finding_text import finding_lines, spoken  # noqa: PLC0415 - as above
        from .lines import verdict_lines, wrapped  # noqa: PLC0415 - as above
        from .plain import terminal_columns  # noqa: PLC0415 - as above

        width = terminal_columns()
        findings = self.alarm.findings
        tone = findings[0].severity if findings else "warning"
        lead = spoken(self.lead, sys.prefix)
        if self.alarm.before and findings:
            lines = verdict_lines(spoken(findings[0].title, sys.prefix), tone, width)
            lines += wrapped(lead, width, first="  ", style="dim")
            findings = (replace(findings[0], title=""), *findings[1:])
        else:
            lines = verdict_lines(lead, tone, width)
        for finding in findings:
            lines += finding_lines(finding, sys.prefix, width=width)
        return lines

    def _repr_mimebundle_(
        self, include: Iterable[str] | None = None, exclude: Iterable[str] | None = None
    ) -> dict[str, str]:
        """Give text/plain and text/html."""
        makers = {"text/plain": self._shown, "text/html": self._html}
        return bundle(makers, include, exclude)

    def _shown(self) -> str:
        from .plain import for_display  # noqa: PLC0415 - rich, 12 ms

        return for_display(self.lines())

    def _html(self) -> str:
        from .html import render_alarm  # noqa: PLC0415 - jinja2, 20 ms

        alarm = self.alarm
        return render_alarm(alarm.findings, self.lead, sys.prefix, before=alarm.before)
