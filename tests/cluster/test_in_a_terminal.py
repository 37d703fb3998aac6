"""%omp_cluster in IPython's terminal: a text, and no panel."""

from __future__ import annotations

import sys

import pytest
from live import run_program
from places import ROOT

pytest.importorskip("distributed", reason="distributed is not here")

CODE = """
%load_ext omp_magic
from distributed import LocalCluster
cluster = LocalCluster(n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None)
client = cluster.get_client()
found = %omp_cluster client --live
print(type(found).__name__, found.known)
print(found)
client.close(); cluster.close()
"""


def test_it_is_told_once(tmp_path: object) -> None:
    env = {"PYTHONPATH": str(ROOT), "IPYTHONDIR": str(tmp_path)}
    words = [sys.executable, "-m", "IPython", "--colors=NoColor", "--no-banner", "-c", CODE]
    ended = run_program(words, 60, env)
    assert ended.code == 0, ended.err
    assert "ClusterSnapshot 1\n" in ended.out
    assert ended.err.count("--live needs a notebook") == 1
    assert "1 worker on 1 host" in ended.out
