"""JSON in an event's content, as profiles and applications have it (NIP-01)."""

from __future__ import annotations

from typing import Any

import orjson

from schemas import limits
from schemas.market.reading import TagReader, cut


def content_of(tags: TagReader, text: str) -> dict[str, Any]:
    """The object in a content; none at all, with a warning, where there is something else."""
    try:
        content = orjson.loads(text) if text.strip() else {}
    except orjson.JSONDecodeError:
        content = None
    if not isinstance(content, dict):
        tags.warn("bad_content")
        return {}
    return content


def text_in(tags: TagReader, content: dict[str, Any], name: str) -> str | None:
    """A text of the object, stripped and cut as a title is; None where there is none."""
    text = content.get(name)
    if not isinstance(text, str) or not text.strip():
        return None
    return cut(tags, name, text.strip(), limits.TITLE)
