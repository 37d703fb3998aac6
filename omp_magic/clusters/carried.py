"""The text that travels to a worker and is evaluated there; it needs no omp_magic there."""

from __future__ import annotations


def text_of(call: str) -> str:
    """Give the text, an expression, of a call into `atworker`.

    Parameters
    ----------
    call
        ``"look()"``, ``"hold('2')"`` …
    """
    return f"__import__('importlib').import_module('omp_magic.atworker').{call}"
