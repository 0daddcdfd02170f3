"""A payment request that is wanted or watched, and what a look-up of it is worth saying."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from schemas.absence import RecordWalletAbsence, RequestForgotten, RequestRecalled, WalletAnswered, WalletMissed
from schemas.addresses import InvoiceWanted, ObserveInvoice, RecordInvoice, RecordInvoiceFailure
from schemas.messages import CommandBody
from schemas.payments import (
    MEDIUM,
    BackendState,
    Method,
    ObservePayment,
    ObserveReversal,
    PaymentSeen,
    PaymentWanted,
    RecordPaymentFailure,
    RecordPaymentRequest,
    request_digest,
)
from services.payments.cashu import check_ecash_request
from services.payments.chain_request import chain_faults_of
from services.payments.fiat_request import fiat_faults_of
from services.payments.invoice_request import check_request
from services.payments.port import (
    BackendRef,
    Intent,
    Observation,
    PaymentBackend,
    PaymentRequest,
    RequestFault,
    RequestRefused,
    reference,
)
from services.payments.preimages import Preimage, preimage_for

LATE_WATCH_S = 3_600
"""How long after its expiry a request that was not paid is still watched."""
LATE_AFTER_S = 60
"""After how long without a request its buyer hears that it is late."""
END_S = 90
"""From how long before its end on a request's wallet has to answer: longer than it is left unasked."""
NOTHING_CAME = frozenset({BackendState.OPEN, BackendState.EXPIRED, BackendState.CANCELLED, BackendState.PARTIAL})
"""Answers of a wallet that has no (further) money for a request; one that has forgotten it does not say so."""
_BOLT11 = "bolt11:"
_BITCOIN = "bitcoin:"
_FIAT = "fiat:"


@dataclass(slots=True)
class Open:
    """One request that is wanted or watched: an order's, or an invoice of a shop's own lightning address."""

    wanted: PaymentWanted | InvoiceWanted
    partition: int
    offset: int
    merchant: str
    requested: bool = False
    dropped: bool = False
    ref: BackendRef | None = None
    gone: bool = False
    """The back-end says that it has no such request, or that it does not tell how one stands."""
    was_lost: bool = False
    """Whether the newest look-up found that the back-end does not know the request."""
    payable_late_s: int = 0
    """How long after its end the back-end says that it may still be paid."""
    payable_until: int = 0
    """When the request's own text ends, unix seconds; a back-end that sets it itself may set it late."""
    wanted_s: float = 0.0
    shown_s: float = 0.0
    """When it was wanted and shown, by the journal, unix seconds."""
    asked_s: float = 0.0
    seen_s: float = 0.0
    """When the last look-up began, and the last one that was answered, unix seconds."""
    is_deaf: bool = False
    """The back-end hints at nothing."""
    is_delay_told: bool = False
    """The buyer was told that the request is late."""
    is_waited_for: bool = False
    """Its order waits beyond its end for the wallet to answer."""
    is_forgotten: bool = False
    """The journal has that the back-end does not know the request."""
    got_msat: int = 0
    is_settled: bool = False
    """What of its money the journal has, and whether that settled it."""
    is_seen: bool = False
    """Whether it was said that money is on its way."""
    lost_msat: int = -1
    """What the journal had of it when its loss was said."""
    is_spare: bool = False
    """Made at the merchant's spare wallet, or to be."""
    refused_by: set[bool] = field(default_factory=set)
    """Which of the two refused it for good, by `is_spare`."""
    takes_more: bool = False
    """It is watched until its time is over, though it is paid."""
    is_plain: bool = False
    """The back-end cannot commit to a description by its hash, so it shows the memo."""

    @property
    def intent_id(self) -> str:
        return self.wanted.intent_id

    @property
    def order_ref(self) -> str | None:
        """The order it is for; None for an invoice of the shop's address, which knows no order."""
        return self.wanted.order.ref if isinstance(self.wanted, PaymentWanted) else None

    def lacks_description_hash(self) -> bool:
        """Go on without a hash of the description where an order's request can do so; False where it cannot."""
        can = isinstance(self.wanted, PaymentWanted) and self.wanted.description_hash is not None and not self.is_plain
        self.is_plain |= can
        return can

    def intent(self, preimage_secret: bytes, backend: PaymentBackend) -> Intent:
        """What the back-end is asked for; the secret is what its preimage is derived from, where it takes one."""
        return Intent(
            intent_id=self.intent_id,
            reference=reference(self.intent_id),
            amount_msat=self.wanted.amount_msat,
            memo=self.wanted.memo,
            expires_at=self.wanted.expires_at,
            method=self._method(backend),
            description_hash=self._description_hash(backend),
            preimage=self._preimage(preimage_secret) if backend.capabilities.preset_preimage else None,
            fiat=self.wanted.fiat if isinstance(self.wanted, PaymentWanted) else None,
            ecash=self.wanted.ecash if isinstance(self.wanted, PaymentWanted) else None,
        )

    def _preimage(self, secret: bytes) -> Preimage:
        """One wallet's is not the other's: both may hold a request for this intent, of which one is shown."""
        name = hashlib.sha256(f"{self.intent_id}:spare".encode()).hexdigest() if self.is_spare else self.intent_id
        return preimage_for(secret, name)

    def _method(self, backend: PaymentBackend) -> Method:
        """What the back-end is paid over; an invoice that somebody asked for is one whatever it may be."""
        is_invoice = isinstance(self.wanted, InvoiceWanted) or not backend.capabilities.methods
        return Method.BOLT11 if is_invoice else min(backend.capabilities.methods)

    def _description_hash(self, backend: PaymentBackend) -> str | None:
        """What the invoice is to commit to; an order's may do without where the back-end cannot."""
        if isinstance(self.wanted, InvoiceWanted):
            return self.wanted.description_hash
        return None if self.is_plain or not backend.capabilities.description_hash else self.wanted.description_hash

    def made(self, intent: Intent, request: PaymentRequest) -> CommandBody:
        """The command for a request that the back-end holds; it may have set a later end itself."""
        expires_at = min(request.expires_at, self.wanted.expires_at)
        match self.wanted:
            case PaymentWanted(order=order):
                return RecordPaymentRequest(
                    order=order,
                    intent_id=self.intent_id,
                    medium=MEDIUM[request.method],
                    text=request.text,
                    payment_hash=request.payment_hash,
                    amount_msat=request.amount_msat,
                    expires_at=expires_at,
                    is_addressed=intent.description_hash is not None,
                    is_spare=self.is_spare,
                )
            case InvoiceWanted():
                return RecordInvoice(
                    intent_id=self.intent_id,
                    text=request.text,
                    payment_hash=request.payment_hash or "",
                    amount_msat=request.amount_msat,
                    expires_at=expires_at,
                )

    def failed(self, reason: str) -> CommandBody:
        """The command for a request that the back-end refuses for good."""
        match self.wanted:
            case PaymentWanted(order=order):
                return RecordPaymentFailure(order=order, intent_id=self.intent_id, reason=reason)
            case InvoiceWanted():
                return RecordInvoiceFailure(intent_id=self.intent_id, reason=reason)

    def observed(self, seen: Observation) -> CommandBody:
        """The command for what a look-up found."""
        match self.wanted:
            case PaymentWanted(order=order):
                return ObservePayment(
                    order=order,
                    intent_id=self.intent_id,
                    state=seen.state,
                    gross_msat=seen.gross_msat,
                    settled_at=seen.settled_at,
                )
            case InvoiceWanted():
                return ObserveInvoice(
                    intent_id=self.intent_id,
                    state=seen.state,
                    gross_msat=seen.gross_msat,
                    settled_at=seen.settled_at,
                )

    def absence(self, now_s: float) -> RecordWalletAbsence | None:
        """What to say where the wallet does not answer: nothing, unless a buyer waits or the order is near its end."""
        if not isinstance(self.wanted, PaymentWanted) or self.dropped:
            return None
        is_late = not self.requested and not self.is_delay_told and now_s >= self.wanted_s + LATE_AFTER_S
        if is_late or (not self.is_waited_for and self.is_unheard(now_s)):
            return RecordWalletAbsence(order=self.wanted.order, intent_id=self.intent_id)
        return None

    def note_absence(
        self, event: WalletMissed | WalletAnswered | RequestForgotten | RequestRecalled | PaymentSeen
    ) -> None:
        """What the journal has of it need not be said again; an answer is news as long as it is waited for."""
        is_missed = isinstance(event, WalletMissed)
        is_shown = is_missed and event.deadline_ms is not None
        self.is_delay_told |= is_missed and not is_shown
        self.is_waited_for = is_shown
        self.is_forgotten = isinstance(event, RequestForgotten)
        self.is_seen |= isinstance(event, PaymentSeen)

    def is_unheard(self, now_s: float) -> bool:
        """Whether its end is near or past, and no look-up was answered since: nobody knows whether it was paid."""
        is_open = self.requested and not (self.dropped or self.is_settled or self.is_seen)
        ends_s = self.wanted.expires_at
        return is_open and self.seen_s < ends_s and now_s >= ends_s - END_S

    def is_news(self, seen: Observation) -> bool:
        """Whether a look-up found money, on its way or there, or its loss, that the journal does not have.

        That there is none is news where the order waits for this very answer; that an order's shown request is
        forgotten, or known again, always is.
        """
        if self.is_forgotten and seen.state not in (BackendState.GONE, BackendState.UNKNOWN):
            return True
        if self.is_waited_for and seen.state in NOTHING_CAME and self.seen_s >= self.wanted.expires_at:
            return True
        match seen.state:
            case BackendState.SETTLED:
                return not self.is_settled or seen.gross_msat != self.got_msat
            case BackendState.PARTIAL:
                return seen.gross_msat != self.got_msat
            case BackendState.PENDING | BackendState.HELD:
                is_said, self.is_seen = self.is_seen or self.is_settled, True
                return not is_said and isinstance(self.wanted, PaymentWanted)
            case BackendState.REVERSED:
                is_said, self.lost_msat = self.lost_msat == self.got_msat, self.got_msat
                return not is_said
            case BackendState.GONE:
                is_shown = isinstance(self.wanted, PaymentWanted) and self.requested and not self.dropped
                return is_shown and not self.is_settled and not self.is_forgotten
            case _:
                return False

    def is_lost(self, seen: Observation) -> bool:
        """Whether the back-end has forgotten a request since it was looked up before; it may be an old copy's word."""
        was_lost, self.was_lost = self.was_lost, seen.state is BackendState.GONE
        return self.was_lost and not was_lost

    @property
    def watched_until_s(self) -> int:
        """Until when it is watched at least, unix seconds."""
        return max(self.wanted.expires_at, self.payable_until) + LATE_WATCH_S

    def is_over(self, now_s: float) -> bool:
        """Whether watching can end: its time is over, and what a buyer was shown was looked up after that.

        One that the journal still wants may yet be shown, whatever our clock says.
        """
        ends_s = self.watched_until_s
        is_unwanted = self.dropped or isinstance(self.wanted, InvoiceWanted)
        return ends_s < now_s and (self.gone or self.seen_s > ends_s if self.requested else is_unwanted)


def faults_of(intent: Intent, request: PaymentRequest, backend: PaymentBackend, now_s: int) -> RequestRefused | None:
    """Why nobody may be shown a back-end's request (PAY-08); None for a good one."""
    if request.method is not intent.method:
        return RequestRefused(RequestFault.METHOD, f"the request is to be paid by {request.method}")
    match request.method:
        case Method.BOLT11:
            checked = check_request(
                intent,
                request.text,
                now_s,
                backend.network,
                None,
                request.payment_hash,
                custom_expiry=backend.capabilities.custom_expiry,
            )
            return checked if isinstance(checked, RequestRefused) else None
        case Method.CASHU:
            asked = check_ecash_request(intent, request.text)
            return asked if isinstance(asked, RequestRefused) else None
        case Method.BITCOIN:
            return chain_faults_of(intent, request.text, backend.network)
        case Method.FIAT:
            return fiat_faults_of(intent, request)


def reversal_of(seen: Observation) -> ObserveReversal | None:
    """The command for money that was taken back, by the name its request is found by; None for anything else."""
    if seen.state is not BackendState.REVERSED:
        return None
    if seen.evidence.startswith(_BOLT11):
        return ObserveReversal(payment_hash=seen.evidence.removeprefix(_BOLT11))
    if seen.evidence.startswith(_BITCOIN):
        address = seen.evidence.removeprefix(_BITCOIN).partition(":")[0]
        return ObserveReversal(payment_hash=request_digest(address))
    if seen.evidence.startswith(_FIAT):
        return ObserveReversal(payment_hash=seen.evidence.removeprefix(_FIAT))
    return None
