"""Which lightning address a shop may have: one that somebody serves, and no other shop's."""

from __future__ import annotations

import pytest

from schemas.merchants import Merchant
from schemas.shops import ShopSettings
from services.api.served import refuse_address
from tests.support.builders import MERCHANT, NOW_MS, OTHER_MERCHANT

DOOR = "http://127.0.0.1:8090"


def a_shop(public_key: str, lightning_address: str) -> Merchant:
    """A shop with this address."""
    settings = ShopSettings(lightning_address=lightning_address)
    return Merchant(public_key=public_key, name=f"shop {public_key[:2]}", settings=settings, added_ms=NOW_MS)


def test_an_address_that_nobody_serves_is_refused_in_a_sentence() -> None:
    """The door is not open; a shop without an address needs none."""
    with pytest.raises(ValueError, match="open the buyers' door first"):
        refuse_address(a_shop(MERCHANT, "tea@shop.example"), [], "")
    refuse_address(a_shop(MERCHANT, ""), [], "")


def test_a_name_is_one_shops_alone() -> None:
    """Under another host as well, since the host is not looked at; the shop itself may say it again."""
    other = a_shop(OTHER_MERCHANT, "tea@other.example")
    with pytest.raises(ValueError, match="has the name tea already"):
        refuse_address(a_shop(MERCHANT, "tea@shop.example"), [other], DOOR)
    refuse_address(a_shop(MERCHANT, "pots@shop.example"), [other, a_shop(MERCHANT, "pots@old.example")], DOOR)
