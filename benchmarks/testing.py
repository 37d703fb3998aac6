"""What pytest's plugin costs: each session of pytest, and a test of one that asks for it.

Fresh sessions of pytest with one empty test are run by turns with an empty plugin, and with ours
or pytest-timeout's beside it: the first plugin of a session costs 7 ms, whatever is in it. Then
sessions of 1,000 empty tests that have NumPy and scikit-learn loaded are run with ``--omp-check``
and without. Prints two tables, and exits with 1 when a figure is over its aim.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

ROUNDS = 30
TESTS, TEST_ROUNDS = 1000, 5
MOST_TEST_SHARE = 0.25
"""Of an empty test's own time; a test that does something has another measure."""
ROOT = Path(__file__).parent.parent
BARE = ("-p", "no:cacheprovider", "-q", "--no-header")
PLUGIN = "omp_magic.testing.plugin"


def session(folder: str, *words: str) -> float:
    """Run a session; give its seconds of CPU time."""
    command = [sys.executable, "-m", "pytest", *BARE, *words, folder]
    path = os.pathsep.join((str(ROOT), folder))
    env = {**os.environ, "PYTHONPATH": path, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=env, cwd=folder)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def by_turns(folder: str, rounds: int, *ways: tuple[str, ...]) -> list[float]:
    """Give the least seconds of each way, one after the other in each round: all else adds."""
    taken: list[list[float]] = [[] for _ in ways]
    for _ in range(rounds):
        for times, words in zip(taken, ways, strict=True):
            times.append(session(folder, *words))
    return [min(times) for times in taken]


def main() -> int:
    missed = []
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "pytest.ini").write_text("[pytest]\n")
        test = Path(folder, "test_empty.py")
        test.write_text("def test_empty(): pass\n")
        Path(folder, "empty_plugin.py").touch()
        first = ("-p", "empty_plugin")
        ways = (first, (*first, "-p", PLUGIN), (*first, "-p", "pytest_timeout"))
        bare, ours, peer = by_turns(folder, ROUNDS, *ways)
        print(f"a session with one empty test: {bare * 1e3:.0f} ms")
        for name, taken in (("omp_magic's plugin", ours), ("pytest-timeout's", peer)):
            print(f"  {name:<20} {(taken - bare) * 1e3:+6.1f} ms {taken / bare - 1:+7.1%}")
        if ours > peer:
            missed.append("a session's cost: at most pytest-timeout's")
        test.write_text(
            "import numpy, sklearn.cluster, pytest\n"
            f"@pytest.mark.parametrize('n', range({TESTS}))\n"
            "def test_empty(n): pass\n"
        )
        begun = by_turns(folder, TEST_ROUNDS, ("-p", PLUGIN), ("-p", PLUGIN, "--omp-check"))
        test.write_text("import numpy, sklearn.cluster\ndef test_empty(): pass\n")
        once = by_turns(folder, TEST_ROUNDS, ("-p", PLUGIN), ("-p", PLUGIN, "--omp-check"))
        plain, checked = ((many - one) / TESTS for many, one in zip(begun, once, strict=True))
        print(f"--omp-check: {(once[1] - once[0]) * 1e3:.0f} ms a session")
        print(f"  an empty test {plain * 1e6:.0f} us, checked {checked * 1e6:.0f} us")
        if checked / plain - 1 > MOST_TEST_SHARE:
            missed.append(f"a test's share: at most {MOST_TEST_SHARE:.0%}")
    for each in missed:
        print(f"missed: {each}")
    return bool(missed)


if __name__ == "__main__":
    sys.exit(main())
