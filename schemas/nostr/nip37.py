"""Drafts for nobody but their author, and where they are kept: what stands inside kinds 31234 and 10013 (NIP-37).

The encryption is the signer's; here are only the texts.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Final

import orjson
from pydantic import BaseModel, ConfigDict, ValidationError

from schemas.nostr.nip01 import KindNumber, Tags, Text
from schemas.nostr.relay_urls import FOREIGN_RELAYS_MAX, keep_relay_urls

TEXT_BYTES_MAX: Final = 65_535
"""A longer text cannot be encrypted so that every client reads it (NIP-44)."""


class DraftFault(StrEnum):
    """Why what is inside is no draft or list: stable codes."""

    BAD_DRAFT = "bad_draft"
    BAD_RELAY_LIST = "bad_relay_list"


class DraftRefused(ValueError):
    """A text that is neither a draft nor a list of relays; it is never quoted."""

    def __init__(self, reason: DraftFault) -> None:
        super().__init__(str(reason))
        self.reason = reason


class DraftedEvent(BaseModel):
    """The unsigned event inside a draft; what else clients write beside it is ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    kind: KindNumber
    tags: Tags
    content: Text = ""


def draft_text(draft: DraftedEvent, author: str) -> str:
    """The text to encrypt; `created_at` belongs to the event that is published one day, and is 0 here."""
    fields = {"kind": draft.kind, "created_at": 0, "pubkey": author, "tags": draft.tags, "content": draft.content}
    return orjson.dumps(fields).decode()


def read_draft(text: str) -> DraftedEvent:
    """The event in a decrypted draft. Raises `DraftRefused` (`bad_draft`)."""
    try:
        return DraftedEvent.model_validate(orjson.loads(text))
    except (orjson.JSONDecodeError, ValidationError):
        raise DraftRefused(DraftFault.BAD_DRAFT) from None


def private_relays_text(urls: Iterable[str]) -> str:
    """The text of a list of relays for drafts, to encrypt."""
    return orjson.dumps([["relay", url] for url in urls]).decode()


def read_private_relays(text: str, keep: int = FOREIGN_RELAYS_MAX) -> tuple[str, ...]:
    """The first few relays in a decrypted list. Raises `DraftRefused` (`bad_relay_list`)."""
    try:
        tags = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise DraftRefused(DraftFault.BAD_RELAY_LIST) from None
    if not isinstance(tags, list):
        raise DraftRefused(DraftFault.BAD_RELAY_LIST)
    named = [tag[1] for tag in tags if isinstance(tag, list) and len(tag) > 1 and tag[0] == "relay"]
    return keep_relay_urls([url for url in named if isinstance(url, str)], keep)
