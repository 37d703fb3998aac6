// 4 CPUs: examples/write.py decides (affinity 4, machine 4); 2 workers of 2 threads
// omp_magic 0.1.0: omp-magic env --format pm2 --workers 2
module.exports = {
  apps: [{
    name: "app",
    script: "server.py",
    interpreter: "/opt/env/bin/python",
    instances: 2,
    exec_mode: "fork",
    env: {
      // threads of an OpenMP parallel region; a list gives one number a level (numpy)
      OMP_NUM_THREADS: "2",
      // threads of OpenBLAS (numpy)
      OPENBLAS_NUM_THREADS: "2",
    },
  }],
};
// left out, nothing here reads it: MKL_NUM_THREADS, BLIS_NUM_THREADS, VECLIB_MAXIMUM_THREADS, NUMEXPR_NUM_THREADS, NUMBA_NUM_THREADS, OPENCV_FOR_THREADS_NUM, BLOSC_NTHREADS, POLARS_MAX_THREADS, TF_NUM_INTRAOP_THREADS, TF_NUM_INTEROP_THREADS, RAYON_NUM_THREADS, TOKIO_WORKER_THREADS, PJRT_NPROC, ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS
