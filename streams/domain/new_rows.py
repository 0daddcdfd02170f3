"""Rows that one fact makes whole: an order placed, one of the past, what is published. `projections` changes them."""

from __future__ import annotations

from typing import NamedTuple

from schemas.catalogue import (
    Collection,
    Listing,
    ShippingOption,
    Withdrawn,
)
from schemas.orders import (
    LEAKY,
    OrderPlaced,
    OrderStatus,
    ShippingStatus,
)
from schemas.past import PastOrder
from schemas.payments import (
    PaymentAxis,
)
from schemas.publishing import Draft, RelayNames
from schemas.rows import OfferRow, OrderRow


class Stamp(NamedTuple):
    """When and where the record stands that is being folded."""

    merchant: str
    at_ms: int
    partition: int
    sequence: int


def placed(row: OrderRow | None, event: OrderPlaced, stamp: Stamp) -> OrderRow:
    return OrderRow(
        key=event.order,
        ref=event.order.ref,
        dialect=event.dialect,
        revision=event.revision,
        status=OrderStatus.WAITING,
        payment=PaymentAxis.NONE,
        shipping=ShippingStatus.NONE,
        lines=event.lines,
        country=event.destination.country,
        leaky=LEAKY in event.warnings or (row is not None and row.leaky),
        message_deleted=False,
        paid_msat=row.paid_msat if row else 0,
        refunded_msat=row.refunded_msat if row else 0,
        owed_msat=row.owed_msat if row else 0,
        reversed_msat=row.reversed_msat if row else 0,
        on_hold=row.on_hold if row else False,
        placed_ms=row.placed_ms if row else stamp.at_ms,
        updated_ms=stamp.at_ms,
        partition=stamp.partition,
        sequence=stamp.sequence,
    )


def past_order(past: PastOrder, stamp: Stamp) -> OrderRow:
    """A past order as relays tell of it; its time is its writer's word."""
    return OrderRow(
        key=past.order,
        ref=past.order.ref,
        dialect=past.dialect,
        revision=0,
        status=past.status,
        payment=PaymentAxis.REPORTED if past.is_reported else PaymentAxis.NONE,
        shipping=past.shipping,
        reason="past",
        lines=past.lines,
        country=past.country,
        cancellation_requested=past.buyer_cancelled,
        placed_ms=past.said_at * 1_000,
        updated_ms=stamp.at_ms,
        partition=stamp.partition,
        sequence=stamp.sequence,
    )


def offered(
    coordinate: str, title: str, said: Listing | ShippingOption | Collection | Draft | RelayNames, stamp: Stamp
) -> OfferRow:
    return OfferRow(
        merchant=stamp.merchant,
        coordinate=coordinate,
        event_id=said.event_id,
        created_at=said.created_at,
        title=title,
        body=said.model_dump_json(),
        updated_ms=stamp.at_ms,
        partition=stamp.partition,
        sequence=stamp.sequence,
    )


def outlives(row: OfferRow, event: Withdrawn) -> bool:
    """Whether the version in the row wins over what was deleted, as the shop itself sees it."""
    wins_by_id = event.event_id is not None and row.event_id < event.event_id
    return row.created_at > event.deleted_at or (row.created_at == event.deleted_at and wins_by_id)
