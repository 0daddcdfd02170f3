"""Turns journal records into rows of `events`: pure, total, and free of personal data.

Field names are column names; times are UTC milliseconds, which is how DateTime64(3) is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext
from typing import Final, NamedTuple, assert_never

from schemas import payouts
from schemas.absence import RequestForgotten, RequestRecalled, WalletAnswered, WalletMissed
from schemas.addresses import (
    AddressAssigned,
    AddressClaimed,
    AddressClosed,
    AddressPaid,
    AddressReversed,
    AssignmentRefused,
    InvoiceMade,
    InvoiceRefused,
    InvoiceWanted,
    RequestShown,
)
from schemas.catalogue import (
    CollectionRecorded,
    DeletionNoted,
    ListingRecorded,
    ListingRevised,
    ShippingOptionRecorded,
    Withdrawn,
)
from schemas.ecash import TokenHandedIn, TokenRefused
from schemas.freezes import MerchantFrozen, MerchantThawed
from schemas.goods import GoodsSet, PickupReady
from schemas.holds import OrderHeld, OrderReleased, OrderRenewed, ReplyWithheld
from schemas.inbox import AnswerPromised, AnswerRefused, MessageDeleted, MessageReceived
from schemas.messages import Event, JournalRecord
from schemas.orders import (
    LINES_MAX,
    CancellationRequested,
    MoveRefused,
    OrderLine,
    OrderMoved,
    OrderPlaced,
    OrderQuoted,
    OrderRejected,
    OrderStatus,
    OrderWaiting,
    QuotedLine,
    Rate,
    ShippingMoved,
)
from schemas.parking import CommandParked, ParkedReleased
from schemas.past import PastOrderRecorded
from schemas.payments import (
    PaymentAnnounced,
    PaymentDropped,
    PaymentImplied,
    PaymentPartReceived,
    PaymentReported,
    PaymentRequested,
    PaymentReversed,
    PaymentSeen,
    PaymentSettled,
    PaymentWanted,
)
from schemas.preferences import PaymentChoice, PaymentFlowChosen, PreferenceRecorded
from schemas.publishing import DraftRecorded, PublicationPromised, PublicationRefused, RelaysRecorded
from schemas.refunds import RefundOwed, RefundRecorded
from schemas.reinstatement import OrderReinstated
from schemas.replies import PaymentRequestReply, Reply, ReplyPromised, ShippingReply, StatusReply, TextReply
from schemas.reviews import (
    RatingsChanged,
    ReviewInvited,
    ReviewJudged,
    ReviewReceived,
    ReviewRecorded,
    ReviewWithdrawn,
)
from schemas.shops import ShopOpened
from schemas.stock import (
    StockCommitted,
    StockHeld,
    StockLine,
    StockMastered,
    StockRanLow,
    StockRefused,
    StockReleased,
    StockSet,
)
from schemas.values import MSAT_PER_SAT, OrderKey
from services.metrics.payout_rows import payout_columns
from services.metrics.ranges import coordinate_or_empty, country_or_empty, instant, int64, score, short

Pseudonym = Callable[[str, str], str]
"""(merchant, buyer) public keys → a keyed hash of the buyer that differs from merchant to merchant (C-44)."""

NOTHING: Final = "Nothing"
"""The type of the one row of a record without events."""

_EXACT: Final = Context(prec=120)
_BITCOIN_MSAT: Final = {"MSAT": 1, "MSATS": 1, "SAT": 1_000, "SATS": 1_000, "BTC": 100_000_000 * MSAT_PER_SAT}


class EventRow(NamedTuple):
    """A row of `events`, in its columns' order."""

    partition: int
    sequence: int
    position: int
    line: int
    type: str
    merchant: str
    at: int
    order_ref: str = ""
    buyer: str = ""
    coordinate: str = ""
    subject: str = ""
    title: str = ""
    quantity: int | None = None
    amount_msat: int | None = None
    due_msat: int | None = None
    status: str = ""
    reason: str = ""
    actor: str = ""
    dialect: str = ""
    country: str = ""
    score: Decimal | None = None
    strict_score: Decimal | None = None


def event_rows(partition: int, record: JournalRecord, pseudonym: Pseudonym) -> list[EventRow]:
    """Every row of one journal record; at least one, so that the record's sequence is always stored."""
    rows: list[EventRow] = []
    at = instant(record.at_ms)
    names: dict[OrderKey, tuple[str, str]] = {}
    for position, event in enumerate(record.events):
        row = EventRow(partition, record.seq, position, 0, event.type, record.merchant, at)
        order: OrderKey | None = getattr(event, "order", None)
        if order is not None:
            if order not in names:
                names[order] = (order.ref, pseudonym(order.merchant, order.buyer))
            order_ref, buyer = names[order]
            row = row._replace(order_ref=order_ref, buyer=buyer)
        rows.extend(_rows(row, event, record.events, pseudonym))
    return rows or [EventRow(partition, record.seq, 0, 0, NOTHING, record.merchant, at)]


def _rows(row: EventRow, event: Event, events: tuple[Event, ...], pseudonym: Pseudonym) -> list[EventRow]:
    """One event's row and its lines; `events` are those of the same record."""
    match event:
        case OrderPlaced():
            country = country_or_empty(event.destination.country)
            head = row._replace(dialect=short(event.dialect), country=country)
            return [head, *_order_lines(row, event.lines)]
        case OrderQuoted():
            head = row._replace(amount_msat=int64(event.quote.total_msat))
            lines = enumerate(event.quote.lines, 1)
            return [head, *(_quoted_line(row, n, line, event.quote.rates) for n, line in lines)]
        case OrderWaiting():
            return [row._replace(reason=event.reason.value)]
        case OrderRejected():
            reasons = dict.fromkeys(finding.refusal.value for finding in event.findings) or ("",)
            return [row._replace(line=n, reason=reason) for n, reason in enumerate(reasons)]
        case OrderMoved(to=OrderStatus.CONFIRMED):
            paid_msat, due_msat = _sale(event.order, events)
            return [
                row._replace(
                    status=event.to.value,
                    actor=event.actor.value,
                    amount_msat=paid_msat,
                    due_msat=due_msat,
                )
            ]
        case OrderMoved():
            return [row._replace(status=event.to.value, actor=event.actor.value)]
        case MoveRefused():
            return [row._replace(reason=short(event.reason), actor=event.actor.value)]
        case ShippingMoved():
            return [row._replace(status=event.to.value, subject=short(event.parcel))]
        case StockSet():
            coordinate, subject = coordinate_or_empty(event.coordinate), short(event.cause)
            quantity = None if event.on_hand is None else int64(event.on_hand)
            return [row._replace(coordinate=coordinate, subject=subject, quantity=quantity)]
        case StockMastered():
            return [row._replace(coordinate=coordinate_or_empty(event.coordinate), subject=short(event.source or ""))]
        case StockRefused():
            coordinate = coordinate_or_empty(event.coordinate)
            return [row._replace(coordinate=coordinate, subject=short(event.source), reason=event.reason)]
        case StockRanLow():
            return [row._replace(coordinate=coordinate_or_empty(event.coordinate), quantity=int64(event.left))]
        case StockHeld() | StockReleased() | StockCommitted():
            return _stock_lines(row, event.lines)
        case PaymentWanted() | PaymentRequested():
            return [row._replace(subject=short(event.intent_id), amount_msat=int64(event.amount_msat))]
        case PaymentSettled():
            settled = row._replace(subject=short(event.intent_id), reason="late" if event.late else "")
            return [settled._replace(amount_msat=int64(event.new_msat), due_msat=int64(event.due_msat))]
        case PaymentPartReceived():
            received = row._replace(subject=short(event.intent_id), reason="late" if event.late else "part")
            return [received._replace(amount_msat=int64(event.new_msat), due_msat=int64(event.due_msat))]
        case PaymentReversed():
            amount_msat = int64(event.amount_msat)
            return [row._replace(subject=short(event.intent_id), amount_msat=amount_msat, status=event.payment.value)]
        case RefundOwed():
            return [row._replace(amount_msat=int64(event.amount_msat), reason=event.reason.value)]
        case PaymentImplied():
            amount_msat = int64(event.amount_msat)
            return [row._replace(amount_msat=amount_msat, due_msat=amount_msat, reason="implied_payment")]
        case OrderReinstated():
            credit_msat, due_msat = int64(event.credit_msat), int64(event.quote.total_msat)
            return [row._replace(actor=event.actor.value, amount_msat=credit_msat, due_msat=due_msat)]
        case RefundRecorded():
            amount_msat = int64(event.amount_msat)
            return [row._replace(amount_msat=amount_msat, reason=short(event.rail), subject=short(event.reference))]
        case GoodsSet():
            quantity = 0 if event.sealed is None else 1
            return [row._replace(coordinate=coordinate_or_empty(event.coordinate), quantity=quantity)]
        case PaymentReported():
            return [row._replace(reason=event.proof.value)]
        case PaymentAnnounced():
            return [row._replace(amount_msat=int64(event.amount_sats * MSAT_PER_SAT))]
        case PreferenceRecorded(preference=preference):
            coordinate = coordinate_or_empty(preference.coordinate)
            return [row._replace(coordinate=coordinate, subject=preference.event_id)]
        case PaymentFlowChosen(choice=choice):
            return _choice(row, choice)
        case InvoiceWanted() | InvoiceMade() | RequestShown():
            return [row._replace(subject=short(event.intent_id), amount_msat=int64(event.amount_msat))]
        case AddressPaid():
            return [row._replace(subject=short(event.intent_id), amount_msat=int64(event.new_msat))]
        case AddressReversed() | AddressAssigned():
            return [row._replace(subject=short(event.intent_id), amount_msat=int64(event.amount_msat))]
        case AddressClosed():
            closed = row._replace(subject=short(event.intent_id), amount_msat=int64(event.amount_msat))
            return [closed._replace(reason=event.closing.value)]
        case InvoiceRefused() | AssignmentRefused() | TokenRefused():
            return [row._replace(subject=short(event.intent_id), reason=event.reason.value)]
        case PaymentDropped() | PaymentSeen() | WalletMissed() | WalletAnswered() | AddressClaimed() | TokenHandedIn():
            return [row._replace(subject=short(event.intent_id))]
        case RequestForgotten() | RequestRecalled():
            return [row._replace(subject=short(event.intent_id))]
        case ListingRecorded(listing=listing) | ListingRevised(listing=listing):
            quantity = None if listing.stock is None else int64(listing.stock)
            return [
                row._replace(
                    coordinate=coordinate_or_empty(listing.coordinate),
                    subject=listing.event_id,
                    title=short(listing.title),
                    quantity=quantity,
                )
            ]
        case ShippingOptionRecorded(option=option):
            coordinate = coordinate_or_empty(option.coordinate)
            return [row._replace(coordinate=coordinate, subject=option.event_id, title=short(option.title))]
        case CollectionRecorded(collection=collection):
            coordinate = coordinate_or_empty(collection.coordinate)
            return [row._replace(coordinate=coordinate, subject=collection.event_id, title=short(collection.title))]
        case PublicationPromised():
            coordinate, kind = coordinate_or_empty(event.coordinate), str(event.template.kind)
            return [row._replace(coordinate=coordinate, subject=event.event_id, status=kind)]
        case PublicationRefused():
            return [row._replace(coordinate=coordinate_or_empty(event.coordinate), reason=event.reason)]
        case DraftRecorded(draft=draft):
            return [row._replace(coordinate=coordinate_or_empty(draft.coordinate), subject=draft.event_id)]
        case RelaysRecorded(names=names):
            return [row._replace(subject=names.event_id, status=str(names.kind))]
        case Withdrawn():
            return [row._replace(coordinate=coordinate_or_empty(event.coordinate))]
        case ReviewRecorded(review=review):
            return [
                row._replace(
                    coordinate=coordinate_or_empty(review.product),
                    subject=review.event_id,
                    score=score(event.score),
                    strict_score=score(event.strict_score),
                )
            ]
        case ReviewWithdrawn():
            return [row._replace(coordinate=coordinate_or_empty(event.product))]
        case ReviewJudged():
            return [row._replace(coordinate=coordinate_or_empty(event.product), status=event.standing.value)]
        case ReviewReceived():
            return [row._replace(coordinate=coordinate_or_empty(event.product), score=score(event.score))]
        case ReplyWithheld():
            return [row._replace(status=_reply_status(event.reply), reason="on_hold")]
        case ReplyPromised():
            status = _reply_status(event.reply)
            return [row._replace(subject=event.effect_id, status=status, dialect=short(event.dialect))]
        case MessageReceived():
            buyer = pseudonym(row.merchant, event.buyer)
            return [
                row._replace(buyer=buyer, subject=event.rumor_id, status=event.kind.value, actor=event.author.value)
            ]
        case MessageDeleted():
            buyer = pseudonym(row.merchant, event.buyer)
            return [row._replace(buyer=buyer, subject=event.rumor_id, actor=event.actor.value)]
        case AnswerPromised():
            return [row._replace(buyer=pseudonym(row.merchant, event.buyer), subject=event.effect_id(row.merchant))]
        case AnswerRefused():
            buyer = pseudonym(row.merchant, event.buyer)
            return [row._replace(buyer=buyer, subject=short(event.name), reason=short(event.reason))]
        case CommandParked():
            return [row._replace(reason=event.command.type)]
        case PastOrderRecorded(past=past):
            country = country_or_empty(past.country)
            return [row._replace(status=past.status.value, reason="past", dialect=short(past.dialect), country=country)]
        case MerchantFrozen():
            return [row._replace(reason=short(event.code), subject=short(event.reason))]
        case MerchantThawed():
            return [row._replace(subject=short(event.reason))]
        case OrderHeld() | OrderReleased() | OrderRenewed() | PickupReady() | CancellationRequested():
            return [row]
        case ShopOpened() | ParkedReleased() | DeletionNoted() | RatingsChanged() | ReviewInvited():
            return [row]
        case payouts.RefundInvoiceOffered() | payouts.PayoutWanted() | payouts.PayoutApproved():
            return [row._replace(**payout_columns(event))]
        case payouts.RefundLinkMade() | payouts.PayoutDropped() | payouts.PayoutFailed():
            return [row._replace(**payout_columns(event))]
        case _:
            assert_never(event)


def _choice(row: EventRow, choice: PaymentChoice) -> list[EventRow]:
    """The flow in force, and a row for each flaw beside the first."""
    preference = choice.preference.value if choice.preference else ""
    head = row._replace(status=choice.flow.value, subject=preference, coordinate=coordinate_or_empty(choice.app or ""))
    flaws = [flaw.value for flaw in choice.flaws] or [""]
    return [head._replace(line=n, reason=flaw) for n, flaw in enumerate(flaws)]


def _order_lines(row: EventRow, lines: tuple[OrderLine, ...]) -> list[EventRow]:
    """The lines as the buyer wrote them, as many as an order may have; one with more is turned down."""
    return [
        row._replace(line=n, coordinate=coordinate_or_empty(line.coordinate), quantity=int64(line.quantity))
        for n, line in enumerate(lines[:LINES_MAX], 1)
    ]


def _stock_lines(row: EventRow, lines: Iterable[StockLine]) -> list[EventRow]:
    """A row for each line; the event itself moves nothing, so it has none unless it is empty."""
    moved = [
        row._replace(line=n, coordinate=coordinate_or_empty(line.coordinate), quantity=int64(line.quantity))
        for n, line in enumerate(lines, 1)
    ]
    return moved or [row]


def _quoted_line(row: EventRow, number: int, line: QuotedLine, rates: tuple[Rate, ...]) -> EventRow:
    return row._replace(
        line=number,
        coordinate=coordinate_or_empty(line.coordinate),
        subject=line.listing_event_id,
        title=short(line.title),
        quantity=int64(line.quantity),
        amount_msat=_line_msat(line, rates),
    )


def _line_msat(line: QuotedLine, rates: tuple[Rate, ...]) -> int | None:
    """Price × quantity in msat, rounded half to even; None where the quote used no rate for the currency.

    A share of the total for rankings only: the order's total is rounded once, as a whole, and stands on its own.
    """
    per_unit = {rate.currency: rate.msat_per_unit for rate in rates}
    currency = line.unit_price.currency
    msat = per_unit.get(currency) or _BITCOIN_MSAT.get(currency)
    if msat is None:
        return None
    with localcontext(_EXACT):
        exact = line.unit_price.amount * line.quantity * msat
        return int64(int(exact.to_integral_value(rounding=ROUND_HALF_EVEN)))


def _sale(order: OrderKey, events: tuple[Event, ...]) -> tuple[int | None, int | None]:
    """What was paid and owed when an order was confirmed: its payment, or the quote that came to nothing."""
    for event in events:
        match event:
            case PaymentSettled(late=False) if event.order == order:
                in_all_msat = event.gross_msat if event.in_all_msat is None else event.in_all_msat
                return int64(in_all_msat), int64(event.due_msat)
            case OrderQuoted() if event.order == order and event.quote.total_msat == 0:
                return 0, 0
            case _:
                pass
    return None, None


def _reply_status(reply: Reply) -> str:
    match reply:
        case PaymentRequestReply():
            return "payment_request"
        case StatusReply() | ShippingReply():
            return f"{reply.type}:{reply.status.value}"
        case TextReply():
            return "text"
        case _:
            assert_never(reply)
