"""Checks what is written for a document: to the letter of the market spec, and read back as the same thing."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas.catalogue import Format, Listing, Structure
from schemas.market.collection import read_collection
from schemas.market.describing import MODELS, Offer, describe, written
from schemas.market.documents import CollectionDocument, ListingDocument, ShippingDocument
from schemas.market.listing import read_listing
from schemas.market.shipping_option import read_shipping_option
from schemas.market.writing import groups_of, kind_of, rebase, separate_places, tags_of
from schemas.nostr.kinds import Kind
from schemas.publishing import Tags
from tests.support.builders import CARRIER, MERCHANT, an_event, collection, post, product

STEADY = settings(derandomize=True, deadline=None, database=None, max_examples=60)
TEXTS = st.text("abcäß 茶1:,", min_size=1, max_size=12).filter(lambda text: text.strip() != "")
IDS = st.from_regex(r"[a-z0-9-]{1,12}", fullmatch=True)
AMOUNTS = st.from_regex(r"(0|[1-9][0-9]{0,5})(\.[0-9]{1,4})?", fullmatch=True)
PRICES = st.builds("{} {}".format, AMOUNTS, st.sampled_from(["EUR", "USD", "SATS", "BTC"]))
RECURRING = st.builds("{}/{}".format, PRICES, st.sampled_from(["hour", "day", "week", "month", "year"]))
MEASURES = st.from_regex(r"[1-9][0-9]{0,3}(\.[1-9])?", fullmatch=True)
WEIGHTS = st.builds("{} {}".format, MEASURES, st.sampled_from(["mg", "g", "kg", "t", "oz", "lb"]))
SIZES = st.builds("{}x{}x{} {}".format, MEASURES, MEASURES, MEASURES, st.sampled_from(["mm", "cm", "m", "in", "ft"]))
CELLS = st.text("0123456789bcdefghjkmnpqrstuvwxyz", min_size=1, max_size=12)


def fields(required: dict[str, Any], optional: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """A document's fields."""
    return st.fixed_dictionaries({"id": IDS, "title": TEXTS, **required}, optional=optional)


PICTURES = st.lists(
    st.fixed_dictionaries(
        {"url": st.builds("https://pictures.example/{}.png".format, IDS)},
        optional={"size": st.just("800x600"), "order": st.integers(-5, 99)},
    ),
    max_size=3,
).map(lambda found: sorted(found, key=lambda one: (one.get("order") is None, one.get("order", 0))))
"""Numbered ones first and in their order, as they are described again."""
LISTINGS = fields(
    {"price": PRICES | RECURRING},
    {
        "description": TEXTS,
        "summary": TEXTS,
        "format": st.sampled_from(["physical", "digital"]),
        "visibility": st.sampled_from(["hidden", "on-sale", "pre-order"]),
        "sold": st.booleans(),
        "stock": st.integers(0, 10_000),
        "images": PICTURES,
        "specs": st.lists(st.dictionaries(TEXTS, TEXTS, min_size=1, max_size=1), max_size=3),
        "weight": WEIGHTS,
        "size": SIZES,
        "location": TEXTS,
        "geohash": CELLS,
        "categories": st.lists(TEXTS, max_size=3, unique_by=lambda text: text.strip().lower()),
        "collections": st.lists(IDS, max_size=2, unique=True),
        "shipping": st.lists(
            st.fixed_dictionaries({"option": IDS}, optional={"extra": AMOUNTS}),
            max_size=2,
            unique_by=lambda w: w["option"],
        ),
        "expires": st.datetimes(datetime(2000, 1, 1), datetime(2200, 1, 1)),
    },
)
OPTIONS = fields(
    {"price": PRICES, "service": st.sampled_from(["standard", "express", "overnight"])},
    {
        "countries": st.lists(st.sampled_from(["DE", "AT", "US", "NO"]), max_size=3, unique=True),
        "carrier": TEXTS,
        "duration": st.sampled_from(["2-4 d", "24-72 h", "1-1 w"]),
        "weight_min": WEIGHTS,
        "weight_max": WEIGHTS,
        "size_max": SIZES,
        "price_weight": st.builds("{}/kg".format, AMOUNTS),
        "price_volume": st.builds("{}/l".format, AMOUNTS),
        "price_distance": st.builds("{} EUR/km".format, AMOUNTS),
        "location": TEXTS,
        "geohash": CELLS,
    },
)
COLLECTIONS = fields(
    {"members": st.lists(IDS, min_size=1, max_size=3, unique=True)},
    {"summary": TEXTS, "location": TEXTS, "shipping": st.lists(IDS, max_size=2, unique=True), "description": TEXTS},
)
READERS = {
    Kind.PRODUCT: read_listing,
    Kind.COLLECTION: read_collection,
    Kind.SHIPPING_OPTION: read_shipping_option,
}


def published(kind: Kind, said: dict[str, Any]) -> Offer:
    """A document written, and read back by our own parser."""
    document = MODELS[kind].model_validate(said)
    tags = (("d", document.id), *tags_of(document, MERCHANT))
    offer: Offer = READERS[kind](an_event(kind, *tags, content=document.description))  # type: ignore[operator]
    return offer


@pytest.mark.parametrize(
    ("kind", "documents"), [(Kind.PRODUCT, LISTINGS), (Kind.SHIPPING_OPTION, OPTIONS), (Kind.COLLECTION, COLLECTIONS)]
)
def test_what_is_written_is_read_back_as_the_same_thing(kind: Kind, documents: st.SearchStrategy[Any]) -> None:
    """Described again, it makes the very tags it was made of, and the reader has nothing to warn of."""

    @STEADY
    @given(documents)
    def holds(said: dict[str, Any]) -> None:
        offer = published(kind, said)
        document = MODELS[kind].model_validate(said)
        assert set(offer.warnings) <= {"no_country_world_wide"}
        again = MODELS[kind].model_validate(describe(offer))
        assert tags_of(again, MERCHANT) == tags_of(document, MERCHANT) == written(offer)
        assert (again.id, again.description) == (document.id, document.description)

    holds()


def test_a_listing_is_written_to_the_letter_of_the_market_spec() -> None:
    """Both parts of its type, a letter for how often, a place kept for a missing size, its parent, whole addresses."""
    document = ListingDocument.model_validate(
        {
            "id": "shirt-red",
            "title": "Shirt, red",
            "price": "15 eur / monthly",
            "structure": "variation",
            "parent": "shirt",
            "stock": 4,
            "images": ["https://a.example/1.png", {"url": "https://a.example/2.png", "order": 2}],
            "specs": [{"color": "red"}, {"color": "crimson"}],
            "weight": "0.4 KG",
            "size": "10 x 20x5 cm",
            "location_of": "pottery",
            "categories": ["Food"],
            "collections": ["pottery"],
            "shipping": ["post", {"collection": "pottery", "extra": "2.50"}, f"30406:{CARRIER}:box"],
        }
    )
    assert tags_of(document, MERCHANT) == (
        ("title", "Shirt, red"),
        ("price", "15", "EUR", "M"),
        ("type", "variation", "physical"),
        ("visibility", "on-sale"),
        ("stock", "4"),
        ("image", "https://a.example/1.png"),
        ("image", "https://a.example/2.png", "", "2"),
        ("spec", "color", "red"),
        ("spec", "color", "crimson"),
        ("weight", "0.4", "kg"),
        ("dim", "10x20x5", "cm"),
        ("location", collection()),
        ("t", "Food"),
        ("a", product("shirt")),
        ("a", collection()),
        ("shipping_option", post()),
        ("shipping_option", collection(), "2.50"),
        ("shipping_option", f"30406:{CARRIER}:box"),
    )


def test_an_option_is_written_with_one_tag_of_many_countries_and_two_values_a_price() -> None:
    """Three values stand only where a price by measure has a currency of its own."""
    document = ShippingDocument.model_validate(
        {
            "id": "post",
            "title": "Post",
            "price": "5.99 USD",
            "countries": ["us", "Canada"],
            "regions": ["us-fl"],
            "duration": "24-72 h",
            "weight_max": "30 kg",
            "size_max": "120x60x60 cm",
            "price_weight": "0.75 USD/kg",
            "price_distance": "0.10 EUR/km",
        }
    )
    assert tags_of(document, MERCHANT) == (
        ("title", "Post"),
        ("price", "5.99", "USD"),
        ("country", "US", "CA"),
        ("service", "standard"),
        ("region", "US-FL"),
        ("duration", "24", "72", "H"),
        ("weight-max", "30", "kg"),
        ("dim-max", "120x60x60", "cm"),
        ("price-weight", "0.75", "kg"),
        ("price-distance", "0.10", "EUR", "km"),
    )


@pytest.mark.req("SHP-13")
def test_each_of_several_pickup_places_becomes_an_option_of_its_own() -> None:
    """One document, two addresses, two ids; an option that names two places could not say which one is meant."""
    places = [
        {"id": "berlin", "location": "Hauptstr. 1, Berlin"},
        {"id": "wien", "geohash": "u2edk", "title": "Vienna"},
    ]
    document = ShippingDocument.model_validate(
        {"id": "pickup", "title": "Pickup", "price": "0 EUR", "service": "pickup", "places": places}
    )
    made = separate_places(document)
    assert [one.id for one in made] == ["berlin", "wien"]
    assert [one.title for one in made] == ["Pickup: Hauptstr. 1, Berlin", "Vienna"]
    options = [published(Kind.SHIPPING_OPTION, one.model_dump(exclude_defaults=True)) for one in made]
    assert [one.coordinate for one in options] == [post("berlin"), post("wien")]


FOREIGN: Tags = (
    ("d", "tea"),
    ("x-foo", "1"),
    ("title", "Tea"),
    ("content-warning", "hot"),
    ("price", "10", "sats"),
    ("quantity", "7"),
    ("t", "Drink"),
    ("client", "Plebeian"),
    ("t", "Tea"),
)


@pytest.mark.req("EVT-01")
def test_only_what_a_document_changes_is_changed_and_all_else_stays_in_its_place() -> None:
    """Another client's words for the same, its own tags and their order are left alone."""
    listing = read_listing(an_event(Kind.PRODUCT, *FOREIGN))
    said = {**describe(listing), "price": "12 SATS", "categories": ["Drink", "Green", "Leaf"]}
    document = ListingDocument.model_validate(said)
    new = rebase(Kind.PRODUCT, FOREIGN, written(listing), tags_of(document, MERCHANT), groups_of(Kind.PRODUCT))
    assert new == (
        ("d", "tea"),
        ("x-foo", "1"),
        ("title", "Tea"),
        ("content-warning", "hot"),
        ("price", "12", "SATS"),
        ("quantity", "7"),
        ("t", "Drink"),
        ("client", "Plebeian"),
        ("t", "Green"),
        ("t", "Leaf"),
    )


def test_a_document_that_says_nothing_new_leaves_an_event_as_it_is() -> None:
    """So an export that is imported again changes nothing, whatever words another client used."""
    listing = read_listing(an_event(Kind.PRODUCT, *FOREIGN))
    wanted = tags_of(ListingDocument.model_validate(describe(listing)), MERCHANT)
    assert rebase(Kind.PRODUCT, FOREIGN, written(listing), wanted, groups_of(Kind.PRODUCT)) == FOREIGN


@pytest.mark.parametrize(
    ("kind", "wrong", "sentence"),
    [
        (Kind.PRODUCT, {"price": "10"}, "amount and a currency"),
        (Kind.PRODUCT, {"price": "1e3 EUR"}, "amount and a currency"),
        (Kind.PRODUCT, {"title": " "}, "blank"),
        (Kind.PRODUCT, {"weight": "4 stone"}, "number and one of"),
        (Kind.PRODUCT, {"size": "10x20 cm"}, "length x width x height"),
        (Kind.PRODUCT, {"structure": "variation"}, "parent"),
        (Kind.PRODUCT, {"stok": "5"}, "not permitted"),
        (Kind.PRODUCT, {"geohash": "ail"}, "geohash"),
        (Kind.PRODUCT, {"title": "a\x00b"}, "no two clients"),
        (Kind.SHIPPING_OPTION, {"service": "pickup"}, "location or a geohash"),
        (Kind.SHIPPING_OPTION, {"countries": ["Atlantis"]}, "two letters"),
        (Kind.SHIPPING_OPTION, {"service": "drone"}, "standard"),
    ],
)
def test_a_document_that_is_wrong_is_refused_with_what_to_write(
    kind: Kind, wrong: dict[str, Any], sentence: str
) -> None:
    """Writing is strict where reading is tolerant."""
    good = {"id": "x", "title": "X", "price": "10 EUR"}
    with pytest.raises(ValidationError, match=sentence):
        MODELS[kind].model_validate({**good, **wrong})


@pytest.mark.req("CAT-14")
def test_what_is_written_makes_sense_to_a_client_that_only_watches() -> None:
    """It reads five things, and finds each of them in the listing itself."""
    said = {
        "id": "tea",
        "title": "Tea",
        "price": "10 EUR",
        "description": "Green.",
        "images": ["https://a.example/t.png"],
    }
    listing = published(Kind.PRODUCT, said)
    assert isinstance(listing, Listing)
    seen = {tag[0]: tag[1] for tag in listing.template.tags}
    assert (seen["d"], seen["title"], seen["price"], seen["image"]) == ("tea", "Tea", "10", "https://a.example/t.png")
    assert listing.template.content == "Green."
    assert (listing.structure, listing.format) == (Structure.SIMPLE, Format.DIGITAL)


def test_each_document_is_written_as_its_own_kind() -> None:
    """Three models, three kinds."""
    made = [model.model_construct() for model in (ListingDocument, CollectionDocument, ShippingDocument)]
    assert [kind_of(one) for one in made] == [Kind.PRODUCT, Kind.COLLECTION, Kind.SHIPPING_OPTION]
