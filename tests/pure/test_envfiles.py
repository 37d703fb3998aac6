"""What is written for each tool: quoted as it reads, or refused; comments stay comments."""

from __future__ import annotations

import json
import os
import shlex
from string import Template

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sheets import NASTY, REFUSED, held_by, refuses, sheet_of, written

from omp_magic.views.envfiles.table import FORMATS

PRINTABLE = st.text(
    st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs")), max_size=30
)


@pytest.mark.parametrize("word", FORMATS)
def test_each_format_refuses_what_it_cannot_hold_and_nothing_else(word: str) -> None:
    assert {name for name in NASTY if refuses(word, name)} == REFUSED.get(word, set())
    for name in REFUSED.get(word, ()):
        line = refuses(word, name)
        assert line.count("\n") == 0
        assert "which" in line
        assert "--format python" in line


@pytest.mark.parametrize("word", FORMATS)
def test_no_format_holds_what_ends_a_line(word: str) -> None:
    for value in ("a\nb", "a\rb", "a\0b", "\x1b[2J", "a\u2028b"):
        with pytest.raises(Exception, match="found 'OMP_PLACES=") as raised:
            FORMATS[word].write(sheet_of({"OMP_PLACES": value}))
        assert str(raised.value).isprintable()


@pytest.mark.parametrize("word", [each for each in FORMATS if each != "kernelspec"])
def test_comments_say_why_and_stay_comments(word: str) -> None:
    mark = {"cmd": "@rem", "pm2": "//"}.get(word, "#")
    head = ("first\nexport EVIL=1", "\x1b]0;x\x07 %~z")
    text = FORMATS[word].write(sheet_of({"OMP_NUM_THREADS": "4"}, head=head, foot=("left\rout",)))
    assert "EVIL" in text
    for line in text.split("\n"):
        if "EVIL" in line or "why" in line or "left" in line:
            assert line.strip().startswith(mark)
    assert text.replace("\n", "").isprintable()
    assert "why OMP_NUM_THREADS" in text


@pytest.mark.parametrize("word", ["dockerfile", "compose", "kubernetes"])
def test_a_container_that_counts_is_told_its_workers_too(word: str) -> None:
    text = FORMATS[word].write(sheet_of({"OMP_NUM_THREADS": "4"}, workers=2))
    assert '["omp-magic", "run", "--workers", "2", "--"' in text
    assert "--workers" not in FORMATS[word].write(sheet_of({"OMP_NUM_THREADS": "4"}))


def test_what_has_no_comments_says_them_beside() -> None:
    row = FORMATS["kernelspec"]
    beside = row.beside(sheet_of({"KMP_AFFINITY": None}, foot=("left out: x",)))
    assert beside[0] == "8 CPUs: cpu.max decides"
    assert beside[-1] == "left out: x"
    assert "KMP_AFFINITY must not be set where the server is started" in beside


def test_python_reads_it_back() -> None:
    text = written("python", ("A_GONE",))
    kept = dict(os.environ)
    os.environ["A_GONE"] = "1"
    try:
        exec(compile(text, "omp_env.py", "exec"), {})
        assert {name: os.environ.get(name) for name in NASTY} == NASTY
        assert "A_GONE" not in os.environ
    finally:
        os.environ.clear()
        os.environ.update(kept)


def test_a_kernels_spec_is_jupyters() -> None:
    spec = json.loads(written("kernelspec"))
    assert spec["argv"][1:] == ["-m", "ipykernel_launcher", "-f", "{connection_file}"]
    read = {name: Template(value).safe_substitute(HOME="no") for name, value in spec["env"].items()}
    assert read == NASTY


@given(PRINTABLE)
def test_a_posix_shell_reads_any_value_back(value: str) -> None:
    if not value.isprintable() or not value:
        return
    line = FORMATS["bash"].write(sheet_of({"OMP_PLACES": value})).split("\n")[2]
    assert shlex.split(line) == ["export", f"OMP_PLACES={value}"]


def test_conda_has_what_makes_one_openmp_serve() -> None:
    one = (("_openmp_mutex=*=*_llvm", "LLVM's for all"),)
    text = FORMATS["conda"].write(
        sheet_of(
            {"OMP_NUM_THREADS": "4", "KMP_AFFINITY": None}, one_openmp=one, packages=("numpy",)
        )
    )
    assert "conda env config vars set \\\n  OMP_NUM_THREADS=4\n" in text
    assert "conda env config vars unset KMP_AFFINITY\n" in text
    assert "conda install -c conda-forge '_openmp_mutex=*=*_llvm' numpy\n" in text


def test_a_mapping_of_nothing_is_empty() -> None:
    for word in ("compose", "kubernetes", "github"):
        assert "{}" in FORMATS[word].write(sheet_of({"KMP_AFFINITY": None}))


def test_what_is_held_is_most() -> None:
    assert all(len(held_by(word)) >= len(NASTY) - 4 for word in FORMATS)
