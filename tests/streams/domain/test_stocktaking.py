"""Stock from elsewhere, and what is said when goods run out."""

import pytest

from schemas.catalogue import ListingRecorded, ListingRevised, RecordListing, ReviseListing, Visibility
from schemas.shops import OpenShop, ShopSettings
from schemas.stock import SetStock, StockMastered, StockRanLow, StockRefused, StockSet
from tests.support.builders import NOW_S, a_key, a_listing, an_order, product
from tests.support.steps import paid, requested
from tests.support.story import Story, given

TEA = product("tea")
COUNTED = RecordListing(listing=a_listing("tea", "10", stock=5))
HIDING = OpenShop(settings=ShopSettings(hide_sold_out=True))
REVISE = ReviseListing(coordinate=TEA)


def count(on_hand: int | None, version: int, source: str = "erp", coordinate: str = TEA) -> SetStock:
    return SetStock(
        coordinate=coordinate, on_hand=on_hand, source=source, version=version, cause=f"{source} {version} {on_hand}"
    )


def published(story: Story) -> tuple[int | None, Visibility]:
    listing = story.shop.listings[TEA]
    return listing.stock, listing.visibility


def left(story: Story) -> list[int]:
    return [e.left for record in story.journal for e in record.events if isinstance(e, StockRanLow)]


@pytest.mark.req("INV-11")
def test_what_the_stock_system_says_is_what_the_listing_says() -> None:
    """It sets 4: four are on hand, and the next version of the listing names four."""
    story = given(COUNTED).when(count(4, version=17)).then(StockMastered, StockSet)
    assert story.shop.on_hand(TEA) == 4

    story.when(REVISE)
    assert published(story)[0] == 4
    assert ("stock", "4") in story.shop.listings[TEA].template.tags


@pytest.mark.req("INV-11")
def test_a_count_that_comes_late_or_from_another_system_is_refused_with_its_reason() -> None:
    """The newest version wins whatever arrives when; the same one again says nothing new."""
    story = given(COUNTED, count(4, version=17))
    story.when(count(9, version=16)).then(StockRefused)
    assert story.one(StockRefused).reason == "stale_version"
    story.when(count(9, version=18, source="shelf")).then(StockRefused)
    story.when(count(1, version=1, coordinate=product("coffee"))).then(StockRefused)
    story.when(count(4, version=17)).then()
    story.when(count(9, version=16)).then()

    assert story.shop.on_hand(TEA) == 4
    reasons = [e.reason for r in story.journal for e in r.events if isinstance(e, StockRefused)]
    assert reasons == ["stale_version", "other_source", "unknown_item"]


@pytest.mark.req("INV-11")
def test_an_edit_of_the_listing_changes_the_rest_but_not_the_count_while_a_system_keeps_it() -> None:
    """The merchant's client said 5, but the system's 4 is published again; once given back, an edit counts."""
    story = given(COUNTED, count(4, version=17))
    story.when(RecordListing(listing=a_listing("tea", "12", stock=30, created_at=NOW_S + 60))).then(ListingRecorded)
    assert (story.shop.on_hand(TEA), story.shop.listings[TEA].price.amount) == (4, 12)
    assert TEA in story.shop.stale

    story.when(count(None, version=18)).then(StockMastered)
    story.when(RecordListing(listing=a_listing("tea", "12", stock=31, created_at=NOW_S + 120)))
    assert story.shop.on_hand(TEA) == 31


@pytest.mark.req("INV-11")
def test_what_is_promised_stays_promised_when_the_system_counts_anew() -> None:
    """Two are held for an order; of the four that are there, two may still be sold."""
    story = given(COUNTED, an_order(("tea", 2))).when(count(4, version=1))
    assert (story.shop.stock[TEA].held, story.shop.stock[TEA].available) == (2, 2)


@pytest.mark.req("INV-09")
def test_the_merchant_hears_once_when_a_listing_runs_low_and_when_it_is_sold_out() -> None:
    """Five with a mark of two: selling three crosses it, selling the rest empties it; an edit may too."""
    story = given(OpenShop(settings=ShopSettings(low_stock=2)), COUNTED)
    story.when(an_order(("tea", 3)), requested(30), paid(30))
    assert left(story) == [2]

    second = a_key("second")
    story.when(an_order(("tea", 2), key=second), requested(20, second), paid(20, second))
    assert left(story) == [2, 0]
    story.when(count(5, version=1)).then(StockMastered, StockSet)
    story.when(count(0, version=2)).then(StockMastered, StockSet, StockRanLow)


@pytest.mark.req("INV-09")
def test_what_is_sold_out_is_refused_hidden_where_the_merchant_wants_it_and_shown_again_with_new_stock() -> None:
    """Hidden by us, not by the merchant; a listing the merchant hid stays as it is."""
    story = given(HIDING, COUNTED, count(0, version=1)).when(REVISE)
    assert published(story) == (0, Visibility.HIDDEN)
    assert ("visibility", "hidden") in story.shop.listings[TEA].template.tags

    story.when(count(3, version=2), REVISE)
    assert published(story) == (3, Visibility.ON_SALE)

    hidden = RecordListing(listing=a_listing("tea", stock=3, visibility=Visibility.HIDDEN, created_at=NOW_S + 500))
    story.when(count(0, version=3), hidden, count(4, version=4), REVISE)
    assert published(story) == (4, Visibility.HIDDEN)


@pytest.mark.req("INV-09")
def test_without_the_wish_a_sold_out_listing_stays_to_be_seen() -> None:
    """Only its number changes; what may be ordered ahead is never hidden."""
    story = given(COUNTED, count(0, version=1)).when(REVISE)
    assert published(story) == (0, Visibility.ON_SALE)

    ahead = RecordListing(listing=a_listing("tea", stock=2, visibility=Visibility.PRE_ORDER))
    story = given(HIDING, ahead, count(0, version=1)).when(REVISE)
    assert published(story) == (0, Visibility.PRE_ORDER)


def test_turning_the_wish_off_shows_what_was_hidden() -> None:
    """A change of rules is enough to have the listing published anew."""
    story = given(HIDING, COUNTED, count(0, version=1)).when(REVISE)
    story.when(OpenShop(settings=ShopSettings()))
    assert TEA in story.shop.stale
    story.when(REVISE)
    assert story.one(ListingRevised).listing.visibility is Visibility.ON_SALE
