"""State rows, deliveries and quarantined input as rows of their tables."""

from __future__ import annotations

from decimal import Decimal

import pytest

from schemas.deliveries import Delivery, DeliveryState, RelayOutcome
from schemas.orders import OrderLine
from schemas.quarantine import Quarantined
from schemas.rows import InventoryRow, OrderRow, ReviewRow
from services.metrics.state_rows import delivery_row, inventory_row, order_row, quarantine_row, review_row
from tests.services.metrics.scenes import only, state_rows, ten_orders
from tests.support.builders import BUYER, MERCHANT, NOW_MS, an_id, product

ROWS = state_rows(ten_orders().journal)


def a_delivery(**fields: object) -> Delivery:
    """A message that one relay took and one refused."""
    return Delivery.model_validate(
        {
            "effect_id": "reply:0123456789abcdef:1",
            "merchant": MERCHANT,
            "order_ref": "0123456789abcdef",
            "what": "reply",
            "event_id": an_id("wrap"),
            "sequence": 5,
            "state": DeliveryState.DELIVERED,
            "outcomes": (
                RelayOutcome(relay="wss://one", outcome="accepted"),
                RelayOutcome(relay="wss://two", outcome="refused", message="blocked: SECRET"),
            ),
            "at_ms": NOW_MS,
            **fields,
        }
    )


def quarantined(**fields: object) -> Quarantined:
    """Input that no key opened."""
    return Quarantined.model_validate(
        {
            "id": "q1",
            "reason": "wrong_key",
            "detail": "the wrap is for nobody here",
            "stage": "intake",
            "merchant": None,
            "relay": "wss://one",
            "at_ms": NOW_MS,
            "original": "SECRET",
            **fields,
        }
    )


def test_an_order_keeps_what_is_needed_to_act_on_it() -> None:
    """Buyer and order id make the order's key; lines are two arrays of one length."""
    row = order_row(only(OrderRow, ROWS)[-1])
    assert (row.merchant, len(row.buyer), row.order_id) == (MERCHANT, 64, "order-10")
    assert (row.coordinates, row.quantities) == ([product("tea")], [1])


def test_untracked_stock_stays_unknown() -> None:
    """None on hand is not zero on hand."""
    vase = next(row for row in only(InventoryRow, ROWS) if row.coordinate == product("vase"))
    assert inventory_row(vase).on_hand is None


def test_scores_are_exact_decimals() -> None:
    """A mean of three is kept to 18 places, never as a float."""
    row = only(ReviewRow, ROWS)[0].model_copy(update={"score": Decimal(1) / 3})
    assert str(review_row(row).score) == "0.333333333333333333"


def test_a_review_from_beyond_time_is_stored_at_its_end() -> None:
    """`created_at` is whatever its author wrote."""
    row = only(ReviewRow, ROWS)[0].model_copy(update={"reviewed_at": 2**62})
    assert review_row(row).reviewed_at == 10_413_791_999_999


@pytest.mark.req("OPS-08")
def test_a_relays_own_words_stay_behind() -> None:
    """A relay may repeat what it was sent; the outcome is one of a few words."""
    row = delivery_row(a_delivery())
    assert (row.relays, row.outcomes) == (["wss://one", "wss://two"], ["accepted", "refused"])
    assert "SECRET" not in repr(row)


def test_the_quarantined_original_stays_in_kafka() -> None:
    """Only why and where it was met is stored."""
    row = quarantine_row(quarantined())
    assert (row.id, row.reason, row.merchant, row.relay) == ("q1", "wrong_key", "", "wss://one")
    assert "SECRET" not in repr(row)


def test_addresses_that_are_too_long_stay_different() -> None:
    """A cut address ends with a hash of the whole."""
    long = [OrderLine(coordinate=product("x" * 500 + end), quantity=1) for end in "ab"]
    row = order_row(only(OrderRow, ROWS)[0].model_copy(update={"lines": tuple(long)}))
    assert len(set(row.coordinates)) == 2
    assert {len(coordinate) for coordinate in row.coordinates} == {400}


def test_no_state_row_of_a_history_holds_more_of_a_buyer_than_the_key() -> None:
    """Country is readable on purpose, everything else about a person is not there."""
    rows = [order_row(row) for row in only(OrderRow, ROWS)]
    assert {row.country for row in rows} == {"DE"}
    assert BUYER not in repr(rows)
