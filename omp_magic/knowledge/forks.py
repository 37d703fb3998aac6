"""What a fork does to each pool that has started: the child gets its memory and not its threads.

Each row was measured by `tests/process/test_forks.py`: the pool is used, the process forks, and the
child uses it again. A pool without a row is not known, and nothing is said of it.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from .catalog import is_family

HANGS = "hangs"
KILLED = "is killed by SIGTERM"
FAILS = "fails with an error"
LIVES = "lives"


class Fork(NamedTuple):
    """One kind of pool, and a forked child that uses it again.

    Parameters
    ----------
    key
        A runtime's family, or the package.
    effect
        `HANGS`, `KILLED`, `FAILS` or `LIVES`.
    source
        Where it is documented, and with what it was measured.
    files
        Regular expression for the end of the path of the file that owns its threads; "" where the
        pool is known by its family or by a package's own word.
    child
        The child that meets it, for a title: ``"uses polars"``.
    why
        What happens there.
    cures
        Cures of its own, as `facts.Finding.remedies`; those of every pool are the rule's.
    only_with
        A variable that must be on for this effect; "" when none is needed.
    at_import
        Whether its import alone starts threads, which survive no fork either and do no harm: then
        the size of its pool tells that it has started.
    note
        What is true beside the effect.
    """

    key: str
    effect: str
    source: str
    files: str = ""
    child: str = ""
    why: str = ""
    cures: tuple[str, ...] = ()
    only_with: str = ""
    at_import: bool = False
    note: str = ""


_GONE = "Its threads are not in a forked child, and the child waits for them for ever."
_IN_PARENT = "Or compute with {} in this process, which uses all CPUs by itself"

FORKS: tuple[Fork, ...] = (
    Fork(
        key="libgomp",
        effect=HANGS,
        why=(
            "libgomp has run a parallel region here. A child made by fork gets its locks and not "
            "its threads, and the first parallel region in the child waits for them for ever."
        ),
        cures=("Or fork before the first parallel region",),
        note="a child that is forked under a count of one thread lives: libgomp asks no team then",
        source="gcc bug 60035; measured with torch 2.13, scikit-learn 1.9, lightgbm 4.7, "
        "xgboost 3.2, faiss-cpu 1.15, and MKL 2026 with MKL_THREADING_LAYER=GNU",
    ),
    Fork(
        key="numba omp",
        effect=KILLED,
        child="runs parallel code of numba",
        why=(
            "numba's threading layer omp has started here. In a forked child it writes "
            '"Terminating: fork() called from a process already using GNU OpenMP, this is unsafe." '
            "and ends the child by SIGTERM; a multiprocessing.Pool then starts another one and "
            "waits for the lost task for ever. Other code that uses the same libgomp hangs there. "
            "Its other layers live on in a child: NUMBA_THREADING_LAYER=workqueue, or tbb where "
            "numba finds it."
        ),
        cures=(
            (
                "After a restart, before numba is imported (not where several Python threads call "
                "numba at once): import os; os.environ['NUMBA_THREADING_LAYER'] = 'workqueue'"
            ),
        ),
        source="numba/np/ufunc/omppool.cpp; measured with numba 0.68",
    ),
    Fork(
        key="numba workqueue",
        effect=LIVES,
        files=r"/numba/np/ufunc/workqueue\.[^/]*",
        source="measured with numba 0.68",
    ),
    Fork(
        key="tbb",
        effect=LIVES,
        files=r"/libtbb\.so[^/]*",
        source="measured with tbb 2023 below numba and MKL",
    ),
    Fork(
        key="polars",
        effect=HANGS,
        files=r"/_?polars[^/]*\.so",
        child="uses polars",
        at_import=True,
        why=f"polars' pool has started here. {_GONE} POLARS_MAX_THREADS=1 does not help.",
        cures=(_IN_PARENT.format("polars"),),
        source="https://docs.pola.rs/user-guide/misc/multiprocessing; measured with polars 2.1",
    ),
    Fork(
        key="jax",
        effect=HANGS,
        files=r"/libjax_common\.so|/xla_extension\.[^/]*",
        child="uses JAX",
        why=f"JAX's backend has started here. {_GONE} JAX warns of it when a fork happens.",
        cures=(_IN_PARENT.format("JAX"),),
        source="measured with jax 0.10",
    ),
    Fork(
        key="tensorflow",
        effect=HANGS,
        files=r"/libtensorflow_(framework|cc)\.so[^/]*",
        child="uses TensorFlow",
        why=f"TensorFlow has run an operation here. {_GONE}",
        cures=("Or import TensorFlow in the children alone",),
        source="measured with tensorflow-cpu 2.21",
    ),
    Fork(
        key="datafusion",
        effect=HANGS,
        files=r"/datafusion/_internal\.[^/]*",
        child="uses DataFusion",
        why=f"DataFusion's runtime has started here. {_GONE}",
        cures=(_IN_PARENT.format("DataFusion"),),
        source="measured with datafusion 55",
    ),
    Fork(
        key="tokenizers",
        effect=HANGS,
        files=r"/tokenizers/tokenizers\.[^/]*",
        child="uses tokenizers",
        why=(
            f"tokenizers' pool has started here, and TOKENIZERS_PARALLELISM forces it on. {_GONE} "
            "Without the variable tokenizers uses one thread in a forked child."
        ),
        cures=("Before the fork: import os; os.environ['TOKENIZERS_PARALLELISM'] = 'false'",),
        only_with="TOKENIZERS_PARALLELISM",
        source="tokenizers, bindings/python/src/lib.rs; measured with tokenizers 0.23",
    ),
    Fork(
        key="deltalake",
        effect=FAILS,
        files=r"/deltalake/_internal\.[^/]*",
        note="its own error says to use spawn or forkserver",
        source="measured with deltalake 1.6",
    ),
    Fork(
        key="libiomp5", effect=LIVES, source="starts anew; measured with intel-openmp and MKL 2026"
    ),
    Fork(key="libomp", effect=LIVES, source="starts anew; measured with the one of pyomp 0.6"),
    Fork(key="openblas", effect=LIVES, source="pthread_atfork; measured with numpy 2.4"),
    Fork(key="mkl", effect=LIVES, source="measured with MKL 2026, layers INTEL and TBB"),
    Fork(
        key="pyarrow",
        effect=LIVES,
        files=r"/libarrow\.so[^/]*",
        source="cpp/src/arrow/util/atfork_internal.h; measured with pyarrow 26",
    ),
    Fork(
        key="cv2",
        effect=LIVES,
        files=r"/cv2/cv2\.[^/]*",
        source="measured with opencv 5.0",
    ),
    Fork(
        key="onnxruntime",
        effect=LIVES,
        files=r"/onnxruntime_pybind11_state\.[^/]*",
        note="a session made before the fork runs; a child that deletes it hangs",
        source="measured with onnxruntime 1.32",
    ),
    Fork(
        key="duckdb",
        effect=LIVES,
        files=r"/_duckdb\.[^/]*|/duckdb\.[^/]*\.so",
        note="queries run; a child that closes a connection made before the fork hangs or crashes",
        source="measured with duckdb 2.0",
    ),
    Fork(
        key="numexpr",
        effect=LIVES,
        files=r"/numexpr/interpreter\.[^/]*",
        source="starts anew; measured with numexpr 2.14",
    ),
    Fork(
        key="blosc2",
        effect=LIVES,
        files=r"/blosc2_ext\.[^/]*|/libblosc2\.so[^/]*",
        source="measured with blosc2 4.14",
    ),
    Fork(
        key="catboost",
        effect=LIVES,
        files=r"/_catboost\.so",
        source="measured with catboost 1.2",
    ),
    Fork(
        key="grpc",
        effect=LIVES,
        files=r"/cygrpc\.[^/]*",
        source="measured with grpcio 1.85",
    ),
)
"""The table; docs/howto/process-pools.md has it for people."""

BY_KEY = {row.key: row for row in FORKS}
DOOMED = frozenset({HANGS, KILLED})
"""Effects that nobody is told of: no error reaches the parent."""

_OFF = frozenset({"", "off", "false", "f", "no", "n", "0"})
"""Values that the tokenizers library takes for off (tokenizers/src/utils/parallelism.rs)."""


@lru_cache(maxsize=1024)
def fork_of(path: str) -> Fork | None:
    """Give the row of the file that owns threads; None where it has none.

    Examples
    --------
    >>> fork_of("/env/_polars_runtime_32/_polars_runtime.abi3.so").effect
    'hangs'
    """
    if is_family(path.rpartition("/")[2]):
        return None  # a runtime: it has a row by its key
    rows = (row for row in FORKS if row.files)
    return next((row for row in rows if re.search(f"(?:{row.files})$", path)), None)


def is_on(value: str | None) -> bool:
    """Tell whether a variable of `Fork.only_with` is on."""
    return value is not None and value.strip().lower() not in _OFF
