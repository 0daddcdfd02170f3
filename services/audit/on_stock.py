"""Stock in the books: bases, holds, and what becomes of them (I2)."""

from __future__ import annotations

from services.audit.ledger import Fact, Ledger, Order
from services.audit.rules import short


def is_set(ledger: Ledger, fact: Fact) -> None:
    """The merchant said what is there."""
    coordinate, on_hand = fact["coordinate"], fact["on_hand"]
    ledger.owns(coordinate)
    ledger.goods_of(coordinate).on_hand = on_hand


def held(ledger: Ledger, fact: Fact) -> None:
    """Units are promised to an order; they must be free."""
    order = ledger.order_of(fact)
    for line in fact["lines"]:
        _hold(ledger, order, line["coordinate"], line["quantity"])


def _hold(ledger: Ledger, order: Order, coordinate: str, units: int) -> None:
    ledger.owns(coordinate)
    goods = ledger.goods_of(coordinate)
    free = 0 if goods.on_hand is None else goods.on_hand - goods.held
    said = f"{order.name} holds {units} of {short(coordinate)}, of which {free} were free"
    ledger.check("I2", 0 < units <= free, lambda: said)
    goods.held += units
    order.held[coordinate] = order.held.get(coordinate, 0) + units


def released(ledger: Ledger, fact: Fact) -> None:
    """An order gave its units back."""
    _end_hold(ledger, fact, is_sold=False)


def committed(ledger: Ledger, fact: Fact) -> None:
    """An order's units are sold."""
    _end_hold(ledger, fact, is_sold=True)


def _end_hold(ledger: Ledger, fact: Fact, is_sold: bool) -> None:
    order, given = ledger.order_of(fact), dict[str, int]()
    for line in fact["lines"]:
        coordinate, units = line["coordinate"], line["quantity"]
        given[coordinate] = given.get(coordinate, 0) + units
        goods = ledger.goods_of(coordinate)
        goods.held -= units
        if is_sold:
            goods.sold += units
            goods.on_hand = None if goods.on_hand is None else goods.on_hand - units
    if is_sold and order.to_sell.items() <= given.items():
        order.to_sell = {}
    verb = "sold" if is_sold else "gave back"
    ledger.check("I2", given == order.held, lambda: f"{order.name} {verb} other units than it held")
    order.held = {}
