"""The Windows Python itself: what the other tests rest on."""

from __future__ import annotations

from wine import windows


def test_it_is_a_windows_python_that_finds_this_omp_magic() -> None:
    told = windows.value("""
        import json, os, sys
        import omp_magic
        print(json.dumps([sys.platform, list(sys.version_info[:2]), omp_magic.__file__]))
    """)
    assert told[:2] == ["win32", [3, 11]]
    assert told[2].startswith(r"C:\Python311\Lib\site-packages\omp_magic")
