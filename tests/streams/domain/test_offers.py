"""Checks what listings, collections and options mean to each other, in whatever order they came."""

from decimal import Decimal

import pytest

from schemas.catalogue import (
    Collection,
    RecordDeletion,
)
from streams.domain.offers import (
    Membership,
    MemberState,
    geohash_of,
    location_of,
    members,
    memberships,
    offered,
    unresolved,
)
from tests.support.builders import (
    CARRIER,
    MERCHANT,
    NOW_S,
    OTHER_MERCHANT,
    STRANGER,
    a_collection,
    a_listing,
    an_option,
    an_order,
    collection,
    post,
    product,
)
from tests.support.offers import quoted, recorded, refusals, shop, waits
from tests.support.story import Story

A, B, C = post("a"), post("b"), post("c")
POTTERY = collection()


# Options, and where they come from


def extras(story: Story, d: str = "vase") -> dict[str, Decimal]:
    """The options a listing has, and their extra costs."""
    return offered(story.shop, story.shop.listings[product(d)], NOW_S)


@pytest.mark.req("SHP-01")
def test_options_are_the_listings_own_and_those_of_its_collections() -> None:
    """Direct {A}, collection {B, C}: all three."""
    story = shop(a_listing("vase", shipping=((A, "0"), (POTTERY, "0"))), a_collection(shipping=(B, C)))

    assert extras(story).keys() == {A, B, C}


@pytest.mark.req("SHP-02")
def test_an_option_reached_twice_is_there_once_with_the_listings_own_extra_cost() -> None:
    """Direct +1, collection (A, B) +3: A +1, B +3."""
    story = shop(a_listing("vase", shipping=((A, "1"), (POTTERY, "3"))), a_collection(shipping=(A, B)))

    assert extras(story) == {A: 1, B: 3}


@pytest.mark.req("SHP-02")
@pytest.mark.parametrize("turned", [False, True])
def test_an_option_of_two_collections_has_the_larger_extra_cost(turned: bool) -> None:
    """Whichever is named first."""
    pottery, kitchen = a_collection(shipping=(A, B)), a_collection("kitchen", shipping=(B, C))
    references = ((POTTERY, "3"), (collection("kitchen"), "2"))
    vase = a_listing("vase", shipping=references[::-1] if turned else references)

    assert extras(shop(vase, pottery, kitchen)) == {A: 3, B: 3, C: 2}


@pytest.mark.req("SHP-02")
def test_the_extra_cost_of_a_collection_is_on_each_of_its_options() -> None:
    """And it is charged."""
    story = shop(
        a_listing("vase", "10", shipping=((POTTERY, "3"),)),
        a_collection(shipping=(A, B)),
        an_option("a"),
        an_option("b"),
    )

    for option in (A, B):
        quote = quoted(story, an_order(("vase", 1), rumor=option, shipping=option, country="DE"))
        assert quote.total_msat == (10 + 5 + 3) * 1_000


@pytest.mark.req("CAT-01")
@pytest.mark.req("T402-14")
def test_nothing_cascades_from_a_collection_that_a_listing_is_only_in() -> None:
    """It gains an option; the listing's own options are what they were."""
    vase = a_listing("vase", shipping=((A, "0"),)).model_copy(update={"collections": (POTTERY,)})
    story = shop(vase, a_collection(members=(product("vase"),)), an_option("a"), an_option("b", "1"))
    before = extras(story)

    story.when(recorded(a_collection(members=(product("vase"),), shipping=(B,), created_at=NOW_S)))

    assert extras(story) == before == {A: 0}
    assert refusals(story, an_order(("vase", 1), shipping=B, country="DE")) == ["option_not_for_all"]


@pytest.mark.req("T402-14")
def test_a_listing_that_is_only_in_a_collection_has_no_shipping() -> None:
    """It waits for the merchant, whatever the collection offers."""
    vase = a_listing("vase", shipping=((A, "0"),)).model_copy(update={"collections": (POTTERY,), "shipping": ()})
    story = shop(vase, a_collection(shipping=(B,)), an_option("b"))

    assert waits(story, an_order(("vase", 1), country="DE"))[0] == "shipping_choice"


@pytest.mark.req("CAT-06")
def test_a_strangers_collection_changes_no_price_unless_the_listing_points_at_it() -> None:
    """X lists M's vase with a shipping option for nothing."""
    free = an_option("free", "0", author=STRANGER)
    theirs = a_collection("finds", (product("vase"),), (post("free", STRANGER),), STRANGER)
    story = shop(a_listing("vase", "10", shipping=((A, "0"),)), an_option("a", "5"), theirs, free)
    order = an_order(("vase", 1), country="DE")

    assert quoted(story, order).total_msat == 15_000
    wish = an_order(("vase", 1), rumor="wish", shipping=post("free", STRANGER), country="DE")
    assert refusals(story, wish) == ["option_not_for_all"]

    pointing = a_listing("vase", "10", shipping=((collection("finds", STRANGER), "0"),), created_at=NOW_S)
    story = shop(pointing, theirs, free)
    assert quoted(story, order).total_msat == 10_000


@pytest.mark.req("T405-04")
def test_a_collection_with_two_options_offers_both() -> None:
    """The buyer is asked which."""
    story = shop(
        a_listing("vase", shipping=((POTTERY, "0"),)),
        a_collection(shipping=(A, B)),
        an_option("a"),
        an_option("b", "7"),
    )

    assert waits(story, an_order(("vase", 1), country="DE")) == ("shipping_choice", "A (5 SATS), B (7 SATS)")


@pytest.mark.req("SHP-12")
def test_what_a_stranger_publishes_is_kept_in_small_and_only_so_much_of_it() -> None:
    """A relay may bring anybody's; what a listing points at is always kept, even past the figure."""
    story = shop(*(an_option(f"x{n}", author=STRANGER) for n in range(250)))
    assert len(story.shop.options) == 200
    assert all(option.template is None for option in story.shop.options.values())

    story.when(recorded(a_collection("more", (product("tea"), product("x", OTHER_MERCHANT)), author=STRANGER)))
    assert story.shop.collections == {}

    pointing = a_listing("vase", shipping=((post("x249", STRANGER), "0"), (collection("more", STRANGER), "0")))
    story.when(recorded(pointing), recorded(an_option("x249", author=STRANGER)))
    assert post("x249", STRANGER) in story.shop.options
    theirs = a_collection("more", (product("tea"), product("x", OTHER_MERCHANT)), author=STRANGER)
    story.when(recorded(theirs))
    assert story.shop.collections[theirs.coordinate].members == (product("tea"),)


@pytest.mark.req("SHP-12")
@pytest.mark.req("REL-16")
def test_a_carriers_deletion_of_an_option_reached_through_a_collection_is_heeded() -> None:
    """The listing points at the collection, and that at the option."""
    theirs = post("a", CARRIER)
    story = shop(a_listing("vase", shipping=((POTTERY, "0"),)), a_collection(shipping=(theirs,)))

    story.when(RecordDeletion(author=CARRIER, created_at=NOW_S, coordinates=(theirs,)))
    story.when(recorded(an_option("a", author=CARRIER))).then_nothing()


@pytest.mark.req("REL-16")
def test_a_deleted_collection_takes_its_options_along_and_brings_them_back() -> None:
    """As any other event: up to its time."""
    story = shop(a_listing("vase", "10", shipping=((POTTERY, "0"),)), a_collection(shipping=(A,)), an_option("a"))
    order = an_order(("vase", 1), shipping=A, country="DE")

    story.when(RecordDeletion(author=MERCHANT, created_at=NOW_S, coordinates=(POTTERY,)))
    assert refusals(story, order) == ["option_not_for_all"]
    story.when(recorded(a_collection(shipping=(A,), created_at=NOW_S))).then_nothing()
    story.when(recorded(a_collection(shipping=(A,), created_at=NOW_S + 1)))
    assert extras(story) == {A: 0}


@pytest.mark.req("REL-17")
@pytest.mark.parametrize(("left_s", "sells"), [(1, True), (0, False), (-86_400, False)])
def test_what_is_expired_is_not_offered(left_s: int, sells: bool) -> None:
    """A listing, an option and a collection, each from its second on (NIP-40)."""
    over = {"expires_at": NOW_S + left_s}
    vase, option = a_listing("vase", "10", shipping=((POTTERY, "0"),)), an_option("a")
    pottery = a_collection(shipping=(A,))
    order = an_order(("vase", 1), shipping=A, country="DE")
    shops = {
        "not_for_sale": shop(vase.model_copy(update=over), option, pottery),
        "unknown_shipping": shop(vase, option.model_copy(update=over), pottery),
        "option_not_for_all": shop(vase, option, pottery.model_copy(update=over)),
    }

    for refusal, story in shops.items():
        if sells:
            quoted(story, order)
        else:
            assert refusals(story, order) == [refusal]


# Places


@pytest.mark.req("T402-11")
def test_an_inherited_place_is_what_the_collection_says_now() -> None:
    """Each of the two by itself; unresolved it is nowhere, and the listing is said to point at nothing."""
    vase = a_listing("vase").model_copy(update={"geohash_of": POTTERY, "location": "Main St 1"})
    story = shop(vase)
    assert geohash_of(story.shop, vase) is None
    assert unresolved(story.shop, vase) == (POTTERY,)

    story.when(recorded(a_collection(geohash="u33", location="Berlin")))
    assert (geohash_of(story.shop, vase), location_of(story.shop, vase)) == ("u33", "Main St 1")
    assert unresolved(story.shop, vase) == ()

    story.when(recorded(a_collection(geohash="ezs42", created_at=NOW_S)))
    assert geohash_of(story.shop, vase) == "ezs42"
    inheriting = vase.model_copy(update={"location_of": POTTERY, "location": None})
    assert location_of(story.shop, inheriting) is None


# Collections and their members


@pytest.mark.req("CAT-07")
def test_claiming_and_listing_are_two_relations() -> None:
    """A claim that is not answered, a listing that does not know, and both."""
    vase = a_listing("vase").model_copy(update={"collections": (POTTERY, collection("kitchen"))})
    kitchen = a_collection("kitchen", (product("vase"),))
    finds = a_collection("finds", (product("vase"),), author=STRANGER)
    story = shop(vase, a_collection(), kitchen, finds)

    assert set(memberships(story.shop, product("vase"))) == {
        Membership(POTTERY, claimed=True, listed=False),
        Membership(collection("kitchen"), claimed=True, listed=True),
        Membership(collection("finds", STRANGER), claimed=False, listed=True),
    }


@pytest.mark.req("T405-02")
def test_a_member_that_is_gone_or_foreign_does_a_collection_no_harm() -> None:
    """Two members, one deleted; and one of somebody else."""
    theirs = product("cup", OTHER_MERCHANT)
    pottery = a_collection(members=(product("vase"), product("bowl"), theirs))
    story = shop(a_listing("vase"), a_listing("bowl"), pottery)
    story.when(RecordDeletion(author=MERCHANT, created_at=NOW_S, coordinates=(product("bowl"),)))

    assert members(story.shop, story.shop.collections[POTTERY]) == (
        (product("vase"), MemberState.LIVE),
        (product("bowl"), MemberState.DANGLING),
        (theirs, MemberState.FOREIGN),
    )


def test_a_newer_reading_of_the_same_event_replaces_the_older() -> None:
    """After an upgrade what was not understood then is; an older reading that comes late changes nothing."""
    old = an_option("a", unsupported=("dim-max",))
    new = an_option("a").model_copy(update={"reader": 2})
    story = shop(old).when(recorded(new))
    assert story.shop.options[A].unsupported == ()

    story.when(recorded(old)).then_nothing()
    assert isinstance(a_collection(), Collection)
