"""Shells: bash and its kin, fish, PowerShell, cmd."""

from __future__ import annotations

import shlex

from ...facts.sheets import Sheet
from .refusing import comments, is_plain, values_of

_QUOTES = "'\u2018\u2019\u201a\u201b"
"""What PowerShell takes for a single quote (its CharTraits.cs, IsSingleQuote)."""


def bash(sheet: Sheet) -> str:
    """Write what bash, dash and zsh read: POSIX's quotation (Shell Command Language, 2.2.2)."""
    lines = comments(sheet.head)
    for each in values_of(sheet):
        lines += comments((each.comment,))
        if each.value is None:
            lines.append(f"unset {each.name}")
        else:
            lines.append(f"export {each.name}={shlex.quote(each.value)}")
    return "\n".join([*lines, *comments(sheet.foot), ""])


def fish(sheet: Sheet) -> str:
    r"""Write what fish reads: in single quotes only \' and \\ are escapes (fish docs, Quotes)."""
    lines = comments(sheet.head)
    for each in values_of(sheet):
        lines += comments((each.comment,))
        if each.value is None:
            lines.append(f"set --erase {each.name}")
            continue
        quoted = each.value.replace("\\", "\\\\").replace("'", "\\'")
        value = each.value if is_plain(each.value) else f"'{quoted}'"
        lines.append(f"set --global --export {each.name} {value}")
    return "\n".join([*lines, *comments(sheet.foot), ""])


def powershell(sheet: Sheet) -> str:
    """Write what PowerShell reads: a doubled single quote is one (about_Quoting_Rules)."""
    lines = comments(sheet.head)
    for each in values_of(sheet):
        lines += comments((each.comment,))
        if each.value is None:
            lines.append(f"Remove-Item Env:{each.name} -ErrorAction SilentlyContinue")
            continue
        quoted = "".join(char * 2 if char in _QUOTES else char for char in each.value)
        lines.append(f"$Env:{each.name} = '{quoted}'")
    return "\n".join([*lines, *comments(sheet.foot), ""])


def cmd(sheet: Sheet) -> str:
    """Write a batch file: a per cent sign is doubled there, and a quote has no escape (set /?).

    Its bytes are read in the console's code page, so that only ASCII is the same everywhere.
    """

    def told(texts: tuple[str, ...]) -> list[str]:
        # What follows rem is expanded too, and %~ would be an error.
        return [line.replace("%", "%%") for line in comments(texts, "@rem")]

    lines = told(sheet.head)
    for each in values_of(sheet, '"', ascii_only=True):
        lines += told((each.comment,))
        lines.append(f'@set "{each.name}={(each.value or "").replace("%", "%%")}"')
    return "\n".join([*lines, *told(sheet.foot), ""])
