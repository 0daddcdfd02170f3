"""Takes a token in: holds it against what was asked for, swaps it at its mint at once, and only then counts it.

    checked without the mint ──▶ keysets ──▶ written down ──▶ swapped ──▶ the new ecash written down
                                                   ▲              │ no answer, or a refusal
                                                   └── restored ◀─┘

What was not swapped is not money: the payer may spend it until then (F10). A call without an answer is made again
with the same outputs; a mint that knows them gives its signatures again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Final
from weakref import WeakValueDictionary

from schemas.cashu.blinding import is_proven_to_another
from schemas.cashu.faults import TokenFault, TokenRefused
from schemas.cashu.keysets import Keyset, KeysetRefused, expand, fee_of, make_up
from schemas.cashu.locks import open_lock, read_lock
from schemas.cashu.tokens import SAT, Proof, Token, digest_of, mint_name
from schemas.ecash import EcashTerms
from schemas.nostr.secp256k1 import SecretKey
from services.payments.asking import left_s, monotonic_s
from services.payments.cashu_book import Asked, Book, Handed
from services.payments.cashu_mint import OTHER_KEYSET, PENDING, SPENT, Mint, MintRefused, Signed
from services.payments.cashu_outputs import Attempt, BadSignature, outputs_of, proofs_of
from services.payments.port import Retry, Unknown

WHOM: Final = "the mint"
ATTEMPTS_MAX: Final = 4
"""Sets of outputs for one token: a mint that moves to another keyset each time is not worth more."""
LOCK_OPEN_S: Final = 3_600
"""How long after the request's end a lock has to hold, so that a mint may be out of reach for a while."""


class Swaps:
    """The tokens of one wallet; one at a time for each request."""

    def __init__(
        self,
        mints: Mapping[str, Mint],
        book: Book,
        seed: bytes,
        keys: Iterable[SecretKey],
        cap_sats: int,
        clock: Callable[[], float],
    ) -> None:
        """`mints` by their names are all that is ever called; `cap_sats` is what may lie at one of them.

        Ecash that is locked to one of `keys` can be swapped.
        """
        self._mints, self._book, self._seed, self._cap, self._clock = mints, book, seed, cap_sats, clock
        self._keys = {key.public_key: key for key in keys}
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def take(self, reference: str, token: Token, *, timeout_s: float) -> None:
        """Have a token's money; the same call again changes nothing.

        Raises `TokenRefused` where the payer keeps it, `Retry` or `Unknown` where the mint has to be asked again.
        """
        deadline_s = monotonic_s() + timeout_s
        turn = self._turns.setdefault(reference, asyncio.Lock())
        async with turn:
            await self._take(reference, token, deadline_s)

    async def _take(self, reference: str, token: Token, deadline_s: float) -> None:
        ys = [proof.y for proof in token.proofs]
        digest = digest_of(ys)
        known = self._book.handed(digest)
        if known is not None and known.reference != reference:
            raise TokenRefused(TokenFault.ALREADY_USED)
        if known is not None and known.state == "taken":
            return
        if known is not None and known.reason is TokenFault.SPENT:
            raise TokenRefused(TokenFault.SPENT)
        if known is None or known.state == "refused":
            known = await self._begin(reference, token, digest, ys, deadline_s)
        await self._swap(known, deadline_s)

    async def _begin(self, reference: str, token: Token, digest: str, ys: list[str], deadline_s: float) -> Handed:
        """Hold a token against its request and its mint's keysets, and write it down."""
        asked = self._book.asked(reference)
        if asked is None:
            raise TokenRefused(TokenFault.UNKNOWN_REQUEST)
        if asked.got >= asked.amount:
            raise TokenRefused(TokenFault.ALREADY_PAID)
        terms, mint = self._book.terms(reference), self._mints.get(token.mint)
        if mint is None or not names_mint(terms, token.mint):
            # before any contact: whoever names a mint chooses whom we would call
            raise TokenRefused(TokenFault.FOREIGN_MINT)
        if token.unit != SAT:
            raise TokenRefused(TokenFault.WRONG_UNIT)
        opened = [self._opened(proof, asked, terms) for proof in token.proofs]
        keysets = await mint.keysets(timeout_s=left_s(deadline_s, WHOM))
        proofs = [replace(proof, keyset=expand(proof.keyset, keysets)) for proof in opened]
        for proof in proofs:
            _hold(proof, keysets[proof.keyset])
        attempt = self._attempt(digest, 1, proofs, keysets)
        handed = Handed(digest, reference, token.mint, "begun", None, tuple(replace(p, dleq=None) for p in proofs))
        # One that was refused and is handed in again keeps the outputs it had: they may have been signed meanwhile.
        first = next(iter(self._book.attempts(digest)), attempt)
        self._book.begin(handed, ys, first, sum_in=token.amount, cap=self._cap)
        return handed

    def _opened(self, proof: Proof, asked: Asked, terms: EcashTerms) -> Proof:
        """A proof as its mint lets us spend it: locked to us for long enough (F9), or not where no list asks for it."""
        lock = read_lock(proof.secret)
        if lock is None:
            if terms.lock_key is not None:
                raise TokenRefused(TokenFault.NOT_LOCKED)
            return replace(proof, witness=None)
        key = next((self._keys[name] for name in lock.keys if name in self._keys), None)
        if key is None or lock.needed > 1 or lock.signs_all:
            raise TokenRefused(TokenFault.FOREIGN_LOCK)
        until_s = max(asked.expires_at, int(self._clock())) + LOCK_OPEN_S
        if len(lock.keys) > 1 or (lock.opens_at is not None and lock.opens_at < until_s):
            raise TokenRefused(TokenFault.LOCK_OPENS)
        return replace(proof, witness=open_lock(proof.secret, key))

    def _attempt(self, digest: str, number: int, proofs: list[Proof], keysets: Mapping[str, Keyset]) -> Attempt:
        """What is asked for in return: all of it less the mint's fee, in the active keyset that charges least."""
        net = sum(p.amount for p in proofs) - fee_of(keysets[p.keyset].fee_ppk for p in proofs)
        active = sorted((one for one in keysets.values() if one.is_active), key=lambda one: (one.fee_ppk, one.id))
        if not active:
            raise Retry(f"{WHOM} has no active keyset in sats")
        if net <= 0:
            raise TokenRefused(TokenFault.LESS_THAN_FEE)
        try:
            return Attempt(digest, number, active[0].id, make_up(net, active[0]))
        except KeysetRefused:
            raise TokenRefused(TokenFault.NO_SUCH_AMOUNT) from None

    async def _swap(self, token: Handed, deadline_s: float) -> None:
        """Ask for the newest attempt's outputs; what is not answered or refused is looked for before anything else."""
        mint = self._mints.get(token.mint)
        if mint is None:  # taken off the list while it was being swapped
            raise Retry("the token's mint is not on the shop's list any more")
        attempts = self._book.attempts(token.digest)
        try:
            signed = await mint.swap(
                token.proofs, outputs_of(self._seed, attempts[-1]), timeout_s=left_s(deadline_s, WHOM)
            )
        except MintRefused as refused:
            await self._look(token, mint, attempts, refused, deadline_s)
            return
        keysets = await mint.keysets(timeout_s=left_s(deadline_s, WHOM))
        if not self._keep(token, attempts[-1], keysets, signed):
            raise Unknown(f"{WHOM} answers with a signature that is not what was asked for")

    async def _look(
        self, token: Handed, mint: Mint, attempts: list[Attempt], refused: MintRefused, deadline_s: float
    ) -> None:
        """The mint refuses: because it did it before (then it restores it), or because of what it is asked."""
        for attempt in attempts:
            signed = await mint.restore(outputs_of(self._seed, attempt), timeout_s=left_s(deadline_s, WHOM))
            if signed is not None:
                keysets = await mint.keysets(timeout_s=left_s(deadline_s, WHOM))
                if self._keep(token, attempt, keysets, signed):
                    return
        if refused.code in PENDING:
            raise Retry(f"{WHOM} is still at it: {refused}")
        if refused.code in OTHER_KEYSET and len(attempts) < ATTEMPTS_MAX:
            keysets = await mint.keysets(timeout_s=left_s(deadline_s, WHOM))
            if all(proof.keyset in keysets for proof in token.proofs):
                following = self._attempt(token.digest, attempts[-1].number + 1, list(token.proofs), keysets)
                self._book.try_otherwise(following)
                await self._swap(token, deadline_s)
                return
        reason = TokenFault.SPENT if refused.code == SPENT else TokenFault.MINT_REFUSES
        self._book.refuse(token.digest, reason)
        raise TokenRefused(reason)

    def _keep(self, token: Handed, attempt: Attempt, keysets: Mapping[str, Keyset], signed: tuple[Signed, ...]) -> bool:
        """Write the new ecash down; False where the signatures are not what was asked for."""
        if attempt.keyset not in keysets:
            raise Retry(f"{WHOM} does not show the keyset that it signed with")
        try:
            proofs = proofs_of(self._seed, attempt, keysets[attempt.keyset], signed)
        except BadSignature:
            return False
        self._book.take(token, proofs, int(self._clock()))
        return True


def names_mint(terms: EcashTerms, mint: str) -> bool:
    """Whether the shop's mint list has a mint, however its address is written; without a list, any of the wallet's."""
    return terms.mints is None or mint in map(mint_name, terms.mints)


def _hold(proof: Proof, keyset: Keyset) -> None:
    """Whether a proof can be of its keyset, and is where it brings the mint's own proof (NUT-12)."""
    key = keyset.keys.get(proof.amount)
    if key is None:
        raise TokenRefused(TokenFault.NO_SUCH_AMOUNT)
    if proof.dleq is None:
        return
    e, s, r = (bytes.fromhex(one) for one in (proof.dleq.e, proof.dleq.s, proof.dleq.r))
    if not is_proven_to_another(proof.secret.encode(), bytes.fromhex(proof.signature), key, e, s, r):
        raise TokenRefused(TokenFault.BAD_DLEQ)
