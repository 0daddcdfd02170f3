"""The API's routes: merchants, orders and their moves, catalogue, stock, reviews, quarantine, queries."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Annotated, Any, Protocol

from fastapi import Depends, FastAPI, HTTPException, Request, status
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field, ValidationError, field_validator

from schemas.dialects.contract import PersonalDetails
from schemas.freezes import BY_OPERATOR, REASON_MAX, FreezeMerchant, ThawMerchant
from schemas.merchants import Merchant
from schemas.messages import Command, CommandBody, JournalRecord
from schemas.quarantine import Quarantined
from schemas.shops import OpenShop, ShopSettings
from schemas.values import OrderKey, Origin, PublicKey, SealedDetails
from services.api import (
    applications,
    books,
    catalogue,
    drafts,
    goods,
    handed,
    hooks,
    inbox,
    order_moves,
    payment_choice,
    payouts,
    places,
    reviews,
    stock,
)
from services.api.causes import cause_of
from services.api.served import refuse_address

ROWS_MAX = 1_000
REFUSALS = frozenset({"MoveRefused", "StockRefused", "AnswerRefused", "PublicationRefused", "AssignmentRefused"})
"""Events that say why what a person asked for was not done."""
QUARANTINE_IDS_MAX = 100_000
SETTING_MAX = 1_000_000_000_000
"""Largest figure of a shop's rules: as seconds longer than anything lasts, as sats a good part of all there are."""


class Asker(Protocol):
    """Sends a command and waits for its decision."""

    async def ask(self, command: Command) -> JournalRecord | None:
        """The record that decided it; None where it said nothing new. Raises TimeoutError."""


class Queries(Protocol):
    """Asks ClickHouse, read-only."""

    async def rows(self, sql: str, params: dict[str, Any] | None = None) -> list[dict[str, Any]]:
        """The result as one object a row. Raises `BadQuery` (a ValueError) with a sentence."""


class Merchants(Protocol):
    """The merchants' configuration."""

    def all(self) -> list[Merchant]:
        """Every merchant."""

    def get(self, public_key: str) -> Merchant | None:
        """One merchant."""


class Replayer(Protocol):
    """Has quarantined input read again."""

    async def find(self, quarantine_id: str) -> Quarantined | None:
        """The newest record of this id."""

    async def replay(self, quarantine_ids: Iterable[str]) -> dict[str, Any]:
        """For each id `read_again`, `unknown`, or `not_kept` where there is nothing to read."""


class NewMerchant(BaseModel):
    """A merchant to run; the key itself was put in the home's keystore before and is never sent here.

    Without settings a shop that is there keeps its own, and a new one has the defaults.
    """

    public_key: PublicKey
    name: str = Field(min_length=1, max_length=64)
    relays: tuple[str, ...] = ()
    wallet: str = "simulated"
    spare_wallet: str | None = None
    settings: ShopSettings | None = None

    @field_validator("settings")
    @classmethod
    def _within_reason(cls, settings: ShopSettings | None) -> ShopSettings | None:
        return None if settings is None else within_reason(settings)


def within_reason(settings: ShopSettings) -> ShopSettings:
    """A rule is for ever in the journal, so a figure that no column and no client can hold is refused here."""
    if any(isinstance(rule, int) and rule > SETTING_MAX for rule in dict(settings).values()):
        raise ValueError(f"a shop's rules are numbers up to {SETTING_MAX:,}")
    return settings


class Reason(BaseModel):
    """Why a person does something, in a sentence of theirs."""

    reason: str = Field(min_length=1, max_length=REASON_MAX)


class Query(BaseModel):
    """One read-only SQL statement."""

    sql: str = Field(max_length=100_000)
    params: dict[str, Any] = Field(default_factory=dict)


class ReplayWish(BaseModel):
    """Which quarantined input to read again."""

    ids: tuple[str, ...] = Field(min_length=1, max_length=ROWS_MAX)


class Services(BaseModel):
    """What the routes work with."""

    model_config = {"arbitrary_types_allowed": True}

    token: str
    desk: Any
    queries: Any
    merchants: Any
    put_merchant: Callable[[Merchant], Awaitable[None]]
    personal: Callable[[str, str], PersonalDetails | None]
    replayer: Any
    seal: Callable[[str, str, str], SealedDetails | None]
    """(merchant, listing, text) → the text sealed."""
    is_signer_for: Callable[[str], bool]
    letters: Any
    signer: Any
    lint: Any
    raw: Any
    standing: places.Places = places.Places()
    called: Callable[[], list[dict[str, Any]]] = list
    """How often vendors called, by shop and what became of it."""
    approver_of: Callable[[str], str | None] = lambda _token: None
    unpaid_why: Callable[[str], str] = lambda _merchant: ""
    is_by_link: Callable[[str], bool] = lambda _merchant: False
    """Whose token approves pay-outs; and why a merchant's wallet pays nothing out."""


def make_app(services: Services) -> FastAPI:
    """The API over these services. Every route but `/health` needs `Authorization: Bearer <token>`."""
    app = FastAPI(title="Nostr Commerce Coordinator", docs_url=None, redoc_url=None, openapi_url="/openapi.json")
    desk: Asker = services.desk
    queries: Queries = services.queries
    replayer: Replayer = services.replayer

    async def authorised(request: Request) -> None:  # one that is not would cost a thread for each request
        given = request.headers.get("authorization", "").removeprefix("Bearer ").strip()
        if not secrets.compare_digest(given.encode(), services.token.encode()):
            raise HTTPException(status.HTTP_401_UNAUTHORIZED, "the token is missing or wrong: read it from token_file")

    guarded = [Depends(authorised)]

    @app.exception_handler(ValueError)
    async def refused(_request: Request, error: ValueError) -> JSONResponse:
        return JSONResponse({"detail": str(error)}, status_code=status.HTTP_400_BAD_REQUEST)

    @app.get("/health")
    async def health() -> dict[str, bool]:
        return {"ok": True}

    async def decide(merchant: str, body: CommandBody, request_id: str | None) -> dict[str, Any]:
        source = request_id or secrets.token_hex(16)
        name = hashlib.sha256(f"operator:{merchant}:{source}".encode()).hexdigest()[:32]
        command = Command(
            id=name,
            merchant=merchant,
            at_ms=time.time_ns() // 1_000_000,
            origin=Origin.OPERATOR,
            source=source,
            body=body,
        )
        try:
            record = await desk.ask(command)
        except TimeoutError:
            raise HTTPException(
                status.HTTP_504_GATEWAY_TIMEOUT, "nobody decided in time: is the decider up? see `ncc status`"
            ) from None
        return report(record)

    async def find_order(ref: str) -> dict[str, Any]:
        found = await queries.rows(
            "SELECT * FROM orders_now WHERE startsWith(ref, {ref:String}) OR order_id = {ref:String} LIMIT 3",
            {"ref": ref},
        )
        if not found:
            raise HTTPException(status.HTTP_404_NOT_FOUND, f"there is no order {ref}: `ncc orders` lists them")
        if len(found) > 1:
            raise HTTPException(status.HTTP_409_CONFLICT, f"several orders match {ref}: give more of its reference")
        return found[0]

    def is_hosted(public_key: str) -> bool:
        return services.merchants.get(public_key) is not None

    def key_of(row: dict[str, Any]) -> OrderKey:
        return OrderKey(merchant=row["merchant"], buyer=row["buyer"], order_id=row["order_id"])

    @app.get("/merchants", dependencies=guarded)
    async def list_merchants() -> list[dict[str, Any]]:
        return [
            {**merchant.model_dump(mode="json"), "has_key": services.is_signer_for(merchant.public_key)}
            for merchant in services.merchants.all()
        ]

    @app.post("/merchants", dependencies=guarded)
    async def add_merchant(new: NewMerchant) -> dict[str, Any]:
        known: Merchant | None = services.merchants.get(new.public_key)
        merchant = Merchant(
            public_key=new.public_key,
            name=new.name,
            relays=new.relays,
            wallet=new.wallet,
            spare_wallet=new.spare_wallet if known is None or _says_spare(new) else known.spare_wallet,
            settings=new.settings or (known.settings if known else ShopSettings()),
            added_ms=known.added_ms if known else time.time_ns() // 1_000_000,
        )
        refuse_address(merchant, services.merchants.all(), services.standing.service_url)
        if not services.is_signer_for(new.public_key):
            raise HTTPException(
                status.HTTP_400_BAD_REQUEST, "no key for this merchant in the home: use `ncc merchant add`"
            )
        await services.put_merchant(merchant)
        decision = await decide(new.public_key, OpenShop(settings=merchant.settings), None)
        return {**merchant.model_dump(mode="json"), "decision": decision}

    @app.put("/merchants/{public_key}/settings", dependencies=guarded)
    async def change_settings(public_key: str, changes: dict[str, Any]) -> dict[str, Any]:
        known: Merchant | None = services.merchants.get(public_key)
        if known is None:
            raise HTTPException(
                status.HTTP_404_NOT_FOUND, f"there is no merchant {public_key}: `ncc merchant list` shows them"
            )
        merchant = known.model_copy(update={"settings": changed_settings(known.settings, changes)})
        refuse_address(merchant, services.merchants.all(), services.standing.service_url)
        await services.put_merchant(merchant)
        decision = await decide(public_key, OpenShop(settings=merchant.settings), None)
        return {**merchant.model_dump(mode="json"), "decision": decision}

    @app.post("/merchants/{public_key}/{change}", dependencies=guarded)
    async def freeze_or_thaw(public_key: str, change: str, why: Reason, request: str | None = None) -> dict[str, Any]:
        if services.merchants.get(public_key) is None:
            raise HTTPException(
                status.HTTP_404_NOT_FOUND, f"there is no merchant {public_key}: `ncc merchant list` shows them"
            )
        cause = cause_of(request)
        body: CommandBody
        match change:
            case "freeze":
                body = FreezeMerchant(code=BY_OPERATOR, reason=why.reason, cause=cause)
            case "thaw":
                body = ThawMerchant(reason=why.reason, cause=cause)
            case _:
                raise HTTPException(status.HTTP_404_NOT_FOUND, f"a merchant cannot be changed by {change!r}")
        return await decide(public_key, body, request)

    @app.get("/orders", dependencies=guarded)
    async def list_orders(
        limit: Annotated[int, Field(ge=1, le=ROWS_MAX)] = 50, attention: bool = False
    ) -> list[dict[str, Any]]:
        return await queries.rows(
            "SELECT * FROM orders_attention WHERE attention != '' OR NOT {attention:Bool}"
            " ORDER BY placed_at DESC LIMIT {limit:UInt32}",
            {"limit": limit, "attention": attention},
        )

    @app.get("/orders/{ref}", dependencies=guarded)
    async def show_order(ref: str) -> dict[str, Any]:
        order = await find_order(ref)
        history = await queries.rows(
            "SELECT * FROM order_history WHERE merchant = {m:String} AND order_ref = {ref:String} AND line = 0"
            " ORDER BY sequence, position",
            {"m": order["merchant"], "ref": order["ref"]},
        )
        sent = await queries.rows(
            "SELECT * FROM deliveries_now WHERE order_ref = {ref:String} ORDER BY at", {"ref": order["ref"]}
        )
        personal = services.personal(order["merchant"], order["ref"])
        shown = None if personal is None else {k: getattr(personal, k) for k in ("address", "email", "phone", "note")}
        return {**order, "personal": shown, "history": history, "deliveries": sent}

    async def key_of_order(ref: str) -> OrderKey:
        return key_of(await find_order(ref))

    reviews.add_routes(app, guarded, queries.rows)
    approver_of, is_by_link = services.approver_of, services.is_by_link
    payouts.add_routes(app, guarded, decide, key_of_order, approver_of, services.unpaid_why, is_by_link)
    order_moves.add_routes(app, guarded, decide, key_of_order)
    books.add_routes(app, guarded, decide, queries.rows, key_of_order)
    goods.add_routes(app, guarded, decide, queries.rows, services.seal, is_hosted)
    stock.add_routes(app, guarded, decide, queries.rows, is_hosted)
    shelf = catalogue.Shelf(queries.rows)
    catalogue.add_routes(app, guarded, decide, shelf, is_hosted, services.lint)
    drafts.add_routes(app, guarded, decide, shelf, is_hosted, services.signer)

    inbox.add_routes(app, guarded, decide, queries.rows, services.letters)

    payment_choice.add_routes(app, guarded, queries.rows, lambda: services.merchants.all())
    handed.add_routes(app, guarded, services.raw, is_hosted)
    places.add_routes(app, guarded, services.standing)
    hooks.add_told(app, guarded, services.called)
    applications.add_routes(app, guarded, decide, is_hosted, services.is_signer_for, services.standing)

    @app.get("/quarantine", dependencies=guarded)
    async def list_quarantine(
        limit: Annotated[int, Field(ge=1, le=ROWS_MAX)] = 50, reason: str = "", stage: str = ""
    ) -> list[dict[str, Any]]:
        return await queries.rows(
            "SELECT * FROM quarantine_now WHERE ({reason:String} = '' OR reason = {reason:String})"
            " AND ({stage:String} = '' OR stage = {stage:String}) ORDER BY at DESC LIMIT {limit:UInt32}",
            {"limit": limit, "reason": reason, "stage": stage},
        )

    @app.get("/quarantine-ids", dependencies=guarded)
    async def list_quarantine_ids(reason: str = "", stage: str = "") -> list[str]:
        rows = await queries.rows(
            "SELECT id FROM quarantine_now WHERE ({reason:String} = '' OR reason = {reason:String})"
            " AND ({stage:String} = '' OR stage = {stage:String}) ORDER BY at, id LIMIT {limit:UInt32}",
            {"limit": QUARANTINE_IDS_MAX, "reason": reason, "stage": stage},
        )
        return [str(row["id"]) for row in rows]

    @app.post("/quarantine-replays", dependencies=guarded)
    async def replay_several(wish: ReplayWish) -> dict[str, Any]:
        return await replayer.replay(wish.ids)

    @app.post("/quarantine/{quarantine_id}/replay", dependencies=guarded)
    async def replay(quarantine_id: str) -> dict[str, bool]:
        became = (await replayer.replay([quarantine_id]))[quarantine_id]
        if became == "unknown":
            raise HTTPException(
                status.HTTP_404_NOT_FOUND, f"there is no quarantine record {quarantine_id}: nothing to replay"
            )
        if became != "read_again":
            raise HTTPException(
                status.HTTP_404_NOT_FOUND, f"quarantine has no original under {quarantine_id}: nothing to replay"
            )
        return {"replayed": True}

    @app.get("/quarantine/{quarantine_id}", dependencies=guarded)
    async def show_quarantined(quarantine_id: str) -> dict[str, Any]:
        record = await replayer.find(quarantine_id)
        if record is None:
            raise HTTPException(status.HTTP_404_NOT_FOUND, f"there is no quarantine record {quarantine_id}")
        shown: dict[str, Any] = record.model_dump(mode="json")
        return shown

    @app.post("/sql", dependencies=guarded)
    async def sql(query: Query) -> list[dict[str, Any]]:
        return await queries.rows(query.sql, query.params)

    return app


def _says_spare(new: NewMerchant) -> bool:
    return "spare_wallet" in new.model_fields_set


def changed_settings(settings: ShopSettings, changes: dict[str, Any]) -> ShopSettings:
    """Settings with some of them changed. Raises ValueError with a sentence."""
    unknown = sorted(changes.keys() - ShopSettings.model_fields.keys())
    if unknown:
        raise ValueError(f"there is no setting {unknown[0][:64]!r}: {', '.join(ShopSettings.model_fields)}")
    try:
        return within_reason(ShopSettings.model_validate({**settings.model_dump(), **changes}))
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        raise ValueError(f"{first['loc'][0]}: {first['msg'].removeprefix('Value error, ')}") from None


def report(record: JournalRecord | None) -> dict[str, Any]:
    """A decision as an answer: what happened, or why it did not."""
    if record is None:
        return {"decided": "nothing_new", "events": []}
    events = [event.model_dump(mode="json") for event in record.events]
    refused = next((event for event in events if event["type"] in REFUSALS), None)
    if refused is not None:
        return {"decided": "refused", "reason": refused["reason"], "detail": refused["detail"], "events": events}
    return {"decided": "done", "sequence": record.seq, "events": [event["type"] for event in events]}
