"""The former draft's kind 15: each of its six samples says what its twin in the market spec's own kinds says."""

from __future__ import annotations

import pytest

from schemas.dialects import recognise
from schemas.dialects.contract import MessageFault, MessageRefused, OrderDraft, Reading, Said
from schemas.dialects.gamma import DIALECT as GAMMA
from schemas.dialects.human import read_letter
from schemas.dialects.k15 import DIALECT
from schemas.inbox import MessageKind
from schemas.orders import MoveOrder, MoveShipping
from schemas.payments import AnnouncePayment, ReportPayment
from tests.support.builders import BUYER, MERCHANT, NOW_S, Tag, a_key, a_rumor, product

TO_M, TO_B, ORDER = ("p", MERCHANT), ("p", BUYER), ("order", "order-1")
DATE, EXPIRY = str(NOW_S), ("expiry", str(NOW_S + 900))
ITEMS: tuple[Tag, ...] = (("item", "tea", "2"), ("item", product("vase"), "1"))
PERSONAL: tuple[Tag, ...] = (("address", "Jane, 10115 Berlin, Germany"), ("email", "j@x.example"), ("phone", "1"))

Sample = tuple[str, str, str, tuple[Tag, ...], type[Reading]]
SAMPLES: tuple[Sample, ...] = (
    ("1", BUYER, "order-info", (TO_M, *ITEMS, ("shipping", "post"), ("amount", "30570"), *PERSONAL), OrderDraft),
    (
        "2",
        MERCHANT,
        "order-payment",
        (TO_B, ("amount", "5", "SATS"), ("payment", "lightning", "a@b.example"), EXPIRY),
        MoveOrder,
    ),
    (
        "2",
        BUYER,
        "order-payment",
        (TO_M, ("amount", "5"), ("payment", "lightning", "a@b.example"), ("payment", "bitcoin", "bc1q"), EXPIRY),
        AnnouncePayment,
    ),
    ("17", BUYER, "order-receipt", (TO_M, ("payment", "lightning", "lnbc1", "07" * 32), ("date", DATE)), ReportPayment),
    (
        "4",
        MERCHANT,
        "shipping-info",
        (TO_B, ("status", "shipped"), ("tracking", "T1"), ("carrier", "UPS"), ("eta", DATE)),
        MoveShipping,
    ),
    ("3", MERCHANT, "order-info", (TO_B, ("status", "processing"), ("date", DATE)), MoveOrder),
)
"""The draft's messages 1 to 6: the twin's `type` (or its kind), the author, the subject and the other tags."""


def a_message(author: str, subject: str, *tags: Tag, content: str = "A note.") -> Said:
    """A kind 15 as the draft prints it."""
    return a_rumor(15, *tags[:1], ("subject", subject), ORDER, *tags[1:], author=author, content=content)


def fault(said: Said) -> MessageFault:
    """Why it is no command; the reason quotes nothing of it."""
    with pytest.raises(MessageRefused) as caught:
        DIALECT.read(said)
    assert said.content not in str(caught.value)
    return caught.value.reason


@pytest.mark.req("T15-01")
@pytest.mark.parametrize("sample", SAMPLES, ids=[f"message {number}" for number in range(1, 7)])
def test_each_sample_of_the_draft_says_what_its_twin_says(sample: Sample) -> None:
    """The same command with the same fields, from the draft's kind 15 and from the spec's 16 and 17."""
    twin, author, subject, tags, meant = sample
    said = a_message(author, subject, *tags)
    gamma = a_rumor(17 if twin == "17" else 16, *said.tags, ("type", twin), author=author, content=said.content)

    assert recognise(said.kind, said.tags) is DIALECT
    assert isinstance(DIALECT.read(said), meant)
    assert DIALECT.read(said) == GAMMA.read(gamma)


def test_an_order_that_is_a_status_as_well_is_neither() -> None:
    """A-41: one subject for both, so that what has items and a status is set aside; so is what has neither."""
    assert fault(a_message(BUYER, "order-info", TO_M, *ITEMS, ("status", "cancelled"))) is MessageFault.AMBIGUOUS
    assert fault(a_message(BUYER, "order-info", TO_M)) is MessageFault.NO_ITEM
    cancelled = DIALECT.read(a_message(BUYER, "order-info", TO_M, ("status", "cancelled")))
    assert isinstance(cancelled, MoveOrder)
    assert (cancelled.order, cancelled.announce) == (a_key(), True)


def test_who_may_say_what_is_the_same_as_in_the_spec() -> None:
    """No parcel by a buyer, no order or receipt by the merchant, nothing for somebody else."""
    assert fault(a_message(BUYER, "shipping-info", TO_M, ("status", "shipped"))) is MessageFault.NOT_ALLOWED
    assert fault(a_message(MERCHANT, "order-info", TO_B, *ITEMS)) is MessageFault.NOT_ALLOWED
    paid = ("payment", "lightning", "lnbc1")
    assert fault(a_message(MERCHANT, "order-receipt", TO_B, paid)) is MessageFault.NOT_ALLOWED
    assert fault(a_message(BUYER, "order-info", ("p", "c1" * 32), *ITEMS)) is MessageFault.RECIPIENT_MISMATCH
    subjects = (("subject", "order-payment"),)
    assert fault(a_message(BUYER, "order-info", TO_M, *ITEMS, *subjects)) is MessageFault.AMBIGUOUS


FILE: tuple[Tag, ...] = (
    ("file-type", "image/png"),
    ("encryption-algorithm", "aes-gcm"),
    ("decryption-key", "00"),
    ("x", "11" * 32),
)


@pytest.mark.req("T15-02")
@pytest.mark.parametrize("tag", FILE, ids=[tag[0] for tag in FILE])
@pytest.mark.parametrize("subject", ["order-info", "order-receipt", "a picture", ""])
def test_a_file_message_is_no_order_activity(tag: Tag, subject: str) -> None:
    """Any one tag of NIP-17's makes it a person's file, whatever its subject: a letter that quotes the address."""
    said = a_message(BUYER, subject, TO_M, tag, content="https://files.example/1")

    assert recognise(said.kind, said.tags) is None
    letter = read_letter(said)
    assert (letter.kind, letter.text) == (MessageKind.FILE, f"https://files.example/1\n{tag[0]}: {tag[1]}")


@pytest.mark.req("T15-02")
def test_a_file_message_with_a_checkouts_tags_is_set_aside() -> None:
    """Neither an order nor a letter: nobody can tell which was meant."""
    said = a_message(BUYER, "order-info", TO_M, *ITEMS, *FILE)

    assert recognise(said.kind, said.tags) is None
    with pytest.raises(MessageRefused) as caught:
        read_letter(said)
    assert caught.value.reason is MessageFault.KNOWN_FOREIGN_DIALECT


def test_a_kind_15_of_another_subject_is_not_the_drafts() -> None:
    """Neither a file nor an order message."""
    for subject in ("", "hello", "order-1", "Order-Info"):
        assert recognise(15, (TO_M, ("subject", subject), ORDER)) is None
    assert recognise(16, (TO_M, ("subject", "order-info"), ORDER)) is GAMMA
