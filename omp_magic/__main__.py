"""``python -m omp_magic`` is the ``omp-magic`` command."""

import sys

from .cli.main import main

sys.exit(main())
