"""Pays approved refunds out, each once, and says what came of it.

Level-triggered, as the role is: a pay-out is owed from the record that approved it until the journal has its refund or
its failure. Whatever was lost in between, a back-end looks before it pays (`PaymentBackend.refund`).
What it gives out instead of paying, a link, is sealed here and said once; then it is asked whether that was claimed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import structlog

from schemas import limits
from schemas.crash_points import Point, reach
from schemas.messages import CommandBody
from schemas.payouts import (
    BTCPAY,
    LIGHTNING,
    PayoutApproved,
    PayoutFailed,
    RecordPayoutFailure,
    RecordRefundLink,
    RefundLinkMade,
)
from schemas.refunds import RecordRefund, RefundRecorded
from schemas.values import SealedDetails
from services.payments.owed_work import PAUSE_FIRST_S, PAUSE_MAX_S, Owed, OwedWork
from services.payments.port import (
    BackendError,
    BackendRef,
    PaymentBackend,
    Refund,
    Refunded,
    RefundState,
    Rejected,
    reference,
)

PAY_TIMEOUT_S: Final = 30.0
CLAIM_PAUSE_MAX_S: Final = 600.0
"""A buyer may take days to claim."""
FEE_PER_MILLE: Final = 30
FEE_LEAST_MSAT: Final = 10_000
"""What sending may cost the merchant: three in a hundred, ten sats at least."""

log = structlog.get_logger(role="payments")

Say = Callable[[str, str, CommandBody, str], Awaitable[None]]
"""(merchant, source, command, what tells it from others of its kind and source)."""
SealLink = Callable[[str, str, str], SealedDetails | None]
"""(merchant, refund id, link) → the link in a box, the same one each time; None where its key was erased."""


def no_links(_merchant: str, _refund_id: str, _link: str) -> SealedDetails | None:
    """Stands for a vault where there is none."""
    raise LookupError("there is no vault here")


@dataclass(slots=True)
class Approved(Owed[PayoutApproved]):
    """A pay-out that was approved, and the record that says so."""

    is_told: bool = False
    """Whether its buyer was told where to claim it."""

    @property
    def wish(self) -> Refund:
        """What the back-end is asked to do."""
        event = self.event
        return Refund(
            refund_id=event.refund_id,
            about=BackendRef(reference(event.intent_id) if event.intent_id else ""),
            amount_msat=event.amount_msat,
            destination=None if event.invoice is None else event.invoice.text,
            max_fee_msat=max(FEE_LEAST_MSAT, event.amount_msat * FEE_PER_MILLE // 1_000),
        )


class RefundPayer(OwedWork[str, Approved]):
    """The pay-outs of the partitions that this process has."""

    def __init__(
        self,
        backend_of: Callable[[str], PaymentBackend],
        say: Say,
        may_act: Callable[[Approved], bool],
        fail: Callable[[BaseException], None],
        seal_link: SealLink = no_links,
    ) -> None:
        """`backend_of` gives a merchant's own wallet, which pays."""
        super().__init__(may_act, fail)
        self._backend_of, self._say, self._seal_link = backend_of, say, seal_link

    def note(
        self,
        event: PayoutApproved | PayoutFailed | RefundLinkMade | RefundRecorded,
        merchant: str,
        partition: int,
        offset: int,
    ) -> None:
        """A record approved a pay-out, or has what came of one."""
        match event:
            case PayoutApproved():
                self._owe(event.refund_id, Approved(event, merchant, partition, offset))
            case RefundLinkMade():
                if (owed := self._owed.get(event.refund_id)) is not None:
                    owed.is_told = True
            case PayoutFailed():
                self._forget(event.refund_id)
            case RefundRecorded():
                self._forget(event.cause)

    async def _do(self, name: str, owed: Approved) -> None:
        """Ask until it is known what came of it. It stays owed until the journal has that."""
        pause_s, last = PAUSE_FIRST_S, ""
        while True:
            try:
                done = await self._backend_of(owed.merchant).refund(owed.wish, timeout_s=PAY_TIMEOUT_S)
                last = ""
                reach(Point.PAYMENTS_LOOKED)
                match done.state:
                    case RefundState.SENT:
                        await self._say_sent(owed, done)
                        return
                    case RefundState.FAILED if not owed.is_told:
                        await self._say_failed(owed, "the wallet could not pay the invoice")
                        return
                    case RefundState.CLAIMABLE if not owed.is_told:
                        await self._say_link(owed, done.text)
                    case RefundState.PENDING | RefundState.CLAIMABLE | RefundState.FAILED:
                        pass
            except BackendError as error:
                if isinstance(error, Rejected) and not owed.is_told:
                    await self._say_failed(owed, str(error))
                    return
                what, last = last, type(error).__name__
                if what != last:  # a link that was archived is in doubt for ever
                    log.warning("pay-out", refund=name, error=last)
                pause_s = max(pause_s, error.retry_after_s)
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, CLAIM_PAUSE_MAX_S if owed.is_told else PAUSE_MAX_S)

    async def _say_sent(self, owed: Approved, done: Refunded) -> None:
        event = owed.event
        paid = RecordRefund(
            order=event.order,
            amount_msat=event.amount_msat,
            rail=BTCPAY if event.invoice is None else LIGHTNING,
            reference=done.evidence if event.invoice is None else event.invoice.payment_hash,
            cause=event.refund_id,
            fee_msat=done.fee_msat,
        )
        await self._say(owed.merchant, event.refund_id, paid, "")

    async def _say_link(self, owed: Approved, link: str) -> None:
        """Say once, in a box, where the buyer can claim it; one that was erased is not said again."""
        event = owed.event
        sealed = self._seal_link(owed.merchant, event.refund_id, link)
        if sealed is not None:
            body = RecordRefundLink(order=event.order, refund_id=event.refund_id, sealed=sealed)
            await self._say(owed.merchant, event.refund_id, body, "")
        owed.is_told = True

    async def _say_failed(self, owed: Approved, why: str) -> None:
        reason = why[: limits.REFUND_REASON.most]
        body = RecordPayoutFailure(order=owed.event.order, refund_id=owed.event.refund_id, reason=reason)
        await self._say(owed.merchant, owed.event.refund_id, body, "")
