"""examples/cluster: both programs run as they stand."""

from __future__ import annotations

import re
import sys

import pytest
from live import run_program
from places import ROOT

FOLDER = ROOT / "examples" / "cluster"


def said(name: str) -> str:
    ended = run_program([sys.executable, str(FOLDER / name)], 120, {"PYTHONPATH": str(ROOT)})
    assert ended.code == 0, ended.err
    return ended.out


def test_a_local_cluster_of_dask() -> None:
    pytest.importorskip("distributed", reason="distributed is not here")
    out = said("dask_local.py")
    assert out.startswith("1045.0\n")
    assert "2 workers on 1 host" in out


@pytest.mark.thorough
def test_engines_of_ipyparallel() -> None:
    pytest.importorskip("ipyparallel", reason="ipyparallel is not here")
    out = said("engines.py")
    assert "limit auto" in out
    counts = [eval(each) for each in re.findall(r"(?:limited|given back): (.*)", out)]
    assert len(counts) == 2
    assert all(len(each) == 2 for each in counts)
    assert max(counts[0]) <= max(counts[1])


def test_the_table_names_them() -> None:
    table = (ROOT / "examples" / "README.md").read_text("utf-8")
    names = [path.name for path in FOLDER.glob("*.py")]
    assert len(names) == 2
    assert not [name for name in names if f"`cluster/{name}`" not in table]
