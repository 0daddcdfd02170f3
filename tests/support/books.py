"""The auditor's books over histories of tests, which have to be in order."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson

from schemas.codec import encode
from schemas.messages import JournalRecord
from services.audit.books import Books


def as_json(record: JournalRecord) -> dict[str, Any]:
    """A record as plain JSON, which is all that the books ever see."""
    plain: dict[str, Any] = orjson.loads(encode(record))
    return plain


def enter(books: Books, *records: JournalRecord) -> Books:
    """Enter records that must break nothing."""
    for record in records:
        breaches = books.enter(as_json(record))
        assert not breaches, "; ".join(map(str, breaches))
    return books


def audited(records: Iterable[JournalRecord]) -> Books:
    """The books of one partition's whole history, in order."""
    return enter(Books(), *records)
