"""Take the pictures in docs/images, of real kernels in a real JupyterLab and Chromium.

python docs/screenshots.py

A kernel is put into a cgroup with half a CPU and its pools are set to 16 threads, as where settings
of a larger machine were copied. Where no cgroup can be made the pictures are taken without, and a
line says so. The guard's warning needs intel-openmp of the test extra; where that has no wheel, its
pictures stay as they are.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import io
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from browser.lab import Lab
    from browser.notebook import Notebook

ROOT = Path(__file__).parent.parent
IMAGES = Path(__file__).parent / "images"
MOST_BYTES = 200_000
CPUS = 0.5
SIZE = (900, 3600)
"""Of the window: what is scrolled away is not drawn."""
SCALE = 2
"""Pixels to a point."""

_WORK = """\
import multiprocessing, os, time
multiprocessing.set_start_method("forkserver")
os.environ["OMP_NUM_THREADS"] = "16"
import numpy as np, scipy.linalg, threadpoolctl
from sklearn.cluster import KMeans
threadpoolctl.threadpool_limits(16, user_api="blas")
points, matrix = np.random.default_rng(0).random((6000, 8)), np.random.random((300, 300))
steps = (
    lambda: matrix @ matrix,
    lambda: scipy.linalg.lu_factor(matrix, check_finite=False),
    lambda: KMeans(8, n_init=1, max_iter=2, tol=0, init=points[:8]).fit(points),
)
def work(seconds, rest=0.0):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for step in steps:
            began = time.monotonic()
            step()
            time.sleep(rest * (time.monotonic() - began))
"""
_PHASES_S = {"light": 40, "idle": 6, "crowded": 36, "limited": 50}
_HURRIED_S = {"light": 5, "idle": 2, "crowded": 30, "limited": 30}
_TAKEN_S = 24
"""How long before a phase ends its picture is taken: a theme takes seconds to change."""

# A folder whose name may stand in a picture, if it can be made; else one for temporary files.
_HOME = Path("/opt/jupyter")


def main() -> int:
    parser = argparse.ArgumentParser(description="Take the pictures in docs/images.")
    parser.add_argument("--hurry", action="store_true", help="a shorter history in the panel")
    phases_s = _HURRIED_S if parser.parse_args().hurry else _PHASES_S
    # The tests' tools and the benchmarks' are in no package.
    sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "benchmarks")]
    import pytest  # noqa: PLC0415 - the tests' tools say by its exception what is missing
    from browser.lab import Lab, browser  # noqa: PLC0415 - found by the line above

    try:
        browser()
    except pytest.skip.Exception as missing:
        print(f"no pictures: {missing}")
        return 1
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as home:
        lab = Lab(Path(home) / "lab", SIZE, SCALE)
        try:
            take_live(lab, phases_s)
            take_warning(lab)
        finally:
            lab.close()
    sizes = {path.name: path.stat().st_size for path in sorted(IMAGES.glob("*.png"))}
    print("\n".join(f"{name}: {size // 1000} KB" for name, size in sizes.items()))
    return int(max(sizes.values()) > MOST_BYTES)


def take_live(lab: Lab, phases_s: dict[str, int]) -> None:
    """Take the pictures of the status and the panel: light work, too many threads, a limit."""
    book = opened(
        lab,
        "import os; print(os.getpid())",
        f"{_WORK}\n%load_ext omp_magic\n%omp_dashboard",
        f"%omp_limit 1\nwork({phases_s['light']}, 2.5)\n%omp_limit off",
        f"work({phases_s['crowded']})",
        "work(4)\n%omp_status",
        f"work({phases_s['limited']}, 1.6)",
    )
    with half_a_cpu(book.value(0)) as held:
        book.run(1)
        book.run(2, 120)
        time.sleep(phases_s["idle"])
        # Twice: the curve at the limit is then longer than the one before.
        book.run(3, 120)
        book.start(3)
        time.sleep(phases_s["crowded"] - _TAKEN_S)
        take(book, "panel", says=r"throttled [1-9]" if held else "")
        book.wait(3, 120)
        book.run(4)
        take(book, "status", ".jp-Cell:nth-of-type(5) .omp-magic")
        (auto,) = (each for each in book.all("button") if each.text.startswith("auto"))
        auto.click()
        book.says("auto")
        book.start(5)
        time.sleep(phases_s["limited"] - _TAKEN_S)
        take(book, "panel-auto", says=r"cell \[\d+\] running")
        book.wait(5, 120)
        book.close()


def take_warning(lab: Lab) -> None:
    """Take the pictures of the guard's warning before an Error #15."""
    runtime = Path(sys.prefix, "lib", "libiomp5.so")
    if not runtime.exists():
        print("no new picture of a warning: intel-openmp has a wheel for Linux on x86_64 only")
        return
    with named_folder() as home:
        for name in ("solver", "forest"):
            (home / name).mkdir()
            shutil.copy(runtime, home / name)
        book = opened(
            lab,
            "%load_ext omp_magic\nimport ctypes",
            f"solver = ctypes.CDLL({str(home / 'solver' / runtime.name)!r})",
            "solver.omp_get_max_threads()",
            f"forest = ctypes.CDLL({str(home / 'forest' / runtime.name)!r})",
        )
        for index in range(4):
            book.run(index)
        take(book, "warning", ".jp-OutputArea-output .omp-magic")
        book.close()


def opened(lab: Lab, *cells: str) -> Notebook:
    """Give a notebook with nothing beside it, so that it has the page's width."""
    from browser.notebook import Notebook  # noqa: PLC0415 - found by main

    book = Notebook(lab, list(cells))
    book.command("application:set-mode", {"mode": "single-document"})
    book.js("app.shell.collapseLeft(); app.shell.collapseRight();")
    return book


@contextlib.contextmanager
def half_a_cpu(pid: int) -> Iterator[bool]:
    """Hold a process to half a CPU, and tell whether that could be done."""
    import quota  # noqa: PLC0415 - found by main

    try:
        group = quota.make_group(CPUS, "notebook")
    except OSError as error:
        print(f"without a quota: no cgroup can be made here ({error.strerror})")
        yield False
        return
    try:
        quota.prefer_group(group)
        Path(group, "cgroup.procs").write_text(str(pid), "ascii")
        yield True
    finally:
        quota.remove_group(group)


@contextlib.contextmanager
def named_folder() -> Iterator[Path]:
    """Give a folder for a while; its name says nothing of this machine, if that can be had."""
    try:
        _HOME.mkdir()
    except OSError:
        home = Path(tempfile.mkdtemp())
    else:
        home = _HOME
    try:
        yield home
    finally:
        shutil.rmtree(home)


def take(book: Notebook, name: str, selector: str = ".omp-dash", says: str = "") -> None:
    """Keep a picture of an element in each theme, at a moment when it says something."""
    from browser.lab import wait_for  # noqa: PLC0415 - found by main

    def taken() -> bytes | None:
        # It changes twice a second, also between a look at its text and the picture.
        found = picture(book, selector) if holds() else None
        return found if holds() else None

    def holds() -> bool:
        return not says or re.search(says, book.one(".omp-live").text) is not None

    try:
        for theme in ("Light", "Dark"):
            book.theme(theme)
            small = smaller(wait_for(f"{name} says {says}", taken))
            (IMAGES / f"{name}-{theme.lower()}.png").write_bytes(small)
    finally:
        book.theme("Light")


def picture(book: Notebook, selector: str) -> bytes:
    """Give the picture of the last element that shows, as PNG."""
    code = (
        "const found = [...document.querySelectorAll(arguments[0])].filter("
        "each => each.getClientRects().length);"
        "const box = found[found.length - 1].getBoundingClientRect();"
        "return {x: box.x, y: box.y, width: box.width, height: box.height,"
        " bottom: document.querySelector('.jp-WindowedPanel-outer').getBoundingClientRect().bottom}"
    )
    box: dict[str, Any] = book.js(code, selector)
    if box["y"] + box["height"] > box.pop("bottom"):
        raise RuntimeError(f"{selector} is scrolled away: a higher window than {SIZE} is needed")
    # Chromium draws a box to the nearest pixels; with one more the page shows at the edge.
    for at, size in (("x", "width"), ("y", "height")):
        end = round((box[at] + box[size]) * SCALE) / SCALE
        box[at] = round(box[at] * SCALE) / SCALE
        box[size] = end - box[at]
    taken = book.driver.execute_cdp_cmd(
        "Page.captureScreenshot", {"format": "png", "clip": {**box, "scale": 1}}
    )
    return base64.b64decode(taken["data"])


def smaller(png: bytes) -> bytes:
    """Give a picture with 256 colours, which is a third of the size."""
    from PIL import Image  # noqa: PLC0415 - the browser extra's; the rest works without

    kept = io.BytesIO()
    few = Image.open(io.BytesIO(png)).convert("RGB").quantize(256, dither=Image.Dither.NONE)
    few.save(kept, "PNG", optimize=True)
    return kept.getvalue()


if __name__ == "__main__":
    sys.exit(main())
