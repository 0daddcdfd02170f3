"""Checks variable products and their variations: which is sold, which waits for the other (CAT-02, CAT-03)."""

import itertools
from decimal import Decimal

import pytest

from schemas.catalogue import (
    Format,
    Listing,
    RecordDeletion,
    ReviseListing,
    ShippingReference,
    Structure,
    Visibility,
)
from schemas.orders import OrderRejected
from schemas.shops import ShopSettings
from streams.domain.offers import families
from tests.support.builders import (
    MERCHANT,
    NOW_S,
    a_collection,
    a_key,
    a_listing,
    an_option,
    an_order,
    collection,
    post,
    product,
)
from tests.support.offers import Offer, quoted, recorded, refusals, shop

A, B = post("a"), post("b")
POTTERY = collection()


def red(structure: Structure = Structure.VARIATION, **more: object) -> Listing:
    """A red variation of the shirt."""
    listing = a_listing("red", "12", structure=structure)
    return listing.model_copy(update={"parent": product("shirt"), **more})


def shirt(**more: object) -> Listing:
    """The variable product it belongs to."""
    return a_listing("shirt", "1", structure=Structure.VARIABLE).model_copy(update=more)


@pytest.mark.req("CAT-02")
def test_a_parent_with_variations_is_not_sold_and_names_them() -> None:
    """The variation is, at its own price."""
    blue = a_listing("blue", "14", structure=Structure.VARIATION).model_copy(update={"parent": product("shirt")})
    story = shop(shirt(), red(), blue)

    assert refusals(story, an_order(("shirt", 1))) == ["choose_variation"]
    assert "Shirt: Blue, Red" in story.told()[1]
    assert story.one(OrderRejected).findings[0].lines == (product("shirt"),)
    assert quoted(story, an_order(("red", 1), ("blue", 1), key=a_key("both"))).total_msat == 26_000


@pytest.mark.req("CAT-02")
def test_a_parent_without_variations_is_sold_like_any_other() -> None:
    """Clients that know no variations mark simple things as variable; its price is for show once there is one."""
    assert quoted(shop(shirt()), an_order(("shirt", 1))).total_msat == 1_000
    for gone in (red(visibility=Visibility.HIDDEN), red(sold=True)):
        assert refusals(shop(shirt(), gone), an_order(("shirt", 1))) == ["not_for_sale"]


@pytest.mark.req("CAT-02")
def test_so_many_variations_are_named_and_no_more() -> None:
    """The rest of a hundred is left out of the sentence."""
    many = [a_listing(f"v{n:03}", structure=Structure.VARIATION) for n in range(100)]
    story = shop(shirt(), *(one.model_copy(update={"parent": product("shirt")}) for one in many))

    refusals(story, an_order(("shirt", 1)))
    subject = story.one(OrderRejected).findings[0].subject
    assert subject.count(",") == 19
    assert len(families(story.shop)[product("shirt")]) == 100


@pytest.mark.req("CAT-03")
@pytest.mark.parametrize(
    "parent",
    [
        None,
        shirt(visibility=Visibility.HIDDEN),
        shirt(sold=True),
        shirt(structure=Structure.SIMPLE),
        shirt(expires_at=NOW_S),
    ],
)
def test_a_variation_without_a_parent_to_stand_by_it_is_not_sold(parent: Listing | None) -> None:
    """Missing, hidden, sold, over, or no variable product at all; with one it is."""
    story = shop(red(), *([parent] if parent else []))

    assert refusals(story, an_order(("red", 1))) == ["orphan_variation"]
    assert "Red" in story.told()[1]
    story.when(recorded(shirt(template=shirt().template.model_copy(update={"created_at": NOW_S}))))
    assert quoted(story, an_order(("red", 1), key=a_key("later"))).total_msat == 12_000


@pytest.mark.req("INV-06")
def test_a_parent_that_was_hidden_for_want_of_stock_makes_no_orphans() -> None:
    """Its stock is nobody's; the variation has its own."""
    counted = a_listing("shirt", "1", stock=0, structure=Structure.VARIABLE)
    story = shop(counted, red(), rules=ShopSettings(hide_sold_out=True))
    story.when(ReviseListing(coordinate=product("shirt")))
    assert story.shop.listings[product("shirt")].visibility is Visibility.HIDDEN

    assert quoted(story, an_order(("red", 1))).total_msat == 12_000


@pytest.mark.req("CAT-03")
def test_an_orphan_recovers_when_its_parent_returns() -> None:
    """Deleted, and published again."""
    story = shop(shirt(), red())
    story.when(RecordDeletion(author=MERCHANT, created_at=NOW_S, coordinates=(product("shirt"),)))
    assert refusals(story, an_order(("red", 1))) == ["orphan_variation"]

    again = shirt()
    story.when(
        recorded(again.model_copy(update={"template": again.template.model_copy(update={"created_at": NOW_S + 1})}))
    )
    quoted(story, an_order(("red", 1), key=a_key("later")))


def test_a_variation_read_before_parents_were_has_the_one_its_event_names() -> None:
    """A journal of former days kept the tags alone; one that names none is sold on."""
    assert quoted(shop(red(parent=None)), an_order(("red", 1))).total_msat == 12_000

    named = a_listing("red", structure=Structure.VARIATION, tags=(("a", POTTERY), ("a", product("shirt"))))
    assert refusals(shop(named), an_order(("red", 1))) == ["orphan_variation"]
    assert refusals(shop(named, shirt()), an_order(("shirt", 1))) == ["choose_variation"]


@pytest.mark.req("CAT-03")
@pytest.mark.req("EVT-02")
def test_any_order_of_parents_collections_and_options_sells_the_same() -> None:
    """Every permutation of five events that need each other."""
    things: tuple[Offer, ...] = (
        shirt(),
        red().model_copy(
            update={"shipping": (ShippingReference(coordinate=POTTERY, extra=Decimal(2)),), "format": Format.PHYSICAL}
        ),
        a_collection(shipping=(A,), geohash="u33"),
        an_option("a", "5"),
        a_collection(shipping=(B,), created_at=NOW_S - 2_000),
    )
    order = an_order(("red", 1), country="DE")

    totals = {quoted(shop(*arrived), order).total_msat for arrived in itertools.permutations(things)}

    assert totals == {19_000}
