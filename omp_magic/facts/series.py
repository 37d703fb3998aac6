"""What a monitoring system is given: families of samples, each a number with labels."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """One metric, as Prometheus' data model has it.

    Parameters
    ----------
    name
        Its name, without ``_total``.
    kind
        ``"gauge"``, or ``"counter"``, which only grows while the process lives.
    told
        What it is, with its unit.
    labels
        Names of the labels of its samples.
    samples
        (Values of the labels, number); a value that is not known has no sample.
    """

    name: str
    kind: str
    told: str
    labels: tuple[str, ...] = ()
    samples: tuple[tuple[tuple[str, ...], float], ...] = ()

    @property
    def sample_name(self) -> str:
        """The name of its samples: a counter's ends with ``_total``."""
        return f"{self.name}_total" if self.kind == "counter" else self.name
