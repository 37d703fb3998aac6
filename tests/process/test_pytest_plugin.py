"""pytest --omp-check: whole sessions of pytest, with real runtimes, in processes of their own."""

from __future__ import annotations

import os
import sys
import textwrap
from pathlib import Path

import pytest
from building import installed_pair
from live import LINUX, Ended, run_program
from places import ROOT

pytestmark = pytest.mark.skipif(not LINUX, reason="reads /proc: Linux only")

PLUGIN = ("-p", "omp_magic.testing.plugin")
"""Not by its entry point: a checkout that is not installed has none."""
XDIST = ("-p", "xdist")


def session(folder: Path, *words: str, options: str = "", paths: str = "", **env: str) -> Ended:
    """Run the tests of a folder, without this project's configuration."""
    (folder / "pytest.ini").write_text(f"[pytest]\n{options}")
    command = [sys.executable, "-m", "pytest", "--rootdir", str(folder), *PLUGIN]
    command += ["-p", "no:cacheprovider", *words, str(folder)]
    env = {"PYTHONPATH": os.pathsep.join(filter(None, (paths, str(ROOT)))), **env}
    env["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # others' plugins cost more than a session
    return run_program(command, 170, {"COLUMNS": "100", **env})


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        (folder / f"{name}.py").write_text(textwrap.dedent(text))


TROUBLE = {
    "conftest": """
        import glob, os, sys, numpy, threadpoolctl

        os.environ["OMP_DYNAMIC"] = "false"
        libs = os.path.join(os.path.dirname(os.path.dirname(numpy.__file__)), "scikit_learn.libs")
        (LIBGOMP,) = glob.glob(os.path.join(libs, "libgomp*"))
        threadpoolctl.threadpool_limits(1)
        import this_comes_after
        """,
    "this_comes_after": "",
    "comes_after_it": "",
    "sets": "import os; os.environ['OPENBLAS_NUM_THREADS'] = '3'",
    "test_a": """
        import numpy, os, threadpoolctl, pytest
        import sets

        @pytest.fixture(scope="session", autouse=True)
        def given_back():
            with threadpoolctl.threadpool_limits(2):
                yield

        def test_gives_back(monkeypatch):
            monkeypatch.setenv("OMP_NUM_THREADS", "5")
            with threadpoolctl.threadpool_limits(1):
                pass
        """,
    "test_b": """
        import ctypes, os
        from conftest import LIBGOMP

        class TestIt:
            def test_keeps_a_limit(self):
                libgomp = ctypes.CDLL(LIBGOMP)
                libgomp.omp_set_num_threads(1)
                import comes_after_it

        def test_keeps_a_variable():
            os.environ["OMP_THREAD_LIMIT"] = "9"
            os.environ["MY_TOKEN"] = "hunter2"

        def test_keeps_cpus():
            os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        """,
}


def test_a_session_fails_for_what_its_tests_and_imports_keep(tmp_path: Path) -> None:
    write(tmp_path, **TROUBLE)
    ended = session(tmp_path, "--omp-check", OMP_NUM_THREADS="2")
    assert ended.code == 1, ended.out + ended.err
    assert "4 passed" in ended.out
    told = ended.out.partition(" omp-check =")[2]
    for said in (
        "GNU libgomp (scikit-learn) has 1 thread and had 2 before",
        "changed in test_b.py::TestIt::test_keeps_a_limit",
        "error    env  OPENBLAS_NUM_THREADS: not set before, '3' now",
        "changed by import sets, while test_a.py was collected",
        "error    env  OMP_THREAD_LIMIT: not set before, '9' now",
        "changed in test_b.py::test_keeps_a_variable",
        "warning  OMP303  KMP_DUPLICATE_LIB_OK: not set before, 'True' now (--omp-check=warning ",
    ):
        assert said in told or said.replace("OMP303", "env") in told, told
    if len(os.sched_getaffinity(0)) > 1:
        assert "changed in test_b.py::test_keeps_cpus" in told
    for other in ("OpenBLAS (", "OMP_NUM_THREADS", "OMP_DYNAMIC", "hunter2", "MY_TOKEN", "%omp_"):
        assert other not in told
    # With plain assertions conftest.py and the files of tests are imported as any other module.
    allowed = "omp_check_allow = limits cpus OMP_THREAD_LIMIT OPENBLAS_NUM_THREADS"
    words = ("-q", "--omp-check", "--assert=plain")
    passed = session(tmp_path, *words, options=allowed, OMP_NUM_THREADS="2")
    assert passed.code == 0, passed.out
    assert "error" not in passed.out


def test_without_the_option_nothing_of_it_is_there(tmp_path: Path) -> None:
    write(
        tmp_path,
        test_a="""
        import sys

        def test_it():
            found = {name for name in sys.modules if name.partition(".")[0] == "omp_magic"}
            assert found == {"omp_magic", "omp_magic.testing", "omp_magic.testing.plugin"}
        """,
    )
    ended = session(tmp_path, "-q", "-W", "error")
    assert (ended.code, ended.err) == (0, ""), ended.out
    assert "omp" not in ended.out


BOTH = """
    import with_intel, with_llvm

    def test_uses_one():
        with_intel.par()
    """


def test_a_session_that_ends_with_two_copies_fails(
    gcc: str, tmp_path: Path, libiomp5: str, libomp: str
) -> None:
    site = installed_pair(gcc, tmp_path / "site", libiomp5, libomp)
    folder = tmp_path / "tests"
    folder.mkdir()
    write(folder, test_a=BOTH)
    ended = session(folder, "--omp-check", paths=site)  # the folder behind it is no value of it
    assert ended.code == 1, ended.out
    assert "1 passed" in ended.out
    told = " ".join(ended.out.split())
    assert "error OMP101 This process will die at the first call of with_llvm" in told
    assert "came with import with_llvm, while test_a.py was collected" in told
    assert "omp_check_allow = OMP101" in told
    # A variable that masks it makes it a warning: a session that asks for those fails.
    masked = {"paths": site, "KMP_DUPLICATE_LIB_OK": "TRUE"}
    strict = session(folder, "--omp-check=warning", "-p", "no:terminal", **masked)
    assert (strict.code, strict.out) == (1, "")
    assert "OMP102" in strict.err


def test_workers_of_xdist_tell_the_session(tmp_path: Path) -> None:
    write(
        tmp_path,
        test_a="""
        import os

        def test_one():
            os.environ["OMP_THREAD_LIMIT"] = "9"

        def test_two():
            os.environ["OMP_THREAD_LIMIT"] = "9"
        """,
    )
    ended = session(tmp_path, "-q", "--omp-check", *XDIST, "-n", "2", "--dist", "each")
    assert ended.code == 1, ended.out
    assert ended.out.count("OMP_THREAD_LIMIT: not set before, '9' now") == 1
    assert "in gw0, gw1 of pytest-xdist" in ended.out


def test_a_failure_of_ours_breaks_no_session(tmp_path: Path) -> None:
    """Sessions in one process, with a plugin that is installed and a package that is imported."""
    about = tmp_path / "omp_magic-0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: omp-magic\nVersion: 0\n")
    (about / "RECORD").write_text("omp_magic/__init__.py,,\n")
    entry = "[pytest11]\nomp-magic = omp_magic.testing.plugin\n"
    (about / "entry_points.txt").write_text(entry)
    write(tmp_path, test_a="def test_it(): pass\ndef test_other(): pass")
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    program = textwrap.dedent(f"""
        import pytest
        import omp_magic.testing.session as session, omp_magic.testing.looks as looks
        from omp_magic.hooks.loads import LOADS

        def fails(*_args, **_more):
            raise RuntimeError("of ours")

        words = ["--omp-check", "-W", "error", "-p", "no:cacheprovider", {str(tmp_path)!r}]
        for how in ("look", "whole", "begin", "problems_of", "end", "nothing"):
            where = session if how == "problems_of" else looks.Looks
            kept = getattr(where, how, None)
            setattr(where, how, fails)
            print("####", how)
            assert pytest.main(words) == 0, how
            setattr(where, how, kept)
            assert not LOADS._watchers or how == "end"
            for each in LOADS._watchers:
                each.end()
        """)
    path = os.pathsep.join((str(tmp_path), str(ROOT)))
    ended = run_program([sys.executable, "-c", program], 120, {"PYTHONPATH": path})
    assert ended.code == 0, ended.out + ended.err
    assert "INTERNALERROR" not in ended.out + ended.err
    fault = "omp-check has ended by a fault in omp_magic, no test has: RuntimeError: of ours"
    for told in ended.out.split("#### ")[1:]:
        assert "2 passed" in told
        assert told.count(fault) == (told.split()[0] not in {"end", "nothing"}), told


@pytest.mark.parametrize(
    ("words", "options", "said"),
    [
        (
            ("--omp-check=errr",),
            "",
            "did you mean --omp-check=error? example: pytest --omp-check=w",
        ),
        (("--omp-check",), "omp_check_allow = OMP10l", "did you mean OMP101?"),
        (("--omp-check",), "omp_check_allow = OMP999", ", env; example: omp_check_allow"),
    ],
)
def test_what_is_wrong_is_told_and_runs_nothing(
    words: tuple[str, ...], options: str, said: str, tmp_path: Path
) -> None:
    write(tmp_path, test_a="def test_it(): print('it runs')")
    ended = session(tmp_path, *words, options=options)
    assert ended.code == 4
    assert said in ended.err
    assert "Traceback" not in ended.err
    assert "test session starts" not in ended.out


@pytest.mark.thorough
def test_a_test_that_dies_of_error_15_is_the_worker_s_end_and_no_fault(
    gcc: str, tmp_path: Path, libiomp5: str, libomp: str
) -> None:
    site = installed_pair(gcc, tmp_path / "site", libiomp5, libomp)
    folder = tmp_path / "tests"
    folder.mkdir()
    write(folder, test_a=BOTH + "\n    def test_the_other():\n        with_llvm.par()\n")
    ended = session(folder, "--omp-check", *XDIST, "-n", "1", "--max-worker-restart=0", paths=site)
    assert ended.code == 1, ended.out
    assert "crashed while running" in ended.out
    assert "fault in omp_magic" not in ended.out
