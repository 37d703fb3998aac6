"""What is written for Dask is read by Dask's own configuration, and is in a real worker."""

from __future__ import annotations

import json
from typing import Any

import pytest
from live import run_python
from sheets import held_by, sheet_of

from omp_magic.views.envfiles.table import FORMATS

pytest.importorskip("distributed", reason="distributed is not here")

LINES: dict[str, str | None] = {
    "OMP_NUM_THREADS": "3",
    "NUMBA_NUM_THREADS": "2",
    "A_MINE": "of the file",
    "OPENBLAS_NUM_THREADS": None,
    **held_by("dask"),
}
WORKER = """
import json, os, sys

def variables():
    import os
    return dict(os.environ)

if __name__ == "__main__":
    import dask
    from distributed import Client, LocalCluster
    read = [each for each in dask.config.collect_yaml([os.environ["DASK_CONFIG"]])]
    found = {"read": read}
    options = {"n_workers": 1, "threads_per_worker": 1, "dashboard_address": None}
    with LocalCluster(**options) as cluster, Client(cluster) as client:
        (found["nanny"],) = client.run(variables).values()
    os.environ.pop("NUMBA_NUM_THREADS")  # a nanny here has set it in its own process too
    with LocalCluster(processes=False, **options) as cluster, Client(cluster) as client:
        (found["none"],) = client.run(variables).values()
    print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What Dask has read, and the variables of two real workers."""
    folder = tmp_path_factory.mktemp("dask")
    # An umlaut and a letter beyond the first plane: a file is read in the locale's encoding.
    sheet = sheet_of(
        {**LINES, "A_FAR": "\U0001f600"}, head=("8 CPUs \u00fc",), left=("MKL_NUM_THREADS",)
    )
    text = FORMATS["dask"].write(sheet)
    (folder / FORMATS["dask"].file_name).write_text(text, "ascii")
    program = folder / "program.py"
    program.write_text(WORKER, "utf-8")
    ended = run_python(
        "import runpy, sys; runpy.run_path(sys.argv[1], run_name='__main__')",
        str(program),
        DASK_CONFIG=str(folder),
        HOME=str(folder),
        A_MINE="of the nanny",
    )
    assert ended.code == 0, ended.err
    return dict(json.loads(ended.out))


def test_dask_reads_the_file(found: dict[str, Any]) -> None:
    (read,) = found["read"]
    values = read["distributed"]["nanny"]["pre-spawn-environ"]
    assert values == {**LINES, "A_FAR": "\U0001f600", "MKL_NUM_THREADS": None}


def test_a_worker_with_a_nanny_has_the_variables(found: dict[str, Any]) -> None:
    worker = found["nanny"]
    assert {name: worker[name] for name in held_by("dask")} == held_by("dask")
    assert (worker["OMP_NUM_THREADS"], worker["NUMBA_NUM_THREADS"]) == ("3", "2")
    assert worker["A_FAR"] == "\U0001f600"


def test_what_is_set_where_the_nanny_starts_wins(found: dict[str, Any]) -> None:
    assert found["nanny"]["A_MINE"] == "of the nanny"


def test_dasks_own_counts_are_taken_out_where_they_would_overrule(found: dict[str, Any]) -> None:
    assert "MKL_NUM_THREADS" not in found["nanny"]
    assert "OPENBLAS_NUM_THREADS" not in found["nanny"]


def test_a_worker_without_a_nanny_has_none(found: dict[str, Any]) -> None:
    assert "NUMBA_NUM_THREADS" not in found["none"]


def test_without_a_number_of_tasks_no_pool_has_more_than_dask_gives_it() -> None:
    code = (
        "import omp_magic; made = omp_magic.environment('dask'); print(made.text, made.variables)"
    )
    ended = run_python(code, OMP_NUM_THREADS="8")
    assert ended.code == 0, ended.err
    assert "'OMP_NUM_THREADS': '1'" in ended.out
    assert "null" not in ended.out
    assert "wins where a nanny starts: unset OMP_NUM_THREADS" in ended.out
    assert "env --format dask\n" in ended.out
