"""Payments as the journal knows them: wanted, requested, claimed, observed, settled."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Final, Literal

from pydantic import Field

from schemas.bip21 import address_in
from schemas.currencies import FiatTotal
from schemas.ecash import EcashTerms, SealedTokens
from schemas.values import OrderKey, PublicKey, Value


class Method(StrEnum):
    """The rail a request is paid over."""

    BOLT11 = "bolt11"
    BITCOIN = "bitcoin"
    CASHU = "cashu"
    FIAT = "fiat"


MEDIUM: Final[Mapping[Method, str]] = {
    Method.BOLT11: "lightning",
    Method.BITCOIN: "bitcoin",
    Method.CASHU: "ecash",
    Method.FIAT: "fiat",
}
"""Its word in a `payment` tag (market spec §4)."""

CARD_PAGE: Final = re.compile(r"https://[^/\s#?]+/[^\s#?]*?\b(cs_(?:test|live)_[A-Za-z0-9]{1,250})\b", re.ASCII)
"""The address of a Checkout Session's page at Stripe; what stands after its # is gone once the session is over."""


def intent_id(order: OrderKey, revision: int, method: Method = Method.BOLT11, part: int = 1) -> str:
    """The identity of an order revision's one payment request: 64 hex digits, the same on every run (PAY-17).

    `part` counts the requests of one revision: a further one asks for the rest of what came only in part.
    """
    name = f"ncc/intent/1:{order.ref}:{revision}:{method}" + (f":{part}" if part > 1 else "")
    return hashlib.sha256(name.encode()).hexdigest()


def request_digest(text: str) -> str:
    """A request's text as it is recognised again: 64 hex digits.

    An invoice may be in either case; the chain knows its address alone, and Stripe a card page by the session in it.
    """
    page, is_invoice = CARD_PAGE.match(text), text[:2].lower() == "ln"
    name = page[1] if page else text.lower() if is_invoice else address_in(text)
    return hashlib.sha256(name.encode()).hexdigest()


class PaymentForm(StrEnum):
    """What a payment detail that somebody wrote is; it says what its `name` is."""

    INVOICE = "invoice"
    ADDRESS = "address"
    MINT = "mint"
    OTHER = "other"


class ProofVerdict(StrEnum):
    """What the proof in a receipt comes to. None of them settles anything (law L10)."""

    NONE = "none"
    FITS = "fits"
    WRONG = "wrong"


class PaymentAxis(StrEnum):
    """An order's payment, apart from its order and shipping states (requirements §7)."""

    NONE = "none"
    WANTED = "wanted"
    REQUESTED = "requested"
    REPORTED = "reported"
    PARTIAL = "partial"
    PAID = "paid"
    LATE = "late"
    REVERSED = "reversed"
    REFUND_DUE = "refund_due"
    REFUNDED = "refunded"


class BackendState(StrEnum):
    """What a payment back-end says of a request when it is looked up.

    `partial`: some of the money is there, and more may come for the same request.
    `reversed`: what it had received was taken back from it, by a chain that was reorganised or a chargeback.
    """

    OPEN = "open"
    PARTIAL = "partial"
    PENDING = "pending"
    HELD = "held"
    SETTLED = "settled"
    REVERSED = "reversed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    GONE = "gone"
    UNKNOWN = "unknown"


class RecordPaymentRequest(Value):
    """A back-end holds a request for this intent; its text was checked against the intent (PAY-08).

    `is_addressed`: it commits to what the order's own lightning address says, which may lead to it.
    `is_spare`: the merchant's spare wallet holds it.
    """

    type: Literal["RecordPaymentRequest"] = "RecordPaymentRequest"
    order: OrderKey
    intent_id: str
    medium: str
    text: str
    payment_hash: str | None
    amount_msat: int
    expires_at: int
    is_addressed: bool = False
    is_spare: bool = False


class RecordPaymentFailure(Value):
    """The back-end refused for good to make a request for this intent."""

    type: Literal["RecordPaymentFailure"] = "RecordPaymentFailure"
    order: OrderKey
    intent_id: str
    reason: str


class ObservePayment(Value):
    """A look-up gave this, the only source of 'paid' (law L10); `gross_msat` is all that it received so far."""

    type: Literal["ObservePayment"] = "ObservePayment"
    order: OrderKey
    intent_id: str
    state: BackendState
    gross_msat: int
    settled_at: int | None = None


class ObserveReversal(Value):
    """A look-up says that the money of a request was taken back; only what it is found by is known by now.

    `payment_hash` is that of its invoice; for a request that is none, the digest of its text (`request_digest`).
    """

    type: Literal["ObserveReversal"] = "ObserveReversal"
    payment_hash: str


class WaivePayment(Value):
    """The merchant goes on with an order whose money was taken back, and bears the loss."""

    type: Literal["WaivePayment"] = "WaivePayment"
    order: OrderKey
    cause: str = Field(max_length=128)


class ReportPayment(Value):
    """The buyer says they paid (kind 17). A claim that leads to a look-up, never a proof.

    `preimage_hashes` are sha256 of the preimages it shows: an invoice's payment hash where one is right.
    `amount` is what was paid by the buyer's word, in sats where `currency` is None; `said_at` when (unix seconds).
    `tokens` are no claim but money, and are swapped.
    """

    type: Literal["ReportPayment"] = "ReportPayment"
    order: OrderKey
    rumor_id: str
    medium: str
    preimage_hashes: tuple[str, ...] = ()
    amount: Decimal | None = None
    currency: str | None = None
    said_at: int | None = None
    warnings: tuple[str, ...] = ()
    tokens: SealedTokens = ()


class ReportUnnamedPayment(Value):
    """The same without an order: `payment_hashes`, of invoices and preimages it shows, or its tokens may tell which."""

    type: Literal["ReportUnnamedPayment"] = "ReportUnnamedPayment"
    buyer: PublicKey
    payment_hashes: tuple[str, ...]
    receipt: ReportPayment


class NamedPayment(Value):
    """Where a payment goes, as somebody wrote it, without what could be spent.

    `name` is an invoice's payment hash, a Lightning address or lnurl, a mint's URL, or a digest of anything else.
    `digest` is that of the whole text: another's invoice may carry the payment hash of ours.
    `lock_key` is the key that tokens are said to be locked to.
    """

    medium: str
    form: PaymentForm
    name: str
    digest: str
    lock_key: str | None = None


class AnnouncePayment(Value):
    """The buyer's own application says how it is going to pay (kind 16 of type 2 by the buyer, market spec §4).

    It asks nobody for anything: it is checked against what the merchant takes, and never a proof (PAY-03, A-23).
    One that shows `tokens` pays with them.
    """

    type: Literal["AnnouncePayment"] = "AnnouncePayment"
    order: OrderKey
    rumor_id: str
    amount_sats: int | None
    payments: tuple[NamedPayment, ...]
    tokens: SealedTokens = ()


class PaymentWanted(Value):
    """An order is owed a payment request of `amount_msat`, valid until `expires_at` (unix seconds).

    The payments role makes it and answers with a command; called again, it finds the one it made.
    A `part` above 1 asks for the rest of what came only in part.
    Where the order has a lightning address of its own, an invoice is to commit to `description_hash` if the back-end
    can do that; the memo is then what that address says. What is asked for in ecash keeps to `ecash`, if there is any.
    `fiat` is the same amount in the currency the order was priced in, where that is one and no bitcoin.
    """

    type: Literal["PaymentWanted"] = "PaymentWanted"
    order: OrderKey
    intent_id: str
    revision: int
    part: int = 1
    amount_msat: int
    expires_at: int
    memo: str
    description_hash: str | None = None
    fiat: FiatTotal | None = None
    ecash: EcashTerms | None = None


class PaymentRequested(Value):
    """The order has its one live payment request; the buyer is told by the reply in the same record.

    With `is_addressed` the order's own lightning address leads to it; with `is_spare` the spare wallet holds it.
    """

    type: Literal["PaymentRequested"] = "PaymentRequested"
    order: OrderKey
    intent_id: str
    medium: str
    text: str
    payment_hash: str | None
    amount_msat: int
    expires_at: int
    is_addressed: bool = False
    is_spare: bool = False

    @property
    def digest(self) -> str:
        """How this request is recognised in what others write."""
        return request_digest(self.text)


class PaymentReported(Value):
    """The buyer claims to have paid; the payments role looks the request up at once, whatever the proof is worth."""

    type: Literal["PaymentReported"] = "PaymentReported"
    order: OrderKey
    rumor_id: str
    medium: str
    proof: ProofVerdict = ProofVerdict.NONE
    amount: Decimal | None = None
    currency: str | None = None
    said_at: int | None = None
    warnings: tuple[str, ...] = ()


class PaymentSeen(Value):
    """Money for the order's request is on its way and not final: on the chain without its blocks, or held (PAY-10).

    It pays nothing yet, and may never come; the buyer is told by the reply in the same record, and the order waits
    for it until `deadline_ms`. Seen again, it says nothing new.
    """

    type: Literal["PaymentSeen"] = "PaymentSeen"
    order: OrderKey
    intent_id: str
    deadline_ms: int | None = None


class PaymentAnnounced(Value):
    """The buyer says how they pay, and the merchant takes it; the payments role looks the request up at once.

    The order stands where it stood: only a look-up settles it.
    """

    type: Literal["PaymentAnnounced"] = "PaymentAnnounced"
    order: OrderKey
    rumor_id: str
    amount_sats: int
    payments: tuple[NamedPayment, ...]


class PaymentPartReceived(Value):
    """Some money came for a request, and the order is not paid by it (TR-07, PAY-19).

    `gross_msat` is all that this request has received, `before_msat` of it was entered earlier; `due_msat` is the
    order's price and `rest_msat` what of it is still to come. `is_closed`: this request takes no more, so the payments
    role forgets it, and the record wants another one for the rest. The order waits for that until `deadline_ms`.
    With `late` nobody waited for the money (any more): the merchant decides.
    """

    type: Literal["PaymentPartReceived"] = "PaymentPartReceived"
    order: OrderKey
    intent_id: str
    gross_msat: int
    before_msat: int = 0
    due_msat: int
    rest_msat: int = 0
    is_closed: bool = False
    deadline_ms: int | None = None
    late: bool = False

    @property
    def new_msat(self) -> int:
        """What came in with this."""
        return self.gross_msat - self.before_msat


class PaymentSettled(Value):
    """The back-end holds the money. Confirms a pending order; on a dead one it is late and the merchant decides.

    `gross_msat` is all that this request has received, `before_msat` of it was entered earlier as a part.
    `in_all_msat` is what came in time over all of the revision's requests; None: over this one alone.
    """

    type: Literal["PaymentSettled"] = "PaymentSettled"
    order: OrderKey
    intent_id: str
    gross_msat: int
    before_msat: int = 0
    in_all_msat: int | None = None
    due_msat: int
    settled_at: int | None
    late: bool = False

    @property
    def new_msat(self) -> int:
        """What came in with this."""
        return self.gross_msat - self.before_msat


class PaymentReversed(Value):
    """What a request had received, `amount_msat`, was taken back (TR-16). It never counts again.

    `credit_msat` is what is left of the money that came in time, `owed_msat` what is still owed to the buyer, and
    `payment` how the order's payment stands now. While that is `reversed`, nothing is sent or handed over before a
    person decides: go on all the same (`WaivePayment`), or cancel. The payments role forgets the request.
    """

    type: Literal["PaymentReversed"] = "PaymentReversed"
    order: OrderKey
    intent_id: str
    amount_msat: int
    credit_msat: int
    owed_msat: int
    payment: PaymentAxis


class PaymentImplied(Value):
    """The merchant went on with an order that nobody had seen paid, so what was missing counts as theirs (TR-17).

    A live request is dropped in the same record; money that still comes for it is late.
    It also clears an order whose money was taken back (TR-16).
    """

    type: Literal["PaymentImplied"] = "PaymentImplied"
    order: OrderKey
    amount_msat: int
    cause: str


class PaymentDropped(Value):
    """The request is not wanted any more; the payments role cancels it where the back-end can."""

    type: Literal["PaymentDropped"] = "PaymentDropped"
    order: OrderKey
    intent_id: str
