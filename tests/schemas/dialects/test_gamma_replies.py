"""Checks that the native dialect writes replies as the market spec prints them, read back by other code."""

import pytest

from schemas.dialects.gamma import DIALECT
from schemas.orders import MoveOrder, OrderStatus, ShippingStatus
from schemas.replies import (
    PaymentOption,
    PaymentRequestReply,
    Reply,
    ReplyPromised,
    ShippingReply,
    StatusReply,
    TextReply,
    WireStatus,
)
from schemas.values import Actor
from tests.support.builders import BUYER, MERCHANT, NOW_S, a_key, a_rumor, an_id


def promised(reply: Reply) -> ReplyPromised:
    """The order's third reply."""
    return ReplyPromised(order=a_key(), number=3, dialect="gamma", answers=an_id("answered"), at_s=NOW_S, reply=reply)


def parsed(reply: Reply) -> tuple[int, dict[str, list[list[str]]], str]:
    """What a client makes of the rumor: kind, tags by name, text. Written without the reader's code."""
    draft = DIALECT.write(promised(reply))
    tags: dict[str, list[list[str]]] = {}
    for name, *values in draft.tags:
        tags.setdefault(name, []).append(values)
    return draft.kind, tags, draft.content


ADDRESSED = {"p": [[BUYER]], "order": [["order-1"]], "e": [[an_id("answered")]]}


@pytest.mark.req("T16B-01")
@pytest.mark.req("T16B-02")
@pytest.mark.req("T16B-03")
def test_a_payment_request_is_written_as_the_market_spec_has_it() -> None:
    """16/2: subject, type, order, amount in sats, options in order, expiration."""
    options = (PaymentOption(medium="lightning", text="lnbc1"), PaymentOption(medium="bitcoin", text="bc1q"))
    reply = PaymentRequestReply(amount_sats=30_570, options=options, expires_at=NOW_S + 900, text="Please pay.")

    assert parsed(reply) == (
        16,
        {
            **ADDRESSED,
            "subject": [["order-payment"]],
            "type": [["2"]],
            "amount": [["30570"]],
            "payment": [["lightning", "lnbc1"], ["bitcoin", "bc1q"]],
            "expiration": [[str(NOW_S + 900)]],
        },
        "Please pay.",
    )


@pytest.mark.req("T16C-01")
@pytest.mark.parametrize("word", list(WireStatus))
def test_a_status_is_written_as_the_market_spec_has_it(word: WireStatus) -> None:
    """16/3: five words, and a sentence."""
    assert parsed(StatusReply(status=word, text="Because.")) == (
        16,
        {**ADDRESSED, "subject": [["order-info"]], "type": [["3"]], "status": [[word.value]]},
        "Because.",
    )


@pytest.mark.req("T16D-01")
@pytest.mark.req("T16D-02")
def test_a_shipping_update_is_written_as_the_market_spec_has_it() -> None:
    """16/4: what is not known is left out, not left blank."""
    common = {**ADDRESSED, "subject": [["shipping-info"]], "type": [["4"]], "status": [["shipped"]]}
    full = ShippingReply(status=ShippingStatus.SHIPPED, tracking="T 1", carrier="Post", eta=NOW_S, text="On its way.")

    assert parsed(full) == (
        16,
        {**common, "tracking": [["T 1"]], "carrier": [["Post"]], "eta": [[str(NOW_S)]]},
        "On its way.",
    )
    assert parsed(ShippingReply(status=ShippingStatus.SHIPPED, text="On its way."))[1] == common


@pytest.mark.req("ORD-10")
@pytest.mark.req("PAY-15")
def test_every_reply_answers_a_rumor_of_the_order_and_says_something() -> None:
    """`order`, `e` and a sentence, in each of the three; none of them is a receipt in the buyer's name."""
    replies: tuple[Reply, ...] = (
        PaymentRequestReply(amount_sats=1, options=(), expires_at=1, text="x"),
        StatusReply(status=WireStatus.PENDING, text="x"),
        ShippingReply(status=ShippingStatus.DELIVERED, text="x"),
    )
    for reply in replies:
        kind, tags, content = parsed(reply)
        assert (kind, content) == (16, "x")
        assert {name: tags[name] for name in ADDRESSED} == ADDRESSED


@pytest.mark.req("SU-06")
def test_what_is_for_a_person_alone_is_written_as_a_chat_message_about_the_order() -> None:
    """Kind 14 with the order as its subject: no client takes it for a state."""
    reply = TextReply(about="pickup", text="Your order is ready.")

    expected = {"p": [[BUYER]], "subject": [["order-1"]], "e": [[an_id("answered")]]}
    assert parsed(reply) == (14, expected, "Your order is ready.")


def test_the_same_reply_is_always_the_same_rumor() -> None:
    """A retry must be the same bytes (D5)."""
    reply = promised(StatusReply(status=WireStatus.PENDING, text="x"))

    assert DIALECT.write(reply) == DIALECT.write(reply)


def test_our_own_status_coming_back_as_the_merchants_copy_is_the_merchants_move() -> None:
    """Read and write speak one language; that it is our own is known before it is opened."""
    draft = DIALECT.write(promised(StatusReply(status=WireStatus.PROCESSING, text="x")))

    move = DIALECT.read(a_rumor(draft.kind, *draft.tags, author=MERCHANT))
    assert isinstance(move, MoveOrder)
    assert (move.order, move.to, move.actor) == (a_key(), OrderStatus.PROCESSING, Actor.MERCHANT)
