"""The options of `omp-magic check` for other systems -> the answer for each of them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace

from ..checks import Checks
from ..errors import RequestError
from ..facts.snapshots import Snapshot
from ..facts.targets import Target
from ..knowledge.elsewhere import elsewhere
from ..requirements.steps import told_on
from .questions import Place, answered
from .targets import see_nothing_runs, target_of
from .wheels import Store


def checks_of(modules: Sequence[str], options: argparse.Namespace, facts: Snapshot) -> Checks:
    """Give what importing modules would load and do on each of the targets that were named.

    Parameters
    ----------
    modules
        In the order of importing; () for all that a file of requirements asks for.
    options
        The words of the command: target, site, requirements, wheels, no_fetch, python, env, has,
        lacks, run, order.
    facts
        Any snapshot.

    Raises
    ------
    OmpMagicError
        When one of them is not understood or cannot be used.
    """
    see_nothing_runs(run=options.run)
    targets = _targets(options)
    _see_wheels_are_asked_for(options, targets)
    store = Store(
        wheels=options.wheels,
        cache=options.cache,
        fetch=not options.no_fetch,
        progress=told_on(sys.stderr),
    )
    checked = Place.of(site=options.site, requirements=options.requirements, wheels=options.wheels)
    place = replace(checked, store=store, versions=options.versions)
    return Checks(checks=tuple(answered(modules, each, place, facts) for each in targets))


def _targets(options: argparse.Namespace) -> list[Target]:
    """Give the targets that are named, each once."""
    names: list[str | None] = [*_listed(options.target)]
    if options.target and not names:
        names = [""]  # which no system is called
    has, lacks = _listed(options.has), _listed(options.lacks)
    environ = _variables(options.env)
    targets = {
        target.name: target
        for target in (
            target_of(name, python=options.python, environ=environ, has=has, lacks=lacks)
            for name in names or [None]
        )
    }
    known = {
        each.key: None
        for target in targets.values()
        for each in elsewhere(target.system, target.cpu)
    }
    for key in (*has, *lacks):
        if names and key not in known:
            told = f"for {', '.join(targets)}: {', '.join(known) or 'none'}"
            raise RequestError(key, told, "--target macos-arm64 --lacks homebrew-libomp")
    return [*targets.values()]


def _see_wheels_are_asked_for(options: argparse.Namespace, targets: Sequence[Target]) -> None:
    """Refuse what is said of wheels where none are taken."""
    taken = not options.site and (
        options.requirements is not None
        or options.wheels is not None
        or not all(each.local for each in targets)
    )
    for name in ("versions", "no_fetch", "cache"):
        if getattr(options, name) and not taken:
            word = f"--{name.replace('_', '-')}"
            accepted = f"{word} where wheels are taken: another system's, or by --requirements"
            example = f"--requirements requirements.txt {word}"
            raise RequestError(word, accepted, example + " FOLDER" * (name == "cache"))


def _variables(texts: Sequence[str]) -> dict[str, str]:
    found = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not sign or not name or name != "".join(name.split()):
            raise RequestError(text, "NAME=VALUE", "--env KMP_DUPLICATE_LIB_OK=TRUE")
        found[name] = value
    return found


def _listed(texts: Sequence[str]) -> list[str]:
    return [each.strip() for text in texts for each in text.split(",") if each.strip()]
