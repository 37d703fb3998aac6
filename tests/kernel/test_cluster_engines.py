"""%omp_cluster over real engines of ipyparallel, beside the user's own %%px."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from live import Kernel, session_of

pytest.importorskip("ipyparallel", reason="ipyparallel is not here")
pytestmark = pytest.mark.thorough  # engines take 10 seconds to start and to stop

START = """
%load_ext omp_magic
import time, warnings
import ipyparallel
cluster = ipyparallel.Cluster(n=2, log_level=40)
rc = cluster.start_and_connect_sync(activate=True)
"""


@pytest.fixture(scope="module")
def session() -> Iterator[Kernel]:
    """A kernel with two engines."""
    yield from session_of(START, "cluster.stop_cluster_sync()")


def test_a_client_and_a_view_of_it(session: Kernel) -> None:
    for line, number in (("rc", 2), ("rc[:]", 2), ("rc[0]", 1)):
        session.run(f"found = %omp_cluster {line}")
        assert session.value("[found.known, len(found.workers), found.engine]") == [
            *(number, number),
            "ipyparallel",
        ]
    assert session.complete("%omp_cluster r") == ["rc"]
    # A Cluster of ipyparallel's has no connection: it would be refused.
    assert "cluster" not in session.complete("%omp_cluster c")


def test_px_goes_on_beside_a_live_panel(session: Kernel) -> None:
    reply = session.run("panel = %omp_cluster rc --live")
    assert reply.status == "ok", reply.traceback
    session.run("%%px\nn = 3")
    code = (
        "end = panel.looks + 3\nn = []\n"
        "while panel.looks < end:\n"
        "    mine = rc[:].apply_async(abs, -len(n))\n"
        "    n.append(rc.get_result(-1).msg_ids == mine.msg_ids[-1:])\n"
        "    mine.get()\n"
    )
    reply = session.run(code)
    assert reply.status == "ok", reply.traceback
    assert session.value("all(n) and len(n) > 0")
    assert session.run("print(rc[:]['n'])").stdout == "[3, 3]\n"
    assert session.value("panel.snapshot.known") == 2
    assert session.run("panel.close()").status == "ok"
    assert session.value("panel._client.own._closed")


def test_the_panel_ends_with_the_client(session: Kernel) -> None:
    session.run("other = cluster.connect_client_sync()\npanel = %omp_cluster other --live")
    session.run("other.close()")
    told = session.run(
        "t = time.monotonic()\n"
        "while 'stopped' not in panel._line and time.monotonic() < t + 30: time.sleep(0.1)\n"
        "print(panel._line)"
    )
    assert "stopped, since" in told.stdout
