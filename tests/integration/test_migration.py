"""A shop that was kept elsewhere moves in: everything the source has is here afterwards, or named with a reason."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from schemas.nostr.kinds import Kind
from schemas.nostr.nip01 import UnsignedEvent, sign_event, to_json
from tests.integration.test_command_line import ncc, ncc_json
from tests.services.relays.scripted_relay import ScriptedRelay
from tests.support.shop import Shop
from tests.support.stack import RunningStack

pytestmark = pytest.mark.real

STALL = {
    "id": "pots",
    "name": "Pots",
    "currency": "EUR",
    "shipping": [{"id": "de", "name": "Post", "cost": 4.5, "regions": ["Germany"]}],
}
PRODUCTS = [
    {"id": f"pot-{number}", "stall_id": "pots", "name": f"Pot {number}", "price": number + 0.5, "currency": "EUR"}
    for number in range(1, 4)
]
TABLE = """\
sku,name,price,currency,stock,categories
jar,Jar,7.50,EUR,3,Kitchen|Clay
lid,"Lid, small",2,EUR,,
bad,Bad,free,,1,
"""


def signed(shop: Shop, kind: int, d: str, content: str, *tags: tuple[str, ...]) -> str:
    """An event of the merchant's as an old relay keeps it."""
    unsigned = UnsignedEvent(
        pubkey=shop.merchant.public_key, created_at=1_700_000_000, kind=kind, tags=(("d", d), *tags), content=content
    )
    return to_json(sign_event(unsigned, shop.merchant.secret))


def counts(said: dict[str, Any]) -> dict[str, tuple[int, int, int]]:
    """By kind: how many the source has, how many are here, how many are not."""
    return {row["what"]: (row["source"], row["here"], row["not_imported"]) for row in said["counts"]}


@pytest.mark.req("C-42")
async def test_listings_and_stalls_of_an_old_relay_are_all_here_afterwards(stack: RunningStack) -> None:
    """Signed listings as they are, stalls and products converted under the same id; counts are the source's."""
    home = stack.home.root
    async with Shop(stack) as shop:
        vase = signed(shop, Kind.PRODUCT, "vase", "Blue.", ("title", "Vase"), ("price", "30", "EUR"), ("x-own", "1"))
        odd = signed(shop, Kind.PRODUCT, "odd", "", ("title", "Odd"))
        nip15 = [signed(shop, Kind.STALL_PRODUCT, str(one["id"]), json.dumps(one)) for one in PRODUCTS]
        async with ScriptedRelay(vase, signed(shop, Kind.STALL, "pots", json.dumps(STALL)), *nip15) as old:
            words = ("shop", "import", "--from-relays", "--relay", old.url, "--shop", shop.merchant.public_key)
            said = await asyncio.to_thread(ncc_json, *words, home=home)
            again = await asyncio.to_thread(ncc_json, *words, home=home)
            await old.add(odd)
            told = await asyncio.to_thread(ncc, *words, "--yes", home=home, code=1)

        everything = {
            "listings (30402)": (1, 1, 0),
            "shipping zones": (1, 1, 0),
            "stalls (30017)": (1, 1, 0),
            "products (30018)": (3, 3, 0),
        }
        assert counts(said) == counts(again) == everything
        assert said["old_orders"] == {"orders": 0, "open": 0}
        assert {item["state"] for item in again["items"]} == {"same"}
        assert "no_price" in told
        events = await shop.merchant.fetch(Kind.PRODUCT, shop.merchant.public_key)
        by_id = {dict(tag[:2] for tag in event.tags)["d"]: event for event in events}
        assert {"vase", "pot-1", "pot-2", "pot-3"} <= by_id.keys()
        assert to_json(by_id["vase"]) == vase
        assert ("price", "1.5", "EUR") in by_id["pot-1"].tags
        assert ("shipping_option", f"30406:{shop.merchant.public_key}:de") in by_id["pot-1"].tags
        (stall,) = await shop.merchant.fetch(Kind.COLLECTION, shop.merchant.public_key)
        assert sum(tag[0] == "a" for tag in stall.tags) == len(PRODUCTS)


@pytest.mark.req("C-42")
async def test_a_table_of_products_is_imported_row_by_row(stack: RunningStack, tmp_path: Path) -> None:
    """Each row is a listing or is named; a column nobody knows stops everything before anything is published."""
    home, file = stack.home.root, tmp_path / "goods.csv"
    file.write_text(TABLE)
    async with Shop(stack) as shop:
        words = ("shop", "import", "--csv", str(file), "--shop", shop.merchant.public_key)
        dry = json.loads(await asyncio.to_thread(ncc, *words, "--dry-run", "--json", home=home, code=1))
        said = json.loads(await asyncio.to_thread(ncc, *words, "--json", home=home, code=1))
        file.write_text(TABLE.replace("categories", "colour"))
        odd = await asyncio.to_thread(ncc, *words, home=home, code=2)

        assert counts(dry) == {"rows": (3, 0, 1)}
        assert counts(said) == {"rows": (3, 2, 1)}
        (bad,) = (item for item in said["items"] if item["state"] == "not imported")
        assert (bad["source"], bad["why"].split(":")[0]) == ("row 3", "price")
        assert "colour" in odd
        path = f"/catalogue/{shop.merchant.public_key}"
        rows = {row["id"]: row["document"] for row in await shop.operator.call("GET", path)}
        assert rows["jar"]["categories"] == ["Kitchen", "Clay"]
        assert (rows["jar"]["stock"], rows["lid"]["title"], "stock" in rows["lid"]) == (3, "Lid, small", False)
        sources = await asyncio.to_thread(ncc, "shop", "import", home=home, code=2)
        assert "--from-relays" in sources
