"""A notebook that is open in the browser, with the dashboard below its first cell."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import nbformat
from places import ROOT, TESTS

from browser.lab import SHOTS, Lab, wait_for

OPEN = """\
import os
os.environ["OPENBLAS_THREAD_TIMEOUT"] = "4"  # waiting threads sleep
import json, time, numpy as np
%load_ext omp_magic
%omp_dashboard
"""
COUNT = "from working import numpy_matmul, working; print(len(working(numpy_matmul())))"
LOOPS = {
    "pure Python loop": "end = time.time() + {0}; x = 0\nwhile time.time() < end: x += 1",
    "matmul loop": (
        "a = np.ones((1500, 1500)); end = time.time() + {0}\nwhile time.time() < end: a @ a"
    ),
    "sleep": "time.sleep({0})",
}
"""Cells by what they do; {0} is for how many seconds."""

# JupyterLab's own objects, by --LabApp.expose_app_in_browser.
_LAB = "const app = window.jupyterapp, widget = app.shell.currentWidget, book = widget.content; "

_FRAMES = """
window.frames_seen = [];
const note = () => {
  const live = document.querySelector('.omp-dash:not(.omp-static) .omp-live');
  if (!live || live.dataset.tick === window.last_tick) return;
  window.last_tick = live.dataset.tick;
  window.frames_seen.push([+live.dataset.tick, Date.now() - live.dataset.at, Date.now()]);
};
if (window.frames_watch) window.frames_watch.disconnect();
window.frames_watch = new MutationObserver(note);
window.frames_watch.observe(
  document.body, {subtree: true, childList: true, attributes: true, characterData: true});
"""


class Notebook:
    """One notebook, open in the browser.

    Parameters
    ----------
    lab
        Where it is opened.
    cells
        The code of its cells; or a notebook's file below the lab's root.
    """

    def __init__(self, lab: Lab, cells: list[str] | Path) -> None:
        self.lab = lab
        self.driver = lab.driver
        if isinstance(cells, Path):
            self.path = cells
            self.load()
            return
        self.path = lab.root / f"{len(list(lab.root.glob('*.ipynb')))}.ipynb"
        write_notebook(self.path, cells)
        self.load()

    def load(self) -> None:
        """Load the page, anew if it was loaded."""
        # A page that would lose something asks before it goes.
        self.driver.execute_script("window.onbeforeunload = null;")
        self.driver.get(f"{self.lab.url}/lab/tree/{self.path.relative_to(self.lab.root)}?reset")
        ready = (
            "return !!(widget && widget.sessionContext && widget.sessionContext.isReady"
            " && widget.sessionContext.session && widget.sessionContext.session.kernel"
            " && widget.sessionContext.session.kernel.status === 'idle' && book.widgets.length)"
        )
        wait_for("the notebook is open", lambda: self.js(ready), 60)
        self.complaints()  # those of the page before

    def js(self, code: str, *arguments: Any) -> Any:
        """Run code in the page, with the notebook as `book`."""
        return self.driver.execute_script(_LAB + code, *arguments)

    def command(self, name: str, arguments: dict[str, Any] | None = None) -> None:
        """Run a command of JupyterLab and wait for its end."""
        code = (
            "const done = arguments[arguments.length - 1];"
            "window.jupyterapp.commands.execute(arguments[0], arguments[1]).then("
            "() => done(''), error => done(String(error)));"
        )
        failed = self.driver.execute_async_script(code, name, arguments or {})
        assert not failed, failed

    def start(self, index: int, how: str = "run-cell") -> None:
        """Run a cell, or with "run-all-below" all from it on, and do not wait."""
        run = (
            "book.activeCellIndex = arguments[0]; book.deselectAll();"
            "app.commands.execute('notebook:' + arguments[1]);"
        )
        self.js(run, index, how)
        wait_for("the cell runs", lambda: self.prompt(index) not in ("", "[ ]:"))

    def run_all(self, timeout: float) -> list[dict[str, Any]]:
        """Run all cells as "Run All Cells" does, wait for their end, and give their outputs."""
        self.command("notebook:clear-all-cell-outputs")
        # Cells that are out of sight have no prompt to look at.
        cells = "const cells = book.widgets.map(each => each.model).filter(m => m.type === 'code');"
        ran = "return cells.every(each => each.executionCount)"
        assert not self.js(cells + ran)
        self.js("app.commands.execute('notebook:run-all-cells');")
        idle = " && widget.sessionContext.session.kernel.status === 'idle'"
        wait_for("all cells have run", lambda: self.js(cells + ran + idle), timeout)
        found: list[dict[str, Any]] = self.js(
            cells + "return cells.flatMap(each => each.outputs.toJSON())"
        )
        return found

    def prompt(self, index: int) -> str:
        """Give what stands before a cell: it has a star as long as the cell runs."""
        return str(
            self.js("return book.widgets[arguments[0]].inputArea.promptNode.textContent", index)
        )

    def running(self, index: int) -> bool:
        """Whether a cell runs. The kernel's status says idle after any click (ipykernel 7)."""
        return "*" in self.prompt(index)

    def wait(self, index: int, timeout: float = 60) -> list[dict[str, Any]]:
        """Wait for a cell's end and give its outputs."""
        wait_for(f"cell {index} ends", lambda: not self.running(index), timeout)
        return self.outputs(index)

    def run(self, index: int, timeout: float = 60) -> list[dict[str, Any]]:
        """Run a cell and give its outputs."""
        self.start(index)
        return self.wait(index, timeout)

    def value(self, index: int) -> Any:
        """Run a cell and give the JSON it printed."""
        (output,) = self.run(index)
        assert output["output_type"] == "stream", output
        return json.loads("".join(output["text"]))

    def outputs(self, index: int) -> list[dict[str, Any]]:
        """Give a cell's outputs, as they would be saved."""
        found: list[dict[str, Any]] = self.js(
            "return book.widgets[arguments[0]].model.outputs.toJSON()", index
        )
        return found

    def one(self, selector: str, text: str = "", panel: int = 0) -> Any:
        """Give the element of a panel that fits, waiting for it."""
        (found,) = wait_for(
            f"one {selector} {text}", lambda: self._single(self.all(selector, text, panel))
        )
        return found

    @staticmethod
    def _single(found: list[Any]) -> list[Any]:
        return found if len(found) == 1 else []

    def all(self, selector: str, text: str = "", panel: int = 0) -> list[Any]:
        """Give the elements of a panel that fit; with a text, those that say just that."""
        code = (
            "const panel = document.querySelectorAll('.omp-dash:not(.omp-static)')[arguments[2]];"
            "return panel ? [...panel.querySelectorAll(arguments[0])].filter("
            "each => !arguments[1] || each.textContent.trim() === arguments[1]) : []"
        )
        found: list[Any] = self.js(code, selector, text, panel)
        return found

    def click(self, text: str, panel: int = 0) -> None:
        """Click the button of a panel that says this."""
        self._reach(self.one("button", text, panel)).click()

    def _reach(self, element: Any) -> Any:
        self.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", element)
        return element

    def limit(self, label: str, threads: int) -> None:
        """Type a number into the box of a pool, and press Enter."""
        from selenium.webdriver.common.keys import Keys

        box = self._reach(wait_for(f"a box for {label}", lambda: self.box(label)))
        box.click()
        box.send_keys(Keys.CONTROL, "a")
        box.send_keys(str(threads), Keys.ENTER)

    def box(self, label: str) -> Any:
        """Give the number box in the row of a pool whose name begins so."""
        code = (
            "const row = [...document.querySelectorAll('.omp-dash:not(.omp-static) .omp-p')].find("
            "each => (each.querySelector('bdi') || each).textContent.startsWith(arguments[0]));"
            "const place = row && [...row.classList].find(each => /^omp-r\\d+$/.test(each));"
            "return place && document.querySelector(`.omp-dash .omp-box.${place} input`)"
        )
        return self.js(code, label)

    def message(self, panel: int = 0) -> str:
        """Give what the panel says about what was done last."""
        return str(self.one(".omp-msg", panel=panel).text)

    def says(self, part: str, panel: int = 0) -> str:
        """Wait until the panel's message holds this, and give it."""
        return str(
            wait_for(
                f"the panel says {part!r}",
                lambda: part in self.message(panel) and self.message(panel),
            )
        )

    def number(self) -> int:
        """Give the number of the tick that shows; -1 without a panel."""
        code = "const live = document.querySelector('.omp-dash:not(.omp-static) .omp-live');"
        return int(self.js(code + "return live ? live.dataset.tick : -1"))

    def panels(self) -> list[str]:
        """Give the number of the tick that each panel shows."""
        live = "[...document.querySelectorAll('.omp-dash:not(.omp-static) .omp-live')]"
        code = f"return {live}.map(each => each.dataset.tick)"
        return list(self.js(code))

    def next_tick(self) -> float:
        """Wait for another picture, and give when its tick was taken, in ms."""
        before = self.number()
        wait_for("a tick", lambda: self.number() > before)
        code = "return document.querySelector('.omp-dash:not(.omp-static) .omp-live').dataset.at"
        return float(self.js(code))

    def choose(self, choice: str) -> None:
        """Choose from the panel's list."""
        from selenium.webdriver.support.ui import Select

        Select(self._reach(self.one("select"))).select_by_visible_text(choice)

    def press(self, key: str) -> None:
        """Press a key, by its name in selenium."""
        from selenium.webdriver.common.action_chains import ActionChains
        from selenium.webdriver.common.keys import Keys

        ActionChains(self.driver).send_keys(getattr(Keys, key)).perform()

    def theme(self, name: str) -> None:
        """Change to JupyterLab's Light or Dark theme."""
        self.command("apputils:change-theme", {"theme": f"JupyterLab {name}"})
        light = "true" if name == "Light" else "false"
        code = "return document.body.dataset.jpThemeLight"
        wait_for(f"theme {name}", lambda: self.js(code) == light)
        time.sleep(0.5)  # its colours fade in

    def watch_frames(self) -> None:
        """Note from now on each new picture and how old it was when it came."""
        self.driver.execute_script(_FRAMES)

    def frames(self) -> list[tuple[int, float, float]]:
        """Give (number of the tick, its age in ms when it showed, when it showed in ms)."""
        return [(a, b, c) for a, b, c in self.driver.execute_script("return window.frames_seen")]

    def shot(self, name: str, element: str = ".omp-dash:not(.omp-static)") -> None:
        """Keep a picture of the page, and one of the panel alone."""
        SHOTS.mkdir(exist_ok=True)
        self.driver.save_screenshot(str(SHOTS / f"{name}.png"))
        for found in self.driver.find_elements("css selector", element)[:1]:
            found.screenshot(str(SHOTS / f"{name}_panel.png"))

    def complaints(self) -> list[str]:
        """Give what the browser's console holds of errors since it was last asked."""
        return [
            each["message"] for each in self.driver.get_log("browser") if each["level"] == "SEVERE"
        ]

    def save(self) -> Any:
        """Save the notebook and give it."""
        self.command("docmanager:save")
        return nbformat.read(self.path, as_version=4)  # type: ignore[no-untyped-call]  # as above

    def close(self) -> None:
        """End the kernel and close the notebook."""
        end = (
            "const done = arguments[arguments.length - 1];"
            "const widget = window.jupyterapp.shell.currentWidget;"
            "widget.context.save().then(() => widget.sessionContext.shutdown())"
            ".then(() => { widget.dispose(); done(''); }, error => done(String(error)));"
        )
        self.driver.execute_async_script(end)


def in_environment(lab: Lab, python: str | Path, cells: list[str]) -> Notebook:
    """Give a notebook whose kernel is another environment's Python and has the project."""
    spec = {
        "argv": [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "display_name": "Python 3",
        "language": "python",
        "env": {"PYTHONPATH": os.pathsep.join(map(str, (ROOT, TESTS)))},
    }
    folder = lab.home / "data" / "kernels" / "other"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "kernel.json").write_text(json.dumps(spec), "utf-8")
    path = lab.root / f"other{len(list(lab.root.glob('*.ipynb')))}.ipynb"
    write_notebook(path, cells, "other")
    return Notebook(lab, path)


def write_notebook(path: Path, cells: list[str], kernel: str = "python3") -> None:
    """Write a notebook of code cells."""
    spec = {"name": kernel, "display_name": "Python 3", "language": "python"}
    made = nbformat.v4.new_notebook(  # type: ignore[no-untyped-call]  # nbformat has no types
        cells=[nbformat.v4.new_code_cell(each) for each in cells],  # type: ignore[no-untyped-call]  # as above
        metadata={"kernelspec": spec},
    )
    nbformat.write(made, path)  # type: ignore[no-untyped-call]  # as above
