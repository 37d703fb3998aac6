"""Values that tools read differently, for tests of the files that are written for them."""

from __future__ import annotations

from omp_magic.errors import StartError
from omp_magic.facts.sheets import Sheet, SheetLine
from omp_magic.views.envfiles.table import FORMATS

NASTY = {
    "A_PLAIN": "4,2",
    "A_SPACE": "0 2 4-7",
    "A_BRACE": "{0,1},{2,3}",
    "A_DOLLAR": "$HOME ${HOME} $(id) $$",
    "A_PERCENT": "%PATH% 100% %n %%",
    "A_QUOTE": "it's",
    "A_DOUBLE": 'say "hi"',
    "A_BACKSLASH": "C:\\new\\\\table",
    "A_HASH": "a #b",
    "A_CODE": "`id`; rm x & echo | cat > y",
    "A_BANG": "hello! !x",
    "A_TILDE": "~/x *.py [a] (b)",
    "A_UNICODE": "\u00fcber \u2019 \u6c34",
    "A_EXPRESSION": "${{ github.actor }}",
    "A_EQUALS": "--xla=false a=b",
    "A_EDGE": " spaces ",
}
"""By name; each is to come back as it is, or to be refused."""
REFUSED = {
    "cmd": {"A_DOUBLE", "A_UNICODE"},
    "dockerfile": {"A_BACKSLASH"},
    "dotenv": {"A_QUOTE", "A_BACKSLASH", "A_DOLLAR", "A_EXPRESSION"},
    "github": {"A_EXPRESSION"},
}
"""What a format has no way to write."""


def sheet_of(values: dict[str, str | None], **changes: object) -> Sheet:
    lines = tuple(SheetLine(name, value, f"why {name}") for name, value in values.items())
    made: dict[str, object] = {"head": ("8 CPUs: cpu.max decides",), "lines": lines, **changes}
    return Sheet(**made)  # type: ignore[arg-type]  # as the caller has it


def held_by(word: str) -> dict[str, str]:
    """Give the values that a format can hold; that it refuses no other is what a pure test says."""
    return {name: value for name, value in NASTY.items() if name not in REFUSED.get(word, ())}


def written(word: str, removed: tuple[str, ...] = ()) -> str:
    """Give a format's file with all values that it holds, and variables that must not be set."""
    lines = {**held_by(word), **dict.fromkeys(removed)}
    return FORMATS[word].write(sheet_of(lines))


def refuses(word: str, name: str) -> str:
    """Give the sentence that a format refuses a value with; "" where it holds it."""
    try:
        FORMATS[word].write(sheet_of({name: NASTY[name]}))
    except StartError as error:
        return str(error)
    return ""
