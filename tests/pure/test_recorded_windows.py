"""A process of Windows as it was recorded: what is told of it, and what is not asked."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest
from fakesystem import Recorded

from omp_magic.facts.snapshots import Snapshot
from omp_magic.machine.port.cpurows import THERE_IS_NONE, CpuLimit
from omp_magic.machine.port.rows import TASK_LIMITS
from omp_magic.machine.windows.cpus import parse_cores, rate_limit
from omp_magic.probes.observe import Observer
from omp_magic.rules import judge
from omp_magic.views.text import render_text

A, B = "C:/copies/A/libiomp5md.dll", "C:/copies/B/libiomp5md.dll"


@pytest.fixture(autouse=True)
def _without_its_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The recorded paths lead nowhere here."""
    monkeypatch.chdir(tmp_path)


def seen(recorded: Recorded) -> Snapshot:
    facts = Observer(recorded.machine()).take(threads=True)
    return facts.with_findings(judge(facts))


def codes(facts: Snapshot) -> list[str]:
    return [each.code for each in facts.findings]


def test_runtimes_counts_and_states_are_those_that_were_recorded() -> None:
    recorded = Recorded("unmasked")
    facts = seen(recorded)
    assert {e.path: e.num_threads for e in facts.libraries} == recorded.record["counts"]
    assert {e.path: e.initialized for e in facts.libraries} == recorded.record["initialized"]
    assert {e.path: e.threading_layer for e in facts.libraries} == recorded.record["layers"]
    assert codes(facts) == recorded.record["findings"]
    assert facts.system == "windows"


def test_a_copy_that_has_not_started_is_never_asked() -> None:
    recorded = Recorded("unmasked")
    seen(recorded)
    assert A in recorded.asked
    assert B not in recorded.asked


def test_a_second_copy_that_started_masked_is_known_by_its_flag() -> None:
    recorded = Recorded("masked", {"KMP_DUPLICATE_LIB_OK": "TRUE"})
    facts = seen(recorded)
    assert {e.path: e.initialized for e in facts.libraries} == recorded.record["initialized"]
    assert "OMP102" in codes(facts)
    assert "OMP101" not in codes(facts)


def test_a_word_like_a_flag_is_none() -> None:
    recorded = Recorded("unmasked", {"KMP_DUPLICATE_LIB_OK": "TRUE"})
    base = next(base for base, _, path in recorded.record["modules"] if path == B)
    writable = base + 0x1CE000  # within .data, as the recorded header has it
    recorded.record["memory"][f"{writable:x}"] = "0000feca" * 64
    states = {each.path: each.initialized for each in seen(recorded).libraries}
    assert states[A] is True
    assert states[B] is False


def test_a_registration_of_another_process_is_none() -> None:
    recorded = Recorded("unmasked", registration="000000001B6FE5E0-cafeed9f-libiomp5md.dll")
    states = {each.path: each.initialized for each in seen(recorded).libraries}
    assert states[A] is False


def test_threads_have_the_owners_that_their_starts_tell() -> None:
    recorded = Recorded("unmasked")
    facts = seen(recorded)
    assert facts.thread_owners is not None
    assert [[e.path, e.num_threads] for e in facts.thread_owners] == recorded.record["owners"]
    assert facts.os_threads is not None
    owners = {each.tid: each.owner for each in facts.os_threads}
    main, napper = recorded.record["python_threads"]
    assert owners[main] == "Python"
    # Begun by the C runtime for somebody: here nobody says that it was Python.
    assert owners[napper] is None


def test_a_thread_of_the_c_runtime_is_pythons_where_python_knows_it() -> None:
    recorded = Recorded("unmasked")
    ours = threading.get_native_id()
    rows = recorded.record["threads"]
    rows[-1][0] = ours
    facts = seen(recorded)
    assert facts.os_threads is not None
    assert {e.tid: e.owner for e in facts.os_threads}[ours] == "Python"


def test_a_copy_that_its_own_package_is_not_bound_to_is_idle() -> None:
    """As torch 2.4.1 was after another libiomp5md.dll, in Wine: torch_cpu.dll is bound to that."""
    lib = "C:/Python311/Lib/site-packages/torch/lib"
    recorded = Recorded("unmasked")
    modules = recorded.record["modules"]
    (own,) = [row for row in modules if row[2] == B]
    own[2] = f"{lib}/libiomp5md.dll"
    recorded.record["counts"] = {
        **{k: v for k, v in recorded.record["counts"].items() if k != B},
        own[2]: None,
    }
    modules.append([own[0] + 0x1000_0000, 0x1000, f"{lib}/torch_cpu.dll"])
    first = next(base for base, _, path in modules if path == A)
    recorded.record["bindings"] = [[modules[-1][0], "libiomp5md.dll", first]]
    facts = seen(recorded)
    assert {e.path: e.idle for e in facts.libraries if e.kin == "llvm"} == {A: False, own[2]: True}
    assert "OMP101" not in codes(facts)
    recorded.record["bindings"] = [[modules[-1][0], "libiomp5md.dll", own[0]]]
    assert "OMP101" in codes(seen(recorded))


def test_nothing_that_is_shown_speaks_of_linux() -> None:
    recorded = Recorded("unmasked")
    recorded.reasons[TASK_LIMITS] = THERE_IS_NONE
    facts = replace(seen(recorded), shown=frozenset({"cpus", "env", "threads"}))
    text = str(render_text(facts))
    linux = ("/proc", "/sys", "/dev/shm", "cgroup", "RTLD_GLOBAL", ".so", "siblings")
    for word in (*linux, "NoneType"):
        assert word not in text, text


@pytest.mark.parametrize(
    ("flags", "rate", "cpus", "lowers"),
    [
        (0x5, 2500, 2.0, True),  # --cpus=2 of 8: hcsshim sets a hard cap
        (0x1, 2500, 2.0, False),  # no hard cap
        (0x11, 5000 << 16 | 1000, 4.0, True),  # between a tenth and half
        (0x3, 5, 8.0, False),  # by weight
    ],
)
def test_the_rates_of_job_objects(flags: int, rate: int, cpus: float, lowers: bool) -> None:
    """Flags and units as winnt.h and JOBOBJECT_CPU_RATE_CONTROL_INFORMATION's page have them."""
    (limit,) = rate_limit(flags, rate, 8)
    assert (limit.cpus, limit.lowers) == (cpus, lowers)
    assert bool(limit.reason) is not lowers


def test_a_job_object_without_a_rate_is_no_limit() -> None:
    assert rate_limit(0, 0, 8) == []


def test_a_windows_container_lowers_the_budget() -> None:
    recorded = Recorded("unmasked", affinity=list(range(8)))
    recorded.limits = tuple(rate_limit(0x5, 2500, 8))
    budget = seen(recorded).budget
    assert (budget.threads, budget.quota_cpus) == (2, 2.0)
    assert budget.binding.source == "job object"
    assert budget.binding.detail == "CPU rate 25 % of 8 CPUs"


def test_a_limit_that_only_explains_lowers_nothing() -> None:
    recorded = Recorded("unmasked")
    recorded.limits = (CpuLimit("job object", 1.0, "affinity 0x1", lowers=False, reason="as told"),)
    budget = seen(recorded).budget
    assert (budget.threads, budget.quota_cpus) == (2, None)


def test_cores_of_several_kinds_and_groups() -> None:
    """Entries laid out as PROCESSOR_RELATIONSHIP's page has them, for an i7-1260P: 4 + 8 cores."""

    def core(kind: int, *masks: tuple[int, int]) -> bytes:
        groups = b"".join(
            mask.to_bytes(8, "little") + group.to_bytes(2, "little") + bytes(6)
            for mask, group in masks
        )
        size = 32 + len(groups)
        head = (0).to_bytes(4, "little") + size.to_bytes(4, "little") + bytes([1, kind])
        return head + bytes(20) + len(masks).to_bytes(2, "little") + groups

    data = b"".join(core(1, (0b11 << 2 * n, 0)) for n in range(4))
    data += b"".join(core(0, (1 << 8 + n, 0)) for n in range(8))
    rows = parse_cores(data)
    assert sorted(rows, reverse=True) == [(1, 2)] * 4 + [(0, 1)] * 8
    assert parse_cores(data[:-3])[:-1] == rows[:-1]
    assert parse_cores(b"\0" * 64) == []
    assert parse_cores(core(0, (3, 0), (3, 1))) == [(0, 4)]
