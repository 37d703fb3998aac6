"""The memory a process may use and does use: files of /proc and cgroups, on laid-out machines."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import pytest
from facts_for_tests import TICKS_PER_S
from hypothesis import example, given
from hypothesis import strategies as st

from omp_magic.errors import ParseError
from omp_magic.facts.memory import MemoryBound, MemoryBudget, bytes_words
from omp_magic.formats.memoryfiles import (
    parse_bytes,
    parse_meminfo,
    parse_pss,
    parse_reclaimable,
    parse_statm,
)
from omp_magic.formats.procfs import parse_busy_ticks
from omp_magic.machine import Machine
from omp_magic.machine.linux import sizes
from omp_magic.machine.linux.units import page_bytes
from omp_magic.probes.memory import probe_memory

GB = 10**9
MEMINFO = "MemTotal:       16000000 kB\nMemFree:         1000000 kB\nMemAvailable:    9000000 kB\n"
"""As /proc/meminfo begins."""
V1_UNLIMITED = "9223372036854771712\n"
"""memory.limit_in_bytes of a group without a limit, on 4 KiB pages (Linux 6.18, cgroup v1)."""
# Fields of memory.stat, as Linux 6.18 writes them.
V1_STAT = "cache 9\ninactive_file 1000\ntotal_cache 9\ntotal_inactive_file 300000000\n"
V2_STAT = "anon 9\nfile 9\ninactive_anon 5\ninactive_file 300000000\nactive_file 3\n"


def lay_out(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return root


def v2(own: str, **levels: tuple[str, str]) -> dict[str, str]:
    """Lay out cgroup v2: (memory.max, memory.current) by folder, "_" for the mount's root."""
    files = {
        "/proc/meminfo": MEMINFO,
        "/proc/self/cgroup": f"0::{own}\n",
        "/proc/self/mountinfo": "30 1 0:26 / /c rw - cgroup2 cgroup2 rw\n",
    }
    for name, (limit, used) in levels.items():
        folder = "/c" if name == "_" else f"/c/{name.replace('_', '/')}"
        files[f"{folder}/memory.max"] = limit + "\n"
        files[f"{folder}/memory.current"] = used + "\n"
        files[f"{folder}/memory.stat"] = V2_STAT
    return files


def v1(own: str, **levels: tuple[str, str]) -> dict[str, str]:
    files = {
        "/proc/meminfo": MEMINFO,
        "/proc/self/cgroup": f"4:memory:{own}\n2:cpu,cpuacct:/elsewhere\n0::/\n",
        "/proc/self/mountinfo": "31 1 0:27 / /m rw - cgroup cgroup rw,memory\n",
    }
    for name, (limit, used) in levels.items():
        folder = "/m" if name == "_" else f"/m/{name.replace('_', '/')}"
        files[f"{folder}/memory.limit_in_bytes"] = limit + "\n"
        files[f"{folder}/memory.usage_in_bytes"] = used + "\n"
        files[f"{folder}/memory.stat"] = V1_STAT
    return files


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_the_tightest_group_of_the_chain_binds(version: str, tmp_path: Path) -> None:
    layout, none = (v1, V1_UNLIMITED) if version == "v1" else (v2, "max")
    files = layout(
        "/pod/kernel",
        _=(none, "5000000000"),
        pod=("2000000000", "1500000000"),
        pod_kernel=("4000000000", "1000000000"),
    )
    budget = probe_memory(Machine(lay_out(tmp_path, files)))
    binding = budget.binding
    assert binding is not None
    assert (binding.where, binding.source) == ("/pod", f"cgroup {version}")
    # Files that nobody used lately are what the kernel takes back first: they are free.
    assert (budget.limit_bytes, budget.free_bytes) == (2 * GB, 2 * GB - (1500 - 300) * 10**6)
    assert binding.detail.startswith(("memory.max 2", "memory.limit_in_bytes 2"))
    assert [each.where for each in budget.bounds] == ["/pod/kernel", "/pod", "/", ""]
    assert [each.limit_bytes for each in budget.bounds][2:] == [None, 16_384_000_000]
    assert budget.gaps == ()


def test_a_fuller_group_binds_before_a_smaller_limit(tmp_path: Path) -> None:
    files = v2("/a/b", a=("8000000000", "8000000000"), a_b=("1000000000", "300000000"))
    assert probe_memory(Machine(lay_out(tmp_path, files))).free_bytes == 3 * 10**8
    (tmp_path / "c/a/memory.current").write_text("9000000000\n")
    budget = probe_memory(Machine(tmp_path))
    assert budget.binding is not None
    assert (budget.binding.where, budget.free_bytes) == ("/a", 0)


def test_a_level_without_the_controller_is_no_limit_and_no_gap(tmp_path: Path) -> None:
    files = v2("/a/b", a=("3000000000", "0"))
    (tmp_path / "c/a/b").mkdir(parents=True)
    budget = probe_memory(Machine(lay_out(tmp_path, files)))
    assert [each.where for each in budget.bounds] == ["/a", ""]
    assert budget.gaps == ()


def test_what_cannot_be_read_is_a_gap_and_no_zero(tmp_path: Path) -> None:
    files = v2("/a", a=("many", "0"))
    del files["/proc/meminfo"]
    budget = probe_memory(Machine(lay_out(tmp_path, files)))
    assert (budget.bounds, budget.binding, budget.limit_bytes, budget.free_bytes) == (
        (), None, None, None,
    )  # fmt: skip
    assert [gap.what for gap in budget.gaps] == ["memory limit of /a", "memory of the machine"]
    assert "'many" in budget.gaps[0].why
    empty = probe_memory(Machine(tmp_path / "nothing"))
    assert {gap.what for gap in empty.gaps} == {"memory limit", "memory of the machine"}


@pytest.mark.parametrize(
    ("name", "text", "free"),
    [
        ("memory.stat", None, 2 * GB - 5 * 10**8),
        ("memory.current", None, None),
        ("memory.current", "many", None),
    ],
)
def test_a_limit_holds_where_its_use_is_not_told(
    name: str, text: str | None, free: int | None, tmp_path: Path
) -> None:
    files = v2("/a", a=("2000000000", "500000000"))
    if text is None:
        del files[f"/c/a/{name}"]
    else:
        files[f"/c/a/{name}"] = text
    budget = probe_memory(Machine(lay_out(tmp_path, files)))
    assert (budget.limit_bytes, budget.free_bytes) == (2 * GB, free)
    assert [gap.what for gap in budget.gaps] == ["memory use of /a"]


def test_a_declaration_counts_and_its_use_is_not_known(tmp_path: Path) -> None:
    root = lay_out(tmp_path, v2("/a", a=("max", "7")))
    budget = probe_memory(Machine(root, environ={"MEM_LIMIT": "1073741824"}))
    assert budget.binding == MemoryBound(
        source="MEM_LIMIT", limit_bytes=1 << 30, detail="MEM_LIMIT=1073741824"
    )
    assert budget.free_bytes is None
    for text in ("1G", "0", "-1", "", "1e9", "\u0661"):
        declared = probe_memory(Machine(root, environ={"MEM_LIMIT": text}))
        assert declared.binding is not None
        assert declared.binding.source == "machine", text


def test_a_bound_without_use_is_compared_by_its_limit() -> None:
    known = MemoryBound(source="machine", limit_bytes=8 * GB, used_bytes=7 * GB)
    unused = MemoryBound(source="MEM_LIMIT", limit_bytes=2 * GB)
    assert MemoryBudget(bounds=(known, unused)).binding == known
    assert (
        MemoryBudget(bounds=(unused, MemoryBound(source="x", limit_bytes=None))).free_bytes is None
    )
    over = MemoryBound(source="cgroup v2", limit_bytes=GB, used_bytes=2 * GB)
    assert over.free_bytes == 0


def test_bytes_of_the_controllers_files() -> None:
    assert parse_bytes("memory.max", "max\n") is None
    assert parse_bytes("memory.limit_in_bytes", V1_UNLIMITED) is None
    assert parse_bytes("memory.limit_in_bytes", "-1\n") is None
    assert parse_bytes("memory.max", "0\n") == 0
    for text in ("", "4k", "-2", "1 2", "\u0664", "9" * 21):
        with pytest.raises(ParseError, match=r"memory\.max"):
            parse_bytes("memory.max", text)


@given(st.text())
def test_no_text_breaks_the_parsers(text: str) -> None:
    for parse in (
        lambda: parse_bytes("memory.max", text),
        lambda: parse_statm(text),
        lambda: parse_meminfo(text),
        lambda: parse_busy_ticks(text),
    ):
        with contextlib.suppress(ParseError):
            parse()
    assert parse_reclaimable(text) >= 0
    assert parse_pss(text) is None or "Pss:" in text


def test_reclaimable() -> None:
    assert parse_reclaimable(V1_STAT) == parse_reclaimable(V2_STAT) == 300_000_000
    assert parse_reclaimable("inactive_file 7") == 7
    assert parse_reclaimable("anon 5\nxinactive_file 7\n") == 0


def test_statm_and_smaps_rollup() -> None:
    assert parse_statm("1300 400 300 1 0 200 0\n") == 400
    for text in ("", "1", "1 x", "1 -4"):
        with pytest.raises(ParseError, match="statm"):
            parse_statm(text)
    # As Linux 6.18 writes it.
    rollup = "5601 [rollup]\nRss:   9 kB\nPss:     1234 kB\nPss_Dirty:  77 kB\nSwapPss: 5 kB\n"
    assert parse_pss(rollup) == 1234 * 1024
    assert parse_pss("") is None  # a process that has ended and is not waited for


def test_meminfo() -> None:
    assert parse_meminfo(MEMINFO) == (16_000_000 * 1024, 9_000_000 * 1024)
    assert parse_meminfo("MemTotal: 5 kB\n") == (5120, None)
    with pytest.raises(ParseError, match="MemTotal"):
        parse_meminfo("MemAvailable: 5 kB\n")


def test_busy_ticks_of_the_machine() -> None:
    # user nice system idle iowait irq softirq steal guest guest_nice
    assert parse_busy_ticks("cpu  100 20 3 5000 700 40 5 60 7 8\ncpu0 1 1 1 1\n") == 168
    assert parse_busy_ticks("cpu  100 20 3 5000\n") == 123  # Linux 2.4
    for text in ("", "cpu0 1 2 3 4", "cpu  1 2 3", "cpu a b c d"):
        with pytest.raises(ParseError, match="/proc/stat"):
            parse_busy_ticks(text)


@given(st.integers(1, 1 << 60))
@example(999_600_000)
@example(999_499)
@example(1)
def test_bytes_in_words_are_short_and_near(number: int) -> None:
    figure, unit = bytes_words(number).split(" ")
    units = {"byte": 1, "bytes": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
    size = {**units, "PB": 10**15}[unit]
    assert float(figure) * size == pytest.approx(number, rel=0.005)
    assert "e" not in figure


def proc(root: Path) -> Path:
    page = page_bytes()
    return lay_out(
        root,
        {
            "/proc/self/statm": f"900 {4 * 10**6 // page} 3 1 0 2 0\n",
            "/proc/self/smaps_rollup": "x [rollup]\nPss: 2000 kB\n",
            "/proc/77/statm": "900 10 3 1 0 2 0\n",
            "/proc/self/status": "Name:\tpython\nVmPeak:\t  99 kB\nVmHWM:\t   5000 kB\n",
            "/proc/stat": "cpu  100 0 0 7 0 0 0 0 0 0\n",
        },
    )


def test_the_memory_of_a_process_in_a_folder(tmp_path: Path) -> None:
    machine = Machine(proc(tmp_path))
    page = page_bytes()
    use = sizes.memory_use(machine, None, shared=True)
    assert (use.rss_bytes, use.pss_bytes) == (4 * 10**6 // page * page, 2000 * 1024)
    other = sizes.memory_use(machine, 77, shared=False)
    assert (other.rss_bytes, other.pss_bytes) == (10 * page, None)
    with pytest.raises(FileNotFoundError):
        sizes.memory_use(machine, 77, shared=True)
    assert sizes.peak_rss_bytes(machine) == 5000 * 1024
    assert sizes.machine_cpu_s(machine) == pytest.approx(100 / TICKS_PER_S)


@pytest.mark.parametrize("status", ["", "VmHWM:", "VmHWM: x kB\n", "Name: python\n"])
def test_a_peak_that_is_not_told_is_an_error(status: str, tmp_path: Path) -> None:
    root = lay_out(tmp_path, {"/proc/self/status": status})
    with pytest.raises(OSError, match="VmHWM"):
        sizes.peak_rss_bytes(Machine(root))


def test_a_peak_in_a_folder_is_not_set_back(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="running process"):
        sizes.reset_peak_rss(Machine(proc(tmp_path)))


@pytest.mark.skipif(not os.path.exists("/proc/self/clear_refs"), reason="Linux has this file")
def test_the_peak_of_this_process_is_set_back() -> None:
    system = Machine.here().system
    block = bytearray(64 * 2**20)
    block[::4096] = b"x" * len(block[::4096])
    assert system.peak_rss_bytes() >= system.memory_use(shared=False).rss_bytes - 2**20
    del block
    before = system.peak_rss_bytes()
    system.reset_peak_rss()
    # The 64 MiB are given back by munmap, and no longer the peak; pytest's own memory breathes.
    assert system.peak_rss_bytes() < before - 32 * 2**20
    use = system.memory_use()
    assert use.pss_bytes is not None
    assert 0 < use.pss_bytes <= use.rss_bytes + 4 * 2**20
