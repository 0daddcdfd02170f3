"""Checks what a listing says of its size, its place, its parent and its collections (requirements 4.1)."""

from decimal import Decimal

import pytest

from schemas.catalogue import Listing, Structure
from schemas.market.listing import read_listing
from schemas.market.reading import READER, MarketFault, MarketRefused
from tests.support.builders import CARRIER, MERCHANT, OTHER_MERCHANT, STRANGER, Tag, an_event, post, product

BASE: tuple[Tag, ...] = (("d", "red"), ("title", "Red"), ("price", "10", "EUR"))
POTTERY = f"30405:{MERCHANT}:pottery"
THEIRS = f"30405:{STRANGER}:finds"
VARIATION: Tag = ("type", "variation", "digital")


def read(*tags: Tag) -> Listing:
    """A listing with these tags on top of the required three."""
    return read_listing(an_event(30402, *BASE, *tags))


def fault(*tags: Tag) -> MarketFault:
    """Why it is none."""
    with pytest.raises(MarketRefused) as caught:
        read(*tags)
    return caught.value.reason


# Size


@pytest.mark.req("T402-10")
@pytest.mark.parametrize(
    ("tag", "sides"),
    [
        (("dim", "10x20x5", "cm"), ("5", "10", "20")),
        (("dim", "100 x 200 X 50", "mm"), ("5.0", "10.0", "20.0")),
        (("dim", "10×20×5", "CM"), ("5", "10", "20")),
        (("dim", "1x0.5x2", "m"), ("50.0", "100", "200")),
        (("dim", "1x1x1", "in"), ("2.54", "2.54", "2.54")),
        (("dim", "1x2x3", "ft"), ("30.48", "60.96", "91.44")),
        (("dim", "10", "20", "5", "cm"), ("5", "10", "20")),
    ],
)
def test_a_size_is_three_exact_sides_the_shortest_first(tag: Tag, sides: tuple[str, str, str]) -> None:
    """In one value or in three, as the early protocol had it (A-09)."""
    listing = read(tag)

    assert listing.sides_cm == tuple(map(Decimal, sides))
    assert "bad_dim" not in listing.warnings


@pytest.mark.req("T402-10")
@pytest.mark.parametrize(
    "tag",
    [
        ("dim", "10x20", "cm"),
        ("dim", "10x20x5x1", "cm"),
        ("dim", "10x20x0", "cm"),
        ("dim", "10x20x-5", "cm"),
        ("dim", "10x20x5", "inch"),
        ("dim", "10x20x5"),
        ("dim", "10", "20", "cm"),
        ("dim", "xx", "cm"),
    ],
)
def test_a_size_that_cannot_be_used_is_left_out_with_a_warning(tag: Tag) -> None:
    """And the listing stands."""
    listing = read(tag)

    assert listing.sides_cm is None
    assert "bad_dim" in listing.warnings


@pytest.mark.req("T402-10")
@pytest.mark.parametrize(
    ("value", "unit", "cm3"),
    [("2", "l", "2000"), ("5", "ml", "5"), ("3", "cm3", "3"), ("1", "m³", "1000000"), ("1", "in", "16.387064")],
)
def test_a_volume_of_its_own_is_exact_too(value: str, unit: str, cm3: str) -> None:
    """A unit of length stands for its cube (A-12)."""
    assert read(("volume", value, unit)).volume_cm3 == Decimal(cm3)


def test_a_volume_that_is_something_else_is_warned_of() -> None:
    """Shopstr writes variants with prices under that name."""
    listing = read(("volume", "500ml", "12"))

    assert listing.volume_cm3 is None
    assert "bad_volume" in listing.warnings


# Place


@pytest.mark.req("T402-11")
def test_a_place_is_written_out() -> None:
    """In words and as a geohash."""
    listing = read(("location", " Miami, FL "), ("g", "DHWM9C4WS"))

    assert (listing.location, listing.geohash) == ("Miami, FL", "dhwm9c4ws")
    assert (listing.location_of, listing.geohash_of, listing.warnings) == (None, None, ())


@pytest.mark.req("T402-11")
def test_a_place_may_be_a_collections_for_each_of_the_two_by_itself() -> None:
    """What is inherited is that attribute and no other."""
    listing = read(("location", "Miami, FL"), ("g", POTTERY))

    assert (listing.location, listing.location_of) == ("Miami, FL", None)
    assert (listing.geohash, listing.geohash_of) == (None, POTTERY)
    assert listing.warnings == ()


@pytest.mark.req("T402-11")
@pytest.mark.parametrize("text", ["aio", "a" * 13, "", "30405:me:x", "u33 d"])
def test_what_is_no_geohash_is_warned_of(text: str) -> None:
    """One to twelve of the 32 letters and digits."""
    listing = read(("g", text))

    assert listing.geohash is None
    assert listing.warnings == ("bad_g",)


def test_of_several_geohashes_the_most_precise_counts() -> None:
    """Clients write every prefix, so that relays can search by each."""
    assert read(("g", "u33"), ("g", "u33dc0"), ("g", "u")).geohash == "u33dc0"


def test_an_address_that_is_none_is_no_place() -> None:
    """Nobody is told to come to a key."""
    listing = read(("location", "30405:me:pottery"))

    assert (listing.location, listing.location_of, listing.warnings) == (None, None, ("bad_location",))


# Parent


@pytest.mark.req("T402-13")
def test_a_variation_names_its_one_parent() -> None:
    """Twice the same is one."""
    listing = read(VARIATION, ("a", product("shirt")), ("a", product("shirt"), "wss://r.example"), ("a", POTTERY))

    assert (listing.structure, listing.parent) == (Structure.VARIATION, product("shirt"))


@pytest.mark.req("T402-13")
@pytest.mark.parametrize(
    "parents",
    [
        (),
        (product("shirt"), product("hat")),
        (product("shirt", OTHER_MERCHANT),),
        (product("red"),),
        ("30402:me:shirt",),
        (POTTERY,),
    ],
)
def test_a_variation_without_one_parent_of_its_author_is_refused(parents: tuple[str, ...]) -> None:
    """None, two, a stranger's, itself, or no address."""
    assert fault(VARIATION, *(("a", parent) for parent in parents)) is MarketFault.BAD_PARENT


def test_what_is_no_variation_has_no_parent() -> None:
    """A related product is something else."""
    assert read(("a", product("shirt"))).parent is None


# Collections


@pytest.mark.req("T402-14")
def test_collections_are_claimed_each_once_and_bring_nothing_along() -> None:
    """Discovery only: no option, no place."""
    listing = read(("a", POTTERY), ("a", THEIRS), ("a", POTTERY), ("collection", THEIRS))

    assert listing.collections == (POTTERY, THEIRS)
    assert (listing.shipping, listing.geohash_of, listing.location_of) == ((), None, None)


@pytest.mark.req("T402-15")
def test_all_options_of_a_collection_are_pointed_at_with_one_extra_cost() -> None:
    """Anybody's collection, and anybody's option."""
    theirs = post("std", CARRIER)
    listing = read(("shipping_option", THEIRS, "3"), ("shipping_option", theirs))

    assert [(ref.coordinate, ref.extra) for ref in listing.shipping] == [(THEIRS, Decimal(3)), (theirs, Decimal(0))]


@pytest.mark.parametrize("kind", [30402, 30017, 1])
def test_only_options_and_collections_ship(kind: int) -> None:
    """Another kind's address is no option."""
    listing = read(("shipping_option", f"{kind}:{MERCHANT}:x"))

    assert listing.shipping == ()
    assert "bad_shipping_option" in listing.warnings


def test_a_reading_says_by_which_rules_it_was_made() -> None:
    """So that a newer one of the same event can replace it."""
    assert read().reader == READER
