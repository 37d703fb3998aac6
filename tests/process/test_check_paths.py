"""Modules of packages that change where Python looks: a check against what the import does."""

from __future__ import annotations

import pytest
from environments import PADDLE, POOLS, environment, run_in, values_in

ASK = """
import json, pkgutil, sys
from omp_magic.installed.distributions import Distributions
site = [each for each in sys.path if each.endswith('site-packages')]
asked = Distributions(sys.path)
failing = {name: [note for note in asked.may_load([name]).notes if 'would fail' in note]
           for name in sys.argv[1:] or sorted({each.name for each in pkgutil.iter_modules(site)})}
print(json.dumps({name: notes[0] for name, notes in failing.items() if notes}))
"""


@pytest.mark.thorough
def test_setuptools_and_paddle_are_not_said_to_fail() -> None:
    """Importing setuptools puts its own _vendor on sys.path, and importing paddle imports it."""
    python = environment("paddle", PADDLE)
    assert values_in(python, ASK, "setuptools", "paddle") == {}


@pytest.mark.thorough
@pytest.mark.parametrize(("name", "requirements"), [("pools", POOLS), ("paddle", PADDLE)])
def test_what_is_said_to_fail_fails(name: str, requirements: tuple[str, ...]) -> None:
    """Every package there is; each that would fail for a missing module is imported to see."""
    python = environment(name, requirements)
    failing = values_in(python, ASK)
    for module, note in failing.items():
        missing = note.split("would fail: ")[1].split()[0]
        ended = run_in(python, f"import {module}", timeout=120)
        assert ended.code, module
        assert f"No module named '{missing}" in ended.err


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("module", "missing"),
    [("narwhals._pandas_like.utils", "pandas"), ("numpy.conftest", "hypothesis")],
)
def test_what_really_is_missing_is_said_to_be_missing(module: str, missing: str) -> None:
    python = environment("paddle", PADDLE)
    note = values_in(python, ASK, module)[module]
    assert note == f"importing {module} would fail: {missing} is not installed"
    assert f"No module named '{missing}'" in run_in(python, f"import {module}").err
