"""Copies of the LLVM family: which there are, which notice each other, and the way to one."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from ..facts.libraries import Library
from ..facts.snapshots import Snapshot
from ..knowledge.conda import conda_name
from ..knowledge.envvars import is_true
from ..knowledge.manners import manners_of
from ..knowledge.registration import ENVIRONMENT, REGISTRIES
from .rule import bringer


def llvm(libraries: tuple[Library, ...]) -> tuple[Library, ...]:
    """Give the copies of LLVM's and Intel's runtime that somebody may call."""
    return tuple(each for each in libraries if each.kin == "llvm" and not each.idle)


def masked(snapshot: Snapshot) -> bool:
    """Tell whether a variable lets a second copy start all the same."""
    setting = snapshot.setting("KMP_DUPLICATE_LIB_OK")
    return setting is not None and is_true(setting.native)


def it(snapshot: Snapshot) -> str:
    """Give what a finding is about: this kernel, another process, or one that is to be."""
    if snapshot.outside is not None:
        return "This process"
    return "The process" if snapshot.is_foreseen else "This kernel"


def coming(snapshot: Snapshot, libraries: tuple[Library, ...]) -> tuple[Library, ...]:
    """Give those that are about to be loaded: a guard's alarm is about them."""
    return tuple(each for each in libraries if each not in snapshot.libraries)


def counted(snapshot: Snapshot, copies: tuple[Library, ...], noun: str) -> str:
    """Give their number, and which of them is about to be loaded."""
    if snapshot.is_foreseen:
        return f"{len(copies)} {noun}"
    who = ", ".join(map(bringer, coming(snapshot, copies)))
    return f"{len(copies)} {noun} with {who}" if who else f"{len(copies)} {noun}"


def one_of(snapshot: Snapshot, copies: tuple[Library, ...]) -> tuple[str, ...]:
    """Give the ways to have one runtime instead of several."""
    # libiomp5 has all that libomp has; libomp before libiomp5 in the global scope hangs.
    shared = sorted((each for each in copies if not each.static), key=_intel_first)
    ways = []
    # Where the first one serves all already, the others are called through their own handles.
    global_scope = manners_of(snapshot.system).has_global_scope
    if global_scope and shared and not copies[0].serves:
        ways.append(f"{_serving(snapshot, shared[0])}: {opened(snapshot, shared[0])}")
    names = [name for each in copies for name in _packages(each)]
    packages = " ".join(sorted(set(map(conda_name, names))))
    if snapshot.conda and packages:
        ways.append(f"One runtime for all: conda install -c conda-forge {packages}")
    elif packages:
        first = "python" if snapshot.is_foreseen else "ipykernel"
        ways.append(
            "One runtime for all, in an environment of its own: "
            f"conda create -n one-openmp -c conda-forge {first} {packages}"
        )
    if snapshot.is_foreseen:
        return (*ways, *_fewer(copies))
    *most, last = map(bringer, copies)
    use = "Or use" if ways else "Use"
    ways.append(f"{use} only one of {', '.join(most)} and {last} in a kernel")
    return tuple(ways)


def _fewer(copies: tuple[Library, ...]) -> Iterator[str]:
    """Give the way that leaves packages out; one that brings several copies never helps."""
    number = Counter(name for each in copies for name in _packages(each))
    several = [name for name in number if number[name] > 1]
    left = [each for each in copies if not set(several).intersection(_packages(each))]
    who = dict.fromkeys(" or ".join(_packages(each)) or bringer(each) for each in left)
    without = f", without {' and '.join(several)}, where several come" if several else ""
    if len(who) > 1:
        *most, last = who
        yield f"Or use only one of {', '.join(most)} and {last} in a process{without}"
    elif several and who:
        yield f"Or use {', '.join(who)} alone in a process{without}"


def _serving(snapshot: Snapshot, library: Library) -> str:
    if snapshot.is_foreseen:
        return f"Let {bringer(library)}'s runtime serve all, before these imports"
    return f"Restart the kernel, and let {bringer(library)}'s runtime serve all, in the first cell"


def opened(snapshot: Snapshot, library: Library) -> str:
    """Give a line that makes a library global, where it is or where it will be installed."""
    within = re.search(r"[/\\](?:site|dist)-packages([/\\].+)$", library.path)
    if snapshot.is_foreseen and within is not None:
        place = f"sysconfig.get_path('platlib') + {within[1]!r}"
        return f"import ctypes, sysconfig; ctypes.CDLL({place}, ctypes.RTLD_GLOBAL)"
    return f"import ctypes; ctypes.CDLL({library.path!r}, ctypes.RTLD_GLOBAL)"


def _packages(library: Library) -> tuple[str, ...]:
    """Give the distributions that a copy is there for: its owner, else those who use it."""
    names = (library.owner,) if library.owner else library.users
    # A user that no distribution owns is known by its file: libtorch_cpu.so.
    return tuple(each for each in names if re.fullmatch(r"[A-Za-z0-9][\w-]*", each))


def _intel_first(library: Library) -> bool:
    return library.family != "libiomp5"


def module_of(library: Library) -> str | None:
    """Give the module whose import loads a library, where its path tells it."""
    if library.owner in ("intel-openmp", "mkl"):
        return "mkl"
    match = re.search(r"-packages[/\\]([A-Za-z_]\w*)[/\\]", library.path)
    return match[1] if match else None


def place_of(system: str, library: Library) -> str:
    """Give where a copy looks for others and tells of itself; the same place is seen by both.

    A copy that is linked into another library registers in a variable, wherever that is; for all
    others see `omp_magic.knowledge.registration.Registry`.
    """
    if library.static:
        return ENVIRONMENT
    return REGISTRIES[system].seen_by_all or library.registers or ""
