"""Which orders want a person, as the operator reads it from ClickHouse."""

from __future__ import annotations

import pytest

from schemas.cashu.faults import TokenFault
from schemas.payments import BackendState
from schemas.rows import OrderRow
from services.metrics.store import Store
from services.metrics.writer import MetricsWriter
from tests.services.metrics.scenes import only, state_rows
from tests.streams.domain.test_absence import END_MS
from tests.streams.domain.test_ecash import asked, hands_in, refuses
from tests.streams.domain.test_forgotten import GONE, forgotten
from tests.streams.domain.test_payouts import an_invoice, approves, fails, pays, shows, sold, wants
from tests.streams.domain.test_reinstating import BACK, LATER_MS, expired
from tests.support.steps import cancelled, paid
from tests.support.story import Story

pytestmark = pytest.mark.real


def attention(store: Store, writer: MetricsWriter, story: Story) -> str:
    """Why the story's order wants a person; empty where it does not."""
    writer.write_orders(only(OrderRow, state_rows(story.journal)))
    ((why,),) = store.query("SELECT attention FROM orders_attention").rows
    return str(why)


@pytest.mark.req("PAY-11")
def test_ecash_that_was_not_taken_wants_a_person_while_its_order_waits(store: Store, writer: MetricsWriter) -> None:
    """Of a mint that is not listed, say; not while other ecash is swapped, and not once the order is paid."""
    story = asked().when(hands_in())
    assert attention(store, writer, story) == ""
    story.when(refuses(reason=TokenFault.FOREIGN_MINT))
    assert attention(store, writer, story) == "token_refused"
    story.when(hands_in("another"))
    assert attention(store, writer, story) == ""
    story.when(refuses("another"))
    assert attention(store, writer, story) == "token_refused"
    story.when(paid(20))
    assert attention(store, writer, story) == ""


@pytest.mark.case("P18")
def test_a_request_that_its_wallet_has_forgotten_wants_a_person_while_its_order_waits(
    store: Store, writer: MetricsWriter
) -> None:
    """Until the wallet knows it again, or somebody decides."""
    story = forgotten()
    assert attention(store, writer, story) == "request_forgotten"
    story.when(paid(0, state=BackendState.OPEN), at_ms=END_MS - 30_000)
    assert attention(store, writer, story) == ""
    story.when(GONE, at_ms=END_MS - 20_000)
    assert attention(store, writer, story) == "request_forgotten"
    story.when(cancelled(), at_ms=END_MS - 10_000)
    assert attention(store, writer, story) == ""


@pytest.mark.req("TR-15", "C-04")
def test_late_money_wants_a_person_until_it_is_taken_or_given_back(store: Store, writer: MetricsWriter) -> None:
    """An order that goes on wants nobody."""
    story = expired().when(paid(1_000), at_ms=LATER_MS)
    assert attention(store, writer, story) == "payment_late"
    story.when(BACK, at_ms=LATER_MS)
    assert attention(store, writer, story) == ""


@pytest.mark.req("C-01")
def test_a_pay_out_wants_a_person_until_it_was_paid(store: Store, writer: MetricsWriter) -> None:
    """It waits to be approved, is under way, failed, and is asked for anew; once it is paid it wants nobody."""
    story, other = sold().when(shows(an_invoice())), an_invoice(name="other")
    for said, why in (
        (wants(), "payout_to_approve"),
        (approves(), "payout_under_way"),
        (fails(an_invoice()), "payout_failed"),
        (shows(other, "another"), "payout_failed"),
        (wants(cause="anew"), "payout_to_approve"),
        (approves(cause="agreed"), "payout_under_way"),
        (pays(other), ""),
    ):
        story.when(said)
        assert attention(store, writer, story) == why
