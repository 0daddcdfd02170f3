"""What one buyer may take up of a shop: orders, messages and stock, counted from the journal alone (C-12, C-13).

An hour is one of the clock, told by the commands: counting starts anew with each, so that nothing has to be kept
of buyers who are gone, and a burst round the full hour is at most twice the figure.
"""

from __future__ import annotations

from enum import StrEnum

from schemas.orders import Finding
from schemas.values import Actor, Origin, Refusal
from streams.domain.decision import Decision
from streams.domain.shop import HOUR_MS, Shop


class Silence(StrEnum):
    """Why a message is only counted: it decides nothing, is never answered, and waits in quarantine."""

    TOO_MANY_ORDERS = "too_many_orders"
    TOO_MANY_MESSAGES = "too_many_messages"
    TOO_MANY_REVIEWS = "too_many_reviews"
    INBOX_FULL = "inbox_full"
    MUTED = "muted"


def silenced(decision: Decision, buyer: str) -> bool:
    """Whether this message of a buyer is one too many in this hour; it is then marked so, and nothing may follow.

    Only what a relay brings is counted: a message that was parked was counted when it came.
    """
    if decision.command.origin is not Origin.RELAY:
        return False
    heard = decision.shop.heard.get(buyer, 0) if _is_this_hour(decision) else 0
    if heard < decision.shop.settings.buyer_messages_per_hour_max:
        return False
    decision.silence = Silence.TOO_MANY_MESSAGES
    return True


def silenced_actor(decision: Decision, actor: Actor, buyer: str) -> bool:
    """The same for messages that the merchant may send too, whose own are not counted."""
    return actor is Actor.BUYER and silenced(decision, buyer)


def unheard(decision: Decision, buyer: str, about_order: bool) -> bool:
    """The same for what a person writes, which a crowd must not fill the inbox with, nor somebody who is declined."""
    shop = decision.shop
    if buyer in shop.settings.denied:
        decision.silence = Silence.MUTED
        return True
    if silenced(decision, buyer):
        return True
    strangers = shop.strangers if _is_this_hour(decision) else 0
    if about_order or strangers < shop.settings.inbox_messages_per_hour_max:
        return False
    decision.silence = Silence.INBOX_FULL
    return True


def check_new_order(decision: Decision, buyer: str) -> Finding | None:
    """What speaks against one more order of this buyer before it is even looked at.

    The first order past the hour's figure is told so; those after it are silenced, for an answer costs two messages.
    """
    shop, rules = decision.shop, decision.shop.settings
    unpaid = len(shop.unpaid.get(buyer, ())) if _is_this_hour(decision) else 0
    if unpaid > rules.buyer_unpaid_orders_per_hour_max:
        decision.silence = Silence.TOO_MANY_ORDERS
    if unpaid >= rules.buyer_unpaid_orders_per_hour_max:
        return Finding(refusal=Refusal.TOO_MANY_ORDERS, subject=str(rules.buyer_unpaid_orders_per_hour_max))
    if buyer in rules.denied:
        return Finding(refusal=Refusal.DECLINED)
    if rules.is_paused:
        return Finding(refusal=Refusal.SHOP_CLOSED, subject=rules.pause_text)
    if len(shop.invoices) >= rules.open_invoices_max:
        return Finding(refusal=Refusal.SHOP_BUSY)
    if len(shop.open_of.get(buyer, ())) >= rules.buyer_open_orders_max:
        return Finding(refusal=Refusal.TOO_MANY_OPEN, subject=str(rules.buyer_open_orders_max))
    return None


def units_left(shop: Shop, buyer: str, order_ref: str, coordinate: str, on_hand: int) -> int:
    """Units of a listing that an order may hold beside the buyer's other open orders; not below zero."""
    if shop.settings.buyer_stock_percent_max >= 100:
        return on_hand  # nothing is kept for others, so nobody needs to count
    others = sum(
        line.quantity
        for ref in shop.open_of.get(buyer, ())
        if ref != order_ref
        for line in shop.orders[ref].held
        if line.coordinate == coordinate
    )
    share = on_hand * shop.settings.buyer_stock_percent_max // 100
    return max(0, max(share, shop.settings.buyer_stock_units_min) - others)


def _is_this_hour(decision: Decision) -> bool:
    """Whether the counts are of the command's hour; one that comes late is counted with those of now."""
    return decision.at_ms // HOUR_MS <= decision.shop.hour
