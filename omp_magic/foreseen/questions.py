"""The whole question: which modules, on which system, from which files."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

from ..checks import Check
from ..errors import NothingToAskError, RequestError
from ..experiments.trial import checked_modules
from ..facts.snapshots import Snapshot
from ..facts.targets import Target
from ..installed.expected import Cure, MayLoad
from ..knowledge.imported_as import module_of
from .checking import foresee
from .sites import here_site, site_of
from .versions import other_versions
from .wheels import Shelved, Store, are_here, from_folder, from_modules, from_requirements

_Path = str | os.PathLike[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the files of what is imported are: one of these, else this environment.

    Parameters
    ----------
    site
        Folders with an environment.
    requirements
        A file of requirements.
    store
        Where wheels come from; a folder of them is a place of its own.
    versions
        Whether other versions are tried too where wheels are fetched; those in a folder always
        are.
    """

    site: tuple[str, ...] = ()
    requirements: str | None = None
    store: Store = field(default_factory=Store)
    versions: bool = False

    @classmethod
    def of(
        cls,
        *,
        site: _Path | Sequence[_Path] | None = None,
        requirements: _Path | None = None,
        wheels: _Path | None = None,
    ) -> Place:
        """Give a place by paths of any kind.

        Raises
        ------
        RequestError
            When both an environment and wheels are named, or a name is empty.
        """
        folders = (site,) if isinstance(site, (str, os.PathLike)) else tuple(site or ())
        if folders and (requirements is not None or wheels is not None):
            raise RequestError(
                "--site with wheels",
                "one place: --site, or --requirements, or --wheels, or both of these",
                "--requirements requirements.txt",
            )
        for what, example, given in (
            ("site", "venv/lib/python3.12/site-packages", folders),
            ("requirements", "requirements.txt", (requirements,)),
            ("wheels", "wheels", (wheels,)),
        ):
            if any(each is not None and not os.fspath(each) for each in given):
                raise RequestError("", f"a path after --{what}", f"--{what} {example}")
        return cls(
            site=tuple(os.fspath(each) for each in folders),
            requirements=None if requirements is None else os.fspath(requirements),
            store=Store(wheels=None if wheels is None else os.fspath(wheels)),
        )


def answered(modules: Sequence[str], target: Target, place: Place, facts: Snapshot) -> Check:
    """Give what importing modules would load and do on a system.

    Parameters
    ----------
    modules
        In the order of importing; () for all that a file of requirements asks for.
    target
        The system.
    place
        Where the files are.
    facts
        Any snapshot.

    Raises
    ------
    RequestError, RequirementsError, TrialError
        When there is nothing to ask about, or the place cannot be used.
    """
    listed = place.requirements is not None or place.store.wheels is not None
    if modules or not listed:
        modules = _named(modules)  # before anything is fetched
    if place.site:
        return foresee(modules, site_of(place.site, target), facts)
    if not listed and target.local and (not target.named or are_here(modules)):
        return foresee(modules, here_site(target), facts, source="this environment")
    shelved = _shelved(modules, target, place)
    tried = place.versions or place.store.wheels is not None
    return foresee(
        modules
        or _named(shelved.modules, tuple(f"{each.what}: {each.why}" for each in shelved.unknown)),
        shelved.site,
        facts,
        unknown=shelved.unknown,
        notes=shelved.notes,
        where=dict(shelved.where),
        source=_source(shelved, place),
        further=(partial(_versions, shelved=shelved),) if tried else (),
    )


def _versions(modules: Sequence[str], found: MayLoad, *, shelved: Shelved) -> Cure | None:
    return other_versions(modules, shelved, found)


def _source(shelved: Shelved, place: Place) -> str:
    number = len(shelved.gathered.wheels)
    packages = f"{number} package{'s' * (number != 1)}"
    if place.requirements is not None:
        return f"{packages} of {os.path.basename(place.requirements)}"
    return f"{packages} in {place.store.wheels}" if place.store.wheels else f"wheels of {packages}"


def _shelved(modules: Sequence[str], target: Target, place: Place) -> Shelved:
    if place.requirements is not None:
        return from_requirements(place.requirements, target, place.store)
    if place.store.wheels is not None:
        return from_folder(place.store.wheels, target, place.store)
    return from_modules(modules, target, place.store)


def _named(modules: Sequence[str], reasons: tuple[str, ...] = ()) -> tuple[str, ...]:
    if not modules:
        accepted = "modules, or --requirements with packages that have wheels"
        error = NothingToAskError("no modules", accepted, "omp-magic check torch faiss")
        error.reasons = reasons
        raise error
    for name in modules:
        meant = module_of(name)
        if meant and meant != name:
            accepted = "names of modules, as import takes them"
            raise RequestError(name, accepted, f"omp-magic check {meant}", meant)
    return checked_modules(tuple(modules))
