"""The auditor's books on pay-outs: a journal in which one is paid twice, or by one person's word, does not pass."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from schemas.codec import encode
from services.audit.books import Books
from tests.streams.domain.test_payouts import an_invoice, approves, fails, pays, shows, sold, wants
from tests.streams.domain.test_refund_links import told
from tests.support.steps import refunded

Journal = list[dict[str, Any]]


def journal() -> Journal:
    """One pay-out that failed, and one of 600 sats that was paid, after 400 by hand."""
    story = sold().when(shows(an_invoice(name="bad")), wants(), approves(), fails(an_invoice(name="bad")))
    story.when(shows(an_invoice(600), "other"), refunded(400, "by hand"))
    story.when(wants(600, "anew"), approves(600, "agreed"), pays(an_invoice(600)))
    return [orjson.loads(encode(record)) for record in story.journal]


def breaches(records: Journal) -> set[str]:
    """The codes that the books complain of, with the records numbered anew."""
    books, found = Books(), set[str]()
    for number, record in enumerate(records):
        found |= {breach.code for breach in books.enter({**record, "seq": number + 1, "covers": number})}
    return found


def of(records: Journal, kind: str, number: int = 0) -> tuple[dict[str, Any], dict[str, Any]]:
    """The record that has the fact of this kind, and the fact."""
    return [(record, fact) for record in records for fact in record["events"] if fact["type"] == kind][number]


@pytest.mark.case("F13", "P32")
@pytest.mark.parametrize("kind", ["PayoutWanted", "PayoutApproved", "RefundRecorded"])
def test_a_pay_out_that_is_asked_for_approved_or_paid_twice_is_found(kind: str) -> None:
    """Each stands once in a sound journal."""
    records = journal()
    assert breaches(records) == set()
    record, fact = of(records, kind, 1)
    record["events"].insert(record["events"].index(fact), dict(fact))
    assert "I5" in breaches(records)


@pytest.mark.case("F13")
@pytest.mark.parametrize("kind", ["PayoutWanted", "PayoutApproved"])
def test_a_pay_out_that_nobody_asked_for_or_approved_is_found(kind: str) -> None:
    """Money that left has both words before it."""
    records = journal()
    record, fact = of(records, kind, 1)
    record["events"].remove(fact)
    assert "I5" in breaches(records)


@pytest.mark.case("F13")
def test_another_sum_than_was_approved_is_found() -> None:
    """Whether more was paid or less."""
    records = journal()
    of(records, "RefundRecorded", 1)[1]["amount_msat"] -= 1_000
    assert "I5" in breaches(records)


@pytest.mark.case("P32")
def test_a_pay_out_that_failed_and_is_paid_after_all_is_found() -> None:
    """Its money would be missing from what was given back."""
    records = journal()
    record, fact = of(records, "PayoutFailed")
    record["events"].append({**of(records, "RefundRecorded", 1)[1], "cause": fact["refund_id"]})
    assert "I5" in breaches(records)


@pytest.mark.case("F13", "P32")
def test_a_link_that_is_given_out_twice_unapproved_or_taken_back_is_found() -> None:
    """Whoever has it has the money."""
    sound = [orjson.loads(encode(record)) for record in told().journal]
    assert breaches(sound) == set()
    record, fact = of(sound, "RefundLinkMade")
    record["events"].insert(0, dict(fact))
    assert "I5" in breaches(sound)

    early = [orjson.loads(encode(record)) for record in told().journal]
    record, fact = of(early, "PayoutApproved")
    record["events"].remove(fact)
    assert "I5" in breaches(early)

    ended = [orjson.loads(encode(record)) for record in told().journal]
    record, fact = of(ended, "RefundLinkMade")
    record["events"].append({**fact, "type": "PayoutFailed", "reason": "no"})
    assert "I5" in breaches(ended)
