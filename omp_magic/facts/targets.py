"""A system that imports are foreseen for: this one, or another that is not here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from ..errors import RequestError, nearest


class _Python(NamedTuple):
    """What CPython says of a system, on whatever machine it runs there.

    Parameters
    ----------
    cpus
        The processors that wheels are made for, as the system calls them; the usual one first.
    sys_platform, os_name, platform_system
        ``sys.platform``, ``os.name`` and ``platform.system()``.
    suffixes
        What extension modules may end in, the first wins (importlib.machinery): with the version
        of Python, the processor, and what ``platform.machine()`` is in lower case.
    folds_case
        Whether names of files that differ in case alone are one: NTFS (learn.microsoft.com,
        "Naming Files, Paths, and Namespaces"), and APFS as Macs are set up (Disk Utility User
        Guide, "File system formats").
    own_cpu_names
        What the system calls a processor, where others call it otherwise.
    machines
        What ``platform.machine()`` is there, where that is not the processor's name.
    """

    cpus: tuple[str, ...]
    sys_platform: str
    os_name: str
    platform_system: str
    suffixes: tuple[str, ...]
    folds_case: bool
    own_cpu_names: Mapping[str, str] = {}
    machines: Mapping[str, str] = {}


_PYTHONS = {
    "linux": _Python(
        cpus=("x86_64", "aarch64"),
        sys_platform="linux",
        os_name="posix",
        platform_system="Linux",
        suffixes=(".cpython-{version}-{cpu}-linux-gnu.so", ".abi3.so", ".so"),
        folds_case=False,
        own_cpu_names={"arm64": "aarch64"},
    ),
    "macos": _Python(
        cpus=("arm64", "x86_64"),
        sys_platform="darwin",
        os_name="posix",
        platform_system="Darwin",
        suffixes=(".cpython-{version}-darwin.so", ".abi3.so", ".so"),
        folds_case=True,
    ),
    "windows": _Python(
        cpus=("x86_64",),
        sys_platform="win32",
        os_name="nt",
        platform_system="Windows",
        suffixes=(".cp{version}-win_{machine}.pyd", ".pyd"),
        folds_case=True,
        machines={"x86_64": "AMD64", "arm64": "ARM64"},
    ),
}
SYSTEMS = tuple(_PYTHONS)
TARGETS = tuple(f"{system}-{cpu}" for system in SYSTEMS for cpu in _PYTHONS[system].cpus)
"""Names of the targets that are known."""

_TRUE_ON: dict[str, frozenset[str]] = {
    word: frozenset(
        system
        for system, row in _PYTHONS.items()
        if word in (row.sys_platform, row.os_name, row.platform_system)
    )
    for word in (
        *("win32", "cygwin", "darwin", "linux", "emscripten", "nt", "posix"),
        *("Windows", "Darwin", "Linux"),
    )
}
"""What sources compare ``sys.platform``, ``os.name``, ``platform.system()`` with -> where it is."""

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
        return _PYTHONS[self.system].sys_platform

    @property
    def os_name(self) -> str:
        """What ``os.name`` is there."""
        return _PYTHONS[self.system].os_name

    @property
    def platform_system(self) -> str:
        """What ``platform.system()`` is there."""
        return _PYTHONS[self.system].platform_system

    @property
    def platform_machine(self) -> str:
        """What ``platform.machine()`` is there."""
        return _PYTHONS[self.system].machines.get(self.cpu, self.cpu)

    @property
    def folds_case(self) -> bool:
        """Whether names of files that differ in case alone are one there."""
        return _PYTHONS[self.system].folds_case

    @property
    def extension_suffixes(self) -> tuple[str, ...]:
        """What extension modules may end in there, the first wins (importlib.machinery)."""
        version = "".join(map(str, self.python))
        machine = self.platform_machine.lower()
        return tuple(
            each.format(version=version, cpu=self.cpu, machine=machine)
            for each in _PYTHONS[self.system].suffixes
        )

    def is_called(self, word: str) -> bool | None:
        """Tell whether ``sys.platform``, ``os.name`` or ``platform.system()`` is this there.

        Returns
        -------
        bool or None
            None for a word that no source compares them with.
        """
        systems = _TRUE_ON.get(word)
        return None if systems is None else self.system in systems

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
    systems = {_SYSTEM_NAMES[each] for each in words if each in _SYSTEM_NAMES}
    cpus = {_CPU_NAMES[each] for each in words if each in _CPU_NAMES}
    known = _SYSTEM_NAMES.keys() | _CPU_NAMES.keys()
    strange = [each for each in words if each not in known and not _is_filler(each)]
    if len(systems) != 1 or len(cpus) > 1 or strange:
        raise _unknown(text)
    (system,) = systems
    there = _PYTHONS[system]
    cpu = next(iter(cpus), there.cpus[0])
    cpu = there.own_cpu_names.get(cpu, cpu)
    if cpu not in there.cpus:
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
