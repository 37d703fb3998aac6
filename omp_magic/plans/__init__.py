"""Facts in, a plan out: how many workers, how many threads, and the code for each kind of pool.

No file is read here and no clock asked; `omp_magic.planning` brings the facts.
"""
