"""Every crash point on real processes: who passes it dies there, and the order on its way is answered exactly once."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from schemas.crash_points import Point
from services.demo.people import Buyer
from services.roles.run import CRASH_FOLDER
from tests.integration.test_command_line import ncc_json
from tests.support.shop import Shop, invoice_of
from tests.support.stack import RunningStack

pytestmark = pytest.mark.real

REACHED_S = 40.0
FOLLOWERS = ("payments", "publisher", "metrics")
"""Whoever is the first of them to pass a follower's point dies there."""


@dataclass(frozen=True, slots=True)
class Crash:
    """A point that was reached, and the order that was on its way."""

    point: Point
    order_id: str
    buyer: Buyer


@pytest.fixture
def armoury(tmp_path: Path) -> Path:
    """The folder where a file arms the point it is called like."""
    folder = tmp_path / "crash"
    folder.mkdir()
    return folder


@pytest.fixture
def crashing(tmp_path: Path, armoury: Path) -> Iterator[RunningStack]:
    """A stack whose roles die where they are told to."""
    with RunningStack(tmp_path / "home", environment={CRASH_FOLDER: str(armoury)}) as stack:
        yield stack


def in_turns(points: list[Point]) -> list[Point]:
    """Points of one role apart from each other, so that it is up again before its next one."""
    roles: dict[str, list[Point]] = {}
    for point in points:
        roles.setdefault(role_of(point), []).append(point)
    rounds = max(map(len, roles.values()))
    return [mine[turn] for turn in range(rounds) for mine in roles.values() if turn < len(mine)]


def role_of(point: Point) -> str:
    """The word before the colon."""
    return point.value.partition(":")[0]


async def whole_order(shop: Shop, buyer: Buyer, order_id: str) -> None:
    """Order one mug, be asked for the money, pay, be told so."""
    await shop.order(buyer, order_id=order_id)
    await shop.pay(invoice_of(await buyer.wait_for(order_id, "2")))
    await buyer.wait_for(order_id, "3", "confirmed")


async def vanished(file: Path) -> None:
    """Wait until somebody has passed the point and died of it."""
    give_up_s = time.monotonic() + REACHED_S
    while file.exists():
        assert time.monotonic() < give_up_s, f"nobody passed {file.name} within {REACHED_S} s"
        await asyncio.sleep(0.02)


@pytest.mark.case("P2", "P37")
@pytest.mark.req("PAY-17")
@pytest.mark.req("OPS-04")
@pytest.mark.req("ID-08")
async def test_killed_at_every_point_each_order_is_answered_exactly_once(crashing: RunningStack, armoury: Path) -> None:
    """One order a point, each by a key that nobody has seen before and that has no profile.

    The next point is armed once the last was reached, while its role may still be away.
    Then every buyer has one request and one confirmation, each in one wrap; every role died as often as it has
    points and is back; stock on the relay and in the table is right; and the auditor finds nothing.
    """
    async with Shop(crashing, stock=100) as shop, Shop(crashing, stock=100) as later:
        crashes: list[Crash] = []
        under_way: list[asyncio.Task[None]] = []
        for point in in_turns(list(Point)):
            crash = Crash(point, f"at-{point.name.lower()}", await shop.buyer())
            (armoury / point.name).touch()
            if point is Point.INGEST_CURSOR_SAVED:
                # Saved when a relay of a merchant's is read to its end for the first time: here, by another name.
                await later.add(relays=(later.relay.replace("127.0.0.1", "localhost"),))
            under_way.append(asyncio.create_task(whole_order(shop, crash.buyer, crash.order_id)))
            crashes.append(crash)
            await vanished(armoury / point.name)
        await asyncio.gather(*under_way)
        await shop.until(lambda: all_up(crashing), "every role to be back")

        sold, left = len(Point), 100 - len(Point)

        async def settled() -> bool | None:
            row = await shop.row()
            is_right = row and (int(row["on_hand"]), int(row["held"]), int(row["sold"])) == (left, 0, sold)
            return True if is_right and await shop.published_stock() == str(left) else None

        await shop.until(settled, "the stock to be right everywhere")
        await asyncio.sleep(1.0)

        for crash in crashes:
            told = [(m.tag("type"), m.tag("status")) for m in crash.buyer.of_order(crash.order_id)]
            assert told == [("2", None), ("3", "confirmed")], crash.point
            assert len(crash.buyer.wraps) == 2, crash.point
        assert invoices(crashing) == len(Point)
        assert deaths(crashing) == expected_deaths(), crashing.logs()
        found = await asyncio.to_thread(lambda: ncc_json("audit", home=crashing.home.root))
        assert (found["breaches"], found["frozen"], found["behind"]) == ([], {}, [])


async def all_up(stack: RunningStack) -> bool | None:
    """Whether every child answers."""
    return all(child["state"] == "up" for child in stack.children().values()) or None


def invoices(stack: RunningStack) -> int:
    """How many requests the wallet has ever made."""
    with contextlib.closing(sqlite3.connect(f"file:{stack.home.wallet / 'simulated.db'}?mode=ro", uri=True)) as wallet:
        return int(wallet.execute("SELECT count(*) FROM invoices").fetchone()[0])


def deaths(stack: RunningStack) -> Counter[str]:
    """How often each role was started again; the followers' together."""
    counted: Counter[str] = Counter()
    for name, child in stack.children().items():
        counted["follower" if name in FOLLOWERS else name] += child["restarts"]
    return +counted


def expected_deaths() -> Counter[str]:
    """Once for each point."""
    return Counter("follower" if role_of(point) in FOLLOWERS else role_of(point) for point in Point)
