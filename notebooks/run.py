"""Run notebooks in a real Jupyter kernel: show what a cell said, or save the outputs.

python notebooks/run.py --show '%omp_status' notebooks/01_quickstart.ipynb
python notebooks/run.py --save notebooks/*.ipynb

A notebook whose metadata has {"omp_magic": {"cpus": 0.5}} gets a kernel with so many CPUs, by the
quota of a cgroup made for it; where none can be made it runs as it is.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

_LIMIT_S = 300


def main() -> int:
    parser = argparse.ArgumentParser(description="Run notebooks in a real Jupyter kernel.")
    parser.add_argument("--show", metavar="LINE", help="print what cells with this line said")
    parser.add_argument("--save", action="store_true", help="write the outputs into the notebook")
    parser.add_argument("notebooks", nargs="+", type=Path)
    options = parser.parse_args()
    return max(run(path, options.show, save=options.save) for path in options.notebooks)


def run(path: Path, show: str | None, *, save: bool) -> int:
    """Run one notebook; 0 when every cell ran, 1 when one failed."""
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
    asked = notebook.metadata.get("omp_magic", {})
    print(f"running {path} in a Jupyter kernel ...", flush=True)
    try:
        with kernel_with(asked.get("cpus")) as how:
            client.execute(**how)
    except CellExecutionError as error:
        print(f"{path} failed:\n{error}", file=sys.stderr)
        return 1
    for cell in notebook.cells:
        if show is not None and cell.cell_type == "code" and show in cell.source:
            print(f"\n[{cell.execution_count}] {cell.source}\n\n{said(cell)}")
    if save:
        notebook.metadata = nbformat.from_dict(
            {
                "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
                "language_info": {"name": "python"},
                **({"omp_magic": asked} if asked else {}),
            }
        )
        nbformat.write(notebook, path)
    ran = sum(cell.cell_type == "code" for cell in notebook.cells)
    print(f"\n{path}: {ran} cells ran without an error")
    return 0


@contextlib.contextmanager
def kernel_with(cpus: float | None) -> Iterator[dict[str, Callable[[], None]]]:
    """Give how to start a kernel with so many CPUs: what subprocess.Popen takes."""
    if cpus is None:
        yield {}
        return
    quota = quota_tools()
    try:
        group = quota.make_group(cpus, "notebook")
    except OSError as error:
        print(f"without a quota: no cgroup can be made here ({error.strerror})", flush=True)
        yield {}
        return
    try:
        yield {"preexec_fn": partial(quota.enter_group, group)}
    finally:
        quota.remove_group(group)


def quota_tools() -> Any:
    """Give the module that makes cgroups; the benchmarks' folder is no package."""
    sys.path.insert(0, str(Path(__file__).parent.parent / "benchmarks"))
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
