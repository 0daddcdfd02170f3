"""What is seen outside, against the journal."""

from __future__ import annotations

from services.audit.invariants import Breach
from services.audit.outside import SHOWN_MAX, outcomes_told, receipts_agree, tables_agree, totals_agree
from tests.support.builders import MERCHANT

ONE, TWO, THREE = "1a" * 16, "2b" * 16, "3c" * 16


def sentences(found: list[Breach], code: str) -> list[str]:
    """What was found; all of it under this code, with no record to blame."""
    assert {(one.code, one.merchant, one.sequence) for one in found} <= {(code, MERCHANT, 0)}
    return [one.sentence for one in found]


def test_one_message_on_many_relays_is_one_outcome() -> None:
    """Seen three times under one id."""
    assert outcomes_told(MERCHANT, [ONE], [(ONE, "m1"), (ONE, "m1"), (ONE, "m1")]) == []


def test_outcomes_that_are_missing_doubled_or_unfounded_are_named() -> None:
    """I4: each paid order has exactly one confirmation, and no other has any."""
    found = outcomes_told(MERCHANT, [ONE, TWO], [(ONE, "m1"), (ONE, "m2"), (THREE, "m3")])

    assert sentences(found, "I4") == [
        "order 2b2b2b2b2b was paid, and its buyer has no confirmation",
        "order 3c3c3c3c3c was confirmed, and no money is known",
        "order 1a1a1a1a1a was confirmed by 2 different messages",
    ]


def test_receipts_are_the_back_ends_settled_set() -> None:
    """I5: the same intents for the same money."""
    assert receipts_agree(MERCHANT, {"a": 1, "b": 2}, {"a": 1, "b": 2}) == []
    assert sentences(receipts_agree(MERCHANT, {"a": 1, "b": 2}, {"b": 3, "c": 4}), "I5") == [
        "the back-end lacks the payment a",
        "payment b: the journal says 2, the back-end 3",
        "the back-end has a payment c that the journal does not know",
    ]


def test_rows_are_what_folding_gives_and_their_bytes_are_not_shown() -> None:
    """I6: a row may hold anything, so a difference in bytes is only measured."""
    assert tables_agree(MERCHANT, {"r": b"same"}, {"r": b"same"}) == []
    (sentence,) = sentences(tables_agree(MERCHANT, {"r": b"one"}, {"r": b"other"}), "I6")
    assert sentence == "row r: the journal says 3 bytes, the table 5 bytes"


def test_totals_are_the_ledgers() -> None:
    """I7: figure by figure."""
    assert totals_agree(MERCHANT, {"2023-11-14": "2 payments"}, {"2023-11-14": "2 payments"}) == []
    assert len(sentences(totals_agree(MERCHANT, {"2023-11-14": "2 payments"}, {}), "I7")) == 1


def test_a_table_that_is_wrong_everywhere_is_not_named_row_by_row() -> None:
    """The last sentence counts the rest."""
    found = sentences(tables_agree(MERCHANT, {str(n): n for n in range(100)}, {}), "I6")

    assert len(found) == SHOWN_MAX + 1
    assert found[-1] == "80 more differences of this kind"
