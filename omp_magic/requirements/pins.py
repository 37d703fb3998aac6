"""What a file of requirements asks for: pins, the wheels that it names, and what it leaves open."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field

from ..errors import OmpMagicError, wrong
from ..facts.libraries import Gap

FORMATS = (
    "requirements.txt",
    "pylock.toml",
    "uv.lock",
    "poetry.lock",
    "pixi.lock",
    "environment.yml",
)
"""Files that are read."""


class RequirementsError(OmpMagicError, ValueError):
    """A file of requirements, or the wheels for it, cannot be had.

    Parameters
    ----------
    path
        The file or folder.
    found
        What is wrong with it.
    accepted
        What would have been accepted.
    example
        Words that work.
    """

    def __init__(
        self,
        path: str,
        found: str,
        accepted: str = ", ".join(FORMATS),
        example: str = "--requirements requirements.txt",
    ) -> None:
        self.path = path
        self.found = found
        self.accepted = accepted
        self.example = example
        said = f"{printable(path)}: found {shown(found)}"
        super().__init__(wrong(said, accepted, example))


@dataclass(frozen=True, slots=True, kw_only=True)
class Offered:
    """A file of a distribution, as a lock file or a requirement names it.

    Parameters
    ----------
    name
        Its name: ``numpy-2.1.0-cp312-cp312-win_amd64.whl``.
    url
        Where it is, or None; it may hold a password, so it is shown by `shown` only.
    path
        Where it is on this machine, or None.
    size_bytes
        Its size, when the file tells it.
    sha256
        Its hash, when the file tells it.
    direct
        Whether it is asked for by its address, so that no index has it.
    """

    name: str
    url: str | None = None
    path: str | None = None
    size_bytes: int | None = None
    sha256: str | None = None
    direct: bool = False

    @property
    def wheel(self) -> bool:
        """Whether it is a wheel."""
        return self.name.endswith(".whl")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """A distribution that is to be installed.

    Parameters
    ----------
    name
        In the form that indexes compare: ``scikit-learn``.
    version
        The one version that fits, or None when several may.
    specifier
        Which versions fit: ``>=1.4,<2``; "" for every one.
    extras
        Names of its extras that are asked for.
    files
        The files that it may come from, as far as they are named.
    hashes
        Hashes that its file may have, as pip writes them: ``sha256:12ab…``.
    where
        Where it is asked for: ``requirements.txt:12``.
    """

    name: str
    version: str | None = None
    specifier: str = ""
    extras: frozenset[str] = frozenset()
    files: tuple[Offered, ...] = ()
    hashes: tuple[str, ...] = ()
    where: str = ""

    @property
    def title(self) -> str:
        """Its name and version, to be shown."""
        return f"{self.name} {self.version}" if self.version else f"{self.name}{self.specifier}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a file of requirements asks for on a system.

    Parameters
    ----------
    path
        The file.
    kind
        One of `FORMATS`.
    pins
        What is to be installed there; markers are evaluated already.
    direct
        Names that are asked for themselves and not for another, in the file's order.
    unknown
        What cannot be had or read.
    locked
        Whether all that is needed is pinned, so that nothing has to be resolved.
    options
        Lines for pip (``--index-url …``); they may hold passwords and are never shown.
    limits
        Name -> versions that fit, of constraints.
    python
        Versions of Python that it is for: ``>=3.10``; "" when it does not tell.
    """

    path: str
    kind: str
    pins: tuple[Pin, ...]
    direct: tuple[str, ...]
    unknown: tuple[Gap, ...] = ()
    locked: bool = True
    options: tuple[str, ...] = field(default=(), repr=False)
    limits: tuple[tuple[str, str], ...] = ()
    python: str = ""


def canonical(name: str) -> str:
    """Give a name in the form that indexes compare (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def printable(text: str) -> str:
    """Give text that may hold anything as one line."""
    return text if text.isprintable() else ascii(text)


def shown(text: str, limit: int = 160) -> str:
    """Give text as one line that is not long and holds no password of a URL."""
    text = re.sub(r"(?<=://)[^\s/@]*@", "", text)
    text = re.sub(r"([?&](?:token|key|sig|signature|password)=)[^&\s#]+", r"\1…", text)
    text = printable(" ".join(text.split()))
    return text if len(text) <= limit else text[: limit - 1] + "…"


def file_name(url: str) -> str:
    """Give the name of the file that a URL or a path leads to."""
    from urllib.parse import unquote, urlsplit  # noqa: PLC0415 - only who reads a lock pays

    if "://" in url:
        try:
            url = unquote(urlsplit(url).path)
        except ValueError:
            url = url.partition("#")[0].partition("?")[0]
    return os.path.basename(url.replace("\\", "/").rstrip("/"))
