"""The API refuses figures that would be in the journal for ever and fit no column."""

from __future__ import annotations

import pytest
from pydantic import BaseModel, ValidationError

from schemas import limits
from schemas.goods import MarkReady
from schemas.holds import HoldOrder, ReleaseOrder, RenewOrder
from schemas.limits import Limit
from schemas.orders import MoveOrder, MoveShipping
from schemas.payments import WaivePayment
from schemas.reinstatement import ReinstateOrder
from services.api.app import SETTING_MAX, NewMerchant
from services.api.goods import Goods
from services.api.order_moves import Refund, Shipment, order_move
from tests.support.builders import MERCHANT, a_key


@pytest.mark.parametrize("eta", [-1, limits.TIME.most + 1, 10**40])
def test_a_delivery_time_that_is_no_time_is_refused(eta: int) -> None:
    """Unix seconds have at most eleven digits, whoever writes them."""
    assert Shipment(eta=limits.TIME.most).eta == limits.TIME.most
    with pytest.raises(ValidationError):
        Shipment(eta=eta)


TEXTS: list[tuple[Limit, type[BaseModel], str, dict[str, object]]] = [
    (limits.GOODS_TEXT, Goods, "text", {"coordinate": "x"}),
    (limits.PARCEL_NAME, Shipment, "parcel", {}),
    (limits.REFUND_RAIL, Refund, "rail", {"sats": 1}),
    (limits.REFUND_REFERENCE, Refund, "reference", {"sats": 1, "rail": "cash"}),
    (limits.REFUND_REASON, Refund, "reason", {"sats": 1, "rail": "cash"}),
]


@pytest.mark.parametrize(("limit", "body", "field", "rest"), TEXTS, ids=[row[0].what for row in TEXTS])
def test_a_text_at_the_limit_is_taken_and_one_more_is_not(
    limit: Limit, body: type[BaseModel], field: str, rest: dict[str, object]
) -> None:
    """What stands in the journal for ever has a bound, whoever writes it."""
    assert body.model_validate({**rest, field: "x" * limit.most})
    for count in {limit.most + 1, limit.least - 1} - {-1}:
        with pytest.raises(ValidationError):
            body.model_validate({**rest, field: "x" * count})


@pytest.mark.parametrize(
    ("word", "command"),
    [
        ("hold", HoldOrder),
        ("release", ReleaseOrder),
        ("ready", MarkReady),
        ("renew", RenewOrder),
        ("waive", WaivePayment),
        ("reinstate", ReinstateOrder),
        ("confirm", MoveOrder),
        ("ship", MoveShipping),
    ],
)
def test_each_word_of_the_operator_is_one_command(word: str, command: type[BaseModel]) -> None:
    """A word that is none is none."""
    assert isinstance(order_move(a_key(), word, Shipment(parcel="2"), "operator 1"), command)
    assert order_move(a_key(), "eat", Shipment(), "operator 1") is None


def test_a_shops_rules_are_numbers_that_can_be_kept() -> None:
    """A rule with thirty digits would end in no table."""
    assert NewMerchant.model_validate(_shop(SETTING_MAX)).settings
    with pytest.raises(ValidationError):
        NewMerchant.model_validate(_shop(SETTING_MAX + 1))


def _shop(request_ttl_s: int) -> dict[str, object]:
    return {"public_key": MERCHANT, "name": "shop", "settings": {"request_ttl_s": request_ttl_s}}
