"""The command omp-magic, as a shell runs it."""

from __future__ import annotations

import json
import subprocess
import sys

from omp_magic.rules.judgement import RULES


def test_the_command_explains_and_lists() -> None:
    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "omp_magic", "explain", *words]
        return subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)

    listed = run()
    assert listed.returncode == 0
    assert [line.split()[0] for line in listed.stdout.splitlines()] == [r.code for r in RULES]
    one = run("OMP204")
    assert "fork copies the memory" in " ".join(one.stdout.split())
    assert "In this kernel" not in one.stdout
    wrong = run("nope")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "found 'nope'; accepted: OMP101" in wrong.stderr


def test_the_command_tells_a_status() -> None:
    words = [sys.executable, "-m", "omp_magic", "status", "--json", "--import", "numpy"]
    ended = subprocess.run(words, check=False, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, ended.stderr
    facts = json.loads(ended.stdout)
    assert facts["threads"]["count"] >= 1
    assert facts["budget"]["affinity_cpus"] >= 1
