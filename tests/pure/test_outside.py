"""What a process shows from outside: parsers, the words of a command line, hangs, tables."""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from facts_for_tests import library, snapshot
from live import LINUX

from omp_magic.cli.top import _page
from omp_magic.errors import ParseError, ProcessError
from omp_magic.facts.kernels import Kernel, Kernels
from omp_magic.facts.libraries import Gap
from omp_magic.facts.outside import Frame, Outside, Wait
from omp_magic.facts.processes import ThreadOwner
from omp_magic.formats.callsites import ends_in_call
from omp_magic.formats.commandline import kernel_of, split_command
from omp_magic.formats.elfsymbols import ElfSymbols
from omp_magic.formats.jupyterfiles import parse_server, parse_sessions
from omp_magic.formats.procfs import parse_maps, parse_stat
from omp_magic.formats.procstatus import inside, parse_id_map, parse_status
from omp_magic.knowledge.commands import shown_command
from omp_magic.machine import Machine
from omp_magic.machine.linux.elsewhere import Elsewhere
from omp_magic.machine.linux.namespaces import own_numbers
from omp_magic.machine.macos.others import MacOthers
from omp_magic.machine.port import others as port
from omp_magic.machine.windows.others import WindowsOthers
from omp_magic.outside.kernels import ORDERS, ordered
from omp_magic.outside.process import number_of
from omp_magic.outside.servers import is_own_host
from omp_magic.probes.others import _PYTHON
from omp_magic.rules import judge
from omp_magic.views.html import render_html
from omp_magic.views.outside import main_wait_of, who_of
from omp_magic.views.plain import joined
from omp_magic.views.text import render_text
from omp_magic.views.top import layout, summary
from omp_magic.views.words import DASH

LINUX_ALONE = pytest.mark.skipif(not LINUX, reason="files of this system's C library")


def _libc() -> tuple[bytes, int]:
    """Give the C library that this process has mapped, and where."""
    with open("/proc/self/maps", encoding="utf-8") as file:
        mapped = parse_maps(file.read())
    (libc,) = (each for each in mapped if each.file_name.startswith("libc.so"))
    with open(libc.path, "rb") as opened:
        return opened.read(), libc.starts[0]


@LINUX_ALONE
def test_symbols_lie_where_the_loader_finds_them() -> None:
    data, base = _libc()
    symbols, here = ElfSymbols(data), ctypes.CDLL(None)
    functions = symbols.functions()
    for name in ("getpid", "dlopen", "environ", "pthread_create"):
        address = ctypes.cast(getattr(here, name), ctypes.c_void_p).value
        offset = symbols.address(name)
        assert offset is not None
        if name != "environ":  # the program has a copy of its own
            assert base + offset == address
            assert functions.at(offset) in (name, f"__{name}", f"_{name}")
    assert symbols.address("omp_get_max_threads") is None
    assert symbols.address("") is None


@LINUX_ALONE
def test_a_broken_file_has_no_symbols() -> None:
    data, _ = _libc()
    for wrong in (b"", b"MZ" + data[2:], data[:4] + b"\x01" + data[5:], data[:64], data[:4096]):
        with pytest.raises(ParseError):
            ElfSymbols(wrong)
    for size in range(8192, len(data), len(data) // 20):
        try:
            found = ElfSymbols(data[:size])
        except ParseError:
            continue
        found.address("getpid")
        found.functions()
    torn = bytearray(data)
    for at in range(0, len(torn), 97):
        torn[at] ^= 0xFF
    with contextlib.suppress(ParseError):
        ElfSymbols(bytes(torn)).functions()


def test_what_lies_behind_a_call_is_where_it_returns_to() -> None:
    calls = {
        "e8 10 00 00 00": True,  # call rel32
        "ff d0": True,  # call rax
        "41 ff d4": True,  # call r12
        "ff 15 00 10 00 00": True,  # call [rip + 0x1000]
        "ff 54 24 08": True,  # call [rsp + 8]
        "ff e0": False,  # jmp rax
        "48 89 c3": False,
    }
    for code, is_call in calls.items():
        before = bytes.fromhex(code).rjust(8, b"\x90")
        assert ends_in_call(before, "x86_64") is is_call, code
    assert ends_in_call(struct.pack("<2I", 0, 0x94000010), "aarch64")  # bl
    assert ends_in_call(struct.pack("<2I", 0, 0xD63F0100), "aarch64")  # blr x8
    assert not ends_in_call(struct.pack("<2I", 0, 0xD65F03C0), "aarch64")  # ret
    assert not ends_in_call(b"\xe8", "x86_64")
    assert ends_in_call(b"", "s390x"), "not known there: it is not left out"


STATUS = """\
Name:\tpython\\n
State:\tS (sleeping)
Tgid:\t120
Pid:\t123
NSpid:\t123\t7
Uid:\t1000\t1001\t1000\t1001
"""


def test_who_a_process_is() -> None:
    status = parse_status(STATUS)
    assert (status.name, status.state, status.process) == ("python\\n", "S", 120)
    assert (status.users, status.numbers) == ((1000, 1001, 1000, 1001), (123, 7))
    assert parse_status(STATUS.replace("NSpid", "X")).numbers == ()
    for wrong in ("", STATUS.replace("Uid", "x"), STATUS.replace("120", "many")):
        with pytest.raises(ParseError):
            parse_status(wrong)
    rows = parse_id_map("         0     100000      65536\nnonsense\n")
    assert (inside(100005, rows), inside(5, rows), inside(5, ())) == (5, 5, 5)


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (["/opt/py/bin/python3.12", "-u", "-X", "dev", "a/b.py", "--key=k"], "python3.12 b.py"),
        (["python", "-Im", "gunicorn", "app:app", "--bind", "s3cret"], "python -m gunicorn"),
        (["python", "-mhttp.server", "80"], "python -m http.server"),
        (["python", "-Wignore", "-c", "s3cret()"], "python -c …"),
        (["python", "-W", "s3cret"], "python"),
        (["python"], "python"),
        (["gunicorn: worker [s3cret]"], "gunicorn:"),
        (["postgres: me s3cret 10.0.0.1(5) idle", "", ""], "postgres:"),
        (["C:\\Python\\pythonw.exe", "C:\\app\\main.py", "s3cret"], "pythonw.exe main.py"),
        (["mysql", "-ps3cret"], "mysql"),
        ([], "kworker"),
        ([""], "kworker"),
    ],
)
def test_of_a_command_line_the_program_and_the_script_alone_are_shown(
    words: list[str], shown: str
) -> None:
    told = shown_command(words, "kworker")
    assert told == shown
    assert "s3cret" not in told


def test_a_command_line_of_windows() -> None:
    text = '"C:\\Program Files\\python.exe" -m ipykernel -f "C:\\a b\\kernel-7.json"'
    assert kernel_of(split_command(text)) == "7"


def test_jupyters_files_and_answers() -> None:
    server = parse_server('{"url": "http://localhost:8888/lab", "pid": 7, "token": "s3cret"}')
    assert (server.url, server.token) == ("http://localhost:8888/lab/", "s3cret")
    assert "s3cret" not in repr(server) + str(server)
    for wrong in ("", "[]", "{}", '{"url": 1, "pid": 7}', '{"url": "http://x"}'):
        with pytest.raises(ParseError):
            parse_server(wrong)
    text = """[{"path": "a.ipynb", "type": "notebook",
                "kernel": {"id": "1", "execution_state": "busy"}},
               {"notebook": {"path": "old.ipynb"}, "kernel": {"id": "2"}},
               {"kernel": null}, {"kernel": {"id": 3}}, 7, {}]"""
    rows = [(each.kernel_id, each.path, each.kind, each.state) for each in parse_sessions(text)]
    assert rows == [("1", "a.ipynb", "notebook", "busy"), ("2", "old.ipynb", "", "")]
    for wrong in ("", "{}", "<html>"):
        with pytest.raises(ParseError):
            parse_sessions(wrong)
    v4 = "--f=/run/user/7/jupyter/runtime/kernel-v35adcf7aa8aac.json"
    assert kernel_of(["python", "-m", "ipykernel_launcher", v4]) == "v35adcf7aa8aac"
    assert kernel_of(["vim", "notkernel-7.json", "kernel-7.json.bak", "/a/kernel-.json"]) is None
    python = ("python", "-Xfrozen_modules=off")
    for words in (
        ("-m", "ipykernel_launcher", "-f", "/tmp/tmpx1.json"),
        ("-mipykernel", "--debug", "-f", "/tmp/tmpx1.json"),
        ("-m", "ipykernel", "-f=/tmp/tmpx1.json"),
        ("/env/ipykernel_launcher.py", "--f=C:\\a\\tmpx1.json"),
        ("-m", "ipykernel_launcher", "--IPKernelApp.connection_file=tmpx1.json"),
    ):
        assert kernel_of((*python, *words)) == "tmpx1"
    for words in (
        ("-m", "ipykernel", "install", "--user"),
        ("-m", "ipykernel_launcher", "-f"),
        ("-f", "x.json", "-m", "ipykernel"),
        ("-m", "my_ipykernel", "-f", "x.json"),
        ("tool.py", "-f", "x.json"),
    ):
        assert kernel_of((*python, *words)) is None
    names = {"0.0.0.0": True, "10.0.0.1": False, "": False, "localhost.evil.org": False}
    assert {name: is_own_host(name) for name in names} == names


def test_paths_of_a_process_lie_in_its_own_folder_of_proc() -> None:
    path = Elsewhere(os.getpid()).path
    assert path("/proc/self/status") == f"/proc/{os.getpid()}/status"
    assert path("/proc/self") == f"/proc/{os.getpid()}"
    assert path("/proc/selfish") == "/proc/selfish"
    assert path("/proc/self/mountinfo") == "/proc/self/mountinfo", "groups are seen from here"
    assert path("/usr/lib/x.so") == "/usr/lib/x.so"


GOMP = library("libgomp", owner="scikit-learn", num_threads=None, workers=0)
ON_STACK = (Frame(path=GOMP.path), Frame(path="/env/_k_means.so"), Frame(path="/libpython3.12.so"))
WAITS = Wait(tid=6536, state="S", owner="Python", call="futex", wchan="w", stack=ON_STACK)


def hung(wait: Wait = WAITS, **facts: Any) -> Any:
    outside = Outside(program="python a.py", parent=7, forked=True, age_s=130.0, waits=(wait,))
    given: dict[str, Any] = {"outside": outside, "libraries": (GOMP,), "thread_owners": ()}
    return snapshot(**{**given, **facts})


def _hangs(facts: Any) -> list[tuple[str, str]]:
    return [(each.code, each.severity) for each in judge(facts) if "hangs" in each.title]


def test_a_forked_process_hangs_where_it_waits_for_threads_that_it_lacks() -> None:
    assert _hangs(hung()) == [("OMP204", "error")]
    polars = "/env/lib/python3.12/site-packages/polars/polars.abi3.so"
    libc = Frame(path="/lib/libc.so.6")
    other = Wait(tid=6536, state="S", call="futex", stack=(libc, Frame(path=polars)))
    assert _hangs(hung(other, libraries=())) == [("OMP204", "error")]
    team = ThreadOwner(path=GOMP.path, package="scikit-learn", num_threads=1)
    alone = Outside(program="x", forked=False, waits=(WAITS,))
    blas = Wait(tid=1, state="S", call="futex", stack=(Frame(path="/env/libopenblas.so"),))
    for facts in (
        hung(thread_owners=(team,)),
        hung(thread_owners=None),
        hung(outside=alone),
        hung(outside=None),
        hung(blas),
        hung(Wait(tid=1, state="S", call="read", stack=ON_STACK)),
        hung(Wait(tid=1, state="S", call=None)),
        hung(Wait(tid=1, state="S", call="futex", stack=(libc,))),
    ):
        assert not _hangs(facts)


def test_a_child_of_a_process_with_a_team_is_warned_of_before_it_waits() -> None:
    idle = Outside(program="gunicorn:", parent=7, forked=True, left=(GOMP.path,))
    (found,) = judge(hung(outside=idle))
    assert (found.code, found.severity) == ("OMP204", "warning")
    assert found.title.startswith("This process will hang once it computes with GNU libgomp")
    assert found.remedies[0].endswith("(gunicorn without --preload)")
    assert not judge(hung(outside=replace(idle, left=("/other.so",))))
    (found,) = judge(hung(outside=replace(idle, waits=(WAITS,))))
    assert found.severity == "error", "once it hangs that alone is told"


def test_a_process_hangs_between_libomp_and_libiomp5_where_its_stack_has_both() -> None:
    first = library("libomp", owner="pyomp", serves=True)
    second = library("libiomp5", owner="mkl", idle=True, initialized=False, num_threads=None)
    stack = (Frame(path=first.path, function="__kmp_acquire_ticket_lock"), Frame(path=second.path))
    both = (first, second)
    spins = Wait(tid=6536, state="R", call="", stack=stack)
    assert _hangs(hung(spins, libraries=both)) == [("OMP103", "error")]
    for wait in (
        Wait(tid=1, state="R", stack=stack[:1]),
        Wait(tid=1, state="R", stack=stack[::-1]),
    ):
        facts = hung(wait, libraries=both)
        assert not _hangs(facts)
        (found,) = (each for each in judge(facts) if each.code == "OMP103")
        assert found.title.startswith("This process will hang")
    assert {each.code for each in judge(hung(spins, libraries=(first,)))}.isdisjoint({"OMP103"})


def test_the_words_of_a_process_seen_from_outside() -> None:
    evil = Wait(tid=6536, state="S", owner="\x1b[31m<b>", call="futex", stack=ON_STACK)
    facts = hung(evil, gaps=(Gap(what="x", why="y"),))
    facts = facts.with_findings(judge(facts))
    assert facts.outside is not None
    assert who_of(facts, facts.outside) == (
        "Seen from outside · pid 6536 · python a.py · Python 3.12.1 · began 2 minutes ago · "
        "forked from pid 7"
    )
    assert main_wait_of(facts) == (
        "main thread: waits in futex, in libgomp.so.1 < _k_means.so < libpython3.12.so"
    )
    for text in (render_text(facts), render_text(_with_threads(facts))):
        assert "\x1b" not in text
        assert "This process hangs" in text
        assert "libgomp.so.1 < _k_means.so" in " ".join(text.split())
    html = render_html(facts)
    assert "<b>" not in html.split("</header>")[1].split("Where threads are")[1]
    assert "Seen from outside" in html
    assert "program" in facts.to_dict()["outside"]
    assert snapshot().to_dict()["outside"] is None


def _with_threads(facts: Any) -> Any:
    from dataclasses import replace

    return replace(facts, os_threads=())


def kernels() -> Kernels:
    return Kernels(
        kernels=(
            Kernel(pid=1, name="/home/me/b.ipynb", cpus=0.5, num_threads=9, findings=("OMP106",),
                   severity="info"),
            Kernel(pid=2, name="a\x1b[2J.ipynb", cpus=1.5, num_threads=3, rss_bytes=2_500_000_000),
            Kernel(pid=3, name="c", findings=("OMP101",), severity="error", num_threads=4),
        ),
        interval_s=2.0,
        gaps=(Gap(what="notebooks of the server at http://x/", why="it does not answer"),),
    )  # fmt: skip


def test_kernels_are_sorted_and_laid_out() -> None:
    orders = {by: [each.pid for each in ordered(kernels(), by).kernels] for by in ORDERS}
    assert orders == {
        "cpu": [2, 1, 3],
        "threads": [1, 3, 2],
        "findings": [3, 1, 2],
        "name": [1, 2, 3],
    }
    text = joined(layout(kernels(), 100, home="/home/me"))
    assert "\x1b" not in text
    lines = text.split("\n")
    assert lines[1].split() == ["~/b.ipynb", "1", "0.50", DASH, "9", DASH, DASH, "OMP106"]
    assert lines[2].split()[0] == r"a\x1b[2J.ipynb"
    assert "2.5 GB" in lines[2]
    assert lines[-1] == "  not known: notebooks of the server at http://x/: it does not answer"
    few = joined(layout(kernels(), 100, most=1))
    assert "and 2 more rows" in few
    assert max(map(len, joined(layout(kernels(), 40)).split("\n")[:1])) <= 40
    assert "omp-magic top --all" in joined(layout(Kernels(), 100))
    assert summary(kernels()) == "3 kernels · 2 CPUs used · 16 threads"


@pytest.mark.parametrize("word", ["", "x", "-1", "+1", " 7", "1.5", "٣", "1_0", "0x7", "9" * 5000])
def test_what_is_no_number_of_a_process(word: str) -> None:
    with pytest.raises(ProcessError, match="no number of a process; accepted: the number of a"):
        number_of(word)


def test_a_number_of_a_process() -> None:
    assert (number_of("0"), number_of("007"), number_of("4194304")) == (0, 7, 4194304)


THREAD_STATUS = "Name:\tpython\nState:\tS (sleeping)\nTgid:\t{}\nUid:\t0\t0\t0\t0\nNSpid:\t{}\n"


def test_a_container_knows_its_threads_by_other_numbers(tmp_path: Path) -> None:
    def put(name: str, text: str) -> None:
        (tmp_path / "proc/self" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "proc/self" / name).write_text(text)

    machine = Machine(root=str(tmp_path), pid=700)
    assert own_numbers(machine, None, {700, 701}) == {700: 700, 701: 701}
    put("status", THREAD_STATUS.format(700, "700"))
    assert own_numbers(machine, None, {700, 701}) == {700: 700, 701: 701}
    put("status", THREAD_STATUS.format(700, "700\t40\t1"))
    put("task/700/status", THREAD_STATUS.format(700, "700\t40\t1"))
    put("task/701/status", THREAD_STATUS.format(700, "701\t41\t9"))
    assert own_numbers(machine, None, {700, 701, 702}) == {700: 1, 701: 9}, "702 has ended"


@pytest.mark.parametrize(
    ("name", "told"), [("libpython2.7.so.1.0", "2.7"), ("python3", ""), ("pypy3.10", "3.10")]
)
def test_a_python_is_known_by_the_name_of_its_file(name: str, told: str) -> None:
    match = _PYTHON.match(name)
    assert (match[1] if match else "") == told


def test_a_stack_begins_elsewhere_after_an_exec() -> None:
    begins = "7 (a b) c) S 1 7 7 0 -1 4194304 0 0 0 0 5 6 0 0 20 0 3 0 99 1000 10"
    text = f"{begins} 18446744073709551615 1 1 140737"
    assert (parse_stat(text).stack, parse_stat(text).start_ticks) == (140737, 99)
    assert parse_stat(text.rpartition(" ")[0]).stack == 0


def test_what_is_left_out_of_a_screen_is_told_where_rows_take_several_lines() -> None:
    rows = tuple(
        Kernel(pid=pid, name=f"{'深い/' * 20}{pid}.ipynb", num_threads=3) for pid in range(200)
    )
    for columns, height in ((40, 12), (40, 24), (100, 24), (200, 60), (20, 5)):
        page = joined(_page(Kernels(kernels=rows), columns, height, "")).split("\n")
        told = [line for line in page if "more row" in line]
        assert len(told) == 1
        assert len(page) <= height or height < 12


@pytest.mark.parametrize("others", [MacOthers, WindowsOthers])
def test_what_a_system_does_not_tell_is_refused_with_its_reason(others: Any) -> None:
    asked = others(Machine(pid=1), *([object()] if others is MacOthers else []))
    for what, question in (
        (port.WAITS, lambda: asked.waits([1])),
        (port.LISTS, asked.lists),
        (port.VARIABLES_NOW, asked.variables_now),
    ):
        assert asked.lacks(what)
        with pytest.raises(OSError, match=re.escape(asked.lacks(what))):
            question()
    assert asked.lacks("anything else") == ""
