"""Ecash that buyers hand in: which token is for which order, once, and what is said of one that was not taken."""

from __future__ import annotations

from collections.abc import Iterable

from schemas.cashu.faults import TokenFault
from schemas.ecash import HandInToken, RecordTokenRefusal, SealedToken, TokenHandedIn, TokenRefused, intent_start
from schemas.inbox import ReceiveMessage
from schemas.orders import OrderStatus
from schemas.payments import PaymentAxis, intent_id
from schemas.replies import TextReply
from schemas.texts.phrases import Phrase
from streams.domain.decision import Decision
from streams.domain.shop import Order, Shop, move_cause
from streams.domain.transitions import BOUGHT

HANDED_MAX = 20
"""Tokens that one order takes in; a buyer who pays in more pieces has wallets enough to join them."""


def hand_in(decision: Decision, command: HandInToken) -> None:
    """A token for an order's live request is reported and goes to who swaps it; any other is refused. Each once."""
    shop, order = decision.shop, order_of(decision.shop, command.intent_id)
    if order is None:
        if command.token_id not in shop.calls:
            _refuse(decision, None, command.intent_id, command.token_id, TokenFault.UNKNOWN_REQUEST)
        return
    if handed(command.token_id) not in order.moves and refused(command.token_id) not in order.moves:
        token = SealedToken(token_id=command.token_id, sealed=command.sealed)
        _take(decision, order, command.intent_id, token)


def hand_in_shown(decision: Decision, order: Order, tokens: Iterable[SealedToken], rumor_id: str) -> None:
    """A message's tokens that are `fresh` go the way of posted ones; nobody waits at a door, so a refusal is told."""
    for token in tokens:
        intent = _intent_of(decision.shop, order, token)
        _take(decision, order, intent, token, rumor_id)


def fresh(shop: Shop, order: Order, tokens: Iterable[SealedToken], rumor_id: str) -> tuple[SealedToken, ...]:
    """Those that say something new: one that was refused may come again, in another message.

    Its mint may be on the list by then. What relays bring again is the same message.
    """
    known = shop.words.get(rumor_id)
    if known is not None and known.is_here:
        return ()
    return tuple(
        one for one in tokens if refused(one.token_id) in order.moves or handed(one.token_id) not in order.moves
    )


def order_of_message(shop: Shop, message: ReceiveMessage) -> Order | None:
    """The order that a message of ecash names, or whose message its sender answers with it; else as `order_for`."""
    named = next((shop.orders[ref] for ref in message.order_refs if ref in shop.orders), None)
    if named is not None:
        return named
    answered = shop.words.get(message.answers or "")
    is_own = answered is not None and answered.buyer == message.buyer
    if answered is None or answered.order is None or not is_own or any(one.request_id for one in message.tokens):
        return order_for(shop, message.buyer, message.tokens)
    return shop.order(answered.order)


def order_for(shop: Shop, buyer: str, tokens: Iterable[SealedToken]) -> Order | None:
    """The order that tokens without one are for: their request's, whoever sends them, as at the door.

    Without a request, the buyer's one order that is asked for ecash; of several nobody can tell.
    """
    for token in tokens:
        if token.request_id is not None:
            return order_of(shop, _asked_as(shop, token.request_id))
    pending = (shop.orders[ref] for ref in shop.open_of.get(buyer, ()) if ref in shop.orders)
    waiting = [one for one in pending if one.status is OrderStatus.PENDING and (one.intent_id or "") in shop.requests]
    return waiting[0] if len(waiting) == 1 else None


def record_refusal(decision: Decision, command: RecordTokenRefusal) -> None:
    """Who swaps tokens refused one: the buyer is told, once, and the order waits for its money as before."""
    order = order_of(decision.shop, command.intent_id)
    if order is None or refused(command.token_id) in order.moves:
        return
    _refuse(decision, order, command.intent_id, command.token_id, command.reason)


def order_of(shop: Shop, intent_id: str) -> Order | None:
    """The order that asked for money under this intent, by now or before."""
    return shop.orders.get(shop.requests.get(intent_id, ""))


def handed(token_id: str) -> str:
    """How an order remembers that a token came."""
    return move_cause("payment", "handed", token_id[:32])


def refused(token_id: str) -> str:
    """How an order remembers that a token was refused."""
    return move_cause("payment", "refused", token_id[:32])


def _asked_as(shop: Shop, request_id: str) -> str:
    """The intent of the request that a payer knows by this reference; empty for one that nobody knows."""
    start = intent_start(request_id)
    return next((name for name in shop.requests if name.startswith(start)), "")


def _intent_of(shop: Shop, order: Order, token: SealedToken) -> str:
    """The request of the order that a token is for: the one it names, else the live one."""
    named = _asked_as(shop, token.request_id) if token.request_id else ""
    if named and shop.requests[named] == order.key.ref:
        return named
    return order.intent_id or intent_id(order.key, order.revision)


def _take(decision: Decision, order: Order, intent: str, token: SealedToken, rumor_id: str | None = None) -> None:
    """Hand one on, or refuse it. An order's tokens in one message count as they come."""
    before = sum(move.startswith(handed("")) for move in order.moves)
    before += sum(isinstance(event, TokenHandedIn) for event in decision.events)
    reason = token.fault
    if order.status in BOUGHT or order.payment is PaymentAxis.PAID:
        reason = TokenFault.ALREADY_PAID
    elif order.status is not OrderStatus.PENDING or order.intent_id != intent or decision.shop.is_frozen:
        reason = TokenFault.NOT_PAYABLE
    elif before >= HANDED_MAX:
        reason = TokenFault.TOO_MANY_TOKENS
    if reason is not None or token.sealed is None:
        reason = reason or TokenFault.NOT_TAKEN
        _refuse(decision, order, intent, token.token_id, reason, rumor_id)
        return
    decision.emit(
        TokenHandedIn(
            order=order.key, intent_id=intent, token_id=token.token_id, sealed=token.sealed, rumor_id=rumor_id
        )
    )


def _refuse(
    decision: Decision,
    order: Order | None,
    intent: str,
    token_id: str,
    reason: TokenFault,
    rumor_id: str | None = None,
) -> None:
    key = None if order is None else order.key
    decision.emit(TokenRefused(order=key, intent_id=intent, token_id=token_id, reason=reason, rumor_id=rumor_id))
    if order is None or (rumor_id is None and order.status is not OrderStatus.PENDING):
        return
    phrase = Phrase.TOKEN_REFUSED if order.status is OrderStatus.PENDING else Phrase.TOKEN_LEFT
    text = decision.voice(order.key).say(phrase, reason=reason.value)
    reply = TextReply(about=f"token {token_id[:16]}", text=text)
    decision.tell(order.key, order.dialect, order.answers, reply)
