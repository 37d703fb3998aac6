"""Child processes, looked at from outside: groups, sums, words, and what may not be read."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from facts_for_tests import EVIL, budget, snapshot
from fakesystem import Recorded
from links import link

from omp_magic.facts.contrasts import contrasts_of
from omp_magic.facts.libraries import Gap
from omp_magic.facts.memory import MemoryBound, MemoryBudget
from omp_magic.facts.workers import CpuUse, Helper, Worker, WorkerRuntime, Workers
from omp_magic.formats.procfs import Segments
from omp_magic.knowledge.started_by import helper_of, starter_of
from omp_magic.machine import Machine
from omp_magic.machine.port.rows import Process
from omp_magic.probes.threads import outside
from omp_magic.probes.threads.children import ChildProbe
from omp_magic.probes.threads.workers import WorkerProbe
from omp_magic.views.html import render_html
from omp_magic.views.text import render_text
from omp_magic.views.words import DASH
from omp_magic.views.workers import table_of
from omp_magic.views.workers_words import who

BLAS = "/env/lib/python3.12/site-packages/numpy.libs/libopenblas.so"


def runtime(path: str = BLAS, num_threads: int | None = 3, **facts: Any) -> WorkerRuntime:
    given = {"family": "openblas", "label": "OpenBLAS", "package": "numpy 2.4.6"}
    return WorkerRuntime(path=path, num_threads=num_threads, **{**given, **facts})


def worker(pid: int, **facts: Any) -> Worker:
    given: dict[str, Any] = {
        "parent": 6536,
        "origin": "spawn",
        "command": "python -c from multiprocessing.spawn import spawn_main",
        "num_os_threads": 4,
        "runtimes": (runtime(),),
        "variables": (("OMP_NUM_THREADS", "1"),),
        "owners": (("libopenblas.so", 3), ("Python", 1)),
        "unknown_threads": 0,
        "pool_threads": 4,
        "affinity": (0, 1),
        "affinity_cpus": 2,
        "use": CpuUse(cpus=0.5, over_s=2.0, since="start"),
        "rss_bytes": 80_000_000,
        "pss_bytes": 50_000_000,
    }
    return Worker(pid=pid, **{**given, **facts})


def told(*workers: Worker) -> dict[tuple[str, str], list[tuple[str | None, tuple[int, ...]]]]:
    found = contrasts_of(workers)
    return {(c.kind, c.name): [(each.value, each.pids) for each in c.groups] for c in found}


def words(found: Workers) -> str:
    text = render_text(snapshot(workers=found, budget=budget(affinity=2), shown={"workers"}))
    return " ".join(text.split())


def test_equal_workers_differ_in_nothing() -> None:
    assert told(worker(1), worker(2), worker(3)) == {}
    assert told(worker(1)) == told() == {}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"variables": ()}, {("variable", "OMP_NUM_THREADS"): [("1", (1, 2, 3)), (None, (4,))]}),
        (
            {"variables": (("OMP_NUM_THREADS", ""),)},
            {("variable", "OMP_NUM_THREADS"): [("1", (1, 2, 3)), ("", (4,))]},
        ),
        ({"variables": None}, {}),
        ({"affinity": (1,)}, {("CPUs", ""): [("0-1", (1, 2, 3)), ("1", (4,))]}),
        ({"affinity": None, "affinity_cpus": None}, {}),
        ({"cgroup": "/pod8"}, {("cgroup", ""): [(None, (1, 2, 3)), ("/pod8", (4,))]}),
        ({"origin": "loky"}, {("start", ""): [("spawn", (1, 2, 3)), ("loky", (4,))]}),
        (
            {"runtimes": (runtime(num_threads=0),)},
            {("threads", "OpenBLAS (numpy 2.4.6)"): [("3", (1, 2, 3)), ("0", (4,))]},
        ),
        ({"runtimes": (runtime(num_threads=None),)}, {}),
        (
            {"runtimes": (runtime("/other/libopenblas.so"),)},
            {("runtime", "OpenBLAS"): [(BLAS, (1, 2, 3)), ("/other/libopenblas.so", (4,))]},
        ),
        (
            {"runtimes": (runtime(replaced=True),)},
            {("runtime", "OpenBLAS"): [(BLAS, (1, 2, 3)), (f"{BLAS} (replaced on disk)", (4,))]},
        ),
        ({"runtimes": ()}, {("runtime", "OpenBLAS"): [(BLAS, (1, 2, 3)), (None, (4,))]}),
        ({"runtimes": None}, {}),
    ],
)
def test_what_differs(changes: dict[str, Any], expected: dict[Any, Any]) -> None:
    assert told(worker(1), worker(2), worker(3), worker(4, **changes)) == expected


def test_another_program_is_no_peer() -> None:
    shell = worker(9, origin="exec", command="sleep 60", runtimes=(), variables=())
    assert told(worker(1), worker(2), shell) == {}


def test_sums_are_unknown_where_a_part_is() -> None:
    both = Workers(workers=(worker(1), worker(2)), own_rss_bytes=9, own_pss_bytes=5)
    assert (both.pool_threads, both.rss_bytes, both.pss_bytes) == (8, 160_000_009, 100_000_005)
    part = replace(both, workers=(worker(1), worker(2, pss_bytes=None, pool_threads=None)))
    assert (part.pss_bytes, part.most_bytes, part.unknown_pools) == (None, 130_000_005, 1)
    assert replace(both, helpers=(Helper(pid=3, kind="x", num_os_threads=1),)).rss_bytes is None
    assert replace(both, unread=1).most_bytes is None


def test_the_words() -> None:
    memory = MemoryBudget(
        bounds=(
            MemoryBound(
                source="cgroup v2",
                limit_bytes=2_147_483_648,
                used_bytes=9,
                where="/pod7",
                detail="memory.max 2147483648",
            ),
        )
    )
    found = Workers(
        workers=(worker(1), worker(2), worker(3), worker(4, variables=(), affinity=(1,))),
        helpers=(Helper(pid=5, kind="fork server", num_os_threads=1, rss_bytes=13_000_000),),
        ended=(6,),
        own_rss_bytes=9,
        own_pss_bytes=5,
        memory=memory,
    )
    text = words(replace(found, helpers=()))
    assert "4 workers with pools of 4 threads: 16 together on 2 CPUs" in text
    assert "200 MB of memory together with this process (PSS) of 2.1 GB" in text
    assert "(memory.max of /pod7)" in text
    assert "differs 3 of 4 have OMP_NUM_THREADS=1, pid 4 has none" in text
    assert "differs CPUs that they may use: 0-1 in 3 of 4, 1 in pid 4" in text
    assert "OpenBLAS numpy 2.4.6 all 4 3 each" in text
    assert "OS threads: 3 libopenblas.so, 1 Python in all 4" in text
    assert "CPUs used: on average since each began" in text
    assert "ended, and nobody has waited for them: pid 6" in text
    text = words(found)  # the helper's PSS is not known
    assert "at most 213 MB of memory together with this process (RSS, which counts" in text
    assert "helpers, not counted as workers: fork server (pid 5, 1 thread, 13 MB)" in text


def test_nothing_is_no_zero() -> None:
    assert "No child process" in words(Workers())
    assert "Child processes are not known" in words(Workers(unread=1))
    idle = worker(5, runtimes=(), pool_threads=1)
    some = words(Workers(workers=(idle,), unread=44))
    assert "1 of 45 child processes known, none with an OpenMP or BLAS runtime" in some
    more = words(Workers(workers=(worker(1), worker(2)), unread=1))
    assert (
        "2 of 3 child processes known, 2 of them workers with pools of 4 threads: "
        "at least 8 together on 2 CPUs"
    ) in more
    unknown = worker(
        1, runtimes=None, variables=None, owners=None, pool_threads=None, affinity=None,
        affinity_cpus=None, use=None, rss_bytes=None, pss_bytes=None,
    )  # fmt: skip
    text = words(Workers(workers=(unknown,)))
    assert "1 worker with pools of unknown size, on 2 CPUs" in text
    assert "the memory of all together is not known" in text
    assert f"1 spawn {DASH} 4 {DASH} {DASH} {DASH} {DASH}" in text


@pytest.mark.parametrize(
    ("pids", "of", "expected"),
    [
        ((1, 2), 2, "all 2"),
        ((7,), 1, "pid 7"),
        ((1, 2, 3), 4, "3 of 4"),
        ((1, 2), 4, "pid 1, 2"),
        ((7,), 2, "pid 7"),
        (tuple(range(9)), 50, "9 of 50"),
    ],
)
def test_who(pids: tuple[int, ...], of: int, expected: str) -> None:
    assert who(pids, of) == expected


def test_every_view_has_it_escaped_and_80_columns_wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    one = worker(
        1,
        origin="exec",
        command=f"run {EVIL}",
        variables=(("KMP_AFFINITY", EVIL),),
        runtimes=(runtime(EVIL, package="<b>x"),),
        owners=((EVIL, 2),),
        cgroup=EVIL,
    )
    facts = snapshot(
        workers=Workers(workers=(one, worker(2)), helpers=(Helper(pid=3, kind="resource tracker",
                                                                  num_os_threads=1),)),
        shown=frozenset({"workers"}),
    )  # fmt: skip
    text, page = render_text(facts), render_html(facts)
    for shown in (text, page):
        assert "\x1b" not in shown
        assert "\udcff" not in shown
        assert "\\x1b[31m\\n\\udcff" in shown
    assert "<script" not in page
    assert "<b>x" not in page
    assert "&lt;script&gt;" in page
    assert page.count("<caption>") == page.count("<table ")
    plain = snapshot(workers=Workers(workers=(worker(1234567), worker(1234568, origin="fork"))))
    assert max(map(len, render_text(plain).split("\n"))) <= 80
    made = table_of(facts.workers or Workers(), facts)
    for sentence in (made.headline, *(name.lstrip(">") for name in made.columns)):
        assert sentence in " ".join(text.split())
        assert sentence in page


def test_json_has_them_only_when_asked() -> None:
    assert snapshot().to_dict()["workers"] is None
    found = Workers(workers=(worker(1), worker(2, variables=())), own_pss_bytes=1)
    made = json.loads(snapshot(workers=found).to_json())["workers"]
    assert made["sums"]["pool_threads"] == 8
    assert made["sums"]["pss_bytes"] == 100_000_001
    assert made["sums"]["rss_bytes"] is None
    assert made["workers"][0]["runtimes"][0]["path"] == BLAS
    assert made["differences"][0]["name"] == "OMP_NUM_THREADS"


@pytest.mark.parametrize(
    ("command", "helper", "starter"),
    [
        ("python -c from multiprocessing.resource_tracker import main;main(5)",
         "resource tracker", "exec"),
        ("python -m x -c from joblib.externals.loky.backend.resource_tracker import main; main(5)",
         "loky's tracker", "exec"),
        ("python -c from multiprocessing.semaphore_tracker import main;main(5)",
         "semaphore tracker", "exec"),
        ("python -c from multiprocessing.forkserver import main; main(1, 2)",
         "fork server", "exec"),
        ("python -c from multiprocessing.spawn import spawn_main; spawn_main()", "", "spawn"),
        ("app.exe --multiprocessing-fork pipe_handle=5", "", "spawn"),
        ("python -m joblib.externals.loky.backend.popen_loky_posix --pipe 5", "", "loky"),
        ("python resource_tracker.py", "", "exec"),
    ],
)  # fmt: skip
def test_how_a_process_was_started(command: str, helper: str, starter: str) -> None:
    assert (helper_of(command), starter_of(command)) == (helper, starter)


STAT = "{pid} ({name}) {state} {parent} 1 1 0 -1 {flags} 0 0 0 0 150 50 0 0 0 0 {n} 0 {began}" + (
    " 0" * 30
)
MAPS = (
    "7f0000000000-7f0000001000 r-xp 00000000 fd:01 7 /env/libgomp.so.1\n"
    "7f0000002000-7f0000003000 r-xp 00000000 fd:01 8 /env/libopenblas.so (deleted)\n"
)
SECRET = "hunter2"


def lay(root: Path, pid: int, parent: int, **facts: Any) -> Path:
    """Lay out a process below `root`."""
    home = root / "proc" / str(pid)
    given = {"state": "S", "flags": 0x400000, "n": 1, "name": "python", "began": 9000, **facts}
    for tid in range(pid, pid + given["n"]):
        (home / "task" / str(tid)).mkdir(parents=True)
    (home / "stat").write_text(STAT.format(pid=pid, parent=parent, **given), "utf-8")
    (home / "statm").write_text("100 5 1 1 0 3 0\n", "utf-8")
    (home / "maps").write_text(facts.get("maps", MAPS), "utf-8")
    (home / "cmdline").write_text(facts.get("cmdline", "python\0work.py\0"), "utf-8")
    (home / "environ").write_text(
        f"PASSWORD={SECRET}\0OMP_NUM_THREADS=3\0MKL_NUM_THREADS=\0", "utf-8"
    )
    (home / "status").write_text("Name:\tpython\nCpus_allowed_list:\t0,2-3\nx:\t1\n", "utf-8")
    (home / "cgroup").write_text(f"0::{facts.get('group', '/pod7')}\n", "utf-8")
    (home / "smaps_rollup").write_text("00-ff ---p 00 00:00 0 [rollup]\nPss:  7 kB\n", "utf-8")
    return home


class Laid(Machine):
    """A machine in a folder, with a clock of its own, that may lose a file at some read."""

    now_s = 100.0

    def __init__(self, root: Path) -> None:
        super().__init__(root, pid=50, clock=lambda: Laid.now_s)
        self.before: dict[str, Callable[[], object]] = {}

    def read(self, name: str) -> str:
        self.before.get(name, lambda: None)()
        return super().read(name)


@pytest.fixture
def laid(tmp_path: Path) -> Laid:
    lay(tmp_path, 50, 1)
    link(tmp_path / "proc" / "self", "50")
    (tmp_path / "proc" / "uptime").write_text("100.00 7\n", "utf-8")
    Laid.now_s = 100.0
    return Laid(tmp_path)


def look(machine: Machine, probe: WorkerProbe | None = None) -> tuple[Workers, list[Gap]]:
    gaps: list[Gap] = []
    probe = probe or WorkerProbe(machine, ChildProbe(machine, None))
    found = probe.look(Segments(""), gaps, lambda paths: dict.fromkeys(paths, "numpy 2.4.6"))
    return found, gaps


def test_a_laid_out_family(laid: Laid, tmp_path: Path) -> None:
    server = "python\0-c\0from multiprocessing.forkserver import main; main(1)\0"
    lay(tmp_path, 60, 50, group="/pod8")
    lay(tmp_path, 61, 50, flags=0x400040)
    lay(tmp_path, 62, 50, cmdline=server, maps="")
    lay(tmp_path, 63, 62, flags=0x400040, cmdline=server)
    lay(tmp_path, 64, 60, flags=0x400040)
    lay(tmp_path, 65, 50, state="Z")
    lay(tmp_path, 66, 50, flags=0x200040, maps="", cmdline="", name="kworker/0:1")
    lay(tmp_path, 67, 1)
    found, gaps = look(laid)
    rows = [(each.pid, each.parent, each.origin) for each in found.workers]
    assert rows == [
        (60, 50, "exec"), (61, 50, "fork"), (63, 62, "forkserver"), (64, 60, "fork"),
    ]  # fmt: skip
    assert [(each.pid, each.kind) for each in found.helpers] == [
        (62, "fork server"), (66, "kernel thread"),
    ]  # fmt: skip
    assert found.ended == (65,)
    one = found.workers[0]
    # Below another root there is no C library to ask for a thread's owner, but for one thread.
    assert [(r.family, r.path, r.replaced) for r in one.runtimes or ()] == [
        ("libgomp", "/env/libgomp.so.1", False), ("openblas", "/env/libopenblas.so", True),
    ]  # fmt: skip
    assert one.variables == (("OMP_NUM_THREADS", "3"), ("MKL_NUM_THREADS", ""))
    assert (one.affinity, one.affinity_cpus, one.cgroup) == ((0, 2, 3), 3, "/pod8")
    assert (one.rss_bytes, one.pss_bytes) == (5 * 4096, 7 * 1024)
    assert one.use == CpuUse(cpus=0.2, over_s=10.0, since="start")
    assert found.workers[1].cgroup is None
    assert SECRET not in repr(found) + repr(gaps)


def test_rates_count_from_a_look_that_is_long_enough_ago(laid: Laid, tmp_path: Path) -> None:
    home = lay(tmp_path, 60, 50)
    probe = WorkerProbe(laid, ChildProbe(laid, None))

    def use(now_s: float, ticks: int) -> CpuUse | None:
        Laid.now_s = now_s
        text = STAT.format(pid=60, parent=50, state="S", flags=0x400000, n=1, name="p", began=9000)
        (home / "stat").write_text(text.replace(" 150 50 ", f" {ticks} 50 "), "utf-8")
        found, _ = look(laid, probe)
        return found.workers[0].use

    assert use(100.0, 150) == CpuUse(cpus=0.2, over_s=10.0, since="start")
    first = use(100.05, 160)
    assert first is not None
    assert first.since == "start"
    second = use(101.0, 250)
    assert second is not None
    assert (second.since, round(second.over_s, 3), round(second.cpus, 3)) == ("last look", 1.0, 1.0)
    third = use(103.0, 250)
    assert third == CpuUse(cpus=0.0, over_s=2.0, since="last look")


@pytest.mark.parametrize(
    "file", ["cmdline", "statm", "smaps_rollup", "maps", "environ", "status", "cgroup"]
)
@pytest.mark.parametrize("becomes", ["gone", "zombie"])
def test_one_that_ends_in_the_middle_is_a_gap(
    laid: Laid, tmp_path: Path, file: str, becomes: str
) -> None:
    home = lay(tmp_path, 60, 50)
    lay(tmp_path, 61, 50)

    def end() -> None:
        if becomes == "gone":
            for each in ("stat", file):
                (home / each).unlink(missing_ok=True)
        else:  # what the kernel tells of a zombie
            stat = (home / "stat").read_text("utf-8")
            (home / "stat").write_text(stat.replace(") S ", ") Z "), "utf-8")
            for each in ("maps", "environ", "cmdline"):
                (home / each).write_text("", "utf-8")

    laid.before[f"/proc/60/{file}"] = end
    found, gaps = look(laid)
    assert [each.pid for each in found.workers] == [61]
    assert gaps == [Gap(what="process 60", why="it ended while it was looked at")]
    assert found.unread == 0, "what has ended uses nothing"


@pytest.mark.parametrize(
    ("files", "lost"),
    [
        (("maps",), dict.fromkeys(("runtimes", "pool_threads", "owners", "unknown_threads"))),
        (("environ",), {"variables": None}),
        (("smaps_rollup",), {"pss_bytes": None}),
        (("cgroup",), {"cgroup": None}),
    ],
)
def test_what_may_not_be_read_is_a_gap_each(
    laid: Laid, tmp_path: Path, files: tuple[str, ...], lost: dict[str, None]
) -> None:
    lay(tmp_path, 60, 50)
    whole, _ = look(laid)

    def refuse() -> None:
        raise PermissionError(13, "Permission denied", "/proc/60/x")

    laid.before.update({f"/proc/60/{file}": refuse for file in files})
    found, gaps = look(laid)
    (before,), (after,) = whole.workers, found.workers
    changed = {
        name
        for name in Worker.__dataclass_fields__
        if getattr(before, name) != getattr(after, name)
    }
    assert changed | set(lost) == set(lost)
    assert all(getattr(after, name) is None for name in lost)
    assert gaps
    assert all("60" in gap.what and gap.why == "Permission denied" for gap in gaps)


def test_another_users_process_is_noted_and_leaves_the_sums_unknown(
    laid: Laid, tmp_path: Path
) -> None:
    lay(tmp_path, 60, 50)
    lay(tmp_path, 61, 50)
    for pid, text in ((50, "60 61 62"), (60, ""), (61, "")):
        (tmp_path / f"proc/{pid}/task/{pid}/children").write_text(text, "utf-8")

    def refuse() -> None:  # hidepid=1: proc_pid_permission
        raise PermissionError(1, "Operation not permitted", "/proc/61/stat")

    laid.before["/proc/61/stat"] = refuse
    found, gaps = look(laid)
    assert [each.pid for each in found.workers] == [60]
    assert [gap.why for gap in gaps] == [
        "process 61 may not be read: Operation not permitted",
        "process 62 ended while it was looked at",
    ]
    assert (found.unread, found.rss_bytes) == (1, None)


def test_pss_is_read_as_long_as_there_is_time(
    laid: Laid, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outside, "PSS_WITHIN_S", 1.5)
    for pid in (60, 61, 62):
        lay(tmp_path, pid, 50)

        def slow() -> None:
            Laid.now_s += 1.0

        laid.before[f"/proc/{pid}/smaps_rollup"] = slow
    found, gaps = look(laid)
    assert [each.pss_bytes is None for each in found.workers] == [False, False, True]
    assert all(each.rss_bytes for each in found.workers)
    assert found.pss_bytes is None
    assert found.most_bytes == 3 * 7 * 1024 + 5 * 4096
    (gap,) = gaps
    assert "after 1.5 s it was left out for 1 of them" in gap.why


def test_the_work_is_bounded(laid: Laid, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("omp_magic.probes.threads.workers.MOST_CHILDREN", 2)
    for pid in (60, 61, 62):
        lay(tmp_path, pid, 50)
    found, gaps = look(laid)
    assert (len(found.workers), found.unread, found.pss_bytes) == (2, 1, None)
    assert "only the first 2 of 3 are looked at" in [gap.why for gap in gaps]


class WithChild(Recorded):
    """A recorded Windows with a child of which it tells little."""

    def has_child(self) -> bool:
        return True

    def descendants(self, notes: list[str], *, ended: bool = False) -> tuple[Process, ...]:
        del notes, ended
        return (Process(8, 1, "python.exe", 2, 5),)

    def command(self, process: int) -> str:
        return f"python.exe -c x {process}"

    def size_mark(self, process: int | None = None) -> str:
        del process
        raise OSError(5, "OpenProcess failed with error 5")

    def affinity(self, process: int | None = None) -> frozenset[int] | int | None:
        return 128 if process else super().affinity()

    def cpu_s(self, process: int | None = None) -> float:
        return 3.0 if process else super().cpu_s()

    def age_s(self, process: Process) -> float:
        return 2.0 * (process.pid == 8)


def test_a_system_that_tells_little() -> None:
    found, gaps = look(WithChild("unmasked").machine())
    (one,) = found.workers
    assert one.use == CpuUse(cpus=1.5, over_s=2.0, since="start")
    assert (one.affinity, one.affinity_cpus, one.runtimes, one.variables) == (None, 128, None, None)
    assert (one.pss_bytes, found.pss_bytes) == (None, None)
    assert found.most_bytes == 2 * 92_753_920
    assert [gap.why for gap in gaps] == [
        "OpenProcess failed with error 5",
        "Windows does not keep it",
    ]
