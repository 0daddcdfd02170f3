"""Checks by which time a raw record is judged and answered: that of its receipt, or of a replay."""

from __future__ import annotations

import pytest

from schemas import limits
from schemas.dialects.contract import PersonalDetails
from schemas.nostr import nip01, nip04, nip44, nip59
from schemas.nostr.kinds import Kind
from schemas.nostr.nip01 import to_json
from schemas.nostr.secp256k1 import SecretKey
from schemas.orders import PlaceOrder
from schemas.past import RecordPast
from schemas.quarantine import Quarantined
from schemas.values import SealedDetails
from streams.raw import Commands, Known, Raw, quarantined
from streams.reading import Reader
from tests.schemas.nostr import given as people
from tests.support.builders import NOW_S

FINE = ""
DAY_S = 86_400


class Keeper:
    """Opens a merchant's wraps and keeps no details."""

    def __init__(self, merchant: SecretKey = people.MERCHANT, owns: bool = False) -> None:
        self._merchant = merchant
        self._owns = owns

    def is_own_copy(self, wrap: nip01.Event, merchant: str) -> bool:
        return self._owns

    def open_wrap(self, wrap: nip01.Event, merchant: str) -> nip59.OpenedWrap:
        return nip59.open_wrap(wrap, self._merchant)

    def open_private(self, event: nip01.UnsignedEvent) -> str:
        return nip44.decrypt(event.content, nip44.conversation_key(self._merchant, event.pubkey))

    def seal(self, merchant: str, order_ref: str, rumor_id: str, details: PersonalDetails) -> SealedDetails | None:
        return None

    def seal_token(self, merchant: str, intent_id: str, token_id: str, text: str) -> SealedDetails | None:
        return None


def dated(seconds_from_now: int, replayed: bool = False) -> str:
    """An order whose rumor is dated so far from when it is received."""
    key = people.MERCHANT.public_key
    tags = [["p", key], ["type", "1"], ["order", "1"], ["item", f"30402:{key}:tea"]]
    rumor = people.an_order(tags=tags, created_at=NOW_S + seconds_from_now)
    keeper = Keeper()
    reader = Reader(lambda public_key: 0 if public_key == key else None, keeper, keeper)
    text = to_json(people.wrapped(people.as_rumor_fields(rumor))).encode()
    raw = Raw(text, "wss://relay.example", NOW_S * 1_000, replayed_ms=(NOW_S + 60) * 1_000 if replayed else None)
    match reader.read(raw):
        case Commands():
            return FINE
        case other:
            return str(getattr(other, "reason", other))


def test_a_message_too_old_is_read_where_an_operator_says_so() -> None:
    """The age was the only thing wrong with it; what is dated ahead is judged by the time of the replay."""
    assert dated(-limits.RUMOR_AGE.most - 1, replayed=True) == FINE
    assert dated(limits.FUTURE.most + 60, replayed=True) == FINE
    assert dated(limits.FUTURE.most + 61, replayed=True) == "future_dated"


def test_a_replayed_order_is_placed_now_and_not_when_it_was_first_seen() -> None:
    """Otherwise its payment request would have expired before it was made."""
    key = people.MERCHANT.public_key
    tags = [["p", key], ["type", "1"], ["order", "1"], ["item", f"30402:{key}:tea"]]
    text = to_json(people.wrapped(people.as_rumor_fields(people.an_order(tags=tags)))).encode()
    keeper = Keeper()
    reader = Reader(lambda _key: 0, keeper, keeper)

    first, again = (
        reader.read(Raw(text, "", NOW_S * 1_000, replayed_ms=replayed)) for replayed in (None, NOW_S * 1_000 + 5)
    )

    assert isinstance(first, Commands)
    assert isinstance(again, Commands)
    assert [c.at_ms for c in (*first.commands, *again.commands)] == [NOW_S * 1_000, NOW_S * 1_000 + 5]
    assert first.commands[0].id == again.commands[0].id


def read_since(since_s: int, at_s: int, owns: bool = False) -> Commands | Known | Quarantined:
    """What an order said at `at_s` is for a shop that came here at `since_s`, received now."""
    key = people.MERCHANT.public_key
    tags = [["p", key], ["type", "1"], ["order", "1"], ["item", f"30402:{key}:tea"]]
    keeper = Keeper(owns=owns)
    wrap = people.wrapped(people.as_rumor_fields(people.an_order(tags=tags, created_at=at_s)))
    return Reader(lambda _key: since_s, keeper, keeper).read(Raw(to_json(wrap).encode(), "", NOW_S * 1_000))


@pytest.mark.req("REL-11")
@pytest.mark.parametrize(
    ("age_s", "is_recent"), [(60, True), (2 * DAY_S, True), (3 * DAY_S, False), (400 * DAY_S, False)]
)
def test_an_order_from_before_the_shop_came_here_is_one_of_the_past(age_s: int, is_recent: bool) -> None:
    """However old: it is listed; only one of the last two days may still want an answer."""
    read = read_since(NOW_S, NOW_S - age_s)

    assert isinstance(read, Commands)
    (command,) = read.commands
    assert isinstance(command.body, RecordPast)
    assert (command.body.said_at, command.body.is_recent) == (NOW_S - age_s, is_recent)
    assert isinstance(command.body.said, PlaceOrder)


@pytest.mark.req("REL-11")
def test_an_order_older_than_a_week_is_not_placed_in_a_shop_that_was_here() -> None:
    """Who was here would have seen it: it goes to the quarantine, from where an operator may have it read."""
    read = read_since(NOW_S - 100 * DAY_S, NOW_S - 8 * DAY_S)

    assert isinstance(read, Quarantined)
    assert read.reason == "too_old"


def test_own_copies_are_read_where_they_were_made_before_the_shop_came_here() -> None:
    """They are all that is left of what a former home of the shop said; ours of today are not even opened."""
    assert isinstance(read_since(NOW_S + 10, NOW_S - 5, owns=True), Commands)
    assert read_since(NOW_S - 60, NOW_S - 5, owns=True) == Known("own_copy")
    assert read_since(NOW_S - 30 * DAY_S, NOW_S - 5, owns=True) == Known("own_copy")


@pytest.mark.req("ID-04")
def test_an_order_by_nip04_is_not_processed_while_its_dialect_is_off() -> None:
    """It is kept under its own reason, at the shop it was meant for, to be replayed when the dialect is there."""
    text = '{"type": 0, "id": "order-1", "items": [{"product_id": "tea", "quantity": 1}]}'
    shop = people.MERCHANT.public_key
    unsigned = nip01.UnsignedEvent(
        pubkey=people.BUYER.public_key,
        created_at=NOW_S,
        kind=Kind.ENCRYPTED_DIRECT_MESSAGE,
        tags=(("p", shop),),
        content=nip04.encrypt(text, people.BUYER, shop, bytes(16)),
    )
    event = nip01.sign_event(unsigned, people.BUYER, bytes(32))
    keeper = Keeper()

    reading = Reader(lambda key: 0 if key == shop else None, keeper, keeper).read(
        Raw(to_json(event).encode(), "", NOW_S * 1_000)
    )

    assert isinstance(reading, Quarantined)
    assert (reading.reason, reading.merchant) == ("dialect_off", shop)
    assert reading.original == to_json(event)


@pytest.mark.req("EVT-09")
def test_bytes_that_are_no_text_fall_under_the_same_id_when_they_are_read_again() -> None:
    """A replay sends what quarantine could keep, which is not quite what came."""
    first = quarantined(Raw(b"\xff{", "", 1), "bad_json", "", None)
    assert first.original is not None

    again = quarantined(Raw(first.original.encode(), "", 1), "bad_json", "", None)

    assert again.id == first.id
