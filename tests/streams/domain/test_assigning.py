"""Money over the shop's address finds its order: by the merchant's word, or by a buyer's preimage; or is for none."""

from __future__ import annotations

import pytest

from schemas.addresses import (
    AddressAssigned,
    AddressClaimed,
    AddressClosed,
    AddressPaid,
    AddressRefusal,
    AddressReversed,
    AssignmentRefusal,
    AssignmentRefused,
    AssignPayment,
    ClosePayment,
    Closing,
    InvoiceRefused,
    InvoiceWanted,
)
from schemas.lnurl_served import description_hash
from schemas.messages import CommandBody
from schemas.nostr.kinds import Kind
from schemas.nostr.nip01 import to_json
from schemas.orders import MoveRefused, OrderMoved, OrderStatus
from schemas.payments import (
    BackendState,
    ObserveReversal,
    PaymentAxis,
    PaymentDropped,
    PaymentPartReceived,
    PaymentReported,
    PaymentReversed,
    PaymentSettled,
    PaymentWanted,
    ProofVerdict,
)
from schemas.publishing import PublicationPromised
from schemas.refunds import OwedFor, RefundOwed
from schemas.values import OrderKey
from tests.schemas.nostr.given import an_event
from tests.streams.domain.test_addresses import OPEN, SOLD, a_call, looked, made, requested
from tests.support import steps
from tests.support.builders import MERCHANT, NOW_MS, NOW_S, OTHER_BUYER, a_key, an_order
from tests.support.steps import cancelled, paid, receipt
from tests.support.story import Story, given

HASH = "01" * 32
"""The payment hash of the first call's invoice."""


def is_for(n: int = 1, key: OrderKey | None = None, cause: str = "operator 1") -> AssignPayment:
    """The merchant says for which order the call's money is."""
    return AssignPayment(intent_id=f"{n:064x}", order=key or a_key(), cause=cause)


def is_over(n: int = 1, closing: Closing = Closing.KEPT, cause: str = "operator 2") -> ClosePayment:
    """The merchant says that it is for none."""
    return ClosePayment(intent_id=f"{n:064x}", closing=closing, cause=cause)


def shows(rumor: str = "shown", *hashes: str) -> CommandBody:
    """The buyer shows the preimage of the call's invoice."""
    return receipt(rumor=rumor).model_copy(update={"preimage_hashes": hashes or (HASH,)})


def came(amount_msat: int = 10_000, *before: CommandBody) -> Story:
    """An order that waits for its 10 sats, and money over the address."""
    story = given(OPEN, SOLD, an_order(), requested(), *before)
    return story.when(a_call(amount_msat=amount_msat), made(amount_msat=amount_msat), looked(gross_msat=amount_msat))


def test_money_that_the_merchant_assigns_pays_the_order() -> None:
    """The order's own request is dropped, the order confirmed, and the same word said again is nothing."""
    story = came().when(is_for())
    assigned = story.one(AddressAssigned)
    assert (assigned.amount_msat, assigned.payment_hash, assigned.is_request) == (10_000, HASH, True)
    assert story.one(PaymentDropped).intent_id != assigned.intent_id
    assert (story.one(PaymentSettled).intent_id, story.one(PaymentSettled).new_msat) == (assigned.intent_id, 10_000)
    assert story.one(OrderMoved).to is OrderStatus.CONFIRMED
    assert (story.order().paid_msat, story.order().payment) == (10_000, PaymentAxis.PAID)

    story.when(is_for()).then_nothing()
    story.when(looked(gross_msat=10_000)).then_nothing()


def test_less_than_the_price_is_a_part_and_the_rest_is_asked_for() -> None:
    """As of any other request that took less than was due."""
    story = came(4_000).when(is_for())
    assert story.one(PaymentPartReceived).rest_msat == 6_000
    wanted = story.one(PaymentWanted)
    assert (wanted.part, wanted.amount_msat) == (2, 6_000)
    assert story.order().payment is PaymentAxis.PARTIAL


def test_more_than_the_price_and_money_for_a_paid_order_are_owed() -> None:
    """The surplus, or all of it."""
    story = came(21_000).when(is_for())
    assert (story.one(RefundOwed).amount_msat, story.one(RefundOwed).reason) == (11_000, OwedFor.OVER)

    story = came(10_000, paid(10)).when(is_for())
    assert story.one(PaymentSettled).late
    assert (story.one(RefundOwed).amount_msat, story.one(RefundOwed).reason) == (10_000, OwedFor.DOUBLE)


def test_money_for_a_dead_order_is_late() -> None:
    """The order stays dead, and the merchant decides."""
    story = came(10_000, cancelled()).when(is_for())
    assert not story.one(AddressAssigned).is_request
    assert story.one(PaymentSettled).late
    assert (story.order().status, story.order().payment) == (OrderStatus.CANCELLED, PaymentAxis.LATE)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ((is_for(2),), AssignmentRefusal.UNKNOWN_PAYMENT),
        ((is_for(key=a_key("nobody's")),), AssignmentRefusal.UNKNOWN_ORDER),
        ((is_for(), is_for(cause="again")), AssignmentRefusal.ALREADY_ASSIGNED),
        ((is_for(), is_over()), AssignmentRefusal.ALREADY_ASSIGNED),
        ((is_over(), is_for()), AssignmentRefusal.ALREADY_CLOSED),
        ((looked(state=BackendState.REVERSED), is_for()), AssignmentRefusal.NO_MONEY),
    ],
)
def test_money_that_is_not_to_be_had_stays_where_it_is(
    words: tuple[CommandBody, ...], reason: AssignmentRefusal
) -> None:
    """With a stable reason and a sentence; nothing else follows, and said again nothing at all."""
    story = came()
    for word in words:
        story.when(word)
    refused = story.one(AssignmentRefused)
    assert refused.reason is reason
    assert refused.detail
    assert len(story.events) == 1
    story.when(words[-1]).then_nothing()


def test_an_order_without_a_price_is_given_no_money() -> None:
    """It could not be said what of its price is paid."""
    story = given(
        OPEN, SOLD.model_copy(update={"listing": SOLD.listing.model_copy(update={"price": _euros()})}), rates={}
    )
    story.when(an_order(), a_call(), made(), looked())
    assert story.when(is_for()).one(AssignmentRefused).reason is AssignmentRefusal.NO_PRICE


def _euros() -> object:
    price = SOLD.listing.price
    return price.model_copy(update={"currency": "EUR"})


@pytest.mark.parametrize("closing", list(Closing))
def test_money_for_no_order_leaves_the_queue(closing: Closing) -> None:
    """Kept or returned, once; what is taken back after that is nobody's any more."""
    story = came().when(is_over(closing=closing))
    assert (story.one(AddressClosed).amount_msat, story.one(AddressClosed).closing) == (10_000, closing)
    story.when(is_over(closing=closing)).then_nothing()
    assert story.when(is_over(cause="again")).one(AssignmentRefused).reason is AssignmentRefusal.ALREADY_CLOSED
    story.when(looked(state=BackendState.REVERSED)).then_nothing()


def test_money_that_comes_after_the_word_waits_again() -> None:
    """An invoice that took a part, and the rest later: only the rest is in the queue, and can be an order's."""
    story = given(OPEN, SOLD, an_order(), requested(), a_call(amount_msat=14_000), made(amount_msat=14_000))
    story.when(looked(gross_msat=4_000, state=BackendState.PARTIAL), is_over())
    story.when(looked(gross_msat=14_000))
    assert story.when(is_for()).one(AddressAssigned).amount_msat == 10_000
    assert story.one(OrderMoved).to is OrderStatus.CONFIRMED
    story.when(looked(gross_msat=14_000)).then_nothing()


def test_a_buyer_who_shows_the_preimage_of_a_payment_over_the_address_has_it_entered_for_the_order() -> None:
    """What came is what the back-end said; the preimage only tells whose it is, and serves one order."""
    story = came().when(shows())
    assert story.one(PaymentReported).proof is ProofVerdict.FITS
    assert story.one(AddressAssigned).cause == receipt(rumor="shown").rumor_id
    assert story.one(OrderMoved).to is OrderStatus.CONFIRMED
    story.when(shows()).then_nothing()


@pytest.mark.case("F1")
def test_a_preimage_that_one_orders_money_came_with_is_refused_for_a_second_order() -> None:
    """Whoever shows it; the money stays where it is."""
    for key in (a_key("second"), a_key("second", OTHER_BUYER)):
        story = came(10_000, an_order(key=key, rumor="second")).when(steps.requested(10, key)).when(shows())
        story.when(shows("again").model_copy(update={"order": key}))

        assert story.one(MoveRefused).reason == "proof_reuse"
        assert (story.order().paid_msat, story.order(key).paid_msat) == (10_000, 0)


@pytest.mark.case("F3")
def test_a_preimage_that_is_shown_before_the_money_is_seen_waits_for_it() -> None:
    """It moves nothing by itself; the first who shows it has the money when it comes."""
    story = given(OPEN, SOLD, an_order(), requested(), a_call(amount_msat=10_000), made(amount_msat=10_000))
    assert story.when(shows()).one(AddressClaimed).order == a_key()
    assert story.order().status is OrderStatus.PENDING

    story.when(looked(gross_msat=10_000))
    assert story.one(AddressPaid).new_msat == story.one(PaymentSettled).new_msat == 10_000
    assert story.one(OrderMoved).to is OrderStatus.CONFIRMED


def test_a_claim_that_the_merchant_knows_better_gives_way() -> None:
    """Until the money is entered the merchant's word counts; money that never came is nobody's."""
    other = a_key("other")
    story = given(OPEN, SOLD, an_order(), requested(), an_order(key=other, rumor="other"))
    story.when(a_call(amount_msat=10_000), made(amount_msat=10_000), shows("first"))
    assert story.when(is_for(key=other)).one(AssignmentRefused).reason is AssignmentRefusal.NO_MONEY
    assert story.when(cancelled(), looked(gross_msat=10_000)).one(AddressAssigned).order == a_key()
    assert story.one(PaymentSettled).late


def test_assigned_money_that_is_taken_back_is_missing_at_its_order() -> None:
    """Found by a look-up or in the back-end's history; once."""
    for gone in (looked(state=BackendState.REVERSED), ObserveReversal(payment_hash=HASH)):
        story = came().when(is_for())
        story.when(gone)
        assert story.one(PaymentReversed).amount_msat == 10_000
        assert story.none(AddressReversed)
        assert story.order().payment is PaymentAxis.REVERSED
        story.when(gone).then_nothing()


def test_the_orders_own_request_that_is_paid_as_well_is_owed() -> None:
    """It was dropped, and may have been paid all the same."""
    story = came().when(is_for(), paid(10), at_ms=NOW_MS + 1_000)
    assert (story.one(RefundOwed).amount_msat, story.one(RefundOwed).reason) == (10_000, OwedFor.DOUBLE)


def test_a_zap_has_its_receipt_once_it_is_paid_and_only_then() -> None:
    """The invoice commits to the request; the receipt is the same event however often it is looked up."""
    zap = to_json(an_event(kind=Kind.ZAP_REQUEST, tags=(("p", MERCHANT), ("relays", "wss://r.example")), content=""))
    call = a_call(zap=zap, description_hash=description_hash(zap))
    assert given(OPEN).when(a_call(zap=zap)).one(InvoiceRefused).reason is AddressRefusal.NOT_SERVED
    story = given(OPEN).when(call)
    assert story.one(InvoiceWanted).zap == zap
    story.when(made(), looked(gross_msat=1_000, state=BackendState.PARTIAL))
    assert story.none(PublicationPromised)

    receipt_of = story.when(looked()).one(PublicationPromised)
    assert (receipt_of.template.kind, receipt_of.template.created_at) == (Kind.ZAP_RECEIPT, NOW_S)
    assert ("description", zap) in receipt_of.template.tags
    assert ("bolt11", made().text) in receipt_of.template.tags
    assert receipt_of.relays == ("wss://r.example",)
    story.when(looked()).then_nothing()
    assert (story.shop.asked[call.intent_id].zap, story.shop.asked[call.intent_id].text) == ("", "")
