"""What a cluster is called in the user's line, and how its client is written there."""

from __future__ import annotations

import re

_PLAIN = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*|\(\)|\[[\w:, -]*\])*")
"""An expression that stands in a line of ours as it is: a name, and what follows from it."""
_LONGEST = 80


def names_of(client: object, text: str) -> tuple[str, str]:
    """Give a user's expression for a cluster, and one for its client; "" for what cannot be put.

    Parameters
    ----------
    client
        What the expression has given.
    text
        The expression.
    """
    text = text.strip()
    if len(text) > _LONGEST or not _PLAIN.fullmatch(text):
        return "", ""
    kinds = {(each.__module__.partition(".")[0], each.__name__) for each in type(client).__mro__}
    classes = {name for _, name in kinds}
    if ("distributed", "Cluster") in kinds:
        return text, f"{text}.get_client()"
    if ("ipyparallel", "View") in kinds:
        return text, f"{text}.client"
    return text, text if classes & {"Client", "Executor"} else ""
