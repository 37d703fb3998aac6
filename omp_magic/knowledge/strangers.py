"""Owners of threads that no limit reaches: what each is, and the package's own switch.

A package is a row here when its threads are none of OpenMP's or a BLAS's and no dial turns them.
Measured with real wheels on Linux x86-64 with 2 CPUs, by the files that the threads start in,
after the import and after the first use; ``1.5 CPUs`` is a quota of cgroup v1. What was measured
stands in `owns`, and in the reference (docs/reference/pools.md is made of these rows).
"""

from __future__ import annotations

import re
from functools import lru_cache

from .shippers import normal_name
from .stranger import Stranger

_RUST = "its pool's number is fixed at first use"
_TOKIO = "2 threads at the first query (tokio), as many as CPUs; none after the import"

STRANGERS: tuple[Stranger, ...] = (
    Stranger(
        label="onnxruntime",
        module="onnxruntime",
        packages=r"onnxruntime(-\w+)*",
        switch="SessionOptions.intra_op_num_threads",
        remedy=(
            "For each session, as its second argument: import onnxruntime; options = "
            "onnxruntime.SessionOptions(); options.intra_op_num_threads = {threads}"
        ),
        owns=(
            "1 from the import on; each session has n - 1 more until it is deleted, where n is "
            "the machine's physical cores: affinity and quota are not looked at"
        ),
        why="the number belongs to each session and is fixed when it is made",
        source="onnxruntime 1.32; core/util/thread_utils.cc",
        each="session",
        own_pools=True,
    ),
    Stranger(
        label="JAX",
        module="jaxlib",
        packages=r"jaxlib|jax-cuda\d+-\w+",
        switch="NPROC, read when JAX starts",
        remedy="In a new kernel, before JAX starts: %env NPROC={threads}",
        variables=("PJRT_NPROC", "NPROC"),
        owns=(
            "none after the import; 12 to 15 from the first array on, of which 'tf_XLAEigen' "
            "compute, as many as the affinity has CPUs: quota and OMP_NUM_THREADS are not looked at"
        ),
        source="jaxlib 0.10.2; XLA_FLAGS=--xla_cpu_multi_thread_eigen=false changed no count",
        own_pools=True,
    ),
    Stranger(
        label="DuckDB",
        module="duckdb",
        packages=r"(lib|python-)?duckdb",
        switch="SET threads = N on each database",
        remedy="For each database, here the default one: import duckdb; "
        "duckdb.sql('SET threads = {threads}')",
        variables=("SLURM_CPUS_ON_NODE",),
        owns=(
            "none after the import; each database has n - 1 and 4 n more that read files, where n "
            "is SLURM_CPUS_ON_NODE, else the quota rounded up, else the CPUs online: the "
            "affinity is not looked at. SET threads ends them at once"
        ),
        why=(
            "the number belongs to each database; asking or setting it takes a query on the "
            "user's connection"
        ),
        source="duckdb 2.0.1",
        each="database",
        own_pools=True,
    ),
    Stranger(
        label="tokenizers",
        module="tokenizers",
        packages=r"tokenizers",
        switch="TOKENIZERS_PARALLELISM=false, or RAYON_NUM_THREADS before its first batch",
        remedy="At any time: %env TOKENIZERS_PARALLELISM=false",
        variables=("RAYON_NUM_THREADS", "RAYON_RS_NUM_CPUS"),
        owns=(
            "none after the import; n from the first batch on, where n is RAYON_NUM_THREADS, else "
            "the affinity or the quota rounded down. Under TOKENIZERS_PARALLELISM=false, which is "
            "read at each call, none"
        ),
        why=_RUST,
        source="tokenizers 0.23.3",
        own_pools=True,
    ),
    Stranger(
        label="catboost",
        module="catboost",
        packages=r"catboost",
        switch="thread_count",
        remedy="In each model: catboost.CatBoostClassifier(thread_count={threads})",
        owns=(
            "none after the import; n - 1 from the first Pool on, where n is the affinity or the "
            "quota: none with half a CPU. OMP_NUM_THREADS is not looked at"
        ),
        why="the number is an argument of each call",
        source="catboost 1.2.10",
        each="call",
        own_pools=True,
    ),
    Stranger(
        label="oneTBB",
        packages=r"tbb|tbb-devel",
        files=r"(lib)?tbb\d*[-.]",
        switch="tbb.global_control(tbb.global_control.max_allowed_parallelism, N) of tbb4py",
        owns=(
            "none after the import; one fewer than CPUs from the first task on. numba on TBB is "
            "limited by numba's own count"
        ),
        why="a limit is an object that whoever asks must keep",
        source="tbb and tbb4py 2023.2, with numba 0.68 and scikit-learn-intelex 2026.2",
    ),
    Stranger(
        label="OpenVINO",
        module="openvino",
        packages=r"openvino",
        switch="INFERENCE_NUM_THREADS",
        remedy="Before a model is compiled: "
        "core.set_property('CPU', {{'INFERENCE_NUM_THREADS': {threads}}})",
        owns="none before a model is compiled; then 2, and a TBB of its own with n - 1",
        why="the number belongs to each compiled model",
        source="openvino 2026.4.1",
    ),
    Stranger(
        label="SciPy's FFT",
        packages=r"scipy",
        files=r"_?pypocketfft\.",
        switch="scipy.fft.set_workers, which only a call that asks for workers starts",
        owns="none; as many as CPUs from the first call with workers=2 or more on",
        why="one worker is the default, and the number is an argument of each call",
        source="scipy 1.17.1",
    ),
    Stranger(
        label="python-blosc",
        module="blosc",
        packages=r"blosc",
        switch="blosc.set_nthreads",
        remedy="At any time: import blosc; blosc.set_nthreads({threads})",
        owns="none after the import; as many as cores from the first large block on",
        why="no dial was made for it; its number can be set at any time",
        source="blosc 1.11.4",
    ),
    Stranger(
        label="numcodecs",
        module="numcodecs",
        packages=r"numcodecs",
        switch="numcodecs.blosc.set_nthreads",
        remedy="At any time: import numcodecs.blosc; numcodecs.blosc.set_nthreads({threads})",
        owns="none after the import; as many as CPUs, at most 8, from the first large block on",
        why="no dial was made for it; its number can be set at any time",
        source="numcodecs 0.16.6, used by zarr 3.1.6",
    ),
    Stranger(
        label="DataFusion",
        packages=r"datafusion",
        switch="SessionConfig().with_target_partitions(N), for queries; TOKIO_WORKER_THREADS",
        variables=("TOKIO_WORKER_THREADS",),
        owns=_TOKIO,
        why=_RUST,
        source="datafusion 55.0",
    ),
    Stranger(
        label="Lance",
        packages=r"pylance|lancedb",
        switch="not known (LANCE_CPU_THREADS changed nothing)",
        owns="none after the import; 2 to compute ('lance-cpu') and 3 to 5 to read from then on",
        why=_RUST,
        source="pylance 14.0, lancedb 0.40",
    ),
    Stranger(
        label="deltalake",
        packages=r"deltalake",
        switch="TOKIO_WORKER_THREADS before its first use",
        variables=("TOKIO_WORKER_THREADS",),
        owns="1 after the import (jemalloc), 11 to 14 after a write and a read (tokio)",
        why=_RUST,
        source="deltalake 1.6.6",
    ),
    Stranger(
        label="GDAL",
        packages=r"rasterio|fiona|pyogrio|gdal|libgdal(-core)?",
        files=r"libgdal",
        switch="GDAL_NUM_THREADS, or num_threads of each call",
        variables=("GDAL_NUM_THREADS",),
        owns="none until a call asks for them (num_threads='ALL_CPUS': 3); they stay",
        why="one thread is the default, and the number is an argument of each call",
        source="rasterio 1.4.4 (GDAL 3.10); GDAL, configuration options",
    ),
    Stranger(
        label="FFmpeg",
        packages=r"av",
        switch="CodecContext.thread_count of each stream, container.streams.video[0]",
        owns="none after the import; 4 to scale, and 3 for each stream with thread_type='AUTO'",
        why="the number belongs to each stream",
        source="av 18.1",
    ),
    Stranger(
        label="VTK",
        module="vtkmodules",
        packages=r"vtk",
        switch="vtkSMPTools.Initialize(N) before a filter runs",
        owns="none with its default (Sequential); as many as CPUs with STDThread",
        why="it computes in one thread unless it is asked for more",
        source="vtk 9.7.2",
    ),
    Stranger(
        label="HiGHS",
        module="highspy",
        packages=r"highspy",
        switch="setOptionValue('threads', N)",
        owns="none after the import; one fewer than CPUs from the first run on",
        why="the number is an option of each model",
        source="highspy 1.16",
    ),
    Stranger(
        label="Clarabel",
        module="clarabel",
        packages=r"clarabel",
        switch="RAYON_NUM_THREADS before its first solve",
        variables=("RAYON_NUM_THREADS",),
        owns="none after the import; as many as CPUs from the first solve on",
        why=_RUST,
        source="clarabel 0.11.1, by cvxpy",
    ),
)
"""Packages that own no threads of a kind of their own, measured in use: scikit-image, gensim,
igraph, pymupdf, SimpleITK (its threads end with each filter), osqp, pyscipopt, usearch; pyFFTW,
implicit, nmslib and LightGBM compute on an OpenMP runtime, which limits reach."""

BY_LABEL: dict[str, Stranger] = {each.label: each for each in STRANGERS}
BY_MODULE: dict[str, Stranger] = {each.module: each for each in STRANGERS if each.module}


@lru_cache(maxsize=4096)
def stranger_of(package: str | None, file_name: str) -> Stranger | None:
    """Give the row that an owner of threads belongs to, or None.

    A file tells more than a package: OpenVINO ships a TBB of its own, which is OpenVINO's, and
    SciPy's other files have no threads.
    """
    normal = normal_name(package) if package else ""
    for each in STRANGERS:
        named = bool(normal) and re.fullmatch(each.packages, normal) is not None
        filed = bool(each.files) and re.match(each.files, file_name) is not None
        if (named and (filed or not each.files)) or (filed and not normal):
            return each
    return next(
        (each for each in STRANGERS if each.files and re.match(each.files, file_name)),
        None,
    )
