"""What a check of other systems says, in whichever form: the same words, none of them cut."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from typing import Any

import pytest
from facts_for_tests import library, snapshot

from omp_magic.api import check as check_modules
from omp_magic.checks import Check, Checks
from omp_magic.errors import RequestError
from omp_magic.facts.libraries import Finding, Gap
from omp_magic.installed.expected import Branch, Bringer, Coming
from omp_magic.knowledge.elsewhere import words_at
from omp_magic.rules import judge
from omp_magic.views import foreseen, matrix, renderers
from omp_magic.views.annotations import annotated
from omp_magic.views.check import lead_of
from omp_magic.views.sarif import sarif
from omp_magic.views.systems import brought_by, copies_words, short_of, verdict_on
from omp_magic.views.words import DASH

SITE = "/tmp/e/lib/python3.12/site-packages"
BREW = "/opt/homebrew/opt/libomp/lib/libomp.dylib"
HOSTILE = "<i>&\x1b[31m\n%{{ 1 }}"


def finding(code: str, *remedies: str, **facts: Any) -> Finding:
    severity = "warning" if code in ("OMP102", "OMP105") else "error"
    given: dict[str, Any] = {"title": f"{code} title", "why": f"why {code}", "severity": severity}
    return Finding(
        code=code, remedies=remedies, source="https://example.org/", **{**given, **facts}
    )


def copy(path: str, owner: str | None, *modules: str, **facts: Any) -> Coming:
    family = facts.pop("family", "libomp")
    through = facts.pop("through", None)
    runtime = library(family, path=path, owner=owner, owner_version=owner and "1.0", **facts)
    who = (Bringer(module=m, distribution=owner, through=through or m) for m in modules)
    return Coming(library=runtime, brought_by=tuple(who))


TORCH = copy(
    f"{SITE}/torch/lib/libomp.dylib",
    "torch",
    "torch",
    registers="file",
    install_name="@rpath/libomp.dylib",
)
LIGHT = copy(BREW, None, "lightgbm", users=("lightgbm",), install_name=BREW)


def check(**facts: Any) -> Check:
    Check.renderers.update(renderers.check_renderers)
    Checks.renderers.update(renderers.checks_renderers)
    given: dict[str, Any] = {
        "modules": ("torch", "lightgbm"),
        "target": "macos-arm64",
        "coming": (TORCH, LIGHT),
        "findings": (finding("OMP101", "Say: this --way /a/b", "Or another"),),
        "folders": (SITE, "/tmp/e"),
        "source": f"{SITE}, CPython 3.12",
    }
    return Check(**{**given, **facts})


FINE = check(target="linux-x86_64", coming=(), findings=())


def words(text: str) -> str:
    """Give the words of a view, without its marks, tags and lines."""
    text = re.sub(r"(?s)<style>.*?</style>|<[^>]*>", " ", text)
    return " ".join(html.unescape(text).split())


VERDICTS = {
    "Error #15": (check(), "2 copies of one OpenMP runtime: Error #15 ends the process", "bad"),
    "crash": (
        check(findings=(finding("OMP107"),)),
        "that do not notice each other: a crash without a message",
        "bad",
    ),
    "either": (
        check(findings=(finding("OMP101"), finding("OMP107"))),
        "a crash without a message, or Error #15",
        "bad",
    ),
    "masked": (
        check(findings=(finding("OMP102"),), masked_by="importing sklearn sets it"),
        "masked by KMP_DUPLICATE_LIB_OK (importing sklearn sets it)",
        "warning",
    ),
    "hang": (check(findings=(finding("OMP103"),)), "OMP103 title", "bad"),
    "apart": (check(findings=(finding("OMP105"),)), "OMP105 title", "warning"),
    "one": (check(findings=(), coming=(TORCH,)), "one OpenMP runtime, fine", "good"),
    "none": (FINE, "no OpenMP runtime, fine", "good"),
}


@pytest.mark.parametrize("case", VERDICTS)
def test_the_verdict_is_the_first_line_with_its_colour(case: str) -> None:
    answer, said, tone = VERDICTS[case]
    assert said in verdict_on(answer)[0]
    assert verdict_on(answer)[1] == tone
    assert said in " ".join(str(answer).split()[:40])


def test_what_is_supposed_is_told_with_the_verdict() -> None:
    branch = Branch(key="k", words="Homebrew's libomp", copies=2, copies_without=1)
    answer = check(branches=(branch,))
    assert "2 copies of one OpenMP runtime, with Homebrew's libomp: Error" in lead_of(answer)
    assert "with Homebrew's libomp: 2 copies; without it: 1 copy" in str(answer)


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"copies": 1, "copies_without": 1}, ""),
        (
            {
                "copies": 0,
                "copies_without": 0,
                "failing": ("a", "b"),
                "remedy": "apt-get install x",
            },
            "without W: importing a and b fails (apt-get install x brings it)",
        ),
        (
            {
                "copies": 3,
                "copies_without": 2,
                "failing": tuple("abcde"),
                "remedy": "VS: https://x",
            },
            (
                "with W: 3 copies; without it: importing a, b, c and 2 more fails "
                "(it comes with VS: https://x)"
            ),
        ),
    ],
)
def test_a_branch_says_only_what_is_otherwise(facts: dict[str, Any], said: str) -> None:
    assert Branch(key="k", words="W", **facts).sentence == said


def test_a_check_of_this_process_says_first_what_is_not_known() -> None:
    gap = Gap(what="lightgbm", why="narwhals is not installed")
    notes = (f"importing lightgbm would fail: {gap.why}", "odd")
    here = check(target=None, findings=(), branches=(), failing=(gap,), notes=notes)
    told = (
        "Not the whole answer: importing lightgbm stops at narwhals, which is not there. Importing "
    )
    assert lead_of(here).startswith(told)
    assert str(here).count("narwhals") == 1
    assert "not known: odd" in str(here)
    unknown = replace(here, failing=(), unknown=(Gap(what="torch", why="no such module"),))
    assert lead_of(unknown).startswith("Importing lightgbm may load")
    assert lead_of(unknown).endswith("; nothing is known of torch")


def test_a_walk_that_stopped_says_so_before_anything_else() -> None:
    gap = Gap(what="lightgbm", why="narwhals is not installed")
    answer = check(failing=(gap,), notes=("importing lightgbm would fail: " + gap.why, "odd"))
    first, second = str(answer).splitlines()[:2]
    assert first.startswith("✖ macOS arm64: not the whole answer: importing lightgbm stops at ")
    assert first.endswith("stops at narwhals, which is not there")
    assert second.strip().startswith("As far as it goes: 2 copies")
    assert "would fail" not in str(answer)
    assert "  odd" in str(answer)
    table = str(Checks(checks=(FINE, answer)))
    assert table.startswith("! macOS arm64: not the whole answer")
    assert copies_words(answer) == "not whole; 2 copies: Error #15"
    assert copies_words(replace(FINE, failing=(gap,))) == "not whole"
    assert "Not known for Linux x86_64" in matrix.lead_of(
        Checks(checks=(replace(FINE, failing=(gap,)),))
    )


def test_a_missing_library_is_named_by_what_would_bring_it() -> None:
    gap = Gap(what="m", why="@rpath/libomp.dylib is not found, which m/x.so needs")
    assert brought_by(check(failing=(gap,), coming=())) == (
        "libomp.dylib may be Homebrew's libomp: brew install libomp",
    )
    assert brought_by(check(target="windows-x86_64", failing=(gap,))) == ()


def test_the_environment_is_named_once() -> None:
    conda = copy("/tmp/e/lib/libiomp5.dylib", "mkl", "mkl", family="libiomp5")
    wrong = finding("OMP107", why=f"see {SITE}/x.so", evidence=(f"{SITE}/torch/x",))
    text = str(check(coming=(TORCH, conda), findings=(wrong,)))
    assert text.count(SITE) == 1
    assert "torch/lib/libomp.dylib · install name @rpath/libomp.dylib · registers in" in words(text)
    assert "…/lib/libiomp5.dylib" in text
    assert "see x.so" in text
    assert str(check()).count(BREW) == 1  # its install name is its path


def test_many_modules_are_counted_and_many_bringers_too() -> None:
    names = tuple(f"m{number}" for number in range(100))
    many = copy(f"{SITE}/x/libomp.dylib", "x", *names)
    text = words(str(check(modules=names, coming=(many,), findings=())))
    assert "import 100 modules" in text
    assert "by m0, m1 and 98 more" in text
    here = lead_of(check(target=None, modules=names))
    assert here == "Importing 100 modules may load 2 more runtimes, judging by files"


def test_a_remedy_is_told_once() -> None:
    same = ("Say: this --way /a/b", "Or another")
    answer = check(findings=(finding("OMP107", *same), finding("OMP102", *same, "New")))
    assert str(answer).count("this --way /a/b") == 1
    assert "Or what is told above" in str(answer)
    other = check(target="windows-x86_64", findings=(finding("OMP101", *same),))
    table = str(Checks(checks=(answer, other)))
    assert table.count("this --way /a/b") == 1
    assert "What is told above helps" in table


def test_findings_that_differ_in_their_reasons_are_two() -> None:
    one = check(findings=(finding("OMP105", why="of macOS"),))
    two = check(target="linux-x86_64", findings=(finding("OMP105", why="of Linux"),))
    three = replace(one, target="macos-x86_64")
    told = matrix.matrix_of(Checks(checks=(one, two, three))).told
    assert [(systems, [each.why for each in found]) for systems, found in told] == [
        ("macOS arm64 and macOS x86_64", ["of macOS"]),
        ("Linux x86_64", ["of Linux"]),
    ]


@pytest.mark.parametrize(
    ("path", "name"),
    [
        (BREW, "Homebrew's libomp"),
        ("/opt/homebrew/Cellar/libomp/19.1.0/lib/libomp.dylib", "Homebrew's libomp"),
        ("/usr/local/Cellar/libomp/18.1.8_1/lib/libomp.dylib", "Homebrew's libomp"),
        ("C:\\Windows\\System32\\VCOMP140.DLL", "System32's vcomp140.dll"),
        ("/opt/homebrew/lib/python3.12/site-packages/x/libomp.dylib", ""),
        ("/usr/lib64/libgomp.so.1", ""),
    ],
)
def test_what_no_package_brings_has_a_name_in_a_live_process_too(path: str, name: str) -> None:
    assert words_at(path) == name


def test_cells_are_short() -> None:
    vcomp = copy("C:/e/x.libs/vcomp140-ab.dll", "faiss-cpu", "faiss", family="vcomp").library
    system32 = copy("C:/Windows/System32/vcomp140.dll", None, "x", family="vcomp").library
    gomp = copy("/usr/lib64/libgomp.so.1", None, "x", family="libgomp").library
    inside = copy(f"{SITE}/f/_f.so", "f", "f", static=True).library
    assert short_of([(TORCH.library, True)]) == "own libomp"
    assert (
        short_of([(LIGHT.library, False), (TORCH.library, False)]) == "Homebrew's, torch's libomp"
    )
    assert short_of([(vcomp, False)]) == "faiss-cpu's vcomp140"
    assert short_of([(system32, False)]) == "vcomp140"
    assert short_of([(gomp, False)]) == "the system's libgomp"
    assert short_of([(inside, True)]) == "own libomp inside"


def test_a_module_owns_what_its_own_code_loads() -> None:
    through = copy(f"{SITE}/sklearn/l.dylib", "scikit-learn", "lightgbm", through="sklearn.u")
    (row,) = matrix.matrix_of(Checks(checks=(check(coming=(through,), findings=()),))).rows
    assert [each.text for each in row[1]] == ["scikit-learn's libomp"]


def test_what_clashes_is_never_folded() -> None:
    names = [f"m{number}" for number in range(30)]
    bad = [copy(f"{SITE}/{n}/libomp.dylib", n, n) for n in names[:15]]
    good = [copy(f"{SITE}/{n}/g.so", n, n, family="libgomp") for n in names[15:]]
    found = matrix.matrix_of(Checks(checks=(check(modules=tuple(names), coming=(*good, *bad)),)))
    assert [name for name, _ in found.rows] == names[:15]
    assert found.folded_words == "and 15 more imports with a runtime and no clash"


@pytest.mark.parametrize("columns", [40, 80, 120])
def test_three_systems_fit(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    text = str(Checks(checks=(check(), FINE, replace(FINE, target="windows-x86_64"))))
    for line in text.splitlines():
        assert len(line) <= columns or "--way /a/b" in line or " " not in line.strip()
    assert "this --way /a/b" in text
    if columns > 40:
        assert re.search(rf"torch +own libomp +{DASH} +{DASH}", text)
        assert re.search("together +2 copies: Error #15 +none, fine +none, fine", text)


def test_page_and_text_say_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    branch = Branch(key="k", words="Homebrew's libomp", copies=2, copies_without=1)
    gap = Gap(what="lightgbm", why="narwhals is not installed")
    one = check(branches=(branch,), failing=(gap,), notes=("a note",))
    for shown in (one, Checks(checks=(one, FINE))):
        page = words(shown._repr_mimebundle_()["text/html"])
        for text in str(shown).split("\n\n"):
            for word in text.split():
                assert word in page or word in ("✖", "!", "→", "error"), word


def test_no_name_gets_out_of_its_view() -> None:
    nasty = check(
        modules=(HOSTILE,),
        coming=(copy(f"{SITE}/{HOSTILE}", HOSTILE, HOSTILE, install_name=HOSTILE),),
        findings=(finding("OMP101", f"Say: {HOSTILE}", title=HOSTILE, why=HOSTILE),),
        lacking=(Gap(what=HOSTILE, why=HOSTILE),),
        notes=(HOSTILE,),
        source=HOSTILE,
        where={HOSTILE: f"{HOSTILE}:3"},
    )
    for shown in (nasty, Checks(checks=(nasty, FINE))):
        page = shown._repr_mimebundle_()["text/html"]
        assert "<i>" not in page
        assert "{{ 1 }}" in page
        for text in (page, str(shown)):
            assert "\x1b" not in text
    for line in annotated(Checks(checks=(nasty,))):
        assert line.startswith("::")
        assert "\n" not in line
        assert "\x1b" not in line
    (first, *_) = sarif(Checks(checks=(nasty,)), "1")["runs"][0]["results"]
    (location,) = first["locations"]
    assert re.fullmatch(r"[\w%.~/-]+", location["physicalLocation"]["artifactLocation"]["uri"])


@pytest.mark.parametrize(
    ("path", "uri"),
    [
        ("requirements.txt", "requirements.txt"),
        ("./a b/é.txt", "a%20b/%C3%A9.txt"),
        ("/w/x.txt", "file:///w/x.txt"),
        ("C:\\w\\x.txt", "file:///C%3A/w/x.txt"),
    ],
)
def test_a_file_is_a_reference(path: str, uri: str) -> None:
    found = sarif(Checks(checks=(check(where={"torch": f"{path}:3"}),)), "1")
    location = found["runs"][0]["results"][0]["locations"][0]["physicalLocation"]
    assert location["artifactLocation"]["uri"] == uri


def test_each_finding_has_a_fingerprint_of_its_own() -> None:
    several = check(findings=(finding("OMP101"), finding("OMP101", title="another")))
    other = replace(several, target="macos-x86_64")
    results = sarif(Checks(checks=(several, other)), "1")["runs"][0]["results"]
    assert len({each["partialFingerprints"]["omp-magic/v1"] for each in results}) == 4


def test_a_package_with_several_copies_is_no_way_to_one() -> None:
    copies = (
        library(
            "libomp", path="C:/Windows/System32/libomp140.x86_64.dll", users=("torch",), inode=1
        ),
        library("libiomp5", path="C:/e/torch/libiomp5md.dll", owner="torch", inode=2),
        library("libiomp5", path="C:/e/ct/libiomp5md.dll", owner="ctranslate2", inode=3),
    )
    blank = replace(snapshot(system="windows"), pid=0)
    (wrong,) = judge(blank, (replace(each, initialized=False) for each in copies))
    assert (
        "Or use ctranslate2 alone in a process, without torch, where several come" in wrong.remedies
    )
    (alone,) = judge(blank, (replace(each, initialized=False) for each in copies[:2]))
    assert not any(each.startswith("Or use") for each in alone.remedies)


def test_several_targets_are_one_question(tmp_path: Any) -> None:
    (tmp_path / "pkg").mkdir()
    (tmp_path / "pkg" / "__init__.py").touch()
    both: Any = check_modules("pkg", target="macos-arm64, linux-x86_64,", site=str(tmp_path))
    assert [each.target for each in both.checks] == ["macos-arm64", "linux-x86_64"]
    assert str(both).startswith("✓ Fine on macOS arm64 and Linux x86_64")
    assert "text/html" in both._repr_mimebundle_()
    with pytest.raises(RequestError, match="found 'maco'"):
        check_modules("pkg", target="linux,maco", site=str(tmp_path))


def test_the_notes_are_told_once_with_their_systems() -> None:
    one, two = check(notes=("both", "mac")), replace(FINE, notes=("both",))
    assert matrix.further_of(Checks(checks=(one, two))) == ("both", "macOS arm64: mac")
    assert foreseen.JUDGED in str(Checks(checks=(one, two)))
