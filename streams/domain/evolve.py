"""`evolve`: what each fact does to the shop. It holds no rule and never fails."""

from __future__ import annotations

from typing import assert_never

from schemas import limits
from schemas.catalogue import (
    CollectionRecorded,
    DeletionNoted,
    Listing,
    ListingRecorded,
    ListingRevised,
    ShippingOptionRecorded,
    Visibility,
    Withdrawn,
)
from schemas.freezes import MerchantFrozen, MerchantThawed
from schemas.messages import Event
from schemas.orders import (
    CancellationRequested,
    MoveRefused,
    OrderMoved,
    OrderPlaced,
    OrderQuoted,
    OrderRejected,
    OrderStatus,
    OrderWaiting,
    ShippingMoved,
)
from schemas.parking import CommandParked, ParkedReleased
from schemas.payments import (
    PaymentAxis,
    PaymentDropped,
    PaymentReported,
    PaymentRequested,
    PaymentSettled,
    PaymentWanted,
    ReportPayment,
)
from schemas.replies import ReplyPromised
from schemas.reviews import ReviewRecorded, ReviewWithdrawn
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
from schemas.values import Actor, OrderKey, Waiting
from streams.domain.shop import (
    CAUSES_MAX,
    HOUR_MS,
    Due,
    Master,
    Order,
    Parked,
    Shop,
    Stock,
    move_cause,
    refusal_cause,
)
from streams.domain.stocktaking import should_say
from streams.domain.transitions import OPEN, payment_after_move, payment_after_settlement


def evolve(shop: Shop, event: Event, at_ms: int) -> None:
    """Fold one fact into the shop, in place. `at_ms` is the record's time."""
    match event:
        case OrderPlaced():
            _hear(shop, event.order.buyer, at_ms)
            _place(shop, event)
        case OrderQuoted():
            changed = _change(
                shop,
                event.order,
                status=OrderStatus.PENDING,
                quote=event.quote,
                deadline_ms=event.deadline_ms,
            )
            if changed:
                shop.remind(Due(event.deadline_ms, "deadline", event.order))
        case StockHeld():
            _move_stock(shop, event.lines, held=+1)
            _change(shop, event.order, held=event.lines)
        case StockCommitted():
            _move_stock(shop, event.lines, held=-1, on_hand=-1)
            _change(shop, event.order, held=())
        case StockReleased():
            _move_stock(shop, event.lines, held=-1)
            _change(shop, event.order, held=())
        case StockSet():
            held = shop.stock.get(event.coordinate, Stock()).held
            shop.said_stock[event.coordinate] = () if event.on_hand is None else (event.on_hand,)
            _set_stock(shop, event.coordinate, Stock(on_hand=event.on_hand, held=held))
        case StockMastered():
            shop.masters[event.coordinate] = Master(event.source, event.version)
        case StockRefused():
            shop.stock_refusals = _with(shop.stock_refusals, event.cause)
        case StockRanLow():
            pass
        case PaymentWanted():
            _change(shop, event.order, payment=PaymentAxis.WANTED, intent_id=event.intent_id)
        case PaymentRequested():
            _change(shop, event.order, payment=PaymentAxis.REQUESTED)
        case PaymentReported():
            _hear(shop, event.order.buyer, at_ms)
            _change(shop, event.order, payment=PaymentAxis.REPORTED)
        case PaymentSettled():
            _settle(shop, event)
        case PaymentDropped():
            pass
        case OrderMoved():
            if event.actor is Actor.BUYER:
                _hear(shop, event.order.buyer, at_ms)
            _move_order(shop, event, at_ms)
        case OrderRejected():
            _change(shop, event.order, status=OrderStatus.REJECTED, deadline_ms=None)
        case OrderWaiting():
            _wait(shop, event, at_ms)
            if event.deadline_ms is not None:
                shop.remind(Due(event.deadline_ms, "deadline", event.order))
        case CancellationRequested():
            _hear(shop, event.order.buyer, at_ms)
            _note_cancellation(shop, event)
        case ShippingMoved():
            _move_parcel(shop, event)
        case ReplyPromised():
            _change(shop, event.order, replies=event.number)
        case MoveRefused():
            if event.actor is Actor.BUYER:
                _hear(shop, event.order.buyer, at_ms)
            _remember_refusal(shop, event)
        case CommandParked():
            if isinstance(event.command, ReportPayment) or event.command.actor is Actor.BUYER:
                _hear(shop, event.order.buyer, at_ms)
            waiting = shop.parked.get(event.order.ref, ())
            shop.parked[event.order.ref] = (*waiting, Parked(event.command, event.deadline_ms))
            shop.remind(Due(event.deadline_ms, "parked", event.order))
        case ParkedReleased():
            rest = shop.parked.get(event.order.ref, ())[1:]
            if rest:
                shop.parked[event.order.ref] = rest
            else:
                shop.parked.pop(event.order.ref, None)
        case ListingRecorded() | ListingRevised():
            _note_hidden(shop, event)
            shop.listings[event.listing.coordinate] = event.listing
            if isinstance(event, ListingRevised):
                shop.revised_s[event.listing.coordinate] = at_ms // 1_000
                _note_said_stock(shop, event.listing)
            note_stale(shop, event.listing.coordinate)
        case ShippingOptionRecorded():
            shop.options[event.option.coordinate] = event.option
        case CollectionRecorded():
            shop.collections[event.collection.coordinate] = event.collection
        case Withdrawn():
            _withdraw(shop, event)
        case DeletionNoted():
            shop.deleted_ids.update(dict.fromkeys(event.event_ids))
            for oldest in list(shop.deleted_ids)[: -limits.DELETED_IDS.most]:
                del shop.deleted_ids[oldest]
        case ReviewRecorded():
            shop.reviews[event.review.author, event.review.product] = event.review
        case ReviewWithdrawn():
            _withdraw_review(shop, event)
        case ShopOpened():
            shop.settings = event.settings
            for coordinate in shop.listings:
                note_stale(shop, coordinate)
            shop.is_open = True
        case MerchantFrozen():
            shop.is_frozen = True
            shop.freezes = _with(shop.freezes, event.cause)
        case MerchantThawed():
            _thaw(shop, event)
        case _:
            assert_never(event)


def _change(shop: Shop, key: OrderKey, **changes: object) -> bool:
    """Replace fields of an order; a fact about an order that was never placed changes nothing."""
    order = shop.orders.get(key.ref)
    if order is None:
        return False
    _put(shop, order._replace(**changes), order)  # type: ignore[arg-type]
    return True


def _put(shop: Shop, order: Order, before: Order | None) -> None:
    """Keep an order, and where it is counted as its status says."""
    ref, buyer = order.key.ref, order.key.buyer
    shop.orders[ref] = order
    status, former = order.status, before.status if before else None
    if status is former:
        return
    if status is OrderStatus.PENDING:
        shop.invoices[ref] = None
    elif former is OrderStatus.PENDING:
        shop.invoices.pop(ref, None)
    if status in OPEN and former not in OPEN:
        shop.open_of[buyer] = (*shop.open_of.get(buyer, ()), ref)
    elif former in OPEN and status not in OPEN:
        _leave(shop.open_of, buyer, ref)
    if status is OrderStatus.CONFIRMED:
        _leave(shop.unpaid, buyer, ref)


def _leave(table: dict[str, tuple[str, ...]], buyer: str, ref: str) -> None:
    """Take an order out of a buyer's; a buyer without any is not kept."""
    rest = tuple(other for other in table.get(buyer, ()) if other != ref)
    if rest:
        table[buyer] = rest
    else:
        table.pop(buyer, None)


def _hear(shop: Shop, buyer: str, at_ms: int) -> None:
    """Count a message of a buyer that led to something, in the hour it came; a new hour starts anew."""
    hour = at_ms // HOUR_MS
    if hour > shop.hour:
        shop.hour, shop.heard, shop.unpaid = hour, {}, {}
    shop.heard[buyer] = shop.heard.get(buyer, 0) + 1


def _wait(shop: Shop, event: OrderWaiting, at_ms: int) -> None:
    """The order cannot be quoted; for an exchange rate it waits only so long, from the first time on."""
    order = shop.orders.get(event.order.ref)
    if order is not None:
        since_ms = (order.rate_since_ms or at_ms) if event.reason is Waiting.RATE else None
        waiting = order._replace(status=OrderStatus.WAITING, deadline_ms=event.deadline_ms, rate_since_ms=since_ms)
        _put(shop, waiting, order)


def _place(shop: Shop, event: OrderPlaced) -> None:
    """A first or an amended order; an amendment starts over but keeps its rumors and its replies' numbers."""
    before = shop.orders.get(event.order.ref)
    ref = event.order.ref
    if before is None:
        shop.unpaid[event.order.buyer] = (*shop.unpaid.get(event.order.buyer, ()), ref)
    placed = Order(
        key=event.order,
        dialect=event.dialect,
        revision=event.revision,
        rumor_ids=(*(before.rumor_ids if before else ()), event.rumor_id),
        lines=event.lines,
        shipping=event.shipping,
        destination=event.destination,
        claimed_sats=event.claimed_sats,
        coupon=event.coupon,
        replies=before.replies if before else 0,
        refused=before.refused if before else (),
        settled=before.settled if before else (),
    )
    _put(shop, placed, before)
    for _ in shop.parked.get(event.order.ref, ()):
        shop.remind(Due(0, "parked", event.order))


def _move_order(shop: Shop, event: OrderMoved, at_ms: int) -> None:
    """The order axis, and what that means for its payment."""
    order = shop.orders.get(event.order.ref)
    if order is None:
        return
    payment = payment_after_move(order.payment, event.to)
    moves = _with(order.moves, move_cause("order", event.to, event.cause))
    confirmed_s = at_ms // 1_000 if event.to is OrderStatus.CONFIRMED else order.confirmed_s
    changed = order._replace(status=event.to, payment=payment, deadline_ms=None, moves=moves, confirmed_s=confirmed_s)
    _put(shop, changed, order)


def _note_cancellation(shop: Shop, event: CancellationRequested) -> None:
    """The merchant has it to decide; the message that asked is not heard twice."""
    order = shop.orders.get(event.order.ref)
    if order is not None:
        moves = _with(order.moves, move_cause("order", OrderStatus.CANCELLED, event.cause))
        shop.orders[event.order.ref] = order._replace(cancellation_requested=True, moves=moves)


def _move_parcel(shop: Shop, event: ShippingMoved) -> None:
    """The shipping axis."""
    order = shop.orders.get(event.order.ref)
    if order is not None:
        moves = _with(order.moves, move_cause("parcel", event.to, event.cause))
        shop.orders[event.order.ref] = order._replace(parcel=event.to, moves=moves)


def _settle(shop: Shop, event: PaymentSettled) -> None:
    """Money arrived for one of the order's requests; each counts once."""
    order = shop.orders.get(event.order.ref)
    if order is not None:
        payment = payment_after_settlement(order.payment, order.status, event.late)
        settled = _with(order.settled, event.intent_id)
        shop.orders[event.order.ref] = order._replace(payment=payment, settled=settled)


def _remember_refusal(shop: Shop, event: MoveRefused) -> None:
    """A refusal changes nothing but that it is not made twice."""
    order = shop.orders.get(event.order.ref)
    if order is not None:
        refused = _with(order.refused, refusal_cause(event.reason, event.cause))
        shop.orders[event.order.ref] = order._replace(refused=refused)


def _thaw(shop: Shop, event: MerchantThawed) -> None:
    """Effects go on; what fell due while nobody looked falls due again.

    Every deadline is put on the agenda anew: one clock may have called it over that another holds to be ahead.
    """
    shop.is_frozen = False
    shop.freezes = _with(shop.freezes, event.cause)
    for ref, order in shop.orders.items():
        if order.deadline_ms is None:
            continue
        deadline_ms = max(order.deadline_ms, event.deadline_ms)
        if deadline_ms != order.deadline_ms:
            shop.orders[ref] = order._replace(deadline_ms=deadline_ms)
        shop.remind(Due(deadline_ms, "deadline", order.key))


def _with(known: tuple[str, ...], cause: str) -> tuple[str, ...]:
    """The newest causes, this one last."""
    return (*known, cause)[-CAUSES_MAX:]


def _move_stock(shop: Shop, lines: tuple[StockLine, ...], held: int, on_hand: int = 0) -> None:
    """Change what is held, and what is on hand where that is tracked."""
    for line in lines:
        stock = shop.stock.get(line.coordinate, Stock())
        left = None if stock.on_hand is None else stock.on_hand + on_hand * line.quantity
        _set_stock(shop, line.coordinate, Stock(left, stock.held + held * line.quantity))


def _set_stock(shop: Shop, coordinate: str, stock: Stock) -> None:
    shop.stock[coordinate] = stock
    note_stale(shop, coordinate)


def note_stale(shop: Shop, coordinate: str) -> None:
    """Keep the set of listings that do not say what they ought to."""
    listing, wanted = shop.listings.get(coordinate), should_say(shop, coordinate)
    if listing and wanted and (listing.stock, listing.visibility) != wanted:
        shop.stale.add(coordinate)
    else:
        shop.stale.discard(coordinate)


def _note_hidden(shop: Shop, event: ListingRecorded | ListingRevised) -> None:
    """A listing is hidden by us from the version in which we hid it, until a version shows it again."""
    coordinate, before = event.listing.coordinate, shop.listings.get(event.listing.coordinate)
    if event.listing.visibility is not Visibility.HIDDEN:
        shop.hidden.pop(coordinate, None)
    elif isinstance(event, ListingRevised) and before and before.visibility is not Visibility.HIDDEN:
        shop.hidden[coordinate] = None


def _note_said_stock(shop: Shop, listing: Listing) -> None:
    """The numbers our versions named, the newest last; so many as a client may reasonably have kept."""
    if listing.stock is not None:
        said = shop.said_stock.get(listing.coordinate, ())
        shop.said_stock[listing.coordinate] = (*said, listing.stock)[-CAUSES_MAX:]


def _withdraw_review(shop: Shop, event: ReviewWithdrawn) -> None:
    """Forget a review that is not newer than its deletion."""
    key = (event.author, event.product)
    shop.review_deletions[key] = event.deleted_at
    if key in shop.reviews and shop.reviews[key].created_at <= event.deleted_at:
        del shop.reviews[key]


def _withdraw(shop: Shop, event: Withdrawn) -> None:
    """Forget a listing, option or collection that does not win over what was deleted: a time, or one version."""
    if event.event_id is None:
        shop.withdrawn[event.coordinate] = event.deleted_at
    else:
        shop.retired[event.coordinate] = (event.deleted_at, event.event_id)
    for table in (shop.listings, shop.options, shop.collections):
        known = table.get(event.coordinate)
        if known is None or known.created_at > event.deleted_at:
            continue
        wins = known.created_at == event.deleted_at and event.event_id is not None and known.event_id < event.event_id
        if not wins:
            del table[event.coordinate]
    note_stale(shop, event.coordinate)
