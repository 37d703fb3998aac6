"""Where Jupyter keeps what belongs to running kernels; jupyter_core is asked where it is."""

from __future__ import annotations

import os
import sys


def runtime_folder() -> str:
    """Give Jupyter's runtime folder for this user; it may not be there.

    Without jupyter_core it is worked out as its `paths.jupyter_runtime_dir` does:
    JUPYTER_RUNTIME_DIR, else ``runtime`` below JUPYTER_DATA_DIR or the system's folder.
    """
    try:
        from jupyter_core.paths import jupyter_runtime_dir  # noqa: PLC0415 - where it is
    except ImportError:
        return _worked_out()
    return str(jupyter_runtime_dir())


def _worked_out() -> str:
    set_to = os.environ.get("JUPYTER_RUNTIME_DIR")
    if set_to:
        return set_to
    data = os.environ.get("JUPYTER_DATA_DIR") or _data_folder()
    return os.path.join(data, "runtime")


def _data_folder() -> str:
    home = os.path.expanduser("~")
    if sys.platform == "darwin":
        return os.path.join(home, "Library", "Jupyter")
    if sys.platform == "win32":
        return os.path.join(os.environ.get("APPDATA") or home, "jupyter")
    share = os.environ.get("XDG_DATA_HOME") or os.path.join(home, ".local", "share")
    return os.path.join(share, "jupyter")
