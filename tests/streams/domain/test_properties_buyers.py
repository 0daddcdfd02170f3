"""What one buyer takes up, in any history: the accounts are those of the orders, and no figure is ever passed."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import limits
from schemas.catalogue import RecordListing
from schemas.messages import CommandBody
from schemas.orders import OrderPlaced, OrderQuoted, OrderRejected, OrderStatus, ReachDeadline
from schemas.replies import ReplyPromised
from schemas.shops import OpenShop, ShopSettings
from schemas.stock import StockHeld
from schemas.values import Actor
from streams.domain.decide import judge
from streams.domain.shop import HOUR_MS
from streams.domain.transitions import OPEN
from tests.support.builders import NOW_MS, a_command, a_key, a_listing, an_order, product
from tests.support.steps import cancelled, moved, paid, receipt, requested
from tests.support.story import RATES, Story

BUYERS = st.sampled_from(["b1" * 32, "b2" * 32])
STEP = st.tuples(
    BUYERS,
    st.sampled_from(["order", "order", "order", "pay", "cancel", "claim", "complete", "wait"]),
    st.integers(0, 9),
    st.integers(1, 8),
)
RULES = ShopSettings(
    buyer_open_orders_max=3,
    buyer_unpaid_orders_per_hour_max=6,
    buyer_messages_per_hour_max=12,
    buyer_stock_percent_max=40,
    buyer_stock_units_min=2,
    open_invoices_max=5,
)
STOCK = 20


class Street:
    """A shop with tight rules, and what two buyers do there."""

    def __init__(self) -> None:
        self.story = Story()
        self.at_ms = NOW_MS
        self.story.when(OpenShop(settings=RULES), RecordListing(listing=a_listing("tea", "10", stock=STOCK)))
        self.seen = 0

    def step(self, buyer: str, what: str, number: int, quantity: int) -> None:
        """One thing that happens; its consequences are held against the rules."""
        self.at_ms += 60_000
        key = a_key(f"order-{number}", buyer)
        order = self.story.shop.order(key)
        sats = order.quote.total_msat // 1_000 if order and order.quote else 10
        self.seen += 1
        said: list[CommandBody]
        match what:
            case "order":
                said = [an_order(("tea", quantity), key=key, rumor=f"{buyer} {number} {self.seen}")]
            case "pay":
                revision = order.revision if order else 1
                said = [requested(sats, key, revision), paid(sats, key, revision)]
            case "cancel":
                said = [cancelled(key=key)]
            case "claim":
                said = [receipt(key, f"receipt {self.seen}")]
            case "complete":
                cause = f"{buyer} {self.seen}"
                said = [moved(OrderStatus.COMPLETED, Actor.BUYER, key, cause)]
            case _:
                self.at_ms += quantity * HOUR_MS // 8
                due = self.story.shop.take_due(self.at_ms)
                said = [ReachDeadline(order=d.order_key, deadline_ms=d.at_ms) for d in due if d.kind == "deadline"]
        for body in said:
            before = len(self.story.shop.orders)
            silence = judge(self.story.shop, a_command(body, self.at_ms), RATES).silence
            self.story.when(a_command(body, self.at_ms))
            assert silence is None or self.story.events == ()
            self.keeps_the_rules(before)

    def keeps_the_rules(self, orders_before: int) -> None:
        """Recounted from the orders themselves, by somebody who keeps no accounts."""
        shop = self.story.shop
        held: dict[str, int] = {}
        open_of: dict[str, set[str]] = {}
        for ref, order in shop.orders.items():
            if order.status in OPEN:
                open_of.setdefault(order.key.buyer, set()).add(ref)
            for line in order.held:
                held[order.key.buyer] = held.get(order.key.buyer, 0) + line.quantity
        pending = {ref for ref, order in shop.orders.items() if order.status is OrderStatus.PENDING}
        assert {buyer: set(refs) for buyer, refs in shop.open_of.items()} == open_of
        assert set(shop.invoices) == pending
        assert all(len(refs) <= RULES.buyer_open_orders_max for refs in open_of.values())
        assert len(pending) <= RULES.open_invoices_max
        assert all(count <= RULES.buyer_messages_per_hour_max + 2 for count in shop.heard.values())
        assert all(len(refs) <= RULES.buyer_unpaid_orders_per_hour_max + 1 for refs in shop.unpaid.values())
        on_hand = shop.stock[product()].on_hand
        assert on_hand is not None
        if any(isinstance(event, StockHeld) for event in self.story.events):
            most = max(on_hand * RULES.buyer_stock_percent_max // 100, RULES.buyer_stock_units_min)
            holder = next(e.order.buyer for e in self.story.events if isinstance(e, StockHeld))
            assert held[holder] <= most
        if len(shop.orders) > orders_before:
            (told,) = [e for e in self.story.events if isinstance(e, OrderQuoted | OrderRejected)]
            assert isinstance(told, OrderQuoted) or any(isinstance(e, ReplyPromised) for e in self.story.events)


@settings(derandomize=True, deadline=None, database=None, max_examples=60)
@given(st.lists(STEP, min_size=10, max_size=60))
def test_no_history_takes_a_buyer_past_a_figure_and_the_accounts_are_the_orders(
    steps: list[tuple[str, str, int, int]],
) -> None:
    """Open orders, invoices, messages, unpaid orders and held pieces; and a fold of the journal knows the same."""
    street = Street()
    for step in steps:
        street.step(*step)

    again = street.story.refolded()
    for name in ("open_of", "invoices", "heard", "unpaid", "hour", "said_stock", "deleted_ids"):
        assert getattr(again, name) == getattr(street.story.shop, name), name


@settings(derandomize=True, deadline=None, database=None, max_examples=20)
@given(st.integers(1, 40), st.integers(0, 59))
def test_the_journal_of_an_hour_grows_no_further_than_the_figures_say(most: int, minute: int) -> None:
    """However many orders one key sends: so many are placed, one more is told, the rest leave nothing."""
    story = Story()
    start_ms = NOW_MS // HOUR_MS * HOUR_MS + minute * 60_000
    rules = ShopSettings(buyer_unpaid_orders_per_hour_max=most, buyer_open_orders_max=1)
    story.when(OpenShop(settings=rules), RecordListing(listing=a_listing("tea")))

    for number in range(most + 20):
        story.when(an_order(key=a_key(f"order-{number}"), rumor=f"r{number}"), at_ms=start_ms + number)

    placed = [e for record in story.journal for e in record.events if isinstance(e, OrderPlaced)]
    assert len(placed) == min(most + 1, limits.BUYER_MESSAGES.most)
