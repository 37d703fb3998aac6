"""What is said of magics, in the words of a shell or a worker: there are none.

Findings are written for a notebook. JSON keeps them so; the command's text says them in a shell's
words, where `omp-magic` does most, and a cluster's worker in those of who has its client.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_SPEC = r"(?:\S+=)?(?:auto(?:/\d+)?|\d+)"
_LIMIT = re.compile(rf"%%?omp_limit ({_SPEC}(?: {_SPEC})*)(?![\w=])")
_GUARD = re.compile(r"%omp_guard \w+")
_CLUSTER = re.compile(r"%omp_cluster (\w+)(?: --limit (\w+))?(?: --timeout (\d+))?")
_PHRASES = (
    (re.compile(r"%omp_(status|explain|check|report|env)\b"), r"omp-magic \1"),
    (re.compile(r"%omp_guard (\w+)"), r"the notebook's guard on \1"),
    (re.compile(r"%omp_cluster\b"), "omp_magic.cluster"),
    (re.compile(r"%%?omp_limit off"), "the end of the limit's block"),
    (re.compile(r"%%?omp_limit\b"), "omp_magic.limit"),
    (re.compile(r"%%?omp_(\w+)"), r"the notebook's \1"),
    (re.compile(r"\b([Bb])efore the kernel starts"), r"\1efore Python starts"),
    (re.compile(r"\b([Tt])his kernel\b"), r"\1his process"),
    (re.compile(r"\b([Rr])estart the kernel\b"), r"\1estart the program"),
    (re.compile(r"\bthe kernel is interrupted\b"), "the program is interrupted"),
    (re.compile(r"\bin a kernel\b"), "in a process"),
    (re.compile(r", in the first cell\b"), ", before all other imports"),
)
_PLACES = (("For this session", "For this program"), ("cell", "block"))


def in_shell(text: str) -> str:
    """Give a sentence that names magics as a shell's user can follow it.

    Examples
    --------
    >>> in_shell("%omp_status --cpus shows them all; or %omp_limit blas=1")
    'omp-magic status --cpus shows them all; or omp_magic.limit("blas=1")'
    """
    text = _LIMIT.sub(r'omp_magic.limit("\1")', text)
    for pattern, words in _PHRASES:
        text = pattern.sub(words, text)
    return text


def remedy_in_shell(says: str, run: str) -> tuple[str, str]:
    """Give a remedy, split as `words.split_remedy` does it, for who reads it in a shell.

    Examples
    --------
    >>> remedy_in_shell("For this session:", "%omp_limit auto")
    ('For this program, in Python:', 'with omp_magic.limit("auto"): ...')
    """
    if _GUARD.fullmatch(run):  # a shell has no guard
        return f"{in_shell(says).removesuffix(':')}, in a notebook:", run
    cluster = _CLUSTER.fullmatch(run)
    if cluster is not None:
        return f"{in_shell(says).removesuffix(':')}, in Python:", _cluster_call(cluster)
    limit = _LIMIT.fullmatch(run)
    if limit is None:
        return in_shell(says), in_shell(run)
    for notebook, program in _PLACES:
        says = re.sub(rf"\b{notebook}\b", program, says)
    says = f"{in_shell(says).removesuffix(':')}, in Python:"
    return says, f'with omp_magic.limit("{limit[1]}"): ...'


def _cluster_call(magic: re.Match[str]) -> str:
    """Give the call that is a magic's twin."""
    client, limit, timeout = magic.groups()
    given = [client, *([f'limit="{limit}"'] if limit else [])]
    given += [f"timeout_s={timeout}"] if timeout else []
    return f"omp_magic.cluster({', '.join(given)})"


_PROGRAM = (
    (re.compile(r" The notebook shows only that the kernel died\."), ""),
    (re.compile(r"\b(a|fresh|the|this) kernel\b", re.IGNORECASE), r"\1 program"),
    (re.compile(r"\bin the first cell\b"), "at its very start"),
)


def in_program(text: str) -> str:
    """Give a sentence as who runs a server can follow it: no magics, no kernel, no cells.

    Examples
    --------
    >>> in_program("Restart the kernel, and load it in the first cell")
    'Restart the program, and load it at its very start'
    """
    text = in_shell(text)
    for pattern, words in _PROGRAM:
        text = pattern.sub(words, text)
    return text


_WORKER = (
    (re.compile(r"\bFor this session\b"), "In the workers that run"),
    (_LIMIT, r'omp_magic.cluster(client, limit="\1")'),
    (re.compile(r"\bbefore the kernel starts\b"), "before its nanny starts the worker"),
    (re.compile(r"\bBefore the kernel starts\b"), "Before its nanny starts the worker"),
    (
        re.compile(r"\b(a|an|fresh|this|Restart the|restart the|restart of the) kernel\b"),
        r"\1 worker",
    ),
    (re.compile(r"\bThis kernel\b"), "This worker"),
)


def in_worker(text: str) -> str:
    """Give a sentence that a worker says of itself, to who has the cluster's client.

    Examples
    --------
    >>> in_worker("For this session: %omp_limit blas=1")
    'In the workers that run: omp_magic.cluster(client, limit="blas=1")'
    """
    for pattern, words in _WORKER:
        text = pattern.sub(words, text)
    return in_program(text)


def remedies_in_worker(remedies: Iterable[str]) -> tuple[str, ...]:
    """Give the remedies that there are for a worker: the guard is a notebook's alone.

    Examples
    --------
    >>> remedies_in_worker(["Use one: %omp_guard raise", "Restart the kernel"])
    ('Restart the worker',)
    """
    return tuple(in_worker(each) for each in remedies if not _GUARD.search(each))
