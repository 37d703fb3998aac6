"""``python -m omp_magic`` is the ``omp-magic`` command."""

import os
import sys

if sys.argv[1:2] == ["run"] and sys.path[:1] in ([""], [os.getcwd()]):
    # A file inspect.py in a notebook's folder must not keep its kernel from starting; ipykernel's
    # launcher does the same. The program that is started gets a path of its own.
    del sys.path[0]

from .cli.main import main

sys.exit(main())
