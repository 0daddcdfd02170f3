"""Ecash that buyers hand in: which token is for which order, once, and what is said of one that was not taken."""

from __future__ import annotations

from schemas.cashu.faults import TokenFault
from schemas.ecash import HandInToken, RecordTokenRefusal, TokenHandedIn, TokenRefused
from schemas.orders import OrderStatus
from schemas.payments import PaymentAxis
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
    if handed(command.token_id) in order.moves or refused(command.token_id) in order.moves:
        return
    reason: TokenFault | None = None
    if order.status in BOUGHT or order.payment is PaymentAxis.PAID:
        reason = TokenFault.ALREADY_PAID
    elif order.status is not OrderStatus.PENDING or order.intent_id != command.intent_id or shop.is_frozen:
        reason = TokenFault.NOT_PAYABLE
    elif sum(move.startswith(handed("")) for move in order.moves) >= HANDED_MAX:
        reason = TokenFault.TOO_MANY_TOKENS
    if reason is not None:
        _refuse(decision, order, command.intent_id, command.token_id, reason)
        return
    decision.emit(
        TokenHandedIn(order=order.key, intent_id=command.intent_id, token_id=command.token_id, sealed=command.sealed)
    )


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


def _refuse(decision: Decision, order: Order | None, intent_id: str, token_id: str, reason: TokenFault) -> None:
    key = None if order is None else order.key
    decision.emit(TokenRefused(order=key, intent_id=intent_id, token_id=token_id, reason=reason))
    if order is None or order.status is not OrderStatus.PENDING:
        return
    text = decision.voice(order.key).say(Phrase.TOKEN_REFUSED, reason=reason.value)
    reply = TextReply(about=f"token {token_id[:16]}", text=text)
    decision.tell(order.key, order.dialect, order.answers, reply)
