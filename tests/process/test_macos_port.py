"""macOS' side of the port, against recorded answers: see `macsystem`. No Mac was run.

Headers of images are bytes of real wheels (`tests/data/macos/headers.json`), sysctls are what
owners of Macs have shown (`tests/data/macos/sysctl.json`); the rest is made up by the rules of
Apple's sources, which each test names where they decide something.
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from live import LINUX
from macargs import procargs
from macsystem import (
    BLAS,
    HEADERS,
    LAYOUTS,
    MACS,
    Recording,
    build,
    field_of,
    in_cache,
    in_memory,
)

from omp_magic.formats.procfs import Segments
from omp_magic.machine import Machine
from omp_magic.machine.macos import layouts
from omp_magic.machine.macos.native import MacNative
from omp_magic.machine.macos.system import MacSystem
from omp_magic.machine.port import cpurows, rows
from omp_magic.machine.port.native import Native
from omp_magic.machine.port.system import System

pytestmark = pytest.mark.skipif(not LINUX, reason="the recorded library reads Linux' own memory")

LIBOMP = "/env/lib/python3.12/site-packages/sklearn/.dylibs/libomp.dylib"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = shutil.which("gcc")
    if found is None:
        pytest.skip("no gcc: the recorded library is built with it")
    return build(found, tmp_path_factory.mktemp("libsystem"))


@pytest.fixture
def mac(built: Path) -> Recording:
    return Recording(built)


def no_memory(address: int, size_bytes: int) -> bytes:
    """Stand for a reader where dyld's own list is asked."""
    raise OSError(address, size_bytes)


def test_every_field_lies_where_a_c_compiler_puts_it(mac: Recording) -> None:
    begin = {layouts.PthreadTail: "pthread_s.fun"}
    for kind, called in LAYOUTS.items():
        first = mac.library.record_layout(begin[kind].encode()) if kind in begin else 0
        for name, *_ in kind._fields_:
            place = mac.library.record_layout(field_of(kind, name).encode())
            assert getattr(kind, name).offset == place - first, field_of(kind, name)
        if kind not in (layouts.PthreadTail, layouts.AllImageInfos):
            assert ctypes.sizeof(kind) == mac.library.record_layout(called.encode()), called
    # What follows the tail is `tsd`, the address that the kernel knows a thread by.
    assert ctypes.sizeof(layouts.PthreadTail) == 224 - 144


def test_the_port_is_answered(mac: Recording) -> None:
    """A type checker compares them; here, that the classes can be made."""
    system: System = mac.system()
    native: Native = system.native()
    assert (system.name, native.has_global_scope) == ("macos", False)
    assert system.affinity() is None
    assert system.long_bytes == 8
    assert system.lacks(cpurows.CGROUPS)
    assert system.lacks(rows.WAITING)
    assert system.lacks(rows.TASK_LIMITS) == cpurows.THERE_IS_NONE
    for told in (rows.CHILDREN, rows.THREAD_OWNERS, rows.THREAD_CLOCKS, rows.THREAD_NAMES):
        assert not system.lacks(told)
    assert not system.lacks(rows.FORKS)
    native.close()


def test_where_macos_functions_are_missing_it_says_so() -> None:
    with pytest.raises(OSError, match=r"lacks a function of macOS: .*mach_task_self_"):
        MacSystem(Machine())
    with pytest.raises(OSError, match="lacks a function"):
        MacNative()


# Images


def recorded_images(mac: Recording) -> tuple[int, int, int]:
    """Record a program with two libraries, one of them in the shared cache."""
    mac.process()
    program = mac.image("/env/bin/python3.12", in_memory(HEADERS[1]))
    cached = mac.image(BLAS, in_memory(in_cache(HEADERS[2])))
    library = mac.image(LIBOMP, in_memory(HEADERS[0]))
    mac.library.record_region(mac.pid, library, 0x74000, 5, 0x0100000E, 77, 1, LIBOMP.encode())
    # What the kernel would tell of the other two: a file behind them, and one that nobody asks for.
    mac.library.record_region(mac.pid, cached, 0x74000, 5, 0x0100000E, 88, 1, b"/cache")
    mac.library.record_region(mac.pid, 1 << 47, 0x4000, 5, 0x0100000E, 99, 1, b"/other")
    return program, cached, library


def test_images_have_their_segments_and_the_file_that_is_mapped(mac: Recording) -> None:
    program, cached, library = recorded_images(mac)
    found = mac.system().process_map()
    by_path = {each.path: each for each in found.mapped}
    omp = by_path[LIBOMP]
    assert (omp.device, omp.inode, omp.deleted) == ("01:0e", 77, False)
    # __TEXT, __DATA_CONST, __DATA, __LINKEDIT of the real header.
    assert omp.starts == tuple(library + at for at in (0, 475136, 491520, 540672))
    assert omp.file_name == "libomp.dylib"
    # What lies in the cache has no file, and not the __LINKEDIT that all in it share.
    assert (by_path[BLAS].inode, len(by_path[BLAS].starts)) == (0, 3)
    assert by_path["/env/bin/python3.12"].inode == 0
    segments = found.segments
    assert segments.file_at(library + 1000, code=True) == LIBOMP
    assert segments.file_at(library + 491520) == LIBOMP
    assert segments.file_at(library + 491520, code=True) is None
    assert segments.file_at(library - 1) != LIBOMP
    assert mac.native().load_order(no_memory) == (program, cached, library)


def test_a_file_that_no_path_leads_to_is_deleted(mac: Recording) -> None:
    library = mac.image(LIBOMP, in_memory(HEADERS[0]))
    mac.process()
    mac.library.record_region(mac.pid, library, 0x74000, 5, 0x0100000E, 77, 0, LIBOMP.encode())
    (omp,) = mac.system().process_map().mapped
    assert (omp.path, omp.inode, omp.deleted) == (LIBOMP, 77, True)


def test_an_image_whose_header_cannot_be_read_is_told_with_its_address(mac: Recording) -> None:
    mac.process()
    header = mac.image("/env/odd\nname.so", b"no header at all" * 4)
    (odd,) = mac.system().process_map().mapped
    assert (odd.path, odd.starts, odd.inode) == ("/env/odd\nname.so", (header,), 0)


def test_a_list_that_changes_between_two_looks_is_read_again(mac: Recording) -> None:
    recorded_images(mac)
    late = mac.image("/env/lib/late.so", in_memory(HEADERS[0]), which=1)
    mac.library.record_change(3, 0)
    assert [each.path for each in mac.system().process_map().mapped] == ["/env/lib/late.so"]
    assert mac.native().load_order(no_memory) == (late,)


def test_an_order_that_changes_between_two_looks_is_read_again(mac: Recording) -> None:
    recorded_images(mac)
    late = mac.image("/env/lib/late.so", in_memory(HEADERS[0]), which=1)
    mac.library.record_change(2, 0)
    assert mac.native().load_order(no_memory) == (late,)


def test_a_list_that_never_stands_still_is_an_error_and_no_hang(mac: Recording) -> None:
    recorded_images(mac)
    mac.library.record_change(-1, 1)
    with pytest.raises(OSError, match="changed at each of 5 looks"):
        mac.system().process_map()
    assert mac.native().load_order(no_memory) == ()


def test_a_number_of_images_that_cannot_be_is_an_error(mac: Recording) -> None:
    mac.library.record_change(-1, 1 << 30)
    with pytest.raises(OSError, match="which cannot be"):
        mac.system().process_map()


def test_the_loaders_time_changes_with_every_change(mac: Recording) -> None:
    native = mac.native()
    mac.library.record_infos(18, 3, 1_000_000, 0)
    first = native.loader_changes()
    assert first == (3, 1_000_000) == native.loader_changes()
    mac.library.record_infos(18, 4, 1_000_041, 0)
    loaded = native.loader_changes()
    # One went and one came: the same number at another time.
    mac.library.record_infos(18, 4, 2_000_000, 0)
    assert len({first, loaded, native.loader_changes()}) == 3


@pytest.mark.parametrize("version", [1, 9, 14])
def test_a_dyld_that_keeps_no_time_counts_nothing(mac: Recording, version: int) -> None:
    mac.library.record_infos(version, 3, 1_000_000, 0)
    assert mac.native().loader_changes() is None


def test_while_dyld_writes_nothing_is_known_of_changes(mac: Recording) -> None:
    """It takes the array away for so long: dyld_images.h."""
    mac.library.record_infos(18, 3, 1_000_000, 1)
    native = mac.native()
    assert native.loader_changes() is None
    mac.library.record_infos(18, 3, 1_000_000, 0)
    assert native.loader_changes() == (3, 1_000_000)


@pytest.mark.parametrize("what", ["task_info", "mach_vm_read_overwrite"])
def test_a_kernel_that_refuses_counts_nothing(mac: Recording, what: str) -> None:
    mac.library.record_infos(18, 3, 1_000_000, 0)
    mac.failure(what, 1)
    assert mac.native().loader_changes() is None


def test_dylds_record_of_a_32_bit_process_is_not_read(mac: Recording) -> None:
    mac.library.record_infos(18, 3, 1_000_000, 0)
    mac.library.record_image_format(0)  # TASK_DYLD_ALL_IMAGE_INFO_32
    assert mac.native().loader_changes() is None


def test_which_code_lies_where_is_read_without_dylds_functions(mac: Recording) -> None:
    _, _, library = recorded_images(mac)
    system = mac.system()
    with pytest.raises(OSError, match="does not tell when"):
        system.code_map()
    mac.library.record_infos(18, 3, 1_000_000, 0)
    mac.library.record_change(-1, 1)  # its functions would never come to an end
    mark, segments = system.code_map()
    assert segments.file_at(library + 1000, code=True) == LIBOMP
    assert segments.file_at(library + 491520, code=True) is None
    again, same = system.code_map()
    assert again == mark
    assert same is segments
    mac.library.record_infos(18, 3, 1_000_000, 1)
    assert system.code_map()[0] == mark  # while dyld writes
    mac.library.record_infos(18, 2, 1_000_041, 0)
    later, fewer = system.code_map()
    assert later != mark
    assert fewer.file_at(library + 1000, code=True) is None


@pytest.mark.parametrize("count", [4, 20_001, (1 << 32) - 1])
def test_a_record_of_images_that_cannot_be_is_an_error(mac: Recording, count: int) -> None:
    recorded_images(mac)
    mac.library.record_infos(18, count, 1_000_000, 0)
    with pytest.raises(OSError, match=r"changed at each|which cannot be"):
        mac.system().code_map()


def test_a_record_of_images_that_never_stands_still_is_an_error(mac: Recording) -> None:
    recorded_images(mac)
    mac.library.record_infos(18, 3, 1_000_000, 0)
    mac.failure("time never stands still", 1)
    with pytest.raises(OSError, match="changed at each of 5 looks"):
        mac.system().code_map()


def test_what_apple_ships_is_known_by_its_place(mac: Recording) -> None:
    recorded_images(mac)
    system = mac.system()
    assert system.executable() == "/env/bin/python3.12"
    assert system.executable(4321) == ""
    assert system.ships(BLAS)
    assert system.ships("/usr/lib/libSystem.B.dylib")
    assert not system.ships("/usr/local/lib/libomp.dylib")
    assert not system.ships(LIBOMP)


def test_another_process_tells_its_files_without_a_right_to_it(mac: Recording) -> None:
    """proc_pidinfo asks for the same user alone: xnu, bsd/kern/proc_info.c."""
    mac.process(4321, mac.pid)
    for at, allowed in ((0x1000, 5), (0x75000, 1), (0x79000, 3)):
        mac.library.record_region(
            4321, 0x10_0000_0000 + at, 0x1000, allowed, 0x0100000E, 77, 1, LIBOMP.encode()
        )
    mac.library.record_region(4321, 0x20_0000_0000, 0x4000, 1, 0x0100000E, 9, 0, b"/tmp/a.npy")
    found = mac.system().process_map(4321)
    omp, array = found.mapped
    assert (omp.path, omp.inode, len(omp.starts)) == (LIBOMP, 77, 3)
    assert (array.path, array.deleted) == ("/tmp/a.npy", True)
    assert found.segments.file_at(0x10_0000_1800, code=True) == LIBOMP
    assert found.segments.file_at(0x10_0007_5800, code=True) is None
    assert found.segments.file_at(0x10_0000_3000) is None


def test_another_process_that_may_not_be_looked_at_is_an_error(mac: Recording) -> None:
    system = mac.system()
    with pytest.raises(ProcessLookupError):
        system.process_map(4321)
    mac.failure("proc_pidinfo", errno.EPERM)
    with pytest.raises(PermissionError):
        system.process_map(4321)
    with pytest.raises(OSError, match="debuggers alone"), system.memory(4321):
        pass


def test_another_process_that_ends_meanwhile_is_an_error(mac: Recording) -> None:
    mac.process(4321, mac.pid)
    with pytest.raises(OSError, match="proc_pidinfo"):  # none of its memory is a file's
        mac.system().process_map(4321)
    mac.library.record_region(4321, 0x4000, 0x1000, 1, 1, 1, 1, b"/x")
    assert mac.system().process_map(4321).mapped
    mac.failure("behind the regions", errno.ESRCH)
    with pytest.raises(ProcessLookupError):
        mac.system().process_map(4321)


def test_regions_that_never_end_are_an_error_and_no_hang(mac: Recording) -> None:
    mac.process(4321, mac.pid)
    mac.library.record_region(4321, 0x4000, 0x1000, 1, 1, 1, 1, b"/x")
    assert mac.system().process_map(4321).mapped
    mac.failure("regions stand still", 1)
    with pytest.raises(OSError, match="do not come to an end"):
        mac.system().process_map(4321)


# Memory


def test_memory_is_read_as_far_as_it_is_mapped(mac: Recording) -> None:
    kept = ctypes.create_string_buffer(b"kept here", 64)
    with mac.system().memory() as read:
        assert read(ctypes.addressof(kept), 9) == b"kept here"
        with pytest.raises(OSError, match="KERN_INVALID_ADDRESS"):
            read(16, 8)
        for wrong in ((-1, 8), (1 << 64, 8), (ctypes.addressof(kept), 0), (16, 1 << 40)):
            with pytest.raises(OSError, match="cannot be read"):
                read(*wrong)
        # The kernel copies all or nothing; pread(2) on Linux gives what there is.
        pages = mmap.mmap(-1, 3 * mmap.PAGESIZE)
        address = ctypes.addressof(ctypes.c_char.from_buffer(pages))
        pages[mmap.PAGESIZE - 3 : mmap.PAGESIZE] = b"end"
        libc = ctypes.CDLL(None)
        beyond = ctypes.c_void_p(address + mmap.PAGESIZE)
        assert libc.mprotect(beyond, ctypes.c_size_t(mmap.PAGESIZE), 0) == 0
        assert read(address + mmap.PAGESIZE - 3, 1000) == b"end"
        assert libc.mprotect(beyond, ctypes.c_size_t(mmap.PAGESIZE), 3) == 0


def test_resident_memory_now_and_at_most(mac: Recording) -> None:
    mac.library.record_memory(123 << 20, 456 << 20)
    system = mac.system()
    assert (system.rss_bytes(), system.peak_rss_bytes()) == (123 << 20, 456 << 20)
    mac.failure("task_info", 4)
    with pytest.raises(OSError, match="does not know the question"):
        system.rss_bytes()


# Threads


def recorded_threads(mac: Recording) -> None:
    mac.process(threads=3)
    mac.library.record_thread(0x1A2B3C, 0, b"", 3, 1_500_000_000, 250_000_000)
    mac.library.record_thread(0x1A2B3D, 0, b"omp worker", 1, 7_000_000, 0)
    mac.library.record_thread(1 << 40, 0, b"n" * 64, 4, 0, 0)


def test_threads_have_their_numbers_names_states_and_times(mac: Recording) -> None:
    recorded_threads(mac)
    system = mac.system()
    assert system.num_threads() == 3
    assert system.threads() == (
        rows.ThreadRow(0x1A2B3C, "", "S", 1.75),
        rows.ThreadRow(0x1A2B3D, "omp worker", "R", 0.007),
        rows.ThreadRow(1 << 40, "n" * 64, "D", 0.0),
    )
    assert system.clocks(left_out=(0x1A2B3C,)) == {0x1A2B3D: 7_000_000, 1 << 40: 0}
    assert system.clock_reader()() == system.clocks()
    assert system.thread_ids() == (0x1A2B3C, 0x1A2B3D, 1 << 40)
    assert system.thread_counter()() == 3
    assert system.thread_name(0x1A2B3D) == "omp worker"
    assert system.clock(0x1A2B3D) == 7_000_000
    assert system.has_thread(0x1A2B3D)
    assert not system.has_thread(5)
    for question in (system.clock, system.thread_name):
        with pytest.raises(ProcessLookupError):
            question(5)
    assert system.cpu_s() > 0


def test_more_threads_than_there_was_room_for_are_asked_for_again(mac: Recording) -> None:
    mac.process(threads=1)
    for tid in range(1, 201):
        mac.library.record_thread(tid, 0, b"", 3, tid, 0)
    assert list(mac.system().clocks()) == list(range(1, 201))


def test_threads_that_cannot_be_listed_are_an_error(mac: Recording) -> None:
    for question in (mac.system().num_threads, mac.system().threads, mac.system().clocks):
        with pytest.raises(ProcessLookupError):
            question()
    assert mac.system().thread_ids() == ()


def segments_with(path: str, start: int, end: int) -> Segments:
    return Segments(f"{start:x}-{end:x} r-xp 0 0:0 0 {path}\n")


def test_where_a_thread_began_is_read_from_its_own_record(mac: Recording) -> None:
    """Of libpthread's src/types_internal.h, found by the address that the kernel knows it by."""
    mac.process(threads=5)
    code = segments_with(LIBOMP, 0x1_0400_0000, 0x1_0407_4000)
    signed = 0x1_0400_2000 | 0x3A << 55  # as arm64e keeps it
    for tid, start in ((11, 0x1_0400_1000), (12, signed), (13, 0), (14, 0x1_0500_0000)):
        handle = mac.library.record_pthread(tid, start, tid * 0x100)
        mac.library.record_thread(tid, handle, b"", 3, 0, 0)
    mac.library.record_thread(15, 0, b"", 3, 0, 0)  # the kernel has begun to make it
    starts = mac.system().starts(None, None, None)
    starts.settle()
    assert starts.main == 11  # the kernel lists the first one first
    assert starts.listed() == [(str(tid), tid) for tid in (11, 12, 13, 14, 15)]
    # 13 was started by nobody, as a main thread is; 14 does not begin in anybody's code.
    assert starts.find({11, 12, 13, 14, 15, 99}, code) == {
        11: (0x1_0400_1000, 0xB00),
        12: (0x1_0400_2000, 0xC00),
    }
    assert starts.find({12}, code) == {12: (0x1_0400_2000, 0xC00)}
    assert starts.find({99}, code) == {}
    assert starts.find(set(), code) == {}


def test_a_record_that_is_not_the_threads_is_not_believed(mac: Recording) -> None:
    mac.process(threads=2)
    code = segments_with(LIBOMP, 0x1_0400_0000, 0x1_0407_4000)
    other = mac.library.record_pthread(0xBAD, 0x1_0400_1000, 1)
    mac.library.record_thread(11, other, b"", 3, 0, 0)
    mac.library.record_thread(12, 0xDEAD_0000_0000, b"", 3, 0, 0)
    with pytest.raises(OSError, match="otherwise than libpthread"):
        mac.system().starts(None, None, None).find({11, 12}, code)


def test_threads_of_another_process_are_listed_and_their_starts_are_not_told(
    mac: Recording,
) -> None:
    mac.process(4321, mac.pid)
    mac.library.record_thread(21, 0x7000_0000, b"", 3, 0, 0)
    starts = mac.system().starts(None, 4321, None)
    assert starts.listed() == [("21", 21)]
    with pytest.raises(OSError, match="debuggers alone"):
        starts.find({21}, segments_with(LIBOMP, 0, 1))


# Processes


def test_descendants_come_parents_first_with_what_they_run(mac: Recording) -> None:
    mac.process()
    mac.process(501, mac.pid, comm="python3.12", flags=0x4010, threads=9, started=(170, 5))
    # fork hands PROC_FLAG_EXEC (0x4000) to nobody: bsd/kern/kern_fork.c.
    mac.process(502, 501, comm="python3.12", name="worker", flags=0x10, threads=1)
    mac.process(503, mac.pid, comm="sh")
    mac.process(504, 1, comm="launchd's")
    command = [b"/env/bin/python3.12", b"-m", b"joblib.externals.loky", b"x" * 200]
    mac.arguments(procargs(command[0], command, [], []), 501)
    mac.arguments(b"\0", 503)
    system, notes = mac.system(), list[str]()
    assert system.has_child()
    first, shell, second = system.descendants(notes)
    assert notes == []
    assert (first.pid, first.parent, first.num_threads, first.forked) == (501, mac.pid, 9, False)
    assert first.started == 170_000_005
    assert first.command == "python3.12"
    assert system.command(501) == f"/env/bin/python3.12 -m joblib.externals.loky {'x' * 200}"
    assert system.command(503) == ""
    with pytest.raises(OSError, match="KERN_PROCARGS2"):
        system.command(502)
    assert (shell.pid, shell.command) == (503, "sh")
    assert (second.pid, second.parent, second.forked) == (502, 501, True)
    assert second.command == "worker"


def test_many_children_are_all_found(mac: Recording) -> None:
    mac.process()
    for pid in range(5_000_000, 5_000_130):  # no process has such a number, this one neither
        mac.process(pid, mac.pid)
    assert len(mac.system().descendants([])) == 130


def test_a_process_that_is_its_own_child_is_no_hang(mac: Recording) -> None:
    mac.process(mac.pid, mac.pid)
    mac.process(600, 601)
    mac.process(601, 600)
    mac.process(600, mac.pid)
    assert [each.pid for each in mac.system().descendants([])] == [600, 601]


def test_without_an_answer_there_are_no_children_but_an_error(mac: Recording) -> None:
    assert mac.system().descendants([]) == ()
    assert not mac.system().has_child()
    mac.failure("proc_listpids", errno.EPERM)
    assert mac.system().has_child()  # there may be one
    with pytest.raises(PermissionError):
        mac.system().descendants([])


def test_a_child_of_another_user_is_left_out_with_a_note(mac: Recording) -> None:
    mac.process()
    mac.process(700, mac.pid)
    mac.failure("proc_pidinfo", errno.EPERM)
    notes: list[str] = []
    assert mac.system().descendants(notes) == ()
    assert notes == ["process 700 belongs to another user"]


def test_relatives_are_listed_again_with_their_time(mac: Recording) -> None:
    """Which libproc gives in ticks, 24 a microsecond on Apple silicon."""
    mac.process()
    mac.process(501, mac.pid, threads=9, ticks=(24_000_000, 12_000_000))
    mac.process(502, 501, flags=0x10)
    relatives = mac.system().relatives()
    assert relatives.pids() == {501, 502}
    assert relatives.one(501) == (
        rows.Process(501, mac.pid, "python3.12", 9, 1_700_000_000_250_000),
        None,  # no sysctl tells how long a tick is
    )
    mac.sysctls("\n".join(MACS["M4 Pro"]["lines"]))
    found = relatives.one(501)
    assert found is not None
    assert found[1] == 1.5
    assert relatives.one(503) is None
    relatives.forget()
    assert relatives.unasked == 0
    mac.failure("proc_listpids", errno.EPERM)
    with pytest.raises(PermissionError):
        relatives.pids()


def test_a_process_that_maps_more_has_another_mark(mac: Recording) -> None:
    system = mac.system()
    mac.process(700, mac.pid, size=1 << 30)
    first = system.size_mark(700)
    mac.process(701, mac.pid, size=(1 << 30) + 4096)
    assert first != system.size_mark(701)
    with pytest.raises(ProcessLookupError):
        system.size_mark(702)
    assert system.size_mark() == ""
    mac.library.record_infos(18, 3, 1_000_000, 0)
    assert system.size_mark() == "(3, 1000000)"


# CPUs


@pytest.mark.parametrize(
    ("machine", "online", "physical", "kinds"),
    [
        ("M4 Pro", 14, 14, (("performance", 10), ("efficiency", 4))),
        ("M2 Max", 12, 12, (("performance", 8), ("efficiency", 4))),
        ("M1 Pro", 10, 10, (("performance", 8), ("efficiency", 2))),
        ("Intel", 12, 6, ()),
    ],
)
def test_cores_are_told_by_kind(
    mac: Recording,
    machine: str,
    online: int,
    physical: int,
    kinds: tuple[tuple[str, int], ...],
) -> None:
    mac.sysctls("\n".join(MACS[machine]["lines"]))
    found = mac.system().cores()
    assert (found.online, found.offline, found.physical) == (online, 0, physical)
    assert found.kinds == kinds
    assert (found.told_by, found.physical_told_by) == (
        "sysctl hw.logicalcpu",
        "sysctl hw.physicalcpu",
    )


def test_kinds_that_are_not_all_the_cpus_are_not_believed(mac: Recording) -> None:
    mac.sysctls(
        "hw.logicalcpu: 8\nhw.logicalcpu_max: 12\nhw.nperflevels: 2\n"
        "hw.perflevel0.name: Performance\nhw.perflevel0.logicalcpu: 8\n"
        "hw.perflevel1.name: Efficiency\nhw.perflevel1.logicalcpu: 4"
    )
    found = mac.system().cores()
    assert (found.online, found.offline, found.physical, found.kinds) == (8, 4, None, ())
    assert found.physical_told_by == ""


@pytest.mark.parametrize("lines", ["", "hw.logicalcpu: 0", "hw.logicalcpu: twelve"])
def test_cpus_that_are_not_told_are_an_error(mac: Recording, lines: str) -> None:
    mac.sysctls(lines)
    with pytest.raises(OSError, match=r"hw\.logicalcpu"):
        mac.system().cores()


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        # PROC_FLAG_DARWINBG, PROC_FLAG_EXT_DARWINBG; a clamp sets neither (task_policy.c).
        (0x4010 | 0x8000, "(taskpolicy -b):"),
        (0x4010 | 0x10000, "by another process"),
        (0x4010, "QoS clamp"),
    ],
)
def test_in_the_background_the_efficiency_cores_are_left(
    mac: Recording, flags: int, says: str
) -> None:
    mac.sysctls("\n".join(MACS["M2 Max"]["lines"]))
    mac.process(flags=flags, priority=4)
    (limit,) = mac.system().cpu_limits()
    assert (limit.source, limit.cpus, limit.lowers, limit.is_quota) == (
        "taskpolicy",
        4,
        True,
        False,
    )
    assert says in limit.detail
    assert limit.detail.endswith(": 4 efficiency cores")


def test_in_the_background_of_an_intel_mac_all_cores_are_left(mac: Recording) -> None:
    mac.sysctls("\n".join(MACS["Intel"]["lines"]))
    mac.process(flags=0xC010, priority=4)
    (limit,) = mac.system().cpu_limits()
    assert (limit.cpus, limit.lowers) == (12, False)
    assert limit.reason == "on cores that are all alike it only lets others go first"


def test_a_process_like_others_has_no_limit_and_no_note(mac: Recording) -> None:
    mac.sysctls("\n".join(MACS["M2 Max"]["lines"]))
    mac.process(priority=31)
    assert mac.system().cpu_limits() == ()
    assert mac.system().notes(quota=False) == ()


def test_a_limit_that_cannot_be_looked_for_is_an_error(mac: Recording) -> None:
    with pytest.raises(ProcessLookupError):
        mac.system().cpu_limits()
    assert mac.system().notes(quota=False) == ()


@pytest.mark.parametrize(
    ("recorded", "sysctl", "said"),
    [
        ({}, "sysctl.proc_translated: 1", "translated by Rosetta"),
        ({}, "sysctl.proc_translated: 0", ""),
        ({"priority": 20}, "", "QoS clamp to utility"),
        # BASEPRI_DEFAULT less the nice value: 31 - 11.
        ({"priority": 20, "nice": 11}, "", ""),
        ({"flags": 0x800000}, "", "App Nap"),
    ],
)
def test_what_a_reader_should_know_besides(
    mac: Recording, recorded: dict[str, Any], sysctl: str, said: str
) -> None:
    mac.sysctls(sysctl)
    mac.process(**recorded)
    notes = mac.system().notes(quota=False)
    assert len(notes) == bool(said)
    assert all(said in note for note in notes)


# The environment


def test_the_environment_at_the_start_is_the_kernels(mac: Recording) -> None:
    environ = [b"OMP_NUM_THREADS=4", b"PATH=/usr/bin"]
    mac.arguments(procargs(b"/env/bin/python3", [b"python3", b"-c", b"x"], environ, [b"pfz=0x1"]))
    assert mac.system().variables_at_start() == {"OMP_NUM_THREADS": "4", "PATH": "/usr/bin"}


def test_an_environment_that_is_not_kept_is_an_error(mac: Recording) -> None:
    system = mac.system()
    with pytest.raises(OSError, match="KERN_PROCARGS2"):
        system.variables_at_start()
    mac.arguments(b"\xff\xff\xff\x7f/env")
    with pytest.raises(OSError, match="KERN_PROCARGS2"):
        system.variables_at_start()
    mac.failure("sysctl", errno.EPERM)
    with pytest.raises(PermissionError):
        system.variables_at_start()


def test_a_variable_that_is_written_over_in_place_is_a_change(
    mac: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Libc's setenv does with a value that it made before: stdlib/FreeBSD/setenv.c."""
    monkeypatch.setenv("MAC_PORT_TEST", "16")
    variables = mac.system().variables()
    assert variables.changed()
    assert variables.read()[b"MAC_PORT_TEST"] == b"16"
    assert not variables.changed()
    libc = ctypes.CDLL(None)
    libc.getenv.restype = ctypes.c_void_p
    ctypes.memmove(libc.getenv(b"MAC_PORT_TEST"), b"8\0", 2)
    assert variables.changed()
    assert variables.read()[b"MAC_PORT_TEST"] == b"8"
    native = mac.native()
    native.setenv("MAC_PORT_TEST", None)
    assert variables.changed()
    assert b"MAC_PORT_TEST" not in variables.read()


def test_what_runtimes_leave_is_found_in_both_places(mac: Recording, tmp_path: Path) -> None:
    """Shared memory and a file, of LLVM's kmp_runtime.cpp; nothing is made."""
    name = f"__KMP_REGISTERED_LIB_{os.getpid()}"
    (tmp_path / "tmp").mkdir()
    system = mac.system(Machine(str(tmp_path)))
    before = sorted(os.listdir("/dev/shm"))
    handles = os.listdir("/proc/self/fd")
    assert list(system.published(name)) == []
    assert sorted(os.listdir("/dev/shm")) == before
    assert os.listdir(tmp_path / "tmp") == []
    registered = b"0x10a8e2bd8-cafe1234-libomp.dylib"
    (tmp_path / "tmp" / name).write_bytes(registered.ljust(1024, b"\0"))
    shared = Path("/dev/shm") / name
    shared.write_bytes(b"0x10b-cafe0003-libiomp5.dylib".ljust(1024, b"\0"))
    try:
        assert list(system.published(name)) == [
            "0x10b-cafe0003-libiomp5.dylib",
            registered.decode(),
        ]
        assert os.listdir("/proc/self/fd") == handles
        # Created, and not yet of any size.
        shared.write_bytes(b"")
        assert list(system.published(name)) == ["", registered.decode()]
    finally:
        shared.unlink()


# Symbols


def test_symbols_are_those_of_the_image_that_is_meant(mac: Recording) -> None:
    _, cached, library = recorded_images(mac)
    mac.library.record_symbol(library, b"omp_get_max_threads", library + 0x1000)
    mac.library.record_symbol(cached, b"cblas_dgemm", cached + 0x2000)
    native = mac.native()
    found = native.symbols(
        LIBOMP, (library,), (("kmp_no", "omp_get_max_threads"), ("cblas_dgemm",), ("none",))
    )
    # dlsym of a handle looks in what the image needs, too (dyld, dlsymSelf): that is not meant.
    assert found == (library + 0x1000, None, None)
    assert native.dependency_symbol(LIBOMP, "cblas_dgemm") == cached + 0x2000
    assert native.symbols("/env/lib/none.dylib", (library,), (("x",),)) is None
    assert native.dependency_symbol("/env/lib/none.dylib", "x") is None
    assert native.is_loaded(LIBOMP)
    assert not native.is_loaded("/env/lib/none.dylib")
    assert native.global_symbol("cblas_dgemm") == cached + 0x2000
    assert native.global_symbol("none") is None
    assert native.base_of(library + 0x1234) == library
    assert native.path_of(library + 0x1234) == LIBOMP
    assert (native.base_of(16), native.path_of(16)) == (None, None)
    assert ctypes.c_int.in_dll(mac.library, "open_handles").value == 0


def test_what_is_hidden_stays_hidden_when_it_is_asked(mac: Recording) -> None:
    """dlopen without RTLD_LOCAL would show it to everybody for good: dyld, DyldAPIs.cpp."""
    library = mac.image(LIBOMP, in_memory(HEADERS[0]), hidden=True)
    mac.library.record_symbol(library, b"omp_get_max_threads", library + 0x1000)
    native = mac.native()
    wanted = (("omp_get_max_threads",),)
    assert native.symbols(LIBOMP, (library,), wanted) == (library + 0x1000,)
    assert native.is_loaded(LIBOMP)
    assert native.global_symbol("omp_get_max_threads") is None
    # RTLD_LAZY, RTLD_LOCAL, RTLD_NOLOAD.
    assert ctypes.c_int.in_dll(mac.library, "last_mode").value == 0x1 | 0x4 | 0x10


@pytest.mark.parametrize(("answer", "said"), [(0, "multi"), (1, "single"), (7, None)])
def test_accelerates_threading_is_asked_where_it_is_loaded(
    mac: Recording, answer: int, said: str | None
) -> None:
    native = mac.native()
    assert native.blas_threading() is None
    function = ctypes.cast(mac.library.BLASGetThreading, ctypes.c_void_p).value or 0
    header = function & ~0xFFF
    mac.library.record_image(0, header, 0x2000, BLAS.encode(), 0)
    mac.library.record_symbol(header, b"BLASGetThreading", function)
    ctypes.c_int.in_dll(mac.library, "blas_threading").value = answer
    assert native.blas_threading() == said


def test_a_function_of_that_name_in_another_library_is_not_called(mac: Recording) -> None:
    library = mac.image("/env/lib/libmine.dylib", in_memory(HEADERS[0]))
    mac.library.record_symbol(library, b"BLASGetThreading", library + 0x1000)
    assert mac.native().blas_threading() is None
