"""``python -m omp_magic`` is the ``omp-magic`` command."""

import os
import sys

if sys.argv[1:2] == ["run"]:
    # A file inspect.py in a notebook's folder must not keep its kernel from starting; ipykernel's
    # launcher does the same. The program that is started gets a path of its own.
    try:
        if sys.path[0] in ("", os.getcwd()):
            del sys.path[0]
    except OSError:
        pass  # the folder was removed, and Python has put none first

from .cli.main import main

sys.exit(main())
