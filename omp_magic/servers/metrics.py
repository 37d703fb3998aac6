"""`omp_magic.metrics`: what a monitoring system is given of this process."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from ..api import snapshot
from ..errors import RequestError
from ..facts.libraries import Gap
from ..facts.series import Family
from ..here import HERE
from ..probes.filing import filed
from ..views.exposition import encodable_label, exposition
from ..views.series import FAMILIES, families_of
from .saying import own_failure

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

_LABEL = re.compile(r"(?!__)[a-zA-Z_][a-zA-Z0-9_]*")
_EXAMPLE = 'omp_magic.metrics(labels={"worker": "1"})'
_UNKNOWN = tuple(
    replace(family, samples=((("the metrics",), 1.0),))
    for family in FAMILIES
    if family.name == "omp_magic_unknown"
)


def metrics(
    registry: CollectorRegistry | None = None, *, labels: Mapping[str, str | float] | None = None
) -> str:
    """Give the content of a Prometheus endpoint: what is true of this process now.

    Its type is ``text/plain; version=0.0.4``. In it are the CPUs allowed and what bounds them, the
    threads by owner, the sizes of the pools, CPU time, memory, throttling, and the findings by code
    and severity; every name begins with ``omp_magic_``. What is not known has no sample. Nothing is
    loaded, started or set: a runtime is asked as `snapshot` does it, on the main thread alone what
    belongs to that thread, so that a scrape on another has no sizes of OpenMP's pools.

    Where ``prometheus_client`` is installed it writes the text, with the same samples. A failure
    of omp_magic is one logged line, and ``omp_magic_unknown{what="the metrics"}``.

    Parameters
    ----------
    registry
        A registry of ``prometheus_client``: what omp_magic tells is put into it, once, and the text
        is all that the registry has.
    labels
        Labels for each sample; a number, as `os.getpid` gives, is written as `str` writes it.
        Workers that answer at one address need one that tells them apart.

    Raises
    ------
    RequestError
        When `registry` is none, or has metrics of these names from somebody else; when a label's
        name is none, or taken. Nothing was registered then.

    Notes
    -----
    Names, units and ``_total``: "Metric and label naming" in Prometheus' documentation; of the
    text: "Exposition formats" there.

    Examples
    --------
    >>> import omp_magic
    >>> "omp_magic_cpus_allowed" in omp_magic.metrics()
    True
    """
    constant = _checked(labels or {})
    client = _client()
    if client is not None:
        written: str = client.text_of(registry, constant)
        return written
    if registry is not None:
        accepted = "no registry: prometheus_client is not installed here, or cannot be used"
        raise RequestError(repr(registry), accepted, "omp_magic.metrics()")
    return exposition(families_now(constant))


def families_now(constant: Mapping[str, str]) -> tuple[Family, ...]:
    """Give the families of this moment, each sample with the constant labels.

    A failure of omp_magic is one logged line, and a sample of ``omp_magic_unknown``: who scrapes a
    registry gets what others put into it.
    """
    try:
        families = _families()
    except Exception as error:  # noqa: BLE001 - law 7: a fault of ours never stops a scrape
        own_failure("the metrics were not taken", error)
        families = _UNKNOWN
    return tuple(labelled(family, constant) for family in families)


def _families() -> tuple[Family, ...]:
    ours = sys.modules[__name__.partition(".")[0]]
    facts = snapshot()
    gaps: list[Gap] = []
    cpu_s = time.process_time()
    rss_bytes = filed("resident memory", gaps, HERE.observer.machine.system.rss_bytes)
    for gap in gaps:
        facts = facts.with_gap(gap)
    return families_of(facts, ours.__version__, cpu_s, rss_bytes)


def labelled(family: Family, constant: Mapping[str, str]) -> Family:
    """Give a family with constant labels, and with values that UTF-8 can have."""
    more = tuple(constant.values())
    return replace(
        family,
        labels=(*family.labels, *constant),
        samples=tuple(
            (tuple(map(encodable_label, (*values, *more))), number)
            for values, number in family.samples
        ),
    )


def _checked(labels: Any) -> dict[str, str]:
    accepted = (
        "a dict of labels: names of letters, digits and _ that no metric here has, and texts or "
        "numbers"
    )
    taken = {name for family in FAMILIES for name in family.labels}
    try:
        given = dict(labels)
    except (TypeError, ValueError):
        raise RequestError(repr(labels), accepted, _EXAMPLE) from None
    for name, value in given.items():
        fits = isinstance(name, str) and _LABEL.fullmatch(name) and name not in taken
        if not fits or not isinstance(value, (str, int, float)):
            raise RequestError(f"{name}={value}", accepted, _EXAMPLE)
    return {name: str(value) for name, value in given.items()}


@cache
def _client() -> Any:
    """Give the module that knows prometheus_client; None where that cannot be imported.

    One that is installed and fails, or is too old, is told of once.
    """
    try:
        return import_module(".collector", __package__)
    except Exception as error:  # noqa: BLE001 - law 7: theirs may raise what it wants
        absent = isinstance(error, ModuleNotFoundError) and error.name == "prometheus_client"
        if not absent:
            own_failure("prometheus_client cannot be used", error)
        return None
