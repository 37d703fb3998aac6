"""OpenMP and BLAS runtimes: which are mapped, whose they are, started or not, with which counts."""
