"""Whose an address is, and what the kernel writes of threads and processes."""

from __future__ import annotations

import pytest

from omp_magic.errors import ParseError
from omp_magic.formats.procfs import (
    Segments,
    parse_pids,
    parse_schedstat,
    parse_stat,
)
from omp_magic.formats.syscalls import Syscall, parse_syscall, syscall_name

MAPS = """\
7f00-8000 r--p 00000000 fd:01 12 /lib/a b.so (deleted)
8000-9000 r-xp 00001000 fd:01 12 /lib/a b.so (deleted)
9000-a000 rwxp 00000000 00:00 0
a000-b000 r-xp 00000000 fd:01 13                       /lib/c\\012d.so
ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0          [vsyscall]
"""


def test_segments_tell_which_file_lies_at_an_address() -> None:
    segments = Segments(MAPS)
    assert segments.file_at(0x8000) == segments.file_at(0x8FFF, code=True) == "/lib/a b.so"
    assert segments.file_at(0x7F00) == "/lib/a b.so"
    assert segments.file_at(0x7F00, code=True) is None
    assert segments.file_at(0xA001, code=True) == "/lib/c\nd.so"
    for nowhere in (0, 0x7EFF, 0x9000, 0xB000, 0xFFFFFFFFFF600000, 1 << 70):
        assert segments.file_at(nowhere) is None
    assert Segments("").file_at(0) is None


def test_an_address_moves_with_its_file() -> None:
    there = Segments(MAPS.replace("7f00", "1f00").replace("8000-9000", "2000-3000"))
    assert Segments(MAPS).moved(0x8001, there) == 0x2001
    assert Segments(MAPS).moved(0x9001, there) is None, "no file"
    replaced = Segments(MAPS.replace(" (deleted)", ""))
    assert Segments(MAPS).moved(0x8001, replaced) is None, "another file under its name"


def test_where_a_thread_waits() -> None:
    # The three forms of proc_pid_syscall(5), the last as read from a worker of OpenBLAS.
    assert parse_syscall("running\n") is None
    outside = Syscall(None, 0x7FFC5FB0, 0x7F5CBB2CA2AD)
    assert parse_syscall("-1 0x7ffc5fb0 0x7f5cbb2ca2ad\n") == outside
    text = "202 0x7f1 0x189 0x0 0x0 0x0 0xffffffff 0x7ffd140ccf08 0x7f5cbb2ca2ad\n"
    assert parse_syscall(text) == Syscall(202, 0x7FFD140CCF08, 0x7F5CBB2CA2AD)
    assert syscall_name(202, "x86_64") == syscall_name(98, "aarch64") == "futex"
    assert syscall_name(9999, "x86_64") == syscall_name(9999, "s390x") == "syscall 9999"
    for wrong in ("", "walking", "1 2", "-1 x y"):
        with pytest.raises(ParseError):
            parse_syscall(wrong)


def test_time_on_a_cpu_stands_before_time_spent_waiting_for_one() -> None:
    # The kernel's Documentation/scheduler/sched-stats.rst, "/proc/<pid>/schedstat".
    assert parse_schedstat("1200 30 4\n") == (1200, 30)
    for text in ("", "1 2", "1 2 3 4", "1 -2 3", "a b c"):
        with pytest.raises(ParseError):
            parse_schedstat(text)


def test_lists_of_processes() -> None:
    assert parse_pids("12 7 \n") == (12, 7)
    assert parse_pids("") == ()
    with pytest.raises(ParseError):
        parse_pids("12 x")


def test_stat_tells_parent_fork_and_start() -> None:
    # proc_pid_stat(5): ppid is field 4, flags 9, starttime 22.
    words = [str(number) for number in range(4, 53)]
    assert parse_stat("1 (x) S " + " ".join(words)).parent == 4
    for flags, forked in ((0x40, True), (0x400140, True), (0x400100, False)):
        words[5] = str(flags)
        stat = parse_stat("1 (x) S " + " ".join(words))
        assert (stat.forked, stat.start_ticks) == (forked, 22)
