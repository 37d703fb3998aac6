"""``%omp_status --since`` and ``%%omp_status`` in real kernels."""

from __future__ import annotations

import pytest
from live import LINUX, Kernel

pytestmark = pytest.mark.skipif(not LINUX, reason="reads /proc: Linux only")


def nothing_changed(text: str, since: str) -> bool:
    """Tell whether nothing did but what others on a busy machine do meanwhile."""
    first, *changes = (line for line in text.split("\n") if line.strip())
    if not changes:
        return first.startswith(f"Nothing changed {since}")
    return since in first and all("OMP206" in line or "OMP211" in line for line in changes)


def test_since_the_last_status(kernel: Kernel) -> None:
    kernel.run("%load_ext omp_magic")
    reply = kernel.run("%omp_status --since")
    assert reply.status == "ok"
    assert reply.stdout.startswith("omp_status: no status was shown in this kernel before")
    assert reply.stdout.count("\n") == 1
    assert "Threads in this process" in reply.text
    reply = kernel.run("%omp_status --since")
    assert nothing_changed(reply.text, "since %omp_status in cell 2, "), reply.text
    kernel.run("import numpy, os\nos.environ['OMP_NUM_THREADS'] = '3'")
    reply = kernel.run("d = %omp_status --since\nd")
    words = [" ".join(line.split()) for line in reply.text.split("\n")]
    assert words[0].startswith("What changed in pid ")
    assert any(word.startswith("+ runtime OpenBLAS") for word in words)
    # Seen by comparison, so it is known whose it is.
    assert any(word.startswith("+ variable OMP_NUM_THREADS not set → 3") for word in words)
    assert "<table" in reply.result["text/html"]
    assert kernel.value("[bool(d), len(d.libraries), type(d).__name__]") == [True, 1, "Difference"]
    # The last status stays the one to compare with, until there is another.
    kernel.run("s = %omp_status")
    text = kernel.run("%omp_status --since").text
    assert nothing_changed(text, "since "), text
    assert kernel.run("%omp_status --since ;").result == {}
    kernel.run("before = s\ndel os.environ['OMP_NUM_THREADS']")
    assert "OMP_NUM_THREADS" in kernel.run("%omp_status --since before").text
    for name in ("cell", "kernel"):
        reply = kernel.run(f"%omp_status --since {name}")
        assert reply.ename == "UsageError"
        assert f"omp_status: found --since {name}, which is no snapshot; acc" in reply.stderr
        assert "%%omp_status as a cell's first line" in reply.stderr


@pytest.mark.messages
def test_before_and_after_a_cell(kernel: Kernel) -> None:
    kernel.run("%load_ext omp_magic")
    reply = kernel.run("%%omp_status\nimport sklearn.cluster\n40 + 2")
    assert reply.text == "42"
    (shown,) = reply.displays
    text = str(shown["text/plain"])
    assert "since the start of this cell" in text
    assert "GNU libgomp" in text
    assert "OMP106" in text
    assert "<table" in shown["text/html"]
    assert kernel.value("Out[2]") == 42
    # It is shown also when the cell has raised, and the error is the user's own.
    reply = kernel.run("%%omp_status\nx = 1\n1 / 0")
    assert reply.ename == "ZeroDivisionError"
    assert "omp_magic" not in reply.traceback
    # What others on a busy machine do meanwhile is measured, and is a change that may be shown.
    first, *changes = str(reply.displays[0]["text/plain"]).splitlines()
    assert first.endswith("since the start of this cell")
    assert changes or first.startswith("Nothing changed ")
    assert all("OMP206" in line or "OMP211" in line for line in changes), changes
    reply = kernel.run("%%omp_status\nimport asyncio\nawait asyncio.sleep(0)\nx = %omp_status\n7;")
    assert (reply.status, reply.result, len(reply.displays)) == ("ok", {}, 1)
    reply = kernel.run("%%omp_status --since\n1")
    assert reply.ename == "UsageError"
    assert "found --since with a cell; accepted: nothing on its line" in reply.stderr
    kernel.run("import omp_magic.jupyter.statuses as ours\nours.snapshot = None")
    reply = kernel.run("%%omp_status\n6 * 7")
    assert (reply.text, reply.displays) == ("42", [])
    assert "omp_magic: not looked (TypeError" in reply.stderr
