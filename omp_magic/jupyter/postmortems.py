"""What a kernel says of those before it: a line when it is loaded, and all when asked."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection
from typing import Protocol

from ..facts.deaths import Deaths
from ..facts.remains import Remains
from ..here import HERE
from ..inquest import asked_about, deaths_in
from ..machine.python.recordfile import TOLD_AT, is_name, is_of
from ..machine.python.runtimefolder import runtime_folder
from ..probes.deaths import mark_record
from ..views.postmortem_words import told_line
from ..views.signs import encodable
from .arming import inherited


class Asking(Protocol):
    """The kernel that asks; what is not known is ""."""

    @property
    def kernel(self) -> str:
        """Its id."""

    @property
    def notebook(self) -> str:
        """Its notebook's path."""

    @property
    def folder(self) -> str:
        """The folder that it began in."""

    @property
    def path(self) -> str:
        """Its own record."""


def tell_of(recorder: Asking, names: Collection[str]) -> None:
    """Tell, in a line and once, why the kernel before this one died.

    A kernel of the same id is the one that the server has started anew. One of the same notebook
    alone may have been ended by whoever closed it, so it must have died in a cell.

    Parameters
    ----------
    recorder
        This kernel's.
    names
        Files that may be of its kernel or notebook.
    """
    found = deaths_in(
        HERE.observer.machine,
        os.path.dirname(recorder.path),
        of=names.__contains__,
        when=lambda each: _is_own(recorder, each) and not (each.told or each.asked),
        kernel=recorder.kernel,
    )
    kernel = recorder.kernel
    # What another kernel of the notebook died of is left to the one that follows it.
    own = tuple(each for each in found.deaths if kernel and each.remains.kernel == kernel)
    for each in own or found.deaths:
        mark_record(each.remains, TOLD_AT)
    for each in (own or found.deaths)[:1]:
        if each.notable or (each.cause == "unknown" and each.remains.kernel == kernel):
            print(encodable(told_line(each), sys.stderr), file=sys.stderr)


def asked(recorder: Asking, *, everything: bool) -> Deaths:
    """Give this notebook's deaths, or all of this user's.

    Parameters
    ----------
    recorder
        This kernel's.
    everything
        Whether those of other notebooks are asked about too.
    """
    kernel, notebook = recorder.kernel, recorder.notebook
    everything = everything or not (kernel or notebook)
    found = deaths_in(
        HERE.observer.machine,
        runtime_folder(),
        of=is_name if everything else lambda name: is_of(name, kernel, notebook),
        when=lambda each: everything or _is_own(recorder, each),
        whose="this user's kernels" if everything else "this notebook",
        kernel=kernel,
    )
    return asked_about(found)


def _is_own(recorder: Asking, remains: Remains) -> bool:
    """Tell whether what is left is of this kernel before it was started anew, or its notebook."""
    if recorder.kernel and remains.kernel == recorder.kernel:
        return True
    if not recorder.notebook or remains.notebook != recorder.notebook or not remains.same_host:
        return False
    same = os.path.isabs(recorder.notebook) or remains.folder == recorder.folder
    return same and not inherited(HERE.observer.machine, recorder.notebook)
