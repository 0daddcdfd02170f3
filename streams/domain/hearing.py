"""Which dialects a shop listens to: an order message of another one is a person's letter, and the merchant is told."""

from __future__ import annotations

from schemas.hearing import Heard, HearMessage
from schemas.orders import MoveOrder, MoveShipping
from schemas.payments import ReportUnnamedPayment
from schemas.values import Actor, OrderKey
from streams.domain import inbox
from streams.domain.decision import Decision

DIALECT_OFF = "dialect_off"


def hear(decision: Decision, command: HearMessage) -> Heard | None:
    """What was said, where the shop listens to its dialect; else its words stand in the inbox, with a notice (MSG-06).

    An order that is there already goes on in its dialect: a buyer who may not cancel any more would be trapped.
    The notice is a refusal, once a letter, so that it is set aside with the message and can be replayed.
    """
    key = _order_of(command.said)
    if command.dialect not in decision.shop.settings.dialects_off or decision.shop.order(key) is not None:
        return command.said
    words, before = command.words, len(decision.events)
    if words is None:
        return None
    inbox.receive(decision, words)
    if len(decision.events) > before:
        actor = command.said.actor if isinstance(command.said, MoveOrder | MoveShipping) else Actor.BUYER
        decision.refuse(key, actor, DIALECT_OFF, f"{command.dialect} is switched off", words.rumor_id)
    return None


def _order_of(said: Heard) -> OrderKey:
    return said.receipt.order if isinstance(said, ReportUnnamedPayment) else said.order
