"""macOS' libSystem as a test records it: a library of C that answers with Apple's layouts.

There is no Mac where these tests run. `tests/macos/layouts.h` has the structures of Apple's
headers in C, `tests/macos/libsystem.c` the functions, and a `Recording` what they answer. So a
field that is read at the wrong place shows, as does a wrong order of calls; what a Mac would really
answer is only as good as Apple's published sources and what people have shown of theirs.
"""

from __future__ import annotations

import base64
import ctypes
import json
import os
import struct
import subprocess
import zlib
from ctypes import c_char_p, c_int, c_size_t, c_uint16, c_uint32, c_uint64, c_void_p
from pathlib import Path
from typing import Any

from places import DATA, TESTS

from omp_magic.machine import Machine
from omp_magic.machine.macos import layouts
from omp_magic.machine.macos.native import MacNative
from omp_magic.machine.macos.system import MacSystem

LAYOUTS: dict[type[ctypes.Structure], str] = {
    layouts.ProcBsdInfo: "proc_bsdinfo",
    layouts.ProcTaskInfo: "proc_taskinfo",
    layouts.ProcTaskAllInfo: "proc_taskallinfo",
    layouts.ProcThreadInfo: "proc_threadinfo",
    layouts.ProcRegionInfo: "proc_regioninfo",
    layouts.VinfoStat: "vinfo_stat",
    layouts.RegionWithPath: "proc_regionwithpathinfo",
    layouts.TaskDyldInfo: "task_dyld_info",
    layouts.MachTaskBasicInfo: "mach_task_basic_info",
    layouts.ImageInfo: "dyld_image_info",
    layouts.AllImageInfos: "dyld_all_image_infos",
    layouts.PthreadTail: "pthread_s",
}
"""What each is called in C."""
_INNER = {
    "region": "prp_prinfo",
    "vi_stat": "prp_vip.vip_vi.vi_stat",
    "vi_type": "prp_vip.vip_vi.vi_type",
    "vi_pad": "prp_vip.vip_vi.vi_pad",
    "vi_fsid": "prp_vip.vip_vi.vi_fsid",
    "vip_path": "prp_vip.vip_path",
}

_ARGUMENTS = {
    "record_image": (c_int, c_void_p, c_size_t, c_char_p, c_int),
    "record_change": (c_int, c_int),
    "record_infos": (c_uint32, c_uint32, c_uint64, c_int),
    "record_symbol": (c_void_p, c_char_p, c_void_p),
    "record_failure": (c_char_p, c_int),
    "record_memory": (c_uint64, c_uint64),
    "record_pthread": (c_uint64, c_uint64, c_uint64),
    "record_thread": (c_uint64, c_uint64, c_char_p, c_int, c_uint64, c_uint64),
    "record_region": (c_int, *[c_uint64] * 2, *[c_uint32] * 2, c_uint64, c_uint16, c_char_p),
    "record_sysctl": (c_char_p, c_char_p, c_size_t),
    "record_arguments": (c_int, c_char_p, c_size_t),
    "record_layout": (c_char_p,),
    "record_process": (c_int, c_int, c_char_p, c_char_p, c_uint32, *[c_int] * 3, *[c_uint64] * 5),
}


HEADERS: list[bytes] = [
    zlib.decompress(base64.b64decode(each["header"]))
    for each in json.loads((DATA / "macos" / "headers.json").read_text("utf-8"))["headers"]
]
MACS: dict[str, dict[str, Any]] = json.loads((DATA / "macos" / "sysctl.json").read_text("utf-8"))[
    "machines"
]
BLAS = (
    "/System/Library/Frameworks/Accelerate.framework/Versions/A/Frameworks/vecLib.framework"
    "/Versions/A/libBLAS.dylib"
)


def field_of(kind: type[ctypes.Structure], name: str) -> str:
    """Give a field's name in C, as ``proc_bsdinfo.pbi_flags``."""
    return f"{LAYOUTS[kind]}.{_INNER.get(name, name)}"


def build(gcc: str, folder: Path) -> Path:
    """Compile the library; it has a list of every field that is read."""
    lines = [f"SIZE({name})," for name in LAYOUTS.values()]
    lines += [
        f"PLACE({', '.join(field_of(kind, name).split('.', 1))}),"
        for kind in LAYOUTS
        for name, *_ in kind._fields_
    ]
    (folder / "fields.h").write_text("\n".join(lines))
    made = folder / "libsystem.so"
    source = str(TESTS / "macos" / "libsystem.c")
    command = [gcc, "-std=gnu11", "-Wall", "-Werror", "-O1", "-shared", "-fPIC", f"-I{folder}"]
    subprocess.run([*command, source, "-o", str(made)], check=True)
    return made


class Recording:
    """What macOS answers in a test.

    Parameters
    ----------
    path
        The library.
    """

    def __init__(self, path: Path) -> None:
        self.library = ctypes.PyDLL(str(path), use_errno=True)
        for name, kinds in _ARGUMENTS.items():
            self.library[name]  # each is there
            getattr(self.library, name).argtypes = kinds
        for name in ("record_pthread", "record_layout"):
            getattr(self.library, name).restype = c_uint64
        self.library.record_nothing()
        self._kept: list[object] = []
        self.pid = os.getpid()

    def system(self, machine: Machine | None = None) -> MacSystem:
        """Give macOS as it answers."""
        return MacSystem(machine or Machine(), self.library)

    def native(self) -> MacNative:
        """Give the calls into this process as they answer."""
        return MacNative(self.library)

    def process(
        self,
        pid: int | None = None,
        parent: int = 1,
        *,
        comm: str = "python3.12",
        name: str = "",
        flags: int = 0x4010,
        threads: int = 1,
        priority: int = 31,
        nice: int = 0,
        started: tuple[int, int] = (1_700_000_000, 250_000),
        size: int = 1 << 32,
        ticks: tuple[int, int] = (0, 0),
    ) -> None:
        """Record a process; this one when it has no number."""
        self.library.record_process(
            self.pid if pid is None else pid,
            parent,
            comm.encode(),
            name.encode(),
            flags,
            threads,
            priority,
            nice,
            *started,
            size,
            *ticks,
        )

    def image(self, path: str, data: bytes, *, which: int = 0, hidden: bool = False) -> int:
        """Record an image with these bytes of memory, and give the address of its header."""
        buffer = ctypes.create_string_buffer(data, len(data))
        self._kept.append(buffer)
        header = ctypes.addressof(buffer)
        self.library.record_image(which, header, len(data), path.encode(), hidden)
        return header

    def sysctls(self, text: str) -> None:
        """Record lines of sysctl(8): numbers as an int, the rest as texts."""
        for line in text.split("\n"):
            name, colon, value = line.partition(": ")
            if colon:
                number = value.lstrip("-").isdigit()
                data = struct.pack("<i", int(value)) if number else value.encode() + b"\0"
                self.library.record_sysctl(name.encode(), data, len(data))

    def arguments(self, data: bytes, pid: int | None = None) -> None:
        """Record what KERN_PROCARGS2 gives."""
        self.library.record_arguments(self.pid if pid is None else pid, data, len(data))

    def failure(self, what: str, number: int) -> None:
        """Let a function fail from now on."""
        self.library.record_failure(what.encode(), number)


def in_memory(header: bytes, size: int = 0xD0000) -> bytes:
    """Give a library's memory as far as it is looked at: its header, then zeros."""
    return header.ljust(size, b"\0")


def in_cache(header: bytes) -> bytes:
    """Set MH_DYLIB_IN_CACHE."""
    return header[:27] + bytes([header[27] | 0x80]) + header[28:]
