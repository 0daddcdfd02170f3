"""Is paid by card into a Stripe account: a Checkout Session for each request, which the buyer opens as a page.

The order's total is asked for in the currency of the shop's prices. A session is named by its reference in its
metadata, and made under an `Idempotency-Key` that follows from the intent, so a call that is repeated within a day
makes no second one; whichever session of a reference is paid, the money is found.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Any, Final

from pydantic import SecretStr

from schemas.bolt11 import Network
from schemas.payments import Method
from services.payments.asking import (
    clock_words,
    cut_memo,
    left_s,
    monotonic_s,
    refuse_another,
    refuse_impossible,
    refuse_untimely,
)
from services.payments.http_calls import Answer, HttpCalls
from services.payments.making import Making
from services.payments.notices import check_timed_signature, header
from services.payments.port import (
    BackendRef,
    Capabilities,
    Cursor,
    Hint,
    Intent,
    Observation,
    PaymentRequest,
    Probe,
    Push,
    PushAuth,
    Rejected,
    Retry,
    Scan,
    Unknown,
    Unsupported,
)
from services.payments.receiving import OnlyReceives
from services.payments.stripe_events import Events
from services.payments.stripe_history import DISPUTES, REFUNDS, History
from services.payments.stripe_index import SESSIONS, SessionIndex
from services.payments.stripe_units import stripe_units
from services.payments.stripe_words import (
    CURRENCY,
    INTENT,
    MSAT,
    PAYMENT,
    REFERENCE,
    UNITS,
    WHOM,
    Forbidden,
    Missing,
    Session,
    Sight,
    noticed,
    observed,
    read_session,
    sessions_in,
)

CAPABILITIES: Final = Capabilities(
    methods=frozenset({Method.FIAT}),
    amount_step_msat=1,
    custom_expiry=True,
    can_cancel=True,
    reference_searchable=True,
    push=Push.WEBHOOK,
    push_auth=PushAuth.HMAC_TIME,
    takes_notices=True,
)
LIFE_MIN_S: Final = 1_800
LIFE_MAX_S: Final = 86_400
"""Stripe's bounds for how long a page can be paid, from when it was made."""
END_STEP_S: Final = 300
"""Ends that Stripe's bounds set are whole steps, so that a call that is repeated says the same."""
CLOCK_SLACK_S: Final = 60
OFFER_MAX_S: Final = 8 * 86_400
"""The longest offer, and a day: no session of a request was made earlier before its end."""
NAME_BYTES_MAX: Final = 250
"""As much as Stripe takes of what is sold."""
POLL_S: Final = 300.0
"""Stripe reckons with 500 reads a payment and 10,000 a month; webhooks are the quick way."""
POLL_TIMEOUT_S: Final = 10.0
WRITE: Final = "Checkout Sessions: write"
READS: Final[Mapping[str, str]] = {
    SESSIONS: "Checkout Sessions: read",
    "/v1/payment_intents": "PaymentIntents: read",
    REFUNDS: "Charges and Refunds: read",
    DISPUTES: "Disputes: read",
    "/v1/events": "Events: read",
}
"""What is read, and how a restricted key's page calls the right to."""


class StripeAccount(OnlyReceives):
    """One account: a `PaymentBackend` that makes pages to be paid at, and needs no more than that and to look."""

    no_refund = "a card payment is given back in Stripe's own dashboard"

    capabilities: Final = CAPABILITIES

    def __init__(
        self,
        calls: HttpCalls,
        success_url: str,
        network: Network = Network.BITCOIN,
        clock: Callable[[], float] = time.time,
        *,
        webhook_secret: SecretStr | None = None,
        poll_s: float = POLL_S,
    ) -> None:
        """`success_url` is where a buyer lands who has paid, `webhook_secret` what Stripe signs its calls with."""
        self.network = network
        self._calls, self._success_url, self._clock = calls, success_url, clock
        self._webhook_secret, self._poll_s = webhook_secret, poll_s
        self._index = SessionIndex(calls)
        self._history = History(calls, self._index)
        # Without a doubt to wait for: a second call under the same key is no second session.
        self._making = Making(WHOM, self._first, self._make, refuse=refuse_untimely(calls, clock))

    async def close(self) -> None:
        """Let go of the connections."""
        await self._calls.close()

    async def ensure(self, intent: Intent, *, timeout_s: float) -> PaymentRequest:
        """Give the first page of the intent's reference, made by the first call that found none."""
        refuse_impossible(intent, "a Stripe account", method=Method.FIAT)
        if intent.description_hash is not None:
            raise Unsupported("a page of Stripe's commits to no description")
        if intent.fiat is None:
            raise Unsupported("Stripe asks for no bitcoin, and this has no one total in another currency")
        asks = stripe_units(intent.fiat)
        made = await self._making.one(intent, timeout_s)
        refuse_another(intent, made.intent_id, made.asked_msat)
        if made.asks != asks or not made.is_true:
            raise Rejected(f"the page of {intent.reference} asks for another sum")
        return PaymentRequest(
            backend_ref=BackendRef(intent.reference),
            reference=intent.reference,
            method=Method.FIAT,
            text=made.text,
            amount_msat=intent.amount_msat,
            expires_at=made.expires_at,
            fiat=intent.fiat,
        )

    async def lookup(self, ref: BackendRef, *, timeout_s: float) -> Observation:
        """Tell how the sessions of a reference stand, together."""
        deadline_s = monotonic_s() + timeout_s
        if not self._index.of(ref):
            await self._index.read(int(self._clock()) - OFFER_MAX_S, timeout_s)
        sights = [await self._look(session, deadline_s) for session in self._index.of(ref)]
        return observed(ref, [sight for sight in sights if sight is not None], self._clock())

    async def scan(self, cursor: Cursor, *, timeout_s: float) -> Scan:
        """Give some hundred requests whose money came or went after the cursor."""
        return await self._history.scan(cursor, int(self._clock()), timeout_s)

    async def listen(self, cursor: Cursor) -> AsyncGenerator[Hint, None]:
        """Hint at what happened since the cursor, then at what Stripe's list of events has: webhooks are quicker."""
        events = Events(self._calls, int(self._clock()))
        await events.news(POLL_TIMEOUT_S)  # what the list has by now is told by the scan
        while (found := await self.scan(cursor, timeout_s=POLL_TIMEOUT_S)).observations:
            cursor = found.cursor
            for one in found.observations:
                yield Hint(one.backend_ref, at=one.settled_at or 0)
        while True:
            await asyncio.sleep(self._poll_s)
            for about in await events.news(POLL_TIMEOUT_S):
                for ref in await self._meant(about):
                    yield Hint(ref, at=int(self._clock()))

    async def parse_notice(self, path_token: str, headers: Mapping[str, str], raw: bytes) -> tuple[Hint, ...]:
        """Read a call that is signed with the endpoint's secret, at about this moment."""
        now_s = self._clock()
        check_timed_signature(self._webhook_secret, raw, header(headers, "Stripe-Signature"), now_s)
        return noticed(raw, int(now_s))

    async def cancel(self, ref: BackendRef, *, timeout_s: float) -> None:
        """Close the open pages of a reference; one that is over or paid stays as it is."""
        deadline_s = monotonic_s() + timeout_s
        for session in self._index.of(ref):
            try:
                path = f"{SESSIONS}/{session.id}/expire"
                await self._calls.post_form(path, {}, timeout_s=left_s(deadline_s, WHOM))
            except Rejected:
                continue  # it is not open any more

    async def probe(self, *, timeout_s: float) -> Probe:
        """Tell what the key may do, whether it is for play money, and the server's clock."""
        deadline_s = monotonic_s() + timeout_s
        answers = await asyncio.gather(*(self._try(path, deadline_s) for path in READS))
        had = dict(zip(READS.values(), (answer is not None for answer in answers), strict=True))
        had[WRITE] = await self._may_make(deadline_s)
        clocks = [answer.clock_offset_s(self._clock()) for answer in answers if answer is not None]
        offset_s = clocks[0] if clocks else 0
        return Probe(
            CAPABILITIES,
            self.network,
            clock_offset_s=offset_s,
            warnings=key_words(self._calls.key.get_secret_value()) + clock_words(offset_s),
            may=tuple(right for right, is_had in had.items() if is_had),
            lacks=tuple(right for right, is_had in had.items() if not is_had),
        )

    # Making and looking

    async def _first(self, about: Intent, *, timeout_s: float) -> Session | None:
        await self._index.read(min(about.expires_at, int(self._clock())) - OFFER_MAX_S, timeout_s)
        return next(iter(self._index.of(about.reference)), None)

    async def _make(self, about: Intent, *, timeout_s: float) -> Session:
        assert about.fiat is not None, "nothing is made for less"
        units, currency = stripe_units(about.fiat)
        ends_at, name = self._ends_at(about), cut_memo(about.memo, NAME_BYTES_MAX)
        fields = {
            "mode": "payment",
            "payment_method_types[0]": "card",
            "adaptive_pricing[enabled]": "false",  # it would ask for another sum in the buyer's own currency
            "line_items[0][quantity]": "1",
            "line_items[0][price_data][currency]": currency,
            "line_items[0][price_data][unit_amount]": str(units),
            "line_items[0][price_data][product_data][name]": name,
            "client_reference_id": about.reference,
            f"metadata[{REFERENCE}]": about.reference,
            f"metadata[{INTENT}]": about.intent_id,
            f"metadata[{MSAT}]": str(about.amount_msat),
            f"metadata[{UNITS}]": str(units),
            f"metadata[{CURRENCY}]": currency,
            "payment_intent_data[description]": name,
            f"payment_intent_data[metadata][{REFERENCE}]": about.reference,
            "success_url": self._success_url,
            "expires_at": str(ends_at),
        }
        key = hashlib.sha256(f"ncc/stripe/1:{about.intent_id}:{ends_at}".encode()).hexdigest()
        said = await self._calls.post_form(SESSIONS, fields, {"Idempotency-Key": key}, timeout_s=timeout_s)
        return self._index.note(read_session(said.body))

    def _ends_at(self, about: Intent) -> int:
        """When the page ends: with the offer, or as near to it as Stripe allows."""
        now_s = int(self._clock())
        least = -(-(now_s + LIFE_MIN_S + CLOCK_SLACK_S) // END_STEP_S) * END_STEP_S
        most = (now_s + LIFE_MAX_S - CLOCK_SLACK_S) // END_STEP_S * END_STEP_S
        return min(max(about.expires_at, least), most)

    async def _look(self, known: Session, deadline_s: float) -> Sight | None:
        """A session as it stands now, with its money; None where Stripe does not have it."""
        path, asked = f"{SESSIONS}/{known.id}", {"expand[0]": PAYMENT}
        try:
            said = (await self._calls.get(path, asked, timeout_s=left_s(deadline_s, WHOM))).body
            session = read_session(said)
        except Missing:
            return None
        except Unknown as doubt:
            raise Retry(str(doubt)) from None
        if session.id != known.id or session.metadata != known.metadata:
            raise Retry("Stripe tells of another session than it was asked about")
        self._index.note(session)
        return await self._history.sight(session, left_s(deadline_s, WHOM))

    async def _meant(self, about: Mapping[str, Any]) -> list[BackendRef]:
        """What an event's object is about: a session says so itself, of anything else its payment does."""
        if about.get("object") == "checkout.session":
            sessions = [self._index.note(one) for one in sessions_in([about])]
        elif isinstance(payment := about.get("payment_intent"), str):
            sessions = await self._history.of_payment(payment, POLL_TIMEOUT_S)
        else:
            sessions = []
        return [BackendRef(ref) for one in sessions if (ref := one.reference) is not None]

    # What the key may do

    async def _try(self, path: str, deadline_s: float) -> Answer | None:
        """Read one row of a list; None where the key may not."""
        try:
            return await self._calls.get(path, {"limit": 1}, timeout_s=left_s(deadline_s, WHOM))
        except Forbidden:
            return None

    async def _may_make(self, deadline_s: float) -> bool:
        """Whether a call for a page without anything on it is refused for what it lacks, and not for who asks."""
        try:
            await self._calls.post_form(SESSIONS, {}, timeout_s=left_s(deadline_s, WHOM))
        except Forbidden:
            return False
        except Rejected:
            return True
        except Unknown as doubt:
            raise Retry(str(doubt)) from None
        return True


def key_words(key: str) -> tuple[str, ...]:
    """What to say to the operator of a key, by how it begins."""
    words: tuple[str, ...] = ()
    if key.startswith("sk_"):
        rights = ", ".join((WRITE, *(right for path, right in READS.items() if path != SESSIONS)))
        words += (f"this key may do everything in the account: make a restricted one with {rights}",)
    if "_test_" in key[:8]:
        words += ("this is a test key: its pages take test cards only, and no money comes",)
    return words
