"""What holds for every shop and every command, whatever the business (style §2, rules 4, 6 and 21)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields

from schemas.codec import decode, encode
from schemas.messages import Command, Event, JournalRecord
from schemas.orders import MoveRefused, Rate
from schemas.parking import ReleaseParked
from schemas.reviews import JudgeReviews
from streams.domain.decide import decide
from streams.domain.evolve import evolve
from streams.domain.shop import Shop


def copy_of(shop: Shop) -> Shop:
    """A shop that no longer changes with the first; its values are frozen, only the containers are not."""
    copy = Shop(shop.merchant)
    for field in fields(shop):
        value = getattr(shop, field.name)
        setattr(copy, field.name, value.copy() if isinstance(value, dict | set | list) else value)
    return copy


def decided_twice_the_same(shop: Shop, command: Command, rates: Mapping[str, Rate]) -> tuple[Event, ...]:
    """Deciding looks and does not touch: the shop stays as it was, and a second look sees the same."""
    before = copy_of(shop)
    events = decide(shop, command, rates)
    assert shop == before, "decide changed the shop"
    assert events == decide(shop, command, rates), "decide is not deterministic"
    return events


def redelivery_decides_nothing(shop: Shop, command: Command, rates: Mapping[str, Rate]) -> None:
    """The same command once more, after it was decided and folded, has nothing to add.

    Three kinds are exempt by what they mean: `ReleaseParked` and `JudgeReviews` ask for the next each time,
    and a refusal about an order nobody knows leaves no state to remember it by.
    """
    if isinstance(command.body, ReleaseParked | JudgeReviews):
        return
    again = decide(shop, command, rates)
    strangers = [e for e in again if isinstance(e, MoveRefused) and shop.order(e.order) is None]
    assert list(again) == strangers, f"decided again: {again}"


def refusals_change_nothing(before: Shop, after: Shop, events: Iterable[Event]) -> None:
    """Where all that happened is a refusal, only the memory of it is new, and that its sender spoke (ORD-12)."""
    events = list(events)
    if not events or not all(isinstance(event, MoveRefused) for event in events):
        return
    for field in fields(before):
        if field.name not in ("orders", "hour", "heard", "unpaid"):
            assert getattr(before, field.name) == getattr(after, field.name), field.name
    assert before.orders.keys() == after.orders.keys()
    for ref, order in before.orders.items():
        for name in order._fields:
            if name != "refused":
                assert getattr(order, name) == getattr(after.orders[ref], name), name


def survives_the_journal(command: Command, events: tuple[Event, ...]) -> None:
    """A command and its record are the same values once they were bytes."""
    assert decode(Command, encode(command)) == command
    record = JournalRecord(
        seq=1,
        covers=0,
        merchant=command.merchant,
        at_ms=command.at_ms,
        cause=command.source,
        events=events,
    )
    assert decode(JournalRecord, encode(record)) == record


def fold_never_fails(merchant: str, events: Iterable[Event], at_ms: int) -> Shop:
    """Facts in any order, with gaps and repeats, still fold into some shop."""
    shop = Shop(merchant)
    for event in events:
        evolve(shop, event, at_ms)
    return shop
