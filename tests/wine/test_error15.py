"""Two real copies of libiomp5md.dll: what is said before Error #15, and that it is true."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from wine import windows
from wine.inside import INTEL, SECOND
from wine.kernels import WindowsKernel

INTELS = INTEL.lower()
SECONDS = SECOND.lower()
MESSAGE = (
    "OMP: Error #15: Initializing libiomp5md.dll, but found libiomp5md.dll already initialized."
)
CODE = 3
ELSEWHERE = re.compile(r"RTLD_GLOBAL|LD_PRELOAD|/dev/shm|\.so\b|/proc\b")
LOADS = """
import ctypes, inside, json, os
first = ctypes.CDLL(inside.INTEL)
second = ctypes.CDLL(inside.SECOND)
"""
TELL = """
def tell(*more):
    facts = omp_magic.snapshot()
    started = {each.path.replace("/", "\\\\").lower(): each.initialized for each in facts.libraries}
    print(json.dumps([started, [each.code for each in facts.findings], *more]), flush=True)
import omp_magic
"""


@pytest.fixture
def kernel() -> Iterator[WindowsKernel]:
    started = WindowsKernel()
    yield started
    started.close()


def test_the_second_copys_first_call_ends_the_process() -> None:
    """What all else here is about; loading alone does no harm."""
    ended = windows.run(
        LOADS + "print(first.omp_get_max_threads(), flush=True)\nsecond.omp_get_max_threads()"
    )
    assert (ended.code, len(ended.stdout.split())) == (CODE, 1)
    assert MESSAGE in ended.stderr


def test_a_warning_comes_before_the_copy_is_mapped_and_is_true(kernel: WindowsKernel) -> None:
    kernel.run("%load_ext omp_magic\nimport ctypes, inside")
    assert (
        kernel.run("first = ctypes.CDLL(inside.INTEL); first.omp_get_max_threads()").displays == []
    )
    kernel.run(
        "seen, publish = [], get_ipython().display_pub.publish\n"
        "def published(*words, **named):\n"
        "    seen.append(inside.runtimes())\n"
        "    return publish(*words, **named)\n"
        "get_ipython().display_pub.publish = published"
    )
    warned = kernel.run("second = ctypes.CDLL(inside.SECOND)")
    assert warned.status == "ok"
    (shown,) = warned.displays
    text = shown["text/plain"]
    assert "OMP101" in text
    assert "before it is loaded" in text
    assert ELSEWHERE.search(text) is None, text
    assert kernel.value("seen") == [[INTELS]]
    assert kernel.value("inside.runtimes()") == [INTELS, SECONDS]
    status = kernel.run("%omp_status").text
    assert "OMP101" in status
    assert ELSEWHERE.search(status) is None, status
    assert kernel.run("second.omp_get_max_threads()").status == "dead"
    kernel.close()
    assert (kernel.said.code, MESSAGE in kernel.said.stderr) == (CODE, True)


def test_a_refused_copy_is_not_mapped(kernel: WindowsKernel) -> None:
    kernel.run("%load_ext omp_magic\nimport ctypes, inside")
    kernel.run("%omp_guard raise")
    kernel.run("first = ctypes.CDLL(inside.INTEL); first.omp_get_max_threads()")
    for way in ("ctypes.CDLL(inside.SECOND)", "ctypes.WinDLL(inside.SECOND)",
                "ctypes.cdll.LoadLibrary(inside.SECOND)"):  # fmt: skip
        refused = kernel.run(way)
        assert (refused.status, refused.ename) == ("error", "DuplicateRuntimeLoadError"), way
        assert "OMP101" in refused.evalue
        assert ELSEWHERE.search(refused.evalue) is None
        # It ends at the user's line: neither ctypes nor ours is in it.
        assert "omp_magic" not in refused.traceback
        assert kernel.value("inside.runtimes()") == [INTELS]
    assert kernel.run("first.omp_get_max_threads()").status == "ok"
    # The same file by another name of it is no second copy.
    same = kernel.run("ctypes.CDLL(inside.INTEL.upper().replace('LIBRARY', 'library'))")
    assert (same.status, same.displays) == ("ok", [])
    kernel.run("%omp_guard off")
    assert kernel.run("ctypes.CDLL(inside.SECOND)").status == "ok"
    assert kernel.value("inside.runtimes()") == [INTELS, SECONDS]


def test_a_copy_that_nobody_watched_is_told_of_after_the_cell(kernel: WindowsKernel) -> None:
    kernel.run("%load_ext omp_magic\nimport ctypes, inside")
    kernel.run("first = ctypes.CDLL(inside.INTEL); first.omp_get_max_threads()")
    slipped = kernel.run("handle = inside.load(inside.SECOND)")
    assert slipped.status == "ok"
    assert "OMP101" in "".join(each["text/plain"] for each in slipped.displays)


@pytest.mark.parametrize(
    ("calls", "started"),
    [
        ("", [False, False]),
        ("first.omp_get_max_threads()", [True, False]),
        ("second.omp_get_max_threads()", [False, True]),
    ],
    ids=["none", "the first", "the second"],
)
def test_which_copy_has_started_is_known_and_no_look_starts_one(
    calls: str, started: list[bool]
) -> None:
    told, codes, registered = windows.value(
        LOADS + TELL + calls + "\ntell([each for each in inside.environment() if 'KMP' in each])"
    )
    assert told == dict(zip((INTELS, SECONDS), started, strict=True))
    assert "OMP101" in codes
    assert len(registered) == sum(started)


@pytest.mark.parametrize("call", ["first", "second"])
def test_looking_leaves_the_runtimes_usable(call: str) -> None:
    ended = windows.run(
        LOADS + TELL + f"tell(); tell()\nprint({call}.omp_get_max_threads())\ntell(); tell()"
    )
    assert ended.code == 0, ended.stderr


@pytest.mark.parametrize("way", ["at the start", "later"])
def test_a_masked_second_copy_is_told_of_and_both_have_started(way: str) -> None:
    """The registration stays with the first: the second started all the same."""
    variable = {"KMP_DUPLICATE_LIB_OK": "TRUE"}
    late = "os.environ['KMP_DUPLICATE_LIB_OK'] = 'TRUE'\n" if way == "later" else ""
    both = "first.omp_get_max_threads()\n" + late + "second.omp_get_max_threads()\n"
    ended = windows.run(LOADS + TELL + both + "tell(); tell()", env={} if late else variable)
    assert ended.code == 0, ended.stderr
    looks: list[Any] = [json.loads(line) for line in ended.stdout.splitlines()]
    assert len(looks) == 2
    for told, codes in looks:
        assert told == {INTELS: True, SECONDS: True}
        assert "OMP102" in codes
        assert "OMP101" not in codes


def test_a_masked_second_copy_is_warned_of_before_it_is_mapped() -> None:
    kernel = WindowsKernel({"KMP_DUPLICATE_LIB_OK": "TRUE"})
    try:
        kernel.run("%load_ext omp_magic\nimport ctypes, inside")
        kernel.run("first = ctypes.CDLL(inside.INTEL); first.omp_get_max_threads()")
        warned = kernel.run("second = ctypes.CDLL(inside.SECOND)")
        assert "OMP102" in "".join(each["text/plain"] for each in warned.displays)
        assert kernel.run("second.omp_get_max_threads()").status == "ok"
        assert "OMP102" in kernel.run("%omp_status").text
    finally:
        kernel.close()


def test_a_childs_parents_registration_is_not_its_own() -> None:
    """Children inherit the variable, under the parent's pid."""
    told = windows.value(
        LOADS
        + "import subprocess, sys\n"
        + "first.omp_get_max_threads()\n"
        + f"child = {LOADS + TELL + 'tell()'!r}\n"
        + "print(subprocess.run([sys.executable, '-c', child], capture_output=True, text=True,"
        " check=True, stdin=subprocess.DEVNULL).stdout)"
    )
    assert told[0] == {INTELS: False, SECONDS: False}
