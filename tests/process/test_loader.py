"""What the loader and the files tell: changes, the order of loading, constants, owners."""

from __future__ import annotations

import glob
import mmap
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from environments import values_in
from live import LINUX, run_python

from omp_magic.errors import ParseError
from omp_magic.formats.elf import parse_constants, parse_elf, parse_segments
from omp_magic.formats.procfs import Mapped
from omp_magic.machine import Machine
from omp_magic.machine.here import native_here
from omp_magic.probes.runtimes.files import Files

pytestmark = [
    pytest.mark.skipif(not LINUX, reason="reads /proc: Linux only"),
]


def test_the_loaders_counters_follow_every_load_and_unload_in_every_thread(libiomp5: str) -> None:
    seen = values_in(
        sys.executable,
        "import _ctypes, ctypes, json, sys, threading\n"
        "from omp_magic.machine.here import native_here\n"
        "native = native_here(); seen = []\n"
        "def look(): seen.append(native.loader_changes())\n"
        "def both():\n"
        "    look(); thread = threading.Thread(target=look); thread.start(); thread.join()\n"
        "both(); lib = ctypes.CDLL(sys.argv[1]); both(); _ctypes.dlclose(lib._handle); both()\n"
        "print(json.dumps(seen))",
        libiomp5,
    )
    main, other = seen[::2], seen[1::2]
    assert main == other
    (added, removed), loaded, unloaded = main
    assert loaded[0] > added
    assert unloaded[1] > removed


def test_looking_while_others_load_neither_hangs_nor_crashes(libiomp5: str) -> None:
    """A Python callback under the loader's lock would hang here (threadpoolctl#239)."""
    ended = run_python(
        "import _ctypes, ctypes, sys, threading, omp_magic\n"
        "sys.setswitchinterval(1e-6); seen = [0, 0, 0, 0]\n"
        "def load():\n"
        "    lib = ctypes.CDLL(sys.argv[1]); _ctypes.dlclose(lib._handle)\n"
        "def look():\n"
        "    omp_magic.snapshot(threads=True)\n"
        # Each goes on until all have had their rounds, so that nobody ever looks alone.
        "def again(number, function):\n"
        "    while min(seen) < 150:\n"
        "        function(); seen[number] += 1\n"
        "works = enumerate((load, look, look), 1)\n"
        "threads = [threading.Thread(target=again, args=work) for work in works]\n"
        "[each.start() for each in threads]; again(0, look); [each.join() for each in threads]\n"
        "print('done')",
        libiomp5,
        timeout=150,
    )
    assert (ended.code, ended.out.strip()) == (0, "done"), ended.err


def test_runtimes_are_in_the_order_of_loading(libiomp5: str, tmp_path: Path) -> None:
    paths = [shutil.copy(libiomp5, tmp_path / f"libiomp5-{n}.so") for n in range(4)]
    wanted = [paths[number] for number in (2, 0, 3, 1)]
    told = values_in(
        sys.executable,
        "import ctypes, json, sys, omp_magic\n"
        "[ctypes.CDLL(path) for path in sys.argv[1:]]\n"
        "print(json.dumps([l.path for l in omp_magic.snapshot().libraries]))",
        *map(str, wanted),
    )
    assert told == list(map(str, wanted))


def real_libraries(libiomp5: str) -> list[str]:
    packages = os.path.dirname(os.path.dirname(pytest.__file__))
    found = glob.glob(os.path.join(packages, "*.libs", "*.so*"))
    return [libiomp5, *sorted(found)[:12]]


def test_constants_and_segments_as_readelf_reads_them(libiomp5: str) -> None:
    if shutil.which("readelf") is None:
        pytest.skip("readelf (binutils) is not installed")
    for path in real_libraries(libiomp5):
        with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            constants, segments = parse_constants(data), parse_segments(data)
        said = subprocess.run(
            ["readelf", "-SlW", path], check=True, capture_output=True, text=True
        ).stdout
        rows = re.findall(r"\] \.rodata\S*\s+PROGBITS\s+\w+ (\w+) (\w+)", said)
        assert constants == tuple((int(at, 16), int(size, 16)) for at, size in rows)
        loads = re.findall(r"LOAD\s+0x(\w+) 0x(\w+) 0x\w+ 0x(\w+) 0x(\w+) (R?)( |W)( |E)", said)
        ours = [each for each in segments if each.kind == 1]
        assert [
            (each.offset, each.address, each.file_bytes, each.memory_bytes) for each in ours
        ] == [tuple(int(number, 16) for number in row[:4]) for row in loads]
        assert [each.writable for each in ours] == [row[5] == "W" for row in loads]
        assert [each.executable for each in ours] == [row[6] == "E" for row in loads]


def test_damaged_files_are_parse_errors(libiomp5: str) -> None:
    whole = Path(libiomp5).read_bytes()
    for parse in (parse_constants, parse_segments, parse_elf):
        for text in (b"", b"\x7fELF", whole[:60], b"no elf at all" * 9):
            with pytest.raises(ParseError):
                parse(text)
    # Section headers are gone where a file was cut: the program headers still are there.
    assert parse_segments(whole[:4096]) == parse_segments(whole)
    stripped = bytearray(whole[:4096])
    stripped[40:48] = bytes(8)
    assert parse_constants(bytes(stripped)) == ((0, 4096),)


def test_a_runtime_linked_into_a_library_is_told_by_its_texts(
    libiomp5: str, tmp_path: Path
) -> None:
    here = os.stat(libiomp5)

    def mapped(path: str, inode: int) -> Mapped:
        return Mapped(path, "fe:00", inode, (0x1000,), deleted=False)

    files = Files(Machine(tmp_path.anchor))
    assert files.static_runtime(mapped(libiomp5, here.st_ino)) == "libiomp5"
    (blas,) = (path for path in real_libraries(libiomp5) if "openblas64" in path)
    assert files.static_runtime(mapped(blas, os.stat(blas).st_ino)) is None
    assert not files.unsearched
    # Another file stands there now: what is mapped cannot be searched.
    assert files.static_runtime(mapped(blas, 1)) is None
    assert files.unsearched == {blas}


def test_the_owner_of_a_file_that_an_upgrade_took_out_of_record(tmp_path: Path) -> None:
    told = values_in(
        sys.executable,
        "import json, sys\n"
        "from omp_magic.machine import Machine\n"
        "from omp_magic.probes.runtimes.owners import Owners\n"
        "import os, numpy\n"
        "libs = os.path.join(os.path.dirname(os.path.dirname(numpy.__file__)), 'numpy.libs')\n"
        "paths = [os.path.join(libs, name) for name in ('libgomp-0.so', *os.listdir(libs))]\n"
        "found = Owners(Machine.here()).of([*paths, sys.argv[1]])\n"
        "print(json.dumps([[found[path].name, found[path].version] for path in found]))",
        str(tmp_path / "libgomp.so"),
    )
    gone, *listed, outside = told
    assert gone == ["numpy", None]
    assert outside == [None, None]
    assert listed
    assert all(name == "numpy" and re.match(r"\d+\.", version) for name, version in listed)


def test_native_reads_its_own_load_order() -> None:
    machine, native = Machine.here(), native_here()
    with machine.memory() as read_memory:
        order = native.load_order(read_memory)
    getenv = native.global_symbol("getenv")
    assert getenv is not None
    assert native.base_of(getenv) in order
    assert native.load_order(lambda _address, _size: b"") == ()
