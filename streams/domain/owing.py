"""What the shop holds and must give back: entered as owed, for the merchant to return (C-02, C-03, C-05)."""

from __future__ import annotations

from schemas.payments import PaymentAxis
from schemas.refunds import OwedFor, RefundOwed
from schemas.values import OrderKey
from streams.domain.decision import Decision
from streams.domain.shop import Order


def owe(decision: Decision, order: OrderKey, amount_msat: int, reason: OwedFor) -> None:
    """Enter a debt, where there is one."""
    if amount_msat > 0:
        decision.emit(RefundOwed(order=order, amount_msat=amount_msat, reason=reason))


def surplus_msat(order: Order, new_msat: int) -> int:
    """What back-ends hold above the price once so much more came in, and is neither returned nor owed yet.

    Money that the merchant only answers for is left out: what comes after it may well be what it stood for (TR-17).
    """
    price_msat = order.quote.total_msat if order.quote else 0
    seen_msat = sum(receipt.amount_msat for receipt in order.received) + new_msat
    return max(0, seen_msat - order.refunded_msat - price_msat - order.owed_msat)


def owe_unfinished(decision: Decision, order: Order) -> int:
    """An order ends that was paid in part: what came for it is owed. Gives how much, in msat."""
    if order.payment not in (PaymentAxis.PARTIAL, PaymentAxis.REVERSED):
        return 0
    held_msat = max(0, order.paid_msat - order.refunded_msat - order.owed_msat)
    owe(decision, order.key, held_msat, OwedFor.UNFINISHED)
    return held_msat
