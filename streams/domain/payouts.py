"""Pay-outs: to the buyer's invoice or by a link, as one person asks and another approves, one at a time (C-01, F13)."""

from __future__ import annotations

from schemas.inbox import MessageReceived
from schemas.payments import PaymentAxis
from schemas.payouts import (
    ApprovePayout,
    DropPayout,
    OfferedInvoice,
    PayoutApproved,
    PayoutDropped,
    PayoutFailed,
    PayoutWanted,
    RecordPayoutFailure,
    RecordRefundLink,
    RefundInvoiceOffered,
    RefundLinkMade,
    WantPayout,
    link_refund_id_of,
    refund_id_of,
)
from schemas.replies import TextReply
from schemas.values import MSAT_PER_SAT, Actor, OrderKey
from streams.domain import refunds, wording
from streams.domain.decision import Decision
from streams.domain.shop import Order, Payout


def offer(decision: Decision, letter: MessageReceived, invoice: OfferedInvoice) -> None:
    """A buyer's letter shows an invoice: it counts for the order it is about, if that has money to give back.

    One of our own, one that has ended, and one that was tried before are words like any other.
    """
    shop, order = decision.shop, _about(decision, letter)
    if order is None or refunds.left_msat(order) <= 0 or order.pay_back.offered == invoice:
        return
    is_ours = invoice.payment_hash in shop.requests or any(
        one.payment_hash == invoice.payment_hash for one in shop.asked.values()
    )
    is_spent = refund_id_of(order.key, invoice.payment_hash) in (*order.refunds, *order.pay_back.failed)
    if not (is_ours or is_spent or invoice.expires_at * 1_000 <= decision.at_ms):
        decision.emit(RefundInvoiceOffered(order=order.key, invoice=invoice, rumor_id=letter.rumor_id))


def want(decision: Decision, command: WantPayout) -> None:
    """Ask for a pay-out of what is left: by a link, or to the invoice that the buyer offered over exactly that."""
    order = _known(decision, command.order, command.cause)
    if order is None:
        return
    left_msat = refunds.left_msat(order)
    amount_msat = command.amount_msat or _due_msat(order, left_msat)
    offered = order.pay_back.offered
    if order.pay_back.live is not None:
        _refuse(decision, order, "payout_under_way", "one is under way already", command.cause)
    elif not 0 < amount_msat <= left_msat:
        detail = f"{amount_msat} msat, and {left_msat} of what was paid are left"
        _refuse(decision, order, "refund_too_high", detail, command.cause)
    elif command.by_link:
        refund_id = link_refund_id_of(order.key, command.cause)
        decision.emit(PayoutWanted(order=order.key, refund_id=refund_id, amount_msat=amount_msat, cause=command.cause))
    elif offered is None or offered.amount_msat != amount_msat or offered.expires_at * 1_000 <= decision.at_ms:
        detail = f"ask the buyer for an invoice over {_sats(amount_msat)} sats"
        _refuse(decision, order, "no_refund_invoice", detail, command.cause)
    else:
        decision.emit(
            PayoutWanted(
                order=order.key,
                refund_id=refund_id_of(order.key, offered.payment_hash),
                amount_msat=amount_msat,
                invoice=offered,
                cause=command.cause,
            )
        )


def approve(decision: Decision, command: ApprovePayout) -> None:
    """Another person agrees to what was asked for, while it can still be paid."""
    order = _known(decision, command.order, command.cause)
    if order is None:
        return
    live = _unapproved(decision, order, command.cause)
    if live is None:
        return
    left_msat = refunds.left_msat(order) + live.amount_msat
    if command.amount_msat != live.amount_msat:
        detail = f"{_sats(live.amount_msat)} sats were asked for"
        _refuse(decision, order, "other_amount", detail, command.cause)
    elif live.amount_msat > left_msat:
        detail = f"{live.amount_msat} msat, and {left_msat} of what was paid are left"
        _refuse(decision, order, "refund_too_high", detail, command.cause)
    elif live.invoice is not None and live.invoice.expires_at * 1_000 <= decision.at_ms:
        detail = f"its invoice has ended: drop it, and ask the buyer for one over {_sats(live.amount_msat)} sats"
        _refuse(decision, order, "no_refund_invoice", detail, command.cause)
    else:
        paid = [receipt.intent_id for receipt in order.received if receipt.amount_msat]
        decision.emit(
            PayoutApproved(
                order=order.key,
                refund_id=live.refund_id,
                amount_msat=live.amount_msat,
                invoice=live.invoice,
                intent_id=paid[-1] if paid else order.intent_id,
                approver=command.approver,
                cause=command.cause,
            )
        )


def drop(decision: Decision, command: DropPayout) -> None:
    """What nobody approved yet is not asked for any more; what was approved may be paid at any moment."""
    order = _known(decision, command.order, command.cause)
    if order is None:
        return
    live = _unapproved(decision, order, command.cause)
    if live is not None:
        decision.emit(PayoutDropped(order=order.key, refund_id=live.refund_id, cause=command.cause))


def record_failure(decision: Decision, command: RecordPayoutFailure) -> None:
    """The wallet says that this one was not and will not be paid; what a buyer has a link for may still be claimed."""
    order = decision.shop.order(command.order)
    live = order.pay_back.live if order is not None else None
    if live is not None and live.is_approved and live.refund_id == command.refund_id and not live.is_told:
        decision.emit(
            PayoutFailed(
                order=command.order, refund_id=live.refund_id, amount_msat=live.amount_msat, reason=command.reason
            )
        )


def record_link(decision: Decision, command: RecordRefundLink) -> None:
    """An approved pay-out has its link: its buyer is told once, and nobody else is (F13)."""
    order = decision.shop.order(command.order)
    live = order.pay_back.live if order is not None else None
    if order is None or live is None or live.refund_id != command.refund_id:
        return
    if live.invoice is None and live.is_approved and not live.is_told:
        decision.emit(
            RefundLinkMade(
                order=order.key, refund_id=live.refund_id, amount_msat=live.amount_msat, sealed=command.sealed
            )
        )
        text = wording.refund_link(decision.voice(order.key), live.amount_msat)
        reply = TextReply(about=f"refund {live.refund_id}", text=text, sealed=command.sealed)
        decision.tell(order.key, order.dialect, order.answers, reply)


def _about(decision: Decision, letter: MessageReceived) -> Order | None:
    """The order of this very buyer that a letter names, or answers a letter about."""
    key = letter.order
    if key is None and letter.answers is not None:
        answered = decision.shop.words.get(letter.answers)
        key = answered.order if answered is not None and answered.buyer == letter.buyer else None
    order = decision.shop.order(key) if key is not None else None
    return order if order is not None and order.key.buyer == letter.buyer else None


def _known(decision: Decision, key: OrderKey, cause: str) -> Order | None:
    """The order; None for one that nobody knows, which is refused, and for a word that was heard before."""
    order = decision.shop.order(key)
    if order is None:
        decision.refuse(key, Actor.MERCHANT, "unknown_order", "no such order", cause)
        return None
    return None if cause in order.pay_back.causes else order


def _unapproved(decision: Decision, order: Order, cause: str) -> Payout | None:
    live = order.pay_back.live
    if live is None:
        _refuse(decision, order, "no_payout", "no pay-out was asked for", cause)
    elif live.is_approved:
        _refuse(decision, order, "payout_approved", "it was approved, and may be paid already", cause)
    else:
        return live
    return None


def _due_msat(order: Order, left_msat: int) -> int:
    """What is owed of an order that goes on, else all that is left; in whole sats."""
    owed_msat = order.owed_msat if order.payment is PaymentAxis.PAID else 0
    return min(left_msat, owed_msat or left_msat) // MSAT_PER_SAT * MSAT_PER_SAT


def _refuse(decision: Decision, order: Order, reason: str, detail: str, cause: str) -> None:
    decision.refuse(order.key, Actor.MERCHANT, reason, detail, cause)


def _sats(amount_msat: int) -> str:
    whole, rest = divmod(amount_msat, MSAT_PER_SAT)
    return f"{whole}.{rest:03}".rstrip("0") if rest else str(whole)
