"""%omp_report in a real kernel whose user has an odd name, and in a shell."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from live import LINUX, Ended, Kernel, run_program

pytestmark = pytest.mark.skipif(not LINUX, reason="reads /proc: Linux only")

NAMES = ("qu\u00efnt o'zz", "zqwuser", "zqwlog", "zqwhub")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home that is reached by a link, with a library in it that is then loaded."""
    real = tmp_path / "zqwreal"
    real.mkdir()
    (tmp_path / NAMES[0]).symlink_to(real)
    return tmp_path / NAMES[0]


def environment(home: Path) -> dict[str, str]:
    return {
        "HOME": str(home),
        "USER": NAMES[1],
        "LOGNAME": NAMES[2],
        "JUPYTERHUB_USER": NAMES[3],
        "ZQW_SECRET": "zqwtoken",
        "OMP_NUM_THREADS": "2",
        "KMP_AFFINITY": f"x,{home}/f",
    }


def check(made: str, home: Path) -> None:
    """Check that no spelling of a name is in a report, and that it is one."""
    flat = re.sub(r"\s+", " ", made)
    for name in (*NAMES, "zqwreal", "zqwtoken", "ZQW_SECRET", str(home), str(home.resolve())):
        for spelled in (name, json.dumps(name)[1:-1], name.replace("'", "&#39;")):
            assert spelled not in flat, spelled
    assert "zqw" not in flat
    assert "OMP_NUM_THREADS" in flat
    assert "~/libzz/libiomp5.so" in made


def test_a_report_tells_nobodys_name(home: Path, libiomp5: str, tmp_path: Path) -> None:
    kernel = Kernel(env=environment(home))
    try:
        kernel.run("%load_ext omp_magic")
        kernel.run(
            "import ctypes, os, shutil, socket\n"
            "folder = os.path.expanduser('~/libzz'); os.mkdir(folder)\n"
            f"shutil.copy({libiomp5!r}, folder)\n"
            "lib = ctypes.CDLL(folder + '/libiomp5.so'); lib.omp_get_max_threads()\n"
            "os.environ['ZQW_LATER'] = 'zqwlater'\n"
            "asked = []\nreally = socket.socket.connect\n"
            "socket.socket.connect = lambda self, to: (asked.append(to), really(self, to))[1]\n"
            "import sys; before = set(sys.modules)"
        )
        for end in ("html", "txt", "md", "json"):
            path = tmp_path / f"omp report.{end}"
            reply = kernel.run(f"%omp_report '{path}'")
            assert reply.status == "ok", reply.stderr
            assert reply.stdout.startswith(f"omp_report: {path} is written; ")
            assert reply.stdout.count("\n") == 1
            made = path.read_text("utf-8")
            check(made, home)
            host = re.escape(str(kernel.value("socket.gethostname()")))
            assert not re.search(rf"\b{host}\b", made)
        check(kernel.value("__import__('omp_magic').snapshot().to_html()"), home)
        heavy = (
            "sorted({'numpy', 'pandas', 'ipywidgets', 'jupyterlab'} & (set(sys.modules) - before))"
        )
        assert kernel.value(heavy) == []
        assert kernel.value("asked") == []
        facts = json.loads((tmp_path / "omp report.json").read_text("utf-8"))
        tools = dict(facts["about"]["tools"])
        assert tools["ipykernel"] == kernel.value("__import__('ipykernel').__version__")
        assert tools["IPython"] == kernel.value("__import__('IPython').__version__")
        assert facts["about"]["made_at"].endswith(" UTC")
        assert len(facts["snapshot"]["threads"]["list"]) > 1
        refused(kernel, str(tmp_path / "omp report.html"))
    finally:
        kernel.close()


def refused(kernel: Kernel, there: str) -> None:
    """What is not written is one line with an example; --force replaces."""
    reply = kernel.run(f"%omp_report '{there}'")
    assert reply.ename == "UsageError"
    assert "found 'a file that is there: " in reply.stderr
    assert "--force to replace it; example: %omp_report " in reply.stderr
    assert kernel.run(f"%omp_report '{there}' --force").status == "ok"
    for words, told in (
        ("", "found 0 file names; accepted: one FILE, --force; example: %omp_report omp.html"),
        ("a.html b.html", "found 2 file names"),
        ("a.pdf", "ends in .html, .txt, .md, .json; example: %omp_report omp.html"),
    ):
        reply = kernel.run(f"%omp_report {words}")
        assert (reply.ename, reply.stderr.count("\n")) == ("UsageError", 1)
        assert told in reply.stderr


def test_the_command_writes_a_report(home: Path, libiomp5: str, tmp_path: Path) -> None:
    (home / "libzz").mkdir()
    (home / "libzz" / "libiomp5.so").write_bytes(Path(libiomp5).read_bytes())
    (tmp_path / "loading.py").write_text(
        "import ctypes, os\nctypes.CDLL(os.path.expanduser('~/libzz/libiomp5.so'))\nprint('said')\n"
    )

    def command(*words: str, **env: Any) -> Ended:
        line = [sys.executable, "-m", "omp_magic", "report", *words]
        path = {"PYTHONPATH": str(tmp_path)}
        return run_program(line, 120, {**environment(home), **path, **env})

    path = str(tmp_path / "omp.html")
    ended = command(path, "--import", "loading")
    assert (ended.code, ended.err) == (0, "said\n")
    assert ended.out.startswith(f"omp-magic report: {path} is written; ")
    check(Path(path).read_text("utf-8"), home)
    again = command(path)
    assert (again.code, again.out) == (2, "")
    assert f"example: omp-magic report {path} --force" in again.err
    assert command("x.pdf").code == 2
    assert command(str(tmp_path / "y.md"), "--import", "no_such_module").code == 2
    assert not (tmp_path / "y.md").exists()
