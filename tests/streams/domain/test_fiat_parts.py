"""What a buyer reads of a part of their money, where the shop asked for its own currency."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given as given_any
from hypothesis import settings
from hypothesis import strategies as st

from schemas.catalogue import RecordListing
from schemas.currencies import FiatTotal
from schemas.orders import Charge
from schemas.payments import BackendState, PaymentWanted, RecordPaymentRequest, intent_id
from schemas.replies import PaymentRequestReply, TextReply
from schemas.texts.phrases import Language
from streams.domain.money import fiat_parts
from tests.support.builders import a_key, a_listing, an_order
from tests.support.steps import paid, requested
from tests.support.story import Story, given

MUG = RecordListing(listing=a_listing("mug", "15.285", "USD"))
"""Two of them are 30.57 USD, or 30,570 sats."""


def usd(amount: str) -> FiatTotal:
    return FiatTotal(amount=Decimal(amount), currency="USD")


def by_hand(sats: int = 30_570, part: int = 1) -> RecordPaymentRequest:
    """The merchant's words, and the sum, say how to pay."""
    words = {"medium": "fiat", "text": f"To Ann's Teas, {part}", "payment_hash": None}
    return requested(sats).model_copy(update=words | {"intent_id": intent_id(a_key(), 1, part=part)})


def mugs() -> Story:
    return given(MUG, an_order(("mug", 2)))


def told(story: Story) -> str:
    reply = story.reply()
    assert isinstance(reply, TextReply | PaymentRequestReply)
    return reply.text


def test_a_part_is_told_in_the_currency_that_was_asked_for() -> None:
    """The buyer sent dollars, and sends the rest of them."""
    story = mugs().when(by_hand()).when(paid(20_010, state=BackendState.PARTIAL))
    assert told(story) == "20.01 USD arrived so far; 10.56 USD are missing. Please pay them to the same request."
    story.when(paid(30_560, state=BackendState.PARTIAL))
    assert told(story).startswith("30.56 USD arrived so far; 0.01 USD are missing.")


def test_a_part_of_a_request_in_bitcoin_is_told_in_sats() -> None:
    """Whatever the shop's prices are in; so is one after another wallet asked anew."""
    story = mugs().when(requested(30_570)).when(paid(20_010, state=BackendState.PARTIAL))
    assert told(story).startswith("20010 sats arrived so far; 10560 sats are missing.")


def test_the_rest_of_a_request_that_is_used_up_is_asked_for_in_the_same_words() -> None:
    """The text, the request for the rest and the wallet that makes it name one sum."""
    story = mugs().when(by_hand()).when(paid(20_010))
    rest = story.one(PaymentWanted)
    assert (rest.fiat, rest.amount_msat) == (usd("10.56"), 10_560_000)
    story.when(by_hand(10_560, part=2))
    assert told(story).startswith("20.01 USD of your payment arrived. Please pay the missing 10.56 USD.")


@pytest.mark.parametrize(
    ("language", "begin"),
    [(Language.GERMAN, "Bisher sind 20,01 USD angekommen; 10,56"), (Language.SPANISH, "Hasta ahora han llegado 20,01")],
)
def test_a_part_is_told_in_the_buyers_language(language: Language, begin: str) -> None:
    """With its decimal sign."""
    order = an_order(("mug", 2)).model_copy(update={"language": language})
    assert told(given(MUG, order).when(by_hand()).when(paid(20_010, state=BackendState.PARTIAL))).startswith(begin)


@settings(derandomize=True, max_examples=300, deadline=None)
@given_any(st.integers(2, 10**7), st.integers(2, 10**6), st.data())
def test_what_came_is_told_to_the_cent(units: int, msat_per_unit: int, data: st.DataObject) -> None:
    """A back-end rounds what it saw down to the msat; that makes no cent of it."""
    total_msat = units * msat_per_unit + data.draw(st.integers(0, msat_per_unit))
    came = data.draw(st.integers(1, units - 1))
    charge = Charge(label="x", amount=Decimal(units).scaleb(-2), currency="USD")
    parts = fiat_parts([charge], total_msat - total_msat * came // units, total_msat)
    assert parts is not None
    assert (parts.paid.minor_units, parts.missing.minor_units) == (came, units - came)


def test_a_missing_msat_is_the_smallest_unit_and_never_nothing() -> None:
    """Nobody is asked for 0.00; prices in bitcoin, or in two currencies, have no such parts."""
    dollar, sat = (Charge(label="x", amount=Decimal(1), currency=name) for name in ("USD", "SATS"))
    parts = fiat_parts([dollar], 1, 1_000_000)
    assert parts == (usd("0.99"), usd("0.01"))
    assert fiat_parts([sat], 1, 1_000) is None
    assert fiat_parts([dollar, sat], 1, 1_000) is None
