"""The views of `Snapshot`, `Difference`, `Plan` and `Check`, which stand below them.

Importing this module gives the first three their views; each loads its library when it is used.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..facts.differences import Difference
from ..facts.snapshots import Snapshot

if TYPE_CHECKING:
    import pandas as pd

    from ..checks import Check, Checks
    from ..facts.clustersnapshots import ClusterSnapshot
    from ..facts.deaths import Deaths
    from ..facts.plans import Plan
    from ..facts.sweeps import Sweep


def _told(text: str) -> str:
    """Give text as what prints can have it: print(snapshot) must not fail for a tick."""
    from .signs import encodable  # noqa: PLC0415 - only what is shown pays

    return encodable(text, sys.stdout)


def _text(snapshot: Snapshot) -> str:
    from .text import render_text  # noqa: PLC0415 - rich, 12 ms

    return _told(render_text(snapshot))


def _display(snapshot: Snapshot) -> str:
    from .text import render_display  # noqa: PLC0415 - rich, 12 ms

    return _told(render_display(snapshot))


def _html(snapshot: Snapshot) -> str:
    from .html import render_html  # noqa: PLC0415 - jinja2, 20 ms

    return render_html(snapshot)


def _frame(snapshot: Snapshot) -> pd.DataFrame:
    from .frame import render_frame  # noqa: PLC0415 - pandas, 300 ms, loads OpenBLAS

    return render_frame(snapshot)


def _difference_text(difference: Difference) -> str:
    from .difference import render_text  # noqa: PLC0415 - only a difference pays

    return _told(render_text(difference))


def _difference_html(difference: Difference) -> str:
    from .difference import render_html  # noqa: PLC0415 - only a difference pays

    return render_html(difference)


def _check_text(check: Check) -> str:
    from .check import render_text  # noqa: PLC0415 - only a check pays

    return _told(render_text(check))


def _check_display(check: Check) -> str:
    from .check import render_display  # noqa: PLC0415 - only a check pays

    return _told(render_display(check))


def _check_html(check: Check) -> str:
    from .html import render_check  # noqa: PLC0415 - jinja2, 20 ms

    return render_check(check)


def _checks_text(checks: Checks) -> str:
    from .matrix import render_text  # noqa: PLC0415 - only who asks about several systems pays

    return _told(render_text(checks))


def _checks_display(checks: Checks) -> str:
    from .matrix import render_display  # noqa: PLC0415 - as above

    return _told(render_display(checks))


def _checks_html(checks: Checks) -> str:
    from .html import render_checks  # noqa: PLC0415 - jinja2, 20 ms

    return render_checks(checks)


def _sweep_text(sweep: Sweep) -> str:
    from .sweep import render_text  # noqa: PLC0415 - only a sweep pays

    return _told(render_text(sweep))


def _sweep_display(sweep: Sweep) -> str:
    from .sweep import render_display  # noqa: PLC0415 - as above

    return _told(render_display(sweep))


def _sweep_html(sweep: Sweep) -> str:
    from .sweep import render_html  # noqa: PLC0415 - as above

    return render_html(sweep)


def _sweep_frame(sweep: Sweep) -> pd.DataFrame:
    from .frame import sweep_frame  # noqa: PLC0415 - pandas, 300 ms, loads OpenBLAS

    return sweep_frame(sweep)


def _sweep_plot(sweep: Sweep, ax: Any) -> Any:
    from .sweep_plot import plot_sweep  # noqa: PLC0415 - only who draws pays

    return plot_sweep(sweep, ax)


sweep_actions: dict[str, Callable[..., Any]] = {
    "text": _sweep_text,
    "display": _sweep_display,
    "html": _sweep_html,
    "frame": _sweep_frame,
    "plot": _sweep_plot,
}
"""For `Sweep.actions`."""


def _plan_text(plan: Plan) -> str:
    from .planned import render_text  # noqa: PLC0415 - only a plan pays

    return _told(render_text(plan))


def _plan_display(plan: Plan) -> str:
    from .planned import render_display  # noqa: PLC0415 - only a plan pays

    return _told(render_display(plan))


def _plan_html(plan: Plan) -> str:
    from .planned import render_html  # noqa: PLC0415 - jinja2, 20 ms

    return render_html(plan)


plan_renderers = {"text": _plan_text, "display": _plan_display, "html": _plan_html}
"""For `Plan.renderers`."""


def _deaths_text(found: Deaths) -> str:
    from .postmortem import render_text  # noqa: PLC0415 - only a postmortem pays

    return _told(render_text(found))


def _deaths_display(found: Deaths) -> str:
    from .postmortem import render_display  # noqa: PLC0415 - as above

    return _told(render_display(found))


def _deaths_html(found: Deaths) -> str:
    from .postmortem import render_html  # noqa: PLC0415 - jinja2, 20 ms

    return render_html(found)


def _cluster_text(cluster: ClusterSnapshot) -> str:
    from .cluster_text import render_text  # noqa: PLC0415 - only a cluster pays

    return _told(render_text(cluster))


def _cluster_display(cluster: ClusterSnapshot) -> str:
    from .cluster_text import render_display  # noqa: PLC0415 - as above

    return _told(render_display(cluster))


def _cluster_html(cluster: ClusterSnapshot) -> str:
    from .cluster_text import render_html  # noqa: PLC0415 - jinja2, 20 ms

    return render_html(cluster)


def _cluster_frame(cluster: ClusterSnapshot) -> pd.DataFrame:
    from .frame import cluster_frame  # noqa: PLC0415 - pandas, 300 ms, loads OpenBLAS

    return cluster_frame(cluster)


cluster_renderers: dict[str, Callable[..., Any]] = {
    "text": _cluster_text,
    "display": _cluster_display,
    "html": _cluster_html,
    "frame": _cluster_frame,
}
"""For `ClusterSnapshot.renderers`."""
deaths_renderers = {"text": _deaths_text, "display": _deaths_display, "html": _deaths_html}
"""For `Deaths.renderers`."""
checks_renderers = {"text": _checks_text, "display": _checks_display, "html": _checks_html}
"""For `Checks.renderers`."""
check_renderers = {"text": _check_text, "display": _check_display, "html": _check_html}
"""For `Check.renderers`: views come with the first check."""

Snapshot.renderers.update(text=_text, display=_display, html=_html, frame=_frame)
Difference.renderers.update(text=_difference_text, html=_difference_html)
