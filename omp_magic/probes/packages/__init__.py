"""Pools that packages have of their own, beside OpenMP's and BLAS's; read, never started."""
