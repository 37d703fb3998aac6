"""macOS' side of the port on a Mac: it says what psutil, Python and the system's own tools say.

Written where there is no Mac: `test_macos_port` is what has been run.
"""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from multiprocessing.shared_memory import SharedMemory
from typing import Any

import pytest

from omp_magic.machine import Machine
from omp_magic.machine.macos.native import MacNative
from omp_magic.machine.macos.system import MacSystem

pytestmark = pytest.mark.skipif(sys.platform != "darwin", reason="asks a Mac")


@pytest.fixture
def system() -> MacSystem:
    return MacSystem(Machine())


@pytest.fixture
def native() -> MacNative:
    return MacNative()


@pytest.fixture
def waiting() -> Iterator[threading.Thread]:
    """A Python thread that waits."""
    end = threading.Event()
    thread = threading.Thread(target=end.wait)
    thread.start()
    yield thread
    end.set()
    thread.join()


def in_python(code: str) -> Any:
    """Give what a fresh Python prints as JSON; `system` and `native` are made there.

    `file` is an extension module of the standard library that is not loaded yet.
    """
    begin = (
        "import ctypes, importlib.util, json, os, sys\n"
        "names = '_bz2', '_lzma', '_sqlite3', '_zoneinfo', '_decimal'\n"
        "files = (importlib.util.find_spec(name) for name in names)\n"
        "file = next(f.origin for f in files if f and str(f.origin).endswith('.so'))\n"
        "init = 'PyInit_' + os.path.basename(file).partition('.')[0]\n"
        "from omp_magic.machine import Machine\n"
        "from omp_magic.machine.macos import MacSystem\n"
        "from omp_magic.machine.macos.native import MacNative\n"
        "system, native = MacSystem(Machine()), MacNative()\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", begin + code], check=True, capture_output=True, text=True
    )
    return json.loads(ended.stdout)


def no_memory(address: int, size_bytes: int) -> bytes:
    """Stand for a reader where dyld's own list is asked."""
    raise OSError(address, size_bytes)


def address_in_python() -> int:
    """Give the address of a function of CPython's."""
    return ctypes.cast(ctypes.pythonapi.Py_GetVersion, ctypes.c_void_p).value or 0


def test_images_are_dylds_with_their_files(system: MacSystem, native: MacNative) -> None:
    found = system.process_map()
    paths = [each.path for each in found.mapped]
    assert paths
    own = native.path_of(address_in_python())
    assert found.segments.file_at(address_in_python(), code=True) == own
    for each in found.mapped:
        if each.inode:
            assert each.inode == os.stat(each.path).st_ino, each.path
        if not each.path.startswith(("/System/", "/usr/lib/")):
            assert each.inode, each.path
    _, segments = system.code_map()
    assert segments.file_at(address_in_python(), code=True) == own
    order = native.load_order(no_memory)
    starts = {start for each in found.mapped for start in each.starts}
    assert order
    assert set(order) <= starts


def test_loading_and_unloading_change_the_loaders_time() -> None:
    first, again, loaded, unloaded = in_python(
        "import _ctypes\n"
        "seen = [native.loader_changes(), native.loader_changes()]\n"
        "handle = _ctypes.dlopen(file, 2); seen.append(native.loader_changes())\n"
        "_ctypes.dlclose(handle); seen.append(native.loader_changes())\n"
        "print(json.dumps(seen))"
    )
    assert first == again
    assert loaded != first
    assert unloaded != loaded


def test_memory_is_read_and_what_is_not_mapped_is_an_error(system: MacSystem) -> None:
    kept = ctypes.create_string_buffer(b"kept here")
    with system.memory() as read:
        assert read(ctypes.addressof(kept), 9) == b"kept here"
        with pytest.raises(OSError, match="KERN_INVALID_ADDRESS"):
            read(16, 8)


def test_threads_are_pythons_and_psutils(system: MacSystem, waiting: threading.Thread) -> None:
    psutil = pytest.importorskip("psutil")
    rows = {row.tid: row for row in system.threads()}
    assert {threading.get_native_id(), waiting.native_id} <= rows.keys()
    assert len(rows) == system.num_threads() == psutil.Process().num_threads()
    assert waiting.native_id is not None
    assert rows[waiting.native_id].state == "S"
    assert rows[threading.get_native_id()].state == "R"
    assert system.clocks().keys() == rows.keys()
    assert system.starts(None).main == threading.main_thread().native_id


def test_a_python_thread_began_in_python(
    system: MacSystem, native: MacNative, waiting: threading.Thread
) -> None:
    segments = system.process_map().segments
    assert waiting.native_id is not None
    found = system.starts(native, None, None).find({waiting.native_id}, segments)
    start = found[waiting.native_id]
    assert start is not None
    assert native.path_of(start[0]) == native.path_of(address_in_python())


def test_children_are_told_apart(system: MacSystem) -> None:
    program = [sys.executable, "-c", "input()"]
    with subprocess.Popen(program, stdin=subprocess.PIPE) as child:
        read, write = os.pipe()
        forked = os.fork()
        if not forked:
            os.close(write)
            os.read(read, 1)
            os._exit(0)
        found = {each.pid: each for each in system.descendants([])}
        command = system.command(child.pid)
        relatives = system.relatives()
        family = {pid: relatives.one(pid) for pid in relatives.pids()}
        files = system.process_map(child.pid).mapped
        os.close(write)
        os.close(read)
        os.waitpid(forked, 0)
        child.communicate(b"\n")
    assert (found[child.pid].forked, found[forked].forked) == (False, True)
    assert command.endswith("-c input()")
    told = family[child.pid]
    assert told is not None
    assert told[1] is not None
    assert 0 < told[1] < 60
    assert found[child.pid].num_threads >= 1
    assert any(each.inode for each in files)


def test_cpus_are_pythons(system: MacSystem) -> None:
    psutil = pytest.importorskip("psutil")
    found = system.cores()
    assert found.online == os.cpu_count()
    assert found.physical == psutil.cpu_count(logical=False)
    assert sum(number for _, number in found.kinds) in (0, found.online)


def test_a_process_that_goes_to_the_background_is_limited() -> None:
    before, after, kinds = in_python(
        "before = [each.cpus for each in system.cpu_limits()]\n"
        # setpriority(PRIO_DARWIN_PROCESS, this process, PRIO_DARWIN_BG), as taskpolicy -b does.
        "assert ctypes.CDLL(None).setpriority(4, 0, 0x1000) == 0\n"
        "after = [(each.cpus, each.lowers) for each in system.cpu_limits()]\n"
        "print(json.dumps([before, after, system.cores().kinds]))"
    )
    assert before == []
    ((cpus, lowers),) = after
    assert lowers == bool(kinds)
    if kinds:
        assert cpus == kinds[-1][1]


def test_memory_in_use_is_psutils(system: MacSystem) -> None:
    psutil = pytest.importorskip("psutil")
    assert system.rss_bytes() == pytest.approx(psutil.Process().memory_info().rss, rel=0.2)
    assert system.peak_rss_bytes() >= system.rss_bytes()


def test_the_environment_is_the_processs() -> None:
    start, changed, now, kept = in_python(
        "os.environ['MAC_PORT_TEST'] = '16'\n"
        "start, variables = system.variables_at_start(), system.variables()\n"
        "variables.read(); native.setenv('MAC_PORT_TEST', '8')\n"
        "changed = variables.changed()\n"
        "now = variables.read()[b'MAC_PORT_TEST'].decode()\n"
        "print(json.dumps([start, changed, now, native.getenv('MAC_PORT_TEST')]))"
    )
    assert start["PATH"] == os.environ["PATH"]
    assert "MAC_PORT_TEST" not in start
    assert not {"pfz", "ptr_munge", "main_stack", "executable_file"} & start.keys()
    assert changed
    assert now == kept == "8"


def test_shared_memory_is_read_and_kept(system: MacSystem) -> None:
    name = f"omp_magic_{os.getpid()}"
    assert list(system.published(name)) == []
    made = SharedMemory(name=name, create=True, size=1024)
    try:
        assert made.buf is not None
        made.buf[:9] = b"some text"
        assert "some text" in list(system.published(name))
    finally:
        made.close()
        made.unlink()


def test_symbols_are_found_and_nothing_is_shown_that_was_hidden() -> None:
    hidden, found, after = in_python(
        "ctypes.CDLL(file)\n"  # with RTLD_LOCAL, ctypes' own choice
        "hidden = native.global_symbol(init)\n"
        "mapped = system.process_map().mapped\n"
        "image = next(m for m in mapped if m.inode == os.stat(file).st_ino)\n"
        "found = native.symbols(image.path, image.starts, ((init,), ('none',)))\n"
        "print(json.dumps([hidden, found, native.global_symbol(init)]))"
    )
    assert found[0]
    assert found[1] is None
    assert (hidden, after) == (None, None)
