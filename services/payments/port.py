"""States the contract between the coordinator and anything that can be paid into.

One small contract; deciding what a payment means is the pure domain's work, not a back-end's.
Amounts are integer msat, times unix seconds, and every call has a deadline (`timeout_s`).
How a back-end differs is told by `Capabilities`, never by its class. The source of each call's rules:
intent, look up, act, record; a time-out is unknown, never failed; only a look-up proves payment.

Errors:
    BackendError
      Rejected      permanent, and nothing exists for it: say it otherwise, or not at all
      Retry         nothing happened, provably: the same call may be made again
        Held        and nothing new is made here until its reason is gone, which is for a person to see to
      Unknown       may have happened: look up before anything else
      Unauthorized  the credentials are wrong or too weak
        Mistimed    the notice is the vendor's, of another time
      Unsupported   this back-end cannot do it; see `Capabilities`
"""

from base64 import b32encode
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, NewType, Protocol

from schemas.bolt11 import Network
from schemas.currencies import FiatTotal
from schemas.ecash import EcashTerms
from schemas.payments import BackendState, Method
from services.payments.preimages import Preimage

Reference = NewType("Reference", str)
"""24 characters a-z2-7 that fit every back-end's label, external id or memo."""
BackendRef = NewType("BackendRef", str)
"""What the back-end calls its request; only the back-end knows its shape."""
Cursor = NewType("Cursor", str)
"""A place in a back-end's history of settlements; only the back-end knows its shape."""

FROM_THE_START: Final = Cursor("")
REFERENCE_BYTES: Final = 15
"""120 bits: a buyer who chooses order ids cannot find two orders with one reference."""


@dataclass(frozen=True, slots=True)
class Intent:
    """What is to be asked for, recorded before any back-end hears of it.

    `memo` is shown to the payer unless `description_hash` (64 hex digits) stands for it. `preimage` is given only to a
    back-end with `preset_preimage`; see `preimage_for`. `ecash` is what the shop's mint list asks of ecash.
    `fiat` is what to ask for in the currency of the shop's prices; None where those are in bitcoin or in several.
    """

    intent_id: str
    reference: Reference
    amount_msat: int
    memo: str
    expires_at: int
    method: Method
    description_hash: str | None = None
    preimage: Preimage | None = None
    fiat: FiatTotal | None = None
    ecash: EcashTerms | None = None


@dataclass(frozen=True, slots=True)
class PaymentRequest:
    """What the buyer is to be shown, once it was held against the intent.

    `fiat` is what it asks for where the back-end asks in a currency that is no bitcoin.
    """

    backend_ref: BackendRef
    reference: Reference
    method: Method
    text: str
    amount_msat: int
    expires_at: int
    payment_hash: str | None = None
    fiat: FiatTotal | None = None


@dataclass(frozen=True, slots=True)
class Observation:
    """What a look-up found: the only source of the word paid.

    `gross_msat` is what the payer paid so far, `fee_msat` what the back-end kept of it; both 0 until then.
    Of a request that is `REVERSED` it is what was taken back.
    `evidence` names the proof (`bolt11:<payment hash>`, a txid, `fiat:<request_digest>`), never a preimage.
    `raw_digest` is the SHA-256, in hex, of the back-end's own words, so that an audit can tell two apart.
    """

    backend_ref: BackendRef
    reference: Reference | None
    state: BackendState
    gross_msat: int = 0
    fee_msat: int = 0
    settled_at: int | None = None
    expires_at: int | None = None
    evidence: str = ""
    raw_digest: str = ""

    @property
    def is_late(self) -> bool:
        """Whether it was settled after its expiry, which is a normal thing to happen."""
        return self.settled_at is not None and self.expires_at is not None and self.settled_at >= self.expires_at


@dataclass(frozen=True, slots=True)
class Scan:
    """A stretch of a back-end's history: what settled after a cursor, and where to go on."""

    observations: tuple[Observation, ...]
    cursor: Cursor


@dataclass(frozen=True, slots=True)
class Hint:
    """A reason to look something up (everything, without `backend_ref`); it carries no truth."""

    backend_ref: BackendRef | None
    at: int


@dataclass(frozen=True, slots=True)
class Refund:
    """Money to be sent back for a request that was paid here, recorded and approved before any back-end hears of it.

    `refund_id` (64 hex digits) names it for ever: the same one is sent once, whatever is lost in between.
    `destination` is the payer's own invoice; None where the back-end gives out a link to be claimed by.
    The payer bears no fee; what the back-end may pay for sending it is `max_fee_msat` at most.
    """

    refund_id: str
    about: BackendRef
    amount_msat: int
    destination: str | None
    max_fee_msat: int


class RefundState(StrEnum):
    """How a refund stands at its back-end."""

    SENT = "sent"
    PENDING = "pending"
    CLAIMABLE = "claimable"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Refunded:
    """What a back-end says of a refund; `text` is for the payer to claim it by, and whoever has that has the money.

    `evidence` names it at the back-end (a payment hash, the name of a pull payment), never a preimage or a link.
    """

    refund_id: str
    state: RefundState
    amount_msat: int
    fee_msat: int = 0
    evidence: str = ""
    text: str = field(default="", repr=False)


class Push(StrEnum):
    """How a back-end tells of a payment."""

    WEBHOOK = "webhook"
    SOCKET = "socket"
    RELAY = "relay"
    CURSOR = "cursor"
    NONE = "none"


class PushAuth(StrEnum):
    """What proves that a notice is the back-end's; none of it proves what the notice says."""

    HMAC_TIME = "hmac_time"
    HMAC = "hmac"
    URL_TOKEN = "url_token"  # noqa: S105 - a way, not a token
    TRANSPORT = "transport"


class RefundWay(StrEnum):
    """How money goes back."""

    PAY = "pay"
    CLAIM_LINK = "claim_link"
    NONE = "none"


class Proof(StrEnum):
    """What a payer is left with."""

    PREIMAGE = "preimage"
    TXID = "txid"
    SWAP = "swap"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a back-end can do; flows ask these flags, never its name.

    `methods` has one of them for now: what its requests are to be paid over. `amount_step_msat` is 1 or 1000.
    `payable_late_s` is how long after its end a request may still be paid, so that it is watched.
    """

    methods: frozenset[Method]
    amount_step_msat: int
    custom_expiry: bool = False
    can_cancel: bool = False
    reference_unique: bool = False
    reference_searchable: bool = False
    preset_preimage: bool = False
    description_hash: bool = False
    push: Push = Push.NONE
    push_auth: PushAuth = PushAuth.TRANSPORT
    """What proves a webhook's notice, where `takes_notices`."""
    takes_notices: bool = False
    """Whether it may be called over HTTP as well as listened to; see `parse_notice`."""
    late_settle: bool = False
    payable_late_s: int = 0
    partial: bool = False
    hold: bool = False
    refund: RefundWay = RefundWay.NONE
    proof: Proof = Proof.NONE
    own_rates: bool = False


@dataclass(frozen=True, slots=True)
class Probe:
    """How a back-end is; `clock_offset_s` is its clock minus ours, `warnings` are for the operator.

    `may` is what the credential allows, in the back-end's words, and `lacks` what it needs and does not have.
    A request for less than `amount_min_msat` is refused.
    """

    capabilities: Capabilities
    network: Network | None
    payee: str | None = None
    clock_offset_s: int = 0
    warnings: tuple[str, ...] = ()
    may: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    amount_min_msat: int = 0


class BackendError(Exception):
    """Anything a back-end did not do; no message holds a secret. The tree is drawn above.

    `retry_after_s` is how long it asks to be left alone; 0 where it does not say.
    """

    retry_after_s: float = 0.0


class Rejected(BackendError):
    """Permanently refused; nothing exists for this call."""


class Retry(BackendError):
    """Nothing happened, provably; the same call may be made again, after `retry_after_s`."""

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s or 0.0


class Held(Retry):
    """This wallet is not to be used for anything new as it is now; the message is the reason, for the operator."""


class Unknown(BackendError):
    """It may have happened: call `ensure` or `lookup` again, which look before they act."""


class Unauthorized(BackendError):
    """The credentials, or a notice's, are not good for this."""


class Mistimed(Unauthorized):
    """A notice that its vendor signed, at a moment too far from now: it is old, or a clock is wrong."""


class Unsupported(BackendError):
    """This back-end cannot do it, as its `Capabilities` say."""


class PaymentBackend(Protocol):
    """One merchant's way to be paid. Every call may raise any `BackendError`."""

    @property
    def capabilities(self) -> Capabilities:
        """What it can do, as far as that is known without asking it; `probe` may know better."""
        ...

    @property
    def network(self) -> Network:
        """The network whose requests alone may be shown."""
        ...

    async def ensure(self, intent: Intent, *, timeout_s: float) -> PaymentRequest:
        """Give the one request for this intent: look up by reference, else create, else look up again.

        The same intent gives the same request however often it is asked, also after a crash.
        The same reference with another intent id or amount is `Rejected`.
        The answer never holds a preimage, and is shown to nobody before it was held against the intent.
        """
        ...

    async def lookup(self, ref: BackendRef, *, timeout_s: float) -> Observation:
        """Tell how a request stands; one that the back-end does not know is `GONE`, not an error."""
        ...

    async def scan(self, cursor: Cursor, *, timeout_s: float) -> Scan:
        """Give what was paid, in part too, or taken back after the cursor, oldest first, in a bounded portion.

        Nothing between two cursors is ever left out; repeats are allowed. A scan that gives nothing is at the end.
        """
        ...

    def listen(self, cursor: Cursor) -> AsyncGenerator[Hint, None]:
        """Hint at settlements after the cursor, until closed (`aclose`); repeats and gaps are allowed."""
        ...

    async def parse_notice(self, path_token: str, headers: Mapping[str, str], raw: bytes) -> tuple[Hint, ...]:
        """Read a webhook call: authenticate, parse leniently, give hints; none for what is no payment of ours.

        What cannot be read but is the back-end's is a hint at everything. Raises `Unauthorized` for a notice that
        is not the back-end's, `Unsupported` where there are none.
        """
        ...

    async def cancel(self, ref: BackendRef, *, timeout_s: float) -> None:
        """Ask that a request be not payable any more; best effort, so look up afterwards."""
        ...

    async def refund(self, wish: Refund, *, timeout_s: float) -> Refunded:
        """Send money back, once for each refund id: look it up, else send, else look again, as `ensure` does.

        `Rejected` means that nothing was sent and nothing will be for this wish.
        """
        ...

    async def probe(self, *, timeout_s: float) -> Probe:
        """Tell capabilities, network, payee and clock; called at start and every minute."""
        ...


def reference(intent: str) -> Reference:
    """Shorten an intent's name for the back-end: 24 characters of base32, lower case."""
    return Reference(b32encode(bytes.fromhex(intent)[:REFERENCE_BYTES]).decode().lower())


class RequestFault(StrEnum):
    """What is wrong with a request that a back-end returned; the words are stable."""

    METHOD = "method"
    UNREADABLE = "unreadable"
    NETWORK = "network"
    AMOUNT = "amount"
    EXPIRED = "expired"
    LIVES_TOO_LONG = "lives_too_long"
    PAYMENT_HASH = "payment_hash"
    DESCRIPTION_HASH = "description_hash"
    PAYEE = "payee"


@dataclass(frozen=True, slots=True)
class RequestRefused:
    """A back-end's request that nobody may be shown, and why in a sentence."""

    reason: RequestFault
    detail: str
