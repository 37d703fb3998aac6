"""Values of environment variables -> what each library makes of them.

Forms were tried with the library itself: libgomp of the scikit-learn 1.9 wheel and of GCC 12
(libgomp/env.c), Intel OpenMP 2021.4 and 2026.2 (openmp/runtime/src/kmp_settings.cpp), OpenBLAS of
NumPy 2.4 and faiss-cpu 1.15 (driver/others/openblas_env.c), MKL 2026.2, numexpr 2.14, numba 0.68,
OpenCV 5.0, polars 2.1 and pyarrow 26; those of BLIS, Blosc and TensorFlow were not. `dialects` says
the same in words.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from ..errors import ParseError

SPACE = " \t\n\v\f\r"
"""What C's isspace takes for a space; Python's strip takes more."""

_MOST = 2**31 - 1


def parse_thread_list(name: str, text: str) -> tuple[int, ...]:
    """Read the value of OMP_NUM_THREADS: one number a nesting level, ``"4"`` or ``"4,2"``.

    Parameters
    ----------
    name
        The variable, for the message.
    text
        Its value.

    Returns
    -------
    tuple of int
        At least one number, each 1 or more.

    Raises
    ------
    ParseError
        When it is anything else: the libraries then ignore it (OpenMP 5.2, section 21.2.2).
    """
    words = [word.strip(SPACE) for word in text.split(",")]
    if not all(re.fullmatch(r"\+?\d{1,9}", word, re.ASCII) and int(word) > 0 for word in words):
        raise ParseError(name, text, "a number of threads such as '4', or a list such as '4,2'")
    return tuple(int(word) for word in words)


_TRUE = (("true", 1), ("on", 2), ("1", 1), (".true.", 2), (".t.", 2), ("yes", 1))
_FALSE = (("false", 1), ("off", 2), ("0", 1), (".false.", 2), (".f.", 2), ("no", 1))


def _alike(target: str, least: int, text: str) -> bool:
    """Compare like __kmp_str_match: equal as far as both reach, and that is far enough."""
    common = min(len(target), len(text))
    return common >= least and target[:common] == text[:common].lower()


@lru_cache(maxsize=256)
def llvm_boolean(text: str) -> bool | None:
    """Read a boolean as LLVM and Intel OpenMP do; None when they cannot.

    The beginning of a word is enough, whatever follows it, and a space before it is too much:
    ``"t"`` and ``"truest"`` are true, ``" true"`` is nothing (openmp/runtime/src/kmp_str.cpp,
    __kmp_str_match_true and __kmp_str_match_false; tried with Intel OpenMP 2021.4).
    """
    if text.lower() == "enabled" or any(_alike(word, least, text) for word, least in _TRUE):
        return True
    if text.lower() == "disabled" or any(_alike(word, least, text) for word, least in _FALSE):
        return False
    return None


def is_true(text: str | None) -> bool:
    """Tell whether an LLVM or Intel OpenMP runtime takes this value for true."""
    return text is not None and llvm_boolean(text) is True


def _match(pattern: str, text: str) -> re.Match[str] | None:
    return re.fullmatch(pattern, text, re.ASCII | re.IGNORECASE)


def _number(pattern: str, text: str) -> int | None:
    """Give the first group as a number, if the text has this form and the number is sane."""
    match = _match(pattern, text)
    number = int(match[1][:12]) if match is not None else 0
    return number if 1 <= number <= _MOST else None


def _gomp_threads(text: str) -> int | None:
    try:
        return parse_thread_list("", text)[0]
    except ParseError:
        return None


def _llvm_threads(text: str) -> int | None:
    match = _match(r"\s*(\d{1,12})\s*(?:,[\d\s,]*)?", text)
    return max(1, int(match[1])) if match is not None and int(match[1]) <= _MOST else None


def _leading(text: str) -> int | None:
    """Read like C's atoi and std::stoi: what follows the digits does not count."""
    return _number(r"\s*\+?(\d{1,12})(?:\D[\s\S]*)?", text)


def _mkl_threads(text: str) -> int | None:
    # MKL 2026.2 takes "x", "3x", " 3 ", "3,1" and "-1" for 1 thread; "" and "0" for nothing.
    return _number(r"(\d{1,12})", text) if _match(r"0*|\d+", text) else 1


def _python_int(text: str) -> int | None:
    try:
        number = int(text) if len(text) < 100 else 0
    except ValueError:
        return None
    return number if 1 <= number <= _MOST else None


def _digits(text: str) -> int | None:
    return _number(r"\+?(\d{1,12})", text)


def _signed(text: str, least: int) -> int | None:
    """Read an integer with spaces before it; what is below `least` counts as that."""
    match = _match(r"\s*([+-]?\d{1,9})\s*", text)
    return max(least, int(match[1])) if match is not None else None


COUNTERS: dict[str, Callable[[str], int | None]] = {
    "libgomp": _gomp_threads,
    "libiomp5": _llvm_threads,
    "libomp": _llvm_threads,
    "openblas": _leading,
    "mkl": _mkl_threads,
    "blis": _leading,
    "numexpr": _python_int,
    "numba": _python_int,
    "polars": _digits,
    "pyarrow": _leading,
    "cv2": lambda text: _number(r"(\d{1,12})", text),
    "blosc2": _leading,
    "tensorflow": _leading,
    "tokenizers": _digits,
    "jaxlib": lambda text: _signed(text, 1),
    "duckdb": lambda text: None if "-" in text else _signed(text, 1),
}
"""How each library reads a number of threads, by family or package; None is "as if not set".

Sources, beside those above: std::stoi and stoull (arrow/util/thread_pool.cc, OpenCV's
parallel.cpp), strtol (frame/base/bli_env.c, blosc/blosc2.c), int() (numexpr/utils.py,
numba/core/config.py), str::parse of Rust (polars).
"""


@lru_cache(maxsize=1024)
def threads_in(reader: str, name: str, text: str) -> int | None:
    """Give the threads that a library takes from the value of a variable.

    Parameters
    ----------
    reader
        Key of `catalog.FAMILIES`, or a Python package.
    name
        The variable: MKL, and torch with it, leaves OMP_NUM_THREADS to the OpenMP runtime.
    text
        Its value.

    Returns
    -------
    int or None
        None when the library goes on as if the variable were not set.
    """
    if reader in ("mkl", "torch"):
        reader = "mkl" if name.startswith("MKL_") else "libiomp5"
    return COUNTERS.get(reader, _gomp_threads)(text)


Reads = Callable[[str], "str | None"]
"""Gives the meaning of a value in words; None when it is not understood."""


def in_threads(number: int | None) -> str | None:
    """Say a number of threads."""
    return None if number is None else f"{number} thread{'s' * (number != 1)}"


def levels(text: str) -> str | None:
    """Say a list of OMP_NUM_THREADS, one number a nesting level, as libgomp takes it."""
    try:
        outer, *inner = parse_thread_list("", text)
    except ParseError:
        return None
    nested = f", {', then '.join(map(str, inner))} in nested regions" if inner else ""
    return f"{in_threads(outer)}{nested}"


def counted(reader: str) -> Reads:
    """Read a number of threads as this library does."""
    return lambda text: in_threads(COUNTERS[reader](text))


def counted_or_unset(reader: str) -> Reads:
    """Read a number where 0, or nothing at all, is the way to say "as if it were not set"."""
    count = counted(reader)
    return lambda text: "as if it were not set" if not text.strip(SPACE + "0") else count(text)


def llvm_list(text: str) -> str | None:
    """Say a list as LLVM takes it: "4," and "4,,2" are no error, and 0 is 1 with a warning."""
    return None if not text.strip(SPACE + "0") else levels(text) or counted("libiomp5")(text)


def not_huge(text: str) -> str | None:
    """Refuse numbers that no C int holds: Intel OpenMP 2021.4 and 2026.2 crash on 99999999999."""
    match = re.search(r"\d{10,}", text, re.ASCII)
    return None if match is not None and int(match[0][:20]) >= 2**31 else ""


def llvm_switch(text: str) -> str | None:
    """Say a boolean of LLVM and Intel OpenMP."""
    value = llvm_boolean(text)
    return None if value is None else ("on" if value else "off")


def word(*known: str, spaces: bool = False) -> Reads:
    """Read one of these words, in any case."""

    def read(text: str) -> str | None:
        word = (text.strip(SPACE) if spaces else text).lower()
        return word if word in known else None

    return read


def form(pattern: str, meaning: str = "{}") -> Reads:
    """Read a text of this form, in any case; the meaning may quote it, without its spaces."""

    def read(text: str) -> str | None:
        tight = re.sub(r"\s*([{},:!()=-])\s*", r"\1", text.strip(SPACE), flags=re.ASCII)
        reads = re.fullmatch(pattern, tight, re.ASCII | re.IGNORECASE)
        return meaning.format(tight.lower()) if reads else None

    return read


def spaceless(read: Reads) -> Reads:
    """Read only texts without spaces."""
    return lambda text: None if re.search(r"\s", text, re.ASCII) else read(text)


def switch(text: str) -> str | None:
    """Say a boolean of libgomp: true or false, in any case (libgomp/env.c, parse_boolean)."""
    return {"true": "on", "false": "off"}.get(text.strip(SPACE).lower())


def declared(text: str) -> str | None:
    """Say a number of CPUs that a scheduler declares."""
    match = re.fullmatch(r"\s*(\d{1,9}(?:\.\d{1,9})?)\s*", text, re.ASCII)
    return f"{match[1]} CPUs" if match is not None and float(match[1]) > 0 else None
