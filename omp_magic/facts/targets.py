"""A system that imports are foreseen for: this one, or another that is not here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from ..errors import RequestError, nearest

SYSTEMS = ("linux", "macos", "windows")
_CPUS = {"linux": ("x86_64", "aarch64"), "macos": ("arm64", "x86_64"), "windows": ("x86_64",)}
TARGETS = tuple(f"{system}-{cpu}" for system in SYSTEMS for cpu in _CPUS[system])
"""Names of the targets that are known."""

_SYSTEM_NAMES = {
    "linux": "linux", "gnu": "linux", "ubuntu": "linux", "debian": "linux",
    "macos": "macos", "mac": "macos", "macosx": "macos", "osx": "macos", "darwin": "macos",
    "windows": "windows", "win": "windows", "win32": "windows", "nt": "windows", "msvc": "windows",
}  # fmt: skip
_CPU_NAMES = {
    "x86_64": "x86_64", "x64": "x86_64", "amd64": "x86_64", "64": "x86_64", "intel": "x86_64",
    "arm64": "arm64", "aarch64": "arm64", "m1": "arm64", "m2": "arm64", "m3": "arm64",
    "m4": "arm64", "silicon": "arm64",
}  # fmt: skip
_USUAL_CPU = {"linux": "x86_64", "macos": "arm64", "windows": "x86_64"}
_OLDEST_PYTHON = 8
_VERSION = re.compile(r"3\.(\d{1,2})$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A system, its processor and its Python.

    Parameters
    ----------
    system
        ``"linux"``, ``"macos"`` or ``"windows"``.
    cpu
        As the system itself calls it: ``"arm64"`` on macOS, ``"aarch64"`` on Linux, ``"x86_64"``.
    python
        Version of CPython, as (3, 12).
    environ
        Its variables, as far as they are known.
    has, lacks
        Keys of `omp_magic.knowledge.elsewhere.ELSEWHERE`: what the system surely has, or surely
        has not. What is in neither may be there.
    local
        Whether its system is this machine's, so that nothing is only supposed to be there.
    python_known
        Whether somebody said which Python it is; else the environment's own is taken.
    here
        Whether it is the running interpreter itself.
    named
        Whether somebody said which system it is; else the one that the files are for is taken.
    """

    system: str
    cpu: str
    python: tuple[int, int] = (3, 12)
    environ: Mapping[str, str] = field(default_factory=dict, hash=False)
    has: frozenset[str] = frozenset()
    lacks: frozenset[str] = frozenset()
    local: bool = False
    python_known: bool = False
    here: bool = False
    named: bool = True

    @property
    def name(self) -> str:
        """Its name, as `parse` takes it: ``macos-arm64``."""
        return f"{self.system}-{self.cpu}"

    @property
    def sys_platform(self) -> str:
        """What ``sys.platform`` is there."""
        return {"linux": "linux", "macos": "darwin", "windows": "win32"}[self.system]

    @property
    def os_name(self) -> str:
        """What ``os.name`` is there."""
        return "nt" if self.system == "windows" else "posix"

    @property
    def platform_system(self) -> str:
        """What ``platform.system()`` is there."""
        return {"linux": "Linux", "macos": "Darwin", "windows": "Windows"}[self.system]

    @property
    def platform_machine(self) -> str:
        """What ``platform.machine()`` is there."""
        windows = {"x86_64": "AMD64", "arm64": "ARM64"}
        return windows.get(self.cpu, self.cpu) if self.system == "windows" else self.cpu

    @property
    def words(self) -> frozenset[str]:
        """What ``sys.platform``, ``os.name`` and ``platform.system()`` are there."""
        return frozenset((self.sys_platform, self.os_name, self.platform_system))

    @property
    def extension_suffixes(self) -> tuple[str, ...]:
        """What extension modules may end in there, the first wins (importlib.machinery)."""
        major, minor = self.python
        if self.system == "windows":
            arch = "win_amd64" if self.cpu == "x86_64" else "win_arm64"
            return (f".cp{major}{minor}-{arch}.pyd", ".pyd")
        if self.system == "macos":
            return (f".cpython-{major}{minor}-darwin.so", ".abi3.so", ".so")
        return (f".cpython-{major}{minor}-{self.cpu}-linux-gnu.so", ".abi3.so", ".so")

    def with_python(self, python: tuple[int, int]) -> Target:
        """Give the same system with another version of Python."""
        return replace(self, python=python)


def parse_target(text: str, *, python: tuple[int, int] = (3, 12)) -> Target:
    """Read a target's name; the usual other names are understood.

    Parameters
    ----------
    text
        ``macos-arm64``, ``windows-x86_64`` …; also ``osx-arm64``, ``win_amd64``, ``win-64``,
        ``darwin-aarch64``, ``macosx_14_0_arm64``, ``manylinux_2_28_x86_64``, ``macos``.
    python
        Version of its Python.

    Raises
    ------
    RequestError
        When no system is called so, with the nearest that is.
    """
    words = [
        each
        for each in re.split(
            r"[^a-z0-9]+", text.lower().replace("x86_64", "amd64").replace("mac-os", "macos")
        )
        if each
    ]
    words = [re.sub(r"^(?:many|musl)linux\d*$", "linux", each) for each in words]
    words = [re.sub(r"^darwin\d+$", "darwin", each) for each in words]
    systems = [_SYSTEM_NAMES[each] for each in words if each in _SYSTEM_NAMES]
    cpus = [_CPU_NAMES[each] for each in words if each in _CPU_NAMES]
    strange = [
        each
        for each in words
        if each not in _SYSTEM_NAMES and each not in _CPU_NAMES and not _is_filler(each)
    ]
    if len(set(systems)) != 1 or len(set(cpus)) > 1 or strange:
        raise _unknown(text)
    system = systems[0]
    cpu = cpus[0] if cpus else _USUAL_CPU[system]
    if system == "linux" and cpu == "arm64":
        cpu = "aarch64"
    if cpu not in _CPUS[system]:
        raise _unknown(text)
    return Target(system=system, cpu=cpu, python=python)


def parse_python(text: str) -> tuple[int, int]:
    """Read a version of Python such as ``3.12``.

    Raises
    ------
    RequestError
        When it is none.
    """
    found = _VERSION.match(text)
    if found is None or int(found[1]) < _OLDEST_PYTHON:
        raise RequestError(text, "a version of CPython, 3.8 or later", "--python 3.12")
    return 3, int(found[1])


def _is_filler(word: str) -> bool:
    """Tell words that only say which version of a system: ``macosx_14_0``, ``manylinux2014``."""
    return word.isdigit() or word in ("apple", "pc", "unknown", "universal2")


def _unknown(text: str) -> RequestError:
    return RequestError(
        text, f"{', '.join(TARGETS)}", "--target macos-arm64", nearest(text, TARGETS)
    )
