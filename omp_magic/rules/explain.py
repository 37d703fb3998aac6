"""A code explained: what it means at length, and where it stands in this kernel."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import UnknownCodeError
from ..facts.libraries import Finding
from .codes import CODES
from .rule import ClusterRule, Rule


@dataclass(frozen=True, slots=True)
class Explanation:
    """One code, and the findings that carry it now.

    Parameters
    ----------
    rule
        The rule, with its story.
    findings
        Findings of this code in the process that was looked at.
    looked
        Whether a process was looked at, so that no finding means that there is none.
    """

    rule: Rule | ClusterRule
    findings: tuple[Finding, ...] = ()
    looked: bool = False


def explain(code: str, findings: tuple[Finding, ...] | None = None) -> Explanation:
    """Explain a code.

    Parameters
    ----------
    code
        ``"OMP101"``; upper or lower case, and the number alone will do.
    findings
        What was found in a process, or None.

    Raises
    ------
    UnknownCodeError
        When there is no such code.
    """
    wanted = code.strip().upper()
    if wanted.isdigit():
        wanted = f"OMP{wanted}"
    rule = next((rule for rule in CODES if rule.code == wanted), None)
    if rule is None:
        raise UnknownCodeError(code, tuple(rule.code for rule in CODES))
    found = tuple(each for each in findings or () if each.code == rule.code)
    return Explanation(rule, found, looked=findings is not None)
