"""What omp_magic tells, for a registry of prometheus_client; the one file that imports it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, cast
from weakref import WeakKeyDictionary

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from ..errors import RequestError
from ..facts.series import Family
from ..here import HERE
from ..views.series import FAMILIES
from .metrics import families_now

if TYPE_CHECKING:
    from prometheus_client.registry import Collector

_EXAMPLE = "omp_magic.metrics(registry=prometheus_client.REGISTRY)"
_KINDS: dict[str, type[CounterMetricFamily | GaugeMetricFamily]] = {
    "counter": CounterMetricFamily,
    "gauge": GaugeMetricFamily,
}


class OmpMagicCollector:
    """Gives the families of the moment whenever a registry asks.

    Without the base ``registry.Collector``, which 0.12 has not: a registry asks for methods alone.

    Parameters
    ----------
    constant
        Labels for each sample.
    """

    def __init__(self, constant: Mapping[str, str]) -> None:
        self.constant = constant

    def collect(self) -> Iterator[Metric]:
        """Give what is true now."""
        return map(_metric, families_now(self.constant))

    def describe(self) -> Iterator[Metric]:
        """Give the names, for which nothing is looked at."""
        return map(_metric, FAMILIES)


def text_of(registry: CollectorRegistry | None, constant: Mapping[str, str]) -> str:
    """Give the text of a registry that has what omp_magic tells; of that alone when None.

    Raises
    ------
    RequestError
        When it is no registry, or somebody else has these names in it.
    """
    if registry is None:
        alone = cast("CollectorRegistry", OmpMagicCollector(constant))
        return generate_latest(alone).decode("utf-8")
    _register(registry, constant)
    return generate_latest(registry).decode("utf-8")


def _register(registry: Any, constant: Mapping[str, str]) -> None:
    accepted = "a prometheus_client.CollectorRegistry without metrics of these names"
    if not isinstance(registry, CollectorRegistry):
        raise RequestError(repr(registry), accepted, _EXAMPLE)
    with HERE.lock:  # two scrapes may be the first
        known = _REGISTERED.get(registry)
        if known is not None:
            known.constant = constant or known.constant
            return
        collector = OmpMagicCollector(constant)
        try:
            registry.register(cast("Collector", collector))
        except ValueError as error:
            raise RequestError(str(error), accepted, _EXAMPLE) from None
        _REGISTERED[registry] = collector


def _metric(family: Family) -> Metric:
    made: CounterMetricFamily | GaugeMetricFamily
    made = _KINDS[family.kind](family.name, family.told, labels=family.labels)
    for values, number in family.samples:
        made.add_metric(values, number)
    return made


_REGISTERED: WeakKeyDictionary[CollectorRegistry, OmpMagicCollector] = WeakKeyDictionary()
"""By registry, what was put into it: a scrape asks for the same again."""
