"""Loading and unloading in real kernels and shells."""

from __future__ import annotations

import re
import time

import pytest
from live import LINUX, Kernel

pytestmark = pytest.mark.skipif(not LINUX, reason="compares /proc: Linux only")

TRACE = """
import ctypes, gc, os, sys, threading
def _trace():
    ip = get_ipython()
    getenv = ctypes.PyDLL(None).getenv; getenv.restype = ctypes.c_char_p
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "KMP_DUPLICATE_LIB_OK")
    completer = ip.Completer
    return repr({
        "line": sorted(ip.magics_manager.magics["line"]),
        "cell": sorted(ip.magics_manager.magics["cell"]),
        "registry": sorted(ip.magics_manager.registry),
        "configurables": [type(c).__name__ for c in ip.configurables],
        "transformers": [repr(t) for t in ip.input_transformers_post],
        "cleanup": [repr(t) for t in ip.input_transformer_manager.cleanup_transforms],
        "ast": [repr(t) for t in ip.ast_transformers],
        "events": {k: [repr(f) for f in v] for k, v in sorted(ip.events.callbacks.items())},
        "matchers": [repr(m) for m in getattr(completer, "custom_matchers", [])],
        "hooks": sorted(map(str, ip.strdispatchers.get("complete_command", ip).strs))
                 if "complete_command" in ip.strdispatchers else [],
        "meta_path": list(map(repr, sys.meta_path)),
        "path_hooks": list(map(repr, sys.path_hooks)),
        "environ": sorted(os.environ.items()),
        "C": [getenv(n.encode()) for n in names],
        "python threads": sorted(t.name for t in threading.enumerate()),
        "os threads": len(os.listdir("/proc/self/task")),
        "excepthook": repr(sys.excepthook),
        "displayhook": repr(sys.displayhook),
        "create_module": repr(__import__("importlib").machinery.ExtensionFileLoader.create_module),
    })
"""


# IPython 9 loads its own magics when a magic is first not found; have that behind us.
SETTLED = "get_ipython().find_line_magic('no_such_magic')\n%load_ext storemagic\n%time 1\n_trace()"


def trace(kernel: Kernel) -> str:
    """Give what the process and the shell look like; a thread that looks has no Thread object."""
    return re.sub(r"'Dummy-\d+', ", "", kernel.run("print(_trace())").stdout)


def traced(kernel: Kernel, wanted: str) -> str:
    """Give that again: a thread that has ended may be the system's for a moment longer."""
    end = time.monotonic() + 30
    while True:
        found = trace(kernel)
        if found == wanted or time.monotonic() > end:
            return found
        time.sleep(0.05)


@pytest.mark.messages
def test_unload_leaves_no_trace(kernel: Kernel) -> None:
    kernel.run("import numpy, omp_magic\n" + TRACE)
    counts = "[l.num_threads for l in omp_magic.snapshot().libraries]"
    kernel.run(SETTLED)
    before, before_counts = trace(kernel), kernel.value(counts)
    for line in (
        "%load_ext omp_magic",
        "%omp_status --env --threads",
        "%%omp_limit 1 -v\nimport math",
        "%%omp_limit 1\nimport asyncio\nawait asyncio.sleep(0)",
        "%omp_limit 1",
    ):
        assert kernel.run(line).status == "ok"
    assert trace(kernel) != before
    assert kernel.run("%unload_ext omp_magic").status == "ok"
    assert traced(kernel, before) == before
    assert kernel.value(counts) == before_counts
    assert kernel.run("%omp_status").status == "error"


@pytest.mark.messages
def test_reload_and_double_load(kernel: Kernel) -> None:
    kernel.run(TRACE + "\nimport omp_magic")
    kernel.run(SETTLED)
    before = trace(kernel)
    for line in ("%load_ext omp_magic", "%reload_ext omp_magic", "%reload_ext omp_magic"):
        assert kernel.run(line).status == "ok"
    kernel.run("omp_magic.load_ipython_extension(get_ipython())")
    assert kernel.run("%omp_status").status == "ok"
    assert kernel.run("%%omp_limit 1\n42").text == "42"
    kernel.run("%unload_ext omp_magic")
    assert traced(kernel, before) == before
    kernel.run("omp_magic.unload_ipython_extension(get_ipython())")
    assert traced(kernel, before) == before


def test_other_magics_are_left_alone(kernel: Kernel) -> None:
    kernel.run("%load_ext omp_magic")
    kernel.run("get_ipython().register_magic_function(lambda line: 'mine', 'line', 'omp_status')")
    kernel.run("%unload_ext omp_magic")
    assert kernel.run("%omp_status").text == "'mine'"
