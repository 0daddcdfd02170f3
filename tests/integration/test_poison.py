"""One poison record of each class among ten thousand: each is set aside, all others are processed, and nobody lags."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from schemas.codec import decode, encode
from schemas.merchants import Merchant
from schemas.messages import Command
from schemas.nostr.kinds import Kind
from schemas.nostr.nip01 import to_json
from schemas.nostr.secp256k1 import SecretKey
from schemas.quarantine import Quarantined
from schemas.topics import COMMANDS, JOURNAL, MERCHANTS, QUARANTINE, RAW, partition_of
from services.config import Role
from services.home import Home
from services.signer.keystore import Keystore
from streams.kafka import Kafka
from tests.integration.test_hostile_input import a_key, hostile_texts, signed
from tests.support import cluster
from tests.support.cluster import PARTITIONS, Worker, covered, merchant_in, now_ms, offers, orders, until

pytestmark = pytest.mark.real

COUNT = 10_000
ANN = merchant_in(0)
HEADERS: tuple[tuple[str, bytes], ...] = (("received_ms", str(now_ms()).encode()), ("relay", b"wss://relay.example"))


def poison_commands() -> list[bytes]:
    """Everything that may lie on the command topic and is no command."""
    good = encode(offers(ANN))
    return [
        b"",
        b"\x00\xff\xfe",
        b"{",
        b"[]",
        b"null",
        b"12",
        b'"text"',
        b"[" * 100_000,
        b'{"a":' * 50_000,
        b"1" * 100_000,
        good.replace(b'"RecordListing"', b'"LandOnTheMoon"'),
        good.replace(b'"at_ms":', b'"at_ms":"soon","x":'),
        good.replace(b'"merchant":"', b'"merchant":"\\ud800'),
        good.replace(b'"amount":"10"', b'"amount":"NaN"'),
        good.replace(b'"body":', b'"corpse":'),
        good[:-20],
        good + good,
        b"x" * 900_000,
    ]


@pytest.mark.req("OPS-07")
async def test_poison_among_ten_thousand_commands_costs_nothing_but_itself(kafka: Kafka, tmp_path: Path) -> None:
    """Every class once: so many are set aside, all other commands are decided in their order, none waits."""
    poison = poison_commands()
    good = [offers(ANN), *orders(ANN, range(COUNT - len(poison) - 1))]
    step = COUNT // len(poison)
    producer = await kafka.producer()
    for number, command in enumerate(good):
        await producer.put(COMMANDS, ANN, command)
        if number % step == step // 2 and poison:
            await producer.put(COMMANDS, ANN, poison[number // step], partition=0)
    await producer.flush()
    await producer.stop()

    with Worker(Role.DECIDER, kafka, tmp_path) as decider:
        await decider.start().ready()
        await until(lambda: _is_covered(kafka, COUNT), "all of them to be covered", 60)

    records = (await cluster.journal(kafka))[0]
    assert [r.seq for r in records] == list(range(1, len(records) + 1))
    assert [r.cause for r in records if r.events] == [command.id for command in good]
    aside = await set_aside(kafka)
    assert Counter(r.reason for r in aside) == {"not_a_command": len(poison)}
    assert len({r.offset for r in aside}) == len(poison)


async def _is_covered(kafka: Kafka, count: int) -> bool:
    return await covered(kafka, 0) >= count - 1


def poison_events(merchant: SecretKey) -> dict[str, tuple[bytes, tuple[tuple[str, bytes], ...]]]:
    """Everything that may lie among the raw events, by a name for it; the code it ends under comes first."""
    listing = to_json(signed(merchant, Kind.PRODUCT, (("d", "x"), ("title", "X"), ("price", "1", "SAT")), ""))
    texts: dict[str, bytes] = {
        "bad_json nothing": b"",
        "bad_json no text": b"\xff\x00\xfe",
        "bad_json half": listing[:-9].encode(),
        "bad_json not a number": listing.replace('"kind":30402', '"kind":NaN').encode(),
        "bad_json lone surrogate": listing.replace('"content":""', '"content":"\\ud800"').encode(),
        "bad_shape a list": b"[]",
        "bad_shape null": b"null",
        "bad_shape number": b"12",
        "bad_shape deep": listing.replace("{", '{"x":' + "[" * 90 + "]" * 90 + ",", 1).encode(),
        "bad_shape empty": b"{}",
        "bad_json very deep": b"[" * 60_000,
        "too_big much": b" " * 900_000,
        "bad_json huge number": listing.replace('"kind":30402', '"kind":' + "9" * 400).encode(),
        "no_d nameless": to_json(signed(merchant, Kind.PRODUCT, (("title", "X"), ("price", "1", "SAT")), "")).encode(),
        "no_price free": to_json(signed(merchant, Kind.PRODUCT, (("d", "x"), ("title", "X")), "")).encode(),
        "foreign_review of nobody": to_json(signed(merchant, Kind.REVIEW, (("d", "a:x"),), "")).encode(),
    }
    for code, text in hostile_texts(merchant.public_key).items():
        texts[f"{code} hostile"] = text.encode()
    poison = {name: (text, HEADERS) for name, text in texts.items()}
    broken = (("received_ms", b"\xffsoon"), ("relay", b"\xff\xff"), ("tenants", b"\xff"), ("replayed_ms", b"-1"))
    poison["future_dated by broken headers"] = (listing.encode(), broken)
    return poison


@pytest.mark.req("OPS-07")
@pytest.mark.req("REL-06")
async def test_poison_among_ten_thousand_events_costs_nothing_but_itself(kafka: Kafka, tmp_path: Path) -> None:
    """Every class once: each ends under its code, all other events become a command each, and intake has no lag."""
    merchant = a_key()
    home = Home(tmp_path)
    Keystore.of(home).add(merchant)
    poison = poison_events(merchant)
    count = COUNT - len(poison)
    tags = (("d", "tea"), ("title", "Tea"), ("price", "10", "SAT"))
    at_s = now_ms() // 1_000 - count
    good = [signed(merchant, Kind.PRODUCT, tags, "", at=at_s + n) for n in range(count)]

    producer = await kafka.producer()
    shop = Merchant(public_key=merchant.public_key, name="shop", added_ms=now_ms())
    await producer.write(MERCHANTS, merchant.public_key, shop)
    waiting = list(poison.values())
    for number, event in enumerate(good):
        await producer.put(RAW, event.id, to_json(event).encode(), HEADERS)
        if number % 100 == 50 and waiting:
            text, headers = waiting.pop()
            await producer.put(RAW, event.id, text, headers)
    assert not waiting
    await producer.flush()
    await producer.stop()

    with Worker(Role.INTAKE, kafka, tmp_path) as intake:
        await intake.start().ready()

        async def all_read() -> bool:
            found = await cluster.read(kafka, COMMANDS, committed_only=False)
            return sum(map(len, found.values())) >= count and len(await set_aside(kafka)) >= len(poison)

        await until(all_read, "every event to be read", 90)

        def no_lag() -> bool:
            alive = json.loads((tmp_path / "run" / "intake.alive").read_text())
            return not any(alive["lag"].values())

        await until(no_lag, "intake to have stored its positions", 30)

    found = await cluster.read(kafka, COMMANDS, committed_only=False)
    commands = [decode(Command, record.value) for records in found.values() for record in records]
    assert sorted(command.source for command in commands) == sorted(event.id for event in good)
    expected = Counter(name.split()[0] for name in poison)
    assert Counter(record.reason for record in await set_aside(kafka)) == expected
    assert partition_of(merchant.public_key, PARTITIONS) in found
    assert JOURNAL.name not in {record.topic for record in await set_aside(kafka)}


async def set_aside(kafka: Kafka) -> list[Quarantined]:
    """Every quarantine record, by id."""
    found = await cluster.read(kafka, QUARANTINE, committed_only=True, settled=True)
    records = (decode(Quarantined, record.value) for partition in found.values() for record in partition)
    return list({record.id: record for record in records}.values())
