"""A panel that stays live over a cluster: one message a second at most, however many its workers.

It is put and kept as the dashboard's panels are, and its thread looks at the cluster, since that
waits for other machines: the dashboard's own must not.
"""

from __future__ import annotations

import _thread
import logging
import threading
import time
import uuid
from typing import TYPE_CHECKING, Any

from ..clustering import cluster
from ..clusters.apart import Apart, apart
from ..clusters.port import ClusterError
from ..errors import RequestError
from ..views.panel.clusterbox import ClusterBox, line_html, saved_html
from ..views.panel.sending import unparented
from ..views.panel.twins import bring_up_to_date, leave_saved
from ..views.words import counted
from .clusternames import names_of
from .mainthread import MainThread, sends_by_itself

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from ..facts.clustersnapshots import ClusterSnapshot

_LOG = logging.getLogger("omp_magic")
LEAST_S = 1.0
"""Seconds from a page to the next one, at least."""
_SHARE = 10
"""A look rests so many times as long as it took of a CPU here."""
_MOST_S = 30.0
"""The longest rest while a worker is silent: each look leaves it one more question to answer."""


class ClusterLive:
    """The live panels of clusters of one shell. Make it in a cell.

    Parameters
    ----------
    shell
        The shell whose cells run.
    """

    def __init__(self, shell: InteractiveShell) -> None:
        self.threaded = sends_by_itself(shell)
        self.panels: list[ClusterPanel] = []
        self.main = MainThread(shell, self._after_cell)

    def open(
        self, client: object, name: str, limit: str | None = None, timeout_s: float = 10.0
    ) -> ClusterPanel:
        """Look once, here, and then again and again in a thread of its own.

        Parameters
        ----------
        client
            A client of an engine.
        name
            How the user calls it.
        limit
            A limit to be set on every worker, once.
        timeout_s
            Seconds that each worker has for its answer.

        Raises
        ------
        RequestError
            When it is no client of an engine that is known.
        """
        found = cluster(client, limit, timeout_s).named(*names_of(client, name))
        cell, run = place = self.main.place()
        for each in tuple(self.panels):
            if cell and each.place[0] == cell and each.place[1] != run:
                self.close(each)  # its output went when the cell was run again
        looking = apart(client)
        panel = ClusterPanel(self, looking, name, found, timeout_s=timeout_s, place=place)
        self.panels.append(panel)
        panel.put()
        panel.begin()
        return panel

    def close(self, panel: ClusterPanel | None = None) -> None:
        """Take one panel away, or all."""
        for each in [panel] if panel is not None else list(self.panels):
            if each in self.panels:
                self.panels.remove(each)
                each.discard()

    def end(self) -> None:
        """Close every panel and let go of the shell."""
        self.close()
        self.main.end()

    def _after_cell(self) -> None:
        for panel in tuple(self.panels):
            panel.keep()


class ClusterPanel:
    """One cluster below one cell.

    Parameters
    ----------
    live
        The other panels of the shell.
    client
        What looks at the cluster, and not at the user's own conversation with it.
    name
        How the user calls the client.
    found
        The first look.
    timeout_s
        Seconds that each worker has for its answer.
    place
        The cell that opens it, and the run of it, as `MainThread.place` gives them.
    """

    def __init__(  # noqa: PLR0913 - each is a fact of its own
        self,
        live: ClusterLive,
        client: Apart,
        name: str,
        found: ClusterSnapshot,
        *,
        timeout_s: float,
        place: tuple[str, str],
    ) -> None:
        self.snapshot = found
        """What the last look has found."""
        self.place = place
        self.looks = 1
        """How often it has looked."""
        self._live, self._client, self._name, self._timeout_s = live, client, name, timeout_s
        self._ended = threading.Event()
        self._ident = uuid.uuid4().hex[:8]
        self._shown: list[list[Any]] = []
        self._at = time.strftime("%H:%M:%S")
        self._page, self._line = _html(found), self._told()
        self._kept = self._page + self._line
        self._page_is_due = self._page_was_sent = False
        self._box = unparented(
            lambda: ClusterBox(self._ident, self._page, self._line, lambda: live.close(self))
        )

    def begin(self) -> None:
        """Start the thread that looks."""
        _thread.start_new_thread(unparented, (self._run,))

    def close(self) -> None:
        """Stop, and leave what was seen last below its cell."""
        self._live.close(self)

    def to_frame(self) -> Any:
        """Give the last look as a pandas DataFrame, a row a worker."""
        return self.snapshot.to_frame()

    def _run(self) -> None:
        """Look again and again, in the thread, until the panel is closed."""
        rest_s, slow_s = LEAST_S, LEAST_S
        while not self._rested(rest_s):
            began_s = time.thread_time()
            try:
                self._client.check()
                found = cluster(self._client.client, None, self._timeout_s, progress=False)
            except ClusterError as error:
                # A scheduler that is too busy to answer is there again later.
                slow_s = rest_s = min(2 * slow_s, _MOST_S)
                self._put_line(f"{error}; asked again every {slow_s:g} s")
                continue
            except Exception as error:  # noqa: BLE001 - whatever it is, the panel says it and stays
                if not self._ended.is_set():
                    self._stopped(_words_of(error))
                return
            found = found.named(self.snapshot.asked_as, self.snapshot.client_as)
            # A silent worker answers all that it was asked once it can: it is asked less and less.
            slow_s = LEAST_S if found.known == len(found.workers) else min(2 * slow_s, _MOST_S)
            self._page_is_due |= found != self.snapshot
            self.snapshot, self.looks = found, self.looks + 1
            self._at = time.strftime("%H:%M:%S")
            more = f"every {slow_s:g} s" if slow_s > LEAST_S else ""
            self._show(more)
            rest_s = max(slow_s, _SHARE * (time.thread_time() - began_s))
            if self._page_was_sent and rest_s >= 2 * LEAST_S:
                # The line would say for long what is not so any more.
                if self._ended.wait(LEAST_S):
                    return
                self._put_line(more)
                rest_s -= LEAST_S

    def _rested(self, rest_s: float) -> bool:
        """Rest, no longer than the user's client is open; tell whether the panel was closed."""
        while rest_s > 0 and not self._client.closed():
            if self._ended.wait(min(LEAST_S, rest_s)):
                return True
            rest_s -= LEAST_S
        return self._ended.is_set()

    def _put_line(self, more: str, faint: str = "") -> None:
        """Show how the cluster is looked at, by a message."""
        self._line = self._told(more, faint)
        self._page_was_sent = False
        self._box.line.value = self._line

    def _stopped(self, why: str) -> None:
        # No warning: it would be printed into the cell that runs.
        _LOG.info("omp_magic: the panel of %s has stopped (%s)", self._name, why)
        self._ended.set()
        self._client.close()
        self._put_line(f"stopped, since {why}", faint=self._ident)

    def _show(self, more: str) -> None:
        """Show what is new by one message: what is there, or else when that was seen last.

        Where both change at each look they take turns.
        """
        if not self._page_is_due or self._page_was_sent:
            self._put_line(more)
            return
        self._line = self._told(more)
        self._page_is_due, self._page_was_sent = False, True
        self._page = _html(self.snapshot)
        self._box.page.value = self._page

    def _told(self, more: str = "", faint: str = "") -> str:
        found = self.snapshot
        known = f"{found.known} of {counted(len(found.workers), 'worker')} answered"
        words = (self._name, f"looked at {self._at}", known, more)
        return line_html(" \u00b7 ".join(filter(None, words)), faint)

    def put(self) -> None:
        """Show it below the cell that runs, and beside it what is kept of it."""
        from IPython.display import display  # noqa: PLC0415 - only where there is a front-end

        bundles = [self._still()] if self._ended.is_set() else [self._box.bundle(), self._still()]
        self._shown.append(
            [display(each, raw=True, display_id=True) for each in bundles]  # type: ignore[no-untyped-call]  # IPython has no types here
        )

    def keep(self) -> None:
        """Bring what is kept in the notebook up to date; at the end of each cell."""
        if self._page + self._line != self._kept:
            self._kept = self._page + self._line
            bring_up_to_date(self._shown, self._still())

    def discard(self) -> None:
        """Stop, and take the widgets away; what was seen last stays."""
        self._ended.set()
        self._client.close()
        shown, self._shown = self._shown, []
        last = self._still()
        try:
            leave_saved(shown, last)
        finally:
            unparented(self._box.close)

    def _still(self) -> dict[str, str]:
        html = saved_html(self._page, self._line, self._ident)
        return {"text/html": html, "text/plain": str(self.snapshot)}

    def __repr__(self) -> str:
        """Give one line."""
        return f"<ClusterPanel {self._name} workers={len(self.snapshot.workers)}>"

    def _ipython_display_(self) -> None:
        run = self._live.main.place()[1]
        if not run or run != self.place[1]:  # the magic has shown it in its own cell
            self.put()


def _words_of(error: Exception) -> str:
    """Say in few words why a cluster cannot be looked at."""
    if isinstance(error, RequestError):
        return f"it is {error.found}"
    return f"{type(error).__name__}: {error}"


def _html(found: ClusterSnapshot) -> str:
    bundle: dict[str, Any] = found._repr_mimebundle_(include=("text/html",))
    return str(bundle.get("text/html", ""))
