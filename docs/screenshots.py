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
import os
import re
import shutil
import subprocess
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
import os, time
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
            take_others(lab)
            take_ten(lab)
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
            "%load_ext omp_magic\nimport ctypes\n%omp_dashboard",
            f"solver = ctypes.CDLL({str(home / 'solver' / runtime.name)!r})",
            "solver.omp_get_max_threads()",
            f"forest = ctypes.CDLL({str(home / 'forest' / runtime.name)!r})",
            "forest.omp_get_max_threads()",
        )
        for index in range(4):
            book.run(index)
        time.sleep(4)
        take(book, "warning", ".jp-Cell:nth-of-type(4) .omp-magic")
        take(book, "panel-error")
        # The kernel aborts, and the server starts another: Error #15.
        book.start(4)
        wait_for_end(book)
        take(book, "panel-ended")
        book.close()


def wait_for_end(book: Notebook) -> None:
    """Wait until the panel says that its kernel has ended, and put dialogs away."""
    from browser.lab import wait_for  # noqa: PLC0415 - found by main

    code = "return !!document.querySelector('.omp-dash.jupyter-widgets-disconnected')"
    wait_for("the panel says so", lambda: book.js(code), 60)
    time.sleep(2)
    book.js("document.querySelectorAll('.jp-Dialog .jp-mod-accept').forEach(each => each.click())")


def take_others(lab: Lab) -> None:
    """Take the picture of a kernel that others leave little of the CPUs to."""
    burn = "import os, time\nend = time.time() + 90\nwhile time.time() < end: pass"
    book = opened(
        lab,
        "import numpy as np, time\n%load_ext omp_magic\n%omp_dashboard",
        "a = np.ones((1200, 1200)); end = time.time() + 14\nwhile time.time() < end: a @ a",
        "a = np.ones((1200, 1200)); end = time.time() + 40\nwhile time.time() < end: a @ a",
    )
    book.run(0)
    book.run(1, 60)
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder, "train.py")
        script.write_text(burn, "utf-8")
        command = [sys.executable, str(script)]
        cpus = len(os.sched_getaffinity(0))
        others = [subprocess.Popen(command) for _ in range(cpus)]  # noqa: S603 - a file of ours
        try:
            book.start(2)
            time.sleep(12)
            take(book, "panel-others", says=r"^You get")
        finally:
            for each in others:
                each.kill()
                each.wait()
    book.wait(2, 90)
    book.close()


def take_ten(lab: Lab) -> None:
    """Take the picture of ten libraries, most of them idle, in an environment of their own."""
    from browser.notebook import in_environment  # noqa: PLC0415 - found by main
    from environments import POOLS, environment  # noqa: PLC0415 - as above

    load = "import torch, sklearn.cluster, scipy.linalg, numexpr, numba, cv2, pyarrow, xgboost"
    cells = (
        f"{load}, lightgbm, faiss\n%load_ext omp_magic\n%omp_dashboard",
        """\
import time; a = torch.ones((1500, 1500)); end = time.time() + 40
while time.time() < end: a @ a""",
    )
    book = alone(in_environment(lab, environment("pools", POOLS), list(cells)))
    book.run(0, 180)
    book.start(1)
    time.sleep(12)
    take(book, "panel-ten", says="none of them busy|fine")
    book.wait(1, 90)
    book.close()


def opened(lab: Lab, *cells: str) -> Notebook:
    """Give a notebook with nothing beside it, so that it has the page's width."""
    from browser.notebook import Notebook  # noqa: PLC0415 - found by main

    return alone(Notebook(lab, list(cells)))


def alone(book: Notebook) -> Notebook:
    """Give the notebook the page's width."""
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
