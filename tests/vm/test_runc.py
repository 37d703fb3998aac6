"""In a real container, below a pod that is tighter than it: what is shown, and what is given."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.skipif(
    not os.environ.get("OMP_MAGIC_VM"), reason="needs a machine of its own: make test-vm"
)

POD = Path("/sys/fs/cgroup/omp_magic_pod")
ROOT = Path("/run/omp_magic_rootfs")

LOOK = """
import hashlib, json, threading, time, omp_magic
block = bytes(1 << 20)
def burn(until):
    while time.perf_counter() < until: hashlib.sha256(block).digest()
omp_magic.snapshot()
threads = [threading.Thread(target=burn, args=(time.perf_counter() + 3,)) for _ in range(2)]
[t.start() for t in threads]; [t.join() for t in threads]
after = omp_magic.snapshot(measure=True)
print(json.dumps({
    "quota": after.budget.quota_cpus, "notes": after.budget.notes, "load": after.to_dict()["load"],
    "measured": after.budget.bounds[-1].cpus, "codes": [f.code for f in after.findings],
    "cgroup": open("/proc/self/cgroup").read(), "gaps": [g.what for g in after.gaps],
}))
"""


@pytest.fixture
def pod() -> Iterator[Path]:
    """A pod with 0.3 CPUs, and the machine's root as a container's."""
    ROOT.mkdir()
    subprocess.run(["mount", "--bind", "/", str(ROOT)], check=True)
    POD.mkdir()
    (POD / "cgroup.subtree_control").write_text("+cpu")
    (POD / "cpu.max").write_text("30000 100000")
    yield POD
    for group in (*POD.glob("*/"), POD):
        group.rmdir()
    subprocess.run(["umount", str(ROOT)], check=True)
    ROOT.rmdir()


def run_container(bundle: Path, quota_us: int, namespaces: list[str]) -> dict[str, Any]:
    """Run `LOOK` in a container with a quota of its own and give the JSON it prints."""
    mounts: list[dict[str, Any]] = [
        {"destination": "/dev", "type": "tmpfs", "source": "tmpfs"},
        {"destination": "/dev/pts", "type": "devpts", "source": "devpts"},
        {"destination": "/proc", "type": "proc", "source": "proc"},
        {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["ro"]},
        {
            "destination": "/sys/fs/cgroup",
            "type": "cgroup",
            "source": "cgroup",
            "options": ["ro", "nosuid", "noexec", "nodev"],
        },
    ]
    config = {
        "ociVersion": "1.0.2",
        "process": {
            "terminal": False,
            "user": {"uid": 0, "gid": 0},
            "args": [sys.executable, "-c", LOOK],
            "env": ["PATH=/usr/bin:/bin", f"PYTHONPATH={Path(__file__).parents[2]}"],
            "cwd": "/",
        },
        "root": {"path": str(ROOT), "readonly": True},
        "mounts": mounts,
        "linux": {
            "cgroupsPath": f"/{POD.name}/container",
            "resources": {"cpu": {"quota": quota_us, "period": 100_000}},
            "namespaces": [{"type": each} for each in ("pid", "mount", *namespaces)],
        },
    }
    (bundle / "config.json").write_text(json.dumps(config))
    state = ["runc", "--root", str(bundle / "state")]
    ended = subprocess.run(
        [*state, "run", "--no-pivot", "--bundle", str(bundle), "omp_magic"],
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert ended.returncode == 0, ended.stderr
    found: dict[str, Any] = json.loads(ended.stdout.strip().split("\n")[-1])
    return found


@pytest.mark.usefixtures("pod")
def test_a_private_namespace_hides_the_pods_limit(tmp_path: Path) -> None:
    seen = run_container(tmp_path, 50_000, ["cgroup"])
    assert seen["cgroup"].strip() == "0::/"
    assert seen["quota"] == 0.5
    assert any("visible limit" in note for note in seen["notes"])
    # What no file shows is measured, and the waiting gives it away.
    assert seen["measured"] == pytest.approx(0.3, abs=0.08)
    assert seen["load"]["used_cpus"] == pytest.approx(0.3, abs=0.08)
    assert seen["load"]["starved_share"] > 0.5
    assert "OMP206" in seen["codes"]


@pytest.mark.usefixtures("pod")
def test_in_the_hosts_namespace_the_pods_limit_binds(tmp_path: Path) -> None:
    seen = run_container(tmp_path, 50_000, [])
    assert seen["cgroup"].strip() == f"0::/{POD.name}/container"
    assert seen["quota"] == 0.3
    assert seen["notes"] == []
    assert seen["measured"] == pytest.approx(0.3, abs=0.08)
    assert "OMP203" in seen["codes"]
