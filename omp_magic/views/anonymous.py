"""Texts without the names of the user, the home folder and the machine. Pure: names come in."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import fields, is_dataclass, replace
from functools import lru_cache
from typing import Any, TypeVar
from urllib.parse import quote

from ..facts.about import Personal

Value = TypeVar("Value")

_HOME, _USER, _HOST = "~", "user", "host"
_VOCABULARY = frozenset(
    {
        *("family", "label", "api", "kin", "severity", "code", "scope", "state", "what", "method"),
        *("threading_layer", "layer", "start_method", "kind", "readers", "shown", "source"),
        *("origin", "helper", "since"),
    }
)
"""Fields that hold words of omp_magic's own tables: a user may be called ``warning``."""
_LEAD = r"(?:[/\\]|%2[Ff]|%5[Cc])"
_SEPARATOR = rf"(?:{_LEAD}+(?:\.{_LEAD}+)*)"
_ELLIPSIS = "\N{HORIZONTAL ELLIPSIS}"
_PASSES = 4
"""What was replaced may spell a name with what stands beside it: ``/home`` + ``user``."""


def anonymizer(personal: Personal) -> Callable[[str], str]:
    """Give what replaces names in a text.

    The home folder becomes ``~``, a user's name that is a word of its own ``user``, the machine's
    ``host``, however they are written: as they are, with either slash, one or several, percent-
    encoded, or with the escapes of Python, JSON and a shell. Names of one letter, and short
    numbers, are replaced only where they are a part of a path: they are words of every text.

    Parameters
    ----------
    personal
        The names.

    Examples
    --------
    >>> clean = anonymizer(Personal(homes=("/home/ann lee",), users=("ann lee",)))
    >>> clean("/home/ann%20lee/x, /srv/ann lee/y, /home/ann leee")
    '~/x, /srv/user/y, /home/ann leee'
    """
    pattern = _pattern(personal)
    if pattern is None:
        return lambda text: text

    def put(found: re.Match[str]) -> str:
        return {"home": _HOME, "host": _HOST}.get(found.lastgroup or "", _USER)

    @lru_cache(maxsize=4096)
    def clean(text: str) -> str:
        for _ in range(_PASSES):
            before, text = text, pattern.sub(put, text)
            if text == before:
                break
        return text

    return clean


def anonymized(value: Value, clean: Callable[[str], str]) -> Value:
    """Give facts with every text in them cleaned, but for words of our own tables.

    Parameters
    ----------
    value
        A frozen dataclass, a tuple, a text, or anything else, which stays as it is.
    clean
        From `anonymizer`.
    """
    cleaned: Value = _cleaned(value, clean)
    return cleaned


def _cleaned(value: Any, clean: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, tuple):
        return tuple(_cleaned(each, clean) for each in value)
    if is_dataclass(value) and not isinstance(value, type):
        own = (each.name for each in fields(value) if each.init and each.name not in _VOCABULARY)
        return replace(value, **{name: _cleaned(getattr(value, name), clean) for name in own})
    return value


def _pattern(personal: Personal) -> re.Pattern[str] | None:
    # Where a path begins with a drive's letter, names in it may be written in any case.
    any_case = any(re.match(r"[A-Za-z]:", home) for home in personal.homes)
    homes = [_home(home) for home in _longest(personal.homes) if len(home.strip("/\\")) > 1]
    hosts = [_host(host) for host in _longest(personal.hosts) if host not in (_HOST, _USER)]
    users = [_user(user) for user in _longest(personal.users) if user not in (_HOST, _USER)]
    groups = [
        f"(?P<{name}>{'|'.join(parts)})"
        for name, parts in (("home", homes), ("host", hosts), ("user", users))
        if parts
    ]
    if not groups:
        return None
    return re.compile("|".join(groups), re.IGNORECASE if any_case else 0)


def _longest(names: Iterable[str]) -> list[str]:
    return sorted({name for name in names if name.strip()}, key=lambda name: (-len(name), name))


# A percent escape before a name ends in a letter or a digit, and is no part of it.
_BEGIN = r"(?:(?<!\w)|(?<=%[0-9A-Fa-f]{2}))"
_END = r"(?!\w)"


def _home(home: str) -> str:
    parts = [part for part in re.split(r"[/\\]+", home.rstrip("/\\")) if part not in ("", ".")]
    lead = "" if re.match(r"[A-Za-z]:", home) else _LEAD
    path = lead + _SEPARATOR.join(_spelled(part) for part in parts)
    # /home/ann-old and /home/ann.old are other folders; a full stop may end a sentence.
    whole = rf"{path}(?![\w-])(?!\.\w)"
    above = lead + "".join(f"{_spelled(part)}{_SEPARATOR}" for part in parts[:-1])
    return rf"{_BEGIN}(?:{whole}|{above}{_cut(parts[-1])})"


def _cut(name: str) -> str:
    """Give a pattern for the beginning of a name, where a text was cut to fit."""
    first, *others = map(_letter, name)
    rest = ""
    for letter in reversed(others):
        rest = f"(?:{letter}{rest})?"
    return rf"{first}{rest}(?=\.\.\.|{_ELLIPSIS})"


def _user(user: str) -> str:
    if len(user) < 2 or (user.isdigit() and len(user) < 5):
        return rf"(?<=[/\\]){_spelled(user)}(?=[/\\]|$)"
    return f"{_BEGIN}{_spelled(user)}{_END}"


def _host(host: str) -> str:
    # A container is called by the first twelve digits of its id; its cgroup has all of them.
    rest = "[0-9a-f]*" if re.fullmatch(r"[0-9a-f]{12}", host) else ""
    return f"{_BEGIN}{_spelled(host)}{rest}{_END}"


def _spelled(name: str) -> str:
    return "".join(map(_letter, name))


@lru_cache(maxsize=1024)
def _letter(char: str) -> str:
    """Give a pattern for one character in all the ways in which texts write it."""
    ways = [char]
    ways.append(quote(char, safe="", errors="surrogatepass"))
    ways.append("".join(f"%{byte:02X}" for byte in char.encode("utf-8", "surrogatepass")))
    code = ord(char)
    if not (char.isascii() and char.isalnum()):
        ways += [ascii(char)[1:-1], f"\\{char}", f"\\x{code:02x}", f"\\u{code:04x}", f"&#{code};"]
        ways += [f"\\U{code:08x}", "".join(f"\\x{b:02x}" for b in char.encode("utf-8", "replace"))]
        if code > 0xFFFF:
            pair = char.encode("utf-16-be", "surrogatepass").hex()
            ways.append(f"\\u{pair[:4]}\\u{pair[4:]}")
    if char == " ":
        ways.append("+")
    hexes = [re.sub(r"%[0-9A-F]{2}", lambda found: found[0].lower(), way) for way in ways]
    spelled = sorted({*ways, *hexes}, key=lambda way: (-len(way), way))
    return f"(?:{'|'.join(map(re.escape, spelled))})"
