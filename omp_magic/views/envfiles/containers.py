"""Containers: a Dockerfile's lines, a part of a compose file, a ConfigMap of Kubernetes."""

from __future__ import annotations

import json

from ...facts.sheets import Sheet
from .refusing import comments, is_plain, refuse, values_of

_CPUS = "These are the CPUs of where this was written; a container may have others, and then"


def _counting(sheet: Sheet) -> list[str]:
    """Give the words before a command that make its start count the CPUs."""
    workers = ["--workers", str(sheet.workers)] if sheet.workers > 1 else []
    return ["omp-magic", "run", *workers, "--"]


def dockerfile(sheet: Sheet) -> str:
    r"""Write ENV lines.

    Single quotes hold all but themselves; in double ones ``\"`` and ``\$`` are escapes
    (moby/buildkit, frontend/dockerfile/shell/lex.go, processSingleQuote, processDoubleQuote). What
    a backslash before another one is has changed (moby#32140), so a backslash is refused. A
    variable cannot be taken out.
    """
    lines = comments(sheet.head)
    lines += comments((f"{_CPUS} its start counts: ENTRYPOINT {json.dumps(_counting(sheet))}",))
    lines += comments(("to be pasted into a Dockerfile, which includes no other file",))
    for each in values_of(sheet, "\\"):
        lines += comments((each.comment,))
        if each.value is None:
            lines += comments((f"{each.name} must not be set: no ENV {each.name} above",))
            continue
        value = each.value
        if "'" in value:
            value = '"' + value.replace('"', '\\"').replace("$", "\\$") + '"'
        elif not is_plain(value):
            value = f"'{value}'"
        lines.append(f"ENV {each.name}={value}")
    return "\n".join([*lines, *comments(sheet.foot), ""])


def compose(sheet: Sheet) -> str:
    """Write a service's environment, to be merged: ``$`` is doubled (compose file, Interpolation).

    YAML's double quotes read all that JSON writes (YAML 1.2, 1.2: a superset).
    """
    lines = comments(sheet.head)
    lines += comments((f"{_CPUS} its start counts: entrypoint: {json.dumps(_counting(sheet))}",))
    lines += comments(("app: put your service's name",))
    lines += ["services:", "  app:", "    environment:"]
    lines += _mapping(sheet, "      ", dollars=True)
    return "\n".join([*lines, *comments(sheet.foot), ""])


def kubernetes(sheet: Sheet) -> str:
    """Write a ConfigMap, whose values are taken as they are (Kubernetes, ConfigMaps).

    A container takes all of it by ``envFrom``; ``kubectl set env`` does that too.
    """
    lines = comments(sheet.head)
    lines += comments(
        (
            f"{_CPUS} its start counts: command: {json.dumps([*_counting(sheet), '...'])}",
            "kubectl set env deployment/NAME --from=configmap/omp-magic; NAME: your deployment's",
        )
    )
    lines += ["apiVersion: v1", "kind: ConfigMap", "metadata:", "  name: omp-magic", "data:"]
    lines += _mapping(sheet, "  ", dollars=False)
    return "\n".join([*lines, *comments(sheet.foot), ""])


def github(sheet: Sheet) -> str:
    """Write ``env`` of a workflow, a job or a step; ``${{`` begins an expression there."""
    lines = comments(sheet.head)
    lines += ["env:"]
    for each in sheet.lines:
        if "${{" in (each.value or ""):
            refuse(sheet, each, "a value without '${{', which begins an expression")
    lines += _mapping(sheet, "  ", dollars=False)
    return "\n".join([*lines, *comments(sheet.foot), ""])


def _mapping(sheet: Sheet, indent: str, *, dollars: bool) -> list[str]:
    """Give the entries of a YAML mapping, strings all of them, with a comment above each."""
    lines = []
    for each in values_of(sheet):
        told: tuple[str, ...] = (each.comment,)
        if each.value is None:
            told = (*told, f"{each.name} must not be set: take it out where it is")
        lines += [f"{indent}{line}" for line in comments(told)]
        if each.value is not None:
            value = json.dumps(each.value, ensure_ascii=False)
            lines.append(f"{indent}{each.name}: {value.replace('$', '$$') if dollars else value}")
    # A mapping with comments alone would be null.
    return (
        lines if any(each.value is not None for each in sheet.lines) else [*lines, f"{indent}{{}}"]
    )
