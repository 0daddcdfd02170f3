"""`decide`: every command to the one function that holds its rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_never

from schemas.absence import RecordWalletAbsence
from schemas.addresses import (
    AskInvoice,
    AskRequest,
    AssignPayment,
    ClosePayment,
    ObserveInvoice,
    RecordInvoice,
    RecordInvoiceFailure,
)
from schemas.catalogue import (
    RecordCollection,
    RecordDeletion,
    RecordListing,
    RecordShippingOption,
    ReviseListing,
)
from schemas.ecash import HandInToken, RecordTokenRefusal
from schemas.freezes import FreezeMerchant, ThawMerchant
from schemas.goods import MarkReady, SetGoods
from schemas.hearing import HearMessage
from schemas.holds import HoldOrder, ReleaseOrder, RenewOrder
from schemas.inbox import AnswerMessage, DeleteMessages, ReceiveMessage
from schemas.messages import Command, CommandBody, Event
from schemas.orders import MoveOrder, MoveShipping, PlaceOrder, Rate, ReachDeadline
from schemas.parking import ReleaseParked
from schemas.past import AnswerPast, RecordPast
from schemas.payments import (
    AnnouncePayment,
    ObservePayment,
    ObserveReversal,
    RecordPaymentFailure,
    RecordPaymentRequest,
    ReportPayment,
    ReportUnnamedPayment,
    WaivePayment,
)
from schemas.payouts import ApprovePayout, DropPayout, RecordPayoutFailure, RecordRefundLink, WantPayout
from schemas.preferences import RecordPreference
from schemas.publishing import (
    KeepDraft,
    PublishApp,
    PublishOffer,
    PublishRelays,
    RecordDraft,
    RecordRelays,
    WithdrawOffer,
)
from schemas.refunds import RecordRefund
from schemas.reinstatement import ReinstateOrder
from schemas.reviews import JudgeReviews, RecordReview
from schemas.shops import OpenShop, ShopOpened
from schemas.stock import SetStock
from streams.domain import (
    absence,
    addresses,
    assigning,
    catalogue,
    ecash,
    freezing,
    handing,
    hearing,
    holding,
    inbox,
    orders,
    parcels,
    parking,
    past,
    payment_choice,
    payments,
    payouts,
    publishing,
    refunds,
    reinstating,
    reviews,
    settlement,
    stocktaking,
)
from streams.domain.decision import Decision
from streams.domain.shop import Shop


def decide(shop: Shop, command: Command, rates: Mapping[str, Rate]) -> tuple[Event, ...]:
    """What a command leads to, given the shop as it is; nothing where it says nothing new.

    `rates` are the exchange rates known now; those used end up in the quote, so the fold never needs them.
    """
    return tuple(judge(shop, command, rates).events)


def judge(shop: Shop, command: Command, rates: Mapping[str, Rate]) -> Decision:
    """The same, with the reason where a command decides nothing because its sender said too much already."""
    decision = Decision(shop, command, rates)
    _decide(decision, command.body, rates)
    stocktaking.notice_low(decision)
    reviews.invite(decision)
    payment_choice.notice(decision)
    assert decision.silence is None or not decision.events, "what is only counted decides nothing"
    return decision


def _decide(decision: Decision, body: CommandBody, rates: Mapping[str, Rate]) -> None:
    match body:
        case PlaceOrder():
            orders.place(decision, body, rates)
            inbox.mark_placed(decision, body)
        case RecordPaymentRequest():
            payments.record_request(decision, body)
        case ObservePayment():
            settlement.observe(decision, body)
        case ObserveReversal():
            settlement.observe_reversal(decision, body)
        case WaivePayment():
            settlement.waive(decision, body)
        case MoveOrder():
            orders.move(decision, body)
        case MoveShipping():
            parcels.move_shipping(decision, body)
        case ReachDeadline():
            orders.reach_deadline(decision, body, rates)
        case HoldOrder():
            holding.hold(decision, body)
        case ReleaseOrder():
            holding.release(decision, body, rates)
        case RenewOrder():
            holding.ask_anew(decision, body, rates)
        case RecordRefund():
            refunds.record(decision, body)
        case ReinstateOrder():
            reinstating.reinstate(decision, body)
        case WantPayout():
            payouts.want(decision, body)
        case ApprovePayout():
            payouts.approve(decision, body)
        case DropPayout():
            payouts.drop(decision, body)
        case RecordPayoutFailure():
            payouts.record_failure(decision, body)
        case RecordRefundLink():
            payouts.record_link(decision, body)
        case MarkReady():
            handing.mark_ready(decision, body)
        case SetGoods():
            handing.set_goods(decision, body)
        case ReportPayment():
            payments.report(decision, body)
        case ReportUnnamedPayment():
            payments.report_unnamed(decision, body)
        case AnnouncePayment():
            payments.announce(decision, body)
        case RecordPaymentFailure():
            payments.record_failure(decision, body)
        case RecordWalletAbsence():
            absence.record(decision, body)
        case HandInToken():
            ecash.hand_in(decision, body)
        case RecordTokenRefusal():
            ecash.record_refusal(decision, body)
        case AskInvoice():
            addresses.ask(decision, body)
        case AskRequest():
            addresses.ask_request(decision, body)
        case RecordInvoice():
            addresses.record_invoice(decision, body)
        case RecordInvoiceFailure():
            addresses.record_failure(decision, body)
        case ObserveInvoice():
            assigning.observe(decision, body)
        case AssignPayment():
            assigning.assign(decision, body)
        case ClosePayment():
            assigning.close(decision, body)
        case ReleaseParked():
            early = parking.release(decision, body.order)
            if early is not None:
                _decide(decision, early, rates)
        case RecordPast():
            said = past.record(decision, body)
            if said is not None:
                _decide(decision, said, rates)
        case HearMessage():
            heard = hearing.hear(decision, body)
            if heard is not None:
                _decide(decision, heard, rates)
        case AnswerPast():
            unanswered = past.answer(decision, body.order)
            if unanswered is not None:
                orders.place(decision, unanswered, rates)
        case RecordListing():
            catalogue.record_listing(decision, body)
        case RecordShippingOption():
            catalogue.record_option(decision, body)
        case RecordCollection():
            catalogue.record_collection(decision, body)
        case RecordDeletion():
            catalogue.record_deletion(decision, body)
        case ReviseListing():
            catalogue.revise_listing(decision, body)
        case RecordPreference():
            payment_choice.record(decision, body)
        case PublishOffer():
            publishing.publish(decision, body)
        case WithdrawOffer():
            publishing.withdraw(decision, body)
        case KeepDraft():
            publishing.keep_draft(decision, body)
        case RecordDraft():
            publishing.record_draft(decision, body)
        case PublishRelays():
            publishing.publish_relays(decision, body)
        case PublishApp():
            publishing.publish_app(decision, body)
        case RecordRelays():
            publishing.record_relays(decision, body)
        case RecordReview():
            reviews.record(decision, body)
        case JudgeReviews():
            reviews.judge(decision, body)
        case ReceiveMessage():
            inbox.receive(decision, body)
        case AnswerMessage():
            inbox.answer(decision, body)
        case DeleteMessages():
            inbox.delete(decision, body)
        case OpenShop():
            if decision.shop.settings != body.settings or not decision.shop.is_open:
                decision.emit(ShopOpened(settings=body.settings))
        case SetStock():
            stocktaking.set_stock(decision, body)
        case FreezeMerchant():
            freezing.freeze(decision, body)
        case ThawMerchant():
            freezing.thaw(decision, body)
        case _:
            assert_never(body)
