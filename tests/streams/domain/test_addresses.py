"""Lightning addresses that are served here: who gets an invoice, where an order's own leads, and what came."""

from __future__ import annotations

import pytest

from schemas import limits
from schemas.addresses import (
    AddressPaid,
    AddressRefusal,
    AddressReversed,
    AskInvoice,
    AskRequest,
    InvoiceMade,
    InvoiceRefused,
    InvoiceWanted,
    ObserveInvoice,
    RecordInvoice,
    RecordInvoiceFailure,
    RequestShown,
)
from schemas.catalogue import RecordListing
from schemas.freezes import FreezeMerchant
from schemas.lnurl_served import description_hash, metadata, order_description_hash, shop_memo
from schemas.orders import MoveOrder, OrderMoved, OrderStatus
from schemas.payments import (
    AnnouncePayment,
    BackendState,
    Method,
    NamedPayment,
    ObservePayment,
    ObserveReversal,
    PaymentAnnounced,
    PaymentForm,
    PaymentRequested,
    PaymentSettled,
    PaymentWanted,
    RecordPaymentRequest,
    intent_id,
)
from schemas.replies import PaymentOption, PaymentRequestReply
from schemas.shops import OpenShop, ShopSettings
from schemas.values import Actor
from tests.support.builders import NOW_MS, NOW_S, a_key, a_listing, an_order
from tests.support.steps import paid
from tests.support.story import Story, given

ADDRESS = "shop@shop.example"
SOLD = RecordListing(listing=a_listing())
OPEN = OpenShop(settings=ShopSettings(lightning_address=ADDRESS))
OF_ORDER = f"shop.{a_key().ref}@shop.example"
SAID = description_hash(metadata(ADDRESS, shop_memo(ADDRESS)))
TEXT = "lnbcrt200n1request"


def a_call(n: int = 1, amount_msat: int = 21_000, **changes: object) -> AskInvoice:
    """Somebody asks the shop's address for an invoice; each number is a call of its own."""
    call = AskInvoice(
        intent_id=f"{n:064x}",
        address=ADDRESS,
        amount_msat=amount_msat,
        description_hash=SAID,
        expires_at=NOW_S + 600,
    )
    return call.model_copy(update=changes)


def made(n: int = 1, amount_msat: int = 21_000) -> RecordInvoice:
    """The back-end made the call's invoice."""
    return RecordInvoice(
        intent_id=f"{n:064x}",
        text="lnbcrt210n1call",
        payment_hash=f"{n:02x}" * 32,
        amount_msat=amount_msat,
        expires_at=NOW_S + 600,
    )


def looked(n: int = 1, gross_msat: int = 21_000, state: BackendState = BackendState.SETTLED) -> ObserveInvoice:
    """The back-end was asked about the call's invoice."""
    return ObserveInvoice(intent_id=f"{n:064x}", state=state, gross_msat=gross_msat, settled_at=NOW_S)


def requested(is_addressed: bool = True) -> RecordPaymentRequest:
    """The order's request was made."""
    return RecordPaymentRequest(
        order=a_key(),
        intent_id=intent_id(a_key(), 1),
        medium="lightning",
        text=TEXT,
        payment_hash="ab" * 32,
        amount_msat=10_000,
        expires_at=NOW_S + 900,
        is_addressed=is_addressed,
    )


def a_wallet(n: int = 1, amount_msat: int = 10_000) -> AskRequest:
    """A wallet asks the order's own address; each number is a call of its own."""
    return AskRequest(call_id=f"{n:064x}", order_ref=a_key().ref, amount_msat=amount_msat)


def shown() -> Story:
    """An order whose buyer was shown its payment request."""
    return given(OPEN, SOLD, an_order(), requested())


def test_a_call_to_the_shops_address_has_an_invoice_made_for_it() -> None:
    """With what the address says of itself committed to; the caller is answered once it is there."""
    story = given(OPEN).when(a_call())
    wanted = story.one(InvoiceWanted)
    assert (wanted.amount_msat, wanted.expires_at, wanted.description_hash) == (21_000, NOW_S + 600, SAID)

    story.when(made()).then(InvoiceMade)
    story.when(made()).then_nothing()


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (a_call(address="other@shop.example"), AddressRefusal.NOT_SERVED),
        (a_call(description_hash="00" * 32), AddressRefusal.NOT_SERVED),
        (a_call(amount_msat=999), AddressRefusal.BAD_AMOUNT),
        (a_call(amount_msat=21_500), AddressRefusal.BAD_AMOUNT),
        (a_call(amount_msat=limits.ORDER_SATS.most * 1_000 + 1), AddressRefusal.BAD_AMOUNT),
    ],
)
def test_a_call_that_cannot_be_served_is_refused_with_its_reason(call: AskInvoice, reason: AddressRefusal) -> None:
    """Nothing is made for it."""
    given(OPEN).when(call).then(InvoiceRefused(intent_id=call.intent_id, reason=reason))


def test_a_shop_without_an_address_a_closed_and_a_frozen_one_give_no_invoice() -> None:
    """Each says why."""
    freeze = FreezeMerchant(code="I2", reason="looked into", cause="x")
    for history, reason in (
        ((), AddressRefusal.SHOP_CLOSED),
        ((OpenShop(settings=ShopSettings()),), AddressRefusal.NOT_SERVED),
        ((OPEN, freeze), AddressRefusal.SHOP_FROZEN),
    ):
        assert given(*history).when(a_call()).one(InvoiceRefused).reason is reason


@pytest.mark.case("F16")
def test_an_address_has_so_many_unpaid_invoices_at_once() -> None:
    """One more is refused until one is paid or its time is over."""
    story = given(OPEN, *(a_call(n) for n in range(limits.ADDRESS_INVOICES.most)))
    assert story.when(a_call(999)).one(InvoiceRefused).reason is AddressRefusal.TOO_MANY_OPEN

    story.when(made(3), looked(3))
    story.when(a_call(1_000)).then(InvoiceWanted)
    assert story.when(a_call(1_001)).one(InvoiceRefused).reason is AddressRefusal.TOO_MANY_OPEN
    story.when(a_call(1_002), at_ms=NOW_MS + 600_000).then(InvoiceWanted)


def test_a_wallet_that_makes_no_invoice_is_said_to_refuse() -> None:
    """The caller is told, once, and the place is free again."""
    failed = RecordInvoiceFailure(intent_id=a_call().intent_id, reason="unsupported")
    story = given(OPEN, a_call()).when(failed)

    assert story.one(InvoiceRefused).reason is AddressRefusal.WALLET_REFUSES
    story.when(failed).then_nothing()
    assert not story.shop.asked


def test_money_over_the_address_is_entered_once_and_is_no_orders() -> None:
    """A part counts as what came; the rest as what is new; the same look-up again as nothing."""
    story = given(OPEN, SOLD, an_order(), a_call(), made())
    story.when(looked(gross_msat=1_000, state=BackendState.PARTIAL)).then(AddressPaid)
    story.when(looked())
    assert (story.one(AddressPaid).new_msat, story.order().paid_msat) == (20_000, 0)
    story.when(looked()).then_nothing()


def test_money_for_an_invoice_that_was_forgotten_still_counts_once() -> None:
    """The back-end held it for days; nothing that came is lost, and nothing is counted twice."""
    story = given(OPEN, a_call(), made())
    story.when(a_call(2), at_ms=NOW_MS + 2 * 86_400_000)
    assert a_call().intent_id not in story.shop.asked

    assert story.when(looked()).one(AddressPaid).new_msat == 21_000
    story.when(looked()).then_nothing()


def test_so_many_payments_to_an_address_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then the oldest is forgotten."""
    monkeypatch.setattr(limits, "ADDRESS_PAYMENTS", limits.Limit("x", 2, "x", "x", "x"))
    story = given(OPEN)
    for n in (1, 2, 3):
        story.when(a_call(n), made(n), looked(n))

    assert list(story.shop.asked) == [a_call(2).intent_id, a_call(3).intent_id]


def test_money_that_is_taken_back_is_told_once_and_never_counts_again() -> None:
    """By a look-up, or by its payment hash where nobody watched it any more."""
    for taken in (looked(state=BackendState.REVERSED), ObserveReversal(payment_hash="01" * 32)):
        story = given(OPEN, a_call(), made(), looked()).when(taken)
        assert story.one(AddressReversed).amount_msat == 21_000
        story.when(taken).then_nothing()
        story.when(looked()).then_nothing()


def test_an_orders_request_commits_to_what_its_own_address_says() -> None:
    """Where the shop has an address; without one it has a memo as before."""
    wanted = given(OPEN, SOLD).when(an_order()).one(PaymentWanted)
    assert wanted.description_hash == order_description_hash(ADDRESS, a_key().ref)
    plain = given(OpenShop(settings=ShopSettings()), SOLD).when(an_order()).one(PaymentWanted)
    assert plain.description_hash is None


def test_a_buyer_is_offered_the_orders_own_address_beside_its_invoice() -> None:
    """Both are for what we reckoned ourselves; a wallet that cannot commit to the address leaves it out."""
    reply = given(OPEN, SOLD, an_order()).when(requested()).reply()
    assert isinstance(reply, PaymentRequestReply)
    assert reply.options[1:] == (PaymentOption(medium="lightning", text=OF_ORDER),)

    reply = given(OPEN, SOLD, an_order()).when(requested(is_addressed=False)).reply()
    assert isinstance(reply, PaymentRequestReply)
    assert [option.text for option in reply.options] == [TEXT]


def test_an_orders_own_address_leads_to_its_one_request() -> None:
    """However often it is called: the same intent, the same text, the amount that is due."""
    story = shown()
    for n in (1, 2):
        told = story.when(a_wallet(n)).one(RequestShown)
        assert (told.intent_id, told.text, told.amount_msat) == (intent_id(a_key(), 1), TEXT, 10_000)
    assert story.none(PaymentRequested)
    story.when(a_wallet(2)).then_nothing()


def test_another_amount_than_what_is_due_is_refused() -> None:
    """The address pins it; less is no bargain and more no gift."""
    for n, amount_msat in enumerate((9_999, 10_001)):
        assert shown().when(a_wallet(n, amount_msat)).one(InvoiceRefused).reason is AddressRefusal.BAD_AMOUNT


def test_an_order_that_cannot_be_paid_any_more_leads_nowhere() -> None:
    """Unknown, not asked for yet, without the commitment, over, cancelled or paid."""
    cancelled = MoveOrder(order=a_key(), actor=Actor.BUYER, to=OrderStatus.CANCELLED, cause="c")
    settled = ObservePayment(
        order=a_key(), intent_id=intent_id(a_key(), 1), state=BackendState.SETTLED, gross_msat=10_000
    )
    for story, at_ms in (
        (given(OPEN), NOW_MS),
        (given(OPEN, SOLD, an_order()), NOW_MS),
        (given(OPEN, SOLD, an_order(), requested(is_addressed=False)), NOW_MS),
        (shown(), NOW_MS + 900_000),
        (given(OPEN, SOLD, an_order(), requested(), cancelled), NOW_MS),
        (given(OPEN, SOLD, an_order(), requested(), settled), NOW_MS),
    ):
        assert story.when(a_wallet(), at_ms=at_ms).one(InvoiceRefused).reason is AddressRefusal.NOT_PAYABLE


def test_money_over_an_orders_own_address_settles_the_order() -> None:
    """It came for the order's request, so it is entered like any money for it."""
    story = given(OPEN, SOLD, an_order(), requested(), a_wallet()).when(
        ObservePayment(order=a_key(), intent_id=intent_id(a_key(), 1), state=BackendState.SETTLED, gross_msat=10_000)
    )
    assert not story.one(PaymentSettled).late
    assert story.one(OrderMoved).to is OrderStatus.CONFIRMED


def test_a_payment_announced_to_the_orders_own_address_goes_to_the_merchant() -> None:
    """Whatever the flow; the shop's bare address, or another order's, is no place for this order's money."""
    for name, is_ours in ((OF_ORDER, True), (ADDRESS, False), (f"shop.{'0' * 32}@shop.example", False)):
        payment = NamedPayment(medium="lightning", form=PaymentForm.ADDRESS, name=name, digest="dd" * 32)
        story = shown().when(AnnouncePayment(order=a_key(), rumor_id="a0" * 32, amount_sats=10, payments=(payment,)))
        assert story.none(PaymentAnnounced) is not is_ours


def test_an_order_for_the_rest_of_its_price_leads_to_the_request_for_the_rest() -> None:
    """The former request is used up; until the next is made the address leads nowhere."""
    story = shown().when(paid(6))
    assert story.when(a_wallet(1, 4_000)).one(InvoiceRefused).reason is AddressRefusal.NOT_PAYABLE
    rest = requested().model_copy(
        update={"intent_id": intent_id(a_key(), 1, Method.BOLT11, 2), "amount_msat": 4_000, "text": "lnbcrt40n1rest"}
    )
    story.when(rest)
    assert story.when(a_wallet(2, 4_000)).one(RequestShown).text == "lnbcrt40n1rest"
