"""Where private messages go: orders to the order, people's words to the inbox, and the rest is counted or set aside."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest

from schemas.catalogue import Listing, RecordListing
from schemas.dialects.human import COMPANION
from schemas.hearing import HearMessage
from schemas.inbox import MessageReceived, ReceiveMessage, conversation_ref
from schemas.messages import Command, Event, JournalRecord
from schemas.nostr.nip01 import to_json
from schemas.nostr.nip17 import make_rumor
from schemas.nostr.secp256k1 import SecretKey
from schemas.orders import MoveRefused, PlaceOrder
from schemas.past import RecordPast
from schemas.quarantine import Quarantined
from schemas.rows import OrderRow
from schemas.shops import OpenShop, ShopSettings, Switchable
from schemas.values import Actor
from services.vault import Erased, Vault
from streams.domain.decide import decide
from streams.domain.evolve import evolve
from streams.domain.projections import RowKey, fold
from streams.domain.shop import Shop
from streams.raw import Commands, Known, Raw, Reading
from streams.reading import LOOK_BACK_S, Reader
from tests.schemas.nostr import given as people
from tests.streams.test_reading import Keeper
from tests.support.builders import NOW_S, a_command, a_listing

SHOP, BUYER = people.MERCHANT.public_key, people.BUYER.public_key
CANARY = "canary lives at 17 Canary Street"


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    """A new vault."""
    return Vault(tmp_path / "vault.db")


def read(
    vault: Vault, kind: int, *tags: tuple[str, ...], content: str = "", author: SecretKey = people.BUYER, to: str = SHOP
) -> Reading:
    """What a rumor in a wrap to the shop is read as."""
    rumor = make_rumor(author.public_key, NOW_S, kind, (("p", to), *tags), content)
    text = to_json(people.wrapped(people.as_rumor_fields(rumor), author)).encode()
    reader = Reader(lambda key: 0 if key == SHOP else None, Keeper(), vault)
    return reader.read(Raw(text, "wss://relay.example", NOW_S * 1_000))


def body_of(reading: Reading) -> object:
    """The one command's body, or what else it is."""
    if not isinstance(reading, Commands):
        return reading
    (command,) = reading.commands
    return command.body.said if isinstance(command.body, HearMessage) else command.body


def destination(reading: Reading) -> str:
    """Where a message goes, in a word."""
    match body_of(reading):
        case Quarantined(reason=reason):
            return reason
        case Known(why=why):
            return why
        case other:
            return type(other).__name__


ITEM = ("item", f"30402:{SHOP}:tea", "1")
ORDER = (("type", "1"), ("order", "o-1"), ITEM)
FILE = (("file-type", "image/png"), ("decryption-key", "00"))


@pytest.mark.req("MSG-01")
def test_one_of_each_kind_goes_to_a_destination_of_its_own(vault: Vault) -> None:
    """14 to the inbox, 16 by its type, 17 as a receipt, 15 by its shape; what nobody acts on is counted."""
    went = {
        "14": destination(read(vault, 14, content="hello")),
        "16/1": destination(read(vault, 16, *ORDER)),
        "16/3": destination(read(vault, 16, ("type", "3"), ("order", "o-1"), ("status", "cancelled"))),
        "17": destination(read(vault, 17, ("order", "o-1"), ("payment", "lightning", "x", "y"))),
        "15 file": destination(read(vault, 15, *FILE, content="https://files.example/1")),
        "15 order": destination(read(vault, 15, ("subject", "order-info"), ("order", "o-1"), ITEM)),
        "15 status": destination(read(vault, 15, ("subject", "order-info"), ("order", "o-1"), ("status", "cancelled"))),
        "15 receipt": destination(
            read(vault, 15, ("subject", "order-receipt"), ("order", "o-1"), ("payment", "lightning", "x", "y"))
        ),
        "15 neither": destination(read(vault, 15, ("subject", "hello"), content="hello")),
        "14 order": destination(read(vault, 14, ("subject", "order-info"), ("order", "o-1"), ITEM, content="I order.")),
        "5": destination(read(vault, 5, ("e", "00" * 32))),
        "7": destination(read(vault, 7, ("e", "00" * 32), content="+")),
        "9": destination(read(vault, 9, content="hello")),
    }

    assert went == {
        "14": "ReceiveMessage",
        "16/1": "PlaceOrder",
        "16/3": "MoveOrder",
        "17": "ReportPayment",
        "15 file": "ReceiveMessage",
        "15 order": "PlaceOrder",
        "15 status": "MoveOrder",
        "15 receipt": "ReportPayment",
        "15 neither": "known_foreign_dialect",
        "14 order": "PlaceOrder",
        "5": "DeleteMessages",
        "7": "reaction",
        "9": "unknown_kind",
    }


def test_a_message_is_sealed_before_it_leaves_intake_and_opens_in_the_vault(vault: Vault) -> None:
    """Text and subject; the command and what a log would show of it hold neither."""
    command = body_of(read(vault, 14, ("subject", "about my canary"), content=CANARY))

    assert isinstance(command, ReceiveMessage)
    assert "anary" not in command.model_dump_json() + repr(command)
    (opened,) = vault.of_conversation(SHOP, conversation_ref(SHOP, BUYER)).values()
    assert (opened.note, opened.subject) == (CANARY, "about my canary")
    again = body_of(read(vault, 14, ("subject", "about my canary"), content=CANARY))
    assert again == command, "a repeated record gives the same command"


@pytest.mark.req("MSG-02")
def test_the_merchants_messages_are_history_and_notes_to_self_are_ignored(vault: Vault) -> None:
    """Author M: to a buyer it is the merchant's own word, to M it is nothing."""
    own = body_of(read(vault, 14, content="It ships today.", author=people.MERCHANT, to=BUYER))

    assert isinstance(own, ReceiveMessage)
    assert (own.author, own.buyer) == (Actor.MERCHANT, BUYER)
    for kind, tags in ((14, ()), (16, ORDER), (5, (("e", "00" * 32),))):
        assert destination(read(vault, kind, *tags, content="x", author=people.MERCHANT)) == "note_to_self"


@pytest.mark.parametrize(("before_s", "went"), [(3_600, "ReceiveMessage"), (LOOK_BACK_S + 60, "past_letter")])
def test_words_from_long_before_the_shop_came_here_are_only_counted(vault: Vault, before_s: int, went: str) -> None:
    """The merchant has read them elsewhere; those of the last days stand in the inbox."""
    rumor = make_rumor(BUYER, NOW_S - before_s, 14, (("p", SHOP),), "hello")
    text = to_json(people.wrapped(people.as_rumor_fields(rumor))).encode()

    reading = Reader(lambda _key: NOW_S, Keeper(), vault).read(Raw(text, "wss://relay.example", NOW_S * 1_000))

    assert destination(reading) == went


def test_a_companion_is_not_read_back(vault: Vault) -> None:
    """Whoever runs the shop's key elsewhere marks it the same way; a buyer's mark says nothing."""
    mark = (COMPANION, "00" * 32)

    assert destination(read(vault, 14, mark, content="Paid.", author=people.MERCHANT, to=BUYER)) == "companion"
    assert destination(read(vault, 14, mark, content="Paid.")) == "ReceiveMessage"


SAMPLES = {
    "k14": (14, (("subject", "order-info"), ("type", "1"), ("order", "o-1"), ITEM, ("address", CANARY))),
    "k15": (15, (("subject", "order-info"), ("order", "o-1"), ITEM, ("address", CANARY))),
}


@pytest.mark.parametrize("dialect", list(Switchable))
@pytest.mark.req("MSG-06")
def test_an_order_of_a_dialect_is_an_order_or_a_letter_with_a_notice_as_the_shop_wants_it(
    vault: Vault, dialect: Switchable
) -> None:
    """On by default; switched off it stands in the inbox with all it says, and the merchant is told once."""
    kind, tags = SAMPLES[dialect]
    reading = read(vault, kind, *tags, content="One tea, please.")
    assert isinstance(reading, Commands)
    (heard,) = reading.commands
    assert isinstance(heard.body, HearMessage)
    assert "anary" not in heard.model_dump_json() + repr(heard), "sealed, as an order and as words"

    shops = {off: Shop(SHOP) for off in (False, True)}
    for off, shop in shops.items():
        settings = ShopSettings(dialects_off=(dialect,) if off else ())
        for body in (OpenShop(settings=settings), RecordListing(listing=_tea())):
            _hear(shop, a_command(body, merchant=SHOP))
    said = {off: [*_hear(shop, heard), *_hear(shop, heard)] for off, shop in shops.items()}

    (order,) = shops[False].orders.values()
    assert (order.key.order_id, order.dialect) == ("o-1", dialect)
    assert not any(isinstance(event, MessageReceived) for event in said[False])
    assert not shops[True].orders
    letter, notice = said[True]
    assert isinstance(letter, MessageReceived)
    assert isinstance(notice, MoveRefused)
    assert (notice.reason, notice.order.order_id) == ("dialect_off", "o-1")
    assert letter.text is not None
    opened = vault.open(SHOP, letter.text)
    assert (opened.note or "").splitlines() == ["One tea, please.", f"item: {ITEM[1]} 1", f"address: {CANARY}"]
    vault.erase(f"{order.key.ref}:{order.rumor_ids[0][:16]}")
    with pytest.raises(Erased):
        vault.open(SHOP, letter.text)


@pytest.mark.parametrize("before_s", [3_600, LOOK_BACK_S + 60])
def test_an_order_from_before_the_shop_came_here_is_listed_in_any_dialect(vault: Vault, before_s: int) -> None:
    """And has words only where they are recent enough to stand in an inbox."""
    kind, tags = SAMPLES["k14"]
    rumor = make_rumor(BUYER, NOW_S - before_s, kind, (("p", SHOP), *tags), "One tea, please.")
    text = to_json(people.wrapped(people.as_rumor_fields(rumor))).encode()

    reading = Reader(lambda _key: NOW_S, Keeper(), vault).read(Raw(text, "wss://relay.example", NOW_S * 1_000))

    assert isinstance(reading, Commands)
    (heard,) = reading.commands
    assert isinstance(heard.body, HearMessage)
    assert isinstance(heard.body.said, RecordPast)
    assert (heard.body.words is not None) == (before_s < LOOK_BACK_S)


@pytest.mark.req("T15-02")
def test_a_file_in_a_message_is_a_letter_and_nothing_fetches_it(vault: Vault) -> None:
    """Even with an order's subject: reading has no way to the net, and what comes of it moves no order."""
    body = body_of(read(vault, 15, ("subject", "order-info"), ("x", "00" * 32), content="https://files.example/1"))

    assert isinstance(body, ReceiveMessage)
    shop = Shop(SHOP)
    assert [type(event) for event in _hear(shop, a_command(body, merchant=SHOP))] == [MessageReceived]
    assert not shop.orders
    assert not shop.parked


def read_open(kind: int, *tags: tuple[str, ...], author: SecretKey = people.BUYER, vault: Vault) -> Reading:
    """What a signed event for everybody to read is read as."""
    event = people.an_event(author, kind=kind, created_at=NOW_S, tags=tags, content="")
    reader = Reader(lambda key: 0 if key == SHOP else None, Keeper(), vault)
    return reader.read(Raw(to_json(event).encode(), "wss://relay.example", NOW_S * 1_000))


@pytest.mark.req("MSG-07")
def test_a_repost_or_a_reaction_that_names_the_shop_is_ignored(vault: Vault) -> None:
    """NIP-18's 16 and NIP-25's 17 share the kinds of order messages; so does a note for everybody."""
    to = ("p", SHOP)

    assert destination(read_open(16, ("e", "00" * 32, "wss://r"), to, ("k", "30402"), vault=vault)) == "public_message"
    assert destination(read_open(17, ("r", "https://shop.example"), to, vault=vault)) == "public_message"
    assert destination(read_open(14, to, ("subject", "hello"), vault=vault)) == "public_message"


@pytest.mark.req("MSG-07")
def test_an_order_for_everybody_to_read_is_an_order_and_marked(vault: Vault) -> None:
    """Its order has `leaky`; its address is sealed all the same, and what it is answered with is wrapped as ever."""
    tags = (("p", SHOP), *ORDER, ("amount", "10"), ("address", "17 Canary Street, Berlin, Germany"))

    body = body_of(read_open(16, *tags, vault=vault))

    assert isinstance(body, PlaceOrder)
    assert body.warnings == ("leaky",)
    assert body.order.buyer == BUYER
    assert "Canary" not in body.model_dump_json()
    row = _order_row(body)
    assert row.leaky
    assert destination(read_open(16, *tags, author=people.MERCHANT, vault=vault)) == "own_public_message"
    assert destination(read_open(16, ("p", people.OTHER_MERCHANT.public_key), *ORDER, vault=vault)) == "wrong_recipient"
    assert destination(read_open(14, *tags, vault=vault)) == "known_foreign_dialect"


def _order_row(body: PlaceOrder) -> OrderRow:
    shop = Shop(SHOP)
    command = a_command(body, merchant=SHOP)
    events = tuple(_hear(shop, command))
    record = JournalRecord(seq=1, covers=0, merchant=SHOP, at_ms=command.at_ms, cause="c", events=events)
    row = fold(record, 0, lambda _key: None)[RowKey("orders", body.order.ref)]
    assert isinstance(row, OrderRow)
    return row


PROSE = ("I want 2", "2x tea please", "order: 5 tea", "cancel my order o-1!", "{maybe} 3", "paid", "type 1", "item tea")


@pytest.mark.req("MSG-04")
@pytest.mark.req("T14-01")
def test_of_a_hundred_mixed_messages_the_inbox_has_only_the_human_ones(vault: Vault) -> None:
    """And words alone place, move and pay nothing, whatever tags a client puts beside them."""
    dice = random.Random(4)
    shop, human, orders = Shop(SHOP), set[str](), set[str]()
    for body in (OpenShop(settings=ShopSettings().without_limits()), RecordListing(listing=_tea())):
        _hear(shop, a_command(body, merchant=SHOP))
    inbox = Counter[str]()
    for n in range(100):
        match dice.randrange(5):
            case 0 | 1:
                beside = dice.choice(
                    ((), (("status", "completed"),), (("order", f"o-{n - 1}"),), (("subject", "order-info"),))
                )
                reading = read(vault, 14, *beside, content=f"{dice.choice(PROSE)} ({n})")
                human.add(str(n))
            case 2:
                reading = read(vault, 16, ("type", "1"), ("order", f"o-{n}"), ITEM, content="I want 2")
                orders.add(f"o-{n}")
            case 3:
                reading = read(vault, 14, ("order", f"o-{n}"), ITEM, content="order-info")
            case _:
                reading = read(vault, 14, content=f'{{"type": 0, "id": "j-{n}", "items": [{{"quantity": 1}}]}}')
        for command in reading.commands if isinstance(reading, Commands) else ():
            for event in _hear(shop, command):
                if isinstance(event, MessageReceived):
                    assert event.text is not None
                    note = vault.open(SHOP, event.text).note or ""
                    inbox[note.rpartition("(")[2].rstrip(")")] += 1

    assert inbox == Counter(human)
    assert {order.key.order_id for order in shop.orders.values()} == orders
    assert len(human) > 20
    assert len(orders) > 10


def _hear(shop: Shop, command: Command) -> tuple[Event, ...]:
    events = decide(shop, command, {})
    for event in events:
        evolve(shop, event, command.at_ms)
    return events


def _tea() -> Listing:
    return a_listing().model_copy(update={"coordinate": f"30402:{SHOP}:tea"})
