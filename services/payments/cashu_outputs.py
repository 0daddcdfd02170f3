"""Makes a swap's outputs out of the wallet's seed, the same for the same token, and its new ecash out of the answer.

A lost answer is asked for again with identical outputs, or restored by them (NUT-09): nothing of them is drawn by
chance, and no other token ever has the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from schemas.cashu.blinding import blind, is_proven, scalar_of, unblind
from schemas.cashu.keysets import Keyset
from schemas.cashu.tokens import Proof
from schemas.ciphers import derive
from schemas.nostr.secp256k1 import KeyRefused, SecretKey
from services.payments.cashu_mint import Output, Signed


class BadSignature(ValueError):
    """A mint's signature is on something else than what it was asked to sign."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One set of outputs for a token's money: amounts of one keyset. A second set is made only for another keyset."""

    digest: str
    number: int
    keyset: str
    amounts: tuple[int, ...]


def lock_key(seed: bytes) -> SecretKey:
    """The key that payers lock ecash to: one for a shop's whole wallet, so that it may be published (NIP-61)."""
    return SecretKey(derive(seed, "ncc/cashu/lock/1"))


def outputs_of(seed: bytes, attempt: Attempt) -> tuple[Output, ...]:
    """What the mint is asked to sign for an attempt."""
    made = []
    for place, amount in enumerate(attempt.amounts):
        secret, r = _secret(seed, attempt, place)
        made.append(Output(amount, attempt.keyset, blind(secret.encode(), r).hex()))
    return tuple(made)


def proofs_of(seed: bytes, attempt: Attempt, keyset: Keyset, signed: Sequence[Signed]) -> tuple[Proof, ...]:
    """The new ecash. Raises `BadSignature` where an answer is for another amount, keyset or output."""
    if len(signed) != len(attempt.amounts):
        raise BadSignature("another number of signatures")
    return tuple(_proof(seed, attempt, place, keyset, one) for place, one in enumerate(signed))


def _proof(seed: bytes, attempt: Attempt, place: int, keyset: Keyset, one: Signed) -> Proof:
    amount, key = attempt.amounts[place], keyset.keys[attempt.amounts[place]]
    secret, r = _secret(seed, attempt, place)
    if (one.amount, one.keyset) != (amount, attempt.keyset):
        raise BadSignature("a signature for another amount or keyset")
    try:
        signed = bytes.fromhex(one.signed)
        if one.e is not None and one.s is not None:
            blinded = blind(secret.encode(), r)
            if not is_proven(key, blinded, signed, bytes.fromhex(one.e), bytes.fromhex(one.s)):
                raise BadSignature("a signature that the mint's key did not make")
        return Proof(amount, attempt.keyset, secret, unblind(signed, r, key).hex())
    except (KeyRefused, ValueError) as error:
        raise BadSignature("a signature that is none") from error


def _secret(seed: bytes, attempt: Attempt, place: int) -> tuple[str, bytes]:
    labels = (attempt.digest, str(attempt.number), str(place))
    secret = derive(seed, "ncc/cashu/secret/1", *labels).hex()
    return secret, scalar_of(derive(seed, "ncc/cashu/blinding/1", *labels))
