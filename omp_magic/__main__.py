"""``python -m omp_magic`` is the ``omp-magic`` command."""

import sys

from .cli import main

sys.exit(main())
