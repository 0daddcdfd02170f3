"""Checks that the doctor says which orders want a person."""

from __future__ import annotations

from services.cli.doctor import _attention


def test_the_doctor_says_how_many_orders_want_a_person_and_why() -> None:
    """It is no fault of the stack; where to look stands beside it."""
    found = _attention([{"attention": "refund_due", "orders": 1}, {"attention": "token_refused", "orders": 2}])
    assert (found.ok, found.advice) == (True, "ncc orders --attention")
    assert found.finding == "some want a person: 1 refund due, 2 token refused"
    assert _attention([]).advice == ""
