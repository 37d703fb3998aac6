"""Nothing branches on the system outside of machine/ and loader/; what differs has a name there."""

from __future__ import annotations

import pytest
from branches import branches_of
from places import ROOT

PACKAGE = ROOT / "omp_magic"
SOURCES = {
    path.relative_to(PACKAGE).as_posix(): path.read_text("utf-8")
    for path in sorted(PACKAGE.rglob("*.py"))
}
_OWN = ("machine/", "loader/")
"""The rooms in which systems differ."""
ROOMS = [file for file in SOURCES if not file.startswith(_OWN)]


@pytest.mark.parametrize("file", ROOMS)
def test_no_branch_on_the_system(file: str) -> None:
    assert not branches_of(file, SOURCES), "see CONTRIBUTING.md, House rules"


BAD = {
    "a comparison": 'if x == "win32": y()',
    "another name of it": 'y = 1 if x != "Darwin" else 2',
    "from the right": 'y = "linux" == x',
    "of bytes": 'y = x == b"nt"',
    "one of two": 'y = x in ("macos", "windows")',
    "none of two": 'y = x not in {"linux", "macos"}',
    "a key of a table of one": 'y = x in {"linux": 1}',
    "in the text": 'y = "linux" in x',
    "a target's name": 'y = x == "macos-arm64"',
    "a tag": 'y = x.startswith("win_")',
    "with a processor": 'y = (x, cpu) == ("macos", "arm64")',
    "the begin": 'y = x.startswith("linux")',
    "one of some begins": 'y = x.lower().startswith(("win", "cygwin"))',
    "a pattern": 'import re\ny = re.match(r"^win32|cygwin", x)',
    "a pattern that is kept": 'import re\nP = re.compile("darwin")\ny = P.search(x)',
    "an operator": 'import operator\ny = operator.eq(x, "posix")',
    "a set": 'y = {"linux", "macos"} & {x}',
    "the place among some": 'y = ("linux", "macos").index(x)',
    "through a constant": 'A = "linux"\ny = x == A',
    "through a constant of constants": 'A = "nt"\nB = frozenset((A, "win"))\ny = x in B',
    "through a class": 'class C:\n    A = "macos"\n    def f(self, x): return x == self.A',
    "through another file": "from ..facts.others import APPLE\ny = x in APPLE",
    "a match": 'match x:\n    case "linux" | "macos": pass',
    "a match of parts": 'match x, cpu:\n    case ("windows", _): pass',
    "a match of a system": "match x.system:\n    case A.b: pass",
    "a system that is there": "if target.system: pass",
    "a system and more": "y = snapshot.system and 1",
    "a system and any text": 'y = binary.system == "plan9"',
    "a bool that is called so": "y = machine.linux",
    "a constant that is called so": "if LINUX: pass",
    "a field that is called so": "class C:\n    is_windows: bool = False",
    "a parameter that is called so": "def f(windows: bool): pass",
    "a function that is called so": "def on_mac() -> bool: pass",
    "a table on the spot": 'if {"windows": 1}.get(x): pass',
    "a part of a table on the spot": 'y = 1 if {"windows": 0, "linux": 1}[x] else 2',
    "sys.platform": "import sys\ny = f(sys.platform)",
    "sys.platform, called otherwise": "import sys as s\ny = s.platform",
    "sys.platform, imported": "from sys import platform",
    "os.name": "import os\ny = os.name",
    "platform.system": "import platform\ny = platform.system()",
    "os.uname": "import os\ny = os.uname().machine",
    "the separator": 'import os\ny = os.sep == "/"',
    "the other separator": "import os\nif os.altsep: pass",
    "this house's own": "from ..machine.system import system_name",
    "this house's own, by its file": "from ..machine import system\ny = system.system_name()",
    "a call that is looked for": 'import os\nif hasattr(os, "sched_getaffinity"): pass',
    "a call that is got": 'import os\ny = getattr(os, "register_at_fork", None)',
    "calls that are listed": 'import os\ny = "chown" in dir(os)',
    "a call of another module": 'import signal\ny = hasattr(signal, "SIGUSR1")',
    "a flag": 'import os\ny = os.O_RDONLY | getattr(os, "O_BINARY", 0)',
    "a call that is tried": "import os\ntry:\n    os.chown(a, 1, 1)\nexcept AttributeError: pass",
    "a call that is tried quietly": (
        "import os\nwith suppress(OSError, AttributeError):\n    os.chown(a, 1, 1)"
    ),
    "a module of one system": "try:\n    import resource\nexcept ImportError: resource = None",
    "a module of one system, inside": "def f():\n    from winreg import OpenKey",
    "a module of one system, by name": 'import importlib\ny = importlib.import_module("fcntl")',
    "what ctypes has on one": "import ctypes\ny = ctypes.windll.kernel32",
}
GOOD = {
    "a table": 'A = {"linux": ".so", "windows": ".dll"}\ny = A[x.system]',
    "a table with another value": 'A = {"linux": 1}\ny = A.get(x, 0) + 1',
    "rows": 'R = (Row(system="macos", path="/opt"),)\ny = [e for e in R if e.system == x]',
    "two that are compared": "y = (a.system, a.cpu) == (b.system, b.cpu)",
    "one of what was found": "y = (target.system, target.cpu) in found",
    "whether it is one at all": 'A = {"linux": 1, "macos": 2, "windows": 3}\ny = x in A',
    "words for something else": 'A = frozenset({"os", "pty", "posix"})\ny = module in A',
    "a value by the form of a file": 'y = Binary(system="linux") if magic == b"ELF" else None',
    "what is made of it": 'y = f"{target.system}-{target.cpu}"',
    "a name that is asked for": "y = 1 if manners_of(x.system).has_global_scope else 2",
    "text in passing": 'y = "on Windows: " + x\nz = x.replace("mac-os", "macos")',
    "begins of other words": 'y = x.startswith("window") or x == "winner" or x.endswith("ntdll")',
    "separators that are used": 'import os\ny = x.replace(os.sep, "/")',
    "calls that all have": "import os\ny = getattr(os.environ, x)\nz = os.stat(x)",
    "a stream that may lack it": "try:\n    y = x.isatty()\nexcept AttributeError: y = False",
    "a module that may lack": "try:\n    import tomllib\nexcept ImportError: import tomli",
    "a processor": "import platform\ny = platform.machine() == 'arm64'",
    "a path of this machine": "def posix(path: str) -> str: return path",
    "a name that leads in a circle": "from ..facts.others import CIRCLE\ny = x in CIRCLE",
    "an environment": "def f(linux: str): return linux.system",
}
OTHERS = {
    "facts/others.py": 'APPLE = ("macos", "darwin")\nfrom ..rules.tried import CIRCLE',
}


@pytest.mark.parametrize("name", BAD)
def test_a_branch_would_be_seen(name: str) -> None:
    assert branches_of("rules/tried.py", {**OTHERS, "rules/tried.py": BAD[name]})


@pytest.mark.parametrize("name", GOOD)
def test_data_passes(name: str) -> None:
    assert not branches_of("rules/tried.py", {**OTHERS, "rules/tried.py": GOOD[name]})


def test_a_branch_is_told_with_its_line() -> None:
    source = 'x = f()\n\nif x == "nt":\n    pass\n'
    assert branches_of("a.py", {"a.py": source}) == ['a.py:3: if x == "nt":']
