"""The API refuses figures that would be in the journal for ever and fit no column."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from schemas import limits
from services.api.app import SETTING_MAX, NewMerchant, Shipment
from tests.support.builders import MERCHANT


@pytest.mark.parametrize("eta", [-1, limits.TIME.most + 1, 10**40])
def test_a_delivery_time_that_is_no_time_is_refused(eta: int) -> None:
    """Unix seconds have at most eleven digits, whoever writes them."""
    assert Shipment(eta=limits.TIME.most).eta == limits.TIME.most
    with pytest.raises(ValidationError):
        Shipment(eta=eta)


def test_a_shops_rules_are_numbers_that_can_be_kept() -> None:
    """A rule with thirty digits would end in no table."""
    assert NewMerchant.model_validate(_shop(SETTING_MAX)).settings
    with pytest.raises(ValidationError):
        NewMerchant.model_validate(_shop(SETTING_MAX + 1))


def _shop(request_ttl_s: int) -> dict[str, object]:
    return {"public_key": MERCHANT, "name": "shop", "settings": {"request_ttl_s": request_ttl_s}}
