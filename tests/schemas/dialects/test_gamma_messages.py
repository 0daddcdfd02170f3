"""Checks how the native dialect reads everything but orders (market spec §4 messages 2 to 6)."""

from decimal import Decimal

import pytest

from schemas.dialects import DIALECTS, recognise
from schemas.dialects.contract import MessageFault, Said
from schemas.dialects.gamma import DIALECT
from schemas.orders import MoveOrder, MoveShipping, OrderStatus, ShippingStatus
from schemas.payments import ReportPayment
from schemas.replies import WireStatus
from schemas.values import Actor
from tests.support.builders import BUYER, MERCHANT, NOW_S, Tag, a_key, a_rumor, an_id, product
from tests.support.messages import fault

TO_M = ("p", MERCHANT)
ORDER = ("order", "order-1")
ORDER_TAGS: tuple[Tag, ...] = (
    TO_M,
    ("subject", "Order of tea"),
    ("type", "1"),
    ORDER,
    ("amount", "30570"),
    ("item", product(), "2"),
)


def status(word: str, *tags: Tag, author: str = BUYER, to: str = MERCHANT) -> Said:
    """A status message."""
    return a_rumor(16, ("p", to), ("type", "3"), ORDER, ("status", word), *tags, author=author)


def shipping(word: str, *tags: Tag, author: str = MERCHANT, to: str = BUYER) -> Said:
    """A shipping message."""
    return a_rumor(16, ("p", to), ("type", "4"), ORDER, ("status", word), *tags, author=author)


@pytest.mark.req("T16C-01")
@pytest.mark.parametrize("word", list(WireStatus))
def test_a_buyers_status_is_a_buyers_wish(word: WireStatus) -> None:
    """What of it is allowed is decided later; the buyer is to be answered."""
    move = DIALECT.read(status(word))

    assert move == MoveOrder(
        order=a_key(), actor=Actor.BUYER, to=OrderStatus(word), cause=an_id("rumor"), announce=True
    )


@pytest.mark.req("ORD-09")
@pytest.mark.parametrize("word", list(WireStatus))
def test_the_merchants_own_copy_of_a_status_is_the_merchants_decision(word: WireStatus) -> None:
    """Said with another client, so the buyer has it already."""
    move = DIALECT.read(status(word, author=MERCHANT, to=BUYER))

    assert move == MoveOrder(
        order=a_key(), actor=Actor.MERCHANT, to=OrderStatus(word), cause=an_id("rumor"), announce=False
    )


@pytest.mark.req("T16C-01")
@pytest.mark.parametrize("word", ["", "Confirmed", "paid", "shipped", "waiting", "rejected", "expired", "failed"])
def test_an_unknown_status_is_refused(word: str) -> None:
    """Neither our own inner states nor anything else."""
    assert fault(status(word)) is MessageFault.BAD_STATUS


@pytest.mark.req("MSG-02")
@pytest.mark.parametrize("to", [MERCHANT, "npub1xyz", BUYER.upper(), ""])
def test_the_merchants_own_copy_must_name_a_buyer(to: str) -> None:
    """Author M with `p` M is nobody's message."""
    assert fault(status("processing", author=MERCHANT, to=to)) is MessageFault.RECIPIENT_MISMATCH


@pytest.mark.req("T16D-01")
@pytest.mark.parametrize("word", ["processing", "shipped", "delivered", "exception"])
def test_the_merchants_shipping_words(word: str) -> None:
    """The four of the market spec."""
    move = DIALECT.read(shipping(word))

    assert isinstance(move, MoveShipping)
    assert (move.to, move.actor, move.announce, move.order) == (
        ShippingStatus(word),
        Actor.MERCHANT,
        False,
        a_key(),
    )


@pytest.mark.req("T16D-01")
def test_a_buyer_ships_nothing() -> None:
    """QUAR(not_allowed)."""
    assert fault(shipping("shipped", author=BUYER, to=MERCHANT)) is MessageFault.NOT_ALLOWED


@pytest.mark.parametrize("word", ["none", "", "lost", "Shipped"])
def test_an_unknown_shipping_status_is_refused(word: str) -> None:
    """`none` is where a parcel starts, not where it is sent."""
    assert fault(shipping(word)) is MessageFault.BAD_STATUS


@pytest.mark.req("T16D-02")
@pytest.mark.req("EVT-06")
def test_tracking_carrier_and_eta_are_read_with_limits() -> None:
    """Milliseconds are dropped; a novel for a tracking number is cut."""
    move = DIALECT.read(shipping("shipped", ("tracking", "T1"), ("carrier", "Post"), ("eta", str(NOW_S))))
    assert isinstance(move, MoveShipping)
    assert (move.tracking, move.carrier, move.eta) == ("T1", "Post", NOW_S)

    move = DIALECT.read(shipping("shipped", ("tracking", "T" * 999), ("carrier", "P" * 999), ("eta", "1700000000000")))
    assert isinstance(move, MoveShipping)
    assert (len(move.tracking or ""), len(move.carrier or ""), move.eta) == (256, 128, None)


@pytest.mark.req("T17-02")
@pytest.mark.parametrize(
    "payment",
    [("payment", "lightning", "lnbc1", "preimage"), ("payment", "fiat", "x", ""), ("payment", "pigeon")],
)
def test_a_receipt_is_a_claim_by_any_medium(payment: Tag) -> None:
    """With proof, with an empty one, or by a medium nobody knows."""
    claim = DIALECT.read(a_rumor(17, TO_M, ORDER, ("amount", "1"), payment))

    assert claim == ReportPayment(order=a_key(), rumor_id=an_id("rumor"), medium=payment[1], amount=Decimal(1))


@pytest.mark.req("T17-02")
def test_a_receipt_needs_a_payment_and_an_order() -> None:
    """Each with its own code; a medium's name is cut to a sane length."""
    assert fault(a_rumor(17, TO_M, ORDER)) is MessageFault.NO_PAYMENT
    assert fault(a_rumor(17, TO_M, ("payment", "lightning", "x"))) is MessageFault.NO_ORDER
    claim = DIALECT.read(a_rumor(17, TO_M, ORDER, ("payment", "x" * 999)))
    assert isinstance(claim, ReportPayment)
    assert len(claim.medium) == 32


def test_a_receipt_by_the_merchant_proves_nothing() -> None:
    """A-25: only buyers say that they paid."""
    said = a_rumor(17, ("p", BUYER), ORDER, ("payment", "lightning", "x"), author=MERCHANT)

    assert fault(said) is MessageFault.NOT_ALLOWED


def test_which_kinds_are_this_dialects() -> None:
    """16 and 17; asked for another it does not guess, and people's messages are no dialect's."""
    assert [kind for kind in range(40) if recognise(kind, ()) is DIALECT] == [16, 17]
    assert DIALECTS["gamma"] is recognise(16, ())
    assert fault(a_rumor(15, *ORDER_TAGS)) is MessageFault.UNKNOWN_KIND


@pytest.mark.req("MSG-08")
def test_an_order_message_of_words_and_json_is_known_as_anothers() -> None:
    """Conduit's: `type` is a word and the content an object. It is set aside whole, to be replayed."""
    tags = (TO_M, ("type", "order"), ("order", "1"), ("amount", "5"), ("item", product(), "1"))
    content = '{"id": "1", "items": [], "subtotal": 5, "currency": "SATS"}'

    assert fault(a_rumor(16, *tags, content=content)) is MessageFault.KNOWN_FOREIGN_DIALECT
    assert fault(a_rumor(16, *tags, content="prose")) is MessageFault.NO_TYPE
