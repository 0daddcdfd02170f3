"""Gives money back out of a BTCPay store: a pull payment for each refund, whose link the payer claims it with.

BTCPay makes a second one if it is asked to, so the request's reference and the refund's id stand in both the name and
the description of its own; the store's are listed before one is made, and again where an answer was lost. Whoever has
the link has the money, and the pull payment's id is the end of that link: neither is ever logged, printed, or evidence.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final, Protocol

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from schemas.values import MSAT_PER_SAT
from services.payments.asking import left_s, monotonic_s
from services.payments.btcpay_ways import Way
from services.payments.btcpay_words import BTC, MSAT_PER, WHOM, Amount, Invoice
from services.payments.http_calls import HttpCalls
from services.payments.node_words import our_reference
from services.payments.port import (
    BackendError,
    Refund,
    Refunded,
    RefundState,
    Rejected,
    Retry,
    Unauthorized,
    Unknown,
)

NAME_CHARS: Final = 16
"""As much of a refund's id as fits into a name beside a reference: BTCPay's names have 50 characters at most."""
LINK_CHARS_MAX: Final = 2_000
SATS_PER_BTC: Final = 100_000_000
_UNDER_WAY: Final = frozenset({"AwaitingApproval", "AwaitingPayment", "InProgress"})


class InvoicesOf(Protocol):
    """Every invoice of a reference, with its payments."""

    async def __call__(self, ref: str, /, *, timeout_s: float) -> list[Invoice]:
        """Give them. Raises `BackendError`."""
        ...


class _Words(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel, hide_input_in_errors=True)


class PullPayment(_Words):
    """What the payer may claim, in `currency`; it prints neither its id nor its link."""

    id: str = Field(pattern=r"^[A-Za-z0-9]{1,64}$", repr=False)
    name: str | None = None
    description: str | None = None
    amount: Amount
    currency: str
    archived: bool = False
    view_link: str = Field(pattern=r"^https?://\S+$", max_length=LINK_CHARS_MAX, repr=False)

    @property
    def amount_msat(self) -> int:
        """What it is over; 0 for another currency than ours."""
        return max(0, int(self.amount * MSAT_PER.get(self.currency, 0)))

    @property
    def words(self) -> str:
        """Name and description: a merchant may change them, and seldom both."""
        return f"{self.name or ''} {self.description or ''}"

    def is_for(self, refund_id: str) -> bool:
        """Whether it is this refund's."""
        return f" {refund_id[:NAME_CHARS]}" in self.words


class Payout(_Words):
    """One claim, in the currency of its pull payment."""

    original_amount: Amount
    original_currency: str
    state: str

    @property
    def amount_msat(self) -> int:
        """What is claimed."""
        return max(0, int(self.original_amount * MSAT_PER.get(self.original_currency, 0)))


class ClaimLinks:
    """The refunds of one store, one call at a time; `invoices_of` gives what they may be for."""

    def __init__(self, calls: HttpCalls, store: str, way: Way, invoices_of: InvoicesOf, doubt_s: float) -> None:
        """`doubt_s` is how long after a call without an answer, or our own start, no pull payment is made."""
        self._calls, self._path, self._way = calls, f"/api/v1/stores/{store}", way
        self._invoices_of, self._doubt_s = invoices_of, doubt_s
        self._turn = asyncio.Lock()
        self._began_s = time.monotonic()
        self._doubts: dict[str, float] = {}

    async def one(self, wish: Refund, timeout_s: float) -> Refunded:
        """Give the one pull payment of a refund, and what became of it. Raises `BackendError`."""
        self._refuse_impossible(wish)
        deadline_s = monotonic_s() + timeout_s
        try:
            async with asyncio.timeout(timeout_s), self._turn:
                known = await self._known(deadline_s)
                if (found := _of(wish, known)) is not None:
                    return await self._stands(wish, found, deadline_s)
                made = await self._make(wish, known, deadline_s)
                return _told(wish, RefundState.CLAIMABLE, made)
        except TimeoutError:
            raise Unknown(f"refund {wish.refund_id} is still being made") from None

    def _refuse_impossible(self, wish: Refund) -> None:
        if our_reference(wish.about) is None:
            raise Rejected(f"refund {wish.refund_id} is for no request of this store")
        if wish.destination is not None:
            raise Rejected(f"refund {wish.refund_id} names an invoice, and BTCPay gives out a link to claim it by")
        if wish.amount_msat % MSAT_PER_SAT or wish.amount_msat < self._way.least_sats * MSAT_PER_SAT:
            raise Rejected(f"refund {wish.refund_id} is of no whole sats, or of less than {self._way.least_sats}")

    async def _make(self, wish: Refund, known: Sequence[PullPayment], deadline_s: float) -> PullPayment:
        invoices = await self._invoices_of(wish.about, timeout_s=left_s(deadline_s, WHOM))
        _refuse_too_much(wish, invoices, known)
        self._refuse_doubtful(wish)
        paid = max(invoices, key=lambda one: sum(msat for _, msat, is_final in one.came() if is_final))
        body = {
            "name": _name(wish),
            "description": f"{wish.about} {wish.refund_id}",
            "payoutMethods": [self._way.id],
            "refundVariant": "Custom",
            # In bitcoin and not in sats: claims of another currency than the payment's always wait for an approval.
            "customAmount": f"{Decimal(wish.amount_msat // MSAT_PER_SAT) / SATS_PER_BTC:.8f}",
            "customCurrency": BTC,
        }
        rest_s = left_s(deadline_s, WHOM)
        self._doubts[wish.refund_id] = monotonic_s() + self._doubt_s
        try:
            answer = await self._calls.post(f"{self._path}/invoices/{paid.id}/refund", body, timeout_s=rest_s)
            made = _read_pull(answer.body)
        except Unknown as doubt:
            made = await self._seen_after_all(wish, doubt, deadline_s)
        except (Rejected, Retry, Unauthorized):
            self._doubts.pop(wish.refund_id, None)
            raise
        self._doubts.pop(wish.refund_id, None)
        return made

    def _refuse_doubtful(self, wish: Refund) -> None:
        """Raise where a call of this process, or of one before it, may still be carried out."""
        if monotonic_s() < self._doubts.get(wish.refund_id, 0.0):
            raise Unknown(f"refund {wish.refund_id} may still be made by a call that got no answer")
        if (wait_s := self._began_s + self._doubt_s - time.monotonic()) > 0:
            raise Retry("a refund that was asked for before a restart may still appear", wait_s)

    async def _seen_after_all(self, wish: Refund, doubt: Unknown, deadline_s: float) -> PullPayment:
        try:
            found = _of(wish, await self._known(deadline_s))
        except BackendError:
            raise doubt from None
        if found is None:
            raise doubt
        return found

    async def _stands(self, wish: Refund, pull: PullPayment, deadline_s: float) -> Refunded:
        """What became of a pull payment, by its claims."""
        path = f"/api/v1/pull-payments/{pull.id}/payouts"
        claims = [_read(Payout, one) for one in await self._rows(path, {}, deadline_s)]
        paid_msat = sum(one.amount_msat for one in claims if one.state == "Completed")
        coming_msat = sum(one.amount_msat for one in claims if one.state in _UNDER_WAY)
        if paid_msat >= wish.amount_msat:
            state = RefundState.SENT
        elif paid_msat + coming_msat >= wish.amount_msat:
            state = RefundState.PENDING
        elif pull.archived:  # BTCPay lists no claims of such a one, nor can it be claimed any more
            raise Unknown(f"{_name(wish)} was archived in BTCPay: its page there says whether it was paid")
        else:
            state = RefundState.CLAIMABLE
        return _told(wish, state, pull)

    async def _known(self, deadline_s: float) -> list[PullPayment]:
        """Every pull payment of the store that can be read, the first one first."""
        rows = await self._rows(f"{self._path}/pull-payments", {"includeArchived": "true"}, deadline_s)
        return list(reversed([_read(PullPayment, row) for row in rows]))

    async def _rows(self, path: str, wanted: dict[str, str | int], deadline_s: float) -> list[Any]:
        said = (await self._calls.get(path, wanted, timeout_s=left_s(deadline_s, WHOM))).body
        if not isinstance(said, list):
            raise Retry("BTCPay lists refunds in words that cannot be read")
        return said


def _of(wish: Refund, known: Sequence[PullPayment]) -> PullPayment | None:
    """The pull payment that was made for a refund. Raises `Rejected` for one of the same id and something else."""
    found = next((one for one in known if one.is_for(wish.refund_id)), None)
    if found is None:
        return None
    abouts = re.findall(rf"([a-z2-7]{{24}}) {wish.refund_id[:NAME_CHARS]}", found.words)
    if (abouts and wish.about not in abouts) or found.amount_msat != wish.amount_msat:
        raise Rejected(f"refund {wish.refund_id} already stands for another request or amount")
    return found


def _refuse_too_much(wish: Refund, invoices: Sequence[Invoice], known: Sequence[PullPayment]) -> None:
    """Raise `Rejected` where less came than is to be given back, with what was given back already, here or by hand."""
    came_msat = sum(msat for one in invoices for _, msat, is_final in one.came() if is_final)
    by_hand = {f"Refund {one.id}" for one in invoices}  # as BTCPay names them
    given = [one for one in known if f"{wish.about} " in one.words or one.name in by_hand]
    if sum(one.amount_msat for one in given) + wish.amount_msat > came_msat:
        raise Rejected(f"refund {wish.refund_id} is of more than came for {wish.about} and was not given back yet")


def _name(wish: Refund) -> str:
    return f"Refund {wish.about} {wish.refund_id[:NAME_CHARS]}"


def _told(wish: Refund, state: RefundState, pull: PullPayment) -> Refunded:
    """What is said of a refund; the link only while there is something to claim."""
    link = pull.view_link if state is RefundState.CLAIMABLE else ""
    return Refunded(wish.refund_id, state, wish.amount_msat, evidence=_name(wish), text=link)


def _read_pull(said: Any) -> PullPayment:
    """What a call made. Raises `Unknown`."""
    try:
        return PullPayment.model_validate(said)
    except ValidationError:
        raise Unknown("BTCPay tells of a refund in words that cannot be read") from None


def _read[T: BaseModel](kind: type[T], said: Any) -> T:
    """One row of a list. Raises `Retry`."""
    try:
        return kind.model_validate(said)
    except ValidationError:
        raise Retry("BTCPay lists refunds in words that cannot be read") from None
