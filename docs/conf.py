"""How Sphinx builds the pages: `make docs`. Nothing is fetched while they are built."""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from made_pages import MADE  # noqa: E402 - it lies beside this file

from omp_magic import __version__  # noqa: E402 - as above

project = "omp_magic"
author = "omp_magic contributors"
copyright = author  # noqa: A001 - Sphinx's own name for it
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
# An option such as --run is copied, and a typographic dash is no option.
smartquotes = False
# Docstrings set names in single backticks; they are links where there is a page for the name.
default_role = "py:obj"
napoleon_google_docstring = False
napoleon_use_rtype = False
# The dataclasses say what their fields are in "Parameters".
python_maximum_signature_line_length = 88
autodoc_member_order = "bysource"
myst_heading_anchors = 3

html_theme = "furo"
html_title = f"omp_magic {__version__}"
html_theme_options = {
    "source_repository": "https://github.com/omp-magic/omp_magic/",
    "source_branch": "main",
    "source_directory": "docs/",
}


def setup(app: Any) -> None:
    """Let blocks have magics in them, and fill the pages that are made from the code."""
    lexers = "IPython.lib.lexers"  # where IPython 7 and 8 have them; 9 needs the package
    if find_spec("ipython_pygments_lexers"):
        lexers = "ipython_pygments_lexers"
    # GitHub colours blocks called python, and with Python's own lexer `%omp_limit?` is an error.
    app.add_lexer("python", import_module(lexers).IPython3Lexer)
    app.connect("source-read", fill)


def fill(_app: Any, name: str, text: list[str]) -> None:
    """Put what is made from the code where a page asks for it."""
    for mark, make in MADE.items():
        text[0] = text[0].replace(f"<!-- made by docs/conf.py: {mark} -->", make())
    if name == "findings/README":
        # GitHub would show a table of contents as code.
        text[0] += "\n```{toctree}\n:hidden:\n:glob:\n\nOMP*\n```\n"
