"""Facts as bytes that another version of us and another Python can read; nothing in them is run.

JSON and not pickle: a pickle is a program, and that of a dataclass with slots has its values by
position, so that another version would read them into the wrong fields. Here a fact is its class
and its fields by name; what the reader does not know is left out, what is missing has its default.
"""

from __future__ import annotations

import json
import re
import zlib
from dataclasses import Field, fields, is_dataclass
from functools import lru_cache
from importlib import import_module
from typing import Any

from ..errors import ParseError
from .fitting import Fits, fits

WIRE = 1
"""Form of what is packed, and of what `atworker` is called with; raised when an older one would
take it for something else."""

_CLASS, _SET = "", "set"
_MOST_BYTES = 64 << 20
_ROOM = __package__
_NAME = re.compile(r"[a-z_]+\.[A-Z][A-Za-z]+", re.ASCII)


def pack(value: object) -> bytes:
    """Give facts as bytes, equal ones as equal bytes.

    Parameters
    ----------
    value
        Facts, tuples of them, texts, numbers, None.

    Raises
    ------
    TypeError
        When there is anything else in it.
    """
    text = json.dumps(_plain(value), separators=(",", ":"))
    return zlib.compress(text.encode("ascii"), 6)


def unpack(data: bytes) -> Any:
    """Give the facts that `pack` was given.

    Raises
    ------
    ParseError
        When they are no such bytes, or of a version that has what this one does not know.
    """
    try:
        reader = zlib.decompressobj()
        text = reader.decompress(data, _MOST_BYTES)
        if not reader.eof:
            raise ParseError("packed facts", f"{len(data)} bytes", "a whole stream of zlib's")
        return _facts(json.loads(text))
    except (zlib.error, ValueError, TypeError, LookupError, RecursionError) as error:
        raise ParseError("packed facts", str(error), "what facts.packed.pack gives") from error


@lru_cache(4096)
def unpack_once(data: bytes) -> Any:
    """Give what `unpack` gives, made once of equal bytes: of 10,000 workers many are alike."""
    return unpack(data)


def _plain(value: object) -> object:
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    if isinstance(value, frozenset):
        return {_CLASS: _SET, "items": sorted(map(_plain, value), key=repr)}
    if is_dataclass(value) and not isinstance(value, type):
        room, _, module = type(value).__module__.rpartition(".")
        if room == _ROOM:
            found: dict[str, object] = {_CLASS: f"{module}.{type(value).__name__}"}
            for each in fields(value):
                own = getattr(value, each.name)
                if each.init and not _is_default(each, own):
                    found[each.name] = _plain(own)
            return found
    raise TypeError(f"{type(value).__name__} is no fact")


def _is_default(field: Field[Any], value: object) -> bool:
    """Tell whether a value need not be sent. False and 0 are equal, and are not the same."""
    return type(value) is type(field.default) and value == field.default


def _facts(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(map(_facts, value))
    if not isinstance(value, dict):
        return value
    name = value.get(_CLASS)
    if name == _SET:
        return frozenset(map(_facts, value["items"]))
    kind, known = _kind(name)
    given = {key: _facts(own) for key, own in value.items() if key in known}
    for key, own in given.items():
        if not known[key](own):
            raise TypeError(f"{name}: {key} is a {type(own).__name__} that it cannot be")
    return kind(**given)


@lru_cache(256)
def _kind(name: Any) -> tuple[type[Any], dict[str, Fits]]:
    """Give a class of facts and what its fields may be; no other class is ever made."""
    if not isinstance(name, str) or _NAME.fullmatch(name) is None:
        raise TypeError(f"{name!r} is no class of facts")
    module, _, own = name.partition(".")
    try:
        kind = vars(import_module(f"{_ROOM}.{module}"))[own]
    except (ImportError, KeyError):
        raise TypeError(f"{name} is not known here") from None
    if (
        not isinstance(kind, type)
        or kind.__module__ != f"{_ROOM}.{module}"
        or not is_dataclass(kind)
    ):
        raise TypeError(f"{name} is no class of facts")
    return kind, {each.name: fits(str(each.type)) for each in fields(kind) if each.init}
