"""Run notebooks in a real Jupyter kernel: which pass, what a cell said; or save their outputs.

python notebooks/run.py notebooks/*.ipynb
python notebooks/run.py --show '%omp_status' notebooks/01_quickstart.ipynb
python notebooks/run.py --save notebooks/*.ipynb

A notebook is changed by --save only, and when every cell of it ran. A notebook whose metadata has
{"omp_magic": {"cpus": 0.5}} gets a kernel with so many CPUs, by the quota of a cgroup made for it;
where none can be made it runs as it is.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError

_LIMIT_S = 300
_ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    parser = argparse.ArgumentParser(description="Run notebooks in a real Jupyter kernel.")
    parser.add_argument("--show", metavar="LINE", help="print what cells with this line said")
    parser.add_argument("--save", action="store_true", help="write the outputs into the notebook")
    parser.add_argument("--no-quota", action="store_true", help="make no cgroup, as on Binder")
    parser.add_argument("notebooks", nargs="+", type=Path)
    options = parser.parse_args()
    began = time.monotonic()
    how = {"save": options.save, "quota": not options.no_quota}
    passed = [run(path, options.show, **how) for path in options.notebooks]
    if options.show is None:
        took = time.monotonic() - began
        print(f"{sum(passed)} passed, {passed.count(False)} failed in {took:.1f}s")
    return int(not all(passed))


def run(path: Path, show: str | None, *, save: bool, quota: bool) -> bool:
    """Run one notebook; tell whether every cell ran."""
    notebook = nbformat.read(path, as_version=4)
    folder = {"metadata": {"path": str(path.parent)}}
    client = NotebookClient(
        notebook,
        kernel_name="python3",
        extra_arguments=["--IPKernelApp.log_level=ERROR"],
        timeout=_LIMIT_S,
        resources=folder,
        record_timing=False,
        store_widget_state=False,
    )
    begun: list[int] = []
    client.on_cell_execute = lambda cell, cell_index: begun.append(cell_index)  # noqa: ARG005 - nbclient's names
    asked = notebook.metadata.get("omp_magic", {})
    print(f"running {path} in a Jupyter kernel ...", flush=True)
    try:
        with kernel_with(asked.get("cpus") if quota else None) as how:
            client.execute(**how)
    except (CellExecutionError, CellTimeoutError, RuntimeError) as error:  # it died: RuntimeError
        where = cell_at_fault(notebook, begun)
        print(f"{path} failed in {where}:\n{error}", file=sys.stderr, flush=True)
        return False
    for cell in notebook.cells:
        if show is not None and cell.cell_type == "code" and show in cell.source:
            print(f"\n[{cell.execution_count}] {cell.source}\n\n{said(cell)}")
    if save:
        write(notebook, path, asked)
    ran = sum(cell.cell_type == "code" for cell in notebook.cells)
    print(f"\n{path}: {ran} cells ran without an error", flush=True)
    return True


def cell_at_fault(notebook: nbformat.NotebookNode, begun: list[int]) -> str:
    """Say which cell was the last that began, and its first line."""
    if not begun:
        return "no cell: the kernel did not start"
    number = sum(cell.cell_type == "code" for cell in notebook.cells[: begun[-1] + 1])
    first = notebook.cells[begun[-1]].source.strip().split("\n")[0]
    return f"code cell {number} ({first})"


def write(notebook: nbformat.NotebookNode, path: Path, asked: dict[str, Any]) -> None:
    """Save a notebook without the paths of this machine, and say which were in it."""
    for name, where in without_paths(notebook):
        print(f"{path}: {name} is saved as /… in the outputs of code cell {where}")
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            # The widget ends with its kernel; JupyterLab would show an error in its place.
            output.get("data", {}).pop("application/vnd.jupyter.widget-view+json", None)
        if cell.cell_type == "code":
            cell.outputs = settled(cell.outputs)
    notebook.metadata = nbformat.from_dict(
        {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
            **({"omp_magic": asked} if asked else {}),
        }
    )
    nbformat.write(notebook, path)


def settled(outputs: list[Any]) -> list[Any]:
    """Give outputs as they stand at the end: a line that was drawn over and over once, as last.

    A progress bar sends a carriage return and itself again. JupyterLab shows the last one only; a
    page that shows a saved notebook, as GitHub's, shows them all.
    """
    found: list[Any] = []
    for output in outputs:
        last = found[-1] if found else None
        if output.output_type == "stream" and last is not None and last.get("name") == output.name:
            last.text += output.text
        else:
            found.append(output)
    for output in found:
        if output.output_type == "stream":
            lines = output.text.split("\n")
            output.text = "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in lines)
    return found


def machine_paths() -> dict[str, str]:
    """Give this machine's folders, the longest first, and what they are."""
    named = {
        sys.prefix: "the environment",
        sys.base_prefix: "the interpreter's folder",
        str(_ROOT): "the repository",
        str(Path.home()): "the home folder",
        tempfile.gettempdir(): "the temporary folder",
    }
    both = {each: name for path, name in named.items() for each in (path, os.path.realpath(path))}
    # What the system itself has, /usr or /, is on every machine.
    kept = {path: name for path, name in both.items() if path not in ("/", "/usr", "/usr/local")}
    return dict(sorted(kept.items(), key=lambda item: -len(item[0])))


def without_paths(notebook: nbformat.NotebookNode) -> list[tuple[str, int]]:
    """Replace this machine's paths in the outputs; give which, and the code cells they were in."""
    found = []
    code = (cell for cell in notebook.cells if cell.cell_type == "code")
    for place, cell in enumerate(code, 1):
        for path, name in machine_paths().items():
            pattern = re.compile(rf"(?<![\w.…-]){re.escape(path)}(?![\w-])")
            cell.outputs, times = replaced(cell.outputs, pattern)
            if times:
                found.append((name, place))
    return found


def replaced(value: Any, pattern: re.Pattern[str]) -> tuple[Any, int]:
    """Give a copy of an output with each match made "/…", and how many there were."""
    if isinstance(value, str):
        return pattern.subn("/…", value)
    if isinstance(value, list):
        parts = [replaced(each, pattern) for each in value]
        return [part for part, _ in parts], sum(times for _, times in parts)
    if isinstance(value, dict):
        named = {key: replaced(each, pattern) for key, each in value.items()}
        plain = {key: part for key, (part, _) in named.items()}
        return nbformat.from_dict(plain), sum(times for _, times in named.values())
    return value, 0


@contextlib.contextmanager
def kernel_with(cpus: float | None) -> Iterator[dict[str, Callable[[], None]]]:
    """Give how to start a kernel with so many CPUs: what subprocess.Popen takes."""
    if cpus is None:
        yield {}
        return
    tools = quota_tools()
    try:
        group = tools.make_group(cpus, "notebook")
    except OSError as error:
        print(f"without a quota: no cgroup can be made here ({error.strerror})", flush=True)
        yield {}
        return
    try:
        yield {"preexec_fn": partial(tools.enter_group, group)}
    finally:
        tools.remove_group(group)


def quota_tools() -> Any:
    """Give the module that makes cgroups; the benchmarks' folder is no package."""
    sys.path.insert(0, str(_ROOT / "benchmarks"))
    try:
        import quota  # noqa: PLC0415 - the folder is on the path only here
    finally:
        del sys.path[0]
    return quota


def said(cell: nbformat.NotebookNode) -> str:
    """Give what a cell said, as plain text."""
    parts = []
    for output in cell.outputs:
        if output.output_type == "stream":
            parts.append(output.text)
        elif "text/plain" in output.get("data", {}):
            parts.append(output.data["text/plain"])
    return "\n".join(part.rstrip() for part in parts)


if __name__ == "__main__":
    sys.exit(main())
