"""Checks what one buyer may take up of a shop: what is refused, told once, only counted, and left to others."""

from __future__ import annotations

import pytest

from schemas import limits
from schemas.catalogue import RecordListing, RecordShippingOption
from schemas.orders import MoveRefused, OrderPlaced, OrderQuoted, OrderRejected, OrderStatus, PlaceOrder
from schemas.parking import CommandParked
from schemas.replies import ReplyPromised
from schemas.shops import OpenShop, ShopSettings
from schemas.stock import StockHeld
from schemas.values import Actor, OrderKey, Refusal
from streams.domain.decide import decide, judge
from streams.domain.shop import HOUR_MS
from tests.support.builders import (
    BUYER,
    NOW_MS,
    OTHER_BUYER,
    a_command,
    a_key,
    a_listing,
    an_option,
    an_order,
    post,
    product,
)
from tests.support.steps import by_operator, cancelled, moved, paid, receipt, requested
from tests.support.story import RATES, Story, given

TEA = RecordListing(listing=a_listing("tea", "10", stock=1_000))
UNCOUNTED = RecordListing(listing=a_listing("song", "1"))
OPEN_MAX, UNPAID_MAX = limits.BUYER_OPEN_ORDERS.most, limits.BUYER_UNPAID_ORDERS.most


def order(number: int, *lines: tuple[str, int], buyer: str = BUYER) -> PlaceOrder:
    """A buyer's order of this number."""
    return an_order(*lines, key=a_key(f"order-{number}", buyer), rumor=f"rumor {buyer} {number}")


def orders(story: Story, numbers: range, *lines: tuple[str, int], at_ms: int = NOW_MS) -> list[str]:
    """Place them; gives for each what became of it."""
    outcomes: list[str] = []
    for number in numbers:
        story.when(order(number, *lines), at_ms=at_ms)
        rejected = [event for event in story.events if isinstance(event, OrderRejected)]
        outcomes.append(rejected[0].findings[0].refusal.value if rejected else "quoted" if story.events else "silence")
    return outcomes


def silence(story: Story, body: PlaceOrder, at_ms: int = NOW_MS) -> str | None:
    """Why this order would only be counted."""
    return judge(story.shop, a_command(body, at_ms), RATES).silence


# Open orders


@pytest.mark.case("F16")
def test_a_buyer_has_five_open_orders_and_no_sixth() -> None:
    """The sixth is turned down in a sentence that says what to do."""
    story = given(TEA)

    assert orders(story, range(OPEN_MAX + 1)) == ["quoted"] * OPEN_MAX + ["too_many_open"]
    assert story.told() == (
        "cancelled",
        "Your order cannot be accepted: you have 5 open orders at this shop; please pay or cancel one of them first.",
    )
    assert story.none(StockHeld)


@pytest.mark.parametrize("end", ["paid", "cancelled"])
def test_a_place_is_free_again_once_an_order_is_paid_or_cancelled(end: str) -> None:
    """Only what nothing is owed for counts."""
    story = given(TEA, *(order(n) for n in range(OPEN_MAX)))
    key = a_key("order-0")

    story.when(requested(10, key), paid(10, key)) if end == "paid" else story.when(cancelled(key=key))

    story.when(order(9)).one(OrderQuoted)


def test_an_open_order_may_still_be_amended() -> None:
    """It is the same order."""
    story = given(TEA, *(order(n) for n in range(OPEN_MAX)))

    story.when(an_order(("tea", 2), key=a_key("order-0"), rumor="more")).one(OrderQuoted)


def test_a_waiting_order_counts_too() -> None:
    """Otherwise orders without an address would be free."""
    vase = RecordListing(listing=a_listing("vase", shipping=((post(), "0"),)))
    by_post = RecordShippingOption(option=an_option())
    story = given(vase, by_post, *(order(n, ("vase", 1)) for n in range(OPEN_MAX)))

    story.when(order(9, ("vase", 1)))

    assert story.one(OrderRejected).findings[0].refusal is Refusal.TOO_MANY_OPEN


@pytest.mark.req("C-12")
def test_a_hundred_orders_of_one_buyer_are_capped_and_leave_the_stock_to_others() -> None:
    """B opens a hundred orders of all there is; the shop still sells to X, and B was told 21 times at most."""
    story = given(RecordListing(listing=a_listing("tea", "10", stock=20)))

    outcomes = orders(story, range(100), ("tea", 20))

    assert outcomes.count("quoted") == 0
    assert outcomes.count("silence") == 100 - UNPAID_MAX - 1
    small = orders(story, range(200, 300), ("tea", 1), at_ms=NOW_MS + HOUR_MS)
    assert small.count("quoted") == OPEN_MAX
    assert small.count("silence") == 100 - UNPAID_MAX - 1
    stock = story.shop.stock[product()]
    assert (stock.on_hand, stock.held) == (20, OPEN_MAX)
    story.when(order(1, ("tea", 5), buyer=OTHER_BUYER)).one(OrderQuoted)


# Orders in an hour


def patient() -> Story:
    """A shop that lets a buyer have any number of open orders."""
    return given(UNCOUNTED, OpenShop(settings=ShopSettings(buyer_open_orders_max=10_000)))


@pytest.mark.case("F16")
def test_the_order_past_the_hours_figure_is_told_and_those_after_it_are_only_counted() -> None:
    """Twenty quoted, one answered, the rest silent, and no trace of them in the shop."""
    story = patient()

    outcomes = orders(story, range(UNPAID_MAX + 3), ("song", 1))

    assert outcomes == ["quoted"] * UNPAID_MAX + ["too_many_orders", "silence", "silence"]
    assert len(story.shop.orders) == UNPAID_MAX + 1
    assert silence(story, order(99, ("song", 1))) == "too_many_orders"
    assert decide(story.shop, a_command(order(99, ("song", 1))), RATES) == ()


def test_the_sentence_names_the_figure_and_the_hour() -> None:
    """So that a person knows what to do."""
    story = patient()
    orders(story, range(UNPAID_MAX + 1), ("song", 1))

    assert "20 orders within this hour" in story.told()[1]


def test_the_next_hour_starts_anew() -> None:
    """Counted by the commands' own time."""
    story = patient()
    orders(story, range(UNPAID_MAX + 2), ("song", 1))

    assert orders(story, range(50, 51), ("song", 1), at_ms=NOW_MS + HOUR_MS) == ["quoted"]


def test_a_paid_order_is_not_counted() -> None:
    """Whoever pays may go on."""
    story = patient()
    for number in range(UNPAID_MAX + 5):
        key = a_key(f"order-{number}")
        story.when(order(number, ("song", 1)), requested(1, key), paid(1, key))

    assert story.order(a_key(f"order-{UNPAID_MAX + 4}")).status is OrderStatus.CONFIRMED


def test_a_message_that_comes_late_is_counted_with_those_of_now() -> None:
    """A relay's clock that lags opens no second account."""
    story = patient()
    orders(story, range(UNPAID_MAX + 1), ("song", 1))

    assert silence(story, order(99, ("song", 1)), NOW_MS - HOUR_MS) == "too_many_orders"


def test_a_known_rumor_is_a_repeat_and_not_one_too_many() -> None:
    """What was decided stays decided, whatever the sender's account."""
    story = patient()
    orders(story, range(UNPAID_MAX + 2), ("song", 1))

    assert silence(story, order(3, ("song", 1))) is None


# Messages in an hour


def chatty(most: int) -> Story:
    """A shop that hears so many messages of a buyer in an hour."""
    settings = ShopSettings(buyer_messages_per_hour_max=most, buyer_open_orders_max=99)
    return given(UNCOUNTED, OpenShop(settings=settings))


def test_messages_at_the_figure_are_heard_and_the_next_is_not() -> None:
    """Orders, moves and claims alike; the last one changes nothing and is answered by nobody."""
    story = chatty(4).when(order(1, ("song", 1)), requested(1, a_key("order-1")), receipt(a_key("order-1")))
    story.when(moved(OrderStatus.CONFIRMED, Actor.BUYER, a_key("order-1"))).one(MoveRefused)
    story.when(order(2, ("song", 1))).one(OrderQuoted)

    story.when(order(3, ("song", 1))).then_nothing()
    story.when(cancelled(key=a_key("order-2"))).then_nothing()
    story.when(receipt(a_key("unseen"))).then_nothing()
    assert silence(story, order(3, ("song", 1))) == "too_many_messages"


def test_an_operator_and_the_merchant_are_never_too_loud() -> None:
    """Only what buyers send through relays is counted."""
    story = chatty(1).when(order(1, ("song", 1)))

    story.when(by_operator(moved(OrderStatus.CANCELLED, key=a_key("order-1")))).one(ReplyPromised)
    story.when(moved(OrderStatus.PROCESSING, Actor.MERCHANT, a_key("order-2"))).one(CommandParked)


def test_another_buyer_is_heard_all_the_same() -> None:
    """Accounts are one a key."""
    story = chatty(1).when(order(1, ("song", 1)))

    story.when(order(1, ("song", 1), buyer=OTHER_BUYER)).one(OrderQuoted)


def test_five_thousand_messages_of_one_key_leave_the_journal_and_the_shop_small() -> None:
    """What a flood adds is bounded by the figures of the hour, and the next buyer is served as ever."""
    story = given(TEA, UNCOUNTED)
    flood = [a_command(order(n, ("song", 1)), NOW_MS) for n in range(2_500)]
    flood += [a_command(receipt(a_key(f"ghost-{n}"), f"r{n}"), NOW_MS) for n in range(2_500)]

    silences = 0
    for command in flood:
        story.when(command) if decide(story.shop, command, RATES) else None
        silences += judge(story.shop, command, RATES).silence is not None

    assert len(story.journal) <= 2 + limits.BUYER_MESSAGES.most
    assert silences > 4_800
    assert sum(len(r.events) for r in story.journal) < 500
    story.when(order(1, ("tea", 3), buyer=OTHER_BUYER)).one(OrderQuoted)


def test_the_orders_that_messages_wait_for_are_bounded() -> None:
    """Whoever makes five thousand keys gets no further; the rest of the shop is as before."""
    story = given()
    for number in range(limits.PARKED_ORDERS.most):
        story.shop.parked[f"{number:032x}"] = ()

    story.when(receipt()).one(MoveRefused)
    assert story.one(MoveRefused).reason == "parked_too_many"


# Stock


@pytest.mark.req("C-13")
@pytest.mark.parametrize(("percent", "most"), [(50, 50), (10, 10), (33, 33), (100, 100)])
def test_one_key_holds_no_more_than_its_share(percent: int, most: int) -> None:
    """At the share and one past it, in one order or in several."""
    settings = ShopSettings(buyer_stock_percent_max=percent)
    hundred = RecordListing(listing=a_listing("tea", "10", stock=100))
    story = given(hundred, OpenShop(settings=settings))

    if most < 100:
        story.when(order(1, ("tea", most + 1)))
        assert story.one(OrderRejected).findings[0].refusal is Refusal.STOCK_SHARE
        assert f"Tea ({most} more)" in story.told()[1]
    story.when(order(2, ("tea", most - 1))).one(OrderQuoted)
    story.when(order(3, ("tea", 1))).one(OrderQuoted)
    story.when(order(4, ("tea", 1))).one(OrderRejected)
    assert story.shop.stock[product()].held == most


@pytest.mark.parametrize("stock", [1, 5, 9])
def test_a_few_pieces_are_anybodys_whatever_the_share(stock: int) -> None:
    """A person may want both of two mugs; five are no hoard."""
    story = given(RecordListing(listing=a_listing("tea", "10", stock=stock)))

    story.when(order(1, ("tea", min(stock, 5)))).one(OrderQuoted)
    story.when(order(2, ("tea", 1))).one(OrderRejected)


def test_what_was_paid_no_longer_counts() -> None:
    """A buyer who pays may buy everything, piece by piece."""
    ten = RecordListing(listing=a_listing("tea", "10", stock=10))
    key = a_key("order-1")

    story = given(ten, order(1, ("tea", 5)), requested(50, key), paid(50, key))

    story.when(order(2, ("tea", 5))).one(OrderQuoted)


def test_an_amendment_is_held_against_what_the_other_orders_hold() -> None:
    """Its own former hold is given back in the same decision and does not stand in its way."""
    ten = RecordListing(listing=a_listing("tea", "10", stock=10))
    story = given(ten, order(1, ("tea", 4)), order(2, ("tea", 1)))

    story.when(an_order(("tea", 4), key=a_key("order-1"), rumor="same")).one(OrderQuoted)
    story.when(an_order(("tea", 5), key=a_key("order-1"), rumor="more")).one(OrderRejected)


def test_stock_that_is_not_counted_is_nobodys_share() -> None:
    """Nothing is held of it."""
    given(UNCOUNTED).when(order(1, ("song", 10_000))).one(OrderQuoted)


# The shop as a whole


@pytest.mark.case("F16")
def test_a_shop_takes_so_many_unpaid_orders_and_then_says_that_it_is_busy() -> None:
    """Of whatever buyers; a paid one makes room."""
    story = given(UNCOUNTED, OpenShop(settings=ShopSettings(open_invoices_max=2)))
    buyers = [f"{n:064x}" for n in range(1, 5)]
    for buyer in buyers[:2]:
        story.when(order(1, ("song", 1), buyer=buyer)).one(OrderQuoted)

    story.when(order(1, ("song", 1), buyer=buyers[2]))
    assert story.one(OrderRejected).findings[0].refusal is Refusal.SHOP_BUSY
    assert "try again" in story.told()[1]

    key = OrderKey(merchant=story.shop.merchant, buyer=buyers[0], order_id="order-1")
    story.when(requested(1, key), paid(1, key)).when(order(1, ("song", 1), buyer=buyers[3])).one(OrderQuoted)


@pytest.mark.parametrize(("sats", "taken"), [(100, True), (101, False)])
def test_an_order_may_cost_what_the_shop_says_and_not_a_sat_more(sats: int, taken: bool) -> None:
    """Whatever it is priced in."""
    story = given(
        RecordListing(listing=a_listing("tea", str(sats))), OpenShop(settings=ShopSettings(order_sats_max=100))
    )

    story.when(order(1))

    assert story.none(OrderRejected) is taken
    if not taken:
        assert story.one(OrderRejected).findings[0].refusal is Refusal.TOO_EXPENSIVE


def test_a_denied_buyer_is_declined_in_one_sentence_without_a_reason() -> None:
    """And nobody else is."""
    story = given(UNCOUNTED, OpenShop(settings=ShopSettings(denied=(BUYER,)))).when(order(1, ("song", 1)))

    assert story.told() == ("cancelled", "Your order cannot be accepted: the shop declined.")
    story.when(order(1, ("song", 1), buyer=OTHER_BUYER)).one(OrderQuoted)


def test_a_trusting_shop_takes_any_number() -> None:
    """For those who measure, or sell to their own machines."""
    story = given(TEA, OpenShop(settings=ShopSettings().without_limits()))

    assert set(orders(story, range(300), ("tea", 2))) == {"quoted"}


def test_accounts_are_folded_from_the_journal_alone() -> None:
    """A decider that starts anew knows what the former one knew, and forgets what needs no keeping."""
    story = given(TEA, *(order(n) for n in range(8)), receipt(a_key("ghost")), requested(10, a_key("order-0")))
    story.when(paid(10, a_key("order-0")), cancelled(key=a_key("order-1")))

    again = story.refolded()

    for name in ("hour", "heard", "unpaid", "open_of", "invoices"):
        assert getattr(again, name) == getattr(story.shop, name), name
    assert again.heard == {BUYER: 10}
    assert len(again.open_of[BUYER]) == 3
    assert len(again.unpaid[BUYER]) == 7


def test_a_placed_order_that_is_turned_down_at_the_door_stands_in_the_journal() -> None:
    """Once, with its reason: it was an order, and what became of it can be shown."""
    story = given(TEA, *(order(n) for n in range(OPEN_MAX))).when(order(9))

    story.then(OrderPlaced, OrderRejected, ReplyPromised)
    story.when(order(9)).then_nothing()


def test_the_pieces_of_a_buyer_are_counted_by_listing() -> None:
    """Half of one thing does not use up half of another."""
    cup = RecordListing(listing=a_listing("cup", "3", stock=10))
    ten = RecordListing(listing=a_listing("tea", "10", stock=10))
    story = given(ten, cup)

    story.when(order(1, ("tea", 5), ("cup", 5))).one(OrderQuoted)
    story.when(order(2, ("cup", 1))).one(OrderRejected)
