"""What facts about messages do to the shop: which are known by their ids, whose they are, and what was taken back."""

from __future__ import annotations

from schemas import limits
from schemas.ecash import TokenHandedIn, TokenRefused
from schemas.inbox import AnswerPromised, AnswerRefused, MessageDeleted, MessageReceived
from schemas.orders import OrderPlaced
from schemas.values import Actor
from streams.domain.shop import Shop, Word


def receive(shop: Shop, event: MessageReceived) -> None:
    """A message is here."""
    if event.author is Actor.BUYER and event.order is None:
        shop.strangers += 1
    word = Word(event.author, event.buyer, order=event.order, is_here=True, is_direct=event.is_direct)
    _remember(shop, event.rumor_id, word)


def take_money(shop: Shop, event: TokenHandedIn | TokenRefused) -> None:
    """A message that showed ecash is here."""
    if event.rumor_id is not None and event.order is not None:
        _remember(shop, event.rumor_id, Word(Actor.BUYER, event.order.buyer, order=event.order, is_here=True))


def settle(shop: Shop, event: AnswerPromised | AnswerRefused) -> None:
    """An answer is promised, or was not: either way its name is spent."""
    order = event.order if isinstance(event, AnswerPromised) else None
    _remember(shop, event.name, Word(Actor.MERCHANT, event.buyer, order=order, is_here=True))


def place(shop: Shop, event: OrderPlaced) -> None:
    """An order's message is here too: it may be taken back, which leaves the order."""
    _remember(
        shop, event.rumor_id, Word(Actor.BUYER, event.order.buyer, order=event.order, is_here=True, is_order=True)
    )


def delete(shop: Shop, event: MessageDeleted) -> None:
    """A message was taken back, perhaps before it came."""
    word = shop.words.get(event.rumor_id) or Word(event.actor, event.buyer)
    _remember(shop, event.rumor_id, word._replace(is_deleted=True))


def _remember(shop: Shop, name: str, word: Word) -> None:
    shop.words[name] = word
    while len(shop.words) > limits.WORDS.most:
        del shop.words[next(iter(shop.words))]
