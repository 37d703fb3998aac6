"""The magics that write something down, or tell of what was before this kernel."""

from __future__ import annotations

from argparse import SUPPRESS

from IPython.core.magic import line_magic
from IPython.core.magic_arguments import argument, magic_arguments

from .asking import parsed


class Telling:
    """Adds its magics to the class that inherits it."""

    @magic_arguments()
    @argument("file", nargs="*", help="ends in .html, .txt, .md or .json")
    @argument("--force", action="store_true", help="replace a file that is there")
    @argument("-h", "--help", action="store_true", help=SUPPRESS)
    @line_magic
    def omp_report(self, line: str) -> None:
        """Write one file for a bug report: facts, findings with evidence, and versions.

        Home folder and user name are replaced, and variables outside the table are left out::

            %omp_report omp.html
        """
        options = parsed(self.omp_report, line, "FILE, --force", "%omp_report omp.html")
        if options is not None:
            from .answers import reported  # noqa: PLC0415 - see the top of the file

            reported(options.file, force=options.force)
