"""The end of a history: faults stop, everything owed must come, and what was built must equal what the journal says."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from schemas import topics
from schemas.codec import decode, encode
from schemas.deliveries import Delivery, DeliveryState
from schemas.holds import ReleaseOrder
from schemas.messages import Command
from schemas.payments import BackendState
from schemas.quarantine import Quarantined
from schemas.rows import Row
from services.metrics.rows import event_rows
from streams.domain.evolve import evolve
from streams.domain.projections import RowKey, fold
from streams.domain.shop import Shop
from streams.kept import Fetched
from tests.simulation.ecash_books import every_token_has_its_outcome, intents_in_ecash
from tests.simulation.rules import Breach
from tests.simulation.signers import digest
from tests.simulation.wallet import MONEY
from tests.simulation.world import World

RETRIES = 8
"""A wallet that answers wrongly is asked again and again, up to twenty seconds apart, before an order fails."""
SHOP_FIELDS = (
    *("orders", "stock", "listings", "options", "withdrawn", "parked", "settings", "reviews"),
    *("judged", "ratings", "purchases", "waiting_reviews", "words", "drafts", "relay_lists"),
)


FINAL = ("accepted", "duplicate", "refused")
"""What a relay says once and for all."""


def converge(world: World) -> None:
    """Heal, let time pass until deadlines, retries and sweeps are over, then check everything. Raises `Breach`."""
    world.heal()
    world.settle()
    for key in list(world.books.on_hold.values()):
        world.command(key.merchant, ReleaseOrder(order=key, cause=digest("release", key.ref)[:32]))
    world.settle()
    world.clock.advance(61_000)
    world.settle()
    for _ in range(RETRIES):
        if not any(any(auditor.overdue(world.clock.now_ms, 60_000)) for auditor in world.books.auditors):
            break
        world.clock.advance(21_000)
        world.settle()
    every_wanted_request_is_made(world)
    for wait_s in (1_700, 61) + (1,) * world.config.has_metrics:
        world.clock.advance(wait_s * 1_000)
        world.settle()
    for check in CHECKS:
        check(world)


def every_command_is_covered(world: World) -> None:
    """D2: nothing said to the decider is left out."""
    for number in range(world.broker.partitions):
        commands = len(world.broker.log(topics.COMMANDS.name, number).entries)
        if commands and world.books.covers[number] != commands - 1:
            raise Breach(f"D3: {commands} commands, but the journal covers {world.books.covers[number]}")


def every_wanted_request_is_made(world: World) -> None:
    """I14: a minute after everything works again, no order waits for its request, or has outlived its deadline."""
    now_ms = world.clock.now_ms
    for auditor in world.books.auditors:
        for found in auditor.overdue(now_ms, 60_000):
            raise Breach(f"{found.code}: {found.sentence}")


def every_failed_order_had_a_reason(world: World) -> None:
    """A time-out is unknown, never failed: an order fails only where the wallet turned its request down."""
    for ref in world.books.failed:
        intents = [intent for intent, wanted in world.books.wanted.items() if wanted.order.ref == ref]
        if intents and not world.wallet.turned_down & set(intents):
            raise Breach(f"I14: order {ref} failed, and the wallet had not refused it")


def every_sighting_has_its_class(world: World) -> None:
    """I1: whatever was seen is a command, our own copy, or in the quarantine."""
    sources = {entry.value.source for entry in _commands(world)}
    kept = set()
    for entry in world.broker.all(topics.QUARANTINE.name):
        found = entry.value if isinstance(entry.value, Quarantined) else decode(Quarantined, entry.value)
        kept.add(found.original)
    for entry in world.broker.all(topics.RAW.name):
        text = entry.value.decode()
        event_id = world.said.id_of(text)
        if event_id in sources or event_id in world.made.by_event or text in kept:
            continue
        if world.is_own_listing(text):
            continue
        raise Breach(f"I1: a sighting ended nowhere: event {event_id[:8]}")


def _commands(world: World) -> list[Any]:
    found = []
    for entry in world.broker.all(topics.COMMANDS.name):
        if isinstance(entry.value, Command):
            found.append(entry)
        elif isinstance(entry.value, bytes) and len(entry.value) > 100:
            entry.value = decode(Command, entry.value)
            found.append(entry)
    return found


def every_order_is_answered(world: World) -> None:
    """I14: an order in the journal has at least one reply, and none is open long after its deadline."""
    every_wanted_request_is_made(world)
    for ref in world.books.orders:
        if not world.books.replies[ref] and ref not in world.books.quiet:
            raise Breach(f"I14: order {ref} was never answered")


def every_reply_is_delivered(world: World) -> None:
    """I4: each promised message has its delivery record, and where that says delivered a relay has it."""
    delivered, at_ms = _last_deliveries(world)
    for effect_id, delivery in delivered.items():
        _check_given_up(world, delivery, at_ms[effect_id])
    buyers = {effect_id: promised.order.buyer for effect_id, promised in world.books.promised.items()}
    buyers |= {effect_id: promised.buyer for effect_id, promised in world.books.answers.items()}
    for effect_id, buyer in buyers.items():
        found = delivered.get(effect_id)
        if found is None:
            raise Breach(f"I14: {effect_id} was promised and never delivered or given up")
        world.coverage[f"delivery {found.state.value}"] += 1
        event_id = world.made.event_of.get((effect_id, buyer))
        said_stored = any(o.outcome in ("accepted", "duplicate") for o in found.outcomes)
        if (found.state.value == "delivered") != said_stored:
            raise Breach(f"I4: {effect_id} is recorded as {found.state.value}, which its relays did not say")
        if event_id != found.event_id:
            raise Breach(f"I4: {effect_id} is recorded under another event")
    unknown = {effect for effect in world.made.rumor_of if effect not in buyers}
    if unknown:
        raise Breach(f"I4: said without a promise in the journal: {sorted(unknown)[:3]}")


def replies_keep_their_order(world: World) -> None:
    """I4: no message of an order is on a relay before the one it follows, unless that one had been given up before.

    What was given up may still go out once more, by a publisher that took over where that was not written down.
    """
    effects = {world.made.event_of.get((e, p.order.buyer)): e for e, p in world.books.promised.items()}
    newest: dict[str, int] = {}
    given_up = {delivery.effect_id for delivery, _ in _deliveries(world) if delivery.state is DeliveryState.FAILED}
    for event_id in world.net.acknowledged:
        if effect_id := effects.get(event_id):
            ref, _, number = effect_id.rpartition(":")
            if int(number) < newest.get(ref, 0) and effect_id not in given_up:
                raise Breach(f"I4: {effect_id} went out after one that follows it")
            newest[ref] = max(int(number), newest.get(ref, 0))


def nothing_is_owed(world: World) -> None:
    """I4: every relay of a route has said yes or no for good, or was tried for ten minutes; and the outbox is empty.

    What a publisher still wrote there that had lost its partition is settled by the next one to start.
    """
    if any(_owed(world).values()):
        for process in list(world.processes["publisher"]):
            world.bury(process)
        world.settle()
    owed = _owed(world)
    world.coverage["owed to a relay"] += len(owed)
    if left := [key for key, value in owed.items() if value is not None]:
        raise Breach(f"I4: {left[0]!r} is owed to a relay for ever")
    answered: dict[str, set[str]] = defaultdict(set)
    for said, _ in _deliveries(world):  # one that lost its partition may still say less, later
        answered[said.effect_id] |= {o.relay for o in said.outcomes if o.outcome in FINAL}
    at_ms = _last_deliveries(world)[1]
    for effect_id, promised_ms in world.books.promised_ms.items():
        final = answered[effect_id]
        if not final.issuperset(world.buyer_relays[:3]) and at_ms[effect_id] - promised_ms < 590_000:
            raise Breach(f"I4: {effect_id} was told to {len(final)} relays, and the others were left")


def _deliveries(world: World) -> Iterable[tuple[Delivery, int]]:
    """Every delivery record in its order, with when the broker had it."""
    for entry in world.broker.all(topics.DELIVERIES.name):
        yield entry.value if isinstance(entry.value, Delivery) else decode(Delivery, entry.value), entry.timestamp


def _last_deliveries(world: World) -> tuple[dict[str, Delivery], dict[str, int]]:
    """The last record of each effect, and when the broker had it: processes' own clocks may be off."""
    delivered: dict[str, Delivery] = {}
    at_ms: dict[str, int] = {}
    for delivery, stored_ms in _deliveries(world):
        delivered[delivery.effect_id], at_ms[delivery.effect_id] = delivery, stored_ms
    return delivered, at_ms


def _owed(world: World) -> dict[Any, Any]:
    """What stands in the outbox, by effect; None where nothing is owed any more."""
    return {entry.key: entry.value for entry in world.broker.all(topics.OUTBOX.name)}


def _check_given_up(world: World, delivery: Delivery, at_ms: int) -> None:
    """A message is given up when every relay refused it for good, or after ten minutes of trying."""
    if delivery.state.value in ("delivered", "no_route") or all(o.outcome == "refused" for o in delivery.outcomes):
        return
    promised_ms = world.books.promised_ms.get(delivery.effect_id)
    if promised_ms is not None and at_ms - promised_ms < 590_000:
        raise Breach(f"I14: {delivery.effect_id} was given up after {(at_ms - promised_ms) // 1_000} s")


def every_payment_is_known(world: World) -> None:
    """I5: what the wallet holds is what the journal says was settled, and nothing is confirmed without."""
    held = {one.intent.intent_id: one for one in world.wallet.by_reference.values()}
    in_ecash = intents_in_ecash(world)
    for intent_id, one in held.items():
        known_msat = world.books.got[intent_id]
        if one.state in (BackendState.SETTLED, BackendState.PARTIAL) and known_msat < one.gross_msat:
            raise Breach(f"I5: the wallet was paid for intent {intent_id[:8]}, and the journal does not know")
        if known_msat > (one.gross_msat if one.state in MONEY else 0):
            raise Breach(f"I5: the journal says intent {intent_id[:8]} is settled otherwise than the wallet")
        if intent_id in world.books.reversed and one.state is not BackendState.REVERSED:
            raise Breach(f"I5: the journal says intent {intent_id[:8]} was taken back, and the wallet has its money")
    for intent_id in world.books.got:
        if intent_id not in held and intent_id not in in_ecash:
            raise Breach(f"I5: the journal says intent {intent_id[:8]} is settled, and the wallet has no such request")
    for intent_id in world.books.seen - world.wallet.ever_coming:
        raise Breach(f"I5: the journal says that money for intent {intent_id[:8]} is on its way, and none was sent")
    for intent_id, requested in world.books.requested.items():
        if intent_id in in_ecash:
            continue
        if world.wallet.asked_of.get(requested.text) != requested.amount_msat:
            raise Breach(f"I5: the buyer was shown a request for another amount than intent {intent_id[:8]} wants")
        if intent_id in held and held[intent_id].ref != world.wallet.hash_of[requested.text]:
            raise Breach(f"I3: intent {intent_id[:8]} has another request at the wallet than the buyer was shown")


def every_refusal_is_kept(world: World) -> None:
    """I1: what became no fact is in the quarantine, under a stable reason."""
    decided, moves = 0, {reason for reason, _ in world.books.refused}
    for entry in world.broker.all(topics.QUARANTINE.name):
        found = entry.value if isinstance(entry.value, Quarantined) else decode(Quarantined, entry.value)
        world.coverage[f"quarantined {found.reason}"] += 1
        decided += found.stage == "decider" and found.reason in moves
        if found.reason in ("not_read", "not_decided"):
            raise Breach(f"I1: something was not read for a reason nobody foresaw: {found.detail}")
    if decided != world.books.refusals:
        raise Breach(f"I1: {world.books.refusals} refusals in the journal, and {decided} in the quarantine")


def _refolded(world: World) -> dict[RowKey, Row]:
    rows: dict[RowKey, Row] = {}
    for partition, record in world.books.records:
        rows.update(fold(record, partition, rows.get))
    return rows


def tables_are_the_journal(world: World) -> None:
    """I6: every row, in the worker and in the changelog, is byte for byte what folding the journal anew gives."""
    expected = {(key.table, key.key.encode()): encode(row) for key, row in _refolded(world).items()}
    stored: dict[tuple[str, bytes], bytes] = {}
    bytes_of: dict[int, bytes] = {}
    for name, changelogs in world.changelogs.items():
        for changelog in changelogs:
            for key, put in changelog.recovered().items():
                stored[name, key] = bytes_of[id(put.row)] = put.value
    _same("changelog", stored, expected)
    working: dict[tuple[str, bytes], bytes] = {}
    for process in world.processes["views"]:
        for name, table in process.tables.items():
            for key, row in table.items():
                working[name, key] = bytes_of.get(id(row)) or (row if isinstance(row, bytes) else encode(row))
    _same("table", working, expected)


def _same(what: str, found: dict[tuple[str, bytes], bytes], expected: dict[tuple[str, bytes], bytes]) -> None:
    if found == expected:
        return
    for key in sorted(found.keys() | expected.keys()):
        if found.get(key) != expected.get(key):
            raise Breach(f"I6: the {what} row {key[0]}/{key[1].decode()[:60]} is not what the journal says")


def the_state_is_the_journal(world: World) -> None:
    """D3: a decider's live state is the fold of what was committed, and nothing else."""
    shops: dict[str, Shop] = {}
    for _, record in world.books.records:
        shop = shops.setdefault(record.merchant, Shop(record.merchant))
        for event in record.events:
            evolve(shop, event, record.at_ms)
    for process in world.processes["decider"]:
        for live in _live_shops(process):
            expected = shops.get(live.merchant, Shop(live.merchant))
            for name in SHOP_FIELDS:
                if not _same_table(getattr(live, name), getattr(expected, name)):
                    raise Breach(f"D3: the decider's {name} are not the fold of the journal")
            for coordinate, stock in live.stock.items():
                goods = next((a.goods[coordinate] for a in world.books.auditors if coordinate in a.goods), None)
                if goods is not None and (stock.on_hand, stock.held) != (goods.on_hand, goods.held):
                    raise Breach(f"I2: {stock.on_hand} of {coordinate} on hand, where the books have {goods.on_hand}")
            if live.parked.keys() & live.orders.keys():
                raise Breach("I14: messages wait for an order that is there")
            if live.unjudged:
                raise Breach("I15: reviews are never judged")
            if live.stale:
                raise Breach("I14: a listing's published stock is not brought up to date")


def _same_table(live: Any, expected: Any) -> bool:
    """Whether they are equal; what a checkpoint left in its file is fetched one by one."""
    if isinstance(live, Fetched):
        return all(live.get(ref) == order for ref, order in expected.items()) and live.keys() <= expected.keys()
    return bool(live == expected)


def _live_shops(process: Any) -> Iterable[Shop]:
    return [shop for partition in process.decider._ready.values() for shop in partition.shops.values()]


def totals_are_exact(world: World) -> None:
    """I7: every fact is a row once."""
    if not world.config.has_metrics:
        return
    expected = {
        (row.partition, row.sequence, row.position, row.line): row
        for partition, record in world.books.records
        for row in event_rows(partition, record, lambda merchant, buyer: buyer[:8])
    }
    if world.store.rows != expected:
        raise Breach(f"I7: {len(world.store.rows)} metrics rows, where the journal gives {len(expected)}")


CHECKS = (
    every_command_is_covered,
    every_sighting_has_its_class,
    every_failed_order_had_a_reason,
    every_order_is_answered,
    every_reply_is_delivered,
    replies_keep_their_order,
    nothing_is_owed,
    every_payment_is_known,
    every_token_has_its_outcome,
    every_refusal_is_kept,
    tables_are_the_journal,
    the_state_is_the_journal,
    totals_are_exact,
)
