"""Tags as a fuzzed text: one tag a line, its elements between tabs; a line may be repeated, each time a little new."""

from __future__ import annotations

from tests.fuzz.target import MARK, Tape

REPEATS = (1, 30, 300, 1_000, *(1,) * 12)
"""Mostly once: many tags are slow, and a search lives on being fast."""
TAGS_MAX = 2_000
ELEMENTS_MAX = 32
CHARACTERS_MAX = 100_000
"""Roughly what an event of 128 kB has room for."""


def read_tags(tape: Tape, most: int = TAGS_MAX) -> tuple[tuple[tuple[str, ...], ...], str]:
    """The tags and the content (the text after an empty line), within the bounds that parsing an event keeps.

    One choice says how often the last line comes; `#` in it becomes the repetition's number, so that
    caches and sets cannot hide what many different values cost.
    """
    repeats = REPEATS[tape.choice(len(REPEATS))]
    head, _, content = tape.text().partition("\n\n")
    lines = [tuple(line.split("\t")[:ELEMENTS_MAX]) for line in head.split("\n") if line]
    tags = lines[:most]
    if lines and repeats > 1:
        size = sum(len(text.replace("#", str(repeats))) for text in lines[-1]) + 8
        count = min(repeats, most - len(tags), CHARACTERS_MAX // size)
        tags += [tuple(text.replace("#", str(number)) for text in lines[-1]) for number in range(count)]
    return tuple(tags), content


def written(tags: tuple[tuple[str, ...], ...], content: str = "") -> str:
    """Tags as such a text."""
    lines = "\n".join("\t".join(tag) for tag in tags)
    return f"{lines}\n\n{content}" if content else lines


def marked(tags: tuple[tuple[str, ...], ...]) -> tuple[tuple[str, ...], ...]:
    """The tags and one more that holds the mark."""
    return (*tags, ("t", MARK))
