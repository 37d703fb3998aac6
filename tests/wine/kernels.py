"""A real ipykernel in the Windows Python, asked from here over loopback."""

from __future__ import annotations

import contextlib
import json
import random
import socket
import tempfile
import time
from pathlib import Path
from typing import Any, cast

from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.connect import write_connection_file
from live import Kernel

from wine import windows

_LOWEST_PORT, _FIRST_OF_CONNECTIONS = 20_000, 32_768
_STARTING_S = 120
_ENDING_S = 20


class WindowsKernel(Kernel):
    """A kernel like `live.Kernel`, by its connection file: no manager can start one in Wine.

    Parameters
    ----------
    env
        Variables beside Wine's own.
    """

    def __init__(self, env: dict[str, str] | None = None) -> None:
        windows.WORK.mkdir(exist_ok=True)
        self._folder = tempfile.TemporaryDirectory(dir=windows.WORK, ignore_cleanup_errors=True)
        folder = Path(self._folder.name)
        windows.bring_inside(folder)
        shell, iopub, stdin, beat, control = _free_ports(5)
        file, _ = write_connection_file(
            str(folder / "connection.json"),
            shell_port=shell,
            iopub_port=iopub,
            stdin_port=stdin,
            hb_port=beat,
            control_port=control,
        )
        own = {"IPYTHONDIR": windows.windows_path(folder / "ipython")}
        self._process = windows.start(
            *("-m", "ipykernel_launcher", "-f", windows.windows_path(Path(file))),
            env={**own, **(env or {})},
            folder=folder,
        )
        self.said = windows.Completed("", "", None)
        self.subshell = None
        self.manager = cast("Any", self)
        self.client = BlockingKernelClient(connection_file=file)
        try:
            self.client.load_connection_file()
            # wait_for_ready takes a kernel that does not beat yet for a dead one.
            connection = json.loads(Path(file).read_text("utf-8"))
            for channel in ("hb_port", "shell_port", "iopub_port"):
                self._wait_for(connection["ip"], connection[channel])
            self.client.start_channels()
            self.client.wait_for_ready(timeout=_STARTING_S)
        except BaseException:
            self.close()
            raise

    def _wait_for(self, host: str, port: int) -> None:
        deadline = time.monotonic() + _STARTING_S
        while time.monotonic() < deadline and self.is_alive():
            with contextlib.suppress(OSError), socket.create_connection((host, port), timeout=1):
                return
            time.sleep(0.1)
        self.close()
        raise TimeoutError(f"the kernel answers on no port {port}: {self.said}")

    def is_alive(self) -> bool:
        """Tell whether it runs, as its manager is asked."""
        return self._process.poll() is None

    def close(self) -> None:
        """Shut it down, or end it; `said` is what came out of its process, and how it ended."""
        if self.is_alive() and self.client.channels_running:
            self.client.shutdown()
        self.client.stop_channels()
        if self._process.stdout is not None and not self._process.stdout.closed:
            self.said = windows.completed(self._process, _ENDING_S)
        self._folder.cleanup()


def _free_ports(number: int) -> list[int]:
    """Give ports for a kernel that starts a second later.

    They are below those of outgoing connections (ip_local_port_range in the kernel's
    ip-sysctl.rst). Who asks again and again whether a port of those answers may be connected with
    itself one day, and the kernel then finds the port in use.
    """
    found: set[int] = set()
    while len(found) < number:
        port = random.randrange(_LOWEST_PORT, _FIRST_OF_CONNECTIONS)
        with contextlib.suppress(OSError), socket.socket() as tried:
            tried.bind(("127.0.0.1", port))
            found.add(port)
    return list(found)
