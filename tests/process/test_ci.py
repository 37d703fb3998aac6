"""omp-magic ci, as a pipeline runs it: real imports in a real child, real wheels, real schemas."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import workflowcommands
from live import LINUX, Ended, run_program
from madewheels import make_wheel
from places import DATA, ROOT
from quota_groups import inside
from schemas import schema

from omp_magic.auditing.chosen import chosen

pytestmark = pytest.mark.skipif(not LINUX, reason="reads /proc: Linux only")


MAIN = "import os, sys; os.chdir(sys.argv.pop(1)); from omp_magic.cli.main import main; "


def run(*words: str, cwd: Path, **env: str) -> Ended:
    """Run it in a folder, with a clean environment."""
    path = os.pathsep.join(filter(None, (env.pop("PYTHONPATH", ""), str(ROOT))))
    command = [sys.executable, "-c", f"{MAIN}sys.exit(main())", str(cwd), "ci", *words]
    return run_program(command, 120, {"PYTHONPATH": path, "COLUMNS": "100", **env})


@pytest.fixture(scope="module")
def validators() -> list[Any]:
    """What reads schemas; not for every worker that lists the tests, since it takes 1.3 s."""
    return [pytest.importorskip(name) for name in ("jsonschema", "xmlschema")]


def test_a_pipeline_that_would_ship_two_copies_fails_in_every_form(
    pair: str, tmp_path: Path, validators: list[Any]
) -> None:
    (tmp_path / "requirements.txt").write_text("pkg-llvm==1.0\n")
    files = [f"out.{end}" for end in ("sarif", "xml", "json", "md", "txt")]
    wanted = [word for name in files for word in ("--write", name)]
    ended = run(
        *("pkg_intel", "pkg_llvm", "--format", "github", *wanted), cwd=tmp_path, PYTHONPATH=pair
    )
    assert ended.code == 1, ended.err
    commands = [workflowcommands.read(each) for each in ended.out.splitlines()]
    assert None not in commands
    titles = {each.properties["title"]: each for each in commands if each is not None}
    assert {"OMP101", "imports-fail"} <= set(titles)
    assert "OMP: Error #15" in titles["imports-fail"].message
    sarif = json.loads((tmp_path / "out.sarif").read_text())
    jsonschema, xmlschema = validators
    checker = jsonschema.Draft4Validator.FORMAT_CHECKER
    jsonschema.Draft4Validator(schema("sarif"), format_checker=checker).validate(sarif)
    (where,) = sarif["runs"][0]["results"][0]["locations"]
    assert where["physicalLocation"] == {
        "artifactLocation": {"uri": "requirements.txt"},
        "region": {"startLine": 1},
    }
    xmlschema.XMLSchema(str(DATA / "junit-10.xsd")).validate(str(tmp_path / "out.xml"))
    root = ET.parse(tmp_path / "out.xml").getroot()
    failed = [c.get("name", "") for c in root.iter("testcase") if c.find("failure") is not None]
    assert [each.partition(":")[0] for each in failed] == ["OMP101", "import pkg_llvm"]
    told = json.loads((tmp_path / "out.json").read_text())
    assert (told["failed"], told["modules"]) == (True, ["pkg_intel", "pkg_llvm"])
    assert told["checks"][0]["trial"]["works"] is False
    assert (tmp_path / "out.md").read_text().startswith("### omp-magic: 2 errors")
    assert "Tried in a child process: pkg_intel, pkg_llvm: import" in (
        (tmp_path / "out.txt").read_text()
    )


@pytest.mark.thorough  # with the quota below --fail-on warning is asked for in each run
def test_a_masked_duplicate_fails_when_warnings_do(pair: str, tmp_path: Path) -> None:
    words = ("pkg_intel", "pkg_llvm", "--format", "json")
    masked = {"KMP_DUPLICATE_LIB_OK": "TRUE", "PYTHONPATH": pair}
    lax = run(*words, cwd=tmp_path, **masked)
    assert (lax.code, lax.err) == (0, "")
    told = json.loads(lax.out)
    assert told["failed"] is False
    assert {"OMP102", "OMP303"} <= {each["code"] for each in told["findings"]}
    strict = run(*words, "--fail-on", "warning", cwd=tmp_path, **masked)
    assert strict.code == 1
    assert json.loads(strict.out)["failed"] is True


def test_without_modules_those_are_chosen_that_have_a_runtime_here(tmp_path: Path) -> None:
    names, told = chosen(str(tmp_path))
    assert {"numpy", "scipy", "sklearn"} <= set(names)
    assert "pytest" not in names
    assert told == "the packages installed here that bring a runtime"


@pytest.mark.thorough  # the choice is held above; all of them are imported, 3 s
def test_without_modules_what_has_a_runtime_here_is_tried(tmp_path: Path) -> None:
    ended = run("--format", "json", cwd=tmp_path)
    assert ended.code == 0, ended.err
    told = json.loads(ended.out)
    assert {"numpy", "scipy", "sklearn"} <= set(told["modules"])
    assert told["chosen"] == "the packages installed here that bring a runtime"
    assert told["checks"][0]["trial"]["works"] is True
    assert {each["family"] for each in told["pools"]} >= {"openblas"}


def test_the_project_s_own_modules_come_first_and_what_is_not_there_is_wrong_use(
    tmp_path: Path,
) -> None:
    project = tmp_path / "pyproject.toml"
    project.write_text('[tool.omp-magic]\nmodules = ["json"]\n')
    ended = run(cwd=tmp_path)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith("✓ nothing found: passed")
    assert "modules: json ([tool.omp-magic] of pyproject.toml)" in ended.out
    project.write_text('[tool.omp-magic]\nmodules = ["not_there_at_all"]\n')
    ended = run("--format", "github", "--write", "o.xml", cwd=tmp_path)
    assert (ended.code, ended.err) == (2, "omp-magic ci: not_there_at_all: no such module\n")
    assert ended.out.startswith("::warning title=omp-magic%3A not the whole answer::not_there")
    root = ET.parse(tmp_path / "o.xml").getroot()
    assert (root.get("errors"), root.get("failures")) == ("1", "0")


def test_what_was_found_is_told_where_a_file_cannot_be_written(tmp_path: Path) -> None:
    ended = run("json", "--write", "/proc/o.sarif", "--format", "json", cwd=tmp_path)
    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert ended.err.endswith("example: omp-magic ci --write omp.sarif\n")
    assert json.loads(ended.out)["failed"] is False
    home = tmp_path / "home"
    home.mkdir()
    assert run("json", "--write=~/o.json", cwd=tmp_path, HOME=str(home)).code == 0
    assert json.loads((home / "o.json").read_text())["failed"] is False


WRONG = (
    (("--fail-on", "info"), "accepted: error, warning"),
    (("json", "--target", "macos-arm64"), "--target with --requirements"),
    (("json", "--write", "x.html"), "a file whose name ends in .txt, .json, .sarif, .xml, .md"),
    (("json", "--write", "no/folder/x.xml"), "no folder no/folder"),
    (("no_such.txt",), "no_such.txt: no such module; no such file either, as --requirements FILE"),
    (("--requirements", "nope.txt"), "ci: nope.txt: found no such file"),
    (("--requirements", "pipe.txt"), "ci: pipe.txt: found no regular file; accepted: requirements"),
    (("js on",), "names of modules"),
)


def test_what_is_wrong_is_one_line(tmp_path: Path) -> None:
    """All in one process: each ends before anything is tried, but for a module."""
    program = (
        "import os, sys; os.chdir(sys.argv[1])\n"
        "from omp_magic.cli.main import main\n"
        f"for words, _ in {WRONG!r}:\n"
        "    try: code = main(['ci', *words])\n"
        "    except SystemExit as ended: code = ended.code\n"
        "    print('code', code, file=sys.stderr)\n"
    )
    os.mkfifo(tmp_path / "pipe.txt")
    command = [sys.executable, "-c", program, str(tmp_path)]
    ended = run_program(command, 120, {"PYTHONPATH": str(ROOT), "COLUMNS": "100"})
    lines = ended.err.splitlines()
    assert lines[1::2] == ["code 2"] * len(WRONG), ended.err
    for line, (words, said) in zip(lines[::2], WRONG, strict=True):
        assert said in line, (words, line)
    assert os.listdir(tmp_path) == ["pipe.txt"]


def test_files_of_requirements_are_foreseen_and_may_stand_as_words(
    libiomp5: str, tmp_path: Path
) -> None:
    """As pre-commit gives them; two wheels with a real libiomp5 each, for this very machine."""
    tag = f"cp{sys.version_info[0]}{sys.version_info[1]}-abi3-linux_x86_64"
    data = Path(libiomp5).read_bytes()
    source = (
        b"import ctypes, os\nctypes.CDLL(os.path.join(os.path.dirname(__file__), 'libiomp5.so'))\n"
    )
    for name in ("one", "two"):
        members = {f"{name}/__init__.py": source, f"{name}/libiomp5.so": data}
        make_wheel(tmp_path / "wheels", name, members, tag=f"py3-none-{tag.split('-')[2]}")
    (tmp_path / "requirements.txt").write_text("one==1.0\ntwo==1.0\n")
    words = ("requirements.txt", "--wheels", "wheels", "--format", "github", "--write", "o.txt")
    ended = run(*words, cwd=tmp_path)
    assert ended.code == 1, ended.err
    found = [workflowcommands.read(each) for each in ended.out.splitlines()]
    wrong = [each for each in found if each is not None and each.name == "error"]
    assert [each.properties["title"] for each in wrong] == ["OMP101 linux-x86_64"]
    assert wrong[0].properties["file"] == "requirements.txt"
    text = (tmp_path / "o.txt").read_text()
    assert text.startswith("✖ 1 error: failed")
    assert "2 copies" in text
    (tmp_path / "odd.txt").write_text("not one\none==1.0\ntwo==1.0\ntwo @ git+x\n")
    (tmp_path / "none.txt").write_text("# nothing\n")
    lacking = ("--requirements", "odd.txt", "none.txt", "--no-fetch")
    ended = run(*lacking, "--format", "json", cwd=tmp_path)
    assert (ended.code, ended.err) == (0, "")
    told = json.loads(ended.out)
    assert not told["whole"]
    why = {each["what"]: each["why"] for each in told["notes"]}
    assert why["none.txt"] == "it asks for no package"
    assert why["odd.txt"].startswith("none of its packages can be looked into: not one: ")
    assert "and nothing was to be fetched" in why["odd.txt"]
    assert why["odd.txt"].endswith(" (and 1 more)")
    assert run(*lacking, "--whole", cwd=tmp_path).code == 1
    ended = run(*lacking, cwd=tmp_path)
    assert ended.code == 0
    assert "--whole fails a pipeline where not all is known" in ended.out


def test_a_thread_variable_is_held_against_the_quota(half_a_cpu: str, tmp_path: Path) -> None:
    """On a runner whose container has half a CPU, whatever its machine has."""
    words = ["-", str(tmp_path), "ci", "faiss", "--fail-on", "warning", "--write", "o.json"]
    variable = "os.environ['OMP_NUM_THREADS'] = '8'"
    told = inside(
        half_a_cpu,
        f"import json, os, sys\nsys.argv = {words!r}\n{variable}\n{MAIN}code = main()\n"
        "print(json.dumps({'code': code, **json.load(open('o.json'))}))",
    )
    assert told["code"] == 1
    assert (told["budget"]["quota_cpus"], told["budget"]["threads"]) == (0.5, 1)
    assert "OMP201" in [each["code"] for each in told["findings"]]


def test_no_variable_but_those_of_the_table_is_told(tmp_path: Path) -> None:
    secrets = {"MY_TOKEN": "hunter2-a", "OMP_SECRET": "hunter2-b", "GITHUB_TOKEN": "hunter2-c"}
    files = [word for end in ("sarif", "xml", "json", "md") for word in ("--write", f"o.{end}")]
    ended = run("json", *files, cwd=tmp_path, OMP_NUM_THREADS="3", **secrets)
    assert ended.code == 0
    told = ended.out + ended.err + "".join(p.read_text() for p in tmp_path.iterdir())
    assert "OMP_NUM_THREADS" in told
    assert "hunter2" not in told
