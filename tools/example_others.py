"""Examples of the contracts that are no command and no event: rows, deliveries, configuration."""

from __future__ import annotations

from decimal import Decimal

from pydantic import BaseModel

from schemas.deliveries import Delivery, DeliveryState, Owed, RelayOutcome
from schemas.merchants import Merchant, RelayCursor
from schemas.orders import (
    OrderLine,
    OrderStatus,
    ShippingStatus,
)
from schemas.payments import (
    PaymentAxis,
)
from schemas.quarantine import Quarantined
from schemas.reviews import (
    Level,
)
from schemas.rows import InventoryRow, MessageRow, OrderRow, RatingRow, ReviewRow
from schemas.values import Actor
from tools.example_values import (
    AT_MS,
    AT_S,
    BUYER,
    EVENT,
    MERCHANT,
    ORDER,
    REVIEW,
    RUMOR,
    VASE,
)

OTHERS: tuple[BaseModel, ...] = (
    Merchant(public_key=MERCHANT, name="Vases", relays=("wss://relay.example",), added_ms=AT_MS),
    RelayCursor(relay="wss://relay.example", cursor_key="inbox 3", complete_s=AT_S),
    Quarantined(
        id="c3" * 16,
        reason="bad_sig",
        detail="the signature is not the author's",
        stage="intake",
        merchant=None,
        relay="wss://relay.example",
        at_ms=AT_MS,
        original='{"id":"…"}',
        topic="ncc.raw",
        partition=3,
        offset=1207,
    ),
    Owed(
        delivery=Delivery(
            effect_id=f"reply:{ORDER.ref}:1",
            merchant=MERCHANT,
            order_ref=ORDER.ref,
            what="payment_request",
            event_id=EVENT,
            sequence=7,
            state=DeliveryState.DELIVERED,
            outcomes=(RelayOutcome(relay="wss://relay.example", outcome="accepted"),),
            at_ms=AT_MS,
        ),
        offset=11,
        since_ms=AT_MS,
        relays=("wss://away.example",),
        copies=("wss://home.example",),
    ),
    Delivery(
        effect_id=f"reply:{ORDER.ref}:1",
        merchant=MERCHANT,
        order_ref=ORDER.ref,
        what="payment_request",
        event_id=EVENT,
        sequence=7,
        state=DeliveryState.DELIVERED,
        compat_route=True,
        outcomes=(RelayOutcome(relay="wss://relay.example", outcome="accepted"),),
        at_ms=AT_MS,
    ),
    OrderRow(
        key=ORDER,
        ref=ORDER.ref,
        dialect="gamma",
        revision=1,
        status=OrderStatus.CONFIRMED,
        payment=PaymentAxis.PAID,
        shipping=ShippingStatus.SHIPPED,
        lines=(OrderLine(coordinate=VASE, quantity=2),),
        country="US",
        total_msat=30_570_000,
        paid_msat=30_570_000,
        tracking="T-1",
        placed_ms=AT_MS,
        requested_ms=AT_MS + 20,
        confirmed_ms=AT_MS + 60_000,
        updated_ms=AT_MS + 60_000,
        partition=3,
        sequence=9,
    ),
    InventoryRow(
        merchant=MERCHANT,
        coordinate=VASE,
        title="Vase",
        price="10.99 USD",
        on_hand=3,
        held=1,
        sold=2,
        updated_ms=AT_MS,
        partition=3,
        sequence=9,
    ),
    ReviewRow(
        merchant=MERCHANT,
        product=VASE,
        author=BUYER,
        event_id="e3" * 32,
        thumb=Decimal(1),
        score=REVIEW.score,
        strict_score=REVIEW.strict_score,
        categories=(("quality", Decimal("0.8")),),
        reviewed_at=AT_S,
        updated_ms=AT_MS,
        partition=3,
        sequence=10,
    ),
    RatingRow(
        merchant=MERCHANT,
        level=Level.PARENT,
        target=VASE,
        reviews=2,
        verified=1,
        total=Decimal("1.3"),
        mean=Decimal("0.65"),
        stars=(0, 0, 1, 1, 0),
        updated_ms=AT_MS,
        partition=3,
        sequence=10,
    ),
    MessageRow(
        merchant=MERCHANT,
        buyer=BUYER,
        name=RUMOR,
        author=Actor.BUYER,
        order_ref=ORDER.ref,
        answers="f2" * 32,
        said_ms=AT_MS,
        updated_ms=AT_MS,
        partition=3,
        sequence=11,
    ),
)
