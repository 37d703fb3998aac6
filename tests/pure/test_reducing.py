"""What is kept of a Python file in the recorded sites: what a walk over imports reads."""

from __future__ import annotations

import textwrap

import pytest
from foreign.reducing import reduced

CASES = {
    "imports, with the blocks around them": (
        '''
        """Text."""
        import os, sys
        VERSION = "1"
        try:
            from .fast import go
        except ImportError as error:
            raise RuntimeError("no: import") from error
        def later():
            import never
        ''',
        """
        import os, sys
        try:
            from .fast import go
        except ImportError as error:
            pass
        """,
    ),
    "an opened library, with what makes its path, and not the message": (
        '''
        import ctypes, os, sys
        HERE = os.path.dirname(__file__)
        OTHER = HERE + "x"
        def _load(name):
            """Load."""
            if sys.platform == "win32":
                return None
            path = os.path.join(HERE, name)
            message = f"no {path}"
            try:
                return ctypes.CDLL(path)
            except OSError as error:
                raise RuntimeError(message) from error
        _LIB = _load("libx.dylib")
        print(OTHER)
        ''',
        """
        import ctypes, os, sys
        HERE = os.path.dirname(__file__)
        def _load(name):
            if sys.platform == 'win32':
                return None
            path = os.path.join(HERE, name)
            try:
                return ctypes.CDLL(path)
            except OSError as error:
                raise
        _LIB = _load('libx.dylib')
        """,
    ),
    "a folder of DLLs": (
        """
        def _patch():
            import os
            if os.path.isdir(libs := os.path.join(os.path.dirname(__file__), os.pardir, 'x')):
                os.add_dll_directory(libs)
        _patch()
        del _patch
        """,
        """
        def _patch():
            if os.path.isdir((libs := os.path.join(os.path.dirname(__file__), os.pardir, 'x'))):
                os.add_dll_directory(libs)
        _patch()
        """,
    ),
    "a variable and the path of modules": (
        """
        import os, sys
        os.environ.setdefault("KMP_DUPLICATE_LIB_OK", "True")
        os.environ["HOME"] = "x"
        where: str = os.path.dirname(__file__)
        sys.path.insert(0, where)
        """,
        """
        import os, sys
        os.environ.setdefault('KMP_DUPLICATE_LIB_OK', 'True')
        where = os.path.dirname(__file__)
        sys.path.insert(0, where)
        """,
    ),
    "names of libraries that another file opens": (
        """
        from pathlib import Path
        def find():
            folder = Path(__file__).parent
            return [folder / "lib_x.dylib", folder / "lib_x.dll"]
        """,
        """
        from pathlib import Path
        def find():
            folder = Path(__file__).parent
            return [folder / 'lib_x.dylib', folder / 'lib_x.dll']
        """,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_what_counts_is_kept(name: str) -> None:
    source, wanted = (textwrap.dedent(each).strip() for each in CASES[name])
    assert _plain(reduced(source.encode())) == _plain(wanted)


def test_of_what_is_no_python_its_imports_are_kept() -> None:
    assert reduced(b"import a\nprint 'x'\nfrom b import c\n") == "import a\nfrom b import c"


def _plain(text: str) -> list[str]:
    """Give the lines without the blank ones that `ast.unparse` puts around definitions."""
    return [line for line in text.split("\n") if line]
