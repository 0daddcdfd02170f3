"""What facts about an order's money do to the shop: wanted, asked for, received, taken back, owed and returned."""

from __future__ import annotations

from schemas import limits
from schemas.absence import RequestForgotten, RequestRecalled, WalletAnswered, WalletMissed
from schemas.ecash import TokenHandedIn, TokenRefused
from schemas.payments import (
    CARD_PAGE,
    MEDIUM,
    Method,
    PaymentAnnounced,
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
from schemas.refunds import RefundOwed, RefundRecorded
from schemas.reinstatement import OrderReinstated
from streams.domain.fold_orders import later, with_cause
from streams.domain.shop import CAUSES_MAX, Due, Order, Receipt, Shop, move_cause
from streams.domain.transitions import (
    payment_after_part,
    payment_after_refund,
    payment_after_refusal,
    payment_after_settlement,
    payment_while_asked,
)


def want(shop: Shop, event: PaymentWanted) -> None:
    """A request is wanted, of the price or of its rest; the one before is nobody's any more."""
    order = shop.orders.get(event.order.ref)
    if order is not None:
        shop.orders[event.order.ref] = order._replace(
            payment=payment_while_asked(order.payment, PaymentAxis.WANTED),
            intent_id=event.intent_id,
            part=event.part,
            asked_msat=event.amount_msat,
            ends_ms=None,
            payment_hash=order.payment_hash if event.part == 1 else None,
            request_digest=order.request_digest if event.part == 1 else None,
            request_text=None,
        )


def ask(shop: Shop, event: PaymentRequested) -> None:
    """The order's request is there, and known again; the oldest are forgotten.

    What knows it is its payment hash, on the chain its address's digest, in fiat its text's, and else its intent.
    """
    order, is_by_text = shop.orders.get(event.order.ref), event.medium in (MEDIUM[Method.BITCOIN], MEDIUM[Method.FIAT])
    proof = event.digest if is_by_text else event.payment_hash
    if order is not None:
        receipt = order.receipt(event.intent_id)._replace(payment_hash=proof)
        shop.orders[event.order.ref] = order._replace(
            payment=payment_while_asked(order.payment, PaymentAxis.REQUESTED),
            payment_hash=event.payment_hash,
            request_digest=event.digest,
            request_text=event.text if event.is_addressed else None,
            is_asked_in_fiat=event.medium == MEDIUM[Method.FIAT],
            is_by_card=order.is_by_card or CARD_PAGE.match(event.text) is not None,
            received=with_receipt(order, receipt),
        )
    shop.requests[proof or event.intent_id] = event.order.ref
    while len(shop.requests) > limits.PROOFS.most:
        del shop.requests[next(iter(shop.requests))]


def note_announced(shop: Shop, event: PaymentAnnounced) -> None:
    """The message that announced a payment is not heard twice."""
    order = shop.orders.get(event.order.ref)
    if order is not None:
        moves = with_cause(order.moves, move_cause("payment", "announced", event.rumor_id))
        shop.orders[event.order.ref] = order._replace(moves=moves)


def see(shop: Shop, event: PaymentSeen) -> None:
    """Money is on its way: nothing falls due before it can be final, and it is not noted twice."""
    order = shop.orders.get(event.order.ref)
    if order is None:
        return
    seen = later(order, event.deadline_ms)._replace(
        payment=payment_while_asked(order.payment, PaymentAxis.REPORTED),
        moves=with_cause(order.moves, move_cause("payment", "seen", event.intent_id)),
        ends_ms=None,
    )
    shop.orders[event.order.ref] = seen
    if seen.deadline_ms is not None and seen.deadline_ms != order.deadline_ms:
        shop.remind(Due(seen.deadline_ms, "deadline", event.order))


def miss_wallet(shop: Shop, event: WalletMissed) -> None:
    """Its buyer was told that the request is late; or it waits beyond its end, which is kept."""
    order = shop.orders.get(event.order.ref)
    if order is None:
        return
    if event.deadline_ms is None:
        moves = with_cause(order.moves, move_cause("payment", "delayed", event.intent_id))
        shop.orders[event.order.ref] = order._replace(moves=moves)
    else:
        shop.orders[event.order.ref] = order._replace(ends_ms=order.deadline_ms, deadline_ms=event.deadline_ms)
        shop.remind(Due(event.deadline_ms, "deadline", event.order))


def answer(shop: Shop, event: WalletAnswered) -> None:
    """It ends when it would have, and does not wait for this request again."""
    order = shop.orders.get(event.order.ref)
    if order is not None:
        moves = with_cause(order.moves, move_cause("payment", "answered", event.intent_id))
        answered = order._replace(deadline_ms=event.deadline_ms, ends_ms=None, moves=moves)
        shop.orders[event.order.ref] = answered
        shop.remind(Due(event.deadline_ms, "deadline", event.order))


def forget(shop: Shop, event: RequestForgotten) -> None:
    """It waits for a person beyond its end, which is kept."""
    order = shop.orders.get(event.order.ref)
    if order is not None:
        moves = with_cause(order.moves, move_cause("payment", "forgotten", event.intent_id))
        is_later = event.deadline_ms != order.deadline_ms
        ends_ms = order.deadline_ms if is_later else order.ends_ms
        shop.orders[event.order.ref] = order._replace(moves=moves, ends_ms=ends_ms, deadline_ms=event.deadline_ms)
        if is_later:
            shop.remind(Due(event.deadline_ms, "deadline", event.order))


def recall(shop: Shop, event: RequestRecalled) -> None:
    """It ends when it would have; forgotten again, that is news."""
    order = shop.orders.get(event.order.ref)
    if order is not None:
        forgotten = move_cause("payment", "forgotten", event.intent_id)
        moves = tuple(move for move in order.moves if move != forgotten)
        shop.orders[event.order.ref] = order._replace(moves=moves, deadline_ms=event.deadline_ms, ends_ms=None)
        shop.remind(Due(event.deadline_ms, "deadline", event.order))


def settle(shop: Shop, event: PaymentSettled) -> None:
    """Money arrived for one of the order's requests; each counts once."""
    order = shop.orders.get(event.order.ref)
    if order is not None:
        payment = payment_after_settlement(order.payment, order.status, event.late)
        settled = with_cause(order.settled, event.intent_id)
        shop.orders[event.order.ref] = _enriched(order, event)._replace(payment=payment, settled=settled)


def receive_part(shop: Shop, event: PaymentPartReceived) -> None:
    """Some money arrived; the order waits for the rest, and a request that is used up is known as such."""
    order = shop.orders.get(event.order.ref)
    if order is None:
        return
    payment = payment_after_part(order.payment, order.status, event.late)
    settled = with_cause(order.settled, event.intent_id) if event.is_closed else order.settled
    richer = _enriched(order, event)._replace(payment=payment, settled=settled)
    if event.deadline_ms is not None:
        richer = richer._replace(deadline_ms=event.deadline_ms, ends_ms=None)
    if richer.deadline_ms is not None and richer.deadline_ms != order.deadline_ms:
        shop.remind(Due(richer.deadline_ms, "deadline", event.order))
    shop.orders[event.order.ref] = richer


def _enriched(order: Order, event: PaymentSettled | PaymentPartReceived) -> Order:
    """The order with what is new of a request's money."""
    known, counts_msat = order.receipt(event.intent_id), 0 if event.late else event.new_msat
    receipt = known._replace(amount_msat=event.gross_msat, credit_msat=known.credit_msat + counts_msat)
    return order._replace(
        paid_msat=order.paid_msat + event.new_msat,
        credit_msat=order.credit_msat + counts_msat,
        received=with_receipt(order, receipt),
    )


def with_receipt(order: Order, receipt: Receipt) -> tuple[Receipt, ...]:
    """What the order's last requests have received, with this one."""
    others = tuple(one for one in order.received if one.intent_id != receipt.intent_id)
    return (*others, receipt)[-CAUSES_MAX:]


def take_back(shop: Shop, event: PaymentReversed) -> None:
    """A request's money is gone; it never counts again."""
    order = shop.orders.get(event.order.ref)
    if order is None:
        return
    receipt = order.receipt(event.intent_id)._replace(amount_msat=0, credit_msat=0, is_reversed=True)
    shop.orders[event.order.ref] = order._replace(
        payment=event.payment,
        paid_msat=order.paid_msat - event.amount_msat,
        credit_msat=event.credit_msat,
        owed_msat=event.owed_msat,
        received=with_receipt(order, receipt),
        settled=with_cause(order.settled, event.intent_id),
    )


def owe(shop: Shop, event: RefundOwed) -> None:
    """Some of the order's money is the buyer's."""
    order = shop.orders.get(event.order.ref)
    if order is not None:
        shop.orders[event.order.ref] = order._replace(owed_msat=order.owed_msat + event.amount_msat)


def note_reported(shop: Shop, event: PaymentReported) -> None:
    """The buyer says they paid; a message that says so is not heard twice."""
    order = shop.orders.get(event.order.ref)
    if order is not None:
        payment = payment_while_asked(order.payment, PaymentAxis.REPORTED)
        moves = with_cause(order.moves, move_cause("payment", "reported", event.rumor_id))
        shop.orders[event.order.ref] = order._replace(payment=payment, moves=moves)


def hand_in(shop: Shop, event: TokenHandedIn) -> None:
    """Ecash was handed in, perhaps once more; it counts for nothing before it was swapped."""
    order = shop.orders.get(event.order.ref)
    if order is not None:
        payment = payment_while_asked(order.payment, PaymentAxis.REPORTED)
        again = move_cause("payment", "refused", event.token_id[:32])
        moves = tuple(move for move in order.moves if move != again)
        moves = with_cause(moves, move_cause("payment", "handed", event.token_id[:32]))
        shop.orders[event.order.ref] = order._replace(payment=payment, moves=moves)


def refuse_token(shop: Shop, event: TokenRefused) -> None:
    """It was not taken: an order that had reported it waits for its money again."""
    if event.order is None:
        shop.calls = with_cause(shop.calls, event.token_id)
        return
    order = shop.orders.get(event.order.ref)
    if order is not None:
        moves = with_cause(order.moves, move_cause("payment", "refused", event.token_id[:32]))
        shop.orders[event.order.ref] = order._replace(payment=payment_after_refusal(order.payment), moves=moves)


def imply(shop: Shop, event: PaymentImplied) -> None:
    """The order counts as paid, by the merchant's word."""
    order = shop.orders.get(event.order.ref)
    if order is not None:
        shop.orders[event.order.ref] = order._replace(
            payment=PaymentAxis.PAID,
            paid_msat=order.paid_msat + event.amount_msat,
            credit_msat=order.credit_msat + event.amount_msat,
            moves=with_cause(order.moves, move_cause("payment", "implied", event.cause)),
        )


def reinstate(shop: Shop, event: OrderReinstated) -> None:
    """What came too late counts for the price."""
    order = shop.orders.get(event.order.ref)
    if order is not None:
        shop.orders[event.order.ref] = order._replace(
            payment=PaymentAxis.PAID,
            credit_msat=event.credit_msat,
            owed_msat=0,
            received=tuple(receipt._replace(credit_msat=receipt.amount_msat) for receipt in order.received),
            moves=with_cause(order.moves, move_cause("payment", "reinstated", event.cause)),
        )


def refund(shop: Shop, event: RefundRecorded) -> None:
    """Money went back."""
    order = shop.orders.get(event.order.ref)
    if order is None:
        return
    refunded_msat = order.refunded_msat + event.amount_msat
    shop.orders[event.order.ref] = order._replace(
        refunded_msat=refunded_msat,
        owed_msat=max(0, order.owed_msat - event.amount_msat),
        payment=payment_after_refund(order.payment, order.status, order.paid_msat, refunded_msat),
        refunds=with_cause(order.refunds, event.cause),
    )
