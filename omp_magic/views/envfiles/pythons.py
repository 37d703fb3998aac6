"""Where Python itself is started: its first lines, a kernel's spec, an environment of conda's."""

from __future__ import annotations

import json
import shlex

from ...facts.sheets import Sheet
from .refusing import comments, values_of


def python(sheet: Sheet) -> str:
    """Write what the first cell, or a module's first lines, run before all imports."""
    lines = [*comments(sheet.head), *comments(("before all other imports",)), "import os", ""]
    for each in values_of(sheet):
        lines += comments((each.comment,))
        if each.value is None:
            lines.append(f'os.environ.pop("{each.name}", None)')
        else:
            lines.append(f'os.environ["{each.name}"] = {_literal(each.value)}')
    return "\n".join([*lines, *comments(sheet.foot), ""])


def _literal(value: str) -> str:
    """Give a string as Python reads it, in double quotes where that needs no escape."""
    plain = '"' not in value and "\\" not in value
    return f'"{value}"' if plain else repr(value)


def kernelspec(sheet: Sheet) -> str:
    """Write a kernel.json, which has no comments.

    ``$NAME`` in its env is replaced, and ``$$`` is a dollar (jupyter_client's
    provisioning/provisioner_base.py, by `string.Template`).
    """
    lines = values_of(sheet)
    spec = {
        "argv": [sheet.python, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "display_name": sheet.label,
        "language": "python",
        "env": {
            each.name: each.value.replace("$", "$$") for each in lines if each.value is not None
        },
    }
    return json.dumps(spec, indent=2, ensure_ascii=False) + "\n"


def beside_kernelspec(sheet: Sheet) -> tuple[str, ...]:
    """Give what is said beside a kernel.json."""
    out = [each.name for each in sheet.lines if each.value is None]
    return (
        *sheet.head,
        "omp-magic kernel install makes one that counts the CPUs at each start",
        *(f"{name} must not be set where the server is started" for name in out),
        *sheet.foot,
    )


def conda(sheet: Sheet) -> str:
    """Write the commands for the environment that is activated, as a shell reads them.

    ``conda env config vars`` keeps variables with an environment, which sets them from the next
    activation on (conda, Managing environments, Setting environment variables). One OpenMP: on
    Linux conda-forge's packages are linked against libgomp.so.1, which ``_openmp_mutex`` makes a
    link to LLVM's; on macOS all use ``llvm-openmp`` (conda-forge's knowledge base, Switching OpenMP
    implementation, and Switching BLAS implementation).
    """
    lines = comments(sheet.head)
    given = []
    for each in values_of(sheet):
        lines += comments((f"{each.name}: {each.comment}",))
        if each.value is not None:
            given.append(shlex.quote(f"{each.name}={each.value}"))
    if given:
        lines.append(" \\\n  ".join(("conda env config vars set", *given)))
    out = [each.name for each in sheet.lines if each.value is None]
    if out:
        lines.append(f"conda env config vars unset {' '.join(out)}")
    lines += comments(("They are set from the next conda activate on.",))
    if sheet.one_openmp:
        lines += ["", *comments(("One OpenMP runtime for the environment:",))]
        lines += comments(tuple(f"{name}: {why}" for name, why in sheet.one_openmp))
        names = [*(name for name, _ in sheet.one_openmp), *sheet.packages]
        quoted = " ".join(shlex.quote(name) for name in names)
        lines.append(f"conda install -c conda-forge {quoted}")
    return "\n".join([*lines, *comments(sheet.foot), ""])
