"""What the value of a variable means, and which of its readers cannot read it.

libgomp takes only ``true`` and ``false`` for a boolean, LLVM also ``1`` and ``yes``; a word that
one library ignores makes another one raise. Sources as in `envvars`.
"""

from __future__ import annotations

from .dialect import Dialect
from .envvars import (
    counted,
    counted_or_unset,
    declared,
    form,
    levels,
    llvm_list,
    llvm_switch,
    not_huge,
    spaceless,
    switch,
    word,
)
from .package_dialects import PACKAGE_DIALECTS

_LLVM = ("libiomp5", "libomp")


_INTERVAL = r"!?\d{1,9}(:\d{1,9}(:-?\d{1,9})?)?"
_PLACE = rf"(!?\{{{_INTERVAL}(,{_INTERVAL})*\}}(:\d{{1,9}}(:-?\d{{1,9}})?)?|\d{{1,9}})"
_NAMED = r"(threads|cores|sockets|ll_caches|numa_domains)(\(\d{1,9}\))?"
_BIND = r"(master|primary|close|spread)"
_SCHEDULE = r"((non)?monotonic:)?(static|dynamic|guided|auto)"
_CPUS = r"[\s,]*@(-@(:\d{1,5})?)?([\s,]+@(-@(:\d{1,5})?)?)*[\s,]*"
_SCHEDULE_LLVM = _SCHEDULE.replace("auto", "auto|trapezoidal|static_steal")
_BINDS = form(rf"true|false|{_BIND}(,{_BIND})*")
_PLACES = form(rf"{_NAMED}|{_PLACE}(,{_PLACE})*")
_SINCE = "since GCC 12"
_EXPLICIT = "places such as {0},{1}"
_UNSET = "as if it were not set"
_LAYERS = ("default", "safe", "threadsafe", "forksafe", "tbb", "omp", "workqueue")
_AFFINITY_WORDS = (
    r"(no)?(verbose|warnings|respect|duplicates|reset)|disabled|none|physical|logical|compact|"
    r"scatter|balanced|explicit|granularity=\w{1,20}|proclist=\[[\d,{}:-]*\]|\d{1,9}"
)

_GNU_SWITCH = Dialect(("libgomp",), "libgomp", "true or false", switch)
_LLVM_SWITCH = Dialect(
    _LLVM, "LLVM's OpenMP", "true, yes, on or 1, false, no, off or 0, no space before", llvm_switch
)
HUGE = Dialect(
    _LLVM,
    "LLVM's OpenMP",
    "at most 2147483647",
    not_huge,
    "wraps it around or ends the process at its first call",
)
_OPENBLAS = Dialect(("openblas",), "OpenBLAS", "a number of threads", counted_or_unset("openblas"))
_OPENBLAS_NAMES = ("OPENBLAS_NUM_THREADS", "OPENBLAS_DEFAULT_NUM_THREADS", "GOTO_NUM_THREADS")
_TF = Dialect(("tensorflow",), "TensorFlow", "a number of threads", counted_or_unset("tensorflow"))
_MKL_NUMBER = Dialect(
    ("mkl", "torch"), "MKL", "digits without spaces", counted_or_unset("polars"), "uses 1 thread"
)
_LIST = "a number of threads such as '4', or a list such as '4,2'"
_WHOLE = "a whole number of at least 1"
_LIMIT = form(r"\+?0*[1-9]\d{0,9}", "at most {} threads")
_INFO = Dialect((), "", "a number of CPUs", declared, "")

DIALECTS: dict[str, tuple[Dialect, ...]] = {
    "OMP_NUM_THREADS": (
        HUGE,
        Dialect(("libgomp", "vcomp"), "libgomp", _LIST, levels),
        Dialect(_LLVM, "LLVM's OpenMP", _LIST, llvm_list, "ignores it, or takes 0 for 1"),
        Dialect(("openblas",), "OpenBLAS", "a number of threads", counted("openblas")),
        Dialect(("numexpr",), "numexpr", _WHOLE, counted("numexpr"), "fails, or uses 1 thread"),
        Dialect(("pyarrow",), "pyarrow", "a number of threads", counted("pyarrow")),
    ),
    "OMP_THREAD_LIMIT": (
        Dialect(("libgomp",), "libgomp", _WHOLE, _LIMIT),
        Dialect(_LLVM, "LLVM's OpenMP", _WHOLE, _LIMIT, "ignores it, or takes 0 for 1"),
    ),
    "OMP_MAX_ACTIVE_LEVELS": (
        Dialect(
            ("libgomp", *_LLVM),
            "the OpenMP runtime",
            "a number of at least 0",
            form(r"\d{1,10}", "{} levels of parallel regions"),
        ),
    ),
    "OMP_DYNAMIC": (_GNU_SWITCH, _LLVM_SWITCH),
    "OMP_PROC_BIND": (
        Dialect(
            ("libgomp",),
            "libgomp",
            f"true, false, or a list of master, close, spread (primary: {_SINCE})",
            _BINDS,
        ),
        Dialect(_LLVM, "LLVM's OpenMP", "true, false, or a list of primary, close, spread", _BINDS),
    ),
    "OMP_PLACES": (
        Dialect(
            ("libgomp",),
            "libgomp",
            f"threads, cores, sockets (ll_caches, numa_domains: {_SINCE}), or {_EXPLICIT}",
            _PLACES,
        ),
        Dialect(
            _LLVM,
            "LLVM's OpenMP",
            f"threads, cores, sockets, ll_caches, numa_domains, or {_EXPLICIT}",
            _PLACES,
            "binds to cores or threads instead",
        ),
    ),
    "OMP_WAIT_POLICY": (
        Dialect(
            ("libgomp",), "libgomp", "active or passive", word("active", "passive", spaces=True)
        ),
        Dialect(_LLVM, "LLVM's OpenMP", "active or passive, no spaces", word("active", "passive")),
    ),
    "OMP_SCHEDULE": (
        Dialect(
            ("libgomp",),
            "libgomp",
            "static, dynamic, guided or auto, and a chunk: dynamic,4",
            form(rf"{_SCHEDULE}(,\+?\d{{1,9}})?"),
        ),
        Dialect(
            _LLVM,
            "LLVM's OpenMP",
            "the same without spaces, chunks of at least 1",
            spaceless(form(rf"{_SCHEDULE_LLVM}(,0*[1-9]\d{{0,8}})?")),
        ),
    ),
    "GOMP_CPU_AFFINITY": (
        Dialect(
            ("libgomp",),
            "libgomp",
            "CPUs such as '0 2 4-7'",
            form(_CPUS.replace("@", r"(0x[\da-f]{1,6}|\d{1,5})"), "CPUs {}"),
            "ignores it, or (older ones) never ends loading",
        ),
        Dialect(
            _LLVM,
            "LLVM's OpenMP",
            "CPUs such as '0,2,4-7'",
            form(_CPUS.replace("@", r"\d{1,5}"), "CPUs {}"),
        ),
    ),
    "GOMP_SPINCOUNT": (
        Dialect(
            ("libgomp",),
            "libgomp",
            "a number with k, m, g or t after it, or infinite",
            form(r"\d{1,18} ?[kmgt]?|infinit[ey]", "{} spins"),
        ),
    ),
    **dict.fromkeys(("KMP_DUPLICATE_LIB_OK", "KMP_INIT_AT_FORK"), (_LLVM_SWITCH,)),
    "KMP_BLOCKTIME": (
        Dialect(
            _LLVM,
            "LLVM's OpenMP",
            "milliseconds such as 200, or infinite (200us: newer ones)",
            form(r"\d{1,9}(ms|us)?|infinite", "{}"),
            "waits 200 ms",
        ),
    ),
    "KMP_LIBRARY": (
        Dialect(
            _LLVM,
            "LLVM's OpenMP",
            "serial, turnaround or throughput",
            word("serial", "turnaround", "throughput"),
        ),
    ),
    "KMP_AFFINITY": (
        Dialect(
            _LLVM,
            "LLVM's OpenMP",
            "words such as granularity=fine,compact,1,0",
            form(rf"|({_AFFINITY_WORDS})(,({_AFFINITY_WORDS}))*"),
            "ignores the words it does not know",
        ),
    ),
    **dict.fromkeys(_OPENBLAS_NAMES, (_OPENBLAS,)),
    "MKL_NUM_THREADS": (_MKL_NUMBER,),
    "MKL_DYNAMIC": (
        Dialect(
            ("mkl", "torch"), "MKL", "TRUE or FALSE", word("true", "false"), "takes it for TRUE"
        ),
    ),
    "MKL_THREADING_LAYER": (
        Dialect(
            ("mkl",),
            "MKL",
            "INTEL, GNU, TBB or SEQUENTIAL",
            word("intel", "gnu", "tbb", "sequential"),
        ),
    ),
    "BLIS_NUM_THREADS": (Dialect(("blis",), "BLIS", "a number of threads", counted("blis")),),
    "NUMEXPR_NUM_THREADS": (
        Dialect(
            ("numexpr",),
            "numexpr",
            _WHOLE,
            lambda text: counted("numexpr")(text) if text else _UNSET,
            "fails to import, or uses 1 thread",
        ),
    ),
    "NUMEXPR_MAX_THREADS": (
        Dialect(
            ("numexpr",),
            "numexpr",
            _WHOLE,
            form(r"0*[1-9]\d{0,8}", "at most {} threads"),
            "uses 1 thread",
        ),
    ),
    "NUMBA_NUM_THREADS": (
        Dialect(
            ("numba",),
            "numba",
            _WHOLE,
            counted("numba"),
            "warns and ignores it, or fails to import",
        ),
    ),
    "NUMBA_THREADING_LAYER": (
        Dialect(
            ("numba",),
            "numba",
            ", ".join(_LAYERS),
            word(*_LAYERS),
            "raises ValueError at the first parallel call",
        ),
    ),
    "POLARS_MAX_THREADS": (Dialect(("polars",), "polars", _WHOLE, counted("polars")),),
    "OPENCV_FOR_THREADS_NUM": (
        Dialect(
            ("cv2",),
            "OpenCV",
            "a number of threads",
            lambda text: counted_or_unset("cv2")(text) if text else None,
            "raises cv2.error at its first parallel call",
        ),
    ),
    "ARROW_IO_THREADS": (Dialect(("pyarrow",), "pyarrow", _WHOLE, counted("polars"), "uses 8"),),
    "BLOSC_NTHREADS": (Dialect(("blosc2",), "Blosc", "a number of threads", counted("blosc2")),),
    **dict.fromkeys(("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"), (_TF,)),
    "LOKY_MAX_CPU_COUNT": (
        Dialect(
            ("joblib",),
            "loky",
            "a whole number",
            form(r"[+-]?\d{1,9}", "at most {} CPUs"),
            "raises ValueError when it counts CPUs",
        ),
    ),
    **PACKAGE_DIALECTS,
    **dict.fromkeys(("SLURM_CPUS_PER_TASK", "SLURM_CPUS_ON_NODE", "CPU_LIMIT"), (_INFO,)),
}
"""The readers of each variable. A variable that is missing holds a word nobody needs checked."""
