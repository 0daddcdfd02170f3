"""Is paid into a Core Lightning (as of 26.06) over clnrest, with a rune that need not spend.

Its label is our reference and unique, and the preimage is ours, so it refuses a second invoice for an intent by
itself. Its count of payments (`pay_index`) leaves no gaps and is the cursor.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable
from typing import Final

from schemas.bolt11 import Network
from schemas.payments import Method
from services.payments.asking import (
    bolt11_request,
    clock_words,
    left_s,
    monotonic_s,
    refuse_another,
    refuse_impossible,
    refuse_untimely,
)
from services.payments.cln_rune import BadRune, Rune, read_rune
from services.payments.cln_words import WHOM, NothingYet, plain_memo, read_invoice, read_made
from services.payments.counted_cursor import count_of
from services.payments.http_calls import HttpCalls
from services.payments.making import Making
from services.payments.node_words import NodeInvoice, observed, text_ends_at
from services.payments.port import (
    BackendError,
    BackendRef,
    Capabilities,
    Cursor,
    Hint,
    Intent,
    Observation,
    PaymentRequest,
    Probe,
    Proof,
    Push,
    Rejected,
    Retry,
    Scan,
    Unknown,
    Unsupported,
)
from services.payments.preimages import Preimage
from services.payments.receiving import OnlyReceives

INVOICE: Final = "/v1/invoice"
LIST: Final = "/v1/listinvoices"
WAIT: Final = "/v1/waitanyinvoice"
CAPABILITIES: Final = Capabilities(
    methods=frozenset({Method.BOLT11}),
    amount_step_msat=1,
    custom_expiry=True,
    reference_unique=True,
    reference_searchable=True,
    preset_preimage=True,
    push=Push.CURSOR,
    proof=Proof.PREIMAGE,
)
SCAN_ROWS: Final = 100
"""Each is a call of its own: lightningd gives them one by one."""
SCAN_TIME_SHARE: Final = 0.5
"""How much of its time a scan asks on for; what it has by then is given."""
WAIT_S: Final = 50
"""How long lightningd is asked to wait for a payment; many a proxy ends a call after a minute."""
WAIT_SLACK_S: Final = 10.0


class ClnNode(OnlyReceives):
    """One Core Lightning: a `PaymentBackend` whose rune need only allow three calls."""

    # lightningd can only delete an invoice, and then nobody could tell what became of it.
    no_notices = "Core Lightning is waited on, it sends no notices"
    no_cancel = "Core Lightning cannot cancel an invoice and keep it"
    no_refund = "this Core Lightning only receives"

    capabilities: Final = CAPABILITIES

    def __init__(self, calls: HttpCalls, network: Network, clock: Callable[[], float] = time.time) -> None:
        """`network` is what its invoices are for: a narrow rune may not ask for it."""
        self.network = network
        self._calls = calls
        self._clock = clock
        self._making = Making(WHOM, self._find, self._make, refuse=refuse_untimely(calls, clock))

    async def close(self) -> None:
        """Let go of the connections."""
        await self._calls.close()

    async def ensure(self, intent: Intent, *, timeout_s: float) -> PaymentRequest:
        """Give the invoice of the intent's label, made by the first call that found none."""
        refuse_impossible(intent, "a Core Lightning")
        if intent.description_hash is not None:
            raise Unsupported("Core Lightning hashes a description itself, and takes no hash of one")
        _preimage(intent)
        made = await self._making.one(intent, timeout_s)
        refuse_another(intent, intent.intent_id, made.amount_msat)
        ends_at = text_ends_at(made.text) or intent.expires_at
        return bolt11_request(intent, made.payment_hash, made.text, ends_at, BackendRef(intent.reference))

    async def lookup(self, ref: BackendRef, *, timeout_s: float) -> Observation:
        """Tell how the invoice of a label stands."""
        found = await self._of_label(ref, timeout_s)
        return observed(ref, [] if found is None else [found], self._clock())

    async def scan(self, cursor: Cursor, *, timeout_s: float) -> Scan:
        """Give up to 100 of our payments after the cursor, in lightningd's order."""
        index, deadline_s = count_of(cursor, "a Core Lightning"), monotonic_s() + timeout_s
        rows, now_s = list[Observation](), self._clock()
        asks_until_s = monotonic_s() + timeout_s * SCAN_TIME_SHARE
        while len(rows) < SCAN_ROWS and not (rows and monotonic_s() >= asks_until_s):
            found = await self._paid_after(index, 0, left_s(deadline_s, WHOM))
            if found is None:
                break
            index, one = found
            if one.reference is not None:
                rows.append(observed(BackendRef(one.reference), [one], now_s))
        return Scan(tuple(rows), Cursor(str(index)) if rows else cursor)

    async def listen(self, cursor: Cursor) -> AsyncGenerator[Hint, None]:
        """Hint at each payment after the cursor, waiting for the next one."""
        index = count_of(cursor, "a Core Lightning")
        while True:
            found = await self._paid_after(index, WAIT_S, WAIT_S + WAIT_SLACK_S)
            if found is None:
                continue
            index, one = found
            if one.reference is not None:
                yield Hint(BackendRef(one.reference), at=one.settled_at or 0)

    async def probe(self, *, timeout_s: float) -> Probe:
        """Tell what the rune allows, by what stands in it, and the node's clock, by a call that it needs."""
        rune, offset_s = _rune(self._calls), 0
        if not rune.lacks:
            answer = await self._calls.ask(LIST, {"label": "ncc"}, timeout_s=timeout_s)
            offset_s = answer.clock_offset_s(self._clock())
        narrow = "give one that is restricted to method=invoice|method=listinvoices|method=waitanyinvoice"
        too_much = (f"this rune may spend: {narrow}",) if rune.may_spend else ()
        return Probe(
            CAPABILITIES,
            self.network,
            clock_offset_s=offset_s,
            warnings=too_much + clock_words(offset_s),
            may=rune.may,
            lacks=rune.lacks,
        )

    async def _find(self, about: Intent, *, timeout_s: float) -> NodeInvoice | None:
        return await self._of_label(about.reference, timeout_s)

    async def _make(self, about: Intent, *, timeout_s: float) -> NodeInvoice:
        body = {
            "amount_msat": about.amount_msat,
            "label": about.reference,
            "description": plain_memo(about.memo),
            "expiry": about.expires_at - int(self._clock()),
            "preimage": _preimage(about).reveal().hex(),
        }
        answer = await self._calls.post(INVOICE, body, timeout_s=timeout_s)
        return read_made(answer.body, about.reference)

    async def _of_label(self, label: str, timeout_s: float) -> NodeInvoice | None:
        answer = await self._calls.ask(LIST, {"label": label}, timeout_s=timeout_s)
        try:
            found = [read_invoice(one)[1] for one in answer.body["invoices"]]
        except (KeyError, TypeError, Unknown):
            raise Retry(f"{WHOM} at {self._calls.host} lists invoices in words that cannot be read") from None
        return next((one for one in found if one.reference == label), None)

    async def _paid_after(self, index: int, wait_s: int, timeout_s: float) -> tuple[int, NodeInvoice] | None:
        """The first payment after a place; None where there is none within `wait_s`."""
        try:
            answer = await self._calls.ask(WAIT, {"lastpay_index": index, "timeout": wait_s}, timeout_s=timeout_s)
            place, one = read_invoice(answer.body)
        except NothingYet:
            return None
        except Unknown as doubt:
            raise Retry(str(doubt)) from None
        if place <= index:
            raise BackendError(f"{WHOM} at {self._calls.host} counts its payments backwards")
        return place, one


def _preimage(intent: Intent) -> Preimage:
    if intent.preimage is None:
        raise Rejected(f"request {intent.reference} has no preimage, by which a Core Lightning would know it again")
    return intent.preimage


def _rune(calls: HttpCalls) -> Rune:
    try:
        return read_rune(calls.key.get_secret_value())
    except BadRune as bad:
        raise Rejected(f"the rune for {WHOM} at {calls.host} cannot be read: {bad}") from None
