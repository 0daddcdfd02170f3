"""A merchant's own events, signed elsewhere, handed in by a person: read at once, however long ago they are dated.

Relays are followed from where they were left, so an old event that comes to one late would wait for the next start.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from fastapi import FastAPI, HTTPException, status
from pydantic import BaseModel, Field

from schemas import limits
from schemas.nostr.kinds import Kind
from schemas.nostr.nip01 import EventRefused, check_id, check_sig, parse_event
from services.api.raw_events import HANDED_MAX, Raw, headers_of

KINDS = frozenset({Kind.PRODUCT, Kind.COLLECTION, Kind.SHIPPING_OPTION})


class Handed(BaseModel):
    """Signed events as their relays have them: JSON, each as a text."""

    events: tuple[str, ...] = Field(min_length=1, max_length=HANDED_MAX)


def add_routes(app: FastAPI, guarded: Sequence[Any], raw: Raw, is_hosted: Callable[[str], bool]) -> None:
    """`POST /events/MERCHANT` takes listings, collections and shipping options that this merchant signed."""

    @app.post("/events/{public_key}", dependencies=guarded)
    async def hand_in(public_key: str, handed: Handed) -> dict[str, int]:
        if not is_hosted(public_key):
            raise HTTPException(
                status.HTTP_404_NOT_FOUND, f"there is no merchant {public_key}: `ncc merchant list` shows them"
            )
        checked = [_checked(public_key, number, text) for number, text in enumerate(handed.events, 1)]
        headers = headers_of("a person's hand", "handed")
        for event_id, text in checked:
            await raw.put_raw(event_id, text, headers)
        return {"taken": len(checked)}


def _checked(merchant: str, number: int, text: str) -> tuple[str, bytes]:
    try:
        data = text.encode()
        if len(data) > limits.EVENT.most:
            raise ValueError(f"more than {limits.EVENT.most} bytes")
        event = parse_event(data)
        check_id(event)
        check_sig(event)
        if event.pubkey != merchant or event.kind not in KINDS:
            raise ValueError("no listing, collection or shipping option of this merchant")
    except (EventRefused, ValueError) as error:
        raise HTTPException(status.HTTP_400_BAD_REQUEST, f"event {number}: {error}") from None
    return event.id, data
