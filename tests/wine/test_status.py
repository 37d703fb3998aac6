"""The status beside threadpoolctl's in the same process, and what looking leaves alone."""

from __future__ import annotations

import re

import pytest

from wine import windows

NUMPY_AND_SCIPY = """
import numpy, scipy.linalg
a = numpy.random.default_rng(0).random((300, 300))
a @ a
scipy.linalg.solve(a, a)
"""
SKLEARN = (
    NUMPY_AND_SCIPY
    + """
from sklearn.cluster import KMeans
KMeans(3, n_init=1, random_state=0).fit(a)
"""
)
INTEL = """
import ctypes, inside
assert inside.parallel(ctypes.CDLL(inside.INTEL), 2) == 2
"""
USES = {
    "numpy and scipy": NUMPY_AND_SCIPY,
    "scikit-learn": SKLEARN,
    "Intel's OpenMP": INTEL,
    "all": SKLEARN + INTEL,
    "lightgbm": "import lightgbm, numpy\n"
    "data = lightgbm.Dataset(numpy.random.default_rng(0).random((200, 3)), numpy.ones(200))\n"
    "lightgbm.train({'verbose': -1, 'num_threads': 2}, data, 1)\n",
}
COUNTS: dict[str, dict[str, str]] = {
    "as they come": {},
    "by variables": {"OMP_NUM_THREADS": "3", "OPENBLAS_NUM_THREADS": "1"},
}
# threadpoolctl calls each runtime and so starts it: omp_magic is asked before.
COMPARED = """
import json, sys
import omp_magic
own = omp_magic.snapshot().to_dict()
import threadpoolctl
print(json.dumps([own, threadpoolctl.threadpool_info()]))
"""
BANNED = re.compile(r"/proc\b|/dev/shm|\.so\b|RTLD_|NoneType|self/environ|thread_siblings|dlsym")
"""What a person on Windows can do nothing with."""


@pytest.mark.parametrize("counts", COUNTS)
@pytest.mark.parametrize("use", USES)
def test_the_status_is_threadpoolctls_and_more(use: str, counts: str) -> None:
    own, theirs = windows.value(USES[use] + COMPARED, env=COUNTS[counts])
    ours = {_folded(each["path"]): each for each in own["libraries"]}
    peers = {_folded(each["filepath"]): each for each in theirs}
    assert set(ours) == set(peers)
    for path, peer in peers.items():
        library = ours[path]
        assert library["num_threads"] == peer["num_threads"], path
        assert library["api"] == peer["user_api"]
        if peer["version"] is not None:
            assert library["version"] == peer["version"]
        assert library["threading_layer"] == peer.get("threading_layer")
        # What threadpoolctl does not tell.
        assert library["initialized"] is True, path
        assert library["version"] or "system32" in path, path  # Wine's own vcomp140 has none
    owners = {path.rpartition("/")[2]: each["owner"] for path, each in ours.items()}
    for name, owner in owners.items():
        assert owner == _owner(name), name


@pytest.mark.parametrize(
    ("name", "version"), [("libiomp5md.dll", "5.0.2021.804"), ("vcomp140.dll", "14.")]
)
def test_an_openmp_runtimes_version_is_its_files_own(name: str, version: str) -> None:
    own, _ = windows.value(USES["all"] + COMPARED)
    (library,) = [each for each in own["libraries"] if _folded(each["path"]).endswith(f"/{name}")]
    assert library["version"].startswith(version)
    assert library["owner_version"]


LOOKING = """
import json, sys, inside
{use}
before = inside.environment(), inside.runtimes(), "numpy" in sys.modules
import omp_magic
for _ in range(2):
    facts = omp_magic.snapshot(threads=True)
    str(facts), facts.to_json(), facts._repr_mimebundle_()
after = inside.environment(), inside.runtimes(), "numpy" in sys.modules
registered = [name for name in after[0] if "KMP_REGISTERED" in name]
print(json.dumps([before == after, after[1], registered]))
"""


@pytest.mark.parametrize(
    ("use", "mapped"),
    [("pass", 0), (NUMPY_AND_SCIPY, 2), ("import ctypes; ctypes.CDLL(inside.INTEL)", 1)],
    ids=["nothing", "numpy and scipy", "Intel's, unused"],
)
def test_looking_maps_sets_and_starts_nothing(use: str, mapped: int) -> None:
    same, runtimes, registered = windows.value(LOOKING.format(use=use))
    assert same
    assert len(runtimes) == mapped
    assert registered == []


def test_a_runtime_that_nobody_called_is_known_not_to_have_started() -> None:
    own = windows.value("""
        import ctypes, json, inside, omp_magic
        unused = ctypes.CDLL(inside.INTEL)
        before = omp_magic.snapshot().libraries[0]
        count = unused.omp_get_max_threads()
        after = omp_magic.snapshot().libraries[0]
        print(json.dumps([[before.initialized, before.num_threads], count,
                          [after.initialized, after.num_threads]]))
    """)
    before, count, after = own
    assert before == [False, None]
    assert after == [True, count]


@pytest.mark.parametrize("use", ["pass", *USES.values()], ids=["nothing", *USES])
def test_no_text_speaks_of_another_system(use: str) -> None:
    texts = windows.value(f"""
{use}
import json, omp_magic
shown = frozenset({{"cpus", "env", "threads"}})
facts = omp_magic.snapshot(threads=True, shown=shown)
told = [str(facts), facts.to_json(), facts._repr_mimebundle_()["text/html"]]
told += [str(omp_magic.explain(each.code)) for each in facts.findings]
print(json.dumps(told))
""")
    for text in texts:
        found = [match[0] for match in BANNED.finditer(_without_pages(text))]
        assert found == [], text


@pytest.mark.parametrize("words", [(), ("--json",), ("--cpus", "--env", "--threads")])
def test_the_command_answers(words: tuple[str, ...]) -> None:
    ended = windows.python("-m", "omp_magic", "status", *words)
    assert (ended.code, ended.stderr) == (0, ""), ended.stderr
    assert BANNED.search(ended.stdout) is None, ended.stdout


OWN_CODE_PAGE = {"PYTHONIOENCODING": ""}


def test_the_command_writes_no_escapes_into_a_pipe() -> None:
    """Python writes cp1252 there, which has no arrow and no tick."""
    for words in (("status",), ("check", "sklearn"), ("explain", "OMP106")):
        ended = windows.python("-m", "omp_magic", *words, env=OWN_CODE_PAGE)
        assert ended.code == 0, ended.stderr
        assert "\\u" not in ended.stdout


def test_a_snapshot_can_be_printed_into_a_pipe() -> None:
    ended = windows.run(
        NUMPY_AND_SCIPY + "import omp_magic\nprint(omp_magic.snapshot())", env=OWN_CODE_PAGE
    )
    assert ended.code == 0, ended.stderr
    assert "OpenBLAS" in ended.stdout


def _folded(path: str) -> str:
    return path.lower().replace("\\", "/")


def _owner(name: str) -> str:
    if name.startswith("libscipy_openblas64_"):
        return "numpy"
    if name.startswith("libscipy_openblas"):
        return "scipy"
    if name.startswith("vcomp"):
        # lightgbm brings none, and imports scikit-learn, whose copy it is bound to.
        return "scikit-learn"
    return "intel-openmp"


def _without_pages(text: str) -> str:
    """Leave out the addresses of pages, which may have any word."""
    return re.sub(r"https?://\S+", "", text)
