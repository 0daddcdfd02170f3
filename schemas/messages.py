"""Everything that is said on `ncc.commands` and `ncc.journal`: the two closed unions and their envelopes."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from schemas import (
    absence,
    addresses,
    catalogue,
    ecash,
    freezes,
    goods,
    hearing,
    holds,
    inbox,
    orders,
    parking,
    past,
    payments,
    payouts,
    preferences,
    publishing,
    refunds,
    reinstatement,
    replies,
    reviews,
    shops,
    stock,
)
from schemas.values import Origin, PublicKey, Value

CommandBody = Annotated[
    shops.OpenShop
    | catalogue.RecordListing
    | catalogue.RecordShippingOption
    | catalogue.RecordCollection
    | catalogue.RecordDeletion
    | catalogue.ReviseListing
    | publishing.PublishOffer
    | publishing.WithdrawOffer
    | publishing.KeepDraft
    | publishing.RecordDraft
    | publishing.PublishRelays
    | publishing.RecordRelays
    | publishing.PublishApp
    | orders.PlaceOrder
    | orders.MoveOrder
    | orders.MoveShipping
    | orders.ReachDeadline
    | holds.HoldOrder
    | holds.ReleaseOrder
    | holds.RenewOrder
    | goods.SetGoods
    | goods.MarkReady
    | refunds.RecordRefund
    | reinstatement.ReinstateOrder
    | parking.ReleaseParked
    | past.RecordPast
    | past.AnswerPast
    | hearing.HearMessage
    | payments.RecordPaymentRequest
    | payments.RecordPaymentFailure
    | payments.ObservePayment
    | payments.ObserveReversal
    | payments.WaivePayment
    | payments.ReportPayment
    | payments.ReportUnnamedPayment
    | payments.AnnouncePayment
    | absence.RecordWalletAbsence
    | ecash.HandInToken
    | ecash.RecordTokenRefusal
    | addresses.AskInvoice
    | addresses.AskRequest
    | addresses.RecordInvoice
    | addresses.RecordInvoiceFailure
    | addresses.ObserveInvoice
    | addresses.AssignPayment
    | addresses.ClosePayment
    | preferences.RecordPreference
    | reviews.RecordReview
    | reviews.JudgeReviews
    | inbox.ReceiveMessage
    | inbox.AnswerMessage
    | inbox.DeleteMessages
    | freezes.FreezeMerchant
    | freezes.ThawMerchant
    | stock.SetStock
    | payouts.WantPayout
    | payouts.ApprovePayout
    | payouts.DropPayout
    | payouts.RecordPayoutFailure
    | payouts.RecordRefundLink,
    Field(discriminator="type"),
]

Event = Annotated[
    shops.ShopOpened
    | catalogue.ListingRecorded
    | catalogue.ListingRevised
    | catalogue.ShippingOptionRecorded
    | catalogue.CollectionRecorded
    | catalogue.Withdrawn
    | catalogue.DeletionNoted
    | publishing.PublicationPromised
    | publishing.PublicationRefused
    | publishing.DraftRecorded
    | publishing.RelaysRecorded
    | stock.StockSet
    | stock.StockHeld
    | stock.StockReleased
    | stock.StockCommitted
    | stock.StockMastered
    | stock.StockRefused
    | stock.StockRanLow
    | orders.OrderPlaced
    | orders.OrderQuoted
    | orders.OrderWaiting
    | orders.OrderRejected
    | orders.OrderMoved
    | orders.CancellationRequested
    | orders.ShippingMoved
    | orders.MoveRefused
    | holds.OrderHeld
    | holds.OrderReleased
    | holds.OrderRenewed
    | holds.ReplyWithheld
    | goods.GoodsSet
    | goods.PickupReady
    | refunds.RefundOwed
    | refunds.RefundRecorded
    | reinstatement.OrderReinstated
    | parking.CommandParked
    | parking.ParkedReleased
    | past.PastOrderRecorded
    | payments.PaymentWanted
    | payments.PaymentRequested
    | payments.PaymentReported
    | payments.PaymentSeen
    | payments.PaymentAnnounced
    | payments.PaymentPartReceived
    | payments.PaymentSettled
    | payments.PaymentReversed
    | payments.PaymentImplied
    | payments.PaymentDropped
    | absence.WalletMissed
    | absence.WalletAnswered
    | absence.RequestForgotten
    | absence.RequestRecalled
    | ecash.TokenHandedIn
    | ecash.TokenRefused
    | addresses.InvoiceWanted
    | addresses.InvoiceMade
    | addresses.InvoiceRefused
    | addresses.RequestShown
    | addresses.AddressPaid
    | addresses.AddressReversed
    | addresses.AddressClaimed
    | addresses.AddressAssigned
    | addresses.AddressClosed
    | addresses.AssignmentRefused
    | preferences.PreferenceRecorded
    | preferences.PaymentFlowChosen
    | reviews.ReviewRecorded
    | reviews.ReviewWithdrawn
    | reviews.ReviewJudged
    | reviews.RatingsChanged
    | reviews.ReviewReceived
    | reviews.ReviewInvited
    | inbox.MessageReceived
    | inbox.MessageDeleted
    | inbox.AnswerPromised
    | inbox.AnswerRefused
    | freezes.MerchantFrozen
    | freezes.MerchantThawed
    | replies.ReplyPromised
    | payouts.RefundInvoiceOffered
    | payouts.PayoutWanted
    | payouts.PayoutApproved
    | payouts.PayoutDropped
    | payouts.PayoutFailed
    | payouts.RefundLinkMade,
    Field(discriminator="type"),
]


class Command(Value):
    """A request to decide, addressed to one merchant.

    `id` is derived from what caused it, so a repeat carries the same one.
    `at_ms` is when the world said it (UTC milliseconds): the only clock a decision knows (D6).
    `source` is the event id, request id or intent it came from, kept as the cause of what follows.
    """

    v: int = 1
    id: str
    merchant: PublicKey
    at_ms: int
    origin: Origin
    source: str
    body: CommandBody


class JournalRecord(Value):
    """One decision: all its events, the command offset it covers, and its place in the partition (D2).

    `seq` counts from 1 in each partition without gaps.
    A record without events only moves `covers` on, so that the command log may forget.
    """

    v: int = 1
    seq: int
    covers: int
    merchant: PublicKey
    at_ms: int
    cause: str
    events: tuple[Event, ...]
