"""Settlement: what a look-up at a back-end makes of an order - paid, paid in part, too much, too late, taken back.

Only amounts that a back-end named count (law L10). What came is entered in full, whatever becomes of it; a request is
known by its intent, and each time it is looked up only what is new counts, so a repeat says nothing new.
"""

from __future__ import annotations

from schemas import limits
from schemas.lnurl_served import order_memo
from schemas.orders import OrderStatus
from schemas.payments import (
    BackendState,
    Method,
    ObservePayment,
    ObserveReversal,
    PaymentAxis,
    PaymentImplied,
    PaymentPartReceived,
    PaymentReversed,
    PaymentSeen,
    PaymentSettled,
    PaymentWanted,
    WaivePayment,
    intent_id,
)
from schemas.refunds import OwedFor
from schemas.replies import TextReply
from schemas.texts.phrases import Phrase
from schemas.values import MSAT_PER_SAT, Actor
from streams.domain import absence, addresses, orders, owing, payment_choice, reinstating, wording
from streams.domain.decision import Decision
from streams.domain.money import fiat_parts
from streams.domain.shop import Order, Receipt, move_cause
from streams.domain.transitions import BOUGHT, payment_after_settlement


def observe(decision: Decision, command: ObservePayment) -> None:
    """The back-end was asked. Money in time pays a pending order or part of it; any other is late (TR-06, TR-07)."""
    order = decision.shop.order(command.order)
    if order is None:
        return
    if command.state not in (BackendState.GONE, BackendState.UNKNOWN):
        order = absence.recall(decision, order, command.intent_id)
    known_msat = order.receipt(command.intent_id).amount_msat
    match command.state:
        case BackendState.GONE:
            absence.forget(decision, order, command.intent_id)
        case BackendState.OPEN | BackendState.EXPIRED | BackendState.CANCELLED:
            absence.hear(decision, order, command.intent_id)
        case BackendState.PARTIAL if command.gross_msat == known_msat:
            absence.hear(decision, order, command.intent_id)
        case BackendState.SETTLED | BackendState.PARTIAL:
            receive(decision, order, command)
        case BackendState.PENDING | BackendState.HELD:
            _see(decision, order, command.intent_id)
        case BackendState.REVERSED:
            _take_back(decision, order, order.receipt(command.intent_id))
        case _:
            pass


def observe_reversal(decision: Decision, command: ObserveReversal) -> None:
    """The same of a request that nobody watched any more, found by its payment hash."""
    for intent in addresses.of_hashes(decision.shop, (command.payment_hash,)):
        addresses.take_back(decision, intent)
    order = decision.shop.orders.get(decision.shop.requests.get(command.payment_hash, ""))
    if order is None:
        return
    for receipt in order.received:
        if receipt.payment_hash == command.payment_hash:
            _take_back(decision, order, receipt)


def _see(decision: Decision, order: Order, intent: str) -> None:
    """Money for the live request is on its way: the order waits for it, and its buyer hears that it was seen, once."""
    is_awaited = order.status is OrderStatus.PENDING and order.intent_id == intent and not order.waits_for_request
    if not is_awaited or order.receipt(intent).is_reversed or move_cause("payment", "seen", intent) in order.moves:
        return
    deadline_ms = order.deadline_ms
    if deadline_ms is not None:
        deadline_ms = max(deadline_ms, decision.at_ms + decision.shop.settings.final_wait_s * 1_000)
    decision.emit(PaymentSeen(order=order.key, intent_id=intent, deadline_ms=deadline_ms))
    reply = TextReply(about=f"seen {intent}", text=decision.voice(order.key).say(Phrase.SEEN))
    decision.tell(order.key, order.dialect, order.answers, reply)


def receive(decision: Decision, order: Order, command: ObservePayment) -> None:
    """Enter what is new of a request's money; a request that was closed is heard again only where it grew."""
    known, is_final = order.receipt(command.intent_id), command.state is BackendState.SETTLED
    is_closed = command.intent_id in order.settled
    new_msat = command.gross_msat - known.amount_msat
    if known.is_reversed or new_msat < 0 or (new_msat == 0 and (is_closed or not is_final)):
        return
    due_msat = order.quote.total_msat if order.quote else 0
    if order.status is not OrderStatus.PENDING or order.intent_id != command.intent_id or is_closed:
        _receive_late(decision, order, command, due_msat, is_closed or not is_final)
        return
    in_all_msat = order.credit_msat + new_msat
    missing_msat = due_msat - in_all_msat
    if missing_msat > decision.shop.settings.short_accepted_sats * MSAT_PER_SAT:
        _receive_part(decision, order, command, missing_msat)
        return
    decision.emit(
        PaymentSettled(
            order=order.key,
            intent_id=command.intent_id,
            gross_msat=command.gross_msat,
            before_msat=known.amount_msat,
            in_all_msat=in_all_msat,
            due_msat=due_msat,
            settled_at=command.settled_at,
        )
    )
    over_msat = owing.surplus_msat(order, new_msat)
    owing.owe(decision, order.key, over_msat, OwedFor.OVER)
    cause = f"payment {command.intent_id}"
    keeps_goods = decision.shop.settings.card_goods_wait and order.is_by_card and not order.is_on_hold
    orders.confirm(
        decision, order.key, order.dialect, order.answers, order.held, order.quote, cause, over_msat, keeps_goods
    )


def _receive_late(decision: Decision, order: Order, command: ObservePayment, due_msat: int, is_part: bool) -> None:
    """Money that nobody waits for: its buyer reads so, and what an order has twice is owed (TR-15, C-05)."""
    before_msat = order.receipt(command.intent_id).amount_msat
    if is_part:
        decision.emit(
            PaymentPartReceived(
                order=order.key,
                intent_id=command.intent_id,
                gross_msat=command.gross_msat,
                before_msat=before_msat,
                due_msat=due_msat,
                late=True,
            )
        )
    else:
        decision.emit(
            PaymentSettled(
                order=order.key,
                intent_id=command.intent_id,
                gross_msat=command.gross_msat,
                before_msat=before_msat,
                due_msat=due_msat,
                settled_at=command.settled_at,
                late=True,
            )
        )
    new_msat = command.gross_msat - before_msat
    if reinstating.by_itself(decision, _with_late(order, command), f"payment {command.intent_id} {command.gross_msat}"):
        return
    if order.status in BOUGHT and order.payment is PaymentAxis.PAID:
        owing.owe(decision, order.key, owing.surplus_msat(order, new_msat), OwedFor.DOUBLE)
    if new_msat >= MSAT_PER_SAT:
        _tell_late(decision, order, f"late {command.intent_id} {command.gross_msat}", new_msat)


def _with_late(order: Order, command: ObservePayment) -> Order:
    """The order as it stands with this money, which is late."""
    receipt = order.receipt(command.intent_id)
    others = tuple(one for one in order.received if one is not receipt)
    received = (*others, receipt._replace(amount_msat=command.gross_msat))
    payment = payment_after_settlement(order.payment, order.status, late=True)
    paid_msat = order.paid_msat + command.gross_msat - receipt.amount_msat
    return order._replace(received=received, payment=payment, paid_msat=paid_msat)


def _tell_late(decision: Decision, order: Order, about: str, new_msat: int) -> None:
    """Whoever paid would wait for goods that nobody sends."""
    text = decision.voice(order.key).say(Phrase.LATE, sats=str(new_msat // MSAT_PER_SAT))
    decision.tell(order.key, order.dialect, order.answers, TextReply(about=about, text=text))


def _receive_part(decision: Decision, order: Order, command: ObservePayment, missing_msat: int) -> None:
    """Less than is due: entered, the buyer reads what is missing, and a request that is used up gets a successor."""
    assert order.quote is not None, "a pending order has its quote"
    is_closed = command.state is BackendState.SETTLED
    if command.gross_msat == 0:
        detail = f"0 of {order.quote.total_msat} msat"
        decision.refuse(order.key, Actor.COORDINATOR, "underpaid", detail, command.intent_id)
        return
    deadline_ms = order.deadline_ms if order.ends_ms is None else order.ends_ms
    if order.credit_msat == 0 and deadline_ms is not None:
        deadline_ms = max(deadline_ms, decision.at_ms + decision.shop.settings.rest_wait_s * 1_000)
    decision.emit(
        PaymentPartReceived(
            order=order.key,
            intent_id=command.intent_id,
            gross_msat=command.gross_msat,
            before_msat=order.receipt(command.intent_id).amount_msat,
            due_msat=order.quote.total_msat,
            rest_msat=missing_msat,
            is_closed=is_closed,
            deadline_ms=deadline_ms,
        )
    )
    got_msat = order.quote.total_msat - missing_msat
    later = order._replace(
        payment=PaymentAxis.PARTIAL,
        credit_msat=got_msat,
        paid_msat=order.paid_msat + command.gross_msat - order.receipt(command.intent_id).amount_msat,
        deadline_ms=deadline_ms,
    )
    if is_closed and order.part >= limits.PAYMENT_PARTS.most:
        orders.fail(decision, later._replace(intent_id=None), "too_many_parts")
        return
    total_msat = order.quote.total_msat
    fiat = fiat_parts(order.quote.charges, missing_msat, total_msat) if order.is_asked_in_fiat else None
    text = wording.part_paid(decision.voice(order.key), got_msat, missing_msat, is_closed, fiat)
    reply = TextReply(about=f"part {command.intent_id} {command.gross_msat}", text=text)
    decision.tell(order.key, order.dialect, order.answers, reply)
    if is_closed:
        _want_rest(decision, later, missing_msat)


def _want_rest(decision: Decision, order: Order, missing_msat: int) -> None:
    """Ask for what is missing by a request of its own, to be paid as long as the order waits."""
    assert order.deadline_ms is not None, "a pending order has its deadline"
    assert order.quote is not None, "a pending order has its quote"
    fiat = fiat_parts(order.quote.charges, missing_msat, order.quote.total_msat)
    part, rest_msat = order.part + 1, -(-missing_msat // MSAT_PER_SAT) * MSAT_PER_SAT
    decision.emit(
        PaymentWanted(
            order=order.key,
            intent_id=intent_id(order.key, order.revision, Method.BOLT11, part),
            revision=order.revision,
            part=part,
            amount_msat=rest_msat,
            expires_at=order.deadline_ms // 1_000,
            memo=f"{order_memo(order.key.ref)}, rest",
            description_hash=addresses.description_hash(decision.shop, order.key),
            fiat=None if fiat is None else fiat.missing,
            ecash=payment_choice.ecash_terms(decision.shop),
        )
    )


def _take_back(decision: Decision, order: Order, receipt: Receipt) -> None:
    """A request's money is gone: it counts no more, and what was not sent is kept back (TR-16)."""
    if receipt.is_reversed or receipt.amount_msat == 0:
        return
    due_msat = order.quote.total_msat if order.quote else 0
    credit_msat = max(0, order.credit_msat - receipt.credit_msat)
    left_msat = order.paid_msat - order.refunded_msat - receipt.amount_msat
    covers = left_msat + decision.shop.settings.short_accepted_sats * MSAT_PER_SAT >= due_msat
    payment, owed_msat = order.payment, min(order.owed_msat, max(0, left_msat))
    if order.status is OrderStatus.PENDING:
        if payment is PaymentAxis.PARTIAL and credit_msat <= 0:
            payment = PaymentAxis.WANTED if order.waits_for_request else PaymentAxis.REQUESTED
    elif order.status in BOUGHT:
        owed_msat = min(owed_msat, max(0, left_msat - due_msat))
        payment = payment if covers else PaymentAxis.REVERSED
    elif left_msat <= 0:
        payment = PaymentAxis.REVERSED
    decision.emit(
        PaymentReversed(
            order=order.key,
            intent_id=receipt.intent_id,
            amount_msat=receipt.amount_msat,
            credit_msat=credit_msat,
            owed_msat=owed_msat,
            payment=payment,
        )
    )
    text = decision.voice(order.key).say(Phrase.REVERSED, sats=str(receipt.amount_msat // MSAT_PER_SAT))
    reply = TextReply(about=f"reversed {receipt.intent_id}", text=text)
    decision.tell(order.key, order.dialect, order.answers, reply)
    if order.status is OrderStatus.PENDING and order.intent_id == receipt.intent_id:
        later = order._replace(payment=payment, credit_msat=credit_msat, intent_id=None)
        later = later._replace(paid_msat=order.paid_msat - receipt.amount_msat)
        if order.part >= limits.PAYMENT_PARTS.most:
            orders.fail(decision, later, "too_many_parts")
        else:
            _want_rest(decision, later, due_msat - credit_msat)


def waive(decision: Decision, command: WaivePayment) -> None:
    """A person goes on with an order whose money was taken back: what is missing counts as the merchant's (TR-16)."""
    order = decision.shop.order(command.order)
    if order is None:
        decision.refuse(command.order, Actor.MERCHANT, "unknown_order", "no such order", command.cause)
        return
    if move_cause("payment", "implied", command.cause) in order.moves:
        return
    if order.payment is not PaymentAxis.REVERSED or order.status not in BOUGHT or order.quote is None:
        detail = f"the order is {order.status}, its payment {order.payment}"
        decision.refuse(order.key, Actor.MERCHANT, "nothing_to_waive", detail, command.cause)
        return
    missing_msat = max(0, order.quote.total_msat - (order.paid_msat - order.refunded_msat))
    decision.emit(PaymentImplied(order=order.key, amount_msat=missing_msat, cause=command.cause))
    owing.owe(decision, order.key, owing.surplus_msat(order, 0), OwedFor.DOUBLE)  # where more came since
    if order.status is not OrderStatus.COMPLETED:
        reply = TextReply(about="waived", text=decision.voice(order.key).say(Phrase.WAIVED))
        decision.tell(order.key, order.dialect, order.answers, reply)
