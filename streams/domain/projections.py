"""Journal records folded into the rows people look at: orders, inventory, reviews, ratings, offers (D4).

Idempotent: a row that already reflects a record's sequence is left alone,
so tables ahead of or behind the log end up right all the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from schemas.absence import RequestForgotten, RequestRecalled
from schemas.catalogue import (
    CollectionRecorded,
    ListingRecorded,
    ListingRevised,
    ShippingOptionRecorded,
    Withdrawn,
)
from schemas.ecash import TokenHandedIn, TokenRefused
from schemas.goods import PickupReady
from schemas.holds import OrderHeld, OrderReleased, OrderRenewed
from schemas.inbox import AnswerPromised, MessageDeleted, MessageReceived
from schemas.messages import Event, JournalRecord
from schemas.orders import (
    CancellationRequested,
    OrderMoved,
    OrderPlaced,
    OrderQuoted,
    OrderRejected,
    OrderStatus,
    OrderWaiting,
    ShippingMoved,
)
from schemas.past import PastOrderRecorded
from schemas.payments import (
    PaymentAxis,
    PaymentImplied,
    PaymentPartReceived,
    PaymentReported,
    PaymentRequested,
    PaymentReversed,
    PaymentSeen,
    PaymentSettled,
    PaymentWanted,
)
from schemas.publishing import DraftRecorded, RelaysRecorded, address
from schemas.refunds import RefundOwed, RefundRecorded
from schemas.reinstatement import OrderReinstated
from schemas.reviews import Rating, RatingsChanged, ReviewJudged, ReviewRecorded, ReviewWithdrawn, Standing
from schemas.rows import InventoryRow, MessageRow, OfferRow, OrderRow, RatingRow, ReviewRow, Row
from schemas.stock import StockCommitted, StockHeld, StockReleased, StockSet
from schemas.values import Actor, OrderKey
from streams.domain import recurring
from streams.domain.new_rows import Stamp, offered, outlives, past_order, placed
from streams.domain.payout_rows import payout_changes
from streams.domain.transitions import (
    DEAD,
    parcels_after,
    payment_after_move,
    payment_after_part,
    payment_after_refund,
    payment_after_refusal,
    payment_after_settlement,
    payment_while_asked,
    shipping_of,
)
from streams.domain.wording import plain


class RowKey(NamedTuple):
    """A row's table and its key in it, as text."""

    table: str
    key: str


GetRow = Callable[[RowKey], Row | None]


def fold(record: JournalRecord, partition: int, get: GetRow) -> dict[RowKey, Row]:
    """The rows this record changes, as they are after it."""
    stamp = Stamp(record.merchant, record.at_ms, partition, record.seq)
    changed: dict[RowKey, Row] = {}
    for event in record.events:
        for key in _keys(event, record.merchant):
            row = changed[key] if key in changed else get(key)
            if key not in changed and row is not None and row.sequence >= record.seq:
                continue
            new = _project(row, event, key, stamp)
            if new is not None:
                changed[key] = new
    return changed


def review_key(product: str, author: str) -> RowKey:
    """The row of one author's review of one product."""
    return RowKey("reviews", f"{author}:{product}")


def rating_key(rating: Rating) -> RowKey:
    """The row of one figure; the address and the category may hold anything, so the length of one stands before it."""
    return RowKey("ratings", f"{rating.level}:{len(rating.target)}:{rating.target}:{rating.category}")


def message_key(merchant: str, name: str) -> RowKey:
    """The row of one message of a shop's, by its rumor's id or its answer's name."""
    return RowKey("messages", f"{merchant}:{name}")


def offer_key(merchant: str, coordinate: str) -> RowKey:
    """The row of what one shop knows under an address, its own or somebody else's."""
    return RowKey("offers", f"{merchant}/{coordinate}")


def _keys(event: Event, merchant: str) -> list[RowKey]:
    match event:
        case StockHeld() | StockReleased() | StockCommitted():
            return [RowKey("inventory", line.coordinate) for line in event.lines]
        case StockSet():
            return [RowKey("inventory", event.coordinate)] if event.coordinate.startswith("30402:") else []
        case Withdrawn():
            counted = [RowKey("inventory", event.coordinate)] if event.coordinate.startswith("30402:") else []
            return [*counted, offer_key(merchant, event.coordinate)]
        case ListingRecorded() | ListingRevised():
            return [RowKey("inventory", event.listing.coordinate), offer_key(merchant, event.listing.coordinate)]
        case ShippingOptionRecorded():
            return [offer_key(merchant, event.option.coordinate)]
        case CollectionRecorded():
            return [offer_key(merchant, event.collection.coordinate)]
        case DraftRecorded():
            return [offer_key(merchant, event.draft.coordinate)]
        case RelaysRecorded():
            return [offer_key(merchant, address(event.names.kind, merchant))]
        case ReviewRecorded(review=review):
            return [review_key(review.product, review.author)]
        case ReviewWithdrawn() | ReviewJudged():
            return [review_key(event.product, event.author)]
        case RatingsChanged():
            return [rating_key(rating) for rating in event.ratings]
        case MessageReceived():
            return [message_key(merchant, event.rumor_id)]
        case AnswerPromised():
            return [message_key(merchant, event.name)]
        case MessageDeleted():
            message = message_key(merchant, event.rumor_id)
            return [message] if event.order is None else [RowKey("orders", event.order.ref)]
        case _:
            order = getattr(event, "order", None)
            return [RowKey("orders", order.ref)] if isinstance(order, OrderKey) else []


def _project(row: Row | None, event: Event, key: RowKey, stamp: Stamp) -> Row | None:
    match key.table:
        case "orders":
            assert row is None or isinstance(row, OrderRow)
            return _order(row, event, stamp)
        case "inventory":
            assert row is None or isinstance(row, InventoryRow)
            return _inventory(row, event, key.key, stamp)
        case "messages":
            assert row is None or isinstance(row, MessageRow)
            return _message(row, event, stamp)
        case "offers":
            assert row is None or isinstance(row, OfferRow)
            return _offer(row, event, stamp)
        case "reviews":
            assert row is None or isinstance(row, ReviewRow)
            return _review(row, event, stamp)
        case _:
            assert isinstance(event, RatingsChanged)
            return _rating(next(one for one in event.ratings if rating_key(one) == key), stamp)


def _order(row: OrderRow | None, event: Event, stamp: Stamp) -> OrderRow | None:
    """An order's row; facts about an order that was never placed (a parked message) make none."""
    if isinstance(event, OrderPlaced):
        return placed(row, event, stamp)
    if isinstance(event, PastOrderRecorded):
        return past_order(event.past, stamp)
    if row is None:
        return None
    match event:
        case OrderQuoted():
            quoted = {"total_msat": event.quote.total_msat, "renewals": recurring.renewals(event.quote)}
            return _with(row, stamp, status=OrderStatus.PENDING, reason="", **quoted)
        case OrderWaiting():
            return _with(row, stamp, status=OrderStatus.WAITING, reason=event.reason.value)
        case OrderRejected():
            return _with(row, stamp, status=OrderStatus.REJECTED, reason=event.findings[0].refusal.value)
        case OrderMoved():
            return _moved(row, event.to, stamp)
        case OrderHeld() | OrderReleased():
            return _with(row, stamp, on_hold=isinstance(event, OrderHeld))
        case OrderRenewed():
            row = _with(row, stamp, revision=event.revision, request_forgotten=False)
            return _with(row, stamp, status=OrderStatus.WAITING, payment=PaymentAxis.NONE)
        case RequestForgotten() | RequestRecalled():
            return _with(row, stamp, request_forgotten=isinstance(event, RequestForgotten))
        case CancellationRequested():
            return _with(row, stamp, cancellation_requested=True)
        case MessageDeleted():
            return _with(row, stamp, message_deleted=True)
        case ShippingMoved():
            parcels = parcels_after(row.parcels, event)
            numbers = ", ".join(dict.fromkeys(one.tracking for one in parcels if one.tracking))
            return _with(row, stamp, shipping=shipping_of(parcels), parcels=parcels, tracking=numbers or None)
        case PickupReady():
            return _with(row, stamp, ready=True)
        case PaymentImplied():
            paid_msat = row.paid_msat + event.amount_msat
            return _with(row, stamp, payment=PaymentAxis.PAID, implied_payment=True, paid_msat=paid_msat)
        case RefundRecorded():
            refunded_msat, owed_msat = row.refunded_msat + event.amount_msat, max(0, row.owed_msat - event.amount_msat)
            payment = payment_after_refund(row.payment, row.status, row.paid_msat, refunded_msat)
            refund = {"payment": payment, "refunded_msat": refunded_msat, "owed_msat": owed_msat}
            return _with(row, stamp, **refund, **payout_changes(row, event))
        case OrderReinstated():
            return _with(row, stamp, payment=PaymentAxis.PAID, owed_msat=0, renewals=recurring.renewals(event.quote))
        case RefundOwed():
            return _with(row, stamp, owed_msat=row.owed_msat + event.amount_msat)
        case PaymentWanted():
            return _with(row, stamp, payment=payment_while_asked(row.payment, PaymentAxis.WANTED))
        case PaymentRequested():
            asked = payment_while_asked(row.payment, PaymentAxis.REQUESTED)
            return _with(row, stamp, payment=asked, requested_ms=stamp.at_ms)
        case PaymentReported():
            return _with(row, stamp, payment=payment_while_asked(row.payment, PaymentAxis.REPORTED))
        case PaymentSeen():
            return _with(row, stamp, payment=payment_while_asked(row.payment, PaymentAxis.REPORTED))
        case TokenHandedIn():
            return _with(row, stamp, payment=payment_while_asked(row.payment, PaymentAxis.REPORTED), token_refused="")
        case TokenRefused():
            return _with(row, stamp, payment=payment_after_refusal(row.payment), token_refused=event.reason.value)
        case PaymentPartReceived():
            payment = payment_after_part(row.payment, row.status, event.late)
            return _with(row, stamp, payment=payment, paid_msat=row.paid_msat + event.new_msat)
        case PaymentSettled():
            payment = payment_after_settlement(row.payment, row.status, event.late)
            return _with(row, stamp, payment=payment, paid_msat=row.paid_msat + event.new_msat)
        case PaymentReversed():
            paid_msat, gone_msat = row.paid_msat - event.amount_msat, row.reversed_msat + event.amount_msat
            taken = {"paid_msat": paid_msat, "reversed_msat": gone_msat, "owed_msat": event.owed_msat}
            return _with(row, stamp, payment=event.payment, **taken)
        case _:
            return _with(row, stamp, **payout_changes(row, event))


def _moved(row: OrderRow, to: OrderStatus, stamp: Stamp) -> OrderRow:
    changes: dict[str, object] = {"status": to, "payment": payment_after_move(row.payment, to)}
    if to is OrderStatus.CONFIRMED:
        changes["confirmed_ms"] = stamp.at_ms
    if row.renewals:
        changes["renewals"] = () if to in DEAD else recurring.begun(row.renewals, stamp.at_ms)
    return _with(row, stamp, **changes)


def _inventory(row: InventoryRow | None, event: Event, coordinate: str, stamp: Stamp) -> InventoryRow:
    row = row or InventoryRow(
        merchant=stamp.merchant,
        coordinate=coordinate,
        updated_ms=stamp.at_ms,
        partition=stamp.partition,
        sequence=stamp.sequence,
    )
    match event:
        case ListingRecorded(listing=listing) | ListingRevised(listing=listing):
            price = f"{plain(listing.price.amount)} {listing.price.currency}"
            return _with(row, stamp, title=listing.title, price=price, withdrawn=False)
        case StockSet():
            return _with(row, stamp, on_hand=event.on_hand)
        case StockHeld():
            return _with(row, stamp, held=row.held + _units(event, coordinate))
        case StockReleased():
            return _with(row, stamp, held=row.held - _units(event, coordinate))
        case StockCommitted():
            units = _units(event, coordinate)
            left = None if row.on_hand is None else row.on_hand - units
            return _with(row, stamp, held=row.held - units, sold=row.sold + units, on_hand=left)
        case Withdrawn():
            return _with(row, stamp, withdrawn=True)
        case _:
            return row


def _units(event: StockHeld | StockReleased | StockCommitted, coordinate: str) -> int:
    return sum(line.quantity for line in event.lines if line.coordinate == coordinate)


def _review(row: ReviewRow | None, event: Event, stamp: Stamp) -> ReviewRow | None:
    match event:
        case ReviewRecorded(review=review):
            return ReviewRow(
                merchant=stamp.merchant,
                product=review.product,
                author=review.author,
                event_id=review.event_id,
                thumb=review.thumb,
                score=event.score,
                strict_score=event.strict_score,
                categories=tuple((c.category, c.score) for c in review.categories),
                reviewed_at=review.created_at,
                standing=row.standing if row else Standing.WAITING,
                is_verified=row.is_verified if row else False,
                parent=row.parent if row else None,
                updated_ms=stamp.at_ms,
                partition=stamp.partition,
                sequence=stamp.sequence,
            )
        case ReviewWithdrawn():
            return None if row is None else _with(row, stamp, withdrawn=True)
        case ReviewJudged() if row is not None:
            judged = {"standing": event.standing, "is_verified": event.is_verified, "parent": event.parent}
            return _with(row, stamp, **judged)
        case _:
            return row


def _rating(rating: Rating, stamp: Stamp) -> RatingRow:
    return RatingRow(
        merchant=stamp.merchant,
        level=rating.level,
        target=rating.target,
        category=rating.category,
        reviews=rating.reviews,
        verified=rating.verified,
        total=rating.total,
        mean=rating.mean,
        stars=rating.stars,
        updated_ms=stamp.at_ms,
        partition=stamp.partition,
        sequence=stamp.sequence,
    )


def _message(row: MessageRow | None, event: Event, stamp: Stamp) -> MessageRow | None:
    match event:
        case MessageReceived():
            return MessageRow(
                merchant=stamp.merchant,
                buyer=event.buyer,
                name=event.rumor_id,
                author=event.author,
                kind=event.kind,
                order_ref=event.order.ref if event.order else "",
                answers=event.answers or "",
                is_room=event.is_room,
                said_ms=event.said_s * 1_000,
                updated_ms=stamp.at_ms,
                partition=stamp.partition,
                sequence=stamp.sequence,
            )
        case AnswerPromised():
            return MessageRow(
                merchant=stamp.merchant,
                buyer=event.buyer,
                name=event.name,
                author=Actor.MERCHANT,
                order_ref=event.order.ref if event.order else "",
                answers=event.answers or "",
                is_answer=True,
                said_ms=event.at_s * 1_000,
                updated_ms=stamp.at_ms,
                partition=stamp.partition,
                sequence=stamp.sequence,
            )
        case MessageDeleted():
            return None if row is None else _with(row, stamp, deleted=True)
        case _:
            return row


def _offer(row: OfferRow | None, event: Event, stamp: Stamp) -> OfferRow | None:
    match event:
        case ListingRecorded(listing=said) | ListingRevised(listing=said):
            return offered(said.coordinate, said.title, said, stamp)
        case ShippingOptionRecorded(option=said):
            return offered(said.coordinate, said.title, said, stamp)
        case CollectionRecorded(collection=said):
            return offered(said.coordinate, said.title, said, stamp)
        case DraftRecorded(draft=said):
            row = offered(said.coordinate, "", said, stamp)
            return row if said.content else row.model_copy(update={"withdrawn": True})
        case RelaysRecorded(names=said):
            return offered(address(said.kind, stamp.merchant), "", said, stamp)
        case Withdrawn():
            return None if row is None or outlives(row, event) else _with(row, stamp, withdrawn=True)
        case _:
            return row


def _with[R: (OrderRow, InventoryRow, ReviewRow, MessageRow, OfferRow)](row: R, stamp: Stamp, **changes: object) -> R:
    """The row changed, and marked with the record it now reflects."""
    if not changes and row.sequence == stamp.sequence:
        return row  # marked by an earlier event of the same record
    marked = {"updated_ms": stamp.at_ms, "partition": stamp.partition, "sequence": stamp.sequence}
    return row.model_copy(update={**changes, **marked})
