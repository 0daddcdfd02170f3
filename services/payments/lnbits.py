"""Is paid into an LNbits wallet (LNbits 1.x, checked with 1.6.2) over its HTTP API and its socket.

LNbits cannot refuse a second invoice for one reference, so a request is named here by its reference (LNbits'
`external_id`), not by its payment hash: whichever invoice of that name is paid, the money is found.
It takes whole sats only, and would quietly cut anything else (`amount_step_msat`).
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from schemas.bolt11 import Network
from schemas.payments import Method
from services.payments.asking import clock_words, cut_memo, left_s, monotonic_s, refuse_impossible, refuse_untimely
from services.payments.http_calls import HttpCalls
from services.payments.invoice_request import EXPIRY_SLACK_S
from services.payments.lnbits_calls import WHOM
from services.payments.lnbits_payouts import LnbitsPayouts
from services.payments.lnbits_words import (
    SCAN_OVERLAP_US,
    Invoice,
    hint_in,
    is_ours,
    noticed,
    observed,
    read_invoice,
    request_for,
)
from services.payments.making import Making
from services.payments.node_words import text_ends_at
from services.payments.notices import check_token
from services.payments.port import (
    BackendRef,
    Capabilities,
    Cursor,
    Hint,
    Intent,
    Observation,
    PaymentRequest,
    Probe,
    Proof,
    Push,
    PushAuth,
    Refund,
    Refunded,
    RefundWay,
    Retry,
    Scan,
    Unknown,
)
from services.payments.receiving import OnlyReceives
from services.payments.socket_notices import hints, notices
from services.payments.time_cursor import cursor_after, place_of

PAYMENTS: Final = "/api/v1/payments"
CAPABILITIES: Final = Capabilities(
    methods=frozenset({Method.BOLT11}),
    amount_step_msat=1_000,
    custom_expiry=True,
    reference_searchable=True,
    description_hash=True,
    push=Push.SOCKET,
    push_auth=PushAuth.URL_TOKEN,
    takes_notices=True,
    late_settle=True,
    proof=Proof.PREIMAGE,
)
DOUBT_S: Final = 30.0
"""How long after a call without an answer no second one is made, though no invoice is seen: LNbits may still work."""
INVOICES_MAX: Final = 100
"""Invoices of one reference that are looked at; a second one is rare, a third needs two lost answers."""
SCAN_ROWS: Final = 500
MOVED_ROWS: Final = 5
"""Settled payments that may move to the end of LNbits' list (somebody labels them) while it is searched."""
LISTEN_TIMEOUT_S: Final = 10.0


class LnbitsAccount(OnlyReceives):
    """One LNbits wallet: a `PaymentBackend` that needs no more than the wallet's invoice key, except to pay back."""

    # Only held invoices can be cancelled.
    no_cancel = "LNbits cannot cancel an invoice"

    def __init__(
        self,
        calls: HttpCalls,
        network: Network,
        clock: Callable[[], float] = time.time,
        doubt_s: float = DOUBT_S,
        *,
        token: str = "",
        webhook: str = "",
        spender: HttpCalls | None = None,
    ) -> None:
        """`network` is what the wallet's invoices are for: LNbits does not say it, an invoice does.

        `token` is what stands in the address where LNbits calls, `webhook` that address, if it is to call at all.
        `spender` has the admin key, which pays refunds out and is used for nothing else.
        """
        self.network = network
        self._token, self._webhook = token, webhook
        self._calls, self._spender = calls, spender
        self.capabilities = replace(CAPABILITIES, refund=RefundWay.PAY if spender else RefundWay.NONE)
        self._payouts = LnbitsPayouts(calls, spender, network, clock)
        self._clock = clock
        self._making = Making(WHOM, self._first, self._make, doubt_s, refuse_untimely(calls, clock))

    async def close(self) -> None:
        """Let go of the connections."""
        await self._calls.close()
        if self._spender is not None:
            await self._spender.close()

    async def ensure(self, intent: Intent, *, timeout_s: float) -> PaymentRequest:
        """Give the first invoice of the intent's reference, made by the first call that found none."""
        refuse_impossible(intent, "an LNbits wallet", CAPABILITIES.amount_step_msat)
        return request_for(intent, await self._making.one(intent, timeout_s))

    async def lookup(self, ref: BackendRef, *, timeout_s: float) -> Observation:
        """Tell how the invoices of a reference stand, together."""
        deadline_s = monotonic_s() + timeout_s
        invoices = await self._of(ref, timeout_s=timeout_s)
        soon_s = self._clock() + EXPIRY_SLACK_S
        if any(one.status == "pending" and text_ends_at(one.bolt11) > soon_s for one in invoices):
            # Has LNbits ask its node. Not near the end: then it would declare dead what may yet be paid.
            invoices = await self._of(ref, timeout_s=left_s(deadline_s, WHOM), recheck_pending="true")
        return observed(ref, invoices, self._clock())

    async def scan(self, cursor: Cursor, *, timeout_s: float) -> Scan:
        """Give up to 500 settlements after the cursor, in the order of LNbits' own clock."""
        place, deadline_s = place_of(cursor, "an LNbits wallet"), monotonic_s() + timeout_s

        async def page(offset: int, limit: int) -> tuple[list[Invoice], int]:
            wanted: dict[str, str | int] = {
                "status": "success",
                "amount[gt]": 0,
                "sortby": "updated_at",
                "direction": "asc",
            }
            return await self._page({**wanted, "offset": offset, "limit": limit}, left_s(deadline_s, WHOM))

        floor_us = place.at - SCAN_OVERLAP_US
        offset, seen = 0, list[Invoice]()
        if place.at:
            offset = max(0, await _first_since(floor_us, page) - MOVED_ROWS)
        while True:
            rows, _ = await page(offset, SCAN_ROWS)
            seen += [one for one in rows if one.updated_us >= floor_us]
            fresh = [one for one in seen if one.name not in place.names and is_ours(one)]
            if fresh or len(rows) < SCAN_ROWS:
                break
            offset += len(rows)
        if not fresh:
            return Scan((), cursor)
        now_s = self._clock()
        return Scan(
            tuple(observed(BackendRef(one.external_id or ""), [one], now_s) for one in fresh),
            cursor_after(((one.updated_us, one.name) for one in seen), SCAN_OVERLAP_US),
        )

    def listen(self, cursor: Cursor) -> AsyncGenerator[Hint, None]:
        """Hint at what settled since the cursor, then at each payment that LNbits tells of."""
        # LNbits takes the key in the address of this socket only, so a server's own access log has it.
        path = f"/api/v1/ws/{self._calls.key.get_secret_value()}"
        heard = notices(WHOM, self._calls.url, path, {})
        return hints(
            heard,
            cursor,
            lambda after: self.scan(after, timeout_s=LISTEN_TIMEOUT_S),
            lambda message: hint_in(message, int(self._clock())),
        )

    async def parse_notice(self, path_token: str, headers: Mapping[str, str], raw: bytes) -> tuple[Hint, ...]:
        """Read a call to the wallet's own address; nothing else proves it, since LNbits signs nothing."""
        check_token(self._token, path_token)
        return noticed(raw, int(self._clock()))

    async def refund(self, wish: Refund, *, timeout_s: float) -> Refunded:
        """Pay the payer's invoice, once for each refund id."""
        return await self._payouts.refund(wish, timeout_s=timeout_s)

    async def probe(self, *, timeout_s: float) -> Probe:
        """Tell whether the key opens a wallet, whether it may do more than it needs to, and the server's clock."""
        answer = await self._calls.get("/api/v1/wallet", timeout_s=timeout_s)
        if not isinstance(answer.body, dict) or "balance" not in answer.body:
            raise Retry(f"LNbits at {self._calls.host} says nothing that can be read of the wallet")
        offset_s = answer.clock_offset_s(self._clock())
        is_admin = "id" in answer.body
        too_much = ("this is an admin key, which may spend: give the wallet's invoice key instead",) if is_admin else ()
        may = ("receive", "spend") if is_admin else ("receive", "pay refunds out") if self._spender else ("receive",)
        fault = await self._payouts.spend_fault(timeout_s=timeout_s)
        lacks = (f"a key that pays refunds out (the one given {fault})",) if fault else ()
        warnings = too_much + clock_words(offset_s)
        return Probe(self.capabilities, self.network, clock_offset_s=offset_s, warnings=warnings, may=may, lacks=lacks)

    async def _first(self, about: Intent, *, timeout_s: float) -> Invoice | None:
        return next(iter(await self._of(about.reference, timeout_s=timeout_s)), None)

    async def _make(self, about: Intent, *, timeout_s: float) -> Invoice:
        body = {
            "out": False,
            "unit": "sat",
            "amount": about.amount_msat // CAPABILITIES.amount_step_msat,
            "expiry": about.expires_at - int(self._clock()),
            "external_id": about.reference,
            "extra": {"ncc_intent": about.intent_id, "ncc_asked_msat": about.amount_msat},
        }
        if about.description_hash is None:
            body["memo"] = cut_memo(about.memo)
        else:
            body["description_hash"] = about.description_hash
        if self._webhook:
            body["webhook"] = self._webhook
        return read_invoice((await self._calls.post(PAYMENTS, body, timeout_s=timeout_s)).body)

    async def _of(self, ref: str, *, timeout_s: float, **more: str) -> list[Invoice]:
        """Every invoice of a reference, the first one first; those that LNbits calls failed as well."""
        wanted: dict[str, str | int] = {
            "external_id": ref,
            "sortby": "created_at",
            "direction": "asc",
            "limit": INVOICES_MAX,
            **more,
        }
        found, _ = await self._page(wanted, timeout_s)
        return sorted(
            (one for one in found if one.external_id == ref and one.amount > 0),
            key=lambda one: (one.created_at, one.payment_hash),
        )

    async def _page(self, wanted: Mapping[str, str | int], timeout_s: float) -> tuple[list[Invoice], int]:
        answer = await self._calls.get(f"{PAYMENTS}/paginated", wanted, timeout_s=timeout_s)
        try:
            return [read_invoice(one) for one in answer.body["data"]], int(answer.body["total"])
        except (KeyError, TypeError, ValueError, Unknown):
            raise Retry(f"LNbits at {self._calls.host} lists payments in words that cannot be read") from None


async def _first_since(floor_us: int, page: Callable[..., Any]) -> int:
    """Where in LNbits' list the first payment settled at or after a moment stands."""
    _, high = await page(0, 1)
    low = 0
    while low < high:
        middle = (low + high) // 2
        rows, _ = await page(middle, 1)
        if rows and rows[0].updated_us < floor_us:
            low = middle + 1
        else:
            high = middle
    return low
