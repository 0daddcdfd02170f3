"""Checks the stock: held when promised, sold when paid, given back when not, and never promised twice."""

import itertools

import pytest

from schemas.catalogue import ListingRevised, RecordListing, ReviseListing
from schemas.orders import OrderQuoted, OrderRejected, OrderStatus, ReachDeadline
from schemas.stock import StockCommitted, StockHeld, StockReleased, StockSet
from schemas.values import Actor
from streams.domain.shop import Stock
from tests.support.builders import NOW_MS, NOW_S, a_key, a_listing, an_order, product
from tests.support.steps import cancelled, paid, requested
from tests.support.story import Story, given

COUNTED = RecordListing(listing=a_listing("tea", "10", stock=5))
UNCOUNTED = RecordListing(listing=a_listing("tea", "10"))


def stock(story: Story, d: str = "tea") -> Stock:
    """A listing's stock as it stands."""
    return story.shop.stock[product(d)]


def ledger(story: Story) -> dict[str, tuple[int | None, int]]:
    """(on hand, held) by listing, summed from the journal's movements by somebody who knows nothing else."""
    sums: dict[str, tuple[int | None, int]] = {}
    for event in itertools.chain.from_iterable(record.events for record in story.journal):
        if isinstance(event, StockSet):
            _, held = sums.get(event.coordinate, (None, 0))
            sums[event.coordinate] = (event.on_hand, held)
        if isinstance(event, StockHeld | StockReleased | StockCommitted):
            for line in event.lines:
                on_hand, held = sums[line.coordinate]
                held += line.quantity if isinstance(event, StockHeld) else -line.quantity
                if isinstance(event, StockCommitted) and on_hand is not None:
                    on_hand -= line.quantity
                sums[line.coordinate] = (on_hand, held)
    return sums


@pytest.mark.req("INV-01")
def test_stock_is_held_when_quoted_and_sold_when_paid() -> None:
    """Five, two ordered: three available; paid: three on hand, nothing held."""
    story = given(COUNTED).when(an_order(("tea", 2)))
    assert (stock(story).on_hand, stock(story).held, stock(story).available) == (5, 2, 3)

    story.when(requested(20), paid(20))
    assert (stock(story).on_hand, stock(story).held, stock(story).available) == (3, 0, 3)


@pytest.mark.req("INV-01")
def test_stock_comes_back_when_an_order_dies() -> None:
    """Cancelled, expired, amended away: five again."""
    story = given(COUNTED, an_order(("tea", 2)), requested(20)).when(cancelled())
    assert stock(story) == Stock(5, 0)

    story = given(COUNTED, an_order(("tea", 2)), requested(20))
    deadline = story.order().deadline_ms
    assert deadline is not None
    story.when(ReachDeadline(order=a_key(), deadline_ms=deadline), at_ms=deadline)
    assert stock(story) == Stock(5, 0)

    story = given(COUNTED, an_order(("tea", 2))).when(an_order(("ghost", 1), rumor="2"))
    assert stock(story) == Stock(5, 0)


@pytest.mark.req("INV-02")
def test_fifty_orders_for_ten_things_are_ten_promises() -> None:
    """One writer decides them one after another; forty read that none is left."""
    story = given(RecordListing(listing=a_listing("tea", "10", stock=10)))
    outcomes = [
        story.when(an_order(("tea", 1), key=a_key(buyer=f"{n:064x}"), rumor=f"r{n}")).none(OrderRejected)
        for n in range(50)
    ]

    assert outcomes == [True] * 10 + [False] * 40
    assert stock(story) == Stock(10, 10)


def test_what_is_held_for_one_is_not_sold_to_another() -> None:
    """Available is on hand less held."""
    story = given(COUNTED, an_order(("tea", 4)))

    story.when(an_order(("tea", 2), key=a_key("second"), rumor="2")).one(OrderRejected)
    story.when(an_order(("tea", 1), key=a_key("third"), rumor="3")).one(OrderQuoted)


def test_an_order_holds_all_its_lines_or_none() -> None:
    """One line out of stock turns the whole order down, and nothing is held for the others."""
    other = RecordListing(listing=a_listing("cup", "1", stock=0))
    story = given(COUNTED, other).when(an_order(("tea", 2), ("cup", 1)))

    assert story.none(StockHeld)
    assert stock(story) == Stock(5, 0)


@pytest.mark.req("INV-04")
def test_untracked_stock_never_blocks_and_never_gains_a_number() -> None:
    """A hundred paid orders later there is still no number, and no revision to publish."""
    story = given(UNCOUNTED)
    for n in range(100):
        key = a_key(f"order-{n}")
        story.when(an_order(("tea", 1), key=key, rumor=f"r{n}"), requested(10, key), paid(10, key))
        assert story.order(key).status is OrderStatus.CONFIRMED

    assert stock(story) == Stock(None, 0)
    assert story.shop.take_stale(NOW_S + 10) == []
    story.when(ReviseListing(coordinate=product())).then_nothing()


@pytest.mark.req("INV-05")
def test_the_merchants_own_number_is_the_new_base_and_holds_count_against_it() -> None:
    """Base ten, two held, the merchant publishes seven: five available."""
    story = given(RecordListing(listing=a_listing("tea", "10", stock=10)), an_order(("tea", 2)))

    story.when(RecordListing(listing=a_listing("tea", "10", stock=7, created_at=NOW_S)))

    assert story.one(StockSet).on_hand == 7
    assert (stock(story).held, stock(story).available) == (2, 5)


@pytest.mark.req("INV-05")
def test_a_base_below_what_is_held_leaves_nothing_available_and_never_goes_negative() -> None:
    """Two promised, the merchant says one: both are sold, and nothing is left rather than minus one."""
    story = given(COUNTED, an_order(("tea", 2)), requested(20))
    story.when(RecordListing(listing=a_listing("tea", "10", stock=1, created_at=NOW_S)))
    assert stock(story).available == 0

    story.when(paid(20))

    assert stock(story) == Stock(0, 0)
    assert story.one(StockSet).on_hand == 0
    assert ledger(story) == {product(): (0, 0)}
    assert story.when(ReviseListing(coordinate=product())).one(ListingRevised).listing.stock == 0


def test_a_listing_that_stops_being_tracked_still_settles_its_holds() -> None:
    """The hold goes, no number comes."""
    story = given(COUNTED, an_order(("tea", 2)), requested(20))
    story.when(RecordListing(listing=a_listing("tea", "10", created_at=NOW_S))).when(paid(20))

    assert stock(story) == Stock(None, 0)


def test_a_title_edited_elsewhere_moves_no_stock() -> None:
    """A new version with the number we know is no stock movement."""
    story = given(COUNTED).when(RecordListing(listing=a_listing("tea", "11", stock=5, created_at=NOW_S)))

    assert story.none(StockSet)


@pytest.mark.req("INV-07")
def test_a_cancelled_sale_restocks_nothing_by_itself() -> None:
    """Whether the goods came back is the merchant's to say."""
    story = given(COUNTED, an_order(("tea", 2)), requested(20), paid(20)).when(cancelled(Actor.MERCHANT))

    assert stock(story) == Stock(3, 0)


@pytest.mark.req("INV-08")
def test_the_movements_in_the_journal_add_up_to_the_stock() -> None:
    """Hold, commit, release and the merchant's own numbers, each with its cause."""
    story = given(COUNTED, RecordListing(listing=a_listing("cup", "1", stock=9)))
    for n, fate in enumerate(("paid", "cancelled", "open", "amended", "rejected")):
        key = a_key(f"order-{n}")
        story.when(an_order(("tea", 9 if fate == "rejected" else 1), ("cup", 2), key=key, rumor=f"r{n}"))
        if fate == "amended":
            story.when(an_order(("cup", 3), key=key, rumor="amended"))
        if fate == "paid":
            story.when(requested(12, key), paid(12, key))
        if fate == "cancelled":
            story.when(cancelled(key=key))
    story.when(RecordListing(listing=a_listing("tea", "10", stock=8, created_at=NOW_S)))

    assert ledger(story) == {c: (s.on_hand, s.held) for c, s in story.shop.stock.items()}
    assert ledger(story) == {product(): (8, 1), product("cup"): (7, 5)}
    sets = [e for r in story.journal for e in r.events if isinstance(e, StockSet)]
    assert all(event.cause for event in sets)


# Publishing it


@pytest.mark.req("INV-03")
@pytest.mark.req("EVT-01")
def test_a_sale_makes_a_version_that_differs_in_its_stock_tag_alone() -> None:
    """Unknown tags, extra elements and the order of tags stay as the merchant wrote them."""
    tags = (("x-foo", "1"), ("client", "shop", "extra"), ("t", "food"))
    listing = a_listing("tea", "10", stock=5, tags=tags)
    story = given(RecordListing(listing=listing), an_order(("tea", 2)), requested(20), paid(20))
    assert story.shop.take_stale(NOW_S) == [product()]

    revised = story.when(ReviseListing(coordinate=product())).one(ListingRevised).listing

    changed = [(old, new) for old, new in zip(listing.template.tags, revised.template.tags, strict=True) if old != new]
    assert changed == [(("stock", "5"), ("stock", "3"))]
    assert revised.template.content == listing.template.content
    assert revised.stock == 3


def test_our_own_version_coming_back_from_a_relay_is_no_news() -> None:
    """The echo has the id the journal knows."""
    story = given(COUNTED, an_order(("tea", 2)), requested(20), paid(20), ReviseListing(coordinate=product()))

    story.when(RecordListing(listing=story.shop.listings[product()])).then_nothing()


@pytest.mark.req("EVT-08")
def test_two_sales_in_one_second_make_two_versions_a_second_apart() -> None:
    """The later number wins on every relay."""
    story = given(COUNTED)
    versions = []
    for n in range(2):
        key = a_key(f"order-{n}")
        story.when(an_order(("tea", 1), key=key, rumor=f"r{n}"), requested(10, key), paid(10, key))
        versions.append(story.when(ReviseListing(coordinate=product())).one(ListingRevised).listing)

    assert [v.stock for v in versions] == [4, 3]
    assert versions[1].created_at == versions[0].created_at + 1


@pytest.mark.req("EVT-08")
def test_a_version_is_newer_than_one_dated_in_the_future() -> None:
    """The merchant's clock may be ahead of ours; the last known version is what counts."""
    ahead = RecordListing(listing=a_listing("tea", "10", stock=5, created_at=NOW_S + 500))
    story = given(ahead, an_order(("tea", 1)), requested(10), paid(10)).when(ReviseListing(coordinate=product()))

    assert story.one(ListingRevised).listing.created_at == NOW_S + 501


@pytest.mark.req("INV-10")
def test_a_burst_of_sales_is_published_at_most_once_a_second() -> None:
    """What is stale waits for the next second; the last number is the truth."""
    story = given(COUNTED)
    for n in range(3):
        key = a_key(f"order-{n}")
        story.when(an_order(("tea", 1), key=key, rumor=f"r{n}"), requested(10, key), paid(10, key))
        if n == 0:
            assert story.shop.take_stale(NOW_S) == [product()]
            story.when(ReviseListing(coordinate=product()))

    assert story.shop.take_stale(NOW_S) == []
    assert story.shop.take_stale(NOW_S + 1) == [product()]
    story.when(ReviseListing(coordinate=product()), at_ms=NOW_MS + 1_000)
    assert story.one(ListingRevised).listing.stock == 2
    assert story.shop.take_stale(NOW_S + 9) == []


def test_a_number_that_is_right_already_is_not_published() -> None:
    """A hold is no sale."""
    story = given(COUNTED, an_order(("tea", 2)))

    assert story.shop.take_stale(NOW_S + 9) == []
    story.when(ReviseListing(coordinate=product())).then_nothing()
    story.when(ReviseListing(coordinate=product("ghost"))).then_nothing()
