"""The auditor on a whole stack: a record that must not be freezes its merchant, and nobody else notices."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from schemas import topics
from schemas.codec import decode
from schemas.messages import JournalRecord
from schemas.orders import OrderMoved, OrderStatus
from schemas.topics import partition_of
from schemas.values import Actor, OrderKey
from services.demo.people import Buyer
from streams.kafka import Kafka
from tests.integration.test_command_line import ncc, ncc_json
from tests.support import cluster
from tests.support.builders import BUYER
from tests.support.shop import Shop, invoice_of
from tests.support.stack import RunningStack

pytestmark = pytest.mark.real

PARTITIONS = 4
QUIET_S = 3.0
"""How long nothing must be heard for it to count as silence; a stack at work answers within a second."""


def kafka_of(stack: RunningStack) -> Kafka:
    """The stack's broker, for a hand that should not be there."""
    ready = stack.home.ready()
    assert ready is not None
    return Kafka(ready.kafka, PARTITIONS, "test-audit")


async def confirm_nothing(stack: RunningStack, shop: Shop) -> int:
    """Append a record that confirms an order nobody placed; gives its sequence.

    It is written as the owner of the partition writes, under the decider's own transactional id and with the next
    sequence. That fences the decider, which then folds the journal anew and goes on after this record; a record from
    a plain producer would make the decider write the same sequence a second time, and every follower would skip that.
    """
    kafka, merchant = kafka_of(stack), shop.merchant.public_key
    partition = partition_of(merchant, PARTITIONS)
    writer = await kafka.producer(transactional_id=f"ncc-decider-{partition}")
    try:
        last = (await cluster.journal(kafka))[partition][-1]
        key = OrderKey(merchant=merchant, buyer=BUYER, order_id="phantom")
        moved = OrderMoved(order=key, actor=Actor.COORDINATOR, to=OrderStatus.CONFIRMED, cause="nothing")
        record = JournalRecord(
            seq=last.seq + 1, covers=last.covers, merchant=merchant, at_ms=last.at_ms, cause="nothing", events=(moved,)
        )
        async with writer.transaction():
            await writer.put(topics.JOURNAL, merchant, record, partition=partition)
    finally:
        await writer.stop()
    return record.seq


async def events_of(stack: RunningStack, merchant: str, kind: str) -> list[Any]:
    """This merchant's events of a kind, as the journal has them."""
    records = await cluster.read(kafka_of(stack), topics.JOURNAL, committed_only=True)
    decoded = (decode(JournalRecord, record.value) for found in records.values() for record in found)
    return [event for one in decoded if one.merchant == merchant for event in one.events if event.type == kind]


async def is_frozen(stack: RunningStack, shop: Shop) -> bool | None:
    """Whether the journal says so."""
    return bool(await events_of(stack, shop.merchant.public_key, "MerchantFrozen")) or None


async def sale(shop: Shop, buyer: Buyer) -> str:
    """One order from its message to its confirmation."""
    order_id = await shop.order(buyer)
    await shop.pay(invoice_of(await buyer.wait_for(order_id, "2")))
    await buyer.wait_for(order_id, "3", "confirmed")
    return order_id


@pytest.fixture
def own_stack(tmp_path: Path) -> Iterator[RunningStack]:
    """A stack whose journal may be spoilt; the shared one's has to hold in the end."""
    with RunningStack(tmp_path / "home", partitions=PARTITIONS) as running:
        yield running


async def test_an_impossible_record_freezes_its_merchant_until_somebody_thaws_it(own_stack: RunningStack) -> None:
    """The buyer's paid order waits in silence, a neighbour's goes to its end, and the thaw brings everything, once."""
    stack = own_stack
    home = stack.home.root

    async def run(*words: str, code: int = 0) -> str:
        return await asyncio.to_thread(ncc, *words, home=home, code=code)

    async with Shop(stack) as shop, Shop(stack) as neighbour:
        buyer, other = await shop.buyer(), await neighbour.buyer()
        name = f"shop-{shop.merchant.public_key[:8]}"
        early = await shop.order(buyer)
        invoice = invoice_of(await buyer.wait_for(early, "2"))

        sequence = await confirm_nothing(stack, shop)
        await shop.until(lambda: is_frozen(stack, shop), "the freeze")
        (frozen,) = await events_of(stack, shop.merchant.public_key, "MerchantFrozen")
        assert frozen.cause.endswith(f":{sequence}")

        # What is paid and ordered now waits; the neighbour notices nothing.
        await shop.pay(invoice)
        late = await shop.order(buyer)
        await sale(neighbour, other)
        await asyncio.sleep(QUIET_S)
        assert [m.tag("type") for m in buyer.of_order(early)] == ["2"]
        assert buyer.of_order(late) == []

        await shop.until(lambda: _said(run, "status", "is frozen"), "the notice beside the auditor")
        assert name in await run("doctor", code=1)
        audited = json.loads(await run("audit", "--json", code=1))
        mine = [one for one in audited["breaches"] if one["merchant"] == shop.merchant.public_key]
        assert {one["code"] for one in mine} >= {"I4", "I11"}
        assert {one["sequence"] for one in mine if one["sequence"]} == {sequence}
        assert shop.merchant.public_key in audited["frozen"]
        assert neighbour.merchant.public_key not in {one["merchant"] for one in audited["breaches"]}

        # Roles that die meanwhile find the freeze again.
        for role in ("publisher", "payments", "auditor"):
            pid = stack.kill(role)
            await asyncio.to_thread(stack.wait_up, role, pid)
        await sale(neighbour, other)
        await asyncio.sleep(QUIET_S)
        assert buyer.of_order(late) == []
        assert len(await events_of(stack, shop.merchant.public_key, "MerchantFrozen")) == 1

        assert "is thawed" in await run("merchant", "thaw", name, "--reason", "no such order exists")
        await buyer.wait_for(early, "3", "confirmed")
        await shop.pay(invoice_of(await buyer.wait_for(late, "2")))
        await buyer.wait_for(late, "3", "confirmed")
        await asyncio.sleep(QUIET_S)
        for order_id in (early, late):
            assert [m.tag("type") for m in buyer.of_order(order_id)] == ["2", "3"]
        assert len(buyer.wraps) == 4, "each message is one wrap, however often it was sent"

        # What was looked at once freezes nobody again, not even an auditor that reads it anew.
        pid = stack.kill("auditor")
        await asyncio.to_thread(stack.wait_up, "auditor", pid)
        await asyncio.sleep(QUIET_S)
        assert len(await events_of(stack, shop.merchant.public_key, "MerchantFrozen")) == 1
        assert "was not frozen" in await run("merchant", "thaw", name, "--reason", "again")


async def _said(run: Any, command: str, words: str) -> bool | None:
    return words in await run(command) or None


async def test_a_shop_can_be_frozen_by_hand(stack: RunningStack) -> None:
    """One command stops what is sent in its name, another lets it go on; each says what it did."""
    home = stack.home.root
    async with Shop(stack) as shop:
        buyer, who = await shop.buyer(), shop.merchant.public_key
        freeze = ("merchant", "freeze", who, "--reason", "the key may be stolen")
        assert "is frozen" in await asyncio.to_thread(ncc, *freeze, home=home)
        assert "was frozen already" in await asyncio.to_thread(ncc, *freeze, home=home)
        order_id = await shop.order(buyer)
        await asyncio.sleep(QUIET_S)
        assert buyer.of_order(order_id) == []

        thaw = await asyncio.to_thread(lambda: ncc_json("merchant", "thaw", who, "--reason", "it is not", home=home))
        assert thaw["decided"] == "done"
        await buyer.wait_for(order_id, "2")
