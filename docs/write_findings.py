"""Write docs/findings from the rules: a page for each code, and their table."""

from __future__ import annotations

from pathlib import Path

from omp_magic.rules.codes import CODES
from omp_magic.rules.explain import explain
from omp_magic.views.explain import render_index, render_markdown

FOLDER = Path(__file__).parent / "findings"


def pages() -> dict[str, str]:
    explanations = [explain(rule.code) for rule in CODES]
    found = {f"{each.rule.code}.md": render_markdown(each) for each in explanations}
    return {"README.md": render_index(explanations), **found}


if __name__ == "__main__":
    for name, text in pages().items():
        (FOLDER / name).write_text(text, "utf-8")
