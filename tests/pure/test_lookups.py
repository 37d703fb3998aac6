"""Where a source makes Python look for modules, and what a check says of them then."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omp_magic.installed.distributions import Distributions
from omp_magic.installed.lookups import NOTHING, Lookups, lookups_of
from omp_magic.installed.modules import Installed

FILE = "/p/pkg/__init__.py"
HEAD = "import os, site, sys\nfrom pathlib import Path\nhere = os.path.dirname(__file__)\n"
BEFORE, AFTER = Lookups(before=("/p/pkg/v",)), Lookups(after=("/p/pkg/v",))
OPAQUE = Lookups(opaque=True)


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("sys.path.insert(0, os.path.join(here, 'v'))", BEFORE),
        ("sys.path.insert(0, os.path.join(os.path.abspath(here), 'w', '..', 'v'))", BEFORE),
        ("sys.path.append(str(Path(__file__).resolve().parent / 'v'))", AFTER),
        ("sys.path.append(f'{Path(__file__).parents[0]}/v')", AFTER),
        ("sys.path[0:0] = [here + '/v']", BEFORE),
        ("sys.path += [os.path.join(here, 'v')]", AFTER),
        ("sys.path = [os.path.join(here, 'v')] + sys.path", AFTER),
        ("sys.path.append(__path__[0] + '/v')", AFTER),
        ("for n in ['v']:\n    p = os.path.join(here, n)\n    sys.path.insert(0, p)", BEFORE),
        ("sys.path.extend(os.path.join(here, n) for n in ('v',))", AFTER),
        ("sys.path.extend(((v := os.path.join(here, 'v')) not in sys.path) * [v])", AFTER),
        ("with guard():\n    sys.path.insert(0, os.path.join(here, 'v'))", BEFORE),
        ("from sys import path\npath.append(os.path.join(here, 'v'))", AFTER),
        ("import sys as S\nS.path.append(os.path.join(here, 'v'))", AFTER),
        ("site.addsitedir(os.path.join(here, 'v'))", AFTER),
        ("def add():\n    sys.path.insert(0, os.path.join(here, 'v'))\nadd()", BEFORE),
        ("def add():\n    sys.path.insert(0, here)", Lookups(called=True)),
        ("sys.path.insert(0, os.environ['V'])", OPAQUE),
        ("sys.meta_path.append(Finder())", OPAQUE),
        ("class _SixMetaPathImporter: pass\nsys.meta_path.append(Finder())", NOTHING),
        ("sys.modules['foo.bar'] = 1", Lookups(made=("foo",))),
        ("sys.modules.update({'foo': 1})", Lookups(made=("foo",))),
        ("sys.modules[__name__ + '.moves'] = 1", NOTHING),
        ("__path__.append(os.path.join(here, 'v'))", Lookups(inside=("/p/pkg/v",))),
        ("__path__ = extend_path(__path__, __name__)", Lookups(spread=True)),
        ("if __name__ == '__main__':\n    sys.path.append(here)", NOTHING),
        ("old = sys.path[:]\nsys.path[:] = old", NOTHING),
        ("print(sys.path)", NOTHING),
        ("sys.path.append(", NOTHING),
    ],
)
def test_what_a_source_changes(code: str, found: Lookups) -> None:
    assert lookups_of((HEAD + code).encode(), FILE) == found


@given(st.text("sys.path[](),=+'\n :_ofmnd", max_size=120))
def test_any_text_gives_an_answer_and_no_error(text: str) -> None:
    assert isinstance(lookups_of(f"sys.path\n{text}".encode(), FILE), Lookups)


@pytest.fixture(autouse=True)
def _without_pytests_finder(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a finder of others is at work nothing is said to be missing."""
    monkeypatch.setattr(Installed, "foreign", False)


def notes(folder: Path, name: str = "pkg") -> tuple[str, ...]:
    return Distributions([str(folder)]).may_load([name]).notes


def package(folder: Path, source: str, **files: str) -> Path:
    (folder / "pkg" / "v").mkdir(parents=True)
    (folder / "pkg" / "__init__.py").write_text(HEAD + source)
    for name, text in files.items():
        (folder / "pkg" / f"{name.replace('__', '/')}.py").write_text(text)
    return folder


def test_a_missing_module_is_said_to_be_missing(tmp_path: Path) -> None:
    folder = package(tmp_path, "import gone\n")
    assert notes(folder) == ("importing pkg would fail: gone is not installed",)


def test_one_that_was_tried_before_is_missing_all_the_same(tmp_path: Path) -> None:
    folder = package(tmp_path, "try:\n    import gone\nexcept ImportError: pass\nimport gone\n")
    assert notes(folder) == ("importing pkg would fail: gone is not installed",)


ADDS = "sys.path.insert(0, os.path.join(here, 'v'))\n"


def test_a_module_in_an_added_folder_is_found_with_what_it_needs(tmp_path: Path) -> None:
    folder = package(tmp_path, ADDS + "import inner\n", v__inner="import other\n", v__other="")
    assert notes(folder) == ()
    (folder / "pkg" / "v" / "other.py").unlink()
    assert notes(folder) == ("importing pkg would fail: other is not installed",)


def test_one_that_is_in_no_added_folder_is_still_missing(tmp_path: Path) -> None:
    folder = package(tmp_path, ADDS + "import gone\n")
    assert notes(folder) == ("importing pkg would fail: gone is not installed",)


@pytest.mark.parametrize(
    "adds",
    [
        "sys.path.insert(0, os.environ['V'])\n",
        "sys.meta_path.insert(0, Finder())\n",
        "from .sub import add\nadd()\n",
    ],
)
def test_what_cannot_be_told_is_said_to_be_unknown(adds: str, tmp_path: Path) -> None:
    adding = "import sys\ndef add():\n    sys.path.append(V)\n"
    folder = package(tmp_path, adds + "import gone\n", sub=adding)
    (note,) = notes(folder)
    assert "would fail" not in note
    assert note.startswith("gone is on no folder of sys.path; pkg")


@pytest.mark.parametrize(
    "guarded",
    [
        "try:\n    import gone\nexcept ImportError:\n    gone = None\n",
        "if sys.platform == 'x':\n    import gone\n",
        "def f():\n    import gone\n",
        "sys.modules['gone'] = sys\nimport gone\n",
        "from contextlib import suppress\nwith suppress(ImportError):\n    import gone\n",
    ],
)
def test_an_import_that_may_go_wrong_never_counts(guarded: str, tmp_path: Path) -> None:
    assert notes(package(tmp_path, guarded)) == ()


def test_a_site_folder_brings_what_its_pth_files_name(tmp_path: Path) -> None:
    adds = "site.addsitedir(os.path.join(here, 'v'))\nimport deep\n"
    folder = package(tmp_path, adds)
    (folder / "pkg" / "v" / "more").mkdir()
    (folder / "pkg" / "v" / "more" / "deep.py").write_text("")
    (folder / "pkg" / "v" / "x.pth").write_text("# a comment\nimport sys\nmore\n")
    assert notes(folder) == ()
