"""Paths and variables as few have them, and as Windows allows them."""

from __future__ import annotations

from wine import windows

LONG = """
import ctypes, json, os, shutil
import inside, omp_magic
numpy = __import__("numpy")
folder = os.path.abspath("a" + chr(92) + chr(92).join(["folder"] * 45))
folder = chr(92) * 2 + "?" + chr(92) + folder
os.makedirs(folder)
path = os.path.join(folder, "libiomp5md.dll")
shutil.copyfile(inside.INTEL, path)
"""


def test_a_library_whose_path_is_longer_than_260_characters_hides_no_other() -> None:
    predicted, libraries, gaps, limited = windows.value(
        LONG
        + """
from omp_magic.loader.imports import predict_dlopen
predicted = predict_dlopen(path)
library = ctypes.CDLL(path)
facts = omp_magic.snapshot()
with omp_magic.limit(1):
    limited = [each.num_threads for each in omp_magic.snapshot().libraries]
libraries = [[each.family, len(each.path) > 260, each.initialized] for each in facts.libraries]
print(json.dumps([list(predicted), libraries, [each.what for each in facts.gaps], limited]))
"""
    )
    assert [len(each) > 260 for each in predicted] == [True]
    assert libraries == [["openblas", False, True], ["libiomp5", True, False]]
    assert gaps == ["environment at start"]
    assert limited == [1, None]


def test_every_variable_is_read_whatever_it_holds() -> None:
    told, there = windows.value("""
        import ctypes, json, os
        import inside
        from omp_magic.machine.here import variables_here
        set_it = ctypes.CDLL("kernel32")["SetEnvironmentVariableW"]
        set_it.argtypes = (ctypes.c_wchar_p, ctypes.c_wchar_p)
        for name, value in (("A_1", chr(0x1F600)), ("A_2", chr(0x1F600) * 2), ("A_3", ""),
                            ("a_lower", "x"), ("A_4", "x" * 32766), ("A_5", "a=b"),
                            ("A_6", "%PATH%")):
            assert set_it(name, value)
        told = variables_here().read()
        there = {name.upper(): value for name, value in inside.environment().items()}
        print(json.dumps([{name.decode(): value.decode() for name, value in told.items()},
                          {name: value for name, value in there.items() if name[0] != "="}]))
    """)
    assert told == there
    assert {f"A_{number}" for number in range(1, 7)} | {"A_LOWER"} <= set(told)


def test_a_package_is_known_by_the_folder_of_what_is_mapped() -> None:
    """Python says C:\\..., the list of modules C:/..., and either may be in another case."""
    assert windows.value("""
        import json, os, sys
        import numpy
        from omp_magic.machine import Machine
        from omp_magic.machine.python.own import lies_in, real_path
        mapped = [each.path for each in Machine.here().system.process_map().mapped]
        folder = os.path.dirname(numpy.__file__)
        found = [
            {each.rpartition("/")[2] for each in mapped if lies_in(form(each), real_path(given))}
            for form in (str, str.upper) for given in (folder, folder.upper(), folder + ".libs")
        ]
        print(json.dumps([any("umath" in name for name in each) for each in found]
                         + [any("openblas" in name for name in each) for each in found]))
    """) == [*[True, True, False] * 2, *[False, False, True] * 2]


def test_a_library_is_predicted_whole_in_whatever_form_it_is_asked_for() -> None:
    told = windows.value(r"""
        import ctypes, json, os, shutil
        import inside
        from omp_magic.loader.imports import predict_dlopen
        os.mkdir("below")
        here, wrong = os.getcwd(), []
        long_form = chr(92) * 2 + "?" + chr(92)
        forms = (r".\{}", "./{}", r"below\..\{}", here[:2] + "{}", here[2:] + r"\{}",
                 here + r"\{}", here.replace(chr(92), "/") + "/{}", here.upper() + r"\{}",
                 long_form + here + r"\{}")
        for number, form in enumerate(forms):
            file = f"n{number}.dll"
            shutil.copyfile(r"C:\Python311\libffi-8.dll", file)
            predicted = predict_dlopen(form.format(file))
            before = set(inside.modules())
            ctypes.CDLL(form.format(file))
            new = [each.lower().replace(chr(92), "/") for each in inside.modules()
                   if each not in before]
            if [each.lower() for each in predicted] != new or predict_dlopen(form.format(file)):
                wrong.append([form, list(predicted), new])
        print(json.dumps(wrong))
    """)
    assert told == []
