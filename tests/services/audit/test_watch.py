"""The watch: what of the breaches found is still to be acted on."""

from __future__ import annotations

from collections.abc import Mapping

import orjson

from schemas.freezes import FreezeMerchant
from schemas.messages import Command
from schemas.values import Origin
from services.audit.watch import Watch
from tests.support.builders import MERCHANT, NOW_MS, OTHER_MERCHANT, product


def record(seq: int, *events: Mapping[str, object], merchant: str = MERCHANT) -> bytes:
    """A record in its place."""
    body = {"v": 1, "seq": seq, "covers": seq, "merchant": merchant, "at_ms": NOW_MS, "cause": "c", "events": events}
    return orjson.dumps(body)


def bad(merchant: str = MERCHANT) -> dict[str, object]:
    """A base below nothing."""
    return {"type": "StockSet", "coordinate": product(merchant=merchant), "on_hand": -1, "cause": "c"}


FROZEN = {"type": "MerchantFrozen", "code": "I2", "reason": "tea was set to -1", "cause": "x"}
THAWED = {"type": "MerchantThawed", "reason": "counted", "cause": "y", "deadline_ms": 0}


def watch(*values: bytes) -> Watch:
    """A watch that has read this much of partition 3."""
    reading = Watch()
    reading.begin(3)
    for value in values:
        reading.take(3, value)
    return reading


def owed(reading: Watch) -> list[str]:
    """The causes of the freezes it owes."""
    return [command.source for command in reading.unanswered(3, NOW_MS)]


def test_a_breach_calls_for_one_freeze_with_its_sentence() -> None:
    """The first of several, once, from the auditor's own door, under a name that a restart gives it again."""
    reading = watch(record(1, bad()), record(2, bad()))
    (command,) = reading.unanswered(3, NOW_MS)

    assert isinstance(command, Command)
    assert (command.merchant, command.origin, command.source) == (MERCHANT, Origin.AUDITOR, "I2 at 3:1")
    assert isinstance(command.body, FreezeMerchant)
    assert command.body.reason == "I2, record 1: tea has -1 on hand and 0 held"
    assert owed(reading) == []
    assert watch(record(1, bad())).unanswered(3, NOW_MS)[0].id == command.id


def test_each_merchant_is_frozen_for_its_own_breach() -> None:
    """One merchant's breach is nobody else's."""
    reading = watch(record(1, bad()), record(2, bad(OTHER_MERCHANT), merchant=OTHER_MERCHANT), record(3))

    assert owed(reading) == ["I2 at 3:1", "I2 at 3:2"]


def test_a_breach_that_was_answered_is_left_alone() -> None:
    """By a freeze after it; breaches found while frozen wait for the thaw, which answers them as well."""
    assert owed(watch(record(1, bad()), record(2, FROZEN))) == []
    assert owed(watch(record(1, bad()), record(2, FROZEN), record(3, bad()))) == []
    assert owed(watch(record(1, bad()), record(2, FROZEN), record(3, bad()), record(4, THAWED))) == []


def test_a_new_breach_after_a_thaw_freezes_again() -> None:
    """Only what is new counts."""
    assert owed(watch(record(1, bad()), record(2, FROZEN), record(3, THAWED), record(4, bad()))) == ["I2 at 3:4"]


def test_who_is_frozen_is_said_with_the_reason() -> None:
    """Until the thaw, and only for partitions of ours."""
    reading = watch(record(1, bad()), record(2, FROZEN))
    assert reading.frozen() == {MERCHANT: "tea was set to -1"}
    reading.take(3, record(3, THAWED))
    assert reading.frozen() == {}
    reading.end(3)
    assert reading.unanswered(3, NOW_MS) == []


def test_bytes_that_are_no_record_stop_nothing() -> None:
    """They are a breach without a merchant, and freeze nobody."""
    reading = Watch()
    reading.begin(3)

    for value in (b"nonsense", b"[1]", b'{"merchant": 5}', b'{"merchant": "x", "seq": 1, "events": [7]}'):
        assert {breach.code for breach in reading.take(3, value)} >= {"I9"}
    assert owed(reading) == []
