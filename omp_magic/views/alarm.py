"""An alarm of the guard -> text and HTML."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from ..facts.mime import bundle
from ..guard.guard import Alarm
from .words import printable, shortened, split_remedy


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
        """Give the plain text."""
        lines = []
        for finding in self.alarm.findings:
            lines.append(f"{self.lead}: {finding.code} {shortened(finding.title, sys.prefix)}")
            lines.append(f"  {shortened(finding.why, sys.prefix)}")
            for remedy in finding.remedies:
                says, run = split_remedy(remedy, sys.prefix)
                lines.append(f"  \N{RIGHTWARDS ARROW} {says} {run}".rstrip())
        return "\n".join(map(printable, lines))

    def _repr_mimebundle_(
        self, include: Iterable[str] | None = None, exclude: Iterable[str] | None = None
    ) -> dict[str, str]:
        """Give text/plain and text/html."""
        makers = {"text/plain": self.__str__, "text/html": self._html}
        return bundle(makers, include, exclude)

    def _html(self) -> str:
        from .html import render_alarm  # noqa: PLC0415 - jinja2, 20 ms

        return render_alarm(self.alarm.findings, self.lead, sys.prefix)
