"""Write docs/reference/words.md from `views.meanings`: what the words of the views mean."""

from __future__ import annotations

from pathlib import Path

from omp_magic.views.meanings import MEANINGS

PAGE = Path(__file__).parent / "reference" / "words.md"

_HEAD = """# The words

What the words in the status, the panel and the findings mean. `%omp_explain waiting` in a notebook,
and `omp-magic explain waiting` in a shell, say the same; in the panel it is the title of the word.

| word | what it means |
|---|---|
"""


def page() -> str:
    """Give the page."""
    rows = (f"| {word} | {meaning} |" for word, meaning in sorted(MEANINGS.items()))
    return _HEAD + "\n".join(rows) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
