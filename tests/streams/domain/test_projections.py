"""Checks that the state tables say what the shop says, however often they see a record."""

import pytest

from schemas.catalogue import RecordDeletion, RecordListing
from schemas.inbox import AnswerMessage, DeleteMessages, ReceiveMessage
from schemas.messages import JournalRecord
from schemas.orders import OrderStatus, ShippingStatus
from schemas.payments import PaymentAxis
from schemas.reviews import RecordReview
from schemas.rows import InventoryRow, MessageRow, OrderRow, ReviewRow, Row
from schemas.values import Actor, SealedDetails
from streams.domain.projections import RowKey, fold, message_key, review_key
from tests.support.builders import (
    BUYER,
    MERCHANT,
    NOW_MS,
    NOW_S,
    a_key,
    a_listing,
    a_review,
    an_id,
    an_order,
    product,
)
from tests.support.steps import cancelled, moved, paid, parcel, receipt, requested
from tests.support.story import Story, given

TEA = RecordListing(listing=a_listing("tea", "10", stock=5))
Table = dict[RowKey, Row]


def tables(story: Story, table: Table | None = None, records: list[JournalRecord] | None = None) -> Table:
    """The rows after these records (the story's own, unless told)."""
    table = {} if table is None else table
    for record in story.journal if records is None else records:
        table.update(fold(record, 3, table.get))
    return table


def order_row(story: Story) -> OrderRow:
    """The order's row."""
    row = tables(story)[RowKey("orders", a_key().ref)]
    assert isinstance(row, OrderRow)
    return row


def inventory_row(story: Story) -> InventoryRow:
    """The tea's row."""
    row = tables(story)[RowKey("inventory", product())]
    assert isinstance(row, InventoryRow)
    return row


def a_long_story() -> Story:
    """An order amended, asked, paid, shipped and cancelled after all."""
    story = given(TEA, an_order(("tea", 1)), an_order(("tea", 2), rumor="2"), requested(20, revision=2))
    story.when(receipt(), paid(20, revision=2), moved(OrderStatus.PROCESSING), at_ms=NOW_MS + 5)
    return story.when(parcel(ShippingStatus.SHIPPED, tracking="T1"), cancelled(), cancelled(Actor.MERCHANT))


def test_the_row_follows_the_order_on_every_axis() -> None:
    """Status, payment, shipping, sums and times."""
    row = order_row(a_long_story())

    assert (row.status, row.payment, row.shipping) == (
        OrderStatus.CANCELLED,
        PaymentAxis.REFUND_DUE,
        ShippingStatus.SHIPPED,
    )
    assert (row.revision, row.total_msat, row.paid_msat, row.tracking) == (2, 20_000, 20_000, "T1")
    assert (row.placed_ms, row.requested_ms, row.confirmed_ms) == (NOW_MS, NOW_MS, NOW_MS + 5)
    assert row.cancellation_requested
    assert (row.partition, row.sequence) == (3, len(a_long_story().journal))


@pytest.mark.parametrize("steps", range(9))
def test_after_every_step_the_rows_are_the_shop(steps: int) -> None:
    """Two folds of one journal, written apart, agree on orders and stock."""
    whole = a_long_story()
    part = Story()
    part.journal = whole.journal[: steps + 1]
    shop, rows = part.refolded(), tables(part)

    for ref, order in shop.orders.items():
        row = rows[RowKey("orders", ref)]
        assert isinstance(row, OrderRow)
        assert (row.status, row.payment, row.shipping) == (order.status, order.payment, order.parcel)
    for coordinate, stock in shop.stock.items():
        kept = rows[RowKey("inventory", coordinate)]
        assert isinstance(kept, InventoryRow)
        assert (kept.on_hand, kept.held) == (stock.on_hand, stock.held)


def test_a_record_seen_again_changes_nothing() -> None:
    """D4: tables ahead of the log skip what they hold."""
    story = a_long_story()
    once = tables(story)

    assert tables(story, dict(once)) == once
    assert fold(story.journal[2], 3, once.get) == {}


def test_a_record_with_several_facts_about_one_row_is_folded_whole() -> None:
    """The first of them must not make the others look old."""
    row = order_row(given(TEA, an_order(("tea", 2))))

    assert (row.status, row.payment) == (OrderStatus.PENDING, PaymentAxis.WANTED)


def test_a_waiting_and_a_rejected_order_say_why() -> None:
    """The reason is the stable code."""
    assert order_row(given(an_order())).reason == "unknown_item"
    listing = RecordListing(listing=a_listing("tea", "1", "USD"))
    assert order_row(given(listing, an_order(), rates={})).reason == "no_rate"


def test_an_order_that_died_unpaid_owes_no_refund() -> None:
    """As in the shop."""
    assert order_row(given(TEA, an_order(), requested(10), cancelled())).payment is PaymentAxis.REQUESTED
    free = RecordListing(listing=a_listing("tea", "0", "SATS"))
    assert order_row(given(free, an_order(), cancelled(Actor.MERCHANT))).payment is PaymentAxis.NONE


def test_late_money_is_in_the_row() -> None:
    """And the order stays dead."""
    row = order_row(given(TEA, an_order(), requested(10), cancelled(), paid(10)))

    assert (row.status, row.payment, row.paid_msat) == (OrderStatus.CANCELLED, PaymentAxis.LATE, 10_000)


def test_a_message_without_an_order_makes_no_row() -> None:
    """A parked cancel is not an order."""
    assert tables(given(cancelled())) == {}


def test_inventory_counts_on_hand_held_and_sold() -> None:
    """Five; two sold, one held: three on hand, two available."""
    story = given(TEA, an_order(("tea", 2)), requested(20), paid(20))
    row = inventory_row(story.when(an_order(("tea", 1), key=a_key("2"), rumor="2")))

    assert (row.title, row.price) == ("Tea", "10 SATS")
    assert (row.on_hand, row.held, row.sold, row.available) == (3, 1, 2, 2)


def test_an_untracked_listing_has_no_number_to_be_available() -> None:
    """Its sales are in the orders."""
    row = inventory_row(given(RecordListing(listing=a_listing("tea")), an_order(("tea", 2)), requested(20), paid(20)))

    assert (row.on_hand, row.available) == (None, None)


def test_a_withdrawn_listing_is_marked_until_it_is_published_again() -> None:
    """Rows are never dropped: orders point at them."""
    gone = RecordDeletion(author=MERCHANT, created_at=NOW_S, coordinates=(product(),))
    story = given(TEA, gone)
    assert inventory_row(story).withdrawn

    story.when(RecordListing(listing=a_listing("tea", "10", stock=5, created_at=NOW_S + 1)))
    assert not inventory_row(story).withdrawn


def test_a_review_row_keeps_parts_and_both_scores() -> None:
    """And is marked once its author took it back."""
    review = a_review("1", ("quality", "0.5"))
    story = given(RecordReview(review=review))
    row = tables(story)[review_key(product(), BUYER)]
    assert isinstance(row, ReviewRow)
    assert (str(row.score), str(row.strict_score)) == ("0.75", "0.75")
    assert [(label, str(score)) for label, score in row.categories] == [("quality", "0.5")]

    story.when(RecordDeletion(author=BUYER, created_at=NOW_S + 1, event_ids=(review.event_id,)))
    gone = tables(story)[review_key(product(), BUYER)]
    assert isinstance(gone, ReviewRow)
    assert gone.withdrawn


def test_a_deletion_of_a_review_nobody_saw_makes_no_row() -> None:
    """There is nothing to show."""
    address = f"31555:{BUYER}:a:{product()}"

    story = given(RecordDeletion(author=BUYER, created_at=NOW_S, coordinates=(address,)))

    assert len(story.journal) == 1
    assert tables(story) == {}


def message_row(story: Story, name: str = "letter") -> MessageRow:
    """A message's row."""
    row = tables(story)[message_key(MERCHANT, an_id(name))]
    assert isinstance(row, MessageRow)
    return row


def test_a_message_has_a_row_of_its_own_and_its_deletion_marks_it() -> None:
    """Beside it an order's row, which a deletion of the order's message only marks."""
    letter = ReceiveMessage(
        buyer=BUYER, author=Actor.BUYER, rumor_id=an_id("letter"), said_s=NOW_S, order_refs=(a_key().ref,)
    )
    story = given(TEA, an_order(("tea", 1)), letter)
    before = order_row(story)
    assert (message_row(story).order_ref, message_row(story).deleted) == (a_key().ref, False)

    story.when(DeleteMessages(buyer=BUYER, actor=Actor.BUYER, rumor_ids=(an_id("letter"), an_id("rumor-1"))))

    assert message_row(story).deleted
    after = order_row(story)
    assert (before.message_deleted, after.message_deleted, after.status) == (False, True, OrderStatus.PENDING)


def test_an_answer_has_a_row_under_its_name() -> None:
    """The merchant's, written here."""
    story = given().when(AnswerMessage(buyer=BUYER, name="c5" * 16, text=SealedDetails(key_id="k", box="b")))

    row = tables(story)[message_key(MERCHANT, "c5" * 16)]

    assert isinstance(row, MessageRow)
    assert (row.author, row.is_answer, row.said_ms) == (Actor.MERCHANT, True, NOW_MS)


@pytest.mark.parametrize("warnings", [(), ("leaky",)])
def test_an_order_written_for_everybody_to_read_is_marked(warnings: tuple[str, ...]) -> None:
    """The merchant is warned by the row."""
    story = given(TEA, an_order(("tea", 1)).model_copy(update={"warnings": warnings}))

    assert order_row(story).leaky is bool(warnings)
