"""What facts about a shop's lightning address do to the shop: invoices asked for, made, paid and taken back."""

from __future__ import annotations

from schemas import limits
from schemas.addresses import (
    AddressAssigned,
    AddressClaimed,
    AddressClosed,
    AddressPaid,
    AddressReversed,
    AssignmentRefused,
    InvoiceMade,
    InvoiceRefused,
    InvoiceWanted,
    RequestShown,
)
from streams.domain.fold_money import with_receipt
from streams.domain.fold_orders import with_cause
from streams.domain.shop import Asked, Shop

FORGOTTEN_AFTER_S = 86_400
"""How long an invoice that was never paid is remembered past its end; money that comes later still counts."""


def want(shop: Shop, event: InvoiceWanted, at_ms: int) -> None:
    """An invoice is wanted; those that nobody paid are forgotten in time, and the oldest of the others at last."""
    over_s = at_ms // 1_000 - FORGOTTEN_AFTER_S
    for intent_id, one in list(shop.asked.items())[: limits.ADDRESS_INVOICES.most]:
        if not one.paid_msat and one.expires_at < over_s:
            del shop.asked[intent_id]
    shop.asked[event.intent_id] = Asked(event.amount_msat, event.expires_at, zap=event.zap)
    while len(shop.asked) > limits.ADDRESS_PAYMENTS.most:
        others = [name for name in shop.asked if name != event.intent_id]
        del shop.asked[next((name for name in others if not shop.asked[name].waiting_msat), others[0])]


def make(shop: Shop, event: InvoiceMade) -> None:
    """The invoice is there, and known again by its payment hash."""
    known = shop.asked.get(event.intent_id, Asked(event.amount_msat, event.expires_at))
    shop.asked[event.intent_id] = known._replace(payment_hash=event.payment_hash, text=event.text if known.zap else "")


def answer(shop: Shop, event: InvoiceRefused | RequestShown) -> None:
    """A call was answered; it is not heard twice."""
    call_id = event.call_id if isinstance(event, RequestShown) else event.intent_id
    shop.asked.pop(call_id, None)
    shop.calls = with_cause(shop.calls, call_id)


def pay(shop: Shop, event: AddressPaid) -> None:
    """Money came, also for an invoice that was forgotten."""
    known = shop.asked.get(event.intent_id, Asked(event.gross_msat, 0))
    known = known._replace(paid_msat=event.gross_msat)
    is_whole = event.gross_msat >= known.amount_msat
    shop.asked[event.intent_id] = known._replace(zap="", text="") if is_whole else known


def take_back(shop: Shop, event: AddressReversed) -> None:
    """The money is gone for good."""
    known = shop.asked.get(event.intent_id, Asked(event.amount_msat, 0))
    shop.asked[event.intent_id] = known._replace(paid_msat=known.closed_msat, is_reversed=True)


def claim(shop: Shop, event: AddressClaimed) -> None:
    """Whose it will be is known before it is there."""
    known = shop.asked.get(event.intent_id)
    if known is not None:
        shop.asked[event.intent_id] = known._replace(order=event.order, is_claimed=True, cause=event.rumor_id)


def assign(shop: Shop, event: AddressAssigned) -> None:
    """The invoice is the order's: its proof too, and its loss."""
    known = shop.asked.get(event.intent_id, Asked(event.amount_msat, 0, event.payment_hash, event.amount_msat))
    shop.asked[event.intent_id] = known._replace(order=event.order, is_claimed=False, cause=event.cause)
    if event.payment_hash is not None:
        shop.requests[event.payment_hash] = event.order.ref
    order = shop.orders.get(event.order.ref)
    if order is None:
        return
    received = with_receipt(order, order.receipt(event.intent_id)._replace(payment_hash=event.payment_hash))
    order = order._replace(received=received)
    if event.is_request:
        order = order._replace(intent_id=event.intent_id, asked_msat=event.amount_msat, request_text=None)
    shop.orders[event.order.ref] = order


def close(shop: Shop, event: AddressClosed) -> None:
    """Nobody need say anything more of what is there."""
    known = shop.asked.get(event.intent_id, Asked(event.amount_msat, 0, paid_msat=event.amount_msat))
    closed_msat = known.closed_msat + event.amount_msat
    shop.asked[event.intent_id] = known._replace(closed_msat=closed_msat, cause=event.cause)


def refuse(shop: Shop, event: AssignmentRefused) -> None:
    """The word is not heard twice."""
    shop.calls = with_cause(shop.calls, event.cause)
