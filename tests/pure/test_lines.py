"""Lines of text: code whole in a terminal of any width, sentences and tables broken at words."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from facts_for_tests import full, library, pool, snapshot
from hypothesis import given
from hypothesis import strategies as st

from omp_magic.errors import LimitError, nearest
from omp_magic.facts.libraries import Finding, Gap
from omp_magic.guard.guard import Alarm, sentence
from omp_magic.jupyter.magics import OmpMagics
from omp_magic.limiting import limit
from omp_magic.limits.spec import NAMES, parse_limit
from omp_magic.rules import judge
from omp_magic.rules.codes import CODES
from omp_magic.rules.explain import explain
from omp_magic.rules.shell_words import in_shell, in_worker, remedies_in_worker, remedy_in_shell
from omp_magic.views.alarm import AlarmView
from omp_magic.views.explain import Page, page_of
from omp_magic.views.finding_text import finding_lines
from omp_magic.views.html import render_html
from omp_magic.views.lines import line, table, wrapped
from omp_magic.views.meanings import MEANINGS
from omp_magic.views.plain import (
    coloured,
    for_display,
    joined,
    painted,
    plain_text,
    terminal_columns,
)
from omp_magic.views.text import layout, render_text
from omp_magic.views.words import split_remedy

WIDTHS = (20, 40, 60, 80, 100, 200)
CODE = (
    "import ctypes; ctypes.CDLL('/a/long folder/of some/environment/lib/python3.12/site-packages/"
    "package.libs/libgomp-a34b3233.so.1.0.0', ctypes.RTLD_GLOBAL)"
)
FINDING = Finding(
    code="OMP101",
    severity="error",
    title="This kernel will die at the first call of forest/libiomp5.so",
    why="One has started. When the other starts it finds the first one and ends the process.",
    remedies=(f"Restart the kernel, and in the first cell: {CODE}", "Or use only one of them"),
    source="https://example.org",
)


class Terminal:
    """A stream that says it is a terminal of no known width."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("width", WIDTHS)
def test_code_stands_whole_on_a_line_of_its_own(
    width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    page = Page([replace(explain("OMP101"), findings=(FINDING,), looked=True)])
    facts = snapshot(findings=(FINDING,))
    for text in (
        render_text(facts),
        str(AlarmView(Alarm("import x", (FINDING,), before=True))),
        str(page),
        plain_text(*finding_lines(FINDING, "", width=width)),
        painted(finding_lines(FINDING, "", width=width)).replace("\x1b[0m", ""),
        sentence(Alarm("import x", (FINDING,), before=True)),
    ):
        lines = [each for each in text.split("\n") if each.strip() == CODE]
        assert len(lines) == 1, text
        assert lines[0].startswith("    ")


@pytest.mark.parametrize("width", WIDTHS)
def test_every_line_of_code_of_real_findings_is_whole(
    width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    facts = full()
    assert facts.findings
    lines = [each.strip() for each in render_text(facts).split("\n")]
    for finding in facts.findings:
        for _, run in (split_remedy(each, facts.prefix) for each in finding.remedies):
            assert not run or run in lines


@pytest.mark.parametrize("width", [40, 60, 80, 100])
def test_sentences_and_tables_keep_to_the_width(
    width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    facts = replace(full(), findings=())
    words = set(render_text(replace(facts)).split())
    for text in render_text(facts).split("\n"):
        # A word alone may be wider: a path is not broken.
        assert len(text) <= width or " " not in text.strip(), text
    monkeypatch.setenv("COLUMNS", "1000")
    whole = {word for text in render_text(facts).split("\n") for word in text.split()}
    assert words - whole <= {"·", "worker", "from", "threads", "state", "value", "effect"} | {
        "history", "workers", "name", "CPU", "s", "set", "by", "belongs", "to", "CPUs"
    }  # fmt: skip


def test_the_verdict_comes_first_and_findings_before_tables() -> None:
    facts = full()
    text = render_text(facts)
    lines = text.split("\n")
    assert lines[0] == "✖ This kernel will die at the first call of faiss or libomp.so.1"
    assert "pid 6536 · Python 3.12.1 · 1 error" in lines[1]
    assert text.index("OMP101") < text.index("OMP201") < text.index("cpu.max of /pod7 decides")
    assert text.index("cpu.max of /pod7 decides") < text.index("\n  runtime ")
    # The verdict is not said again right below itself.
    assert text.count("This kernel will die at the first call") == 1
    assert render_text(snapshot()).startswith("✓ 4 CPUs allowed\n  no thread pool yet\n")
    unread = snapshot(gaps=(Gap(what="libraries", why="Permission denied (/proc/1/maps)"),))
    text = render_text(unread)
    assert text.startswith("? 4 CPUs allowed\n  which thread pools there are is not known\n")
    assert "no thread pool yet" not in text
    assert "thread pools not known" in text
    assert '<div class="omp-magic omp-u">' in render_html(unread)
    some = (pool(2), pool(2), replace(pool(2), num_threads=None))
    assert "2 pools of known size, none has more" in render_text(snapshot(pools=some))
    assert "  2 pools, none has more" in render_text(snapshot(pools=some[:2]))
    many = snapshot(pools=(pool(16),))
    assert render_text(many).startswith("! 16 threads want 4 CPUs\n")


def test_one_ladder_of_colours() -> None:
    facts = full()
    text = painted(layout(facts))
    assert text.startswith("\x1b[1;31m✖ ")
    assert "\x1b[1;31m  error    OMP101  \x1b[0m" in text
    assert "\x1b[33m  warning  OMP201  \x1b[0m" in text
    assert painted(layout(snapshot())).startswith("\x1b[1;32m✓ ")
    assert "\x1b[1;31mOMP101 · error · \x1b[0m" in painted(Page([explain("OMP101")]).lines())
    assert joined(layout(facts)) == re.sub(r"\x1b\[[0-9;]*m", "", painted(layout(facts)))


@pytest.mark.parametrize(
    ("environ", "terminal", "expected"),
    [
        ({}, True, True),
        ({}, False, False),
        ({"NO_COLOR": "1"}, True, False),
        ({"NO_COLOR": ""}, True, True),
        ({"FORCE_COLOR": "1"}, False, True),
        ({"FORCE_COLOR": "0"}, False, True),  # "regardless of its value"
        ({"FORCE_COLOR": ""}, False, False),
        ({"CLICOLOR_FORCE": "1"}, False, True),
        ({"CLICOLOR_FORCE": "0"}, False, False),
        ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, True, False),
        ({"TERM": "dumb"}, True, False),
        ({"TERM": "dumb", "FORCE_COLOR": "1"}, False, True),
    ],
)
def test_colours(environ: dict[str, str], terminal: bool, expected: bool) -> None:
    assert coloured(Terminal() if terminal else None, environ) is expected


def test_what_ipython_shows_has_colours_in_a_terminal_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    del capsys  # stdout is no terminal now
    lines = [line(("x", "bold"))]
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("FORCE_COLOR", "1")  # ipykernel sets it
    assert for_display(lines) == "x"
    monkeypatch.setattr("sys.stdout", Terminal())
    assert "\x1b[1m" in for_display(lines)
    assert "\x1b" in str(full()._repr_mimebundle_()["text/plain"])
    assert "\x1b" not in str(full())
    monkeypatch.setenv("NO_COLOR", "1")
    assert for_display(lines) == "x"


def test_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    for text, expected in (("40", 40), ("237", 237), ("5", 20), ("0", 100), ("x", 100), ("", 100)):
        monkeypatch.setenv("COLUMNS", text)
        monkeypatch.setattr("sys.stdout", None)
        assert terminal_columns() == expected


@given(st.text(alphabet="abc 한\N{COMBINING ACUTE ACCENT}", max_size=60), st.integers(1, 30))
def test_no_word_is_broken_or_lost(text: str, width: int) -> None:
    lines = wrapped(text, width, first="  ")
    assert " ".join(each.plain for each in lines).split() == text.split()


def test_tables_fold_at_words_and_become_records_where_they_do_not_fit() -> None:
    rows: list[tuple[Any, ...]] = [("OpenBLAS 0.3.31", "numpy 2.1, first", ("12", "red"), "")]
    columns = ("runtime", "from", ">threads", "note")
    assert joined(table(columns, rows, 60)) == (
        "  runtime          from              threads  note\n"
        "  OpenBLAS 0.3.31  numpy 2.1, first       12"
    )
    assert joined(table(columns, rows, 40)) == (
        "  runtime   from        threads  note\n  OpenBLAS  numpy 2.1,       12\n  0.3.31    first"
    )
    assert joined(table(columns, rows, 30)) == (
        "  OpenBLAS 0.3.31\n    from numpy 2.1, first ·\n    threads 12"
    )


def test_a_magic_in_a_sentence_is_not_broken() -> None:
    for width in range(20, 60):
        lines = joined(wrapped("look at them with %omp_status --cpus now, ok", width)).split("\n")
        assert any("%omp_status --cpus" in each for each in lines)


def test_a_shell_has_no_magics() -> None:
    told = [each for rule in CODES for each in _said(rule)]
    facts = replace(full(), libraries=(*full().libraries, library("openblas", inode=9, api="blas")))
    told += [
        text for finding in judge(facts) for text in (finding.title, finding.why, *finding.remedies)
    ]
    for text in told:
        says, run = remedy_in_shell(*split_remedy(text, ""))
        assert "%omp" not in in_shell(text)
        assert "%omp" not in f"{says} {run}" or (
            says.endswith("in a notebook:") and run == "%omp_guard raise"
        )
    for code in [rule.code for rule in CODES]:
        assert "%omp_" not in joined(page_of([code]).lines(magics=False))
    assert "%omp_" not in joined(layout(facts, magics=False))


def test_a_worker_has_no_magics_and_no_kernel() -> None:
    facts = replace(full(), libraries=(*full().libraries, library("openblas", inode=9, api="blas")))
    told = [each for rule in CODES for each in _said(rule)]
    texts = [in_worker(each) for each in told]
    texts += [
        text
        for finding in judge(facts)
        for text in (
            in_worker(finding.title),
            in_worker(finding.why),
            *remedies_in_worker(finding.remedies),
        )
    ]
    for text in texts:
        assert "%omp" not in text
        assert "omp_magic.limit" not in text
        assert not re.search(r"\b([Tt]his|fresh|a|the) kernel\b", text)
    assert any('omp_magic.cluster(client, limit="auto")' in text for text in texts)


def _said(rule: Any) -> tuple[str, ...]:
    return (rule.summary, rule.story.happens, rule.story.seen, *rule.story.mend)


@pytest.mark.parametrize(
    ("notebook", "shell"),
    [
        ("%omp_explain OMP101", "omp-magic explain OMP101"),
        ("%omp_check torch faiss --order", "omp-magic check torch faiss --order"),
        ("%omp_limit auto", 'omp_magic.limit("auto")'),
        ("%%omp_limit blas=1 openmp=2", 'omp_magic.limit("blas=1 openmp=2")'),
        ("with %omp_guard raise it fails", "with the notebook's guard on raise it fails"),
        (
            "Restart the kernel, and let it serve all, in the first cell",
            "Restart the program, and let it serve all, before all other imports",
        ),
        (
            "Or use only one of torch and faiss in a kernel",
            "Or use only one of torch and faiss in a process",
        ),
        ("set by %omp_limit 2; back with x", 'set by omp_magic.limit("2"); back with x'),
    ],
)
def test_the_words_of_a_shell(notebook: str, shell: str) -> None:
    assert in_shell(notebook) == shell


def test_words_are_explained_as_codes_are() -> None:
    assert str(page_of(["cgroup"])).startswith("cgroup: The group of processes")
    assert str(page_of(["its", "cgroup"])) == str(page_of(["cgroup"]))
    assert str(page_of(["not", "started"])).startswith("not started: ")
    both = str(page_of(["waiting", "OMP203"]))
    assert both.index("waiting: ") < both.index("OMP203 · ")
    assert "cgroup: " in page_of(["cgroup"])._repr_mimebundle_()["text/html"]
    assert repr(page_of(["idle", "OMP101"])) == "<Page of idle, OMP101>"


def test_the_help_has_every_name_that_a_limit_takes() -> None:
    for text in (OmpMagics.omp_limit.__doc__, limit.__doc__):
        for name in NAMES:
            assert re.search(rf"(?<![\w-]){name}(?![\w-])", text or ""), name


def test_a_wrong_limit_is_told_with_what_was_meant() -> None:
    for spec, near in (
        ("opnblas=2", "openblas=2"),
        ("auot", "auto"),
        ("of", "off"),
        ("blas=auot", "blas=auto"),
        ("libgmp=1", "libgomp=1"),
        ("tourch=4", "torch=4"),
        ("numexpr", "numexpr=1"),
    ):
        with pytest.raises(LimitError) as raised:
            parse_limit(spec, also=("off",))
        said = str(raised.value)
        assert said == (
            f"found {spec!r}; accepted: N, auto, auto/N, NAME=N, off; did you mean {near}? "
            f"example: %omp_limit {near}"
        )
    with pytest.raises(LimitError) as raised:
        parse_limit({"blas": 1, "opnmp": 2}, asking='omp_magic.limit("{}")')
    assert str(raised.value).endswith('example: omp_magic.limit("blas=1 openmp=2")')
    with pytest.raises(LimitError) as raised:
        parse_limit("every=1")
    assert "did you mean" not in str(raised.value)
    assert len(str(raised.value)) < 140


@given(st.text(max_size=30))
def test_nothing_that_is_written_breaks_the_search_for_what_was_meant(text: str) -> None:
    assert nearest(text, ("auto", "off")) in ("", "auto", "off")


def test_the_help_of_the_magic_has_every_code_and_word() -> None:
    text = " ".join((OmpMagics.omp_explain.__doc__ or "").split())
    told: set[str] = set()
    for first, last in re.findall(r"\b(?:OMP)?(\d{3})(?: to (\d{3}))?\b", text):
        told |= {f"OMP{number}" for number in range(int(first), int(last or first) + 1)}
    assert {rule.code for rule in CODES} <= told
    words = text[text.index("a word: ") :]
    for word in MEANINGS:
        assert re.search(rf"\b{word}\b", words), word
