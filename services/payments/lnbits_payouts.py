"""Pays a refund out of an LNbits wallet, with its admin key: looked up by payment hash before it is paid, and after.

A payment carries the refund's id (`extra.ncc_refund`), so that one by hand, or for another refund, is never taken for
it. LNbits and the payee's node each pay one payment hash once, whatever is lost in between. What is looked up needs
the invoice key alone, so a refund that was paid is known though the admin key was taken away since.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from schemas.bolt11 import Invoice as Bolt11
from schemas.bolt11 import Network
from services.payments.asking import left_s, monotonic_s
from services.payments.http_calls import HttpCalls
from services.payments.lnbits_calls import WHOM
from services.payments.lnbits_words import Invoice, read_invoice
from services.payments.payout_checks import OUR_OWN, SPENT, destination_of, refuse_ended
from services.payments.port import (
    BackendError,
    Refund,
    Refunded,
    RefundState,
    Rejected,
    Retry,
    Unauthorized,
    Unknown,
    Unsupported,
)

PAYMENTS: Final = "/api/v1/payments"
MARK: Final = "ncc_refund"
NO_KEY: Final = "this LNbits wallet has no key that may spend: add it again with --spend-key-file"
ROWS_MAX: Final = 20
"""Rows of one payment hash in one wallet: what was asked for, and what was paid."""
RECHECK_AFTER_S: Final = 60.0
"""A node that is asked too early does not know the payment yet, which some take for its failure."""


class LnbitsPayouts:
    """The outgoing side of one LNbits wallet; without `spender` it only tells what was paid."""

    def __init__(
        self, calls: HttpCalls, spender: HttpCalls | None, network: Network, clock: Callable[[], float]
    ) -> None:
        self._calls, self._spender, self._network, self._clock = calls, spender, network, clock

    async def refund(self, wish: Refund, *, timeout_s: float) -> Refunded:
        """Pay the wish's invoice unless it was paid. Raises as `PaymentBackend.refund`."""
        deadline_s = monotonic_s() + timeout_s
        try:
            invoice = destination_of(wish, self._network)
        except Rejected:
            if self._spender is None:
                raise Unsupported(NO_KEY) from None
            raise
        found = await self._told(wish, invoice, left_s(deadline_s, WHOM))
        if found is not None:
            return found
        if self._spender is None:
            raise Unsupported(NO_KEY)
        refuse_ended(invoice, self._clock())
        if fault := await self.spend_fault(timeout_s=left_s(deadline_s, WHOM)):
            raise Unauthorized(f"the key that pays refunds out {fault}: add the wallet again with its admin key")
        await self._refuse_dear(wish, left_s(deadline_s, WHOM))
        body = {"out": True, "bolt11": wish.destination, "extra": {MARK: wish.refund_id}}
        doubt: BackendError = Unknown("LNbits took the payment and does not show it")
        try:
            await self._spender.post(PAYMENTS, body, timeout_s=left_s(deadline_s, WHOM))
        except (Rejected, Unknown) as error:  # LNbits refuses what it has paid already
            doubt = error
        try:
            found = await self._told(wish, invoice, left_s(deadline_s, WHOM))
        except Retry:
            raise Unknown("LNbits was asked to pay, and does not say what came of it") from None
        if found is None:
            raise doubt
        return found

    async def spend_fault(self, *, timeout_s: float) -> str:
        """What is wrong with the key that pays out; empty for a good one, and where there is none.

        One of another wallet would pay what is never seen in this one, and so perhaps twice.
        """
        if self._spender is None:
            return ""
        deadline_s = monotonic_s() + timeout_s
        wallet = await self._spender.get("/api/v1/wallet", timeout_s=timeout_s)
        if not isinstance(wallet.body, dict) or "id" not in wallet.body:
            return "may not spend"
        newest: dict[str, str | int] = {"sortby": "created_at", "direction": "desc", "limit": 1}
        for row in await self._page(self._calls, newest, left_s(deadline_s, WHOM)):
            same: dict[str, str | int] = {"payment_hash": row.payment_hash, "limit": ROWS_MAX}
            if not await self._page(self._spender, same, left_s(deadline_s, WHOM)):
                return "opens another wallet"
        return ""

    async def _told(self, wish: Refund, invoice: Bolt11, timeout_s: float) -> Refunded | None:
        """How the refund stands, if anything of its payment hash is in this wallet. Raises `Rejected` for another's."""
        rows = await self._rows(invoice.payment_hash, timeout_s)
        if any(row.amount > 0 for row in rows):
            raise Rejected(OUR_OWN)
        if any(row.extra.get(MARK) != wish.refund_id for row in rows):
            raise Rejected(SPENT)
        if not rows:
            return None
        states = {row.status for row in rows}
        if "success" in states:
            state = RefundState.SENT
        else:
            state = RefundState.FAILED if states == {"failed"} else RefundState.PENDING
        return Refunded(
            refund_id=wish.refund_id,
            state=state,
            amount_msat=wish.amount_msat,
            fee_msat=sum(abs(row.fee) for row in rows if row.status == "success"),
            evidence=f"bolt11:{invoice.payment_hash}",
        )

    async def _rows(self, payment_hash: str, timeout_s: float) -> list[Invoice]:
        """What this wallet has under a payment hash; what is pending for long is asked of its node again."""
        rows = await self._page(self._calls, {"payment_hash": payment_hash, "limit": ROWS_MAX}, timeout_s)
        long_ago_s = self._clock() - RECHECK_AFTER_S
        if any(row.status == "pending" and row.created_at.timestamp() < long_ago_s for row in rows):
            recheck: dict[str, str | int] = {"payment_hash": payment_hash, "limit": ROWS_MAX, "recheck_pending": "true"}
            rows = await self._page(self._calls, recheck, timeout_s)
        return [row for row in rows if row.payment_hash == payment_hash]

    async def _page(self, calls: HttpCalls, wanted: Mapping[str, str | int], timeout_s: float) -> list[Invoice]:
        answer = await calls.get(f"{PAYMENTS}/paginated", wanted, timeout_s=timeout_s)
        try:
            return [read_invoice(one) for one in answer.body["data"]]
        except (KeyError, TypeError, Unknown):
            raise Retry(f"LNbits at {self._calls.host} lists payments in words that cannot be read") from None

    async def _refuse_dear(self, wish: Refund, timeout_s: float) -> None:
        """LNbits says beforehand what it may spend on sending, and takes no other bound."""
        assert wish.destination is not None, "it was read"
        answer = await self._calls.get(f"{PAYMENTS}/fee-reserve", {"invoice": wish.destination}, timeout_s=timeout_s)
        reserve = answer.body.get("fee_reserve") if isinstance(answer.body, dict) else None
        if not isinstance(reserve, int | float):
            raise Retry(f"LNbits at {self._calls.host} does not say what sending costs")
        if reserve > wish.max_fee_msat:
            raise Rejected(f"sending may cost {int(reserve)} msat, and {wish.max_fee_msat} are allowed")
