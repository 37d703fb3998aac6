"""The loader at work in other threads: looks neither miss what is there nor wait for ever."""

from __future__ import annotations

from wine import windows

BUSY = """
import ctypes, json, os, shutil, threading
import inside, omp_magic

kernel = ctypes.CDLL("kernel32")
kernel.LoadLibraryW.restype = ctypes.c_void_p
kernel.FreeLibrary.argtypes = (ctypes.c_void_p,)
ended = threading.Event()

def load_and_unload(paths):
    while not ended.is_set():
        handles = [kernel.LoadLibraryW(path) for path in paths]
        for handle in handles:
            kernel.FreeLibrary(handle)

def copies(number):
    found = [os.path.abspath(f"copy{index}.dll") for index in range(number)]
    for path in found:
        shutil.copyfile(r"C:\\Python311\\libffi-8.dll", path)
    return found
"""


def test_what_is_loaded_is_seen_while_other_threads_load_and_unload() -> None:
    looks = windows.value(
        BUSY
        + """
import numpy
own = ctypes.CDLL(inside.INTEL)
threads = [threading.Thread(target=load_and_unload, args=(copies(12)[each::4],))
           for each in range(4)]
for each in threads:
    each.start()
looks = []
for _ in range(6):
    facts = omp_magic.snapshot()
    with omp_magic.limit(1):
        pass
    looks.append([sorted(each.family for each in facts.libraries),
                  sorted({each.what for each in facts.gaps})])
ended.set()
for each in threads:
    each.join()
print(json.dumps(looks))
""",
        timeout=240,
    )
    assert looks == [[["libiomp5", "openblas"], ["environment at start"]]] * 6


def test_a_function_of_python_that_the_loader_calls_stops_nobody() -> None:
    """It waits for the GIL under the loader's lock; who asks for that lock may not hold the GIL."""
    ended = windows.run(
        BUSY
        + """
from omp_magic.machine.here import native_here
calls = 0
@ctypes.CFUNCTYPE(None, ctypes.c_uint32, ctypes.c_void_p, ctypes.c_void_p)
def told(reason, data, context):
    global calls
    calls += 1
cookie = ctypes.c_void_p()
assert ctypes.CDLL("ntdll").LdrRegisterDllNotification(0, told, None, ctypes.byref(cookie)) == 0
thread = threading.Thread(target=load_and_unload, args=(copies(2),))
thread.start()
native = native_here()
while calls < 200:
    native.loader_changes()
    native.close()
ended.set()
thread.join()
assert ctypes.CDLL("ntdll").LdrUnregisterDllNotification(cookie) == 0
print("through")
""",
        timeout=60,
    )
    assert (ended.stdout, ended.code) == ("through\n", 0), ended.stderr


def test_threads_that_look_first_at_the_same_time_are_told_of_loads_once() -> None:
    registered, left = windows.value("""
        import json, sys, threading
        import inside, omp_magic
        from omp_magic.machine.here import native_here
        native = native_here()
        native.loader_changes(); native.close()
        sys.setswitchinterval(1e-6)
        def look():
            gate.wait()
            native.loader_changes()
        registered = []
        for _ in range(40):
            gate = threading.Barrier(6)
            threads = [threading.Thread(target=look) for _ in range(6)]
            for each in threads: each.start()
            for each in threads: each.join()
            registered.append(inside.notifications())
            native.close()
        print(json.dumps([registered, inside.notifications()]))
    """)
    assert registered == [1] * 40
    assert left == 0


def test_what_counts_loads_writes_into_no_memory_that_python_has_freed() -> None:
    """A process that ends unloads modules after its interpreter: see `events`."""
    others = windows.value("""
        import ctypes, gc, json
        import inside
        from omp_magic.machine.windows.events import LoaderEvents
        events = LoaderEvents()
        inside.load("rstrtmgr.dll")
        assert events.read()[0] > 0
        del events
        gc.collect()
        others = [(ctypes.c_int64 * 2)() for _ in range(200)]
        inside.load("winscard.dll")
        print(json.dumps([sum(map(sum, others)), inside.notifications()]))
    """)
    assert others == [0, 1]
