"""What is shown of checks for other systems: text, table, page, SARIF, annotations."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from facts_for_tests import library

from omp_magic.checks import Check, Checks
from omp_magic.facts.libraries import Finding, Gap
from omp_magic.installed.expected import Branch, Bringer, Coming
from omp_magic.views import renderers
from omp_magic.views.annotations import annotated
from omp_magic.views.foreseen import lead_of
from omp_magic.views.matrix import matrix_of
from omp_magic.views.sarif import sarif
from omp_magic.views.words import DASH

SITE = "/target/lib/python3.12/site-packages"
BREW = "/opt/homebrew/opt/libomp/lib/libomp.dylib"
CODE = "export DYLD_LIBRARY_PATH=" + "/very/long" * 20
CRASH = Finding(
    code="OMP107",
    severity="error",
    title="The process will crash in silence",
    why="Because.",
    remedies=(f"Let one serve all: {CODE}", "Or use one of them"),
    source="https://example.org/x",
)
MASKED = replace(CRASH, code="OMP102", severity="warning", title="2 copies, unwatched")
BRANCH = Branch(
    key="homebrew-libomp",
    words="Homebrew's libomp",
    copies=2,
    copies_without=1,
    failing=("lightgbm",),
    remedy="brew install libomp",
)


def coming(path: str, owner: str | None, *modules: str, **facts: Any) -> Coming:
    runtime = library("libomp", path=path, owner=owner, owner_version=owner and "1.0", **facts)
    who = (Bringer(module=each, distribution=each, through=each) for each in modules)
    return Coming(library=runtime, brought_by=tuple(who))


def check(**facts: Any) -> Check:
    Check.renderers.update(renderers.check_renderers)
    Checks.renderers.update(renderers.checks_renderers)
    given: dict[str, Any] = {
        "modules": ("torch", "lightgbm"),
        "target": "macos-arm64",
        "coming": (
            coming(f"{SITE}/torch/lib/libomp.dylib", "torch", "torch", registers="file"),
            coming(BREW, None, "lightgbm", users=("lightgbm",)),
        ),
        "findings": (CRASH, MASKED),
        "branches": (BRANCH,),
        "folders": (SITE, "/target"),
        "where": {"torch": "requirements.txt:3", "lightgbm": "requirements.txt:7"},
    }
    return Check(**{**given, **facts})


FINE = check(target="windows-x86_64", coming=(), findings=(), branches=())
STOPPED = Gap(what="lightgbm", why="narwhals is not installed")


def test_the_first_line_says_where_and_how_bad() -> None:
    assert str(check()).splitlines()[0].startswith("✖ macOS arm64: 2 copies of one OpenMP runtime")
    assert "a crash without a message" in lead_of(check())
    assert "Error #15 ends" in lead_of(check(findings=(replace(CRASH, code="OMP101"),)))
    masked = check(findings=(MASKED,), masked_by="importing sklearn sets it")
    assert "masked by KMP_DUPLICATE_LIB_OK (importing sklearn sets it)" in lead_of(masked)
    assert lead_of(FINE) == "Windows x86_64: no OpenMP runtime, fine"


@pytest.mark.parametrize("kind", ["failing", "unknown", "lacking"])
def test_what_keeps_an_answer_from_being_whole_comes_first(kind: str) -> None:
    stopped: Any = {kind: (STOPPED,)}
    partial = replace(FINE, **stopped)
    assert not partial.whole
    first = lead_of(partial)
    assert first.startswith("Windows x86_64: not the whole answer: ")
    assert "narwhals" in first
    assert "fine" not in first
    assert matrix_of(Checks(checks=(partial,))).verdicts[0].text == "not whole"


@pytest.mark.parametrize("columns", [40, 80, 120])
def test_sentences_wrap_and_code_does_not(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    for shown in (str(check()), str(Checks(checks=(check(), FINE)))):
        assert CODE in shown
        for line in shown.splitlines():
            assert len(line) <= columns or CODE in line or " " not in line.strip()


def test_copies_are_told_with_their_places_and_branches() -> None:
    text = " ".join(str(check()).split())
    assert "torch/lib/libomp.dylib · registers in a file below /tmp · by torch" in text
    assert SITE not in text
    assert "Homebrew's libomp" in text
    assert (
        "with Homebrew's libomp: 2 copies; without it: importing lightgbm fails (brew install "
        "libomp brings it)"
    ) in text
    assert text.count("Or use one of them") == 1  # two findings about the same copies


def test_the_table_has_a_column_a_system_and_what_each_import_maps() -> None:
    both = Checks(checks=(check(), FINE))
    found = matrix_of(both)
    assert found.systems == ("macOS arm64", "Windows x86_64")
    assert [(name, [each.text for each in cells]) for name, cells in found.rows] == [
        ("torch", ["own libomp", DASH]),
        ("lightgbm", ["Homebrew's", DASH]),
    ]
    assert [each.text for each in found.verdicts] == ["2 copies: crash", "none, fine"]
    assert all(each.tone == "bad" for _, (each, _) in found.rows)


def test_many_imports_are_folded_and_those_that_clash_come_first() -> None:
    names = [f"m{number}" for number in range(40)]
    harmless = [coming(f"{SITE}/{n}/libgomp.so", n, n, kin="gnu") for n in names]
    many = check(
        modules=(*names, "torch"), coming=(*harmless, check().coming[0], check().coming[1])
    )
    found = matrix_of(Checks(checks=(many,)))
    assert found.rows[0][0] == "torch"
    assert (len(found.rows), found.folded) == (12, 29)


def test_a_page_escapes_and_says_the_same() -> None:
    nasty = check(modules=("<b>&",), unknown=(Gap(what="<b>&", why="\x1b[31m<script>"),))
    for shown in (nasty, Checks(checks=(nasty, FINE))):
        page = shown._repr_mimebundle_()["text/html"]
        assert "<b>&amp;" not in page
        assert "<script>" not in page
        assert "&lt;b&gt;&amp;" in page
        assert "\x1b" not in str(shown)
    page = check()._repr_mimebundle_()["text/html"]
    assert "a crash without a message" in page
    assert "without it: importing lightgbm fails" in page


def test_sarif_has_rules_results_and_lines() -> None:
    found = sarif(Checks(checks=(check(), FINE)), "1.0")
    (run,) = found["runs"]
    assert [each["id"] for each in run["tool"]["driver"]["rules"]] == ["OMP102", "OMP107"]
    first = run["results"][0]
    assert (first["ruleId"], first["level"]) == ("OMP107", "error")
    lines = [each["physicalLocation"]["region"]["startLine"] for each in first["locations"]]
    assert lines == [3, 7]
    assert first["properties"]["target"] == "macos-arm64"
    moved = check(where={}, coming=tuple(reversed(check().coming)))
    again = sarif(Checks(checks=(moved,)), "2.0")["runs"][0]["results"][0]
    assert again["partialFingerprints"] == first["partialFingerprints"]
    assert "physicalLocation" not in again["locations"][0]
    json.dumps(found)


def test_annotations_are_one_line_each_and_escaped() -> None:
    title = "100%: a,b\nnext"
    nasty = check(findings=(replace(CRASH, title=title),), lacking=(STOPPED,))
    first, second = annotated(Checks(checks=(nasty,)))
    assert first.startswith(
        "::error file=requirements.txt,line=3,title=OMP107 macos-arm64::100%25: "
    )
    assert "%0Anext%0ABecause." in first
    assert not re.search(r"[\r\n]", first)
    assert second == (
        "::warning title=macos-arm64%3A not the whole answer::lightgbm: narwhals is not installed"
    )


def test_an_annotation_names_a_file_as_the_repository_does() -> None:
    inside = check(where={"torch": "./requirements.txt:3"})
    assert annotated(Checks(checks=(inside,)))[0].startswith("::error file=requirements.txt,line=3")
