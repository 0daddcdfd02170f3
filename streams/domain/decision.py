"""A decision in the making: the events so far, with replies numbered in the order's own sequence."""

from __future__ import annotations

from collections.abc import Mapping

from schemas.dialects.contract import TELLS_STANDING
from schemas.holds import OrderHeld, ReplyWithheld
from schemas.messages import Command, Event
from schemas.orders import MoveOrder, MoveRefused, MoveShipping, Rate
from schemas.past import Said
from schemas.payments import AnnouncePayment
from schemas.replies import Reply, ReplyPromised, StatusReply, WireStatus
from schemas.texts.phrases import Language
from schemas.values import Actor, OrderKey
from streams.domain.shop import Shop, refusal_cause
from streams.domain.standing import standing_after
from streams.domain.wording import Voice, voice_of


class Decision:
    """Collects what one command leads to. Reads the shop, never changes it."""

    def __init__(self, shop: Shop, command: Command, rates: Mapping[str, Rate]) -> None:
        self.shop = shop
        self.command = command
        self.rates = rates
        """The exchange rates known now."""
        self.events: list[Event] = []
        self.silence: str | None = None
        """Why the command is only counted, where one buyer said too much; nothing is decided then."""
        self._replies: dict[str, int] = {}
        self._held: set[str] = set()
        self._released: set[str] = set()
        self._languages: dict[str, Language | None] = {}

    @property
    def at_ms(self) -> int:
        """The time of the command, UTC milliseconds."""
        return self.command.at_ms

    def emit(self, *events: Event) -> None:
        """Add facts, in the order they are to be folded."""
        self.events.extend(events)

    def tell(self, key: OrderKey, dialect: str, answers: str, reply: Reply) -> None:
        """Promise the buyer a message, in the order's own dialect and numbered after those before it.

        Of an order on hold it is only noted what would have been said (NCC-09).
        """
        order = self.shop.order(key)
        is_on_hold = key.ref in self._held or (order is not None and order.is_on_hold)
        if is_on_hold and key.ref not in self._released:
            self.emit(ReplyWithheld(order=key, reply=reply))
            return
        number = self._replies.get(key.ref, order.replies if order else 0) + 1
        self._replies[key.ref] = number
        self.emit(
            ReplyPromised(
                order=key,
                number=number,
                dialect=dialect,
                answers=answers,
                at_s=self.at_ms // 1_000,
                reply=reply,
                companion=self.shop.settings.human_companion and isinstance(reply, StatusReply),
                standing=standing_after(key, order, self.events) if dialect in TELLS_STANDING else None,
            )
        )

    def hold(self, key: OrderKey, cause: str) -> None:
        """From here on it is only noted what the buyer would be told."""
        self.emit(OrderHeld(order=key, cause=cause))
        self._held.add(key.ref)

    def release(self, key: OrderKey) -> None:
        """From here on the buyer is told again."""
        self._released.add(key.ref)

    def speak(self, key: OrderKey, language: Language | None) -> None:
        """This order's buyer has just asked to be answered in this language."""
        self._languages[key.ref] = language

    def voice(self, key: OrderKey) -> Voice:
        """How this order's buyer is spoken to (C-36)."""
        order = self.shop.order(key)
        known = order.language if order else None
        return voice_of(self.shop.settings, self._languages.get(key.ref, known))

    def refuse(self, key: OrderKey, actor: Actor, reason: str, detail: str, cause: str) -> None:
        """Record that something was not allowed, once a cause and reason; nothing else follows."""
        order = self.shop.order(key)
        if order is None or refusal_cause(reason, cause) not in order.refused:
            self.emit(MoveRefused(order=key, actor=actor, reason=reason, detail=detail, cause=cause))

    def refuse_said(self, key: OrderKey, said: Said | AnnouncePayment, reason: str, detail: str) -> None:
        """The same for a message about an order; those that are no move are a buyer's."""
        if isinstance(said, MoveOrder | MoveShipping):
            self.refuse(key, said.actor, reason, detail, said.cause)
        else:
            self.refuse(key, Actor.BUYER, reason, detail, said.rumor_id)

    def tell_status(self, key: OrderKey, dialect: str, answers: str, status: WireStatus, text: str) -> None:
        """Promise a status update."""
        self.tell(key, dialect, answers, StatusReply(status=status, text=text))
