"""What the kernel of macOS keeps of a process's start, laid out as it does."""

from __future__ import annotations

import struct


def procargs(
    path: bytes, arguments: list[bytes], environ: list[bytes], apple: list[bytes]
) -> bytes:
    """Lay out KERN_PROCARGS2 as exec does: xnu, bsd/kern/kern_exec.c, exec_extract_strings."""
    # The kernel puts "executable_path=" before the path, fills that up, and sysctl takes it away.
    key = b"executable_path="
    strings = (key + path + b"\0").ljust(-(-len(key + path + b"\0") // 8) * 8, b"\0")
    for each in (*arguments, *environ):
        strings += each + b"\0"
    strings += bytes(-len(strings) % 8)
    for each in apple:
        strings += each + b"\0"
    return struct.pack("<i", len(arguments)) + strings[len(key) :]
