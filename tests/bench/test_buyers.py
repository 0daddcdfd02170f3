"""The buyers' own code: orders written ahead, and answers understood."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from bench.buyers import Buyers, Placed, answered
from bench.shop import Shop, a_secret
from schemas.nostr.kinds import Kind
from schemas.nostr.nip01 import read_event, to_json
from schemas.nostr.nip17 import make_rumor
from schemas.nostr.nip59 import make_wrap, open_wrap
from schemas.payments import Method
from services.payments.port import Intent, Reference
from services.payments.preimages import Preimage
from services.payments.simulated import SimulatedWallet
from services.relays import RawSighting

SHOPS = [Shop(a_secret("merchant of tests")), Shop(a_secret("other merchant of tests"))]
RELAY = "ws://127.0.0.1:1"
FAR = 4_000_000_000


async def test_orders_go_to_each_shop_in_turns_and_no_two_are_the_same(tmp_path: Path) -> None:
    """Partitions are kept busy evenly, and a repeated order would be ignored."""
    buyers = Buyers("turns", 3, SHOPS, RELAY, tmp_path / "wallet.db")
    written = [next(buyers._written) for _ in range(4)]
    await buyers.close()

    opened = [open_wrap(read_event(one.text), SHOPS[n % 2].secret) for n, one in enumerate(written)]

    assert {one.wrap_id for one in opened} == {one.event_id for one in written}
    assert len({one.order_id for one in written}) == 4


async def test_a_payment_request_is_noted_and_paid_and_a_confirmation_noted_once(tmp_path: Path) -> None:
    """The two answers a buyer waits for, each counted at its first arrival."""
    buyers = Buyers("answers", 1, SHOPS[:1], RELAY, tmp_path / "wallet.db")
    wallet = SimulatedWallet(tmp_path / "wallet.db")
    account = wallet.account(SHOPS[0].merchant)
    intent = Intent(
        intent_id="11" * 32,
        reference=Reference("order"),
        amount_msat=30_570_000,
        memo="Order",
        expires_at=FAR,
        method=Method.BOLT11,
        preimage=Preimage(bytes(32)),
    )
    request = await account.ensure(intent, timeout_s=5)
    placed = buyers.orders["one"] = Placed("one", 0.0)

    for _ in range(2):
        await buyers._sink(_said(("order", "one"), ("type", "2"), ("payment", "lightning", request.text)))
        await buyers._sink(_said(("order", "one"), ("type", "3"), ("status", "confirmed")))
    await asyncio.gather(*buyers._paying)
    seen = await account.lookup(request.backend_ref, timeout_s=5)
    wallet.close()
    await buyers.close()

    assert placed.requested_s is not None
    assert placed.confirmed_s is not None
    assert (buyers.confirmed, seen.gross_msat) == (1, 30_570_000)


async def test_waiting_for_an_answer_ends_at_its_time() -> None:
    """Nobody waits for ever for an order that is lost."""
    never, at_once = asyncio.Event(), asyncio.Event()
    at_once.set()

    assert [await answered(at_once, 0.01), await answered(never, 0.01)] == [True, False]


def _said(*tags: tuple[str, ...]) -> RawSighting:
    """A merchant's message to the crowd's only buyer, as the relay brings it."""
    secret, buyer = SHOPS[0].secret, a_secret("answers 0").public_key
    rumor = make_rumor(SHOPS[0].merchant, 1_700_000_000, Kind.ORDER, (("p", buyer), *tags), "")
    wrap = make_wrap(rumor, secret, buyer, "effect")
    return RawSighting(RELAY, "inbox", 0, to_json(wrap), wrap.id)


@pytest.mark.parametrize("name", ["a", "b"])
def test_a_name_always_gives_the_same_key(name: str) -> None:
    """Two runs order from the same shops, which lie in the same partitions."""
    assert a_secret(name) == a_secret(name)
