"""Frozen values: libraries, CPUs, threads and children, settings, ticks, trials, snapshots.

A class comes in here when it only holds what was found, and tells what follows from itself alone.
"""
