"""Records of kernels: read however they are broken, judged by what is left, told without harm."""

from __future__ import annotations

import json
import os
import struct
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omp_magic.errors import ParseError
from omp_magic.facts.deaths import Death, Deaths
from omp_magic.facts.libraries import Finding, Gap
from omp_magic.facts.remains import Frame, Kills, LastCell, LastFigures, Loaded, Remains
from omp_magic.formats.faults import parse_faults
from omp_magic.formats.memoryfiles import parse_oom_kills
from omp_magic.formats.records import parse_record
from omp_magic.inquest import asked_about, deaths_in
from omp_magic.jupyter.postmortems import asked, tell_of
from omp_magic.knowledge.lastlines import LAST_LINES, SIGNALS, last_line_in
from omp_magic.machine import Machine
from omp_magic.machine.python import recordfile as layout
from omp_magic.machine.python.recordfile import RecordFile
from omp_magic.machine.python.recordreading import is_held
from omp_magic.probes.deaths import MOST_RECORDS, probe_began, probe_boot, remove_old
from omp_magic.probes.remains import mark_of
from omp_magic.rules.deaths import judge_death
from omp_magic.views import postmortem
from omp_magic.views.postmortem_words import told_line, when
from omp_magic.views.renderers import deaths_renderers

CELL = LastCell(number=7, began_s=1000.0)
KERNEL = Remains(kernel="k", pid=42, began_s=900.0, last_s=1060.0, cell=CELL, exited=(False, None))
ERROR15 = (
    "OMP: Error #15: Initializing libomp.so, but found libiomp5.so already initialized.",
    "OMP: Hint This means that multiple copies of the OpenMP runtime have been linked in.",
)
FINDING = Finding(
    code="OMP101",
    severity="error",
    title="This kernel will die at the first call of pyomp",
    why="why",
    evidence=("libomp.so: not started, /x/libomp.so",),
    remedies=("Load Intel's first: import ctypes",),
    source="https://example.org",
)


def record(**parts: Any) -> bytes:
    """Give a record's bytes: its identity and what else is named."""
    data = bytearray(layout.FAULT_AT)
    data[: len(layout.MAGIC)] = layout.MAGIC
    cell = (*parts.pop("cell", (0, 0.0, 0.0, 0)), parts.pop("lines_at", 0))
    _put(data, layout.CELL_AT, layout.CELL.pack(*cell))
    identity = {"pid": 42, "kernel": "k", "armed": True, **parts.pop("identity", {})}
    _put(data, layout.IDENTITY_AT, layout.packed(json.dumps(identity).encode()))
    for number, seen in enumerate(parts.pop("seen", ()), 1):
        part = layout.packed(json.dumps(seen).encode(), number)
        _put(data, layout.SEEN_AT[number % 2], part)
    came = 0
    for piece in parts.pop("pieces", ()):
        _put(data, layout.LINES_AT, layout.LINES.pack(came))
        for number, byte in enumerate(piece.ljust(layout.READ_BYTES, b"\0"), came):
            data[layout.RING_AT + number % layout.RING_BYTES] = byte
        came += len(piece)
    fault = str(parts.pop("fault", ""))
    assert not parts
    return bytes(data) + fault.encode()


def _put(data: bytearray, at: int, part: bytes) -> None:
    data[at : at + len(part)] = part


def test_the_newer_part_that_is_whole_counts() -> None:
    data = bytearray(record(seen=[{"doing": "import a"}, {"doing": "import b"}]))
    assert parse_record(bytes(data)).seen == {"doing": "import b"}
    data[layout.SEEN_AT[0] + 20] ^= 1  # the kernel died while it wrote the second one
    assert parse_record(bytes(data)).seen == {"doing": "import a"}
    data[layout.SEEN_AT[1] + 20] ^= 1
    assert parse_record(bytes(data)).seen == {}


def test_the_end_of_stderr_is_put_together_whatever_it_came_in() -> None:
    whole = "".join(f"{number}\n" for number in range(4000))
    for size in (1, 7, 997, layout.READ_BYTES):
        pieces = [whole[at : at + size].encode() for at in range(0, len(whole), size)]
        lines = parse_record(record(pieces=pieces)).lines
        assert whole.endswith(lines)
        assert len(lines) > layout.RING_BYTES - layout.READ_BYTES
    # What C++ writes of an exception comes in six pieces.
    pieces = [b"terminate called after throwing an instance of '", b"std::bad_alloc", b"'\n"]
    pieces += [b"  what():  ", b"std::bad_alloc", b"\n"]
    assert last_line_in(parse_record(record(pieces=pieces)).lines) is not None
    assert parse_record(record(pieces=[b"\xff one"])).lines == "\N{REPLACEMENT CHARACTER} one"


def test_what_was_written_before_the_cell_is_not_its_last_word() -> None:
    pieces = [b"OMP: Error #15: of a child\n", b"of the cell\n"]
    found = parse_record(record(pieces=pieces, lines_at=len(pieces[0])))
    assert found.lines == "of the cell\n"
    assert parse_record(record(pieces=pieces[:1], lines_at=len(pieces[0]))).lines == ""
    assert parse_record(record(pieces=pieces, lines_at=-5)).lines == b"".join(pieces).decode()


@given(st.binary(max_size=300), st.integers(0, layout.FAULT_AT), st.booleans())
def test_whatever_a_record_holds_it_is_read_or_refused(junk: bytes, at: int, cut: bool) -> None:
    whole = bytearray(record(cell=(3, 1.0, 0.0, 0), seen=[{"findings": [1]}], fault="Fatal"))
    whole[at : at + len(junk)] = junk
    try:
        found = parse_record(bytes(whole[: at + 1] if cut else whole))
    except ParseError:
        assert not bytes(whole).startswith(layout.MAGIC) or cut
    else:
        assert isinstance(found.identity, dict)


FAULTS = {
    "3.11": (
        "Fatal Python error: Segmentation fault\n\n"
        "Thread 0x00007f2b7e7fc6c0 (most recent call first):\n"
        '  File "/x/threading.py", line 324 in wait\n\n'
        "Current thread 0x00007f2b8a1b9740 (most recent call first):\n"
        '  File "/x/ctypes/__init__.py", line 519 in string_at\n'
        '  File "/tmp/ipykernel_1/2735941002.py", line 1 in <module>\n'
        "  ...\n\n"
        "Extension modules: zmq.backend.cython._zmq, tornado.speedups (total: 2)\n"
    ),
    "3.14": (
        "Fatal Python error: Segmentation fault\n\n"
        "Current thread 0x00007fb899f39700 [python] (most recent call first):\n"
        "  Garbage-collecting\n"
        '  File "/x/ctypes/__init__.py", line 519 in string_at\n'
        '  File "<stdin>", line ??? in <module>\n\n'
        "Current thread's C stack trace (most recent call first):\n"
        '  Binary file "/usr/bin/python3.14", at _Py_DumpStack+0x42 [0x5b27f7d7147e]\n'
        '  Binary file "/usr/lib/libc.so.6", at +0x3def0 [0x77b73226bef0]\n'
        "  <truncated rest of calls>\n"
    ),
    "without a GIL": (
        "Fatal Python error: Segmentation fault\n\n"
        "<Cannot show all threads while the GIL is disabled>\n"
        "Stack (most recent call first):\n"
        '  File "/x/ctypes/__init__.py", line 519 in string_at\n'
    ),
    "Windows": (
        "Windows fatal exception: access violation\n\n"
        "Current thread 0x00001abc (most recent call first):\n"
        '  File "C:\\x\\ctypes\\__init__.py", line 519 in string_at\n'
    ),
}
"""As the documentation of faulthandler and CPython's Lib/test/test_faulthandler.py show them."""


@pytest.mark.parametrize("version", FAULTS)
def test_a_fault_of_each_python_is_read(version: str) -> None:
    found = parse_faults(f"an earlier line\n{FAULTS[version]}")
    assert found is not None
    assert found.error in SIGNALS
    assert found.stack[0].function == "string_at"
    assert found.stack[0].line == 519
    assert (found.c_stack != ()) == (version == "3.14")
    if version == "3.14":
        assert found.stack[1].line == 0
        assert found.c_stack[1][0] == "/usr/lib/libc.so.6"
    for length in range(len(FAULTS[version])):
        parse_faults(FAULTS[version][:length])  # a disk that was full
    assert parse_faults("no fault here") is None


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        (ERROR15[0], "OMP101", "Error #15 in cell 7: libomp.so against libiomp5.so"),
        (
            "mkl-service: MKL_THREADING_LAYER=INTEL is incompatible with libgomp.so.1 library.",
            "OMP104",
            "beside libgomp.so.1",
        ),
        (
            "Terminating: Nested parallel kernel launch detected, the workqueue threading layer is",
            "OMP212",
            "two threads were in its workqueue",
        ),
        (
            "Numba workqueue threading layer is terminating: Concurrent access has been detected.",
            "OMP212",
            "two threads were in its workqueue",
        ),
        (
            "libgomp: Thread creation failed: Resource temporarily unavailable",
            "OMP210",
            "could not start a thread: Resource temporarily unavailable",
        ),
        (
            "INTEL MKL ERROR: /x/libmkl_tbb_thread.so.2: undefined symbol: f.",
            "",
            "was ended by MKL in cell 7: /x/libmkl_tbb_thread.so.2",
        ),
        ("terminate called after throwing an instance of 'std::bad_alloc'", "", "std::bad_alloc"),
        ("free(): invalid pointer", "", "damaged memory in cell 7: free(): invalid pointer"),
        ("malloc(): corrupted top size", "", "damaged memory"),
        ("double free or corruption (out)", "", "double free or corruption (out)"),
        ("corrupted size vs. prev_size", "", "corrupted size vs. prev_size"),
    ],
)
def test_the_last_line_of_a_runtime_says_it(line: str, code: str, said: str) -> None:
    death = judge_death(replace(KERNEL, lines=("a warning of before", line), error="Aborted"))
    assert (death.code, death.cause, death.sure) == (code, "runtime", True)
    assert said in death.headline
    assert f"stderr: {line}" in death.evidence
    assert not code or death.remedies


@pytest.mark.parametrize(
    "line",
    [
        "libgomp: Invalid value for environment variable OMP_NUM_THREADS: x",
        "OMP: Info #276: omp_set_nested routine deprecated",
        "OMP: Warning #96: Cannot form a team with 8 threads, using 4 instead.",
        "OpenBLAS warning: precompiled NUM_THREADS exceeded, adding auxiliary array",
        "I can use malloc in my own words",
    ],
)
def test_a_warning_ends_nothing(line: str) -> None:
    assert last_line_in(line) is None


def test_each_row_has_a_sentence_that_can_be_made() -> None:
    for row in LAST_LINES:
        groups = ("x",) * row.pattern.groups
        assert "in cell 7" in row.told.format(*groups, cell=" in cell 7")


def test_libraries_are_told_by_who_brought_them_and_the_remedy_is_that_kernels() -> None:
    loaded = (
        Loaded(file="libiomp5.so", whose="mkl", started=True),
        Loaded(file="libomp.so", whose="pyomp", coming=True),
    )
    death = judge_death(
        replace(KERNEL, lines=ERROR15, error="Aborted", loaded=loaded, findings=(FINDING,))
    )
    assert death.headline == (
        "died of Error #15 in cell 7: libomp.so of pyomp against libiomp5.so of mkl"
    )
    assert death.remedies == FINDING.remedies
    assert "signal: SIGABRT" in death.evidence


def test_a_lost_line_is_inferred_from_what_was_foreseen() -> None:
    death = judge_death(replace(KERNEL, error="Aborted", findings=(FINDING,)))
    assert (death.code, death.sure) == ("OMP101", False)
    assert "most likely" in death.headline
    finding = replace(FINDING, code="OMP104", title="Importing mkl will end this kernel")
    by_exit = judge_death(replace(KERNEL, exited=(True, 1), findings=(finding,)))
    assert (by_exit.code, by_exit.sure) == ("OMP104", False)
    other = judge_death(replace(KERNEL, exited=(True, 7), findings=(finding,)))
    assert "C's exit with 7" in other.headline


def test_the_innermost_call_is_told() -> None:
    frames = (
        Frame(file="/x/ctypes/__init__.py", line=519, function="string_at"),
        Frame(file="/tmp/ipykernel_1/2.py", line=1, function="<module>"),
    )
    death = judge_death(replace(KERNEL, error="Segmentation fault", stack=frames))
    assert death.headline == (
        "died of SIGSEGV in cell 7, in string_at (ctypes/__init__.py, line 519)"
    )
    own = judge_death(replace(KERNEL, error="Segmentation fault", stack=frames[1:]))
    assert own.headline.endswith("in line 1 of the cell")
    behind = judge_death(
        replace(KERNEL, error="Segmentation fault", findings=(replace(FINDING, code="OMP102"),))
    )
    assert behind.code == "OMP102"
    assert "Known to do so" in behind.why


KILLED = (Kills(where="/pod", before=0, after=1, limit_bytes=200_000_000),)
FIGURES = LastFigures(at_s=1058.0, rss_bytes=190_000_000, threads=9, cpus=0.01)


@pytest.mark.parametrize(
    ("changes", "cause", "said", "notable"),
    [
        ({"kills": KILLED}, "memory", "almost surely killed by the memory killer", True),
        (
            {"kills": (Kills(where="", before=3, after=5),)},
            "memory",
            "most likely killed by the memory killer in cell 7: the machine's memory",
            True,
        ),
        (
            {"shutdown_s": 1062.0, "restarting": True, "figures": FIGURES, "kills": KILLED},
            "restart",
            "was restarted while cell 7 had run for 62 s, and waited: it used no CPU",
            True,
        ),
        ({"shutdown_s": 4700.0}, "restart", "was shut down while cell 7 had run for 1 h 2", True),
        ({"same_boot": False}, "machine", "ended with its machine in cell 7, or before that", True),
        ({}, "unknown", "without a trace in cell 7, which had run for 60 s at least", True),
        (
            {"cell": replace(CELL, ended_s=1001.0)},
            "unknown",
            "ended without a trace after cell 7",
            False,
        ),
        (
            {"cell": replace(CELL, ended_s=1001.0), "shutdown_s": 1062.0},
            "restart",
            "was shut down, and did not end in time",
            False,
        ),
        ({"cell": None}, "unknown", "ended without a trace", False),
    ],
)
def test_without_a_trace_the_evidence_decides(
    changes: dict[str, Any], cause: str, said: str, notable: bool
) -> None:
    death = judge_death(replace(KERNEL, **changes))
    assert (death.cause, death.notable) == (cause, notable)
    assert said in death.headline


@pytest.mark.parametrize("error", ["", "Segmentation fault"])
def test_a_line_of_a_child_is_not_the_kernels(error: str) -> None:
    """A child has the same stderr: the line counts where the kernel ended as its writer does."""
    death = judge_death(replace(KERNEL, lines=ERROR15, error=error))
    assert death.cause == ("signal" if error else "unknown")
    assert f"stderr: {ERROR15[0]}" in death.evidence
    unseen = judge_death(replace(KERNEL, lines=ERROR15, signals_kept=False))
    assert (unseen.cause, unseen.sure) == ("runtime", False)
    assert "most likely" in unseen.headline


def test_where_a_signal_would_not_be_seen_none_is_ruled_out() -> None:
    death = judge_death(replace(KERNEL, signals_kept=False, exited=None))
    assert "Here a signal or an exit in C would have left none either" in death.why
    assert "would have left none either" not in judge_death(KERNEL).why


def test_the_machines_memory_is_not_blamed_where_the_kernels_group_lost_nobody() -> None:
    kills = (Kills(where="/pod", before=2, after=2), Kills(where="", before=3, after=5))
    assert judge_death(replace(KERNEL, kills=kills)).cause == "unknown"
    gone = (replace(kills[0], after=None), kills[1])
    assert judge_death(replace(KERNEL, kills=gone)).cause == "memory"


def test_what_did_not_count_is_not_taken_for_zero() -> None:
    unknown = (Kills(where="/pod", before=0, after=None),)
    assert "is not known here" in judge_death(replace(KERNEL, kills=unknown)).why
    still = (Kills(where="/pod", before=2, after=2),)
    assert "did not move" in judge_death(replace(KERNEL, kills=still)).why


def test_a_known_hang_is_told_with_its_remedy() -> None:
    finding = replace(FINDING, code="OMP103", title="This kernel will hang")
    death = judge_death(replace(KERNEL, shutdown_s=1010.0, findings=(finding,)))
    assert death.code == "OMP103"
    assert death.remedies == finding.remedies


def test_counters_of_the_memory_killer() -> None:
    v1 = "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n"
    assert parse_oom_kills("memory.oom_control", v1) == 3
    assert parse_oom_kills("memory.events", "low 0\noom 7\noom_kill 2\noom_group_kill 0\n") == 2
    with pytest.raises(ParseError):
        parse_oom_kills("memory.oom_control", "oom_kill_disable 0\nunder_oom 0\n")


HOSTILE = "\x1b[31m<script>alert(1)</script>\n\u202e.ipynb"


def _hostile() -> Death:
    return judge_death(
        replace(
            KERNEL,
            notebook=f"/home/{HOSTILE}",
            lines=(f"terminate called after throwing an instance of '{HOSTILE[:20]}'", HOSTILE),
            error="Aborted",
            stack=(Frame(file=HOSTILE, line=1, function=HOSTILE),),
            cell=replace(CELL, text=HOSTILE),
            loaded=(Loaded(file=HOSTILE, whose=HOSTILE),),
            gaps=(Gap(what=HOSTILE, why=HOSTILE),),
        )
    )


def test_what_comes_from_outside_is_escaped_in_every_view() -> None:
    Deaths.renderers.update(deaths_renderers)
    found = Deaths(deaths=(_hostile(), _hostile()), gaps=(Gap(what=HOSTILE, why=HOSTILE),))
    html = postmortem.render_html(found)
    assert "<script>" not in html
    for text in (html, str(found), told_line(found.deaths[0])):
        assert "\x1b" not in text
        assert "\u202e" not in text
    assert "\n" not in told_line(found.deaths[0])
    assert json.loads(found.to_json())["deaths"][0]["cell"]["text"] == HOSTILE


def test_what_is_not_known_has_no_green_edge() -> None:
    Deaths.renderers.update(deaths_renderers)
    for cause, edge in (("unknown", "omp-u"), ("restart", "omp-u"), ("signal", "omp-e")):
        death = replace(judge_death(KERNEL), cause=cause)
        html = postmortem.render_html(Deaths(deaths=(death,)))
        assert f'class="omp-magic {edge}"' in html


def test_a_day_is_told_when_it_is_not_today() -> None:
    assert len(when(1000.0, 1060.0)) == len("14:03:05")
    assert when(1000.0, 10 * 86400.0).startswith("1970-01-01 ")


def _written(folder: Path, name: str, data: bytes) -> Path:
    path = folder / f"{layout.PREFIX}{name}{layout.SUFFIX}"
    path.write_bytes(data)
    path.chmod(0o600)
    return path


def _in(folder: Path) -> Deaths:
    return deaths_in(Machine.here(), str(folder))


def test_links_garbage_and_folders_are_no_records_and_are_not_followed(tmp_path: Path) -> None:
    good = _written(tmp_path, "a", record(cell=(7, 1000.0, 0.0, 0), fault=FAULTS["3.11"]))
    aside = tmp_path / "aside"
    aside.write_bytes(good.read_bytes())
    (tmp_path / f"{layout.PREFIX}b{layout.SUFFIX}").symlink_to(aside)
    (tmp_path / f"{layout.PREFIX}c{layout.SUFFIX}").mkdir()
    _written(tmp_path, "d", b"")
    _written(tmp_path, "e", os.urandom(3000))
    _written(tmp_path, "f", layout.MAGIC)
    found = _in(tmp_path)
    assert [each.remains.record for each in found.deaths] == [str(good)]
    assert len(found.gaps) == 5
    assert found.deaths[0].headline.startswith("died of SIGSEGV in cell 7")


def test_another_users_record_is_refused(tmp_path: Path) -> None:
    path = _written(tmp_path, "a", record())
    try:
        os.chown(path, 12345, 12345)
    except PermissionError:
        pytest.skip("only root can give a file away")
    assert _in(tmp_path).deaths == ()
    assert "another user" in _in(tmp_path).gaps[0].why


def test_a_number_that_another_process_has_now_is_not_taken_for_the_kernel(tmp_path: Path) -> None:
    machine = Machine.here()
    began, boot = probe_began(machine, os.getpid()), probe_boot(machine)
    if not (began and boot):
        pytest.skip("this system tells of neither")
    living = {"pid": os.getpid(), "process": began, "boot": boot}
    path = _written(tmp_path, "a", record(identity=living))
    assert _in(tmp_path).deaths == ()
    path.write_bytes(record(identity={**living, "process": began - 1}))
    assert len(_in(tmp_path).deaths) == 1
    path.write_bytes(record(identity={**living, "boot": "another"}))
    assert [each.cause for each in _in(tmp_path).deaths] == ["machine"]


def test_what_is_killed_after_the_first_look_is_not_this_kernels(tmp_path: Path) -> None:
    root, folder = tmp_path / "root", tmp_path / "runtime"
    folder.mkdir()
    boot, counts = root / "proc/sys/kernel/random/boot_id", root / "proc/vmstat"
    boot.parent.mkdir(parents=True)
    boot.write_text("b")
    counts.write_text("oom_kill 7\n")
    data = bytearray(record(identity={"boot": "b"}, cell=(3, 1000.0, 0.0, 0)))
    part = layout.packed(json.dumps({"groups": [], "machine": 7}).encode())
    data[layout.MEMORY_AT : layout.MEMORY_AT + len(part)] = part
    _written(folder, "a", bytes(data))

    def looked() -> Death:
        (death,) = asked_about(deaths_in(Machine(root=str(root)), str(folder))).deaths
        return death

    assert (looked().cause, looked().remains.kills[0].after) == ("unknown", 7)
    counts.write_text("oom_kill 8\n")
    assert (looked().cause, looked().remains.kills[0].after) == ("unknown", 7)
    (death,) = deaths_in(Machine(root=str(root)), str(folder)).deaths
    assert death.remains.asked
    _written(folder, "a", bytes(data))  # nobody had looked before
    assert looked().cause == "memory"


def test_an_exit_in_c_is_read_from_the_mode_of_its_mark(tmp_path: Path) -> None:
    path = _written(tmp_path, "a", record(identity={"mark": "mode"}))
    mark = Path(mark_of(str(path)))
    assert _in(tmp_path).deaths[0].remains.exited is None  # somebody removed it
    mark.touch(0o600)
    mark.chmod(0o600)
    assert _in(tmp_path).deaths[0].remains.exited == (False, None)
    mark.chmod(0o003)
    assert _in(tmp_path).deaths[0].remains.exited == (True, 3)


def test_an_exit_before_the_last_cell_was_a_childs(tmp_path: Path) -> None:
    later = time.time() + 60
    path = _written(tmp_path, "a", record(identity={"mark": "mode"}, cell=(3, later, 0.0, 0)))
    mark = Path(mark_of(str(path)))
    mark.touch()
    mark.chmod(0o005)
    assert _in(tmp_path).deaths[0].remains.exited == (False, None)


def test_a_kernel_of_another_machine_may_live_and_one_of_another_name_may_not(
    tmp_path: Path,
) -> None:
    here = probe_boot(Machine.here())
    away = _written(tmp_path, "a", record(identity={"host": "another", "boot": "other"}))
    assert _in(tmp_path).deaths == ()
    assert "ran on another machine" in _in(tmp_path).gaps[0].why
    found = deaths_in(Machine.here(), str(tmp_path), kernel="k")  # started anew, elsewhere
    assert [each.cause for each in found.deaths] == ["unknown"]
    if here:  # a container before it was made anew
        away.write_bytes(record(identity={"host": "another", "boot": here}))
        assert len(_in(tmp_path).deaths) == 1


@pytest.mark.parametrize(
    ("asking", "left", "own"),
    [
        ({"kernel": "k"}, {"kernel": "k", "notebook": "a", "folder": "/x"}, True),
        ({"kernel": "k", "notebook": "b"}, {"kernel": "k", "host": "another"}, True),
        ({"kernel": "l", "notebook": "/a"}, {"kernel": "k", "notebook": "/a"}, True),
        ({"kernel": "l", "notebook": "/a"}, {"notebook": "/a", "host": "another"}, False),
        ({"kernel": "l", "notebook": "a"}, {"notebook": "a", "folder": "/x"}, True),
        ({"kernel": "l", "notebook": "a"}, {"notebook": "a", "folder": "/y"}, False),
        ({"kernel": "l", "notebook": "/b"}, {"kernel": "k", "notebook": "/a"}, False),
        ({"kernel": "l"}, {"kernel": "k", "notebook": ""}, False),
    ],
)
def test_a_kernel_asks_of_its_own_notebook(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    asking: dict[str, str],
    left: dict[str, str],
    own: bool,
) -> None:
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path))
    identity = {"kernel": "", "boot": "", **left}
    name = layout.name_of(identity["kernel"], left.get("notebook", ""), 1.0, 42)
    (tmp_path / name).write_bytes(record(identity=identity))
    who = SimpleNamespace(**{"kernel": "", "notebook": "", "folder": "/x", "path": "", **asking})
    assert len(asked(who, everything=False).deaths) == own


def test_each_kernel_of_a_notebook_tells_of_the_one_before_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for kernel, number in (("k", 3), ("l", 4)):
        identity = {"kernel": kernel, "notebook": "/a"}
        data = record(identity=identity, cell=(number, 1.0, 0.0, 0), fault=FAULTS["3.11"])
        (tmp_path / layout.name_of(kernel, "/a", 1.0, number)).write_bytes(data)
    names = [each.name for each in tmp_path.iterdir()]
    for kernel, number in (("k", 3), ("l", 4), ("k", 0)):
        own = str(tmp_path / "own")
        tell_of(SimpleNamespace(kernel=kernel, notebook="/a", folder="/x", path=own), names)
        said = capsys.readouterr().err
        assert (f"died of SIGSEGV in cell {number}, " in said) if number else not said


def test_of_much_garbage_little_is_told(tmp_path: Path) -> None:
    for number in range(200):
        _written(tmp_path, f"{number}", b"junk")
    os.mkfifo(tmp_path / f"{layout.PREFIX}fifo{layout.SUFFIX}")
    found = _in(tmp_path)
    assert len(found.gaps) == 6
    assert found.gaps[-1].why == "196 more cannot be read"


def test_who_asks_whether_a_record_is_held_is_not_taken_for_its_owner(
    tmp_path: Path, python: Any
) -> None:
    path = _written(tmp_path, "a", record())
    fd = os.open(path, os.O_RDWR)
    try:
        assert not is_held(fd)
        code = "from omp_magic.machine.python.recordreading import is_held; import os, sys; "
        code += "print(is_held(os.open(sys.argv[1], os.O_RDWR)))"
        assert python(code, str(path)).out == "False\n"
    finally:
        os.close(fd)


def test_records_are_kept_to_a_number_and_an_age(tmp_path: Path) -> None:
    for number in range(MOST_RECORDS + 5):
        path = _written(tmp_path, f"{number:02}", record())
        os.utime(path, (2e9 + number, 2e9 + number))
    os.utime(path, (1000.0, 1000.0))
    remove_old(str(tmp_path))
    left = sorted(each.name for each in tmp_path.iterdir())
    assert len(left) == MOST_RECORDS
    assert left[0] == f"{layout.PREFIX}04{layout.SUFFIX}"


def test_a_record_is_its_owners_alone_and_nothing_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "record"
    file = RecordFile(str(path))
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(FileExistsError):
        RecordFile(str(path))
    os.close(file.fd)
    other = os.open(tmp_path / "other", os.O_CREAT | os.O_RDWR)
    try:
        with pytest.raises(OSError, match=r"was closed|Bad file"):
            file.size_bytes()
        file.remove(ending=False)
        assert not path.exists()
        os.fstat(other)  # it has that number now, perhaps, and is still open
    finally:
        os.close(other)


def test_a_record_stays_short_whatever_is_written_at_its_end(tmp_path: Path) -> None:
    file = RecordFile(str(tmp_path / "record"))
    file.put(99, b"\0")
    fd = file.appended(100)
    os.write(fd, b"x" * 50)
    assert file.end_bytes(100, 200) == 150
    os.write(fd, b"x" * 51)
    assert file.end_bytes(100, 200) == 100
    os.write(fd, b"new")
    assert file.get(100, 10) == b"new"
    file.remove(ending=False)


def test_the_layout_has_no_parts_that_overlap() -> None:
    parts = [
        (0, len(layout.MAGIC)),
        (layout.CELL_AT, layout.CELL.size),
        (layout.TOLD_AT, 1),
        (layout.ASKED_AT, 1),
        (layout.SHUTDOWN_AT, layout.SHUTDOWN.size),
        (layout.FIGURES_AT, layout.FIGURES.size),
        (layout.LINES_AT, layout.LINES.size),
        (layout.TEXT_AT, layout.TEXT_BYTES),
        (layout.IDENTITY_AT, layout.IDENTITY_BYTES),
        (layout.MEMORY_AT, layout.MEMORY_BYTES),
        (layout.RING_AT, layout.RING_BYTES),
        *((at, layout.SEEN_BYTES) for at in layout.SEEN_AT),
        (layout.FAULT_AT, 1),
    ]
    ends = [0, *(at + size for at, size in parts)]
    assert all(at >= end for (at, _), end in zip(parts, ends, strict=False))
    assert layout.SEEN_AT[0] >= layout.MAP_BYTES
    assert struct.calcsize("d") == 8
