"""Orders: placing and amending them, and every move of the order and shipping axes."""

from __future__ import annotations

from collections.abc import Mapping

from schemas.lnurl_served import order_memo
from schemas.orders import (
    CancellationRequested,
    Finding,
    MoveOrder,
    OrderMoved,
    OrderPlaced,
    OrderQuoted,
    OrderRejected,
    OrderStatus,
    OrderWaiting,
    PlaceOrder,
    Quote,
    Rate,
    ReachDeadline,
    ShippingStatus,
)
from schemas.payments import Method, PaymentAxis, PaymentDropped, PaymentImplied, PaymentWanted, intent_id
from schemas.replies import WireStatus
from schemas.stock import StockCommitted, StockHeld, StockLine, StockReleased, StockSet
from schemas.texts.phrases import Phrase
from schemas.values import Actor, OrderKey, Refusal, Waiting
from streams.domain import addresses, buyers, handing, owing, parking, payment_choice, wording
from streams.domain.decision import Decision
from streams.domain.money import fiat_total
from streams.domain.pricing import quote
from streams.domain.shop import Order, move_cause
from streams.domain.transitions import OPEN, ORDER_MOVES, PAID
from streams.domain.wanted import Rejected, Wait

PAID_FOR = (OrderStatus.CONFIRMED, OrderStatus.PROCESSING, OrderStatus.COMPLETED)
"""Where only an order goes whose money is there, be it by the merchant's word."""

BY_CARD = "goods bought by card"
"""Why an order is put on hold by itself."""
REVERSED = "its payment was taken back: go on all the same with `ncc order waive`, or cancel it"
"""What whoever would send an order reads, whose money is gone (TR-16)."""

RETRY_RATE_MS = 30_000
"""How often an order that waits for an exchange rate is priced anew."""


def place(decision: Decision, command: PlaceOrder, rates: Mapping[str, Rate]) -> None:
    """A new order is priced at once; the same rumor again says nothing new; another one amends it in time (ORD-02).

    What a buyer has too much of already is not looked at any more (C-12).
    """
    order, buyer = decision.shop.order(command.order), command.order.buyer
    if order is not None and command.rumor_id in order.rumor_ids:
        return
    if buyers.silenced(decision, buyer):
        return
    too_much = buyers.check_new_order(decision, buyer) if order is None else None
    if decision.silence is not None:
        return
    if order is None:
        revision = 1
    elif may_amend(decision, order):
        revision = order.revision + 1
        give_back(decision, order)
    else:
        decision.refuse(
            command.order,
            Actor.BUYER,
            "already_quoted",
            "the order was quoted before",
            command.rumor_id,
        )
        return
    flow = order.flow if order else decision.shop.payment_choice.flow
    decision.emit(
        OrderPlaced(
            order=command.order,
            revision=revision,
            dialect=command.dialect,
            rumor_id=command.rumor_id,
            lines=command.lines,
            shipping=command.shipping,
            destination=command.destination,
            details=command.details,
            claimed_sats=command.claimed_sats,
            coupon=command.coupon,
            has_contact=command.has_contact,
            language=command.language,
            flow=flow,
            warnings=command.warnings,
        )
    )
    placed = Order(
        key=command.order,
        dialect=command.dialect,
        revision=revision,
        rumor_ids=(command.rumor_id,),
        lines=command.lines,
        shipping=command.shipping,
        destination=command.destination,
        claimed_sats=command.claimed_sats,
        coupon=command.coupon,
        has_contact=command.has_contact,
        language=command.language,
        flow=flow,
    )
    decision.speak(placed.key, command.language)
    if order is not None and order.is_on_hold:
        decision.emit(OrderWaiting(order=order.key, reason=Waiting.HOLD))
        return
    if too_much is not None:
        reject(decision, placed, (too_much,))
        return
    released = order.held if order else ()
    price(decision, placed, rates, released)


def may_amend(decision: Decision, order: Order) -> bool:
    """Whether another message may replace what was ordered: before its request is shown, and again once that is dead.

    A request is dead when its grace is over as well: until then its money may be on the way (PAY-18).
    """
    if order.status not in OPEN:
        return False
    if order.ends_ms is not None:
        return False  # its wallet does not say whether its request was paid
    if order.credit_msat > 0:
        return False  # some of its price was paid, and the rest of that price is asked for
    if order.payment in (PaymentAxis.NONE, PaymentAxis.WANTED):
        return True
    asks_from_ms = order.asks_from_ms
    looked = not decision.shop.is_frozen and not order.is_on_hold
    return looked and asks_from_ms is not None and decision.at_ms >= asks_from_ms


def price(
    decision: Decision,
    order: Order,
    rates: Mapping[str, Rate],
    released: tuple[StockLine, ...] = (),
    announce_waiting: bool = True,
) -> None:
    """Quote an order that has no price yet: pending with its stock held, or waiting, or turned down.

    `released` is what an amended order gives back in this same decision.
    """
    outcome = quote(decision.shop, order, rates, decision.at_ms, released)
    match outcome:
        case Rejected(findings=findings):
            reject(decision, order, findings)
        case Wait(reason=Waiting.RATE, detail=currency) if waited_too_long(decision, order):
            reject(decision, order, (Finding(refusal=Refusal.UNPRICEABLE, subject=f"a price in {currency}"),))
        case Wait(reason=reason, detail=detail):
            retry = decision.at_ms + RETRY_RATE_MS if reason is Waiting.RATE else None
            decision.emit(OrderWaiting(order=order.key, reason=reason, detail=detail, deadline_ms=retry))
            if announce_waiting or reason is not Waiting.RATE:
                text = wording.waiting(decision.voice(order.key), reason, detail)
                decision.tell_status(order.key, order.dialect, order.answers, WireStatus.PENDING, text)
        case Quote():
            accept(decision, order, outcome)


def waited_too_long(decision: Decision, order: Order) -> bool:
    """Whether an order has waited for an exchange rate as long as the shop lets it."""
    since_ms, most_ms = order.rate_since_ms, decision.shop.settings.rate_wait_s * 1_000
    return since_ms is not None and decision.at_ms - since_ms >= most_ms


def reject(decision: Decision, order: Order, findings: tuple[Finding, ...]) -> None:
    """Turn an order down and tell the buyer why, once (ORD-05)."""
    decision.emit(OrderRejected(order=order.key, findings=findings))
    status, text = WireStatus.CANCELLED, wording.rejected(decision.voice(order.key), findings)
    decision.tell_status(order.key, order.dialect, order.answers, status, text)


def accept(decision: Decision, order: Order, quoted: Quote) -> None:
    """Hold the stock and want the money; a free order is confirmed at once (TR-05)."""
    held = tuple(StockLine(coordinate=q.coordinate, quantity=q.quantity) for q in quoted.lines if q.tracked)
    settings = decision.shop.settings
    deadline_ms = (quoted.valid_until + settings.grace_s + settings.ask_again_s) * 1_000
    decision.emit(OrderQuoted(order=order.key, quote=quoted, deadline_ms=deadline_ms))
    if held:
        decision.emit(StockHeld(order=order.key, lines=held))
    if quoted.total_msat == 0:
        confirm(decision, order.key, order.dialect, order.answers, held, quoted, "free of charge")
        return
    decision.emit(
        PaymentWanted(
            order=order.key,
            intent_id=intent_id(order.key, order.revision, Method.BOLT11),
            revision=order.revision,
            amount_msat=quoted.total_msat,
            expires_at=quoted.valid_until,
            memo=order_memo(order.key.ref),
            description_hash=addresses.description_hash(decision.shop, order.key),
            fiat=fiat_total(quoted.charges),
            ecash=payment_choice.ecash_terms(decision.shop),
        )
    )


def confirm(
    decision: Decision,
    key: OrderKey,
    dialect: str,
    answers: str,
    held: tuple[StockLine, ...],
    quoted: Quote | None,
    cause: str,
    over_msat: int = 0,
    keeps_goods: bool = False,
) -> None:
    """The money is there: the held stock is sold and the buyer told once (TR-06), also of what is theirs (C-03).

    With `keeps_goods` what is handed over as a text waits for a person: the order is on hold, and not completed.
    """
    if held:
        decision.emit(StockCommitted(order=key, lines=held))
        decision.emit(*_made_good(decision, key, held))
    decision.emit(OrderMoved(order=key, actor=Actor.COORDINATOR, to=OrderStatus.CONFIRMED, cause=cause))
    voice = decision.voice(key)
    decision.tell_status(key, dialect, answers, WireStatus.CONFIRMED, wording.confirmed(voice, quoted, over_msat))
    if quoted is None or not (handed := handing.handed_lines(decision.shop, quoted)):
        return
    if keeps_goods:
        decision.hold(key, BY_CARD)
    handing.hand_over(decision, key, dialect, answers, quoted)
    if len(handed) == len(quoted.lines) and not keeps_goods:
        complete_handed(decision, key, dialect, answers)


def complete_handed(decision: Decision, key: OrderKey, dialect: str, answers: str) -> None:
    """All that was ordered was a text or a link, and it is said."""
    decision.emit(OrderMoved(order=key, actor=Actor.COORDINATOR, to=OrderStatus.COMPLETED, cause="handed over"))
    text = decision.voice(key).say(Phrase.COMPLETED)
    decision.tell_status(key, dialect, answers, WireStatus.COMPLETED, text)


def _made_good(decision: Decision, key: OrderKey, sold: tuple[StockLine, ...]) -> tuple[StockSet, ...]:
    """Nothing on hand, where the merchant had lowered the base below what was promised: never less than that."""
    stock = decision.shop.stock
    short = (line for line in sold if line.coordinate in stock and _less(stock[line.coordinate].on_hand, line.quantity))
    return tuple(
        StockSet(coordinate=line.coordinate, on_hand=0, cause=f"oversold by order {key.ref}") for line in short
    )


def _less(on_hand: int | None, sold: int) -> bool:
    return on_hand is not None and on_hand < sold


def fail(decision: Decision, order: Order, cause: str) -> None:
    """The order cannot be paid: it ends, and its buyer is told (TR-10)."""
    give_back(decision, order)
    decision.emit(OrderMoved(order=order.key, actor=Actor.COORDINATOR, to=OrderStatus.FAILED, cause=cause))
    text = wording.ended(decision.voice(order.key), Phrase.FAILED, owing.owe_unfinished(decision, order))
    decision.tell_status(order.key, order.dialect, order.answers, WireStatus.CANCELLED, text)


def give_back(decision: Decision, order: Order) -> None:
    """Undo what an unpaid order holds: its stock and its payment request."""
    if order.held:
        decision.emit(StockReleased(order=order.key, lines=order.held))
    if order.intent_id is not None:
        decision.emit(PaymentDropped(order=order.key, intent_id=order.intent_id))


def move(decision: Decision, command: MoveOrder) -> None:
    """A buyer or the merchant moves the order axis; what is not allowed changes nothing (ORD-12)."""
    order = decision.shop.order(command.order)
    if order is None:
        parking.park(decision, command.order, command)
        return
    if order.status is command.to or move_cause("order", command.to, command.cause) in order.moves:
        return
    if buyers.silenced_actor(decision, command.actor, order.key.buyer):
        return
    if command.actor is Actor.BUYER and command.to is OrderStatus.CANCELLED and order.status in PAID:
        if not order.cancellation_requested:
            decision.emit(CancellationRequested(order=order.key, cause=command.cause))
        return
    if order.payment is PaymentAxis.REVERSED and command.to in PAID_FOR:
        decision.refuse(order.key, command.actor, "payment_reversed", REVERSED, command.cause)
        return
    movers = ORDER_MOVES.get((order.status, command.to), frozenset())
    allowed = command.actor is not Actor.COORDINATOR and command.actor in movers
    on_its_way = order.parcel in (ShippingStatus.SHIPPED, ShippingStatus.DELIVERED)
    if command.actor is Actor.BUYER and command.to is OrderStatus.COMPLETED:
        allowed = allowed and on_its_way
    if not allowed:
        detail = f"{order.status}→{command.to}"
        decision.refuse(order.key, command.actor, "illegal_transition", detail, command.cause)
        return
    is_implied = order.status is OrderStatus.PENDING and command.to in PAID_FOR
    if is_implied:
        imply_payment(decision, order, command.cause)
    elif order.status in OPEN:
        give_back(decision, order)
    decision.emit(OrderMoved(order=order.key, actor=command.actor, to=command.to, cause=command.cause))
    owed_msat = owing.owe_unfinished(decision, order) if command.to is OrderStatus.CANCELLED else 0
    if command.announce and (told := status_text(command, order.payment is PaymentAxis.PAID, is_implied)):
        status, phrase = told
        text = wording.ended(decision.voice(order.key), phrase, owed_msat)
        decision.tell_status(order.key, order.dialect, order.answers, status, text)
    if is_implied and order.quote is not None:
        handing.hand_over(decision, order.key, order.dialect, order.answers, order.quote)


def imply_payment(decision: Decision, order: Order, cause: str) -> None:
    """The merchant goes on, so the money is theirs to answer for: the stock is sold, nothing is asked for (TR-17)."""
    assert order.quote is not None, "a pending order has its quote"
    if order.held:
        decision.emit(StockCommitted(order=order.key, lines=order.held))
        decision.emit(*_made_good(decision, order.key, order.held))
    if order.intent_id is not None:
        decision.emit(PaymentDropped(order=order.key, intent_id=order.intent_id))
    missing_msat = order.quote.total_msat - order.credit_msat
    decision.emit(PaymentImplied(order=order.key, amount_msat=missing_msat, cause=cause))


def status_text(command: MoveOrder, paid: bool, is_implied: bool) -> tuple[WireStatus, Phrase] | None:
    """What the buyer is told of a move, or None where the buyer made it and needs no echo (TR-12)."""
    match command.to:
        case OrderStatus.CONFIRMED:
            return WireStatus.CONFIRMED, Phrase.CONFIRMED_PAID
        case OrderStatus.PROCESSING if is_implied:
            return WireStatus.PROCESSING, Phrase.ACCEPTED
        case OrderStatus.PROCESSING:
            return WireStatus.PROCESSING, Phrase.PROCESSING
        case OrderStatus.COMPLETED:
            return None if command.actor is Actor.BUYER else (WireStatus.COMPLETED, Phrase.COMPLETED)
        case OrderStatus.CANCELLED if command.actor is Actor.BUYER:
            return WireStatus.CANCELLED, Phrase.CANCELLED_BY_BUYER
        case OrderStatus.CANCELLED:
            return WireStatus.CANCELLED, Phrase.CANCELLED_PAID if paid else Phrase.CANCELLED_BY_MERCHANT
        case _:
            return None


def reach_deadline(decision: Decision, command: ReachDeadline, rates: Mapping[str, Rate]) -> None:
    """The deadline the order still has is over: an unpaid one expires, one that waited for a rate is tried again."""
    order = decision.shop.order(command.order)
    if order is None or order.deadline_ms != command.deadline_ms or decision.at_ms < command.deadline_ms:
        return
    if decision.shop.is_frozen or order.is_on_hold:
        return  # nobody looks for its money, or a person has it: the thaw or the release gives it a new deadline
    if order.status is OrderStatus.WAITING:
        price(decision, order, rates, announce_waiting=False)
    elif order.status is OrderStatus.PENDING:
        give_back(decision, order)
        decision.emit(OrderMoved(order=order.key, actor=Actor.COORDINATOR, to=OrderStatus.EXPIRED, cause="deadline"))
        text = wording.ended(decision.voice(order.key), Phrase.EXPIRED, owing.owe_unfinished(decision, order))
        decision.tell_status(order.key, order.dialect, order.answers, WireStatus.CANCELLED, text)
