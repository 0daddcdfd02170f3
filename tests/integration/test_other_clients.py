"""A buyer whose client is built on another library, nostr-sdk: it orders, reads every answer, and pays."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from datetime import timedelta
from typing import Any

import nostr_sdk
import pytest

from tests.support.shop import ADDRESS, Shop
from tests.support.stack import RunningStack

pytestmark = pytest.mark.real

WAIT_S = 40.0


class ForeignBuyer:
    """Everything it knows of Nostr comes from nostr-sdk."""

    def __init__(self, relay: str) -> None:
        self.relay = nostr_sdk.RelayUrl.parse(relay)
        self.keys = nostr_sdk.Keys.generate()
        self.signer = nostr_sdk.NostrSigner.keys(self.keys)
        self.client = nostr_sdk.ClientBuilder().build()

    async def open(self) -> None:
        """Connect, and say where to be reached (10050)."""
        await self.client.add_relay(self.relay)
        await self.client.connect()
        tag = nostr_sdk.Tag.parse(["relay", str(self.relay)])
        inbox = nostr_sdk.EventBuilder(nostr_sdk.Kind(10050), "").tags([tag]).sign_with_keys(self.keys)
        await self.client.send_event(inbox)

    async def send(self, merchant: str, kind: int, tags: list[list[str]], content: str) -> None:
        """A private message, made whole by the library."""
        parsed = [nostr_sdk.Tag.parse(tag) for tag in (["p", merchant], *tags)]
        builder = nostr_sdk.EventBuilder(nostr_sdk.Kind(kind), content).tags(parsed)
        rumor = builder.build(self.keys.public_key())
        wrap = await nostr_sdk.gift_wrap(self.signer, nostr_sdk.PublicKey.parse(merchant), rumor)
        await self.client.send_event(wrap)

    async def messages(self) -> list[tuple[str, dict[str, Any]]]:
        """Every private message in its inbox: who proved to have sent it, and the rumor."""
        wanted = nostr_sdk.Filter().kind(nostr_sdk.Kind(1059)).pubkey(self.keys.public_key())
        events = await self.client.fetch_events(wanted, timedelta(seconds=WAIT_S))
        opened = [await nostr_sdk.UnwrappedGift.from_gift_wrap(self.signer, event) for event in events.to_vec()]
        return [(gift.sender().to_hex(), json.loads(gift.rumor().as_json())) for gift in opened]

    async def wait_for(self, type_: str, status: str | None = None) -> tuple[str, dict[str, Any]]:
        """The message of this type and status, once it is there."""
        give_up_s = time.monotonic() + WAIT_S
        while time.monotonic() < give_up_s:
            for sender, rumor in await self.messages():
                tags = {tag[0]: tag[1] for tag in rumor["tags"]}
                if tags.get("type") == type_ and status in (None, tags.get("status")):
                    return sender, rumor
            await asyncio.sleep(0.2)
        raise AssertionError(f"no message {type_}/{status} within {WAIT_S} s")


@pytest.mark.req("REL-14")
@pytest.mark.req("ID-01")
@pytest.mark.req("T16B-01")
@pytest.mark.req("SU-01")
async def test_a_client_on_another_library_orders_pays_and_reads_every_answer(stack: RunningStack) -> None:
    """Order, request, payment, confirmation, parcel, completion: all proven to come from the merchant's key."""
    async with Shop(stack) as shop:
        buyer = ForeignBuyer(shop.relay)
        await buyer.open()
        order_id = secrets.token_hex(6)
        order = [
            ["subject", "order-info"],
            ["type", "1"],
            ["order", order_id],
            ["amount", "18280"],
            ["item", shop.product, "1"],
            ["shipping", shop.shipping],
            ["address", ADDRESS],
        ]
        await buyer.send(shop.merchant.public_key, 16, order, "")

        sender, request = await buyer.wait_for("2")
        tags = {tag[0]: tag[1:] for tag in request["tags"]}
        assert sender == shop.merchant.public_key
        assert tags["p"] == [buyer.keys.public_key().to_hex()]
        assert tags["amount"] == ["18280"]
        assert tags["order"] == [order_id]
        assert int(tags["expiration"][0]) > time.time()

        await shop.pay(tags["payment"][1])
        await buyer.wait_for("3", "confirmed")
        for move, type_, status in (
            ("ship", "4", "shipped"),
            ("deliver", "4", "delivered"),
            ("complete", "3", "completed"),
        ):
            await shop.move(order_id, move, **({"tracking": "T-1", "carrier": "DHL"} if move == "ship" else {}))
            sender, told = await buyer.wait_for(type_, status)
            assert sender == shop.merchant.public_key
            if move == "ship":
                assert ["tracking", "T-1"] in told["tags"]
        assert len(await buyer.messages()) == 5
