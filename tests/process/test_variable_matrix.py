"""Variables of real packages: what --env says of each beside the count that is really there.

Each program sets a variable before its start or after the import, takes a snapshot, and only then
asks the package itself.
"""

from __future__ import annotations

import json
import os
from typing import Any

import pytest
from environments import POOLS, environment, run_in
from live import LINUX

from omp_magic.knowledge.envvars import threads_in

pytestmark = pytest.mark.skipif(not LINUX, reason="reads what loaded libraries made of it: Linux")

PROGRAM = """
import ctypes, json, os, sys
from omp_magic.machine import Machine
from omp_magic.probes.observe import Observer
from omp_magic.rules import judge
package, late = sys.argv[1], json.loads(sys.argv[2])
exec({
    "numexpr": "import numexpr; real = numexpr.get_num_threads",
    "numba": "import numba; numba.get_num_threads(); real = numba.get_num_threads",
    "polars": "import polars; polars.thread_pool_size(); real = polars.thread_pool_size",
    "pyarrow": "import pyarrow; pyarrow.cpu_count(); real = pyarrow.cpu_count",
    "cv2": "import cv2; cv2.setNumThreads; real = cv2.getNumThreads",
    "torch": "import torch; torch.ones(9999).exp(); real = torch.get_num_threads",
    "sklearn": "import sklearn.cluster; real = int",
}[package])
observer, names = Observer(Machine.here()), set(late[0] if late else sys.argv[3:])
def look():
    facts = observer.take()
    found = [f for f in judge(facts) if f.code[:4] == "OMP3"]
    return [{s.name: {r.reader: [r.state, r.by, r.why] for r in s.readings}
             for s in facts.environment if s.name in names},
            {f.code: f.title for f in found if "KMP_" not in f.title}]
rows = []
for change in late or [{}]:
    names |= set(change)
    os.environ.update(change)
    rows.append(look())
    for name in change: del os.environ[name]
try: count = real()
except Exception as error: count = str(error)
print(json.dumps([rows, count]))
"""

NUM, MOST, OMP = "NUMEXPR_NUM_THREADS", "NUMEXPR_MAX_THREADS", "OMP_NUM_THREADS"


def tried(package: str, *late: dict[str, str], **env: str) -> Any:
    python = environment("pools", POOLS)
    ended = run_in(python, PROGRAM, package, json.dumps(late), *env, timeout=180, **env)
    return None if ended.code else json.loads(ended.out.strip().split("\n")[-1])


def test_numexprs_most_is_too_late_after_the_import() -> None:
    ((readings, found),), count = tried("numexpr", {MOST: "1"})
    assert readings[MOST]["numexpr"][0] == "too late"
    assert found == {"OMP301": "NUMEXPR_MAX_THREADS was set too late for numexpr"}
    assert count == min(16, os.cpu_count() or 1)


def test_numexpr_refuses_more_than_its_most() -> None:
    refused = "NUMEXPR_NUM_THREADS=100 is refused by numexpr: it has one thread"
    ((readings, found),), count = tried("numexpr", **{NUM: "100"})
    assert readings[NUM]["numexpr"][:2] == ["refused", ""]
    assert (found, count) == ({"OMP304": refused}, 1)
    # Both: what came after the start is not to blame, the built-in most decided.
    ((readings, found),), count = tried("numexpr", {MOST: "1"}, **{NUM: "100"})
    assert readings[MOST]["numexpr"][0] == "too late"
    assert set(found) == {"OMP301", "OMP304"}
    assert (found["OMP304"], count) == (refused, 1)


def test_what_libgomp_took_is_asked_of_itself() -> None:
    changes = {
        "OMP_DYNAMIC": "true", "OMP_MAX_ACTIVE_LEVELS": "2", "OMP_PROC_BIND": "close",
        "OMP_PLACES": "cores", "GOMP_CPU_AFFINITY": "0", "OMP_THREAD_LIMIT": "100",
    }  # fmt: skip
    rows, _ = tried("sklearn", *({name: text} for name, text in changes.items()))
    for (readings, found), name in zip(rows, changes, strict=True):
        ((state, _, _),) = readings[name].values()
        assert (name, state) == (name, "too late")
        assert name in found["OMP301"]


CASES = [
    (package, name, text)
    for package, names in {
        "numexpr": (NUM, MOST, OMP),
        "numba": ("NUMBA_NUM_THREADS",),
        "polars": ("POLARS_MAX_THREADS",),
        "pyarrow": (OMP, "OMP_THREAD_LIMIT"),
        "cv2": ("OPENCV_FOR_THREADS_NUM",),
        "torch": (OMP, "MKL_NUM_THREADS"),
    }.items()
    for name in names
    for text in ("1", "100", "x", "", " 2")
]
_OWN = {"cv2": "OpenCV", "torch": "torch intra-op", "pyarrow": "pyarrow CPU"}


@pytest.mark.thorough
@pytest.mark.parametrize(("package", "name", "text"), CASES)
def test_what_is_said_of_a_value_from_the_start_is_true(package: str, name: str, text: str) -> None:
    """In force, ignored or refused, as the count shows; never unknown."""
    got = tried(package, **{name: text})
    if got is None:
        assert text == "x"  # NumExpr's import fails
        return
    ((readings, _),), count = got
    usual = tried(package)[1]
    state = readings[name][_OWN.get(package, package)][0]
    number = threads_in(package, name, text)  # MKL takes "x" for 1 thread
    if state == "in force" and number is not None:
        limits = name in (MOST, "OMP_THREAD_LIMIT")
        assert count == number or (limits and count <= number) or (number > usual == count)
    elif state == "refused":
        assert count == 1
    elif state == "ignored":
        assert count == usual or isinstance(count, str)
    else:
        assert (package, name, state) == ("numexpr", MOST, "in force")


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("package", "names"),
    [
        ("numexpr", (NUM, MOST, OMP)),
        ("numba", ("NUMBA_NUM_THREADS", "NUMBA_THREADING_LAYER")),
        ("pyarrow", (OMP, "OMP_THREAD_LIMIT")),
        ("torch", (OMP, "MKL_NUM_THREADS")),
        ("cv2", ("OPENCV_FOR_THREADS_NUM",)),
        ("polars", ("POLARS_MAX_THREADS",)),
    ],
)
def test_what_came_after_the_import_is_unknown_only_with_a_reason(
    package: str, names: tuple[str, ...]
) -> None:
    changes = [{name: text} for name in names for text in ("1", "100", "x", "", "workqueue")]
    rows, count = tried(package, *changes)
    for (readings, _), change in zip(rows, changes, strict=True):
        ((name, text),) = change.items()
        state, _, why = readings[name][_OWN.get(package, package)]
        assert bool(why) is (state == "unknown")
        if text == "1" and count != 1 and package != "cv2":
            assert (name, state) == (name, "too late")
