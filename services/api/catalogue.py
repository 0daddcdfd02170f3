"""The catalogue over HTTP: what a merchant has published, and wishes to publish, change or delete (CAT-08, CAT-13)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from fastapi import FastAPI, HTTPException, status
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from schemas.catalogue import Collection, Listing, ShippingOption
from schemas.market.describing import MODELS, Offer, describe
from schemas.market.documents import Document, ShippingDocument, wrongs
from schemas.market.writing import groups_of, separate_places, tags_of
from schemas.messages import CommandBody
from schemas.nostr.coordinates import Coordinate
from schemas.nostr.kinds import Kind
from schemas.publishing import PublishOffer, WithdrawOffer, address
from services.api.causes import cause_of

Decide = Callable[[str, CommandBody, str | None], Awaitable[dict[str, Any]]]
Rows = Callable[..., Awaitable[list[dict[str, Any]]]]
Lint = Callable[[str, Sequence[Offer]], list[dict[str, str]]]
"""(merchant, what is published and pointed at) → findings as `coordinate`, `flaw` and `detail`."""

NOUNS: Final = {"listing": Kind.PRODUCT, "collection": Kind.COLLECTION, "shipping": Kind.SHIPPING_OPTION}
PAGE: Final = 1_000
LOOKS: Final = 6
"""How often something is looked for that was perhaps published a moment ago."""
PAUSE_S: Final = 0.5
_CONTRACTS: Final[dict[int, TypeAdapter[Offer]]] = {
    Kind.PRODUCT: TypeAdapter(Listing),
    Kind.COLLECTION: TypeAdapter(Collection),
    Kind.SHIPPING_OPTION: TypeAdapter(ShippingOption),
}


class OfferWish(BaseModel):
    """A document to publish. With `fields`, only these of it are changed and the rest stays as it is published.

    `expects` is the event id it was made from, "" for a new one. A field that is null is taken away.
    """

    document: dict[str, Any]
    fields: tuple[str, ...] | None = Field(default=None, max_length=64)
    expects: str | None = Field(default=None, max_length=64)
    keeps_stock: bool = False
    """Leave the count as it is, for a document that was written down before something was sold."""


class Shelf:
    """What ClickHouse knows of what is published."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    async def offers(self, merchant: str, *kinds: Kind) -> list[Offer]:
        """Everything of these kinds that the shop knows, others' options among them, by address."""
        found: list[Offer] = []
        for kind in kinds or tuple(NOUNS.values()):
            found += [_CONTRACTS[kind].validate_json(body) for body in await self.bodies(merchant, kind)]
        return found

    async def bodies(self, merchant: str, kind: Kind) -> list[str]:
        """The contracts of one kind, as JSON."""
        bodies: list[str] = []
        while True:
            page = await self._rows(
                "SELECT body FROM offers_now WHERE merchant = {m:String} AND startsWith(coordinate, {k:String})"
                " ORDER BY coordinate LIMIT {limit:UInt32} OFFSET {offset:UInt32}",
                {"m": merchant, "k": f"{int(kind)}:", "limit": PAGE, "offset": len(bodies)},
            )
            bodies += [str(row["body"]) for row in page if "body" in row]
            if len(page) < PAGE:
                return bodies

    async def one(self, merchant: str, kind: Kind, d: str) -> Offer | None:
        """The merchant's own of this id."""
        rows = await self._rows(
            "SELECT body FROM offers_now WHERE merchant = {m:String} AND coordinate = {c:String}",
            {"m": merchant, "c": address(kind, merchant, d)},
        )
        return _CONTRACTS[kind].validate_json(rows[0]["body"]) if rows and "body" in rows[0] else None


def add_routes(
    app: FastAPI, guarded: Sequence[Any], decide: Decide, shelf: Shelf, is_hosted: Callable[[str], bool], lint: Lint
) -> None:
    """`GET`, `PUT` and `DELETE` under `/catalogue/{merchant}`."""

    def known(merchant: str) -> None:
        if not is_hosted(merchant):
            raise HTTPException(
                status.HTTP_404_NOT_FOUND, f"there is no merchant {merchant[:64]}: `ncc merchant list` shows them"
            )

    @app.get("/catalogue/{merchant}", dependencies=guarded)
    async def list_offers(merchant: str, noun: str | None = None) -> list[dict[str, Any]]:
        known(merchant)
        kinds = tuple(NOUNS.values()) if noun is None else (kind_of(noun),)
        offers = await shelf.offers(merchant, *kinds)
        return [shown(offer) for offer in offers if offer.template is not None and is_own(offer, merchant)]

    @app.get("/catalogue/{merchant}/findings", dependencies=guarded)
    async def list_findings(merchant: str) -> list[dict[str, str]]:
        known(merchant)
        return lint(merchant, await shelf.offers(merchant))

    @app.put("/catalogue/{merchant}/{noun}", dependencies=guarded)
    async def put_offer(merchant: str, noun: str, wish: OfferWish, request: str | None = None) -> list[dict[str, Any]]:
        known(merchant)
        kind = kind_of(noun)
        said = wish.document if wish.fields is None else await _over_what_is_there(merchant, kind, wish)
        document = read_document(kind, said)
        parts = separate_places(document) if isinstance(document, ShippingDocument) else (document,)
        cause = cause_of(request)
        answers = []
        for part in parts:
            body = publish_wish(kind, merchant, part, wish, f"{cause} {part.id}" if len(parts) > 1 else cause)
            decided = await decide(merchant, body, request and f"{request} {part.id}")
            answers.append({"id": part.id, "coordinate": body.coordinate, **decided})
        return answers

    @app.delete("/catalogue/{merchant}/{noun}", dependencies=guarded)
    async def delete_offer(merchant: str, noun: str, id: str, request: str | None = None) -> dict[str, Any]:
        known(merchant)
        cause = cause_of(request)
        return await decide(
            merchant, WithdrawOffer(coordinate=address(kind_of(noun), merchant, id), cause=cause), request
        )

    async def _over_what_is_there(merchant: str, kind: Kind, wish: OfferWish) -> dict[str, Any]:
        """The document as it would be, so that it is checked as a whole."""
        d = str(wish.document.get("id", ""))
        for look in range(LOOKS):
            if (offer := await shelf.one(merchant, kind, d)) is not None and offer.template is not None:
                changes = {name: value for name, value in wish.document.items() if name in (wish.fields or ())}
                return {name: value for name, value in {**describe(offer), **changes}.items() if value is not None}
            await asyncio.sleep(PAUSE_S if look < LOOKS - 1 else 0)
        raise HTTPException(status.HTTP_404_NOT_FOUND, f"nothing of the id {d[:64]!r} is published: add it first")


def publish_wish(
    kind: Kind, merchant: str, document: Document, wish: OfferWish, cause: str, draft: str | None = None
) -> PublishOffer:
    """The command behind a document."""
    fields = wish.fields
    rules = groups_of(kind, None if fields is None else [name for name in fields if name not in ("id", "description")])
    return PublishOffer(
        coordinate=address(kind, merchant, document.id),
        tags=tags_of(document, merchant),
        rules=tuple(group for group in rules if not (wish.keeps_stock and group == "stock")),
        content=document.description if fields is None or "description" in fields else None,
        expects=wish.expects,
        draft=draft,
        cause=cause,
    )


def kind_of(noun: str) -> Kind:
    """The kind behind a word in a path. Raises `HTTPException`."""
    if noun not in NOUNS:
        raise HTTPException(status.HTTP_404_NOT_FOUND, f"there is no {noun[:32]!r}: {', '.join(NOUNS)}")
    return NOUNS[noun]


def noun_of(kind: int) -> str:
    """The word for a kind."""
    return next((noun for noun, one in NOUNS.items() if one == kind), f"kind {kind}")


def read_document(kind: Kind, said: dict[str, Any]) -> Document:
    """A document of its kind. Raises ValueError with a sentence."""
    try:
        return MODELS[kind].model_validate(said)
    except ValidationError as error:
        where, what = wrongs(error)[0]
        raise ValueError(f"{'.'.join(map(str, where)) or noun_of(kind)}: {what}") from None


def shown(offer: Offer) -> dict[str, Any]:
    """An offer for people and programs: its document, and what was odd when it was read."""
    own = Coordinate.parse(offer.coordinate)
    return {
        "noun": noun_of(own.kind),
        "id": own.d,
        "coordinate": offer.coordinate,
        "event_id": offer.event_id,
        "created_at": offer.created_at,
        "title": offer.title,
        "document": describe(offer),
        "warnings": list(offer.warnings),
    }


def is_own(offer: Offer, merchant: str) -> bool:
    """Whether the merchant wrote it."""
    return Coordinate.parse(offer.coordinate).pubkey == merchant
