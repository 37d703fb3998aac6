"""%omp_explain in a real kernel, omp-magic explain, and what they show."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from facts_for_tests import library, pool, setting, snapshot
from live import LINUX, Kernel

from omp_magic.facts import Finding
from omp_magic.processes import Child
from omp_magic.rules import RULES
from omp_magic.rules.explain import Explanation, explain
from omp_magic.settings import Reading
from omp_magic.views.explain import Page

EVIL = "</b><script>alert(1)</script>\x1b[31m"


@pytest.mark.skipif(not LINUX, reason="reads /proc: Linux only")
def test_in_a_kernel(kernel: Kernel, libiomp5: str, tmp_path: Any) -> None:
    kernel.run("%load_ext omp_magic")
    clean = kernel.run("%omp_explain OMP101")
    assert set(clean.result) == {"text/plain", "text/html"}
    assert "Not the case in this kernel now." in clean.text
    assert "Error #15" in clean.text
    # On a machine that is busy or has little, there may be findings all the same.
    alone = kernel.run("%omp_explain").text
    assert "Nothing is wrong here" in alone or "OMP20" in alone
    kernel.run(
        f"import ctypes, shutil; shutil.copy({libiomp5!r}, {str(tmp_path)!r})\n"
        f"both = [ctypes.CDLL(p) for p in ({libiomp5!r}, '{tmp_path}/libiomp5.so')]"
    )
    for line in ("%omp_explain 101", "%omp_explain omp101", "%omp_explain"):
        found = kernel.run(line)
        # What is to be run has whole paths.
        assert f"ctypes.CDLL('{libiomp5}', ctypes.RTLD_GLOBAL)" in found.text
        assert "In this kernel: 2 LLVM-family OpenMP runtimes" in found.text
    both = kernel.run("%omp_explain OMP101 OMP302").text
    assert both.index("OMP101 ·") < both.index("OMP302 ·")
    assert kernel.run("%omp_explain OMP101;").result == {}
    wrong = kernel.run("%omp_explain OMP999")
    assert (wrong.status, wrong.ename) == ("error", "UsageError")
    assert wrong.stderr.strip().count("\n") == 0
    assert "accepted: OMP101" in wrong.stderr
    assert "%omp_explain OMP101" in kernel.run("%omp_explain?").payload[0]["data"]["text/plain"]
    if kernel.value("__import__('IPython').version_info[:2] >= (8, 6)"):
        assert "OMP301" in kernel.complete("%omp_explain OMP3")


def test_the_command_explains_and_lists() -> None:
    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "omp_magic", "explain", *words]
        return subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)

    listed = run()
    assert listed.returncode == 0
    assert [line.split()[0] for line in listed.stdout.splitlines()] == [r.code for r in RULES]
    one = run("OMP204")
    assert "fork copies the memory" in " ".join(one.stdout.split())
    assert "In this kernel" not in one.stdout
    wrong = run("nope")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "found 'nope'; accepted: OMP101" in wrong.stderr


def test_what_comes_from_outside_is_escaped_and_what_is_run_stays_whole() -> None:
    line = f"import ctypes; ctypes.CDLL('{'x' * 200}')"
    finding = Finding(
        code="OMP101",
        severity="error",
        title=EVIL,
        why=EVIL,
        evidence=(EVIL,),
        remedies=(f"Run: {line}",),
    )
    page = Page((Explanation(explain("OMP101").rule, (finding,), looked=True),), EVIL)
    shown = page._repr_mimebundle_()
    assert "<script>" not in shown["text/html"]
    assert "\x1b" not in shown["text/plain"] + shown["text/html"]
    assert f"        {line}\n" in shown["text/plain"]
    assert page._repr_mimebundle_(include=("text/plain",)).keys() == {"text/plain"}
    assert repr(page) == "<Page of OMP101>"


def test_the_status_shows_pools_of_packages_workers_owners_and_effects() -> None:
    from dataclasses import replace

    torch = replace(pool(2), name="torch intra-op", api="python", lender="/x", note="lent")
    arrow = replace(pool(None, 8), name=EVIL, api="python", for_io=True)
    reading = Reading(reader="OpenBLAS (numpy)", family="openblas", state="too late")
    late = setting("OMP_NUM_THREADS", "4", readings=(reading,), set_by=("sklearn",))
    worker = Child(
        pid=77, command=EVIL, forked=False, num_os_threads=9, pool_threads=None, runtimes=("x",)
    )
    facts = snapshot(
        libraries=(library("libgomp", workers=3, owner="x", owner_version="1.2", idle=True),),
        pools=(torch, arrow),
        children=(worker, replace(worker, forked=True, pool_threads=4)),
        environment=(late,),
        shown=frozenset({"env"}),
    )
    text, html = str(facts), facts._repr_mimebundle_()["text/html"]
    for shown in (text, html):
        assert "mapped, idle" in shown
        assert "x 1.2" in shown
        assert "torch intra-op" in shown
        assert "for files, not started (would use 8)" in shown
        assert "too late: OpenBLAS (numpy)" in shown
        assert "by sklearn" in shown
        assert "forked from this process" in shown
        assert "\x1b" not in shown
    assert "<script>" not in html
