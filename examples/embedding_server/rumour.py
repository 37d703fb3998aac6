"""The server with two lines more that many pages advise: a way to set MKL's threads.

With MKL_THREADING_LAYER=INTEL, which as many pages advise, importing mkl after PyTorch ends the
process without a Python error (OMP104). ``omp-magic check torch mkl --order`` finds what works.
"""

from __future__ import annotations

from searching import make_app

import mkl  # isort: skip - last: the order that does not work

mkl.set_num_threads(1)
app = make_app()
