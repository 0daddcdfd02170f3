"""After everything else has run: no secret key and no street address where they must not be."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from schemas.nostr.nip19 import encode_nsec
from schemas.nostr.secp256k1 import SecretKey
from schemas.topics import RAW, TOPICS, Topic
from services.signer.keystore import Keystore
from streams.kafka import Kafka
from streams.topic_reader import read_all
from tests.support.shop import CANARY_STREET, Operator, Shop, invoice_of
from tests.support.stack import RunningStack

pytestmark = pytest.mark.real

TABLES = ("events", "orders", "inventory", "reviews", "ratings", "messages", "offers", "deliveries", "quarantine")


def canaries(stack: RunningStack, keys: list[SecretKey]) -> list[bytes]:
    """Every spelling of every secret of this home, and the address that buyers sent."""
    home = stack.home
    secrets = [(home.secrets / name).read_text().strip() for name in ("preimage", "pseudonym", "keystore-passphrase")]
    spelled = [spelling for key in keys for spelling in (key.reveal().hex(), encode_nsec(key))]
    return [text.encode() for text in (*spelled, *secrets, home.token(), CANARY_STREET, "Jane Doe")]


def keys_of(stack: RunningStack) -> list[SecretKey]:
    """Every merchant key this home holds."""
    keystore = Keystore.of(stack.home)
    return [keystore.get(public_key) for public_key in sorted(keystore.public_keys())]


def found_in(place: str, data: bytes, wanted: list[bytes]) -> list[str]:
    """Which canaries stand in the data, as a message that does not repeat them."""
    return [f"{place}: canary {number}" for number, canary in enumerate(wanted) if canary in data]


async def topic_bytes(kafka: Kafka, topic: Topic) -> bytes:
    """Every key and value a topic holds."""
    records = [record async for record in read_all(kafka, topic)]
    return b"\n".join((record.key or b"") + b" " + (record.value or b"") for record in records)


@pytest.mark.req("ID-09")
@pytest.mark.req("MSG-14")
@pytest.mark.req("OPS-08")
async def test_logs_topics_tables_and_errors_hold_no_secret_and_no_address(stack: RunningStack) -> None:
    """An order with an address is run to its end; then everything this home and broker keep is searched."""
    async with Shop(stack) as shop:
        buyer = await shop.buyer()
        order_id = await shop.order(buyer)
        await shop.pay(invoice_of(await buyer.wait_for(order_id, "2")))
        await buyer.wait_for(order_id, "3", "confirmed")
        row = await shop.until(lambda: shop.order_row(order_id), "the order")
        shown = await shop.operator.call("GET", f"/orders/{row['ref']}")
        assert CANARY_STREET in shown["personal"]["address"], "the operator, and only the operator, can read it"

    keys = await asyncio.to_thread(keys_of, stack)
    wanted = canaries(stack, keys)
    assert len(keys) > 0
    hits: list[str] = []
    for log in sorted((stack.home.root / "logs").iterdir()):
        hits += found_in(f"logs/{log.name}", log.read_bytes(), wanted)
    for status in ("status.json", "ready.json"):
        hits += found_in(status, (stack.home.root / status).read_bytes(), wanted)
    ready = stack.home.ready()
    assert ready is not None
    kafka = Kafka(ready.kafka, 4, "scan")
    read = 0
    for topic in TOPICS:
        if topic is not RAW:
            data = await topic_bytes(kafka, topic)
            read += len(data)
            hits += found_in(topic.name, data, wanted)
    assert read > 10_000, "the scan read something"
    operator = Operator(stack)
    for name in TABLES:
        rows = await operator.sql(f"SELECT * FROM {name} LIMIT 10000")
        hits += found_in(f"table {name}", repr(rows).encode(), wanted)
    await operator.close()
    hits += [hit for pid in pids(stack) for hit in found_in(f"command line of {pid}", command_line(pid), wanted)]

    assert hits == []


def pids(stack: RunningStack) -> list[int]:
    """Every living child."""
    return [int(child["pid"]) for child in stack.children().values() if child["pid"]]


def command_line(pid: int) -> bytes:
    """What anyone on the machine can read of a process."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except FileNotFoundError:
        return b""
