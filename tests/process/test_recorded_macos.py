"""A whole snapshot of a Mac's process: recorded answers, real libraries' headers; see macsystem."""

from __future__ import annotations

import ctypes
import mmap
import os
import platform
import shutil
import struct
import threading
from pathlib import Path
from typing import NamedTuple

import pytest
from live import LINUX
from macsystem import BLAS, HEADERS, MACS, Recording, build, in_cache, in_memory

from omp_magic.facts.snapshots import Snapshot
from omp_magic.machine import Machine
from omp_magic.machine.macos.system import MacSystem
from omp_magic.probes.observe import Observer
from omp_magic.rules import judge
from omp_magic.views.text import render_text

pytestmark = [
    pytest.mark.skipif(not LINUX, reason="the recorded library reads Linux' own memory"),
    pytest.mark.skipif(
        platform.machine() not in ("x86_64", "aarch64"),
        reason="the code of this machine is not known",
    ),
]

SITE = "/env/lib/python3.12/site-packages"
FIRST, SECOND = f"{SITE}/sklearn/.dylibs/libomp.dylib", f"{SITE}/torch/lib/libomp.dylib"
UMBRELLA = "/System/Library/Frameworks/Accelerate.framework/Versions/A/Accelerate"
FLAG, FLAG_AT, CODE_AT = 0xCAFE1234, 0xC0000, 0x8000
THREADS = 8
ANSWER = {
    "x86_64": b"\xb8" + struct.pack("<I", THREADS) + b"\xc3",  # mov eax, 8; ret
    "aarch64": struct.pack("<II", 0x52800000 | THREADS << 5, 0xD65F03C0),  # mov w0, 8; ret
}
"""A function that answers, in the code of the machine that runs the test."""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = shutil.which("gcc")
    if found is None:
        pytest.skip("no gcc: the recorded library is built with it")
    return build(found, tmp_path_factory.mktemp("libsystem"))


class Mac(NamedTuple):
    """A recorded process with two copies of LLVM's runtime and Accelerate."""

    recording: Recording
    first: int
    second: int

    def seen(self) -> Snapshot:
        """Take a snapshot of it."""
        library = self.recording.library
        machine = Machine(system=lambda door: MacSystem(door, library))
        facts = Observer(machine).take(threads=True)
        return facts.with_findings(judge(facts))


def runtime(recording: Recording, path: str, header: bytes, *, answers: bool) -> int:
    """Record a copy of libomp; one that has not started would crash when it is asked."""
    data = bytearray(in_memory(header))
    data[FLAG_AT : FLAG_AT + 8] = struct.pack("<Q", FLAG if answers else 0)
    if answers:
        code = ANSWER[platform.machine()]
        data[CODE_AT : CODE_AT + len(code)] = code
    held = mmap.mmap(-1, len(data), prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    held.write(bytes(data))
    HELD.append(held)
    base = ctypes.addressof(ctypes.c_char.from_buffer(held))
    recording.library.record_image(0, base, len(data), path.encode(), 0)
    for name in (b"omp_get_max_threads", b"omp_set_num_threads"):
        recording.library.record_symbol(base, name, base + CODE_AT)
    return base


HELD: list[mmap.mmap] = []


@pytest.fixture
def mac(built: Path, monkeypatch: pytest.MonkeyPatch) -> Mac:
    recording = Recording(built)
    recording.image("/env/bin/python3.12", in_memory(HEADERS[0]))
    first = runtime(recording, FIRST, HEADERS[0], answers=True)
    second = runtime(recording, SECOND, HEADERS[1], answers=False)
    for path in (UMBRELLA, BLAS):
        recording.image(path, in_cache(in_memory(HEADERS[0])))
    recording.process(threads=3)
    ours, library = threading.get_native_id(), recording.library
    library.record_thread(ours, library.record_pthread(ours, 0, 0), b"", 1, 5 * 10**9, 0)
    library.record_thread(2, library.record_pthread(2, first + 0x1000, 0), b"", 3, 10**9, 0)
    library.record_infos(18, 5, 100, 0)
    library.record_memory(200 << 20, 300 << 20)
    recording.sysctls("\n".join(MACS["M2 Max"]["lines"]))
    name = f"__KMP_REGISTERED_LIB_{os.getpid()}"
    monkeypatch.setenv(name, f"0x{first + FLAG_AT:x}-{FLAG:x}-libomp.dylib")
    return Mac(recording, first, second)


def test_the_copy_that_registered_has_started_and_the_other_is_not_asked(mac: Mac) -> None:
    facts = mac.seen()
    states = {each.path: each.initialized for each in facts.libraries if each.kin == "llvm"}
    assert states == {FIRST: True, SECOND: False}
    assert [e.num_threads for e in facts.libraries if e.kin == "llvm"] == [THREADS, None]
    assert all(each.serves is None for each in facts.libraries)


def test_nobody_is_told_to_serve_all_by_a_scope_that_macos_has_not(mac: Mac) -> None:
    facts = mac.seen()
    told = "\n".join(line for each in facts.findings for line in each.remedies)
    assert facts.findings
    assert "RTLD_GLOBAL" not in told


def test_accelerate_is_one_library(mac: Mac) -> None:
    apple = [each for each in mac.seen().libraries if each.family == "accelerate"]
    assert [each.path for each in apple] == [BLAS]
    assert not any("SONAME" in gap.what and "BLAS" in gap.what for gap in mac.seen().gaps)


def test_threads_and_cores(mac: Mac) -> None:
    facts = mac.seen()
    assert facts.os_threads is not None
    owners = {each.tid: each.owner_path for each in facts.os_threads}
    assert owners == {threading.get_native_id(): None, 2: FIRST}
    assert facts.budget.machine_words == "12: 8 performance + 4 efficiency"
    assert facts.budget.threads == 12


def test_nothing_that_is_shown_speaks_of_linux(mac: Mac) -> None:
    text = str(render_text(mac.seen()))
    for word in ("/proc", "/sys/", "cgroup", "siblings", "NoneType", "RLIMIT"):
        assert word not in text, text
