"""Cells that bring numba's workqueue, and that enter it from two threads at once."""

from __future__ import annotations

NUMBA = """
%load_ext omp_magic
import os; os.environ['NUMBA_THREADING_LAYER'] = '{}'
import numpy as np, numba, threading
@numba.njit(parallel=True, nogil=True)
def total(a):
    t = 0.
    for _ in range(200):
        for i in numba.prange(a.size): t += a[i]
    return t
"""
LAUNCH = "a = np.ones(1000000); total(a)"
BOTH = """
ts = [threading.Thread(target=total, args=(a,)) for _ in range(2)]
[t.start() for t in ts]; [t.join() for t in ts]; print('survived')
"""
