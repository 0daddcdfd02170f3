"""Drafts and relay lists over HTTP: what a merchant prepares in private, and where that and messages are kept.

What is private is encrypted here, by the signer, before it becomes a command: Kafka and ClickHouse see ciphertext.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, Final, Literal, Protocol

from fastapi import FastAPI, HTTPException, status
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from schemas.market.describing import READERS, describe
from schemas.market.reading import MarketRefused
from schemas.market.writing import group_of, groups_of, tags_of
from schemas.nostr.kinds import Kind
from schemas.nostr.nip01 import Event, UnsignedEvent, event_id
from schemas.nostr.nip37 import DraftedEvent, DraftRefused, draft_text, private_relays_text, read_draft
from schemas.nostr.nip44 import PayloadRefused
from schemas.publishing import (
    OFFER_KINDS,
    Draft,
    KeepDraft,
    PublishOffer,
    PublishRelays,
    RelayNames,
    address,
)
from schemas.signing import SignerDenies
from services.api.catalogue import NOUNS, Decide, Shelf, kind_of, noun_of, read_document
from services.api.causes import cause_of
from services.relays.errors import BadRelayUrl
from services.relays.urls import normalise_relay_url

RELAYS_MAX: Final = 3
"""A list of more makes every sender publish more often (NIP-17)."""


class Sealing(Protocol):
    """What drafts ask of the keeper of keys."""

    def seal_private(self, merchant: str, kind: int, name: str, text: str) -> str:
        """Encrypted to the merchant."""

    def open_private(self, event: UnsignedEvent) -> str:
        """Decrypted. Raises `PayloadRefused`."""


class DraftWish(BaseModel):
    """A document to keep in private."""

    document: dict[str, Any]


class RelaysWish(BaseModel):
    """A relay list to publish; `replaces` allows it over one that says something else."""

    list: Literal["inbox", "drafts"] = "inbox"
    relays: tuple[str, ...] = Field(min_length=1, max_length=RELAYS_MAX)
    replaces: bool = False


def add_routes(
    app: FastAPI,
    guarded: Sequence[Any],
    decide: Decide,
    shelf: Shelf,
    is_hosted: Callable[[str], bool],
    signer: Sealing,
) -> None:
    """`/drafts/{merchant}` and `/relays/{merchant}`."""

    def known(merchant: str) -> None:
        if not is_hosted(merchant):
            raise HTTPException(
                status.HTTP_404_NOT_FOUND, f"there is no merchant {merchant[:64]}: `ncc merchant list` shows them"
            )

    @app.exception_handler(SignerDenies)
    async def denied(_request: Any, error: SignerDenies) -> JSONResponse:
        return JSONResponse({"detail": f"the signer denies: {error}"}, status_code=status.HTTP_503_SERVICE_UNAVAILABLE)

    async def drafts(merchant: str) -> list[Draft]:
        found = [Draft.model_validate_json(body) for body in await shelf.bodies(merchant, Kind.DRAFT_WRAP)]
        now_s = int(time.time())
        return [one for one in found if one.content and (one.expires_at is None or one.expires_at > now_s)]

    async def find(merchant: str, d: str) -> Draft:
        for draft in await drafts(merchant):
            if draft.coordinate == address(Kind.DRAFT_WRAP, merchant, d):
                return draft
        raise HTTPException(status.HTTP_404_NOT_FOUND, f"there is no draft {d[:64]!r}: `ncc draft list` shows them")

    def opened(merchant: str, draft: Draft) -> DraftedEvent:
        wrap = UnsignedEvent(
            pubkey=merchant, created_at=draft.created_at, kind=Kind.DRAFT_WRAP, tags=(), content=draft.content
        )
        try:
            return read_draft(signer.open_private(wrap))
        except (PayloadRefused, DraftRefused) as refused:
            raise ValueError(f"this draft cannot be opened: {refused.reason}") from None

    def shown(merchant: str, draft: Draft) -> dict[str, Any]:
        d = draft.coordinate.split(":", 2)[2]
        row = {"id": d, "noun": noun_of(draft.of_kind), "saved_at": draft.created_at, "expires_at": draft.expires_at}
        try:
            inside = opened(merchant, draft)
        except ValueError as error:
            return {**row, "document": None, "wrong": str(error)}
        title = next((tag[1] for tag in inside.tags if tag[0] == "title" and len(tag) > 1), "")
        try:
            offer = READERS[inside.kind](unsigned(merchant, inside)) if inside.kind in READERS else None
        except MarketRefused as refused:
            return {**row, "title": title, "document": None, "wrong": str(refused)}
        return {**row, "title": title, "document": describe(offer) if offer else None, "wrong": ""}

    @app.get("/drafts/{merchant}", dependencies=guarded)
    async def list_drafts(merchant: str) -> list[dict[str, Any]]:
        known(merchant)
        return [shown(merchant, draft) for draft in await drafts(merchant)]

    @app.put("/drafts/{merchant}/{noun}", dependencies=guarded)
    async def save_draft(merchant: str, noun: str, wish: DraftWish, request: str | None = None) -> dict[str, Any]:
        known(merchant)
        kind = kind_of(noun)
        document = read_document(kind, wish.document)
        tags = (("d", document.id), *tags_of(document, merchant))
        text = draft_text(DraftedEvent(kind=kind, tags=tags, content=document.description), merchant)
        sealed = signer.seal_private(merchant, Kind.DRAFT_WRAP, document.id, text)
        body = KeepDraft(
            coordinate=address(Kind.DRAFT_WRAP, merchant, document.id),
            of_kind=kind,
            content=sealed,
            cause=cause_of(request),
        )
        return {"id": document.id, **await decide(merchant, body, request)}

    @app.post("/drafts/{merchant}/publish", dependencies=guarded)
    async def publish_draft(merchant: str, id: str, request: str | None = None) -> dict[str, Any]:
        known(merchant)
        draft = await find(merchant, id)
        inside = opened(merchant, draft)
        if inside.kind not in OFFER_KINDS or inside.kind != draft.of_kind:
            raise ValueError(f"a draft of kind {inside.kind} is not published from here: {', '.join(NOUNS)} are")
        d = next((tag[1] for tag in inside.tags if tag[0] == "d" and len(tag) > 1), "") or id
        own = tuple(tag for tag in inside.tags if tag[0] != "d")
        body = PublishOffer(
            coordinate=address(inside.kind, merchant, d),
            tags=own,
            rules=tuple(dict.fromkeys((*groups_of(inside.kind), *(group_of(inside.kind, tag) for tag in own)))),
            content=inside.content,
            draft=draft.coordinate,
            cause=cause_of(request),
        )
        return {"id": d, "coordinate": body.coordinate, **await decide(merchant, body, request)}

    @app.delete("/drafts/{merchant}", dependencies=guarded)
    async def discard_draft(merchant: str, id: str, request: str | None = None) -> dict[str, Any]:
        known(merchant)
        draft = await find(merchant, id)
        cause = cause_of(request)
        body = KeepDraft(coordinate=draft.coordinate, of_kind=draft.of_kind, content="", cause=cause)
        return await decide(merchant, body, request)

    @app.get("/relays/{merchant}", dependencies=guarded)
    async def list_relays(merchant: str) -> dict[str, Any]:
        known(merchant)
        inbox, private = [await shelf.bodies(merchant, kind) for kind in (Kind.INBOX_RELAYS, Kind.DRAFT_RELAYS)]
        return {
            "inbox": RelayNames.model_validate_json(inbox[0]).relays if inbox else None,
            "drafts": RelayNames.model_validate_json(private[0]).relays if private else None,
        }

    @app.put("/relays/{merchant}", dependencies=guarded)
    async def put_relays(merchant: str, wish: RelaysWish, request: str | None = None) -> dict[str, Any]:
        known(merchant)
        try:
            relays = tuple(dict.fromkeys(normalise_relay_url(url) for url in wish.relays))
        except BadRelayUrl as error:
            raise ValueError(f"relays: {error}") from None
        kind = Kind.INBOX_RELAYS if wish.list == "inbox" else Kind.DRAFT_RELAYS
        text = private_relays_text(relays) if kind == Kind.DRAFT_RELAYS else ""
        body = PublishRelays(
            kind=kind,
            relays=relays,
            content=signer.seal_private(merchant, kind, "", text) if text else "",
            replaces=wish.replaces,
            cause=cause_of(request),
        )
        return {"relays": relays, **await decide(merchant, body, request)}


def unsigned(merchant: str, inside: DraftedEvent) -> Event:
    """A drafted event as it would stand if it were published, without a signature."""
    return Event(
        pubkey=merchant,
        created_at=0,
        kind=inside.kind,
        tags=inside.tags,
        content=inside.content,
        id=event_id(merchant, 0, inside.kind, inside.tags, inside.content),
        sig="0" * 128,
    )
