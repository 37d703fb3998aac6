"""A notebook that is open in the browser, with the dashboard below its first cell."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

from places import ROOT, TESTS

from browser.lab import Lab, wait_for
from browser.page import Page

OPEN = """\
import os
os.environ["OPENBLAS_THREAD_TIMEOUT"] = "4"  # waiting threads sleep
import json, time, numpy as np
%load_ext omp_magic
%omp_dashboard
"""
COUNT = "from threadpoolctl import threadpool_info as pools; print(pools()[0]['num_threads'])"
"""How many threads then work is counted by `tests/process/test_limit_working.py`."""
LOOPS = {
    "pure Python loop": "end = time.time() + {0}; x = 0\nwhile time.time() < end: x += 1",
    "matmul loop": (
        "a = np.ones((1500, 1500)); end = time.time() + {0}\nwhile time.time() < end: a @ a"
    ),
    "sleep": "time.sleep({0})",
}
"""Cells by what they do; {0} is for how many seconds."""

# The application's own objects, by expose_app_in_browser; Notebook 7 is made of JupyterLab's.
_LAB = "const app = window.jupyterapp, widget = app.shell.currentWidget, book = widget.content; "


class Notebook(Page):
    """One notebook, open in the browser.

    Parameters
    ----------
    lab
        Where it is opened.
    cells
        The code of its cells; or a notebook's file below the lab's root.
    at
        Whose address: "lab/tree" or "notebooks", which is Notebook 7.
    """

    def __init__(self, lab: Lab, cells: list[str] | Path, at: str = "lab/tree") -> None:
        super().__init__(lab)
        self._at = at
        self.path = cells if isinstance(cells, Path) else new_notebook(lab, cells)
        self.load()

    def load(self) -> None:
        """Load the page, anew if it was loaded."""
        # A page that would lose something asks before it goes.
        self.script("window.onbeforeunload = null;")
        self.driver.get(f"{self.lab.url}/{self._at}/{self.path.relative_to(self.lab.root)}?reset")
        ready = (
            "return !!(widget && widget.sessionContext && widget.sessionContext.isReady"
            " && widget.sessionContext.session && widget.sessionContext.session.kernel"
            " && widget.sessionContext.session.kernel.status === 'idle' && book.widgets.length)"
        )
        wait_for("the notebook is open", lambda: self.js(ready), 60)
        self.complaints()  # those of the page before

    def js(self, code: str, *arguments: Any) -> Any:
        """Run code in the page, with the notebook as `book`."""
        return self.script(_LAB + code, *arguments)

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

    def interrupt(self, index: int) -> list[dict[str, Any]]:
        """Interrupt the cell that runs, wait for its end and give its outputs."""
        self.js("return widget.sessionContext.session.kernel.interrupt()")
        return self.wait(index)

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

    def theme(self, name: str) -> None:
        """Change to JupyterLab's Light or Dark theme."""
        self.command("apputils:change-theme", {"theme": f"JupyterLab {name}"})
        light = "true" if name == "Light" else "false"
        code = "return document.body.dataset.jpThemeLight"
        wait_for(f"theme {name}", lambda: self.js(code) == light)
        time.sleep(0.5)  # its colours fade in

    def save(self) -> Any:
        """Save the notebook and give it."""
        import nbformat

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
    return Notebook(lab, new_notebook(lab, cells, "other"))


def new_notebook(lab: Lab, cells: list[str], kernel: str = "python3") -> Path:
    """Write a notebook of code cells below the lab's root."""
    path = lab.root / f"{len(list(lab.root.glob('*.ipynb')))}.ipynb"
    write_notebook(path, cells, kernel)
    return path


def write_notebook(path: Path, cells: list[str], kernel: str = "python3") -> None:
    """Write a notebook of code cells."""
    import nbformat

    spec = {"name": kernel, "display_name": "Python 3", "language": "python"}
    made = nbformat.v4.new_notebook(  # type: ignore[no-untyped-call]  # nbformat has no types
        cells=[nbformat.v4.new_code_cell(each) for each in cells],  # type: ignore[no-untyped-call]  # as above
        metadata={"kernelspec": spec},
    )
    nbformat.write(made, path)  # type: ignore[no-untyped-call]  # as above
