"""``%%omp_watch`` in real kernels: the cell behaves as if the magic was not there."""

from __future__ import annotations

import pytest
from live import LINUX, Kernel

pytestmark = pytest.mark.skipif(not LINUX, reason="reads /proc: Linux only")


@pytest.mark.messages
def test_a_watched_cell_is_a_cell(kernel: Kernel) -> None:
    kernel.run("%load_ext omp_magic\nimport time")
    cell = "%%omp_watch --memory '150 MB' -o seen\nx = bytearray(b'x') * 200_000_000\n"
    reply = kernel.run(cell + "time.sleep(0.5)\nprint('end')\n40 + 2")
    assert (reply.text, reply.stdout) == ("42", "end\n")
    assert kernel.value("Out[2]") == 42
    assert reply.stderr.startswith("omp_watch: this process uses 2")
    assert reply.stderr.count("\n") == 1
    (shown,) = reply.displays
    assert shown["text/plain"].startswith("omp_watch: memory at most 2")
    assert "<svg" in shown["text/html"]
    assert "passed 150 MB" in shown["text/html"]
    # The warning has come before the end of the cell.
    assert kernel.value("seen.exceeded.at_s < seen.wall_s - 0.3")
    assert kernel.value("list(seen.to_frame().columns)[:2]") == ["at_s", "interval_s"]
    assert "<svg" in kernel.run("seen").result["text/html"]

    reply = kernel.run("%%omp_watch -o failed\ny = 1\n1 / 0")
    assert (reply.status, reply.ename) == ("error", "ZeroDivisionError")
    assert "omp_magic" not in reply.traceback
    assert "line 3" in reply.traceback
    assert len(reply.displays) == 1
    assert kernel.value("[failed.running, failed.peak_processes]") == [False, 1]

    reply = kernel.run("%%omp_watch\nimport asyncio\nawait asyncio.sleep(0.1)\n7;")
    assert (reply.status, reply.result, len(reply.displays)) == ("ok", {}, 1)
    reply = kernel.run("%%omp_watch -o late\ntime.sleep(60)", interrupt_after=1)
    assert (reply.ename, len(reply.displays)) == ("KeyboardInterrupt", 1)
    assert 0.5 < kernel.value("late.wall_s") < 30

    pool = "from concurrent.futures import ProcessPoolExecutor\nwith ProcessPoolExecutor(3) as p:\n"
    reply = kernel.run(f"%%omp_watch -o of_pool\n{pool}    print(sum(p.map(abs, [1, -2, 3])))\n1")
    assert (reply.stdout, reply.text, reply.stderr) == ("6\n", "1", "")
    assert kernel.value("of_pool.course.processes_seen") >= 1


def test_what_is_wrong_is_said_before_the_cell_runs(kernel: Kernel) -> None:
    kernel.run("%load_ext omp_magic\nran = []")
    for words, told in (
        ("--memory 5XB", "found '5XB'; accepted: a size such as 500MB"),
        ("--memory", "--memory: expected one argument; accepted: --interval SECONDS"),
        ("--interval 0.001", "found '0.001'; accepted: seconds between two looks, 0.02 to 60"),
        ("--interval fast", "invalid float value: 'fast'"),
        ("-o for", "found '-o for'; accepted: the name of a variable"),
        ("-o print", "found '-o print'; accepted: a name that is no builtin's"),
        ("-o a.b", "found '-o a.b'; accepted: the name of a variable"),
        ("2", "unrecognized arguments: 2"),
    ):
        reply = kernel.run(f"%%omp_watch {words}\nran.append(1)")
        assert reply.ename == "UsageError"
        assert f"omp_watch: {told}" in reply.stderr or told in reply.stderr, reply.stderr
        assert reply.stderr.strip().count("\n") == 0
    reply = kernel.run("%%omp_watch -h\nran.append(1)")
    assert "Record what a cell and its child processes use" in reply.stdout
    assert kernel.value("ran") == []
    # A failure of omp_magic is one line, and the cell runs.
    kernel.run("import omp_magic.watching as ours\nours.Recorder = None")
    reply = kernel.run("%%omp_watch\n6 * 7")
    assert (reply.text, reply.displays) == ("42", [])
    assert "omp_magic: not watched (TypeError" in reply.stderr


def test_unloaded_and_restarted_while_it_runs(kernel: Kernel) -> None:
    kernel.run("%load_ext omp_magic\nimport time, threading, omp_magic")
    reply = kernel.run("%%omp_watch\n%unload_ext omp_magic\ntime.sleep(0.3)\n5")
    assert (reply.text, reply.stderr, len(reply.displays)) == ("5", "", 1)
    # One that nobody ends: the kernel shuts down all the same.
    reply = kernel.run("w = omp_magic.watch()\nseen = w.__enter__()\ntime.sleep(0.2)\nprint(seen)")
    assert reply.stdout.startswith("omp_watch (so far): memory at most ")
    kernel.restart()
    assert kernel.run("1 + 1").text == "2"
