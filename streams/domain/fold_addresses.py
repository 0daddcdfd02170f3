"""What facts about a shop's lightning address do to the shop: invoices asked for, made, paid and taken back."""

from __future__ import annotations

from schemas import limits
from schemas.addresses import (
    AddressPaid,
    AddressReversed,
    InvoiceMade,
    InvoiceRefused,
    InvoiceWanted,
    RequestShown,
)
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
    shop.asked[event.intent_id] = Asked(event.amount_msat, event.expires_at)
    while len(shop.asked) > limits.ADDRESS_PAYMENTS.most:
        del shop.asked[next(iter(shop.asked))]


def make(shop: Shop, event: InvoiceMade) -> None:
    """The invoice is there, and known again by its payment hash."""
    known = shop.asked.get(event.intent_id, Asked(event.amount_msat, event.expires_at))
    shop.asked[event.intent_id] = known._replace(payment_hash=event.payment_hash)


def answer(shop: Shop, event: InvoiceRefused | RequestShown) -> None:
    """A call was answered; it is not heard twice."""
    call_id = event.call_id if isinstance(event, RequestShown) else event.intent_id
    shop.asked.pop(call_id, None)
    shop.calls = with_cause(shop.calls, call_id)


def pay(shop: Shop, event: AddressPaid) -> None:
    """Money came, also for an invoice that was forgotten."""
    known = shop.asked.get(event.intent_id, Asked(event.gross_msat, 0))
    shop.asked[event.intent_id] = known._replace(paid_msat=event.gross_msat)


def take_back(shop: Shop, event: AddressReversed) -> None:
    """The money is gone for good."""
    known = shop.asked.get(event.intent_id, Asked(event.amount_msat, 0))
    shop.asked[event.intent_id] = known._replace(paid_msat=0, is_reversed=True)
