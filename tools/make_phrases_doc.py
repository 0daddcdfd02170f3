"""Writes docs/phrases.md from the built-in texts, so that a shop's own can be written beside them.

`python -m tools.make_phrases_doc` writes the file; a test renders it and compares.
"""

from __future__ import annotations

from pathlib import Path

from schemas.texts import BUILT_IN, placeholders
from schemas.texts.phrases import Language, Phrase

TARGET = Path(__file__).parent.parent / "docs" / "phrases.md"

_INTRODUCTION = """\
# Phrases

This page is written by `python -m tools.make_phrases_doc` from `schemas/texts/english.py`.
Change that, not this page.

What buyers are told, by name. `ncc merchant set SHOP language=de` chooses the language of a shop (`en`, `de` or `es`);
an order may name another one, and is then answered in it.

```
ncc merchant set SHOP 'texts={"completed": "Thank you, come again!", "collect": "Come to {place} from 9 to 5."}'
```

sets texts of the shop's own.
Each may use the placeholders of its phrase, and need not; another one is refused in a sentence.
Setting `texts` again replaces all of them, and `texts={}` takes them back.
What begins with `part_` stands inside a sentence.

| phrase | built-in text | placeholders |
|---|---|---|
"""


def render() -> str:
    """The page as it has to stand."""
    rows = "".join(_row(phrase, BUILT_IN[Language.ENGLISH][phrase]) for phrase in Phrase)
    return _INTRODUCTION + rows


def _row(phrase: Phrase, text: str) -> str:
    names = ", ".join(f"`{name}`" for name in sorted(placeholders(text)))
    return f"| `{phrase}` | {text} | {names} |\n"


if __name__ == "__main__":
    TARGET.write_text(render())
    print(f"phrases {TARGET.name} has {len(Phrase)} phrases in {len(BUILT_IN)} languages")
