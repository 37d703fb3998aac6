"""Text of a Python file -> the modules it imports when it is imported itself.

A scanner by regular expressions instead of `ast`: a thousand files stand behind one import of
scikit-learn, and `ast.parse` takes ten times as long for the same answer.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from functools import lru_cache
from typing import NamedTuple


class Import(NamedTuple):
    """One import statement that runs with its module.

    Parameters
    ----------
    level
        Dots in front: 0 for an absolute import.
    module
        What stands after ``import`` or ``from``; "" in ``from . import x``.
    names
        What stands after ``from … import``: submodules or attributes. () after ``import``.
    certain
        Whether it stands in no block, so that the module cannot be imported where it fails.
    when
        The text that something is compared with in the ``if`` around it, such as ``"win32"``;
        "" for none.
    """

    level: int
    module: str
    names: tuple[str, ...] = ()
    certain: bool = True
    when: str = ""


_WORD = re.compile(rb"import")
_GAP = rb"(?:[ \t]|\\\r?\n)"
_IMPORT = re.compile(
    rb"([ \t]*)(?:try:[ \t]*)?(?:"
    rb"import[ \t]+([\w., \t]+)"
    rb"|from[ \t]+(\.*)[ \t]*([\w.]*)" + _GAP + rb"*import\b" + _GAP + rb"*"
    # A loop unrolled, so that no text makes it backtrack: a comment may hold a bracket.
    rb"(\([^)#]*(?:#[^\n]*\n[^)#]*)*\)|[^\n\\#;]*(?:\\\r?\n[^\n\\#;]*)*)"
    rb")"
)
_UNSURE = re.compile(rb"[\"':]")
"""In a line before an import: a block's head, or what is perhaps in a string."""
_LONG = 1_000
_CALL = re.compile(rb"import_module\(\s*[\"']([\w.]+)[\"']")
_COMMENT = re.compile(rb"#[^\n]*")
_TOP = re.compile(rb"\n(?=[^\s#)\]}])")
_LATER = re.compile(rb"(?:async\s+)?def\b|if\s+__name__\s*==|if\s+(?:False|0)\s*:")
_KEYWORD = rb"(?:(?:async[ \t]+)?def|class|if|elif|else|try|except|finally|with|for|while)\b"
_BLOCK = re.compile(_KEYWORD)
_HEAD = re.compile(rb"\n([ \t]*)(?=" + _KEYWORD + rb")")
_TYPING = re.compile(rb"if\s+\(?\s*(?:\w+\.)*TYPE_CHECKING\b")
_EQUAL = re.compile(rb"(?:el)?if\b(?![^\n]*\bor\b)[^\n]*?==\s*[\"'](\w+)[\"'][^\n]*:")
_QUOTES = (b'"""', b"'''")


def imports_of(source: bytes) -> tuple[Import, ...]:
    """Give the imports that run when a module is imported, in the file's order.

    Those in function bodies, below ``if TYPE_CHECKING:`` and below ``if __name__ ==`` do not
    run; those in a class body, in ``try`` and in either branch of another ``if`` count.
    Text that is no Python gives what looks like imports in it, and no error.

    Parameters
    ----------
    source
        The file's bytes. Names are ASCII, so the encoding does not matter.

    Examples
    --------
    >>> imports_of(b"from . import a, b as c")
    (Import(level=1, module='', names=('a', 'b')),)
    """
    text = b"\n" + source
    blocks = _Blocks(text)
    found: list[Import] = []
    searched = 0
    # Looking for the word first is five times as fast as trying the pattern in every line.
    for word in _WORD.finditer(text):
        begin = text.rfind(b"\n", 0, word.start())
        if text.endswith((b"\\", b"\\\r"), 0, begin):
            begin = text.rfind(b"\n", 0, begin)
        if word.start() < searched:
            continue
        match = _IMPORT.match(text, begin + 1) if begin >= searched else None
        certain, space = True, b"" if match is None else match[1]
        near = max(begin, word.start() - _LONG)  # so that no line makes it slow
        if match is None and begin == near and text.rfind(b";", begin, word.start()) >= 0:
            before = text[begin + 1 : word.start()]
            match, certain = _after(text, begin + 1, before), not _UNSURE.search(before)
            space = before[: len(before) - len(before.lstrip())]
        if match is not None:
            searched = match.end()
            indent = len(space.expandtabs())
            if blocks.runs(begin, indent):
                certain = certain and indent == 0 and match[0][:4] != b"try:"
                found += _statements(match, certain, blocks.when)
        elif call := _CALL.match(text, word.start()):
            line = text[begin + 1 : word.start()]
            indent = len(line) - len(line.lstrip())
            if b"#" not in line and blocks.runs(begin, len(line[:indent].expandtabs())):
                found.append(Import(0, call[1].decode("ascii", "replace"), (), False, blocks.when))
    return tuple(found)


def _after(text: bytes, begin: int, before: bytes) -> re.Match[bytes] | None:
    """Give an import that follows another statement on its line; None for what is in a string."""
    at = before.rindex(b";")
    said = before[:at]
    if b"#" in said or said.count(b'"') % 2 or said.count(b"'") % 2:
        return None
    found = _IMPORT.match(text, begin + at + 1)
    return found if found is not None and found.end() > begin + len(before) else None


def _statements(match: re.Match[bytes], certain: bool, when: str) -> list[Import]:
    if match[2] is None:
        module = match[4].decode("utf-8", "replace")
        return [Import(len(match[3]), module, _names(match[5]), certain, when)]
    parts = (part.split(None, 1) for part in match[2].split(b","))
    modules = [part[0].decode("utf-8", "replace") for part in parts if part]
    return [Import(0, module, (), certain, when) for module in modules]


def _names(listed: bytes) -> tuple[str, ...]:
    if b"#" in listed:
        listed = _COMMENT.sub(b"", listed)
    names = []
    for part in listed.strip(b"()").replace(b"\\", b" ").split(b","):
        words = part.split(None, 1)
        if words and words[0] != b"*":
            names.append(words[0].decode("utf-8", "replace"))
    return tuple(names)


@lru_cache(maxsize=64)
def _outside(depth: int) -> re.Pattern[bytes]:
    """Give what a line looks like that ends a block of that depth."""
    return re.compile(rb"\n[ \t]{0,%d}[^\s#)\]}]" % depth)


class _Blocks:
    """The blocks of a source: which lines run when it is imported. Asked from top to bottom."""

    def __init__(self, text: bytes) -> None:
        self._text = text
        self._tops: list[int] = []
        self._heads: list[int] = []
        self._indents: list[int] = []
        self._counted = 0
        self._quoted = [False, False]
        self.when = ""
        """Of the line asked about last: see `Import`."""

    def runs(self, begin: int, indent: int) -> bool:
        """Tell whether a line runs with its module, by the blocks it is in."""
        for index, quotes in enumerate(_QUOTES):
            # Three quotes open a text and close it: behind an odd number of them it is a text.
            if self._text.count(quotes, self._counted, begin) % 2:
                self._quoted[index] = not self._quoted[index]
        self._counted = begin
        self.when = ""
        if any(self._quoted):
            return False
        if not indent:
            return True
        if not self._tops:
            self._tops = [0, *(each.start() for each in _TOP.finditer(self._text))]
        top = self._tops[bisect_right(self._tops, begin) - 1] + 1
        if not _BLOCK.match(self._text, top) or _LATER.match(self._text, top):
            return False
        return not self._in_function(begin, indent, top) and self._inner(begin, indent)

    def _in_function(self, begin: int, indent: int, top: int) -> bool:
        """Tell quickly whether the nearest ``def`` before a line surely holds it."""
        at = self._text.rfind(b"def ", top, begin)
        line = self._text.rfind(b"\n", 0, max(at, 0)) + 1
        lead = self._text[line : max(at, line)].replace(b"async ", b"")
        depth = len(lead.expandtabs())
        if at < 0 or lead.strip() or depth >= indent:
            return False
        return _outside(depth).search(self._text, at, begin) is None

    def _inner(self, begin: int, indent: int) -> bool:
        """Go from block to enclosing block: the nearest head before it that stands further left."""
        if not self._heads:
            for match in _HEAD.finditer(self._text):
                self._heads.append(match.end())
                self._indents.append(len(match[1].expandtabs()))
        for index in range(bisect_right(self._heads, begin) - 1, -1, -1):
            if self._indents[index] >= indent:
                continue
            head, indent = self._heads[index], self._indents[index]
            if _LATER.match(self._text, head) or _TYPING.match(self._text, head):
                return False
            if equal := _EQUAL.match(self._text, head):
                self.when = equal[1].decode("utf-8", "replace")
            if not indent:
                return True
        return False
