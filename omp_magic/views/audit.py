"""An audit -> plain text: the verdict, what the pipeline has, then each subject's findings."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ..audits import Audit
from ..facts.cpus import cpus_words
from ..facts.settings import EnvSetting
from .check import layout as check_layout
from .finding_text import finding_lines
from .foreseen import modules_words
from .lines import line, verdict_lines, wrapped
from .plain import joined, terminal_columns
from .variables import effect_of, value_of
from .words import counted, decided_by

if TYPE_CHECKING:
    from rich.text import Text


def as_text(audit: Audit) -> str:
    """Give an audit as text without colour."""
    return joined(layout(audit)) + "\n"


def as_markdown(audit: Audit) -> str:
    """Give the verdict as a heading, and the text as one block, as GitHub shows it unchanged."""
    text = as_text(audit)
    fence = "```"
    while fence in text:
        fence += "`"
    return f"### omp-magic: {verdict_of(audit)}\n\n{fence}text\n{text}{fence}\n"


def verdict_of(audit: Audit) -> str:
    """Give what was found in a line of no words from outside: ``1 error, 2 warnings: failed``."""
    numbers = [
        counted(number, word)
        for severity, word in (("error", "error"), ("warning", "warning"), ("info", "note"))
        if (number := sum(each.severity == severity for each in audit.findings))
    ]
    said = ", ".join(numbers) or "nothing found"
    if audit.failed:
        return f"{said}: failed"
    return f"{said}: passed" if audit.whole and not audit.unknown else f"{said}, not all is known"


def layout(audit: Audit) -> list[Text]:
    """Give an audit in lines, for a shell."""
    width = terminal_columns()
    calm = "fine" if audit.whole and not audit.unknown else "warning"
    lines = verdict_lines(verdict_of(audit), "error" if audit.failed else calm, width)
    unseen = [f"not looked at: {gap.what}: {gap.why}" for gap in audit.notes]
    if not audit.failed and not audit.unknown and not audit.whole:
        unseen.append("--whole fails a pipeline where not all is known")
    for told in (*_told(audit), *unseen):
        lines += wrapped(told, width, first="  ", further="    ", style="dim")
    for finding in audit.facts.findings:
        lines += [
            line(),
            *finding_lines(finding, audit.facts.prefix, width=width, magics=False),
        ]
    for check in audit.checks:
        unknown = {gap.what for gap in check.unknown}
        known = tuple(each for each in check.modules if each not in unknown)
        if known:
            shown = replace(check, modules=known, unknown=())
            lines += [line(), *check_layout(shown, magics=False)]
    return lines


def _told(audit: Audit) -> list[str]:
    """Give what was judged: the CPUs, the variables, the modules and where they come from."""
    facts = audit.facts
    budget = facts.budget
    cpus = f"{cpus_words(budget.cpus)} of {budget.machine_words}, by {decided_by(budget.binding)}"
    told = [
        f"CPUs: {cpus}; {counted(budget.threads, 'thread')} for a pool",
        *map(_variable, facts.environment),
    ]
    if not facts.environment:
        told.append("no variable is set that a runtime reads")
    if audit.checks and audit.checks[0].target is None:
        names = modules_words(audit.checks[0].modules)
        told.append(f"modules: {names} ({audit.chosen})")
    elif not audit.checks:
        told.append(f"modules: none ({audit.chosen})")
    return told


def _variable(setting: EnvSetting) -> str:
    by = f", set by importing {' or '.join(setting.set_by)}" if setting.set_by else ""
    said = f"{setting.name}={value_of(setting)}{by}"
    return f"{said}: {effect_of(setting)}" if effect_of(setting) else said
