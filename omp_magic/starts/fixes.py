"""What variables at the start of a program can mend, by the code of a finding."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from ..errors import NoFixError, ParseError
from ..facts.starts import OUT, SET, StartVariable
from ..knowledge.inherited import for_children
from ..knowledge.variables import VARIABLES

_BINDING = ("OMP_PROC_BIND", "OMP_PLACES", "GOMP_CPU_AFFINITY", "KMP_AFFINITY")
"""See `knowledge.binding.BINDING`."""
_ONE_RUNTIME = (
    "two files are two runtimes: one order of imports may serve (omp-magic check MODULE MODULE "
    "tells), or one runtime for the environment (omp-magic env --format conda)"
)
_WORKERS = (
    "an engine starts its workers itself: its own variables for them, which the finding names"
)
_ONE_ENVIRONMENT = "one environment, or one image, for all workers"


@dataclass(frozen=True, slots=True)
class Around:
    """What a cure goes by.

    Parameters
    ----------
    own
        What the user has set.
    counts
        The thread counts that are asked for, by variable.
    threads
        Threads of each worker.
    layers
        Threading layers of numba that are installed and safe, the best first.
    """

    own: Mapping[str, str]
    counts: Mapping[str, str]
    threads: int
    layers: tuple[str, ...]

    def count(self, name: str) -> int:
        """Give the most threads that a variable should say."""
        return min(self.threads, int(self.counts.get(name, self.threads)))


_Cure = Callable[[Around], Iterator[StartVariable]]


def fix(code: str, around: Around) -> tuple[StartVariable, ...]:
    """Give what mends a finding, besides the thread counts that every start has.

    Parameters
    ----------
    code
        A key of `MENDED`.
    around
        What it goes by.

    Raises
    ------
    NoFixError
        When no variable mends it; it says what does.
    """
    cure = MENDED[code]
    if isinstance(cure, str):
        raise NoFixError(code, cure)
    return tuple(
        StartVariable(
            name=each.name,
            value=each.value,
            state=each.state,
            why=f"{code}: {each.why}",
            named=True,
        )
        for each in cure(around)
    )


def _set(name: str, value: str, why: str) -> StartVariable:
    return StartVariable(name=name, value=value, state=SET, why=why)


def _out(name: str, why: str) -> StartVariable:
    return StartVariable(name=name, value=None, state=OUT, why=why)


def _fewer(around: Around) -> Iterator[StartVariable]:
    """Lower the counts that the user has set and that are more than a worker's share."""
    for name, _ in for_children(around.threads):
        count, most = most_threads_in(name, around.own.get(name)), around.count(name)
        if count is not None and count > most:
            why = f"{around.own[name].strip()[:12]} is more than {_share(around, most)}"
            yield _set(name, str(most), why)
    most = around.count("OPENBLAS_NUM_THREADS")
    for name in ("OPENBLAS_DEFAULT_NUM_THREADS", "GOTO_NUM_THREADS"):
        count = most_threads_in(name, around.own.get(name))
        if count is not None and count > most:
            yield _out(name, f"it is more than {_share(around, most)}")


def _share(around: Around, most: int) -> str:
    return "the CPUs of a worker" if most == around.threads else "--threads says"


def most_threads_in(name: str, text: str | None) -> int | None:
    """Give the most that a reader takes from a count."""
    if text is None:
        return None
    from ..knowledge.envvars import threads_in  # noqa: PLC0415 - as above
    from ..knowledge.precedence import ORDERS  # noqa: PLC0415 - 4 ms, and few set any

    readers = (key for key, order in ORDERS.items() if name in order.variables)
    counts = (threads_in(reader, name, text) for reader in readers)
    return max((each for each in counts if each is not None), default=None)


def _nothing_more(_around: Around) -> Iterator[StartVariable]:
    """Give nothing: the counts of every start are in time."""
    return iter(())


def _other_layer(_around: Around) -> Iterator[StartVariable]:
    yield _set(
        "MKL_THREADING_LAYER",
        "GNU",
        "INTEL makes importing mkl end the process where another OpenMP is there first",
    )


def _unbound(around: Around) -> Iterator[StartVariable]:
    found = [name for name in _BINDING if name in around.own]
    for name in found:
        if name != "OMP_PROC_BIND":
            yield _out(name, "it binds the thread that loads or first calls a runtime")
    # Not just taken out: an import that sets OMP_PLACES would bind again, and false wins over it
    # (libgomp/env.c, initialize_env).
    yield _set("OMP_PROC_BIND", "false", "no runtime binds the main thread and its children")


def _safe_layer(around: Around) -> Iterator[StartVariable]:
    if not around.layers:
        raise NoFixError(
            "OMP212",
            "this environment has no numba with a layer that two threads may enter: pip install "
            "tbb, or an OpenMP runtime",
        )
    why = "numba's workqueue ends the process when two threads enter it"
    yield _set("NUMBA_THREADING_LAYER", around.layers[0], why)


def _alike(around: Around) -> Iterator[StartVariable]:
    """Take out what is stronger than another variable that is set too."""
    from ..knowledge.precedence import ORDERS  # noqa: PLC0415 - 4 ms, and few ask
    from ..knowledge.rivals import RIVALRIES  # noqa: PLC0415 - as above

    own = around.own
    for order in ORDERS.values():
        heard = [name for name in order.variables if name in own]
        for name in heard[:-1]:
            if own[name] != own[heard[-1]]:
                yield _out(name, f"it overrules {heard[-1]}")
    for rivalry in RIVALRIES:
        beaten = [name for name in rivalry.losers if name in own]
        if beaten and rivalry.winner in own and rivalry.when(own[rivalry.winner]):
            yield _out(rivalry.winner, f"it overrules {beaten[0]}")


def _checked(_around: Around) -> Iterator[StartVariable]:
    # Taken out it would be set again: importing scikit-learn or threadpoolctl sets it where it is
    # not set at all (`knowledge.rivals.SETTERS`).
    why = "a second LLVM-family runtime ends the process again, and does not start unchecked"
    yield _set("KMP_DUPLICATE_LIB_OK", "FALSE", why)


def _readable(around: Around) -> Iterator[StartVariable]:
    from ..knowledge.meanings import meaning_of, problem_of  # noqa: PLC0415 - 4 ms, and few ask

    counts = {**dict(for_children(around.threads)), **around.counts}
    for name in VARIABLES:
        text = around.own.get(name)
        if text is None:
            continue
        try:
            meaning_of(name, text)
            bad = bool(problem_of(name, text))
        except ParseError:
            bad = True
        if bad and name in counts:
            yield _set(name, counts[name], "not every library understands what was there")
        elif bad:
            yield _out(name, "not every library understands what was there")


MENDED: dict[str, _Cure | str] = {
    "OMP101": _ONE_RUNTIME,
    "OMP102": (
        "--fix OMP303 has the check back; then the second runtime ends the process, since "
        + _ONE_RUNTIME
    ),
    "OMP103": f"Intel's has to be loaded first; {_ONE_RUNTIME}",
    "OMP104": _other_layer,
    "OMP105": _ONE_RUNTIME,
    "OMP106": (
        "each copy keeps its pool, which --threads makes smaller; one BLAS for all is "
        "conda-forge's (omp-magic env --format conda)"
    ),
    "OMP107": _ONE_RUNTIME,
    "OMP110": "starting again loads what is on disk now",
    "OMP111": "starting again loads what is on disk now",
    "OMP201": _fewer,
    "OMP202": _fewer,
    "OMP203": _fewer,
    "OMP204": "workers that are spawned and not forked, or joblib's loky",
    "OMP205": _fewer,
    "OMP206": "a limit that no file shows: --threads N sets what one really gets",
    "OMP207": _unbound,
    "OMP208": _nothing_more,
    "OMP209": "the package's own switch, which the finding names",
    "OMP210": "a higher pids.max or ulimit -u; --threads 1 needs fewer threads",
    "OMP211": "--workers N divides the CPUs with others that are known",
    "OMP212": _safe_layer,
    "OMP213": "the functions go into a module that workers can import",
    "OMP214": "fewer threads that call it at once; --threads blas=1 leaves them more room",
    "OMP301": _nothing_more,
    "OMP302": _alike,
    "OMP303": _checked,
    "OMP304": _readable,
    "OMP305": "a program that is started has one environment; os.environ[...] keeps it so",
    "OMP401": f"{_WORKERS}, or a limit in those that run (%omp_cluster CLIENT --limit auto)",
    "OMP402": _ONE_ENVIRONMENT,
    "OMP403": _ONE_ENVIRONMENT,
    "OMP404": _WORKERS,
    "OMP405": "the engine's own way to start a worker anew, which the finding names",
    "OMP406": "a limit for each host's own CPUs (%omp_cluster CLIENT --limit auto)",
}
"""The cure of each finding, or what mends it instead of a variable."""
