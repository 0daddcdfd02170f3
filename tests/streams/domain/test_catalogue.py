"""Checks which version of a listing or option counts: the newest, until its author deletes it."""

import itertools

import pytest

from schemas.catalogue import (
    ListingRecorded,
    RecordDeletion,
    RecordListing,
    RecordShippingOption,
    ShippingOptionRecorded,
    Withdrawn,
)
from schemas.orders import OrderQuoted, OrderRejected
from schemas.stock import StockSet
from tests.support.builders import (
    CARRIER,
    MERCHANT,
    STRANGER,
    a_listing,
    an_id,
    an_option,
    an_order,
    post,
    product,
)
from tests.support.steps import requested
from tests.support.story import given


def version(created_at: int, event: str | None = None) -> RecordListing:
    """One version of the tea."""
    return RecordListing(listing=a_listing("tea", created_at=created_at, event=event))


def option(created_at: int, author: str = MERCHANT) -> RecordShippingOption:
    """One version of the post."""
    return RecordShippingOption(option=an_option(created_at=created_at, author=author))


def deletion(*coordinates: str, at: int, author: str = MERCHANT, events: tuple[str, ...] = ()) -> RecordDeletion:
    """Somebody's kind 5."""
    return RecordDeletion(author=author, created_at=at, event_ids=events, coordinates=coordinates)


LOW, HIGH = sorted((an_id("one"), an_id("two")))
NAMES = {an_id(name): name for name in ("one", "two")}


@pytest.mark.req("EVT-02")
@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_the_newest_version_wins_in_any_order_and_ties_go_to_the_lower_id(order: tuple[int, ...]) -> None:
    """Two versions of one second and an older one."""
    versions = [version(5, NAMES[HIGH]), version(5, NAMES[LOW]), version(4, "old")]

    story = given(*(versions[i] for i in order))

    assert story.shop.listings[product()].event_id == LOW


@pytest.mark.req("EVT-02")
def test_a_late_older_option_never_wins() -> None:
    """Options follow the same rule as listings."""
    story = given(option(7)).when(option(6))

    story.then_nothing()
    assert story.shop.options[post()].created_at == 7


def test_the_first_version_sets_the_stock_even_to_untracked() -> None:
    """From then on every number has a movement behind it."""
    given().when(version(5)).then(ListingRecorded, StockSet)


@pytest.mark.req("REL-16")
@pytest.mark.parametrize("deletion_first", [True, False])
def test_a_deletion_reaches_versions_up_to_its_time_whatever_comes_first(deletion_first: bool) -> None:
    """Deletion at 100, product of 90: hidden. Product of 110: live again."""
    steps = (deletion(product(), at=100), version(90))
    story = given(*(steps if deletion_first else reversed(steps)))
    assert product() not in story.shop.listings
    story.when(an_order(("tea", 1), rumor="gone")).one(OrderRejected)

    story.when(version(100)).then_nothing()
    story.when(version(110)).one(ListingRecorded)
    assert product() in story.shop.listings


@pytest.mark.req("REL-16")
def test_a_newer_version_survives_an_older_deletion() -> None:
    """And nobody is told of a withdrawal that withdrew nothing."""
    story = given(version(110)).when(deletion(product(), at=100))

    story.then_nothing()
    assert product() in story.shop.listings
    story.when(version(90)).then_nothing()


@pytest.mark.req("REL-16")
@pytest.mark.parametrize("by_id", [True, False])
def test_nobody_deletes_what_is_not_theirs(by_id: bool) -> None:
    """X's deletion of M's product, by address or by id, is ignored."""
    listing = a_listing("tea", created_at=90)
    request = deletion(
        *(() if by_id else (product(),)), at=100, author=STRANGER, events=(listing.event_id,) if by_id else ()
    )

    story = given(RecordListing(listing=listing)).when(request)

    story.then_nothing()


@pytest.mark.req("REL-16")
def test_a_deletion_by_id_takes_that_version() -> None:
    """And no later one."""
    listing = a_listing("tea", created_at=90)
    story = given(RecordListing(listing=listing)).when(deletion(at=100, events=(listing.event_id,)))

    assert story.one(Withdrawn).deleted_at == 90
    story.when(version(95)).one(ListingRecorded)


def test_the_merchant_cannot_delete_a_carriers_option_by_its_id() -> None:
    """Only an event's own author takes it back."""
    theirs = option(50, CARRIER)

    given(theirs).when(deletion(at=100, events=(theirs.option.event_id,))).then_nothing()


@pytest.mark.req("SHP-12")
@pytest.mark.parametrize("by_id", [True, False])
def test_a_carrier_takes_its_own_option_back(by_id: bool) -> None:
    """New orders cannot use it; an order quoted before keeps it."""
    theirs = option(50, CARRIER)
    vase = RecordListing(listing=a_listing("vase", shipping=((post(author=CARRIER), "0"),)))
    buy = an_order(("vase", 1), shipping=post(author=CARRIER), country="DE")
    gone = deletion(
        *(() if by_id else (post(author=CARRIER),)),
        at=60,
        author=CARRIER,
        events=(theirs.option.event_id,) if by_id else (),
    )

    story = given(theirs, vase, buy).when(gone)

    story.then(Withdrawn)
    story.when(requested(15))
    assert story.reply().text
    later = buy.model_copy(update={"order": buy.order.model_copy(update={"order_id": "2"}), "rumor_id": an_id("2")})
    story.when(later).one(OrderRejected)


def test_a_carriers_deletion_before_its_option_is_remembered_where_a_listing_uses_it() -> None:
    """Relays bring the two in any order."""
    vase = RecordListing(listing=a_listing("vase", shipping=((post(author=CARRIER), "0"),)))

    story = given(vase, deletion(post(author=CARRIER), at=60, author=CARRIER)).when(option(50, CARRIER))

    story.then_nothing()
    story.when(option(61, CARRIER)).then(ShippingOptionRecorded)


def test_strangers_deletions_of_their_own_things_leave_no_trace() -> None:
    """Nobody fills the journal with addresses the shop never heard of."""
    flood = tuple(post(f"x{n}", STRANGER) for n in range(50))

    given(version(5)).when(deletion(*flood, at=100, author=STRANGER)).then_nothing()


def test_a_withdrawn_option_is_no_longer_offered() -> None:
    """The same rule as for listings."""
    vase = RecordListing(listing=a_listing("vase", shipping=((post(), "0"),)))
    story = given(vase, option(50), deletion(post(), at=60)).when(an_order(("vase", 1), shipping=post(), country="DE"))

    assert story.one(OrderRejected).findings[0].refusal == "unknown_shipping"


def test_a_republished_listing_takes_orders_again_with_its_stock() -> None:
    """The stock is what the new version says, less what is still held."""
    first = RecordListing(listing=a_listing("tea", stock=5, created_at=50))
    again = RecordListing(listing=a_listing("tea", stock=4, created_at=110))

    story = given(first, an_order(("tea", 1)), deletion(product(), at=100)).when(again)

    assert story.shop.stock[product()].available == 3
    other = an_order(("tea", 3), rumor="2").model_copy(
        update={"order": an_order().order.model_copy(update={"order_id": "2"})}
    )
    story.when(other).one(OrderQuoted)
