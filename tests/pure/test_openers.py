"""What a package opens when it is imported, told from its source, for each system.

The sources are the ways of real packages in few lines: PyTorch 1.10 to 2.14, ctranslate2 4.2 to
4.8, scikit-learn, NumPy 1.25, delvewheel 1.1 to 1.13, paddle, llvmlite, pyscf, lightgbm.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from memoryfiles import MemoryFiles

from omp_magic.facts.targets import Target, parse_target
from omp_magic.installed.openers import Step, steps_of

SITE = "/v/Lib/site-packages"
WINDOWS = parse_target("windows")
MAC = parse_target("macos-arm64")
FILES = MemoryFiles(
    {
        f"{SITE}/{path}": b""
        for path in (
            "pkg/__init__.py",
            "pkg/lib/b.dll",
            "pkg/lib/A.DLL",
            "pkg/lib/c.txt",
            "pkg/one.dll",
            "pkg/.libs/vcomp140.dll",
            "pkg/.libs/libopenblas.x.dll",
            "pkg/lib/libpkg.dylib",
            "pkg/lib/pkg.dll",
            "pkg/libs/libiomp5md.dll",
            "pkg/base/core.py",
            "pkg.libs/libomp.dll",
            "../../Library/bin/libiomp5md.dll",
        )
    }
    | {"/v/Library/bin/libiomp5md.dll": b""}
)
PKG = f"{SITE}/pkg"


def told(source: str, target: Target = WINDOWS, file: str = "__init__.py") -> list[tuple[str, str]]:
    steps = steps_of(source.encode(), f"{PKG}/{file}", FILES, target, SITE)
    return [(each.kind, each.path.removeprefix(f"{SITE}/")) for each in steps]


TORCH = """
import glob, os, sys, ctypes, platform, sysconfig
if sys.platform == 'win32':
    def _load():
        exec_lib = os.path.join(sys.exec_prefix, 'Library', 'bin')
        own = os.path.join(os.path.dirname(__file__), 'lib')
        spec = find_spec('pkg._C')
        if spec is not None and spec.origin:
            own = os.path.join(os.path.dirname(spec.origin), 'lib')
        home = os.path.join(sysconfig.get_config_var('userbase'), 'Library', 'bin')
        folders = [p for p in (own, exec_lib, home) if os.path.exists(p)]
        folders.extend(filter(os.path.exists, [unknown]))
        kernel32 = ctypes.WinDLL('kernel32.dll', use_last_error=True)
        for folder in folders:
            os.add_dll_directory(folder)
        try:
            ctypes.CDLL('vcruntime140.dll')
        except OSError:
            ctypes.CDLL(os.path.join(own, 'pkg.dll'))
        dlls = glob.glob(os.path.join(own, '*.dll'))
        for dll in dlls:
            res = kernel32.LoadLibraryExW(dll, None, 0x00001100)
    _load()
def _global():
    if platform.system() == 'Windows':
        return
    ext = '.dylib' if platform.system() == 'Darwin' else '.so'
    here = os.path.abspath(__file__)
    name = f'libpkg{ext}'
    ctypes.CDLL(os.path.join(os.path.dirname(here), 'lib', name), mode=ctypes.RTLD_GLOBAL)
_global()
"""


def test_a_folder_of_libraries_is_opened_as_pytorch_does() -> None:
    assert told(TORCH) == [
        ("open", "kernel32.dll"),
        ("folder", "pkg/lib"),
        ("folder", "/v/Library/bin"),
        ("open", "vcruntime140.dll"),
        ("open", "pkg/lib/A.DLL"),
        ("open", "pkg/lib/b.dll"),
        ("open", "pkg/lib/pkg.dll"),
    ]
    assert told(TORCH, MAC) == [("open", "pkg/lib/libpkg.dylib")]


WAYS = {
    "ctranslate2 4.3": (
        (
            "import ctypes, glob, os, sys, pkg_resources\n"
            "if sys.platform == 'win32':\n"
            "    module = sys.modules[__name__].__name__\n"
            "    folder = pkg_resources.resource_filename(module, '')\n"
            "    add_dll_directory = getattr(os, 'add_dll_directory', None)\n"
            "    if add_dll_directory is not None:\n"
            "        add_dll_directory(folder)\n"
            "    for library in glob.glob(os.path.join(folder, '*.dll')):\n"
            "        ctypes.CDLL(library)\n"
        ),
        [("folder", "pkg"), ("open", "pkg/one.dll")],
    ),
    "ctranslate2 4.8": (
        (
            "import ctypes, glob, os, sys\nfrom importlib.resources import files\n"
            "if sys.platform.startswith('win'):\n"
            "    folder = str(files(sys.modules[__name__].__name__))\n"
            "    more = glob.glob(somewhere())\n"
            "    for path in [folder] + more:\n        os.add_dll_directory(path)\n"
            "    for library in glob.glob(os.path.join(folder, '*.dll')): ctypes.CDLL(library)\n"
        ),
        [("folder", "pkg"), ("open", "pkg/one.dll")],
    ),
    "scikit-learn": (
        (
            "import os, os.path as op\nfrom ctypes import WinDLL\n"
            "if os.name == 'nt':\n"
            "    libs = op.join(op.dirname(__file__), '.libs')\n"
            "    name = op.join(libs, 'vcomp140.dll')\n"
            "    WinDLL(op.abspath(name))\n"
        ),
        [("open", "pkg/.libs/vcomp140.dll")],
    ),
    "numpy 1.25": (
        (
            "import os, glob\ntry:\n    from ctypes import WinDLL\n"
            "    basedir = os.path.dirname(__file__)\nexcept Exception:\n    pass\nelse:\n"
            "    libs_dir = os.path.abspath(os.path.join(basedir, '.libs'))\n"
            "    if os.path.isdir(libs_dir):\n"
            "        for f in glob.glob(os.path.join(libs_dir, '*openblas*dll')):\n"
            "            WinDLL(os.path.abspath(f))\n"
        ),
        [("open", "pkg/.libs/libopenblas.x.dll")],
    ),
    "delvewheel 1.1": (
        (
            "def _patch():\n    import os, sys\n"
            "    libs_dir = os.path.abspath(os.path.join("
            "os.path.dirname(__file__), os.pardir, 'pkg.libs'))\n"
            "    if sys.version_info[:2] >= (3, 8) and not os.path.exists('x')"
            " or sys.version_info[:2] >= (3, 10):\n"
            "        os.add_dll_directory(libs_dir)\n"
            "    else:\n        WinDLL(os.path.join(libs_dir, 'libomp.dll'))\n"
            "_patch()\ndel _patch\n"
        ),
        [("folder", "pkg.libs")],
    ),
    "delvewheel 1.13": (
        (
            "def _patch():\n    import os\n"
            "    if os.path.isdir(libs_dir := os.path.abspath(os.path.join("
            "os.path.dirname(__file__), os.pardir, 'pkg.libs'))):\n"
            "        os.add_dll_directory(libs_dir)\n_patch()\n"
        ),
        [("folder", "pkg.libs")],
    ),
    "a function that nobody calls": (
        (
            "import ctypes, os\ndef preload():\n"
            "    ctypes.CDLL(os.path.join(os.path.dirname(__file__), 'one.dll'))\n"
        ),
        [],
    ),
    "a name from a function, by %": (
        (
            "import ctypes, os\ndef name(kind):\n    return '%s.dll' % kind\n"
            "ctypes.cdll.LoadLibrary(os.path.join(os.path.dirname(__file__), name('one')))\n"
        ),
        [("open", "pkg/one.dll")],
    ),
    "pathlib, a table by system": (
        (
            "import ctypes, platform\nfrom pathlib import Path\n"
            "name = {'Darwin': 'libpkg.dylib', 'Windows': 'pkg.dll'}[platform.system()]\n"
            "ctypes.CDLL(str(Path(__file__).parent / 'lib' / name))\n"
        ),
        [("open", "pkg/lib/pkg.dll")],
    ),
    "pathlib's glob": (
        (
            "import ctypes\nfrom pathlib import Path\n"
            "for each in sorted((Path(__file__).resolve().parent / 'lib').glob('?.dll')):\n"
            "    ctypes.WinDLL(str(each))\n"
        ),
        [("open", "pkg/lib/A.DLL"), ("open", "pkg/lib/b.dll")],
    ),
    "numpy.ctypeslib": (
        (
            "import numpy, os\n"
            "here = os.path.join(os.path.dirname(__file__), 'lib')\n"
            "lib = numpy.ctypeslib.load_library('pkg', here)\n"
        ),
        [("open", "pkg/lib/pkg.dll")],
    ),
    "listdir": (
        (
            "import ctypes, os\nhere = os.path.join(os.path.dirname(__file__), 'libs')\n"
            "for name in os.listdir(here):\n    if name.endswith('.dll'):\n"
            "        ctypes.CDLL(os.path.join(here, name))\n"
        ),
        [("open", "pkg/libs/libiomp5md.dll")],
    ),
    "a variable": (
        "import os\nos.environ['KMP_DUPLICATE_LIB_OK'] = 'TRUE'\n",
        [("set", "KMP_DUPLICATE_LIB_OK")],
    ),
    "a variable by setdefault": (
        "import os\nos.environ.setdefault('KMP_DUPLICATE_LIB_OK', 'True')\n",
        [("set", "KMP_DUPLICATE_LIB_OK")],
    ),
    "a variable that a function would set": (
        "import os\ndef f():\n    os.environ['KMP_DUPLICATE_LIB_OK'] = 'TRUE'\n",
        [],
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_what_packages_open_on_windows(way: str) -> None:
    source, opened = WAYS[way]
    assert told(source) == opened


def test_a_folder_of_another_one_is_found_from_a_deeper_file() -> None:
    paddle = (
        "import os, sys\ncurrent = os.path.abspath(os.path.dirname(__file__))\n"
        "if os.name == 'nt':\n"
        "    third = current + os.sep + '..' + os.sep + 'libs'\n"
        "    os.add_dll_directory(third)\n"
    )
    assert told(paddle, file="base/core.py") == [("folder", "pkg/libs")]
    assert told(paddle, MAC, file="base/core.py") == []


@pytest.mark.parametrize("way", ["ctranslate2 4.3", "ctranslate2 4.8", "scikit-learn"])
def test_blocks_of_windows_do_nothing_on_a_mac(way: str) -> None:
    assert told(WAYS[way][0], MAC) == []


@given(st.text(st.sampled_from("CDLL('x')\n :=[]%{}glob.os path.join__file__def if"), max_size=200))
def test_any_text_gives_an_answer_and_no_error(text: str) -> None:
    assert all(
        isinstance(each, Step)
        for each in steps_of(f"CDLL\n{text}".encode(), f"{PKG}/a.py", FILES, MAC, SITE)
    )


@pytest.mark.parametrize(
    "source",
    [
        "import ctypes\ndef f():\n    return f()\nctypes.CDLL(f())\n",
        "import ctypes\ndef f():\n    return g()\ndef g():\n    return f()\nctypes.CDLL(f())\n",
        "import ctypes\nx = 'a'\n" + "x = x + x\n" * 500 + "ctypes.CDLL(x)\n",
        "import ctypes\nx = ['a'] * 9\n" + "x = [a + b for a in x for b in x]\n" * 60,
        "import ctypes\n" + "if a:\n" * 0 + "ctypes.CDLL(" + "(" * 150 + "'a'" + ")" * 150 + ")\n",
        "import ctypes\n"
        + "\n".join(f"{' ' * i}if x{i}:" for i in range(90))
        + f"\n{' ' * 90}CDLL('a')\n",
        "CDLL('" + "/*" * 4000 + "')\n",
    ],
    ids=["itself", "each other", "long", "wide", "brackets", "deep", "pattern"],
)
def test_a_hostile_source_ends(source: str) -> None:
    assert isinstance(told(source), list)
