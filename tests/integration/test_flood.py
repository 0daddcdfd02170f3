"""One key sends five thousand orders at once: others are served as ever, and what the flood leaves behind is small."""

from __future__ import annotations

import asyncio
import time

import pytest

from schemas import limits
from schemas.nostr.kinds import Kind
from schemas.nostr.nip01 import to_json
from schemas.nostr.nip17 import make_rumor
from schemas.nostr.nip59 import make_wrap
from services.demo.people import Person
from tests.integration.test_hostile_input import show_all
from tests.services.relays.scripted_relay import ScriptedRelay
from tests.support.shop import ADDRESS, Shop, invoice_of
from tests.support.stack import RunningStack

pytestmark = pytest.mark.real

FLOOD = 5_000
SOON_S = 30.0


def a_flood(attacker: Person, shop: Shop) -> list[str]:
    """So many different orders of one key, each for everything there is, each with an address to be sealed."""
    now_s, texts = int(time.time()), []
    for number in range(FLOOD):
        tags = (
            ("p", shop.merchant.public_key),
            ("type", "1"),
            ("order", f"flood-{number}"),
            ("amount", "1"),
            ("item", shop.product, "4"),
            ("shipping", shop.shipping),
            ("address", ADDRESS),
        )
        rumor = make_rumor(attacker.public_key, now_s, Kind.ORDER, tags, "")
        texts.append(to_json(make_wrap(rumor, attacker.secret, shop.merchant.public_key, "")))
    return texts


@pytest.mark.req("C-12")
@pytest.mark.req("C-13")
@pytest.mark.req("C-38")
async def test_a_flood_of_one_key_starves_neither_the_shop_nor_its_neighbour(stack: RunningStack) -> None:
    """Orders of others, there and next door, are answered meanwhile; every message of the flood is accounted for."""
    async with ScriptedRelay() as relay, Shop(stack, stock=20) as shop, Shop(stack) as neighbour:
        await shop.add(relays=(relay.url,))

        async def listening() -> bool | None:
            return True if any(guest.queries for guest in relay.guests) else None

        await shop.until(listening, "a subscription at the flooding relay")
        attacker = Person(shop.relay, None)
        texts = await asyncio.to_thread(a_flood, attacker, shop)
        assert len(set(texts)) == FLOOD
        buyer, other = await shop.buyer(), await neighbour.buyer()

        flooding = asyncio.create_task(show_all(relay, texts))
        await asyncio.sleep(0.3)
        started_s = time.monotonic()
        order_id, other_id = await shop.order(buyer), await neighbour.order(other)
        other_request = await other.wait_for(other_id, "2")
        request = await buyer.wait_for(order_id, "2")
        took_s = time.monotonic() - started_s
        await flooding

        assert invoice_of(request).startswith("lnbcrt")
        assert invoice_of(other_request).startswith("lnbcrt")
        assert took_s < SOON_S

        async def accounted() -> dict[str, int] | None:
            rows = await shop.operator.sql(
                "SELECT reason, count() AS n FROM quarantine_now WHERE merchant = {m:String} GROUP BY reason",
                m=shop.merchant.public_key,
            )
            counts = {str(row["reason"]): int(row["n"]) for row in rows}
            placed = await shop.operator.sql(
                "SELECT count() AS n FROM orders_now WHERE merchant = {m:String} AND buyer = {b:String}",
                m=shop.merchant.public_key,
                b=attacker.public_key,
            )
            counts["placed"] = int(placed[0]["n"])
            return counts if sum(counts.values()) >= FLOOD else None

        counts = await shop.until(accounted, "every message of the flood, placed or set aside")
        assert sum(counts.values()) == FLOOD
        assert counts["placed"] == limits.BUYER_UNPAID_ORDERS.most + 1
        assert counts["sender_flood"] >= FLOOD - 3 * limits.SENDER_BURST.most

        row = await shop.row()
        assert row is not None
        held_by_attacker = int(row["held"]) - 1
        assert held_by_attacker <= 20 * limits.BUYER_STOCK_SHARE.most // 100
        sent = await shop.operator.sql(
            "SELECT count() AS n FROM deliveries_now AS d JOIN orders_now AS o ON d.order_ref = o.ref"
            " WHERE o.buyer = {b:String}",
            b=attacker.public_key,
        )
        assert int(sent[0]["n"]) <= limits.BUYER_UNPAID_ORDERS.most + 1
        await attacker.close()
