"""What a cell cost -> one more row of a pandas.DataFrame; pandas is imported by `appended` only."""

from __future__ import annotations

import builtins
import keyword
import sys
from typing import TYPE_CHECKING, Any

from ..errors import LimitError

if TYPE_CHECKING:
    import pandas as pd

    from ..facts.usage import Usage

EXAMPLE = "%%omp_limit 2 --record costs"
_OWNED = "threads "
_COUNTS = (
    "cell",
    "threads_before",
    "peak_threads",
    "throttled_periods",
    "rss_before_bytes",
    "rss_peak_bytes",
    "rss_after_bytes",
)


def check_name(name: str) -> str:
    """Give a name back that a variable can have.

    Raises
    ------
    LimitError
        When it is none: ``df.x``, ``df[0]``, ``for``; or a builtin's, which every later cell
        would miss: ``print``.
    """
    if not name.isidentifier() or keyword.iskeyword(name):
        raise LimitError(name, "the name of a variable", EXAMPLE)
    if hasattr(builtins, name):
        raise LimitError(name, "a name that is no builtin's", EXAMPLE)
    return name


def check_target(value: object, name: str) -> None:
    """Check that a row can be appended to what a name holds; None stands for a new frame.

    pandas is not imported: where nobody did, nothing is a DataFrame.

    Parameters
    ----------
    value
        What the name holds.
    name
        The name, for people.

    Raises
    ------
    LimitError
        When it is no DataFrame, or one with several levels or columns of one name.
    """
    if value is None:
        return
    accepted = "a name that is free, or that of a pandas.DataFrame"
    frame_type = getattr(sys.modules.get("pandas"), "DataFrame", None)
    if frame_type is None or not isinstance(value, frame_type):
        raise LimitError(f"{name}: {type(value).__name__}", accepted, EXAMPLE)
    frame: Any = value
    if frame.index.nlevels > 1 or frame.columns.nlevels > 1:
        raise LimitError(f"{name}: a DataFrame with a MultiIndex", accepted, EXAMPLE)
    if not frame.columns.is_unique:
        raise LimitError(f"{name}: a DataFrame with two columns of one name", accepted, EXAMPLE)


def appended(
    frame: pd.DataFrame | None, usage: Usage, *, spec: str, cell: int | None
) -> pd.DataFrame:
    """Append what a cell cost to a table.

    Parameters
    ----------
    frame
        The table, changed in place; a new one is made for None. Its rows, columns, index and
        dtypes stay; a column of integers or booleans that the row has no value for becomes the
        nullable kind, ``Int64`` or ``boolean``.
    usage
        What the cell cost.
    spec
        The limit, as it was written.
    cell
        The cell's number, or None.

    Returns
    -------
    pandas.DataFrame
        The same object, where one was given. Times are seconds, sizes bytes, what is not known
        is missing. ``started_at`` is a moment in UTC. For each owner of threads there is a
        column ``threads OWNER`` with the most threads at one look: 0 where owners were
        looked for and this one was not there, missing where they were not.

    Raises
    ------
    LimitError
        As `check_target`.

    Notes
    -----
    The row's label is the largest number of the index and one for an index of numbers, the
    moment of the start for one of moments, and the number of the row otherwise.
    """
    import pandas as pd  # noqa: PLC0415 - it loads NumPy, and with it OpenBLAS

    check_target(frame, "the table")
    values = _values(usage, spec, cell)
    if frame is None:
        frame = pd.DataFrame(index=pd.RangeIndex(0))
    rows = len(frame)
    index = _longer_index(frame.index, values["started_at"])
    looked_for = [
        name
        for name in frame.columns
        if str(name).startswith(_OWNED) and pd.api.types.is_numeric_dtype(frame[name].dtype)
    ]
    if usage.peak_threads_by_owner is not None:
        values = {**dict.fromkeys(looked_for, 0), **values}
    known = frame[looked_for].notna().any(axis=1).to_numpy() if looked_for else None
    columns: dict[Any, Any] = {
        name: _longer(frame[name], name, values.get(name)) for name in frame.columns
    }
    for name in values.keys() - columns.keys():
        columns[name] = _one(name, values[name], rows).reindex(range(rows + 1))
        if name.startswith(_OWNED) and known is not None:
            # Owners were looked for in these rows, and this one was not there.
            columns[name].iloc[known.nonzero()[0]] = 0
    order = [*frame.columns, *(name for name in values if name not in frame.columns)]
    made = pd.DataFrame({name: columns[name].array for name in order}, index=index)
    flags: Any = frame.flags
    attrs, unique = dict(frame.attrs), flags.allows_duplicate_labels
    made.columns.name = frame.columns.name
    # pandas has no public way to put a row into a frame that keeps every column's dtype. Making
    # the object anew from the longer table keeps it the same object for all who hold it.
    pd.DataFrame.__init__(frame, made)  # type: ignore[call-arg]  # the stubs have no __init__
    frame.attrs.update(attrs)
    flags = frame.flags
    flags.allows_duplicate_labels = unique
    return frame


def _values(usage: Usage, spec: str, cell: int | None) -> dict[str, Any]:
    """Give the row, by column; None is missing."""
    import pandas as pd  # noqa: PLC0415 - as in `appended`

    at = usage.started_at
    moment = None if at is None else pd.Timestamp(round(at * 1000), unit="ms", tz="UTC")
    values: dict[str, Any] = {
        "started_at": moment,
        "cell": cell,
        "spec": spec,
        "wall_s": usage.wall_s,
        "cpu_s": usage.cpu_s,
        "children_cpu_s": usage.children_cpu_s,
        "busy_cpus": usage.busy_cpus,
        "allowed_cpus": usage.allowed_cpus,
        "throttled_s": usage.throttled_s,
        "throttled_periods": usage.throttled_periods,
        "threads_before": usage.threads_before,
        "peak_threads": usage.peak_threads,
        "rss_before_bytes": usage.rss_before_bytes,
        "rss_peak_bytes": usage.peak_rss_bytes,
        "rss_after_bytes": usage.rss_after_bytes,
    }
    peaks = usage.peak_threads_by_owner or ()
    return {**values, **{f"{_OWNED}{owner}": number for owner, number in sorted(peaks)}}


def _one(name: str, value: Any, at: int) -> Any:
    """Give one value as a column of its own kind, at a position."""
    import pandas as pd  # noqa: PLC0415 - as in `appended`

    kind = "float64"
    if name == "started_at":
        kind = "datetime64[ns, UTC]"
    elif name in _COUNTS or name.startswith(_OWNED):
        kind = "Int64"
    return pd.Series([value], index=[at], dtype=None if name == "spec" else kind)


def _longer(old: Any, name: Any, value: Any) -> Any:
    """Give a column of the user's table with one value more, in its own dtype if that holds it."""
    import pandas as pd  # noqa: PLC0415 - as in `appended`

    rows = len(old)
    old = old.reset_index(drop=True)
    if value is None:
        if old.dtype.kind in "iu" and not pd.api.types.is_extension_array_dtype(old.dtype):
            old = old.astype(old.dtype.name.replace("int", "Int").replace("uI", "UI"))
        elif old.dtype == bool:
            old = old.astype("boolean")
        return old.reindex(range(rows + 1))
    one = _one(name, value, rows)
    if not rows and old.dtype == object:
        return one.reset_index(drop=True)
    try:
        same = pd.Series([value], index=[rows], dtype=old.dtype)
        if same.iloc[0] == value:
            one = same
    except (TypeError, ValueError, OverflowError):
        pass  # It does not fit: the column gets a dtype that holds both.
    return pd.concat([old, one])


def _longer_index(index: Any, moment: Any) -> Any:
    """Give the table's index with a label for one row more."""
    import pandas as pd  # noqa: PLC0415 - as in `appended`

    if not len(index) and index.dtype == object:
        return pd.RangeIndex(1)
    label: Any = str(len(index))
    if isinstance(index, pd.DatetimeIndex) and moment is not None:
        label = moment.tz_convert(index.tz)
    elif pd.api.types.is_numeric_dtype(index.dtype) and index.dtype != bool:
        numbers = index.dropna()
        label = int(numbers.max()) + 1 if len(numbers) else 0
    return index.insert(len(index), label)
