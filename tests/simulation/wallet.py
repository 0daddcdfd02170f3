"""A wallet that times out, forgets and pays late: every merchant's account of it, and the invoices it made."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import Any

from schemas.bolt11 import Invoice, InvoiceFault, InvoiceRefused, Network, encode
from schemas.payments import BackendState, Method
from schemas.values import MSAT_PER_SAT
from services.payments.port import (
    BackendRef,
    Capabilities,
    Cursor,
    Hint,
    Intent,
    Observation,
    PaymentRequest,
    Probe,
    Refund,
    Refunded,
    Rejected,
    Retry,
    Scan,
    Unknown,
    Unsupported,
)
from tests.simulation.clock import Clock, Dice
from tests.simulation.signers import digest

MONEY = (BackendState.SETTLED, BackendState.PARTIAL, BackendState.REVERSED)
"""States in which money came, whether it stayed or not."""
STALE_S = 60
"""How long after a settlement a look-up may still miss it."""
WAY_S = 6 * 86_400
"""How long after its end a request's money may still arrive; an address is watched for a week."""


@dataclass(slots=True)
class Held:
    """One request as the wallet has it; `ref` is its invoice's payment hash, or its address on the chain."""

    merchant: str
    intent: Intent
    text: str
    ref: str
    asked_msat: int
    state: BackendState = BackendState.OPEN
    gross_msat: int = 0
    settled_at: int | None = None
    settle_index: int = 0
    is_slow: bool = False
    """Whether its money is on its way for a while before it is there."""
    coming_msat: int = 0
    """What is on its way."""
    doubted_msat: int = 0
    """What of that had been there before the chain was reorganised."""


class Wallet:
    """Every merchant's account; `troubles` are percentages that a history draws."""

    def __init__(self, clock: Clock, dice: Dice, is_real: bool) -> None:
        self.clock, self.dice, self.is_real = clock, dice, is_real
        self.by_reference: dict[tuple[str, str], Held] = {}
        self.by_ref: dict[str, Held] = {}
        self.hash_of: dict[str, str] = {}
        self.asked_of: dict[str, int] = {}
        self.ever_coming: set[str] = set()
        """Intents whose money was on its way at some time."""
        self.bells: list[asyncio.Future[None]] = []
        self.settlements = 0
        self.fails = self.loses = self.lies = self.rejects = 0.0
        self.faults: list[str] = []
        self.turned_down: set[str] = set()
        """Intents that this wallet refused for good, or answered wrongly: nobody need be shown a request."""

    def heal(self) -> None:
        """Work as promised from now on."""
        self.fails = self.loses = self.lies = self.rejects = 0.0
        now_s = self.clock.now_ms // 1_000
        for held in self.slow():
            (self.arrive if now_s < held.intent.expires_at + WAY_S and self.dice.chance(60) else self.vanish)(held)

    def held(self, text: str) -> Held | None:
        """The request an invoice's text stands for; one made anew after a loss has the same payment hash."""
        return self.by_ref.get(self.hash_of.get(text, ""))

    def pay(self, text: str, factor_percent: int, when_late: bool) -> bool:
        """Somebody pays an invoice, whole, short or over; False where it cannot be paid."""
        found = self.held(text)
        if found is None or (found.state not in (BackendState.OPEN, BackendState.PARTIAL) and not found.is_slow):
            return False
        if self.clock.now_ms // 1_000 >= found.intent.expires_at and not when_late:
            return False
        paid_msat = found.intent.amount_msat * factor_percent // 100
        if found.is_slow:
            return self.send(found, paid_msat)
        self._change(found, BackendState.SETTLED, max(paid_msat, found.gross_msat))
        return True

    def pay_part(self, text: str, percent: int) -> bool:
        """Somebody pays some of it, and the request takes more; False where it cannot be paid."""
        found = self.held(text)
        if found is None or found.state is not BackendState.OPEN:
            return False
        if self.clock.now_ms // 1_000 >= found.intent.expires_at:
            return False
        if found.is_slow:
            return self.send(found, found.intent.amount_msat * percent // 100)
        self._change(found, BackendState.PARTIAL, found.intent.amount_msat * percent // 100)
        return True

    def take_back(self, text: str) -> bool:
        """What was paid is taken back; False where nothing was."""
        found = self.held(text)
        if found is None or found.state not in (BackendState.SETTLED, BackendState.PARTIAL):
            return False
        found.coming_msat = 0
        self._change(found, BackendState.REVERSED, found.gross_msat)
        return True

    # Money that is on its way

    def slow(self) -> list[Held]:
        """Requests with money on its way."""
        return [held for held in self.by_ref.values() if held.coming_msat]

    def send(self, held: Held, msat: int) -> bool:
        """Whole sats are on their way to an address, which takes any number of payments; False for none."""
        msat -= msat % MSAT_PER_SAT
        if held.state is BackendState.REVERSED or not msat:
            return False
        held.coming_msat += msat
        self.ever_coming.add(held.intent.intent_id)
        self._change(held, _standing(held), held.gross_msat)
        return True

    def arrive(self, held: Held) -> None:
        """What is on its way is there."""
        held.gross_msat, held.coming_msat, held.doubted_msat = held.gross_msat + held.coming_msat, 0, 0
        self._change(held, _standing(held), held.gross_msat)

    def vanish(self, held: Held) -> None:
        """What is on its way never comes: its payer spent it otherwise. What was there before is taken back."""
        held.coming_msat = 0
        if held.doubted_msat:
            self._change(held, BackendState.REVERSED, held.doubted_msat)
        else:
            self._change(held, _standing(held), held.gross_msat)

    def reorganise(self, held: Held) -> None:
        """What was there is on its way once more."""
        self.ever_coming.add(held.intent.intent_id)
        held.coming_msat, held.doubted_msat = held.coming_msat + held.gross_msat, held.gross_msat
        held.gross_msat = 0
        self._change(held, BackendState.PENDING, 0)

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
        held = [one for one in self.by_ref.values() if one.state is BackendState.OPEN and not one.is_slow]
        if held:
            lost = held[place % len(held)]
            del self.by_ref[lost.ref]
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


def _standing(held: Held) -> BackendState:
    """How a request stands by what is there, and else by what is on its way."""
    if held.gross_msat:
        return BackendState.SETTLED if held.gross_msat >= held.intent.amount_msat else BackendState.PARTIAL
    return BackendState.PENDING if held.coming_msat else BackendState.OPEN


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

    method = Method.BOLT11
    evidence = "bolt11"
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
            ref, asked_msat = self._ref(intent), intent.amount_msat
            if wallet.dice.chance(wallet.lies):
                asked_msat += 1_000
                wallet.turned_down.add(intent.intent_id)
            held = Held(self._merchant, intent, self._write(intent, ref, asked_msat), ref, asked_msat)
            held.is_slow = self.method is Method.BITCOIN
            wallet.by_reference[self._merchant, intent.reference] = held
            if ref in wallet.by_ref:
                wallet.faults.append("I3: two requests with one payment hash, or one address")
            wallet.by_ref[ref] = held
            wallet.hash_of[held.text] = ref
            if held.is_slow:  # buyers are shown the address alone
                wallet.hash_of[ref] = ref
            wallet.asked_of[held.text] = asked_msat
        elif held.intent.intent_id != intent.intent_id:
            wallet.faults.append("I3: one reference for two intents")
        if wallet.dice.chance(wallet.loses):
            raise Unknown("drawn: made, but the answer was lost")
        return PaymentRequest(
            backend_ref=BackendRef(held.ref),
            reference=intent.reference,
            method=self.method,
            text=held.text,
            amount_msat=held.intent.amount_msat,
            expires_at=held.intent.expires_at,
            payment_hash=None if held.is_slow else held.ref,
        )

    def _ref(self, intent: Intent) -> str:
        """What the wallet calls the request of an intent: the same each time."""
        assert intent.preimage is not None
        return intent.preimage.payment_hash

    def _write(self, intent: Intent, ref: str, amount_msat: int) -> str:
        return self._wallet.write(intent, ref, amount_msat)

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
            evidence=f"{self.evidence}:{ref}" if is_settled else "",
        )

    async def scan(self, cursor: Cursor, *, timeout_s: float) -> Scan:
        """What settled after the cursor."""
        self._trouble("scan")
        settled = [held for held in self._after(int(cursor or 0)) if not held.is_slow or held.state in MONEY]
        observations = tuple(
            Observation(
                BackendRef(held.ref),
                held.intent.reference,
                held.state,
                held.gross_msat,
                evidence=f"{self.evidence}:{held.ref}",
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
                    yield Hint(BackendRef(held.ref), at=held.settled_at or 0)
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

    async def refund(self, wish: Refund, *, timeout_s: float) -> Refunded:
        """This wallet only receives."""
        raise Unsupported("no refunds")

    async def probe(self, *, timeout_s: float) -> Probe:
        """Nobody asks here."""
        raise Unsupported("no probe")
