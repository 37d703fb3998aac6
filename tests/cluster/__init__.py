"""Tests of real clusters: Dask's, ipyparallel's and others."""
