"""Libraries and Python extension modules with OpenMP in them, built with gcc."""

from __future__ import annotations

import os
import shutil
import subprocess
import sysconfig
from collections.abc import Callable
from pathlib import Path

EXTENSION = """
#include <omp.h>
int par(void) {
    int n = 0;
    #pragma omp parallel reduction(+:n)
    n += 1;
    return n;
}
"""


def extension(gcc: str, folder: Path, runtime: str) -> str:
    """Build a library whose OpenMP code is linked with `runtime`, and give its path.

    LLVM's runtimes have libgomp's functions too, so gcc's code works with them.
    """
    folder.mkdir()
    shutil.copy(runtime, folder)
    (folder / "par.c").write_text(EXTENSION)
    made = folder / "ext.so"
    subprocess.run([gcc, "-fPIC", "-fopenmp", "-c", "par.c", "-o", "par.o"], check=True, cwd=folder)
    name = os.path.basename(runtime)
    link = [gcc, "-shared", "par.o", "-o", str(made), "-L.", f"-l:{name}"]
    subprocess.run([*link, "-Wl,-rpath,$ORIGIN"], check=True, cwd=folder)
    return str(made)


MODULE = """
#include <Python.h>
static PyObject *call(PyObject *self, PyObject *none) { return PyLong_FromLong(par()); }
static PyMethodDef methods[] = {{"par", call, METH_NOARGS, ""}, {0}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "NAME", "", -1, methods};
PyMODINIT_FUNC PyInit_NAME(void) { return PyModule_Create(&module); }
"""


def python_extension(
    gcc: str, folder: Path, name: str, runtime: str, each_thread: str = "n += 1"
) -> str:
    """Build an extension module that is linked with `runtime`, beside it; give its folder."""
    folder.mkdir()
    shutil.copy(runtime, folder)
    code = EXTENSION.replace("n += 1", each_thread)
    (folder / "module.c").write_text(code + MODULE.replace("NAME", name))
    include = sysconfig.get_paths()["include"]
    suffix = sysconfig.get_config_var("EXT_SUFFIX")
    compiled = [gcc, "-fPIC", "-fopenmp", f"-I{include}", "-c", "module.c", "-o", "module.o"]
    subprocess.run(compiled, check=True, cwd=folder)
    link = [gcc, "-shared", "module.o", "-o", f"{name}{suffix}", "-L."]
    rest = [f"-l:{os.path.basename(runtime)}", "-Wl,-rpath,$ORIGIN"]
    subprocess.run([*link, *rest], check=True, cwd=folder)
    return str(folder)


POOL = """
#include <pthread.h>
#include <unistd.h>
static void *work(void *none) { for (;;) pause(); return none; }
int start(int number) {
    pthread_t made;
    for (int i = 0; i < number; i++)
        if (pthread_create(&made, 0, work, 0)) return -1;
    return 0;
}
"""


def pool_library(gcc: str, path: Path) -> str:
    """Build a library whose ``start(n)`` starts threads that wait for ever; give its path."""
    source = path.with_suffix(".c")
    source.write_text(POOL)
    command = [gcc, "-fPIC", "-shared", "-pthread", str(source), "-o", str(path)]
    subprocess.run(command, check=True)
    return str(path)


def installed_pair(gcc: str, site: Path, libiomp5: str, libomp: str) -> str:
    """Build two installed packages, each linked with its own runtime; give their folder."""
    site.mkdir()
    for name, runtime in (("with_intel", libiomp5), ("with_llvm", libomp)):
        folder = Path(python_extension(gcc, site / name, f"_{name}", runtime))
        (folder / "__init__.py").write_text(f"from ._{name} import par\n")
        notes = site / f"{name}-1.0.dist-info"
        notes.mkdir()
        metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
        (notes / "METADATA").write_text(metadata)
        (notes / "RECORD").write_text(f"{name}/__init__.py,,\n{name}/{Path(runtime).name},,\n")
    return str(site)


def two_versions(gcc: str, home: Path, runtime: str) -> tuple[str, Callable[[str], str]]:
    """Build two versions of a package; give the folder it goes into, and cells that put it there.

    Each thread of a team counts as much as the version says.
    """
    site = home / "site-packages"
    site.mkdir(parents=True)
    for version, each in (("1", "n += 1"), ("22", "n += 100")):
        (home / version).mkdir()
        folder = Path(python_extension(gcc, home / version / "pkg", "_pkg", runtime, each))
        text = f"__version__ = '{version}'\nfrom . import _pkg\n"
        (folder / "__init__.py").write_text(text + "#" * int(version))  # no two of one size
        notes = home / version / f"pkg-{version}.dist-info"
        notes.mkdir()
        (notes / "METADATA").write_text(f"Metadata-Version: 2.1\nName: pkg\nVersion: {version}\n")
        (notes / "RECORD").write_text("pkg/__init__.py,,\n")

    def install(version: str) -> str:
        new, old = str(home / version), str(site)
        return f"import shutil; shutil.rmtree({old!r}); shutil.copytree({new!r}, {old!r})"

    return str(site), install
