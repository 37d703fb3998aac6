#!/bin/sh
# omp-magic env: begin
# 4 CPUs: examples/write.py decides (affinity 4, machine 4); 2 workers of 2 threads
# omp_magic 0.1.0: omp-magic env --format bash --workers 2
# threads of an OpenMP parallel region; a list gives one number a level (numpy)
export OMP_NUM_THREADS=2
# threads of OpenBLAS (numpy)
export OPENBLAS_NUM_THREADS=2
# left out, nothing here reads it: MKL_NUM_THREADS, BLIS_NUM_THREADS, VECLIB_MAXIMUM_THREADS, NUMEXPR_NUM_THREADS, NUMBA_NUM_THREADS, OPENCV_FOR_THREADS_NUM, BLOSC_NTHREADS, POLARS_MAX_THREADS, TF_NUM_INTRAOP_THREADS, TF_NUM_INTEROP_THREADS, RAYON_NUM_THREADS, TOKIO_WORKER_THREADS, PJRT_NPROC, ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS
# omp-magic env: end
cd "$(dirname "$0")/.." || exit
exec gunicorn --workers 2 --bind 127.0.0.1:8000 wsgi:app
