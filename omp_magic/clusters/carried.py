"""The text that travels to a worker and is evaluated there, by any Python and without omp_magic.

Where omp_magic cannot be imported, or is one that packs its facts in another way, a second text
brings our own sources. There they are a package with a name of its own, `omp_magic_carried_…`,
in memory alone (`unpacking`): ``import omp_magic`` gives there what it gave before, nothing is
written to disk, and `sys.path` is as it was. Which sources a look and a limit need is found by
following imports.
"""

from __future__ import annotations

import ast
import base64
import hashlib
import json
import zlib
from functools import lru_cache
from importlib.util import decode_source, find_spec
from itertools import accumulate

from ..facts.packed import WIRE

OURS = __name__.partition(".")[0]
OLDEST = (3, 10)
"""The oldest Python that omp_magic runs on."""

ROOTS = ("atworker", "clusters.daskplugin")
"""What is called at a worker: all of it is one package there, with one list of limits."""
TOO_OLD, LACKING, FAULT = "python", "lacking", "fault"
"""What an answer says that has no facts: ``("omp_magic", 0, one of these, text)``."""

_EVALUATED = "(lambda names: (exec({!r}, names), names['told']())[1])({{}})"

_BEGIN = f"""\
def told():
    import sys
    if sys.version_info < {OLDEST}:
        return "omp_magic", 0, "{TOO_OLD}", "%d.%d.%d" % sys.version_info[:3]
"""
_INSTALLED = f"""\
    try:
        from omp_magic.facts.packed import WIRE
        if WIRE != {WIRE}:
            raise ImportError("another version of omp_magic")
        from omp_magic import atworker
    except Exception as error:
        atworker = {{again}}
        if atworker is None:
            return "omp_magic", 0, "{LACKING}", "%s: %s" % (type(error).__name__, error)
"""
_AGAIN = 'sys.modules.get("{name}.atworker")'
"""What was brought by an earlier question."""
_EITHER = f"""\
    import importlib
    try:
        from omp_magic.facts.packed import WIRE
        if WIRE != {WIRE}:
            raise ImportError("another version of omp_magic")
        module = importlib.import_module("omp_magic.{{module}}")
    except Exception:
        module = bring({{name!r}}, {{packed!r}}, "{{module}}")
    return module.{{call}}
"""
_CARRIED = f"""\
    try:
        atworker = bring({{name!r}}, {{packed!r}}, "atworker")
    except Exception as error:
        return "omp_magic", 0, "{FAULT}", "%s: %s" % (type(error).__name__, error)
"""
_END = f"""\
    try:
        return atworker.{{call}}
    except Exception as error:
        return "omp_magic", 0, "{FAULT}", "%s: %s" % (type(error).__name__, error)
"""


def text_of(call: str) -> str:
    """Give the text, an expression, of a call into the `atworker` of a worker's own omp_magic.

    Parameters
    ----------
    call
        ``"look()"``, ``"hold('2')"`` …
    """
    known = _package()[0] if _package.cache_info().currsize else ""
    installed = _INSTALLED.format(again=_AGAIN.format(name=known) if known else "None")
    return _EVALUATED.format(_BEGIN + installed + _END.format(call=call))


def carrying_text_of(call: str) -> str:
    """Give the text that brings our own sources along.

    Raises
    ------
    OSError
        When this omp_magic has no sources, only what was compiled of them.
    """
    name, packed = _package()
    carried = _CARRIED.format(name=name, packed=packed)
    return _EVALUATED.format(
        source_of(f"{__package__}.unpacking") + _BEGIN + carried + _END.format(call=call)
    )


def bringing_text_of(module: str, call: str) -> str:
    """Give the text of a call that brings our own sources where they are needed.

    It is for what cannot be asked twice, and whoever evaluates it takes what it raises.

    Parameters
    ----------
    module
        One of `ROOTS`.
    call
        As in `text_of`.

    Raises
    ------
    OSError
        When this omp_magic has no sources, only what was compiled of them.
    """
    name, packed = _package()
    either = _EITHER.format(name=name, packed=packed, module=module, call=call)
    return _EVALUATED.format(source_of(f"{__package__}.unpacking") + _BEGIN + either)


def source_of(module: str) -> str:
    """Give the source of a module of ours.

    Raises
    ------
    OSError
        When it has none.
    """
    return (_source(module) or ("", ""))[1]


@lru_cache(1)
def _package() -> tuple[str, str]:
    """Give the name and the packed sources of what travels."""
    sources = _sources_of(*(f"{OURS}.{module}" for module in ROOTS))
    digest = hashlib.sha256(json.dumps(sources).encode("ascii")).hexdigest()[:8]
    name = f"{OURS}_carried_{digest}"
    renamed = {name + module.removeprefix(OURS): each for module, each in sources.items()}
    packed = zlib.compress(json.dumps(renamed).encode("ascii"), 9)
    return name, base64.b85encode(packed).decode("ascii")


def _sources_of(*starts: str) -> dict[str, tuple[bool, str]]:
    """Give (whether it is a package, its source) of modules and all of ours that it imports."""
    found: dict[str, tuple[bool, str]] = {}
    coming = [*starts]
    while coming:
        module = coming.pop()
        known = None if module in found else _source(module)
        if known is None:
            continue
        found[module] = is_package, source = known
        coming += accumulate(module.split("."), lambda above, own: f"{above}.{own}")
        if module != OURS:  # its names are loaded when they are asked for, and nobody asks there
            base = module if is_package else module.rpartition(".")[0]
            coming += _imported(ast.parse(source), base)
    return dict(sorted(found.items()))


@lru_cache(None)
def _source(module: str) -> tuple[bool, str] | None:
    """Give a module as `_sources_of` does; None where a name is none. Only rooms are imported."""
    room = module.rpartition(".")[0]
    above = _source(room) if room else None
    if room and (above is None or not above[0]):
        return None
    spec = find_spec(module)
    if spec is None:
        return None
    # pytest's loader of what it rewrites has no source to give (_pytest/assertion/rewrite.py).
    source = getattr(spec.loader, "get_source", lambda _: None)(module)
    if source is None:
        if spec.origin is None or not spec.origin.endswith(".py"):
            raise OSError(f"{module} has no source")
        with open(spec.origin, "rb") as file:
            source = decode_source(file.read())
    return spec.submodule_search_locations is not None, source


def _imported(tree: ast.AST, base: str) -> list[str]:
    """Give what a module imports of ours, wherever in it, but not for type checkers."""
    found = []
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            continue
        if isinstance(node, ast.ImportFrom):
            if node.level:
                above = base.split(".")[: len(base.split(".")) - node.level + 1]
                module = ".".join((*above, *filter(None, (node.module,))))
                found += [module, *(f"{module}.{name.name}" for name in node.names)]
        elif not isinstance(node, ast.expr):
            found += _imported(node, base)
    return found
