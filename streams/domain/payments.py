"""Payments: one live request an order revision, and what buyers say of their payments."""

from __future__ import annotations

from schemas.orders import OrderStatus
from schemas.payments import (
    MEDIUM,
    AnnouncePayment,
    Method,
    NamedPayment,
    PaymentAnnounced,
    PaymentAxis,
    PaymentForm,
    PaymentReported,
    PaymentRequested,
    ProofVerdict,
    RecordPaymentFailure,
    RecordPaymentRequest,
    ReportPayment,
    ReportUnnamedPayment,
)
from schemas.preferences import PaymentFlow
from schemas.replies import PaymentOption, PaymentRequestReply
from schemas.values import MSAT_PER_SAT, Actor, OrderKey
from streams.domain import addresses, assigning, buyers, ecash, orders, parking, payment_choice, wording
from streams.domain.decision import Decision
from streams.domain.money import fiat_parts, fiat_total
from streams.domain.shop import Order, move_cause
from streams.domain.transitions import PAID


def record_request(decision: Decision, command: RecordPaymentRequest) -> None:
    """The order's current request exists: tell the buyer, once. One that is no longer wanted was dropped before."""
    order = _wanting(decision, command.order, command.intent_id)
    if order is None or order.quote is None:
        return
    if command.amount_msat != (order.asked_msat or order.quote.total_msat):
        detail = "the request's amount is not the quote's"
        decision.refuse(order.key, Actor.COORDINATOR, "wrong_amount", detail, command.intent_id)
        return
    decision.emit(
        PaymentRequested(
            order=order.key,
            intent_id=command.intent_id,
            medium=command.medium,
            text=command.text,
            payment_hash=command.payment_hash,
            amount_msat=command.amount_msat,
            expires_at=command.expires_at,
            is_addressed=command.is_addressed,
            is_spare=command.is_spare,
        )
    )
    options = [PaymentOption(medium=command.medium, text=command.text)]
    if command.is_addressed and (address := addresses.of_order(decision.shop, order.key)) is not None:
        options.append(PaymentOption(medium=command.medium, text=address))
    reply = PaymentRequestReply(
        amount_sats=command.amount_msat // MSAT_PER_SAT,
        options=tuple(options),
        expires_at=command.expires_at,
        text=_request_text(decision, order, command),
    )
    decision.tell(order.key, order.dialect, order.answers, reply)


def record_failure(decision: Decision, command: RecordPaymentFailure) -> None:
    """No request can be made: the order fails and the buyer is told (TR-10)."""
    order = _wanting(decision, command.order, command.intent_id)
    if order is None:
        return
    orders.fail(decision, order, command.reason)


def report(decision: Decision, command: ReportPayment) -> None:
    """A receipt is a claim: note it and let the payments role look; after settlement it changes nothing (PAY-14).

    A preimage that fits the order's own invoice is noted as such. One of another order's proves nothing here (PAY-13).
    """
    order = decision.shop.order(command.order)
    if order is None:
        parking.park(decision, command.order, command)
        return
    is_reused = proves_another(decision, order, command.preimage_hashes)
    tokens = ecash.fresh(decision.shop, order, command.tokens, command.rumor_id)
    is_heard = len(tokens) < len(command.tokens)
    is_news = not is_heard and _is_news(order, command, is_reused=is_reused)
    if not (is_news or tokens) or buyers.silenced(decision, order.key.buyer):
        return
    if is_news and is_reused:
        detail = "the preimage is that of another order's invoice"
        decision.refuse(order.key, Actor.BUYER, "proof_reuse", detail, command.rumor_id)
    elif is_news:
        _note_report(decision, order, command)
    ecash.hand_in_shown(decision, order, tokens, command.rumor_id)


def _is_news(order: Order, command: ReportPayment, *, is_reused: bool) -> bool:
    """Whether the claim is one that was not heard, of an order that is asked for money."""
    if order.payment not in (PaymentAxis.REQUESTED, PaymentAxis.REPORTED, PaymentAxis.PARTIAL):
        return False
    if move_cause("payment", "reported", command.rumor_id) in order.moves:
        return False
    return is_reused or order.payment is not PaymentAxis.REPORTED


def _note_report(decision: Decision, order: Order, command: ReportPayment) -> None:
    shown = addresses.of_hashes(decision.shop, command.preimage_hashes)
    decision.emit(
        PaymentReported(
            order=order.key,
            rumor_id=command.rumor_id,
            medium=command.medium,
            proof=verdict(order, command.preimage_hashes, is_addresses=bool(shown)),
            amount=command.amount,
            currency=command.currency,
            said_at=command.said_at,
            warnings=command.warnings,
        )
    )
    assigning.claim(decision, order, shown, command.rumor_id)


def report_unnamed(decision: Decision, command: ReportUnnamedPayment) -> None:
    """A receipt that names no order is for the one whose invoice it shows, where that is the same buyer's (T17-01).

    Ecash is for the order that asked for it.
    """
    for name in command.payment_hashes:
        order = decision.shop.orders.get(decision.shop.requests.get(name, ""))
        if order is not None and order.key.buyer == command.buyer:
            report(decision, command.receipt.model_copy(update={"order": order.key}))
            return
    tokens = command.receipt.tokens
    if tokens and (order := ecash.order_for(decision.shop, command.buyer, tokens)) is not None:
        report(decision, command.receipt.model_copy(update={"order": order.key}))
        return
    if not buyers.silenced(decision, command.buyer):
        detail = "a receipt that names no order, for no request of this buyer's"
        receipt = command.receipt
        decision.refuse(receipt.order, Actor.BUYER, "no_order", detail, receipt.rumor_id)


def announce(decision: Decision, command: AnnouncePayment) -> None:
    """The buyer says how they pay: taken where all of it goes to the merchant and is enough, else refused (PAY-03).

    It moves nothing. What is taken leads to a look-up, because the money may be there by now.
    One that shows ecash has paid by it, if that is good: its mint and the wallet judge it instead.
    """
    order = decision.shop.order(command.order)
    if order is None:
        parking.park(decision, command.order, command)
        return
    if command.tokens:
        tokens = ecash.fresh(decision.shop, order, command.tokens, command.rumor_id)
        if tokens and not buyers.silenced(decision, order.key.buyer):
            ecash.hand_in_shown(decision, order, tokens, command.rumor_id)
        return
    if order.status in PAID or order.status is OrderStatus.COMPLETED:
        return
    if move_cause("payment", "announced", command.rumor_id) in order.moves:
        return
    if buyers.silenced(decision, order.key.buyer):
        return
    due_msat = (order.asked_msat or order.quote.total_msat) if order.quote else None
    paid_msat = (command.amount_sats or 0) * MSAT_PER_SAT
    reason = detail = ""
    if not all(belongs(decision, order, payment) for payment in command.payments):
        reason, detail = "foreign_payee", "a payment goes to nobody known as this merchant"
    elif order.status is not OrderStatus.PENDING or due_msat is None:
        reason, detail = "not_payable", f"the order is {order.status}"
    elif paid_msat < due_msat:
        reason, detail = "too_little", f"{paid_msat} of {due_msat} msat"
    if reason:
        decision.refuse(order.key, Actor.BUYER, reason, detail, command.rumor_id)
        return
    decision.emit(
        PaymentAnnounced(
            order=order.key,
            rumor_id=command.rumor_id,
            amount_sats=command.amount_sats or 0,
            payments=command.payments,
        )
    )


def belongs(decision: Decision, order: Order, payment: NamedPayment) -> bool:
    """Whether a payment so named goes to this merchant for this order, by what we know ourselves.

    The order's own request always does. The profile's Lightning address and the listed mints do where the merchant
    had buyers pay on their own when the order came; elsewhere nobody watches them for orders.
    """
    shop = decision.shop
    if payment.digest == order.request_digest:
        return True
    if order.request_text is not None and payment.name == addresses.of_order(shop, order.key):
        return True
    if order.flow is not PaymentFlow.AUTOMATIC:
        return False
    match payment.form:
        case PaymentForm.ADDRESS:
            profile = payment_choice.profile_of(shop.merchant, shop.preferences)
            return profile is not None and payment.name in (profile.lud16, profile.lud06)
        case PaymentForm.MINT:
            listed = payment_choice.mints_of(shop.merchant, shop.preferences)
            if listed is None or payment.name not in (mint.url for mint in listed.mints):
                return False
            return payment.lock_key in (None, listed.lock_key)
        case PaymentForm.INVOICE | PaymentForm.OTHER:
            return False


def verdict(order: Order, preimage_hashes: tuple[str, ...], *, is_addresses: bool) -> ProofVerdict:
    """What preimages with these hashes prove for an order: its own invoice's do, and those of the shop's address."""
    if not preimage_hashes:
        return ProofVerdict.NONE
    return ProofVerdict.FITS if is_addresses or order.payment_hash in preimage_hashes else ProofVerdict.WRONG


def proves_another(decision: Decision, order: Order, preimage_hashes: tuple[str, ...]) -> bool:
    """Whether one of them is of another order's invoice, so that one payment would be shown for two orders."""
    known = decision.shop.requests
    return any(known.get(name, order.key.ref) != order.key.ref for name in preimage_hashes)


def _wanting(decision: Decision, key: OrderKey, intent_id: str) -> Order | None:
    """The pending order that still wants this very request."""
    order = decision.shop.order(key)
    if order is None or order.status is not OrderStatus.PENDING or order.intent_id != intent_id:
        return None
    return order if order.waits_for_request else None


def _request_text(decision: Decision, order: Order, command: RecordPaymentRequest) -> str:
    """The price and its terms, or what of it is still missing; and how to pay, where no application could do that."""
    quote, is_fiat = order.quote, command.medium == MEDIUM[Method.FIAT]
    assert quote is not None, "a pending order has its quote"
    voice = decision.voice(order.key)
    if order.part > 1:
        missing_msat = quote.total_msat - order.credit_msat
        parts = fiat_parts(quote.charges, missing_msat, quote.total_msat) if is_fiat else None
        text = wording.rest_request(voice, order.credit_msat, command.amount_msat, parts)
    else:
        fiat = fiat_total(quote.charges) if is_fiat else None
        text = wording.payment_request(voice, quote, order.claimed_sats, fiat)
    return f"{text}\n\n{command.text}" if is_fiat else text
