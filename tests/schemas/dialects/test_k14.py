"""Orders among chat messages: what is one by its tags, what it says, and what stays a person's words."""

from __future__ import annotations

import pytest

from schemas.dialects import recognise
from schemas.dialects.contract import MessageFault, MessageRefused, OrderDraft, Said
from schemas.dialects.k14 import DIALECT
from schemas.orders import MoveOrder, MoveShipping, OrderLine, OrderStatus, ShippingStatus
from schemas.payments import AnnouncePayment, PaymentForm, ReportPayment
from schemas.values import Actor
from tests.support.builders import BUYER, MERCHANT, NOW_S, Tag, a_key, a_rumor, an_id, product

TO_M, TO_B, ORDER = ("p", MERCHANT, "wss://relay.example"), ("p", BUYER), ("order", "order-1")
ITEM = ("item", product(), "2")
SHOPSTRS: tuple[Tag, ...] = (
    ("type", "1"),
    ("amount", "12.5"),
    ITEM,
    ("b", "c1" * 32),
    ("address", "Jane Doe, 17 Street, Berlin, BE, 10115, Germany"),
    ("size", "XL"),
    ("contact", "jane@x.example"),
)
"""An order as Shopstr writes it: a total in whatever currency, a variant, a reply key that proves nothing."""


def a_message(subject: str, *tags: Tag, author: str = BUYER, content: str = "Some prose.") -> Said:
    """A kind 14 about an order."""
    to = TO_M if author == BUYER else TO_B
    return a_rumor(14, to, ("subject", subject), ORDER, *tags, author=author, content=content)


def fault(said: Said) -> MessageFault:
    """Why it is no command; the reason quotes nothing of it."""
    with pytest.raises(MessageRefused) as caught:
        DIALECT.read(said)
    assert said.content not in str(caught.value)
    return caught.value.reason


@pytest.mark.parametrize("tags", [SHOPSTRS, (ITEM,), (("type", "1"), ITEM)], ids=["Shopstr's", "least", "with a type"])
def test_a_chat_message_with_an_orders_subject_tags_and_items_is_an_order(tags: tuple[Tag, ...]) -> None:
    """By its tags; the prose beside them is its note."""
    said = a_message("order-info", *tags)

    assert recognise(said.kind, said.tags) is DIALECT
    draft = DIALECT.read(said)
    assert isinstance(draft, OrderDraft)
    assert (draft.order_id, draft.lines) == ("order-1", (OrderLine(coordinate=product(), quantity=2),))
    assert (draft.personal.note or "").startswith("Some prose.")


def test_what_no_listing_prices_stands_in_the_note_and_the_amount_claims_nothing() -> None:
    """Its unit is anybody's guess; the reply key of another is no identity (ID-07)."""
    draft = DIALECT.read(a_message("order-info", *SHOPSTRS))

    assert isinstance(draft, OrderDraft)
    assert draft.personal.note == "Some prose.\nsize: XL"
    assert (draft.personal.email, draft.personal.phone) == ("jane@x.example", None)
    assert (draft.claimed_sats, draft.warnings, draft.country) == (None, ("variant",), "DE")
    plain = DIALECT.read(a_message("order-info", ITEM, ("contact", "+49 1"), content=""))
    assert isinstance(plain, OrderDraft)
    assert (plain.personal.phone, plain.personal.note, plain.warnings) == ("+49 1", None, ())


@pytest.mark.parametrize(
    "tags",
    [
        (("subject", "order-info"), ORDER),
        (("subject", "order-info"), ORDER, ("status", "completed"), ("date", "1")),
        (("subject", "order-1"), ORDER, ("status", "cancelled")),
        (("subject", "order-info"), ITEM),
        (("subject", "listing-inquiry"), ORDER, ITEM),
        (ORDER, ITEM),
        (("subject", "order-info"), ("order",), ITEM),
    ],
)
def test_a_chat_message_with_less_than_that_is_no_order_of_this_dialect(tags: tuple[Tag, ...]) -> None:
    """Words with an order's name or status beside them are a person's; half an order is set aside elsewhere."""
    assert recognise(14, (TO_M, *tags)) is None


def test_the_merchants_own_moves_with_such_a_client_are_read() -> None:
    """Its spelling of cancelled, its subject for the end, its parcels."""
    cancelled = DIALECT.read(a_message("order-info", ("type", "3"), ("status", "canceled"), ITEM, author=MERCHANT))
    assert cancelled == MoveOrder(
        order=a_key(), actor=Actor.MERCHANT, to=OrderStatus.CANCELLED, cause=an_id("rumor"), announce=False
    )
    done = DIALECT.read(a_message("order-completed", ("type", "3"), ("status", "completed"), author=MERCHANT))
    assert isinstance(done, MoveOrder)
    assert done.to is OrderStatus.COMPLETED
    parcel = (("type", "4"), ("status", "shipped"), ("tracking", "T1"), ("carrier", "UPS"), ("eta", str(NOW_S)))
    shipped = DIALECT.read(a_message("shipping-info", *parcel, author=MERCHANT))
    assert isinstance(shipped, MoveShipping)
    assert (shipped.to, shipped.tracking, shipped.eta) == (ShippingStatus.SHIPPED, "T1", NOW_S)


def test_a_buyers_payment_is_a_lead_and_its_token_stays_where_it_was() -> None:
    """Money is where the back-end says; a bearer token is named by its digest alone."""
    token = "cashuB" + "x" * 40
    payment = DIALECT.read(a_message("order-payment", ("type", "2"), ("amount", "5"), ("payment", "ecash", token)))

    assert isinstance(payment, AnnouncePayment)
    assert [one.form for one in payment.payments] == [PaymentForm.OTHER]
    assert token not in payment.model_dump_json()
    receipt = DIALECT.read(a_message("order-receipt", ("type", "4"), ("payment", "lightning", "lnbc1", "07" * 32)))
    assert isinstance(receipt, ReportPayment)


def test_what_fits_no_message_of_the_dialect_is_refused() -> None:
    """Each with its own code."""
    assert fault(a_message("order-info", ITEM, ("status", "confirmed"))) is MessageFault.AMBIGUOUS
    assert fault(a_message("order-info", ("type", "9"))) is MessageFault.NO_TYPE
    assert fault(a_message("order-completed", ("type", "1"), ITEM)) is MessageFault.NO_TYPE
    assert fault(a_message("order-info", ("type", "1"))) is MessageFault.NO_ITEM
    assert fault(a_message("order-info", ("type", "3"), ("status", "lost"))) is MessageFault.BAD_STATUS
    assert fault(a_message("shipping-info", ("type", "4"), ("status", "shipped"))) is MessageFault.NOT_ALLOWED
    assert fault(a_message("order-info", ("type", "1"), ITEM, author=MERCHANT)) is MessageFault.NOT_ALLOWED
