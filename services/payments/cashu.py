"""Is paid in ecash of mints that the shop trusts (NUT-18): a request names the mints and the key to lock to.

No mint knows of a request, so it stands in a book of our own, and so does every token that was handed in for it.
Only what was swapped counts; the ecash it was swapped for is the shop's money and stays in the book, sealed, until
it is taken out (`ncc wallet withdraw`).
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from schemas.bolt11 import Network
from schemas.cashu.keysets import Keyset
from schemas.cashu.requests import EcashRequest, RequestRefused, read_request, write_request
from schemas.cashu.tokens import SAT, Token, mint_name
from schemas.ecash import EcashTerms
from schemas.nostr.secp256k1 import SecretKey
from schemas.payments import BackendState, Method
from schemas.values import MSAT_PER_SAT
from services.payments import port
from services.payments.asking import (
    clock_words,
    cut_memo,
    left_s,
    monotonic_s,
    refuse_another,
    refuse_expired,
    refuse_impossible,
)
from services.payments.cashu_book import Asked, Book
from services.payments.cashu_mint import Mint
from services.payments.cashu_outputs import lock_key as own_lock_key
from services.payments.cashu_swap import Swaps, names_mint
from services.payments.counted_cursor import count_of
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
    Reference,
    Rejected,
    RequestFault,
    Retry,
    Scan,
    Unauthorized,
    Unsupported,
)
from services.payments.port import (
    RequestRefused as Refused,
)
from services.payments.receiving import OnlyReceives

CAPABILITIES: Final = Capabilities(
    methods=frozenset({Method.CASHU}),
    amount_step_msat=MSAT_PER_SAT,
    custom_expiry=True,
    reference_unique=True,
    reference_searchable=True,
    push=Push.CURSOR,
    late_settle=True,
    partial=True,
    proof=port.Proof.SWAP,
)
CAP_SATS: Final = 1_000_000
"""What may lie at one mint unless the operator says otherwise: a mint can vanish with all of it (C-28)."""
SCAN_ROWS: Final = 500
LISTEN_EVERY_S: Final = 0.5
"""How often a listener looks for money that another process took in."""
MEMO_BYTES_MAX: Final = 200
NETWORK: Final = Network.BITCOIN
"""A mint does not say what its sats are; nothing of ecash depends on it."""


@dataclass(frozen=True, slots=True)
class Purse:
    """What lies at one mint: sats held, and its keysets; `why` is why it could not be asked."""

    mint: str
    sats: int
    keysets: tuple[Keyset, ...]
    name: str = ""
    why: str = ""


class EcashWallet(OnlyReceives):
    """One shop's ecash: a `PaymentBackend` that is handed tokens (`take`)."""

    no_notices = "a mint sends no notices: ecash is handed in"
    no_cancel = "a request for ecash cannot be taken back"
    no_refund = "ecash is given back by hand: `ncc wallet withdraw`"

    capabilities: Final = CAPABILITIES
    network: Final = NETWORK

    def __init__(
        self,
        mints: Sequence[Mint],
        book: Book,
        seed: bytes,
        *,
        lock_key: SecretKey | None = None,
        cap_sats: int = CAP_SATS,
        post_to: str | None = None,
        nostr_to: str | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`post_to` is the address that a request's own name is added to, where tokens may be posted; `nostr_to` is the
        shop itself, for wallets that send them as private messages. `lock_key` is what the shop's list names where
        that key was made elsewhere; what is locked to the wallet's own is taken as well."""
        self._mints: Mapping[str, Mint] = {mint_name(mint.url): mint for mint in mints}
        self._book, self._seed, self._cap, self._clock = book, seed, cap_sats, clock
        self._post_to, self._nostr_to = post_to, nostr_to
        own = own_lock_key(seed)
        keys = (own,) if lock_key is None else (lock_key, own)
        self._swaps = Swaps(self._mints, book, seed, keys, cap_sats, clock)
        self.lock_key = f"02{keys[0].public_key}"
        self._came = asyncio.Event()

    async def close(self) -> None:
        """Let go of the connections and of the book."""
        for mint in self._mints.values():
            await mint.close()
        self._book.close()

    async def take(self, reference: Reference, token: Token, *, timeout_s: float) -> None:
        """Swap a token that was handed in for a request; see `Swaps.take`."""
        await self._swaps.take(reference, token, timeout_s=timeout_s)
        self._came.set()

    async def keep(self, token: Token, *, timeout_s: float) -> None:
        """Swap a token that is for no order: it is the shop's, and nobody's payment. Raises as `take`."""
        name = port.reference(token.digest)
        self._book.ask(Asked(name, token.digest, token.amount, "", int(self._clock())))
        await self.take(name, token, timeout_s=timeout_s)

    async def ensure(self, intent: Intent, *, timeout_s: float) -> PaymentRequest:
        """Give the request of the intent's reference, as it was written down first."""
        refuse_impossible(intent, "ecash", CAPABILITIES.amount_step_msat, Method.CASHU)
        if intent.description_hash is not None:
            raise Unsupported("a request for ecash commits to no description")
        asked = self._book.asked(intent.reference)
        if asked is None:
            refuse_expired(intent, self._clock())
            asked = self._book.ask(self._new(intent), intent.ecash)
        refuse_another(intent, asked.intent_id, asked.amount * MSAT_PER_SAT)
        return PaymentRequest(
            backend_ref=BackendRef(intent.reference),
            reference=intent.reference,
            method=Method.CASHU,
            text=asked.text,
            amount_msat=intent.amount_msat,
            expires_at=asked.expires_at,
        )

    def _new(self, intent: Intent) -> Asked:
        """A request of those mints that have room for it (C-28). Raises `Rejected`, `Retry`."""
        sats = intent.amount_msat // MSAT_PER_SAT
        if sats > self._cap:
            raise Rejected(f"{sats} sats are more than may lie at one mint, {self._cap}")
        named = self._named(intent.ecash or EcashTerms())
        with_room = [name for name in named if self._book.at_stake(name) + sats <= self._cap]
        if not with_room:
            raise Retry("every mint holds as much as it may: take ecash out with `ncc wallet withdraw`")
        request = EcashRequest(
            id=intent.reference,
            amount=sats,
            unit=SAT,
            mints=tuple(with_room),
            memo=cut_memo(intent.memo, MEMO_BYTES_MAX),
            post_to=None if self._post_to is None else f"{self._post_to}/{intent.intent_id}",
            lock_key=self.lock_key,
            is_single_use=True,
            nostr_to=self._nostr_to,
        )
        return Asked(intent.reference, intent.intent_id, sats, write_request(request), intent.expires_at)

    def _named(self, terms: EcashTerms) -> list[str]:
        """This wallet's mints that the shop's list (10019) has too, in its order; without a list, all of them.

        Raises `Unauthorized` for a list that this wallet cannot keep to: what is owed waits for another of the two.
        """
        if terms.lock_key not in {None, self.lock_key}:
            raise Unauthorized(f"the shop's mint list (10019) has another key than this wallet's, {self.lock_key}")
        if terms.mints is None:
            return list(self._mints)
        named = [name for name in dict.fromkeys(map(mint_name, terms.mints)) if name in self._mints]
        if not named:
            raise Unauthorized("the shop's mint list (10019) names none of this wallet's mints")
        return named

    async def lookup(self, ref: BackendRef, *, timeout_s: float) -> Observation:
        """Tell what was swapped for a request; no mint is asked, since none knows it."""
        asked = self._book.asked(ref)
        if asked is None:
            return Observation(ref, None, BackendState.GONE)
        return self._observed(asked)

    async def scan(self, cursor: Cursor, *, timeout_s: float) -> Scan:
        """Give what came after the cursor, in the order it came."""
        rows = self._book.paid_after(count_of(cursor, "a wallet of ecash"), SCAN_ROWS)
        place = rows[-1].place if rows else None
        return Scan(tuple(self._observed(row) for row in rows), cursor if place is None else Cursor(str(place)))

    async def listen(self, cursor: Cursor) -> AsyncGenerator[Hint, None]:
        """Hint at each request that ecash comes for, as soon as it was swapped."""
        place = count_of(cursor, "a wallet of ecash")
        while True:
            self._came.clear()
            for row in self._book.paid_after(place, SCAN_ROWS):
                place = row.place or place
                yield Hint(BackendRef(row.reference), int(self._clock()))
            try:
                async with asyncio.timeout(LISTEN_EVERY_S):
                    await self._came.wait()
            except TimeoutError:
                continue

    async def probe(self, *, timeout_s: float) -> Probe:
        """Ask every mint what it is and what it lacks."""
        deadline_s, now_s = monotonic_s() + timeout_s, self._clock()
        warnings, lacks, offsets = [], [], []
        for name, mint in self._mints.items():
            info = await mint.info(now_s, timeout_s=left_s(deadline_s, name))
            keysets = await mint.keysets(timeout_s=left_s(deadline_s, name))
            active = [one for one in keysets.values() if one.is_active]
            lacks += [f"{word} at {name}" for word in info.lacks]
            lacks += [] if active else [f"a keyset in sats at {name}"]
            warnings += [f"{name}: {words}" for words in clock_words(info.clock_offset_s)]
            warnings += [f"{name} charges {one.fee_ppk} sats for a thousand proofs" for one in active if one.fee_ppk]
            held = self._book.at_stake(name)
            warnings += [f"{name} holds {held} of {self._cap} sats"] if held * 5 > self._cap * 4 else []
            offsets.append(info.clock_offset_s)
        return Probe(
            CAPABILITIES,
            NETWORK,
            payee=self.lock_key,
            clock_offset_s=max(offsets, key=abs, default=0),
            warnings=tuple(warnings),
            may=("receive",),
            lacks=tuple(lacks),
        )

    async def purses(self, *, timeout_s: float) -> tuple[Purse, ...]:
        """What lies at each mint, those that are on the list no more among them."""
        deadline_s, held = monotonic_s() + timeout_s, self._book.held()
        found = []
        for name in sorted({*self._mints, *held}):
            mint = self._mints.get(name)
            if mint is None:
                found.append(Purse(name, held[name], (), why="not on the list any more"))
                continue
            try:
                info = await mint.info(self._clock(), timeout_s=left_s(deadline_s, name))
                keysets = await mint.keysets(timeout_s=left_s(deadline_s, name))
                found.append(Purse(name, held.get(name, 0), tuple(keysets.values()), info.name))
            except port.BackendError as error:
                found.append(Purse(name, held.get(name, 0), (), why=str(error)))
        return tuple(found)

    def _observed(self, asked: Asked) -> Observation:
        if asked.got >= asked.amount:
            state = BackendState.SETTLED
        elif asked.got:
            state = BackendState.PARTIAL
        else:
            state = BackendState.OPEN if self._clock() < asked.expires_at else BackendState.EXPIRED
        digest = hashlib.sha256(repr((asked, state)).encode()).hexdigest()
        return Observation(
            backend_ref=BackendRef(asked.reference),
            reference=Reference(asked.reference),
            state=state,
            gross_msat=asked.got * MSAT_PER_SAT,
            settled_at=asked.settled_at,
            expires_at=asked.expires_at,
            evidence=f"cashu:{asked.reference}:{asked.place}" if asked.got else "",
            raw_digest=digest,
        )


def check_ecash_request(intent: Intent, text: str, payee: str | None = None) -> EcashRequest | Refused:
    """Hold a request's text against its intent before it is shown to anybody (PAY-08); `payee` is the lock's key."""
    try:
        request = read_request(text)
    except RequestRefused as refused:
        return Refused(RequestFault.UNREADABLE, str(refused))
    terms = intent.ecash or EcashTerms()
    is_listed = all(names_mint(terms, mint_name(mint)) for mint in request.mints)
    faults = (
        (request.id != intent.reference, RequestFault.PAYMENT_HASH, "is called something else"),
        (
            request.unit != SAT or (request.amount or 0) * MSAT_PER_SAT != intent.amount_msat,
            RequestFault.AMOUNT,
            f"asks for {request.amount} {request.unit}",
        ),
        (not request.mints, RequestFault.PAYEE, "names no mint, so that anybody's ecash would do"),
        (not is_listed, RequestFault.PAYEE, "names a mint that the shop's list has not"),
        (
            request.lock_key is None or not {payee, terms.lock_key} <= {None, request.lock_key},
            RequestFault.PAYEE,
            "locks to another key",
        ),
    )
    for is_wrong, reason, detail in faults:
        if is_wrong:
            return Refused(reason, f"the request {detail}")
    return request
