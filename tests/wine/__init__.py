"""omp_magic in a real CPython for Windows, with the real wheels for it, under Wine."""
