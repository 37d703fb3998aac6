"""The server of rumour.py in the order that ``omp-magic check torch mkl faiss --order`` found."""

from __future__ import annotations

import mkl
from searching import make_app

mkl.set_num_threads(1)
app = make_app()
