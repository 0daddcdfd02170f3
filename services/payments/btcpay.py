"""Is paid into a store of a BTCPay Server (2.x, shapes of 2.4) over its Greenfield API, in whole sats.

Over Lightning or on the chain (`btcpay_ways`): a store that is paid in both is two back-ends, each with its invoices.

BTCPay makes a second invoice for one `orderId` if it is asked to, so a request is named here by its reference, as at
LNbits: whichever invoice of that name is paid, the money is found.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from pydantic import SecretStr

from schemas.bolt11 import Network
from schemas.payments import Method
from schemas.values import MSAT_PER_SAT
from services.payments.asking import (
    clock_words,
    cut_memo,
    left_s,
    monotonic_s,
    refuse_another,
    refuse_impossible,
    refuse_untimely,
)
from services.payments.btcpay_refunds import ClaimLinks
from services.payments.btcpay_scope import REFUND, lacking, rights_in, too_much
from services.payments.btcpay_ways import LIGHTNING_WAY, Way
from services.payments.btcpay_words import SATS, WHOM, Invoice, noticed, observed, read_invoice, read_methods
from services.payments.chain_keys import networks_of
from services.payments.http_calls import HttpCalls
from services.payments.making import Making
from services.payments.notices import check_signature, header
from services.payments.port import (
    BackendRef,
    Cursor,
    Hint,
    Intent,
    Observation,
    PaymentRequest,
    Probe,
    Refund,
    Refunded,
    RefundWay,
    Rejected,
    Retry,
    Scan,
    Unknown,
    Unsupported,
)
from services.payments.receiving import OnlyReceives
from services.payments.time_cursor import place_of

SIGNATURE: Final = "sha256="
DOUBT_S: Final = 30.0
"""How long after a call without an answer no second one is made: BTCPay waits for its node that long at most."""
INVOICES_MAX: Final = 100
"""Invoices of one reference that are looked at; a second one is rare, a third needs two lost answers."""
SCAN_ROWS: Final = 200
POLL_S: Final = 5.0
POLL_ROWS: Final = 50
"""Newest invoices that are looked at between webhooks; older ones have their turn when requests are swept."""
LISTEN_TIMEOUT_S: Final = 10.0


class BtcpayStore(OnlyReceives):
    """One store: a `PaymentBackend` that needs no more than to see and make its invoices."""

    # An invoice that is marked invalid can still be paid: BTCPay does not take it back from its node.
    no_cancel = "BTCPay does not take back an invoice's address, or its text from a Lightning node"
    no_refund = "the key of this BTCPay store only receives (`ncc wallet add … --may-refund`)"

    def __init__(
        self,
        calls: HttpCalls,
        store: str,
        network: Network | None,
        clock: Callable[[], float] = time.time,
        doubt_s: float = DOUBT_S,
        *,
        way: Way = LIGHTNING_WAY,
        may_refund: bool = False,
        webhook_secret: SecretStr | None = None,
        poll_s: float = POLL_S,
    ) -> None:
        """`store` is its id, `network` what its invoices are for, `webhook_secret` what it signs its calls with.

        Without a network a probe makes an invoice to find it out, which is for a trial.
        """
        refunds = RefundWay.CLAIM_LINK if may_refund else RefundWay.NONE
        self.capabilities = replace(way.capabilities, refund=refunds)
        self.network = network or Network.BITCOIN
        self._is_network_known = network is not None
        self._way, self._may_refund = way, may_refund
        self._calls, self._store, self._clock = calls, store, clock
        self._refunds = ClaimLinks(calls, store, way, self._of, doubt_s)
        self._webhook_secret, self._poll_s = webhook_secret, poll_s
        self._walked: dict[Cursor, int] = {}
        """Up to when nothing was found after a cursor, of what cannot change any more."""
        self._making = Making(WHOM, self._first, self._make, doubt_s, refuse_untimely(calls, clock))

    async def close(self) -> None:
        """Let go of the connections."""
        await self._calls.close()

    async def ensure(self, intent: Intent, *, timeout_s: float) -> PaymentRequest:
        """Give the first invoice of the intent's reference, made by the first call that found none."""
        refuse_impossible(intent, "a BTCPay store", MSAT_PER_SAT, self._way.method)
        if intent.description_hash is not None:
            raise Unsupported("BTCPay cannot commit to a description by its hash")
        if intent.amount_msat < self._way.least_sats * MSAT_PER_SAT:
            raise Rejected(
                f"request {intent.reference} asks for less than {self._way.least_sats} sats, which is dust on the chain"
            )
        made = await self._making.one(intent, timeout_s)
        refuse_another(intent, str(made.metadata.get("nccIntent")), made.amount_msat)
        return self._way.request(intent, made)

    async def lookup(self, ref: BackendRef, *, timeout_s: float) -> Observation:
        """Tell how the invoices of a reference stand, together."""
        return observed(ref, await self._of(ref, timeout_s=timeout_s), self._clock())

    async def scan(self, cursor: Cursor, *, timeout_s: float) -> Scan:
        """Give some hundred invoices with money that the cursor does not know, in the order in which they were paid.

        BTCPay lists by when an invoice was made, the newest first. A cursor is a moment before which no invoice can
        change any more, and the names of those with money after it.
        """
        place, deadline_s, now_s = place_of(cursor, "a BTCPay store"), monotonic_s() + timeout_s, int(self._clock())
        low, high = max(place.at, self._walked.get(cursor, 0)), None
        paid, fresh = dict[str, Invoice](), list[Invoice]()
        while True:
            try:
                rows, high = await self._stretch(low, high, deadline_s)
            except Retry:
                if not fresh:
                    self._walked = {
                        cursor: min(low, now_s - self._way.final_after_s)
                    }  # a long history takes several calls
                    raise
                high = low
                break
            paid |= {row.id: row for row in rows if row.reference is not None and _has_news(row)}
            fresh = [row for row in paid.values() if row.name not in place.names]
            if high is None or len(fresh) >= SCAN_ROWS:
                break
            low, high = high, _sooner(high + 2 * (high - low), now_s)
        if not fresh:
            return Scan((), cursor)
        final = max(place.at, min(now_s - self._way.final_after_s, now_s if high is None else high))
        names = {row.name for row in paid.values() if row.created_time >= final}
        names |= place.names if high is not None else set()
        found = [observed(BackendRef(row.reference or ""), [row], now_s) for row in fresh]
        found.sort(key=lambda one: (one.settled_at or 0, one.backend_ref))
        return Scan(tuple(found), Cursor(".".join((str(final), *sorted(names)))))

    async def listen(self, cursor: Cursor) -> AsyncGenerator[Hint, None]:
        """Hint at what was paid since the cursor, then at what the newest invoices show: webhooks are the quick way."""
        while (found := await self.scan(cursor, timeout_s=LISTEN_TIMEOUT_S)).observations:
            cursor = found.cursor
            for one in found.observations:
                yield Hint(one.backend_ref, at=one.settled_at or 0)
        known = set(place_of(cursor, "a BTCPay store").names)
        while True:
            await asyncio.sleep(self._poll_s)
            rows = await self._list(monotonic_s() + LISTEN_TIMEOUT_S, take=POLL_ROWS)
            rows = [mine for row in rows if (mine := self._way.of(row)) is not None]
            paid = {row.name: row for row in rows if row.reference is not None and (row.came() or row.is_short)}
            for name in paid.keys() - known:
                yield Hint(BackendRef(paid[name].reference or ""), at=int(self._clock()))
            known = set(paid)

    async def parse_notice(self, path_token: str, headers: Mapping[str, str], raw: bytes) -> tuple[Hint, ...]:
        """Read a call that is signed with the webhook's secret."""
        check_signature(self._webhook_secret, raw, header(headers, "BTCPay-Sig").removeprefix(SIGNATURE))
        return noticed(raw, int(self._clock()))

    async def refund(self, wish: Refund, *, timeout_s: float) -> Refunded:
        """Give out the one claim link of this refund, and say what became of it."""
        if not self._may_refund:
            raise Unsupported(self.no_refund)
        return await self._refunds.one(wish, timeout_s)

    async def probe(self, *, timeout_s: float) -> Probe:
        """Tell what the key may do in the store, whether the server knows the chain, and its clock."""
        deadline_s = monotonic_s() + timeout_s
        key = await self._calls.get("/api/v1/api-keys/current", timeout_s=timeout_s)
        server = await self._calls.get("/api/v1/server/info", timeout_s=left_s(deadline_s, WHOM))
        try:
            permissions = [str(one) for one in key.body["permissions"]]
            is_ready, methods = server.body["fullySynched"], server.body["supportedPaymentMethods"]
        except (KeyError, TypeError):
            raise Retry(f"BTCPay at {self._calls.host} says nothing that can be read of itself") from None
        offset_s, rights = key.clock_offset_s(self._clock()), rights_in(permissions, self._store)
        warnings = too_much(permissions, self._may_refund) + clock_words(offset_s)
        if not is_ready:
            warnings += ("the server does not know the whole chain yet, so payments may not be seen",)
        if not isinstance(methods, list) or self._way.id not in methods:
            warnings += (f"the server knows no {self._way.id}: it makes no such invoices",)
        lacks = lacking(rights, self._may_refund)
        if self._way.method is Method.BITCOIN and not lacks and not self._is_network_known:
            self.network, self._is_network_known = await self._find_network(deadline_s), True
        return Probe(
            replace(self.capabilities, refund=RefundWay.NONE) if REFUND in lacks else self.capabilities,
            self.network,
            clock_offset_s=offset_s,
            warnings=warnings,
            may=rights,
            lacks=lacks,
            amount_min_msat=(self._way.least_sats * MSAT_PER_SAT) if self._way.least_sats > 1 else 0,
        )

    async def _find_network(self, deadline_s: float) -> Network:
        """What an address of the store is for: one that it gave out, or one of an invoice that is nobody's."""
        rows = [await self._whole(row, deadline_s) for row in await self._list(deadline_s, take=POLL_ROWS)]
        known = next((row for row in rows if row is not None and row.text), None)
        if known is None:
            terms = {**self._way.checkout(self._way.least_sats), "expirationMinutes": 1, "monitoringMinutes": 1}
            about = {"itemDesc": "Trial of this wallet, not to be paid"}
            known = await self._post_invoice(self._way.least_sats, about, terms, deadline_s)
        networks = networks_of(known.text)
        if not networks:
            raise Retry(f"BTCPay at {self._calls.host} gives an address that is none")
        return min(networks)

    async def _first(self, about: Intent, *, timeout_s: float) -> Invoice | None:
        return next(iter(await self._of(about.reference, timeout_s=timeout_s)), None)

    async def _make(self, about: Intent, *, timeout_s: float) -> Invoice:
        deadline_s, sats = monotonic_s() + timeout_s, about.amount_msat // MSAT_PER_SAT
        minutes = max(1, (about.expires_at - int(self._clock())) // 60)
        names = {"orderId": about.reference, "itemDesc": cut_memo(about.memo), "nccIntent": about.intent_id}
        return await self._post_invoice(
            sats, names, {**self._way.checkout(sats), "expirationMinutes": minutes}, deadline_s
        )

    async def _post_invoice(
        self, sats: int, names: Mapping[str, str], terms: Mapping[str, object], deadline_s: float
    ) -> Invoice:
        body = {"amount": str(sats), "currency": SATS, "metadata": names, "checkout": terms}
        answer = await self._calls.post(f"{self._path}/invoices", body, timeout_s=left_s(deadline_s, WHOM))
        made = read_invoice(answer.body)
        try:
            whole = await self._whole(made, deadline_s)
        except Retry as doubt:
            raise Unknown(str(doubt)) from None  # it is there, only not read
        return whole or made

    async def _of(self, ref: str, *, timeout_s: float) -> list[Invoice]:
        """Every invoice of a reference, the first one first, archived ones too; BTCPay lists the newest first."""
        deadline_s = monotonic_s() + timeout_s
        rows = await self._list(deadline_s, orderId=ref, take=INVOICES_MAX)
        found = [await self._whole(row, deadline_s) for row in rows if row.reference == ref]
        return [row for row in reversed(found) if row is not None]

    async def _stretch(self, low: int, high: int | None, deadline_s: float) -> tuple[list[Invoice], int | None]:
        """All invoices made from a moment on, up to another one that is given back; None is the end."""
        while True:
            bound = {"startDate": low} if high is None else {"startDate": low, "endDate": high}
            rows = await self._list(deadline_s, take=SCAN_ROWS, **bound)
            if len(rows) < SCAN_ROWS:
                break
            newest = max(row.created_time for row in rows)
            if newest - low > 1:
                high = low + (newest - low) // 2  # half of it: the oldest of so many are not on this page
                continue
            while more := await self._list(deadline_s, take=SCAN_ROWS, skip=len(rows), **bound):
                rows += more
            break
        found = [await self._whole(row, deadline_s) if _is_worth_a_call(row) else row for row in rows]
        return [row for row in found if row is not None], high

    async def _whole(self, row: Invoice, deadline_s: float) -> Invoice | None:
        """An invoice with its payments in this way; None for one of the other way.

        Servers before 2.4.1 do not list payment methods, and none lists payments that do not count any more.
        """
        if row.payment_methods is None:
            row = await self._with_methods(row, deadline_s)
        mine = self._way.of(row)
        if mine is not None and mine.is_short:
            mine = self._way.of(await self._with_methods(row, deadline_s, onlyAccountedPayments="false"))
        return mine

    async def _with_methods(self, row: Invoice, deadline_s: float, **wanted: str) -> Invoice:
        path = f"{self._path}/invoices/{row.id}/payment-methods"
        said = (await self._calls.get(path, wanted, timeout_s=left_s(deadline_s, WHOM))).body
        try:
            return row.model_copy(update={"payment_methods": read_methods(said)})
        except Unknown as doubt:
            raise Retry(str(doubt)) from None

    async def _list(self, deadline_s: float, **wanted: str | int) -> list[Invoice]:
        asked = {**wanted, "includeArchived": "true", "includePaymentMethods": "true"}
        answer = await self._calls.get(f"{self._path}/invoices", asked, timeout_s=left_s(deadline_s, WHOM))
        try:
            return [read_invoice(one) for one in _rows(answer.body)]
        except (TypeError, Unknown):
            raise Retry(f"BTCPay at {self._calls.host} lists invoices in words that cannot be read") from None

    @property
    def _path(self) -> str:
        return f"/api/v1/stores/{self._store}"


def _rows(said: Any) -> list[Any]:
    if not isinstance(said, list):
        raise TypeError("no list")
    return said


def _sooner(moment: int, now_s: int) -> int | None:
    """A moment, or None where it is not over yet."""
    return moment if moment < now_s else None


def _has_news(row: Invoice) -> bool:
    return bool(row.came()) or row.is_lost


def _is_worth_a_call(row: Invoice) -> bool:
    """Whether an invoice may have money; one whose methods are known costs no call."""
    may_have_money = row.status in {"Processing", "Settled"} or row.additional_status != "None"
    return may_have_money or row.payment_methods is not None
