"""Checks the sentences buyers read: whole, without codes, and without a person's data in the wrong place."""

import pytest

from schemas import limits
from schemas.orders import Finding, ShippingStatus
from schemas.values import Refusal, Waiting
from streams.domain.wording import parcel, rejected, waiting


@pytest.mark.parametrize("refusal", list(Refusal))
def test_every_refusal_has_a_sentence(refusal: Refusal) -> None:
    """No reason reaches a buyer as a code, and braces in a title do no harm."""
    text = rejected((Finding(refusal=refusal, subject="Tea {0} {subject}"),))

    assert text.startswith("Your order cannot be accepted: ")
    assert "_" not in text


@pytest.mark.parametrize("reason", list(Waiting))
def test_every_wait_says_what_for(reason: Waiting) -> None:
    """The detail stands in the sentence."""
    text = waiting(reason, "Tea {detail}")

    assert "Tea {detail}" in text
    assert text.endswith(".")


@pytest.mark.parametrize("status", list(ShippingStatus))
def test_every_parcel_state_has_a_sentence_with_its_tracking_if_there_is_one(status: ShippingStatus) -> None:
    """What is not known is not mentioned."""
    assert "Tracking" not in parcel(status, None, None)
    assert "Carrier" not in parcel(status, None, None)
    assert parcel(status, "T1", "Post").endswith("Carrier: Post. Tracking: T1.")


def test_no_sentence_is_too_long_to_be_sent() -> None:
    """A hundred unknown addresses, each as long as a message can carry, still make an answer that can be wrapped."""
    findings = tuple(Finding(refusal=Refusal.UNKNOWN_ITEM, subject=f"30402:{'é' * 500}{n}") for n in range(100))

    for text in (rejected(findings), waiting(Waiting.SHIPPING_CHOICE, "ü" * 50_000)):
        assert len(text) <= limits.REPLY_TEXT.most
        assert text.endswith((".", "…."))
