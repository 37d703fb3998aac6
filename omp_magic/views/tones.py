"""Colours of drawings: those of the style, and what they are without it."""

from __future__ import annotations

TONES = {
    name: f"var(--{name},{plain})"
    for name, plain in (
        ("brand", "#2e86de"),
        ("idle", "#9cc6ee"),
        ("band", "#c3c8ce"),
        ("ok", "#3d8b40"),
        ("warn", "#b9770e"),
        ("err", "#d2494a"),
        ("dim", "#777"),
        ("line", "#999"),
    )
}
"""By name, as an SVG attribute has it: a picture shows all the same where the style is missing."""
