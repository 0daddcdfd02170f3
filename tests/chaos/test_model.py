"""The model complains of everything a buyer could complain of, and of nothing else."""

from __future__ import annotations

import pytest

from tests.chaos.model import ALLOWED, Placed, Script, Told, Units, facts, is_answered, judge, judge_stock, units

SHOP = "aa" * 32
MUG = f"30402:{SHOP}:mug"


def an_order(
    script: Script = Script.PAYS, *what: str, settled: bool = False, name: str = "o", quantity: int = 1
) -> Placed:
    """An order whose buyer was told this, each in one message and one wrap."""
    order = Placed(name, "bb" * 32, SHOP, MUG, quantity, script, is_settled=settled)
    order.told = {Told(f"rumor {n} {one}", f"wrap {n} {one}", one) for n, one in enumerate(what)}
    order.invoice = "an invoice" if "requested" in what else ""
    return order


def test_a_paid_order_is_asked_for_and_confirmed_once() -> None:
    """Nothing more is owed, and nothing is wrong."""
    order = an_order(Script.PAYS, "requested", "confirmed", settled=True)

    assert is_answered(order)
    assert judge([order]) == []


@pytest.mark.parametrize("script", Script)
def test_each_script_has_an_end_that_its_buyer_accepts(script: Script) -> None:
    """What is allowed is consistent: no confirmation without money, none beside a cancellation."""
    for requested, confirmed, cancelled, settled in ALLOWED[script]:
        assert not (confirmed and not settled)
        assert not (confirmed and cancelled)
        what = ["requested"] * requested + ["confirmed"] * confirmed + ["cancelled"] * cancelled
        order = an_order(script, *what, settled=bool(settled))

        assert facts(order) == (requested, confirmed, cancelled, settled)
        assert judge([order]) == []


def test_a_buyer_may_read_that_a_request_is_late_where_it_was() -> None:
    """By a minute, and by no less; and whoever paid while the order did not wait for it reads that."""
    order = an_order(Script.PAYS, "requested", "confirmed", "text", settled=True)
    order.requested_s = order.sent_s + 61
    assert judge([order]) == []
    order.requested_s = order.sent_s + 5
    assert "'text', which nothing called for" in judge([order])[0]
    assert judge([an_order(Script.RACES, "requested", "cancelled", "text", settled=True)]) == []


@pytest.mark.parametrize(
    ("order", "words"),
    [
        (an_order(Script.PAYS), "0 requests, 0 confirmations"),
        (an_order(Script.PAYS, "requested", settled=True), "0 confirmations"),
        (an_order(Script.PAYS, "requested", "requested", "confirmed", settled=True), "requested by 2 different"),
        (an_order(Script.PAYS, "requested", "confirmed", "confirmed", settled=True), "confirmed by 2 different"),
        (an_order(Script.LEAVES, "requested", "confirmed"), "1 confirmations"),
        (an_order(Script.PAYS, "requested", "confirmed", "cancelled", settled=True), "confirmed and cancelled"),
        (an_order(Script.PAYS, "requested", "4 shipped"), "'4 shipped', which nothing called for"),
        (an_order(Script.PAYS, "requested", "confirmed", "text", settled=True), "'text', which nothing called for"),
        (an_order(Script.CANCELS, "requested"), "0 cancellations"),
        (an_order(Script.GRABS, "confirmed", settled=True), "never asked for"),
    ],
)  # fmt: skip
def test_whatever_is_said_too_often_too_rarely_or_for_nothing_is_found(order: Placed, words: str) -> None:
    """Each sentence names the order, what its buyer did, and what is wrong."""
    found = judge([order])

    assert any(words in one for one in found), found
    assert all(order.script.value in one for one in found)


def test_one_message_in_two_wraps_is_found() -> None:
    """A retry is the same bytes, so a second wrap of a rumor is a message sent twice."""
    order = an_order(Script.LEAVES, "requested")
    order.told |= {Told("rumor 0 requested", "another wrap", "requested")}

    assert any("2 different wraps" in one for one in judge([order]))


def test_the_units_of_a_listing_follow_from_its_orders() -> None:
    """Sold is what was confirmed, held what still waits for money."""
    orders = [
        an_order(Script.PAYS, "requested", "confirmed", settled=True, quantity=2),
        an_order(Script.LEAVES, "requested", quantity=3),
        an_order(Script.CANCELS, "requested", "cancelled", quantity=5),
    ]

    assert units(10, orders) == Units(on_hand=8, held=3, sold=2)


def test_a_scarce_listing_is_sold_out_and_never_oversold() -> None:
    """With six buyers for four pieces four are served; five would be one too many, three one too few."""
    served = [an_order(Script.GRABS, "requested", "confirmed", settled=True, name=f"s{n}") for n in range(5)]
    turned_away = [an_order(Script.GRABS, "cancelled", name=f"t{n}") for n in range(3)]

    assert judge_stock(MUG, 4, [*served[:4], *turned_away[:2]]) == []
    assert judge_stock(MUG, 4, [*served, *turned_away[:1]]) == ["mug: 5 sold and 0 held of 4"]
    assert judge_stock(MUG, 4, [*served[:3], *turned_away]) == ["mug: 1 left over of 4, 6 were wanted"]
