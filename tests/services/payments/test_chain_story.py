"""Tells whole orders that are paid on the chain: the domain, the payments role and a small chain, each the real one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from schemas import bip21
from schemas.bolt11 import Network
from schemas.catalogue import RecordListing
from schemas.orders import MoveRefused, OrderStatus, ShippingStatus
from schemas.payments import PaymentAxis, PaymentRequested
from services.payments.chain import ChainConfig, ChainWallet
from services.payments.esplora import Esplora, esplora_calls
from services.payments.role import PaymentsRole
from services.payments.simulated import SimulatedWallet
from tests.services.payments.test_chain_keys import TPUB
from tests.support.builders import a_key, a_listing, an_order
from tests.support.scripted_chain import ScriptedChain
from tests.support.steps import parcel
from tests.support.story import Story, given
from tests.support.till import Till

WAIT_S = 20.0
TEA = RecordListing(listing=a_listing("tea", "21000", stock=5))


class Shop:
    """A shop whose commands are decided as they are said, and whose records the payments role reads."""

    def __init__(self, chain: ScriptedChain, wallet: ChainWallet) -> None:
        self.chain, self.wallet = chain, wallet
        self.story: Story = given(TEA)
        self.till = Till(cast(SimulatedWallet, SimpleNamespace(account=lambda _: wallet)))
        self._heard = self._read = 0

    @property
    def role(self) -> PaymentsRole:
        return self.till.role

    async def pump(self) -> None:
        """Decide what the role has said, and have it read what followed."""
        for command in self.till.said[self._heard :]:
            self.story.when(command)
        self._heard = len(self.till.said)
        for record in self.story.journal[self._read :]:
            await self.role.take(0, record.covers, record)
        self._read = len(self.story.journal)

    async def restart(self) -> None:
        """Another process takes the role over, and reads from the start."""
        await self.role.close()
        self.till = Till(cast(SimulatedWallet, SimpleNamespace(account=lambda _: self.wallet)))
        self._heard = self._read = 0
        await self.role.begin(0)
        await self.pump()
        await self.role.caught_up(0)

    async def place(self, order_id: str) -> str:
        """Order tea; gives the text of the payment request."""
        key = a_key(order_id)
        now_ms = time.time_ns() // 1_000_000
        placed = an_order(("tea", 1)).model_copy(update={"order": key, "rumor_id": order_id.encode().hex().zfill(64)})
        self.story.when(placed, at_ms=now_ms)
        await self.until(lambda: self.asked(order_id) is not None)
        return self.asked(order_id) or ""

    def asked(self, order_id: str) -> str | None:
        """What an order's buyer was asked for."""
        facts = (event for record in self.story.journal for event in record.events)
        return next((e.text for e in facts if isinstance(e, PaymentRequested) and e.order.order_id == order_id), None)

    def payment(self, order_id: str = "order-1") -> PaymentAxis:
        return self.story.shop.orders[a_key(order_id).ref].payment

    def status(self, order_id: str = "order-1") -> OrderStatus:
        return self.story.shop.orders[a_key(order_id).ref].status

    async def until(self, holds: object) -> None:
        """Go on until something holds."""
        assert callable(holds)
        async with asyncio.timeout(WAIT_S):
            while not holds():
                await self.pump()
                await asyncio.sleep(0.01)


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Shop]:
    """A shop that is paid into an account on the chain."""
    chain = ScriptedChain()
    async with chain.serve() as url:
        config = ChainConfig(TPUB, tmp_path / "book.db", network=Network.REGTEST)
        wallet = ChainWallet(config, Esplora(esplora_calls(url)), time.time, poll_s=0.02, tip_fresh_s=0.0)
        shop = Shop(chain, wallet)
        await shop.role.begin(0)
        await shop.role.caught_up(0)
        yield shop
        await shop.role.close()
        await wallet.close()


@pytest.mark.case("F1")
@pytest.mark.req("PAY-10")
async def test_two_orders_have_two_addresses_and_each_is_paid_by_its_own(shop: Shop) -> None:
    """Without a block an order is reported, with it paid; the other waits on."""
    first, second = await shop.place("order-1"), await shop.place("order-2")
    one, other = bip21.read(first), bip21.read(second)
    assert one.address != other.address
    assert one.amount_sats == other.amount_sats == 21_000

    shop.chain.pay(one.address, 21_000)
    await shop.until(lambda: shop.payment() is PaymentAxis.REPORTED)
    assert (shop.status(), shop.payment("order-2")) == (OrderStatus.PENDING, PaymentAxis.REQUESTED)
    shop.chain.mine()
    await shop.until(lambda: shop.status() is OrderStatus.CONFIRMED)
    assert (shop.payment(), shop.payment("order-2")) == (PaymentAxis.PAID, PaymentAxis.REQUESTED)


@pytest.mark.req("PAY-19")
async def test_parts_over_the_chain_add_up_to_a_paid_order(shop: Shop) -> None:
    """Eight thousand, then the rest to the same address."""
    asked = bip21.read(await shop.place("order-1"))
    shop.chain.pay(asked.address, 8_000)
    shop.chain.mine()
    await shop.until(lambda: shop.payment() is PaymentAxis.PARTIAL)
    shop.chain.pay(asked.address, 13_000)
    shop.chain.mine()
    await shop.until(lambda: shop.status() is OrderStatus.CONFIRMED)
    assert shop.story.order().paid_msat == 21_000_000


@pytest.mark.case("P15")
@pytest.mark.req("PAY-19")
async def test_what_is_paid_twice_over_the_chain_is_owed(shop: Shop) -> None:
    """A buyer pays the same address again after the order was confirmed: the second sum is theirs, said once."""
    asked = bip21.read(await shop.place("order-1"))
    for _ in range(2):
        shop.chain.pay(asked.address, 21_000)
        shop.chain.mine()
        await shop.until(lambda: shop.status() is OrderStatus.CONFIRMED)
    await shop.until(lambda: shop.story.order().owed_msat)
    said = len(shop.till.said)
    for entry in shop.role._open.values():
        shop.role._look_soon(entry)
    await asyncio.sleep(0.3)
    await shop.pump()

    order = shop.story.order()
    assert (order.paid_msat, order.owed_msat, order.status) == (42_000_000, 21_000_000, OrderStatus.CONFIRMED)
    assert len(shop.till.said) == said


async def test_a_restarted_role_finds_a_loss_of_money_that_was_settled_before(shop: Shop) -> None:
    """It reads from the oldest request that may still lose its money, and looks at it."""
    asked = bip21.read(await shop.place("order-1"))
    shop.chain.pay(asked.address, 21_000)
    shop.chain.mine()
    await shop.until(lambda: shop.status() is OrderStatus.CONFIRMED)
    await shop.pump()
    assert shop.role.needed_from(0, 99) < 99
    await shop.restart()
    shop.chain.reorganise(1, keep=False)
    await asyncio.sleep(0.2)
    shop.chain.mine()
    await shop.until(lambda: shop.payment() is PaymentAxis.REVERSED)


@pytest.mark.case("P19")
@pytest.mark.req("C-26")
@pytest.mark.req("TR-16")
@pytest.mark.parametrize("is_forgotten", [False, True])
async def test_a_reorganisation_blocks_a_paid_order(shop: Shop, is_forgotten: bool) -> None:
    """The request is watched on; where the role forgot it the back-end did not, and the address says whose it was."""
    asked = bip21.read(await shop.place("order-1"))
    shop.chain.pay(asked.address, 21_000)
    shop.chain.mine()
    await shop.until(lambda: shop.status() is OrderStatus.CONFIRMED)
    await shop.pump()
    for name in list(shop.role._open) if is_forgotten else ():
        shop.role._forget(name)

    shop.chain.reorganise(1, keep=False)
    await asyncio.sleep(0.2)
    await shop.pump()
    assert shop.payment() is PaymentAxis.PAID
    shop.chain.mine()
    await shop.until(lambda: shop.payment() is PaymentAxis.REVERSED)
    shop.story.when(parcel(ShippingStatus.SHIPPED)).then(MoveRefused)
