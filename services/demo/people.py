"""A merchant and a buyer with their own Nostr clients: they know relays and keys, and nothing of the stack."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass

from schemas.nostr.kinds import Kind
from schemas.nostr.nip01 import Event, EventRefused, UnsignedEvent, read_event, sign_event, to_json
from schemas.nostr.nip17 import make_rumor
from schemas.nostr.nip59 import Rumor, WrapRefused, make_wrap, open_wrap
from schemas.nostr.secp256k1 import SecretKey
from services.relays import Publisher, RawSighting, RelayPool, Subscription

TIMEOUT_S = 60.0


class Refused(Exception):
    """A relay did not take an event."""


@dataclass(frozen=True, slots=True)
class Message:
    """One private message as a client shows it: its rumor, and when it was seen first."""

    rumor: Rumor
    seen_ms: float

    def tag(self, name: str) -> str | None:
        """The first value of a tag."""
        return next((tag[1] for tag in self.rumor.tags if tag[0] == name and len(tag) > 1), None)


class Person:
    """Somebody with a key and a relay."""

    def __init__(self, relay: str, secret: SecretKey | None = None) -> None:
        self.secret = secret or SecretKey.from_bytes(secrets.token_bytes(32))
        self.public_key = self.secret.public_key
        self.relay = relay
        self._relays = Publisher(is_trusted=lambda _url: True)

    async def publish(self, kind: int, tags: Iterable[tuple[str, ...]], content: str = "") -> Event:
        """Sign a public event and put it on the relay."""
        unsigned = UnsignedEvent(
            pubkey=self.public_key, created_at=int(time.time()), kind=kind, tags=tuple(tags), content=content
        )
        event = sign_event(unsigned, self.secret)
        await self.put(event)
        return event

    async def put(self, event: Event) -> None:
        """Put a signed event on the relay. Raises `Refused`."""
        result = await self._relays.publish(self.relay, event.id, to_json(event), TIMEOUT_S)
        if not result.is_stored:
            raise Refused(f"{self.relay}: {result.outcome} {result.message}")

    async def send(self, recipient: str, kind: int, tags: Iterable[tuple[str, ...]], content: str = "") -> Rumor:
        """Send a private message: a rumor, sealed, wrapped to the recipient."""
        rumor = make_rumor(self.public_key, int(time.time()), kind, (("p", recipient), *tags), content)
        await self.put(make_wrap(rumor, self.secret, recipient, secrets.token_hex(16)))
        return rumor

    async def fetch(self, kind: int, author: str) -> list[Event]:
        """What the relay holds of a kind by an author, newest first."""
        filters = ({"kinds": [kind], "authors": [author]},)
        texts = await self._relays.fetch(self.relay, filters, limit=50, timeout_s=TIMEOUT_S)
        return sorted((read_event(text) for text in texts), key=lambda event: -event.created_at)

    async def close(self) -> None:
        """Hang up."""
        await self._relays.close()


class Buyer(Person):
    """A buyer whose client keeps every message it was ever sent."""

    def __init__(self, relay: str, secret: SecretKey | None = None) -> None:
        super().__init__(relay, secret)
        self.messages: list[Message] = []
        self.wraps: set[str] = set()
        self._arrived = asyncio.Condition()
        self._pool = RelayPool(self._sink, is_trusted=lambda _url: True)

    async def open_inbox(self) -> None:
        """Publish where to be reached (10050) and listen there."""
        await self.publish(Kind.INBOX_RELAYS, (("relay", self.relay),))
        inbox = Subscription("inbox", ({"kinds": [int(Kind.GIFT_WRAP)], "#p": [self.public_key]},))
        self._pool.want({self.relay: (inbox,)})

    async def order(
        self,
        merchant: str,
        order_id: str,
        items: Iterable[tuple[str, int]],
        shipping: str | None = None,
        address: str | None = None,
        amount_sats: int = 1,
    ) -> Rumor:
        """Order as market spec §4 message 1 says; the amount is what the buyer believes."""
        tags = [
            ("subject", "order-info"),
            ("type", "1"),
            ("order", order_id),
            ("amount", str(amount_sats)),
            *(("item", coordinate, str(quantity)) for coordinate, quantity in items),
        ]
        if shipping:
            tags.append(("shipping", shipping))
        if address:
            tags.append(("address", address))
        return await self.send(merchant, Kind.ORDER, tags, "Please wrap it well.")

    async def wait_for(self, order_id: str, type_: str, status: str | None = None) -> Message:
        """The first message of this order, type and status; waits for it. Raises TimeoutError."""
        async with asyncio.timeout(TIMEOUT_S), self._arrived:
            while True:
                for message in self.of_order(order_id, type_, status):
                    return message
                await self._arrived.wait()

    def of_order(self, order_id: str, type_: str | None = None, status: str | None = None) -> list[Message]:
        """What was said about an order, each rumor once, in the order it came."""
        return [
            m
            for m in self.messages
            if m.tag("order") == order_id
            and (type_ is None or m.tag("type") == type_)
            and (status is None or m.tag("status") == status)
        ]

    async def _sink(self, sighting: RawSighting) -> None:
        try:
            wrap = read_event(sighting.text)
            opened = open_wrap(wrap, self.secret)
        except (EventRefused, WrapRefused):
            return
        async with self._arrived:
            self.wraps.add(wrap.id)
            if all(known.rumor.id != opened.rumor.id for known in self.messages):
                self.messages.append(Message(opened.rumor, time.perf_counter() * 1_000))
            self._arrived.notify_all()

    async def close(self) -> None:
        """Hang up."""
        await self._pool.close()
        await super().close()


MUG_PRICE = ("price", "10.99", "USD")
"""Two of these with the shipping below are the golden 30.57 USD (SHP-04)."""


async def open_catalogue(merchant: Person, stock: int) -> tuple[str, str]:
    """Publish a mug and a way to send it; gives (product address, shipping address)."""
    shipping = f"{int(Kind.SHIPPING_OPTION)}:{merchant.public_key}:standard"
    await merchant.publish(
        Kind.SHIPPING_OPTION,
        (
            ("d", "standard"),
            ("title", "Standard post"),
            ("price", "5.99", "USD"),
            ("country", "DE", "US", "GB"),
            ("service", "standard"),
            ("price-weight", "0.75", "kg"),
        ),
    )
    await merchant.publish(
        Kind.PRODUCT,
        (
            ("d", "mug"),
            ("title", "Enamel mug"),
            MUG_PRICE,
            ("type", "simple", "physical"),
            ("visibility", "on-sale"),
            ("stock", str(stock)),
            ("weight", "0.4", "kg"),
            ("shipping_option", shipping, "1.00"),
            ("client", "a client of the merchant's own"),
        ),
        "A mug that survives the camp fire.",
    )
    return f"{int(Kind.PRODUCT)}:{merchant.public_key}:mug", shipping
