"""A shop and its buyers on a running stack, with an operator who tries again while something is down."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from schemas.nostr.kinds import Kind
from services.demo.people import Buyer, Person, open_catalogue
from services.home import Home
from services.payments.simulated import SimulatedWallet
from services.signer.keystore import Keystore
from tests.support.stack import RunningStack

PATIENCE_S = 60.0
CANARY_STREET = "17 Canary Street"
"""Stands in every address tests send, so that a scan can look for it where it must not be."""
ADDRESS = f"Jane Doe\n{CANARY_STREET}\n10115 Berlin\nGermany"


class Operator:
    """The API, asked again and again while it is down."""

    def __init__(self, stack: RunningStack) -> None:
        ready = stack.home.ready()
        assert ready is not None
        token = Path(ready.token_file).read_text().strip()
        self._http = httpx.AsyncClient(
            base_url=ready.api, headers={"Authorization": f"Bearer {token}"}, timeout=30, trust_env=False
        )

    async def call(self, method: str, path: str, body: Any = None, **params: Any) -> Any:
        """An answer below 500; others are tried again."""
        give_up_s = time.monotonic() + PATIENCE_S
        while True:
            try:
                answer = await self._http.request(method, path, json=body, params=params)
                if answer.status_code < 500:
                    answer.raise_for_status()
                    return answer.json()
            except httpx.TransportError:
                pass
            assert time.monotonic() < give_up_s, f"{method} {path} was not answered in {PATIENCE_S} s"
            await asyncio.sleep(0.2)

    async def sql(self, sql: str, **params: Any) -> list[dict[str, Any]]:
        """Rows from ClickHouse."""
        rows: list[dict[str, Any]] = await self.call("POST", "/sql", {"sql": sql, "params": params})
        return rows

    async def close(self) -> None:
        """Hang up."""
        await self._http.aclose()


class Shop:
    """One merchant with a mug to sell, and an operator's view of it."""

    def __init__(
        self, stack: RunningStack, stock: int = 10, relay: str | None = None, keys: Home | None = None
    ) -> None:
        """`keys` is the home of the signer that has the shop's key, where that is not the stack itself."""
        self.stack = stack
        self.keys = keys or stack.home
        ready = stack.home.ready()
        assert ready is not None
        self.relay = relay or ready.relay
        self.stock = stock
        self.operator = Operator(stack)
        self.merchant = Person(self.relay)
        self.product = self.shipping = ""
        self._buyers: list[Buyer] = []

    async def __aenter__(self) -> Self:
        self.product, self.shipping = await open_catalogue(self.merchant, self.stock)
        await self.add()
        await self.until(self.row, "the listing in the inventory")
        return self

    async def __aexit__(
        self, _t: type[BaseException] | None, _e: BaseException | None, _b: TracebackType | None
    ) -> None:
        await asyncio.gather(*(person.close() for person in (*self._buyers, self.merchant)))
        await self.operator.close()

    async def add(self, relays: tuple[str, ...] = ()) -> None:
        """Have the stack run this shop."""
        await asyncio.to_thread(Keystore.of(self.keys).add, self.merchant.secret)
        body = {
            "public_key": self.merchant.public_key,
            "name": f"shop-{self.merchant.public_key[:8]}",
            "relays": relays,
        }
        await self.operator.call("POST", "/merchants", body)

    async def buyer(self) -> Buyer:
        """A buyer whose inbox is open."""
        buyer = Buyer(self.relay)
        self._buyers.append(buyer)
        await buyer.open_inbox()
        return buyer

    async def order(self, buyer: Buyer, quantity: int = 1, order_id: str | None = None) -> str:
        """An order for mugs to Berlin; gives its id."""
        order_id = order_id or f"order-{secrets.token_hex(6)}"
        await buyer.order(self.merchant.public_key, order_id, ((self.product, quantity),), self.shipping, ADDRESS)
        return order_id

    def order_tags(self, order_id: str, address: str = ADDRESS) -> tuple[tuple[str, ...], ...]:
        """An order for one mug, as its rumor says it."""
        return (
            ("p", self.merchant.public_key),
            ("type", "1"),
            ("order", order_id),
            ("amount", "1"),
            ("item", self.product, "1"),
            ("shipping", self.shipping),
            ("address", address),
        )

    async def row(self) -> dict[str, Any] | None:
        """The mug's inventory row."""
        rows = await self.operator.sql("SELECT * FROM inventory_now WHERE coordinate = {c:String}", c=self.product)
        return rows[0] if rows else None

    async def order_row(self, order_id: str) -> dict[str, Any] | None:
        """An order's row."""
        rows = await self.operator.sql(
            "SELECT * FROM orders_now WHERE order_id = {o:String} AND merchant = {m:String}",
            o=order_id,
            m=self.merchant.public_key,
        )
        return rows[0] if rows else None

    async def move(self, order_id: str, move: str, **body: str) -> Any:
        """An operator's move, repeated until the API answers; a repeat changes nothing."""
        row = await self.until(lambda: self.order_row(order_id), f"order {order_id} in ClickHouse")
        return await self.operator.call("POST", f"/orders/{row['ref']}/{move}", body)

    async def pay(self, invoice: str) -> str:
        """Pay at the simulated wallet, as `ncc wallet pay` does."""
        wallet = SimulatedWallet(self.stack.home.wallet / "simulated.db")
        try:
            return (await wallet.pay(invoice)).hex()
        finally:
            wallet.close()

    async def published_stock(self) -> str | None:
        """The stock tag of the newest listing on the relay."""
        events = await self.merchant.fetch(Kind.PRODUCT, self.merchant.public_key)
        return next((tag[1] for tag in events[0].tags if tag[0] == "stock"), None) if events else None

    async def until[T](self, ask: Callable[[], Awaitable[T | None]], what: str) -> T:
        """Ask until there is an answer."""
        give_up_s = time.monotonic() + PATIENCE_S
        while (answer := await ask()) is None:
            assert time.monotonic() < give_up_s, f"{what}: nothing within {PATIENCE_S} s\n{self.stack.logs()}"
            await asyncio.sleep(0.1)
        return answer


def invoice_of(message: Any) -> str:
    """The BOLT-11 invoice in a payment request."""
    return next(tag[2] for tag in message.rumor.tags if tag[:2] == ("payment", "lightning"))
