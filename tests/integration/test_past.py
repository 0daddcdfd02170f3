"""A blank deployment and a relay full of old orders: listed as they ended, and nobody hears a word of it (REL-11)."""

from __future__ import annotations

import asyncio
import time

import pytest

from schemas.nostr.nip01 import Event
from schemas.nostr.nip17 import make_rumor
from schemas.nostr.nip59 import make_wrap
from schemas.nostr.secp256k1 import SecretKey
from services.demo.people import Buyer
from tests.support.shop import ADDRESS, Shop
from tests.support.stack import RunningStack

pytestmark = pytest.mark.real

ORDERS = 1_000
AT_ONCE = 200
MONTH_S = 30 * 86_400
BUDGET_S = 60.0

Tags = tuple[tuple[str, ...], ...]


def a_buyer(number: int) -> SecretKey:
    """The buyer of one old order."""
    return SecretKey.from_bytes(number.to_bytes(32, "big"))


def history(shop: Shop, number: int, now_s: int) -> list[Event]:
    """One order of a month ago as its relay keeps it: order, payment request, receipt and status, in wraps."""
    buyer, merchant = a_buyer(number + 1), shop.merchant.secret
    order = ("order", f"old-{number}")
    item = ("item", f"30402:{merchant.public_key}:mug", "1")
    said: tuple[tuple[SecretKey, str, int, Tags], ...] = (
        (buyer, merchant.public_key, 16, (("type", "1"), order, ("amount", "100"), item, ("address", ADDRESS))),
        (merchant, buyer.public_key, 16, (("type", "2"), order, ("amount", "100"), ("payment", "lightning", "lnbc1"))),
        (buyer, merchant.public_key, 17, (order, ("payment", "lightning", "lnbc1", "00"), ("amount", "100"))),
        (merchant, buyer.public_key, 16, (("type", "3"), order, ("status", "completed"))),
    )
    return [
        make_wrap(
            make_rumor(author.public_key, now_s - MONTH_S + step, kind, (("p", to), *tags), ""),
            author,
            merchant.public_key,
            f"old {number} {step}",
        )
        for step, (author, to, kind, tags) in enumerate(said)
    ]


async def publish_all(shop: Shop, events: list[Event]) -> None:
    """Put events on the relay, so many at once."""
    for start in range(0, len(events), AT_ONCE):
        await asyncio.gather(*(shop.merchant.put(event) for event in events[start : start + AT_ONCE]))


async def count(shop: Shop, condition: str) -> int:
    """The shop's orders that stand like this."""
    rows = await shop.operator.sql(
        f"SELECT count() AS n FROM orders_now WHERE merchant = {{m:String}} AND {condition}",
        m=shop.merchant.public_key,
    )
    return int(rows[0]["n"])


@pytest.mark.req("REL-11")
async def test_a_thousand_old_orders_become_rows_and_lead_to_nothing(stack: RunningStack) -> None:
    """Completed, with receipts, in a minute; no message, no stock; what a buyer asked yesterday is answered."""
    shop, now_s = Shop(stack), int(time.time())
    await publish_all(shop, [event for number in range(ORDERS) for event in history(shop, number, now_s)])
    forgotten = Buyer(shop.relay)
    await forgotten.open_inbox()
    tags = (
        ("type", "1"),
        ("order", "yesterday"),
        ("amount", "1"),
        ("item", f"30402:{shop.merchant.public_key}:mug", "1"),
    )
    rumor = make_rumor(forgotten.public_key, now_s - 86_400, 16, (("p", shop.merchant.public_key), *tags), "")
    await shop.merchant.put(make_wrap(rumor, forgotten.secret, shop.merchant.public_key, "yesterday"))

    began_s = time.monotonic()
    async with shop:

        async def all_listed() -> bool | None:
            told = await count(shop, "reason = 'past' AND status = 'completed' AND payment = 'reported'")
            return told == ORDERS or None

        await shop.until(all_listed, f"{ORDERS} completed orders")
        assert time.monotonic() - began_s < BUDGET_S
        sent = "SELECT count() AS n FROM deliveries_now WHERE merchant = {m:String} AND what != 'listing'"
        assert await shop.operator.sql(sent, m=shop.merchant.public_key) == [{"n": 0}]
        row = await shop.row()
        assert row is not None
        assert (row["on_hand"], row["held"], row["sold"]) == (shop.stock, 0, 0)

        answer = await forgotten.wait_for("yesterday", "3")
        assert answer.rumor.pubkey == shop.merchant.public_key

        async def is_ours() -> bool | None:
            row = await shop.order_row("yesterday")
            return (row is not None and row["reason"] != "past") or None

        await shop.until(is_ours, "yesterday's order as one of ours")
        assert await count(shop, "reason = 'past'") == ORDERS
    await forgotten.close()
