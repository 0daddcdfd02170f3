"""Reads what BTCPay Server says of invoices, and what it means for a request (Greenfield API, as of 2.4).

A payment method's details may have a preimage in them; nothing here keeps it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Final

import httpx
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError
from pydantic.alias_generators import to_camel

from schemas.payments import BackendState
from services.payments.http_calls import HttpCalls
from services.payments.node_words import our_reference, text_ends_at
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
from services.payments.time_cursor import NAME_CHARS

WHOM: Final = "BTCPay"
LIGHTNING: Final = "BTC-LN"
CHAIN: Final = "BTC-CHAIN"
SATS: Final = "SATS"
BTC: Final = "BTC"
MSAT_PER: Final = {SATS: 1_000, BTC: 100_000_000_000}
AMOUNT_CHARS_MAX: Final = 40
POWER_MAX: Final = 20
DIGITS_MAX: Final = 28
"""All bitcoin there are, in msat, has 19 digits; Python counts exactly with 28."""


def _exact(said: Any) -> Decimal:
    """An amount as BTCPay writes it: a decimal in a string."""
    if isinstance(said, int | str) and not isinstance(said, bool) and len(str(said)) <= AMOUNT_CHARS_MAX:
        try:
            number = Decimal(said)
        except InvalidOperation:
            pass
        else:
            if (
                number.is_finite()
                and abs(number.adjusted()) <= POWER_MAX
                and len(number.as_tuple().digits) <= DIGITS_MAX
            ):
                return number
    raise ValueError("no decimal number")


Amount = Annotated[Decimal, BeforeValidator(_exact)]


class _Words(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel, hide_input_in_errors=True)


class Payment(_Words):
    """One payment of an invoice, in the currency of its method; on the chain its id is TXID-OUTPUT."""

    id: str
    received_date: int
    value: Amount
    status: str


class PaymentMethod(_Words):
    """One way in which an invoice can be paid; `destination` is what the payer is shown."""

    payment_method_id: str
    currency: str | None = None
    destination: str | None = None
    payments: tuple[Payment, ...] = ()


class Invoice(_Words):
    """An invoice; `payment_methods` is None where a server before 2.4.1 leaves them out of a list."""

    id: str = Field(pattern=r"^[A-Za-z0-9]{1,64}$")
    amount: Amount
    currency: str
    status: str
    additional_status: str = "None"
    created_time: int
    expiration_time: int
    metadata: dict[str, Any] = Field(default_factory=dict)
    payment_methods: tuple[PaymentMethod, ...] | None = None

    @property
    def reference(self) -> Reference | None:
        """Ours, or none: a store has other invoices."""
        return our_reference(self.metadata.get("orderId"))

    @property
    def amount_msat(self) -> int:
        """What it asks for; 0 for another currency than ours, and for less than nothing."""
        return max(0, int(self.amount * MSAT_PER.get(self.currency, 0)))

    @property
    def text(self) -> str:
        """The BOLT-11 text or the address; empty where there is none."""
        return next((way.destination or "" for way in self.methods if way.payment_method_id in {LIGHTNING, CHAIN}), "")

    @property
    def methods(self) -> tuple[PaymentMethod, ...]:
        """What is known of how it can be paid."""
        return self.payment_methods or ()

    @property
    def ends_at(self) -> int:
        """When nobody can pay it any more."""
        return text_ends_at(self.text) or self.expiration_time

    def came(self) -> list[tuple[int, int, bool]]:
        """Its payments, the oldest first: when, how much in msat, and whether that is final. Raises `Retry`."""
        return sorted(_came(self.methods))

    @property
    def is_on_chain(self) -> bool:
        """Whether it is paid there; what is paid over Lightning is never taken back."""
        return any(way.payment_method_id == CHAIN for way in self.methods)

    @property
    def was_settled(self) -> bool:
        """Whether BTCPay settled it on the chain, by itself, whatever became of its money since."""
        return self.is_on_chain and self.status == "Settled" and self.additional_status != "Marked"

    @property
    def is_short(self) -> bool:
        """Whether it was settled on the chain and has less money now than it asks for."""
        return self.was_settled and sum(msat for _, msat, _ in self.came()) < self.amount_msat

    @property
    def is_lost(self) -> bool:
        """Whether that is so for payments that are invalid by now: a reorganisation took what was settled.

        Only an answer that was asked for every payment has those.
        """
        return self.is_short and any(payment.status == "Invalid" for way in self.methods for payment in way.payments)

    @property
    def proof(self) -> str:
        """What names its money: on the chain address and newest transaction, else the invoice."""
        paid = [(one.received_date, one.id) for way in self.methods for one in way.payments]
        if not self.is_on_chain:
            return f"btcpay:{self.id}"
        return f"bitcoin:{self.text}:{max(paid, default=(0, ''))[1].partition('-')[0]}"

    @property
    def name(self) -> str:
        """What a cursor remembers of it: another one once there is other money."""
        return hashlib.sha256(repr((self.id, self.came())).encode()).hexdigest()[:NAME_CHARS]


def _came(methods: Sequence[PaymentMethod]) -> Iterator[tuple[int, int, bool]]:
    for method in methods:
        for payment in method.payments:
            if payment.status not in {"Processing", "Settled"}:
                continue  # it was replaced or spent twice, and does not count
            msat = payment.value * MSAT_PER.get(method.currency or "", 0)
            if msat <= 0 or msat != int(msat):
                raise Retry(
                    f"BTCPay tells of a payment of {payment.value} {method.currency}, which is no bitcoin amount"
                )
            yield payment.received_date, int(msat), payment.status == "Settled"


def btcpay_calls(url: str, key: SecretStr, transport: httpx.AsyncBaseTransport | None = None) -> HttpCalls:
    """The calls of one BTCPay Server, with an API key."""
    return HttpCalls(WHOM, url, key, {"Authorization": f"token {key.get_secret_value()}"}, judge, transport=transport)


def judge(said: str, code: int, body: Any) -> BackendError:
    """What a BTCPay answer that is none means."""
    if code in {401, 403}:
        return Unauthorized(f"{said}: it does not know this key, or the key may not do this in this store")
    if code in {404, 405}:
        return Unauthorized(f"{said}: there is no such store, or no BTCPay API at this address")
    if 300 <= code < 400:
        return Retry(f"{said}: its address is another one")
    if code == 400 and isinstance(body, dict) and body.get("code") == "generic-error":
        # Nothing was made: above all where the store's Lightning node does not answer.
        return Retry(f"{said}: it cannot make an invoice now; its log says why")
    if code == 400 and isinstance(body, dict) and body.get("code") == "non-refundable":
        return Retry(f"{said}: it gives nothing back before an invoice is settled or over")
    if code == 422 and isinstance(body, list) and any(_names_the_rate(one) for one in body):
        return Retry(f"{said}: it has no rate between sats and bitcoin now")
    if 400 <= code < 500:
        return Rejected(f"{said}: it refuses the call")
    return Unknown(said)


def _names_the_rate(fault: Any) -> bool:
    """Whether a fault is the one that BTCPay tells of by the refund's kind, which is always a good one here."""
    return isinstance(fault, dict) and str(fault.get("path")).lower() == "refundvariant"


def read_invoice(said: Any) -> Invoice:
    """One invoice. Raises `Unknown`."""
    try:
        return Invoice.model_validate(said)
    except ValidationError:
        raise Unknown("BTCPay tells of an invoice in words that cannot be read") from None


def read_methods(said: Any) -> tuple[PaymentMethod, ...]:
    """An invoice's payment methods. Raises `Unknown`."""
    try:
        return tuple(PaymentMethod.model_validate(one) for one in said)
    except (TypeError, ValidationError):
        raise Unknown("BTCPay tells of payment methods in words that cannot be read") from None


def observed(ref: BackendRef, invoices: Sequence[Invoice], now_s: float) -> Observation:
    """How a request stands, by the money of all its invoices.

    Only money counts, whatever BTCPay calls the invoice: one that somebody marked settled by hand has received
    nothing, and what came after the expiry came all the same. Raises `Retry`.
    """
    if not invoices:
        return Observation(backend_ref=ref, reference=None, state=BackendState.GONE)
    came = sorted(one for invoice in invoices for one in invoice.came())
    final_msat, all_msat = sum(msat for _, msat, is_final in came if is_final), sum(msat for _, msat, _ in came)
    first, asked_msat = invoices[0], invoices[0].amount_msat
    settled_at = None
    if asked_msat and final_msat >= asked_msat:
        state, settled_at = BackendState.SETTLED, _completed_at(came, asked_msat)
    elif all_msat < asked_msat and any(one.is_lost for one in invoices):
        state, final_msat = BackendState.REVERSED, asked_msat  # so much was settled, and all of it counts as gone
    elif final_msat and (final_msat == all_msat or not any(one.was_settled for one in invoices)):
        state = BackendState.PARTIAL
    elif all_msat:
        state, final_msat = BackendState.PENDING, 0
    else:
        state = _unpaid(invoices, now_s)
    return Observation(
        backend_ref=ref,
        reference=first.reference,
        state=state,
        gross_msat=final_msat,
        settled_at=settled_at,
        expires_at=first.ends_at,
        evidence=first.proof if final_msat else "",
        raw_digest=hashlib.sha256(repr(list(invoices)).encode()).hexdigest(),
    )


def _completed_at(came: Sequence[tuple[int, int, bool]], asked_msat: int) -> int:
    total_msat = 0
    for at, msat, is_final in came:
        total_msat += msat if is_final else 0
        if total_msat >= asked_msat:
            return at
    raise AssertionError("only what is there is asked for")


def _unpaid(invoices: Sequence[Invoice], now_s: float) -> BackendState:
    if any(one.status == "New" and now_s < one.ends_at for one in invoices):
        return BackendState.OPEN
    if all(one.status == "Invalid" for one in invoices):
        return BackendState.CANCELLED
    return BackendState.EXPIRED if now_s >= max(one.ends_at for one in invoices) else BackendState.OPEN


def noticed(raw: bytes, now_s: int) -> tuple[Hint, ...]:
    """What a webhook's body is a reason to look up: an invoice of ours, nothing for another's, else everything."""
    said = json_in(raw)
    if not isinstance(said, dict) or not isinstance(said.get("type"), str):
        return (Hint(None, at=now_s),)
    if not said["type"].startswith("Invoice"):
        return ()
    about = said.get("metadata")
    if not isinstance(about, dict):
        return (Hint(None, at=now_s),)
    ref = our_reference(about.get("orderId"))
    return () if ref is None else (Hint(BackendRef(ref), at=now_s),)
