"""What somebody asks of a start, in words: understood, or refused in one line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ..errors import ParseError, StartError, nearest
from ..facts.starts import BY_WORKERS, OUT, SET, StartVariable
from ..knowledge.inherited import INHERITED
from ..knowledge.variables import VARIABLES
from .fixes import MENDED, Around, fix

TYPE_CHECKING = False  # typing.TYPE_CHECKING would cost an import, and a server waits for its start
if TYPE_CHECKING:
    from ..limits.spec import LimitSpec

MOST_WORKERS = 8192
"""As many as `omp_magic.planning` takes."""

_BY_VARIABLE = frozenset(name for _, names in INHERITED for name in names) - {"pyarrow"}
_INSTEAD = {
    "pyarrow": "pyarrow-io=N for its files; its CPU pool takes openmp=N",
    "torch": "it takes openmp=N or mkl=N when it is imported",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What was asked for.

    Parameters
    ----------
    workers
        Processes that divide the CPUs; or as many of what `divided` says.
    spec
        The threads of pools; None for all that a worker's share has.
    sets
        (variable, value) by word; None for one that is to be taken out.
    codes
        Findings that are to be mended.
    layers
        Threading layers of numba that are installed and safe, the best first.
    notes
        Lines about them.
    divided
        As `Start` has it.
    """

    workers: int = 1
    spec: LimitSpec | None = None
    sets: tuple[tuple[str, str | None], ...] = ()
    codes: tuple[str, ...] = ()
    layers: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    divided: str = BY_WORKERS

    @property
    def threads(self) -> bool:
        """Whether a number of threads was named."""
        return self.spec is not None

    def forced(
        self, own: Mapping[str, str], counts: Mapping[str, str], threads: int = 1
    ) -> dict[str, StartVariable]:
        """Give the variables that are named, or mend a finding, by name.

        Parameters
        ----------
        own
            What the user has set.
        counts
            The thread counts that are asked for, by variable.
        threads
            Threads of each worker.

        Raises
        ------
        NoFixError
            When no variable mends a finding; it says what does.
        """
        found: dict[str, StartVariable] = {}
        for name, value in self.sets:
            state = OUT if value is None else SET
            found[name] = StartVariable(
                name=name, value=value, state=state, why="as --set says", named=True
            )
        after = {**own, **{name: value for name, value in self.sets if value is not None}}
        for name, value in self.sets:
            if value is None:
                after.pop(name, None)
        for code in self.codes:
            for each in fix(code, Around(after, counts, threads, self.layers)):
                found.setdefault(each.name, each)
        return found


def asked_for(  # noqa: PLR0913 - each is an option of its own
    *,
    threads: str | int | Mapping[str, int | str] | None = None,
    workers: int | str | None = None,
    sets: Iterable[str] = (),
    codes: Iterable[str] = (),
    layers: tuple[str, ...] = (),
    asking: str = "omp-magic run {} -- python server.py",
) -> Asked:
    """Understand what is asked.

    Parameters
    ----------
    threads
        As `%omp_limit` takes them: ``N``, ``auto``, ``auto/N``, ``NAME=N``, or a mapping; with the
        names that have a variable.
    workers
        Processes that divide the CPUs.
    sets
        ``NAME=VALUE``; ``NAME=`` takes the variable out.
    codes
        Findings, ``OMP104``.
    layers
        As `Asked` has them.
    asking
        How it is asked, with ``{}`` for the words: what an error gives as an example.

    Raises
    ------
    StartError
        When it is anything else: found, accepted, meant, an example.
    """
    return Asked(
        workers=1 if workers is None else _workers(workers, asking),
        spec=None if threads is None else _spec(threads, asking),
        sets=tuple(_sets(sets, asking)),
        codes=tuple(dict.fromkeys(_code(each, asking) for each in codes)),
        layers=layers,
    )


def asked_by(word: str, asked: Asked, *, told: bool) -> str:
    """Give the command that asks for the same in a format; `told` is whether workers are named."""
    import shlex  # noqa: PLC0415 - a server's start has no use for it

    parts = ["omp-magic", "env", "--format", word]
    parts += [] if asked.spec is None else ["--threads", asked.spec.text]
    parts += ["--workers", str(asked.workers)] if told else []
    parts += [part for name, value in asked.sets for part in ("--set", f"{name}={value or ''}")]
    parts += [part for code in asked.codes for part in ("--fix", code)]
    return shlex.join(parts)


def sets_in(given: object) -> list[str]:
    """Give the ``NAME=VALUE`` words of a mapping, whose None takes a variable out, or of words."""
    if isinstance(given, Mapping):
        return [f"{name}={'' if value is None else value}" for name, value in given.items()]
    return _several(given)


def codes_in(given: object) -> list[str]:
    """Give the codes in words that may hold several each, with commas or spaces."""
    # A word without any stays, to be refused.
    words = ((word, word.replace(",", " ").split()) for word in _several(given))
    return [code for word, codes in words for code in codes or [word]]


def _several(given: object) -> list[str]:
    """Give one word, or each of several, as words; a wrong one is refused as what it looks like."""
    if isinstance(given, Iterable) and not isinstance(given, str):
        return [str(each) for each in given]
    return [] if given is None else [str(given)]


def example_of(asking: str, option: str, value: object) -> str:
    """Give how an option is asked for, in a call of Python's or in a line.

    Examples
    --------
    >>> example_of("%omp_env {}", "threads", "blas=1 openmp=2")
    '%omp_env --threads "blas=1 openmp=2"'
    >>> example_of("omp_magic.environment({})", "set", "OMP_NUM_THREADS=4")
    "omp_magic.environment(sets=['OMP_NUM_THREADS=4'])"
    """
    if asking.endswith("({})"):
        told = f"sets=[{value!r}]" if option == "set" else f"{option}={value!r}"
    else:
        word = f'"{value}"' if " " in str(value) or value == "{}" else value
        told = f"--{option} {word}"
    return asking.replace("{}", told)


def _workers(given: int | str, asking: str) -> int:
    text = str(given).strip()
    number = int(text) if text.isdecimal() and text.isascii() and len(text) < 9 else 0
    if isinstance(given, bool) or not 1 <= number <= MOST_WORKERS:
        accepted = f"a number of workers, 1 to {MOST_WORKERS}"
        raise StartError(str(given), accepted, example_of(asking, "workers", 4))
    return number


def _spec(given: str | int | Mapping[str, int | str], asking: str) -> LimitSpec:
    from ..limits.spec import parse_limit  # noqa: PLC0415 - the table of families, 3 ms

    names = "%omp_limit?" if asking.startswith("%") else "omp-magic run --help"
    spec = parse_limit(given, asking=example_of(asking, "threads", "{}"), names=names)
    for name, _ in spec.amounts:
        if name not in _BY_VARIABLE:
            instead = _INSTEAD.get(name, "openmp=N or blas=N, which set what it reads")
            accepted = f"a pool with a variable of its own; {name} has none: {instead}"
            raise StartError(name, accepted, example_of(asking, "threads", "blas=1 openmp=2"))
    return spec


def _sets(words: Iterable[str], asking: str) -> Iterable[tuple[str, str | None]]:
    seen = set()
    example = example_of(asking, "set", "OMP_NUM_THREADS=4")
    for word in words:
        name, equals, value = word.partition("=")
        if not equals:
            raise StartError(word, "NAME=VALUE, or NAME= to take one out", example)
        if name not in VARIABLES:
            accepted = (
                "a variable that OpenMP, a BLAS or a package's pool reads (all others are set "
                "where the program is started, for example by: env NAME=VALUE)"
            )
            raise StartError(name, accepted, example, nearest(name, VARIABLES))
        if name in seen:
            raise StartError(word, "each variable once", example)
        seen.add(name)
        if value:
            _check(name, value, asking)
        yield name, value or None


def _check(name: str, value: str, asking: str) -> None:
    from ..knowledge.meanings import meaning_of  # noqa: PLC0415 - 4 ms, and few set any

    def read(text: str) -> str:
        try:
            meaning_of(name, text)
        except ParseError as error:
            return error.expected
        return ""

    expected = read(value) if value.isprintable() else "a value that can be printed"
    if expected:
        good = next(each for each in _GOOD if not read(each))
        raise StartError(f"{name}={value}", expected, example_of(asking, "set", f"{name}={good}"))


_GOOD = ("4", "true", "TRUE", "cores", "active", "dynamic,4", "serial", "GNU", "tbb", "0 2 4-7")
"""Values for an example: each form takes one of them; a test compares."""


CURED = tuple(code for code, cure in MENDED.items() if not isinstance(cure, str))
"""Codes that a variable mends."""
SETTABLE = tuple(VARIABLES)
"""Variables that can be set by name."""


def _code(word: str, asking: str) -> str:
    code = word.strip().upper()
    code = code if code.startswith("OMP") else f"OMP{code}"
    if code not in MENDED:
        accepted = f"a finding's code that a variable mends: {', '.join(CURED)}"
        raise StartError(word, accepted, example_of(asking, "fix", "OMP104"), nearest(word, MENDED))
    return code
