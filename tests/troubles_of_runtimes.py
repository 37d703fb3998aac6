"""Ways into OMP101 to OMP111: runtimes that meet, and packages that were replaced."""

from __future__ import annotations

from environments import MKL_AND_TORCH, POOLS, environment
from trouble import BUSY, ENDS, Places, Trouble


def two_llvm(at: Places) -> tuple[Trouble, ...]:
    """Two packages with a runtime of their own each; the second one's first use is the end."""
    site = at.pair()
    return (
        Trouble(
            cells=(
                f"import sys; sys.path.insert(0, {site!r})",
                "import with_intel, with_llvm; with_intel.par()",
            ),
            harm="assert with_intel.par() == with_llvm.par() > 0",
            alone=(
                f"import sys; sys.path.insert(0, {site!r}); import with_intel; with_intel.par()",
                f"import sys; sys.path.insert(0, {site!r}); import with_llvm; with_llvm.par()",
            ),
            dear="[Uu]se only one",
        ),
    )


def two_llvm_masked(at: Places) -> tuple[Trouble, ...]:
    (fatal,) = two_llvm(at)
    return (
        Trouble(
            cells=(*fatal.cells, "import os"),
            # What each does is served by one team: with two, more threads come.
            harm=(
                "with_intel.par(); before = os.listdir('/proc/self/task')\n"
                "with_llvm.par(); assert len(os.listdir('/proc/self/task')) == len(before)"
            ),
            env={"KMP_DUPLICATE_LIB_OK": "TRUE"},
            alone=fatal.alone,
            dear=fatal.dear,
        ),
    )


def hanging(at: Places) -> tuple[Trouble, ...]:
    glob = "import ctypes, glob, sys; "
    mkl = "ctypes.CDLL(glob.glob(f'{sys.prefix}/lib/libmkl_rt.so*')[0]).MKL_Get_Max_Threads()"
    own = (
        "for path in {l.split()[-1] for l in open('/proc/self/maps') if 'libiomp5' in l}:\n"
        "    ctypes.CDLL(path).omp_get_max_threads()"
    )
    return (
        Trouble(
            answers="let (it|MKL) use another runtime",
            cells=(
                f"{glob}first = ctypes.CDLL({at.libomp!r}, ctypes.RTLD_GLOBAL)",
                f"ctypes.CDLL(None).omp_get_max_threads(); {mkl}",
            ),
            harm=ENDS + own,
            python=environment("mkl-torch", MKL_AND_TORCH),
            thorough=True,
        ),
        Trouble(
            cells=(
                f"import ctypes; first = ctypes.CDLL({at.libomp!r}, ctypes.RTLD_GLOBAL)",
                "ctypes.CDLL(None).omp_get_max_threads()",  # what an extension of its calls
                f"second = ctypes.CDLL({at.libiomp5!r})",
            ),
            harm=ENDS + "assert second.omp_get_max_threads() > 0",
        ),
    )


def mkl_exits(_at: Places) -> tuple[Trouble, ...]:
    python = environment("mkl-torch", MKL_AND_TORCH)
    child = "[sys.executable, '-c', 'import torch, mkl']"
    return (
        Trouble(
            answers="^In a parent",
            finding="OMP305",
            thorough=True,
            cells=("import mkl",),
            harm=f"import subprocess, sys; subprocess.run({child}, check=True)",
            python=python,
        ),
        Trouble(
            cells=("import torch",),
            harm="import mkl; assert mkl.get_max_threads() > 0",
            env={"MKL_THREADING_LAYER": "INTEL"},
            python=python,
        ),
    )


def two_teams(_at: Places) -> tuple[Trouble, ...]:
    return (
        Trouble(
            cells=("import sklearn.cluster, numpy as np", "import torch"),
            harm=(
                "import os; count = lambda: len(os.listdir('/proc/self/task'))\n"
                "before = count()\n"
                "torch.nn.functional.relu(torch.ones(1000, 1000)).sum()\n"
                "sklearn.cluster.KMeans(8, n_init=1).fit(np.random.rand(20000, 8))\n"
                "assert count() - before < 2 * (len(os.sched_getaffinity(0)) - 1)"
            ),
            python=environment("pools", POOLS),
        ),
    )


def two_blas(_at: Places) -> tuple[Trouble, ...]:
    return (
        Trouble(
            cells=("import numpy, scipy.linalg.blas", BUSY),
            harm=(
                "a = numpy.ones((1500, 1500), order='F')\n"
                "def other():\n    for _ in range(2): scipy.linalg.blas.dgemm(1.0, a, a)\n"
                "assert busy(product, other) <= 2"
            ),
        ),
    )


def replaced(at: Places, *more: str) -> tuple[Trouble, ...]:
    site, install = at.versions(f"of_{len(more)}")
    imported = f"import sys; sys.path.insert(0, {site!r})\nimport importlib, pkg; pkg._pkg.par()"
    return (
        Trouble(
            cells=(install("1"), imported, install("22"), *more),
            again=(imported,),
            # Each thread gives 1 in version 1, and 100 in version 22.
            harm=(
                "importlib.reload(pkg)\n"
                "assert (pkg._pkg.par() % 100 == 0) == (pkg.__version__ == '22')"
            ),
        ),
    )


def misreported(at: Places) -> tuple[Trouble, ...]:
    return replaced(at, "importlib.reload(pkg)")
