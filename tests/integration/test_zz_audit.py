"""After everything else has run on the shared stack: the auditor finds nothing, in the journal or in ClickHouse."""

from __future__ import annotations

import asyncio
import json

import pytest

from schemas.nostr.kinds import Kind
from services.audit.invariants import INVARIANTS, Place
from tests.integration.test_command_line import ncc
from tests.support.shop import Shop, invoice_of
from tests.support.stack import RunningStack

pytestmark = pytest.mark.real


@pytest.mark.req("INV-02")
@pytest.mark.req("INV-08")
@pytest.mark.req("PAY-17")
async def test_every_invariant_holds_of_everything_that_the_tests_did(stack: RunningStack) -> None:
    """At least one sale and its review; every invariant that the journal or ClickHouse can show was looked at."""
    async with Shop(stack) as shop:
        buyer = await shop.buyer()
        order_id = await shop.order(buyer, quantity=2)
        await shop.pay(invoice_of(await buyer.wait_for(order_id, "2")))
        await buyer.wait_for(order_id, "3", "confirmed")
        product = f"30402:{shop.merchant.public_key}:mug"
        await buyer.publish(Kind.REVIEW, (("d", f"a:{product}"), ("rating", "1", "thumb")), "Holds tea.")

        async def rated() -> list[object] | None:
            rows = await shop.operator.sql("SELECT reviews FROM ratings_now WHERE target = {c:String}", c=product)
            return list(rows) or None

        await shop.until(rated, "the rating")
        said = await asyncio.to_thread(ncc, "audit", home=stack.home.root)
        found = json.loads(await asyncio.to_thread(ncc, "audit", "--json", home=stack.home.root))

    assert "Every invariant holds." in said
    assert (found["breaches"], found["frozen"], found["behind"]) == ([], {}, [])
    checked = {row["code"]: row["checked"] for row in found["invariants"]}
    seen = {one.code for one in INVARIANTS.values() if one.place is not Place.TESTS} - {"I14"}
    assert checked.keys() == INVARIANTS.keys()
    assert all(checked[code] > 0 for code in seen), checked
