"""``"blas=1 openmp=2"`` -> LimitSpec: what a limit asks for, before anything is looked at."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from operator import index
from typing import SupportsIndex

from ..errors import LimitError, nearest
from ..facts.cpus import cpus_words
from ..knowledge.catalog import APIS, BY_KEY, family_of

MOST_THREADS = 8192
"""Largest number accepted: NR_CPUS of the largest x86 kernels; libgomp would start 10**6."""

BORROWERS = ("faiss", "xgboost")
"""Packages without a pool of their own: the OpenMP runtime that they call is limited."""

NAMES = (
    *APIS,
    *(key for key, family in BY_KEY.items() if family.setters),
    *("torch", "numexpr", "numba", "cv2", "pyarrow", "pyarrow-io", "blosc2", "lightgbm", "joblib"),
    *BORROWERS,
    *("polars", "tensorflow"),
)
"""What a limit may name, besides libraries by SONAME, file name or path. The last two can be
limited in child processes only."""

_ASKING, _EXAMPLE = "%omp_limit {}", "blas=1 openmp=2"
EXAMPLE = _ASKING.format(_EXAMPLE)
_FORMS = "N, auto, auto/N, NAME=N"


@dataclass(frozen=True, slots=True)
class Amount:
    """A number of threads, or a share of the budget.

    Parameters
    ----------
    number
        Threads; the divisor when `auto`.
    auto
        Whether the budget is meant, divided by `number`.
    """

    number: int
    auto: bool = False

    def threads(self, budget_threads: int) -> int:
        """Give the threads for a budget of `budget_threads`, at least 1."""
        return max(1, budget_threads // self.number) if self.auto else self.number

    @property
    def text(self) -> str:
        """How it is written."""
        if not self.auto:
            return str(self.number)
        return "auto" if self.number == 1 else f"auto/{self.number}"


@dataclass(frozen=True, slots=True)
class LimitSpec:
    """What was asked for.

    Parameters
    ----------
    text
        As it was written.
    amounts
        By name: ``""`` for every pool, an API, a family, or a SONAME.
    """

    text: str
    amounts: tuple[tuple[str, Amount], ...]
    _by_name: dict[str, Amount] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # Kept: a limit asks for every pool and every variable.
        object.__setattr__(self, "_by_name", dict(self.amounts))

    @property
    def auto(self) -> bool:
        """Whether the budget has to be known to apply it."""
        return any(amount.auto for _, amount in self.amounts)

    def for_pool(self, names: tuple[str, ...]) -> Amount | None:
        """Give the amount for a pool by its names, the most particular name first."""
        for name in names:
            amount = self._by_name.get(name)
            if amount is not None:
                return amount
        return None


def parse_limit(
    spec: str | SupportsIndex | Mapping[str, SupportsIndex | str],
    *,
    asking: str = _ASKING,
    also: tuple[str, ...] = (),
    names: str = "%omp_limit?",
) -> LimitSpec:
    """Read a limit.

    Parameters
    ----------
    spec
        A number, ``"auto"``, ``"auto/4"``, ``"blas=1 openmp=2"``, or a mapping of names to
        numbers. Names are those of `NAMES`, SONAMEs or paths; the most particular one wins.
    asking
        How it is asked for, with ``{}`` for the limit: what the error gives as an example.
    also
        Words that the caller takes besides: the error says so.
    names
        Where a person finds all names.

    Returns
    -------
    LimitSpec
        With at least one amount.

    Raises
    ------
    LimitError
        When it is anything else; the message says what was found and what is accepted.

    Examples
    --------
    >>> parse_limit("auto/2").amounts
    (('', Amount(number=2, auto=True)),)
    """
    accepted = ", ".join((f"N (1 to {MOST_THREADS}), auto, auto/N, NAME=N (names: {names})", *also))
    example = asking.format(_EXAMPLE)
    if isinstance(spec, Mapping):
        words = [f"{name}={value}" if name else str(value) for name, value in spec.items()]
    elif isinstance(spec, str):
        words = spec.replace(",", " ").split()
    elif isinstance(spec, bool) or not hasattr(spec, "__index__"):
        raise LimitError(repr(spec), accepted, example)
    else:
        words = [str(index(spec))]  # NumPy's integers are no int
    if not words:
        raise LimitError("", accepted, example)
    amounts: dict[str, Amount] = {}
    for word in words:
        name, equals, value = word.rpartition("=")
        name = folded(name)
        known = not equals or name in NAMES or family_of(name.rpartition("/")[2]) is not None
        amount = _amount(value) if known else None
        if amount is None:
            near = _meant(word, also)
            if near:
                accepted = ", ".join((_FORMS, *also))
                example = asking.format(" ".join(near if each == word else each for each in words))
            raise LimitError(word, accepted, example, near)
        if name in amounts:
            raise LimitError(" ".join(words), "each name once, one number for all pools", example)
        amounts[name] = amount
    return LimitSpec(" ".join(words), tuple(amounts.items()))


def folded(path: str) -> str:
    """Give a path with a drive or a server in the one form that all its forms have."""
    if path[:1] == "/" != path[1:2]:
        return path  # what is asked most often
    plain = path.replace("\\", "/")
    return plain.lower() if re.match(r"[A-Za-z]:/|//[^/]", plain) else path


def more_than_cpus(spec: LimitSpec, affinity_cpus: int) -> str | None:
    """Give a line that says so when a limit allows more threads than there are CPUs."""
    most = max((amount.number for _, amount in spec.amounts if not amount.auto), default=0)
    if most <= affinity_cpus:
        return None
    cpus = cpus_words(affinity_cpus)
    return f"{most} threads on {cpus}: allowed, usually slower than {affinity_cpus}"


def _meant(word: str, also: tuple[str, ...]) -> str:
    """Give the word of a limit that was perhaps meant: ``opnblas=2`` is ``openblas=2``."""
    name, equals, value = word.rpartition("=")
    if not equals:
        near = nearest(word, ("auto", *also, *NAMES))
        return f"{near}=1" if near in NAMES else near
    name = name if name in NAMES else nearest(name, NAMES)
    value = value if _amount(value) is not None else nearest(value, ("auto",))
    return f"{name}={value}" if name and value else ""


def _amount(value: str) -> Amount | None:
    match = re.fullmatch(r"(auto(?:/(?=\d))?)?(\d{1,9})?", value, re.ASCII)
    if match is None or not value or (match[1] == "auto" and match[2]):
        return None
    number = int(match[2] or 1)
    return Amount(number, auto=match[1] is not None) if 1 <= number <= MOST_THREADS else None
