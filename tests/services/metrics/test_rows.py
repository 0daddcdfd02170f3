"""Journal records as rows of `events`."""

from __future__ import annotations

from decimal import Decimal
from typing import get_args

import pytest

from schemas.inbox import AnswerPromised, MessageReceived
from schemas.messages import Event, JournalRecord
from schemas.orders import OrderLine, OrderPlaced, OrderQuoted, OrderRejected, QuotedLine
from schemas.payments import PaymentSettled
from schemas.replies import PaymentRequestReply, ReplyPromised
from schemas.stock import StockHeld
from schemas.values import Actor, Destination, Price, SealedDetails
from services.metrics.rows import NOTHING, EventRow, event_rows
from tests.services.metrics.conftest import pseudonym
from tests.services.metrics.scenes import a_record, an_empty_record, ten_orders
from tests.support.builders import BUYER, MERCHANT, NOW_MS, OTHER_MERCHANT, a_key, an_id, an_order, product
from tests.support.story import given


def rows_of(*events: Event, at_ms: int = NOW_MS) -> list[EventRow]:
    """The rows of one record with these events."""
    record = JournalRecord(seq=7, covers=9, merchant=MERCHANT, at_ms=at_ms, cause="test", events=events)
    return event_rows(3, record, pseudonym)


def placed(*lines: OrderLine, **fields: object) -> OrderPlaced:
    """An order as the journal has it."""
    return OrderPlaced.model_validate(
        {
            "order": a_key(),
            "revision": 1,
            "dialect": "gamma",
            "rumor_id": an_id("r"),
            "lines": lines,
            **fields,
        }
    )


def test_a_row_says_where_in_the_journal_its_event_stands() -> None:
    """Partition, sequence, position and line name a row for ever."""
    rows = event_rows(3, a_record(7), pseudonym)
    assert [row[:5] for row in rows] == [(3, 7, 0, 0, "StockSet"), (3, 7, 1, 1, "StockHeld")]


def test_a_record_without_events_still_leaves_its_sequence() -> None:
    """The writer's position is read back from rows, so every record has one."""
    (row,) = event_rows(0, an_empty_record(4), pseudonym)
    assert (row.sequence, row.type, row.order_ref) == (4, NOTHING, "")


def test_every_event_of_a_whole_history_makes_rows_of_its_own_type() -> None:
    """No event of ten orders is left out or takes another's name."""
    for record in ten_orders().journal:
        rows = event_rows(0, record, pseudonym)
        positions = {(row.position, row.type) for row in rows}
        assert positions == {(n, event.type) for n, event in enumerate(record.events)}


def test_no_two_rows_of_a_history_share_their_key() -> None:
    """Rows with the same key would count once where they should count twice."""
    rows = [row for record in ten_orders().journal for row in event_rows(0, record, pseudonym)]
    assert len({(row.merchant, row.type, *row[:4]) for row in rows}) == len(rows)


def test_the_move_to_confirmed_carries_what_was_paid_and_owed() -> None:
    """A sale is one row: the payment of the same record is written beside the move."""
    rows = [row for record in ten_orders().journal for row in event_rows(0, record, pseudonym)]
    sales = [(row.amount_msat, row.due_msat) for row in rows if row.status == "confirmed" and row.type == "OrderMoved"]
    assert sales == [(45_000, 45_000), (30_000, 30_000), (6_000, 6_000), (13_000, 13_000), (40_000, 40_000)]


def test_a_free_order_is_a_sale_of_nothing() -> None:
    """It is confirmed in the record that quotes it, without a payment."""
    from schemas.catalogue import RecordListing
    from schemas.shops import OpenShop
    from tests.support.builders import a_listing

    story = given(OpenShop(), RecordListing(listing=a_listing("gift", "0"))).when(an_order(("gift", 1)))
    rows = event_rows(0, story.journal[-1], pseudonym)
    assert [(r.amount_msat, r.due_msat) for r in rows if r.status == "confirmed" and r.type == "OrderMoved"] == [(0, 0)]


def test_a_payment_that_came_late_says_so() -> None:
    """Late money is counted apart."""
    settled = PaymentSettled(order=a_key(), intent_id="i", gross_msat=11_000, due_msat=10_000, settled_at=1, late=True)
    (row,) = rows_of(settled)
    assert (row.reason, row.subject, row.amount_msat, row.due_msat) == ("late", "i", 11_000, 10_000)


def test_a_line_is_worth_its_price_times_its_quantity() -> None:
    """In msat, at the rate of the quote; without a rate it is unknown rather than guessed."""
    story = ten_orders()
    quoted = next(e for record in story.journal for e in record.events if isinstance(e, OrderQuoted))

    def worth(amount: str, currency: str) -> int | None:
        price = Price(amount=Decimal(amount), currency=currency)
        line = QuotedLine(coordinate=product(), listing_event_id=an_id("l"), title="Tea", quantity=3, unit_price=price)
        quote = quoted.quote.model_copy(update={"lines": (line,), "rates": tuple(story.rates.values())})
        return rows_of(quoted.model_copy(update={"quote": quote}))[1].amount_msat

    assert [worth("1.5", "SATS"), worth("0.01", "USD"), worth("1", "XAU")] == [4_500, 30_000, None]


@pytest.mark.req("C-44")
def test_a_buyer_is_another_one_at_every_merchant() -> None:
    """The hash is made of both keys, so purchases cannot be joined across shops."""
    mine = event_rows(0, a_record(1), pseudonym)[1]
    other = event_rows(0, a_record(1, merchant=OTHER_MERCHANT), pseudonym)[1]
    assert mine.buyer != other.buyer
    assert BUYER not in (mine.buyer, other.buyer)


@pytest.mark.req("OPS-08")
def test_nothing_personal_reaches_a_row() -> None:
    """Sealed boxes, key ids, message texts, invoices and the buyer's key stay in the journal."""
    reply = PaymentRequestReply(amount_sats=1, options=(), expires_at=1, text="dear SECRET")
    rows = rows_of(
        placed(
            OrderLine(coordinate="SECRET street 1", quantity=1),
            details=SealedDetails(key_id="SECRET", box="SECRET"),
            destination=Destination(country="SECRET", region="SECRET"),
            warnings=("SECRET",),
        ),
        ReplyPromised(order=a_key(), number=1, dialect="gamma", answers=an_id("r"), at_s=1, reply=reply),
        OrderRejected.model_validate(
            {"order": a_key(), "findings": [{"refusal": "unknown_item", "subject": "SECRET"}]}
        ),
    )
    text = repr(rows)
    assert "SECRET" not in text
    assert BUYER not in text


def test_what_a_stranger_wrote_is_brought_into_range() -> None:
    """A quantity of forty digits and a time beyond all calendars are stored as the ends of their columns."""
    line = rows_of(placed(OrderLine(coordinate=product(), quantity=10**40)), at_ms=10**18)[1]
    assert (line.quantity, line.at) == (2**63 - 1, 10_413_791_999_999)


def test_an_order_with_too_many_lines_fills_no_table() -> None:
    """It is turned down, so a hundred of its lines are enough."""
    lines = [OrderLine(coordinate=product(), quantity=1)] * 5_000
    assert len(rows_of(placed(*lines))) == 101


def test_stock_moves_with_its_lines_and_not_with_its_event() -> None:
    """A hold without lines still leaves its row, with nothing in it to sum."""
    (row,) = rows_of(StockHeld(order=a_key(), lines=()))
    assert (row.line, row.quantity, row.coordinate) == (0, None, "")


def test_the_scenario_covers_most_kinds_of_events() -> None:
    """The tests above are only worth as much as the history they read."""
    kinds = {event.type for record in ten_orders().journal for event in record.events}
    every = {kind.model_fields["type"].default for kind in get_args(get_args(Event)[0])}
    assert kinds <= every
    assert len(kinds) >= 15


def test_a_message_of_a_person_is_a_row_without_its_text() -> None:
    """The writer is a keyed hash, as everywhere in events."""
    sealed = SealedDetails(key_id="k", box="SECRET")
    received = MessageReceived(
        buyer=BUYER, author=Actor.BUYER, rumor_id=an_id("m"), said_s=1, text=sealed, order=a_key()
    )
    promised = AnswerPromised(buyer=BUYER, name="c5" * 16, at_s=1, text=sealed)

    rows = rows_of(received, promised)

    assert [(row.type, row.buyer, row.order_ref) for row in rows] == [
        ("MessageReceived", pseudonym(MERCHANT, BUYER), a_key().ref),
        ("AnswerPromised", pseudonym(MERCHANT, BUYER), ""),
    ]
    assert rows[0].subject == an_id("m")
    assert "SECRET" not in repr(rows)
    assert BUYER not in repr(rows)
