"""Machines that are namespaces: each with its network, its name and the number of its boot."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from realclusters import ClusterKernel

pytestmark = pytest.mark.thorough
_BOOT = "/proc/sys/kernel/random/boot_id"
# TEST-NET-2 of RFC 5737: nobody has these addresses.
_NET = "198.51.100"
_WORKER = "exec {python} -m distributed.cli.dask_worker tcp://{scheduler} --no-nanny --nthreads 2"


def _run(*words: str) -> str:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(f"{' '.join(words)}: {done.stderr.strip()}")
    return done.stdout


@pytest.fixture
def hosts() -> Iterator[dict[str, str]]:
    """Two network namespaces, each with a line to here: its name and the address of our end."""
    if not shutil.which("ip") or not shutil.which("unshare"):
        pytest.skip("no ip or unshare: iproute2 and util-linux make namespaces")
    made: list[str] = []
    found: dict[str, str] = {}
    try:
        for number in (0, 1):
            name, ours = f"omp{os.getpid()}{number}", f"{_NET}.{4 * number + 1}"
            try:
                _run("ip", "netns", "add", name)
                made.append(name)
                _run("ip", "link", "add", name[-14:], "type", "veth", "peer", "ours", "netns", name)
                _run("ip", "address", "add", f"{ours}/30", "dev", name[-14:])
                _run("ip", "link", "set", name[-14:], "up")
                there = ("ip", "-n", name)
                _run(*there, "address", "add", f"{_NET}.{4 * number + 2}/30", "dev", "ours")
                _run(*there, "link", "set", "ours", "up")
                _run(*there, "link", "set", "lo", "up")
                _run("ip", "netns", "exec", name, "unshare", "--uts", "--mount", "true")
            except OSError as error:
                pytest.skip(f"no namespaces may be made here: {str(error)[:60]}")
            found[name] = ours
        yield found
    finally:
        for name in made:
            with contextlib.suppress(OSError):
                _run("ip", "netns", "delete", name)


@contextlib.contextmanager
def _worker(
    namespace: str, host: str, boot: Path, scheduler: str, before: tuple[str, ...]
) -> Iterator[subprocess.Popen[bytes]]:
    """Start a worker on a machine."""
    command = _WORKER.format(python=sys.executable, scheduler=scheduler)
    script = f"hostname {host} && mount --bind {boot} {_BOOT} && {command} --no-dashboard"
    process = subprocess.Popen(
        [
            "ip",
            "netns",
            "exec",
            namespace,
            "unshare",
            "--uts",
            "--mount",
            *before,
            "sh",
            "-c",
            script,
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def test_workers_of_two_machines_are_two_hosts_and_two_names_of_one_are_one(
    hosts: dict[str, str], tmp_path: Path
) -> None:
    boots = []
    for number in (0, 1):
        boots.append(tmp_path / f"boot{number}")
        boots[-1].write_text(f"{uuid.uuid4()}\n", "ascii")
    kernel = ClusterKernel(
        "import distributed\n"
        "cluster = distributed.LocalCluster(\n"
        "    n_workers=0, host='0.0.0.0', dashboard_address=None)\n"
        "client = distributed.Client(cluster)"
    )
    (first, ours), (second, other) = hosts.items()
    try:
        port = kernel.value("cluster.scheduler_address.rpartition(':')[2]")
        places = [
            (first, "hosta", boots[0], f"{ours}:{port}", ()),
            (second, "hostb", boots[1], f"{other}:{port}", ()),
            (first, "container", boots[0], f"{ours}:{port}", ("taskset", "--cpu-list", "0")),
        ]
        with contextlib.ExitStack() as stack:
            for place in places:
                stack.enter_context(_worker(*place))
            kernel.done("client.wait_for_workers(3, timeout=60)")
            rows = kernel.rows('omp_magic.cluster(client, limit="auto", timeout_s=30)')
            assert [row["gap"] for row in rows] == [None] * 3
            assert {row["host_name"] for row in rows} == {"hosta", "hostb", "container"}
            told = kernel.value("[[h.name, len(h.workers), h.cpus, h.tasks] for h in seen.hosts]")
            cpus = float(len(os.sched_getaffinity(0)))
            names = {frozenset(name.split(" = ")): rest for name, *rest in told}
            assert names == {
                frozenset({"hosta", "container"}): [2, cpus, 4],
                frozenset({"hostb"}): [1, cpus, 2],
            }
            limits = {row["host_name"]: row["state"]["limits"] for row in rows}
            assert limits["hostb"] == [str(max(1, int(cpus / 2)))]
            assert limits["container"] == ["1"]
            _run("ip", "link", "set", second[-14:], "down")
            rows = kernel.rows("omp_magic.cluster(client, timeout_s=4)")
            lost = {row["address"]: row["gap"] for row in rows}
            assert {bool(gap) for address, gap in lost.items() if _NET + ".6" in address} == {True}
            assert sum(gap is None for gap in lost.values()) == 2
    finally:
        kernel.close()
