"""Checks what a shop that was kept elsewhere becomes: stalls and products of NIP-15, and rows of a table."""

from __future__ import annotations

import json
from typing import Any

import pytest

from schemas.market.describing import MODELS
from schemas.market.migrating import COLUMNS, Moved, NotMoved, from_rows, from_stalls, unknown_columns
from schemas.market.writing import tags_of
from schemas.nostr.kinds import Kind
from schemas.nostr.nip01 import UnsignedEvent
from tests.support.builders import MERCHANT, NOW_S

ZONES = [
    {"id": "de", "name": "Post", "cost": 4.90, "regions": ["Germany", "AT"]},
    {"id": "world", "cost": 12, "regions": ["Worldwide"]},
]


def event(kind: Kind, d: str, content: Any, *tags: tuple[str, ...]) -> UnsignedEvent:
    """What a client of NIP-15 publishes."""
    text = content if isinstance(content, str) else json.dumps(content)
    return UnsignedEvent(pubkey=MERCHANT, created_at=NOW_S, kind=kind, tags=(("d", d), *tags), content=text)


def a_stall(d: str = "s1", zones: Any = None, **said: Any) -> UnsignedEvent:
    """A stall in euros."""
    content = {"id": d, "name": "Pots", "currency": "EUR", "shipping": ZONES if zones is None else zones, **said}
    return event(Kind.STALL, d, content)


def a_product(d: str = "p1", *tags: tuple[str, ...], **said: Any) -> UnsignedEvent:
    """A pot of that stall."""
    content = {"id": d, "stall_id": "s1", "name": "Pot", "price": 10.10, "currency": "EUR", "quantity": 3, **said}
    return event(Kind.STALL_PRODUCT, d, content, *tags)


def moved(found: list[Moved | NotMoved], kind: Kind) -> dict[str, Moved]:
    """What became of one kind, by id."""
    return {one.id: one for one in found if isinstance(one, Moved) and one.kind == kind}


def refused(found: list[Moved | NotMoved]) -> list[tuple[str, str]]:
    """What was not moved, and why."""
    return [(one.source, one.why) for one in found if isinstance(one, NotMoved)]


def test_a_stall_becomes_a_collection_its_zones_options_and_its_products_listings() -> None:
    """Same `d` throughout; prices keep their digits; every one is a document that can be written."""
    product = a_product(
        "p1",
        ("t", "Kitchen"),
        description="Of clay",
        images=["https://p.example/1.png", "data:no"],
        specs=[["glaze", "blue"], ["odd"]],
        shipping=[{"id": "de", "cost": 1.50}],
    )
    found = from_stalls([a_stall(description="From the kiln")], [product])

    options = moved(found, Kind.SHIPPING_OPTION)
    assert options["de"].fields == {"id": "de", "title": "Post", "price": "4.9 EUR", "countries": ["DE", "AT"]}
    assert options["world"].fields == {"id": "world", "title": "Worldwide", "price": "12 EUR"}
    (collection,) = moved(found, Kind.COLLECTION).values()
    assert (collection.id, collection.fields["members"]) == ("s1", ["p1"])
    listing = moved(found, Kind.PRODUCT)["p1"]
    assert listing.fields["price"] == "10.1 EUR"
    assert (listing.fields["stock"], listing.fields["format"]) == ("3", "physical")
    assert listing.fields["shipping"] == [{"option": "de", "extra": "1.5"}, "world"]
    assert (listing.fields["specs"], listing.fields["categories"]) == ([{"glaze": "blue"}], ["Kitchen"])
    assert listing.left_out == ("images that have no address",)
    assert refused(found) == []
    assert [tags_of(MODELS[one.kind].model_validate(one.fields), MERCHANT) for one in found if isinstance(one, Moved)]


def test_a_zone_whose_regions_are_no_countries_does_not_become_world_wide() -> None:
    """It is named and left out; where some are countries, those are served and the rest is named."""
    zones = [
        {"id": "a", "cost": 1, "regions": ["Europe"]},
        {"id": "b", "cost": 1, "regions": ["Europe", "France"]},
    ]
    found = from_stalls([a_stall(zones=zones)], [])

    assert refused(found) == [("zone a of stall s1", "none of its regions is a country: Europe")]
    option = moved(found, Kind.SHIPPING_OPTION)["b"]
    assert option.fields["countries"] == ["FR"]
    assert option.left_out == ("regions that are no countries: Europe",)


def test_what_is_not_sent_has_no_option_and_no_stock_where_there_is_none() -> None:
    """A digital zone makes a digital listing; a null quantity is untracked."""
    zones = [{"id": "d", "cost": 0, "regions": ["Free (digital)"]}]
    found = from_stalls([a_stall(zones=zones)], [a_product(quantity=None)])

    assert moved(found, Kind.SHIPPING_OPTION) == {}
    listing = moved(found, Kind.PRODUCT)["p1"]
    assert {"stock", "shipping", "format"} & listing.fields.keys() == set()


def test_stalls_share_a_zone_and_one_that_says_otherwise_gets_an_option_of_its_own() -> None:
    """No zone silently takes another stall's price."""
    dearer = [{**ZONES[0], "cost": 9}]
    found = from_stalls([a_stall(zones=ZONES[:1]), a_stall("s2", ZONES[:1]), a_stall("s3", dearer)], [])

    options = moved(found, Kind.SHIPPING_OPTION)
    assert {name: one.fields["price"] for name, one in options.items()} == {"de": "4.9 EUR", "s3-de": "9 EUR"}
    assert moved(found, Kind.COLLECTION)["s3"].fields["shipping"] == ["s3-de"]


@pytest.mark.parametrize(
    ("product", "why"),
    [
        (event(Kind.STALL_PRODUCT, "p1", "no json"), "no JSON object"),
        (event(Kind.STALL_PRODUCT, "p1", [1]), "no JSON object"),
        (event(Kind.STALL_PRODUCT, "p1", "[" * 100_000), "no JSON object"),
        (a_product(name=""), "title"),
        (a_product(price="cheap"), "price"),
        (a_product(price=True), "price"),
        (a_product(price=1e400), "price"),
        (a_product(quantity=-1), "stock"),
    ],
)
def test_what_cannot_be_said_as_a_document_is_named_with_the_reason(product: UnsignedEvent, why: str) -> None:
    """Never a crash, and never a listing that says something else."""
    ((source, said),) = refused(from_stalls([a_stall()], [product]))

    assert source == "product p1"
    assert why in said


@pytest.mark.parametrize(
    ("stalls", "why"),
    [
        ([], "shipping: its stall is not there"),
        ([a_stall(zones=[{"id": "a", "cost": 1, "regions": ["Europe"]}])], "no zone of its stall could be moved"),
    ],
)
def test_what_was_sent_and_has_no_shipping_any_more_does_not_become_digital(
    stalls: list[UnsignedEvent], why: str
) -> None:
    """It is moved, is still a thing, and says what is missing: nobody may buy it without paying for the post."""
    (listing,) = moved(from_stalls(stalls, [a_product()]), Kind.PRODUCT).values()

    assert listing.fields["format"] == "physical"
    assert why in listing.left_out[0]


def test_rows_of_a_table_are_listings_and_a_bad_row_is_named_by_its_number() -> None:
    """Lists stand between bars; the currency in its own column or behind the price; empty lines are nothing."""
    rows = [
        {"SKU": "mug", "Name": "Mug", "price": "9.50", "currency": "EUR", "quantity": "4", "images": ""},
        {"id": "", "title": "", "price": ""},
        {"id": "pot", "title": "Pot", "price": "12 USD", "categories": "Kitchen | Clay", "shipping": "post"},
        {"id": "mug", "title": "Mug again", "price": "1 EUR"},
        {"id": "jar", "title": "Jar", "price": "free"},
    ]
    found = list(from_rows(rows))

    assert next(one.fields for one in found if isinstance(one, Moved)) == {
        "id": "mug",
        "title": "Mug",
        "price": "9.50 EUR",
        "stock": "4",
    }
    lines = [source for source, _ in refused(found)]
    assert lines == ["row 4", "row 5"]
    assert unknown_columns(["Title", "colour"]) == ["colour"]
    assert set(COLUMNS.values()) - {"currency"} <= set(MODELS[Kind.PRODUCT].model_fields)
