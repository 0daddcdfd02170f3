"""Many buyers in one process: they order, pay at once through the wallet's file, and note when they were answered.

They spare the machine they share with what is measured: orders are written and sealed beforehand, one socket
carries all of their inboxes, and of what arrives they check no signatures, since the relay is our own.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.shop import Shop, a_secret, signed
from schemas.nostr.kinds import Kind
from schemas.nostr.nip01 import Event, to_json
from schemas.nostr.nip44 import conversation_key, decrypt
from schemas.nostr.nip59 import make_wrap
from schemas.nostr.secp256k1 import SecretKey
from services.payments.port import Retry
from services.payments.simulated import PaymentRefused, SimulatedWallet
from services.relays import Completion, Publisher, RawSighting, RelayPool, Subscription
from services.relays.line import LineSettings
from services.relays.pace import Backoff
from services.relays.session import ReadSettings

PUT_S = 60.0
SOON = Backoff(first_s=0.1, most_s=0.3)
"""Buyers come back at once, so that their own patience is no part of what is measured."""


class Refused(Exception):
    """The relay did not take an event."""


@dataclass(frozen=True, slots=True)
class Written:
    """An order ready to be put on the relay."""

    order_id: str
    event_id: str
    text: str


@dataclass(slots=True)
class Placed:
    """An order on its way; times are `time.perf_counter()` seconds."""

    order_id: str
    sent_s: float
    requested_s: float | None = None
    confirmed_s: float | None = None
    requested: asyncio.Event = field(default_factory=asyncio.Event)
    confirmed: asyncio.Event = field(default_factory=asyncio.Event)


class Buyers:
    """A crowd that orders from some shops; one crowd a stage, so that none reads another's old messages."""

    def __init__(self, name: str, count: int, shops: Sequence[Shop], relay: str, wallet: Path) -> None:
        self._name = name
        self._shops = tuple(shops)
        self._relay = relay
        self._buyers = {secret.public_key: secret for secret in (a_secret(f"{name} {n}") for n in range(count))}
        self._publisher = Publisher(is_trusted=lambda _url: True, settings=LineSettings(retry=SOON, reconnect=SOON))
        self._pool = RelayPool(
            self._sink,
            on_complete=self._listening,
            is_trusted=lambda _url: True,
            settings=ReadSettings(reconnect=SOON),
        )
        self._is_listening = asyncio.Event()
        self._wallet = SimulatedWallet(wallet)
        self._written = self._write()
        self._ready: list[Written] = []
        self._keys: dict[tuple[str, str], bytes] = {}
        self._paying: set[asyncio.Task[None]] = set()
        self.orders: dict[str, Placed] = {}
        self.confirmed = 0
        self.unpaid: dict[str, str] = {}
        """Invoices that the wallet would not pay, and its word for why."""

    async def open(self) -> None:
        """Publish where each buyer is to be reached, and listen there."""
        now_s = int(time.time())
        lists = [signed(one, Kind.INBOX_RELAYS, (("relay", self._relay),), now_s) for one in self._buyers.values()]
        await asyncio.gather(*(self._put(event.id, to_json(event)) for event in lists))
        inbox = Subscription("inbox", ({"kinds": [int(Kind.GIFT_WRAP)], "#p": sorted(self._buyers)},))
        self._pool.want({self._relay: (inbox,)})
        await self._is_listening.wait()

    async def close(self) -> None:
        """Hang up."""
        await self._pool.close()
        await self._publisher.close()
        for task in self._paying:
            task.cancel()
        await asyncio.gather(*self._paying, return_exceptions=True)
        self._wallet.close()

    async def put(self, *events: Event) -> None:
        """Put public events on the relay, one after the other. Raises `Refused`."""
        for event in events:
            await self._put(event.id, to_json(event))

    def write(self, count: int) -> None:
        """Write so many orders ahead."""
        self._ready.extend(next(self._written) for _ in range(count))

    async def place(self) -> Placed:
        """Put the next order on the relay; its clock starts before the first byte is sent. Raises `Refused`."""
        written = self._ready.pop() if self._ready else next(self._written)
        placed = self.orders[written.order_id] = Placed(written.order_id, time.perf_counter())
        await self._put(written.event_id, written.text)
        return placed

    async def _put(self, event_id: str, text: str) -> None:
        result = await self._publisher.publish(self._relay, event_id, text, PUT_S)
        if not result.is_stored:
            raise Refused(f"{self._relay}: {result.outcome} {result.message}")

    def _write(self) -> Iterator[Written]:
        """Orders of each buyer from each shop in turns, for ever."""
        buyers, number = list(self._buyers.values()), 0
        while True:
            buyer, shop = buyers[number % len(buyers)], self._shops[number % len(self._shops)]
            order_id = f"{self._name}-{number}"
            rumor = shop.order(buyer.public_key, order_id, int(time.time()))
            event = make_wrap(rumor, buyer, shop.merchant, "")
            yield Written(order_id, event.id, to_json(event))
            number += 1

    async def _listening(self, _completion: Completion) -> None:
        self._is_listening.set()

    async def _sink(self, sighting: RawSighting) -> None:
        """Note what an answer says, once; a payment request is paid."""
        seen_s = time.perf_counter()
        tags = self._opened(sighting.text)
        placed = self.orders.get(tags.get("order", ("",))[0])
        if placed is None:
            return
        match tags.get("type", ("",))[0], tags.get("status", ("",))[0]:
            case "2", _ if placed.requested_s is None:
                placed.requested_s = seen_s
                placed.requested.set()
                self._pay(tags["payment"][1])
            case "3", "confirmed" if placed.confirmed_s is None:
                placed.confirmed_s = seen_s
                self.confirmed += 1
                placed.confirmed.set()

    def _opened(self, text: str) -> dict[str, list[str]]:
        """The tags inside a wrap, by name."""
        wrap = json.loads(text)
        secret = self._buyers[next(tag[1] for tag in wrap["tags"] if tag[0] == "p")]
        seal = json.loads(decrypt(wrap["content"], conversation_key(secret, wrap["pubkey"])))
        rumor: dict[str, Any] = json.loads(decrypt(seal["content"], self._key(secret, seal["pubkey"])))
        return {tag[0]: tag[1:] for tag in rumor["tags"]}

    def _key(self, buyer: SecretKey, merchant: str) -> bytes:
        pair = (buyer.public_key, merchant)
        if pair not in self._keys:
            self._keys[pair] = conversation_key(buyer, merchant)
        return self._keys[pair]

    def _pay(self, invoice: str) -> None:
        task = asyncio.ensure_future(self._paid(invoice))
        self._paying.add(task)
        task.add_done_callback(self._paying.discard)

    async def _paid(self, invoice: str) -> None:
        while True:
            try:
                await self._wallet.pay(invoice)
            except Retry:
                continue
            except PaymentRefused as refused:
                self.unpaid[invoice] = refused.reason.value
            return


async def answered(event: asyncio.Event, timeout_s: float) -> bool:
    """Whether it happened in time."""
    try:
        async with asyncio.timeout(timeout_s):
            await event.wait()
    except TimeoutError:
        return False
    return True
