"""Ways into OMP301 to OMP305: environment variables."""

from __future__ import annotations

from environments import MKL_AND_TORCH, POOLS, environment
from trouble import BUSY, Places, Trouble


def too_late(_at: Places) -> tuple[Trouble, ...]:
    pools = "import torch, numexpr, pyarrow, cv2"
    return (
        Trouble(
            cells=(f"import numpy\n{BUSY}", "os.environ['OPENBLAS_NUM_THREADS'] = '2'"),
            harm="assert busy(product) == 2",
            env={"OPENBLAS_NUM_THREADS": "1"},
            repeatable=True,
        ),
        Trouble(
            cells=("import numexpr, os", "os.environ['NUMEXPR_NUM_THREADS'] = '2'"),
            harm="assert numexpr.get_num_threads() == 2",
            env={"NUMEXPR_NUM_THREADS": "1"},
            repeatable=True,
            thorough=True,
            python=environment("pools", POOLS),
        ),
        Trouble(
            cells=(pools, "import os; os.environ['OMP_NUM_THREADS'] = '2'"),
            harm=(
                "assert [torch.get_num_threads(), pyarrow.cpu_count(), numexpr.get_num_threads()]"
                " == [2, 2, 2]"
            ),
            env={"OMP_NUM_THREADS": "1"},
            thorough=True,
            python=environment("pools", POOLS),
        ),
    )


def overruled(_at: Places) -> tuple[Trouble, ...]:
    return (
        Trouble(
            cells=(f"import numpy\n{BUSY}",),
            harm="assert busy(product) == int(os.environ['OMP_NUM_THREADS'])",
            env={"OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "1"},
        ),
        Trouble(
            answers="alone in it",
            thorough=True,
            cells=(f"import os; os.environ['OPENBLAS_NUM_THREADS'] = '1'\nimport numpy\n{BUSY}",),
            alone=(f"import numpy\n{BUSY}\nassert busy(product) == 2",),
            harm="assert busy(product) == int(os.environ['OMP_NUM_THREADS'])",
            env={"OMP_NUM_THREADS": "2"},
        ),
    )


def unchecked(at: Places) -> tuple[Trouble, ...]:
    first = (
        "import ctypes, os; os.environ['KMP_DUPLICATE_LIB_OK'] = 'TRUE'\n"
        f"first = ctypes.CDLL({at.libiomp5!r}); first.omp_get_max_threads()"
    )
    # scikit-learn's import sets the variable where nobody has.
    harm = f"import sklearn; second = ctypes.CDLL({at.libomp!r}); second.omp_get_max_threads()"
    return (Trouble(cells=(first,), harm=harm, kills=True),)


def unreadable(_at: Places) -> tuple[Trouble, ...]:
    load = "import ctypes, os, subprocess, sys; ctypes.CDLL('libgomp.so.1')"
    # libgomp says it on stderr when it is loaded, which a kernel does not show.
    said = (
        "ended = subprocess.run([sys.executable, '-c', \"import ctypes; "
        "print(ctypes.CDLL('libgomp.so.1').omp_get_max_threads())\"],"
        " capture_output=True, text=True, check=True)\n"
        "assert not ended.stderr, ended.stderr"
    )
    return (
        Trouble(cells=(load,), harm=said, env={"OMP_DYNAMIC": "1"}),
        Trouble(
            answers="OMP_NUM_THREADS",
            cells=(load,),
            harm=said,
            env={"OMP_NUM_THREADS": "many"},
            thorough=True,
        ),
        Trouble(
            answers="^For what has not read",
            cells=("import ctypes, os, subprocess, sys; os.environ['OMP_DYNAMIC'] = '1'",),
            harm=said,
        ),
    )


def two_environments(_at: Places) -> tuple[Trouble, ...]:
    child = "[sys.executable, '-c', 'import os; print(os.environ.get(\"MKL_THREADING_LAYER\"))']"
    return (
        Trouble(
            answers="^Or give one child",
            cells=("import mkl",),
            harm="1 / 0",  # it cures nothing in this process
            python=environment("mkl-torch", MKL_AND_TORCH),
            instead=r"assert _ == b'None\n'",
            repeatable=True,
        ),
        Trouble(
            cells=("import mkl",),
            harm=(
                "import os, subprocess, sys\n"
                f"ended = subprocess.run({child}, capture_output=True, text=True)\n"
                "assert ended.stdout.strip() == str(os.environ.get('MKL_THREADING_LAYER'))"
            ),
            python=environment("mkl-torch", MKL_AND_TORCH),
        ),
    )
