"""What programs of limits begin with, which the tests run in children."""

from __future__ import annotations

HEAD = """
import asyncio, concurrent.futures.thread, ctypes, json, os, shutil, sys, tempfile, threading
import omp_magic, omp_magic.limits.variables, omp_magic.limits.spec
from omp_magic.api import HERE
from limited import *
def state():
    return counts(), in_a_new_thread(counts), variables(), hooks()
def check(before, steps):
    for was, now in zip(before, state(), strict=True):
        if isinstance(was, dict):
            now = {name: now.get(name) for name in was}
        assert was == now, (steps, was, now)
"""
