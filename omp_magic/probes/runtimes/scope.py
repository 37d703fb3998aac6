"""Which OpenMP runtime serves those that ask the global scope, and which copies nobody calls."""

from __future__ import annotations

import os

from ...knowledge.catalog import answers_for
from ...machine.port.native import Native
from .images import Image


def serves(image: Image, provider: Image | None) -> bool | None:
    """Tell whether a runtime is the one that answers; None where none does."""
    if provider is None or image.family.api != "openmp":
        return None
    return image is provider


def idle_of(image: Image, provider: Image | None, images: tuple[Image, ...]) -> bool | None:
    """Tell whether those linked with a runtime are bound to another one.

    They are when the other one was in the global scope before this one came, and has the
    functions that they call: libomp and libiomp5 have libgomp's too, libgomp does not have
    theirs (measured with LD_DEBUG=bindings: scikit-learn, xgboost and faiss after PyTorch). A
    statically linked copy is called directly.
    """
    if image.family.api != "openmp":
        return None
    if provider is None or image is provider or image.static:
        return False
    earlier = images.index(provider) < images.index(image)
    return earlier and answers_for(provider.family.kin, image.family.kin)


def passed_over(native: Native | None, images: tuple[Image, ...]) -> frozenset[int]:
    """Give the copies that nobody was bound to, though those beside them import their name.

    Windows' loader gives whom it finds under a name, so a package's DLLs may be bound to the copy
    of another: torch's are, in Wine, where a libiomp5md.dll was loaded before. Which copy it was
    stands in each DLL's import table. A copy beside which nobody imports it may have been opened
    to be called by its handle, and is not judged.
    """
    copies = [image for image in images if image.family.kin == "llvm" and not image.static]
    if native is None or len(copies) < 2:
        return frozenset()
    bound = native.bindings({image.mapped.file_name for image in copies})
    passed = set()
    for image in copies:
        name, folder = image.mapped.file_name.lower(), os.path.dirname(image.mapped.path)
        beside = [
            to
            for (base, wanted), to in bound.items()
            if wanted == name and os.path.dirname(native.path_of(base) or "") == folder
        ]
        answered = image.base in bound.values()
        if beside and not answered:
            passed.add(image.key)
    return frozenset(passed)
