"""Writes docs/topics.md from the one table of topics, so that the two cannot disagree.

`python -m tools.make_topics_doc` writes the file; a test regenerates it and compares.
"""

from __future__ import annotations

from pathlib import Path

from schemas.topics import MESSAGE_BYTES_MAX, PARTITIONS_DEFAULT, TOPICS, Cleanup, Topic

TARGET = Path(__file__).parent.parent / "docs" / "topics.md"

_DAY_MS = 86_400_000
_DECISION = "[decision 0003](decisions/0003-partition-of-a-key.md)"
_INTRODUCTION = f"""\
# Topics

This page is written by `python -m tools.make_topics_doc` from `schemas/topics.py`; change that table, not this page.

Every topic has the deployment's partition count ({PARTITIONS_DEFAULT} unless told otherwise).
A record's partition is the first 32 bits of its key modulo that count ({_DECISION}).
So the command, the journal record and the state row of one merchant share a number.
A record has at most {MESSAGE_BYTES_MAX:,} bytes.
Nothing makes topics by itself: `ncc topics` creates and checks them, and a wrong partition count refuses to start.

"""


def render() -> str:
    """The whole page."""
    overview = ["| topic | producers | consumers | kept |", "|---|---|---|---|", *map(_row, TOPICS)]
    return "\n".join([_INTRODUCTION + "\n".join(overview), *map(_section, TOPICS)]) + "\n"


def kept(topic: Topic) -> str:
    """How long a topic's records stay, in a person's words."""
    if topic.cleanup is Cleanup.COMPACT:
        return "the newest of each key (compacted)"
    if topic.retention_ms < 0:
        return "for ever"
    return f"{topic.retention_ms // _DAY_MS} days"


def _row(topic: Topic) -> str:
    producers, consumers = ", ".join(topic.producers), ", ".join(topic.consumers)
    return f"| [`{topic.name}`](#{_anchor(topic.name)}) | {producers} | {consumers} | {kept(topic)} |"


def _section(topic: Topic) -> str:
    config = ", ".join(f"`{name}={value}`" for name, value in topic.config.items())
    facts = (
        f"- key: {topic.key}",
        f"- value: {topic.value}",
        f"- from {', '.join(topic.producers)} to {', '.join(topic.consumers)}",
        f"- kept: {kept(topic)} ({config})",
    )
    return "\n".join(["", f"## {topic.name}", "", topic.why, "", *facts])


def _anchor(name: str) -> str:
    """The heading's anchor as renderers make it: dots are dropped."""
    return name.replace(".", "")


def main() -> None:
    """Write the page."""
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text(render())
    print(f"topics  {TARGET.name} has {len(TOPICS)} topics")


if __name__ == "__main__":
    main()
