"""What README and CHANGELOG say is true of the code."""

from __future__ import annotations

import importlib
import re
import sys
from typing import Any

from places import ROOT

from omp_magic import __version__
from omp_magic.jupyter.standin import NAMES
from omp_magic.knowledge.catalog import BY_KEY
from omp_magic.rules.codes import CODES
from omp_magic.views.meanings import MEANINGS

DOCS = ROOT / "docs"
README = (ROOT / "README.md").read_text("utf-8")
KOREAN = (ROOT / "README.ko.md").read_text("utf-8")


def test_the_findings_in_the_readme_are_the_rules() -> None:
    rows = re.findall(r"^\| (OMP\d+) \| (\w+) \| (.*) \|$", README, re.MULTILINE)
    assert [row[:2] for row in rows] == [(rule.code, rule.severity) for rule in CODES]
    for (_, _, said), rule in zip(rows, CODES, strict=True):
        assert said.replace("`", "") == rule.summary


def test_the_readme_names_every_magic_and_family() -> None:
    for kind, names in NAMES.items():
        for name in names:
            assert ("%%" if kind == "cell" else "%") + name in README
    for key, family in BY_KEY.items():
        if family.setters:  # those that a limit names
            assert f"`{key}`" in README


def test_the_korean_readme_is_the_same_readme() -> None:
    for what in (
        r"^#+ ",  # headings
        r"^```.*$",
        r"^%+\w.*$",
        r"^\| `[^|]*\|",  # each magic and each form of SPEC
        r"^\| OMP\d+ \| \w+ ",
        r"\]\(([^)]*)\)|(?:src|srcset)=\"([^\"]*)\"",  # links and pictures
    ):
        found = [re.findall(what, text, re.MULTILINE) for text in (README, KOREAN)]
        if what.startswith(r"\]"):
            found = [sorted(each) for each in found]  # a language may order a sentence's links
            found = [[pair for pair in each if "README" not in pair[0]] for each in found]
        assert found[0] == found[1], what
        assert len(found[0]) > 4


def test_what_works_on_which_system_is_one_table() -> None:
    """README, its Korean and the reference; a Korean cell says yes where the English one does."""
    rows = r"(?m)^\| (?:what you do|하는 일|system|시스템) \|(?:.*\n\|)*.*$"
    pages = [README, (DOCS / "reference" / "systems.md").read_text("utf-8"), KOREAN]
    readme, page, korean = (re.findall(rows, text) for text in pages)
    assert len(readme) == 2
    assert readme == page
    for english, other in zip(readme, korean, strict=True):
        lines = zip(english.splitlines(), other.splitlines(), strict=True)
        for (_, *ours), (_, *theirs) in ([line.split(" | ") for line in pair] for pair in lines):
            assert len(ours) == len(theirs)
            for own, told in zip(ours, theirs, strict=True):
                assert own.startswith("yes") == told.startswith("됩니다")
                assert own.startswith(("no:", "no,")) == ("안 됩니다" in told)


def test_the_pages_of_findings_are_those_of_the_rules() -> None:
    """`make docs` writes them."""
    written = {path.name: path.read_text("utf-8") for path in (DOCS / "findings").iterdir()}
    assert written == _module_of_docs("write_findings").pages()


def test_the_page_of_pools_is_the_table_of_packages() -> None:
    """`make docs` writes it."""
    written = (DOCS / "reference" / "pools.md").read_text("utf-8")
    assert written == _module_of_docs("write_pools").page()


def test_the_page_of_words_is_the_table_of_meanings() -> None:
    """`make docs` writes it."""
    written = (DOCS / "reference" / "words.md").read_text("utf-8")
    assert written == _module_of_docs("write_words").page()


def test_every_word_has_one_sentence() -> None:
    for word in ("cgroup", "waiting", "serves", "idle", "workers", "bounds", "set"):
        assert word in MEANINGS
    for word, meaning in MEANINGS.items():
        assert word == word.lower()
        assert meaning.endswith("."), word
        assert len(meaning) < 220, word


def _module_of_docs(name: str) -> Any:
    sys.path.insert(0, str(DOCS))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(DOCS))
        sys.modules.pop(name, None)


def test_the_reference_has_every_magic_option_and_command() -> None:
    made = _module_of_docs("made_pages").MADE
    for mark in made:
        pages = (page.read_text("utf-8") for page in (DOCS / "reference").glob("*.md"))
        assert any(f"<!-- made by docs/conf.py: {mark} -->" in page for page in pages)
    magics, command = made["magics"](), made["command"]()
    assert [f"%{name}" in magics for name in NAMES["line"]] == [True] * len(NAMES["line"])
    assert {"--probe", "--record NAME", "--interval", "%%omp_limit 2 -v"} <= set(
        re.findall(r"--\w+(?: NAME)?|%%omp_limit 2 -v", magics)
    )
    assert magics.count("```") % 2 == 0
    for name in ("status", "check", "scan", "explain", "report"):
        assert f"## `omp-magic {name}`" in command


def test_the_changelog_has_this_version() -> None:
    assert f"## {__version__}" in (ROOT / "CHANGELOG.md").read_text("utf-8")


def test_the_reference_names_what_is_there() -> None:
    """`make docs` imports them; a class that has moved would be found only there."""
    pages = "".join(page.read_text("utf-8") for page in (DOCS / "reference").glob("*.md"))
    names = re.findall(r"^\.\. auto\w+:: (\S+)", pages, re.MULTILINE)
    assert len(names) > 40
    for name in names:
        module, _, attribute = name.rpartition(".")
        assert hasattr(importlib.import_module(module), attribute), name
