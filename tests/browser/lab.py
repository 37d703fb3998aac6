"""A real Jupyter server and a real Chromium, without a window and with folders of their own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from live import CLEAN, forget_registration
from places import TESTS

SHOTS = Path(__file__).parent / "shots"

_CHROMIUM = (
    # Root may not use Chromium's sandbox, and a container's /dev/shm may be small.
    "--headless=new --no-sandbox --disable-dev-shm-usage --disable-gpu --no-first-run "
    "--disable-background-networking --disable-component-update --disable-sync "
    "--force-device-scale-factor={scale} --window-size={width},{height}"
)


def wait_for(what: str, ready: Callable[[], Any], timeout: float = 30) -> Any:
    """Wait until something is so, and give what it gave; it may raise while it is not."""
    deadline = time.monotonic() + timeout
    failure: BaseException | None = None
    while time.monotonic() < deadline:
        try:
            found = ready()
        except Exception as error:  # noqa: BLE001 - the page may be half built
            failure = error
        else:
            failure = None
            if found:
                return found
        time.sleep(0.05)
    raise TimeoutError(f"{what}: not so after {timeout:g} s") from failure


class Lab:
    """One server and one browser.

    Parameters
    ----------
    home
        A folder for all they keep.
    size
        The browser window's width and height, in points.
    scale
        Pixels to a point.
    """

    def __init__(self, home: Path, size: tuple[int, int] = (1280, 1500), scale: int = 1) -> None:
        self.home = home
        # Chromium takes the window's size in pixels.
        width, height = (scale * each for each in size)
        self._window = {"width": width, "height": height, "scale": scale}
        self.root = home / "notebooks"
        self.settings = home / "settings"
        self.root.mkdir(parents=True)
        self._set("@jupyterlab/apputils-extension", "notification", {"fetchNews": "false"})
        # An autosave in the middle would write the panel's first picture.
        self._set("@jupyterlab/docmanager-extension", "plugin", {"autosave": False})
        self._set("@jupyterlab/apputils-extension", "themes", {"theme": "JupyterLab Light"})
        self._processes: list[psutil.Process] = []
        self.driver: Any = None
        try:
            self.url = self._serve()
            self.driver = self._browse()
        except BaseException:
            self.close()
            raise

    def _set(self, extension: str, name: str, settings: dict[str, Any]) -> None:
        folder = self.settings / extension
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.jupyterlab-settings").write_text(json.dumps(settings), "utf-8")

    def _serve(self) -> str:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        own = {
            "JUPYTER_CONFIG_DIR": "config",
            "JUPYTER_DATA_DIR": "data",
            "JUPYTER_RUNTIME_DIR": "runtime",
            "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
            "IPYTHONDIR": "ipython",
        }
        env = {**CLEAN, **{name: str(self.home / folder) for name, folder in own.items()}}
        env |= {"JUPYTERLAB_SETTINGS_DIR": str(self.settings), "PYTHONPATH": str(TESTS)}
        command = [sys.executable, "-m", "jupyterlab", "--allow-root", "--no-browser"]
        command += [f"--port={port}", "--ServerApp.port_retries=0", "--IdentityProvider.token="]
        # Notebook 7 and Voilà are extensions of the same server, where they are installed.
        for app in ("LabApp", "JupyterNotebookApp"):
            command.append(f"--{app}.expose_app_in_browser=True")
        command.append(f"--ServerApp.root_dir={self.root}")
        self.log = self.home / "server.log"
        with self.log.open("w") as log:
            server = subprocess.Popen(
                command, env=env, stdout=log, stderr=log, start_new_session=True
            )
        self._server = server
        self._processes.append(psutil.Process(server.pid))
        url = f"http://127.0.0.1:{port}"

        def answers() -> bool:
            assert server.poll() is None, self.log.read_text("utf-8")[-2000:]
            with urllib.request.urlopen(f"{url}/api/status", timeout=2) as answer:
                return bool(answer.status == 200)

        wait_for("JupyterLab answers", answers, 60)
        return url

    def _browse(self) -> Any:
        from selenium import webdriver
        from selenium.webdriver.chrome.service import Service

        options = webdriver.ChromeOptions()
        options.binary_location = browser()[0]
        for argument in _CHROMIUM.format(**self._window).split():
            options.add_argument(argument)
        options.add_argument(f"--user-data-dir={self.home / 'chromium'}")
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        service = Service(browser()[1])
        driver = webdriver.Chrome(service=service, options=options)
        self._processes.append(psutil.Process(service.process.pid))
        driver.set_script_timeout(60)
        driver.set_page_load_timeout(60)
        return driver

    def close(self) -> None:
        """End all that was started, whatever happened to it."""
        family = [
            each
            for process in self._processes
            if process.is_running()
            for each in [process, *process.children(recursive=True)]
        ]
        if self.driver is not None:
            try:
                self.driver.quit()
            except Exception as error:  # noqa: BLE001 - it is killed below
                print(f"chromedriver did not end: {error}")
        if self._processes and self._server.poll() is None:
            # The first interrupt asks, the second one means it; kernels are ended too.
            for _ in range(2):
                self._server.send_signal(signal.SIGINT)
                time.sleep(0.5)
            try:
                self._server.wait(15)
            except subprocess.TimeoutExpired:
                self._server.kill()
                self._server.wait()
        for process in family:
            if process.is_running():
                process.kill()
            forget_registration(process.pid)
        psutil.wait_procs(family, timeout=10)


def browser() -> tuple[str, str]:
    """Give the paths of Chromium and its driver; skip where they are not."""
    names = ("chromium", "chromium-browser", "google-chrome")
    chromium = next(filter(None, map(shutil.which, names)), None)
    driver = shutil.which("chromedriver")
    if chromium is None or driver is None:
        pytest.skip("no chromium and chromedriver here, and none could be installed")
    return chromium, driver


def wanted() -> None:
    """Skip unless `make test-browser` runs the tests."""
    if "BROWSER_TESTS" not in os.environ:
        pytest.skip("needs make test-browser")
    pytest.importorskip("selenium", reason="selenium cannot be installed here")
    pytest.importorskip("jupyterlab", reason="JupyterLab cannot be installed here")
    browser()
