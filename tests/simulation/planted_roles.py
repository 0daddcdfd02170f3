"""Bugs to plant in the roles around the domain: in who writes, who follows, who pays and who publishes."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import orjson

import services.outgoing
import services.payments.chain
import services.payments.making_requests
import services.payments.open_requests
import services.payments.role
import services.publisher
from schemas.nostr import nip17
from schemas.nostr.nip01 import to_json
from schemas.payments import BackendState, ObservePayment
from services.brake import Brake
from services.outbox import Outbox, now_ms
from services.payments.chain_state import sight_of
from services.payments.making_requests import RequestMaker
from services.payments.port import BackendError, Reference
from services.payments.preimages import Preimage
from services.payments.role import PaymentsRole
from services.publisher import PublisherRole
from services.telling import Telling
from streams import intake, views
from streams.checkpoint import Keeper
from streams.decider import Decider
from streams.domain import projections
from streams.follower import Follower
from streams.intake import Intake
from streams.outbox import OutboxTopic
from streams.partition import Partition
from tests.simulation.planted import DOMAIN, Bug, Change
from tests.simulation.planted_goods import GOODS
from tests.simulation.planted_money import MONEY
from tests.simulation.planted_rails import RAILS

CHAIN_TEST = "tests/services/payments/test_chain.py"
LOSSES_TEST = "tests/services/payments/test_chain_losses.py"

# The decider


def _any_batch() -> list[Change]:
    right = Partition.decide

    async def wrong(self: Partition, records: Any) -> bool:
        self.covered = records[0].offset - 1
        return await right(self, records)

    return [(Partition, "decide", wrong)]


def _keep_uncommitted() -> list[Change]:
    async def wrong(self: Decider, partition: Any, error: Any) -> None:
        return None

    return [(Decider, "_fail", wrong)]


def _no_fence() -> list[Change]:
    right = Partition.open
    count = iter(range(10**9))

    async def wrong(self: Partition) -> None:
        kafka = self._kafka

        async def producer(transactional_id: str | None = None, linger_ms: int = 0) -> Any:
            return await kafka.producer(f"{transactional_id}-{next(count)}")

        self._kafka = SimpleNamespace(producer=producer, consumer=kafka.consumer)  # type: ignore[assignment]
        await right(self)

    return [(Partition, "open", wrong)]


def _never_silent() -> list[Change]:
    async def wrong(self: Partition) -> None:
        return None

    return [(Partition, "record_silence", wrong)]


def _open_empty() -> list[Change]:
    right = Partition._fold

    def wrong(self: Partition, *where: Any) -> None:
        shops, self.shops = self.shops, {}
        right(self, *where)
        self.shops = shops

    return [(Partition, "_fold", wrong)]


def _save_less() -> list[Change]:
    def wrong(self: Keeper, place: Any) -> None:
        self._place = place
        self._records += 1

    return [(Keeper, "note", wrong)]


# Intake


def _acknowledge_first() -> list[Change]:
    right = Intake.handle

    async def wrong(self: Intake, text: bytes, headers: Any, done: Any) -> None:
        done()
        await right(self, text, headers, lambda: None)

    return [(Intake, "handle", wrong)]


def _know_by_id() -> list[Change]:
    def wrong(text: bytes) -> Any:
        try:
            return hashlib.sha256(str(orjson.loads(text)["id"]).encode())
        except (ValueError, KeyError, TypeError):
            return hashlib.sha256(text)

    return [(intake, "hashlib", SimpleNamespace(sha256=wrong))]


# Followers and views


def _store_too_far(role: Any) -> list[Change]:
    return [(role, "needed_from", lambda self, partition, next_offset: next_offset)]


def _fold_again() -> list[Change]:
    right = projections.fold

    def wrong(record: Any, partition: int, get: Any) -> Any:
        def stale(key: Any) -> Any:
            row = get(key)
            return None if row is None else row.model_copy(update={"sequence": 0})

        return right(record, partition, stale)

    return [(views, "fold", wrong)]


def _follow_with_gaps() -> list[Change]:
    right = Follower._take

    async def wrong(self: Follower, partition: int, offset: int, record: Any) -> None:
        if record.seq % 7:
            await right(self, partition, offset, record)
        else:
            self._seq[partition] = record.seq
            self._next[partition] = offset + 1

    return [(Follower, "_take", wrong)]


def _remember_lost_partitions() -> list[Change]:
    return [(views.Views, "forget", lambda self, partitions: None)]


def _forget_the_frozen() -> list[Change]:
    return [(Brake, "needed_from", lambda self, number, following: self._effects.needed_from(number, following))]


def _leave_out_the_frozen() -> list[Change]:
    async def wrong(self: Brake, partition: int, merchant: str) -> None:
        self._held[partition].pop(merchant, None)
        await self._effects.thaw(partition, merchant)

    return [(Brake, "_release", wrong)]


# Payments


def _time_out_is_failure() -> list[Change]:
    right = RequestMaker.make

    async def wrong(self: RequestMaker, entry: Any) -> None:
        try:
            backend = self._ways.of(entry.merchant)
            await backend.ensure(entry.intent(self._preimage_secret, backend), timeout_s=1)
        except BackendError:
            if not entry.requested:
                await self._failed(entry, "timeout")
                return
        await right(self, entry)

    return [(RequestMaker, "make", wrong)]


def _fresh_reference() -> list[Change]:
    count = iter(range(10**9))
    return [(services.payments.open_requests, "reference", lambda intent: Reference(f"ref{next(count)}"))]


def _random_preimage() -> list[Change]:
    count = iter(range(10**9))
    return [(services.payments.open_requests, "preimage_for", lambda s, i: Preimage(next(count).to_bytes(32)))]


def _show_unchecked() -> list[Change]:
    return [(services.payments.making_requests, "faults_of", lambda intent, request, backend, now_s: None)]


def _trust_hints() -> list[Change]:
    async def wrong(self: PaymentsRole, entry: Any, ref: Any) -> None:
        body = ObservePayment(
            order=entry.wanted.order,
            intent_id=entry.intent_id,
            state=BackendState.SETTLED,
            gross_msat=entry.wanted.amount_msat,
        )
        await self._say(entry, body)

    return [(PaymentsRole, "_look", wrong)]


def _forget_dropped() -> list[Change]:
    return [(PaymentsRole, "_drop", lambda self, intent_id: self._forget(intent_id))]


def _never_sweep() -> list[Change]:
    async def wrong(self: PaymentsRole) -> None:
        await asyncio.sleep(10**9)

    return [(PaymentsRole, "sweep", wrong)]


def _start_afresh() -> list[Change]:
    right = PaymentsRole.caught_up

    async def wrong(self: PaymentsRole, partition: int) -> None:
        self._open.clear()
        await right(self, partition)

    return [(PaymentsRole, "caught_up", wrong)]


def _miss_reorganisations() -> list[Change]:
    return [(services.payments.chain, "is_missing", lambda row, sight: False)]


def _count_the_mempool() -> list[Change]:
    def wrong(address: str, history: Any, tip: int, needed: int) -> Any:
        sight = sight_of(address, history, tip, needed)
        return replace(sight, deep_sats=sight.all_sats, waiting_sats=0)

    return [(services.payments.chain, "sight_of", wrong)]


# The publisher


def _date_by_the_clock() -> list[Change]:
    def wrong(pubkey: str, created_at: int, *rest: Any) -> Any:
        return nip17.make_rumor(pubkey, now_ms() // 1_000, *rest)

    return [(services.outgoing, "make_rumor", wrong)]


def _try_once() -> list[Change]:
    async def wrong(self: Telling, url: str) -> None:
        self.words[url] = await self._relays.publish(url, self._event.id, to_json(self._event), 15.0)

    return [(Telling, "_tell", wrong)]


def _first_yes_is_enough() -> list[Change]:
    return [(Outbox, "has_room", property(lambda _self: False))]


def _forget_the_outbox() -> list[Change]:
    async def wrong(self: OutboxTopic, partition: int) -> list[Any]:
        return []

    return [(OutboxTopic, "owed", wrong)]


def _overtake() -> list[Change]:
    async def wrong(before: Any, work: Any) -> None:
        await work

    return [(services.publisher, "_after", wrong)]


def _swallow_once_sent() -> list[Change]:
    right = PublisherRole.take

    async def wrong(self: PublisherRole, partition: int, offset: int, record: Any) -> None:
        if record.seq % 5:
            await right(self, partition, offset, record)

    return [(PublisherRole, "take", wrong)]


ROLES: tuple[Bug, ...] = (
    Bug("any batch", "a batch that does not follow is decided all the same", _any_batch),
    Bug("keep uncommitted", "a failed append leaves its state behind", _keep_uncommitted),
    Bug("no fence", "a former owner may still write", _no_fence),
    Bug("never silent", "commands that decide nothing are never covered", _never_silent),
    Bug("open empty", "a new owner begins without the past", _open_empty),
    Bug("save less", "a checkpoint says more than it holds", _save_less),
    Bug("acknowledge first", "intake acknowledges before its command is stored", _acknowledge_first),
    Bug("know by id", "a changed copy keeps the good one out", _know_by_id),
    Bug("fold again", "a repeated record changes a table twice", _fold_again),
    Bug("follow with gaps", "a follower leaves records out", _follow_with_gaps),
    Bug("remember lost partitions", "a worker goes on where it once was", _remember_lost_partitions),
    Bug("forget the frozen", "what waits for a thaw is lost at a crash", _forget_the_frozen),
    Bug("leave out the frozen", "what waited for a thaw is never done", _leave_out_the_frozen),
    Bug("time-out is failure", "an order fails because the wallet was slow", _time_out_is_failure),
    Bug("fresh reference", "every try asks for another invoice", _fresh_reference),
    Bug("random preimage", "every try makes another preimage", _random_preimage),
    Bug("show unchecked", "a wrong invoice is shown to the buyer", _show_unchecked),
    Bug("trust hints", "a hint counts as paid", _trust_hints),
    Bug("miss reorganisations", "what the chain took back stays paid", _miss_reorganisations, LOSSES_TEST),
    Bug("count the mempool", "a payment without a block is final", _count_the_mempool, CHAIN_TEST),
    Bug("forget dropped", "late money on a dead order is never seen", _forget_dropped),
    Bug("never sweep", "a lost hint is a lost payment", _never_sweep),
    Bug("start afresh", "what was wanted before a restart is forgotten", _start_afresh),
    Bug("payments store too far", "open requests are not read again", lambda: _store_too_far(PaymentsRole)),
    Bug("publisher stores too far", "messages under way are lost at a crash", lambda: _store_too_far(PublisherRole)),
    Bug("date by the clock", "a retry is another message", _date_by_the_clock),
    Bug("try once", "a message is given up at the first relay that is down", _try_once),
    Bug("first yes", "relays that do not answer at once are left", _first_yes_is_enough),
    Bug("forget the outbox", "what other relays are owed is lost at a crash", _forget_the_outbox),
    Bug("overtake", "messages of one order overtake each other", _overtake),
    Bug("swallow", "some messages are never sent", _swallow_once_sent),
)

BUGS: tuple[Bug, ...] = (*DOMAIN, *GOODS, *MONEY, *RAILS, *ROLES)
