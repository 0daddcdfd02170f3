"""Checks how stalls' JSON is read, as nostrmarket and others write it, and what is written back."""

from __future__ import annotations

import json
from typing import Any

import pytest

from schemas import limits
from schemas.dialects import DIALECTS
from schemas.dialects.contract import MessageFault, MessageRefused, OrderDraft, Said
from schemas.dialects.nip15 import DIALECT, ignored, is_checkout, type_of
from schemas.orders import OrderStatus, ShippingStatus
from schemas.replies import (
    PaymentOption,
    PaymentRequestReply,
    Reply,
    ReplyPromised,
    ShippingReply,
    Standing,
    StatusReply,
    TextReply,
    WireStatus,
)
from tests.support.builders import BUYER, MERCHANT, NOW_S, STRANGER, a_key, a_rumor, an_id

NOSTRMARKET: dict[str, Any] = {
    "id": "0b1f2c3d-5a1e-4a2b-9f4e-2a5f9f4e2a5f",
    "type": 0,
    "name": "Jane Doe",
    "address": "17 Canary Street\n10115 Berlin\nGermany",
    "message": "Leave it at the door.",
    "contact": {"nostr": BUYER, "phone": "+49 30 1", "email": "jane@example.org"},
    "items": [{"product_id": "tea", "quantity": 2}, {"product_id": "a:b", "quantity": 1}],
    "shipping_id": "zone-1",
}
"""What its buyers' page sends; the first address line is the street's."""


def direct(fields: Any, *tags: tuple[str, ...]) -> Said:
    """A buyer's kind 4, decrypted."""
    text = fields if isinstance(fields, str) else json.dumps(fields)
    return a_rumor(4, ("p", MERCHANT), *tags, content=text)


def fault(said: Said) -> MessageFault:
    """Why this message is no order; the reason quotes nothing the sender wrote."""
    with pytest.raises(MessageRefused) as caught:
        DIALECT.read(said)
    assert "tea" not in str(caught.value)
    return caught.value.reason


def order(**changes: Any) -> OrderDraft:
    """The order with some fields changed; None leaves a field out."""
    fields = {name: value for name, value in (NOSTRMARKET | changes).items() if value is not None}
    return DIALECT.read(direct(fields))


@pytest.mark.req("TJ0-01")
def test_an_order_of_nostrmarket_is_read_in_full() -> None:
    """Lines, zone and place in the open; name, street, phone, e-mail and words among what is sealed."""
    draft = order()

    assert draft.order_id == NOSTRMARKET["id"]
    assert [(line.coordinate, line.quantity) for line in draft.lines] == [
        (f"30402:{MERCHANT}:tea", 2),
        (f"30402:{MERCHANT}:a:b", 1),
    ]
    assert draft.shipping == f"30406:{MERCHANT}:zone-1"
    assert (draft.country, draft.claimed_sats, draft.warnings) == ("DE", None, ())
    assert draft.personal.address == "Jane Doe\n17 Canary Street\n10115 Berlin\nGermany"
    assert (draft.personal.email, draft.personal.phone) == ("jane@example.org", "+49 30 1")
    assert draft.personal.note == "Leave it at the door."


def test_what_live_clients_leave_out_or_write_otherwise_is_read_all_the_same() -> None:
    """Nulls, no contact, no zone, an address as an object, a type in quotes, an id and a quantity of another type."""
    bare = order(type="0", contact=None, shipping_id="", message=None, address=None, id=4711)
    assert (bare.order_id, bare.shipping, bare.country) == ("4711", None, None)
    assert (bare.personal.address, bare.personal.note) == (None, "Jane Doe")

    placed = order(name="", address={"street": "1 Way", "country": "Austria"}, contact={"email": None, "phone": ""})
    assert placed.country == "AT"
    assert (placed.personal.email, placed.personal.phone) == (None, None)

    quantities = [{"product_id": "tea", "quantity": said} for said in ("3", 4.0, 2.5, -1, True, None, "x", 10**40)]
    lines = order(items=[*quantities, {"product_id": "tea"}]).lines
    assert [line.quantity for line in lines] == [3, 4, 0, 0, 0, 0, 0, 0, 1]


def test_a_whole_address_is_taken_as_it_is_and_one_of_another_kind_is_refused() -> None:
    """A product id is any text, one with colons too."""
    whole = f"30402:{STRANGER}:tea"
    assert order(items=[{"product_id": whole, "quantity": 1}]).lines[0].coordinate == whole
    stall = {**NOSTRMARKET, "items": [{"product_id": f"30018:{MERCHANT}:tea", "quantity": 1}]}
    assert fault(direct(stall)) is MessageFault.BAD_COORD


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"id": ""}, MessageFault.NO_ORDER),
        ({"id": "é"}, MessageFault.NO_ORDER),
        ({"id": "x" * (limits.ORDER_ID.most + 1)}, MessageFault.NO_ORDER),
        ({"items": []}, MessageFault.NO_ITEM),
        ({"items": {"product_id": "tea"}}, MessageFault.NO_ITEM),
        ({"items": ["tea"]}, MessageFault.BAD_SHAPE),
        ({"items": [{"quantity": 1}]}, MessageFault.BAD_COORD),
        ({"items": [{"product_id": "tea"}] * (limits.LINES.most + 1)}, MessageFault.TOO_MANY_LINES),
        ({"type": 10}, MessageFault.NO_TYPE),
        ({"type": False}, MessageFault.NO_TYPE),
        ({"type": {}}, MessageFault.NO_TYPE),
        ({"type": 2}, MessageFault.NOT_ALLOWED),
    ],
)
def test_what_is_no_order_is_refused_with_its_reason(changes: dict[str, Any], reason: MessageFault) -> None:
    """Every shape a stranger can send has a stable code."""
    assert fault(direct(NOSTRMARKET | changes)) is reason


def test_an_order_to_more_people_than_the_shop_is_refused() -> None:
    """A kind 4 has one recipient."""
    assert fault(direct(NOSTRMARKET, ("p", STRANGER))) is MessageFault.GROUP_ORDER


@pytest.mark.req("TJ1-01")
def test_what_only_a_merchant_says_is_counted_by_its_name_and_words_are_no_checkout() -> None:
    """A buyer's payment request and status say nothing; an object without a type is a person's, as prose is."""
    assert ignored('{"type": 1, "id": "1", "payment_options": []}') == "payment_request_by_buyer"
    assert ignored('{"type": "2", "id": "1", "paid": true, "shipped": true}') == "status_by_buyer"
    assert [ignored(text) for text in ('{"type": 0}', '{"type": 9}', "I want 2", "{")] == [None] * 4
    assert [is_checkout(text) for text in ("I want 2", '{"id": "1"}', "{", "[1]", '{"type": 9}')] == [False] * 4 + [
        True
    ]
    assert [type_of(text) for text in ('{"type": 0}', '{"type": 3}', '{"type": 1.0}', "")] == [0, None, None, None]


def written(reply: Reply, status: OrderStatus, paid: bool = False, shipped: bool = False) -> Any:
    """The JSON of a reply, read by other code."""
    standing = Standing(status=status, paid=paid, shipped=shipped)
    promised = ReplyPromised(
        order=a_key(), number=1, dialect="nip15", answers=an_id("o"), at_s=NOW_S, reply=reply, standing=standing
    )
    draft = DIALECTS["nip15"].write(promised)
    assert (draft.kind, draft.tags) == (4, (("p", BUYER),))
    return json.loads(draft.content)


@pytest.mark.req("TJ1-01")
def test_a_payment_request_offers_what_nip15_has_a_word_for() -> None:
    """`ln` with the invoice; a medium without a word is not offered, and no lightning address behind a button."""
    options = tuple(PaymentOption(medium=medium, text=f"{medium} text") for medium in ("lightning", "bitcoin", "ecash"))
    options += (PaymentOption(medium="lightning", text="shop.1@shop.example"),)
    reply = PaymentRequestReply(amount_sats=10, options=options, expires_at=NOW_S, text="Please pay.")

    assert written(reply, OrderStatus.PENDING) == {
        "type": 1,
        "id": "order-1",
        "message": "Please pay.",
        "payment_options": [{"type": "ln", "link": "lightning text"}, {"type": "btc", "link": "bitcoin text"}],
    }


@pytest.mark.req("PAY-21")
def test_each_type_of_option_that_nip15_has_is_written() -> None:
    """`url`, `btc`, `ln` and `lnurl`, each with what its button takes."""
    options = (
        PaymentOption(medium="fiat", text="https://pay.example/1"),
        PaymentOption(medium="bitcoin", text="bitcoin:bc1qx?amount=0.0000001"),
        PaymentOption(medium="lightning", text="lnbc1"),
        PaymentOption(medium="lightning", text="LNURL1DP68GURN8GHJ7"),
        PaymentOption(medium="fiat", text="by hand"),
    )
    reply = PaymentRequestReply(amount_sats=10, options=options, expires_at=NOW_S, text="Please pay.")

    assert written(reply, OrderStatus.PENDING)["payment_options"] == [
        {"type": "url", "link": "https://pay.example/1"},
        {"type": "btc", "link": "bc1qx"},
        {"type": "ln", "link": "lnbc1"},
        {"type": "lnurl", "link": "LNURL1DP68GURN8GHJ7"},
    ]


@pytest.mark.req("TJ0-01")
def test_a_rejection_is_a_payment_request_without_options() -> None:
    """As nostrmarket says it; the reason is its message."""
    reply = StatusReply(status=WireStatus.CANCELLED, text="There is no such listing.")
    assert written(reply, OrderStatus.REJECTED) == {
        "type": 1,
        "id": "order-1",
        "message": "There is no such listing.",
        "payment_options": [],
    }


@pytest.mark.req("TJ2-01")
@pytest.mark.parametrize(
    ("status", "word"),
    [
        (OrderStatus.WAITING, "pending"),
        (OrderStatus.CONFIRMED, "processing"),
        (OrderStatus.PROCESSING, "processing"),
        (OrderStatus.COMPLETED, "completed"),
        (OrderStatus.CANCELLED, "cancelled"),
        (OrderStatus.EXPIRED, "cancelled"),
        (OrderStatus.REFUNDED, "refunded"),
        (OrderStatus.FAILED, "failed"),
    ],
)
def test_an_update_has_both_booleans_and_a_status_of_six_words(status: OrderStatus, word: str) -> None:
    """Lower-case, and the booleans always: old clients read only those."""
    update = written(StatusReply(status=WireStatus.PENDING, text="So it is."), status, paid=True)
    assert update == {
        "type": 2,
        "id": "order-1",
        "message": "So it is.",
        "paid": True,
        "shipped": False,
        "status": word,
    }


@pytest.mark.req("TJ2-01")
def test_a_parcel_that_left_is_an_update_too_and_words_stay_words() -> None:
    """Of a parcel the whole order is said; what is for a person is no JSON."""
    parcel = ShippingReply(status=ShippingStatus.SHIPPED, tracking="T1", text="It is on its way: T1.")
    update = written(parcel, OrderStatus.PROCESSING, paid=True, shipped=True)
    assert (update["paid"], update["shipped"], update["status"]) == (True, True, "processing")
    assert "T1" in update["message"]

    words = TextReply(about="pickup", text="Come to the counter.")
    promised = ReplyPromised(order=a_key(), number=1, dialect="nip15", answers=an_id("o"), at_s=NOW_S, reply=words)
    assert DIALECT.write(promised).content == "Come to the counter."
