"""What omp-magic and IPython show in a terminal: its own width, colours, code that can be run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from live import LINUX

pytestmark = pytest.mark.skipif(not LINUX, reason="a pty, and runtimes of Linux")
_SEQUENCE = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")
_OURS = ("COLUMNS", "NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE")


def in_terminal(columns: int, *words: str, **variables: str) -> str:
    """Run this Python with `words` in a terminal of so many columns, and give what it showed."""
    import fcntl
    import pty
    import struct
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    environment = {name: text for name, text in os.environ.items() if name not in _OURS}
    process = subprocess.Popen(
        [sys.executable, *words],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**environment, "TERM": "xterm", **variables},
    )
    os.close(theirs)
    shown = bytearray()

    def read() -> None:
        try:
            while data := os.read(ours, 65536):
                shown.extend(data)
        except OSError:  # Linux says so when the last writer is gone
            pass

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        process.wait(timeout=120)
        reader.join(timeout=30)
    finally:
        process.kill()
        os.close(ours)
    return shown.decode().replace("\r\n", "\n")


def two_runtimes(folder: Path, libiomp5: str) -> str:
    """Make a module that loads two LLVM-family runtimes, below a folder with a long name."""
    other = folder / ("a-long-name" * 8) / "libiomp5.so"
    other.parent.mkdir()
    other.write_bytes(Path(libiomp5).read_bytes())
    (folder / "two_runtimes.py").write_text(
        f"import ctypes\nboth = [ctypes.CDLL(p) for p in ({str(other)!r}, {libiomp5!r})]\n"
    )
    return str(other)


def test_the_command_in_terminals_of_any_width(tmp_path: Path, libiomp5: str) -> None:
    other = two_runtimes(tmp_path, libiomp5)
    status = ("-m", "omp_magic", "status", "--import", "two_runtimes", "--cpus", "--threads")
    for columns in (40, 132):
        shown = in_terminal(columns, *status, PYTHONPATH=str(tmp_path))
        assert "\x1b[1;31m" in shown
        plain = _SEQUENCE.sub("", shown)
        assert plain.startswith("✖ This kernel will die")
        code = f"import ctypes; ctypes.CDLL('{other}', ctypes.RTLD_GLOBAL)"
        lines = plain.split("\n")
        assert code in [each.strip() for each in lines]
        assert "%omp_" not in plain
        assert "omp-magic explain OMP101" in plain
        said = [each for each in lines if not re.search("import|conda|libiomp5", each)]
        assert max(map(len, said)) <= columns
        assert max(map(len, said)) > columns - 12  # it is used, too


def test_colours_follow_the_conventions(tmp_path: Path, libiomp5: str) -> None:
    other = two_runtimes(tmp_path, libiomp5)
    path = {"PYTHONPATH": str(tmp_path)}
    status = ("-m", "omp_magic", "status", "--import", "two_runtimes")
    assert "\x1b" not in in_terminal(80, *status, **path, NO_COLOR="1")
    environment = {name: text for name, text in os.environ.items() if name not in _OURS}
    for words, forced in (
        (status, {"FORCE_COLOR": "1"}),
        (("-m", "omp_magic", "explain", "OMP101"), {"CLICOLOR_FORCE": "1"}),
        ((*status, "--json"), {"FORCE_COLOR": "1"}),
        (status, {"FORCE_COLOR": "1", "NO_COLOR": "1"}),
        (status, {}),
    ):
        ended = subprocess.run(
            [sys.executable, *words],
            check=False,
            capture_output=True,
            text=True,
            timeout=120,
            env={**environment, **path, **forced},
        )
        coloured = bool(forced) and "--json" not in words and "NO_COLOR" not in forced
        assert ("\x1b" in ended.stdout) == coloured, (words, forced)
        if not coloured and "--json" not in words:
            # No terminal, and COLUMNS is not set.
            said = [each for each in ended.stdout.split("\n") if other not in each]
            assert 80 < max(map(len, said)) <= 100


def test_ipython_in_a_terminal_has_its_width_and_colours() -> None:
    cell = "%load_ext omp_magic\n%omp_limit 64\n%omp_status"
    words = ("-m", "IPython", "--no-banner", "--no-confirm-exit", "--colors=NoColor", "-c", cell)
    shown = in_terminal(50, *words)
    plain = _SEQUENCE.sub("", shown)
    assert "64 threads on" in plain
    lines = plain[plain.index("Threads in this process") :].split("\n")
    assert max(map(len, lines)) <= 50
    # A result that IPython shows; `print(snapshot)` has none.
    told = "import omp_magic\nget_ipython().display_formatter.format(omp_magic.snapshot())"
    shown = in_terminal(50, *words[:-1], f"{told}[0]['text/plain'].count(chr(27)) > 3")
    assert "True" in _SEQUENCE.sub("", shown)
