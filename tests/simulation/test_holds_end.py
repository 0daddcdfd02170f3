"""Checks that the hold of an unpaid order ends once, whenever the decider is killed (C-06)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import pytest

from schemas.stock import StockReleased
from tests.simulation.clock import Dice
from tests.simulation.patches import installed
from tests.simulation.test_found import CALM, order
from tests.simulation.world import World

TTL_MS, GRACE_MS = 900_000, 60_000


@pytest.fixture(params=[False, True], ids=["from its journal", "from a checkpoint"])
def shop(request: pytest.FixtureRequest) -> Iterator[World]:
    """A shop with one tea, whose decider starts again from all that it ever said, or from a checkpoint of it."""
    world = World(replace(CALM, has_checkpoints=request.param), Counter())
    with installed(world.clock, as_bytes=False, is_real=False):
        world.is_healed = True
        world.offer("m0", "tea", 1, Dice(1))
        world.settle()
        yield world
        world.close()


def kill(world: World) -> None:
    """The decider dies where it stands."""
    for process in list(world.processes["decider"]):
        world.bury(process)


def releases(world: World) -> int:
    """How often the journal gives held stock back."""
    return sum(isinstance(event, StockReleased) for _, record in world.books.records for event in record.events)


def is_free(world: World) -> bool:
    """Whether another buyer's order finds the tea."""
    order(world, "another")
    return list(world.books.status.values()) == ["expired", "pending"]


@pytest.mark.req("C-06")
@pytest.mark.parametrize("away_ms", [60_000, TTL_MS, 20 * TTL_MS], ids=["a minute", "past the end", "for hours"])
def test_a_decider_that_is_killed_while_an_order_holds_stock_gives_it_back_once(shop: World, away_ms: int) -> None:
    """At the end of the request and its grace, or as soon as it runs again; never before, and never twice."""
    order(shop, "o1")
    shop.clock.advance(TTL_MS // 2)
    kill(shop)
    shop.clock.advance(away_ms)
    shop.settle()
    is_over = TTL_MS // 2 + away_ms >= TTL_MS + GRACE_MS
    assert releases(shop) == int(is_over)

    shop.clock.advance(TTL_MS)
    shop.settle()
    kill(shop)
    shop.clock.advance(TTL_MS)
    shop.settle()
    assert releases(shop) == 1
    assert is_free(shop)


@pytest.mark.req("C-06")
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_decider_whose_transaction_fails_as_a_hold_ends_gives_it_back_once(shop: World, when: str) -> None:
    """Whether the record stands in the journal by then or not, it stands there once in the end."""
    order(shop, "o1")
    shop.clock.advance(TTL_MS + GRACE_MS)
    for process in shop.processes["decider"]:
        process.wire.fail_next = when
    shop.settle()
    assert releases(shop) == 1
    assert is_free(shop)
