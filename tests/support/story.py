"""Given this history, when that is said, then this follows: the domain tested in words.

Every `when` also holds its command to the laws, so each test is a law test too.
"""

from __future__ import annotations

from collections.abc import Mapping

from schemas.messages import Command, CommandBody, Event, JournalRecord
from schemas.orders import Rate
from schemas.replies import Reply, ReplyPromised, StatusReply
from schemas.values import OrderKey
from streams.domain.evolve import evolve
from streams.domain.shop import Order, Shop
from tests.support import laws
from tests.support.builders import MERCHANT, NOW_MS, a_command, a_key, a_rate

Said = Command | CommandBody
RATES = a_rate()


def given(*history: Said, rates: Mapping[str, Rate] = RATES) -> Story:
    """A shop with a past: commands that were decided, in this order."""
    story = Story(rates)
    for said in history:
        story.when(said)
    return story


class Story:
    """One shop, what was said to it, and what followed from the last thing said."""

    def __init__(self, rates: Mapping[str, Rate] = RATES, merchant: str = MERCHANT) -> None:
        self.shop = Shop(merchant)
        self.rates = rates
        self.journal: list[JournalRecord] = []
        self.events: tuple[Event, ...] = ()

    def when(self, *said: Said, at_ms: int = NOW_MS, rates: Mapping[str, Rate] | None = None) -> Story:
        """Decide and fold each, and hold it to the laws."""
        self.rates = self.rates if rates is None else rates
        self.events = ()
        for one in said:
            command = one if isinstance(one, Command) else a_command(one, at_ms)
            self.events += self._hear(command)
        return self

    def _hear(self, command: Command) -> tuple[Event, ...]:
        before = laws.copy_of(self.shop)
        events = laws.decided_twice_the_same(self.shop, command, self.rates)
        for event in events:
            evolve(self.shop, event, command.at_ms)
        laws.refusals_change_nothing(before, self.shop, events)
        laws.redelivery_decides_nothing(self.shop, command, self.rates)
        laws.survives_the_journal(command, events)
        if events:
            record = JournalRecord(
                seq=len(self.journal) + 1,
                covers=len(self.journal),
                merchant=command.merchant,
                at_ms=command.at_ms,
                cause=command.source,
                events=events,
            )
            self.journal.append(record)
        return events

    def then(self, *expected: Event | type[Event]) -> Story:
        """Exactly these events followed; a bare type stands for any event of it."""
        assert len(expected) == len(self.events), self.events
        for want, got in zip(expected, self.events, strict=True):
            if isinstance(want, type):
                assert isinstance(got, want), self.events
            else:
                assert want == got
        return self

    def then_nothing(self) -> Story:
        """Nothing followed."""
        return self.then()

    def one[E](self, kind: type[E]) -> E:
        """The only event of this kind that followed."""
        found = [event for event in self.events if isinstance(event, kind)]
        assert len(found) == 1, self.events
        return found[0]

    def none(self, kind: type[Event]) -> bool:
        """Whether no event of this kind followed."""
        return not any(isinstance(event, kind) for event in self.events)

    def order(self, key: OrderKey | None = None) -> Order:
        """The order as it stands."""
        order = self.shop.order(key or a_key())
        assert order is not None
        return order

    def reply(self) -> Reply:
        """The only message the buyer was promised."""
        return self.one(ReplyPromised).reply

    def told(self) -> tuple[str, str]:
        """The only status the buyer was told, and the text beside it."""
        reply = self.reply()
        assert isinstance(reply, StatusReply)
        return reply.status.value, reply.text

    def refolded(self) -> Shop:
        """A shop made anew from the journal alone."""
        shop = Shop(self.shop.merchant)
        for record in self.journal:
            for event in record.events:
                evolve(shop, event, record.at_ms)
        return shop
