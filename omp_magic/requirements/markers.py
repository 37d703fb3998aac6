"""Markers and requirements (PEP 508), read for a system that may not be this one."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterable
from contextlib import suppress
from functools import lru_cache
from typing import Any

from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from ..errors import ParseError
from ..facts.targets import Target

_NEWEST_PATCH = 99
"""Of a Python that is not here the patch is not known; most have the last."""
_MOST_CHARACTERS = 20_000
"""A marker of a lock file with many forks has some thousand."""


def python_of(target: Target) -> str:
    """Give the full version of a target's Python."""
    if target.here and target.python == sys.version_info[:2]:
        return platform.python_version()
    return f"{target.python[0]}.{target.python[1]}.{_NEWEST_PATCH}"


def environment(target: Target) -> dict[str, str]:
    """Give what markers ask for (packaging.python.org, "Dependency specifiers")."""
    full = python_of(target)
    return {
        "implementation_name": "cpython",
        "implementation_version": full,
        "os_name": target.os_name,
        "platform_machine": target.platform_machine,
        "platform_python_implementation": "CPython",
        "platform_release": "",
        "platform_system": target.platform_system,
        "platform_version": "",
        "python_full_version": full,
        "python_version": f"{target.python[0]}.{target.python[1]}",
        "sys_platform": target.sys_platform,
    }


class Conditions:
    """Whether markers are true on a target.

    Parameters
    ----------
    target
        The system.
    """

    def __init__(self, target: Target) -> None:
        self.target = target
        self._environment = environment(target)
        self._known: dict[tuple[str, frozenset[str]], bool] = {}

    def hold(self, marker: str | None, extras: Iterable[str] = ()) -> bool:
        """Tell whether a marker is true without an extra, or with one of these.

        Raises
        ------
        ParseError
            When it is no marker.
        """
        if not marker:
            return True
        key = marker, frozenset(extras)
        if key not in self._known:
            parsed = parse_marker(marker)
            self._known[key] = any(
                _evaluated(parsed, {**self._environment, "extra": extra}) for extra in ("", *key[1])
            )
        return self._known[key]

    def hold_in_lock(self, marker: str | None, groups: Iterable[str] = ()) -> bool:
        """Tell whether a marker of pylock.toml is true with these groups, and without extras.

        Raises
        ------
        ParseError
            When it is no marker.
        """
        if not marker:
            return True
        sets: dict[str, Any] = {"extras": frozenset(), "dependency_groups": frozenset(groups)}
        return _evaluated(parse_marker(marker), {**self._environment, **sets}, "lock_file")


def _evaluated(marker: Marker, given: dict[str, Any], context: Any = None) -> bool:
    try:
        if context is None:
            return marker.evaluate(given)
        try:
            return marker.evaluate(given, context)
        except TypeError:  # packaging before 25.0 knows none
            return marker.evaluate(given)
    except Exception:  # noqa: BLE001 - its errors are not all of one kind, and have changed
        raise ParseError("a marker", str(marker), "a marker of PEP 508") from None


def parse_marker(text: str) -> Marker:
    """Read a marker.

    Raises
    ------
    ParseError
        When it is none.
    """
    if len(text) <= _MOST_CHARACTERS:
        with suppress(ValueError, RecursionError):
            return Marker(text)
    raise ParseError("a marker", text, "such as sys_platform == 'win32'")


@lru_cache(maxsize=8192)
def parse_requirement(text: str) -> Requirement:
    """Read a requirement (PEP 508).

    Raises
    ------
    ParseError
        When it is none.
    """
    if len(text) <= _MOST_CHARACTERS:
        with suppress(ValueError, RecursionError):
            return Requirement(text)
    raise ParseError("a requirement", text, "such as numpy==2.1.0")


@lru_cache(maxsize=8192)
def fits(version: str, specifier: str) -> bool:
    """Tell whether a version is among those of a specifier; what is no version is not."""
    if not specifier:
        return True
    try:
        return SpecifierSet(specifier).contains(version, prereleases=True)
    except (ValueError, RecursionError):
        return False


def same_version(one: str, other: str) -> bool:
    """Tell whether two texts are the same version: 1.0 and 1.0.0 are."""
    if one == other:
        return True
    try:
        return Version(one) == Version(other)
    except ValueError:
        return False


def newest_first(version: str) -> tuple[bool, Version]:
    """Give a key that sorts versions, releases above what comes before them."""
    parsed = Version(version)
    return not parsed.is_prerelease, parsed
