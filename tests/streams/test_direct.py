"""Where a kind 4 goes: stalls' orders to the order, words to the inbox, and what only a merchant says is counted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from schemas.inbox import ReceiveMessage
from schemas.nostr.kinds import Kind
from schemas.nostr.nip01 import Event, UnsignedEvent, sign_event, to_json
from schemas.nostr.nip04 import encrypt, open_message
from schemas.nostr.nip17 import make_rumor
from schemas.nostr.secp256k1 import SecretKey
from schemas.orders import PlaceOrder
from schemas.quarantine import Quarantined
from services.vault import Vault
from streams.raw import Commands, Known, Raw, Reading
from streams.reading import Reader
from tests.schemas.nostr import given as people
from tests.streams.test_reading import Keeper
from tests.support.builders import NOW_S

SHOP, BUYER = people.MERCHANT.public_key, people.BUYER.public_key
ORDER = {"type": 0, "id": "order-1", "items": [{"product_id": "tea", "quantity": 2}], "address": "17 Canary Street"}


class DirectKeeper(Keeper):
    """Opens kind 4 as well."""

    def open_direct(self, message: Event, merchant: str) -> str:
        return open_message(message, people.MERCHANT)


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    """A new vault."""
    return Vault(tmp_path / "vault.db")


def a_direct_message(
    text: str, author: SecretKey = people.BUYER, to: tuple[str, ...] = (SHOP,), at_s: int = NOW_S
) -> Event:
    """A kind 4 as its author signed it."""
    unsigned = UnsignedEvent(
        pubkey=author.public_key,
        created_at=at_s,
        kind=Kind.ENCRYPTED_DIRECT_MESSAGE,
        tags=tuple(("p", key) for key in to),
        content=encrypt(text, author, SHOP, bytes(16)),
    )
    return sign_event(unsigned, author)


def read(vault: Vault, event: Event | str, is_on: bool = True) -> Reading:
    """What an event is read as, at a shop that reads kind 4 or does not."""
    reader = Reader(lambda key: 0 if key == SHOP else None, DirectKeeper(), vault, None, lambda _key: is_on)
    text = event if isinstance(event, str) else to_json(event)
    return reader.read(Raw(text.encode(), "wss://relay.example", NOW_S * 1_000))


def body(reading: Reading) -> object:
    """The one command's body."""
    assert isinstance(reading, Commands)
    (command,) = reading.commands
    return command.body


@pytest.mark.req("TJ0-01")
@pytest.mark.req("ID-04")
def test_a_stalls_order_is_placed_by_whoever_signed_it(vault: Vault) -> None:
    """Its dialect is kept for the answers, its event is what they answer, and the address is sealed."""
    event = a_direct_message(json.dumps(ORDER))
    placed = body(read(vault, event))

    assert isinstance(placed, PlaceOrder)
    assert (placed.order.buyer, placed.order.order_id, placed.dialect) == (BUYER, "order-1", "nip15")
    assert placed.rumor_id == event.id
    assert [(line.coordinate, line.quantity) for line in placed.lines] == [(f"30402:{SHOP}:tea", 2)]
    assert placed.details is not None
    assert "Canary" not in placed.model_dump_json()

    off = read(vault, event, is_on=False)
    assert isinstance(off, Quarantined)
    assert (off.reason, off.merchant) == ("dialect_off", SHOP)


@pytest.mark.req("MSG-04")
@pytest.mark.req("TJ0-01")
def test_words_go_to_the_inbox_and_trigger_nothing(vault: Vault) -> None:
    """Prose, broken JSON, and an object that has no type; the text is sealed."""
    for text in ("I want 2", '{"type": 0', '{"id": "1", "items": []}'):
        heard = body(read(vault, a_direct_message(text)))
        assert isinstance(heard, ReceiveMessage)
        assert (heard.buyer, heard.is_direct) == (BUYER, True)
        assert "want" not in heard.model_dump_json()


@pytest.mark.req("TJ1-01")
def test_what_a_buyer_may_not_say_is_counted_and_moves_nothing(vault: Vault) -> None:
    """A buyer who says that the order is paid and sent has said nothing; the merchant's own is known."""
    status = '{"type": 2, "id": "order-1", "paid": true, "shipped": true}'
    assert read(vault, a_direct_message(status)) == Known("status_by_buyer")
    request = '{"type": 1, "id": "order-1", "payment_options": []}'
    assert read(vault, a_direct_message(request)) == Known("payment_request_by_buyer")
    assert read(vault, a_direct_message("x", author=people.MERCHANT)) == Known("own_direct_message")


def test_what_proves_nothing_or_cannot_be_read_is_set_aside_with_its_reason(vault: Vault) -> None:
    """A changed text, a forged author, a content that does not decrypt, no or two shops, too old, unknown types."""
    event = a_direct_message(json.dumps(ORDER))
    changed = event.model_copy(update={"content": a_direct_message("x").content})
    forged = event.model_copy(update={"sig": a_direct_message("x").sig})
    garbled = sign_event(
        UnsignedEvent(**event.model_dump(exclude={"id", "sig", "content"}), content="AAAA"), people.BUYER
    )
    elsewhere = a_direct_message("x", to=(people.OTHER_MERCHANT.public_key,))
    old = a_direct_message(json.dumps(ORDER), at_s=NOW_S - 8 * 86_400)
    reasons = []
    for one in (changed, forged, garbled, elsewhere, old, a_direct_message('{"type": 7}')):
        reading = read(vault, one)
        assert isinstance(reading, Quarantined)
        reasons.append(reading.reason)
    assert reasons == ["bad_id", "bad_sig", "nip04_form", "wrong_recipient", "too_old", "no_type"]


@pytest.mark.req("ID-04")
def test_a_kind_4_inside_a_wrap_is_none(vault: Vault) -> None:
    """A rumor's text is anybody's word; only a signed kind 4 is one, whatever the seal says."""
    rumor = make_rumor(BUYER, NOW_S, Kind.ENCRYPTED_DIRECT_MESSAGE, (("p", SHOP),), json.dumps(ORDER))
    reading = read(vault, to_json(people.wrapped(people.as_rumor_fields(rumor))))
    assert isinstance(reading, Quarantined)
    assert reading.reason == "unknown_kind"
