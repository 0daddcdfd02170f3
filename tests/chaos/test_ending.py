"""Each witness is heard: what the API, the relay and the wallet say otherwise than the buyers is a breach."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bench.shop import price_sats
from schemas.nostr.nip01 import Event
from tests.chaos import ending
from tests.chaos.ending import Witnesses
from tests.chaos.model import Placed, Script, Told
from tests.chaos.shops import shops_of

SHOP = shops_of(1)[0]
MUG = SHOP.product
PAID = "paid"
LEFT = "left"


class Api:
    """Answers with rows that a test may doctor."""

    def __init__(self) -> None:
        self.statuses = {PAID: "confirmed", LEFT: "pending"}
        self.units: dict[str, Any] = {"coordinate": MUG, "on_hand": 98, "held": 1, "sold": 2}

    async def sql(self, sql: str) -> list[dict[str, Any]]:
        """Orders or listings, whatever is asked for."""
        if "orders_now" in sql:
            return [{"order_id": name, "buyer": "", "status": status} for name, status in self.statuses.items()]
        return [self.units]


class Buyers:
    """One who paid for two mugs, and one who did not pay for one."""

    def __init__(self) -> None:
        self.orders = {PAID: an_order(PAID, Script.PAYS, 2), LEFT: an_order(LEFT, Script.LEAVES, 1)}
        self.shown = 98

    async def newest(self, _merchant: str, ds: Iterable[str]) -> dict[str, Event]:
        """What the relay shows."""
        return {d: SHOP.mug(int(time.time()), d, self.shown) for d in ds}


def an_order(name: str, script: Script, quantity: int) -> Placed:
    """An order that went as its script says."""
    placed = Placed(name, "bb" * 32, SHOP.merchant, MUG, quantity, script, invoice=f"invoice {name}")
    placed.is_settled = script is Script.PAYS
    what = ("requested", "confirmed") if placed.is_settled else ("requested",)
    placed.told = {Told(f"{name} {one}", f"wrap {name} {one}", one) for one in what}
    return placed


@pytest.fixture
def see(tmp_path: Path) -> Witnesses:
    """Witnesses who agree."""
    wallet = tmp_path / "simulated.db"
    connection = sqlite3.connect(wallet)
    connection.execute("CREATE TABLE invoices (merchant TEXT, text TEXT, amount_msat INTEGER, state TEXT)")
    for name, quantity, state in ((PAID, 2, "settled"), (LEFT, 1, "open")):
        row = (SHOP.merchant, f"invoice {name}", price_sats(quantity) * 1_000, state)
        connection.execute("INSERT INTO invoices VALUES (?, ?, ?, ?)", row)
    connection.commit()
    connection.close()
    witnesses: Any = SimpleNamespace(operator=Api(), crowd=Buyers(), wallet=wallet, stock={MUG: 100})
    agreed: Witnesses = witnesses
    return agreed


RECEIVED = {SHOP.merchant: price_sats(2)}


async def test_witnesses_who_agree_have_nothing_to_complain_of(see: Witnesses) -> None:
    """Orders, units, the listing and the money are what the buyers say."""
    assert await ending._rows(see) == []
    assert await ending._published(see) == []
    assert ending._money(see, RECEIVED) == []


@pytest.mark.parametrize("status", ["pending", "expired", "processing"])
async def test_an_order_that_the_api_calls_otherwise_is_named(see: Any, status: str) -> None:
    """Its buyer has a confirmation."""
    see.operator.statuses[PAID] = status

    assert await ending._rows(see) == [f"order paid (pays at once) is {status}, and its buyer believes confirmed"]


async def test_an_order_that_is_missing_or_that_nobody_placed_is_named(see: Any) -> None:
    """Both ways."""
    see.operator.statuses = {PAID: "confirmed", "invented": "pending"}

    found = await ending._rows(see)
    assert found[0] == "order invented, which nobody placed, is pending"
    assert "order left (never pays) is unknown" in found[1]


async def test_units_that_do_not_follow_from_the_orders_are_named(see: Any) -> None:
    """In the table, and in the listing on the relay."""
    see.operator.units["held"] = 0
    see.crowd.shown = 97

    assert len(await ending._rows(see)) == 1
    assert await ending._published(see) == ["mug: the relay says 97 in stock, and 98 follow from the orders"]


def test_money_that_only_one_side_knows_of_is_named(see: Any) -> None:
    """A sum that differs, a request paid by nobody we know, a request too many, and one that was never made."""
    assert ending._money(see, {}) == [f"the wallet has {price_sats(2)} sats, ClickHouse 0"]

    see.crowd.orders[PAID].is_settled = False
    assert any("its buyer knows it otherwise" in one for one in ending._money(see, RECEIVED))

    see.crowd.orders[PAID].is_settled, see.crowd.orders[LEFT].invoice = True, "another"
    assert ending._money(see, RECEIVED) == ["order left was shown a request that the wallet never made"]

    del see.crowd.orders[LEFT]
    assert ending._money(see, RECEIVED) == ["2 requests were made for 1 orders"]
