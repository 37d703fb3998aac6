"""Every remedy can be read as one that is run, and the reader refuses what cannot be."""

from __future__ import annotations

import pytest
from remedies import read_remedy

from omp_magic.rules.stories import STORIES


@pytest.mark.parametrize("code", STORIES)
def test_each_line_of_each_story_can_be_run_or_is_known_not_to_be(code: str) -> None:
    for text in STORIES[code].mend:
        read_remedy(text)


@pytest.mark.parametrize(
    ("text", "kind", "fresh"),
    [
        ("For this session: %omp_limit auto", "cell", False),
        ("For one cell: %%omp_limit blas=1", "body", False),
        ("Before the kernel starts: OMP_NUM_THREADS=1 MKL_NUM_THREADS=2", "variables", True),
        ("Before the kernel starts: unset OMP_DYNAMIC", "variables", True),
        ("Restart the kernel", "restart", True),
        ("In the first cell of a fresh kernel: import torch", "cell", True),
        ("For good: conda install -c conda-forge numpy", "not run", False),
    ],
)
def test_a_remedy_is_read(text: str, kind: str, fresh: bool) -> None:
    remedy = read_remedy(text)
    assert (remedy.kind, remedy.fresh) == (kind, fresh)


@pytest.mark.parametrize(
    "text",
    [
        "Think about it",
        "In joblib: joblib.parallel_config('loky')",  # an import is missing
        "Start a child: import subprocess; subprocess.run(..., env={})",
        "Start a child: import subprocess; subprocess.run(…, env={})",
        "Before the kernel starts: OMP_NUM_THREADS=N",
        "For this session: OMP_NUM_THREADS=2",  # no variable is heard there
        "Before the kernel starts: unset OMP_DYNAMIC, or set it",
        "Restart the kernel: it then runs what is installed",
        "First of all: import ctypes; ctypes.CDLL('/path/of/libiomp5.so')",
        "For good: conda install -c conda-forge PACKAGES",
        "One for all: restart the kernel, and first of all: import torch",
        "In a cell: import os %omp_limit 1",
    ],
)
def test_what_cannot_be_run_as_it_stands_is_refused(text: str) -> None:
    with pytest.raises(AssertionError):
        read_remedy(text)
