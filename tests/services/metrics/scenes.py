"""Histories for the metrics tests: ten orders with known figures, and a long odd one from a seed."""

from __future__ import annotations

import random

from schemas.catalogue import RecordListing, RecordShippingOption
from schemas.messages import JournalRecord
from schemas.orders import OrderStatus, ShippingStatus
from schemas.reviews import JudgeReviews, RecordReview
from schemas.rows import InventoryRow, MessageRow, OrderRow, RatingRow, ReviewRow, Row
from schemas.shops import OpenShop, ShopSettings
from schemas.stock import StockHeld, StockLine, StockSet
from schemas.values import Actor
from streams.domain.projections import RowKey, fold
from tests.support.builders import (
    MERCHANT,
    NOW_MS,
    NOW_S,
    STRANGER,
    a_command,
    a_key,
    a_listing,
    a_review,
    an_option,
    an_order,
    post,
    product,
)
from tests.support.steps import cancelled, moved, paid, parcel, requested
from tests.support.story import Story, given

DAY_MS = 86_400_000


def ten_orders() -> Story:
    """Ten orders of a small shop over two days; the tests know every figure of it.

    Tea costs 10 sats (20 in stock), a cup 3 (5 in stock), a vase 20 plus 5 for the post.
    Orders 1…5 are paid (1 is shipped and completed, 5 is cancelled afterwards), 6 is quoted and asked to pay,
    7 expires unpaid and is then paid late, 8 and 9 are refused, 10 is cancelled by its buyer before paying.
    """
    story = given(
        OpenShop(),
        RecordListing(listing=a_listing("tea", "10", stock=20)),
        RecordListing(listing=a_listing("cup", "3", stock=5)),
        RecordListing(listing=a_listing("vase", "20", shipping=((post(), "0"),))),
        RecordShippingOption(option=an_option()),
    )
    keys = {n: a_key(f"order-{n}", buyer=f"{n % 4 + 1:02x}" * 32) for n in range(1, 11)}
    first, second = NOW_MS, NOW_MS + DAY_MS

    def buy(n: int, *lines: tuple[str, int], at_ms: int = first, shipping: str | None = None) -> None:
        story.when(an_order(*lines, key=keys[n], rumor=f"rumor-{n}", shipping=shipping, country="DE"), at_ms=at_ms)

    def pay(n: int, sats: int, asked_ms: int, took_ms: int) -> None:
        story.when(requested(sats, keys[n]), at_ms=asked_ms)
        story.when(paid(sats, keys[n]), at_ms=asked_ms + took_ms)

    buy(1, ("vase", 1), ("tea", 2), shipping=post())
    pay(1, 45, first + 100, 1_000)
    story.when(parcel(ShippingStatus.SHIPPED, key=keys[1]), at_ms=first + 60_000)
    story.when(moved(OrderStatus.COMPLETED, Actor.MERCHANT, keys[1]), at_ms=first + 120_000)
    buy(2, ("tea", 3))
    pay(2, 30, first + 200, 2_000)
    buy(3, ("cup", 2), at_ms=second)
    pay(3, 6, second + 100, 3_000)
    buy(4, ("tea", 1), ("cup", 1), at_ms=second)
    pay(4, 13, second + 100, 4_000)
    buy(5, ("tea", 4), at_ms=second)
    pay(5, 40, second + 100, 5_000)
    story.when(cancelled(Actor.MERCHANT, keys[5]), at_ms=second + 60_000)
    buy(6, ("cup", 1), at_ms=second)
    story.when(requested(3, keys[6]), at_ms=second + 300)
    buy(7, ("tea", 1), at_ms=first)
    story.when(requested(10, keys[7]), at_ms=first + 300)
    story.when(moved(OrderStatus.CANCELLED, Actor.MERCHANT, keys[7]), at_ms=first + 400)
    story.when(paid(10, keys[7]), at_ms=second)
    buy(8, ("unicorn", 1))
    buy(9, ("cup", 1_000))
    buy(10, ("tea", 1))
    story.when(cancelled(Actor.BUYER, keys[10]), at_ms=first + 500)
    story.when(
        RecordReview(review=a_review("1", ("quality", "0.5"), author=keys[1].buyer)),
        RecordReview(review=a_review("0.6", author=keys[2].buyer)),
        RecordReview(review=a_review("0.2", author=STRANGER, d="cup")),
        JudgeReviews(),
    )
    return story


def a_long_history(seed: int, commands: int = 250) -> Story:
    """A shop whose stock is set, held, released and sold in an order nobody planned."""
    chance = random.Random(seed)
    story = given(OpenShop(settings=ShopSettings().without_limits()))
    prices = {"tea": 10, "cup": 3, "song": 1}
    open_orders: list[tuple[str, int]] = []
    for n in range(commands):
        at_ms = NOW_MS + n * 500
        match chance.choice(["list", "buy", "buy", "pay", "cancel"]):
            case "list":
                d, stock = chance.choice(list(prices)), chance.choice([None, 0, 2, 30])
                listing = a_listing(d, str(prices[d]), stock=stock, created_at=NOW_S + n)
                story.when(RecordListing(listing=listing), at_ms=at_ms)
            case "buy":
                d, quantity = chance.choice(list(prices)), chance.randint(1, 4)
                key = a_key(f"order-{n}")
                story.when(an_order((d, quantity), key=key, rumor=f"rumor-{n}"), at_ms=at_ms)
                if story.shop.order(key) and story.order(key).status is OrderStatus.PENDING:
                    open_orders.append((key.order_id, prices[d] * quantity))
            case "pay" if open_orders:
                order_id, sats = open_orders.pop(chance.randrange(len(open_orders)))
                story.when(requested(sats, a_key(order_id)), at_ms=at_ms)
                story.when(paid(sats, a_key(order_id)), at_ms=at_ms)
            case "cancel" if open_orders:
                order_id, _ = open_orders.pop(chance.randrange(len(open_orders)))
                story.when(a_command(cancelled(Actor.BUYER, a_key(order_id)), at_ms))
            case _:
                pass
    return story


def state_rows(records: list[JournalRecord], partition: int = 0) -> list[Row]:
    """Every version of every state row, as the views would publish them."""
    rows: dict[RowKey, Row] = {}
    versions: list[Row] = []
    for record in records:
        changed = fold(record, partition, rows.get)
        rows.update(changed)
        versions.extend(changed.values())
    return versions


def only[R: (OrderRow, InventoryRow, ReviewRow, RatingRow, MessageRow)](kind: type[R], rows: list[Row]) -> list[R]:
    """The rows of one table."""
    return [row for row in rows if isinstance(row, kind)]


def a_record(seq: int, units: int = 1, merchant: str = MERCHANT) -> JournalRecord:
    """A small record with a stock base and a hold of so many units: two rows."""
    key = a_key(f"order-{seq}", merchant=merchant)
    return JournalRecord(
        seq=seq,
        covers=seq - 1,
        merchant=merchant,
        at_ms=NOW_MS + seq,
        cause="test",
        events=(
            StockSet(coordinate=product("tea", merchant), on_hand=100, cause="test"),
            StockHeld(order=key, lines=(StockLine(coordinate=product("tea", merchant), quantity=units),)),
        ),
    )


def an_empty_record(seq: int) -> JournalRecord:
    """A record that only moves the command offset on."""
    return JournalRecord(seq=seq, covers=seq + 10, merchant=MERCHANT, at_ms=NOW_MS, cause="test", events=())
