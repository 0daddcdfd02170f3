"""Checks what holds in every history: a seeded machine tries odd ones, the auditor keeps its books."""

import itertools
import random

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from schemas.catalogue import RecordDeletion, RecordListing, RecordShippingOption, ReviseListing
from schemas.freezes import FreezeMerchant, ThawMerchant
from schemas.messages import Command, CommandBody, Event
from schemas.orders import MoveRefused, OrderStatus, ReachDeadline, ShippingStatus
from schemas.parking import CommandParked, ReleaseParked
from schemas.payments import RecordPaymentFailure, intent_id
from schemas.shops import OpenShop, ShopSettings
from schemas.stock import SetStock
from schemas.values import Actor, OrderKey
from services.audit.books import Books
from streams.domain.decide import decide
from tests.support import laws
from tests.support.books import enter
from tests.support.builders import (
    BUYER,
    MERCHANT,
    NOW_MS,
    NOW_S,
    OTHER_BUYER,
    a_command,
    a_key,
    a_listing,
    an_option,
    an_order,
    post,
    product,
)
from tests.support.steps import moved, paid, parcel, receipt, requested
from tests.support.story import RATES, Story

KEYS = st.sampled_from([a_key(order_id, buyer) for order_id in ("1", "2") for buyer in (BUYER, OTHER_BUYER)])
GOODS = st.sampled_from(["tea", "cup", "song", "vase", "gift"])
REVISIONS = st.integers(1, 3)
PRICES = {"tea": "10", "cup": "3", "song": "1", "vase": "20", "gift": "0"}
CAUSES = st.integers(0, 3)
STATE = ("orders", "stock", "listings", "options", "withdrawn", "parked", "settings", "freezes", "masters", "hidden")


class AnyHistory(RuleBasedStateMachine):
    """Buyers, a merchant, a wallet, a clock and relays that repeat themselves, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.story = Story()
        self.books = Books()
        self.at_ms = NOW_MS
        self.heard: list[tuple[Command, tuple[Event, ...]]] = []
        self.rumors = itertools.count()
        self.versions = itertools.count(1)

    def hear(self, body: CommandBody) -> None:
        """Time passes, the command is decided and folded, and the auditor reads what followed."""
        self.at_ms += 500
        command = a_command(body, self.at_ms)
        self.story.when(command)
        if self.story.events:
            enter(self.books, self.story.journal[-1])
        self.heard.append((command, self.story.events))

    @initialize()
    def open_the_shop(self) -> None:
        for d, stock in (("tea", 3), ("cup", 2), ("song", None), ("vase", 4), ("gift", 2)):
            self.publish(d, stock)
        self.hear(RecordShippingOption(option=an_option(countries=("DE",))))
        self.buy_a_tea(a_key("1"))
        self.ask_and_pay(a_key("1"))
        self.buy_a_tea(a_key("2"))

    @rule(d=GOODS, stock=st.sampled_from([None, 0, 1, 3, 6]))
    def publish(self, d: str, stock: int | None) -> None:
        at = NOW_S + next(self.versions) * 2
        shipping = ((post(), "1"),) if d == "vase" else ()
        listing = a_listing(d, PRICES[d], stock=stock, shipping=shipping, created_at=at)
        self.hear(RecordListing(listing=listing))

    @rule(d=GOODS, on_hand=st.sampled_from([None, 0, 2, 5]), source=st.sampled_from(["erp", "shelf"]), back=REVISIONS)
    def count(self, d: str, on_hand: int | None, source: str, back: int) -> None:
        version = next(self.versions) - (back if back > 2 else 0)
        cause = f"{source} {next(self.versions)}"
        self.hear(SetStock(coordinate=product(d), on_hand=on_hand, source=source, version=version, cause=cause))

    @rule(hides=st.booleans(), low=st.integers(0, 2))
    def change_the_rules(self, hides: bool, low: int) -> None:
        self.hear(OpenShop(settings=ShopSettings(hide_sold_out=hides, low_stock=low)))

    @rule(d=st.sampled_from(["cup", "vase"]), ago=st.integers(0, 6))
    def delete(self, d: str, ago: int) -> None:
        at = NOW_S + next(self.versions) * 2 - ago
        self.hear(RecordDeletion(author=MERCHANT, created_at=at, coordinates=(product(d),)))

    @rule(
        key=KEYS,
        lines=st.lists(st.tuples(GOODS, st.integers(0, 3)), min_size=1, max_size=3),
        country=st.sampled_from([None, "DE", "US"]),
    )
    def order(self, key: OrderKey, lines: list[tuple[str, int]], country: str | None) -> None:
        rumor = f"rumor {next(self.rumors)}"
        self.hear(an_order(*lines, key=key, rumor=rumor, country=country))

    @rule(key=KEYS)
    def buy_a_tea(self, key: OrderKey) -> None:
        """The happy path often enough for the deep states to be reached."""
        self.order(key, [("tea", 1)], "DE")

    def due_sats(self, key: OrderKey) -> int:
        order = self.story.shop.order(key)
        return order.quote.total_msat // 1_000 if order and order.quote else 10

    @rule(key=KEYS, revision=REVISIONS, off=st.sampled_from([0, 0, 0, 1]))
    def answer_for_the_wallet(self, key: OrderKey, revision: int, off: int) -> None:
        self.hear(requested(self.due_sats(key) + off, key, revision))

    @rule(key=KEYS, revision=REVISIONS, off=st.sampled_from([0, 0, 5, -1]))
    def pay(self, key: OrderKey, revision: int, off: int) -> None:
        self.hear(paid(self.due_sats(key) + off, key, revision))

    @rule(key=KEYS)
    def ask_and_pay(self, key: OrderKey) -> None:
        order = self.story.shop.order(key)
        if order is not None:
            self.answer_for_the_wallet(key, order.revision, 0)
            self.pay(key, order.revision, 0)

    @rule(key=KEYS, revision=REVISIONS)
    def fail_at_the_wallet(self, key: OrderKey, revision: int) -> None:
        name = intent_id(key, revision)
        self.hear(RecordPaymentFailure(order=key, intent_id=name, reason="no route"))

    @rule(key=KEYS, cause=CAUSES)
    def claim(self, key: OrderKey, cause: int) -> None:
        self.hear(receipt(key, str(cause)))

    @rule(key=KEYS, actor=st.sampled_from(Actor), to=st.sampled_from(OrderStatus), cause=CAUSES)
    def move(self, key: OrderKey, actor: Actor, to: OrderStatus, cause: int) -> None:
        self.hear(moved(to, actor, key, f"{actor} {cause}", announce=cause > 0))

    @rule(key=KEYS, actor=st.sampled_from([Actor.MERCHANT, Actor.BUYER]))
    def carry_on(self, key: OrderKey, actor: Actor) -> None:
        """The usual next step, so that the far ends of an order's life are met."""
        order = self.story.shop.order(key)
        if order is not None:
            steps = {
                OrderStatus.PENDING: OrderStatus.CANCELLED,
                OrderStatus.CONFIRMED: OrderStatus.PROCESSING,
                OrderStatus.PROCESSING: OrderStatus.COMPLETED,
            }
            self.move(key, actor, steps.get(order.status, OrderStatus.CANCELLED), 1)
            self.ship(key, ShippingStatus.SHIPPED, 1, "T")

    @rule(key=KEYS, to=st.sampled_from(ShippingStatus), cause=CAUSES, tracking=st.sampled_from([None, "T"]))
    def ship(self, key: OrderKey, to: ShippingStatus, cause: int, tracking: str | None) -> None:
        self.hear(parcel(to, key=key, cause=str(cause), tracking=tracking))

    @rule(hours=st.sampled_from([0, 0, 1, 60]))
    def let_time_pass(self, hours: int) -> None:
        """The decider's shell sends what fell due."""
        self.at_ms += hours * 3_600_000
        for due in self.story.shop.take_due(self.at_ms):
            if due.kind == "parked":
                self.hear(ReleaseParked(order=due.order_key))
            else:
                self.hear(ReachDeadline(order=due.order_key, deadline_ms=due.at_ms))
        for coordinate in self.story.shop.take_stale(self.at_ms // 1_000):
            self.hear(ReviseListing(coordinate=coordinate))

    @rule(data=st.data())
    def repeat_something(self, data: st.DataObject) -> None:
        """What had its effect has none when a relay brings it again, however much later."""
        command, events = data.draw(st.sampled_from(self.heard))
        if not events or isinstance(command.body, ReleaseParked | ReviseListing):
            return
        if all(isinstance(event, MoveRefused | CommandParked) for event in events):
            return  # it had no effect yet, so it may have one now
        assert decide(self.story.shop, command, RATES) == ()

    @invariant()
    def the_books_are_the_shop(self) -> None:
        for coordinate, stock in self.story.shop.stock.items():
            assert (stock.on_hand, stock.held) == (
                self.books.goods[coordinate].on_hand,
                self.books.goods[coordinate].held,
            )
        for ref, order in self.story.shop.orders.items():
            assert self.books.order(ref) == (order.status, order.revision, order.replies)

    @rule(cause=CAUSES, again=st.booleans())
    def freeze_or_thaw(self, cause: int, again: bool) -> None:
        """Effects wait or go on; the same cause is heard once."""
        if again:
            self.hear(ThawMerchant(reason="looked at", cause=f"thaw {next(self.versions)}"))
        else:
            self.hear(FreezeMerchant(code="I2", reason="oversold", cause=f"I2 at 0:{cause}"))

    def teardown(self) -> None:
        refolded = self.story.refolded()
        for name in STATE:
            assert getattr(refolded, name) == getattr(self.story.shop, name), name
        events = [event for record in self.story.journal for event in record.events]
        laws.fold_never_fails(MERCHANT, events[::-1], NOW_MS)
        random.Random(7).shuffle(events)
        laws.fold_never_fails(MERCHANT, events + events, NOW_MS)


@pytest.mark.req("INV-08")
@pytest.mark.req("PAY-17")
@pytest.mark.req("INV-02")
def test_no_history_oversells_asks_twice_or_loses_count() -> None:
    """Stock never negative, one live intent a revision, replies without gaps, one confirmation an order."""
    run_state_machine_as_test(
        AnyHistory,
        settings=settings(derandomize=True, max_examples=50, stateful_step_count=40, deadline=None, database=None),
    )
