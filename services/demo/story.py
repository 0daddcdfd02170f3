"""The story of one order, told while it happens."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from schemas.nostr.kinds import Kind
from services.cli.client import Stack
from services.cli.output import OUT, table
from services.demo.people import Buyer, Person, open_catalogue
from services.demo.wallets.till import TILLS, Till, WalletRefused
from services.home import Home
from services.payments.wallets import SIMULATED
from services.signer.keystore import Keystore

T = TypeVar("T")
STOCK = 10
QUANTITY = 2
TIMEOUT_S = 30.0


class StoryFailed(Exception):
    """A step of the story did not happen; the message says which and what was seen."""


@dataclass
class Story:
    """What has happened so far: (what, detail, milliseconds)."""

    steps: list[tuple[str, str, int]] = field(default_factory=list)

    def tell(self, what: str, detail: str, ms: float) -> None:
        """One more step, printed as it happens."""
        self.steps.append((what, detail, round(ms)))
        OUT.print(f"  [green]✓[/green] {what:<26} {detail:<66} {round(ms):>6} ms", soft_wrap=True)


async def until[R](ask: Callable[[], Awaitable[R | None]], what: str) -> R:
    """Ask again and again until there is an answer. Raises `StoryFailed`."""
    give_up_s = time.monotonic() + TIMEOUT_S
    while time.monotonic() < give_up_s:
        if (answer := await ask()) is not None:
            return answer
        await asyncio.sleep(0.05)
    raise StoryFailed(f"{what} did not happen within {TIMEOUT_S:.0f} s")


async def play(stack: Stack, wallet: str = SIMULATED) -> dict[str, Any]:
    """Play the whole story against a running stack, paid into this kind of wallet; gives the closing facts."""
    relay = stack.ready["relay"]
    merchant, buyer = Person(relay), Buyer(relay)
    if wallet != SIMULATED:
        OUT.print(f"  [dim]… a wallet for the shop and one for its buyer ({wallet})[/dim]")
    try:
        async with TILLS[wallet](stack.home, relay) as till:
            return await _play(stack, merchant, buyer, till)
    except (WalletRefused, FileNotFoundError) as refused:
        raise StoryFailed(str(refused)) from None
    finally:
        await buyer.close()
        await merchant.close()


async def _play(stack: Stack, merchant: Person, buyer: Buyer, till: Till) -> dict[str, Any]:
    story, order_id = Story(), f"order-{secrets.token_hex(4)}"

    async def get(path: str) -> Any:
        return await asyncio.to_thread(stack.get, path)

    async def step(what: str, detail: str, work: Awaitable[T]) -> T:
        started = time.perf_counter()
        done = await work
        story.tell(what, detail, (time.perf_counter() - started) * 1_000)
        return done

    product, shipping = await step(
        "listing on the relay", f"Enamel mug, 10.99 USD, {STOCK} in stock", open_catalogue(merchant, STOCK)
    )
    name = f"camp-{merchant.public_key[:6]}"
    await step("merchant added", "its key goes into an encrypted file, nowhere else", _add(stack, merchant, name))
    if till.kind != SIMULATED:
        await step("wallet added, and tried", till.what, asyncio.to_thread(till.add, stack.home, name))

    async def listed() -> Any:
        return next((row for row in await get("/stock") if row["coordinate"] == product), None)

    await step("listing read", "from the relay through Kafka into the state tables", until(listed, "the listing"))
    await buyer.open_inbox()

    started = time.perf_counter()
    address = "Jane Doe\n1 Example Street\n10115 Berlin\nGermany"
    await buyer.order(merchant.public_key, order_id, ((product, QUANTITY),), shipping, address)
    request = await _message(buyer, order_id, "2")
    payment_request_ms = request.seen_ms - started * 1_000
    sats = request.tag("amount")
    story.tell("order → payment request", f"{QUANTITY} mugs with post to Berlin: {sats} sats", payment_request_ms)
    if sats != "30570":
        raise StoryFailed(f"the request is for {sats} sats, not for 30,570 (30.57 USD at 1,000 sats)")
    to_pay = next(tag[2] for tag in request.rumor.tags if tag[0] == "payment")

    async def held() -> Any:
        row = await listed()
        return row if row and int(row["held"]) == QUANTITY else None

    await step("stock held", f"{QUANTITY} of {STOCK} promised, none sold yet", until(held, "the hold"))

    started = time.perf_counter()
    proof = await till.pay(to_pay)
    confirmed = await _message(buyer, order_id, "3", "confirmed")
    story.tell("payment → confirmation", confirmed.rumor.content[:60], confirmed.seen_ms - started * 1_000)
    receipt = (
        ("subject", "order-receipt"),
        ("order", order_id),
        ("payment", till.medium, to_pay, proof),
        ("amount", sats),
    )
    await step(
        "receipt sent",
        "by the buyer; the wallet had settled it before",
        buyer.send(merchant.public_key, Kind.PAYMENT_RECEIPT, receipt),
    )

    async def republished() -> str | None:
        newest = (await merchant.fetch(Kind.PRODUCT, merchant.public_key))[0]
        stock = next(tag[1] for tag in newest.tags if tag[0] == "stock")
        return stock if stock == str(STOCK - QUANTITY) else None

    left = await step(
        "new stock on the relay", f"the listing now says {STOCK - QUANTITY}", until(republished, "the new stock")
    )
    ref = await _order_ref(get, order_id)
    await _ship(stack, ref, buyer, order_id, story)

    async def reviewed() -> Any:
        return next((r for r in await get("/reviews") if r["product"] == product), None)

    ratings = (
        ("d", f"a:{product}"),
        ("rating", "1", "thumb"),
        ("rating", "0.8", "value"),
        ("rating", "1.0", "quality"),
    )
    await buyer.publish(Kind.REVIEW, ratings, "Survived the camp fire.")
    review = await step("review", "by the buyer: thumb 1, value 0.8, quality 1.0", until(reviewed, "the review"))

    async def rated() -> Any:
        rows = await asyncio.to_thread(stack.get, "/reviews/ratings", level="product", target=product)
        return rows[0] if rows else None

    rating = await step("rating", "of the mug; its one review is by a buyer who got it", until(rated, "the rating"))

    async def sold() -> Any:
        row = await get(f"/orders/{ref}")
        moved_to = {event.get("status") for event in row["history"] if event["type"] == "OrderMoved"}
        return row if row["status"] == "completed" and "completed" in moved_to else None

    order = await step("sale in ClickHouse", "order, stock, review and every event", until(sold, "the sale"))
    table(
        "\nThe order's story",
        ("when", "what", "status", "sats"),
        (
            (
                str(e["at"])[11:23],
                e["type"],
                e.get("status") or "",
                "" if not e.get("amount_msat") else f"{int(e['amount_msat']) // 1000:,}",
            )
            for e in order["history"]
        ),
        "",
    )
    count = await asyncio.to_thread(
        stack.post,
        "/sql",
        {"sql": "SELECT count() AS n FROM orders_now WHERE order_id = {id:String}", "params": {"id": order_id}},
    )
    return {
        "ok": True,
        "order": order_id,
        "status": order["status"],
        "wallet": till.kind,
        "payment_request_ms": round(payment_request_ms),
        "stock_before": STOCK,
        "stock_after": int(left),
        "clickhouse_orders": int(count[0]["n"]),
        "review": float(review["score"]),
        "rating": {
            "reviews": int(rating["reviews"]),
            "verified": int(rating["verified"]),
            "mean": float(rating["mean"]),
        },
    }


async def _add(stack: Stack, merchant: Person, name: str) -> None:
    await asyncio.to_thread(Keystore.of(Home(stack.home)).add, merchant.secret)
    body = {"public_key": merchant.public_key, "name": name}
    await asyncio.to_thread(stack.post, "/merchants", body)


async def _message(buyer: Buyer, order_id: str, type_: str, status: str | None = None) -> Any:
    try:
        return await buyer.wait_for(order_id, type_, status)
    except TimeoutError:
        seen = ", ".join(f"{m.tag('type')}/{m.tag('status') or '-'}" for m in buyer.of_order(order_id)) or "nothing"
        raise StoryFailed(f"the buyer saw no message of type {type_} {status or ''}; seen: {seen}") from None


async def _order_ref(get: Callable[[str], Awaitable[Any]], order_id: str) -> str:
    async def known() -> str | None:
        return next((str(row["ref"]) for row in await get("/orders") if row["order_id"] == order_id), None)

    return await until(known, "the order in ClickHouse")


async def _ship(stack: Stack, ref: str, buyer: Buyer, order_id: str, story: Story) -> None:
    """The operator's part: prepare, hand over, deliver, complete; the buyer is told each time."""
    moves = (
        ("process", "3", "processing", "order in preparation"),
        ("ship", "4", "shipped", "parcel handed over"),
        ("deliver", "4", "delivered", "parcel delivered"),
        ("complete", "3", "completed", "order completed"),
    )
    for move, type_, status, what in moves:
        started = time.perf_counter()
        body = {"tracking": "JD014600003828", "carrier": "DHL"} if move == "ship" else {}
        await asyncio.to_thread(stack.post, f"/orders/{ref}/{move}", body)
        told = await _message(buyer, order_id, type_, status)
        story.tell(what, told.rumor.content[:60], told.seen_ms - started * 1_000)
