"""What is written for each tool is read by that tool's own parser, and comes back as it was."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from live import CLEAN
from readingfiles import read_by_node, read_by_python, verified
from sheets import NASTY, held_by, sheet_of, written

from omp_magic.views.envfiles.table import FORMATS

READ = """
found = {}
found["dotenv"] = dict(dotenv.dotenv_values(f"{folder}/dotenv", interpolate=True))
with open(f"{folder}/dockerfile", encoding="utf-8") as file:
    lines = "FROM scratch\\n" + file.read()
parser = DockerfileParser(path=f"{folder}/Dockerfile")
parser.content = lines
found["dockerfile"] = dict(parser.envs)
compose = loaded("compose")
jsonschema.validate(compose, schema("compose-spec"))
found["compose"] = compose["services"]["app"]["environment"]
workflow = {"on": "push", "jobs": {"a": {"runs-on": "x", "steps": [{"run": "y"}]}}}
workflow.update(loaded("github"))
jsonschema.validate(workflow, schema("github-workflows"))
found["github"] = workflow["env"]
manifest = loaded("kubernetes")
kubernetes_validate.validate(manifest, "1.31", strict=True)
found["kubernetes"] = manifest["data"]
print(json.dumps(found))
"""


def test_schemas_and_parsers_of_python_read_it(tmp_path: Path) -> None:
    words = ("dotenv", "dockerfile", "compose", "github", "kubernetes")
    for word in words:
        (tmp_path / word).write_text(written(word, ("A_GONE",)), "utf-8")
    found = read_by_python(READ, tmp_path)
    # Interpolation makes one dollar of two (compose file, Interpolation).
    compose = {name: value.replace("$$", "$") for name, value in found.pop("compose").items()}
    assert compose == held_by("compose")
    for word in found:
        assert found[word] == held_by(word), word


def run_shell(command: list[str], **env: str) -> dict[str, str]:
    """Run a shell that ends with ``env -0``, and give the variables that it ends with."""
    ended = subprocess.run(
        command, check=False, capture_output=True, timeout=60, env={**CLEAN, "HOME": "/x", **env}
    )
    assert ended.returncode == 0, ended.stderr
    assert not ended.stderr
    parts = ended.stdout.decode("utf-8").split("\0")
    return dict(part.split("=", 1) for part in parts if "=" in part)


SHELLS = {
    "bash": ["bash", "-c", '. "$1"; exec env -0', "bash"],
    "dash": ["dash", "-c", '. "$1"; exec env -0', "dash"],
    "fish": ["fish", "--no-config", "-c", "source $argv[1]; exec env -0"],
}


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_reads_it(shell: str, tmp_path: Path) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"no {shell} here")
    word = "fish" if shell == "fish" else "bash"
    file = tmp_path / "omp-env"
    file.write_text(written(word, ("A_GONE",)), "utf-8")
    found = run_shell([*SHELLS[shell], str(file)], A_GONE="1")
    assert {name: found[name] for name in NASTY} == NASTY
    assert "A_GONE" not in found


def test_a_posix_shell_reads_the_file_of_variables_too(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text(written("dotenv"), "utf-8")
    found = run_shell(["sh", "-c", 'set -a; . "$1"; exec env -0', "sh", str(file)])
    assert {name: found[name] for name in held_by("dotenv")} == held_by("dotenv")


def test_conda_is_told_each_variable_in_one_word(tmp_path: Path) -> None:
    """A function stands for conda: its command line is read by the shell."""
    file = tmp_path / "omp-conda.sh"
    one = (("_openmp_mutex=*=*_llvm", "LLVM's for all"),)
    lines = {**held_by("conda"), "A_GONE": None}
    text = FORMATS["conda"].write(sheet_of(lines, one_openmp=one, packages=("numpy",)))
    file.write_text("conda() { printf '%s\\0' \"$@\"; }\n" + text, "utf-8")
    ended = subprocess.run(
        ["bash", str(file)], check=True, capture_output=True, timeout=60, env=CLEAN
    )
    words = ended.stdout.decode("utf-8").split("\0")[:-1]
    assert words == [
        *("env", "config", "vars", "set"),
        *(f"{name}={value}" for name, value in NASTY.items()),
        *("env", "config", "vars", "unset", "A_GONE"),
        *("install", "-c", "conda-forge", "_openmp_mutex=*=*_llvm", "numpy"),
    ]


def test_node_reads_pm2s_file(tmp_path: Path) -> None:
    file = tmp_path / "ecosystem.config.js"
    text = FORMATS["pm2"].write(
        sheet_of({**NASTY, "A_GONE": None}, workers=2, python="/x y/python")
    )
    file.write_text(text, "utf-8")
    (app,) = read_by_node(file)["apps"]
    assert app["env"] == NASTY
    assert app["filter_env"] == ["A_GONE"]
    assert (app["instances"], app["interpreter"]) == (2, "/x y/python")


def test_systemd_reads_the_drop_in(tmp_path: Path) -> None:
    unit = tmp_path / "omp.service"
    unit.write_text("[Service]\nExecStart=/bin/true\n", "utf-8")
    drop_in = tmp_path / "omp.service.d" / "omp-magic.conf"
    drop_in.parent.mkdir()
    drop_in.write_text(written("systemd", ("A_GONE",)), "utf-8")

    ended = verified(unit)
    assert ended.returncode == 0, ended.stderr
    assert "omp-magic.conf:" not in ended.stderr
    dumped = [line.strip() for line in ended.stdout.splitlines()]
    given = [line[13:] for line in dumped if line.startswith("Environment: ")]
    # The dump's own lines have no spaces at their ends.
    assert given == [f"{name}={value}".rstrip() for name, value in NASTY.items()]
    assert "UnsetEnvironment: A_GONE" in dumped
    drop_in.write_text(drop_in.read_text("utf-8") + 'Environment="A\n', "utf-8")
    assert "omp-magic.conf:" in verified(unit).stderr
