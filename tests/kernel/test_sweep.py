"""%%omp_sweep in a real kernel: the cell runs many times, and shows itself once."""

from __future__ import annotations

import re

import pytest
from live import LINUX, Kernel

pytestmark = pytest.mark.skipif(not LINUX, reason="sets limits through libc: Linux only")

COUNTS = "[p.num_threads for p in __import__('omp_magic').snapshot().pools]"


def test_it_gives_the_answer_and_shows_the_cell_once(shared_kernel: Kernel) -> None:
    before = shared_kernel.value(COUNTS)
    reply = shared_kernel.run(
        "%%omp_sweep 1 2 -r 2 -o answer\n"
        "print('shown'); from IPython.display import display; display('drawn')\n"
        "value = float((np.ones((200, 200)) @ np.ones((200, 200)))[0, 0])\n"
        "value",
        timeout=120,
    )
    assert reply.status == "ok", reply.traceback
    assert reply.stdout.count("shown") == 1
    drawn = [each for each in reply.displays if "drawn" in each.get("text/plain", "")]
    assert len(drawn) == 1
    assert re.match(r". \d threads?: ", reply.text)
    assert "%omp_limit" in reply.text
    page = reply.result["text/html"]
    assert page.count("<svg") == 1
    assert 'role="img" aria-label="Speed-up by number of threads: 1.00 with 1,' in page
    assert "<script" not in page
    assert shared_kernel.value("value") == 200.0
    assert shared_kernel.value("answer.best in (1, 2) and len(answer.points)") == 2
    assert shared_kernel.value("answer.to_frame()['best'].sum().item()") == 1
    assert shared_kernel.value(COUNTS) == before


def test_apply_is_the_limit_of_the_session(shared_kernel: Kernel) -> None:
    shared_kernel.run("a = 1\nimport omp_magic\nfound = omp_magic.sweep(lambda: a, threads=[1])")
    reply = shared_kernel.run("found.apply()")
    assert reply.stdout.startswith("omp_limit 1: in force for this session"), reply.traceback
    assert set(shared_kernel.value(COUNTS)) == {1}
    shared_kernel.run("%omp_limit off")


def test_an_error_is_shown_as_the_cells_own(shared_kernel: Kernel) -> None:
    reply = shared_kernel.run("%%omp_sweep 1 2\nx = 1\ny = x / 0\nz = 2")
    assert (reply.status, reply.ename) == ("error", "ZeroDivisionError")
    plain = re.sub(r"\x1b\[[\d;]*m", "", reply.traceback)
    assert "line 3" in plain
    assert "omp_magic/" not in plain
    reply = shared_kernel.run("%%omp_sweep 1 2\nx = (1\n")
    assert (reply.status, reply.ename) == ("error", "SyntaxError")


def test_setup_runs_before_each_call_and_is_not_timed(shared_kernel: Kernel) -> None:
    reply = shared_kernel.run(
        '%%omp_sweep 1 -r 2 -o prepared --setup "import time; time.sleep(0.05); rows = [1]"\n'
        "rows.append(len(rows))"
    )
    assert reply.status == "ok", reply.traceback
    assert shared_kernel.value("rows") == [1, 1]
    assert shared_kernel.value("prepared.points[0].median_s") < 0.01
    assert "changes what it reads" not in reply.text


def test_a_cell_that_changes_what_it_reads_is_told(shared_kernel: Kernel) -> None:
    shared_kernel.run("rows = []")
    reply = shared_kernel.run("%%omp_sweep 1 -r 1\nrows.append(1)")
    text = " ".join(reply.text.split())
    assert "the code changes what it reads: rows (a list): each run does other work" in text
    shared_kernel.run("rows = [1]")
    reply = shared_kernel.run("%%omp_sweep 1 -r 1\nrows = rows[:1]")
    assert "changes what it reads" not in reply.text
    reply = shared_kernel.run("%%omp_sweep 1 -r 1\nrows = [*rows, 1][-99:]")
    assert "the code changes what it reads: rows (a list)" in " ".join(reply.text.split())
    reply = shared_kernel.run('%%omp_sweep 1 -r 1 --setup "spare = 1"\nrows.append(spare)')
    assert "the code changes what it reads: rows (a list)" in " ".join(reply.text.split())


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("0 2", "found '0'; accepted: whole numbers of threads, 1 to 8192"),
        ("two", "'two'"),
        ("-r 0", "found '0'"),
        ("--pool bals", "found 'bals'"),
        ("-o for", "found 'for'"),
        ("--setup 'b ='", "found --setup 'b ='"),
        ("--nothing", "--nothing"),
    ],
)
def test_a_wrong_line_is_one_line_and_runs_nothing(
    shared_kernel: Kernel, line: str, found: str
) -> None:
    shared_kernel.run("ran = []")
    reply = shared_kernel.run(f"%%omp_sweep {line}\nran.append(1)")
    assert reply.status == "error"
    told = reply.stderr.strip()
    assert told.startswith("UsageError: omp_sweep: ")
    assert found in told
    assert "accepted: " in told
    assert "example: %%omp_sweep" in told
    assert "\n" not in told
    assert shared_kernel.value("ran") == []


def test_names_of_pools_are_completed(shared_kernel: Kernel) -> None:
    assert "openblas" in shared_kernel.complete("%%omp_sweep --pool open")
    assert "--setup" in shared_kernel.complete("%%omp_sweep --s")


def test_await_at_the_top_is_refused_in_one_line(shared_kernel: Kernel) -> None:
    reply = shared_kernel.run("%%omp_sweep 1\nimport asyncio\nawait asyncio.sleep(0)")
    assert "found await" in reply.stderr


def test_an_interrupt_keeps_what_is_done_and_the_kernel_goes_on(kernel: Kernel) -> None:
    kernel.run("%load_ext omp_magic\nimport time")
    cell = "%%omp_sweep 1 2 -r 500 -o kept\ntime.sleep(0.2)"
    reply = kernel.run(cell, interrupt_after=5)
    assert reply.status == "ok", reply.traceback
    assert "interrupted after" in reply.text
    assert kernel.value("kept.interrupted and len(kept.points)") == 2
