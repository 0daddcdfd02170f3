"""A decision in the making: the events so far, with replies numbered in the order's own sequence."""

from __future__ import annotations

from schemas.messages import Command, Event
from schemas.replies import Reply, ReplyPromised, StatusReply, WireStatus
from schemas.values import OrderKey
from streams.domain.shop import Shop


class Decision:
    """Collects what one command leads to. Reads the shop, never changes it."""

    def __init__(self, shop: Shop, command: Command) -> None:
        self.shop = shop
        self.command = command
        self.events: list[Event] = []
        self.silence: str | None = None
        """Why the command is only counted, where one buyer said too much; nothing is decided then."""
        self._replies: dict[str, int] = {}

    @property
    def at_ms(self) -> int:
        """The time of the command, UTC milliseconds."""
        return self.command.at_ms

    def emit(self, *events: Event) -> None:
        """Add facts, in the order they are to be folded."""
        self.events.extend(events)

    def tell(self, key: OrderKey, dialect: str, answers: str, reply: Reply) -> None:
        """Promise the buyer a message, in the order's own dialect and numbered after those before it."""
        order = self.shop.order(key)
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
            )
        )

    def tell_status(self, key: OrderKey, dialect: str, answers: str, status: WireStatus, text: str) -> None:
        """Promise a status update."""
        self.tell(key, dialect, answers, StatusReply(status=status, text=text))
