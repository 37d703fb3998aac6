"""What real imports change in a process is put down to them, and what a cell sets is not."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from live import LINUX, run_python

pytestmark = pytest.mark.skipif(not LINUX, reason="reads /proc: Linux only")
two_cpus = pytest.mark.skipif(
    not LINUX or len(os.sched_getaffinity(0)) < 2, reason="one CPU cannot be narrowed"
)

SHELL = """
import json, os, sys
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
def cell(code):
    done = shell.run_cell(code, store_history=True)
    assert done.success, done.error_in_exec or done.error_before_exec
def told():
    import omp_magic
    facts = omp_magic.snapshot()
    return {
        "codes": [each.code for each in facts.findings],
        "titles": {each.code: each.title for each in facts.findings},
        "remedies": {each.code: each.remedies for each in facts.findings},
        "changes": {
            each.name or each.what: [each.before, each.after, each.by, each.imported, each.in_c]
            for each in facts.changes
        },
        "reason": facts.budget.binding.reason,
        "bound_cpus": {pool.name: pool.bound_cpus for pool in facts.pools},
    }
"""

PACKAGES = {
    "sets_python": "import os\nos.environ['OPENBLAS_NUM_THREADS'] = '1'\n",
    "sets_c": (
        "import ctypes\nfrom . import inner\n"
        "ctypes.CDLL(None).setenv(b'OMP_NUM_THREADS', b'1', 1)\n"
    ),
    "sets_mask": "import os\nos.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n",
    "sets_modes": (
        "import multiprocessing, resource\n"
        "multiprocessing.set_start_method('spawn', force=True)\n"
        "soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (soft - 1, hard))\n"
        "import os\nos.environ['THE_API_TOKEN'] = 'abc'\n"
    ),
    "sets_and_restores": (
        "import os\nos.environ['OMP_SCHEDULE'] = 'static'\ndel os.environ['OMP_SCHEDULE']\n"
    ),
}


@pytest.fixture
def packages(tmp_path: Path) -> str:
    """A folder of small packages, each of which changes something when it is imported."""
    for name, code in PACKAGES.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(code)
        (tmp_path / name / "inner.py").write_text("")
    return str(tmp_path)


def seen(code: str, *arguments: str, **env: str) -> Any:
    """Run a program with a shell and give the JSON that it prints last."""
    ended = run_python(SHELL + code, *arguments, timeout=120, **env)
    assert ended.code == 0, ended.err
    assert "not watched" not in ended.err
    assert "not looked" not in ended.err
    return json.loads(ended.out.strip().split("\n")[-1])


def test_an_import_is_told_of_what_it_sets_and_a_cell_is_not_blamed(packages: str) -> None:
    found = seen(
        "cell('%load_ext omp_magic')\n"
        "cell('import sys; sys.path.insert(0, sys.argv[1])')\n"
        "cell('''import os; os.environ['MKL_NUM_THREADS'] = '1'\n"
        "import sets_python, sets_c, sets_modes, sets_and_restores, json''')\n"
        "cell('''os.environ['NUMEXPR_NUM_THREADS'] = '1'; os.environ['MY_OWN'] = '1' ''')\n"
        "first = told()\n"
        "cell('import numpy')\n"
        "second = told()\n"
        "cell('''del os.environ['OPENBLAS_NUM_THREADS']; os.unsetenv('OMP_NUM_THREADS')''')\n"
        "print(json.dumps([first, second, told()]))",
        packages,
    )
    first, second, last = found
    changes = first["changes"]
    assert changes["MKL_NUM_THREADS"][2:] == ["cell 3", False, False]
    assert changes["NUMEXPR_NUM_THREADS"][2:] == ["cell 4", False, False]
    assert "MY_OWN" not in changes
    assert changes["OPENBLAS_NUM_THREADS"] == [None, "1", "import sets_python", True, False]
    assert changes["OMP_NUM_THREADS"] == [None, "1", "import sets_c", True, True]
    assert changes["RLIMIT_NOFILE"][2:4] == ["import sets_modes", True]
    assert changes["start method"][:4] == ["the default", "spawn", "import sets_modes", True]
    assert changes["THE_API_TOKEN"][:3] == [None, "(hidden)", "import sets_modes"]
    assert "OMP208" not in first["codes"]  # no pool yet
    if len(os.sched_getaffinity(0)) > 1:
        assert "import sets_python set OPENBLAS_NUM_THREADS=1" in second["titles"]["OMP208"]
        assert "OMP301" not in second["codes"]
    assert not {"OMP208", "OMP301"} & set(last["codes"])
    assert "OPENBLAS_NUM_THREADS" not in last["changes"]


@two_cpus
def test_a_package_that_sets_the_affinity_is_named_and_a_cell_that_does_is_not(
    packages: str,
) -> None:
    cpus = sorted(os.sched_getaffinity(0))
    own, imported, back, unknown = seen(
        "cell('import sys, os; sys.path.insert(0, sys.argv[1])')\n"
        "cell('%load_ext omp_magic')\n"
        "cell('full = os.sched_getaffinity(0); os.sched_setaffinity(0, {min(full)})')\n"
        "own = told()\n"
        "cell('os.sched_setaffinity(0, full)')\n"
        "cell('import sets_mask')\n"
        "imported = told()\n"
        "line = imported['remedies']['OMP207'][0].split(': ', 1)[1]\n"
        "cell(line)\n"
        "back = told()\n"
        "cell('os.sched_setaffinity(0, {min(full)})')\n"
        "cell('%reload_ext omp_magic')\n"
        "print(json.dumps([own, imported, back, told()]))",
        packages,
    )
    assert "OMP207" not in own["codes"]
    assert imported["titles"]["OMP207"].startswith(
        f"import sets_mask narrowed this kernel from {len(cpus)} CPUs to 1 CPU"
    )
    assert "by import sets_mask" in imported["reason"]
    assert not any("unset" in line for line in imported["remedies"]["OMP207"])
    assert "affinity" not in back["changes"]
    assert "OMP207" not in back["codes"]
    assert "OMP207" not in unknown["codes"]  # nothing says that it was not the user


@two_cpus
@pytest.mark.parametrize(
    ("variables", "asked"),
    [
        ({"GOMP_CPU_AFFINITY": "0-1"}, "GOMP_CPU_AFFINITY"),
        ({"OMP_PLACES": "cores", "OMP_PROC_BIND": "close"}, "OMP_PROC_BIND"),
        ({"OMP_PLACES": "cores", "OMP_PROC_BIND": "false"}, ""),
    ],
)
def test_libgomp_that_binds_its_loader_is_told_with_the_variable(
    variables: dict[str, str], asked: str
) -> None:
    after, before = seen(
        "cell('%load_ext omp_magic')\ncell('import sklearn.cluster')\nafter = told()\n"
        "cell('%unload_ext omp_magic\\n%load_ext omp_magic')\n"
        "print(json.dumps([after, told()]))",
        **variables,
    )
    for found in (after, before):
        assert ("OMP207" in found["codes"]) is bool(asked)
        assert "OMP201" not in found["codes"]
        if asked:
            assert f"Before the kernel starts: unset {asked}" in found["remedies"]["OMP207"]
    if asked:
        assert "import sklearn" in after["titles"]["OMP207"]
        assert after["bound_cpus"]["GNU libgomp (scikit-learn)"] == len(os.sched_getaffinity(0))
        assert "before omp_magic was loaded" in before["titles"]["OMP207"]


@two_cpus
def test_an_llvm_runtime_binds_in_a_cell_at_its_first_call(libiomp5: str) -> None:
    loaded, used, given_back = seen(
        "cell('%load_ext omp_magic')\ncell('import ctypes, os, sys')\n"
        "cell('full = os.sched_getaffinity(0); rt = ctypes.CDLL(sys.argv[1])')\nloaded = told()\n"
        "cell('rt.omp_get_max_threads()')\nused = told()\n"
        "cell('os.sched_setaffinity(0, full)')\n"
        "cell('os.sched_setaffinity(0, {max(full)})')\n"
        "print(json.dumps([loaded, used, told()]))",
        libiomp5,
        KMP_AFFINITY="granularity=fine,compact",
    )
    assert "OMP207" not in loaded["codes"]
    assert used["titles"]["OMP207"].startswith("An OpenMP call in cell 4 narrowed")
    assert "Before the kernel starts: unset KMP_AFFINITY" in used["remedies"]["OMP207"]
    assert "OMP207" not in given_back["codes"]  # a cell set that one itself


def test_a_clean_stack_gives_nothing_new_and_its_variables_have_a_name() -> None:
    found = seen(
        "cell('%load_ext omp_magic')\ncell('import numpy, scipy.linalg, sklearn.cluster, pandas')\n"
        "print(json.dumps(told()))"
    )
    assert set(found["codes"]) <= {"OMP106", "OMP206"}  # OMP206: a busy machine
    assert found["changes"]["KMP_DUPLICATE_LIB_OK"][2:4] == ["import sklearn", True]
    assert found["changes"].keys() <= {"KMP_DUPLICATE_LIB_OK", "KMP_INIT_AT_FORK"}


def test_a_limit_of_ours_is_nobodys_change_and_what_an_import_set_below_it_stays_its_own(
    packages: str,
) -> None:
    limited, over = seen(
        "cell('import sys; sys.path.insert(0, sys.argv[1])')\n"
        "cell('%load_ext omp_magic')\ncell('%omp_limit 1')\ncell('import sets_modes, numpy')\n"
        "limited = told()\ncell('%omp_limit off')\nprint(json.dumps([limited, told()]))",
        packages,
    )
    for found in (limited, over):
        assert not any(name.endswith("_NUM_THREADS") for name in found["changes"])
        assert "start method" in found["changes"]
