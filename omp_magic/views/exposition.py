"""Families of samples -> Prometheus' text format 0.0.4.

The format, and what is escaped in it: "Text-based format" in Prometheus' documentation
(prometheus.io/docs/instrumenting/exposition_formats).
"""

from __future__ import annotations

from collections.abc import Iterable

from ..facts.series import Family


def exposition(families: Iterable[Family]) -> str:
    r"""Give the text of a scrape.

    Examples
    --------
    >>> from omp_magic.facts.series import Family
    >>> rows = ((("a\nb",), 2.0),)
    >>> text = exposition([Family(name="x", kind="gauge", told="X.", labels=("of",), samples=rows)])
    >>> print(text, end="")
    # HELP x X.
    # TYPE x gauge
    x{of="a\nb"} 2.0
    """
    lines = []
    for family in families:
        name = family.sample_name
        lines += [f"# HELP {name} {_help(family.told)}", f"# TYPE {name} {family.kind}"]
        lines += [
            f"{name}{_labels(family.labels, values)} {number!r}"
            for values, number in family.samples
        ]
    return "".join(f"{line}\n" for line in lines)


def encodable_label(value: str) -> str:
    """Give a label's value as UTF-8 can have it: a path may hold bytes that are no text."""
    return value.encode("utf-8", "backslashreplace").decode("utf-8")


def _labels(names: tuple[str, ...], values: tuple[str, ...]) -> str:
    pairs = ",".join(f'{n}="{_value(v)}"' for n, v in zip(names, values, strict=True))
    return f"{{{pairs}}}" if pairs else ""


def _help(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")


def _value(text: str) -> str:
    return _help(encodable_label(text)).replace('"', '\\"')
