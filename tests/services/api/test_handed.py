"""Signed events handed in by a person: only the shop's own goods, and only whole and genuine ones."""

from __future__ import annotations

from collections.abc import Sequence

import httpx
import pytest
from fastapi import FastAPI

from schemas.nostr.kinds import Kind
from schemas.nostr.nip01 import UnsignedEvent, sign_event, to_json
from schemas.nostr.secp256k1 import SecretKey
from services.api import handed

ANN, BOB = SecretKey.from_bytes(b"\x01" * 32), SecretKey.from_bytes(b"\x02" * 32)
OLD_S = 1_500_000_000


class Book:
    """What came in."""

    def __init__(self) -> None:
        self.raw: list[tuple[str, bytes]] = []

    async def put_raw(self, key_hex: str, text: bytes, headers: Sequence[tuple[str, bytes]]) -> None:
        """Keep it; intake needs each of these headers."""
        assert {name for name, _ in headers} == {"relay", "subscription", "received_ms", "tenants"}
        self.raw.append((key_hex, text))


def signed(secret: SecretKey, kind: int = Kind.PRODUCT) -> str:
    """An old listing of the key's."""
    tags = (("d", "vase"), ("title", "Vase"), ("price", "30", "EUR"))
    unsigned = UnsignedEvent(pubkey=secret.public_key, created_at=OLD_S, kind=kind, tags=tags, content="")
    return to_json(sign_event(unsigned, secret))


async def hand_in(book: Book, merchant: str, *events: str) -> httpx.Response:
    """The answer of an API where Ann has a shop."""
    app = FastAPI()
    handed.add_routes(app, [], book, lambda key: key == ANN.public_key)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://api") as http:
        return await http.post(f"/events/{merchant}", json={"events": list(events)})


async def test_a_shops_own_listing_is_read_however_old() -> None:
    """As it is, byte for byte."""
    book = Book()
    answer = await hand_in(book, ANN.public_key, signed(ANN))

    assert (answer.status_code, answer.json()) == (200, {"taken": 1})
    ((name, text),) = book.raw
    assert text.decode() == signed(ANN)
    assert name in text.decode()


@pytest.mark.parametrize(
    "event",
    [
        signed(BOB),
        signed(ANN, Kind.GIFT_WRAP),
        signed(ANN).replace("Vase", "Vast"),
        signed(ANN)[:-4] + '00"}',
        "{}",
        "\x00",
        "[" * 200_000,
    ],
)
async def test_of_what_is_not_the_shops_or_not_genuine_nothing_is_taken(event: str) -> None:
    """Nor of what came with it, and a sentence says which one it was."""
    book = Book()
    answer = await hand_in(book, ANN.public_key, signed(ANN), event)

    assert answer.status_code == 400
    assert answer.json()["detail"].startswith("event 2: ")
    assert book.raw == []


async def test_a_stranger_has_no_shop_to_hand_goods_to() -> None:
    """Though the events be genuine."""
    book = Book()
    answer = await hand_in(book, BOB.public_key, signed(BOB))

    assert answer.status_code == 404
    assert book.raw == []
