"""One run: a stack of its own, orders without end, every fault of a seed, and the reckoning."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.shop import STOCK
from services.signer.keystore import Keystore
from tests.chaos import ending, faults, plan
from tests.chaos.crowd import SHORT_SCRIPTS, Crowd
from tests.chaos.ending import Witnesses
from tests.chaos.faults import Faults, Line
from tests.chaos.liar import Liar
from tests.chaos.model import Script
from tests.chaos.shops import SCARCE, SHORT_GRACE_S, SHORT_TTL_S, Shop, shops_of
from tests.support.shop import Operator
from tests.support.stack import RunningStack

ORDERS_PER_S = 2.0
SHORT_SHARE = 0.08
"""Of all orders, those whose requests live for a minute."""
DROP_EVERY_S = 7.0
"""A scarce listing so often, and more buyers than pieces at once."""
DROP_BUYERS = 6
WARM_S = 1.0


@dataclass(frozen=True, slots=True)
class Told:
    """How far a run is."""

    doing: str
    kills: int
    faults: int
    orders: int


@dataclass(frozen=True, slots=True)
class Result:
    """What a run was, and what came of it."""

    seed: int
    kills: int
    seconds: float
    faults: int
    lines: tuple[Line, ...]
    orders: dict[str, int]
    outcomes: dict[str, int]
    messages: int
    drain_s: float
    breaches: tuple[str, ...]
    logs: str = ""

    def plain(self) -> dict[str, object]:
        """For programs."""
        return {name: value for name, value in asdict(self).items() if name != "logs"}


async def run(
    folder: Path, seed: int, kills: int, every_s: float = plan.EVERY_S, tell: Callable[[Told], None] = lambda _: None
) -> Result:
    """Play a seed against a fresh stack in this folder."""
    began_s = time.monotonic()
    schedule = plan.draw(seed, kills, every_s)
    liar = Liar()
    await liar.start()
    stack = RunningStack(folder)
    try:
        tell(Told("starting", 0, 0, 0))
        await asyncio.to_thread(stack.start)
        return await _run(stack, liar, seed, schedule, began_s, tell)
    finally:
        await asyncio.to_thread(stack.stop)
        await liar.stop()


async def _run(
    stack: RunningStack,
    liar: Liar,
    seed: int,
    schedule: tuple[plan.Fault, ...],
    began_s: float,
    tell: Callable[[Told], None],
) -> Result:
    ready = stack.home.ready()
    assert ready is not None
    wallet = stack.home.wallet / "simulated.db"
    crowd, operator = Crowd(seed, ready.relay, liar.url, wallet), Operator(stack)
    strikes = Faults(stack, liar, wallet)
    stock: dict[str, int] = {}
    see = Witnesses(stack, operator, crowd, wallet, stock)
    helpers: list[asyncio.Task[None]] = []

    def say(doing: str) -> None:
        tell(Told(doing, strikes.kills, len(strikes.struck), len(crowd.orders)))

    async def say_often() -> None:
        while True:
            say("faults")
            await asyncio.sleep(0.5)

    try:
        steady, short = shops_of(seed)
        await crowd.open()
        for shop in (steady, short):
            await _open_shop(see, shop, liar.url, stock)
        helpers = [
            asyncio.ensure_future(_orders(see, steady, short, schedule[-1].at_s)),
            asyncio.ensure_future(_drops(see, steady, stock)),
            asyncio.ensure_future(strikes.watch()),
            asyncio.ensure_future(say_often()),
        ]
        await asyncio.sleep(WARM_S)
        await strikes.play(schedule)
        await strikes.end()
        await asyncio.sleep(WARM_S)
        await _end(helpers[:2])
        say("drain")
        short_lived = (order.sent_s for order in crowd.orders.values() if order.merchant == short.merchant)
        due_s = max(short_lived, default=0.0) + SHORT_TTL_S + SHORT_GRACE_S
        drain_s, owed = await ending.drained(see, due_s)
        say("audit")
        found = [*owed, *await (ending.reasons(see) if owed else ending.breaches(see))]
        orders = crowd.orders.values()
        _write_timeline(stack.home.root.parent / "timeline.jsonl", strikes, crowd)
        return Result(
            seed=seed,
            kills=strikes.kills,
            seconds=round(time.monotonic() - began_s, 1),
            faults=len(strikes.struck),
            lines=tuple(faults.lines(strikes.struck, crowd.gauges())),
            orders=dict(Counter(order.script.value for order in orders)),
            outcomes=dict(Counter(order.outcome for order in orders)),
            messages=sum(len({one.rumor_id for one in order.told}) for order in orders),
            drain_s=round(drain_s, 1),
            breaches=tuple(dict.fromkeys(found)),
            logs=stack.logs(lines=30) if found else "",
        )
    finally:
        await _end(helpers)
        await strikes.end()
        await crowd.close()
        await operator.close()


def _write_timeline(file: Path, strikes: Faults, crowd: Crowd) -> None:
    """What happened when, in seconds of one clock: for whoever has to find out why."""
    happened: list[tuple[float, dict[str, object]]] = [
        (one.at_s, {"fault": one.fault.name, "lasted_s": one.fault.lasts_s, "back_s": one.back_s})
        for one in strikes.struck
    ]
    for order in crowd.orders.values():
        told = sorted(one.what for one in order.told)
        seen = {"requested_s": order.requested_s, "confirmed_s": order.confirmed_s, "told": told}
        happened.append((order.sent_s, {"order": order.order_id, "script": order.script.value, **seen}))
    happened.sort(key=lambda one: one[0])
    file.write_text("".join(json.dumps({"at_s": at_s, **what}) + "\n" for at_s, what in happened))


async def _open_shop(see: Witnesses, shop: Shop, lying: str, stock: dict[str, int]) -> None:
    """Its key into the home, its listing on the relay, its name to the API; both relays are the merchant's own."""
    home, now_s = see.stack.home, int(time.time())
    await asyncio.to_thread(Keystore.of(home).add, shop.secret)
    body = {
        "public_key": shop.merchant,
        "name": f"shop-{shop.name}",
        "relays": [lying],
        "settings": shop.settings.model_dump(mode="json"),
    }
    await see.crowd.put(shop.post(now_s))
    await see.operator.call("POST", "/merchants", body)
    await _list(see, shop, "mug", STOCK, stock)


async def _list(see: Witnesses, shop: Shop, d: str, units: int, stock: dict[str, int]) -> None:
    """Offer something, and wait until the API shows it."""
    await see.crowd.put(shop.mug(int(time.time()), d, units))
    stock[shop.listing(d)] = units
    sql = "SELECT count() AS n FROM inventory_now WHERE coordinate = {c:String}"
    while True:
        rows = await see.operator.sql(sql, c=shop.listing(d))
        if int(rows[0]["n"]):
            return
        await asyncio.sleep(0.2)


async def _orders(see: Witnesses, steady: Shop, short: Shop, lasts_s: float) -> None:
    """One order after another, however slowly they are answered; none that would expire long after the end."""
    crowd = see.crowd
    last_short_s = time.monotonic() + max(4.0, lasts_s - SHORT_TTL_S - SHORT_GRACE_S)
    while True:
        if crowd.dice.random() < SHORT_SHARE and time.monotonic() < last_short_s:
            crowd.order(short, "mug", crowd.dice.choice((*SHORT_SCRIPTS,)))
        else:
            crowd.order(steady, "mug")
        await asyncio.sleep(crowd.dice.expovariate(ORDERS_PER_S))


async def _drops(see: Witnesses, shop: Shop, stock: dict[str, int]) -> None:
    """Now and then a few pieces of something, and more buyers than pieces."""
    number = 0
    while True:
        await asyncio.sleep(DROP_EVERY_S)
        number += 1
        with contextlib.suppress(AssertionError):  # the API was away for a minute: this one is nobody's
            await _list(see, shop, f"drop-{number}", SCARCE, stock)
            for _ in range(DROP_BUYERS):
                see.crowd.order(shop, f"drop-{number}", Script.GRABS)


async def _end(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    for task in tasks:
        with contextlib.suppress(asyncio.CancelledError):
            await task
