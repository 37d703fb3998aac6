"""Text of Jupyter's files and answers -> servers and their sessions.

Sources: jupyter_server's serverapp.py (server_info, write_server_info_file), its REST API
(``/api/sessions``, services/api/api.yaml).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from ..errors import ParseError


@dataclass(frozen=True, slots=True)
class ServerFile:
    """A file jpserver-PID.json or nbserver-PID.json.

    Parameters
    ----------
    url
        Where it answers, with ``/`` at its end.
    pid
        Its process.
    token
        What it wants to be told; never shown, and no part of the text of this object.
    """

    url: str
    pid: int
    token: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class SessionRow:
    """One session of ``/api/sessions``; see `facts.kernels.Session`."""

    kernel_id: str
    path: str
    kind: str
    state: str


def parse_server(text: str) -> ServerFile:
    """Read the file of a running server.

    Raises
    ------
    ParseError
        When it is no JSON object with a URL and a process.
    """
    found = _object("a server's file", text)
    url, pid, token = found.get("url"), found.get("pid"), found.get("token")
    if not isinstance(url, str) or not url or not isinstance(pid, int):
        raise ParseError("a server's file", "no url or pid", "a JSON object that has both")
    return ServerFile(f"{url.rstrip('/')}/", pid, token if isinstance(token, str) else "")


def parse_sessions(text: str) -> tuple[SessionRow, ...]:
    """Read the answer of ``/api/sessions``; what is no session in it is passed over.

    Raises
    ------
    ParseError
        When it is no JSON list.
    """
    try:
        rows = json.loads(text)
    except ValueError:
        rows = None
    if not isinstance(rows, list):
        raise ParseError("/api/sessions", text[:60], "a JSON list")
    found = []
    for row in rows:
        kernel = row.get("kernel") if isinstance(row, dict) else None
        identity = kernel.get("id") if isinstance(kernel, dict) else None
        if isinstance(kernel, dict) and isinstance(identity, str) and identity:
            notebook = row.get("notebook") if isinstance(row.get("notebook"), dict) else {}
            path = row.get("path") or row.get("name") or notebook.get("path") or ""
            kind, state = row.get("type") or "", kernel.get("execution_state") or ""
            found.append(SessionRow(identity, _text(path), _text(kind), _text(state)))
    return tuple(found)


def _object(what: str, text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise ParseError(what, "no JSON object", "a JSON object")
    return found


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
