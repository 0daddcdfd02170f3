"""What the wrap figures work on is real: intake reads an order in it, and the floor does the same cryptography."""

from __future__ import annotations

from pathlib import Path

from bench import wraps
from bench.domain import NOW_S
from bench.shop import ADDRESS, Shop, a_secret
from schemas.nostr.nip01 import read_event
from schemas.nostr.nip59 import open_wrap

SHOP = Shop(a_secret("merchant of tests"))


def test_a_made_wrap_is_an_order_that_its_merchant_can_open() -> None:
    """It passes every gate that a relay's wrap passes."""
    text, _ = wraps.make(SHOP, "one", NOW_S)

    opened = open_wrap(read_event(text), SHOP.secret)

    assert ("address", ADDRESS) in opened.rumor.tags


def test_the_floor_decrypts_both_layers() -> None:
    """It sees as many padded bytes as the two cipher texts hold, so nothing of the work was left out."""
    _, layers = wraps.make(SHOP, "one", NOW_S)

    assert wraps.floor(SHOP.secret, [layers]) == sum(len(layer.ciphertext) for layer in layers)


async def test_both_speeds_and_their_ratio_come_out_of_one_run(tmp_path: Path) -> None:
    """The smallest run goes through the real reader, signer and vault."""
    shares: list[float] = []

    values = await wraps.measure(tmp_path, 0.0, shares.append)

    assert values.keys() == {"wraps_per_second", "wrap_floor_per_second", "wraps_to_floor_ratio"}
    assert shares[-1] == 1.0
