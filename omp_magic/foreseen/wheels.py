"""Environments that nobody has installed: the wheels of a file of requirements, or of modules."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ..errors import RequestError
from ..facts.libraries import Gap
from ..facts.targets import Target
from ..installed.distributions import posix
from ..installed.foreign import Site
from ..installed.modules import Installed
from ..knowledge.imported_as import distribution_of
from ..requirements.gathering import Gathered, gather
from ..requirements.markers import fits
from ..requirements.offers import versions_of
from ..requirements.pins import Pin, Wanted, canonical
from ..requirements.reading import read_requirements
from ..requirements.shelf import Shelf, cache_folder
from ..requirements.steps import Step
from ..requirements.toplevels import top_levels
from ..requirements.wheelfiles import WheelFiles, wheel_files

_MOST_MODULES_EACH = 5
_NEWEST_PYTHON = 14


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """Where wheels come from.

    Parameters
    ----------
    wheels
        A folder of them: these are used, and nothing is fetched.
    cache
        Where wheels, and facts of their files, are kept; the system's place for caches when None.
    fetch
        Whether what is not there may be fetched.
    progress
        Told how far that is.
    """

    wheels: str | None = None
    cache: str | None = None
    fetch: bool = True
    progress: Callable[[Step], None] | None = None

    def gather(self, wanted: Wanted, target: Target) -> Gathered:
        """Give the wheels of what is wanted on a target; see `omp_magic.requirements.gathering`."""
        return gather(
            wanted,
            target,
            wheels=self.wheels,
            cache=self.cache,
            fetch=self.fetch,
            progress=self.progress,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelved:
    """An environment of wheels.

    Parameters
    ----------
    site
        Its files, as they would be installed.
    modules
        What its distributions are imported by, those that are asked for themselves.
    where
        Module -> the line that asks for its distribution: ``requirements.txt:12``.
    unknown
        Distributions whose wheels could not be had.
    notes
        What else is to be said.
    wanted, gathered, target, store
        What it was made of.
    """

    site: Site
    modules: tuple[str, ...]
    where: tuple[tuple[str, str], ...]
    unknown: tuple[Gap, ...]
    notes: tuple[str, ...]
    wanted: Wanted
    gathered: Gathered
    target: Target
    store: Store

    def with_version(self, name: str, version: str) -> Site | None:
        """Give the same environment with one distribution in another version; None without it."""
        pin = Pin(name=name, version=version, where="tried")
        one = Wanted(
            path=self.wanted.path,
            kind=self.wanted.kind,
            pins=(pin,),
            direct=(name,),
            options=self.wanted.options,
        )
        found = self.store.gather(one, self.target)
        if not found.wheels:
            return None
        wheels = [
            found.wheels[0] if pin.name == name else wheel
            for pin, wheel in zip(self.gathered.pins, self.gathered.wheels, strict=True)
        ]
        return _site(wheels, self.target, self.store)[0]

    def versions(self, name: str) -> tuple[str, ...]:
        """Give the versions of a distribution that could be had, the newest first."""
        store = self.store
        return versions_of(name, self.wanted, self.target, wheels=store.wheels, cache=store.cache)


def from_requirements(
    path: str | os.PathLike[str],
    target: Target,
    store: Store,
) -> Shelved:
    """Give what a file of requirements would install on a system.

    Raises
    ------
    RequirementsError
        When it cannot be read, or its wheels cannot be had.
    """
    wanted = read_requirements(path, target)
    if not target.python_known and not _suits(target, wanted):
        target = target.with_python(_python_for(wanted, target))
        wanted = read_requirements(path, target)
    return _shelved(wanted, store.gather(wanted, target), target, store)


def from_modules(
    modules: Sequence[str],
    target: Target,
    store: Store,
) -> Shelved:
    """Give what a system would have with the versions of this environment, for some modules.

    What is installed here is taken in its version, and so is what that needs; what is not, in
    the newest that a wheel is there for.
    """
    installed = Installed([posix(each) for each in sys.path])
    known: dict[str, str] = {}
    pins = []
    for top in dict.fromkeys(name.partition(".")[0] for name in modules):
        if top in sys.stdlib_module_names:
            continue
        module = installed.find(top)
        owners = installed.owners(top, module.root) if module is not None else ()
        if owners:
            title = canonical(installed.title(owners[0]))
            version = _public(owners[0].version)
            pins.append(Pin(name=title, version=version, specifier=f"=={version}"))
        else:
            pins.append(Pin(name=canonical(distribution_of(top))))
    # Beside something newer that is not here, the versions of here may not go together.
    if all(pin.version for pin in pins):
        for dist in installed.distributions():
            known[canonical(dist.name)] = f"=={_public(dist.version)}"
    wanted = Wanted(
        path="this environment" if known else "these modules",
        kind="requirements.txt",
        pins=tuple(pins),
        direct=tuple(pin.name for pin in pins),
        locked=False,
        limits=tuple(known.items()),
    )
    return _shelved(wanted, store.gather(wanted, target), target, store)


def are_here(modules: Sequence[str]) -> bool:
    """Tell whether all these modules can be imported in this environment."""
    installed = Installed([posix(each) for each in sys.path])
    tops = {name.partition(".")[0] for name in modules} - set(sys.stdlib_module_names)
    return all(installed.find(top) is not None for top in tops)


def from_folder(folder: str, target: Target, store: Store) -> Shelved:
    """Give what all wheels of a folder that fit a system would install, the newest of each.

    Raises
    ------
    RequestError
        When there is none.
    """
    names = sorted(Shelf(folder, strict=False).names())
    if not names:
        raise RequestError(folder, "a folder with wheels in it (*.whl)", "--wheels wheels")
    pins = tuple(Pin(name=name) for name in names)
    wanted = Wanted(
        path=folder, kind="requirements.txt", pins=pins, direct=tuple(names), locked=True
    )
    return _shelved(wanted, gather(wanted, target, wheels=folder), target, store)


def _shelved(wanted: Wanted, gathered: Gathered, target: Target, store: Store) -> Shelved:
    site, files = _site(gathered.wheels, target, store)
    direct = set(map(canonical, wanted.direct))
    modules: dict[str, str] = {}
    ordered = sorted(
        zip(gathered.pins, gathered.wheels, strict=True),
        key=lambda each: _place(each[0].name, wanted),
    )
    for pin, wheel in ordered:
        if not direct or canonical(pin.name) in direct:
            for name in top_levels(wheel_files(wheel, target), pin.name)[:_MOST_MODULES_EACH]:
                modules.setdefault(name, pin.where)
    return Shelved(
        site=site,
        modules=tuple(modules),
        where=tuple(modules.items()),
        unknown=(*gathered.unknown, *files.unknown),
        notes=gathered.notes,
        wanted=wanted,
        gathered=gathered,
        target=target,
        store=store,
    )


def _site(wheels: Sequence[str], target: Target, store: Store) -> tuple[Site, WheelFiles]:
    cache = store.cache or cache_folder(os.environ)
    files = WheelFiles(wheels, target, cache=cache)
    # Nobody knows the machine that will install them, even where it is one like this.
    there = replace(target, local=False)
    return Site((files.site,), there, files, on_disk=False), files


def _place(name: str, wanted: Wanted) -> int:
    """Give where a distribution stands among those that are asked for themselves."""
    names = [*map(canonical, wanted.direct)]
    return names.index(canonical(name)) if canonical(name) in names else len(names)


def _public(version: str) -> str:
    """Give a version without its local part: no index has ``2.13.0+cpu``."""
    return version.partition("+")[0]


def _suits(target: Target, wanted: Wanted) -> bool:
    return fits(f"{target.python[0]}.{target.python[1]}.99", wanted.python)


def _python_for(wanted: Wanted, target: Target) -> tuple[int, int]:
    """Give the newest Python that a file is for, where it is not for the running one."""
    versions = ((3, minor) for minor in range(_NEWEST_PYTHON, 7, -1))
    return next((v for v in versions if _suits(target.with_python(v), wanted)), target.python)
