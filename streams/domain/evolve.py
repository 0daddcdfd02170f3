"""`evolve`: what each fact does to the shop. It holds no rule and never fails."""

from __future__ import annotations

from typing import assert_never

from schemas import limits
from schemas.absence import RequestForgotten, RequestRecalled, WalletAnswered, WalletMissed
from schemas.addresses import (
    AddressAssigned,
    AddressClaimed,
    AddressClosed,
    AddressPaid,
    AddressReversed,
    AssignmentRefused,
    InvoiceMade,
    InvoiceRefused,
    InvoiceWanted,
    RequestShown,
)
from schemas.catalogue import (
    CollectionRecorded,
    DeletionNoted,
    ListingRecorded,
    ListingRevised,
    ShippingOptionRecorded,
    Withdrawn,
)
from schemas.ecash import TokenHandedIn, TokenRefused
from schemas.freezes import MerchantFrozen, MerchantThawed
from schemas.goods import GoodsSet, PickupReady
from schemas.holds import OrderHeld, OrderReleased, OrderRenewed, ReplyWithheld
from schemas.inbox import AnswerPromised, AnswerRefused, MessageDeleted, MessageReceived
from schemas.messages import Event
from schemas.orders import (
    CancellationRequested,
    MoveRefused,
    OrderMoved,
    OrderPlaced,
    OrderQuoted,
    OrderRejected,
    OrderStatus,
    OrderWaiting,
    ShippingMoved,
)
from schemas.parking import CommandParked, ParkedReleased
from schemas.past import PastOrderRecorded
from schemas.payments import (
    AnnouncePayment,
    PaymentAnnounced,
    PaymentDropped,
    PaymentImplied,
    PaymentPartReceived,
    PaymentReported,
    PaymentRequested,
    PaymentReversed,
    PaymentSeen,
    PaymentSettled,
    PaymentWanted,
    ReportPayment,
)
from schemas.payouts import (
    PayoutApproved,
    PayoutDropped,
    PayoutFailed,
    PayoutWanted,
    RefundInvoiceOffered,
    RefundLinkMade,
)
from schemas.preferences import PaymentFlowChosen, PreferenceRecorded
from schemas.publishing import DraftRecorded, PublicationPromised, PublicationRefused, RelaysRecorded
from schemas.refunds import RefundOwed, RefundRecorded
from schemas.reinstatement import OrderReinstated
from schemas.replies import ReplyPromised
from schemas.reviews import (
    RatingsChanged,
    ReviewInvited,
    ReviewJudged,
    ReviewReceived,
    ReviewRecorded,
    ReviewWithdrawn,
)
from schemas.shops import ShopOpened
from schemas.stock import (
    StockCommitted,
    StockHeld,
    StockMastered,
    StockRanLow,
    StockRefused,
    StockReleased,
    StockSet,
)
from schemas.values import Actor
from streams.domain import fold_addresses, fold_goods, fold_inbox, fold_money, fold_orders, fold_payouts, fold_reviews
from streams.domain.shop import (
    Due,
    Master,
    Parked,
    Shop,
    Stock,
)


def evolve(shop: Shop, event: Event, at_ms: int) -> None:
    """Fold one fact into the shop, in place. `at_ms` is the record's time."""
    match event:
        case OrderPlaced():
            fold_orders.hear(shop, event.order.buyer, at_ms)
            fold_orders.place(shop, event)
            fold_inbox.place(shop, event)
        case OrderQuoted():
            fold_orders.quote(shop, event)
        case StockHeld():
            fold_goods.move_stock(shop, event.lines, held=+1)
            fold_orders.change(shop, event.order, held=event.lines)
        case StockCommitted():
            fold_goods.move_stock(shop, event.lines, held=-1, on_hand=-1)
            fold_orders.change(shop, event.order, held=())
        case StockReleased():
            fold_goods.move_stock(shop, event.lines, held=-1)
            fold_orders.change(shop, event.order, held=())
        case StockSet():
            held = shop.stock.get(event.coordinate, Stock()).held
            shop.said_stock[event.coordinate] = () if event.on_hand is None else (event.on_hand,)
            fold_goods.set_stock(shop, event.coordinate, Stock(on_hand=event.on_hand, held=held))
        case StockMastered():
            shop.masters[event.coordinate] = Master(event.source, event.version)
        case StockRefused():
            shop.stock_refusals = fold_orders.with_cause(shop.stock_refusals, event.cause)
        case StockRanLow():
            pass
        case PaymentWanted():
            fold_money.want(shop, event)
        case PaymentRequested():
            fold_money.ask(shop, event)
        case PaymentReported():
            fold_orders.hear(shop, event.order.buyer, at_ms)
            fold_money.note_reported(shop, event)
        case PaymentSeen():
            fold_money.see(shop, event)
        case WalletMissed():
            fold_money.miss_wallet(shop, event)
        case WalletAnswered():
            fold_money.answer(shop, event)
        case RequestForgotten():
            fold_money.forget(shop, event)
        case RequestRecalled():
            fold_money.recall(shop, event)
        case PaymentAnnounced():
            fold_orders.hear(shop, event.order.buyer, at_ms)
            fold_money.note_announced(shop, event)
        case TokenHandedIn():
            _hear_money(shop, event, at_ms)
            fold_money.hand_in(shop, event)
        case TokenRefused():
            _hear_money(shop, event, at_ms)
            fold_money.refuse_token(shop, event)
        case PaymentPartReceived():
            fold_money.receive_part(shop, event)
        case PaymentSettled():
            fold_money.settle(shop, event)
        case PaymentReversed():
            fold_money.take_back(shop, event)
        case RefundOwed():
            fold_money.owe(shop, event)
        case PaymentImplied():
            fold_money.imply(shop, event)
        case RefundRecorded():
            fold_money.refund(shop, event)
            fold_payouts.pay(shop, event.order, event.cause)
        case RefundInvoiceOffered():
            fold_payouts.offer(shop, event)
        case PayoutWanted():
            fold_payouts.want(shop, event)
        case PayoutApproved():
            fold_payouts.approve(shop, event)
        case PayoutDropped():
            fold_payouts.drop(shop, event)
        case PayoutFailed():
            fold_payouts.fail(shop, event)
        case RefundLinkMade():
            fold_payouts.tell(shop, event)
        case OrderReinstated():
            fold_money.reinstate(shop, event)
        case InvoiceWanted():
            fold_addresses.want(shop, event, at_ms)
        case InvoiceMade():
            fold_addresses.make(shop, event)
        case InvoiceRefused() | RequestShown():
            fold_addresses.answer(shop, event)
        case AddressPaid():
            fold_addresses.pay(shop, event)
        case AddressReversed():
            fold_addresses.take_back(shop, event)
        case AddressClaimed():
            fold_addresses.claim(shop, event)
        case AddressAssigned():
            fold_addresses.assign(shop, event)
        case AddressClosed():
            fold_addresses.close(shop, event)
        case PickupReady():
            fold_orders.make_ready(shop, event)
        case GoodsSet():
            fold_orders.set_goods(shop, event)
        case AssignmentRefused():
            fold_addresses.refuse(shop, event)
        case PaymentDropped():
            pass
        case OrderMoved():
            if event.actor is Actor.BUYER:
                fold_orders.hear(shop, event.order.buyer, at_ms)
            fold_orders.move_order(shop, event, at_ms)
            if event.to is OrderStatus.COMPLETED:
                fold_reviews.complete(shop, event)
        case OrderRejected():
            fold_orders.change(shop, event.order, status=OrderStatus.REJECTED, deadline_ms=None)
        case OrderWaiting():
            fold_orders.wait(shop, event, at_ms)
            if event.deadline_ms is not None:
                shop.remind(Due(event.deadline_ms, "deadline", event.order))
        case CancellationRequested():
            fold_orders.hear(shop, event.order.buyer, at_ms)
            fold_orders.note_cancellation(shop, event)
        case ShippingMoved():
            fold_orders.move_parcel(shop, event)
        case ReplyPromised():
            fold_orders.change(shop, event.order, replies=event.number)
        case MoveRefused():
            if event.actor is Actor.BUYER:
                fold_orders.hear(shop, event.order.buyer, at_ms)
            fold_orders.remember_refusal(shop, event)
        case OrderHeld():
            fold_orders.hold(shop, event)
        case OrderReleased():
            fold_orders.release(shop, event)
        case ReplyWithheld():
            fold_orders.withhold(shop, event)
        case OrderRenewed():
            fold_orders.renew(shop, event)
        case CommandParked():
            if isinstance(event.command, ReportPayment | AnnouncePayment) or event.command.actor is Actor.BUYER:
                fold_orders.hear(shop, event.order.buyer, at_ms)
            waiting = shop.parked.get(event.order.ref, ())
            shop.parked[event.order.ref] = (*waiting, Parked(event.command, event.deadline_ms))
            shop.remind(Due(event.deadline_ms, "parked", event.order))
        case ParkedReleased():
            rest = shop.parked.get(event.order.ref, ())[1:]
            if rest:
                shop.parked[event.order.ref] = rest
            else:
                shop.parked.pop(event.order.ref, None)
        case PastOrderRecorded(past=past):
            shop.past[past.order.ref] = past
            if past.answer_at_ms is not None:
                shop.remind(Due(past.answer_at_ms, "past", past.order))
        case ListingRecorded() | ListingRevised():
            fold_goods.note_hidden(shop, event)
            before = shop.listings.get(event.listing.coordinate)
            shop.listings[event.listing.coordinate] = event.listing
            fold_reviews.change_listing(shop, event.listing.coordinate, before)
            if isinstance(event, ListingRevised):
                shop.revised_s[event.listing.coordinate] = at_ms // 1_000
                fold_goods.note_said_stock(shop, event.listing)
            fold_goods.note_stale(shop, event.listing.coordinate)
        case ShippingOptionRecorded():
            shop.options[event.option.coordinate] = event.option
        case CollectionRecorded():
            shop.collections[event.collection.coordinate] = event.collection
        case PreferenceRecorded(preference=preference):
            shop.preferences[preference.coordinate] = preference
        case PaymentFlowChosen():
            shop.payment_choice = event.choice
        case Withdrawn():
            before = shop.listings.get(event.coordinate)
            fold_goods.withdraw(shop, event)
            fold_reviews.change_listing(shop, event.coordinate, before)
        case PublicationPromised() | PublicationRefused():
            shop.publish_causes = fold_orders.with_cause(shop.publish_causes, event.cause)
        case DraftRecorded():
            shop.drafts[event.draft.coordinate] = event.draft
        case RelaysRecorded():
            shop.relay_lists[event.names.kind] = event.names
        case DeletionNoted():
            shop.deleted_ids.update(dict.fromkeys(event.event_ids))
            for oldest in list(shop.deleted_ids)[: -limits.DELETED_IDS.most]:
                del shop.deleted_ids[oldest]
        case ReviewRecorded():
            fold_reviews.record(shop, event.review)
        case ReviewWithdrawn():
            fold_reviews.withdraw(shop, event)
        case ReviewJudged():
            fold_reviews.judge(shop, event)
        case RatingsChanged():
            fold_reviews.rate(shop, event)
        case ReviewReceived() | ReviewInvited():
            pass
        case MessageReceived():
            if event.author is Actor.BUYER:
                fold_orders.hear(shop, event.buyer, at_ms)
            fold_inbox.receive(shop, event)
        case MessageDeleted():
            if event.actor is Actor.BUYER:
                fold_orders.hear(shop, event.buyer, at_ms)
            fold_inbox.delete(shop, event)
        case AnswerPromised() | AnswerRefused():
            fold_inbox.settle(shop, event)
        case ShopOpened():
            denied, shop.settings = shop.settings.denied, event.settings
            fold_reviews.change_denied(shop, denied)
            for coordinate in shop.listings:
                fold_goods.note_stale(shop, coordinate)
            shop.is_open = True
        case MerchantFrozen():
            shop.is_frozen = True
            shop.freezes = fold_orders.with_cause(shop.freezes, event.cause)
        case MerchantThawed():
            fold_orders.thaw(shop, event)
        case _:
            assert_never(event)


def _hear_money(shop: Shop, event: TokenHandedIn | TokenRefused, at_ms: int) -> None:
    """A token that came in a message counts as one of the order's buyer."""
    if event.rumor_id is not None and event.order is not None:
        fold_orders.hear(shop, event.order.buyer, at_ms)
        fold_inbox.take_money(shop, event)
