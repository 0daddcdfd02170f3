"""Examples of what is said about payments and of how a merchant wants to be paid."""

from __future__ import annotations

from decimal import Decimal

from schemas.absence import RecordWalletAbsence, RequestForgotten, RequestRecalled, WalletAnswered, WalletMissed
from schemas.addresses import (
    AddressAssigned,
    AddressClaimed,
    AddressClosed,
    AddressPaid,
    AddressRefusal,
    AddressReversed,
    AskInvoice,
    AskRequest,
    AssignmentRefusal,
    AssignmentRefused,
    AssignPayment,
    ClosePayment,
    Closing,
    InvoiceMade,
    InvoiceRefused,
    InvoiceWanted,
    ObserveInvoice,
    RecordInvoice,
    RecordInvoiceFailure,
    RequestShown,
)
from schemas.cashu.faults import TokenFault
from schemas.currencies import FiatTotal
from schemas.ecash import HandInToken, RecordTokenRefusal, TokenHandedIn, TokenRefused
from schemas.holds import RenewOrder
from schemas.messages import CommandBody, Event
from schemas.payments import (
    AnnouncePayment,
    BackendState,
    NamedPayment,
    ObservePayment,
    ObserveReversal,
    PaymentAnnounced,
    PaymentAxis,
    PaymentDropped,
    PaymentForm,
    PaymentPartReceived,
    PaymentReported,
    PaymentRequested,
    PaymentReversed,
    PaymentSeen,
    PaymentSettled,
    PaymentWanted,
    ProofVerdict,
    RecordPaymentFailure,
    RecordPaymentRequest,
    ReportPayment,
    ReportUnnamedPayment,
    WaivePayment,
)
from schemas.preferences import (
    PaymentChoice,
    PaymentFlow,
    PaymentFlowChosen,
    PaymentPreference,
    PreferenceFlaw,
    PreferenceRecorded,
    RecordPreference,
)
from schemas.refunds import OwedFor, RefundOwed
from schemas.reinstatement import OrderReinstated, ReinstateOrder
from schemas.values import Actor, SealedDetails
from tools.example_values import AT_S, BUYER, INTENT, ORDER, PREFERENCES, QUOTE, REQUESTED, RUMOR

TOKEN = "e5" * 32
SEALED_TOKEN = SealedDetails(key_id=f"token-{INTENT[:32]}:{TOKEN[:16]}", box="c2VhbGVk")
RECEIPT = ReportPayment(
    order=ORDER,
    rumor_id=RUMOR,
    medium="lightning",
    preimage_hashes=("d2" * 32,),
    amount=Decimal("27.81"),
    currency="EUR",
    said_at=AT_S + 60,
    warnings=("no_order",),
)
PAID_TO = NamedPayment(medium="lightning", form=PaymentForm.INVOICE, name="d2" * 32, digest="d3" * 32, lock_key=None)
CALL = "c1" * 32
ADDRESS_HASH = "c2" * 32

PAYMENT_COMMANDS: tuple[CommandBody, ...] = (
    RecordPaymentRequest.model_validate(REQUESTED),
    RecordPaymentFailure(order=ORDER, intent_id=INTENT, reason="the wallet refuses the amount"),
    ObservePayment(
        order=ORDER, intent_id=INTENT, state=BackendState.SETTLED, gross_msat=30_570_000, settled_at=AT_S + 60
    ),
    ObserveReversal(payment_hash="d2" * 32),
    WaivePayment(order=ORDER, cause="operator 7"),
    ReinstateOrder(order=ORDER, cause="operator 10"),
    RenewOrder(order=ORDER, cause="operator 11"),
    AssignPayment(intent_id=CALL, order=ORDER, cause="operator 8"),
    ClosePayment(intent_id=CALL, closing=Closing.RETURNED, reference="transfer 7", cause="operator 9"),
    RECEIPT,
    ReportUnnamedPayment(
        buyer=BUYER,
        payment_hashes=("d2" * 32,),
        receipt=RECEIPT,
    ),
    AnnouncePayment(order=ORDER, rumor_id=RUMOR, amount_sats=30_570, payments=(PAID_TO,)),
    RecordPreference(preference=PREFERENCES[0]),
    HandInToken(intent_id=INTENT, token_id=TOKEN, sealed=SEALED_TOKEN),
    RecordTokenRefusal(intent_id=INTENT, token_id=TOKEN, reason=TokenFault.OVER_CAP),
    RecordWalletAbsence(order=ORDER, intent_id=INTENT),
    AskInvoice(
        intent_id=CALL,
        address="shop@shop.example",
        amount_msat=21_000_000,
        description_hash=ADDRESS_HASH,
        expires_at=AT_S + 600,
    ),
    AskRequest(call_id=CALL, order_ref=ORDER.ref, amount_msat=30_570_000),
    RecordInvoice(
        intent_id=CALL, text="lnbc210u1…", payment_hash="d4" * 32, amount_msat=21_000_000, expires_at=AT_S + 600
    ),
    RecordInvoiceFailure(intent_id=CALL, reason="unsupported"),
    ObserveInvoice(intent_id=CALL, state=BackendState.SETTLED, gross_msat=21_000_000, settled_at=AT_S + 60),
)
PAYMENT_EVENTS: tuple[Event, ...] = (
    PaymentWanted(
        order=ORDER,
        intent_id=INTENT,
        revision=1,
        amount_msat=30_570_000,
        expires_at=AT_S + 900,
        memo=f"Order {ORDER.ref}",
        fiat=FiatTotal(amount=Decimal("27.81"), currency="EUR"),
    ),
    PaymentRequested.model_validate(REQUESTED),
    PaymentReported(
        order=ORDER,
        rumor_id=RUMOR,
        medium="lightning",
        proof=ProofVerdict.FITS,
        amount=Decimal("27.81"),
        currency="EUR",
        said_at=AT_S + 60,
        warnings=("no_order",),
    ),
    InvoiceWanted(
        intent_id=CALL,
        amount_msat=21_000_000,
        expires_at=AT_S + 600,
        memo="To shop@shop.example",
        description_hash=ADDRESS_HASH,
    ),
    InvoiceMade(
        intent_id=CALL, text="lnbc210u1…", payment_hash="d4" * 32, amount_msat=21_000_000, expires_at=AT_S + 600
    ),
    InvoiceRefused(intent_id=CALL, reason=AddressRefusal.TOO_MANY_OPEN),
    RequestShown(
        call_id=CALL,
        order=ORDER,
        intent_id=INTENT,
        text="lnbc305700n1…",
        amount_msat=30_570_000,
        expires_at=AT_S + 900,
    ),
    TokenHandedIn(order=ORDER, intent_id=INTENT, token_id=TOKEN, sealed=SEALED_TOKEN),
    TokenRefused(order=ORDER, intent_id=INTENT, token_id=TOKEN, reason=TokenFault.SPENT),
    WalletMissed(order=ORDER, intent_id=INTENT, deadline_ms=(AT_S + 4_560) * 1_000),
    RequestForgotten(order=ORDER, intent_id=INTENT, deadline_ms=(AT_S + 4_560) * 1_000),
    RequestRecalled(order=ORDER, intent_id=INTENT, deadline_ms=(AT_S + 960) * 1_000),
    WalletAnswered(order=ORDER, intent_id=INTENT, deadline_ms=(AT_S + 960) * 1_000),
    AddressPaid(intent_id=CALL, gross_msat=21_000_000, settled_at=AT_S + 60),
    AddressReversed(intent_id=CALL, amount_msat=21_000_000),
    AddressClaimed(intent_id=CALL, order=ORDER, rumor_id=RUMOR),
    AddressAssigned(
        intent_id=CALL,
        order=ORDER,
        amount_msat=21_000_000,
        payment_hash="d4" * 32,
        is_request=True,
        cause="operator 8",
    ),
    AddressClosed(
        intent_id=CALL, amount_msat=21_000_000, closing=Closing.RETURNED, reference="transfer 7", cause="operator 9"
    ),
    AssignmentRefused(
        intent_id=CALL,
        reason=AssignmentRefusal.NO_PRICE,
        detail="the order has no price yet",
        cause="operator 8",
    ),
    PaymentAnnounced(order=ORDER, rumor_id=RUMOR, amount_sats=30_570, payments=(PAID_TO,)),
    PaymentSeen(order=ORDER, intent_id=INTENT, deadline_ms=(AT_S + 86_400) * 1_000),
    PaymentSettled(order=ORDER, intent_id=INTENT, gross_msat=30_570_000, due_msat=30_570_000, settled_at=AT_S + 60),
    PaymentPartReceived(
        order=ORDER,
        intent_id=INTENT,
        gross_msat=10_000_000,
        due_msat=30_570_000,
        rest_msat=20_570_000,
        is_closed=True,
        deadline_ms=(AT_S + 960) * 1_000,
    ),
    PaymentReversed(
        order=ORDER,
        intent_id=INTENT,
        amount_msat=30_570_000,
        credit_msat=0,
        owed_msat=0,
        payment=PaymentAxis.REVERSED,
    ),
    RefundOwed(order=ORDER, amount_msat=2_000_000, reason=OwedFor.OVER),
    OrderReinstated(order=ORDER, actor=Actor.MERCHANT, quote=QUOTE, credit_msat=32_570_000, cause="operator 10"),
    PaymentDropped(order=ORDER, intent_id=INTENT),
    PreferenceRecorded(preference=PREFERENCES[1]),
    PaymentFlowChosen(
        choice=PaymentChoice(
            flow=PaymentFlow.AUTOMATIC,
            preference=PaymentPreference.ECASH,
            flaws=(PreferenceFlaw.LOCK_KEY_IS_IDENTITY,),
        )
    ),
)
