"""The inbox: messages of people once each, the merchant's answers, and what is taken back. None moves an order."""

from __future__ import annotations

from schemas.dialects.contract import DIRECT
from schemas.inbox import (
    AnswerMessage,
    AnswerPromised,
    AnswerRefused,
    DeleteMessages,
    MessageDeleted,
    MessageReceived,
    ReceiveMessage,
)
from schemas.orders import OrderPlaced, PlaceOrder
from schemas.values import Actor, OrderKey, Origin
from streams.domain import buyers, ecash, payouts
from streams.domain.decision import Decision


def receive(decision: Decision, command: ReceiveMessage) -> None:
    """A message stands in its buyer's thread; the same rumor again says nothing new, whoever wraps it.

    One that is nothing but ecash for an order is money, and goes to who swaps it; without an order it is a letter.
    """
    known = decision.shop.words.get(command.rumor_id)
    if known is not None and known.is_here:
        return
    if command.tokens and (asked := ecash.order_of_message(decision.shop, command)) is not None:
        tokens = ecash.fresh(decision.shop, asked, command.tokens, command.rumor_id)
        if tokens and not buyers.silenced(decision, asked.key.buyer):  # a payer's key may be new each time
            ecash.hand_in_shown(decision, asked, tokens, command.rumor_id)
        return
    order = _order_of(decision, command.order_refs)
    if command.author is Actor.BUYER and buyers.unheard(decision, command.buyer, about_order=order is not None):
        return
    letter = MessageReceived(
        buyer=command.buyer,
        author=command.author,
        rumor_id=command.rumor_id,
        said_s=command.said_s,
        kind=command.kind,
        text=command.text,
        order=order,
        answers=command.answers,
        is_room=command.is_room,
        is_direct=command.is_direct,
    )
    decision.emit(letter)
    if command.invoice is not None and command.author is Actor.BUYER and known is None:
        payouts.offer(decision, letter, command.invoice)
    if known is not None and known.is_by(command.author, command.buyer):  # it was taken back before it came
        decision.emit(MessageDeleted(buyer=command.buyer, actor=command.author, rumor_id=command.rumor_id))


def answer(decision: Decision, command: AnswerMessage) -> None:
    """The buyer is promised an answer, once a name; it may say which of their orders it is about.

    Who wrote by kind 4, or orders at a stall, reads nothing else (MSG-03).
    """
    shop = decision.shop
    if command.name in shop.words:
        return
    answered = shop.words.get(command.answers) if command.answers else None
    order = answered.order if answered is not None and answered.buyer == command.buyer else None
    if command.order_id is not None:
        key = OrderKey(merchant=shop.merchant, buyer=command.buyer, order_id=command.order_id)
        if shop.order(key) is None:
            reason, detail = "unknown_order", "this buyer has no such order"
            decision.emit(AnswerRefused(buyer=command.buyer, name=command.name, reason=reason, detail=detail))
            return
        order = key
    decision.emit(
        AnswerPromised(
            buyer=command.buyer,
            name=command.name,
            at_s=decision.at_ms // 1_000,
            text=command.text,
            order=order,
            answers=command.answers,
            is_direct=_is_direct(decision, command, order),
        )
    )


def delete(decision: Decision, command: DeleteMessages) -> None:
    """Mark the author's own messages; of what is not here yet it is remembered that it was taken back."""
    fresh = [rumor_id for rumor_id in dict.fromkeys(command.rumor_ids) if _may_delete(decision, command, rumor_id)]
    if not fresh or buyers.silenced_actor(decision, command.actor, command.buyer):
        return
    for rumor_id in fresh:
        word = decision.shop.words.get(rumor_id)
        order = word.order if word is not None and word.is_order else None
        decision.emit(MessageDeleted(buyer=command.buyer, actor=command.actor, rumor_id=rumor_id, order=order))


def mark_placed(decision: Decision, command: PlaceOrder) -> None:
    """An order whose message was taken back before it came is an order all the same, and marked."""
    word = decision.shop.words.get(command.rumor_id)
    if word is None or word.is_here or not word.is_by(Actor.BUYER, command.order.buyer):
        return
    if any(isinstance(event, OrderPlaced) for event in decision.events):
        deleted = MessageDeleted(
            buyer=command.order.buyer, actor=Actor.BUYER, rumor_id=command.rumor_id, order=command.order
        )
        decision.emit(deleted)


def _order_of(decision: Decision, refs: tuple[str, ...]) -> OrderKey | None:
    """The first order that a message names and its buyer has."""
    orders = (decision.shop.orders.get(ref) for ref in refs)
    return next((order.key for order in orders if order is not None), None)


def _is_direct(decision: Decision, command: AnswerMessage, about: OrderKey | None) -> bool:
    """Whether the buyer's client reads kind 4: the letter that is answered came so, or the order did."""
    letter = decision.shop.words.get(command.answers or "")
    if letter is not None and letter.is_by(Actor.BUYER, command.buyer) and not letter.is_order:
        return letter.is_direct
    order = decision.shop.order(about) if about is not None else None
    return order is not None and order.dialect in DIRECT


def _may_delete(decision: Decision, command: DeleteMessages, rumor_id: str) -> bool:
    """Whether it says something new, and about a message of the same author's; a stranger's id is anybody's guess."""
    word = decision.shop.words.get(rumor_id)
    if word is None:
        return decision.command.origin is Origin.RELAY
    return not word.is_deleted and word.is_by(command.actor, command.buyer)
