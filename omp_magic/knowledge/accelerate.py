"""Apple's Accelerate among the images of a process.

One library for whoever links it, many images in dyld's list: the umbrella ``Accelerate``, below it
``vecLib`` with ``libBLAS.dylib``, ``libLAPACK.dylib``, ``libvDSP.dylib``, ``libvMisc.dylib``,
``libBNNS.dylib``, ``libSparse.dylib``, ``libSparseBLAS.dylib``, ``libLinearAlgebra.dylib``,
``libQuadrature.dylib``, and beside it ``vImage`` with libraries of its own. So crash reports show
them: pydata/numexpr#306, numpy/numpy#11551, kovidgoyal/kitty#1699. The BLAS is libBLAS.dylib, which
libLAPACK.dylib calls (scikit-learn/scikit-learn#12362); a program may link it alone, as
conda-forge's libblas does (joblib/threadpoolctl#166). vImage comes without a BLAS.

That it is mapped does not say that Python uses it: macOS' own frameworks link it, so a process with
a window has it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_IMAGE = re.compile(r"/System/Library/(?:Private)?Frameworks/(?:Accelerate|vecLib)\.framework/.+")
_BLAS = ("libBLAS.dylib", "vecLib", "Accelerate")
"""Which image stands for it: the first of these that is there."""


def is_part_of_accelerate(path: str) -> bool:
    """Tell whether an image is one of the many of Accelerate."""
    return _IMAGE.match(path) is not None


def accelerate_of(paths: Iterable[str]) -> str | None:
    """Give the one image that stands for Accelerate, or None where its BLAS is not mapped.

    Parameters
    ----------
    paths
        The paths of a process's images.

    Examples
    --------
    >>> whole = "/System/Library/Frameworks/Accelerate.framework/Versions/A"
    >>> accelerate_of([f"{whole}/Accelerate", f"{whole}/Frameworks/vImage.framework/vImage"])
    '/System/Library/Frameworks/Accelerate.framework/Versions/A/Accelerate'
    >>> accelerate_of([f"{whole}/Frameworks/vImage.framework/vImage"])
    """
    found = {path.rpartition("/")[2]: path for path in paths if is_part_of_accelerate(path)}
    return next((found[name] for name in _BLAS if name in found), None)
