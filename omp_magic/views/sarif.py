"""Checks as SARIF 2.1.0, which GitHub and other services read as alerts of code scanning."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from ..checks import Check, Checks
from ..facts.libraries import Finding
from ..rules.judgement import RULES
from .concerned import lines_of, modules_of
from .links import page_of
from .shell import in_shell, remedy_in_shell
from .words import printable, split_remedy

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVELS = {"error": "error", "warning": "warning", "info": "note"}
_PAGE = "https://github.com/omp-magic/omp_magic"


def sarif(checks: Checks, version: str) -> dict[str, Any]:
    """Give checks as one run of SARIF, to be written as JSON.

    Parameters
    ----------
    checks
        One a target.
    version
        Of omp_magic.
    """
    results = [each for check in checks.checks for each in _results(check)]
    used = {each["ruleId"] for each in results}
    rules = [
        {
            "id": rule.code,
            "shortDescription": {"text": rule.summary},
            "fullDescription": {"text": rule.story.happens},
            "helpUri": page_of(rule.code),
            "defaultConfiguration": {"level": _LEVELS[rule.severity]},
        }
        for rule in RULES
        if rule.code in used
    ]
    driver = {
        "name": "omp-magic",
        "version": version,
        "informationUri": _PAGE,
        "rules": rules,
    }
    return {
        "$schema": _SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": driver},
                "results": results,
                "invocations": [
                    {
                        "executionSuccessful": True,
                        "toolExecutionNotifications": [*_notifications(checks)],
                    }
                ],
            }
        ],
    }


def _results(check: Check) -> Iterator[dict[str, Any]]:
    codes: list[str] = []
    for finding in check.findings:
        codes.append(finding.code)
        number = codes.count(finding.code)
        yield {
            "ruleId": finding.code,
            "level": _LEVELS[finding.severity],
            "message": {"text": _message(finding, check)},
            "locations": [*_locations(finding, check)],
            "partialFingerprints": {"omp-magic/v1": _fingerprint(finding, check, number)},
            "properties": {"target": check.target or "here", "evidence": list(finding.evidence)},
        }


def _message(finding: Finding, check: Check) -> str:
    target = f"{check.target}: " if check.target else ""
    parts = [in_shell(f"{target}{finding.title}"), in_shell(finding.why)]
    for remedy in finding.remedies:
        says, run = remedy_in_shell(*split_remedy(remedy, ""))
        parts.append(f"- {says} {run}".rstrip())
    return "\n".join(printable(each) for each in parts if each)


def _locations(finding: Finding, check: Check) -> Iterator[dict[str, Any]]:
    names = [{"fullyQualifiedName": name, "kind": "module"} for name in modules_of(finding, check)]
    for file, number in lines_of(finding, check):
        place = {"artifactLocation": {"uri": _uri(file)}, "region": {"startLine": number}}
        yield {"physicalLocation": place, "logicalLocations": names}
    if not lines_of(finding, check):
        yield {"logicalLocations": names}


def _uri(path: str) -> str:
    """Give a path as a reference (RFC 3986, section 4.2); a whole one begins with its scheme."""
    path = path.replace("\\", "/").removeprefix("./")
    if re.match("[A-Za-z]:/", path):
        path = f"/{path}"
    quoted = quote(path, safe="/", errors="surrogateescape")
    return f"file://{quoted}" if path.startswith("/") else quoted


def _fingerprint(finding: Finding, check: Check, number: int) -> str:
    """Give what stays the same from run to run: versions and paths may change."""
    which = (str(number),) * (number > 1)  # of findings of one code
    parts = (finding.code, check.target or "", *modules_of(finding, check), *which)
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _notifications(checks: Checks) -> Iterator[dict[str, Any]]:
    """Give what keeps an answer from being whole."""
    for check in checks.checks:
        for gap in (*check.unknown, *check.failing, *check.lacking):
            text = f"{check.target or 'here'}: not the whole answer: {gap.what}: {gap.why}"
            yield {"level": "warning", "message": {"text": printable(text)}}
