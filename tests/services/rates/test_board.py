"""What several sources agree on, whatever one of them says."""

from __future__ import annotations

from decimal import Decimal

import pytest

from services.rates.board import FRESH_MS, Board
from services.rates.sources import Prices

NOW_MS = 1_700_000_000_000


def usd(price: str | int) -> Prices:
    return {"USD": Decimal(price)}


def board(**said: str | int) -> Board:
    """Every source heard now."""
    made = Board()
    for name, price in said.items():
        made.hear(name, NOW_MS, usd(price))
    return made


def sats(board: Board, now_ms: int = NOW_MS) -> Decimal | None:
    """Sats for a dollar."""
    rate = board.look(now_ms).get("USD")
    return None if rate is None else rate.msat_per_unit / 1_000


@pytest.mark.req("C-07")
def test_the_rate_is_the_middle_of_those_who_agree_and_says_who_they_were() -> None:
    """100,000 dollars for a bitcoin are 1,000 sats for a dollar; the quote will name its sources and their age."""
    made = board(one=99_900, two=100_000, three=100_200)
    made.hear("two", NOW_MS - 5_000, usd(100_000))
    rate = made.look(NOW_MS)["USD"]

    assert rate.msat_per_unit == 1_000_000
    assert (rate.source, rate.as_of_ms) == ("one+three+two", NOW_MS - 5_000)


@pytest.mark.req("C-07")
@pytest.mark.parametrize("absurd", [1_000_000, 10_000, "0.01"])
def test_a_source_that_is_far_off_is_ignored(absurd: str | int) -> None:
    """Ten times too much or too little moves the rate by nothing."""
    made = board(one=100_000, two=100_000, three=absurd)
    assert sats(made) == 1_000
    assert made.look(NOW_MS)["USD"].source == "one+two"


@pytest.mark.req("C-07")
def test_one_source_alone_or_two_that_differ_make_no_rate() -> None:
    """Nobody knows then which of them is right."""
    assert sats(board(one=100_000)) is None
    assert sats(board(one=100_000, two=1_000_000)) is None
    assert sats(board(one=100_000, two=101_000)) is not None


@pytest.mark.req("C-07")
@pytest.mark.req("PAY-07")
def test_a_rate_that_nobody_confirms_grows_old_and_is_never_made_up() -> None:
    """It stays as it was with the time it is from, so that quoting stops once that is too long ago."""
    made = board(one=100_000, two=100_000)
    assert sats(made) == 1_000

    later = NOW_MS + FRESH_MS + 1
    assert made.look(later)["USD"].as_of_ms == NOW_MS
    made.hear("one", later, usd(50_000))
    assert (sats(made, later), made.look(later)["USD"].as_of_ms) == (1_000, NOW_MS)


@pytest.mark.req("C-07")
def test_a_great_move_has_to_be_seen_twice() -> None:
    """All sources at half the price in one moment is more likely a fault of theirs; if it stays, it is the price."""
    made = board(one=100_000, two=100_000)
    made.look(NOW_MS)
    for name in ("one", "two"):
        made.hear(name, NOW_MS + 30_000, usd(50_000))
    assert sats(made, NOW_MS + 30_000) == 1_000
    assert sats(made, NOW_MS + 60_000) == 2_000

    for name in ("one", "two"):
        made.hear(name, NOW_MS + 90_000, usd(100_000))
    assert sats(made, NOW_MS + 90_000) == 2_000
    for name in ("one", "two"):
        made.hear(name, NOW_MS + 120_000, usd(50_000))
    assert sats(made, NOW_MS + 120_000) == 2_000


def test_currencies_are_judged_each_by_itself() -> None:
    """A source may be wrong about one and right about another, or know only some."""
    made = Board()
    made.hear("one", NOW_MS, {"USD": Decimal(100_000), "EUR": Decimal(90_000), "CHF": Decimal(1)})
    made.hear("two", NOW_MS, {"USD": Decimal(100_000), "EUR": Decimal(9)})
    assert made.look(NOW_MS).keys() == {"USD"}
