"""What back-ends that speak of invoices have in common: deadlines, wishes nobody need be asked, and the request."""

import asyncio
from collections.abc import Callable
from typing import Final

import structlog

from schemas.payments import Method
from services.payments.http_calls import HttpCalls
from services.payments.port import (
    BackendRef,
    Held,
    Intent,
    PaymentRequest,
    Rejected,
    Retry,
    Unsupported,
    reference,
)

MEMO_BYTES_MAX: Final = 600
"""BOLT-11 has room for 639 bytes, and no back-end takes less than this of them, but phoenixd."""
CLOCK_OFFSET_WARN_S: Final = 60
CLOCK_OFFSET_MAX_S: Final = 300
"""Further off, an invoice may be over before it is shown, or signed calls be refused: nothing new is made."""

log = structlog.get_logger(role="payments")


def monotonic_s() -> float:
    """Now, by the running loop's clock, which never jumps."""
    return asyncio.get_running_loop().time()


def left_s(deadline_s: float, whom: str) -> float:
    """The time left until a deadline of `monotonic_s`; raise `Retry` where there is none to ask `whom` in."""
    left = deadline_s - monotonic_s()
    if left <= 0:
        raise Retry(f"the time was up before {whom} was asked")
    return left


def refuse_impossible(intent: Intent, what: str, step_msat: int = 1, method: Method = Method.BOLT11) -> None:
    """Raise `Unsupported` or `Rejected` for an intent that no `what` (`a wallet connection`) need be asked about.

    `step_msat` is 1,000 for a back-end that knows no parts of a sat, `method` what it is paid over.
    """
    if intent.method is not method:
        raise Unsupported(f"{what} cannot be paid by {intent.method}")
    if intent.amount_msat <= 0:
        raise Rejected(f"request {intent.reference} asks for nothing")
    if reference(intent.intent_id) != intent.reference:
        raise Rejected(f"reference {intent.reference} stands for another intent")
    try:
        intent.memo.encode()
    except UnicodeEncodeError:
        raise Rejected(f"the memo of {intent.reference} is no text") from None
    if intent.amount_msat % step_msat:
        raise Rejected(f"request {intent.reference} asks for {intent.amount_msat} msat, which is no whole sat")


def cut_memo(memo: str, bytes_max: int = MEMO_BYTES_MAX) -> str:
    """As much of a memo as a payer can be shown, cut between two characters; never empty."""
    return memo.encode()[:bytes_max].decode(errors="ignore") or "Payment"


def clock_words(offset_s: int) -> tuple[str, ...]:
    """A warning for the operator where a server's clock is too far from ours."""
    return (f"the server's clock is {offset_s} s off ours",) if abs(offset_s) > CLOCK_OFFSET_WARN_S else ()


def refuse_untimely(calls: HttpCalls, clock: Callable[[], float]) -> Callable[[Intent], None]:
    """What to hold an intent against before a server is asked to make something for it.

    It raises `Held` where the server's clock, by its last answer, is too far off ours, and else `Rejected` for an
    intent whose time is over. Whose clock is wrong nobody knows here, so one that seems to be over waits as well.
    """

    def refuse(intent: Intent) -> None:
        now_s = clock()
        offset_s = calls.clock_offset_s(now_s)
        if fault := clock_fault(offset_s):
            raise Held(f"{calls.whom} at {calls.host}: {fault}")
        if clock_words(offset_s):
            log.warning("a wallet's clock is off", wallet=calls.whom, offset_s=offset_s)
        refuse_expired(intent, now_s)

    return refuse


def clock_fault(offset_s: int) -> str:
    """Why a server is not used at all for its clock; empty where it is near enough to ours."""
    if abs(offset_s) <= CLOCK_OFFSET_MAX_S:
        return ""
    return f"the server's clock is {offset_s} s off ours: set right whichever of the two is wrong"


def refuse_expired(intent: Intent, now_s: float) -> None:
    """Raise `Rejected` for an intent whose time is over before anything was made for it."""
    if intent.expires_at <= now_s:
        raise Rejected(f"request {intent.reference} would be expired before it exists")


def refuse_another(intent: Intent, intent_id: str, amount_msat: int) -> None:
    """Raise `Rejected` where what was found under an intent's reference was made for another intent or amount."""
    if (intent_id, amount_msat) != (intent.intent_id, intent.amount_msat):
        raise Rejected(f"reference {intent.reference} already stands for another intent or amount")


def bolt11_request(
    intent: Intent, payment_hash: str, text: str, expires_at: int, backend_ref: BackendRef | None = None
) -> PaymentRequest:
    """The request that an intent's invoice is; a back-end that says no other name calls it by its payment hash."""
    return PaymentRequest(
        backend_ref=backend_ref or BackendRef(payment_hash),
        reference=intent.reference,
        method=Method.BOLT11,
        text=text,
        amount_msat=intent.amount_msat,
        expires_at=expires_at,
        payment_hash=payment_hash,
    )
