"""Bugs to plant where money finds its order late or over a shop's address; see `tests.simulation.planted`."""

from __future__ import annotations

from typing import Any

from schemas.stock import StockCommitted, StockHeld
from streams.domain import absence, addresses, assigning, reinstating, settlement
from streams.domain.shop import Order
from tests.simulation.planted import Bug, Change

ABSENCE_TEST = "tests/streams/domain/test_absence.py"


def _assign_again() -> list[Change]:
    """What is an order's already can be another's."""
    right = assigning._unavailable

    def wrong(known: Any) -> Any:
        return right(known._replace(order=None, closed_msat=0) if known is not None else None)

    return [(assigning, "_unavailable", wrong)]


def _count_again() -> list[Change]:
    """Every look-up of an invoice of the address brings its money anew."""
    right = addresses.observe

    def wrong(decision: Any, command: Any) -> None:
        known = decision.shop.asked.get(command.intent_id)
        if known is not None:
            decision.shop.asked[command.intent_id] = known._replace(paid_msat=0)
        right(decision, command)
        if known is not None:
            decision.shop.asked[command.intent_id] = known

    return [(addresses, "observe", wrong)]


def _pay_by_preimage() -> list[Change]:
    """A preimage alone is money."""
    right = assigning._unassignable

    def wrong(known: Any, order: Any) -> Any:
        return right(known._replace(paid_msat=known.paid_msat or known.amount_msat) if known else None, order)

    def assign(decision: Any, order: Any, intent_id: str, known: Any, cause: str) -> None:
        right_assign(decision, order, intent_id, known._replace(paid_msat=known.paid_msat or known.amount_msat), cause)

    right_assign = assigning._assign
    return [(assigning, "_unassignable", wrong), (assigning, "_assign", assign)]


def _late_in_silence() -> list[Change]:
    """Nobody but the merchant hears of late money."""
    return [(settlement, "_tell_late", lambda decision, order, about, new_msat: None)]


def _reinstate_unsold() -> list[Change]:
    """Late money is taken, and its goods stay on the shelf."""
    right = reinstating._go_on

    def wrong(decision: Any, order: Any, actor: Any, cause: str) -> None:
        right(decision, order, actor, cause)
        decision.events = [one for one in decision.events if not isinstance(one, StockHeld | StockCommitted)]

    return [(reinstating, "_go_on", wrong)]


def _reinstate_for_less() -> list[Change]:
    """An order is brought back by a tenth of its price."""
    right = reinstating._money_msat
    return [(reinstating, "_money_msat", lambda order: 10 * right(order))]


def _end_unheard() -> list[Change]:
    """An order ends at its deadline whatever its wallet may hold."""
    return [(absence, "record", lambda decision, command: None)]


def _end_forgotten() -> list[Change]:
    """An order whose request is forgotten ends as if nobody had paid it."""
    return [(absence, "forget", lambda decision, order, intent: None)]


def _renew_at_will() -> list[Change]:
    """Any pending order is asked for anew, though its request can still be paid."""
    return [(Order, "is_forgotten", property(lambda self: self.request_digest is not None))]


def _wait_again() -> list[Change]:
    """Each time a wallet is missed the order waits longer."""
    right = absence.record

    def wrong(decision: Any, command: Any) -> None:
        order = decision.shop.order(command.order)
        if order is not None and order.ends_ms is not None:
            decision.shop.orders[order.key.ref] = order._replace(ends_ms=None)
        right(decision, command)
        if order is not None:
            decision.shop.orders[order.key.ref] = order

    return [(absence, "record", wrong)]


MONEY: tuple[Bug, ...] = (
    Bug("assign again", "money over the address is entered for two orders", _assign_again),
    Bug("count again", "money over the address counts as often as it is seen", _count_again),
    Bug("pay by preimage", "a preimage of the address's invoice is taken for money", _pay_by_preimage),
    Bug(
        "late in silence",
        "a buyer never hears of money that came too late",
        _late_in_silence,
        "tests/streams/domain/test_payments.py",
    ),
    Bug("reinstate unsold", "an order that late money brings back takes no stock", _reinstate_unsold),
    Bug("reinstate for less", "late money that is short of the price brings an order back", _reinstate_for_less),
    Bug("end unheard", "an order ends while its wallet cannot say whether it was paid", _end_unheard, ABSENCE_TEST),
    Bug(
        "end forgotten",
        "an order ends unpaid whose request its wallet has forgotten",
        _end_forgotten,
        "tests/streams/domain/test_forgotten.py",
    ),
    Bug(
        "renew at will",
        "a buyer gets a second request while the first can be paid",
        _renew_at_will,
        "tests/streams/domain/test_forgotten.py",
    ),
    Bug("wait again", "an order waits for its wallet for ever", _wait_again, ABSENCE_TEST),
)
