"""What a wheel says that it needs."""

from __future__ import annotations

import re

from ..errors import ParseError
from .markers import Conditions, parse_requirement
from .members import Member, members_of
from .pins import Pin, canonical

_METADATA = re.compile(r"^[^/]+\.dist-info/METADATA$")
_MOST_BYTES = 4 << 20
_MOST_NEEDS = 5_000


def metadata_of(wheel: str) -> str:
    """Give the text of a wheel's METADATA.

    Raises
    ------
    RequirementsError, OSError
        When it has none, or cannot be read.
    """
    found: Member | None = next((m for m in members_of(wheel) if _METADATA.match(m.name)), None)
    if found is None:
        raise OSError(f"{wheel} has no METADATA")
    return found.read(_MOST_BYTES).decode("utf-8", "replace")


def parse_needs(
    text: str, conditions: Conditions, extras: frozenset[str], by: str
) -> tuple[tuple[Pin, ...], tuple[str, ...]]:
    """Give what METADATA says is needed on a target, and what of it cannot be read.

    Parameters
    ----------
    text
        METADATA.
    conditions
        The target's.
    extras
        Extras that are asked for, as written.
    by
        What to say of where it is asked for.
    """
    needs, strange = [], []
    # Names of extras are compared in their normal form (PEP 685), and markers have either.
    active = extras | {canonical(each) for each in extras}
    head = re.split(r"\r?\n\r?\n", text, maxsplit=1)[0]
    for line in re.findall(r"^Requires-Dist:[ \t]*(.+?)[ \t\r]*$", head, re.MULTILINE)[
        :_MOST_NEEDS
    ]:
        try:
            need = parse_requirement(line)
            if not conditions.hold(str(need.marker or ""), active):
                continue
        except ParseError as error:
            strange.append(str(error))
            continue
        specifier = str(need.specifier)
        exact = re.fullmatch(r"===?([^,*]+)", specifier)
        needs.append(
            Pin(
                name=canonical(need.name),
                version=exact[1].strip() if exact else None,
                specifier=specifier,
                extras=frozenset(need.extras),
                where=f"needed by {by}",
            )
        )
    return tuple(needs), tuple(strange)
