"""Checks as SARIF 2.1.0, which GitHub and other services read as alerts of code scanning."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from ..audits import BROKEN, findings_of
from ..checks import Check, Checks
from ..facts.libraries import Finding
from ..rules.codes import CODES
from ..rules.shell_words import in_shell, remedy_in_shell
from .concerned import lines_of, modules_of
from .links import page_of
from .words import printable, split_remedy

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVELS = {"error": "error", "warning": "warning", "info": "note"}
_PAGE = "https://github.com/omp-magic/omp_magic"
_BROKEN_RULE = {
    "id": BROKEN,
    "shortDescription": {"text": "the imports were tried in a child process and do not work"},
    "fullDescription": {
        "text": "Each module was imported in its order, and each OpenMP and BLAS runtime that came "
        "was called; one of these steps ended the process, hung or raised an error."
    },
    "helpUri": page_of(BROKEN),
    "defaultConfiguration": {"level": "error"},
}


def sarif(checks: Checks, version: str, anchor: str = "") -> dict[str, Any]:
    """Give checks as one run of SARIF, to be written as JSON.

    Parameters
    ----------
    checks
        One a target.
    version
        Of omp_magic.
    anchor
        The file at whose first line is shown what has none of its own; "" for nowhere. GitHub takes
        no file with a result that has no place in one.
    """
    results = [each for check in checks.checks for each in _results(check, anchor)]
    used = {each["ruleId"] for each in results}
    rules = [
        {
            "id": rule.code,
            "shortDescription": {"text": rule.summary},
            "fullDescription": {"text": rule.story.happens},
            "helpUri": page_of(rule.code),
            "defaultConfiguration": {"level": _LEVELS[rule.severity]},
        }
        for rule in CODES
        if rule.code in used
    ]
    rules += [_BROKEN_RULE] * (BROKEN in used)
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


def _results(check: Check, anchor: str) -> Iterator[dict[str, Any]]:
    codes: list[str] = []
    for finding in findings_of(check):
        codes.append(finding.code)
        number = codes.count(finding.code)
        same = _fingerprint(finding, check, number)
        yield {
            "ruleId": finding.code,
            "level": _LEVELS[finding.severity],
            "message": {"text": _message(finding, check)},
            "locations": [*_locations(finding, check, anchor)],
            # GitHub compares runs by the second one alone ("SARIF support for code scanning").
            "partialFingerprints": {"omp-magic/v1": same, "primaryLocationLineHash": f"{same}:1"},
            "properties": {"target": check.target or "here", "evidence": list(finding.evidence)},
        }


def _message(finding: Finding, check: Check) -> str:
    target = f"{check.target}: " if check.target else ""
    parts = [in_shell(f"{target}{finding.title}"), in_shell(finding.why)]
    for remedy in finding.remedies:
        says, run = remedy_in_shell(*split_remedy(remedy, ""))
        parts.append(f"- {says} {run}".rstrip())
    return "\n".join(printable(each) for each in parts if each)


def _locations(finding: Finding, check: Check, anchor: str) -> Iterator[dict[str, Any]]:
    names = [{"fullyQualifiedName": name, "kind": "module"} for name in modules_of(finding, check)]
    named = {"logicalLocations": names} if names else {}
    lines = lines_of(finding, check) or (((anchor, 1),) if anchor else ())
    for file, number in lines:
        place = {"artifactLocation": {"uri": _uri(file)}, "region": {"startLine": number}}
        yield {"physicalLocation": place, **named}
    if not lines and names:
        yield named


def _uri(path: str) -> str:
    """Give a path as a reference (RFC 3986, section 4.2); a whole one begins with its scheme."""
    path = path.replace("\\", "/").removeprefix("./")
    if re.match("[A-Za-z]:/", path):
        path = f"/{path}"
    try:
        quoted = quote(path, safe="/", errors="surrogateescape")
    except UnicodeEncodeError:  # Windows' names may hold any half of a pair
        quoted = quote(path, safe="/", errors="surrogatepass")
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
