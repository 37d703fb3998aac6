"""What pytest skipped and why, as a job's summary on GitHub.

python -m pytest --junitxml=report.xml
python tests/checks/skipped.py "windows-latest, Python 3.12" report.xml

It is written in Markdown, to the file that GITHUB_STEP_SUMMARY names or else to stdout. Nothing but
the standard library is needed.
"""

from __future__ import annotations

import collections
import os
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_SHOWN = 12
"""Tests that are named for a reason; a job's summary may have 1 MiB."""


@dataclass(frozen=True)
class Outcomes:
    """What became of the tests of some reports; files that could not be read are named."""

    passed: int
    failed: tuple[str, ...]
    skipped: dict[str, tuple[str, ...]]
    """By the reason: the tests."""
    unread: tuple[str, ...]


def outcomes(reports: Iterable[Path]) -> Outcomes:
    """Read reports as `pytest --junitxml` writes them (its file junitxml.py)."""
    passed, failed, unread = 0, [], []
    skipped = collections.defaultdict(list)
    for report in reports:
        try:
            cases = list(ET.parse(report).iter("testcase"))
        except (OSError, ET.ParseError) as error:
            unread.append(f"{report}: {error}")
            continue
        for case in cases:
            name = f"{case.get('classname', '')}::{case.get('name', '')}"
            skip = case.find("skipped")
            if skip is not None:
                reason = " ".join((skip.get("message") or "no reason is given").split())
                skipped[reason].append(name)
            elif case.find("failure") is not None or case.find("error") is not None:
                failed.append(name)
            else:
                passed += 1
    reasons = sorted(skipped.items(), key=lambda each: (-len(each[1]), each[0]))
    return Outcomes(
        passed, tuple(failed), {name: tuple(tests) for name, tests in reasons}, tuple(unread)
    )


def summary(title: str, found: Outcomes) -> str:
    """Give the Markdown of a job."""
    number = sum(map(len, found.skipped.values()))
    lines = [f"### {title}", ""]
    lines += [f"{found.passed} passed, {len(found.failed)} failed, {number} skipped", ""]
    lines += [f"* no report: {_cell(each)}" for each in found.unread]
    lines += [f"* failed: `{each}`" for each in found.failed]
    if found.unread or found.failed:
        lines.append("")
    if found.skipped:
        lines += ["| skipped | because | for example |", "|---:|---|---|"]
    for reason, tests in found.skipped.items():
        names = ", ".join(f"`{_cell(each)}`" for each in tests[:_SHOWN])
        more = f" and {len(tests) - _SHOWN} more" if len(tests) > _SHOWN else ""
        lines.append(f"| {len(tests)} | {_cell(reason)} | {names}{more} |")
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")


def main(words: list[str]) -> int:
    """Write the summary of the reports that are named."""
    if len(words) < 2:
        print('python tests/checks/skipped.py "the job\'s name" report.xml [report.xml ...]')
        return 2
    text = summary(words[0], outcomes(map(Path, words[1:])))
    place = os.environ.get("GITHUB_STEP_SUMMARY")
    if place:
        with open(place, "a", encoding="utf-8") as written:
            written.write(text)
    else:
        sys.stdout.buffer.write(text.encode())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
