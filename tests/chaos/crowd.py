"""Scripted buyers: they order without end, do what their scripts say, and remember what they were told.

They know relays, keys and the wallet, and nothing of the stack. What one buyer was told is judged by `model`.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Coroutine, Iterable
from pathlib import Path
from typing import Any

from bench.shop import price_sats, signed
from schemas.nostr.kinds import Kind
from schemas.nostr.nip01 import Event, EventRefused, read_event, to_json
from schemas.nostr.nip17 import make_rumor
from schemas.nostr.nip59 import OpenedWrap, WrapRefused, make_wrap, open_wrap
from schemas.nostr.secp256k1 import SecretKey
from services.payments.port import Retry
from services.payments.simulated import PayFault, PaymentRefused, SimulatedWallet
from services.relays import Completion, Publisher, RawSighting, RelayPool, Subscription
from services.relays.line import LineSettings
from services.relays.pace import Backoff
from services.relays.session import ReadSettings
from tests.chaos.model import Placed, Script, Told, too_much
from tests.chaos.shops import Shop, a_secret

BUYERS = 40
PUT_S = 20.0
SOON = Backoff(first_s=0.1, most_s=0.5)
"""Buyers come back at once, so that their own patience is no part of what is measured."""
WEIGHTS = {
    Script.PAYS: 12,
    Script.PAYS_LATER: 3,
    Script.PAYS_TWICE: 2,
    Script.REPEATS: 2,
    Script.LEAVES: 1,
    Script.CLAIMS: 1,
    Script.CANCELS: 2,
    Script.CANCELS_AT_ONCE: 2,
    Script.RACES: 2,
}
SHORT_SCRIPTS = (Script.EXPIRES, Script.PAYS_LATE)


class Crowd:
    """All buyers of a run."""

    def __init__(self, seed: int, honest: str, lying: str, wallet: Path) -> None:
        self.dice = random.Random(f"crowd {seed}")
        self._honest, self._lying = honest, lying
        self._buyers = [a_secret(f"{seed} buyer {number}") for number in range(BUYERS)]
        self._by_key = {buyer.public_key: buyer for buyer in self._buyers}
        self._publisher = Publisher(is_trusted=lambda _url: True, settings=LineSettings(retry=SOON, reconnect=SOON))
        self._pool = RelayPool(
            self._sink, on_complete=self._complete, is_trusted=lambda _url: True, settings=ReadSettings(reconnect=SOON)
        )
        self._is_listening = asyncio.Event()
        self._wallet = SimulatedWallet(wallet, late_settle=True)
        self._living: set[asyncio.Task[None]] = set()
        self._told: dict[str, asyncio.Event] = {}
        self.orders: dict[str, Placed] = {}
        self.complaints: list[str] = []
        """What was wrong the moment it was seen."""

    @property
    def plain(self) -> list[SecretKey]:
        """Buyers who are reached on the honest relay alone; the others name the lying one first."""
        return self._buyers[::2]

    async def open(self) -> None:
        """Publish where each buyer is to be reached, and listen on both relays."""
        now_s, plain = int(time.time()), {buyer.public_key for buyer in self.plain}
        for buyer in self._buyers:
            relays = (self._honest,) if buyer.public_key in plain else (self._lying, self._honest)
            event = signed(buyer, Kind.INBOX_RELAYS, tuple(("relay", url) for url in relays), now_s)
            await self.put(event)
            await self.put(event, self._lying)
        inbox = Subscription("inbox", ({"kinds": [int(Kind.GIFT_WRAP)], "#p": sorted(self._by_key)},))
        self._pool.want(dict.fromkeys((self._honest, self._lying), (inbox,)))
        await self._is_listening.wait()

    async def close(self) -> None:
        """Hang up."""
        for task in self._living:
            task.cancel()
        await asyncio.gather(*self._living, return_exceptions=True)
        await self._pool.close()
        await self._publisher.close()
        self._wallet.close()

    def order(self, shop: Shop, d: str, script: Script | None = None) -> Placed:
        """Another order, which goes its way from here on; the script is drawn where none is given."""
        script = script or self.dice.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
        buyer = self.dice.choice(self._buyers)
        quantity = 1 if script is Script.GRABS else self.dice.randint(1, 3)
        order_id = f"{shop.name}-{len(self.orders)}"
        placed = Placed(order_id, buyer.public_key, shop.merchant, shop.listing(d), quantity, script)
        self.orders[order_id] = placed
        self._told[order_id] = asyncio.Event()
        self._spawn(self._live(shop, buyer, placed, d))
        return placed

    def gauges(self) -> Iterable[Placed]:
        """Orders that show how fast work is done: paid at once, by buyers whom no lying relay holds up."""
        plain = {buyer.public_key for buyer in self.plain}
        return (one for one in self.orders.values() if one.script is Script.PAYS and one.buyer in plain)

    @property
    def is_busy(self) -> bool:
        """Whether somebody is still doing something."""
        return bool(self._living)

    async def put(self, event: Event, relay: str | None = None) -> None:
        """Put an event on the honest relay, however long that takes; once, and for what it is worth, on another."""
        text = to_json(event)
        while True:
            result = await self._publisher.publish(relay or self._honest, event.id, text, PUT_S)
            if result.is_stored or relay is not None:
                return

    async def newest(self, merchant: str, ds: Iterable[str]) -> dict[str, Event]:
        """The newest version of each listing on the honest relay."""
        found: dict[str, Event] = {}
        wanted = sorted(ds)
        for at in range(0, len(wanted), 100):
            one = {"kinds": [int(Kind.PRODUCT)], "authors": [merchant], "#d": wanted[at : at + 100]}
            for text in await self._publisher.fetch(self._honest, (one,), limit=300, timeout_s=PUT_S):
                event = read_event(text)
                d = next(tag[1] for tag in event.tags if tag[0] == "d")
                if d not in found or found[d].created_at < event.created_at:
                    found[d] = event
        return found

    async def _live(self, shop: Shop, buyer: SecretKey, placed: Placed, d: str) -> None:
        rumor = shop.order(buyer.public_key, placed.order_id, int(time.time()), d, placed.quantity)
        wrap = make_wrap(rumor, buyer, shop.merchant, "")
        placed.sent_s = time.monotonic()
        await self.put(wrap)
        match placed.script:
            case Script.PAYS | Script.GRABS | Script.PAYS_TWICE | Script.PAYS_LATER | Script.REPEATS:
                if placed.script is Script.REPEATS:
                    await self.put(wrap, self._lying)
                    await self.put(make_wrap(rumor, buyer, shop.merchant, "once more"))
                if await self._requested(placed):
                    await asyncio.sleep(self.dice.uniform(1, 10) if placed.script is Script.PAYS_LATER else 0)
                    await self._pay(placed)
                    if placed.script is Script.PAYS_TWICE:
                        await self._pay(placed)
            case Script.CLAIMS:
                if await self._requested(placed):
                    tags = (("payment", "lightning", placed.invoice, "00" * 32), ("amount", str(placed.amount_sats)))
                    await self._say(shop, buyer, placed, Kind.PAYMENT_RECEIPT, (("subject", "order-receipt"), *tags))
            case Script.CANCELS:
                if await self._requested(placed):
                    await self._cancel(shop, buyer, placed)
            case Script.CANCELS_AT_ONCE:
                await self._cancel(shop, buyer, placed)
            case Script.RACES:
                if await self._requested(placed):
                    await asyncio.gather(self._pay(placed), self._cancel(shop, buyer, placed))
            case Script.PAYS_LATE:
                if await self._requested(placed):
                    await asyncio.sleep(shop.ttl_s + self.dice.uniform(-3, 12) - (time.monotonic() - placed.sent_s))
                    await self._pay(placed)
            case Script.LEAVES | Script.EXPIRES:
                pass

    async def _requested(self, placed: Placed) -> bool:
        """Wait for the first answer; whether it is a request."""
        await self._told[placed.order_id].wait()
        return bool(placed.invoice)

    async def _pay(self, placed: Placed) -> None:
        """Pay, again and again while the wallet does not answer; a settled request is settled once."""
        while True:
            try:
                await self._wallet.pay(placed.invoice)
            except Retry:
                continue
            except PaymentRefused as refused:
                if refused.reason is PayFault.ALREADY_PAID and not placed.is_settled:
                    self.complaints.append(f"order {placed.order_id}: somebody else has paid its request")
                return
            if placed.is_settled:
                self.complaints.append(f"order {placed.order_id}: the wallet took the money twice")
            placed.is_settled = True
            return

    async def _cancel(self, shop: Shop, buyer: SecretKey, placed: Placed) -> None:
        tags = (("subject", "order-info"), ("type", "3"), ("status", "cancelled"))
        await self._say(shop, buyer, placed, Kind.ORDER, tags)

    async def _say(
        self, shop: Shop, buyer: SecretKey, placed: Placed, kind: Kind, tags: tuple[tuple[str, ...], ...]
    ) -> None:
        own = (("p", shop.merchant), ("order", placed.order_id), *tags)
        rumor = make_rumor(buyer.public_key, int(time.time()), kind, own, "")
        await self.put(make_wrap(rumor, buyer, shop.merchant, ""))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._living.add(task)

        def ended(done: asyncio.Task[None]) -> None:
            self._living.discard(done)
            if not done.cancelled() and (error := done.exception()) is not None:
                self.complaints.append(f"a buyer stopped: {type(error).__name__}: {error}")

        task.add_done_callback(ended)

    async def _complete(self, _completion: Completion) -> None:
        self._is_listening.set()

    async def _sink(self, sighting: RawSighting) -> None:
        """Remember what a message says."""
        with contextlib.suppress(EventRefused, WrapRefused, KeyError):
            wrap = read_event(sighting.text)
            recipient = next(tag[1] for tag in wrap.tags if tag[0] == "p")
            self._heard(recipient, open_wrap(wrap, self._by_key[recipient]))

    def _heard(self, recipient: str, opened: OpenedWrap) -> None:
        tags = {tag[0]: tag for tag in opened.rumor.tags if len(tag) > 1}
        named = "subject" if opened.rumor.kind == Kind.CHAT_MESSAGE else "order"  # as the market spec has it (§4)
        order_id = tags.get(named, ("", ""))[1]
        placed = self.orders.get(order_id)
        if placed is None or (placed.buyer, placed.merchant) != (recipient, opened.rumor.pubkey):
            what = f"a message of kind {opened.rumor.kind} ({opened.rumor.content[:40]!r})"
            self.complaints.append(f"{what} is of order {order_id!r}, which is not between these two")
            return
        told = Told(opened.rumor.id, opened.wrap_id, _what(tags))
        if told in placed.told:
            return
        placed.told.add(told)
        self._note(placed, told, tags)
        self.complaints += [one for one in too_much(placed) if one not in self.complaints]
        self._told[order_id].set()

    def _note(self, placed: Placed, told: Told, tags: dict[str, tuple[str, ...]]) -> None:
        now_s = time.monotonic()
        if told.what == "requested" and placed.requested_s is None:
            placed.requested_s, placed.invoice = now_s, tags["payment"][2]
            placed.amount_sats = int(tags["amount"][1])
            if placed.amount_sats != price_sats(placed.quantity):
                self.complaints.append(f"order {placed.order_id} was asked for {placed.amount_sats} sats")
        if told.what == "confirmed" and placed.confirmed_s is None:
            placed.confirmed_s = now_s


def _what(tags: dict[str, tuple[str, ...]]) -> str:
    type_, status = tags.get("type", ("", ""))[1], tags.get("status", ("", ""))[1]
    match type_, status:
        case "2", _:
            return "requested"
        case "3", "confirmed" | "cancelled":
            return status
        case "", _:
            return "text"
        case _:
            return f"{type_} {status}".strip()
