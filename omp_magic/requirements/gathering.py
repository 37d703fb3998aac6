"""One wheel a distribution: from a folder, from the cache, or fetched; what is missing is told."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from ..facts.libraries import Gap
from ..facts.targets import Target
from .fetching import Fetcher
from .installers import Asked
from .markers import Conditions, fits
from .metadata import metadata_of, parse_needs
from .pins import Offered, Pin, RequirementsError, Wanted, shown
from .pip_files import merged
from .shelf import Shelf, cache_folder, has_hash
from .steps import Step
from .tags import best, parse_wheel_name, why_none

_MOST_ROUNDS = 40
_FRESH_S = 86_400.0
_MOST_DISTRIBUTIONS = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """The wheels of what is wanted.

    Parameters
    ----------
    wheels
        Their paths, one a distribution.
    pins
        What they are for, in the same order.
    unknown
        What could not be had, what the file itself could not tell included.
    notes
        What else is to be said, such as that versions were resolved today.
    size_bytes
        Of all wheels.
    fetched_bytes
        Of those that were fetched now.
    """

    wheels: tuple[str, ...]
    pins: tuple[Pin, ...]
    unknown: tuple[Gap, ...]
    notes: tuple[str, ...] = ()
    size_bytes: int = 0
    fetched_bytes: int = 0

    @property
    def whole(self) -> bool:
        """Whether nothing is missing."""
        return not self.unknown


def gather(  # noqa: PLR0913 - the file, the system, and where wheels are
    wanted: Wanted,
    target: Target,
    *,
    wheels: str | None = None,
    cache: str | None = None,
    fetch: bool = True,
    progress: Callable[[Step], None] | None = None,
) -> Gathered:
    """Give the wheels of what is wanted on a target.

    Parameters
    ----------
    wanted
        What `read_requirements` gave for that target.
    target
        The system.
    wheels
        A folder of wheels: these are used, and nothing is fetched.
    cache
        Where wheels are kept; the system's place for caches when None.
    fetch
        Whether the user's pip, and uv for what is not locked, may be asked for what is not there.
    progress
        Told before the first wheel is fetched and after each.

    Raises
    ------
    RequirementsError
        When a folder cannot be used, the disk is too small, or pip is not there.

    Notes
    -----
    No code of a wheel is run and no source distribution is built: pip is called with
    ``--only-binary=:all: --no-deps``. What is not locked is resolved as of today: by uv where
    it is installed, else greedily, the newest wheel of each.
    """
    if wheels is not None:
        gatherer = _Gatherer(wanted, target, Shelf(wheels, strict=False), None)
    else:
        cache = cache or cache_folder(os.environ)
        shelf = Shelf(place_of(cache, target), strict=True)
        fetcher = Fetcher(shelf, target, wanted.options, progress) if fetch else None
        gatherer = _Gatherer(wanted, target, shelf, fetcher)
    return gatherer.gathered()


class _Gatherer:
    """Rounds of choosing, fetching and reading what the wheels need; one round for a lock."""

    def __init__(
        self, wanted: Wanted, target: Target, shelf: Shelf, fetcher: Fetcher | None
    ) -> None:
        self._wanted = wanted
        self._target = target
        self._shelf = shelf
        self._fetcher = fetcher
        self._conditions = Conditions(target)
        self._limits = dict(wanted.limits)
        self._unknown = list(wanted.unknown)
        self._notes: list[str] = []
        self._found: dict[str, tuple[Pin, str]] = {}
        self._lost: set[str] = set()

    def gathered(self) -> Gathered:
        pins = self._resolved()
        followed: set[tuple[str, frozenset[str]]] = set()
        for _ in range(_MOST_ROUNDS):
            self._round(pins.values())
            if self._wanted.locked:
                break
            before = dict(pins)
            for name, (pin, path) in tuple(self._found.items()):
                if (name, pins[name].extras) not in followed:
                    followed.add((name, pins[name].extras))
                    self._follow(pins, replace(pin, extras=pins[name].extras), path)
            if len(pins) > _MOST_DISTRIBUTIONS:
                self._tell(
                    self._wanted.path, f"more than {_MOST_DISTRIBUTIONS} distributions", None
                )
                break
            if pins == before:
                break
        found = [self._found[name] for name in pins if name in self._found]
        return Gathered(
            wheels=tuple(path for _, path in found),
            pins=tuple(pin for pin, _ in found),
            unknown=tuple(self._unknown),
            notes=tuple(self._notes),
            size_bytes=sum(_size(path) for _, path in found),
            fetched_bytes=self._fetcher.fetched_bytes if self._fetcher else 0,
        )

    def _resolved(self) -> dict[str, Pin]:
        """Give what is wanted, by name; where it is not locked, uv says what else is needed."""
        pins: dict[str, Pin] = {}
        for pin in self._wanted.pins:
            if pin.name in pins and pins[pin.name].version != pin.version:
                self._tell(pin.title, f"{pins[pin.name].title} is wanted too", pin.where)
                continue
            pins[pin.name] = merged(pins.get(pin.name), pin)
        if self._wanted.locked or self._fetcher is None or not pins:
            return pins
        answer, resolved = self._fetcher.resolve([*map(_line, pins.values())], self._wanted.limits)
        for pin in resolved:
            known = pins.get(pin.name)
            pins[pin.name] = pin if known is None else replace(known, version=pin.version)
        how = "by uv" if answer.done else f"the newest wheel of each, since {answer.why}"
        name = os.path.basename(self._wanted.path)
        self._notes.append(f"{name}: resolved today ({how}), not locked")
        return pins

    def _round(self, pins: Iterable[Pin]) -> None:
        """Find or fetch what was not before."""
        missing: list[Asked] = []
        for pin in pins:
            if pin.name in self._found or pin.name in self._lost:
                continue
            offered = best(pin.files, self._target)
            if pin.files and offered is None:
                self._lose(pin, why_none(pin.files, self._target))
                continue
            path = self._at_hand(pin, offered)
            if path is not None:
                self._found[pin.name] = pin, path
            elif self._fetcher is None or (offered is not None and offered.path):
                self._lose(pin, self._why_missing(offered))
            else:
                missing.append(self._asked(pin, offered))
        if missing and self._fetcher is not None:
            fetched, lost = self._fetcher.fetch(missing)
            for each in missing:
                if each.pin.name in fetched:
                    self._found[each.pin.name] = each.pin, fetched[each.pin.name]
                else:
                    self._lost.add(each.pin.name)
            self._unknown.extend(lost)

    def _at_hand(self, pin: Pin, offered: Offered | None) -> str | None:
        if offered is not None and offered.path and os.path.isfile(offered.path):
            return offered.path
        if pin.version is None and offered is None and self._fetcher is not None:
            # Which one is the newest is known of what was fetched today.
            path = self._shelf.find(pin, self._target, self._specifier(pin), None)
            return path if path is not None and _age_s(path) < _FRESH_S else None
        specifier = self._specifier(pin)
        file = offered.name if offered else None
        path = self._shelf.find(pin, self._target, specifier, file)
        if path is None or not self._shelf.strict:
            return path
        if offered is not None and offered.size_bytes not in (None, _size(path)):
            return None
        return path if has_hash(path, _hashes(pin, offered)) else None

    def _why_missing(self, offered: Offered | None) -> str:
        if offered is not None and offered.path:
            return f"no such file: {shown(offered.path)}"
        what = f"no wheel of it for {self._target.name} in {self._shelf.folder}"
        return what if not self._shelf.strict else f"{what}, and nothing was to be fetched"

    def _asked(self, pin: Pin, offered: Offered | None) -> Asked:
        size = offered.size_bytes if offered else None
        hashes = "".join(f" --hash={each}" for each in _hashes(pin, offered))
        asked = f"=={pin.version}" if pin.version else self._specifier(pin)
        named = f"{pin.name}{asked}{hashes}"
        if offered is None or offered.url is None:
            return Asked(pin, named, size)
        addressed = f"{pin.name} @ {offered.url}{hashes}"
        if offered.direct:
            return Asked(pin, addressed, size)
        # By name first, so that the user's own index is asked; the lock may be of another one.
        return Asked(pin, named, size, addressed)

    def _specifier(self, pin: Pin) -> str:
        return ",".join(filter(None, (pin.specifier, self._limits.get(pin.name, ""))))

    def _follow(self, pins: dict[str, Pin], pin: Pin, path: str) -> None:
        """Add what a wheel needs to what is wanted."""
        try:
            text = metadata_of(path)
        except (RequirementsError, OSError) as error:
            self._tell(pin.title, f"what it needs is not known: {shown(str(error))}", pin.where)
            return
        needs, strange = parse_needs(text, self._conditions, pin.extras, pin.title)
        for each in strange:
            self._tell(f"a need of {pin.title}", each, path)
        for need in needs:
            known = pins.get(need.name)
            if known is None or need.name not in self._found:
                pins[need.name] = merged(known, need)
                continue
            pins[need.name] = replace(known, extras=known.extras | need.extras)
            version = parse_wheel_name(os.path.basename(self._found[need.name][1]))
            if version is not None and not fits(version.version, need.specifier):
                why = f"{pin.title} needs {need.specifier}, and {version.version} was taken"
                self._tell(need.name, why, need.where)

    def _lose(self, pin: Pin, why: str) -> None:
        self._lost.add(pin.name)
        self._tell(pin.title, why, pin.where)

    def _tell(self, what: str, why: str, where: str | None) -> None:
        gap = Gap(what=what, why=why, where=where)
        if gap not in self._unknown:
            self._unknown.append(gap)


def _hashes(pin: Pin, offered: Offered | None) -> tuple[str, ...]:
    if offered is not None and offered.sha256:
        return (f"sha256:{offered.sha256}",)
    return pin.hashes


def _line(pin: Pin) -> str:
    """Give a pin as a line of requirements."""
    extras = f"[{','.join(sorted(pin.extras))}]" if pin.extras else ""
    url = next((each.url for each in pin.files if each.url), None)
    return f"{pin.name}{extras} @ {url}" if url else f"{pin.name}{extras}{pin.specifier}"


def place_of(cache: str, target: Target) -> str:
    """Give the folder of a target's wheels: which wheel is the best differs between targets."""
    name = f"{target.name}-cp{target.python[0]}{target.python[1]}"
    return os.path.join(cache, "wheels", f"{name}-here" if target.here else name)


def _age_s(path: str) -> float:
    try:
        return time.time() - os.path.getmtime(path)
    except OSError:
        return _FRESH_S


def _size(path: str) -> int:
    try:
        return os.path.getsize(path)
    except OSError:
        return 0
