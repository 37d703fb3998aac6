"""Checks and audits in the forms that programs read: JSON, SARIF, JUnit, GitHub's annotations."""

from __future__ import annotations

import json

from ..audits import Audit
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


def audit_written(audit: Audit, form: str, version: str) -> str:
    """Give an audit as a text of such a form, or ``"junit"``, ``"text"``, ``"markdown"``."""
    subjects = Checks(checks=audit.subjects)
    if form == "github":
        return "\n".join(annotated(subjects))
    if form == "sarif":
        return json.dumps(sarif(subjects, version, audit.anchor), indent=2)
    if form == "json":
        return json.dumps(audit.to_dict(), indent=2)
    if form == "junit":
        from .junit import junit  # noqa: PLC0415 - ElementTree, only who asks for it pays

        return junit(audit, version)
    from .audit import as_markdown, as_text  # noqa: PLC0415 - rich, 12 ms

    return as_markdown(audit) if form == "markdown" else as_text(audit)
