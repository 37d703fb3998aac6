"""No spelling of the home folder or of the user survives; anything else stays."""

from __future__ import annotations

import json
import re
import unicodedata
from urllib.parse import quote

import pytest
from facts_for_tests import library, setting, snapshot
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from omp_magic.facts.about import Personal
from omp_magic.facts.libraries import Finding
from omp_magic.views.anonymous import anonymized, anonymizer

ANN = Personal(homes=("/home/ann", "/mnt/nfs/u17"), users=("ann", "u17"), hosts=("lab-3",))


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("/home/ann/env/lib/libx.so", "~/env/lib/libx.so"),
        ("see /home/ann.", "see ~."),
        ("/home/ann", "~"),
        ("file:///home/ann/x", "file://~/x"),
        ("//home//ann/./x", "/~/./x"),
        ("a=/mnt/nfs/u17/x:/home/ann", "a=~/x:~"),
        ("\\home\\ann\\x", "~\\x"),
        ("%2Fhome%2Fann%2Fx", "~%2Fx"),
        ("C:\\Users\\ann\\x", "C:\\Users\\user\\x"),
        ("/data/ann/x, ann: yes", "/data/user/x, user: yes"),
        ("%20ann", "%20user"),
        # Cut to fit: what is left of the home is no less the home.
        ("found '/home/an...'", "found '~...'"),
        ("/mnt/nfs/u\N{HORIZONTAL ELLIPSIS}", "~\N{HORIZONTAL ELLIPSIS}"),
        ("/home/b...", "/home/b..."),
        ("-L/home/ann/lib", "-L/home/user/lib"),
        ("ssh ann@lab-3", "ssh user@host"),
        # Other people, other folders, parts of words.
        ("/home/anna/x", "/home/anna/x"),
        ("/home/ann_2 hannah ann2", "/home/ann_2 hannah ann2"),
        ("/home/ann.old", "/home/user.old"),
        ("Ann", "Ann"),
        ("lab-33", "lab-33"),
    ],
)
def test_spellings(text: str, cleaned: str) -> None:
    assert anonymizer(ANN)(text) == cleaned


def test_odd_names() -> None:
    clean = anonymizer(Personal(homes=("C:\\Users\\José L",), users=("José L",)))
    for text in (
        "C:\\Users\\José L\\x",
        "c:/users/josé l/x",
        "C:\\\\Users\\\\Jos\\xe9 L\\\\x",
        "C:/Users/Jos%C3%A9%20L/x",
        "C:/Users/Jos%c3%a9+L/x",
        json.dumps("C:\\Users\\José L\\x").strip('"'),
    ):
        assert re.fullmatch(r"~[\\/]+x", clean(text)), text
    container = anonymizer(Personal(hosts=("0123456789ab",)))
    assert container("/docker/0123456789abcdef0123/x") == "/docker/host/x"
    # One letter is a word of every text.
    short = anonymizer(Personal(homes=("/home/a",), users=("a", "1000")))
    assert short("a file of /home/a/x, /run/user/1000/y: 1000 us") == (
        "a file of ~/x, /run/user/user/y: 1000 us"
    )
    for nobody in (Personal(), Personal(homes=("/",), users=("user",), hosts=("host",))):
        assert anonymizer(nobody)("/ user host /home/x") == "/ user host /home/x"


NAME = st.text(
    st.characters(blacklist_categories=("Cs", "Cc"), blacklist_characters="/\\~%"),
    min_size=2,
    max_size=9,
).filter(lambda name: re.fullmatch(r"\w(.*\w)?", name) is not None)
OTHER = st.text("xyzXYZ/ .:=,", max_size=20)


def spellings(path: str) -> list[str]:
    return [
        *(path, path.replace("/", "\\"), path.replace("/", "\\\\"), path.replace("/", "//")),
        *(quote(path), quote(path, safe=""), ascii(path)[1:-1]),
        re.sub("%..", lambda found: found[0].lower(), quote(path, safe="")),
        *(json.dumps(path)[1:-1], path.encode("unicode_escape").decode("ascii")),
    ]


@settings(max_examples=50, deadline=None)
@given(st.lists(NAME, min_size=1, max_size=3), NAME, OTHER, OTHER, st.data())
def test_no_spelling_survives(
    parts: list[str], user: str, before: str, after: str, data: st.DataObject
) -> None:
    assume(not re.fullmatch(r"\d{1,4}", user))
    assume("user" not in (*parts, user) and not set("xyzXYZ") & set("".join((*parts, user))))
    home = "/" + "/".join(parts)
    clean = anonymizer(Personal(homes=(home,), users=(user, parts[-1])))
    told = data.draw(st.sampled_from([*spellings(home), user, quote(user), ascii(user)[1:-1]]))
    end = data.draw(st.sampled_from(["", "/", " ", ":", "'"]))
    text = f"{before} {told}{end}"
    cleaned = clean(text)
    assert told not in cleaned
    assert clean(cleaned) == cleaned
    assert cleaned.startswith(f"{before} ")
    assert "~" in cleaned or "user" in cleaned
    assert clean(after) == after


@given(st.text())
def test_what_names_nobody_stays(text: str) -> None:
    assume(not re.search(r"\b(ann|u17)\b|lab-3", unicodedata.normalize("NFKC", text)))
    assume("%" not in text and "\\" not in text and "&" not in text)
    assert anonymizer(ANN)(text) == text


def test_facts_are_cleaned_field_by_field() -> None:
    clean = anonymizer(Personal(homes=("/home/warning",), users=("warning", "openblas")))
    lib = library("openblas", path="/home/warning/x/libopenblas.so", owner="openblas")
    finding = Finding(
        code="OMP106", severity="warning", title="a warning", why="", evidence=("/home/warning/y",)
    )
    facts = snapshot(
        libraries=(lib,),
        findings=(finding,),
        environment=(setting("OMP_NUM_THREADS", "warning"),),
        prefix="/home/warning/env",
    )
    found = anonymized(facts, clean)
    # Words of our own tables stay: views look them up.
    assert (found.libraries[0].family, found.findings[0].severity) == ("openblas", "warning")
    assert (found.libraries[0].path, found.libraries[0].owner) == ("~/x/libopenblas.so", "user")
    assert (found.findings[0].title, found.findings[0].evidence) == ("a user", ("~/y",))
    assert found.environment[0].native == "user"
    assert found.prefix == "~/env"
    assert found.budget == facts.budget
    assert "warning" not in found.to_json().replace('"severity": "warning"', "")
