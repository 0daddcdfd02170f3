"""Checks orders that are paid on the chain: money on its way, final, and taken back by a reorganisation."""

from __future__ import annotations

import json

import pytest

from schemas.bip21 import ChainRequest, write
from schemas.catalogue import RecordListing
from schemas.dialects import DIALECTS
from schemas.orders import MoveRefused, OrderMoved, OrderStatus, ReachDeadline, ShippingStatus
from schemas.payments import (
    AnnouncePayment,
    BackendState,
    NamedPayment,
    ObservePayment,
    ObserveReversal,
    PaymentAnnounced,
    PaymentAxis,
    PaymentForm,
    PaymentRequested,
    PaymentReversed,
    PaymentSeen,
    PaymentSettled,
    request_digest,
)
from schemas.replies import PaymentRequestReply, ReplyPromised, TextReply
from schemas.rows import OrderRow, Row
from schemas.shops import OpenShop, ShopSettings
from schemas.stock import StockCommitted
from streams.domain.projections import RowKey, fold
from tests.support.books import audited
from tests.support.builders import MERCHANT, NOW_MS, a_key, a_listing, an_order
from tests.support.steps import paid, parcel, requested
from tests.support.story import Story, given

TEA = RecordListing(listing=a_listing("tea", "1000", stock=5))
ADDRESS = "bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu"
URI = write(ChainRequest(ADDRESS, 1_000, "Order 1"))
REQUEST = requested(1_000).model_copy(update={"medium": "bitcoin", "text": URI, "payment_hash": None})
HOUR_MS = 3_600_000


def asked(order: dict[str, object] | None = None, **settings: int) -> Story:
    """An order for 1,000 sats that is to be paid on the chain."""
    rules = (OpenShop(settings=ShopSettings(**settings)),) if settings else ()
    placed = an_order(("tea", 1)).model_copy(update=order or {})
    return given(*rules, TEA, placed).when(REQUEST)


def seen(state: BackendState = BackendState.PENDING) -> ObservePayment:
    """The money is in the mempool."""
    return paid(0, state=state)


def row(story: Story) -> OrderRow:
    """The order's row, which has to say what the fold says; the books are in order."""
    audited(story.journal)
    rows: dict[RowKey, Row] = {}
    for record in story.journal:
        rows.update(fold(record, 0, rows.get))
    found = rows[RowKey("orders", a_key().ref)]
    assert isinstance(found, OrderRow)
    assert (found.payment, found.status) == (story.order().payment, story.order().status)
    return found


@pytest.mark.case("P20")
@pytest.mark.req("PAY-10")
@pytest.mark.parametrize("state", [BackendState.PENDING, BackendState.HELD])
def test_money_on_its_way_is_reported_and_pays_once_it_is_final(state: BackendState) -> None:
    """Without a block nothing is sold and nothing sent; with its blocks the order is confirmed."""
    story = asked().when(seen(state)).then(PaymentSeen, ReplyPromised)
    reply = story.reply()
    assert isinstance(reply, TextReply)
    assert "on its way" in reply.text
    assert (story.order().status, row(story).payment) == (OrderStatus.PENDING, PaymentAxis.REPORTED)
    story.when(seen(state)).then_nothing()

    story.when(paid(1_000)).then(PaymentSettled, StockCommitted, OrderMoved, ReplyPromised)
    assert (row(story).status, story.order().payment) == (OrderStatus.CONFIRMED, PaymentAxis.PAID)


@pytest.mark.case("P20")
@pytest.mark.req("PAY-10")
def test_an_order_waits_for_money_that_was_seen_as_long_as_its_shop_says() -> None:
    """The request's own time is a quarter of an hour, and blocks take longer; then it is over like any other."""
    story = asked(final_wait_s=7_200).when(seen(), at_ms=NOW_MS)
    (event, _) = story.events
    assert isinstance(event, PaymentSeen)
    assert event.deadline_ms == NOW_MS + 2 * HOUR_MS
    first_ms = NOW_MS + 960_000
    story.when(ReachDeadline(order=a_key(), deadline_ms=first_ms), at_ms=first_ms).then_nothing()
    end_ms = NOW_MS + 2 * HOUR_MS
    story.when(ReachDeadline(order=a_key(), deadline_ms=end_ms), at_ms=end_ms)
    assert row(story).status is OrderStatus.EXPIRED


def test_an_order_whose_money_is_on_its_way_is_not_amended() -> None:
    """Its request is dead by the clock, and what pays it is under way."""
    story = asked().when(seen())
    later = an_order(("tea", 2)).model_copy(update={"rumor_id": "ab" * 32})
    story.when(later, at_ms=NOW_MS + HOUR_MS)
    assert story.order().revision == 1


def test_a_part_that_came_stays_a_part_while_more_is_on_its_way() -> None:
    """The axis says partial; the order waits."""
    story = asked().when(paid(400, state=BackendState.PARTIAL), seen())
    assert row(story).payment is PaymentAxis.PARTIAL


def test_money_on_its_way_to_an_order_that_is_over_says_nothing() -> None:
    """It is late if it comes; until then there is nothing to decide."""
    story = asked()
    deadline_ms = story.order().deadline_ms
    assert deadline_ms is not None
    story.when(ReachDeadline(order=a_key(), deadline_ms=deadline_ms), at_ms=deadline_ms)
    story.when(seen(), at_ms=deadline_ms).then_nothing()
    given(TEA, an_order(("tea", 1))).when(seen()).then_nothing()


@pytest.mark.case("P19")
@pytest.mark.req("TR-16")
@pytest.mark.req("C-26")
def test_a_reorganisation_takes_a_paid_orders_money_back_and_keeps_its_parcel() -> None:
    """The request is found by its address; nothing is sent, and the order wants a person."""
    story = asked().when(paid(1_000))
    story.when(ObserveReversal(payment_hash=request_digest(ADDRESS))).then(PaymentReversed, ReplyPromised)
    assert row(story).payment is PaymentAxis.REVERSED
    story.when(parcel(ShippingStatus.SHIPPED)).then(MoveRefused)
    story.when(ObserveReversal(payment_hash=request_digest(URI))).then_nothing()


def test_a_buyer_who_names_the_address_is_taken_to_pay_the_request() -> None:
    """With or without the amount, in either case (16 of type 2 by the buyer)."""
    for text in (ADDRESS, ADDRESS.upper(), URI):
        digest = request_digest(text)
        named = NamedPayment(medium="bitcoin", form=PaymentForm.OTHER, name=digest, digest=digest)
        said = AnnouncePayment(order=a_key(), rumor_id="cd" * 32, amount_sats=1_000, payments=(named,))
        asked().when(said).then(PaymentAnnounced)


@pytest.mark.req("PAY-21")
def test_a_stalls_order_of_a_shop_that_is_paid_on_the_chain_alone_is_offered_that_alone() -> None:
    """Type 1 of NIP-15 has one option, `btc` with the address; the price stands in the message."""
    story = asked({"dialect": "nip15"})
    (promised,) = (event for event in story.events if isinstance(event, ReplyPromised))
    said = json.loads(DIALECTS["nip15"].write(promised).content)
    assert (said["type"], said["payment_options"]) == (1, [{"type": "btc", "link": ADDRESS}])
    assert "1000" in said["message"].replace(",", "")


@pytest.mark.parametrize("dialect", ["gamma", "k14", "k15"])
def test_a_payment_tag_has_the_address_alone(dialect: str) -> None:
    """As the market spec writes it; the amount has a tag of its own, or the text says it."""
    story = asked({"dialect": dialect})
    (promised,) = (event for event in story.events if isinstance(event, ReplyPromised))
    assert isinstance(promised.reply, PaymentRequestReply)
    draft = DIALECTS[dialect].write(promised)
    assert [tag for tag in draft.tags if tag[0] == "payment"] == [("payment", "bitcoin", ADDRESS)]
    assert next(tag for tag in draft.tags if tag[0] == "amount")[1] == "1000"


def test_the_journal_keeps_the_whole_text() -> None:
    """With the amount, as it was checked."""
    story = asked()
    (event, _) = story.events
    assert isinstance(event, PaymentRequested)
    assert (event.text, event.order.merchant) == (URI, MERCHANT)
