"""Checks what intake makes of public market events, and of what an order says beside its lines."""

from __future__ import annotations

from typing import Any

import pytest

from schemas import limits
from schemas.catalogue import RecordCollection
from schemas.nostr import nip44
from schemas.nostr.nip01 import to_json
from schemas.nostr.secp256k1 import SecretKey
from schemas.orders import MoveOrder, PlaceOrder
from schemas.publishing import Draft, RecordDraft, RecordRelays
from schemas.quarantine import Quarantined
from streams.raw import Commands, Known, Raw, Reading
from streams.reading import Reader
from tests.schemas.nostr import given as people
from tests.streams.test_reading import Keeper
from tests.support.builders import NOW_S

MERCHANT, OTHER, STRANGER = (key.public_key for key in (people.MERCHANT, people.OTHER_MERCHANT, people.STRANGER))
OPTION = (("d", "std"), ("title", "Standard"), ("price", "5", "USD"))
COLLECTION = (
    ("d", "k"),
    ("title", "Pottery"),
    ("a", f"30402:{MERCHANT}:vase"),
    ("shipping_option", f"30406:{MERCHANT}:o"),
)


def read(text: str, tenants: tuple[str, ...] = ()) -> Reading:
    """What intake makes of a text, for a deployment that runs two shops."""
    keeper = Keeper()
    reader = Reader(lambda key: 0 if key in (MERCHANT, OTHER) else None, keeper, keeper)
    return reader.read(Raw(text.encode(), "wss://relay.example", NOW_S * 1_000, tenants=tenants))


def public(kind: int, tags: tuple[tuple[str, ...], ...], author: SecretKey = people.MERCHANT, **more: Any) -> str:
    """A signed public event."""
    return to_json(people.an_event(author, kind=kind, tags=tags, **more))


def refused(reading: Reading) -> str:
    """Why it was set aside."""
    assert isinstance(reading, Quarantined)
    return reading.reason


def told(reading: Reading) -> list[str]:
    """Which merchants' shops are told."""
    assert isinstance(reading, Commands)
    return [command.merchant for command in reading.commands]


def order(*tags: list[str], **more: Any) -> PlaceOrder:
    """What a buyer's order with these tags says."""
    said = [["p", MERCHANT], ["type", "1"], ["order", "1"], ["item", f"30402:{MERCHANT}:vase", "1"], *tags]
    reading = read(to_json(people.wrapped(people.as_rumor_fields(people.an_order(tags=said, **more)))))
    assert isinstance(reading, Commands)
    body = reading.commands[0].body
    assert isinstance(body, PlaceOrder)
    return body


@pytest.mark.req("T405-01")
def test_a_merchants_collection_is_recorded_in_its_own_shop() -> None:
    """As options and listings are."""
    reading = read(public(30405, COLLECTION))

    assert told(reading) == [MERCHANT]
    assert isinstance(reading, Commands)
    assert isinstance(reading.commands[0].body, RecordCollection)


@pytest.mark.req("SHP-12")
@pytest.mark.parametrize(("kind", "tags"), [(30406, OPTION), (30405, COLLECTION)])
def test_what_a_third_party_publishes_goes_to_the_shops_that_asked_for_it(
    kind: int, tags: tuple[tuple[str, ...], ...]
) -> None:
    """And to nobody else's; a merchant's own goes to another shop here that asked, too."""
    theirs = public(kind, tags, people.STRANGER)

    assert refused(read(theirs)) == "foreign_author"
    assert told(read(theirs, (MERCHANT, "ff" * 32))) == [MERCHANT]
    assert told(read(public(kind, tags), (OTHER,))) == sorted((MERCHANT, OTHER))


def test_a_listing_is_only_ever_its_own_authors() -> None:
    """Whoever asked for it."""
    tags = (("d", "vase"), ("title", "Vase"), ("price", "5", "USD"))

    assert refused(read(public(30402, tags, people.STRANGER), (MERCHANT,))) == "foreign_author"


@pytest.mark.req("T402-13")
def test_a_variation_without_its_parent_is_set_aside() -> None:
    """`bad_parent`."""
    tags = (("d", "red"), ("title", "Red"), ("price", "5", "USD"), ("type", "variation", "digital"))

    assert refused(read(public(30402, tags))) == "bad_parent"


@pytest.mark.req("T406-01")
@pytest.mark.parametrize("kind", [30405, 30406])
def test_another_clients_use_of_the_kinds_is_set_aside_as_such(kind: int) -> None:
    """Encrypted carts and escrow records."""
    assert refused(read(public(kind, (("d", "cart"),), content="AgK…"))) == "foreign_shape"


@pytest.mark.req("T403-01")
def test_an_inactive_copy_of_a_listing_is_seen_and_never_sold() -> None:
    """Kind 30403 with all that a listing has, so that an order for it names an unknown item."""
    tags = (("d", "vase"), ("title", "Vase"), ("price", "5", "USD"), ("stock", "9"))

    assert read(public(30403, tags)) == Known("inactive_listing")
    assert refused(read(public(30403, tags, people.STRANGER))) == "foreign_author"


def test_a_draft_stays_shut_and_is_kept_as_it_came() -> None:
    """It needs the kind it is a draft of, and is nobody's business but its author's; empty, it was discarded."""
    draft = draft_of(read(public(31234, (("d", "x"), ("k", "30402"), ("expiration", "1800000000")), content="AgK…")))
    assert (draft.of_kind, draft.content, draft.expires_at) == (30402, "AgK…", 1_800_000_000)
    assert draft_of(read(public(31234, (("d", "x"), ("k", "30402")), content=""))).content == ""
    assert refused(read(public(31234, (("d", "x"),), content="AgK…"))) == "no_kind"
    assert refused(read(public(31234, (("d", "x"), ("k", "draft")), content="AgK…"))) == "no_kind"
    assert refused(read(public(31234, (("k", "30402"),), content="AgK…"))) == "no_d"
    assert refused(read(public(31234, (("d", "x"), ("k", "30402")), people.STRANGER))) == "foreign_author"


def draft_of(reading: object) -> Draft:
    """The draft that is recorded."""
    assert isinstance(reading, Commands)
    (command,) = reading.commands
    assert isinstance(command.body, RecordDraft)
    return command.body.draft


def test_a_merchants_relay_lists_are_read_the_private_one_through_the_signer() -> None:
    """What cannot be decrypted, or is no list, is set aside by its code; others' lists are their own business."""

    def named(reading: object) -> tuple[int, tuple[str, ...]]:
        assert isinstance(reading, Commands)
        (command,) = reading.commands
        assert isinstance(command.body, RecordRelays)
        return command.body.names.kind, command.body.names.relays

    def private(text: str) -> str:
        key = nip44.conversation_key(people.MERCHANT, MERCHANT)
        return nip44.encrypt(text, key, bytes(32))

    assert named(read(public(10050, (("relay", "wss://in.example"),)))) == (10050, ("wss://in.example",))
    kept = private('[["relay","wss://r3.example"],["x"],["relay",3]]')
    assert named(read(public(10013, (), content=kept))) == (10013, ("wss://r3.example",))
    assert named(read(public(10013, (), content=""))) == (10013, ())
    assert refused(read(public(10013, (), content="AgK…"))) == "nip44_size"
    for text in ("{}", "no json"):
        assert refused(read(public(10013, (), content=private(text)))) == "bad_relay_list"
    assert read(public(10050, (("relay", "wss://in.example"),), people.STRANGER)) == Known("relay_list")


@pytest.mark.req("SHP-05")
def test_where_an_order_goes_is_kept_as_a_cell_the_size_of_a_town() -> None:
    """The most precise of its geohashes, cut: it stays readable in the journal."""
    assert order(["g", "u33"], ["g", "U33DC0X7"]).destination.geohash == "u33dc"
    assert order(["g", "aio"]).destination.geohash is None
    assert order().destination.geohash is None


@pytest.mark.req("C-10")
@pytest.mark.parametrize(
    ("tags", "has_contact"),
    [
        ([], False),
        ([["address", "10115 Berlin"]], False),
        ([["email", "a@example.com"]], True),
        ([["phone", "1"]], True),
    ],
)
def test_whether_a_buyer_can_be_reached_is_known_without_knowing_how(tags: list[list[str]], has_contact: bool) -> None:
    """The address of the mail box is sealed; that there is one is all that a shop decides by."""
    assert order(*tags).has_contact is has_contact


@pytest.mark.parametrize(
    ("text", "coupon"), [("SPRING", "SPRING"), (" SPRING ", "SPRING"), ("", None), ("ö", None), ("x" * 65, None)]
)
def test_a_coupon_is_read_where_it_can_be_one(text: str, coupon: str | None) -> None:
    """The first of them; whether it counts is the shop's to say."""
    assert order(["coupon", text], ["coupon", "OTHER"]).coupon == coupon
    assert len("x" * 65) > limits.COUPON.most


@pytest.mark.parametrize(
    ("tags", "language"),
    [
        ([], None),
        ([["l", "de", "ISO-639-1"]], "de"),
        ([["l", "es-MX", "ISO-639-1"]], "es"),
        ([["l", "de", "a list of ours"]], None),
        ([["l", "tlh", "ISO-639-1"], ["language", "en"]], "en"),
    ],
)
def test_the_language_a_buyer_asks_for_is_read_where_it_is_built_in(
    tags: list[list[str]], language: str | None
) -> None:
    """By a label (NIP-32) or a plain tag; another one is no reason to turn an order down."""
    assert order(*tags).language == language


@pytest.mark.req("REL-17")
def test_an_expiration_inside_a_message_never_hides_it() -> None:
    """It is a payment's; the order and a status a day after it are read all the same."""
    over = str(NOW_S - 86_400)
    assert order(["expiration", over]).order.order_id == "1"

    status = [
        ["p", people.BUYER.public_key],
        ["type", "3"],
        ["order", "1"],
        ["status", "processing"],
        ["expiration", over],
    ]
    own = people.an_order(people.MERCHANT, tags=status)
    reading = read(to_json(people.wrapped(people.as_rumor_fields(own), people.MERCHANT)))

    assert isinstance(reading, Commands)
    assert isinstance(reading.commands[0].body, MoveOrder)
