"""What the journal says, entered as it is committed, and the faults that shows; plus what every history passed.

The auditor of facts is another module's (`Auditor`); here stand the journal's own shape and the coverage counters.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import Any

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
)
from schemas.catalogue import ListingRecorded, Withdrawn
from schemas.ecash import TokenHandedIn, TokenRefused
from schemas.goods import GoodsSet
from schemas.holds import OrderHeld, OrderReleased, OrderRenewed, ReplyWithheld
from schemas.inbox import AnswerPromised, AnswerRefused, MessageDeleted, MessageReceived
from schemas.lnurl_served import order_address
from schemas.messages import Event, JournalRecord
from schemas.orders import (
    CancellationRequested,
    MoveRefused,
    OrderMoved,
    OrderPlaced,
    OrderQuoted,
    OrderRejected,
    OrderWaiting,
    ShippingMoved,
)
from schemas.past import PastOrderRecorded
from schemas.payments import (
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
    request_digest,
)
from schemas.preferences import PaymentFlowChosen
from schemas.publishing import PublicationPromised, PublicationRefused
from schemas.refunds import RefundOwed, RefundRecorded
from schemas.reinstatement import OrderReinstated
from schemas.replies import ReplyPromised
from schemas.reviews import ReviewInvited, ReviewJudged, ReviewReceived
from schemas.values import OrderKey
from services.audit.books import Books as AuditBooks
from tests.simulation.plan import ADDRESS
from tests.simulation.rules import Breach, check_move, check_quote


class Books:
    """Everything that was committed, by partition, and what it means for each order."""

    def __init__(self, partitions: int, coverage: Counter[str], final_wait_s: int) -> None:
        self.coverage, self._final_wait_ms = coverage, final_wait_s * 1_000
        self.auditors = [AuditBooks() for _ in range(partitions)]
        self.seq = [0] * partitions
        self.covers = [-1] * partitions
        self.at = [0] * partitions
        self.records: list[tuple[int, JournalRecord]] = []
        self.status: dict[str, str] = {}
        self.payment: dict[str, str] = {}
        self.parcel: dict[str, str] = {}
        self.parcels: dict[str, dict[str, str]] = {}
        self.received: Counter[str] = Counter()
        self.returned: Counter[str] = Counter()
        self.orders: dict[str, OrderPlaced] = {}
        self.replies: Counter[str] = Counter()
        self.promised: dict[str, ReplyPromised] = {}
        self.answers: dict[str, AnswerPromised] = {}
        self.letters: set[str] = set()
        self.wanted: dict[str, PaymentWanted] = {}
        self.requested: dict[str, PaymentRequested] = {}
        self.shown: dict[str, PaymentRequested] = {}
        self.settled: dict[str, PaymentSettled] = {}
        self.forgotten: dict[str, str] = {}
        """By order, the request that its wallet has forgotten."""
        self.got: Counter[str] = Counter()
        """By intent, what came for it."""
        self.seen: set[str] = set()
        """Intents whose money was said to be on its way."""
        self.awaited_ms: dict[str, int] = {}
        """By order, until when it waits at least for what was seen on its way."""
        self.tokens: dict[tuple[str, str], str] = {}
        """By intent and token, what became of one that was handed in: nothing yet, or the reason of its refusal."""
        self.made: dict[str, tuple[str, str]] = {}
        """By intent, whose address an invoice was made for, and its text."""
        self.at_address: dict[str, int] = {}
        """By intent, what came over the address and is nobody's yet."""
        self.reversed: set[str] = set()
        self.refused: set[tuple[str, str]] = set()
        self.refused_once: set[tuple[str, str, str]] = set()
        self.refusals = 0
        self.rumors: set[tuple[str, str]] = set()
        self.promised_ms: dict[str, int] = {}
        self.failed: set[str] = set()
        self.keys: dict[str, Any] = {}
        self.versions: dict[str, int] = {}
        self.withdrawn: dict[str, int] = {}
        self.published: dict[tuple[str, int], int] = {}
        self.past: set[str] = set()
        self.invited: set[str] = set()
        self.asks_from_ms: dict[str, int] = {}
        self.quiet: set[str] = set()
        """Orders a person moved, with a word of their own to the other side."""
        self.on_hold: dict[str, OrderKey] = {}

    def enter(self, partition: int, record: JournalRecord, data: bytes, committed_ms: int) -> None:
        """One record, its bytes, and when it was committed. Raises `Breach`."""
        if record.seq != self.seq[partition] + 1:
            raise Breach(f"D2: journal {partition} goes from record {self.seq[partition]} to {record.seq}")
        if record.covers < self.covers[partition] or (record.events and record.covers == self.covers[partition]):
            raise Breach(f"D2: record {record.seq} covers command {record.covers} once more")
        self.seq[partition], self.covers[partition] = record.seq, record.covers
        self.records.append((partition, record))
        for found in self.auditors[partition].enter_bytes(data):
            raise Breach(f"{found.code}: {found.sentence}")
        for event in record.events:
            order: Any = event.__dict__.get("order")
            if order is not None:
                if order.merchant != record.merchant:
                    raise Breach(f"I8: an order of another merchant in record {record.seq}")
                known = self.keys.setdefault(order.ref, order)
                if known is not order and known != order:
                    raise Breach(f"I8: two buyers' orders share the name {order.ref}")
            self._note(event, record.merchant, record.at_ms, committed_ms)

    def _note(self, event: Event, merchant: str, at_ms: int, committed_ms: int) -> None:
        match event:
            case ListingRecorded(listing=listing):
                self._newer(listing.coordinate, listing.created_at)
            case Withdrawn():
                self.withdrawn[event.coordinate] = max(event.deleted_at, self.withdrawn.get(event.coordinate, -1))
            case PublicationPromised():
                place, made = (event.coordinate, event.template.kind), event.template.created_at
                if self.published.get(place, -1) >= made:
                    raise Breach(f"EVT-08: {event.coordinate[:24]} was published again, and not with a later time")
                self.published[place] = made
                self.coverage[f"published {event.template.kind}"] += 1
            case PublicationRefused():
                self.coverage[f"unpublished {event.reason}"] += 1
            case PastOrderRecorded(past=past):
                if past.order.ref in self.orders:
                    raise Breach(f"REL-11: order {past.order.ref} is ours, and was listed as one of the past")
                self.past.add(past.order.ref)
                self.coverage[f"past {past.status.value}"] += 1
            case OrderPlaced():
                if event.order.order_id.startswith("old-"):
                    raise Breach(f"REL-11: order {event.order.ref} is months old, and was taken for a new one")
                self.coverage["past answered"] += event.order.ref in self.past
                if (event.order.ref, event.rumor_id) in self.rumors:
                    raise Breach(f"I9: one message placed order {event.order.ref} twice")
                if at_ms < self.awaited_ms.get(event.order.ref, 0) and self.status[event.order.ref] == "pending":
                    raise Breach(f"I5: order {event.order.ref} was placed anew while its money was on its way")
                is_asked = self.payment.get(event.order.ref) in ("requested", "reported", "partial", "paid")
                if is_asked and at_ms < self.asks_from_ms.get(event.order.ref, 0):
                    raise Breach(f"I11: order {event.order.ref} was placed anew after its request was made")
                self.rumors.add((event.order.ref, event.rumor_id))
                self.orders[event.order.ref] = event
                self.coverage[f"dialect {event.dialect}"] += 1
                self.payment.setdefault(event.order.ref, "none")
                self._go(self.status, "order", event.order.ref, "waiting")
            case OrderQuoted():
                check_quote(event.quote, at_ms)
                self.asks_from_ms[event.order.ref] = event.quote.valid_until * 1_000
                self._go(self.status, "order", event.order.ref, "pending")
            case OrderWaiting():
                self._go(self.status, "order", event.order.ref, "waiting")
            case OrderRejected():
                self._go(self.status, "order", event.order.ref, "rejected")
                self.coverage.update(f"refusal {finding.refusal.value}" for finding in event.findings)
            case OrderMoved():
                check_move(self.status.get(event.order.ref, ""), event, self.parcel.get(event.order.ref))
                if event.to.value == "expired" and at_ms < self.awaited_ms.get(event.order.ref, 0):
                    raise Breach(f"I5: order {event.order.ref} expired while its money was on its way")
                if event.to.value == "failed" and event.cause != "too_many_parts":
                    self.failed.add(event.order.ref)
                if event.to.value == "cancelled" and self.payment.get(event.order.ref) == "paid":
                    self._go(self.payment, "payment", event.order.ref, "refund due")
                self._go(self.status, "order", event.order.ref, event.to.value)
                if event.actor.value != "coordinator":
                    self.quiet.add(event.order.ref)
            case ShippingMoved():
                self._ship(event)
            case PaymentWanted():
                self.wanted[event.intent_id] = event
                self._go(self.payment, "payment", event.order.ref, "wanted")
            case PaymentRequested():
                self.requested[event.intent_id] = event
                self.shown[event.order.ref] = event
                self._go(self.payment, "payment", event.order.ref, "requested")
            case PaymentAnnounced():
                self.coverage["payment announced"] += 1
                self._check_announced(event)
            case PaymentFlowChosen():
                self.coverage[f"flow {event.choice.flow.value}"] += 1
            case PaymentReported():
                self._go(self.payment, "payment", event.order.ref, "reported")
            case PaymentSeen():
                self.seen.add(event.intent_id)
                self.awaited_ms[event.order.ref] = at_ms + self._final_wait_ms
                self.coverage["money seen"] += 1
            case TokenHandedIn():
                if (event.intent_id, event.token_id) in self.tokens:
                    raise Breach(f"I9: token {event.token_id[:8]} was handed in twice for order {event.order.ref}")
                self.tokens[event.intent_id, event.token_id] = ""
                self.coverage["token handed in"] += 1
            case TokenRefused():
                if event.order is not None:
                    self.tokens[event.intent_id, event.token_id] = event.reason.value
                self.coverage[f"token {event.reason.value}"] += 1
            case PaymentSettled():
                if event.intent_id in self.seen and not event.late:
                    self.coverage["money seen, then settled"] += 1
                    self.coverage["money seen, waited for"] += at_ms >= self.asks_from_ms[event.order.ref]
                self.settled[event.intent_id] = event
                self.got[event.intent_id] = event.gross_msat
                self.received[event.order.ref] += event.new_msat
                self._go(self.payment, "payment", event.order.ref, "late" if event.late else "paid")
            case PaymentPartReceived():
                self.got[event.intent_id] = event.gross_msat
                self.received[event.order.ref] += event.new_msat
                self._go(self.payment, "payment", event.order.ref, "late" if event.late else "partial")
            case PaymentReversed():
                self.reversed.add(event.intent_id)
                self.received[event.order.ref] -= event.amount_msat
                self._go(self.payment, "payment", event.order.ref, event.payment.value)
            case InvoiceMade():
                self.made[event.intent_id] = (merchant, event.text)
                self.coverage["address asked"] += 1
            case InvoiceRefused():
                self.coverage[f"address {event.reason.value}"] += 1
            case AddressPaid():
                self.at_address[event.intent_id] = self.at_address.get(event.intent_id, 0) + event.new_msat
                self.got[event.intent_id] = event.gross_msat
            case AddressReversed():
                self.reversed.add(event.intent_id)
                self.at_address.pop(event.intent_id)
                self.coverage["address reversed"] += 1
            case AddressClaimed():
                self.coverage["address claimed"] += 1
            case AddressAssigned():
                self._leave_address(event.intent_id, event.amount_msat)
                self.got[event.intent_id] = 0
                self.coverage["address assigned" if event.is_request else "address assigned late"] += 1
            case AddressClosed():
                self._leave_address(event.intent_id, event.amount_msat)
                self.coverage[f"address {event.closing.value}"] += 1
            case AssignmentRefused():
                self.coverage[f"reason {event.reason.value}"] += 1
            case RefundOwed():
                self.coverage[f"refund owed {event.reason.value}"] += 1
            case OrderHeld():
                self.coverage["order held"] += 1
                self.on_hold[event.order.ref] = event.order
            case OrderReleased():
                self.coverage["order released"] += 1
                del self.on_hold[event.order.ref]
            case ReplyWithheld():
                self.coverage[f"withheld {event.reply.type}"] += 1
            case OrderRenewed():
                if event.cause and not self.forgotten.pop(event.order.ref, ""):
                    raise Breach(f"I11: order {event.order.ref} was renewed by a word, and its wallet knew its request")
                self.coverage["order renewed by a word"] += bool(event.cause)
                self._go(self.status, "order", event.order.ref, "waiting")
            case PaymentImplied():
                self._go(self.payment, "payment", event.order.ref, "paid")
                self.coverage["payment implied"] += 1
                self.received[event.order.ref] += event.amount_msat
            case OrderReinstated():
                ref = event.order.ref
                if self.payment[ref] != "late" or self.received[ref] - self.returned[ref] < event.quote.total_msat:
                    raise Breach(f"I4: order {ref} was reinstated, and no late money pays for it")
                self._go(self.payment, "payment", ref, "paid")
                self.coverage["order reinstated"] += 1
            case RefundRecorded():
                self.returned[event.order.ref] += event.amount_msat
                self.coverage["refund"] += 1
                if self.returned[event.order.ref] > self.received[event.order.ref]:
                    raise Breach(f"I5: more was given back for order {event.order.ref} than came in")
            case GoodsSet():
                self.coverage["goods set"] += 1
            case RequestForgotten():
                self.forgotten[event.order.ref] = event.intent_id
                self.coverage["request forgotten"] += 1
            case RequestRecalled():
                if self.forgotten.pop(event.order.ref, "") != event.intent_id:
                    raise Breach(f"I3: order {event.order.ref} has a request back that its wallet never forgot")
                self.coverage["request recalled"] += 1
            case PaymentDropped() | WalletMissed() | WalletAnswered():
                self.coverage[f"fact {event.type}"] += 1
            case CancellationRequested():
                self.coverage["order cancellation requested"] += 1
            case MoveRefused():
                self.coverage[f"reason {event.reason}"] += 1
                self.refusals += 1
                place = (event.order.ref, event.reason, event.cause)
                if event.reason == "already_quoted" and (event.order.ref, event.cause) in self.rumors:
                    raise Breach(f"I9: order {event.order.ref} was refused for the message that placed it")
                if place in self.refused_once:
                    raise Breach(f"I9: order {event.order.ref} was refused twice for one cause, {event.reason}")
                if event.order.ref in self.orders:  # an order remembers; what is none, a past one too, does not
                    self.refused_once.add(place)
                self.refused.add((event.reason, event.cause))
            case ReplyPromised():
                if event.order.ref in self.on_hold:
                    raise Breach(f"I11: order {event.order.ref} is on hold, and its buyer is told something")
                self.replies[event.order.ref] += 1
                if event.dialect != self.orders[event.order.ref].dialect:
                    raise Breach(f"MSG-03: order {event.order.ref} is answered in {event.dialect}, another one's")
                if event.effect_id in self.promised:
                    raise Breach(f"I4: {event.effect_id} was promised twice")
                self.promised[event.effect_id] = event
                self.coverage[f"told {event.reply.type}"] += 1
                self.promised_ms[event.effect_id] = committed_ms
            case ReviewJudged():
                self.coverage[f"review {event.standing.value}"] += 1
                self.coverage["review verified"] += event.is_verified
            case ReviewReceived():
                self.coverage["review received"] += 1
            case ReviewInvited():
                self.coverage["review invited"] += 1
                if self.status.get(event.order.ref) != "completed" or event.order.ref in self.invited:
                    raise Breach(f"I15: order {event.order.ref} is invited early, or again")
                self.invited.add(event.order.ref)
            case MessageReceived():
                if event.rumor_id in self.letters:
                    raise Breach(f"I9: message {event.rumor_id[:8]} came into the inbox twice")
                self.letters.add(event.rumor_id)
                self.coverage[f"message of {event.author.value}"] += 1
                self.coverage["message about an order"] += event.order is not None
            case MessageDeleted():
                self.coverage["message taken back"] += 1
            case AnswerPromised():
                effect_id = event.effect_id(merchant)
                if effect_id in self.answers:
                    raise Breach(f"I4: {effect_id} was promised twice")
                self.answers[effect_id] = event
                self.promised_ms[effect_id] = committed_ms
            case AnswerRefused():
                self.coverage[f"answer {event.reason}"] += 1
            case _:
                pass

    def live_intents(self) -> set[str]:
        """Payments that pending orders' buyers were asked for."""
        return {one.intent_id for ref, one in self.shown.items() if self.status.get(ref) == "pending"}

    def _ship(self, event: ShippingMoved) -> None:
        """One parcel; for the order, all of them are under way once the last one is."""
        ref = event.order.ref
        parcels = self.parcels.setdefault(ref, {})
        self.coverage[f"parcel {parcels.get(event.parcel, 'none')}→{event.to.value}"] += 1
        parcels[event.parcel] = event.to.value
        self.coverage["several parcels"] += len(parcels) > 1
        self.parcel[ref] = "shipped" if set(parcels.values()) <= {"shipped", "delivered"} else "processing"

    def _check_announced(self, event: PaymentAnnounced) -> None:
        """No merchant here has a mint that buyers name: what is taken is the order's own invoice, or its address."""
        shown = self.shown.get(event.order.ref)
        named = {request_digest(shown.text)} if shown else set()
        if shown and shown.is_addressed:
            named.add(hashlib.sha256(order_address(ADDRESS, event.order.ref).encode()).hexdigest())
        enough = shown is not None and event.amount_sats * 1_000 >= shown.amount_msat
        if not enough or any(payment.digest not in named for payment in event.payments):
            raise Breach(f"I5: a payment for order {event.order.ref} was taken note of that is not for its request")

    def _leave_address(self, intent_id: str, amount_msat: int) -> None:
        """I5: money over the address leaves it once, and all of it."""
        if self.at_address.pop(intent_id, 0) != amount_msat or amount_msat <= 0:
            raise Breach(f"I5: money over the address left it twice, or another sum: intent {intent_id[:8]}")

    def _newer(self, coordinate: str, created_at: int) -> None:
        """A listing's versions only become newer, and none comes back from before its deletion."""
        if created_at <= self.withdrawn.get(coordinate, -1):
            raise Breach(f"I11: {coordinate} came back from before its deletion")
        if created_at < self.versions.get(coordinate, -1):
            raise Breach(f"I11: {coordinate} went back to an older version")
        self.versions[coordinate] = created_at

    def _go(self, axis: dict[str, str], name: str, ref: str, to: str) -> None:
        self.coverage[f"{name} {axis.get(ref, 'none')}→{to}"] += 1
        axis[ref] = to
