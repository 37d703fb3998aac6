#!/bin/sh
# omp-magic env: begin
# 4 CPUs: examples/write.py decides (affinity 4, machine 4); 2 workers of 2 threads
# omp_magic 0.1.0: omp-magic env --format bash --workers 2
# threads of an OpenMP parallel region (numpy)
export OMP_NUM_THREADS=2
# threads of OpenBLAS (numpy)
export OPENBLAS_NUM_THREADS=2
# left out: 14 variables that nothing here reads (omp-magic run --dry-run names them)
# omp-magic env: end
cd "$(dirname "$0")/.." || exit
exec gunicorn --workers 2 --bind 127.0.0.1:8000 wsgi:app
