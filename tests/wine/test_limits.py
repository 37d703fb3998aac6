"""Limits on the real pools: as threadpoolctl and the libraries' own getters see them."""

from __future__ import annotations

import textwrap
from typing import Any

from wine import windows

# All four pools with a count of their own, none of which is what a limit of these tests gives.
HEAD = """
import ctypes, json, os, subprocess, sys, threading
import inside
import numpy, scipy.linalg, sklearn.cluster, threadpoolctl
intel = ctypes.CDLL(inside.INTEL)
intel.omp_set_num_threads(7)
a = numpy.ones((300, 300))
a @ a
scipy.linalg.solve(a + numpy.eye(300), a)
sklearn.cluster.KMeans(2, n_init=1).fit(numpy.random.default_rng(0).random((300, 3)))
import omp_magic

FILES = {
    "numpy": ("libscipy_openblas64_", "scipy_openblas_get_num_threads64_"),
    "scipy": ("libscipy_openblas-", "scipy_openblas_get_num_threads"),
    "vcomp": ("vcomp140", "omp_get_max_threads"),
    "intel": ("libiomp5md", "omp_get_max_threads"),
}
PATHS = {
    name: path
    for name, (part, _) in FILES.items()
    for path in inside.modules()
    if path.rpartition(chr(92))[2].lower().startswith(part)
}

def counts():
    own = {name: getattr(ctypes.CDLL(PATHS[name]), FILES[name][1])() for name in FILES}
    peers = threadpoolctl.threadpool_info()
    told = {each["filepath"].lower(): each["num_threads"] for each in peers}
    assert told == {PATHS[name].lower(): own[name] for name in FILES}, (told, own)
    facts = omp_magic.snapshot().libraries
    ours = {each.path.replace("/", chr(92)).lower(): each.num_threads for each in facts}
    assert ours == told, (ours, told)
    return own

answers = []
def tell(answer):
    answers.append(answer)
"""
TAIL = "\nprint(json.dumps(answers))\n"
ENV = {"OMP_NUM_THREADS": "5"}
BEFORE = {"numpy": 2, "scipy": 2, "vcomp": 5, "intel": 7}
ONE = dict.fromkeys(BEFORE, 1)


def told(source: str, **env: str) -> Any:
    return windows.value(HEAD + textwrap.dedent(source) + TAIL, env={**ENV, **env})


def test_every_pool_is_limited_and_given_back() -> None:
    answers = told("""
        tell(counts())
        with omp_magic.limit(1):
            tell(counts())
            a @ a
            tell(counts())
        tell(counts())
    """)
    assert answers == [BEFORE, ONE, ONE, BEFORE]


def test_it_is_given_back_after_an_error_in_nested_limits_and_by_a_function() -> None:
    answers = told("""
        try:
            with omp_magic.limit(1):
                raise ValueError
        except ValueError:
            tell(counts())
        with omp_magic.limit("auto"):
            tell(counts())
            with omp_magic.limit({"openmp": 3}):
                tell(counts())
                with omp_magic.limit(1):
                    tell(counts())
                tell(counts())
            tell(counts())
        tell(counts())
        @omp_magic.limit(1)
        def limited():
            return counts()
        tell(limited())
        tell(counts())
        one, two = omp_magic.limit(1), omp_magic.limit("openmp=2")
        one.__enter__(); two.__enter__()
        one.__exit__(None, None, None)
        tell(counts())
        two.__exit__(None, None, None)
        tell(counts())
    """)
    two = dict.fromkeys(BEFORE, 2)
    three = {**two, "vcomp": 3, "intel": 3}
    crossed = {**BEFORE, "vcomp": 2, "intel": 2}
    assert answers == [
        BEFORE, two, three, ONE, three, two, BEFORE, ONE, BEFORE, crossed, BEFORE
    ]  # fmt: skip


BY_NAME = {
    "blas=1": ("numpy", "scipy"),
    "openmp=1": ("vcomp", "intel"),
    "openblas=1": ("numpy", "scipy"),
    "vcomp=1": ("vcomp",),
    "libiomp5=1": ("intel",),
    "libiomp5md.dll=1": ("intel",),
}


def test_a_limit_by_name() -> None:
    answers = told(f"""
        for spec in {list(BY_NAME)}:
            with omp_magic.limit(spec):
                tell(counts())
            assert counts() == {BEFORE}
    """)
    for (spec, limited), within in zip(BY_NAME.items(), answers, strict=True):
        assert within == {**BEFORE, **dict.fromkeys(limited, 1)}, spec


def test_a_limit_by_a_path_in_any_form() -> None:
    answers = told(f"""
        for name, path in PATHS.items():
            for form in (path, path.lower(), path.replace(chr(92), "/")):
                with omp_magic.limit({{form: 1}}):
                    tell([name, counts()])
                assert counts() == {BEFORE}
    """)
    assert len(answers) == 12
    for name, within in answers:
        assert within == {**BEFORE, name: 1}


def test_threads_that_are_started_inside_are_limited_and_others_are_not_touched() -> None:
    answers = told("""
        def asked():
            found = []
            thread = threading.Thread(target=lambda: found.append(intel.omp_get_max_threads()))
            thread.start(); thread.join()
            return found[0]
        tell(asked())
        with omp_magic.limit(1):
            tell(asked())
        tell(asked())
    """)
    assert answers == [5, 1, 5]


NAMES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
VARIABLES = f"""
NAMES = {NAMES!r}
def variables():
    return {{name: inside.variable(name) for name in NAMES}}
"""


def test_variables_are_set_for_python_windows_and_each_c_library_and_put_back() -> None:
    before, within, nested, after = told(
        VARIABLES
        + """
tell(variables())
with omp_magic.limit(1):
    tell(variables())
    with omp_magic.limit(2):
        tell(variables())
tell(variables())
assert len(inside.c_runtimes()) >= 2
"""
    )
    for name in NAMES:
        assert len(before[name]) >= 4, before
        assert set(within[name].values()) == {"1"}, name
        assert set(nested[name].values()) == {"2"}, name
    assert after == before
    assert set(before["OMP_NUM_THREADS"].values()) == {"5"}
    assert set(before["MKL_NUM_THREADS"].values()) == {None}


def test_a_variable_that_one_c_library_has_alone_is_put_back_there_alone() -> None:
    before, within, after = told(
        VARIABLES
        + """
path = next(each for each in inside.c_runtimes() if each.lower().endswith("msvcrt.dll"))
assert getattr(ctypes.CDLL(path), "_putenv")(b"MKL_NUM_THREADS=9") == 0
tell(variables()["MKL_NUM_THREADS"])
with omp_magic.limit(1):
    tell(variables()["MKL_NUM_THREADS"])
tell(variables()["MKL_NUM_THREADS"])
"""
    )
    assert before["msvcrt.dll"] == "9"
    assert before["ucrtbase.dll"] is None
    assert set(within.values()) == {"1"}
    assert after == before


def test_without_env_no_variable_is_set() -> None:
    before, within = told(
        VARIABLES
        + "tell(variables())\n"
        + "with omp_magic.limit(1, env=False):\n    tell(variables())\n    assert counts() == "
        + repr(ONE)
    )
    assert within == before


CHILD = "import os; print([os.environ.get(name) for name in {names!r}])"


def test_a_child_that_is_started_inside_inherits_the_limit() -> None:
    code = CHILD.format(names=NAMES)
    answers = told(f"""
        def child():
            return [
                subprocess.run([sys.executable, "-c", {code!r}], env=env, text=True, check=True,
                               capture_output=True, stdin=subprocess.DEVNULL).stdout.strip()
                for env in (None, os.environ.copy())
            ]
        tell(child())
        with omp_magic.limit(1):
            tell(child())
        tell(child())
    """)
    own, limited = ["['5', None, None]"] * 2, ["['1', '1', '1']"] * 2
    assert answers == [own, limited, own]


def test_workers_of_multiprocessing_have_the_limit() -> None:
    """spawn is the one start method there is."""
    program = """
import json, multiprocessing, os, sys
def asked(_):
    return os.environ.get("OPENBLAS_NUM_THREADS")
if __name__ == "__main__":
    import omp_magic
    with omp_magic.limit(1), multiprocessing.Pool(1) as pool:
        inside = pool.map(asked, [0])
    with multiprocessing.Pool(1) as pool:
        after = pool.map(asked, [0])
    print(json.dumps([inside, after]))
"""
    assert windows.value(program) == [["1"], [None]]


def test_a_library_that_is_loaded_under_a_limit_has_it_and_its_own_count_afterwards() -> None:
    answers = windows.value(
        """
        import ctypes, json, inside, omp_magic
        with omp_magic.limit(1):
            intel = ctypes.CDLL(inside.INTEL)
            within = intel.omp_get_max_threads()
        print(json.dumps([within, intel.omp_get_max_threads()]))
        """,
        env=ENV,
    )
    assert answers == [1, 5]


def test_numpy_that_is_imported_under_a_limit_has_its_own_count_afterwards() -> None:
    answers = windows.value("""
        import json, omp_magic
        with omp_magic.limit(1):
            import numpy
            within = [each.num_threads for each in omp_magic.snapshot().libraries]
        print(json.dumps([within, [each.num_threads for each in omp_magic.snapshot().libraries]]))
    """)
    assert answers == [[1], [2]]


def test_a_limit_that_holds_everywhere_has_nothing_to_say() -> None:
    program = "with omp_magic.limit(1) as held:\n    print(held)"
    ended = windows.run(HEAD + program, env=ENV)
    assert (ended.code, ended.stderr) == (0, ""), ended.stderr
    assert "lacks" not in ended.stdout
