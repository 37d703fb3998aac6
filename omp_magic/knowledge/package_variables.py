"""Variables of packages that no limit reaches: what each does.

Measured, where `strangers` says with which version, by the threads that then lived.
"""

from __future__ import annotations

PACKAGE_VARIABLES: dict[str, str] = {
    "RAYON_NUM_THREADS": "threads of Rayon, the pool of tokenizers, Clarabel and other Rust code",
    "RAYON_RS_NUM_CPUS": "threads of Rayon, older name",
    "TOKENIZERS_PARALLELISM": "whether tokenizers uses its pool, read at each batch",
    "TOKIO_WORKER_THREADS": "threads of Tokio, the pool of DataFusion and deltalake",
    "NPROC": "threads of JAX on CPUs, read when JAX starts",
    "PJRT_NPROC": "threads of JAX on CPUs; wins over NPROC",
    "XLA_FLAGS": "flags of XLA, JAX's compiler; an unknown one ends the process",
    "GDAL_NUM_THREADS": "threads of GDAL where a call names none",
    "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS": "threads of ITK and SimpleITK, read at import",
}
"""A part of `catalog.VARIABLES`."""
