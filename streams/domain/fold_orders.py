"""What facts about orders and their parcels do to the shop; `evolve` says which fact does what."""

from __future__ import annotations

from schemas.freezes import MerchantThawed
from schemas.goods import GoodsSet, PickupReady
from schemas.holds import OrderHeld, OrderReleased, OrderRenewed, ReplyWithheld
from schemas.orders import (
    CancellationRequested,
    MoveRefused,
    OrderMoved,
    OrderPlaced,
    OrderQuoted,
    OrderStatus,
    OrderWaiting,
    ShippingMoved,
)
from schemas.payments import PaymentAxis
from schemas.replies import Reply, ShippingReply, TextReply
from schemas.values import OrderKey, Waiting
from streams.domain.shop import (
    CAUSES_MAX,
    HOUR_MS,
    Due,
    Order,
    Shop,
    move_cause,
    refusal_cause,
)
from streams.domain.transitions import (
    OPEN,
    parcels_after,
    payment_after_move,
    shipping_of,
)


def change(shop: Shop, key: OrderKey, **changes: object) -> bool:
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


def hear(shop: Shop, buyer: str, at_ms: int) -> None:
    """Count a message of a buyer that led to something, in the hour it came; a new hour starts anew."""
    hour = at_ms // HOUR_MS
    if hour > shop.hour:
        shop.hour, shop.heard, shop.unpaid, shop.strangers = hour, {}, {}, 0
    shop.heard[buyer] = shop.heard.get(buyer, 0) + 1


def quote(shop: Shop, event: OrderQuoted) -> None:
    """The order has its price; from when on its request is dead follows from the rules of that moment."""
    asks_from_ms = (event.quote.valid_until + shop.settings.grace_s) * 1_000
    changed = change(
        shop,
        event.order,
        status=OrderStatus.PENDING,
        quote=event.quote,
        deadline_ms=event.deadline_ms,
        ends_ms=None,
        asks_from_ms=asks_from_ms,
    )
    if changed:
        shop.remind(Due(event.deadline_ms, "deadline", event.order))


def renew(shop: Shop, event: OrderRenewed) -> None:
    """The order starts over with what its buyer said; the price stands in the same record."""
    order = shop.orders.get(event.order.ref)
    moves = order.moves if order else ()
    change(
        shop,
        event.order,
        status=OrderStatus.WAITING,
        revision=event.revision,
        payment=PaymentAxis.NONE,
        quote=None,
        intent_id=None,
        deadline_ms=None,
        ends_ms=None,
        moves=with_cause(moves, move_cause("payment", "renewed", event.cause)) if event.cause else moves,
    )


def wait(shop: Shop, event: OrderWaiting, at_ms: int) -> None:
    """The order cannot be quoted; for an exchange rate it waits only so long, from the first time on."""
    order = shop.orders.get(event.order.ref)
    if order is not None:
        since_ms = (order.rate_since_ms or at_ms) if event.reason is Waiting.RATE else None
        waiting = order._replace(
            status=OrderStatus.WAITING,
            waits_for=event.reason,
            deadline_ms=event.deadline_ms,
            rate_since_ms=since_ms,
        )
        _put(shop, waiting, order)


def place(shop: Shop, event: OrderPlaced) -> None:
    """A first or an amended order; an amendment starts over but keeps its rumors and its replies' numbers."""
    before = shop.orders.get(event.order.ref)
    ref = event.order.ref
    shop.past.pop(ref, None)
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
        has_contact=event.has_contact,
        language=event.language,
        flow=event.flow,
    )
    if before is not None:
        placed = placed._replace(
            replies=before.replies,
            refused=before.refused,
            settled=before.settled,
            paid_msat=before.paid_msat,
            refunded_msat=before.refunded_msat,
            refunds=before.refunds,
            received=before.received,
            owed_msat=before.owed_msat,
            is_on_hold=before.is_on_hold,
            holds=before.holds,
            pay_back=before.pay_back,
        )
    _put(shop, placed, before)
    for _ in shop.parked.get(event.order.ref, ()):
        shop.remind(Due(0, "parked", event.order))


def move_order(shop: Shop, event: OrderMoved, at_ms: int) -> None:
    """The order axis, and what that means for its payment."""
    order = shop.orders.get(event.order.ref)
    if order is None:
        return
    payment = payment_after_move(order.payment, event.to)
    moves = with_cause(order.moves, move_cause("order", event.to, event.cause))
    confirmed_s = at_ms // 1_000 if event.to is OrderStatus.CONFIRMED else order.confirmed_s
    changed = order._replace(status=event.to, payment=payment, deadline_ms=None, moves=moves, confirmed_s=confirmed_s)
    _put(shop, changed, order)


def note_cancellation(shop: Shop, event: CancellationRequested) -> None:
    """The merchant has it to decide; the message that asked is not heard twice."""
    order = shop.orders.get(event.order.ref)
    if order is not None:
        moves = with_cause(order.moves, move_cause("order", OrderStatus.CANCELLED, event.cause))
        shop.orders[event.order.ref] = order._replace(cancellation_requested=True, moves=moves)


def move_parcel(shop: Shop, event: ShippingMoved) -> None:
    """One of its parcels, and with it the shipping axis."""
    order = shop.orders.get(event.order.ref)
    if order is not None:
        moves = with_cause(order.moves, move_cause("parcel", event.to, event.cause))
        parcels = parcels_after(order.parcels, event)
        shop.orders[event.order.ref] = order._replace(parcel=shipping_of(parcels), parcels=parcels, moves=moves)


def make_ready(shop: Shop, event: PickupReady) -> None:
    """The buyer may come."""
    change(shop, event.order, is_ready=True)


def set_goods(shop: Shop, event: GoodsSet) -> None:
    """What a listing's buyers are sent from now on."""
    if event.sealed is None:
        shop.goods.pop(event.coordinate, None)
    else:
        shop.goods[event.coordinate] = event.sealed
    shop.goods_set[event.coordinate] = event.cause


def remember_refusal(shop: Shop, event: MoveRefused) -> None:
    """A refusal changes nothing but that it is not made twice."""
    order = shop.orders.get(event.order.ref)
    if order is not None:
        refused = with_cause(order.refused, refusal_cause(event.reason, event.cause))
        shop.orders[event.order.ref] = order._replace(refused=refused)


def hold(shop: Shop, event: OrderHeld) -> None:
    """The order is a person's."""
    order = shop.orders.get(event.order.ref)
    if order is not None:
        shop.orders[event.order.ref] = order._replace(is_on_hold=True, holds=with_cause(order.holds, event.cause))


def withhold(shop: Shop, event: ReplyWithheld) -> None:
    """Of each kind of message the newest may be said later; an older one would be wrong by then."""
    order = shop.orders.get(event.order.ref)
    if order is not None:
        others = tuple(reply for reply in order.unsaid if _subject(reply) != _subject(event.reply))
        shop.orders[event.order.ref] = order._replace(unsaid=(*others, event.reply))


def _subject(reply: Reply) -> tuple[str, str | None]:
    """What a message is about: a newer one about the same takes its place."""
    match reply:
        case ShippingReply():
            return reply.type, reply.parcel
        case TextReply():
            return reply.type, reply.about
        case _:
            return reply.type, None


def release(shop: Shop, event: OrderReleased) -> None:
    """The order goes on; its deadline, and the time to ask for another request, come later where they were past."""
    order = shop.orders.get(event.order.ref)
    if order is None:
        return
    released = order._replace(is_on_hold=False, holds=with_cause(order.holds, event.cause), unsaid=())
    shop.orders[event.order.ref] = later(released, event.deadline_ms)
    if event.deadline_ms is not None:
        shop.remind(Due(event.deadline_ms, "deadline", event.order))


def later(order: Order, earliest_ms: int | None) -> Order:
    """The order, with nothing falling due before this."""
    if earliest_ms is None or order.deadline_ms is None:
        return order
    asks_from_ms = None if order.asks_from_ms is None else max(order.asks_from_ms, earliest_ms)
    ends_ms = None if order.ends_ms is None else max(order.ends_ms, earliest_ms)
    deadline_ms = max(order.deadline_ms, earliest_ms)
    return order._replace(deadline_ms=deadline_ms, ends_ms=ends_ms, asks_from_ms=asks_from_ms)


def thaw(shop: Shop, event: MerchantThawed) -> None:
    """Effects go on; what fell due while nobody looked falls due again.

    Every deadline is put on the agenda anew: one clock may have called it over that another holds to be ahead.
    """
    shop.is_frozen = False
    shop.freezes = with_cause(shop.freezes, event.cause)
    for ref, order in shop.orders.items():
        if order.deadline_ms is None:
            continue
        deferred = later(order, event.deadline_ms)
        if deferred != order:
            shop.orders[ref] = deferred
        shop.remind(Due(deferred.deadline_ms or event.deadline_ms, "deadline", order.key))


def with_cause(known: tuple[str, ...], cause: str) -> tuple[str, ...]:
    """The newest causes, this one last."""
    return (*known, cause)[-CAUSES_MAX:]
