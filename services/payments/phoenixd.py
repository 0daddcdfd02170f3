"""Is paid into a phoenixd (0.8, as its `Api.kt` says) over its HTTP API and its socket.

phoenixd chooses the preimage itself and takes a second invoice of one `externalId`, so a request is named here by
its reference, as at LNbits: whichever invoice of that name is paid, the money is found.
It takes whole sats, and keeps a fee of what comes in; the buyer paid the whole, so the whole counts.
"""

from __future__ import annotations

import time
from base64 import b64encode
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Any, Final

import httpx
from pydantic import SecretStr

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
from services.payments.http_calls import HttpCalls
from services.payments.making import Making
from services.payments.node_words import NodeInvoice, observed, text_ends_at
from services.payments.notices import check_signature, header
from services.payments.phoenixd_words import (
    NETWORKS,
    Incoming,
    cut_description,
    hint_in,
    made_invoice,
    noticed,
    read_incoming,
    told_invoice,
)
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
    PushAuth,
    Rejected,
    Retry,
    Scan,
    Unauthorized,
    Unknown,
)
from services.payments.receiving import OnlyReceives
from services.payments.socket_notices import hints, notices
from services.payments.time_cursor import cursor_after, place_of

WHOM: Final = "phoenixd"
INCOMING: Final = "/payments/incoming"
CAPABILITIES: Final = Capabilities(
    methods=frozenset({Method.BOLT11}),
    amount_step_msat=1_000,
    custom_expiry=True,
    reference_searchable=True,
    description_hash=True,
    push=Push.SOCKET,
    push_auth=PushAuth.HMAC,
    takes_notices=True,
    proof=Proof.PREIMAGE,
)
DOUBT_S: Final = 30.0
"""How long after a call without an answer no second one is made: the invoice is written before its `externalId` is."""
INVOICES_MAX: Final = 100
"""Invoices of one reference that are looked at; a second one is rare, a third needs two lost answers."""
SCAN_ROWS: Final = 500
SCAN_OVERLAP_MS: Final = 10_000
"""How far behind its cursor a scan looks again: a payment of several parts is visible later than its time says."""
FAR_MS: Final = 2**53
LISTEN_TIMEOUT_S: Final = 10.0


def phoenixd_calls(url: str, password: SecretStr, transport: httpx.AsyncBaseTransport | None = None) -> HttpCalls:
    """The calls of one phoenixd, with one of its two passwords."""
    return HttpCalls(WHOM, url, password, _credential(password), judge, transport=transport)


def judge(said: str, code: int, body: Any) -> BackendError:
    """What a phoenixd answer that is none means; it says why in plain words, which may quote the call."""
    if code in {401, 403}:
        return Unauthorized(f"{said}: it does not know this password")
    if code in {404, 405}:
        return Unauthorized(f"{said}: there is no phoenixd API at this address")
    if 300 <= code < 400:
        return Retry(f"{said}: its address is another one")
    if 400 <= code < 500:
        return Rejected(f"{said}: it refuses the call")
    return Unknown(said)


class PhoenixdNode(OnlyReceives):
    """One phoenixd: a `PaymentBackend` that needs no more than its limited-access password."""

    no_cancel = "phoenixd cannot cancel an invoice"
    no_refund = "this phoenixd only receives"

    capabilities: Final = CAPABILITIES

    def __init__(
        self,
        calls: HttpCalls,
        network: Network,
        clock: Callable[[], float] = time.time,
        doubt_s: float = DOUBT_S,
        *,
        webhook_secret: SecretStr | None = None,
    ) -> None:
        """`network` is what its invoices are for, `webhook_secret` what it signs its calls with."""
        self.network = network
        self._webhook_secret = webhook_secret
        self._calls = calls
        self._clock = clock
        self._making = Making(WHOM, self._first, self._make, doubt_s, refuse_untimely(calls, clock))

    async def close(self) -> None:
        """Let go of the connections."""
        await self._calls.close()

    async def ensure(self, intent: Intent, *, timeout_s: float) -> PaymentRequest:
        """Give the first invoice of the intent's reference, made by the first call that found none."""
        refuse_impossible(intent, "a phoenixd", CAPABILITIES.amount_step_msat)
        made = await self._making.one(intent, timeout_s)
        refuse_another(intent, intent.intent_id, made.amount_msat)
        ends_at = text_ends_at(made.text) or intent.expires_at
        return bolt11_request(intent, made.payment_hash, made.text, ends_at, BackendRef(intent.reference))

    async def lookup(self, ref: BackendRef, *, timeout_s: float) -> Observation:
        """Tell how the invoices of a reference stand, together."""
        return observed(ref, await self._of(ref, timeout_s=timeout_s), self._clock())

    async def scan(self, cursor: Cursor, *, timeout_s: float) -> Scan:
        """Give up to 500 settlements after the cursor, in the order of phoenixd's own clock.

        phoenixd lists the newest first, so a stretch of time that holds too many is halved until it does not.
        """
        place, deadline_s = place_of(cursor, "a phoenixd"), monotonic_s() + timeout_s
        low, high, seen = max(0, place.at - SCAN_OVERLAP_MS), FAR_MS, list[Incoming]()
        while True:
            rows = await self._list(left_s(deadline_s, WHOM), {"from": low, "to": high, "limit": SCAN_ROWS})
            newest = max((row.completed_ms for row in rows), default=low)
            if len(rows) >= SCAN_ROWS and newest > low:
                high = (low + newest) // 2
                continue
            seen += sorted(rows, key=lambda row: (row.completed_ms, row.payment_hash))
            fresh = [row for row in seen if row.name not in place.names and row.reference is not None]
            if fresh or high == FAR_MS:
                break
            low, high = high + 1, FAR_MS
        if not fresh:
            return Scan((), cursor)
        now_s = self._clock()
        return Scan(
            tuple(observed(BackendRef(row.reference or ""), [told_invoice(row)], now_s) for row in fresh),
            cursor_after(((row.completed_ms, row.name) for row in seen), SCAN_OVERLAP_MS),
        )

    def listen(self, cursor: Cursor) -> AsyncGenerator[Hint, None]:
        """Hint at what settled since the cursor, then at each payment that phoenixd tells of."""
        heard = notices(WHOM, self._calls.url, "/websocket", _credential(self._calls.key))
        return hints(
            heard,
            cursor,
            lambda after: self.scan(after, timeout_s=LISTEN_TIMEOUT_S),
            lambda message: hint_in(message, int(self._clock())),
        )

    async def parse_notice(self, path_token: str, headers: Mapping[str, str], raw: bytes) -> tuple[Hint, ...]:
        """Read a call that is signed with the `webhook-secret` of phoenix.conf."""
        check_signature(self._webhook_secret, raw, header(headers, "X-Phoenix-Signature"))
        return noticed(raw, int(self._clock()))

    async def probe(self, *, timeout_s: float) -> Probe:
        """Tell the node's network, key and clock, and whether the password may spend."""
        deadline_s = monotonic_s() + timeout_s
        answer = await self._calls.get("/getinfo", timeout_s=timeout_s)
        if not isinstance(answer.body, dict) or not isinstance(answer.body.get("nodeId"), str):
            raise Retry(f"phoenixd at {self._calls.host} says nothing that can be read of itself")
        offset_s = answer.clock_offset_s(self._clock())
        spends = await self._may_spend(left_s(deadline_s, WHOM))
        too_much = ("this password may spend: give phoenixd's http-password-limited-access instead",) if spends else ()
        return Probe(
            CAPABILITIES,
            NETWORKS.get(str(answer.body.get("chain")).lower(), self.network),
            payee=answer.body["nodeId"],
            clock_offset_s=offset_s,
            warnings=too_much + clock_words(offset_s),
            may=("receive", "spend") if spends else ("receive",),
        )

    async def _may_spend(self, timeout_s: float) -> bool:
        """Whether a call to pay without anything to pay is refused for what it lacks, and not for who asks."""
        try:
            await self._calls.post_form("/payinvoice", {}, timeout_s=timeout_s)
        except Unauthorized:
            return False
        except Rejected:
            return True
        except Unknown as doubt:
            raise Retry(str(doubt)) from None
        return True

    async def _first(self, about: Intent, *, timeout_s: float) -> NodeInvoice | None:
        return next(iter(await self._of(about.reference, timeout_s=timeout_s)), None)

    async def _make(self, about: Intent, *, timeout_s: float) -> NodeInvoice:
        fields = {
            "amountSat": str(about.amount_msat // CAPABILITIES.amount_step_msat),
            "expirySeconds": str(about.expires_at - int(self._clock())),
            "externalId": about.reference,
        }
        if about.description_hash is None:
            fields["description"] = cut_description(about.memo)
        else:
            fields["descriptionHash"] = about.description_hash
        return made_invoice(
            (await self._calls.post_form("/createinvoice", fields, timeout_s=timeout_s)).body, about.reference
        )

    async def _of(self, ref: str, *, timeout_s: float) -> list[NodeInvoice]:
        """Every invoice of a reference, paid or not, the first one first."""
        rows = await self._list(timeout_s, {"externalId": ref, "all": "true", "limit": INVOICES_MAX})
        mine = [row for row in rows if row.external_id == ref and row.invoice]
        return [told_invoice(row) for row in sorted(mine, key=lambda row: (row.created_at, row.payment_hash))]

    async def _list(self, timeout_s: float, wanted: Mapping[str, str | int]) -> list[Incoming]:
        answer = await self._calls.get(INCOMING, wanted, timeout_s=timeout_s)
        try:
            return [read_incoming(one) for one in answer.body]
        except (TypeError, Unknown):
            raise Retry(f"phoenixd at {self._calls.host} lists payments in words that cannot be read") from None


def _credential(password: SecretStr) -> dict[str, str]:
    """How a call says its password; phoenixd reads no user name."""
    said = b64encode(f":{password.get_secret_value()}".encode()).decode()
    return {"Authorization": f"Basic {said}"}
