"""A shop's whole story from what was said: read, decided, folded, written down, and shown in tables."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from schemas.catalogue import RecordDeletion, RecordListing, RecordShippingOption
from schemas.codec import encode
from schemas.dialects.contract import MessageRefused, Said
from schemas.market.listing import read_listing
from schemas.market.reading import MarketRefused, whole_number
from schemas.market.review import read_review
from schemas.market.shipping_option import read_shipping_option
from schemas.messages import CommandBody
from schemas.nostr.nip01 import Event
from schemas.nostr.nip09 import read_deletion
from schemas.reviews import JudgeReviews, RecordReview
from schemas.rows import InventoryRow, MessageRow, OrderRow, RatingRow, ReviewRow, Row
from schemas.topics import MESSAGE_BYTES_MAX
from services.metrics.rows import event_rows
from services.metrics.state_rows import inventory_row, message_row, order_row, rating_row, review_row
from streams.domain.projections import RowKey, fold
from tests.fuzz.tagged import read_tags, written
from tests.fuzz.target import MARK, Tape, Target, with_choices
from tests.fuzz.targets.market import (
    KIND_14,
    KIND_15,
    LISTING,
    OPTION,
    ORDER,
    RECEIPT,
    REVIEW,
    SHIPPING,
    STATUS,
    TAG_WORDS,
    VALUE_WORDS,
    said_in_command,
)
from tests.support.builders import BUYER, MERCHANT, NOW_S, a_key, a_rate
from tests.support.steps import paid, requested
from tests.support.story import Story

_PUBLIC, _PRIVATE = (30402, 30406, 31555, 5), (16, 17, 15, 14)
_SEPARATOR = b"\n\n\n"
_RATES = a_rate("USD") | a_rate("EUR", "1100")
_SAYINGS_MAX = 8
_TAGS_MAX = 110
"""A few more than an order has lines; one record holds the quote of them all."""


def tell_any_story(data: bytes) -> None:
    """Whatever strangers and the merchant say, each command is decided within the laws and each fact has its rows."""
    story = Story(_RATES)
    for number, saying in enumerate(data.split(_SEPARATOR)[:_SAYINGS_MAX]):
        try:
            body = _heard(saying, number)
        except (MarketRefused, MessageRefused):
            continue
        story.when(body, at_ms=(NOW_S + number) * 1_000)
        if story.shop.take_unjudged():
            story.when(JudgeReviews(), at_ms=(NOW_S + number) * 1_000)
    rows: dict[RowKey, Row] = {}
    for record in story.journal:
        assert len(encode(record)) <= MESSAGE_BYTES_MAX, "a decision fits its topic"
        assert event_rows(0, record, lambda _merchant, buyer: buyer[:8])
        rows |= fold(record, 0, rows.get)
    for row in rows.values():
        match row:
            case OrderRow():
                order_row(row)
            case InventoryRow():
                inventory_row(row)
            case ReviewRow():
                review_row(row)
            case RatingRow():
                rating_row(row)
            case MessageRow():
                message_row(row)


def _heard(saying: bytes, number: int) -> CommandBody:
    tape = Tape(saying)
    which = tape.choice(10)
    if which >= len(_PUBLIC + _PRIVATE):
        return _of_wallet(which == 9, tape.text())
    kind = (_PUBLIC + _PRIVATE)[which]
    author = (MERCHANT, BUYER)[tape.choice(2)]
    tags, content = read_tags(tape, _TAGS_MAX)
    name = hashlib.sha256(saying).hexdigest()
    if kind in _PRIVATE:
        return said_in_command(Said(name, author, MERCHANT, kind, tags, content))
    event = Event(
        pubkey=MERCHANT if kind in (30402, 30406) else author,
        created_at=NOW_S + number,
        kind=kind,
        tags=tags,
        content=content,
        id=name,
        sig="0" * 128,
    )
    match kind:
        case 30402:
            return RecordListing(listing=read_listing(event))
        case 30406:
            return RecordShippingOption(option=read_shipping_option(event))
        case 31555:
            return RecordReview(review=read_review(event))
        case _:
            deletion = read_deletion(event)
            return RecordDeletion(
                author=event.pubkey,
                created_at=event.created_at,
                event_ids=tuple(sorted(deletion.ids)),
                coordinates=tuple(sorted(map(str, deletion.coordinates))),
            )


def _of_wallet(is_payment: bool, text: str) -> CommandBody:
    """What the payments role says of the first order: its request was made, or so many sats arrived."""
    sats = whole_number(text.strip(), 10**17) or 1
    key = a_key("o-1")
    return paid(sats, key) if is_payment else requested(sats, key)


def _stories() -> Iterator[bytes]:
    listing = with_choices(written((*LISTING[:2], ("price", "10", "SATS"), *LISTING[3:]), MARK), 0, 0, 0)
    option = with_choices(written((*OPTION[:2], ("price", "5", "SATS"), OPTION[3], *OPTION[6:9])), 1, 0, 0)
    wallet, payment = with_choices("1690", 8), with_choices("1690", 9)
    shipped = with_choices(written(SHIPPING), 4, 0, 0)
    order = with_choices(written(ORDER, MARK), 4, 1, 0)
    cancel = with_choices(written(STATUS), 4, 1, 0)
    parcel = with_choices(written(SHIPPING), 4, 0, 0)
    receipt = with_choices(written(RECEIPT), 5, 1, 0)
    review = with_choices(written(REVIEW), 2, 1, 0)
    delete = with_choices(written((("a", LISTING[8][1]), ("e", "a" * 64))), 3, 0, 0)
    many = with_choices(written((*ORDER[:5], ("item", "tea-#", "1"))), 4, 1, 1)
    yield _SEPARATOR.join((listing, option, order, receipt, cancel, parcel, review, delete))
    yield _SEPARATOR.join((listing, option, order, wallet, payment, receipt, shipped, cancel))
    yield _SEPARATOR.join((order, listing, option, order))
    for which, tags in ((6, KIND_15), (7, KIND_14)):
        spoken = with_choices(written(tags, MARK), which, 1, 0)
        yield _SEPARATOR.join((listing, option, spoken, wallet, payment, shipped))
    yield _SEPARATOR.join((parcel, receipt, cancel, order))
    yield _SEPARATOR.join((listing, many, delete, listing))
    yield _SEPARATOR.join((option, review, delete, review))
    weight = ("weight", "9" * 18, "t")
    dear = with_choices(written((*LISTING[:2], ("price", "9" * 18, "BTC"), weight, LISTING[8])), 0, 0, 0)
    price = ("price", "0." + "0" * 17 + "1", "USD", "year")
    tiny = with_choices(written((*LISTING[:2], price, LISTING[6], LISTING[8])), 0, 0, 0)
    weighed = with_choices(written((*OPTION[:3], ("price-weight", "9" * 18, "USD", "mg"))), 1, 0, 0)
    yield _SEPARATOR.join((dear, option, weighed, order))
    yield _SEPARATOR.join((tiny, option, order, receipt))


TARGETS = (Target("story", tell_any_story, _stories, words=(*TAG_WORDS, *VALUE_WORDS, "\n\n\n", "BTC", "USD", "SATS")),)
