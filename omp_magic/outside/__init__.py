"""Processes seen from outside: one that somebody names, and the kernels of a machine."""
