"""Reads what Stripe says of Checkout Sessions and their money, and what it means for a request (API of 2025-02-24).

What a session asks for is written into its own metadata, so a session that is found tells whose it is and how much
the whole of it is worth in msat: that is the one rule from smallest units to msat, and never an exchange rate.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final

import httpx
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError

from schemas.payments import BackendState, request_digest
from services.payments.http_calls import HttpCalls
from services.payments.node_words import our_reference
from services.payments.notices import json_in
from services.payments.port import (
    BackendError,
    BackendRef,
    Hint,
    Observation,
    Reference,
    Rejected,
    Retry,
    Unauthorized,
    Unknown,
)

WHOM: Final = "Stripe"
API: Final = "https://api.stripe.com"
VERSION: Final = "2025-02-24.acacia"
"""Said with each call: an account's own default may be years old."""
REFERENCE, INTENT, MSAT, UNITS, CURRENCY = "ncc_reference", "ncc_intent", "ncc_msat", "ncc_units", "ncc_currency"
PAYMENT: Final = "payment_intent.latest_charge"
"""What is expanded in a session, to see its money."""
_UNITS_MAX: Final = 10**15
_MSAT_MAX: Final = 10**19
_NOT_TAKEN: Final = frozenset({"warning_needs_response", "warning_under_review", "warning_closed", "won", "prevented"})
"""Disputes that took no money, or gave it back; any other word means that it is gone."""


class Forbidden(Unauthorized):
    """The key is known, and may not do this."""


class Missing(Rejected):
    """Stripe has no such object, or not in this account."""


def _metadata(said: Any) -> Any:
    return said if isinstance(said, dict) else {}


class _Words(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


Units = Annotated[int, Field(ge=0, le=_UNITS_MAX, strict=True)]
Moment = Annotated[int, Field(ge=0, le=2**40, strict=True)]


class Charge(_Words):
    """One payment by a card; `disputed` says that somebody questions it, not that the money is gone."""

    created: Moment
    refunded: bool = False
    disputed: bool = False


class Payment(_Words):
    """A PaymentIntent; its charge is an id where it was not expanded."""

    id: str = Field(pattern=r"^pi_[A-Za-z0-9_]{1,250}$")
    status: str
    currency: str
    amount_received: Units = 0
    latest_charge: Charge | str | None = None

    @property
    def charge(self) -> Charge | None:
        """The charge that was paid, as far as it is told."""
        return self.latest_charge if isinstance(self.latest_charge, Charge) else None


class Session(_Words):
    """A Checkout Session; `url` is told while it is open, `payment_intent` an id where it was not expanded."""

    id: str = Field(pattern=r"^cs_(test|live)_[A-Za-z0-9]{1,250}$")
    created: Moment
    expires_at: Moment
    status: str
    payment_status: str
    amount_total: Units
    currency: str
    url: str | None = None
    metadata: Annotated[dict[str, Any], BeforeValidator(_metadata)]
    payment_intent: Payment | str | None = None

    @property
    def reference(self) -> Reference | None:
        """Ours, or none: an account has other sessions."""
        return our_reference(self.metadata.get(REFERENCE))

    @property
    def intent_id(self) -> str:
        """Whose it is."""
        return str(self.metadata.get(INTENT, ""))

    @property
    def asked_msat(self) -> int:
        """What the whole of it is worth; 0 where that is not said."""
        return _number(self.metadata.get(MSAT), _MSAT_MAX)

    @property
    def asks(self) -> tuple[int, str]:
        """What it was made to ask for, in Stripe's units of a currency (lower case)."""
        return _number(self.metadata.get(UNITS), _UNITS_MAX), str(self.metadata.get(CURRENCY, ""))

    @property
    def is_true(self) -> bool:
        """Whether its page asks for what it was made to ask for."""
        return (self.amount_total, self.currency) == self.asks

    @property
    def payment(self) -> Payment | None:
        """Its money, as far as it is told."""
        return self.payment_intent if isinstance(self.payment_intent, Payment) else None

    @property
    def text(self) -> str:
        """Its page; one that is over has none, and its address without what it had after the # shows nothing."""
        return self.url or f"https://checkout.stripe.com/c/pay/{self.id}"


class Dispute(_Words):
    """Somebody questions a charge with the bank."""

    status: str

    @property
    def is_taken(self) -> bool:
        """Whether the money is gone."""
        return self.status not in _NOT_TAKEN


@dataclass(frozen=True, slots=True)
class Sight:
    """A session, and whether a bank took its money."""

    session: Session
    is_taken: bool = False

    def got_msat(self) -> int:
        """What came for it, whatever became of it since. Raises `Retry` for money in another currency."""
        session, payment = self.session, self.session.payment
        if session.payment_status != "paid":
            return 0
        units, currency = session.asks
        if payment is None or not units:
            raise Retry("Stripe tells of a paid session and not of its money")
        if payment.currency != currency:
            raise Retry(f"Stripe tells of money in {payment.currency[:8]}, where {currency[:8]} was asked for")
        return session.asked_msat * payment.amount_received // units

    @property
    def is_back(self) -> bool:
        """Whether all of it went back to the payer."""
        charge = self.session.payment.charge if self.session.payment else None
        return self.is_taken or (charge is not None and charge.refunded)

    @property
    def paid_at(self) -> int:
        """When it came."""
        charge = self.session.payment.charge if self.session.payment else None
        return self.session.created if charge is None else charge.created


def stripe_calls(key: SecretStr, url: str = API, transport: httpx.AsyncBaseTransport | None = None) -> HttpCalls:
    """The calls of one account, with a secret or restricted key."""
    headers = {"Authorization": f"Bearer {key.get_secret_value()}", "Stripe-Version": VERSION}
    return HttpCalls(WHOM, url, key, headers, judge, transport=transport)


def judge(said: str, code: int, body: Any) -> BackendError:
    """What a Stripe answer that is none means."""
    error = body.get("error") if isinstance(body, dict) else None
    kind, word = (str(error.get("type")), error.get("code")) if isinstance(error, dict) else ("", None)
    if code == 401:
        return Unauthorized(f"{said}: it does not know this key")
    if code == 403:
        return Forbidden(f"{said}: the key may not do this")
    if code == 404 and word == "resource_missing":
        return Missing(f"{said}: it has nothing of this name")
    if code in {404, 405}:
        return Unauthorized(f"{said}: there is no Stripe API at this address")
    if 300 <= code < 400:
        return Retry(f"{said}: its address is another one")
    if code in {409, 424} or kind == "idempotency_error":
        # An earlier call with this key is under way, or was made in other words: it is looked for.
        return Unknown(f"{said}: an earlier call of the same name may have made it")
    if 400 <= code < 500:
        is_word = isinstance(word, str) and word.replace("_", "").isalnum() and word.isascii() and len(word) <= 80
        return Rejected(f"{said}: it refuses the call" + (f" ({word})" if is_word else ""))
    return Unknown(said)


def read_session(said: Any) -> Session:
    """One session. Raises `Unknown`."""
    try:
        return Session.model_validate(said)
    except ValidationError:
        raise Unknown("Stripe tells of a session in words that cannot be read") from None


def read_dispute(said: Any) -> Dispute:
    """One dispute. Raises `Unknown`."""
    try:
        return Dispute.model_validate(said)
    except ValidationError:
        raise Unknown("Stripe tells of a dispute in words that cannot be read") from None


def is_ours(said: Mapping[str, Any]) -> bool:
    """Whether an object's metadata names a request of ours; those of others are not even read."""
    return our_reference(_metadata(said.get("metadata")).get(REFERENCE)) is not None


def observed(ref: BackendRef, sights: Sequence[Sight], now_s: float) -> Observation:
    """How a request stands, by the money of all its sessions. Raises `Retry`.

    A part that the merchant gave back is the merchant's own refund; only what went back as a whole is taken back.
    """
    if not sights:
        return Observation(backend_ref=ref, reference=None, state=BackendState.GONE)
    came = [(sight, sight.got_msat()) for sight in sights]
    kept = [(sight, msat) for sight, msat in came if msat and not sight.is_back]
    back = [(sight, msat) for sight, msat in came if msat and sight.is_back]
    first, asked_msat = sights[0].session, sights[0].session.asked_msat
    gross_msat = sum(msat for _, msat in kept or back)
    if kept:
        state = BackendState.SETTLED if gross_msat >= asked_msat else BackendState.PARTIAL
    elif back:
        state = BackendState.REVERSED
    else:
        state = _unpaid([sight.session for sight in sights], now_s)
    paid = (kept or back or [(sights[0], 0)])[0][0]
    return Observation(
        backend_ref=ref,
        reference=first.reference,
        state=state,
        gross_msat=gross_msat,
        settled_at=min(sight.paid_at for sight, _ in kept or back) if gross_msat else None,
        expires_at=first.expires_at,
        evidence=f"fiat:{request_digest(paid.session.text)}" if gross_msat else "",
        raw_digest=hashlib.sha256(repr(sights).encode()).hexdigest(),
    )


def _unpaid(sessions: Sequence[Session], now_s: float) -> BackendState:
    if any(one.payment and one.payment.status == "processing" for one in sessions):
        return BackendState.PENDING
    if any(one.status == "open" and now_s < one.expires_at for one in sessions):
        return BackendState.OPEN
    is_over = now_s >= max(one.expires_at for one in sessions)
    return BackendState.EXPIRED if is_over else BackendState.CANCELLED


def noticed(raw: bytes, now_s: int) -> tuple[Hint, ...]:
    """What an event's body is a reason to look up: a request of ours, nothing for another's, else everything.

    A dispute does not say whose payment it is about.
    """
    said = json_in(raw)
    if not isinstance(said, dict) or not isinstance(said.get("type"), str):
        return (Hint(None, at=now_s),)
    if not said["type"].startswith(("checkout.session.", "charge.")):
        return ()
    about = object_in(said)
    if about is None or about.get("object") == "dispute" or not isinstance(about.get("metadata"), dict):
        return (Hint(None, at=now_s),)
    ref = our_reference(about["metadata"].get(REFERENCE))
    return () if ref is None else (Hint(BackendRef(ref), at=now_s),)


def object_in(event: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """What an event is about; None where it does not say."""
    data = event.get("data")
    about = data.get("object") if isinstance(data, dict) else None
    return about if isinstance(about, dict) else None


def sessions_in(rows: Sequence[Mapping[str, Any]]) -> Iterator[Session]:
    """The sessions of ours in a list. Raises `Retry`."""
    try:
        yield from [read_session(row) for row in rows if is_ours(row)]
    except Unknown as doubt:
        raise Retry(str(doubt)) from None


def moment_of(row: Mapping[str, Any]) -> int:
    """When a row was made. Raises `Retry`."""
    at = row.get("created")
    if not isinstance(at, int) or isinstance(at, bool) or not 0 <= at <= 2**40:
        raise Retry("Stripe lists something that was never made")
    return at


def _number(said: Any, most: int) -> int:
    is_number = isinstance(said, str) and said.isascii() and said.isdigit() and len(said) <= len(str(most))
    return int(said) if is_number else 0
