"""Bytes and text to values: ELF, Mach-O, PE, ld.so.cache, files of /proc and of cgroups.

A parser comes in here when it opens nothing, asks no clock and needs the standard library alone.
"""
