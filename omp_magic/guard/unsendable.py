"""Which functions and classes of ``__main__`` a process that starts anew will not find.

pickle sends a function or a class by its module and its name (Lib/pickle.py, save_global), and a
child imports ``__main__`` from its file to find it there (Lib/multiprocessing/spawn.py,
_fixup_main_from_path). What stands in no file, a notebook's code or a prompt's, is not there.
"""

from __future__ import annotations

import copyreg
import inspect
import os
import re
import sys
from functools import partial
from itertools import islice
from types import FunctionType, MethodType, ModuleType
from typing import Any

_MOST_OBJECTS = 1000
_MOST_ITEMS = 50
_PLAIN = (int, float, complex, str, bytes, bytearray, bool, type(None), range, ModuleType)
_TYPED = re.compile(r"<(stdin|python-input-\d+|ipython-input-.*)>$|.*[/\\]ipykernel_\d+[/\\]")
"""File names that code has which was typed at a prompt or in a notebook."""


def unsendable(what: tuple[Any, ...]) -> tuple[str, ...]:
    """Give the names in ``__main__`` that a child will look for and not find.

    Parameters
    ----------
    what
        Objects that are about to be pickled. They are not pickled here: containers, partial
        objects, bound methods and instances are looked into, up to a bound.

    Returns
    -------
    tuple of str
        () also where pickle refuses one of them at once, as it does lambdas: then nothing hangs.
    """
    main = sys.modules.get("__main__")
    found: dict[str, None] = {}
    waiting, seen = list(what), set[int]()
    while waiting and len(seen) < _MOST_OBJECTS:
        each = waiting.pop(0)
        # Their types, since isinstance asks for __class__, which a proxy may answer by an import.
        kind = type(each)
        if issubclass(kind, _PLAIN) or id(each) in seen:
            continue
        seen.add(id(each))
        if kind is FunctionType or issubclass(kind, type):
            named = each
        elif _is_sent_otherwise(kind):
            continue
        else:
            waiting += _parts(each)
            named = kind
        if not _is_found(named):
            return ()
        if named.__module__ == "__main__" and not _stands_in_file(named, main):
            found[named.__qualname__] = None
    return tuple(found)


def _is_found(named: Any) -> bool:
    """Tell whether pickle finds it by its name; what it does not, it refuses at once."""
    if named.__module__ != "__main__":
        return "<" not in named.__qualname__ or type(named) is not FunctionType
    at: Any = sys.modules.get("__main__")
    for part in named.__qualname__.split("."):
        at = vars(at).get(part) if issubclass(type(at), (ModuleType, type)) else None
        at = at.__func__ if type(at) in (staticmethod, classmethod) else at
    return at is named


_REDUCERS = frozenset({"__reduce__", "__reduce_ex__"})
_STATE = frozenset({"__getstate__"})
_KNOWN = (partial, MethodType, list, tuple, dict, set, frozenset)


def _writes(kind: type, names: frozenset[str]) -> list[type]:
    """Give the classes that say in Python, or in C, how an instance is pickled."""
    return [base for base in kind.__mro__ if base is not object and names & vars(base).keys()]


def _is_sent_otherwise(kind: type) -> bool:
    """Tell whether instances are pickled by a function of their own, whatever their class."""
    if kind in _KNOWN:
        return False
    pickler = getattr(sys.modules.get("multiprocessing.reduction"), "ForkingPickler", None)
    if kind in copyreg.dispatch_table or kind in getattr(pickler, "_extra_reducers", ()):
        return True
    if kind.__module__ != "__main__":
        return bool(_writes(kind, _REDUCERS))
    return any(base.__module__ == "__main__" for base in _writes(kind, _REDUCERS))


def _parts(each: Any) -> list[Any]:
    """Give what is pickled along with an object, the first of it where it is much."""
    kind = type(each)
    if kind is partial:
        return [each.func, each.args, each.keywords]
    if kind is MethodType:
        return [each.__self__]
    if kind in _KNOWN:
        items = each.items() if kind is dict else each
        return list(islice(items, _MOST_ITEMS))
    return [] if _writes(kind, _REDUCERS | _STATE) else _attributes(each)


def _attributes(each: Any) -> list[Any]:
    try:
        state = object.__getattribute__(each, "__dict__")
    except AttributeError:
        return []
    return list(islice(state.values(), _MOST_ITEMS))


def _stands_in_file(named: Any, main: ModuleType | None) -> bool:
    """Tell whether a child that imports the main script will have it."""
    spec = getattr(main, "__spec__", None)
    file = getattr(main, "__file__", None)
    if getattr(spec, "name", None) is None and not os.path.exists(str(file or "")):
        return False
    return not any(_TYPED.match(code) for code in _files(named))


def _files(named: Any) -> list[str]:
    """Give the file names of a function's code, or of a class's own functions."""
    members = vars(named).values() if isinstance(named, type) else (named,)
    return [
        inspect.unwrap(each).__code__.co_filename for each in members if type(each) is FunctionType
    ]
