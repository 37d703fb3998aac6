"""What is offered after an option that takes a value: its values, in an order, and nothing else."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from omp_magic.jupyter.candidates import _VALUES, candidates
from omp_magic.jupyter.magics import OmpMagics
from omp_magic.jupyter.standin import NAMES


def _magics(kind: str) -> dict[str, Any]:
    return {name: getattr(OmpMagics, name) for name in NAMES[kind]}


SHELL: Any = SimpleNamespace(
    magics_manager=SimpleNamespace(magics={kind: _magics(kind) for kind in ("line", "cell")}),
    user_ns={},
)
TAKING = sorted({
    (f"{'%' if kind == 'line' else '%%'}{name}", action.option_strings[-1])
    for kind in ("line", "cell")
    for name, magic in _magics(kind).items()
    for action in magic.parser._actions
    if action.option_strings and action.nargs in (None, "?")
})  # fmt: skip
IPYTHONS = {"--site", "--requirements", "--output", "--record", "--setup"}
"""Files, and names of the session."""


@pytest.mark.parametrize(("magic", "option"), TAKING)
def test_after_an_option_its_values_are_offered(magic: str, option: str) -> None:
    found = candidates(SHELL, f"{magic} x {option} ")
    assert bool(found) == (option not in IPYTHONS)
    if option != "--since":  # which may stand alone
        assert not [each for each in found if each.startswith("-")]


def test_no_row_is_for_an_option_that_there_is_not() -> None:
    assert set(_VALUES) == {option for _, option in TAKING}


def test_what_is_for_all_pools_comes_first() -> None:
    assert candidates(SHELL, "%omp_cluster client --limit ")[:2] == ["auto", "off"]
    assert candidates(SHELL, "%omp_limit ")[:2] == ["auto", "off"]
    assert candidates(SHELL, "%%omp_limit ")[0] == "auto"
    assert "off" not in candidates(SHELL, "%omp_env --threads ")
    assert candidates(SHELL, "%omp_cluster client --timeout ")[0] == "5"
