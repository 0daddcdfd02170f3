"""A lightning address that somebody took over is asked for nothing new until a person has looked."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from schemas.bolt11 import Network
from schemas.payments import BackendState
from services.payments.lud16 import LightningAddress, Lud16Config, account_from
from services.payments.port import Held, Intent
from services.payments.simulated import SimulatedWallet
from services.payments.wallet_check import check_wallet
from tests.services.payments.contract import MERCHANT, TIMEOUT_S, Bench
from tests.services.payments.test_simulated import Clock
from tests.support.lnurl_service import LnurlService


class Shop:
    """A shop that is paid to an address, and the server behind it."""

    def __init__(self, folder: Path) -> None:
        self.clock = Clock()
        self.folder, self.wallet = folder, SimulatedWallet(folder / "wallet.sqlite", clock=self.clock)
        self.service = LnurlService(self.wallet, MERCHANT, self.clock)
        self.opened: list[LightningAddress] = []

    def restarted(self) -> LightningAddress:
        """The back-end as another process opens it, over the same book; it has asked for nothing yet."""
        config = Lud16Config(
            self.service.address, self.folder / "book.sqlite", Network.REGTEST, is_trusted=lambda _: True
        )
        self.opened.append(account_from(config, clock=self.clock))
        return self.opened[-1]

    async def intent(self, order_id: str) -> Intent:
        """A wish of an order's."""
        apart = account_from(
            Lud16Config(self.service.address, self.folder / "apart.sqlite", Network.REGTEST, is_trusted=lambda _: True)
        )
        try:
            return await Bench(apart, self.service.pay, self.clock, self.clock.pass_time).intent(order_id)
        finally:
            await apart.close()

    async def asks(self, backend: LightningAddress, order_id: str) -> Any:
        """A request of an order's."""
        return await backend.ensure(await self.intent(order_id), timeout_s=TIMEOUT_S)


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Shop]:
    shop = Shop(tmp_path)
    async with shop.service:
        yield shop
        for backend in shop.opened:
            await backend.close()
    shop.wallet.close()


TAKEN_OVER = [{"makes_at": "localhost"}, {"text": "Somebody's shop"}, {"makes_at": "localhost", "text": "x"}]


@pytest.mark.case("F7")
@pytest.mark.parametrize("changes", TAKEN_OVER)
async def test_an_address_that_changes_gets_no_new_requests(shop: Shop, changes: dict[str, str]) -> None:
    """No invoice is even asked for; what was shown before is found and paid as ever, after a restart too."""
    first = await shop.asks(shop.restarted(), "order-1")
    vars(shop.service).update(changes)
    shop.service.asked.clear()
    again = shop.restarted()
    with pytest.raises(Held, match="--accept"):
        await shop.asks(again, "order-2")
    assert "callback" not in shop.service.asked

    assert await shop.asks(again, "order-1") == first
    await shop.service.pay(first.text)
    assert (await again.lookup(first.backend_ref, timeout_s=TIMEOUT_S)).state is BackendState.SETTLED


@pytest.mark.case("F7")
@pytest.mark.parametrize("changes", TAKEN_OVER)
async def test_a_changed_address_is_used_again_once_its_merchant_accepts_it(
    shop: Shop, changes: dict[str, str]
) -> None:
    """By a process of its own: the one that makes requests hears of it with its next try."""
    ours, theirs = shop.restarted(), shop.restarted()
    await shop.asks(ours, "order-1")
    vars(shop.service).update(changes)
    found = await theirs.probe(timeout_s=TIMEOUT_S)
    assert any("--accept" in warning for warning in found.warnings)
    with pytest.raises(Held):
        await check_wallet(theirs, shop.clock(), TIMEOUT_S)

    theirs.accept()
    checked = await check_wallet(theirs, shop.clock(), TIMEOUT_S)
    assert (checked.faults, [words for words in checked.warnings if "--accept" in words]) == ((), [])
    with pytest.raises(Held):  # it knows the old terms for a minute, and asks anew now
        await shop.asks(ours, "order-2")
    await shop.asks(ours, "order-2")


@pytest.mark.case("F7")
async def test_an_address_that_goes_back_to_what_it_said_is_used_again(shop: Shop) -> None:
    """Nobody has to accept what was right all along."""
    await shop.asks(shop.restarted(), "order-1")
    shop.service.text = "Somebody's shop"
    again = shop.restarted()
    with pytest.raises(Held):
        await shop.asks(again, "order-2")
    shop.service.text = "A shop"
    await shop.asks(again, "order-2")


@pytest.mark.case("F7")
async def test_invoices_of_another_node_are_warned_of_and_used(shop: Shop) -> None:
    """A custodian's nodes change; whoever accepts the new one is not warned again."""
    backend = shop.restarted()
    await shop.asks(backend, "order-1")
    assert await _of_nodes(backend) == []
    shop.service.wallet = other = SimulatedWallet(shop.folder / "other.sqlite", clock=shop.clock)
    await shop.asks(backend, "order-2")
    (warning,) = await _of_nodes(shop.restarted())
    assert "another node" in warning

    backend.accept()
    await shop.asks(backend, "order-3")
    assert await _of_nodes(backend) == []
    other.close()


@pytest.mark.case("F7")
async def test_two_addresses_of_one_shop_are_held_to_what_each_of_them_says(shop: Shop) -> None:
    """The shop that turns to another address is not held for what the first one said."""
    await shop.asks(shop.restarted(), "order-1")
    async with LnurlService(shop.wallet, MERCHANT, shop.clock, text="Another shop") as other:
        config = Lud16Config(other.address, shop.folder / "book.sqlite", Network.REGTEST, is_trusted=lambda _: True)
        shop.opened.append(account_from(config, clock=shop.clock))
        await shop.asks(shop.opened[-1], "order-2")


async def _of_nodes(backend: LightningAddress) -> list[str]:
    found = await backend.probe(timeout_s=TIMEOUT_S)
    return [warning for warning in found.warnings if "node" in warning]
