"""The server: PyTorch first, so that one OpenMP serves both; nothing is computed at import.

``omp-magic check faiss torch`` says so: OMP105, one runtime for all.
"""

from __future__ import annotations

import torch  # noqa: F401 - first: its OpenMP serves FAISS, whose own stays idle
from searching import make_app

app = make_app()
