"""What a page of a code shows, and a status with everything in it."""

from __future__ import annotations

from facts_for_tests import library, pool, setting, snapshot

from omp_magic.facts.libraries import Finding
from omp_magic.facts.processes import Child
from omp_magic.facts.settings import Reading
from omp_magic.rules.explain import Explanation, explain
from omp_magic.views.explain import Page

EVIL = "</b><script>alert(1)</script>\x1b[31m"


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
