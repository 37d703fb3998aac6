"""Files of other tools, read by those tools' own parsers and schemas."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from environments import environment
from live import CLEAN

SCHEMAS = ("check-jsonschema", "dockerfile-parse", "kubernetes-validate", "python-dotenv")
"""Parsers and schemas: check-jsonschema brings compose's and GitHub's, kubernetes-validate the API
server's."""

_BEFORE = """
import json, sys, warnings
from importlib.resources import files
folder = sys.argv[1]
import dotenv, jsonschema, yaml
from dockerfile_parse import DockerfileParser
import kubernetes_validate
warnings.simplefilter("ignore")

def schema(name):
    vendored = files("check_jsonschema") / "builtin_schemas" / "vendor" / f"{name}.json"
    return json.loads(vendored.read_text("utf-8"))

def loaded(name):
    with open(f"{folder}/{name}", encoding="utf-8") as file:
        return yaml.safe_load(file)

"""


def read_by_python(code: str, folder: Path) -> Any:
    """Run code that prints JSON where the parsers are; skip where they cannot be installed.

    It has `folder`, `schema(name)` and `loaded(name)` for YAML, and the parsers' modules.
    """
    ended = subprocess.run(
        [environment("schemas", SCHEMAS), "-c", _BEFORE + code, str(folder)],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
        env={**CLEAN, "HOME": "/nowhere"},
    )
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


def read_by_node(file: Path) -> Any:
    """Give what a module of node's exports; skip where there is no node."""
    if shutil.which("node") is None:
        pytest.skip("no node here")
    code = "process.stdout.write(JSON.stringify(require(process.argv[1])))"
    ended = subprocess.run(
        ["node", "-e", code, str(file)], check=True, capture_output=True, timeout=60, env=CLEAN
    )
    return json.loads(ended.stdout)


def verified(unit: Path) -> subprocess.CompletedProcess[str]:
    """Have systemd read a unit and its drop-ins; skip where there is no systemd-analyze.

    ``verify`` says what it ignores, and with debug on it dumps what it has understood.
    """
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd-analyze here")
    env = {**CLEAN, "SYSTEMD_UNIT_PATH": f"{unit.parent}:", "SYSTEMD_LOG_LEVEL": "debug"}
    command = ["systemd-analyze", "verify", "--man=no", str(unit)]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=60, env=env)
