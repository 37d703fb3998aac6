"""Runtimes that no wheel brings and another system may have: Homebrew's, System32's, Debian's.

What a machine that is not here has cannot be known, so each is an assumption of its own: what
comes with it, and what comes without it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Elsewhere:
    """A library that a system may have.

    Parameters
    ----------
    key
        Its name in options: ``"homebrew-libomp"``.
    words
        For people: ``"Homebrew's libomp"``.
    system, cpu
        Where it may be; "" for every processor.
    path
        Its file there.
    names
        Other paths that lead to it.
    library
        Its SONAME, install name or the name in its export table.
    short
        Whose it is and what it is, in a few characters; what goes without saying is "".
    own_place
        Whether nobody else puts a file at its path. Else `words` are not its name: a
        distribution's packages share a folder, which `omp_magic.facts.names.is_system` knows.
    usual
        Whether it is taken to be there unless somebody says that it is not.
    remedy
        What brings it.
    source
        Where that is written.
    """

    key: str
    words: str
    system: str
    path: str
    library: str
    cpu: str = ""
    names: tuple[str, ...] = ()
    short: tuple[str, str] = ("", "")
    own_place: bool = True
    usual: bool = True
    remedy: str = ""
    source: str = ""


_HOMEBREW = "https://formulae.brew.sh/formula/libomp (keg-only: below opt, not below lib)"
_VCREDIST = "https://aka.ms/vs/17/release/vc_redist.x64.exe"

ELSEWHERE: tuple[Elsewhere, ...] = (
    Elsewhere(
        key="homebrew-libomp",
        words="Homebrew's libomp",
        short=("Homebrew's", ""),
        system="macos",
        cpu="arm64",
        path="/opt/homebrew/opt/libomp/lib/libomp.dylib",
        library="/opt/homebrew/opt/libomp/lib/libomp.dylib",
        remedy="brew install libomp",
        source=_HOMEBREW,
    ),
    Elsewhere(
        key="homebrew-libomp",
        words="Homebrew's libomp",
        short=("Homebrew's", ""),
        system="macos",
        cpu="x86_64",
        path="/usr/local/opt/libomp/lib/libomp.dylib",
        library="/usr/local/opt/libomp/lib/libomp.dylib",
        remedy="brew install libomp",
        source=_HOMEBREW,
    ),
    Elsewhere(
        key="macports-libomp",
        words="MacPorts' libomp",
        short=("MacPorts'", ""),
        system="macos",
        path="/opt/local/lib/libomp/libomp.dylib",
        library="/opt/local/lib/libomp/libomp.dylib",
        usual=False,
        remedy="sudo port install libomp",
        source="https://ports.macports.org/port/libomp/",
    ),
    Elsewhere(
        key="system32-vcomp140",
        words="System32's vcomp140.dll",
        short=("", "vcomp140"),
        system="windows",
        path="C:/Windows/System32/vcomp140.dll",
        library="VCOMP140.DLL",
        remedy=f"the Visual C++ Redistributable: {_VCREDIST}",
        source="https://learn.microsoft.com/cpp/windows/redistributing-visual-cpp-files",
    ),
    Elsewhere(
        key="system32-libomp140",
        words="System32's libomp140.x86_64.dll",
        short=("", "libomp140"),
        system="windows",
        cpu="x86_64",
        path="C:/Windows/System32/libomp140.x86_64.dll",
        library="libomp140.x86_64.dll",
        remedy="Visual Studio 2019 or later with its C++ tools; the Redistributable lacks it",
        source="https://github.com/pytorch/pytorch/issues/131662",
    ),
    Elsewhere(
        key="system-libgomp",
        words="the system's libgomp.so.1",
        own_place=False,
        system="linux",
        path="/usr/lib64/libgomp.so.1",
        library="libgomp.so.1",
        remedy="apt-get install libgomp1",
        source="https://packages.debian.org/libgomp1",
    ),
)

_CELLAR = re.compile(r"/Cellar/([^/@]+)(?:@\d+)?/[^/]+/")
"""Where Homebrew's links below ``opt`` lead: ``/opt/homebrew/Cellar/libomp/19.1.0/lib``."""
KEYS = tuple(dict.fromkeys(each.key for each in ELSEWHERE))


def elsewhere(system: str, cpu: str) -> tuple[Elsewhere, ...]:
    """Give what a system with this processor may have."""
    return tuple(each for each in ELSEWHERE if each.system == system and each.cpu in ("", cpu))


def known_at(path: str) -> Elsewhere | None:
    """Give what has a path for itself; None where a package, or anybody, may have put a file."""
    plain = _CELLAR.sub(r"/opt/\1/", path.replace("\\", "/")).lower()
    found = (each for each in ELSEWHERE if plain == each.path.lower())
    return next((each for each in found if each.own_place), None)


def words_at(path: str) -> str:
    """Give what a runtime at a path is called, where no package brings it; "" for any other.

    Examples
    --------
    >>> words_at("/opt/homebrew/opt/libomp/lib/libomp.dylib")
    "Homebrew's libomp"
    """
    found = known_at(path)
    return found.words if found is not None else ""
