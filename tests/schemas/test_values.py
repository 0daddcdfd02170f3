"""Checks the small values everything else is made of."""

import pytest
from pydantic import ValidationError

from schemas.rows import InventoryRow
from schemas.values import MSAT_PER_SAT, OrderKey, Refusal
from tests.support.builders import BUYER, MERCHANT, NOW_MS, OTHER_BUYER, a_key, product


@pytest.mark.parametrize("order_id", ["x", " ", "~", "x" * 128, "42", "a:b"])
def test_an_order_id_is_printable_ascii_of_up_to_128(order_id: str) -> None:
    """The buyer's own words, otherwise."""
    assert a_key(order_id).order_id == order_id


@pytest.mark.parametrize("order_id", ["", "x" * 129, "a\n", "\na", "a\tb", "é", "\x00", "１", "\u202e"])
def test_what_is_no_order_id(order_id: str) -> None:
    """Nothing that breaks a table, a log line or a file name's reading direction."""
    with pytest.raises(ValidationError):
        a_key(order_id)


@pytest.mark.parametrize("key", ["", "a1" * 31, "a1" * 33, "A1" * 32, "g1" * 32, "a1" * 32 + "\n", "npub1" + "q" * 59])
def test_what_is_no_public_key(key: str) -> None:
    """64 lower-case hex digits, and nothing after them."""
    with pytest.raises(ValidationError):
        OrderKey(merchant=MERCHANT, buyer=key, order_id="1")


@pytest.mark.req("ORD-01")
def test_an_orders_short_name_follows_from_its_three_parts() -> None:
    """The same everywhere, another for another buyer, 32 hex digits."""
    keys = [a_key("1"), a_key("2"), a_key("1", OTHER_BUYER), a_key("1", MERCHANT, BUYER)]

    assert len({key.ref for key in keys}) == 4
    assert a_key("1").ref == keys[0].ref
    assert all(len(key.ref) == 32 and int(key.ref, 16) >= 0 for key in keys)


def test_a_validation_error_shows_no_input() -> None:
    """Errors end in logs."""
    with pytest.raises(ValidationError) as caught:
        a_key("secret é")
    assert "secret" not in str(caught.value)


def test_refusals_are_listed_in_order_of_precedence() -> None:
    """Lines before stock, stock before shipping, shipping before price (ORD-04)."""
    order = [refusal.value for refusal in Refusal]

    assert order.index("bad_quantity") < order.index("insufficient_stock") < order.index("unknown_shipping")
    assert order.index("weight_over_max") < order.index("unpriceable")


def test_a_sat_is_a_thousand_msat_and_an_untracked_row_has_no_number() -> None:
    """Units and the one computed field of a row."""
    row = InventoryRow(merchant=MERCHANT, coordinate=product(), held=2, updated_ms=NOW_MS, partition=0, sequence=1)

    assert MSAT_PER_SAT == 1_000
    assert row.available is None
    assert row.model_copy(update={"on_hand": 5}).available == 3
