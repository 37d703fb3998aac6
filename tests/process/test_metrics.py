"""The content of a Prometheus endpoint, scraped from real processes and read by its own parser."""

from __future__ import annotations

import gc
import json
import threading
from pathlib import Path
from typing import Any

import prometheus_client
import pytest
from live import LINUX, run_python
from prometheus_client.parser import text_string_to_metric_families

import omp_magic
from omp_magic.errors import RequestError
from omp_magic.servers import collector
from omp_magic.servers import metrics as places
from omp_magic.servers.metrics import families_now

linux = pytest.mark.skipif(not LINUX, reason="reads /proc: Linux only")
Read = dict[tuple[str, tuple[tuple[str, str], ...]], float]
MOVING = ("omp_magic_process_cpu_seconds_total", "omp_magic_resident_memory_bytes")
"""What differs between two scrapes of a process that does nothing else."""


def read(text: str) -> Read:
    found = [each for family in text_string_to_metric_families(text) for each in family.samples]
    every = {(each.name, tuple(sorted(each.labels.items()))): each.value for each in found}
    assert len(every) == len(found), "a sample stands twice"
    return every


def steady(every: Read) -> Read:
    return {key: value for key, value in every.items() if key[0] not in MOVING}


def told(text: str) -> dict[str, tuple[str, str]]:
    """Give (kind, what it is) of each family."""
    return {
        each.name: (each.type, each.documentation)
        for each in text_string_to_metric_families(text)
        if each.name.startswith("omp_magic_")
    }


def test_both_writers_give_the_same_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    labels = {"worker": 'a"\\\n{}\udcff', "zone": "é"}
    omp_magic.metrics()  # what it imports is mapped before the two
    theirs = omp_magic.metrics(labels=labels)
    monkeypatch.setattr(places, "_client", lambda: None)
    ours = omp_magic.metrics(labels=labels)
    assert steady(read(ours)) == steady(read(theirs))
    assert read(ours).keys() == read(theirs).keys()
    assert told(ours) == told(theirs)
    assert ours.endswith("\n")
    worker = next(dict(key[1])["worker"] for key in read(ours))
    assert worker == 'a"\\\n{}\\udcff'


def test_the_samples_are_those_of_a_snapshot() -> None:
    facts = omp_magic.snapshot()
    every = read(omp_magic.metrics())
    assert every["omp_magic_cpus_allowed", ()] == facts.budget.cpus
    assert every["omp_magic_threads_allowed", ()] == facts.budget.threads
    assert every["omp_magic_process_cpu_seconds_total", ()] > 0
    assert every["omp_magic_resident_memory_bytes", ()] > 1e7
    found = {dict(key[1])["code"] for key in every if key[0] == "omp_magic_findings"}
    assert found == {finding.code for finding in facts.findings}
    counted = sum(value for key, value in every.items() if key[0] == "omp_magic_pool_threads")
    assert counted == sum(pool.size for pool in facts.pools if not pool.lender)


def test_a_registry_has_them_once_and_beside_its_own() -> None:
    registry = prometheus_client.CollectorRegistry()
    prometheus_client.Counter("requests", "Requests.", registry=registry).inc(3)
    texts: list[str] = []
    threads = [
        threading.Thread(
            target=lambda kept: texts.append(omp_magic.metrics(kept)), args=(registry,)
        )
        for _ in range(4)
    ]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    texts.append(omp_magic.metrics(registry, labels={"worker": "7"}))
    assert len(texts) == 5
    for text in texts:
        assert read(text)["requests_total", ()] == 3
        assert text.count("# TYPE omp_magic_cpus_allowed ") == 1
    assert ("omp_magic_threads", (("worker", "7"),)) in read(texts[-1])
    own = prometheus_client.generate_latest(registry).decode()
    assert read(own).keys() >= steady(read(texts[-1])).keys()
    assert len(collector._REGISTERED) == 1
    del registry, threads
    gc.collect()
    assert not collector._REGISTERED


def test_what_cannot_be_registered_or_labelled_is_refused_in_one_line() -> None:
    taken = prometheus_client.CollectorRegistry()
    prometheus_client.Gauge("omp_magic_threads", "Somebody else's.", registry=taken)
    wrong: Any
    for wrong in (taken, 3, "REGISTRY"):
        with pytest.raises(RequestError, match=r"accepted: a prometheus_client\.Coll") as found:
            omp_magic.metrics(wrong)
        assert "\n" not in str(found.value)
    for wrong in (
        {"9": "x"},
        {"a-b": "x"},
        {"__a": "x"},
        {"code": "x"},
        {"a": b"x"},
        {"a": None},
        7,
        {1: "x"},
    ):
        with pytest.raises(RequestError, match="accepted: a dict of labels"):
            omp_magic.metrics(labels=wrong)


def test_a_label_may_be_a_number() -> None:
    given = {"worker": 4711, "share": 0.5, "spare": True}
    constant = (("share", "0.5"), ("spare", "True"), ("worker", "4711"))
    for text in (
        omp_magic.metrics(labels=given),
        omp_magic.metrics(prometheus_client.CollectorRegistry(), labels=given),
    ):
        assert read(text)["omp_magic_cpus_allowed", constant] > 0


IN_A_THREAD = """
import json, os, sys, threading, time
if sys.argv[1] == "alone": sys.modules["prometheus_client"] = None
import numpy, sklearn.cluster
import omp_magic
def mapped():
    return sorted({line.split()[-1] for line in open("/proc/self/maps") if ".so" in line})
def threads(): return len(os.listdir("/proc/self/task"))
first = omp_magic.metrics()
before, environ, number = mapped(), dict(os.environ), threads()
there = []
thread = threading.Thread(target=lambda: there.append(omp_magic.metrics()))
thread.start()
tid = thread.native_id
thread.join()
# join does not wait for the kernel.
while os.path.exists(f"/proc/self/task/{tid}"): time.sleep(0.001)
again = omp_magic.metrics()
print(json.dumps({
    "main": first, "thread": there[0],
    "mapped": mapped() == before, "environ": dict(os.environ) == environ,
    "threads": threads() - number, "IPython": "IPython" in sys.modules,
    "client": sys.modules.get("prometheus_client") is not None,
}))
"""


@linux
@pytest.mark.parametrize("how", ["alone", "beside prometheus_client"])
def test_a_scrape_is_passive_and_on_another_thread_leaves_out_what_is_the_main_ones(
    how: str,
) -> None:
    ended = run_python(IN_A_THREAD, how, OMP_NUM_THREADS="3")
    assert ended.code == 0, ended.err
    found = json.loads(ended.out)
    assert found["client"] == (how != "alone")
    assert found["mapped"]
    assert found["environ"]
    assert not found["threads"]
    assert not found["IPython"]
    main, there = read(found["main"]), read(found["thread"])
    openmp = [
        key
        for key in main
        if key[0] == "omp_magic_pool_threads" and ("family", "libgomp") in key[1]
    ]
    [pool] = openmp
    assert main[pool] == 3
    assert pool not in there
    blas = [key for key in main if key[0] == "omp_magic_pool_threads" and key != pool]
    assert len(blas) == 2
    assert all(there[key] == main[key] for key in blas)
    assert there["omp_magic_owner_threads", (("owner", "Python"),)] == 2


def test_a_failure_of_ours_leaves_a_registry_what_others_put_into_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails() -> None:
        raise RuntimeError("a secret")

    registry = prometheus_client.CollectorRegistry()
    prometheus_client.Counter("requests", "Requests.", registry=registry).inc(3)
    monkeypatch.setattr(places, "snapshot", fails)
    for text in (omp_magic.metrics(registry), omp_magic.metrics()):
        ours = {key: value for key, value in read(text).items() if key[0].startswith("omp_")}
        assert ours == {("omp_magic_unknown", (("what", "the metrics"),)): 1}
    assert read(omp_magic.metrics(registry))["requests_total", ()] == 3
    told = {each.getMessage() for each in caplog.records}
    assert told == {"omp_magic: the metrics were not taken (RuntimeError)"}


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("raise TypeError('of protobuf')", "prometheus_client cannot be used (TypeError)"),
        ("", "prometheus_client cannot be used (ImportError)"),
    ],
)
def test_a_prometheus_client_that_fails_is_told_of_and_done_without(
    tmp_path: Path, written: str, said: str
) -> None:
    (tmp_path / "prometheus_client.py").write_text(written)
    code = f"""
import sys
sys.path.insert(0, {str(tmp_path)!r})
import omp_magic
print(omp_magic.metrics() and omp_magic.metrics())
"""
    ended = run_python(code)
    assert ended.code == 0, ended.err
    assert read(ended.out)["omp_magic_threads", ()] >= 1
    assert ended.err.count(said) == 1


def test_without_prometheus_client_a_registry_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "_client", lambda: None)
    with pytest.raises(RequestError, match="prometheus_client is not installed"):
        omp_magic.metrics(prometheus_client.CollectorRegistry())


def test_a_figure_that_cannot_be_read_is_named_and_has_no_sample(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fails(*_: Any) -> int:
        raise OSError(2, "No such file")

    system = type(omp_magic.api.HERE.observer.machine.system)
    monkeypatch.setattr(system, "rss_bytes", fails)
    names = {each.name: each for each in families_now({})}
    assert "omp_magic_resident_memory_bytes" not in names
    assert (("resident memory",), 1.0) in names["omp_magic_unknown"].samples
