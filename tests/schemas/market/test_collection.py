"""Checks how collections are read, rule by rule (market spec §3, requirements 4.2)."""

import pytest

from schemas import limits
from schemas.catalogue import Collection
from schemas.market.collection import read_collection
from schemas.market.display import read_display
from schemas.market.reading import MarketFault, MarketRefused
from tests.support.builders import CARRIER, MERCHANT, NOW_S, OTHER_MERCHANT, Tag, an_event, post, product

BASE: tuple[Tag, ...] = (("d", "pottery"), ("title", "Pottery"), ("a", product("vase")))


def read(*tags: Tag, without: str = "", content: str = "") -> Collection:
    """A collection with these tags beside the required ones."""
    kept = tuple(tag for tag in BASE if tag[0] != without)
    return read_collection(an_event(30405, *kept, *tags, content=content))


def fault(*tags: Tag) -> MarketFault:
    """Why an event with exactly these tags is no collection."""
    with pytest.raises(MarketRefused) as caught:
        read_collection(an_event(30405, *tags))
    return caught.value.reason


def test_the_smallest_collection_has_a_title_and_a_member() -> None:
    """Its address is its author's."""
    collection = read()

    assert (collection.coordinate, collection.created_at) == (f"30405:{MERCHANT}:pottery", NOW_S)
    assert (collection.title, collection.members, collection.warnings) == ("Pottery", (product("vase"),), ())


@pytest.mark.req("T405-01")
def test_the_old_name_for_a_title_is_read_with_a_warning() -> None:
    """`name`, of the early protocol."""
    collection = read(("name", "Old"), without="title")

    assert (collection.title, collection.warnings) == ("Old", ("alias_name",))


@pytest.mark.req("T405-01")
@pytest.mark.parametrize(
    ("tags", "reason"),
    [
        (BASE[1:], MarketFault.NO_D),
        ((("d", ""), *BASE[1:]), MarketFault.NO_D),
        ((BASE[0], BASE[2]), MarketFault.NO_TITLE),
        ((BASE[0], ("title", " "), BASE[2]), MarketFault.NO_TITLE),
        ((("d", "cart"),), MarketFault.FOREIGN_SHAPE),
    ],
)
def test_what_is_required_is_required(tags: tuple[Tag, ...], reason: MarketFault) -> None:
    """What has neither title nor member is another client's encrypted cart."""
    assert fault(*tags) is reason


@pytest.mark.req("T405-02")
def test_members_keep_their_order_and_a_foreign_one_is_none_the_less_a_member() -> None:
    """Each once; other addresses are no members."""
    theirs = product("cup", OTHER_MERCHANT)
    collection = read(("a", theirs), ("a", product("vase")), ("a", product("bowl")), ("a", post()))

    assert collection.members == (product("vase"), theirs, product("bowl"))
    assert collection.warnings == ()


@pytest.mark.req("T405-02")
def test_an_empty_collection_is_accepted_with_a_warning() -> None:
    """Its members may come later."""
    assert read(without="a").warnings == ("no_members",)
    assert read(("a", "30402:me:x")).warnings == ("bad_member",)


@pytest.mark.req("T405-03")
def test_place_picture_summary_and_content_are_kept() -> None:
    """What is shown is read from the template; the place is what listings may inherit."""
    collection = read(
        ("location", "Miami"), ("g", "dhwm9c4ws"), ("image", "https://x.example/a"), ("summary", "S"), content="*clay*"
    )

    assert (collection.location, collection.geohash) == ("Miami", "dhwm9c4ws")
    assert collection.template is not None
    assert collection.template.content == "*clay*"
    display = read_display(collection.template)
    assert (display.summary, [image.url for image in display.images]) == ("S", ["https://x.example/a"])


@pytest.mark.req("T405-04")
def test_options_are_a_list_of_candidates_and_an_extra_cost_there_means_nothing() -> None:
    """The old name and a bare id are read too; the currency of the early protocol says nothing."""
    collection = read(
        ("shipping_option", post("a"), "5"),
        ("shipping_option", post("b", CARRIER)),
        ("shipping", "std"),
        ("currency", "USD"),
    )

    assert collection.shipping == (post("a"), post("b", CARRIER), post("std"))
    assert collection.warnings == ("extra_cost_ignored", "alias_shipping")


@pytest.mark.parametrize("target", ["30405:" + MERCHANT + ":x", "30406:me:x", post().upper()])
def test_a_collection_offers_options_and_nothing_else(target: str) -> None:
    """No collection of collections."""
    assert (read(("shipping_option", target)).shipping, read(("shipping_option", target)).warnings) == (
        (),
        ("bad_shipping_option",),
    )


def test_an_expiration_is_read_and_a_long_title_cut() -> None:
    """As for listings."""
    collection = read(("expiration", "1700000100"), ("title", "x" * 300), without="title")

    assert (collection.expires_at, len(collection.title)) == (1_700_000_100, limits.TITLE.most)
    assert collection.warnings == ("title_cut",)
