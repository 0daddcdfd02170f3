"""The books against a domain with a planted bug: each is found, so that quiet books mean something."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from schemas.catalogue import RecordListing
from schemas.messages import CommandBody, JournalRecord
from schemas.orders import CancellationRequested, OrderStatus, ShippingStatus
from schemas.payments import BackendState, Method, PaymentSettled, intent_id
from schemas.values import Actor, OrderKey
from services.audit.books import Books
from streams.domain import orders, settlement
from streams.domain.decide import decide
from streams.domain.decision import Decision
from streams.domain.evolve import evolve
from streams.domain.shop import Shop, Stock
from streams.domain.transitions import ORDER_MOVES
from tests.support.books import as_json
from tests.support.builders import MERCHANT, NOW_MS, a_command, a_key, a_listing, an_id, an_order
from tests.support.steps import cancelled, moved, paid, parcel, requested

Sabotage = Callable[[pytest.MonkeyPatch], None]


def breaches_of_a_day() -> set[str]:
    """A shop with three teas and four orders decides, and the books say under which codes it went wrong."""
    shop, books, found = Shop(MERCHANT), Books(), set[str]()
    two, three, four = a_key("2"), a_key("3"), a_key("4")
    said: list[CommandBody] = [
        RecordListing(listing=a_listing("tea", "10", stock=3)),
        an_order(("tea", 2)),
        requested(20),
        an_order(("tea", 1), key=two, rumor="2"),
        an_order(("tea", 1), key=three, rumor="3"),
        paid(19, state=BackendState.PARTIAL),
        paid(20),
        paid(20),
        parcel(ShippingStatus.SHIPPED),
        moved(OrderStatus.COMPLETED, Actor.BUYER, key=two),
        cancelled(key=two),
        an_order(("tea", 1), key=four, rumor="4"),
        an_order(("tea", 1), key=four, rumor="4 again"),
        requested(10, four, revision=2),
        requested(11, four, revision=2),
        moved(OrderStatus.COMPLETED),
        moved(OrderStatus.CANCELLED),
    ]
    for number, body in enumerate(said):
        command = a_command(body, NOW_MS + number)
        events = decide(shop, command, {})
        for event in events:
            evolve(shop, event, command.at_ms)
        record = JournalRecord(
            seq=number + 1, covers=number, merchant=MERCHANT, at_ms=command.at_ms, cause="c", events=events
        )
        found |= {breach.code for breach in books.enter(as_json(record))}
    return found


def forgets_holds(patch: pytest.MonkeyPatch) -> None:
    """Available is what is on hand, whoever was promised it."""
    patch.setattr(Stock, "available_with", lambda stock, _released: stock.on_hand)


def keeps_what_dead_orders_held(patch: pytest.MonkeyPatch) -> None:
    """A cancelled or amended order gives nothing back."""
    patch.setattr(orders, "give_back", lambda _decision, _order: None)


def names_intents_by_chance(patch: pytest.MonkeyPatch) -> None:
    """A retry would be another request."""
    patch.setattr(orders, "intent_id", lambda key, revision, _method: an_id(f"chance {key.ref} {revision}"))


def forgets_the_revision(patch: pytest.MonkeyPatch) -> None:
    """An amended order asks under its first revision's name."""
    real = intent_id
    patch.setattr(orders, "intent_id", lambda key, _revision, _method: real(key, 1, Method.BOLT11))


def tells_nobody(patch: pytest.MonkeyPatch) -> None:
    """Decisions without a word."""
    patch.setattr(Decision, "tell_status", lambda *_args: None)


def tells_twice(patch: pytest.MonkeyPatch) -> None:
    """Every status goes out again."""
    real = Decision.tell_status

    def twice(*said: Any) -> None:
        real(*said)
        real(*said)

    patch.setattr(Decision, "tell_status", twice)


def numbers_every_reply_one(patch: pytest.MonkeyPatch) -> None:
    """Two messages under one name: relays would drop the second."""
    real = Decision.emit

    def emit(decision: Decision, *events: Any) -> None:
        changed = (e.model_copy(update={"number": 1}) if e.type == "ReplyPromised" else e for e in events)
        real(decision, *changed)

    patch.setattr(Decision, "emit", emit)


def believes_any_amount(patch: pytest.MonkeyPatch) -> None:
    """Whatever arrived is enough."""
    real = settlement.observe

    def observe(decision: Decision, command: Any) -> None:
        order: Any = decision.shop.order(command.order)
        if order is not None and order.status is OrderStatus.PENDING and order.intent_id == command.intent_id:
            decision.emit(settlement_of(order.key, command, order.quote.total_msat))
            held, quote = order.held, order.quote
            orders.confirm(decision, order.key, order.dialect, order.answers, held, quote, "believed")
            return
        real(decision, command)

    patch.setattr(settlement, "observe", observe)


def settlement_of(key: OrderKey, command: Any, due_msat: int) -> Any:
    """The event that `observe` makes of a settlement."""
    return PaymentSettled(
        order=key, intent_id=command.intent_id, gross_msat=command.gross_msat, due_msat=due_msat, settled_at=None
    )


def hears_settlements_again(patch: pytest.MonkeyPatch) -> None:
    """The same look-up twice is money twice."""
    real = settlement.observe

    def observe(decision: Decision, command: Any) -> None:
        real(decision, command)
        if not decision.events:
            decision.emit(settlement_of(command.order, command, 20_000).model_copy(update={"late": True}))

    patch.setattr(settlement, "observe", observe)


def lets_buyers_do_as_they_like(patch: pytest.MonkeyPatch) -> None:
    """Every move by anybody, to and from anywhere."""
    everybody = frozenset(Actor)
    every = {(was, to): everybody for was in OrderStatus for to in OrderStatus}
    patch.setattr(orders, "ORDER_MOVES", {**ORDER_MOVES, **every})


def sells_nothing_when_paid(patch: pytest.MonkeyPatch) -> None:
    """A confirmed order goes on holding its stock."""
    patch.setattr(orders, "StockCommitted", lambda **fields: CancellationRequested(order=fields["order"], cause=""))


@pytest.mark.parametrize(
    ("sabotage", "codes"),
    [
        (forgets_holds, {"I2"}),
        (keeps_what_dead_orders_held, {"I2", "I3"}),
        (names_intents_by_chance, {"I9"}),
        (forgets_the_revision, {"I9"}),
        (tells_nobody, {"I4"}),
        (tells_twice, {"I4"}),
        (numbers_every_reply_one, {"I9"}),
        (believes_any_amount, {"I5"}),
        (hears_settlements_again, {"I5"}),
        (lets_buyers_do_as_they_like, {"I11"}),
        (sells_nothing_when_paid, {"I2"}),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_a_planted_bug_is_found(monkeypatch: pytest.MonkeyPatch, sabotage: Sabotage, codes: set[str]) -> None:
    """Within a day of one small shop, under the code that names it."""
    assert breaches_of_a_day() == set()
    sabotage(monkeypatch)

    assert breaches_of_a_day() >= codes
