"""Snapshot -> pandas.DataFrame. Importing pandas imports NumPy, which loads OpenBLAS."""

from __future__ import annotations

from dataclasses import fields

import pandas as pd

from ..facts import Library
from ..snapshots import Snapshot, as_plain

_COUNTS = ("num_threads", "would_use")
_TRUTHS = ("initialized", "serves", "replaced")


def render_frame(snapshot: Snapshot) -> pd.DataFrame:
    """Give the runtimes as a table, one row a library; unknown values are ``pandas.NA``."""
    columns = [field.name for field in fields(Library)]
    frame = pd.DataFrame(as_plain(snapshot.libraries), columns=columns)
    kinds = {**dict.fromkeys(_COUNTS, "Int64"), **dict.fromkeys(_TRUTHS, "boolean")}
    typed: pd.DataFrame = frame.astype(kinds)
    return typed
