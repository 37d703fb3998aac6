"""Lines of requirements.txt, as pip reads them: one requirement or option each."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

_COMMENT = re.compile(r"(^|\s+)#.*$")
_HASH = re.compile(r"\s--hash[= ]\s*(\S+)")
_OWN_OPTION = re.compile(r"\s--(?:global-option|config-settings?|install-option)[= ].*$")
_FOR_PIP = {
    "-i", "--index-url", "--extra-index-url", "-f", "--find-links", "--no-index", "--pre",
    "--no-binary", "--only-binary", "--prefer-binary", "--trusted-host", "--require-hashes",
    "--use-feature",
}  # fmt: skip
_NAMES = {
    "-r": "-r", "--requirement": "-r", "-c": "-c", "--constraint": "-c",
    "-e": "-e", "--editable": "-e",
}  # fmt: skip
_VIA = re.compile(r"^\s*#\s+(?:via\s+)?(?P<who>\S.*)$")


class Line(NamedTuple):
    """A requirement or an option, its continuations joined.

    Parameters
    ----------
    number
        Of its first line, from 1.
    text
        What stands there, without comment, hashes and options of its own.
    hashes
        Those of ``--hash``.
    via
        Who asks for it, as pip-compile and uv write it in comments behind it.
    """

    number: int
    text: str
    hashes: tuple[str, ...] = ()
    via: tuple[str, ...] = ()

    @property
    def option(self) -> tuple[str, str]:
        """The option's name, ``-r`` for ``--requirement`` too, and its value; ("", "") for none.

        What pip is to be given has the name ``pip``.
        """
        if not self.text.startswith("-"):
            return "", ""
        name, _, value = self.text.replace("=", " ", 1).partition(" ")
        if not name.startswith("--") and len(name) > 2:  # -rbase.txt
            name, value = name[:2], name[2:] + value
        if name in _FOR_PIP:
            return "pip", self.text
        return _NAMES.get(name, name), value.strip().strip("\"'")


def parse_lines(text: str) -> Iterator[Line]:
    """Give the lines of a file of requirements (pip.pypa.io, "Requirements File Format")."""
    pending: tuple[int, list[str]] | None = None
    last: Line | None = None
    via: list[str] = []
    for number, raw in enumerate((text.removeprefix("\ufeff") + "\n").splitlines(), 1):
        begin, parts = pending or (number, [])
        comment = raw.lstrip().startswith("#")
        if raw.endswith("\\") and not comment:
            parts.append(raw[:-1])
            pending = begin, parts
            continue
        if comment and not parts:
            said = _VIA.match(raw)
            if said is not None and last is not None:
                via.append(said["who"])
            continue
        # A comment ends a continuation in pip too: it is a line of its own there.
        parts.append("" if comment else raw)
        pending = None
        line = _line(begin, " ".join(parts))
        if line is not None:
            if last is not None:
                yield last._replace(via=tuple(via))
            last = line
            asks = _inline_via("".join(parts))
            via = [asks] if asks else []
    if pending is not None and (line := _line(pending[0], " ".join(pending[1]))) is not None:
        if last is not None:
            yield last._replace(via=tuple(via))
        last, via = line, []
    if last is not None:
        yield last._replace(via=tuple(via))


def _inline_via(text: str) -> str:
    """Give who asks, of a comment behind the requirement: ``six==1.16  # via -r in.txt``."""
    found = re.search(r"\s#\s+via\s+(\S.*)$", text)
    return found[1] if found else ""


def _line(number: int, text: str) -> Line | None:
    text = _COMMENT.sub("", text).strip()
    if not text:
        return None
    hashes = tuple(_HASH.findall(text))
    text = _OWN_OPTION.sub("", _HASH.sub("", text)).strip()
    return Line(number, text, hashes)
