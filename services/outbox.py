"""The outbox: a message that one relay has is kept on its way to the others, across restarts (decision 0018).

```
told ──▶ one relay has it ──▶ the next message may go ──▶ all answered within a moment ──────▶ delivery recorded
                                        └── some did not ──▶ kept in ncc.outbox ──▶ position moves on
                                                             each further answer recorded ──▶ forgotten at the last
```
What is kept names relays and the journal record; the bytes are made again from that record (D5).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from schemas import limits
from schemas.crash_points import Point, reach
from schemas.deliveries import Delivery, DeliveryState, Owed, RelayOutcome
from schemas.messages import JournalRecord
from schemas.nostr.nip01 import Event
from services.relays import Outcome, PublishResult
from services.telling import PUBLISH_TIMEOUT_S, Relays, Telling, a_word, always, the_rest

MEANWHILE_S = 5.0
"""A message that its recipient does not have after so long is recorded as it stands, and tried on."""
GRACE_S = 0.5
"""How long the other relays have to answer before what they are owed is written down; most answer at once."""
GIVE_UP_S = 600.0
"""How long a message is tried at a relay: by steady clocks, because the next owner's clock may be another."""
OWED_MAX = limits.OWED.most

_STORED = (Outcome.ACCEPTED.value, Outcome.DUPLICATE.value)


class DeliveryLog(Protocol):
    """Where deliveries are recorded."""

    async def put_delivery(self, delivery: Delivery) -> None:
        """Store one delivery record."""


class OutboxLog(Protocol):
    """Where what is owed outlives the process, beside the journal partition it follows from."""

    async def put_owed(self, partition: int, effect_id: str, owed: Owed | None) -> None:
        """Store how an effect stands; None forgets it."""

    async def owed(self, partition: int) -> Sequence[Owed]:
        """Everything that is owed of one journal partition."""

    def reread(self, partition: int, first: int, until: int) -> AsyncGenerator[tuple[int, JournalRecord]]:
        """The journal's records from offset `first` to before `until`."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a message stands in the journal, and what it holds up: the next of its chain, and the position."""

    partition: int
    offset: int
    let_pass: Callable[[], None]
    let_go: Callable[[], None]


class Outbox:
    """What is owed of the partitions held here."""

    def __init__(self, relays: Relays, log: OutboxLog, deliveries: DeliveryLog) -> None:
        self._relays = relays
        self._log = log
        self._deliveries = deliveries
        self._owed: dict[int, dict[str, Owed]] = {}
        self._learning: dict[int, asyncio.Task[None]] = {}

    def begin(self, partition: int) -> None:
        """Begin to learn what a former owner of this partition left; `learnt` waits for it."""
        self._owed[partition] = {}
        self._learning[partition] = asyncio.ensure_future(self._learn(partition))

    async def _learn(self, partition: int) -> None:
        found = await self._log.owed(partition)
        self._owed[partition] = {owed.delivery.effect_id: owed for owed in found}

    async def learnt(self, partition: int) -> None:
        """Wait until it is known what is owed; a dozen partitions that come at once are read side by side."""
        learning = self._learning.get(partition)
        if learning is not None:
            await asyncio.shield(learning)
            self._learning.pop(partition, None)

    def end(self, partition: int) -> None:
        """Another process reads what we leave."""
        if learning := self._learning.pop(partition, None):
            learning.cancel()
        self._owed.pop(partition, None)

    def owed(self, partition: int) -> list[Owed]:
        """What is kept, in the order of the journal."""
        return sorted(self._owed.get(partition, {}).values(), key=lambda owed: owed.offset)

    def find(self, partition: int, effect_id: str) -> Owed | None:
        """What is kept of one effect."""
        return self._owed.get(partition, {}).get(effect_id)

    @property
    def has_room(self) -> bool:
        """Whether one more may be kept; without room relays are waited for a while and then left."""
        return sum(map(len, self._owed.values())) < OWED_MAX

    async def carry(
        self, place: Place, owed: Owed, event: Event, copy: Event | None = None, is_wanted: Callable[[], bool] = always
    ) -> None:
        """Tell every relay that is owed the event, and record what each made of it."""
        partition, effect_id, began_s = place.partition, owed.delivery.effect_id, time.monotonic()
        until_s = began_s + GIVE_UP_S - owed.tried_ms / 1_000
        telling = Telling(self._relays, event, owed.relays, until_s, is_wanted)
        copying = Telling(self._relays, copy or event, owed.copies, until_s)
        try:
            if self.find(partition, effect_id) is None:
                await self._placed(owed, telling, copying)
                reach(Point.PUBLISHER_ON_A_RELAY)
                place.let_pass()
                await the_rest(telling, copying, timeout_s=GRACE_S if self.has_room else PUBLISH_TIMEOUT_S)
            while (telling.left or copying.left) and (self.has_room or self.find(partition, effect_id)):
                tried_ms = owed.tried_ms + round((time.monotonic() - began_s) * 1_000)
                standing = as_it_stands(owed, telling, copying).model_copy(update={"tried_ms": tried_ms})
                await self._keep(partition, standing)
                await self._deliveries.put_delivery(standing.delivery)
                place.let_go()
                await a_word(telling, copying)
            reach(Point.PUBLISHER_PUBLISHED)
            delivery = delivery_so_far(owed, telling, copying)
            # What was replaced before anybody had it has not failed: the newer version stands for it.
            if delivery.state is DeliveryState.DELIVERED or is_wanted():
                await self._deliveries.put_delivery(delivery)
            reach(Point.PUBLISHER_RECORDED)
            await self.forget(partition, effect_id)
        finally:
            await telling.close()
            await copying.close()

    async def _placed(self, owed: Owed, telling: Telling, copying: Telling) -> None:
        """Wait for a first yes; a message that only the merchant has meanwhile is recorded so (MSG-10)."""
        placing = asyncio.ensure_future(telling.placed())
        try:
            await asyncio.wait({placing}, timeout=MEANWHILE_S)
            said = as_it_stands(owed, telling, copying).delivery
            if not placing.done() and said.state is DeliveryState.SELF_ONLY:
                await self._deliveries.put_delivery(said)
            await placing
        finally:
            placing.cancel()

    async def _keep(self, partition: int, owed: Owed) -> None:
        if self.find(partition, owed.delivery.effect_id) != owed:
            await self._log.put_owed(partition, owed.delivery.effect_id, owed)
            self._owed[partition][owed.delivery.effect_id] = owed

    async def forget(self, partition: int, effect_id: str) -> None:
        """Nothing is owed any more; what was never kept costs nothing here."""
        if self.find(partition, effect_id) is not None:
            await self._log.put_owed(partition, effect_id, None)
            del self._owed[partition][effect_id]


def as_it_stands(owed: Owed, telling: Telling, copying: Telling) -> Owed:
    """What is owed after what the relays have said by now."""
    delivery = delivery_so_far(owed, telling, copying)
    return owed.model_copy(update={"delivery": delivery, "relays": telling.left, "copies": copying.left})


def delivery_so_far(owed: Owed, telling: Telling, copying: Telling) -> Delivery:
    """The delivery record with what the relays have said by now."""
    outcomes = {outcome.relay: outcome for outcome in owed.delivery.outcomes}
    outcomes |= {outcome.relay: outcome for outcome in outcomes_of(telling.said)}
    state = owed.delivery.state
    if any(outcome.outcome in _STORED for outcome in outcomes.values()):
        state = DeliveryState.DELIVERED
    elif state is DeliveryState.FAILED and copying.is_stored:
        state = DeliveryState.SELF_ONLY
    return owed.delivery.model_copy(
        update={"outcomes": tuple(outcomes.values()), "state": state, "at_ms": now_ms()},
    )


def outcomes_of(words: Iterable[PublishResult]) -> tuple[RelayOutcome, ...]:
    """Relays' answers as a delivery record has them."""
    return tuple(RelayOutcome(relay=w.relay, outcome=w.outcome.value, message=w.message[:200]) for w in words)


def now_ms() -> int:
    """UTC milliseconds."""
    return time.time_ns() // 1_000_000
