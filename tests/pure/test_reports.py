"""The file of a report: what is in it, what is not, and that it is written whole or not at all."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from facts_for_tests import library, pool, setting, snapshot
from links import link

from omp_magic.errors import ReportError
from omp_magic.facts.about import About, Personal
from omp_magic.facts.changes import Change
from omp_magic.facts.libraries import Finding, Gap
from omp_magic.facts.processes import Child, ThreadOwner
from omp_magic.probes.about import probe_personal
from omp_magic.reports import check_report, write_report
from omp_magic.views.report import KINDS, as_markdown, as_page, as_text, report_of

HOME = "/home/z\u00e9 <o'x>"
PERSONAL = Personal(homes=(HOME,), users=("z\u00e9 <o'x>", "zeox"), hosts=("box-7",))
ABOUT = About(
    made_at="2026-03-01 09:07:12 UTC",
    tools=(("omp_magic", "0.1.0"), ("jupyterlab", None)),
    packages=(("numpy", "2.4.6"),),
    system=(("kernel", "Linux 6.1"), ("Python build", f"{HOME}/build")),
)
FACTS = snapshot(
    prefix=f"{HOME}/env",
    libraries=(
        library("openblas", path=f"{HOME}/env/lib/python3.12/site-packages/x.libs/libopenblas.so"),
    ),
    pools=(replace(pool(2), library=f"{HOME}/env/libopenblas.so"),),
    thread_owners=(ThreadOwner(path=f"{HOME}/libz.so", package=None, num_threads=2),),
    environment=(setting("OMP_NUM_THREADS", f"2 {HOME}"),),
    children=(
        Child(
            pid=7,
            command=f"python {HOME}/job.py --user zeox",
            forked=False,
            num_os_threads=1,
            pool_threads=None,
            runtimes=(),
        ),
    ),
    changes=(
        Change(what="variable", name="API_TOKEN", after="tok-123", by="import x", imported=True),
        Change(what="rlimit", name="RLIMIT_NOFILE", before="1", after=f"2 {HOME}", by="cell 1"),
    ),
    findings=(
        Finding(
            code="OMP106",
            severity="info",
            title="2 BLAS libraries",
            why=f"{HOME} and `zeox`",
            evidence=(f"{HOME}/a.so",),
            remedies=(f"Run: import ctypes; ctypes.CDLL('{HOME}/a.so')",),
            source="https://example.org/x",
        ),
    ),
    gaps=(Gap(what="x", why="on box-7", where=f"{HOME}/g"),),
)


class Page(HTMLParser):
    """What a page holds: its tags, its addresses, its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [f"{tag} {name}" for name, _ in attrs if name in ("src", "srcset")]
        assert not [name for name, _ in attrs if name.startswith("on")]

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


@pytest.mark.parametrize("kind", list(KINDS))
def test_no_name_is_in_any_kind(kind: str) -> None:
    made = KINDS[kind](report_of(FACTS, ABOUT, PERSONAL))
    for name in (
        *("zeox", "box-7", "API_TOKEN", "tok-123"),
        *("z\u00e9", "z\\u00e9", "o'x", "o&#39;x"),
    ):
        assert name not in made, name
    assert "~/env" in made
    assert "2 ~" in made
    for word in ("OMP_NUM_THREADS", "RLIMIT_NOFILE", "OMP106", "numpy", "2026-03-01"):
        assert word in made
    assert "libopenblas.so" in made


def test_the_page_needs_nothing_else() -> None:
    text = as_page(report_of(FACTS, ABOUT, PERSONAL))
    page = Page(text)
    assert text.startswith("<!DOCTYPE html>")
    assert '<meta charset="utf-8">' in text
    assert "prefers-color-scheme:dark" in text
    assert page.tags.count("title") == page.tags.count("html") == page.tags.count("body") == 1
    assert not {"script", "link", "iframe", "img", "object", "base"} & set(page.tags)
    assert page.addresses == []
    assert not re.search(r"url\(|@import", text)
    # What machines read is in it as it is, line by line.
    whole = "".join(page.texts)
    plain = as_text(report_of(FACTS, ABOUT, PERSONAL))
    assert plain.strip() in whole
    (found,) = (each for each in page.texts if each.startswith("{"))
    facts = json.loads(found)
    assert facts["report"] == 1
    assert facts["snapshot"]["pid"] == FACTS.pid
    assert facts["about"]["tools"][1] == ["jupyterlab", None]


def test_the_text_has_what_a_status_leaves_out() -> None:
    text = as_text(report_of(FACTS, ABOUT, PERSONAL))
    for line in (
        "  evidence: ~/a.so",
        "  remedy: Run: import ctypes; ctypes.CDLL('~/a.so')",
        "  source: https://example.org/x",
        "jupyterlab not installed",
        "Python build: ~/build",
        "1 such variable that an import or a cell changed",
        "2: ~/libz.so",
    ):
        assert line in text.split("\n"), line
    assert "libopenblas.so.1: ~/env/lib/python3.12/site-packages/x.libs/libopenblas.so" in text
    assert as_markdown(report_of(FACTS, ABOUT, PERSONAL)) == f"```text\n{text}```\n"
    old = as_text(report_of(FACTS, None, PERSONAL))
    assert old.startswith("omp_magic report\n")
    assert "Python 3.12.1" in old


def test_names_are_read_from_every_place(tmp_path: Path) -> None:
    real, home = tmp_path / "real home", tmp_path / "link"
    real.mkdir()
    link(home, real)
    found = probe_personal({"HOME": str(home), "USER": "odd-user", "JUPYTERHUB_USER": "hub"})
    assert {str(home), str(real.resolve())} <= set(found.homes)
    assert {"odd-user", "hub", "link", "real home"} <= set(found.users)
    assert "localhost" not in found.hosts
    assert probe_personal({"HOME": "", "USERPROFILE": "C:\\Users\\Ann"}).users.count("Ann") == 1
    assert all(name.strip() for name in probe_personal({"USER": " ", "HOME": "x"}).users)


def test_a_file_is_written_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(tmp_path / "a b.html")
    assert check_report(path, KINDS, force=False) == path
    write_report(path, "one\ud800", force=False)
    assert Path(path).read_text("utf-8") == "one\\ud800"
    assert os.stat(path).st_mode & 0o777 == 0o666 & ~_umask()
    for force in (False, True):
        with monkeypatch.context() as patched:
            patched.setattr(os, "replace", _fail)
            patched.setattr(os, "link", _fail)
            with pytest.raises(ReportError, match="full: " if force else "is there: "):
                write_report(path, "two", force=force)
    assert Path(path).read_text("utf-8") == "one\\ud800"
    assert os.listdir(tmp_path) == ["a b.html"]
    with pytest.raises(ReportError, match=r"force=True to replace it; example: omp_magic\.report"):
        write_report(path, "two", force=False)
    write_report(path, "two", force=True)
    assert Path(path).read_text("utf-8") == "two"
    # A file system without hard links.
    monkeypatch.setattr(os, "link", _fail)
    write_report(str(tmp_path / "c.txt"), "three", force=False)
    assert sorted(os.listdir(tmp_path)) == ["a b.html", "c.txt"]


def _fail(*_: object) -> None:
    raise OSError(28, "full")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("x.pdf", "found 'x.pdf'; accepted: a file whose name ends in .html, .txt, .md, .json; "),
        ("x", "example: %omp_report omp.html"),
        (".html", "ends in"),
        ("no/such/x.html", "no folder no/such"),
        ("here.html", "found 'a file that is there: here.html'; accepted: another name, or --f"),
        ("here.html", "example: %omp_report here.html --force"),
        ("folder.md", "'a folder: folder.md'"),
    ],
)
def test_what_cannot_be_written_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("here.html").touch()
    Path("folder.md").mkdir()
    with pytest.raises(ReportError) as error:
        check_report(name, KINDS, force=False, command="%omp_report")
    assert told in str(error.value)
    assert "\n" not in str(error.value)
    with pytest.raises(ReportError) as shell:
        check_report(name, KINDS, force=False, command="omp-magic report")
    assert "%omp" not in str(shell.value)


def test_a_folder_without_the_right_to_write_is_told_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda _path, mode: mode != os.W_OK)  # root may write all
    with pytest.raises(ReportError, match="no right to write in ") as error:
        check_report(str(tmp_path / "x.md"), KINDS, force=True, command="omp-magic report")
    assert "example: omp-magic report x.md" in str(error.value)


def test_the_users_folder_may_be_written_as_a_tilde(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    found = check_report("~/x.md", KINDS, force=False)
    assert os.path.normpath(found) == str(tmp_path / "x.md")
