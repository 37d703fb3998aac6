"""A composite action's steps, run as GitHub's runner runs them: contexts put in, then bash.

docs.github.com, "Metadata syntax for GitHub Actions" and "Workflow syntax": `shell: bash` is
``bash --noprofile --norc -eo pipefail FILE``, and a step's outputs are lines of GITHUB_OUTPUT.
"""

from __future__ import annotations

import os
import re
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from live import run_program
from places import ROOT

ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))
_CONTEXT = re.compile(r"\$\{\{\s*([\w.-]+)\s*\}\}")


@dataclass
class Ran:
    """What became of a job's use of the action."""

    code: int | None
    out: str = ""
    err: str = ""
    outputs: dict[str, str] = field(default_factory=dict)
    summary: str = ""


def use(
    workspace: Path, temp: Path, *, steps: slice = slice(None), path: str = "", **inputs: str
) -> Ran:
    """Run steps of the action in a folder, until one fails.

    Parameters
    ----------
    workspace, temp
        The job's folder, and the runner's for what goes with the job.
    steps
        Which.
    path
        What the job's Python also finds modules in.
    inputs
        As ``with:`` gives them, ``_`` for ``-``.
    """
    given = {name: str(about.get("default", "")) for name, about in ACTION["inputs"].items()}
    given |= {name.replace("_", "-"): value for name, value in inputs.items()}
    assert given.keys() == ACTION["inputs"].keys()
    contexts = {f"inputs.{name}": value for name, value in given.items()}
    contexts |= {"github.action_path": str(ROOT), "runner.temp": str(temp)}
    ran = Ran(0)
    for step in ACTION["runs"]["steps"][steps]:
        with tempfile.TemporaryDirectory(dir=temp) as folder:
            script, output, summary = (Path(folder, name) for name in ("s.sh", "out", "summary"))
            assert "${{" not in step["run"]
            script.write_text(step["run"])
            for each in (output, summary):
                each.touch()
            env = {
                name: _CONTEXT.sub(lambda found: contexts[found[1]], value)
                for name, value in step["env"].items()
            }
            env |= {"GITHUB_OUTPUT": str(output), "GITHUB_STEP_SUMMARY": str(summary)}
            assert step["shell"] == "bash"
            bash = 'cd "$0" && exec bash --noprofile --norc -eo pipefail "$1"'
            command = ["bash", "-c", bash, os.fspath(workspace), os.fspath(script)]
            ended = run_program(command, 170, {"PYTHONPATH": path, **env})
            ran.code = ended.code
            ran.out += ended.out
            ran.err += ended.err
            ran.summary += summary.read_text()
            ran.outputs |= dict(line.split("=", 1) for line in output.read_text().splitlines())
        if ran.code:
            break
    return ran
