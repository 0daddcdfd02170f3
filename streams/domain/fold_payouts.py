"""What facts about pay-outs do to their order: the invoice offered, the one under way, and those that failed."""

from __future__ import annotations

from typing import Any

from schemas.payouts import (
    PayoutApproved,
    PayoutDropped,
    PayoutFailed,
    PayoutWanted,
    RefundInvoiceOffered,
    RefundLinkMade,
)
from schemas.values import OrderKey
from streams.domain.fold_orders import with_cause
from streams.domain.shop import Payout, Shop


def offer(shop: Shop, event: RefundInvoiceOffered) -> None:
    """The newest one counts."""
    _change(shop, event.order, offered=event.invoice)


def want(shop: Shop, event: PayoutWanted) -> None:
    """It waits for somebody else's word."""
    _change(shop, event.order, event.cause, live=Payout(event.refund_id, event.amount_msat, event.invoice))


def approve(shop: Shop, event: PayoutApproved) -> None:
    """From here on it may be paid, and cannot be dropped."""
    live = Payout(event.refund_id, event.amount_msat, event.invoice, is_approved=True)
    _change(shop, event.order, event.cause, live=live)


def tell(shop: Shop, event: RefundLinkMade) -> None:
    """Its buyer has the link, so it may be claimed at any moment."""
    live = Payout(event.refund_id, event.amount_msat, None, is_approved=True, is_told=True)
    _change(shop, event.order, live=live)


def drop(shop: Shop, event: PayoutDropped) -> None:
    """The invoice was not touched, so it may be asked for again."""
    _change(shop, event.order, event.cause, live=None)


def fail(shop: Shop, event: PayoutFailed) -> None:
    """Its invoice is never tried again."""
    order = shop.orders.get(event.order.ref)
    if order is not None:
        failed = with_cause(order.pay_back.failed, event.refund_id)
        _change(shop, event.order, offered=None, live=None, failed=failed)


def pay(shop: Shop, order: OrderKey, cause: str) -> None:
    """A refund was entered: if it was the one under way, that is done and its invoice spent."""
    known = shop.orders.get(order.ref)
    if known is not None and known.pay_back.live is not None and known.pay_back.live.refund_id == cause:
        _change(shop, order, offered=None, live=None)


def _change(shop: Shop, key: OrderKey, cause: str | None = None, **changes: Any) -> None:
    order = shop.orders.get(key.ref)
    if order is None:
        return
    causes = order.pay_back.causes if cause is None else with_cause(order.pay_back.causes, cause)
    shop.orders[key.ref] = order._replace(pay_back=order.pay_back._replace(causes=causes, **changes))
