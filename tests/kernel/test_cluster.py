"""%omp_cluster in a real kernel, over a real LocalCluster."""

from __future__ import annotations

import itertools
import json
import queue
import time
from collections.abc import Iterator
from typing import Any

import pytest
from jupyter_client.jsonutil import parse_date
from live import Kernel, session_of

pytest.importorskip("distributed", reason="distributed is not here")

START = """
%load_ext omp_magic
import dask, os, time
dask.config.set({"distributed.worker.daemon": True})
from distributed import Client, LocalCluster
cluster = LocalCluster(n_workers=2, threads_per_worker=2, dashboard_address=None)
client = Client(cluster)
threads, spaces = {"a b": client}, {"a  b": client}
"""


@pytest.fixture(scope="module")
def session() -> Iterator[Kernel]:
    """A kernel with a cluster of two workers with two threads each."""
    yield from session_of(START, "client.close(); cluster.close()")


def test_it_shows_every_worker(session: Kernel) -> None:
    shown = session.run("found = %omp_cluster client\nfound")
    assert shown.status == "ok", shown.traceback
    assert session.value("[len(found.workers), found.known, found.engine]") == [2, 2, "dask"]
    assert session.value("[w.tasks for w in found.workers]") == [2, 2]
    assert "text/html" in shown.result
    assert session.run("%omp_cluster client ;").result == {}
    told = json.loads(session.run("%omp_cluster client --json").stdout)
    assert len(told["workers"]) == 2


def test_the_client_is_an_expression(session: Kernel) -> None:
    for line in (
        "threads['a b']",
        "spaces['a  b']",
        "cluster",
        "cluster.get_client()",
        'threads["a b"] --timeout 5',
    ):
        reply = session.run(f"found = %omp_cluster {line}\nprint(found.known)")
        assert reply.stdout == "2\n", (line, reply.stderr)


def test_a_limit_is_set_on_every_worker_and_given_back(session: Kernel) -> None:
    held = "[list(each.state.limits) for each in found.workers]"
    session.run("found = %omp_cluster client --limit 1")
    assert session.value(held) == [["1"], ["1"]]
    session.run("found = %omp_cluster client --limit auto")
    assert session.value("[len(each.state.limits) for each in found.workers]") == [1, 1]
    assert session.value("found.limit") == "auto"
    session.run("found = %omp_cluster client --limit off")
    assert session.value(held) == [[], []]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("", "found no CLIENT"),
        ("clent", "found 'clent' (NameError: name 'clent' is not defined)"),
        ("client[", "found 'client['"),
        ("1/0", "(ZeroDivisionError: division by zero)"),
        ("threads", "found 'threads', dict"),
        ("client --timeout 0", "found --timeout 0"),
        ("client --timeout soon", "invalid float value: 'soon'"),
        ("client --limit to", "found 'to'"),
        ("client --limit 0", 'example: %omp_cluster client --limit "blas=1 openmp=2"'),
        ("client --limti 2", "did you mean --limit?"),
        ("client --live --json", "found --json with --live"),
    ],
)
def test_what_is_wrong_is_one_line(session: Kernel, line: str, said: str) -> None:
    reply = session.run(f"%omp_cluster {line}")
    assert reply.status == "error"
    assert said in reply.stderr
    assert reply.stderr.startswith("UsageError: omp_cluster: ")
    assert "accepted: " in reply.stderr
    assert "%omp_cluster client" in reply.stderr
    assert len(reply.stderr.splitlines()) == 1


def test_the_example_of_a_limit_is_taken(session: Kernel) -> None:
    reply = session.run('found = %omp_cluster client --limit "blas=1 openmp=2"\nprint(found.limit)')
    assert reply.stdout == "blas=1 openmp=2\n", reply.stderr
    session.run("%omp_cluster client --limit off ;")


def test_a_name_that_was_meant_is_told(session: Kernel) -> None:
    assert "did you mean client?" in session.run("%omp_cluster clent").stderr


def test_clients_options_and_limits_are_completed(session: Kernel) -> None:
    assert sorted(session.complete("%omp_cluster cl")) == ["client", "cluster"]
    assert session.complete("x = %omp_cluster cli") == ["client"]
    assert session.complete("%omp_cluster client --l") == ["--limit", "--live"]
    assert "auto" in session.complete("%omp_cluster client --limit a")
    assert session.complete("%omp_cluster client --limit of") == ["off"]
    assert "omp_cluster" in "".join(session.complete("%omp_clus"))


VIEW = "application/vnd.jupyter.widget-view+json"


def sent_while(kernel: Kernel, code: str) -> list[tuple[float, dict[str, Any]]]:
    """Run a cell; give when comm messages came meanwhile, and what each has set."""
    message = kernel.client.execute(code)
    sent = []
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            got = kernel.client.get_iopub_msg(timeout=1)
        except queue.Empty:
            continue
        if got["msg_type"] == "comm_msg":
            # ipyparallel, where a test has imported it, leaves dates as texts.
            date: Any = got["header"]["date"]
            date = parse_date(date) if isinstance(date, str) else date
            sent.append((date.timestamp(), got["content"]["data"]["state"]))
        mine = got["parent_header"].get("msg_id") == message
        if mine and got["msg_type"] == "status" and got["content"]["execution_state"] == "idle":
            break
    kernel.client.get_shell_msg(timeout=10)
    return sent


WIDGETS = (
    "[0 for each in __import__('ipywidgets').widgets.widget._instances.values()"
    " if 'omp-grid' in getattr(each, '_dom_classes', ())]"
)
"""An expression for a kernel: an item for each panel that is open. tqdm's bars are widgets too."""


@pytest.fixture
def panel(session: Kernel) -> Iterator[Kernel]:
    reply = session.run("panel = %omp_cluster client --live")
    assert reply.status == "ok", reply.traceback
    assert session.value("isinstance(panel.snapshot.known, int)")
    yield session
    assert session.run("panel.close()").status == "ok"
    assert session.value(WIDGETS) == []


def test_a_live_panel_sends_a_message_a_second_at_most(panel: Kernel) -> None:
    # Looks are counted, however long they take where others are busy too. The cell asks the
    # cluster meanwhile by the same client, and changes what the workers are like.
    code = (
        "client.run(exec, \"import os; os.environ['OMP_SCHEDULE'] = 'static'\")\n"
        "n = panel.looks + 5\n"
        "while panel.looks < n:\n"
        "    client.submit(abs, n).result()"
    )
    sent = sent_while(panel, code)
    assert len(sent) >= 4
    assert min(b - a for (a, _), (b, _) in itertools.pairwise(sent)) >= 0.9
    values = [state["value"] for _, state in sent]
    assert any("OMP_SCHEDULE" in value for value in values)
    # What is as it was is not sent again: it would fold up what a person has unfolded.
    assert sum("<table" in value for value in values) < len(values)
    assert all(len(state) == 1 for _, state in sent)


def test_what_is_there_and_its_line_do_not_differ_for_long(panel: Kernel) -> None:
    # A worker that is silent: it is looked less and less often, and the line would stay.
    code = (
        "from dataclasses import replace\n"
        "from omp_magic.facts.gaps import Gap\n"
        "from omp_magic.jupyter import clusterlive\n"
        "real, n = clusterlive.cluster, panel.looks\n"
        "def silent(*given, **named):\n"
        "    found = real(*given, **named)\n"
        "    gap = Gap(what='worker', why=f'hangs {panel.looks}')\n"
        "    last = replace(found.workers[-1], state=None, gap=gap)\n"
        "    return replace(found, workers=(*found.workers[:-1], last))\n"
        "clusterlive.cluster = silent\n"
        "try:\n"
        "    while panel.looks < n + 3: time.sleep(0.05)\n"
        "finally:\n"
        "    clusterlive.cluster = real"
    )
    values = [state["value"] for _, state in sent_while(panel, code)]
    pages = [place for place, value in enumerate(values) if "hangs" in value]
    assert pages
    assert "1 of 2 workers answered" in values[pages[0] + 1]


def test_the_panel_goes_on_when_its_scheduler_answers_again(panel: Kernel) -> None:
    told = panel.run(
        "from omp_magic.clusters.port import ClusterError\n"
        "from omp_magic.jupyter import clusterlive\n"
        "real = clusterlive.cluster\n"
        "def busy(*given, **named): raise ClusterError('Dask', 'no answer in 10 s')\n"
        "clusterlive.cluster = busy\n"
        "while 'no answer' not in panel._line: time.sleep(0.05)\n"
        "print(panel._line)\n"
        "clusterlive.cluster, n = real, panel.looks\n"
        "while panel.looks == n: time.sleep(0.05)"
    )
    assert "Dask: no answer in 10 s; asked again every 2 s" in told.stdout


def test_a_bar_leaves_no_widget_in_the_notebook(session: Kernel) -> None:
    begun = "import omp_magic.clustering as c\nshort, c._SHORT_S = c._SHORT_S, {}"
    session.run(begun.format(0.0))
    reply = session.run("%omp_cluster client")
    session.run("c._SHORT_S = short")
    assert reply.status == "ok", reply.traceback
    assert [each for each in reply.displays if VIEW in each]
    # Opened again, a widget that is gone is an error on the page.
    assert reply.updates[-1] == {"text/plain": ""}


def test_a_short_look_shows_no_bar_and_json_never(session: Kernel) -> None:
    session.run("import omp_magic.clustering as c\nshort, c._SHORT_S = c._SHORT_S, 600.0")
    for ending in ("", " ;", " --json"):
        reply = session.run(f"%omp_cluster client{ending}")
        assert not [each for each in reply.displays if VIEW in each], ending
        assert reply.updates == []
        assert reply.stderr == ""
    session.run("c._SHORT_S = 0.0")
    reply = session.run("%omp_cluster client --json")
    assert not [each for each in reply.displays if VIEW in each]
    session.run("c._SHORT_S = short")


def test_what_mends_is_said_in_the_user_s_names(session: Kernel) -> None:
    code = "mine = client\nfound = %omp_cluster {}\nprint(found.asked_as, found.client_as)"
    for name, client in (
        ("mine", "mine"),
        ("cluster", "cluster.get_client()"),
        ("cluster.get_client()", "cluster.get_client()"),
    ):
        assert session.run(code.format(name)).stdout == f"{name} {client}\n"
    assert session.run(code.format("(lambda: mine)()")).stdout == " \n"


def test_a_cell_that_is_run_again_has_one_panel(session: Kernel) -> None:
    reply = session.run("panel = %omp_cluster client --live\npanel")
    assert [each.get("text/plain") for each in reply.displays if VIEW in each].count("") == 1
    assert (
        session.value(
            "len(get_ipython().magics_manager.magics['line']['omp_cluster']"
            ".__self__.clusters.panels)"
        )
        == 1
    )
    session.run("panel.close()")


def test_the_notebook_keeps_what_was_seen_last(session: Kernel) -> None:
    reply = session.run("panel = %omp_cluster client --live")
    (kept,) = [each for each in reply.displays if "omp-saved-" in str(each.get("text/html"))]
    assert "looked at" in kept["text/html"]
    session.run("panel.close()")


def test_the_panel_ends_with_its_client(session: Kernel) -> None:
    session.run("other = Client(cluster)\npanel = %omp_cluster other --live")
    assert session.value(WIDGETS) == [0]
    session.run("other.close()")
    told = session.run(
        "t = time.monotonic()\n"
        "while 'stopped' not in panel._line and time.monotonic() < t + 30: time.sleep(0.1)\n"
        "print(panel._line)"
    )
    assert "stopped, since it is a Client that is closed" in told.stdout
    assert "opacity:.5}" in told.stdout  # what was seen last does not look as if it were so now
    session.run("panel.close()")
    assert session.value(WIDGETS) == []


def test_the_panel_ends_with_the_extension(session: Kernel) -> None:
    session.run("panel = %omp_cluster client --live")
    assert session.run("%reload_ext omp_magic").status == "ok"
    assert session.value(WIDGETS) == [0]
    going = "n = panel.looks\nwhile panel.looks == n: time.sleep(0.05)"
    assert session.run(going).status == "ok"
    assert session.run("%unload_ext omp_magic").status == "ok"
    assert session.value(WIDGETS) == []
    assert session.value("panel._ended.is_set()")
    assert session.run("%load_ext omp_magic").status == "ok"
