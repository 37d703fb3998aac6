"""One question to an engine of ipyparallel's, and to its hub, as their clients send them.

An engine packs what `apply` gives with a table of classes that names ``numpy.ndarray``, and
imports numpy for it (ipyparallel/serialize/canning.py, `can`): in the client, too. So a question
is a silent request without code whose one expression is evaluated (Jupyter's messaging,
``user_expressions``), and what comes back is text.
"""

from __future__ import annotations

import ast
import threading
from contextlib import suppress
from typing import Any

_NAME = "omp_magic"


def sent(client: Any, engine: int, text: str) -> Any:
    """Let an engine evaluate a text, and give the future of its reply, with its ``msg_id``.

    Raises
    ------
    KeyError
        When the client knows no such engine.
    OSError
        When the client is closed.
    """
    value = f"(__import__('os').getpid(), __import__('builtins').eval({text!r}, {{}}))"
    expression = f"__import__('builtins').repr({value})"
    content = {"code": "", "silent": True, "store_history": False, "allow_stdin": False}
    return client._send(  # noqa: SLF001 - `Client.send_execute_request` sends no expressions
        client._mux_stream,  # noqa: SLF001 - as views do
        "execute_request",
        content={**content, "user_expressions": {_NAME: expression}},
        ident=client._engines[engine].encode(),  # noqa: SLF001 - as views do
        track_outstanding=True,
    )


def answered(done: Any) -> tuple[object, str, str]:
    """Give what a reply says: its process and the value, or the name of an error and its words."""
    error = reply = done.result()
    if not isinstance(reply, Exception):
        try:
            told = reply._content["user_expressions"][_NAME]  # noqa: SLF001 - it has no public one
            if told["status"] != "ok":
                return None, str(told["ename"]), str(told["evalue"])
            # A text as a terminal shows it, and in it the value.
            return ast.literal_eval(ast.literal_eval(told["data"]["text/plain"])), "", ""
        except Exception as other:  # noqa: BLE001 - a reply of another form is an answer all the same
            error = other
    name = getattr(error, "ename", type(error).__name__)
    return None, str(name), str(getattr(error, "evalue", error))


class Hub:
    """The hub of a client, asked in a thread: one that does not answer is waited for without end.

    Parameters
    ----------
    client
        The client.
    """

    def __init__(self, client: Any) -> None:
        self._client = client
        self._told: dict[Any, Any] | None = None
        self._asking: threading.Thread | None = None

    def ask(self) -> None:
        """Begin to ask it, once."""
        if self._asking is None:
            self._asking = threading.Thread(target=self._ask, name="omp_magic hub", daemon=True)
            self._asking.start()

    def _ask(self) -> None:
        with suppress(Exception):
            self._told = self._client.queue_status()

    def answers(self, within_s: float) -> bool:
        """Tell whether it answers; it waits so long."""
        self.ask()
        if self._asking is not None:
            self._asking.join(within_s)
        return self._told is not None

    def busy(self, within_s: float) -> frozenset[int]:
        """Give the engines that do something besides our question; it waits so long."""
        self.answers(within_s)
        return frozenset(
            number
            for number, counts in (self._told or {}).items()
            if isinstance(counts, dict) and counts.get("queue", 0) + counts.get("tasks", 0) > 1
        )
