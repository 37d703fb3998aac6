"""An audit as JUnit's XML, which GitLab, Jenkins and others show as a report of tests.

The form is that of Jenkins' xunit plugin (junit-10.xsd), and what GitLab reads of it ("Unit test
reports", docs.gitlab.com): both compare runs by a case's class and name, so that each rule that was
asked is a case of one name, and passes where nothing was found.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from xml.etree import ElementTree as ET

from ..audits import BROKEN, Audit, findings_of
from ..checks import Check
from ..facts.libraries import Finding, Gap
from ..facts.trials import GOOD
from ..rules.codes import CODES
from ..rules.shell_words import in_shell, remedy_in_shell
from .check import outcome_of, step_of
from .links import page_of
from .words import decided_by, printable, split_remedy

_ASKED_OF_IMPORTS = ("OMP101", "OMP102", "OMP103", "OMP104", "OMP105", "OMP106", "OMP107")
_ASKED_OF_ENVIRONMENTS = (
    *("OMP201", "OMP205", "OMP208", "OMP301", "OMP302", "OMP303", "OMP304", "OMP305"),
)
_SUMMARIES = {rule.code: rule.summary for rule in CODES}
_CLASS = "omp-magic"


def junit(audit: Audit, version: str) -> str:
    """Give an audit as a document of XML 1.0.

    Parameters
    ----------
    audit
        What was found. A finding that fails it is a failed case, any other one is in the output of
        a case that passes; what is not known is a skipped case, a module that is not there an
        error.
    version
        Of omp_magic.
    """
    root = ET.Element("testsuites", name=_CLASS)
    totals = dict.fromkeys(("tests", "failures", "errors"), 0)
    for check in audit.subjects:
        suite = _suite(check, audit, version)
        for name in totals:
            totals[name] += int(suite.get(name, "0"))
        root.append(suite)
    for name, number in totals.items():
        root.set(name, str(number))
    ET.indent(root)
    # In ASCII: a stream on Windows may have another encoding than a declaration says.
    document: bytes = ET.tostring(root, encoding="us-ascii", xml_declaration=True)
    return document.decode()


def _suite(check: Check, audit: Audit, version: str) -> ET.Element:
    name = _name(check)
    suite = ET.Element("testsuite", name=name)
    properties = ET.SubElement(suite, "properties")
    for key, value in _properties(check, audit, version):
        ET.SubElement(properties, "property", name=key, value=printable(value))
    case = _Cases(name)
    cases = [*_of_rules(case, check, audit), *_of_steps(case, check), *_of_gaps(case, check)]
    suite.extend(cases)
    counts = {tag: sum(each.find(tag) is not None for each in cases) for tag in _RESULTS.values()}
    suite.set("tests", str(len(cases)))
    for attribute, tag in _RESULTS.items():
        suite.set(attribute, str(counts[tag]))
    wall_s = check.trial.wall_s if check.trial is not None else 0.0
    suite.set("time", f"{wall_s:.3f}")
    return suite


_RESULTS = {"failures": "failure", "errors": "error", "skipped": "skipped"}


def _name(check: Check) -> str:
    if not check.modules and check.target is None:
        return f"{_CLASS}.environment"
    return f"{_CLASS}.imports" + (f".{check.target}" if check.target else "")


def _properties(check: Check, audit: Audit, version: str) -> Iterator[tuple[str, str]]:
    yield "omp-magic", version
    if check.modules:
        yield "modules", ", ".join(check.modules)
        if check.source:
            yield "source", check.source
        return
    budget = audit.facts.budget
    yield "python", audit.facts.python
    yield "cpus", f"{budget.cpus:g} of {budget.machine_cpus}, by {decided_by(budget.binding)}"
    for setting in audit.facts.environment:
        if setting.native is not None:
            yield setting.name, setting.native


class _Cases:
    """Makes cases of one class; no two have one name.

    Parameters
    ----------
    classname
        The class.
    """

    def __init__(self, classname: str) -> None:
        self._classname = classname
        self._used: Counter[str] = Counter()

    def __call__(self, name: str, wall_s: float = 0.0) -> ET.Element:
        """Make one; what has a name again gets a number: copies of a name, findings of a code."""
        name = printable(name)
        self._used[name] += 1
        if self._used[name] > 1:
            name = f"{name} ({self._used[name]})"
        made = ET.Element("testcase", name=name, classname=self._classname)
        made.set("time", f"{wall_s:.3f}")
        return made


def _of_rules(case: _Cases, check: Check, audit: Audit) -> Iterator[ET.Element]:
    """Give a case for each rule that was asked and found nothing, and for each finding."""
    asked = _ASKED_OF_IMPORTS if check.modules else _ASKED_OF_ENVIRONMENTS
    findings = [each for each in findings_of(check) if each.code != BROKEN]
    for code in sorted({*asked, *(each.code for each in findings)}):
        name = f"{code}: {_SUMMARIES.get(code, code)}"
        same = [each for each in findings if each.code == code]
        for finding in same:
            made = case(name)
            _put(made, finding, fails=audit.counts(finding))
            yield made
        if not same:
            yield case(name)


def _of_steps(case: _Cases, check: Check) -> Iterator[ET.Element]:
    """Give a case for each step of a trial."""
    # A module that is not there is an error of its own; see `_of_gaps`.
    missing = {gap.what for gap in check.unknown}
    steps = check.trial.steps if check.trial is not None else ()
    for step in (each for each in steps if each.name not in missing):
        made = case(step_of(step), step.wall_s)
        if step.outcome == "skipped":
            ET.SubElement(made, "skipped", message=printable(step.note))
        elif step.outcome not in GOOD:
            (broken,) = [each for each in findings_of(check) if each.code == BROKEN]
            _put(made, broken, fails=True, said=outcome_of(step))
        yield made


def _of_gaps(case: _Cases, check: Check) -> Iterator[ET.Element]:
    """Give a case for each module that is not there, and for what is not known."""
    for gap in check.unknown:
        made = case(f"import {gap.what}")
        ET.SubElement(made, "error", message=printable(_said(gap)), type="unknown")
        yield made
    for gap in dict.fromkeys((*check.failing, *check.lacking)):
        made = case(f"known: {gap.what}")
        ET.SubElement(made, "skipped", message=printable(_said(gap)))
        yield made


def _said(gap: Gap) -> str:
    return f"{gap.what}: {gap.why}"


def _put(case: ET.Element, finding: Finding, *, fails: bool, said: str = "") -> None:
    """Put a finding's story into its case: as a failure, or as what a test has printed."""
    lines = [finding.title, said or finding.why, *(f"  {each}" for each in finding.evidence)]
    told = [in_shell(each) for text in lines for each in text.split("\n")]
    for remedy in finding.remedies:
        says, run = remedy_in_shell(*split_remedy(remedy, ""))
        told += [f"-> {says}", *(f"     {each}" for each in run.split("\n") if each)]
    told.append(page_of(finding.code))
    if fails:
        title = printable(in_shell(finding.title))
        element = ET.SubElement(case, "failure", message=title, type=finding.code)
    else:
        element = ET.SubElement(case, "system-out")
    element.text = "\n".join(printable(each) for each in told if each)
