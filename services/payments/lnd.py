"""Is paid into an LND (as of 0.21) over its REST API, with a macaroon that need not spend.

The preimage is ours, so one intent has one payment hash and LND refuses a second invoice of it by itself; a request
is called by that hash. LND keeps no reference of ours, and nobody but us knows which of its invoices are ours.
Its count of settlements (`settle_index`) leaves no gaps and is the cursor.
"""

from __future__ import annotations

import re
import time
from base64 import b64encode
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Final

from schemas.bolt11 import Network
from schemas.payments import BackendState, Method
from services.payments.asking import (
    bolt11_request,
    clock_words,
    cut_memo,
    left_s,
    monotonic_s,
    refuse_another,
    refuse_impossible,
    refuse_untimely,
)
from services.payments.counted_cursor import count_of
from services.payments.http_calls import HttpCalls
from services.payments.lnd_macaroon import BadMacaroon, Rights, read_rights
from services.payments.lnd_words import WHOM, NotThere, read_added, read_invoice, read_line
from services.payments.making import Making
from services.payments.node_words import NodeInvoice, observed, text_ends_at
from services.payments.port import (
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
)
from services.payments.preimages import Preimage
from services.payments.receiving import OnlyReceives

INVOICES: Final = "/v1/invoices"
CAPABILITIES: Final = Capabilities(
    methods=frozenset({Method.BOLT11}),
    amount_step_msat=1,
    custom_expiry=True,
    can_cancel=True,
    preset_preimage=True,
    description_hash=True,
    push=Push.CURSOR,
    proof=Proof.PREIMAGE,
)
AN_LND: Final = "an LND"
"""What sentences for the operator call it."""
SCAN_ROWS: Final = 500
LIST_ROWS: Final = 1_000
SCAN_IDLE_S: Final = 1.0
"""LND does not say where its history ends: silence this long is the end. What comes later, a listener hears."""
LISTEN_IDLE_S: Final = 600.0
"""A stream that says nothing for so long is opened anew: a dead connection would look the same."""
LISTEN_TIMEOUT_S: Final = 10.0

_HASH: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)


class LndNode(OnlyReceives):
    """One LND: a `PaymentBackend` that needs no more than its invoice macaroon."""

    no_notices = "LND is listened to, it sends no notices"
    no_refund = "this LND only receives"

    capabilities: Final = CAPABILITIES

    def __init__(
        self,
        calls: HttpCalls,
        network: Network,
        clock: Callable[[], float] = time.time,
        scan_idle_s: float = SCAN_IDLE_S,
    ) -> None:
        """`network` is what its invoices are for: an invoice macaroon may not ask LND for it."""
        self.network = network
        self._calls = calls
        self._clock = clock
        self._scan_idle_s = scan_idle_s
        self._making = Making(WHOM, self._find, self._make, refuse=refuse_untimely(calls, clock))

    async def close(self) -> None:
        """Let go of the connections."""
        await self._calls.close()

    async def ensure(self, intent: Intent, *, timeout_s: float) -> PaymentRequest:
        """Give the invoice of the intent's payment hash, made by the first call that found none."""
        refuse_impossible(intent, AN_LND)
        _preimage(intent)
        made = await self._making.one(intent, timeout_s)
        refuse_another(intent, intent.intent_id, made.amount_msat)
        return bolt11_request(intent, made.payment_hash, made.text, text_ends_at(made.text) or intent.expires_at)

    async def lookup(self, ref: BackendRef, *, timeout_s: float) -> Observation:
        """Tell how the invoice of a payment hash stands."""
        found = await self._of_hash(ref, timeout_s)
        return observed(ref, [] if found is None else [found], self._clock())

    async def scan(self, cursor: Cursor, *, timeout_s: float) -> Scan:
        """Give up to 500 settlements after the cursor, in LND's order; other users' of the node too."""
        index, deadline_s = count_of(cursor, AN_LND), monotonic_s() + timeout_s
        rows = await self._settled_after(max(1, index), deadline_s)
        if index == 0:
            rows = [*await self._very_first(deadline_s), *rows]
        if not rows:
            return Scan((), cursor)
        now_s = self._clock()
        found = tuple(observed(BackendRef(one.payment_hash), [one], now_s) for _, one in rows)
        return Scan(found, Cursor(str(max(place for place, _ in rows))))

    async def listen(self, cursor: Cursor) -> AsyncGenerator[Hint, None]:
        """Hint at what settled since the cursor, then at each settlement that LND tells of."""
        while (
            count_of(cursor, AN_LND) == 0 and (scan := await self.scan(cursor, timeout_s=LISTEN_TIMEOUT_S)).observations
        ):
            cursor = scan.cursor
            for one in scan.observations:
                yield Hint(one.backend_ref, at=one.settled_at or 0)
        wanted = {"settle_index": max(1, count_of(cursor, AN_LND))}
        lines = self._calls.lines(f"{INVOICES}/subscribe", wanted, idle_s=LISTEN_IDLE_S)
        async with aclosing(lines) as heard:
            async for line in heard:
                _, told = _read(line)
                if told.state is BackendState.SETTLED:
                    yield Hint(BackendRef(told.payment_hash), at=told.settled_at or 0)

    async def cancel(self, ref: BackendRef, *, timeout_s: float) -> None:
        """Have LND take nothing more for an invoice; one that was paid, or is not there, stays as it is."""
        if _HASH.fullmatch(ref) is None:
            return
        body = {"payment_hash": b64encode(bytes.fromhex(ref)).decode()}
        try:
            await self._calls.post("/v2/invoices/cancel", body, timeout_s=timeout_s)
        except Rejected:
            return

    async def probe(self, *, timeout_s: float) -> Probe:
        """Tell what the macaroon allows, by what stands in it, and the node's clock, by a call that it needs."""
        rights = _rights(self._calls)
        offset_s = 0
        if not rights.lacks:
            answer = await self._calls.get(INVOICES, {"num_max_invoices": 1}, timeout_s=timeout_s)
            offset_s = answer.clock_offset_s(self._clock())
        too_much = ("this macaroon may spend: give LND's invoice.macaroon instead",) if rights.may_spend else ()
        return Probe(
            CAPABILITIES,
            self.network,
            clock_offset_s=offset_s,
            warnings=too_much + clock_words(offset_s),
            may=rights.words,
            lacks=rights.lacks,
        )

    async def _find(self, about: Intent, *, timeout_s: float) -> NodeInvoice | None:
        return await self._of_hash(_preimage(about).payment_hash, timeout_s)

    async def _make(self, about: Intent, *, timeout_s: float) -> NodeInvoice:
        body: dict[str, str | bool] = {
            "value_msat": str(about.amount_msat),
            "expiry": str(about.expires_at - int(self._clock())),
            "r_preimage": b64encode(_preimage(about).reveal()).decode(),
            "private": True,  # a node without public channels cannot be paid otherwise
        }
        if about.description_hash is None:
            body["memo"] = cut_memo(about.memo)
        else:
            body["description_hash"] = b64encode(bytes.fromhex(about.description_hash)).decode()
        return read_added((await self._calls.post(INVOICES, body, timeout_s=timeout_s)).body)

    async def _of_hash(self, payment_hash: str, timeout_s: float) -> NodeInvoice | None:
        if _HASH.fullmatch(payment_hash) is None:  # what a shop's wallet before this one called a request
            return None
        try:
            answer = await self._calls.get(f"/v1/invoice/{payment_hash}", timeout_s=timeout_s)
        except NotThere:
            return None
        return _told(answer.body)[1]

    async def _settled_after(self, index: int, deadline_s: float) -> list[tuple[int, NodeInvoice]]:
        """What LND settled after a place, as far as it says so without a pause; `index` 0 would give nothing."""
        rows: dict[int, NodeInvoice] = {}
        idle_s = min(self._scan_idle_s, left_s(deadline_s, WHOM))
        lines = self._calls.lines(f"{INVOICES}/subscribe", {"settle_index": index}, idle_s=idle_s)
        async with aclosing(lines) as heard:
            async for line in heard:
                place, one = _read(line)
                if one.state is BackendState.SETTLED and place > index:
                    rows[place] = one
                if len(rows) >= SCAN_ROWS or monotonic_s() >= deadline_s:
                    break
        return sorted(rows.items())

    async def _very_first(self, deadline_s: float) -> list[tuple[int, NodeInvoice]]:
        """The first settlement of all, which no stream gives: it begins after a place, and 0 means no place.

        It is looked for among all invoices, in the order of their making; on a node in use it is soon found.
        """
        after = 0
        while True:
            wanted = {"index_offset": after, "num_max_invoices": LIST_ROWS}
            answer = await self._calls.get(INVOICES, wanted, timeout_s=left_s(deadline_s, WHOM))
            try:
                said, last = list(answer.body["invoices"]), int(answer.body["last_index_offset"])
            except (KeyError, TypeError, ValueError):
                raise Retry(f"LND at {self._calls.host} lists invoices in words that cannot be read") from None
            first = [one for one in map(_told, said) if one[0] == 1]
            if first or len(said) < LIST_ROWS:
                return first
            after = last


def _told(said: object) -> tuple[int, NodeInvoice]:
    """An invoice that was read and not made, so that nothing can have happened."""
    try:
        return read_invoice(said)
    except Unknown as doubt:
        raise Retry(str(doubt)) from None


def _read(line: str) -> tuple[int, NodeInvoice]:
    try:
        return read_line(line)
    except Unknown as doubt:
        raise Retry(str(doubt)) from None


def _preimage(intent: Intent) -> Preimage:
    if intent.preimage is None:
        raise Rejected(f"request {intent.reference} has no preimage, by which an LND would know it again")
    return intent.preimage


def _rights(calls: HttpCalls) -> Rights:
    try:
        return read_rights(bytes.fromhex(calls.key.get_secret_value()))
    except (ValueError, BadMacaroon) as bad:
        raise Rejected(f"the macaroon for LND at {calls.host} cannot be read: {bad}") from None
