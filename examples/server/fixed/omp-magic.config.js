// 4 CPUs: examples/write.py decides (affinity 4, machine 4); 2 workers of 2 threads
// omp_magic 0.1.0: omp-magic env --format pm2 --workers 2
// name and script: put your own
module.exports = {
  apps: [{
    name: "app",
    script: "server.py",
    interpreter: "/opt/env/bin/python",
    instances: 2,
    exec_mode: "fork",
    env: {
      // threads of an OpenMP parallel region (numpy)
      OMP_NUM_THREADS: "2",
      // threads of OpenBLAS (numpy)
      OPENBLAS_NUM_THREADS: "2",
    },
  }],
};
// left out: 14 variables that nothing here reads (omp-magic run --dry-run names them)
