"""Who starts services: systemd's drop-in, pm2's ecosystem file, a file of variables."""

from __future__ import annotations

import json

from ...facts.sheets import Sheet
from .refusing import comments, is_plain, refuse, values_of


def systemd(sheet: Sheet) -> str:
    r"""Write a drop-in for a service: ``systemctl edit NAME`` takes it.

    In double quotes ``\"`` and ``\\`` are escapes, ``%`` begins a specifier, and ``$`` is no
    variable there (systemd.exec(5), Environment=; systemd.unit(5), Specifiers;
    systemd.syntax(7), Quoting).
    """
    lines = [*comments(sheet.head), "[Service]"]
    for each in values_of(sheet):
        lines += comments((each.comment,))
        if each.value is None:
            lines.append(f"UnsetEnvironment={each.name}")
            continue
        value = each.value.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
        lines.append(f'Environment="{each.name}={value}"')
    return "\n".join([*lines, *comments(sheet.foot), ""])


def pm2(sheet: Sheet) -> str:
    """Write an ecosystem file: JavaScript, so it has comments (pm2, Ecosystem File).

    ``filter_env`` takes variables out of what pm2 was started with: those whose names hold one of
    its texts (pm2's lib/Common.js, filterEnv).
    """
    lines = comments(sheet.head, "//")
    lines += comments(("name and script: put your own",), "//")
    lines += ["module.exports = {", "  apps: [{", '    name: "app",']
    lines += ['    script: "server.py",', f"    interpreter: {json.dumps(sheet.python)},"]
    if sheet.workers > 1:
        lines += [f"    instances: {sheet.workers},", '    exec_mode: "fork",']
    out = [each.name for each in sheet.lines if each.value is None]
    if out:
        lines.append(f"    filter_env: {json.dumps(out)},")
    lines.append("    env: {")
    for each in values_of(sheet):
        lines += [f"      {line}" for line in comments((each.comment,), "//")]
        if each.value is not None:
            lines.append(f"      {each.name}: {json.dumps(each.value)},")
    lines += ["    },", "  }],", "};"]
    return "\n".join([*lines, *comments(sheet.foot, "//"), ""])


def dotenv(sheet: Sheet) -> str:
    r"""Write what python-dotenv, node's dotenv, compose, systemd and a POSIX shell read alike.

    They agree on plain words and on single quotes around all else; of a quote or a backslash in
    these each makes something else, and python-dotenv replaces ``${NAME}`` there too (its
    variables.py). ``docker run --env-file`` takes quotes for a part of the value.
    """
    lines = comments(sheet.head)
    quoted = False
    for each in values_of(sheet, "'\\"):
        lines += comments((each.comment,))
        if "${" in (each.value or ""):
            refuse(sheet, each, "a value without '${', which this format cannot hold")
        if each.value is None:
            lines += comments((f"{each.name} must not be set: take it out where it is",))
        elif is_plain(each.value):
            lines.append(f"{each.name}={each.value}")
        else:
            lines.append(f"{each.name}='{each.value}'")
            quoted = True
    said = ("docker run --env-file takes the quotes for a part of the value",) if quoted else ()
    return "\n".join([*lines, *comments((*sheet.foot, *said)), ""])
