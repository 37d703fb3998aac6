"""Every code block of README and docs runs, and every link leads somewhere."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from codeblocks import (
    ADDRESS,
    Story,
    blocks_of,
    commands_of,
    missing,
    name_of,
    pages,
    unsound,
)
from live import LINUX, Kernel
from places import ROOT

PAGES = pages()
README, KOREAN = (ROOT / name for name in ("README.md", "README.ko.md"))
FINDINGS = sorted((ROOT / "docs" / "findings").glob("*.md"))
LINKED = [*PAGES, *FINDINGS, *sorted(ROOT.glob("[A-Z]*.md"))]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


@pytest.mark.timeout(600)
@pytest.mark.skipif(not LINUX, reason="the outputs on the pages are those of Linux")
@pytest.mark.parametrize(
    "page",
    [pytest.param(page, marks=[pytest.mark.thorough] if page == KOREAN else []) for page in PAGES],
    ids=name_of,
)
def test_the_blocks_of_a_page_do_what_it_says(page: Path, tmp_path: Path) -> None:
    story = Story(tmp_path)
    try:
        wrong = list(story.tell(page))
    finally:
        story.close()
    assert not wrong, "\n".join(wrong)


def test_the_korean_readme_has_the_blocks_of_the_other() -> None:
    """So that to run those of one is to run both; comments are in the page's language."""
    pages = [
        [
            (
                block.language,
                re.sub(r" +# .*$", "", block.text, flags=re.MULTILINE),
                {kind: kind == "not run" or text for kind, text in block.notes.items()},
            )
            for block in blocks_of(page)
        ]
        for page in (README, KOREAN)
    ]
    assert pages[0] == pages[1]
    assert len(pages[0]) > 10


@pytest.mark.skipif(not LINUX, reason="the outputs on the pages are those of Linux")
def test_the_profile_of_the_hub_loads_the_extension(tmp_path: Path) -> None:
    page = ROOT / "docs" / "howto" / "jupyterhub.md"
    profile = tmp_path / "profile_default"
    profile.mkdir()
    lines = [block.text for block in blocks_of(page) if block.text.startswith("c.")]
    (profile / "ipython_config.py").write_text("\n".join(lines), "utf-8")
    kernel = Kernel({"IPYTHONDIR": str(tmp_path)})
    try:
        assert "omp_guard raise" in kernel.run("%omp_guard").stdout
        assert "auto is in force" in kernel.run("%omp_limit").stdout
    finally:
        kernel.close()


def test_what_is_not_run_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    blocks = [block for page in PAGES for block in blocks_of(page)]
    left = [block for block in blocks if block.unrun is not None]
    with capsys.disabled():
        print(f"\n{len(left)} of {len(blocks)} code blocks are not run:")
        print(*(f"  {block}: {block.unrun}" for block in left), sep="\n")
    assert [str(block) for block in left if not block.unrun] == []


def test_the_python_on_the_finding_pages_is_python() -> None:
    blocks = [block for page in FINDINGS for block in blocks_of(page)]
    python = [block for block in blocks if block.language == "python"]
    assert python
    for block in python:
        compile(block.text, str(block), "exec")


def test_an_output_that_is_no_longer_printed_is_noticed() -> None:
    said = (
        "  2 CPUs  cpu.max of /job decides (affinity 2, machine 2)\n  OpenBLAS 0.3  numpy  started"
    )
    assert missing("1 CPU  the machine decides (affinity 1, machine 1)", said) == []
    assert missing("… decides (affinity 8 …\nOpenBLAS 1.0 numpy", said) == []
    assert missing("OpenBLAS  numpy  idle\nstarted", said) == ["OpenBLAS  numpy  idle"]
    assert missing("numpy OpenBLAS", said) == ["numpy OpenBLAS"]


def test_a_command_that_is_not_run_is_looked_up() -> None:
    assert unsound("pip install 'omp-magic[notebook]' torch") == ""
    assert unsound("pip install omp_magik")
    assert unsound("python -m pip install omp-magic[nothing]")
    assert unsound("make test  # runs the tests") == ""
    assert unsound("make coffee")
    assert unsound("conda install -c conda-forge omp-magic")
    assert unsound(f"git clone {ADDRESS}.git") == ""
    assert unsound("omp-magic status") is None
    assert commands_of("$ a\n1\n2\n$ b") == [("a", "1\n2"), ("b", "")]


def _targets(text: str) -> list[str]:
    """Give where the links and images of a Markdown text lead."""
    prose = re.sub(r"^( *)(```+|~~~+)(?!\{).*?^ *\2 *$", "", text, flags=re.DOTALL | re.MULTILINE)
    prose = re.sub(r"`[^`\n]*`", "", prose)
    found = re.findall(r"\]\(<?([^)\s>]+)>?[^)]*\)", prose)
    found += re.findall(r"(?:src|srcset|href)=\"([^\"\s]+)", prose)
    found += re.findall(r"^[`~]{3,}\{(?:image|figure)\} *(\S+)", prose, re.MULTILINE)
    return found


def _wrong(target: str, here: Path) -> str:
    """Say what is wrong with a link, or ""."""
    for prefix in (f"{ADDRESS}/blob/main/", f"{ADDRESS}/tree/main/"):
        if target.startswith(prefix):
            return _wrong(target.removeprefix(prefix), ROOT / "README.md")
    if re.match(r"[a-z]+:", target):
        return ""
    path, _, heading = target.partition("#")
    file = (here.parent / path).resolve() if path else here
    if not file.exists():
        return f"{target}: there is no such file"
    if heading and file.suffix == ".md" and heading not in _headings(file):
        return f"{target}: there is no such heading"
    return ""


def _headings(page: Path) -> set[str]:
    """Give the anchors that GitHub and Sphinx make of a page's headings."""
    prose = re.sub(r"^(```+).*?^\1$", "", page.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
    titles = re.findall(r"^#+ +(.*)$", prose, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title).strip().lower().replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", sorted(set(LINKED)), ids=name_of)
def test_the_links_of_a_page_lead_somewhere(page: Path) -> None:
    wrong = [_wrong(target, page) for target in _targets(page.read_text("utf-8"))]
    assert not any(wrong), "\n".join(wrong)


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=name_of)
def test_the_links_of_a_notebook_lead_somewhere(notebook: Path) -> None:
    cells = json.loads(notebook.read_text("utf-8"))["cells"]
    texts = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"]
    wrong = [_wrong(target, notebook) for text in texts for target in _targets(text)]
    assert not any(wrong), "\n".join(wrong)
