"""When the faults are over: wait until everybody is answered, then hold every witness against the model.

Witnesses are the buyers, both relays, the wallet, the API, ClickHouse behind it, the journal and the tables' own log.
"""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schemas import topics
from services.relays import RelayError
from streams.kafka import Kafka
from streams.views import reflects
from tests.chaos import model
from tests.chaos.crowd import Crowd
from tests.chaos.model import Placed
from tests.integration.test_views import folded
from tests.support import cluster
from tests.support.shop import Operator
from tests.support.stack import RunningStack

DRAIN_S = 120.0
QUIET_S = 2.0
PAGE = 5_000
AUDIT_S = 120
NAMED_MAX = 12


@dataclass(slots=True)
class Witnesses:
    """Everything that can be asked."""

    stack: RunningStack
    operator: Operator
    crowd: Crowd
    wallet: Path
    stock: Mapping[str, int]
    """Every listing's address, and the stock it was opened with."""


async def drained(see: Witnesses, due_s: float) -> tuple[float, list[str]]:
    """Wait until nothing is owed to anybody; gives the seconds that took, and what was still owed in the end.

    Both are counted from `due_s` (`time.monotonic()`) where that is later: some requests are to expire first.
    """
    began_s = max(due_s, time.monotonic())
    give_up_s = began_s + DRAIN_S
    looks: tuple[Callable[[], Awaitable[list[str]]], ...] = (
        lambda: _processes(see),
        lambda: _buyers(see),
        lambda: _rows(see),
        lambda: _published(see),
    )
    owed: list[str] = []
    for look in looks:
        while owed := await look():
            if time.monotonic() > give_up_s:
                return DRAIN_S, [f"after {DRAIN_S:.0f} s: {one}" for one in _short(owed)]
            await asyncio.sleep(0.3)
    return max(0.0, time.monotonic() - began_s), []


async def breaches(see: Witnesses) -> list[str]:
    """What any witness has to complain of, once nothing more is to come."""
    await asyncio.sleep(QUIET_S)
    orders = list(see.crowd.orders.values())
    found = [*see.crowd.complaints]
    found += [one for one in model.judge(orders) if one not in found]
    for product, stock in see.stock.items():
        found += model.judge_stock(product, stock, orders)
    found += await _rows(see)
    found += await _published(see)
    found += _money(see, await _received(see))
    found += await asyncio.to_thread(_audit, see.stack)
    found += await _rebuilt(see.stack)
    return found


async def reasons(see: Witnesses) -> list[str]:
    """Where something is still owed: what was wrong before, and what the auditor has to say to it."""
    return [*see.crowd.complaints, *await asyncio.to_thread(_audit, see.stack)]


async def _processes(see: Witnesses) -> list[str]:
    children = see.stack.children()
    return [
        f"{name} is {child['state']}: {child['last_error']}"
        for name, child in children.items()
        if child["state"] != "up"
    ]


async def _buyers(see: Witnesses) -> list[str]:
    if see.crowd.is_busy and all(map(model.is_answered, see.crowd.orders.values())):
        return ["a buyer is still busy"]
    return model.judge(order for order in see.crowd.orders.values() if not model.is_answered(order))


async def _rows(see: Witnesses) -> list[str]:
    """Orders and listings as the API has them, against what buyers were told."""
    found: list[str] = []
    orders = see.crowd.orders
    rows = {
        row["order_id"]: row
        for row in await _all(see.operator, "SELECT order_id, buyer, status FROM orders_now ORDER BY ref")
    }
    found += [f"order {name}, which nobody placed, is {rows[name]['status']}" for name in rows.keys() - orders.keys()]
    for name, order in orders.items():
        status = rows[name]["status"] if name in rows else "unknown"
        if status not in model.STATUSES.get(order.outcome, frozenset()):
            found.append(f"order {name} ({order.script.value}) is {status}, and its buyer believes {order.outcome}")
    sql = "SELECT coordinate, on_hand, held, sold FROM inventory_now ORDER BY coordinate"
    stored = {row["coordinate"]: row for row in await _all(see.operator, sql)}
    by_product = _by_product(orders.values())
    for product, stock in see.stock.items():
        expected, row = model.units(stock, by_product.get(product, ())), stored.get(product)
        seen = None if row is None else model.Units(int(row["on_hand"]), int(row["held"]), int(row["sold"]))
        if seen != expected:
            found.append(f"{product.rpartition(':')[2]}: {expected} by the orders, {seen} by the API")
    return found


async def _published(see: Witnesses) -> list[str]:
    """The stock that the newest listings on the honest relay say."""
    found: list[str] = []
    by_product = _by_product(see.crowd.orders.values())
    by_merchant: dict[str, list[str]] = {}
    for product in see.stock:
        _, merchant, d = product.split(":", 2)
        by_merchant.setdefault(merchant, []).append(d)
    for merchant, ds in by_merchant.items():
        try:
            newest = await see.crowd.newest(merchant, ds)
        except RelayError as error:
            return [f"the relay cannot be asked: {error}"]
        for d in ds:
            product = f"30402:{merchant}:{d}"
            expected = model.units(see.stock[product], by_product.get(product, ())).on_hand
            said = next((tag[1] for tag in newest[d].tags if tag[0] == "stock"), None) if d in newest else None
            if said != str(expected):
                found.append(f"{d}: the relay says {said} in stock, and {expected} follow from the orders")
    return found


async def _received(see: Witnesses) -> dict[str, int]:
    """Sats by merchant that ClickHouse knows of, late ones included."""
    sql = (
        "SELECT merchant, sum(amount_msat) AS msat FROM events FINAL"
        " WHERE type = 'PaymentSettled' AND line = 0 GROUP BY merchant ORDER BY merchant"
    )
    return {row["merchant"]: int(row["msat"]) // 1_000 for row in await _all(see.operator, sql)}


def _money(see: Witnesses, received: Mapping[str, int]) -> list[str]:
    """The wallet's invoices: one an order at most, each shown to its buyer if settled, and the same sums as ours."""
    uri = f"file:{see.wallet}?mode=ro"
    connection = sqlite3.connect(uri, uri=True)
    try:
        rows = connection.execute("SELECT merchant, text, amount_msat, state FROM invoices").fetchall()
    finally:
        connection.close()
    orders = {order.invoice: order for order in see.crowd.orders.values() if order.invoice}
    found: list[str] = []
    settled: dict[str, int] = {}
    known = {str(text) for _, text, _, _ in rows}
    found += [
        f"order {one.order_id} was shown a request that the wallet never made"
        for t, one in orders.items()
        if t not in known
    ]
    for merchant, text, amount_msat, state in rows:
        order = orders.get(text)
        if state == "settled":
            settled[merchant] = settled.get(merchant, 0) + int(amount_msat) // 1_000
        if (state == "settled") != bool(order and order.is_settled):
            found.append(f"a request of {amount_msat} msat is {state}, and its buyer knows it otherwise")
    for merchant in {order.merchant for order in see.crowd.orders.values()}:
        placed = sum(order.merchant == merchant for order in see.crowd.orders.values())
        made = sum(row[0] == merchant for row in rows)
        if made > placed:
            found.append(f"{made} requests were made for {placed} orders")
        if settled.get(merchant, 0) != received.get(merchant, 0):
            found.append(f"the wallet has {settled.get(merchant, 0)} sats, ClickHouse {received.get(merchant, 0)}")
    return found


def _audit(stack: RunningStack) -> list[str]:
    """`ncc audit`, which reads the whole journal and holds ClickHouse against it."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("NCC_")}
    argv = [sys.executable, "-m", "services.cli.main", "audit", "--json", "--home", str(stack.home.root)]
    done = subprocess.run(argv, capture_output=True, text=True, env=environment, timeout=AUDIT_S, check=False)
    try:
        said = json.loads(done.stdout)
    except json.JSONDecodeError:
        return [f"ncc audit ended with {done.returncode}: {done.stderr[-500:]}"]
    found = [f"ncc audit: {one['code']} {one['sentence']}" for one in said["breaches"]]
    found += [f"ncc audit: {merchant[:8]} is frozen: {why}" for merchant, why in said["frozen"].items()]
    found += [f"ncc audit: ClickHouse is behind in partition {partition}" for partition in said["behind"]]
    return found


async def _rebuilt(stack: RunningStack) -> list[str]:
    """The tables, folded anew from the journal, against the rows that the views wrote, byte for byte."""
    ready = stack.home.ready()
    assert ready is not None
    kafka = Kafka(ready.kafka, ready.partitions, "ncc-chaos")
    expected = {(key.table, key.key): row for key, row in folded(await cluster.journal(kafka)).items()}
    live: dict[tuple[str, str], bytes] = {}
    for table in topics.TABLES:
        for records in (await cluster.read(kafka, topics.changelog(table), committed_only=False)).values():
            for record in records:
                key = (table, (record.key or b"").decode())
                if key not in live or reflects(record.value) >= reflects(live[key]):
                    live[key] = record.value
    wrong = [key for key in expected.keys() | live.keys() if expected.get(key) != live.get(key)]
    return _short([f"{table} {key[:24]}: the live row is not what the journal makes" for table, key in sorted(wrong)])


async def _all(operator: Operator, sql: str) -> list[dict[str, Any]]:
    """Every row of an ordered statement."""
    rows: list[dict[str, Any]] = []
    while True:
        page = await operator.sql(f"{sql} LIMIT {PAGE} OFFSET {len(rows)}")
        rows += page
        if len(page) < PAGE:
            return rows


def _by_product(orders: Iterable[Placed]) -> dict[str, list[Placed]]:
    found: dict[str, list[Placed]] = {}
    for order in orders:
        found.setdefault(order.product, []).append(order)
    return found


def _short(sentences: list[str]) -> list[str]:
    """A few of them, and how many more."""
    more = len(sentences) - NAMED_MAX
    return sentences if more <= 0 else [*sentences[:NAMED_MAX], f"and {more} more"]
