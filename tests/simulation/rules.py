"""How orders may move and what a quote must be: a reading of the requirements, not of the domain."""

from __future__ import annotations

from decimal import ROUND_CEILING, Decimal

from schemas.orders import OrderMoved, Quote
from schemas.shops import ShopSettings

RATE_AGE_MAX_MS = 900_000
REQUEST_TTL_S = ShopSettings().request_ttl_s


class Breach(Exception):
    """An invariant did not hold; the message says which, and how."""


MOVES = {
    ("waiting", "cancelled"): "buyer merchant",
    ("waiting", "failed"): "coordinator",
    ("waiting", "expired"): "coordinator",
    ("pending", "cancelled"): "buyer merchant",
    ("pending", "confirmed"): "coordinator merchant",
    ("pending", "expired"): "coordinator",
    ("pending", "failed"): "coordinator",
    ("confirmed", "processing"): "merchant",
    ("confirmed", "completed"): "merchant buyer coordinator",
    ("confirmed", "cancelled"): "merchant",
    ("processing", "completed"): "merchant buyer coordinator",
    ("processing", "cancelled"): "merchant",
    ("pending", "processing"): "merchant",
    ("pending", "completed"): "merchant",
    ("expired", "confirmed"): "coordinator",
    ("cancelled", "confirmed"): "coordinator",
    ("failed", "confirmed"): "coordinator",
    **{
        (status, "refunded"): "merchant"
        for status in ("confirmed", "processing", "completed", "cancelled", "expired", "failed")
    },
}
"""Who may move an order from where to where: a reading of the requirements, not of the domain."""


def check_move(before: str, event: OrderMoved, parcel: str | None) -> None:
    """I11: only legal moves, by those who may."""
    if event.actor.value not in MOVES.get((before, event.to.value), ""):
        raise Breach(f"I11: the {event.actor.value} moved an order from {before} to {event.to.value}")
    if event.actor.value == "buyer" and event.to.value == "completed" and parcel not in ("shipped", "delivered"):
        raise Breach("I11: the buyer completed an order whose parcel is not on its way")


def check_quote(quote: Quote, at_ms: int) -> None:
    """The price is the sum of its terms, made with fresh rates, and stands as long from now on as the shop says."""
    if quote.valid_until != at_ms // 1_000 + REQUEST_TTL_S:
        raise Breach(f"I9: a quote made at {at_ms // 1_000} is valid until {quote.valid_until}")
    for rate in quote.rates:
        if at_ms - rate.as_of_ms > RATE_AGE_MAX_MS:
            raise Breach("I9: a quote was made with a rate that was too old")
    if all(charge.currency == "SATS" for charge in quote.charges):
        total = sum((charge.amount for charge in quote.charges), Decimal(0)).to_integral_value(ROUND_CEILING)
        if quote.total_msat != int(total) * 1_000:
            raise Breach(f"I9: a quote of {quote.total_msat} msat, whose terms sum to {total} sats")
