"""The world outside: relays of several characters, and a wallet that times out, forgets and pays late."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from schemas.bolt11 import Invoice, InvoiceFault, InvoiceRefused, Network, encode
from schemas.payments import BackendState, Method
from services.directory import Route
from services.payments.port import (
    BackendRef,
    Capabilities,
    Cursor,
    Hint,
    Intent,
    Observation,
    PaymentRequest,
    Probe,
    Rejected,
    Retry,
    Scan,
    Unknown,
    Unsupported,
)
from services.relays.publish import Outcome, PublishResult
from tests.simulation.clock import Clock, Dice
from tests.simulation.signers import digest

HONEST, LAZY, DOWN, LOSES_OK, REFUSES, LIES, DENIES = range(7)
MONEY = (BackendState.SETTLED, BackendState.PARTIAL, BackendState.REVERSED)
"""States in which money came, whether it stayed or not."""
STALE_S = 60
"""How long after a settlement a look-up may still miss it."""
CHARACTERS = ("honest", "lazy", "down", "loses OK after accepting", "refuses", "says OK and drops", "denies and keeps")


@dataclass(slots=True)
class Relay:
    """One relay: what it keeps, in the order it came, and how it behaves now."""

    url: str
    character: int = HONEST
    texts: dict[str, str] = field(default_factory=dict)
    order: list[tuple[str, str]] = field(default_factory=list)
    stored_for_sure: set[str] = field(default_factory=set)

    def store(self, event_id: str, text: str) -> bool:
        """Keep an event; False where it was there."""
        if event_id in self.texts:
            return False
        self.texts[event_id] = text
        self.order.append((event_id, text))
        return True


class RelayNet:
    """What the publisher sees of the relays (`services.relays.Publisher`)."""

    def __init__(self, relays: dict[str, Relay], on_stored: Callable[[str], None]) -> None:
        self._relays = relays
        self._on_stored = on_stored
        self.acknowledged: dict[str, None] = {}
        """Events that a relay kept or said yes to, in the order of the first time: a lost yes is one for the buyer."""

    async def publish(self, relay: str, event_id: str, text: str, timeout_s: float) -> PublishResult:
        """One event to one relay."""
        result = await self._answer(self._relays[relay], relay, event_id, text)
        if result.is_stored:
            self.acknowledged.setdefault(event_id)
        return result

    async def _answer(self, at: Relay, relay: str, event_id: str, text: str) -> PublishResult:
        match at.character:
            case 1:
                await asyncio.sleep(2.0)
            case 2:
                return PublishResult(relay, Outcome.UNREACHABLE, "drawn: down", 1)
            case 3:
                self._keep(at, event_id, text)
                return PublishResult(relay, Outcome.TIMEOUT, "drawn: no OK", 1)
            case 4:
                return PublishResult(relay, Outcome.REFUSED, "blocked: drawn", 1)
            case 5:
                return PublishResult(relay, Outcome.ACCEPTED, "", 1)
            case 6:
                self._keep(at, event_id, text)
                return PublishResult(relay, Outcome.REFUSED, "blocked: drawn", 1)
            case _:
                pass
        is_new = self._keep(at, event_id, text)
        at.stored_for_sure.add(event_id)
        return PublishResult(relay, Outcome.ACCEPTED if is_new else Outcome.DUPLICATE, "", 1)

    def _keep(self, relay: Relay, event_id: str, text: str) -> bool:
        self.acknowledged.setdefault(event_id)
        is_new = relay.store(event_id, text)
        if is_new:
            self._on_stored(event_id)
        return is_new


class SimDirectory:
    """Where buyers read: always the same relays; merchants have no lists (`services.directory.Directory`)."""

    def __init__(self, relays: tuple[str, ...]) -> None:
        self._route = Route(relays)

    async def route(self, recipient: str, ask: Any) -> Route:
        return self._route

    async def copies(self, merchant: str, ask: Any) -> tuple[str, ...]:
        return tuple(ask)

    async def public(self, author: str, ask: Any) -> tuple[str, ...]:
        return tuple(ask)

    async def spread(self, author: str, ask: Any, named: Any) -> tuple[str, ...]:
        return tuple(ask)


@dataclass(slots=True)
class Held:
    """One invoice as the wallet has it."""

    merchant: str
    intent: Intent
    text: str
    payment_hash: str
    asked_msat: int
    state: BackendState = BackendState.OPEN
    gross_msat: int = 0
    settled_at: int | None = None
    settle_index: int = 0
    is_told: bool = True


class Wallet:
    """Every merchant's account; `troubles` are percentages that a history draws."""

    def __init__(self, clock: Clock, dice: Dice, is_real: bool) -> None:
        self.clock, self.dice, self.is_real = clock, dice, is_real
        self.by_reference: dict[tuple[str, str], Held] = {}
        self.by_ref: dict[str, Held] = {}
        self.hash_of: dict[str, str] = {}
        self.asked_of: dict[str, int] = {}
        self.bells: list[asyncio.Future[None]] = []
        self.settlements = 0
        self.fails = self.loses = self.lies = self.rejects = 0.0
        self.faults: list[str] = []
        self.turned_down: set[str] = set()
        """Intents that this wallet refused for good, or answered wrongly: nobody need be shown a request."""

    def heal(self) -> None:
        """Work as promised from now on."""
        self.fails = self.loses = self.lies = self.rejects = 0.0

    def held(self, text: str) -> Held | None:
        """The request an invoice's text stands for; one made anew after a loss has the same payment hash."""
        return self.by_ref.get(self.hash_of.get(text, ""))

    def pay(self, text: str, factor_percent: int, when_late: bool) -> bool:
        """Somebody pays an invoice, whole, short or over; False where it cannot be paid."""
        found = self.held(text)
        if found is None or found.state not in (BackendState.OPEN, BackendState.PARTIAL):
            return False
        if self.clock.now_ms // 1_000 >= found.intent.expires_at and not when_late:
            return False
        paid_msat = found.intent.amount_msat * factor_percent // 100
        self._change(found, BackendState.SETTLED, max(paid_msat, found.gross_msat))
        return True

    def pay_part(self, text: str, percent: int) -> bool:
        """Somebody pays some of it, and the request takes more; False where it cannot be paid."""
        found = self.held(text)
        if found is None or found.state is not BackendState.OPEN:
            return False
        if self.clock.now_ms // 1_000 >= found.intent.expires_at:
            return False
        self._change(found, BackendState.PARTIAL, found.intent.amount_msat * percent // 100)
        return True

    def take_back(self, text: str) -> bool:
        """What was paid is taken back; False where nothing was."""
        found = self.held(text)
        if found is None or found.state not in (BackendState.SETTLED, BackendState.PARTIAL):
            return False
        self._change(found, BackendState.REVERSED, found.gross_msat)
        return True

    def _change(self, held: Held, state: BackendState, gross_msat: int) -> None:
        self.settlements += 1
        held.state, held.settle_index, held.gross_msat = state, self.settlements, gross_msat
        held.settled_at = self.clock.now_ms // 1_000
        self.ring()

    def ring(self) -> None:
        """Wake who listens."""
        bells, self.bells = self.bells, []
        for bell in bells:
            if not bell.done():
                bell.set_result(None)

    def forget(self, place: int) -> None:
        """Lose one open invoice, as a wallet restored from a backup does."""
        held = [one for one in self.by_ref.values() if one.state is BackendState.OPEN]
        if held:
            lost = held[place % len(held)]
            del self.by_ref[lost.payment_hash]
            del self.by_reference[lost.merchant, lost.intent.reference]

    def write(self, intent: Intent, payment_hash: str, amount_msat: int) -> str:
        """An invoice: cheap text, or a real BOLT-11 one."""
        now = self.clock.now_ms // 1_000
        if not self.is_real:
            return f"sim:{payment_hash}:{amount_msat}:{now}:{intent.expires_at}:{intent.description_hash or ''}"
        return encode(
            network=Network.REGTEST,
            amount_msat=amount_msat,
            timestamp=now,
            payment_hash=payment_hash,
            payment_secret=digest("secret", payment_hash),
            secret=bytes.fromhex(digest("node")),
            description=None if intent.description_hash else intent.memo,
            description_hash=intent.description_hash,
            expiry_s=max(1, intent.expires_at - now),
            min_final_cltv=18,
        )


def cheap_decode(text: str) -> Invoice:
    """What stands for reading a BOLT-11 text in the cheap world."""
    kind, _, rest = text.partition(":")
    if kind != "sim":
        raise InvoiceRefused(InvoiceFault.BECH32, "drawn")
    payment_hash, amount, made, expires, description_hash = rest.split(":")
    return Invoice(
        network=Network.REGTEST,
        amount_msat=int(amount),
        timestamp=int(made),
        payment_hash=payment_hash,
        payment_secret="00" * 32,
        description=None if description_hash else "",
        description_hash=description_hash or None,
        expiry_s=int(expires) - int(made),
        min_final_cltv=18,
        payee="02" * 33,
        features=b"",
        fallbacks=(),
        route_hints=(),
        others=(),
        signature=b"",
    )


class Account:
    """One merchant's `PaymentBackend`."""

    network = Network.REGTEST
    capabilities = Capabilities(
        methods=frozenset({Method.BOLT11}),
        amount_step_msat=1,
        custom_expiry=True,
        preset_preimage=True,
        description_hash=True,
    )

    def __init__(self, wallet: Wallet, merchant: str, loop: Any) -> None:
        self._wallet, self._merchant, self._loop = wallet, merchant, loop

    def _trouble(self, doing: str) -> None:
        wallet = self._wallet
        if wallet.dice.chance(wallet.fails):
            raise (Retry if wallet.dice.chance(50) else Unknown)(f"drawn: {doing} did not happen")

    async def ensure(self, intent: Intent, *, timeout_s: float) -> PaymentRequest:
        """The one request for this intent."""
        wallet = self._wallet
        self._trouble("ensure")
        held = wallet.by_reference.get((self._merchant, intent.reference))
        if held is None:
            if wallet.dice.chance(wallet.rejects):
                wallet.turned_down.add(intent.intent_id)
                raise Rejected("drawn: refused for good")
            if intent.expires_at <= wallet.clock.now_ms // 1_000:
                wallet.turned_down.add(intent.intent_id)
                raise Rejected("it would be expired before it exists")
            assert intent.preimage is not None
            payment_hash = intent.preimage.payment_hash
            asked_msat = intent.amount_msat
            if wallet.dice.chance(wallet.lies):
                asked_msat += 1_000
                wallet.turned_down.add(intent.intent_id)
            held = Held(
                self._merchant, intent, wallet.write(intent, payment_hash, asked_msat), payment_hash, asked_msat
            )
            wallet.by_reference[self._merchant, intent.reference] = held
            if payment_hash in wallet.by_ref:
                wallet.faults.append("I3: two requests with one payment hash")
            wallet.by_ref[payment_hash] = held
            wallet.hash_of[held.text] = payment_hash
            wallet.asked_of[held.text] = asked_msat
        elif held.intent.intent_id != intent.intent_id:
            wallet.faults.append("I3: one reference for two intents")
        if wallet.dice.chance(wallet.loses):
            raise Unknown("drawn: made, but the answer was lost")
        return PaymentRequest(
            backend_ref=BackendRef(held.payment_hash),
            reference=intent.reference,
            method=Method.BOLT11,
            text=held.text,
            amount_msat=held.intent.amount_msat,
            expires_at=held.intent.expires_at,
            payment_hash=held.payment_hash,
        )

    async def lookup(self, ref: BackendRef, *, timeout_s: float) -> Observation:
        """How a request stands; sometimes as it stood."""
        wallet = self._wallet
        self._trouble("lookup")
        held = wallet.by_ref.get(ref)
        if held is None or held.merchant != self._merchant:
            return Observation(backend_ref=ref, reference=None, state=BackendState.GONE)
        now_s = wallet.clock.now_ms // 1_000
        is_stale = now_s - (held.settled_at or 0) < STALE_S and wallet.dice.chance(wallet.loses)
        state = BackendState.OPEN if is_stale else held.state
        if state is BackendState.OPEN and wallet.clock.now_ms // 1_000 >= held.intent.expires_at:
            state = BackendState.EXPIRED
        is_settled = state in MONEY
        return Observation(
            backend_ref=ref,
            reference=held.intent.reference,
            state=state,
            gross_msat=held.gross_msat if is_settled else 0,
            settled_at=held.settled_at if is_settled else None,
            expires_at=held.intent.expires_at,
            evidence=f"bolt11:{ref}" if is_settled else "",
        )

    async def scan(self, cursor: Cursor, *, timeout_s: float) -> Scan:
        """What settled after the cursor."""
        self._trouble("scan")
        settled = self._after(int(cursor or 0))
        observations = tuple(
            Observation(
                BackendRef(held.payment_hash),
                held.intent.reference,
                held.state,
                held.gross_msat,
                evidence=f"bolt11:{held.payment_hash}",
            )
            for held in settled
        )
        return Scan(observations, Cursor(str(settled[-1].settle_index)) if settled else cursor)

    def _after(self, index: int) -> list[Held]:
        mine = (held for held in self._wallet.by_ref.values() if held.merchant == self._merchant)
        return sorted((held for held in mine if held.settle_index > index), key=lambda held: held.settle_index)

    async def listen(self, cursor: Cursor) -> AsyncGenerator[Hint, None]:
        """Hints, of which some are lost."""
        wallet, after = self._wallet, int(cursor or 0)
        while True:
            for held in self._after(after):
                after = held.settle_index
                if not wallet.dice.chance(wallet.loses):
                    yield Hint(BackendRef(held.payment_hash), at=held.settled_at or 0)
            bell: asyncio.Future[None] = asyncio.Future(loop=self._loop)
            wallet.bells.append(bell)
            await bell

    async def cancel(self, ref: BackendRef, *, timeout_s: float) -> None:
        """Make an open request unpayable."""
        self._trouble("cancel")
        held = self._wallet.by_ref.get(ref)
        if held is not None and held.state is BackendState.OPEN:
            held.state = BackendState.CANCELLED

    async def parse_notice(self, path_token: str, headers: Mapping[str, str], raw: bytes) -> tuple[Hint, ...]:
        """This wallet sends no notices."""
        raise Unsupported("no notices")

    async def refund(
        self, refund_id: str, destination: str, amount_msat: int, *, max_fee_msat: int, timeout_s: float
    ) -> Observation:
        """This wallet only receives."""
        raise Unsupported("no refunds")

    async def probe(self, *, timeout_s: float) -> Probe:
        """Nobody asks here."""
        raise Unsupported("no probe")
