"""Turns state rows, delivery reports and quarantined input into rows of their tables: pure, no personal data."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from schemas.deliveries import Delivery
from schemas.orders import LINES_MAX
from schemas.quarantine import Quarantined
from schemas.reviews import Level
from schemas.rows import InventoryRow, MessageRow, OfferRow, OrderRow, RatingRow, ReviewRow
from services.metrics.ranges import (
    coordinate_or_empty,
    country_or_empty,
    instant,
    instant_or_none,
    int64,
    score,
    short,
)


class OrderStateRow(NamedTuple):
    """A row of `orders`, in its columns' order."""

    merchant: str
    ref: str
    buyer: str
    order_id: str
    dialect: str
    revision: int
    status: str
    payment: str
    shipping: str
    reason: str
    coordinates: list[str]
    quantities: list[int]
    country: str
    total_msat: int | None
    paid_msat: int
    tracking: str
    cancellation_requested: bool
    leaky: bool
    message_deleted: bool
    placed_at: int
    requested_at: int | None
    confirmed_at: int | None
    updated_at: int
    partition: int
    sequence: int
    on_hold: bool
    ready: bool
    implied_payment: bool
    refunded_msat: int
    parcels: list[str]
    parcel_states: list[str]
    next_due_at: int | None
    owed_msat: int
    reversed_msat: int
    token_refused: str
    request_forgotten: bool
    payout: str


class InventoryStateRow(NamedTuple):
    """A row of `inventory`, in its columns' order."""

    merchant: str
    coordinate: str
    title: str
    price: str
    on_hand: int | None
    held: int
    sold: int
    withdrawn: bool
    updated_at: int
    partition: int
    sequence: int


class ReviewStateRow(NamedTuple):
    """A row of `reviews`, in its columns' order."""

    merchant: str
    product: str
    author: str
    event_id: str
    thumb: Decimal
    score: Decimal
    strict_score: Decimal
    categories: list[str]
    category_scores: list[Decimal]
    reviewed_at: int
    withdrawn: bool
    standing: str
    is_verified: bool
    parent: str
    updated_at: int
    partition: int
    sequence: int


class RatingStateRow(NamedTuple):
    """A row of `ratings`, in its columns' order."""

    merchant: str
    level: str
    target: str
    category: str
    reviews: int
    verified: int
    total: Decimal
    mean: Decimal | None
    stars: list[int]
    updated_at: int
    partition: int
    sequence: int


class MessageStateRow(NamedTuple):
    """A row of `messages`, in its columns' order."""

    merchant: str
    buyer: str
    name: str
    author: str
    kind: str
    order_ref: str
    answers: str
    is_answer: bool
    is_room: bool
    deleted: bool
    said_at: int
    updated_at: int
    partition: int
    sequence: int


class OfferStateRow(NamedTuple):
    """A row of `offers`, in its columns' order."""

    merchant: str
    coordinate: str
    event_id: str
    title: str
    body: str
    created_at: int
    withdrawn: bool
    updated_at: int
    partition: int
    sequence: int


class DeliveryStateRow(NamedTuple):
    """A row of `deliveries`, in its columns' order."""

    merchant: str
    effect_id: str
    event_id: str
    order_ref: str
    what: str
    state: str
    compat_route: bool
    relays: list[str]
    outcomes: list[str]
    journal_sequence: int
    at: int


class QuarantineStateRow(NamedTuple):
    """A row of `quarantine`, in its columns' order."""

    id: str
    reason: str
    detail: str
    stage: str
    merchant: str
    relay: str
    topic: str
    partition: int | None
    offset: int | None
    at: int


def order_row(row: OrderRow) -> OrderStateRow:
    """An order as it stands, without anything of its address or its messages."""
    return OrderStateRow(
        merchant=row.key.merchant,
        ref=row.ref,
        buyer=row.key.buyer,
        order_id=row.key.order_id,
        dialect=short(row.dialect),
        revision=row.revision,
        status=row.status.value,
        payment=row.payment.value,
        shipping=row.shipping.value,
        reason=short(row.reason),
        coordinates=[coordinate_or_empty(line.coordinate) for line in row.lines[:LINES_MAX]],
        quantities=[int64(line.quantity) for line in row.lines[:LINES_MAX]],
        country=country_or_empty(row.country),
        total_msat=None if row.total_msat is None else int64(row.total_msat),
        paid_msat=int64(row.paid_msat),
        tracking=short(row.tracking or ""),
        cancellation_requested=row.cancellation_requested,
        leaky=row.leaky,
        message_deleted=row.message_deleted,
        placed_at=instant(row.placed_ms),
        requested_at=instant_or_none(row.requested_ms),
        confirmed_at=instant_or_none(row.confirmed_ms),
        updated_at=instant(row.updated_ms),
        partition=row.partition,
        sequence=row.sequence,
        on_hold=row.on_hold,
        ready=row.ready,
        implied_payment=row.implied_payment,
        refunded_msat=int64(row.refunded_msat),
        parcels=[short(one.name) for one in row.parcels],
        parcel_states=[one.status.value for one in row.parcels],
        next_due_at=instant_or_none(min((one.due_ms for one in row.renewals if one.due_ms), default=None)),
        owed_msat=int64(row.owed_msat),
        reversed_msat=int64(row.reversed_msat),
        token_refused=short(row.token_refused),
        request_forgotten=row.request_forgotten,
        payout=row.payout,
    )


def inventory_row(row: InventoryRow) -> InventoryStateRow:
    """One listing's stock as it stands."""
    return InventoryStateRow(
        merchant=row.merchant,
        coordinate=coordinate_or_empty(row.coordinate),
        title=short(row.title),
        price=short(row.price),
        on_hand=None if row.on_hand is None else int64(row.on_hand),
        held=int64(row.held),
        sold=int64(row.sold),
        withdrawn=row.withdrawn,
        updated_at=instant(row.updated_ms),
        partition=row.partition,
        sequence=row.sequence,
    )


def review_row(row: ReviewRow) -> ReviewStateRow:
    """One author's review as it stands; its text is not in the contract and not here."""
    return ReviewStateRow(
        merchant=row.merchant,
        product=coordinate_or_empty(row.product),
        author=row.author,
        event_id=row.event_id,
        thumb=score(row.thumb),
        score=score(row.score),
        strict_score=score(row.strict_score),
        categories=[short(category) for category, _ in row.categories],
        category_scores=[score(value) for _, value in row.categories],
        reviewed_at=instant(row.reviewed_at * 1_000),
        withdrawn=row.withdrawn,
        standing=row.standing.value,
        is_verified=row.is_verified,
        parent=coordinate_or_empty(row.parent or ""),
        updated_at=instant(row.updated_ms),
        partition=row.partition,
        sequence=row.sequence,
    )


def rating_row(row: RatingRow) -> RatingStateRow:
    """One figure of all reviews that count for a product, a variable product or a shop."""
    return RatingStateRow(
        merchant=row.merchant,
        level=row.level.value,
        target=row.target if row.level is Level.MERCHANT else coordinate_or_empty(row.target),
        category=short(row.category),
        reviews=int64(row.reviews),
        verified=int64(row.verified),
        total=row.total,
        mean=row.mean,
        stars=[int64(count) for count in row.stars],
        updated_at=instant(row.updated_ms),
        partition=row.partition,
        sequence=row.sequence,
    )


def message_row(row: MessageRow) -> MessageStateRow:
    """One message with a person as it stands; its text is sealed in the journal and not here."""
    return MessageStateRow(
        merchant=row.merchant,
        buyer=row.buyer,
        name=row.name,
        author=row.author.value,
        kind=row.kind.value,
        order_ref=row.order_ref,
        answers=row.answers,
        is_answer=row.is_answer,
        is_room=row.is_room,
        deleted=row.deleted,
        said_at=instant(row.said_ms),
        updated_at=instant(row.updated_ms),
        partition=row.partition,
        sequence=row.sequence,
    )


def offer_row(row: OfferRow) -> OfferStateRow:
    """What is published, as it counts; drafts are encrypted."""
    return OfferStateRow(
        merchant=row.merchant,
        coordinate=coordinate_or_empty(row.coordinate),
        event_id=row.event_id,
        title=short(row.title),
        body=row.body,
        created_at=instant(row.created_at * 1_000),
        withdrawn=row.withdrawn,
        updated_at=instant(row.updated_ms),
        partition=row.partition,
        sequence=row.sequence,
    )


def delivery_row(report: Delivery) -> DeliveryStateRow:
    """What became of one message; a relay's own words may repeat what it was sent, so they stay behind."""
    return DeliveryStateRow(
        merchant=report.merchant,
        effect_id=short(report.effect_id),
        event_id=short(report.event_id),
        order_ref=report.order_ref or "",
        what=short(report.what),
        state=report.state.value,
        compat_route=report.compat_route,
        relays=[short(outcome.relay) for outcome in report.outcomes],
        outcomes=[short(outcome.outcome, 32) for outcome in report.outcomes],
        journal_sequence=report.sequence,
        at=instant(report.at_ms),
    )


def quarantine_row(quarantined: Quarantined) -> QuarantineStateRow:
    """Why an input became no fact, and where; never the input."""
    return QuarantineStateRow(
        id=short(quarantined.id),
        reason=short(quarantined.reason),
        detail=short(quarantined.detail),
        stage=short(quarantined.stage),
        merchant=short(quarantined.merchant or ""),
        relay=short(quarantined.relay or ""),
        topic=short(quarantined.topic or ""),
        partition=quarantined.partition,
        offset=quarantined.offset,
        at=instant(quarantined.at_ms),
    )
