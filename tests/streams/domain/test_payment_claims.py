"""Checks what buyers say about their payments: announced ones, receipts and proofs. None of it settles anything."""

from __future__ import annotations

import hashlib
from decimal import Decimal

import pytest

from schemas import limits
from schemas.catalogue import RecordListing
from schemas.dialects.contract import OrderDraft
from schemas.dialects.gamma import DIALECT
from schemas.dialects.payment_tags import named
from schemas.messages import CommandBody
from schemas.orders import MoveRefused, OrderStatus, ReachDeadline, ShippingStatus
from schemas.parking import CommandParked
from schemas.payments import (
    AnnouncePayment,
    PaymentAnnounced,
    PaymentAxis,
    PaymentReported,
    ProofVerdict,
    RecordPaymentRequest,
    ReportPayment,
    ReportUnnamedPayment,
)
from schemas.replies import ReplyPromised
from schemas.values import OrderKey
from streams import quarantining
from streams.kafka import Record
from tests.schemas.bolt11_tools import an_invoice
from tests.support.builders import (
    BUYER,
    MERCHANT,
    NOW_MS,
    NOW_S,
    OTHER_BUYER,
    a_command,
    a_key,
    a_listing,
    a_rumor,
    an_id,
    an_order,
)
from tests.support.preferences import ADDRESS, LOCK, MINT, prefers, takes_ecash
from tests.support.steps import cancelled, paid, parcel, requested
from tests.support.story import Story, given

TEA = RecordListing(listing=a_listing("tea", "10", stock=50))
PREIMAGE = b"\x07" * 32
FIRST, SECOND = a_key(), a_key("order-2")


def request(key: OrderKey = FIRST, preimage: bytes = PREIMAGE) -> RecordPaymentRequest:
    """The wallet's invoice over 20 sats, paid with this preimage."""
    made = requested(20, key)
    return made.model_copy(
        update={"payment_hash": hashlib.sha256(preimage).hexdigest(), "text": f"lnbcrt-{key.order_id}"}
    )


def asked(*before: object) -> Story:
    """An order for 20 sats whose buyer was shown the invoice."""
    return given(TEA, *before, an_order(("tea", 2)), request())  # type: ignore[arg-type]


def two_orders() -> Story:
    """Two orders of one buyer, each with its own invoice."""
    return asked().when(an_order(("tea", 2), key=SECOND, rumor="two"), request(SECOND, b"\x08" * 32))


def says(*payments: tuple[str, ...], sats: int | None = 20, key: OrderKey = FIRST) -> AnnouncePayment:
    """The buyer's own payment request: where the money goes, and how much."""
    tags = tuple(("payment", *payment) for payment in payments)
    name = an_id(f"{key.order_id} {payments} {sats}")
    return AnnouncePayment(order=key, rumor_id=name, amount_sats=sats, payments=tuple(named(tag) for tag in tags))


def shows(*preimages: bytes, key: OrderKey = FIRST, rumor: str = "receipt") -> ReportPayment:
    """A receipt with these preimages."""
    hashes = tuple(hashlib.sha256(preimage).hexdigest() for preimage in preimages)
    return ReportPayment(order=key, rumor_id=an_id(rumor), medium="lightning", preimage_hashes=hashes)


def refusal(story: Story) -> str:
    """Why the last thing said was refused, and that nothing else followed."""
    story.then(MoveRefused)
    return story.one(MoveRefused).reason


OURS = ("lightning", "lnbcrt-order-1")


# Announced payments


@pytest.mark.req("PAY-03")
def test_a_payment_of_our_own_invoice_is_taken_note_of_and_moves_nothing() -> None:
    """In either case of its letters; the look-up that follows decides."""
    story = asked().when(says(("lightning", "LNBCRT-ORDER-1")))

    story.then(PaymentAnnounced)
    assert story.one(PaymentAnnounced).amount_sats == 20
    assert (story.order().status, story.order().payment) == (OrderStatus.PENDING, PaymentAxis.REQUESTED)
    story.when(paid(20))
    assert story.order().status is OrderStatus.CONFIRMED


@pytest.mark.case("F6", "F8")
@pytest.mark.req("PAY-03")
@pytest.mark.parametrize(
    "payment",
    [
        ("lightning", "lnbcrt-order-2"),
        ("lightning", "mallory@evil.example"),
        ("lightning", ""),
        ("bitcoin", "bc1qmallory"),
        ("ecash", "https://evil.example"),
        ("ecash", "creqAmallory"),
        ("ecash", MINT, f"02{'ee' * 32}"),
        ("pigeon", "home"),
    ],
)
def test_a_payment_that_goes_anywhere_else_is_refused(payment: tuple[str, ...]) -> None:
    """Alone, and beside our own: every one of them has to be the merchant's."""
    shop = (prefers("lud16", lud16=ADDRESS), takes_ecash())

    assert refusal(asked(*shop).when(says(payment))) == "foreign_payee"
    assert refusal(asked(*shop).when(says(OURS, payment))) == "foreign_payee"


@pytest.mark.case("F2")
@pytest.mark.req("PAY-03")
def test_anothers_invoice_with_our_payment_hash_is_not_ours() -> None:
    """Whoever was shown our invoice knows its hash; the whole text has to be the same."""
    ours = request()
    forged = named(("payment", "lightning", "x")).model_copy(update={"name": ours.payment_hash})

    story = asked().when(AnnouncePayment(order=FIRST, rumor_id=an_id("x"), amount_sats=20, payments=(forged,)))

    assert refusal(story) == "foreign_payee"


@pytest.mark.req("PAY-03")
@pytest.mark.parametrize(
    "payment",
    [("lightning", ADDRESS.upper()), ("ecash", f"{MINT}/"), ("ecash", MINT, f"02{LOCK}")],
)
def test_where_buyers_pay_on_their_own_the_merchants_address_and_mints_are_taken(payment: tuple[str, ...]) -> None:
    """As the newest profile and mint list say; with a key named, it has to be theirs."""
    shop = (prefers("lud16", lud16=ADDRESS), takes_ecash())

    asked(*shop).when(says(payment), says(OURS, payment)).then(PaymentAnnounced, PaymentAnnounced)


@pytest.mark.req("PAY-01")
def test_an_order_that_is_paid_by_hand_knows_only_its_own_request() -> None:
    """The merchant said that nobody watches the address for orders; an order from before goes on as it was."""
    by_hand, on_their_own = prefers("manual", at=NOW_S + 1, lud16=ADDRESS), prefers("lud16", lud16=ADDRESS)
    there = ("lightning", ADDRESS)

    assert refusal(asked(by_hand).when(says(there))) == "foreign_payee"
    asked(on_their_own).when(by_hand).when(says(there)).then(PaymentAnnounced)


@pytest.mark.req("PAY-03")
@pytest.mark.parametrize("sats", [19, 0, None])
def test_an_amount_below_the_quote_is_refused(sats: int | None) -> None:
    """One that cannot be read is none; more is taken."""
    assert refusal(asked().when(says(OURS, sats=sats))) == "too_little"
    asked().when(says(OURS, sats=21)).then(PaymentAnnounced)


def test_the_same_message_again_is_heard_once() -> None:
    """Taken or refused."""
    story = asked().when(says(OURS), says(("lightning", "x")))

    story.when(says(OURS), says(("lightning", "x"))).then_nothing()


def test_a_payment_announced_before_its_order_waits_for_it() -> None:
    """Applications send both at once, and relays turn them round."""
    given(TEA).when(says(OURS)).then(CommandParked)


def test_a_payment_for_an_order_without_a_price_or_an_end_is_refused_and_for_a_paid_one_no_news() -> None:
    """It says where the order stands."""
    waiting = given(an_order(("gold", 1)))
    assert waiting.order().status is OrderStatus.REJECTED

    assert refusal(asked().when(cancelled()).when(says(OURS))) == "not_payable"
    asked().when(paid(20)).when(says(OURS)).then_nothing()


# Receipts


@pytest.mark.case("F2", "F3")
@pytest.mark.req("PAY-13")
@pytest.mark.parametrize(
    ("preimages", "verdict"),
    [((), ProofVerdict.NONE), ((PREIMAGE,), ProofVerdict.FITS), ((b"\x09" * 32,), ProofVerdict.WRONG)],
)
def test_a_receipts_preimage_is_held_against_the_invoice_and_confirms_nothing(
    preimages: tuple[bytes, ...], verdict: ProofVerdict
) -> None:
    """Right or wrong, the order is reported only, and the back-end asked."""
    story = asked().when(shows(*preimages))

    story.then(PaymentReported)
    assert story.one(PaymentReported).proof is verdict
    assert (story.order().status, story.order().payment) == (OrderStatus.PENDING, PaymentAxis.REPORTED)


@pytest.mark.case("F1")
@pytest.mark.req("PAY-13")
def test_one_orders_preimage_shown_for_another_order_is_refused() -> None:
    """Before the other order was reported and after; it counts for its own order all the same."""
    story = two_orders().when(shows(PREIMAGE, key=SECOND))
    assert refusal(story) == "proof_reuse"
    assert story.order(SECOND).payment is PaymentAxis.REQUESTED

    story.when(shows(PREIMAGE)).then(PaymentReported)
    story.when(shows(b"\x08" * 32, key=SECOND, rumor="right")).then(PaymentReported)
    assert refusal(story.when(shows(PREIMAGE, key=SECOND, rumor="again"))) == "proof_reuse"
    story.when(shows(PREIMAGE, key=SECOND, rumor="again")).then_nothing()


@pytest.mark.case("F1")
@pytest.mark.req("PAY-13")
def test_a_proof_of_a_paid_order_pays_for_no_second_one() -> None:
    """Even once the first is settled."""
    story = two_orders().when(shows(PREIMAGE), paid(20))

    assert refusal(story.when(shows(PREIMAGE, key=SECOND, rumor="second"))) == "proof_reuse"
    assert story.order(SECOND).status is OrderStatus.PENDING


def unnamed(*preimages: bytes, buyer: str = BUYER) -> ReportUnnamedPayment:
    """A receipt that names no order."""
    receipt = shows(*preimages, key=a_key("invoice x", buyer))
    return ReportUnnamedPayment(buyer=buyer, payment_hashes=receipt.preimage_hashes, receipt=receipt)


@pytest.mark.req("T17-01")
def test_a_receipt_without_an_order_is_for_the_one_whose_invoice_it_shows() -> None:
    """Known by the payment hash, of the same buyer only."""
    story = two_orders().when(unnamed(b"\x08" * 32))

    story.then(PaymentReported)
    assert story.one(PaymentReported).order == SECOND
    assert refusal(two_orders().when(unnamed(PREIMAGE, buyer=OTHER_BUYER))) == "no_order"
    assert refusal(two_orders().when(unnamed(b"\x01" * 32))) == "no_order"


def test_so_many_invoices_are_remembered_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest is forgotten; its order still knows its own."""
    assert limits.PROOFS.most == 5_000
    monkeypatch.setattr(limits, "PROOFS", limits.Limit("x", 1, "x", "x", "x"))
    story = two_orders()

    assert list(story.shop.requests.values()) == [SECOND.ref]
    story.when(shows(PREIMAGE, key=SECOND)).then(PaymentReported)
    assert story.when(shows(PREIMAGE)).one(PaymentReported).proof is ProofVerdict.FITS


# From the message to what the operator reads


INVOICE = an_invoice(payment_hash=hashlib.sha256(PREIMAGE).hexdigest())


def heard(kind: int, *tags: tuple[str, ...]) -> CommandBody:
    """What a buyer's message with these tags asks for."""
    read = DIALECT.read(a_rumor(kind, ("p", MERCHANT), *tags))
    assert not isinstance(read, OrderDraft)
    return read


def invoiced() -> Story:
    """An order whose buyer was shown a genuine invoice."""
    return given(TEA, an_order(("tea", 2)), request().model_copy(update={"text": INVOICE}))


@pytest.mark.case("F2", "F6")
@pytest.mark.req("PAY-03")
def test_the_invoice_of_a_strangers_node_is_quarantined_as_foreign_payee() -> None:
    """With our payment hash and our sum on it; our own is taken."""
    theirs = an_invoice(payment_hash=hashlib.sha256(PREIMAGE).hexdigest(), secret=b"\x05" * 32)
    head = (("type", "2"), ("order", FIRST.order_id), ("amount", "20"))
    command = a_command(heard(16, *head, ("payment", "lightning", theirs)))

    story = invoiced().when(command)

    assert refusal(story) == "foreign_payee"
    record: Record[bytes, bytes] = Record("ncc.commands", 0, 7, 0, 0, b"", b"", None, 0, 0, ())
    kept = quarantining.refused_move(record, command, story.one(MoveRefused))
    assert (kept.reason, kept.merchant, kept.offset) == ("foreign_payee", MERCHANT, 7)
    invoiced().when(heard(16, *head, ("payment", "lightning", INVOICE))).then(PaymentAnnounced)


@pytest.mark.req("T17-01")
@pytest.mark.parametrize("payment", [(INVOICE,), (INVOICE, PREIMAGE.hex()), ("lost it", PREIMAGE.hex())])
def test_a_receipt_that_names_no_order_is_linked_by_the_payment_hash_with_a_warning(payment: tuple[str, ...]) -> None:
    """By the invoice or by the preimage."""
    story = invoiced().when(heard(17, ("amount", "20"), ("payment", "lightning", *payment)))

    reported = story.one(PaymentReported)
    assert (reported.order, reported.warnings, reported.amount) == (FIRST, ("no_order",), Decimal(20))


@pytest.mark.req("PAY-15")
def test_a_buyer_who_pays_without_a_receipt_is_told_of_the_payment_and_of_nothing_else() -> None:
    """No reminder, and nothing we write is a receipt: every message is an order message of the merchant's (kind 16)."""
    story = asked().when(paid(20)).when(parcel(ShippingStatus.SHIPPED), parcel(ShippingStatus.DELIVERED))
    promised = [event for record in story.journal for event in record.events if isinstance(event, ReplyPromised)]

    assert [one.reply.type for one in promised] == ["payment_request", "status", "shipping", "shipping"]
    assert {DIALECT.write(one).kind for one in promised} == {16}
    deadline_ms = NOW_MS + 30 * 86_400_000
    for moment in story.shop.take_due(deadline_ms):
        story.when(ReachDeadline(order=moment.order_key, deadline_ms=moment.at_ms), at_ms=deadline_ms).then_nothing()
