"""Checks what a merchant is told about preferences that contradict themselves."""

from __future__ import annotations

import pytest

from schemas.preferences import PreferenceFlaw
from services.cli.doctor import _preferences
from services.cli.payment_choice import ADVICE, findings
from tests.support.builders import MERCHANT, OTHER_MERCHANT

SHOPS = [{"public_key": MERCHANT, "name": "vases"}]


def choice(*flaws: str, merchant: str = MERCHANT) -> dict[str, object]:
    """What the API says of a shop."""
    return {"merchant": merchant, "flow": "manual", "flaws": list(flaws)}


def test_every_flaw_is_explained_with_what_to_do() -> None:
    """In words, beside its code."""
    assert set(ADVICE) == set(PreferenceFlaw)
    assert all(meaning and remedy for meaning, remedy in ADVICE.values())


def test_findings_name_the_shop_and_an_unknown_code_explains_itself() -> None:
    """Versions run side by side."""
    rows = list(findings([choice("new_flaw"), choice(merchant=OTHER_MERCHANT)], {MERCHANT: "vases"}))

    assert rows == [("vases", "new_flaw", "new flaw", "")]


@pytest.mark.parametrize("flaw", PreferenceFlaw)
def test_the_doctor_names_every_flaw_and_calls_wrong_what_keeps_a_merchant_from_being_paid_as_wanted(
    flaw: PreferenceFlaw,
) -> None:
    """What is merely odd is said and is no fault."""
    found = _preferences(SHOPS, [choice(flaw)])

    assert ADVICE[flaw][0] in found.finding
    assert found.advice == "ncc merchant check"
    harmless = {PreferenceFlaw.LOCK_KEY_IS_IDENTITY, PreferenceFlaw.READ_WITH_WARNINGS}
    assert found.ok is (flaw in harmless)
    assert _preferences(SHOPS, [choice()]).ok
