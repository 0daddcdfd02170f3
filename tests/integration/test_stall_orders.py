"""A buyer at a stall's page, on another library's NIP-04: orders in JSON, pays from the answer, reads each update."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from typing import Any

import nostr_sdk
import pytest

from schemas import bolt11
from schemas.nostr.kinds import Kind
from schemas.nostr.nip01 import Event, read_event
from services.demo.people import Person
from tests.integration.test_command_line import ncc
from tests.integration.test_inbox import ncc as ncc_said
from tests.support.shop import ADDRESS, CANARY_STREET, Shop
from tests.support.stack import RunningStack

pytestmark = pytest.mark.real

WAIT_S = 90.0


class StallBuyer:
    """Signs as we do; everything it encrypts and decrypts is nostr-sdk's."""

    def __init__(self, relay: str, merchant: str) -> None:
        self.person = Person(relay)
        self.merchant = merchant
        self._secret = nostr_sdk.SecretKey.parse(self.person.secret.reveal().hex())
        self._shop = nostr_sdk.PublicKey.parse(merchant)

    async def say(self, text: str) -> Event:
        """A kind 4 to the shop."""
        content = nostr_sdk.nip04_encrypt(self._secret, self._shop, text)
        return await self.person.publish(Kind.ENCRYPTED_DIRECT_MESSAGE, (("p", self.merchant),), content)

    async def messages(self) -> list[tuple[Event, str]]:
        """Every kind 4 of the shop to this buyer, oldest first."""
        events = await self.person.fetch(Kind.ENCRYPTED_DIRECT_MESSAGE, self.merchant)
        mine = [event for event in reversed(events) if ("p", self.person.public_key) in event.tags]
        return [(one, nostr_sdk.nip04_decrypt(self._secret, self._shop, one.content)) for one in map(_checked, mine)]

    async def wait_for(self, order_id: str, type_: int, **fields: Any) -> dict[str, Any]:
        """The first message of this order and type with these fields."""
        give_up_s = time.monotonic() + WAIT_S
        while time.monotonic() < give_up_s:
            for _, text in await self.messages():
                said = json.loads(text) if text.startswith("{") else {}
                wanted = {"id": order_id, "type": type_} | fields
                if {name: said.get(name) for name in wanted} == wanted:
                    return dict(said)
            await asyncio.sleep(0.2)
        raise AssertionError(f"no message of type {type_} with {fields} within {WAIT_S} s")


def _checked(event: Event) -> Event:
    return read_event(event.model_dump_json())


@pytest.mark.req("TJ0-01", "TJ1-01", "TJ2-01")
async def test_a_stalls_buyer_orders_pays_and_reads_that_it_is_sent(stack: RunningStack) -> None:
    """Asked for what was quoted, then paid, then paid and sent; what is not sold is turned down with the reason."""
    home = stack.home.root

    async def run(*words: str) -> str:
        return await asyncio.to_thread(ncc, *words, home=home)

    async with Shop(stack) as shop:
        buyer = StallBuyer(shop.relay, shop.merchant.public_key)
        name = f"shop-{shop.merchant.public_key[:8]}"
        assert "nip15 = on" in await run("merchant", "set", name, "nip15=on")
        order_id = f"stall-{secrets.token_hex(6)}"
        order = {
            "type": 0,
            "id": order_id,
            "name": "Jane Doe",
            "address": ADDRESS.partition("\n")[2],
            "contact": {"nostr": buyer.person.public_key, "email": "", "phone": ""},
            "items": [{"product_id": "mug", "quantity": 1}],
            "shipping_id": "standard",
            "message": "",
        }
        await buyer.say(json.dumps(order))

        request = await buyer.wait_for(order_id, 1)
        (option,) = request["payment_options"]
        assert option["type"] == "ln"
        row = await shop.until(lambda: shop.order_row(order_id), "the order")
        assert bolt11.decode(option["link"]).amount_msat == row["total_msat"]
        assert row["dialect"] == "nip15"

        await shop.pay(option["link"])
        paid = await buyer.wait_for(order_id, 2, paid=True)
        assert (paid["shipped"], paid["status"]) == (False, "processing")
        await run("order", "ship", str(row["ref"]), "--tracking", "T-1")
        sent = await buyer.wait_for(order_id, 2, shipped=True)
        assert (sent["paid"], sent["status"]) == (True, "processing")
        assert "T-1" in sent["message"]

        await buyer.say(json.dumps(order | {"id": "nothing", "items": [{"product_id": "moon", "quantity": 1}]}))
        refused = await buyer.wait_for("nothing", 1)
        assert refused["payment_options"] == []
        assert refused["message"]
        assert all(CANARY_STREET not in text for _, text in await buyer.messages())
        await buyer.person.close()


@pytest.mark.req("MSG-04")
async def test_a_stalls_buyers_words_are_read_in_the_inbox(stack: RunningStack) -> None:
    """Plain text of kind 4 stands in the thread of whoever signed it; what they say of a status does nothing."""
    home = stack.home.root
    async with Shop(stack) as shop:
        buyer = StallBuyer(shop.relay, shop.merchant.public_key)
        name = f"shop-{shop.merchant.public_key[:8]}"
        await asyncio.to_thread(ncc, "merchant", "set", name, "nip15=on", home=home)
        await buyer.say(json.dumps({"type": 2, "id": "1", "paid": True, "shipped": True}))
        await buyer.say("Is it dishwasher-safe?")

        async def conversation() -> Any:
            rows = json.loads(await asyncio.to_thread(ncc_said, home, "inbox", "--json"))
            return next((row for row in rows if row["buyer"] == buyer.person.public_key), None)

        row = await shop.until(conversation, "the question in the inbox")
        assert (row["waits"], row["messages"]) == (True, 1)
        shown = await asyncio.to_thread(ncc_said, home, "inbox", "show", buyer.person.public_key[:16])
        assert "Is it dishwasher-safe?" in shown

        await asyncio.to_thread(ncc_said, home, "inbox", "answer", buyer.person.public_key, said="It is.\n")

        async def answer() -> bool | None:
            return any(text == "It is." for _, text in await buyer.messages()) or None

        assert await shop.until(answer, "the answer in kind 4")
        await buyer.person.close()
