"""Serves the shops' lightning addresses: terms, invoices, and how an invoice stands (LUD-06, LUD-16, LUD-21).

Anybody may call. A shop's address gives each caller an invoice of the shop's own wallet; an order's own address leads
to the order's payment request and to nothing else. Both are decided like everything, and the journal knows of both.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Any, Final

import structlog
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from schemas import limits
from schemas.addresses import AddressRefusal, AskInvoice, AskRequest, InvoiceMade, InvoiceRefused, RequestShown
from schemas.bolt11 import decode
from schemas.lnurl_served import (
    base_url,
    called,
    description_hash,
    made,
    metadata,
    order_address,
    order_memo,
    refusal,
    shop_memo,
    terms,
    verified,
)
from schemas.merchants import Merchant
from schemas.messages import Command, CommandBody, JournalRecord
from schemas.nostr.nip57 import ZapRefused, read_zap
from schemas.values import MSAT_PER_SAT, Origin
from services.api.shown_invoices import Shown, ShownInvoices
from services.api.strangers import CALLERS_MAX, Records, Turns, caller_of, retry_after
from services.metrics.port import MetricsError

WAIT_S: Final = 15.0
"""How long a caller waits for an invoice."""
ORDER_WAIT_S: Final = 3.0
"""How long a call for an order waits until ClickHouse has it, which is a second behind the buyer."""
PAUSE_S: Final = 0.2
INVOICE_LIFE_S: Final = 600

DUE = """
SELECT o.status AS status, r.due AS due FROM orders_now AS o LEFT JOIN (
  SELECT order_ref, argMax(amount_msat, (sequence, position)) AS due FROM events
  WHERE merchant = {m:String} AND type = 'PaymentRequested' AND order_ref = {r:String} GROUP BY order_ref
) AS r ON r.order_ref = o.ref WHERE o.merchant = {m:String} AND o.ref = {r:String}
"""
"""How an order stands, and what its newest request asks for."""
CAME = """
SELECT countIf(type = 'PaymentSettled') AS settled, sumIf(amount_msat, type = 'AddressPaid') AS paid_msat
FROM events FINAL WHERE merchant = {m:String} AND subject = {i:String} AND type IN ('PaymentSettled', 'AddressPaid')
"""
"""What the journal has of an invoice's money."""

_HASH: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
log = structlog.get_logger(role="api")

Rows = Callable[[str, dict[str, Any]], Awaitable[list[dict[str, Any]]]]


class Refused(Exception):
    """A call that gets no invoice."""

    def __init__(self, reason: AddressRefusal, wait_s: float = 0.0) -> None:
        super().__init__(reason.value)
        self.reason, self.wait_s = reason, wait_s


class Addresses:
    """Everything behind the routes."""

    def __init__(
        self,
        shops: Callable[[], Iterable[Merchant]],
        send: Callable[[Command], Awaitable[object]],
        records: Records,
        rows: Rows,
        shown: ShownInvoices,
        wait_s: float = WAIT_S,
    ) -> None:
        self._shops, self._send, self._records, self._rows, self._shown = shops, send, records, rows, shown
        self._wait_s = wait_s
        self._of_shop, self._of_caller = Turns(), Turns(CALLERS_MAX)

    async def tell(self, name: str, caller: str) -> dict[str, Any]:
        """The terms of an address (LUD-06). Raises `Refused`, `MetricsError`."""
        shop, ref = self._admitted(name, caller)
        address, base = shop.settings.lightning_address, f"{base_url(shop.settings.lightning_address)}/lnurlp/{name}"
        if ref is None:
            most_msat = shop.settings.order_sats_max * MSAT_PER_SAT
            said = metadata(address, shop_memo(address))
            return terms(base, MSAT_PER_SAT, most_msat, said, zapped=shop.public_key)
        due_msat = await self._due(shop.public_key, ref)
        return terms(base, due_msat, due_msat, metadata(order_address(address, ref), order_memo(ref)))

    async def give(self, name: str, amount: str, caller: str, zap: str = "") -> dict[str, Any]:
        """An invoice for a caller (LUD-06), who may want a receipt for `zap` (NIP-57). Raises `Refused`."""
        shop, ref = self._admitted(name, caller)
        if not amount.isascii() or not amount.isdigit() or not 0 < len(amount) <= 18 or int(amount) == 0:
            raise Refused(AddressRefusal.BAD_AMOUNT)
        address, call_id, amount_msat = shop.settings.lightning_address, secrets.token_hex(32), int(amount)
        body: CommandBody
        if ref is None:
            if zap:
                await _check_zap(zap, shop.public_key, amount_msat)
            said = description_hash(zap or metadata(address, shop_memo(address)))
            body = AskInvoice(
                intent_id=call_id,
                address=address,
                amount_msat=amount_msat,
                description_hash=said,
                expires_at=int(time.time()) + INVOICE_LIFE_S,
                zap=zap,
            )
        else:
            said = description_hash(metadata(order_address(address, ref), order_memo(ref)))
            body = AskRequest(call_id=call_id, order_ref=ref, amount_msat=amount_msat)
        intent_id, text = await self._asked(shop.public_key, call_id, body)
        invoice = await asyncio.to_thread(decode, text)
        if invoice.description_hash != said:  # the shop's address was another when the request was made
            raise Refused(AddressRefusal.NOT_SERVED)
        self._shown.put(Shown(invoice.payment_hash, shop.public_key, intent_id, amount_msat, text))
        return made(text, f"{base_url(address)}/lnurlp/verify/{invoice.payment_hash}")

    async def stands(self, payment_hash: str, caller: str) -> dict[str, Any]:
        """How an invoice stands by what the journal knows (LUD-21). Raises `Refused`, `MetricsError`."""
        self._admit_caller(caller)
        shown = self._shown.get(payment_hash) if _HASH.fullmatch(payment_hash) else None
        if shown is None:
            raise Refused(AddressRefusal.NO_ADDRESS)
        (came,) = await self._rows(CAME, {"m": shown.merchant, "i": shown.intent_id})
        is_settled = int(came["settled"]) > 0 or int(came["paid_msat"] or 0) >= shown.amount_msat
        return verified(shown.text, is_settled=is_settled)

    def _admitted(self, name: str, caller: str) -> tuple[Merchant, str | None]:
        """The shop that a name is of, and its order; so many calls a minute for each shop and from each caller."""
        self._admit_caller(caller)
        names = called(name)
        found = [shop for shop in self._shops() if names and _name_of(shop) == names.name]
        if names is None or len(found) != 1:
            raise Refused(AddressRefusal.NO_ADDRESS)
        _admit(self._of_shop, found[0].public_key, limits.ADDRESS_CALLS)
        return found[0], names.ref

    def _admit_caller(self, caller: str) -> None:
        _admit(self._of_caller, caller, limits.ADDRESS_CALLER)

    async def _due(self, merchant: str, ref: str) -> int:
        """What an order's request asks for, in msat; ClickHouse may not have it yet."""
        until_s = time.monotonic() + ORDER_WAIT_S
        while True:
            found = await self._rows(DUE, {"m": merchant, "r": ref})
            status = found[0]["status"] if found else "waiting"
            if found and status == "pending" and found[0]["due"]:
                return int(found[0]["due"])
            if status not in ("waiting", "pending") or time.monotonic() > until_s:
                raise Refused(AddressRefusal.NOT_PAYABLE)
            await asyncio.sleep(PAUSE_S)

    async def _asked(self, merchant: str, call_id: str, body: CommandBody) -> tuple[str, str]:
        """Have it decided, and wait for what comes of it: an intent and its invoice."""
        name = hashlib.sha256(f"address:{call_id}".encode()).hexdigest()[:32]
        at_ms = time.time_ns() // 1_000_000
        command = Command(id=name, merchant=merchant, at_ms=at_ms, origin=Origin.ADDRESS, source=call_id, body=body)
        async with self._records(merchant) as records:
            await self._send(command)
            try:
                async with asyncio.timeout(self._wait_s):
                    return await _answer(records, call_id)
            except TimeoutError:
                raise Refused(AddressRefusal.NO_ANSWER) from None


async def _answer(records: AsyncIterator[JournalRecord], call_id: str) -> tuple[str, str]:
    async for record in records:
        for event in record.events:
            match event:
                case InvoiceMade(intent_id=intent_id) if intent_id == call_id:
                    return intent_id, event.text
                case RequestShown() if event.call_id == call_id:
                    return event.intent_id, event.text
                case InvoiceRefused(intent_id=intent_id) if intent_id == call_id:
                    raise Refused(event.reason)
                case _:
                    pass
    raise Refused(AddressRefusal.NO_ANSWER)


async def _check_zap(zap: str, recipient: str, amount_msat: int) -> None:
    """A zap request that breaks a rule gets no invoice (NIP-57, appendix D)."""
    try:
        await asyncio.to_thread(read_zap, zap, recipient, amount_msat)
    except ZapRefused as refused:
        log.info("a zap request is refused", why=refused.fault.value)
        raise Refused(AddressRefusal.BAD_ZAP) from None


def _name_of(shop: Merchant) -> str:
    return shop.settings.lightning_address.partition("@")[0]


def _admit(turns: Turns, name: str, limit: limits.Limit) -> None:
    if wait_s := turns.wait_s(name, limit):
        raise Refused(AddressRefusal.TOO_MANY_CALLS, wait_s)


def add_routes(app: FastAPI, addresses: Addresses) -> None:
    """`/.well-known/lnurlp/NAME`, `/lnurlp/NAME?amount=MSAT` and `/lnurlp/verify/HASH`, for wallets in browsers too."""

    async def answer(asked: Awaitable[dict[str, Any]]) -> JSONResponse:
        anywhere = {"Access-Control-Allow-Origin": "*"}
        try:
            return JSONResponse(await asked, headers=anywhere)
        except Refused as refused:
            headers = anywhere | retry_after(refused.wait_s)
            return JSONResponse(refusal(refused.reason.value), _STATUS.get(refused.reason, 200), headers)
        except MetricsError as error:
            log.warning("an address is not answered", error=type(error).__name__)
            return JSONResponse(refusal(AddressRefusal.NO_ANSWER.value), 503, anywhere)

    @app.get("/.well-known/lnurlp/{name}")
    async def tell(name: str, request: Request) -> JSONResponse:
        return await answer(addresses.tell(name, caller_of(request)))

    @app.get("/lnurlp/verify/{payment_hash}")
    async def stands(payment_hash: str, request: Request) -> JSONResponse:
        return await answer(addresses.stands(payment_hash, caller_of(request)))

    @app.get("/lnurlp/{name}")
    async def give(name: str, request: Request, amount: str = "", nostr: str = "") -> JSONResponse:
        return await answer(addresses.give(name, amount, caller_of(request), nostr))


_STATUS: Final = {
    AddressRefusal.NO_ADDRESS: 404,
    AddressRefusal.TOO_MANY_CALLS: 429,
    AddressRefusal.NO_ANSWER: 503,
}
"""What is said besides `status: ERROR`; wallets read that with any status."""
