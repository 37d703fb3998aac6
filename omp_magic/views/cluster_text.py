"""The workers of a cluster -> lines of text and HTML."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from ..facts.clustersnapshots import ClusterSnapshot
from . import links, words
from .cluster import GROUP_COLUMNS, HOST_COLUMNS, ClusterTable, table_of
from .cluster_groups import in_short
from .finding_text import finding_lines, spoken
from .lines import TONES, Cell, line, table, verdict_lines, wrapped
from .plain import for_display, joined, terminal_columns

if TYPE_CHECKING:
    from rich.text import Text


def layout(cluster: ClusterSnapshot, *, magics: bool = True) -> list[Text]:
    """Give a cluster in lines: the verdict, what differs, kinds of workers, hosts, findings.

    Parameters
    ----------
    cluster
        The cluster.
    magics
        Whether it is read where there are magics; a shell has none.
    """
    width = terminal_columns()
    found = table_of(cluster)
    lines = verdict_lines(found.verdict.text, found.verdict.tone, width)
    lines += wrapped(found.about, width, first="  ", further="    ", style="dim")
    for said in found.differ:
        lines += wrapped(said, width, first=("  differs  ", TONES["warning"]), further="    ")
    for part in (_groups(found, width), _hosts(found, width), _further(found, width, magics)):
        lines += [line(), *part] if part else []
    return lines


def _groups(found: ClusterTable, width: int) -> list[Text]:
    if not found.groups:
        return []
    return table(GROUP_COLUMNS, [row.cells for row in found.groups], width)


def _hosts(found: ClusterTable, width: int) -> list[Text]:
    rows: list[list[Cell]] = [
        [(cell, TONES["warning"] if over and n == _DEMAND else "") for n, cell in enumerate(cells)]
        for cells, over in found.hosts
    ]
    lines = table(HOST_COLUMNS, rows, width) if rows else []
    for said in found.more:
        lines += wrapped(said, width, first="  ", further="    ", style="dim")
    return lines


_MOST_BYTES = 500_000
"""Of a page. Cells are clipped, but a character of a long name may take six of HTML's."""
_DEMAND = HOST_COLUMNS.index(">threads at once")


def _further(found: ClusterTable, width: int, magics: bool) -> list[Text]:
    lines = []
    for finding in found.findings:
        lines += finding_lines(finding, "", width=width, magics=magics)
    for each in found.shared:
        head = (f"  {each.severity:<7}  {each.code}  ", TONES.get(each.severity, ""))
        said = spoken(f"{each.who}: {each.title}", "", magics=magics)
        lines += wrapped(said, width, first=head, further=" " * 6)
    for head_words, texts in (("note", found.notes), ("not known", found.gaps)):
        for text in texts:
            said = spoken(f"{head_words}: {text}", "", magics=magics)
            lines += wrapped(said, width, first="  ", further="    ", style="dim")
    return lines


def render_text(cluster: ClusterSnapshot) -> str:
    """Give a cluster as text without colour; in a plain program with no magics."""
    return joined(layout(cluster, magics=_has_magics()))


def _has_magics() -> bool:
    """Tell whether an IPython runs here; a program may have imported it, as ipyparallel does."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return shell is not None


def render_display(cluster: ClusterSnapshot) -> str:
    """Give a cluster as IPython shows it."""
    return for_display(layout(cluster))


def render_html(cluster: ClusterSnapshot) -> str:
    """Give a cluster as one HTML fragment with its own style; every text in it is escaped."""
    found = table_of(cluster)
    page = _page(found)
    if len(page.encode()) > _MOST_BYTES:
        page = _page(replace(found, groups=tuple(map(in_short, found.groups))))
    return page


def _page(found: ClusterTable) -> str:
    from .html import environment  # noqa: PLC0415 - jinja2, 20 ms

    template = environment().get_template("cluster.html")
    return template.render(
        found=found,
        columns=GROUP_COLUMNS,
        host_columns=HOST_COLUMNS,
        findings=found.findings,
        said=found.verdict.text,
        folded=False,
        prefix="",
        w=words,
        l=links,
    )
