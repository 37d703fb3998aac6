"""The dashboard in real kernels: what its widgets send, and what clicks do, over the protocol."""

from __future__ import annotations

import itertools
import json
import queue
import re
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
from live import LINUX, Kernel, run_program

pytestmark = pytest.mark.skipif(not LINUX, reason="sets limits through libc: Linux only")

VIEW = "application/vnd.jupyter.widget-view+json"
OPEN_WIDGETS = "len(__import__('ipywidgets').widgets.widget._instances)"
COUNTS = "[l.num_threads for l in __import__('omp_magic').snapshot().libraries]"


class Home:
    """A kernel with libraries loaded, for one test after the other.

    Starting one and importing scikit-learn costs more than most tests here.
    """

    def __init__(self) -> None:
        self.kernel = Kernel({"OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2"})
        self._prepare()

    def _prepare(self) -> None:
        reply = self.kernel.run("import numpy as np, sklearn.cluster, time, threading")
        assert reply.status == "ok", reply.traceback

    def open(self) -> Kernel:
        """Load the extension and open a panel."""
        self.kernel.run("%load_ext omp_magic")
        reply = self.kernel.run("dash = %omp_dashboard --interval 0.25\ndash")
        assert reply.status == "ok", reply.traceback
        return self.kernel

    def leave(self) -> None:
        """Unload the extension; a kernel that is not as it was before starts anew."""
        self.kernel.drain()
        if (
            self.kernel.run("%unload_ext omp_magic").status != "ok"
            or self.kernel.value(COUNTS) != [2, 2, 2]
            or self.kernel.value(OPEN_WIDGETS) != 0
        ):
            self.kernel.restart()
            self._prepare()


@pytest.fixture(scope="module")
def home() -> Iterator[Home]:
    made = Home()
    yield made
    made.kernel.close()


@pytest.fixture
def panel(home: Home) -> Iterator[Kernel]:
    """A kernel with libraries loaded and a panel open."""
    yield home.open()
    home.leave()


def updates(kernel: Kernel, code: str, timeout: float = 60) -> tuple[list[dict[str, Any]], str]:
    """Run a cell and give the frames of the live part that came meanwhile, and what it printed."""
    message = kernel.client.execute(code)
    frames, printed = [], ""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        try:
            got = kernel.client.get_iopub_msg(timeout=1)
        except queue.Empty:
            continue
        content = got["content"]
        if got["msg_type"] == "comm_msg":
            value = content["data"].get("state", {}).get("value", "")
            if "omp-live" in str(value):
                match = re.search(r'data-tick="(\d+)" data-at="(\d+)"', value)
                assert match is not None, value[:200]
                size = len(json.dumps(content))
                tick, at_ms = int(match[1]), int(match[2])
                frames.append({"tick": tick, "delay_s": time.time() - at_ms / 1000, "bytes": size})
        mine = got["parent_header"].get("msg_id") == message
        if got["msg_type"] == "stream" and mine:
            printed += content["text"]
        if got["msg_type"] == "status" and mine and content["execution_state"] == "idle":
            break
    kernel.client.get_shell_msg(timeout=10)
    return frames, printed


@pytest.mark.messages
@pytest.mark.parametrize(
    "work",
    [
        # Six ticks, however long they take where others are busy too.
        "s = dash._live.history; n = len(s) + 6\nwhile len(s) < n: pass",
        "s = dash._live.history; n, a = len(s) + 6, np.ones((700, 700))\nwhile len(s) < n: a @ a",
        "s = dash._live.history; n = len(s) + 6\nwhile len(s) < n: time.sleep(3)",
    ],
    ids=["python", "matmul", "sleep"],
)
def test_it_stays_live_while_a_cell_runs(panel: Kernel, work: str) -> None:
    frames, printed = updates(panel, work + "\nprint('end')")
    assert printed == "end\n"
    assert len(frames) >= 5
    ticks = [each["tick"] for each in frames]
    assert ticks == sorted(ticks)
    assert len(set(ticks)) >= 5
    assert max(each["bytes"] for each in frames) < 20_000


FIRST = "list(dash.controls.boxes.values())[0].number"
BOXES = "[box.number.value for box in dash.controls.boxes.values()]"
FOUND = "''.join(shown.head.value for shown in dash.controls.findings._shown)"


def click(kernel: Kernel, expression: str, **state: Any) -> None:
    """Send what a front-end sends when a person uses a widget."""
    model = kernel.value(f"{expression}.model_id") if "." in expression else expression
    data = {"method": "custom", "content": {"event": "click"}, "buffers": []}
    if state:
        data = {"method": "update", "state": state, "buffer_paths": []}
    message = kernel.client.session.msg("comm_msg", {"comm_id": model, "data": data})
    kernel.client.shell_channel.send(message)


def until(kernel: Kernel, expression: str, wanted: Any) -> None:
    deadline = time.monotonic() + 10
    while (found := kernel.value(expression)) != wanted and time.monotonic() < deadline:
        time.sleep(0.1)
    assert found == wanted


@pytest.mark.messages
def test_a_click_limits_the_next_cell_and_restore_ends_it(panel: Kernel) -> None:
    until(panel, f"{FIRST}.tooltip.startswith('limit OpenBLAS (numpy) ')", True)
    click(panel, FIRST, value=1)
    until(panel, COUNTS, [1, 2, 2])
    text = panel.run("%omp_status").text
    assert "set by the dashboard; back with %omp_limit off" in text
    click(panel, "dash.controls.auto")
    budget = panel.value("__import__('omp_magic').snapshot().budget.threads")
    until(panel, COUNTS, [budget] * 3)
    panel.run("%omp_limit off")
    assert panel.value(COUNTS) == [2, 2, 2]
    click(panel, FIRST, value=1)
    until(panel, COUNTS, [1, 2, 2])
    click(panel, "dash.controls.restore")
    until(panel, COUNTS, [2, 2, 2])


def test_the_boxes_follow_the_counts(panel: Kernel) -> None:
    assert panel.value(BOXES) == [2, 2, 2]
    panel.run("%omp_limit 1")
    assert panel.value(BOXES) == [1, 1, 1]
    click(panel, FIRST, value=3)
    until(panel, BOXES, [3, 1, 1])
    panel.run("%omp_limit off")
    assert panel.value(BOXES) == [2, 2, 2]


def test_a_very_large_number_must_be_entered_twice(panel: Kernel) -> None:
    click(panel, FIRST, value=4000)
    until(panel, "'4000 threads for' in dash.message and 'Enter 4000 again' in dash.message", True)
    assert panel.value(COUNTS) == [2, 2, 2]
    assert panel.value(BOXES) == [2, 2, 2]
    # Another large number is asked again; the same one is set.
    click(panel, FIRST, value=3000)
    until(panel, "'Enter 3000 again' in dash.message", True)
    click(panel, FIRST, value=3000)
    until(panel, "'limit OpenBLAS' in dash.message", True)
    # OpenBLAS in numpy's wheels is built for 64 threads at most.
    (count, *_) = panel.value(COUNTS)
    assert 4 < count < 3000
    assert panel.value(BOXES) == [count, 2, 2]


def test_up_to_four_times_the_cpus_are_set_with_a_note(panel: Kernel) -> None:
    cpus = panel.value("__import__('omp_magic').snapshot().budget.threads")
    click(panel, FIRST, value=4 * cpus)
    until(panel, COUNTS, [4 * cpus, 2, 2])
    assert f"{4 * cpus} threads on {cpus} CPU" in panel.value("dash.message")


PRESSED = """
import dataclasses
from omp_magic.facts.libraries import Finding
lines = ("A: %omp_limit 1", "B: %omp_guard raise")
found = (Finding(code="OMP201", severity="warning", title="t", why="w", remedies=lines),)
dash._live.look = lambda: dash._live.facts_snapshot
dash._live._judge = lambda: False
dash._live._snapshot = dataclasses.replace(dash._live.facts_snapshot, findings=found)
dash.show_all()
rows = [each for shown in dash.controls.findings._shown for each in shown.row.children[1:3]]
"""


def test_a_remedy_is_applied_by_a_press(panel: Kernel) -> None:
    panel.run(PRESSED)
    assert panel.value("[row.children[1].description for row in rows]") == ["apply"] * 2
    click(panel, "rows[1].children[1]")
    until(panel, "dash._live.watch.mode", "raise")
    assert panel.value("dash.message") == "guard raise"
    click(panel, "rows[0].children[1]")
    until(panel, COUNTS, [1, 1, 1])
    assert panel.value("dash.message").startswith("limit 1")
    panel.run("del dash._live.look, dash._live._judge")
    click(panel, "dash.controls.restore")
    until(panel, COUNTS, [2, 2, 2])


FIGURES = """
import dataclasses, itertools, re
live, shares = dash._live, itertools.count(50)
loads = live._load.look
def look(*given):  # what a cgroup with a quota tells, with another figure each time
    load = loads(*given)
    return load and dataclasses.replace(load, throttled_share=next(shares) / 100)
live._load.look = look
began = time.monotonic(); shown, told = [], []
def note(change):
    title = re.search(r"Throttled \\d+% of the last [\\d.]+ s", change["new"])
    if title and title[0] not in shown: shown.append(title[0])
dash.controls.live.observe(note, "value")
dash.controls.findings._told.observe(lambda change: told.append(change["new"]), "value")
while len(shown) < 3 and time.monotonic() < began + 60: time.sleep(0.1)
"""


def test_figures_in_findings_are_new_while_a_cell_runs(panel: Kernel) -> None:
    panel.run(FIGURES)
    assert panel.value("len(shown)") == 3
    # The finding itself is read out by a screen reader, its figures are not.
    codes = [re.findall(r"OMP\d+", each) for each in panel.value("told")]
    assert all(first != second for first, second in itertools.pairwise(codes)), codes
    # A paused panel shows nothing new.
    panel.run("dash.act('pause')")
    panel.run("other = %omp_dashboard")
    panel.run("before = len(shown)\nfor _ in range(70): time.sleep(0.1)\ninside = len(shown)")
    assert panel.value("[before, inside]") == [panel.value("before")] * 2


@pytest.mark.messages
def test_a_click_while_a_cell_runs_applies_after_it(panel: Kernel) -> None:
    panel.run("first = __import__('omp_magic').snapshot().libraries[0].path")
    message = panel.client.execute(
        f"dash.act('limit', first, 1); said = dash.message; inside = {COUNTS}"
    )
    assert panel.client.get_shell_msg(timeout=30)["parent_header"]["msg_id"] == message
    assert panel.value("said") == "applies after this cell"
    assert panel.value("inside") == [2, 2, 2]
    assert panel.value(COUNTS) == [1, 2, 2]


@pytest.mark.messages
def test_guard_interval_pause_and_close(panel: Kernel) -> None:
    click(panel, "dash.controls.guard", index=2)
    until(panel, "dash._live.watch.mode", "raise")
    click(panel, "dash.controls.interval", index=2)
    until(panel, "dash._live.interval_s", 1.0)
    click(panel, "dash.controls.pause")
    until(panel, "dash.paused", True)
    frames, _ = updates(panel, "time.sleep(1.5)")
    assert len({frame["tick"] for frame in frames}) <= 1
    click(panel, "dash.controls.pause")
    until(panel, "dash.paused", False)
    click(panel, "dash.controls.close_button")
    until(panel, "len(dash._live.panels)", 0)
    before = panel.value("len(dash._live.history)")
    panel.run("time.sleep(1.2)")
    assert panel.value("len(dash._live.history)") == before
    (bundle,) = panel.run("dash").displays
    assert VIEW not in bundle
    assert "omp" in bundle["text/html"]


def test_a_duplicate_runtime_appears_as_a_finding(
    kernel: Kernel, libiomp5: str, libomp: str
) -> None:
    kernel.run("%load_ext omp_magic\nimport ctypes")
    kernel.run("dash = %omp_dashboard")
    assert "OMP101" not in kernel.value(FOUND)
    kernel.run(f"ctypes.CDLL({libiomp5!r}).omp_get_max_threads()")
    kernel.run(f"second = ctypes.CDLL({libomp!r})")
    assert 'data-code="OMP101"' in kernel.value(FOUND)


def test_panels_share_one_thread_and_off_closes_them(panel: Kernel) -> None:
    threads = "len(__import__('os').listdir('/proc/self/task'))"
    before = panel.value(threads)
    panel.run("other = %omp_dashboard")
    assert panel.value(threads) == before
    assert panel.value("len(dash._live.panels)") == 2
    assert panel.value("other._live is dash._live") is True
    panel.run("%omp_dashboard off")
    assert panel.value("len(dash._live.panels)") == 0
    until(panel, f"{threads} < {before}", True)
    panel.run("third = %omp_dashboard")
    until(panel, threads, before)
    panel.run("%unload_ext omp_magic")
    until(panel, f"{threads} < {before}", True)
    assert panel.run("time.sleep(0.6)").status == "ok"


@pytest.mark.messages
def test_one_bundle_for_every_front_end(panel: Kernel) -> None:
    live, kept = panel.run("dash").displays
    assert set(live) == {VIEW, "text/plain"}
    assert live["text/plain"] == ""
    assert set(kept) == {"text/html", "text/plain"}
    assert "OpenBLAS (numpy)" in kept["text/plain"]
    assert "OpenBLAS (numpy)" in kept["text/html"]
    assert "<script" not in kept["text/html"]


def kept_updates(kernel: Kernel, code: str) -> list[str]:
    """Run a cell and give what was brought up to date in the notebook meanwhile."""
    kernel.drain()
    message, found = kernel.client.execute(code), []
    while True:
        got = kernel.client.get_iopub_msg(timeout=60)
        if got["msg_type"] == "update_display_data":
            found.append(got["content"]["data"].get("text/html", ""))
        mine = got["parent_header"].get("msg_id") == message
        if mine and got["content"].get("execution_state") == "idle":
            kernel.client.get_shell_msg(timeout=10)
            return found


@pytest.mark.messages
def test_what_is_kept_is_current_at_the_end_of_every_cell(panel: Kernel) -> None:
    (page,) = kept_updates(panel, "%omp_limit 1")
    assert "limit 1, set by %omp_limit 1" in page
    assert "omp-chart" in page
    assert "Snapshot of " in page
    assert len(page.encode()) < 40_000
    (page,) = kept_updates(panel, "%omp_limit off")
    assert "limit 1, set by" not in page
    panel.run("dash.act('close')")
    assert kept_updates(panel, "1") == []


def test_history_as_a_table_and_as_a_file(panel: Kernel, tmp_path: Any) -> None:
    panel.run("a = np.ones((900, 900)); [a @ a for _ in range(40)]; time.sleep(0.6)")
    panel.run("frame = dash.to_frame()")
    assert panel.value("len(frame)") >= 2
    assert panel.value("sorted(frame.columns)[:2]")
    assert panel.value("bool((frame['cpus'].dropna() >= 0).all())") is True
    assert panel.value("any(c.startswith('alive OpenBLAS') for c in frame.columns)") is True
    path = str(tmp_path / "threads.csv")
    panel.run(f"dash.save({path!r})")
    assert panel.value(f"len(__import__('pandas').read_csv({path!r}))") >= 2
    reply = panel.run("dash.save('threads.txt')")
    assert reply.ename == "RequestError"
    assert "accepted: a name that ends in .csv or .parquet" in reply.evalue


def test_wrong_words_are_one_line(panel: Kernel) -> None:
    for line in ("%omp_dashboard on", "%omp_dashboard --interval 0", "%omp_dashboard --interval x"):
        reply = panel.run(line)
        assert reply.ename == "UsageError"
        assert reply.stderr.strip().count("\n") == 0
        assert "example: %omp_dashboard --interval 1" in reply.stderr


def test_the_side_says_what_it_needs(panel: Kernel) -> None:
    panel.run("import sys; sys.modules['sidecar'] = None  # as where it is not installed")
    reply = panel.run("%omp_dashboard --side")
    assert reply.ename == "UsageError"
    assert reply.stderr.strip().count("\n") == 0
    assert reply.stderr.endswith("run: %pip install sidecar\n")
    panel.run("del sys.modules['sidecar']")
    command = [sys.executable, "-m", "IPython", "-c", "%load_ext omp_magic\n%omp_dashboard --side"]
    said = run_program(command, 60, {"TERM": "dumb"})
    assert "UsageError: omp_dashboard: --side needs JupyterLab" in said.out + said.err


def test_a_thread_that_dies_says_so(panel: Kernel) -> None:
    panel.run("dash._live._pulse = None")
    until(panel, "'stopped' in dash.message", True)
    assert panel.run("6 * 7").text == "42"


def test_colab_has_no_thread_and_looks_after_each_cell(kernel: Kernel) -> None:
    """Background threads' messages are not shown there (colabtools#3373)."""
    kernel.run("import sys, types; sys.modules['google.colab'] = types.ModuleType('colab')")
    threads = kernel.value("len(__import__('os').listdir('/proc/self/task'))")
    kernel.run("%load_ext omp_magic\ndash = %omp_dashboard")
    assert kernel.value("len(__import__('os').listdir('/proc/self/task'))") == threads
    before = kernel.value("len(dash._live.history)")
    kernel.run("__import__('time').sleep(0.2)")
    assert kernel.value("len(dash._live.history)") > before
    assert "after each cell" in kernel.value("dash.controls.live.value")
    names = "[each.description for each in dash.controls.grid.children[-2].children[-3:]]"
    assert kernel.value(names) == ["refresh", "pause", "close"]


def test_loading_the_extension_imports_no_widgets(kernel: Kernel) -> None:
    kernel.run("%load_ext omp_magic\n%omp_status")
    assert kernel.value("'ipywidgets' in __import__('sys').modules") is False


GROWTH = """
import dataclasses, gc, os, threading
from omp_magic.views.panel.sending import unparented
def resident():
    gc.collect()
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
def ticks(number):
    for at in range(number):
        if at % 50 == 0:  # threads that come and go
            others = [threading.Thread(target=time.sleep, args=(0.01,)) for _ in range(5)]
            for other in others: other.start()
        dash._live._tick()
        dash.show()
def accelerated(number):
    thread = threading.Thread(target=unparented, args=(ticks, number))
    thread.start(); thread.join()
looks = dash._live._pulse.tick  # one that comes too soon has the time of the one before
dash._live._pulse.tick = lambda: dataclasses.replace(looks(), at_s=time.time())
dash._live.set_interval(3600)
accelerated(dash._live.history.maxlen + 200)  # the history is full
before = resident()
accelerated(3600)
grown = resident() - before
"""


@pytest.mark.alone
@pytest.mark.thorough
def test_an_hour_of_ticks_does_not_grow(panel: Kernel) -> None:
    frames, printed = updates(panel, GROWTH, timeout=180)
    assert printed == ""
    assert panel.value("len(dash._live.history)") == 3600
    assert panel.value("grown") < 2_000_000
    # One message a tick, and the last is no larger than the first.
    assert 7000 < len(frames) <= 7420
    assert frames[-1]["bytes"] < 1.5 * frames[10]["bytes"] + 4000


@pytest.mark.parametrize(
    "cell",
    [
        "%omp_dashboard",
        "%omp_dashboard --interval 1 ;",
        "dash = %omp_dashboard",
        "dash = %omp_dashboard\ndash",
        "%omp_dashboard\nx = 1",
        "for _ in range(1): get_ipython().run_line_magic('omp_dashboard', '')",
    ],
)
def test_the_magic_shows_the_panel_once_wherever_it_stands(kernel: Kernel, cell: str) -> None:
    kernel.run("%load_ext omp_magic")
    reply = kernel.run(cell)
    assert reply.status == "ok", reply.traceback
    shown, kept = reply.displays
    assert set(shown) == {VIEW, "text/plain"}
    assert set(kept) == {"text/html", "text/plain"}
    assert reply.result == {}


def test_a_later_cell_shows_the_panel_again(panel: Kernel) -> None:
    shown, _ = panel.run("dash").displays
    again, _ = panel.run("x = 1\ndisplay(dash)").displays
    assert shown[VIEW] == again[VIEW]
    assert panel.value("len(dash._live.panels)") == 1


def run_from(kernel: Kernel, cell: str, code: str) -> None:
    """Run a cell as a front-end does that names its cells."""
    message = kernel.client.session.msg(
        "execute_request",
        {"code": code, "silent": False, "user_expressions": {}, "allow_stdin": False},
        metadata={"cellId": cell},
    )
    kernel.client.shell_channel.send(message)
    assert kernel._answer(message["header"]["msg_id"], 60)["status"] == "ok"


@pytest.mark.messages
def test_a_cell_that_is_run_again_has_one_panel_and_closing_leaves_no_widget(
    panel: Kernel,
) -> None:
    panel.run("%omp_dashboard off")
    assert panel.value(OPEN_WIDGETS) == 0
    run_from(panel, "a", "one = %omp_dashboard")
    for _ in range(3):
        run_from(panel, "a", "two = %omp_dashboard")
    assert panel.value("[one.closed, two.closed]") == [True, False]
    run_from(panel, "b", "three = %omp_dashboard")
    panel.run("four = %omp_dashboard")  # from a front-end that names no cells
    panel.run("five = %omp_dashboard")
    assert panel.value("len(one._live.panels)") == 4
    panel.run("%omp_dashboard off")
    until(panel, OPEN_WIDGETS, 0)


@pytest.mark.messages
def test_a_closed_panel_leaves_a_snapshot_in_its_places(panel: Kernel) -> None:
    panel.run("a = np.ones((500, 500)); time.sleep(1)\ndash")
    message = panel.client.execute("%omp_dashboard off")
    kept = []
    while True:
        got = panel.client.get_iopub_msg(timeout=30)
        if got["parent_header"].get("msg_id") != message:
            continue
        if got["msg_type"] == "update_display_data":
            kept.append(got["content"])
        if got["msg_type"] == "status" and got["content"]["execution_state"] == "idle":
            break
    # The widgets' places are empty, and what is kept beside them is current.
    assert len({each["transient"]["display_id"] for each in kept}) == 4
    empty, full = ([each["data"] for each in kept[first::2]] for first in (0, 1))
    assert empty == [{"text/plain": ""}] * 2
    assert [set(each) for each in full] == [{"text/html", "text/plain"}] * 2
    assert all("Snapshot of " in each["text/plain"] for each in full)


@pytest.mark.messages
def test_a_click_works_in_the_context_of_the_cells(panel: Kernel) -> None:
    panel.run("import omp_magic; held = omp_magic.limit(1); held.__enter__();")
    if panel.value(COUNTS) != [1, 1, 1]:
        pytest.skip("this ipykernel runs each cell in a context of its own")
    click(panel, "dash.controls.restore")
    until(panel, "'no limit is in force' in dash.message", True)
    sizes = "[pool.size for pool in dash._live.facts_snapshot.pools]"
    # From a thread, as ipykernel 7 does it, and while no cell runs.
    panel.run(
        "import contextvars; seen = []\n"
        "def note():\n"
        "    while dash._live.main.busy: time.sleep(0.05)\n"
        "    contextvars.Context().run(dash.act, 'restore'); time.sleep(0.5)\n"
        f"    seen.append({sizes})\n"
        "late = threading.Thread(target=note); late.start()",
    )
    time.sleep(1.5)
    panel.run("late.join()")
    assert panel.value("seen") == [[1, 1, 1]]
    assert panel.value(COUNTS) == [1, 1, 1]


def test_a_paused_panel_is_true(panel: Kernel) -> None:
    shown = "dash.controls.live.value"
    panel.run("dash.act('pause')")
    assert ">paused · " in panel.value(shown)
    assert ">paused</text>" in panel.value(shown)
    tick = re.search(r"data-tick=.\d+", panel.value(shown))
    panel.run("%omp_limit 1")
    assert panel.value(BOXES) == [1, 1, 1]
    page = panel.value(shown)
    assert "limit 1, set by %omp_limit 1" in page
    assert tick is not None
    assert tick[0] in page
    panel.run("dash.act('pause')")
    assert ">Live · " in panel.value(shown)
    assert panel.value("dash.controls.pause.description") == "pause"


def test_every_panel_follows_the_interval_and_the_guard(panel: Kernel) -> None:
    panel.run("other = %omp_dashboard --interval 60")
    intervals = "[each.controls.interval.value for each in dash._live.panels]"
    assert panel.value(intervals) == [60.0, 60.0]
    panel.run("time.sleep(0.5); before = len(dash._live.history)")
    panel.run("%omp_dashboard --interval 0.3")
    assert panel.value(intervals) == [0.3] * 3
    until(panel, "len(dash._live.history) > before + 3", True)
    click(panel, "other.controls.interval", index=2)
    until(panel, f"len(set({intervals}))", 1)
    panel.run("%omp_guard raise")
    guards = "[each.controls.guard.value for each in dash._live.panels]"
    assert panel.value(guards) == ["raise"] * 3


def test_a_message_goes_when_it_is_untrue(panel: Kernel) -> None:
    click(panel, FIRST, value=1)
    until(panel, "dash.message", "limit OpenBLAS (numpy) 1")
    panel.run("x = 1")
    assert panel.value("dash.message") == "limit OpenBLAS (numpy) 1"
    panel.run("%omp_limit off")
    assert panel.value("dash.message") == ""
    click(panel, "dash.controls.guard", index=0)
    until(panel, "dash.message", "guard off")
    panel.run("%omp_guard warn")
    assert panel.value("dash.message") == ""
    # The region that a screen reader listens to stays.
    assert 'role="status"' in panel.value("dash.controls.message.value")


UNKNOWN = f"""
def offered(threads):
    dash.controls.offer([("a", "a", "A", threads), ("b", "b", "B", 2)], ["a", "b"])
    return {BOXES}, {OPEN_WIDGETS}
found = [offered(threads) for threads in (0, 3, 0)]
hint = dash.controls.boxes['a'].number.placeholder
"""


def test_a_count_that_is_not_known_has_an_empty_box(panel: Kernel) -> None:
    panel.run(UNKNOWN)  # in one cell: at its end the boxes are those of the real pools
    first, second, third = panel.value("found")
    assert [first[0], second[0], third[0]] == [["", 2], [3, 2], ["", 2]]
    assert panel.value("hint") == "set"
    assert first[1] == third[1]


def test_a_look_that_comes_too_soon_is_not_counted(panel: Kernel) -> None:
    panel.run("other = %omp_dashboard\nthird = %omp_dashboard\ntime.sleep(0.6)")
    assert panel.value("len({t.at_s for t in dash._live.history}) == len(dash._live.history)")
    assert panel.value("bool(dash.to_frame().index.is_unique)") is True


def test_a_terminal_shows_the_text_and_starts_no_thread() -> None:
    lines = (
        "%load_ext omp_magic\n"
        "import os; before = len(os.listdir('/proc/self/task'))\n"
        "panel = %omp_dashboard\n"
        "display(panel)\n"
        "print('more threads:', len(os.listdir('/proc/self/task')) - before)\n"
        "%omp_dashboard off\n"
    )
    command = [sys.executable, "-m", "IPython", "--simple-prompt", "--no-banner", "-c", lines]
    ended = run_program(command, 60, {"TERM": "dumb"})
    assert ended.out.count("CPUs used in the last 2 min: now") == 1, ended.err
    assert "after each cell" in ended.out
    assert "not known" not in ended.out
    assert "more threads: 0" in ended.out
    assert "Traceback" not in ended.out + ended.err
