"""Checks how buyers' own payment requests (kind 16 of type 2) and receipts (kind 17) are read (market spec §4)."""

import hashlib
from decimal import Decimal

import pytest

from schemas import limits
from schemas.dialects.contract import MessageFault, MessageRefused, Reading
from schemas.dialects.gamma import DIALECT
from schemas.orders import MoveOrder
from schemas.payments import (
    AnnouncePayment,
    NamedPayment,
    PaymentForm,
    ReportPayment,
    ReportUnnamedPayment,
    request_digest,
)
from tests.schemas.bolt11_examples import HASH
from tests.schemas.bolt11_tools import an_invoice
from tests.support.builders import BUYER, MERCHANT, NOW_S, OTHER_BUYER, Tag, a_key, a_rumor, an_id

INVOICE = an_invoice()
PREIMAGE = "07" * 32
PREIMAGE_HASH = hashlib.sha256(bytes.fromhex(PREIMAGE)).hexdigest()
TO_M: Tag = ("p", MERCHANT)
ORDER: Tag = ("order", "order-1")
AMOUNT: Tag = ("amount", "20")


def announced(*tags: Tag) -> AnnouncePayment:
    """A buyer's own payment request with these tags beside the required ones."""
    read = DIALECT.read(a_rumor(16, TO_M, ("type", "2"), ORDER, *tags))
    assert isinstance(read, AnnouncePayment)
    return read


def paid_to(*payment: str) -> NamedPayment:
    """Where one `payment` tag goes."""
    (found,) = announced(AMOUNT, ("payment", *payment)).payments
    return found


def receipt(*tags: Tag) -> Reading:
    """A receipt with these tags."""
    return DIALECT.read(a_rumor(17, TO_M, *tags))


def report(*tags: Tag) -> ReportPayment:
    """A receipt for the order with these tags."""
    read = receipt(ORDER, *tags)
    assert isinstance(read, ReportPayment)
    return read


def fault(kind: int, *tags: Tag, author: str = BUYER) -> MessageFault:
    """Why a message says nothing."""
    with pytest.raises(MessageRefused) as caught:
        DIALECT.read(a_rumor(kind, *tags, author=author))
    return caught.value.reason


def test_a_buyers_payment_request_says_how_they_pay() -> None:
    """It is no request to anybody (A-23); the order, the sum in sats and each payment are kept."""
    said = announced(AMOUNT, ("payment", "lightning", INVOICE), ("payment", "bitcoin", "bc1qx"))

    assert (said.order, said.rumor_id, said.amount_sats) == (a_key(), an_id("rumor"), 20)
    assert [payment.medium for payment in said.payments] == ["lightning", "bitcoin"]


@pytest.mark.parametrize("text", [INVOICE, INVOICE.upper(), f"lightning:{INVOICE}"])
def test_an_invoice_is_known_by_its_hash_and_its_whole_text(text: str) -> None:
    """In either case, with or without its scheme."""
    expected = NamedPayment(
        medium="lightning", form=PaymentForm.INVOICE, name=HASH, digest=request_digest(INVOICE), lock_key=None
    )

    assert paid_to("Lightning", text) == expected


@pytest.mark.parametrize(
    ("payment", "form", "name"),
    [
        (("lightning", "Vases@Example.com"), PaymentForm.ADDRESS, "vases@example.com"),
        (("lightning", "LNURL1XYZ"), PaymentForm.ADDRESS, "lnurl1xyz"),
        (("ecash", "https://Mint.example/"), PaymentForm.MINT, "https://mint.example"),
        (("ecash", "cashuAtoken"), PaymentForm.OTHER, request_digest("cashuAtoken")),
        (("lightning", "lno1offer"), PaymentForm.OTHER, request_digest("lno1offer")),
        (("lightning", INVOICE[:-1]), PaymentForm.OTHER, request_digest(INVOICE[:-1])),
        (("lightning",), PaymentForm.OTHER, request_digest("")),
    ],
)
def test_everything_else_is_kept_as_a_name_or_a_digest(payment: tuple[str, ...], form: PaymentForm, name: str) -> None:
    """A token can be spent by whoever reads it, so no text leaves the reader."""
    found = paid_to(*payment)

    assert (found.form, found.name) == (form, name)
    assert paid_to("ecash", "https://mint.example", "02AB").lock_key == "02ab"


@pytest.mark.parametrize(
    ("amount", "sats"),
    [
        (("amount", "20"), 20),
        (("amount", "20", "sats"), 20),
        (("amount", "20", "USD"), None),
        (("amount", "2.5"), None),
    ],
)
def test_an_announced_amount_is_whole_sats_or_none(amount: Tag, sats: int | None) -> None:
    """What is no amount is enough for nothing."""
    assert announced(amount, ("payment", "lightning", "x")).amount_sats == sats
    assert announced(("payment", "lightning", "x")).amount_sats is None


def test_a_payment_request_without_payments_is_set_aside_and_the_merchants_own_is_another_matter() -> None:
    """The merchant's says that the order was answered elsewhere."""
    assert fault(16, TO_M, ("type", "2"), ORDER, AMOUNT) is MessageFault.NO_PAYMENT
    own_copy = (("p", BUYER), ("type", "2"), ORDER, AMOUNT, ("payment", "lightning", INVOICE))
    assert isinstance(DIALECT.read(a_rumor(16, *own_copy, author=MERCHANT)), MoveOrder)


@pytest.mark.req("MSG-02")
@pytest.mark.parametrize("recipient", [BUYER, OTHER_BUYER])
def test_a_payment_request_that_a_buyer_addresses_to_a_buyer_is_never_the_merchants(recipient: str) -> None:
    """One client writes `p` = the buyer and the merchant as `recipient`."""
    tags = (("p", recipient), ("recipient", MERCHANT), ("type", "2"), ORDER, AMOUNT, ("payment", "lightning", INVOICE))

    assert fault(16, *tags) is MessageFault.RECIPIENT_MISMATCH


def test_so_many_payments_are_looked_at_and_no_more() -> None:
    """A request with more is set aside, a receipt is cut."""
    most = limits.PROOFS_SAID.most
    tags = tuple(("payment", "lightning", "x", f"{n:064x}") for n in range(most + 1))

    assert len(announced(AMOUNT, *tags[:most]).payments) == most
    assert fault(16, TO_M, ("type", "2"), ORDER, AMOUNT, *tags) is MessageFault.BAD_SHAPE
    assert len(report(*tags).preimage_hashes) == most


def test_a_receipt_keeps_the_preimages_hash_and_never_the_preimage() -> None:
    """What hashes to the invoice's payment hash is proof; whoever has the preimage could show it again."""
    said = report(("payment", "lightning", INVOICE, PREIMAGE.upper()), ("payment", "bitcoin", "bc1qx", "ab" * 32))

    assert said.preimage_hashes == (PREIMAGE_HASH,)
    assert PREIMAGE not in said.model_dump_json()


@pytest.mark.parametrize("proof", ["", "paid!", "07" * 31, "zz" * 32, "0x" + "07" * 31])
def test_what_is_no_preimage_is_no_proof(proof: str) -> None:
    """The claim stands all the same."""
    assert report(("payment", "lightning", INVOICE, proof)).preimage_hashes == ()


@pytest.mark.parametrize(
    ("amount", "expected", "warnings"),
    [
        (("amount", "20"), (Decimal(20), None), ()),
        (("amount", "20", "sat"), (Decimal(20), None), ()),
        (("amount", "12.50", "eur"), (Decimal("12.50"), "EUR"), ()),
        (("amount", "1e3"), (None, None), ("bad_amount",)),
        (("amount", "20", "?"), (None, None), ("bad_amount",)),
    ],
)
def test_a_receipts_amount_is_sats_unless_it_names_a_currency(
    amount: Tag, expected: tuple[Decimal | None, str | None], warnings: tuple[str, ...]
) -> None:
    """An exact decimal then; one that cannot be read is left out with a warning."""
    said = report(amount, ("payment", "fiat", "x", "y"))

    assert ((said.amount, said.currency), said.warnings) == (expected, warnings)


def test_a_receipts_date_is_kept_in_seconds() -> None:
    """Milliseconds and words are left out with a warning."""
    payment = ("payment", "fiat", "x", "y")

    assert report(("date", str(NOW_S)), payment).said_at == NOW_S
    assert report(("date", "1700000000000"), payment).warnings == ("bad_date",)
    assert report(payment).said_at is None


def test_a_receipt_without_an_order_is_known_by_its_invoice_or_its_preimage() -> None:
    """With a warning; with neither it is for no order."""
    said = receipt(AMOUNT, ("payment", "lightning", INVOICE, PREIMAGE))

    assert isinstance(said, ReportUnnamedPayment)
    assert (said.buyer, said.payment_hashes) == (BUYER, (HASH, PREIMAGE_HASH))
    assert (said.receipt.warnings, said.receipt.preimage_hashes) == (("no_order",), (PREIMAGE_HASH,))
    assert fault(17, TO_M, AMOUNT, ("payment", "lightning", "x", "y")) is MessageFault.NO_ORDER
