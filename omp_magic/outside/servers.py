"""The user's Jupyter servers: their files, and what each tells of its sessions.

A server is asked only where its own file says that it answers, and only when that is this machine:
the token goes nowhere else. So no proxy is used and no redirection is followed.
"""

from __future__ import annotations

import ipaddress
import os
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterable
from http.client import HTTPException
from urllib.parse import urlsplit

from ..errors import ParseError
from ..facts.kernels import Session
from ..facts.libraries import Gap
from ..formats.jupyterfiles import ServerFile, parse_server, parse_sessions
from ..machine.python.runtimefolder import runtime_folder

TIMEOUT_S = 1.0
_MOST_BYTES = 4 * 1024 * 1024
_PREFIXES = ("jpserver-", "nbserver-")
_HTTP = ("http", "https")
_PASSWORD = "it wants a password, and its file has no token"  # noqa: S105 - a sentence


class _Straight(urllib.request.HTTPRedirectHandler):
    """Follows no redirection."""

    def redirect_request(self, *_: object) -> None:
        return None


_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}), _Straight())


def servers(gaps: list[Gap], folder: str | None = None) -> tuple[ServerFile, ...]:
    """Read the files of servers in Jupyter's runtime folder; none where there is no folder.

    Parameters
    ----------
    gaps
        Receives the files that cannot be read.
    folder
        The folder; the user's own when None.
    """
    place = runtime_folder() if folder is None else folder
    found: dict[str, ServerFile] = {}
    try:
        names = sorted(os.listdir(place))
    except (FileNotFoundError, NotADirectoryError):
        return ()
    except OSError as error:
        gaps.append(Gap.of("Jupyter's servers", error))
        return ()
    for name in names:
        if name.startswith(_PREFIXES) and name.endswith(".json"):
            try:
                with open(os.path.join(place, name), encoding="utf-8") as file:
                    server = parse_server(file.read(_MOST_BYTES))
            except FileNotFoundError:
                continue  # it has ended meanwhile
            except (OSError, ValueError, ParseError) as error:
                gaps.append(Gap.of(f"server of {name}", error))
                continue
            found.setdefault(server.url, server)
    return tuple(found.values())


def sessions_of_all(
    asked: Iterable[ServerFile], timeout_s: float = TIMEOUT_S
) -> dict[ServerFile, tuple[Session, ...] | Exception]:
    """Ask servers for their sessions, all at once: one that hangs holds up no other.

    Parameters
    ----------
    asked
        The servers.
    timeout_s
        How long all of them may take. One that sends a byte now and then is waited for no longer.

    Returns
    -------
    dict
        By server what it told, or why it did not.
    """
    late = OSError(f"it does not answer within {timeout_s:g} s")
    told: dict[ServerFile, tuple[Session, ...] | Exception] = dict.fromkeys(asked, late)

    def ask(server: ServerFile) -> None:
        try:
            answer: tuple[Session, ...] | Exception = sessions_of(server)
        except (OSError, ParseError) as error:
            answer = error
        told[server] = answer

    # Daemons: what a server holds up holds up no end of the command.
    threads = [threading.Thread(target=ask, args=(each,), daemon=True) for each in told]
    for thread in threads:
        thread.start()
    end = time.monotonic() + timeout_s
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    return dict(told)


def sessions_of(server: ServerFile) -> tuple[Session, ...]:
    """Ask a server for its sessions.

    Raises
    ------
    OSError
        When it is not on this machine, does not answer in time or refuses; its text is the reason.
    ParseError
        When it answers something else.
    """
    parts = urlsplit(server.url)
    if parts.scheme not in _HTTP:
        raise OSError(f"it answers by {parts.scheme}, which is not asked")
    if not is_own_host(parts.hostname or ""):
        raise OSError("its file names another machine, which is not told its token")
    headers = {"Authorization": f"token {server.token}"} if server.token else {}
    request = urllib.request.Request(f"{server.url}api/sessions", headers=headers)  # noqa: S310 - http or https
    try:
        with _OPENER.open(request, timeout=TIMEOUT_S) as answer:
            text = answer.read(_MOST_BYTES).decode("utf-8", "replace")
    except urllib.error.HTTPError as error:
        error.close()
        refused = _PASSWORD if not server.token else "it refuses the token of its file"
        why = refused if error.code in (401, 403) else f"it answered with status {error.code}"
        raise OSError(why) from None
    except urllib.error.URLError as error:
        raise OSError(f"it does not answer: {error.reason}") from None
    except (OSError, HTTPException, ValueError) as error:
        raise OSError(f"it does not answer: {error}") from None
    return tuple(
        Session(kernel_id=row.kernel_id, path=row.path, kind=row.kind, state=row.state)
        for row in parse_sessions(text)
    )


def is_own_host(name: str) -> bool:
    """Tell whether a host's name is this machine: a loopback address, or its own name.

    No name is asked of the network for it.

    Examples
    --------
    >>> is_own_host("127.0.0.1"), is_own_host("::1"), is_own_host("localhost")
    (True, True, True)
    >>> is_own_host("example.org")
    False
    """
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return name.lower() in ("localhost", socket.gethostname().lower())
    return address.is_loopback or address.is_unspecified
