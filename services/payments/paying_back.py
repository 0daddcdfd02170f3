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
PAUSE_FIRST_S: Final = 0.5
PAUSE_MAX_S: Final = 30.0
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
class Approved:
    """A pay-out that was approved, and the record that says so."""

    event: PayoutApproved
    merchant: str
    partition: int
    offset: int
    task: asyncio.Task[None] | None = None
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


class RefundPayer:
    """The pay-outs of the partitions that this process has."""

    def __init__(
        self,
        backend_of: Callable[[str], PaymentBackend],
        say: Say,
        may_act: Callable[[Approved], bool],
        fail: Callable[[BaseException], None],
        seal_link: SealLink = no_links,
    ) -> None:
        """`may_act` says whether a pay-out's partition was read to its end and its merchant's effects do not wait;
        `fail` stops the role for what is no back-end's fault.
        """
        self._backend_of, self._say, self._may_act, self._fail = backend_of, say, may_act, fail
        self._seal_link = seal_link
        self._owed: dict[str, Approved] = {}

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
                self._owed[event.refund_id] = Approved(event, merchant, partition, offset)
                self.resume()
            case RefundLinkMade():
                if (owed := self._owed.get(event.refund_id)) is not None:
                    owed.is_told = True
            case PayoutFailed():
                self._forget(event.refund_id)
            case RefundRecorded():
                self._forget(event.cause)

    def resume(self) -> None:
        """Take up what is owed and may be done now."""
        for owed in self._owed.values():
            if owed.task is None and self._may_act(owed):
                owed.task = asyncio.ensure_future(self._pay(owed))
                owed.task.add_done_callback(self._done)

    async def hold(self, merchant: str) -> None:
        """Stop a merchant's pay-outs; one that is under way is found at the back-end later."""
        held = [owed for owed in self._owed.values() if owed.merchant == merchant]
        tasks = [owed.task for owed in held if owed.task is not None]
        for owed in held:
            owed.task = None
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def needed_from(self, partition: int, next_offset: int) -> int:
        """The record that approved the oldest pay-out still owed, where that is before `next_offset`."""
        return min([next_offset, *(one.offset for one in self._owed.values() if one.partition == partition)])

    def end(self, partition: int) -> None:
        """Another process takes the partition's pay-outs over."""
        for name in [name for name, owed in self._owed.items() if owed.partition == partition]:
            self._forget(name)

    async def close(self) -> None:
        """Stop everything under way."""
        tasks = [owed.task for owed in self._owed.values() if owed.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _pay(self, owed: Approved) -> None:
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
                    log.warning("pay-out", refund=owed.event.refund_id, error=last)
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

    def _forget(self, name: str) -> None:
        owed = self._owed.pop(name, None)
        if owed is not None and owed.task is not None:
            owed.task.cancel()

    def _done(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._fail(error)
