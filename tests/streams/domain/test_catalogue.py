"""Checks which version of a listing or option counts: the newest, until its author deletes it."""

import itertools

import pytest

from schemas import limits
from schemas.catalogue import (
    ListingRecorded,
    ListingRevised,
    RecordDeletion,
    RecordListing,
    RecordShippingOption,
    ReviseListing,
    ShippingOptionRecorded,
    Withdrawn,
)
from schemas.orders import OrderQuoted, OrderRejected
from schemas.stock import StockSet
from tests.support.builders import (
    CARRIER,
    MERCHANT,
    NOW_S,
    STRANGER,
    a_listing,
    an_id,
    an_option,
    an_order,
    post,
    product,
)
from tests.support.steps import paid, requested
from tests.support.story import Story, given


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


# Deletions by id that come first


@pytest.mark.req("REL-16")
def test_a_deletion_by_id_before_its_event_is_remembered() -> None:
    """Relays bring the two in any order; a newer version of the same listing is welcome, an older one is not."""
    gone, other, older = version(90, "gone"), version(95, "other"), version(85, "older")

    story = given(deletion(at=100, events=(gone.listing.event_id,)), gone)
    assert story.shop.listings == {}
    story.when(gone).then_nothing()
    story.when(older).then_nothing()

    story.when(other).one(ListingRecorded)
    story.when(deletion(at=101, events=(gone.listing.event_id,))).then_nothing()


def test_an_options_deletion_by_id_is_remembered_too() -> None:
    """For the merchant's own; a carrier's option of that id cannot be the merchant's."""
    gone = option(90)

    story = given(deletion(at=100, events=(gone.option.event_id,)), gone)
    assert story.shop.options == {}
    story.when(gone).then_nothing()


def test_a_version_deleted_by_id_does_not_come_back_as_an_older_copy() -> None:
    """Two versions, the newer deleted: neither returns when a relay brings it again."""
    older, newer = version(90, "older"), version(95, "newer")
    story = given(older, newer, deletion(at=100, events=(newer.listing.event_id,)))

    story.when(newer).then_nothing()
    story.when(older).then_nothing()


def test_a_strangers_deletion_by_id_is_not_remembered() -> None:
    """Only the author takes an event back, and nobody else fills the shop's memory."""
    tea = version(90)

    story = given(deletion(at=100, author=STRANGER, events=(tea.listing.event_id,)))

    assert story.journal == []
    story.when(tea).one(ListingRecorded)


def test_so_many_deleted_ids_are_remembered_and_the_oldest_goes_first() -> None:
    """A merchant who tidies up for years does not fill the decider."""
    most = limits.DELETED_IDS.most
    first = tuple(an_id(f"gone {n}") for n in range(most))
    story = given(deletion(at=100, events=first)).when(deletion(at=101, events=(an_id("one more"),)))

    assert len(story.shop.deleted_ids) == most
    assert first[0] not in story.shop.deleted_ids
    assert an_id("one more") in story.shop.deleted_ids


# Edits by clients that know an old stock


def edited(stock: int | None, at: int, title: str = "Tea", price: str = "10") -> RecordListing:
    """A version of the counted tea."""
    listing = a_listing("tea", price, stock=stock, created_at=at, event=f"{title} {price} {stock} {at}")
    tags = tuple(("title", title) if tag[0] == "title" else tag for tag in listing.template.tags)
    template = listing.template.model_copy(update={"tags": tags})
    return RecordListing(listing=listing.model_copy(update={"title": title, "template": template}))


def sold_three(*after: ReviseListing) -> Story:
    """Ten teas, three of them sold; published or not, as told."""
    return given(edited(10, NOW_S - 100), an_order(("tea", 3)), requested(30), paid(30), *after)


@pytest.mark.req("CAT-09")
@pytest.mark.req("INV-03")
def test_a_new_title_with_the_old_number_changes_the_title_and_keeps_the_sales() -> None:
    """The merchant edits in another client while the stock goes down: the final version has both."""
    story = sold_three().when(edited(10, NOW_S - 50, "Green tea"))

    story.then(ListingRecorded)
    assert story.shop.stock[product()].on_hand == 7
    revised = story.when(ReviseListing(coordinate=product())).one(ListingRevised).listing
    assert (revised.title, revised.stock) == ("Green tea", 7)
    assert ("title", "Green tea") in revised.template.tags
    assert ("stock", "7") in revised.template.tags


def test_a_stale_client_does_not_bring_the_sold_pieces_back() -> None:
    """It never saw our version with seven and names the ten it knows, beside a new price."""
    story = sold_three(ReviseListing(coordinate=product())).when(edited(10, NOW_S + 50, price="12"))

    story.then(ListingRecorded)
    assert story.shop.stock[product()].on_hand == 7
    assert story.shop.take_stale(NOW_S + 60) == [product()]


@pytest.mark.req("INV-05")
def test_a_number_alone_is_what_the_merchant_says_there_is() -> None:
    """Nothing else changed, so the ten are ten again: restocked."""
    story = sold_three(ReviseListing(coordinate=product())).when(edited(10, NOW_S + 50))

    story.then(ListingRecorded, StockSet)
    assert story.shop.stock[product()].on_hand == 10


@pytest.mark.req("INV-05")
@pytest.mark.parametrize("title", ["Tea", "Green tea"])
def test_a_number_nobody_named_before_is_the_new_base(title: str) -> None:
    """With or without another change beside it."""
    story = sold_three(ReviseListing(coordinate=product())).when(edited(25, NOW_S + 50, title))

    assert story.one(StockSet).on_hand == 25


def test_after_a_new_base_the_numbers_before_it_are_news_again() -> None:
    """Ten, then twenty, then ten with a new title: there are ten."""
    story = given(edited(10, NOW_S - 90), edited(20, NOW_S - 80)).when(edited(10, NOW_S - 70, "Green tea"))

    assert story.one(StockSet).on_hand == 10


def test_counting_begins_and_ends_when_the_merchant_says_so() -> None:
    """A number where none was, and none where one was, are always news."""
    story = given(edited(None, NOW_S - 90)).when(edited(10, NOW_S - 80, "Green tea"))
    assert story.one(StockSet).on_hand == 10

    story.when(edited(None, NOW_S - 70, "Black tea"))
    assert story.one(StockSet).on_hand is None
