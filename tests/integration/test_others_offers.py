"""Shipping that somebody else publishes: read because a listing points there, whenever it comes."""

from __future__ import annotations

import pytest

from schemas.nostr.kinds import Kind
from services.demo.people import Person
from tests.support.shop import ADDRESS, Shop
from tests.support.stack import RunningStack

pytestmark = pytest.mark.real


@pytest.mark.req("SHP-12")
async def test_a_carriers_collection_and_option_are_followed_from_the_listing_that_points_there(
    stack: RunningStack,
) -> None:
    """The listing comes first, then the collection it names, then the option that one names; each is asked for."""
    async with Shop(stack) as shop:
        carrier, buyer = Person(shop.relay), await shop.buyer()
        try:
            van = f"{int(Kind.SHIPPING_OPTION)}:{carrier.public_key}:van"
            boxes = f"{int(Kind.COLLECTION)}:{carrier.public_key}:boxes"
            vase = f"{int(Kind.PRODUCT)}:{shop.merchant.public_key}:vase"
            await shop.merchant.publish(
                Kind.PRODUCT,
                (
                    ("d", "vase"),
                    ("title", "Vase"),
                    ("price", "100", "SATS"),
                    ("type", "simple", "physical"),
                    ("stock", "3"),
                    ("shipping_option", boxes),
                ),
            )
            listed = "SELECT title FROM inventory_now WHERE coordinate = {c:String}"
            await shop.until(lambda: rows(shop, listed, vase), "the listing")
            await carrier.publish(Kind.COLLECTION, (("d", "boxes"), ("title", "In boxes"), ("shipping_option", van)))
            recorded = "SELECT title FROM events WHERE coordinate = {c:String}"
            await shop.until(lambda: rows(shop, recorded, boxes), "the carrier's collection")
            await carrier.publish(
                Kind.SHIPPING_OPTION,
                (("d", "van"), ("title", "Van"), ("price", "21", "SATS"), ("country", "DE"), ("service", "standard")),
            )
            await shop.until(lambda: rows(shop, recorded, van), "the carrier's option")

            await buyer.order(shop.merchant.public_key, "by van", ((vase, 1),), van, ADDRESS)
            request = await buyer.wait_for("by van", "2")
            assert request.tag("amount") == "121"
        finally:
            await carrier.close()


async def rows(shop: Shop, sql: str, coordinate: str) -> list[dict[str, object]] | None:
    """What ClickHouse has about an address, once it has something."""
    return await shop.operator.sql(sql, c=coordinate) or None
