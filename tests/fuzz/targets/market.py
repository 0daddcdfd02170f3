"""What shops and buyers say: market events, private messages, and the whole of intake's reading."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from string import ascii_lowercase

from schemas.catalogue import RecordCollection, RecordListing, RecordShippingOption
from schemas.codec import decode, encode
from schemas.dialects import DIALECTS, recognise
from schemas.dialects.address import destination_of
from schemas.dialects.contract import MessageRefused, OrderDraft, PersonalDetails, Said
from schemas.dialects.readings import SUBJECTS
from schemas.market.collection import read_collection
from schemas.market.handlers import read_handler, read_recommendation
from schemas.market.listing import read_listing, with_stock
from schemas.market.mints import read_mints
from schemas.market.profile import read_profile, with_preference
from schemas.market.reading import MarketRefused
from schemas.market.review import read_review
from schemas.market.shipping_option import read_shipping_option
from schemas.messages import Command, CommandBody
from schemas.nostr.nip01 import Event, UnsignedEvent, to_json
from schemas.nostr.nip09 import read_deletion
from schemas.nostr.nip44 import conversation_key, decrypt
from schemas.nostr.nip59 import OpenedWrap, is_own_copy, make_wrap, open_wrap
from schemas.orders import PlaceOrder
from schemas.preferences import PaymentPreference, RecordPreference
from schemas.reviews import RecordReview
from schemas.values import Destination, OrderKey, SealedDetails
from streams.raw import Raw
from streams.reading import Reader
from tests.fuzz.tagged import marked, read_tags, written
from tests.fuzz.target import MARK, Tape, Target, with_choices
from tests.schemas.nostr.given import BUYER, MERCHANT, PLACED_AT, a_seal, a_wrap, an_event, an_order
from tests.support.builders import BUYER as BUYER_KEY
from tests.support.builders import MERCHANT as MERCHANT_KEY
from tests.support.builders import a_command, an_id, post, product

_KINDS = (30402, 30406, 31555, 5, 30405)
_PREFERENCE_KINDS = (0, 10019, 31989, 31990)
_MESSAGE_KINDS = (16, 17, 14, 1, 15)


def _event_of(kinds: Sequence[int], data: bytes) -> Event:
    """An event of the merchant's, of one of these kinds, with whatever tags and content the bytes say."""
    tape = Tape(data)
    kind = kinds[tape.choice(len(kinds))]
    tags, content = read_tags(tape)
    return Event(
        pubkey=MERCHANT_KEY,
        created_at=PLACED_AT,
        kind=kind,
        tags=tags,
        content=content,
        id=an_id("event"),
        sig="0" * 128,
    )


def read_any_market_event(data: bytes) -> None:
    """An event of ours is read or refused; what is read fits into a command and comes back the same."""
    event = _event_of(_KINDS, data)
    match event.kind:
        case 30402:
            listing = read_listing(event)
            _same_after_the_topic(RecordListing(listing=listing))
            assert with_stock(listing, MERCHANT_KEY, 3, PLACED_AT + 1).stock == 3
        case 30406:
            _same_after_the_topic(RecordShippingOption(option=read_shipping_option(event)))
        case 30405:
            _same_after_the_topic(RecordCollection(collection=read_collection(event)))
        case 31555:
            _same_after_the_topic(RecordReview(review=read_review(event)))
        case _:
            assert all(coordinate.pubkey == event.pubkey for coordinate in read_deletion(event).coordinates)


def read_any_preference(data: bytes) -> None:
    """A profile, mint list, recommendation or application is read or refused, and comes back the same."""
    event = _event_of(_PREFERENCE_KINDS, data)
    match event.kind:
        case 0:
            profile = read_profile(event)
            _same_after_the_topic(RecordPreference(preference=profile))
            assert profile.template is not None
            changed = with_preference(profile.template, PaymentPreference.ECASH, PLACED_AT)
            again = event.model_copy(update={"tags": changed.tags})
            assert read_profile(again).preference is PaymentPreference.ECASH
        case 10019:
            _same_after_the_topic(RecordPreference(preference=read_mints(event)))
        case 31989:
            _same_after_the_topic(RecordPreference(preference=read_recommendation(event)))
        case _:
            _same_after_the_topic(RecordPreference(preference=read_handler(event)))


def _same_after_the_topic(body: CommandBody) -> None:
    command = a_command(body)
    assert decode(Command, encode(command)) == command, "a command comes back as it was sent"


LISTING = (
    ("d", "tea"),
    ("title", f"Tea {MARK}"),
    ("price", "12.50", "EUR", "month"),
    ("type", "simple", "physical"),
    ("visibility", "on-sale"),
    ("stock", "12"),
    ("weight", "0.5", "kg"),
    ("expiration", "1800000000"),
    ("shipping_option", post(), "1.5"),
    ("shipping", "post"),
    ("image", "https://r.example/i.png", "800x600", "2"),
    ("dim", "10x20x5", "cm"),
    ("volume", "2", "l"),
    ("spec", "color", "red"),
    ("location", "30405:" + MERCHANT_KEY + ":k"),
    ("g", "u33dc"),
    ("a", "30405:" + MERCHANT_KEY + ":k"),
)
OPTION = (
    ("d", "post"),
    ("title", f"Post {MARK}"),
    ("price", "5", "EUR"),
    ("country", "DE", "AT", "Germany", "USA"),
    ("region", "US-FL", "DE-BE"),
    ("service", "express"),
    ("weight-min", "0", "g"),
    ("weight-max", "30", "kg"),
    ("price-weight", "1", "EUR", "kg"),
    ("dim-max", "1x1x1", "m"),
    ("dim-min", "1", "1", "1", "mm"),
    ("price-volume", "1", "l"),
    ("price-distance", "1", "EUR", "km"),
    ("duration", "1", "3", "D"),
    ("location", MARK),
    ("g", "u33dc"),
)
COLLECTION = (
    ("d", "k"),
    ("title", f"K {MARK}"),
    ("a", product()),
    ("shipping_option", post(), "1"),
    ("shipping", "post"),
    ("g", "u33"),
)
REVIEW = (
    ("d", f"a:{product()}"),
    ("rating", "1", "thumb"),
    ("rating", "0.75", "Value"),
    ("rating", "0.5", MARK),
)


PROFILE = (("payment_preference", "lud16"), ("payment-preference", "cashu"), ("p", MARK))
PROFILE_CONTENT = (
    '{"name":"N","lud16":"a@b.example","lud06":"lnurl1xy","nip05":"x","bot":true,"payment_preference":"ecash"}'
)
MINTS = (
    ("mint", "https://Mint.Example/x/", "sat", "usd"),
    ("mint", "http://m.onion:80"),
    ("mint", f"https://[::1]/{MARK}"),
    ("relay", "wss://r.example"),
    ("pubkey", "02" + MERCHANT_KEY),
)
RECOMMENDATION = (("d", "30402"), ("a", f"31990:{MERCHANT_KEY}:app", "wss://r.example", "web"))
HANDLER = (("d", "app"), ("k", "30402"), ("k", "16"), ("web", f"https://a.example/<bech32>{MARK}", "naddr"))


def _preferences() -> Iterator[bytes]:
    yield with_choices(written(PROFILE, PROFILE_CONTENT), 0, 0)
    yield with_choices(written((), '{"lud16":"\\ud800","name":1,"lud06":["x"]}'), 0, 0)
    yield with_choices(written((("payment_preference", "#"),), "[" * 2_000), 0, 0)
    yield with_choices(written(MINTS), 1, 0)
    yield with_choices(written((("mint", "https://m#.example", "u#"), *MINTS)), 1, 3)
    yield with_choices(written(RECOMMENDATION), 2, 0)
    yield with_choices(written((RECOMMENDATION[0], ("a", "31990:x"), ("d", MARK))), 2, 0)
    yield with_choices(written(HANDLER, '{"name":"App"}'), 3, 0)
    yield with_choices(written(marked(HANDLER)), 3, 0)


def _market_events() -> Iterator[bytes]:
    for number, tags in enumerate((LISTING, OPTION, REVIEW)):
        yield with_choices(written(tags, MARK), number, 0)
        yield with_choices(written(marked(tags)), number, 0)
    yield with_choices(written(COLLECTION, MARK), 4, 0)
    yield with_choices(written(marked(COLLECTION)), 4, 0)
    yield with_choices(written((*LISTING[:3], ("shipping_option", "post-#", "1.#"))), 0, 3)
    yield with_choices(written((*OPTION[:3], ("country", *(f"zz{MARK[:3]}{n}#" for n in range(20))))), 1, 3)
    yield with_choices(written((*OPTION[:3], ("region", *(f"US-{n}#" for n in range(20))))), 1, 3)
    yield with_choices(written((*REVIEW[:2], ("rating", "0.#", "label #"))), 2, 3)
    yield with_choices(written((("e", an_id("#")), ("a", product()), ("a", f"30402:{MERCHANT_KEY}:#"))), 3, 3)
    yield with_choices(written((("d", ""), ("title", " "), ("price", "1e5", "sat"), ("quantity", "\u0663"))), 0, 0)
    yield with_choices(written((("name", "\x00"), ("price", "0" * 41, "EURO"), ("zone", " "))), 1, 0)


def read_any_message(data: bytes) -> None:
    """A private message is a command or a refusal with a code, whoever says it; a command survives its topic."""
    tape = Tape(data)
    kind = _MESSAGE_KINDS[tape.choice(len(_MESSAGE_KINDS))]
    author = (BUYER_KEY, MERCHANT_KEY)[tape.choice(2)]
    tags, content = read_tags(tape)
    destination_of(content[:2_000])
    if recognise(kind, tags) is None:
        return
    said = Said(an_id("rumor"), author, MERCHANT_KEY, kind, tags, content)
    _same_after_the_topic(said_in_command(said))


def said_in_command(said: Said) -> CommandBody:
    """What a message asks for, personal details left out. Raises `MessageRefused`."""
    dialect = recognise(said.kind, said.tags) or DIALECTS["gamma"]
    reading = dialect.read(said)
    if not isinstance(reading, OrderDraft):
        return reading
    assert MARK not in repr(reading.personal), "what may be logged shows nobody's address"
    return PlaceOrder(
        order=OrderKey(merchant=said.merchant, buyer=said.author, order_id=reading.order_id),
        dialect=dialect.name,
        rumor_id=said.rumor_id,
        lines=reading.lines,
        shipping=reading.shipping,
        destination=Destination(country=reading.country, region=reading.region),
        claimed_sats=reading.claimed_sats,
        warnings=reading.warnings,
    )


ORDER = (
    ("p", MERCHANT_KEY),
    ("subject", "order-info"),
    ("type", "1"),
    ("order", "o-1"),
    ("amount", "18280"),
    ("item", product(), "2"),
    ("item", "tea", "1"),
    ("shipping", post()),
    ("address", f"{MARK}, 10115 Berlin, Germany"),
    ("email", MARK),
    ("phone", MARK),
)
KIND_15 = tuple(tag for tag in ORDER if tag[0] != "type")
KIND_14 = (*ORDER, ("size", MARK), ("contact", MARK), ("b", "c1" * 32))
STATUS = (("p", MERCHANT_KEY), ("type", "3"), ("order", "o-1"), ("status", "cancelled"))
SHIPPING = (
    ("p", BUYER_KEY),
    ("type", "4"),
    ("order", "o-1"),
    ("status", "shipped"),
    ("tracking", MARK),
    ("carrier", "Post"),
    ("eta", "1800000000"),
)
ANNOUNCED = (
    ("p", MERCHANT_KEY),
    ("type", "2"),
    ("order", "o-1"),
    ("amount", "18280"),
    ("payment", "lightning", "lightning:lnbc1x"),
    ("payment", "ecash", "https://mint.example", "02ab"),
)
RECEIPT = (("p", MERCHANT_KEY), ("order", "o-1"), ("payment", "lightning", "lnbc1", "00"), ("amount", "1"))


def _messages() -> Iterator[bytes]:
    yield with_choices(written(ORDER, MARK), 0, 0, 0)
    yield with_choices(written(STATUS, MARK), 0, 0, 0)
    yield with_choices(written((("p", BUYER_KEY), *STATUS[1:])), 0, 1, 0)
    yield with_choices(written(SHIPPING), 0, 1, 0)
    yield with_choices(written(RECEIPT), 1, 0, 0)
    yield with_choices(written(KIND_15, MARK), 4, 0, 0)
    yield with_choices(written((*KIND_15, ("x", "0"))), 4, 0, 0)
    yield with_choices(written((SHIPPING[0], ("subject", "shipping-info"), *SHIPPING[2:])), 4, 1, 0)
    yield with_choices(written((*RECEIPT, ("subject", "order-receipt"))), 4, 0, 0)
    yield with_choices(written(KIND_14, MARK), 2, 0, 0)
    yield with_choices(written((*STATUS[:3], ("status", "canceled"), ("subject", "order-info"))), 2, 0, 0)
    yield with_choices(written((*ANNOUNCED, ("subject", "order-payment"))), 2, 0, 0)
    yield with_choices(written(ANNOUNCED), 0, 0, 0)
    yield with_choices(written((*ANNOUNCED[:4], ("payment", "bitcoin", MARK))), 0, 0, 0)
    yield with_choices(written((RECEIPT[0], *RECEIPT[2:])), 1, 0, 0)
    yield with_choices(written((*RECEIPT, ("payment", "lightning", "x", "07" * 32), ("date", "1"))), 1, 0, 0)
    yield with_choices(written((("p", MERCHANT_KEY),), MARK), 2, 0, 0)
    yield with_choices(written((*ORDER, ("item", f"{product()}#", "1"))), 0, 0, 1)
    yield with_choices(written((*ORDER, ("p", "b3" * 32))), 0, 0, 0)
    yield with_choices(written((*ORDER[:4], ("order", "o-2"))), 0, 0, 0)
    for address in _ADDRESSES:
        yield with_choices(written((*ORDER[:8], ("address", address))), 0, 0, 0)


_ADDRESSES = (
    '{"country":"US","state":"Florida","street":"1 Way"}',
    '{"Country":"\\u0000","region":["x"],"state":"FL"}',
    ",".join(one + other for one in ascii_lowercase for other in ascii_lowercase[:25]) + ",United Kingdom",
    "1 " + " " * 1_500 + "a,France",
    "0-" * 700 + ",Japan",
    "\u0130 1, \u00df, Germany",
)


class _Signer:
    """Has the merchant's key."""

    def is_own_copy(self, wrap: Event, merchant: str) -> bool:
        return is_own_copy(wrap, MERCHANT)

    def open_wrap(self, wrap: Event, merchant: str) -> OpenedWrap:
        return open_wrap(wrap, MERCHANT)

    def open_private(self, event: UnsignedEvent) -> str:
        return decrypt(event.content, conversation_key(MERCHANT, event.pubkey))


class _Vault:
    """Keeps nothing."""

    def seal(self, merchant: str, order_ref: str, rumor_id: str, details: PersonalDetails) -> SealedDetails:
        return SealedDetails(key_id=order_ref, box="")

    def seal_token(self, merchant: str, intent_id: str, token_id: str, text: str) -> SealedDetails:
        return SealedDetails(key_id=token_id, box="")


_READER = Reader(lambda key: PLACED_AT if key == MERCHANT.public_key else None, _Signer(), _Vault())


def read_any_record(data: bytes) -> None:
    """Intake's whole reading never raises, and the same record gives the same answer that fits its topic."""
    tape = Tape(data)
    match tape.choice(3):
        case 0:
            text = tape.rest()
        case 1:
            text = to_json(a_wrap(json.dumps(a_seal(tape.text() or " ")))).encode()
        case _:
            kind = (*_KINDS, *_MESSAGE_KINDS)[tape.choice(10)]
            tags, content = read_tags(tape)
            text = _as_relayed(kind, tags, content)
    raw = Raw(text, "wss://r.example", (PLACED_AT + 5) * 1_000, (MERCHANT.public_key,))
    reading = _READER.read(raw)
    assert _READER.read(raw) == reading, "the same record gives the same answer"


def _as_relayed(kind: int, tags: tuple[tuple[str, ...], ...], content: str) -> bytes:
    try:
        if kind in _KINDS:
            return to_json(an_event(MERCHANT, kind=kind, tags=tags, content=content)).encode()
        rumor = an_order(kind=kind, tags=[list(tag) for tag in tags], content=content)
        return to_json(make_wrap(rumor, BUYER, MERCHANT.public_key, "any")).encode()
    except ValueError:  # too long, or a control byte that we never write
        return content.encode()


def _records() -> Iterator[bytes]:
    for number, tags in enumerate((LISTING, OPTION, REVIEW)):
        yield with_choices(written(_as_of(tags), MARK), 2, number, 0)
    for place, tags in ((5, ORDER), (6, RECEIPT), (7, KIND_14), (9, KIND_15)):
        yield with_choices(written(_as_of(tags), MARK), 2, place, 0)
    yield with_choices(to_json(an_event(MERCHANT, kind=30402, tags=_as_of(LISTING))), 0)
    yield with_choices(json.dumps(an_order(content=MARK).model_dump(mode="json")), 1)
    yield with_choices(b"\xff\xfe{}", 0)


def _as_of(tags: tuple[tuple[str, ...], ...]) -> tuple[tuple[str, ...], ...]:
    """The same tags with a merchant who has a key."""
    return tuple(tuple(text.replace(MERCHANT_KEY, MERCHANT.public_key) for text in tag) for tag in tags)


TAG_WORDS = tuple(
    f"\n{name}\t"
    for name in (*(tag[0] for tag in (*LISTING, *OPTION, *REVIEW, *ORDER, *SHIPPING)), "payment", "zone", "e", "a")
)
VALUE_WORDS = (
    "thumb",
    "30402:",
    "30406:",
    "31555:",
    "a:30402:",
    MERCHANT_KEY,
    "hidden",
    "pre-order",
    "variation",
    *sorted(SUBJECTS),
)

PREFERENCE_WORDS = (
    *(
        f"\n{name}\t"
        for name in ("payment_preference", "payment-preference", "mint", "pubkey", "relay", "k", "web", "a", "d")
    ),
    *('"lud16":', '"lud06":', "lnurl1", "31990:", "<bech32>", "https://", MERCHANT_KEY, "ecash", "manual"),
)

TARGETS = (
    Target("market", read_any_market_event, _market_events, (MarketRefused,), (*TAG_WORDS, *VALUE_WORDS)),
    Target("preference", read_any_preference, _preferences, (MarketRefused,), PREFERENCE_WORDS),
    Target("message", read_any_message, _messages, (MessageRefused,), (*TAG_WORDS, *VALUE_WORDS, "delivered")),
    Target("intake", read_any_record, _records, words=(*TAG_WORDS, *VALUE_WORDS, '"id":', '"kind":16')),
)
