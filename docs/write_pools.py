"""Write docs/reference/pools.md from the table of packages that no limit reaches."""

from __future__ import annotations

from pathlib import Path

from omp_magic.knowledge.strangers import STRANGERS

PAGE = Path(__file__).parent / "reference" / "pools.md"
_HEAD = """# Pools that no limit reaches

Beside OpenMP's and the BLAS's threads, and the pools of torch, numba, numexpr, OpenCV, pyarrow and
blosc2, packages have pools that only they themselves can size. `%omp_status` shows them with the
threads that live; a library that is in no table is shown as "not known how to count or limit" as
soon as it owns two threads. `%omp_limit` names each one that is there: `not reached: …`.

What was measured, with real wheels on Linux x86-64 with 2 CPUs, by the files that live threads
start in; n is a number of threads. The table is written by `make docs` from
`omp_magic/knowledge/strangers.py`.

| package | threads of its own | its own switch | why no limit reaches it | measured with |
|---|---|---|---|---|
"""
_TAIL = """
polars and TensorFlow are limited in child processes only: `POLARS_MAX_THREADS` before the import,
`tf.config.threading.set_intra_op_parallelism_threads` before the first operation.

No threads of a kind of their own, measured in use in the same way: scikit-image 0.26, gensim 4.4
(Python threads), igraph 1.0, PyMuPDF 2.0, SimpleITK 2.5 (its threads end with each filter;
`ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS` at import), OSQP 1.1, PySCIPOpt 6.3, usearch 2.26.
LightGBM 4.7, XGBoost 3.2, faiss 1.15, pyFFTW 0.15, implicit 0.7 and NMSLIB 2.1 compute on an OpenMP
runtime, which limits reach where they name no number of their own.

Not pools: the four threads of each kernel's ZeroMQ, gRPC's six, and what watches files or draws a
screen. `%omp_status --threads` lists them.
"""


def page() -> str:
    """Give the page."""
    rows = (
        f"| {row.label} | {row.owns} | {row.switch} | {row.why} | {row.source} |"
        for row in STRANGERS
    )
    return _HEAD + "\n".join(rows) + "\n" + _TAIL


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
