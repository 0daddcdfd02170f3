"""Preimages: what an invoice's payer is left with, chosen here so that no crash makes a second payable invoice."""

import hashlib
import hmac
from typing import Never


class Preimage:
    """The 32 bytes whose hash an invoice carries: money-grade, so they neither print nor pickle."""

    __slots__ = ("_value",)

    def __init__(self, value: bytes) -> None:
        if len(value) != 32:
            raise ValueError("a preimage has 32 bytes")
        self._value = value

    def reveal(self) -> bytes:
        """Give the bytes, for the call that hands them to the back-end and for nothing else."""
        return self._value

    @property
    def payment_hash(self) -> str:
        """The SHA-256 that the invoice carries, 64 lower-case hex digits."""
        return hashlib.sha256(self._value).hexdigest()

    def __repr__(self) -> str:
        return f"Preimage(of {self.payment_hash[:8]}…)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Preimage) and hmac.compare_digest(self._value, other._value)

    def __hash__(self) -> int:
        return hash(self.payment_hash)

    def __reduce_ex__(self, protocol: object) -> Never:
        raise TypeError("a preimage is neither pickled nor copied")


def preimage_for(deployment_secret: bytes, intent: str) -> Preimage:
    """Derive an intent's preimage, so that no crash can make a second payable invoice for it.

    The secret is money-grade: its holder could imitate proof of payment, so it stays with payments.
    """
    return Preimage(hmac.digest(deployment_secret, b"ncc/preimage/1" + bytes.fromhex(intent), "sha256"))
