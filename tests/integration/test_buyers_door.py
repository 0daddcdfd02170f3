"""An application hands a buyer's sealed order in over HTTP, and everything it says afterwards is about that order."""

from __future__ import annotations

import asyncio
import secrets
import time
from pathlib import Path

import httpx
import pytest

from schemas.nostr.kinds import Kind
from schemas.nostr.nip01 import Event, parse_event, to_json
from schemas.nostr.nip17 import make_rumor
from schemas.nostr.nip59 import make_wrap, open_wrap
from services.demo.people import Buyer
from services.embedded.ports import free_port
from tests.support.shop import CANARY_STREET, Shop
from tests.support.stack import RunningStack

pytestmark = pytest.mark.real


def sealed(shop: Shop, buyer: Buyer, order_id: str) -> Event:
    """An order for one mug, wrapped to the shop."""
    rumor = make_rumor(buyer.public_key, int(time.time()), Kind.ORDER, shop.order_tags(order_id), "")
    return make_wrap(rumor, buyer.secret, shop.merchant.public_key, secrets.token_hex(16))


@pytest.mark.req("PAY-04")
async def test_two_calls_give_one_invoice_and_what_the_buyer_sends_afterwards_is_linked(tmp_path: Path) -> None:
    """Quote and request in the call; then the same order over the relay, the buyer's own request, and the money."""
    door = f"http://127.0.0.1:{free_port()}"
    with RunningStack(tmp_path, environment={"NCC_SERVICE_URL": door}) as stack:
        async with Shop(stack) as shop, httpx.AsyncClient(timeout=60, trust_env=False) as http:
            buyer, order_id = await shop.buyer(), f"order-{secrets.token_hex(6)}"
            wrap = sealed(shop, buyer, order_id)

            first, second = await asyncio.gather(
                *(http.post(f"{door}/orders", content=to_json(wrap)) for _ in range(2))
            )
            await buyer.put(wrap)
            third = await http.post(f"{door}/orders", content=to_json(wrap))

            assert [one.status_code for one in (first, second, third)] == [200, 200, 200]
            assert first.content == second.content == third.content
            assert CANARY_STREET not in first.text
            reply = open_wrap(parse_event(first.content), buyer.secret).rumor
            request = await buyer.wait_for(order_id, "2")
            assert request.rumor.id == reply.id
            invoice = next(tag[2] for tag in reply.tags if tag[:2] == ("payment", "lightning"))
            amount = next(tag[1] for tag in reply.tags if tag[0] == "amount")

            announced = (("type", "2"), ("order", order_id), ("amount", amount), ("payment", "lightning", invoice))
            await buyer.send(shop.merchant.public_key, Kind.ORDER, announced)
            history = "SELECT type FROM order_history WHERE order_ref = {r:String} AND line = 0"
            row = await shop.until(lambda: shop.order_row(order_id), "the order")

            async def said(kind: str) -> bool | None:
                rows = await shop.operator.sql(history, r=row["ref"])
                return any(one["type"] == kind for one in rows) or None

            await shop.until(lambda: said("PaymentAnnounced"), "the announced payment")
            await shop.pay(invoice)
            await buyer.wait_for(order_id, "3", "confirmed")
            types = [one["type"] for one in await shop.operator.sql(history, r=row["ref"])]
            assert (types.count("OrderPlaced"), types.count("PaymentRequested")) == (1, 1)
            assert len(buyer.of_order(order_id, "2")) == 1
