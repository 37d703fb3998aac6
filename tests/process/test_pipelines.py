"""The action, the hooks and the pages' pipelines: by their schemas, and run for real."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import composite
import pytest
import workflowcommands
import yaml
from codeblocks import blocks_of
from live import CLEAN, LINUX, Ended, run_program
from madewheels import make_wheel
from places import ROOT
from schemas import schema

HOOKS: list[dict[str, Any]] = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text("utf-8"))
PAGE = ROOT / "docs" / "howto" / "continuous-integration.md"
SECOND = slice(1, None)
"""The action without what it installs first."""

linux = pytest.mark.skipif(not LINUX, reason="reads /proc: Linux only")


@pytest.fixture(scope="module", autouse=True)
def _validator() -> None:
    """Import it before a test; not for every worker that lists the tests, since it takes 1.3 s."""
    pytest.importorskip("jsonschema")


def valid(document: Any, name: str) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    found = schema(name)
    jsonschema.validators.validator_for(found)(found).validate(document)


def test_the_action_is_one_by_its_schema() -> None:
    valid(composite.ACTION, "github-actions")
    with pytest.raises(pytest.importorskip("jsonschema").ValidationError):
        valid({**composite.ACTION, "runs": {"using": "composite"}}, "github-actions")
    assert len(composite.ACTION["description"]) <= 125  # the Marketplace's limit
    for step in composite.ACTION["runs"]["steps"]:
        # An expression inside of a script is code of whoever wrote the input ("Script injections").
        assert "${{" not in step["run"]


@pytest.fixture
def job(tmp_path: Path) -> tuple[Path, Path]:
    """A job's folder, and the runner's with omp_magic in it, as the first step leaves it."""
    workspace, temp = tmp_path / "work", tmp_path / "temp"
    (temp / "omp-magic").mkdir(parents=True)
    workspace.mkdir()
    (temp / "omp-magic" / "omp_magic").symlink_to(ROOT / "omp_magic")
    return workspace, temp


@linux
def test_the_action_annotates_writes_and_fails(job: tuple[Path, Path], pair: str) -> None:
    workspace, temp = job
    (workspace / "requirements.txt").write_text("pkg-intel\npkg-llvm\n")
    given = {"modules": "pkg_intel\n pkg_llvm", "junit_file": "out/junit.xml"}
    (workspace / "out").mkdir()
    ran = composite.use(workspace, temp, steps=SECOND, path=pair, python=sys.executable, **given)
    assert ran.code == 1, ran.err
    found = [workflowcommands.read(line) for line in ran.out.splitlines()]
    errors = [each.properties["title"] for each in found if each and each.name == "error"]
    assert errors == ["OMP101", "imports-fail"]
    assert ran.outputs == {"code": "1", "sarif-file": "omp-magic.sarif"}
    valid(json.loads((workspace / "omp-magic.sarif").read_text()), "sarif")
    assert (workspace / "out" / "junit.xml").exists()
    assert ran.summary.startswith("### omp-magic: 2 errors")


EVIL = 'json\'; touch a; "$(touch b)`touch c`" * ${IFS}; --write=d.txt\n$(touch e)'
INPUTS = ("modules", "requirements", "target", "fail_on", "sarif_file", "junit_file")


@linux
@pytest.mark.parametrize(
    "names", [INPUTS, *(pytest.param((each,), marks=pytest.mark.thorough) for each in INPUTS)]
)
def test_what_an_input_says_is_never_run(names: tuple[str, ...], job: tuple[Path, Path]) -> None:
    workspace, temp = job
    (temp / "omp-magic" / "summary.md").write_text("of the use before\n")
    more = {"requirements": "r.txt"} if names == ("target",) else {}
    given = {**more, **dict.fromkeys(names, EVIL)}
    ran = composite.use(workspace, temp, steps=SECOND, python=sys.executable, **given)
    assert ran.code == 2, (ran.out, ran.err)
    assert ran.outputs == {"code": "2", "sarif-file": ""}  # no file was written: none to upload
    assert ran.summary == ""
    assert sorted(os.listdir(workspace)) == []
    ran = composite.use(workspace, temp, steps=SECOND, python="python; touch x")
    assert ran.code == 127
    assert os.listdir(workspace) == []


@linux
def test_files_of_requirements_are_a_line_each(job: tuple[Path, Path]) -> None:
    workspace, temp = job
    for name in ("a file.txt", "b.txt"):
        (workspace / name).write_text("# nothing\n")
    given = {"requirements": "a file.txt\nb.txt\n", "sarif_file": "", "fail_on": "warning"}
    ran = composite.use(workspace, temp, steps=SECOND, python=sys.executable, **given)
    assert ran.code == 0, ran.err
    found = [workflowcommands.read(line) for line in ran.out.splitlines()]
    assert [each.message.partition(":")[0] for each in found if each] == ["a file.txt", "b.txt"]
    assert ran.outputs == {"code": "0", "sarif-file": ""}


@linux
@pytest.mark.thorough
@pytest.mark.timeout(600)
def test_the_whole_action_leaves_the_environment_as_it_is(tmp_path: Path) -> None:
    """With what it installs: beside the job's environment, and not into it."""
    workspace, temp, home = (tmp_path / name for name in ("work", "temp", "venv"))
    for folder in (workspace, temp):
        folder.mkdir()
    subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
    python = str(home / "bin" / "python")
    listing = [python, "-m", "pip", "list", "--format=freeze"]
    before = subprocess.run(listing, check=True, capture_output=True, text=True).stdout
    ran = composite.use(workspace, temp, python=python, modules="json")
    if "ould not find a version" in ran.err or "onnection" in ran.err:
        pytest.skip("packages cannot be fetched here")
    assert ran.code == 0, ran.err
    assert ran.summary.startswith("### omp-magic: nothing found: passed")
    valid(json.loads((workspace / "omp-magic.sarif").read_text()), "sarif")
    after = subprocess.run(listing, check=True, capture_output=True, text=True).stdout
    assert after == before


def pre_commit(*words: str, cwd: Path, **env: str) -> Ended:
    pytest.importorskip("pre_commit", reason="pre-commit is in the extra dev")
    if shutil.which("git") is None:
        pytest.skip("no git: pre-commit needs it")
    program = "import os, sys; os.chdir(sys.argv.pop(1)); from pre_commit.main import main; "
    command = [sys.executable, "-c", f"{program}sys.exit(main())", str(cwd), *words]
    home = {"PRE_COMMIT_HOME": str(cwd.parent / "kept"), "GIT_CONFIG_GLOBAL": os.devnull}
    return run_program(command, 500, {**home, **env})


def repository(folder: Path) -> Path:
    folder.mkdir()
    subprocess.run(["git", "init", "-q", str(folder)], check=True, env=CLEAN)
    return folder


def test_the_hooks_are_ones_by_pre_commit_s_own_reading(tmp_path: Path) -> None:
    ended = pre_commit("validate-manifest", str(ROOT / ".pre-commit-hooks.yaml"), cwd=tmp_path)
    assert ended.code == 0, ended.out
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("- id: x\n")
    assert pre_commit("validate-manifest", str(wrong), cwd=tmp_path).code == 1


@linux
def test_a_commit_of_requirements_with_two_copies_is_stopped(tmp_path: Path, libiomp5: str) -> None:
    """By pre-commit itself and the hook's own row, but for where its program comes from."""
    folder = repository(tmp_path / "project")
    data = Path(libiomp5).read_bytes()
    source = b"import ctypes, os\nctypes.CDLL(os.path.dirname(__file__) + '/libiomp5.so')\n"
    for name in ("one", "two"):
        members = {f"{name}/__init__.py": source, f"{name}/libiomp5.so": data}
        make_wheel(tmp_path / "wheels", name, members, tag="py3-none-linux_x86_64")
    hook = next(each for each in HOOKS if each["id"] == "omp-magic-requirements")
    args = ["--wheels", str(tmp_path / "wheels")]
    hook = {**hook, "language": "unsupported", "args": args}
    hook["entry"] = f"{sys.executable} -m {hook['entry'].replace('-', '_')}"
    (folder / ".pre-commit-config.yaml").write_text(
        yaml.safe_dump({"repos": [{"repo": "local", "hooks": [hook]}]})
    )
    (folder / "reqs").mkdir()
    (folder / "reqs" / "requirements-dev.txt").write_text("one==1.0\ntwo==1.0\n")
    (folder / "notes.txt").write_text("one two\n")
    subprocess.run(["git", "-C", str(folder), "add", "-A"], check=True, env=CLEAN)
    ended = pre_commit("run", cwd=folder, PYTHONPATH=str(ROOT), COLUMNS="100")
    assert ended.code == 1, ended.out + ended.err
    assert "error    OMP101  The process will die once both one and two" in ended.out
    assert "2 packages of requirements-dev.txt" in ended.out
    assert "notes.txt" not in ended.out
    (folder / "reqs" / "requirements-dev.txt").write_text("one==1.0\n")
    subprocess.run(["git", "-C", str(folder), "add", "-A"], check=True, env=CLEAN)
    ended = pre_commit("run", cwd=folder, PYTHONPATH=str(ROOT))
    assert ended.code == 0, ended.out + ended.err
    # One that passes is heard too: it may not have looked at all.
    (folder / "reqs" / "requirements-dev.txt").write_text("three==1.0\n")
    subprocess.run(["git", "-C", str(folder), "add", "-A"], check=True, env=CLEAN)
    ended = pre_commit("run", cwd=folder, PYTHONPATH=str(ROOT))
    assert ended.code == 0, ended.out + ended.err
    assert "three" in ended.out
    assert "not all is known" in ended.out


def test_the_pages_lines_pin_the_hooks_and_install_both_kinds(tmp_path: Path) -> None:
    """With a repository that has the hooks' rows in the place of the one on the page."""
    source, folder = repository(tmp_path / "source"), repository(tmp_path / "project")
    shutil.copy(ROOT / ".pre-commit-hooks.yaml", source)
    git = ["git", "-C", str(source), "-c", "user.name=x", "-c", "user.email=x@example.org"]
    for words in (["checkout", "-qb", "main"], ["add", "-A"], ["commit", "-qm", "all"]):
        subprocess.run([*git, *words], check=True, env=CLEAN)
    url = "https://github.com/omp-magic/omp_magic"
    (text,) = (text for kind, text in documents() if kind == "pre-commit")
    config = folder / ".pre-commit-config.yaml"
    config.write_text(text.replace(url, str(source)))
    blocks = [each.text for each in blocks_of(PAGE) if each.language == "console"]
    lines = [line for text in blocks for line in text.splitlines() if "pre-commit " in line]
    assert len(lines) == 3
    for each in lines:
        words = each.removeprefix("$ pre-commit ").replace(url, str(source)).split()
        ended = pre_commit(*words, cwd=folder)
        assert ended.code == 0, ended.out + ended.err
    asked = [*git, "rev-parse", "HEAD"]
    commit = subprocess.run(asked, check=True, capture_output=True, text=True, env=CLEAN).stdout
    assert f"rev: {commit.strip()}" in config.read_text()
    needed = {stage for hook in HOOKS for stage in hook.get("stages", ["pre-commit"])} - {"manual"}
    hooks = folder / ".git" / "hooks"
    assert {each.name for each in hooks.iterdir() if "." not in each.name} == needed


@linux
@pytest.mark.thorough
@pytest.mark.timeout(600)
def test_the_hooks_are_installed_from_this_repository(tmp_path: Path) -> None:
    """`pre-commit try-repo`: an environment of its own, made from the checkout."""
    folder = repository(tmp_path / "project")
    (folder / "requirements.txt").write_text("wheel==0.45.1\n")
    subprocess.run(["git", "-C", str(folder), "add", "-A"], check=True, env=CLEAN)
    source = tmp_path / "source"
    ignored = shutil.ignore_patterns(".venv*", ".cache", ".git", "__pycache__", ".*_cache", ".nox")
    shutil.copytree(ROOT, source, ignore=ignored)
    git = ["git", "-C", str(source), "-c", "user.name=x", "-c", "user.email=x@example.org"]
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "all"]):
        subprocess.run([*git, *words], check=True, env=CLEAN)
    asked = ("try-repo", str(source), "omp-magic-requirements", "--all-files", "--verbose")
    ended = pre_commit(*asked, cwd=folder)
    if "ould not find a version" in ended.out:
        pytest.skip("packages cannot be fetched here")
    assert ended.code == 0, ended.out + ended.err
    assert "and nothing was to be fetched" in " ".join(ended.out.split())


def documents() -> list[tuple[str, str]]:
    """Give the pipelines that the page shows, by what the comment before says they are."""
    blocks = [each for each in blocks_of(PAGE) if each.language == "yaml"]
    return [(str(each.notes["not run"]).partition(":")[0], each.text) for each in blocks]


@pytest.mark.parametrize(("kind", "text"), documents())
def test_the_pages_pipelines_are_valid(kind: str, text: str, tmp_path: Path) -> None:
    if kind == "pre-commit":
        path = tmp_path / ".pre-commit-config.yaml"
        path.write_text(text)
        assert pre_commit("validate-config", str(path), cwd=tmp_path).code == 0
        ids = {hook["id"] for repo in yaml.safe_load(text)["repos"] for hook in repo["hooks"]}
        assert ids <= {each["id"] for each in HOOKS}
        return
    document = yaml.safe_load(text)
    if True in document:  # YAML 1.1 reads "on" as a truth value, GitHub does not
        document["on"] = document.pop(True)
    valid(document, {"GitHub": "github-workflows", "GitLab": "gitlab-ci"}[kind])
    if kind == "GitHub":
        steps = [step for job in document["jobs"].values() for step in job["steps"]]
        ours = [each for each in steps if each.get("uses", "").startswith("omp-magic/")]
        assert ours
        for step in ours:
            assert step["with"].keys() <= composite.ACTION["inputs"].keys()
