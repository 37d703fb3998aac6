"""Checks in the forms that programs read: JSON, SARIF, GitHub's annotations."""

from __future__ import annotations

import json

from ..checks import Checks
from .annotations import annotated
from .sarif import sarif


def written(checks: Checks, form: str, version: str) -> str:
    """Give checks as one text of a form: ``"json"``, ``"sarif"`` or ``"github"``.

    JSON of one check is that check, of several an object with ``targets``.
    """
    if form == "github":
        return "\n".join(annotated(checks))
    if form == "sarif":
        return json.dumps(sarif(checks, version), indent=2)
    one = len(checks.checks) == 1
    return json.dumps(checks.checks[0].to_dict() if one else checks.to_dict(), indent=2)
