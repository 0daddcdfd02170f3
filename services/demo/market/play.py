"""Plays the market story: real wraps over the relay, and the answers as the buyers unwrap them."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from schemas.nostr.kinds import Kind
from services.cli.client import Stack
from services.cli.output import OUT, table
from services.demo import people
from services.demo.market.orders import ADDRESSES, WISHES, Answer, Buyer, Wish
from services.demo.market.shop import RULES, address, offers
from services.demo.people import Message, Person
from services.demo.story import until
from services.home import Home
from services.signer.keystore import Keystore

_KEY = re.compile(r"[0-9a-f]{64}")
SHOWN_CHARS = 160
"""Of an answer's text, in the table; all of it is in the JSON."""


async def play(stack: Stack) -> dict[str, Any]:
    """Play every order; `ok` says whether each was answered as it should be."""
    relay = stack.ready["relay"]
    merchant = Person(relay)
    buyers = {name: people.Buyer(relay) for name in Buyer}
    try:
        return await Market(stack, merchant, buyers).play()
    finally:
        for person in (merchant, *buyers.values()):
            await person.close()


class Market:
    """One shop, its buyers, and what they were told."""

    def __init__(self, stack: Stack, merchant: Person, buyers: dict[Buyer, people.Buyer]) -> None:
        self._stack = stack
        self._merchant = merchant
        self._buyers = buyers
        self._run = secrets.token_hex(3)

    async def play(self) -> dict[str, Any]:
        """Open the shop, place every order, show what came of each."""
        await self._open()
        OUT.print(f"  [green]✓[/green] the shop is open: {len(offers(''))} offers read from the relay\n")
        reports: list[asyncio.Task[dict[str, Any]]] = []
        for wish in WISHES:
            if wish.rules is not None:
                await self._put(f"/merchants/{self._merchant.public_key}/settings", self._rules(wish.rules))
            reports.append(asyncio.create_task(self._follow(wish, await self._ask(wish))))
        told = await asyncio.gather(*reports)
        show(told)
        wrong = [one["order"] for one in told if not one["as_expected"]]
        OUT.print(f"\n{len(told)} orders, {len(told) - len(wrong)} answered as expected.")
        return {"ok": not wrong, "story": "market", "wrong": wrong, "orders": told}

    async def _open(self) -> None:
        """Publish everything, add the merchant with the story's rules, and wait until all of it was read."""
        made = offers(self._merchant.public_key)
        for offer in made:
            await self._merchant.publish(offer.kind, offer.tags, offer.content)
        await asyncio.to_thread(Keystore.of(Home(self._stack.home)).add, self._merchant.secret)
        name = f"market-{self._merchant.public_key[:6]}"
        new = {"public_key": self._merchant.public_key, "name": name, "settings": RULES}
        await asyncio.to_thread(self._stack.post, "/merchants", new)
        for buyer in self._buyers.values():
            await buyer.open_inbox()

        async def is_read() -> bool | None:
            sql = (
                "SELECT uniqExact(coordinate) AS n FROM events WHERE merchant = {m:String}"
                " AND type IN ('ListingRecorded', 'ShippingOptionRecorded', 'CollectionRecorded')"
            )
            body = {"sql": sql, "params": {"m": self._merchant.public_key}}
            rows = await asyncio.to_thread(self._stack.post, "/sql", body)
            return int(rows[0]["n"]) == len(made) or None

        await until(is_read, "reading the shop")

    async def _put(self, path: str, body: Any) -> None:
        await asyncio.to_thread(self._stack.put, path, body)

    def _rules(self, rules: dict[str, Any]) -> dict[str, Any]:
        """Rules with the keys of the buyers they name."""
        keys = {name: [self._buyers[Buyer(one)].public_key for one in named] for name, named in rules.items()
                if isinstance(named, list)}  # fmt: skip
        return {**rules, **keys}

    def _order_id(self, wish: Wish) -> str:
        return f"{self._run} {wish.name}"

    async def _ask(self, wish: Wish) -> Message:
        """Send one order; gives the first answer to it. Raises `StoryFailed`."""
        buyer, order_id = self._buyers[wish.buyer], self._order_id(wish)
        tags = order_tags(self._merchant.public_key, buyer.public_key, order_id, wish)
        await buyer.send(self._merchant.public_key, Kind.ORDER, tags)

        async def told() -> Message | None:
            return next(iter(buyer.of_order(order_id)), None)

        return await until(told, f"the answer to {wish.name!r}")

    async def _follow(self, wish: Wish, first: Message) -> dict[str, Any]:
        """What became of an order; one that waits only for a while is waited for, while others are played."""
        message = first
        if wish.answer is Answer.DECLINED and answer_of(first) is Answer.WAITS:
            with suppress(TimeoutError):
                message = await self._buyers[wish.buyer].wait_for(self._order_id(wish), "3", "cancelled")
        return await self._report(wish, message)

    async def _report(self, wish: Wish, message: Message) -> dict[str, Any]:
        answer, sats = answer_of(message), message.tag("amount") if message.tag("type") == "2" else None
        code = "" if answer is Answer.ASKED else await self._code(wish, answer)
        expected = (wish.answer, wish.sats, wish.code.value if wish.code else "")
        found = (answer, None if sats is None else int(sats), code)
        return {
            "order": wish.name,
            "asked": wish.asks,
            "answer": answer.value,
            "sats": found[1],
            "code": code,
            "text": message.rumor.content,
            "as_expected": found == expected,
            "expected": {"answer": wish.answer.value, "sats": wish.sats, "code": expected[2]},
        }

    async def _code(self, wish: Wish, answer: Answer) -> str:
        """The reason as the operator sees it, once ClickHouse has it."""
        sql = "SELECT status, reason FROM orders_now WHERE merchant = {m:String} AND order_id = {id:String}"
        body = {"sql": sql, "params": {"m": self._merchant.public_key, "id": self._order_id(wish)}}
        final = "waiting" if answer is Answer.WAITS else "rejected"

        async def known() -> str | None:
            rows = await asyncio.to_thread(self._stack.post, "/sql", body)
            return str(rows[0]["reason"]) if rows and rows[0]["status"] == final else None

        return await until(known, f"the reason of {wish.name!r}")


def order_tags(merchant: str, stranger: str, order_id: str, wish: Wish) -> tuple[tuple[str, ...], ...]:
    """An order as market spec §4 message 1 says; `@` goods are the stranger's."""
    items = (
        ("item", address(stranger if name.startswith("@") else merchant, Kind.PRODUCT, name.lstrip("@")), str(count))
        for name, count in wish.items
    )
    return (
        ("subject", "order-info"),
        ("type", "1"),
        ("order", order_id),
        ("amount", str(wish.sats or 1)),
        *items,
        *((("shipping", address(merchant, Kind.SHIPPING_OPTION, wish.shipping)),) if wish.shipping else ()),
        *((("address", ADDRESSES[wish.country]),) if wish.country else ()),
        *((("g", wish.geohash),) if wish.geohash else ()),
    )


def answer_of(message: Message) -> Answer:
    """What a message says of the order."""
    if message.tag("type") == "2":
        return Answer.ASKED
    return Answer.WAITS if message.tag("status") == "pending" else Answer.DECLINED


def show(told: Iterable[dict[str, Any]]) -> None:
    """Order, what was asked, what was answered, why: as a table."""
    columns = ("", "order", "asked", "answered", "why")
    table("The market's orders", columns, map(_cells, told), "No orders.", whole=("order", "answered"))


def _cells(one: dict[str, Any]) -> tuple[str, ...]:
    mark = "[green]✓[/green]" if one["as_expected"] else "[red]✗[/red]"
    answer = f"{one['sats']:,} sats" if one["sats"] is not None else one["answer"]
    code = f"[bold]{one['code']}[/bold]\n" if one["code"] else ""
    return mark, one["order"], one["asked"], answer, code + _short(one["text"]).replace("[", r"\[")


def _short(text: str) -> str:
    """On one line, keys shortened, and cut where it is long."""
    plain = _KEY.sub(lambda key: f"{key[0][:8]}…", " ".join(text.split()))
    return plain if len(plain) <= SHOWN_CHARS else f"{plain[: SHOWN_CHARS - 1]}…"
