"""What a pipeline is told: the forms that other programs read, by their own schemas and readers."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import workflowcommands
from facts_for_tests import budget, library, setting, snapshot
from places import DATA

from omp_magic.auditing.chosen import anchor_of, chosen, lines_of
from omp_magic.auditing.making import audit as make_audit
from omp_magic.auditing.seen import after, expected
from omp_magic.audits import BROKEN, Audit, findings_of
from omp_magic.checks import Check
from omp_magic.errors import RequestError
from omp_magic.facts.libraries import Finding, Gap, Library
from omp_magic.facts.trials import EnvChange, Step, Trial
from omp_magic.requirements.pins import RequirementsError
from omp_magic.rules import judge
from omp_magic.views.audit import as_markdown, as_text, verdict_of
from omp_magic.views.formats import audit_written

xmlschema = pytest.importorskip("xmlschema", reason="JUnit's XSD is read by xmlschema")

EVIL = "a,b:c%0A\r\n::error::<&]]>\x00\x0b\x1b[31m\ud800\ufffe\uffff\"'`"
FORMS = ("json", "github", "sarif", "junit", "text", "markdown")


def finding(code: str, severity: str = "error", **facts: Any) -> Finding:
    given: dict[str, Any] = {"title": f"title of {code}", "why": "Because."}
    return Finding(code=code, severity=severity, **{**given, **facts})


def trial(*steps: Step, libraries: tuple[Library, ...] = (), **facts: Any) -> Trial:
    given: dict[str, Any] = {
        "modules": ("torch", "faiss"),
        "python": "/env/bin/python",
        "environment": (),
        "withheld": (),
        "wall_s": 1.5,
    }
    return Trial(steps=steps, libraries=libraries, **{**given, **facts})


GOOD = Step(kind="import", name="torch", outcome="ok", wall_s=0.25)
DEAD = Step(
    kind="call",
    name="libomp.so",
    outcome="aborted",
    wall_s=0.5,
    message="OMP: Error #15: Initializing libomp.so\nOMP: Hint This means",
    traceback=('File "x.py", line 1 in f',),
)


def audit(**facts: Any) -> Audit:
    here = Check(
        modules=("torch", "faiss"),
        coming=(),
        findings=(finding("OMP101", remedies=("Say: this --way",)),),
        trial=trial(GOOD, DEAD),
    )
    other = Check(
        modules=("torch",),
        coming=(),
        findings=(finding("OMP107"), finding("OMP107", title="another")),
        target="macos-arm64",
        lacking=(Gap(what="x", why="no wheel"),),
        where={"torch": "requirements.txt:3"},
    )
    given: dict[str, Any] = {
        "facts": snapshot(
            pid=0,
            budget=budget(affinity=16, quota=2.5),
            environment=(setting("OMP_NUM_THREADS", "64", at_exec="64"),),
            findings=(finding("OMP201", "warning"), finding("OMP303", "warning")),
        ),
        "checks": (here, other),
        "chosen": "as asked for",
        "anchor": "pyproject.toml",
    }
    return Audit(**{**given, **facts})


FINE = audit(
    facts=snapshot(pid=0),
    checks=(Check(modules=("numpy",), coming=(), findings=(), trial=trial(GOOD)),),
)


def nasty() -> Audit:
    wrong = finding("OMP101", title=EVIL, why=EVIL, evidence=(EVIL,), remedies=(f"Say: {EVIL}",))
    gap = Gap(what=EVIL, why=EVIL)
    step = replace(DEAD, name=f"use {EVIL}", message=EVIL, traceback=(EVIL,))
    skipped = replace(GOOD, outcome="skipped", note=EVIL)
    check = Check(
        modules=(EVIL,),
        coming=(),
        findings=(wrong,),
        unknown=(gap,),
        failing=(gap,),
        lacking=(gap,),
        trial=trial(GOOD, skipped, step, modules=(EVIL,)),
        source=EVIL,
        where={EVIL: f"{EVIL}:7"},
    )
    facts = snapshot(
        pid=0,
        environment=(setting("OMP_NUM_THREADS", EVIL, at_exec=EVIL),),
        findings=(finding("OMP304", "warning", title=EVIL, evidence=(EVIL,)),),
    )
    return audit(facts=facts, checks=(check,), notes=(gap,), chosen=EVIL)


ALL = {"several": audit(), "fine": FINE, "nasty": nasty(), "nothing": audit(checks=())}


def validated(text: str) -> ET.Element:
    """By the schema of Jenkins' xunit plugin (MIT), as pytest's source distribution ships it."""
    schema = xmlschema.XMLSchema(str(DATA / "junit-10.xsd"))
    schema.validate(text)
    return ET.fromstring(text)


@pytest.mark.parametrize("name", ALL)
def test_junit_is_valid_by_its_schema(name: str) -> None:
    root = validated(audit_written(ALL[name], "junit", "1.0"))
    for suite in root:
        cases = suite.findall("testcase")
        assert suite.get("tests") == str(len(cases))
        for attribute, tag in (("failures", "failure"), ("errors", "error"), ("skipped",) * 2):
            assert suite.get(attribute) == str(sum(each.find(tag) is not None for each in cases))
        names = [(each.get("classname"), each.get("name")) for each in cases]
        assert len(set(names)) == len(names)


def test_each_finding_that_counts_is_a_failed_case_and_what_was_asked_passes() -> None:
    root = validated(audit_written(audit(), "junit", "1.0"))
    environment, imports, mac = root
    failed = {
        each.get("name"): each for each in root.iter("testcase") if each.find("failure") is not None
    }
    assert [name.partition(":")[0] for name in map(str, failed)] == [
        *("OMP101", "use libomp.so", "OMP107", "OMP107"),
    ]
    told = failed["use libomp.so"].find("failure")
    assert told is not None
    assert "OMP: Error #15" in str(told.text)
    assert told.get("type") == BROKEN
    story = next(each for name, each in failed.items() if "OMP101" in str(name)).find("failure")
    assert story is not None
    assert str(story.text).split("\n")[:3] == ["title of OMP101", "Because.", "-> Say:"]
    assert "docs/findings/OMP101.md" in str(story.text)
    # Below the asked severity: told, and passed.
    (small,) = (each for each in environment.iter("testcase") if "OMP201" in str(each.get("name")))
    assert small.find("failure") is None
    assert "title of OMP201" in str(small.findtext("system-out"))
    assert any("OMP305" in str(each.get("name")) for each in environment.iter("testcase"))
    assert [each.get("name") for each in (imports, mac)] == [
        *("omp-magic.imports", "omp-magic.imports.macos-arm64"),
    ]
    (gap,) = mac.iter("skipped")
    assert gap.get("message") == "x: no wheel"
    strict = validated(audit_written(audit(fail_on="warning"), "junit", "1.0"))
    assert strict.get("failures") == "6"


def test_a_case_has_the_same_name_where_it_passes() -> None:
    """GitLab and Jenkins compare two runs by names."""

    def names(found: Audit) -> set[str]:
        root = ET.fromstring(audit_written(found, "junit", "1.0"))
        return {f"{each.get('classname')} {each.get('name')}" for each in root.iter("testcase")}

    codes = {each for each in names(audit()) if "imports OMP" in each or "environment OMP" in each}
    assert codes <= names(FINE)


@pytest.mark.parametrize("name", ALL)
def test_annotations_are_read_back_as_they_were_meant(name: str) -> None:
    found = ALL[name]
    lines = audit_written(found, "github", "1.0").splitlines()
    commands = [workflowcommands.read(each) for each in lines]
    assert None not in commands
    told = [each for each in commands if each is not None]
    gaps = [g for c in found.subjects for g in (*c.unknown, *c.failing, *c.lacking)]
    assert len(told) == len(found.findings) + len(gaps)
    severities = {"error": "error", "warning": "warning", "info": "notice"}
    wanted = [severities[each.severity] for each in found.findings] + ["warning"] * len(gaps)
    assert sorted(each.name for each in told) == sorted(wanted)
    for each in told:
        assert set(each.properties) <= {"title", "file", "line"}
        assert each.properties["title"]
        assert each.message


def test_what_is_hostile_in_an_annotation_stays_in_its_place() -> None:
    commands = map(workflowcommands.read, audit_written(nasty(), "github", "1.0").splitlines())
    (wrong,) = [each for each in commands if each and each.properties["title"] == "OMP101"]
    assert wrong.name == "error"
    assert wrong.message.startswith("a,b:c%0A\r\n::error::<&]]>\\x00")
    assert wrong.properties["line"] == "7"
    assert wrong.properties["file"].startswith("a,b:c%0A\r\n::error")


def test_sarif_has_a_place_for_each_result_and_a_rule() -> None:
    (run,) = json.loads(audit_written(audit(), "sarif", "1.0"))["runs"]
    rules = {each["id"] for each in run["tool"]["driver"]["rules"]}
    assert rules == {"OMP101", "OMP107", "OMP201", "OMP303", BROKEN}
    places = []
    for result in run["results"]:
        assert result["ruleId"] in rules
        (where,) = result["locations"]
        physical = where["physicalLocation"]
        places.append((physical["artifactLocation"]["uri"], physical["region"]["startLine"]))
    assert places == [("pyproject.toml", 1)] * 4 + [("requirements.txt", 3)] * 2
    prints = [each["partialFingerprints"]["primaryLocationLineHash"] for each in run["results"]]
    assert len(set(prints)) == len(prints)
    assert all(re.fullmatch(r"[0-9a-f]{32}:1", each) for each in prints)


@pytest.mark.parametrize("form", FORMS)
def test_nothing_hostile_gets_out(form: str) -> None:
    text = audit_written(nasty(), form, "1.0")
    assert not re.search(r"[\x00\x0b\x1b\ud800\ufffe\uffff]", text)
    text.encode()
    if form in ("text", "markdown"):
        assert not any(each.lstrip().startswith("::") for each in text.splitlines())


def test_the_verdict_counts_by_the_asked_severity() -> None:
    assert verdict_of(audit()) == "4 errors, 2 warnings: failed"
    assert verdict_of(FINE) == "nothing found: passed"
    light = audit(checks=())
    assert (light.failed, verdict_of(light)) == (False, "2 warnings: passed")
    assert replace(light, fail_on="warning").failed
    gap = Gap(what="x", why="no wheel")
    partial = audit(
        facts=snapshot(pid=0),
        checks=(Check(modules=("x",), coming=(), findings=(), lacking=(gap,)),),
    )
    assert verdict_of(partial) == "nothing found, not all is known"
    assert as_text(FINE).startswith("✓ nothing found: passed\n  CPUs: 4 CPUs of 64, by ")
    assert as_markdown(audit()).startswith("### omp-magic: 4 errors, 2 warnings: failed\n\n```text")


def test_imports_that_were_tried_in_vain_are_a_finding_of_their_own() -> None:
    check = audit().checks[0]
    known, broken = findings_of(check)
    assert (known.code, broken.code, broken.severity) == ("OMP101", BROKEN, "error")
    assert "first use of libomp.so: aborted: OMP: Error #15" in broken.title
    assert broken.remedies[0] == "Try it again, alone: omp-magic check torch faiss --run"
    assert broken.remedies[1] == "Say: this --way"
    assert findings_of(replace(check, trial=trial(GOOD))) == (known,)


def test_a_process_after_a_trial_is_judged_with_this_machine_s_cpus() -> None:
    changes = (
        EnvChange(name="KMP_DUPLICATE_LIB_OK", before=None, after="True", in_python=True,
                  set_by=("sklearn",)),
        EnvChange(name="MKL_THREADING_LAYER", before=None, after="INTEL", in_python=False),
    )  # fmt: skip
    tried = trial(
        replace(GOOD, changes=changes),
        libraries=(
            library("openblas", owner="numpy", num_threads=64),
            library("libomp", owner="torch", path="/a/libomp.so"),
            library("libiomp5", owner="mkl", path="/b/libiomp5.so"),
        ),
        environment=(("OPENBLAS_NUM_THREADS", "64"),),
    )
    process = after(snapshot(budget=budget(affinity=64, quota=2.0)), tried)
    assert process.is_foreseen
    found = {each.code: each for each in judge(process)}
    assert found["OMP201"].title == "OpenBLAS (numpy) uses 64 threads where 2 CPUs are allowed"
    assert "importing sklearn sets it" in found["OMP102"].why
    assert found["OMP305"].evidence == (
        "MKL_THREADING_LAYER: os.environ None, C getenv 'INTEL', set by torch",
    )
    variables = {each.name: each.at_exec for each in process.environment}
    assert variables["OPENBLAS_NUM_THREADS"] == "64"
    assert variables["KMP_DUPLICATE_LIB_OK"] is None


def test_pools_of_files_are_as_large_as_their_variable_says() -> None:
    facts = snapshot(
        budget=budget(affinity=64, quota=2.0),
        environment=(setting("OMP_NUM_THREADS", "8", at_exec="8"),),
    )
    runtimes = (
        library("libgomp", num_threads=None),
        library("mkl", num_threads=None, path="/m/libmkl_rt.so"),
    )
    assert [each.would_use for each in expected(facts, runtimes).pools] == [8, 8]
    bare = replace(facts, environment=())
    assert [each.would_use for each in expected(bare, runtimes).pools] == [64]
    # What is so for a moment only would fail a pipeline for its neighbours.
    assert expected(facts, ()).throttling == ()


def test_a_file_for_another_system_has_no_pool_here() -> None:
    other = Check(
        modules=("torch",),
        coming=(),
        findings=(),
        target="macos-arm64",
    )
    facts = snapshot(environment=(setting("KMP_DUPLICATE_LIB_OK", "TRUE", at_exec="TRUE"),))
    found = make_audit((), (other,), facts, chosen="as asked for", folder="/nowhere")
    assert [each.code for each in found.facts.findings] == ["OMP303"]
    assert found.anchor == "pyproject.toml"


PROJECT = """\
[project]
name = "numpy-tools"
description = "torch and faiss-cpu for all"
dependencies = [
  "numpy>=1.22",  # pinned
  'faiss_cpu >= 1.8',
]
[tool.omp-magic]
modules = ["torch", "faiss"]
"""


def test_a_project_says_what_is_asked_about_and_where(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    (tmp_path / "requirements-dev.txt").write_text("# torch\n-r other.txt\nscikit-learn[x]==1.9\n")
    (tmp_path / "environment.yml").write_text("dependencies:\n  - python=3.12\n  - torch=2.1\n")
    names, told = chosen(str(tmp_path))
    assert (names, told) == (("torch", "faiss"), "[tool.omp-magic] of pyproject.toml")
    where = lines_of(str(tmp_path), ("torch", "faiss", "numpy", "sklearn.cluster", "sklearn.svm"))
    assert where == {
        "numpy": "pyproject.toml:5",
        "faiss": "pyproject.toml:6",
        "torch": "pyproject.toml:9",
        "sklearn.cluster": "requirements-dev.txt:3",
        "sklearn.svm": "requirements-dev.txt:3",
    }
    assert anchor_of(str(tmp_path), {}) == "pyproject.toml"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[tool.omp-magic]\nmodules = 'torch'", "accepted: a list of names of modules; example: "),
        ("[tool.omp-magic]\nmodules = [1]", "accepted: a list of names of modules; example: "),
        ("[tool.omp-magic]\nmodules = {}", "accepted: a list of names of modules; example: "),
        ("[tool.omp-magic]\nmodule = ['torch']", "accepted: modules; did you mean modules?"),
        (
            "[tool.omp-magic]\nfail-on = 'warning'",
            "fail-on in [tool.omp-magic]'; accepted: modules",
        ),
        ("[tool.omp_magic]\nmodules = ['torch']", "[tool.omp_magic]'; accepted: [tool.omp-magic]"),
        ("[tool]\nomp-magic = ['torch']", "accepted: a table, [tool.omp-magic]; example: "),
        ("[tool.omp-magic", "found no TOML ("),
    ],
)
def test_a_wrong_table_is_told_in_a_line(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "pyproject.toml").write_text(f"{text}\n")
    with pytest.raises((RequestError, RequirementsError)) as raised:
        chosen(str(tmp_path))
    told = str(raised.value)
    assert said in told
    assert told.endswith('example: [tool.omp-magic] modules = ["torch", "faiss"]')
    assert "\n" not in told
